//! What a value may reveal, as a type that travels with it.

use std::fmt;
use std::marker::PhantomData;

/// Rows or facts of single persons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PersonLevel {}

/// Counts and estimates over groups, exact: small groups may give persons away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aggregate {}

/// Aggregates from which disclosure control has taken what could give a
/// person away, and texts that hold nothing of persons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Releasable {}

/// A level as a value, for policies and messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Label {
    /// See the type [`Releasable`].
    Releasable,
    /// See the type [`Aggregate`].
    Aggregate,
    /// See the type [`PersonLevel`].
    PersonLevel,
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Releasable => "releasable",
            Self::Aggregate => "aggregate",
            Self::PersonLevel => "person-level",
        })
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::PersonLevel {}
    impl Sealed for super::Aggregate {}
    impl Sealed for super::Releasable {}
}

/// The three levels; nobody else can add one.
pub trait Level: sealed::Sealed {
    /// The level as a value.
    const LABEL: Label;
}

impl Level for PersonLevel {
    const LABEL: Label = Label::PersonLevel;
}
impl Level for Aggregate {
    const LABEL: Label = Label::Aggregate;
}
impl Level for Releasable {
    const LABEL: Label = Label::Releasable;
}

/// A value with what it may reveal.
///
/// [`map`](Self::map) and [`try_map`](Self::try_map) keep the label, so it
/// survives from record batch to Parquet bytes. There is no public way to make
/// a `Labelled<Releasable, _>` but this crate's disclosure control.
pub struct Labelled<L: Level, T> {
    value: T,
    level: PhantomData<fn() -> L>,
}

impl<T> Labelled<PersonLevel, T> {
    /// Labels a value as person-level: always allowed.
    pub fn person_level(value: T) -> Self {
        Self::with(value)
    }
}

impl<T> Labelled<Aggregate, T> {
    /// Labels a value as an aggregate: the caller vouches that it holds no
    /// row of a single person.
    pub fn aggregate(value: T) -> Self {
        Self::with(value)
    }
}

impl<L: Level, T> Labelled<L, T> {
    pub(crate) fn with(value: T) -> Self {
        Self { value, level: PhantomData }
    }

    /// The label as a value.
    pub fn label(&self) -> Label {
        L::LABEL
    }

    /// A look at the value.
    pub fn get(&self) -> &T {
        &self.value
    }

    /// The value without its label, for use inside the process.
    pub fn into_inner(self) -> T {
        self.value
    }

    /// Another form of the same facts, with the same label.
    pub fn map<U>(self, form: impl FnOnce(T) -> U) -> Labelled<L, U> {
        Labelled::with(form(self.value))
    }

    /// Another form of the same facts, which may fail, with the same label.
    pub fn try_map<U, E>(self, form: impl FnOnce(T) -> Result<U, E>) -> Result<Labelled<L, U>, E> {
        form(self.value).map(Labelled::with)
    }

    /// The label over a borrowed value.
    pub fn as_ref(&self) -> Labelled<L, &T> {
        Labelled::with(&self.value)
    }
}

impl<L: Level, T: Clone> Clone for Labelled<L, T> {
    fn clone(&self) -> Self {
        Self::with(self.value.clone())
    }
}

/// Prints the label only: the value may hold persons.
impl<L: Level, T> fmt::Debug for Labelled<L, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Labelled<{}>(..)", L::LABEL)
    }
}
