//! Texts of persons' rows as numbers while rows wait: what a column says over
//! and over is held once.
//!
//! In memory such a column is a dictionary array: its texts are the first of
//! those that its column has in the end. At rest it is its keys alone.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::{
    AnyDictionaryArray, Array, ArrayRef, AsArray, DictionaryArray, PrimitiveArray, RecordBatch,
    StringArray, new_null_array,
};
use arrow::compute::{cast, concat};
use arrow::datatypes::{
    ArrowDictionaryKeyType, DataType, Field, Int32Type, Schema, UInt8Type, UInt16Type, UInt32Type,
};
use arrow::error::ArrowError;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::narrow::{rank, widened};
use crate::{Scope, Table};

/// Different texts that a column has at most, and their bytes: one with more
/// stays as it is from then on.
const TEXTS_MAX: usize = if cfg!(test) { 8 } else { 1 << 16 };
const BYTES_MAX: usize = 1 << 20;

/// A column: its table and its place there.
type Place = (Table, usize);

/// The texts of columns so far.
#[derive(Default)]
pub(super) struct Texts {
    columns: Mutex<BTreeMap<Place, Column>>,
}

#[derive(Default)]
struct Column {
    numbers: HashMap<Box<str>, u32>,
    bytes: usize,
    /// All of them, by number.
    all: Option<ArrayRef>,
    /// Whether it hardly ever says the same again: then nothing is looked for.
    says_much: bool,
}

impl Texts {
    /// The rows with columns of texts as keys into what their columns say in all,
    /// as far as they are persons' and say the same over and over.
    pub(super) fn shared(
        &self,
        table: Table,
        rows: &RecordBatch,
    ) -> Result<RecordBatch, ArrowError> {
        let column = |(field, column): (&Arc<Field>, &ArrayRef)| {
            let place = table.columns().iter().position(|own| own.name == field.name());
            let place = place.filter(|_| table.scope() == Scope::Person);
            let given = column.as_dictionary_opt::<Int32Type>();
            match (place, given, column.as_string_opt::<i32>()) {
                (Some(place), Some(given), _) => self.shared_column((table, place), given),
                (None, Some(_), _) => cast(column, &DataType::Utf8),
                (Some(place), None, Some(texts)) if texts.null_count() < texts.len() => {
                    match self.keyed_column((table, place), texts) {
                        Some(given) => self.shared_column((table, place), &given),
                        None => Ok(Arc::clone(column)),
                    }
                }
                _ => Ok(Arc::clone(column)),
            }
        };
        let columns = rows.schema_ref().fields().iter().zip(rows.columns()).map(column);
        with_columns(rows, columns.collect::<Result<_, _>>()?)
    }

    /// A column of plain texts with keys, unless it was found to say too much.
    fn keyed_column(
        &self,
        place: Place,
        texts: &StringArray,
    ) -> Option<DictionaryArray<Int32Type>> {
        if self.columns().get(&place).is_some_and(|column| column.says_much) {
            return None;
        }
        let keyed = keyed_texts(texts);
        if keyed.is_none() {
            self.columns().entry(place).or_default().says_much = true;
        }
        keyed
    }

    fn shared_column(
        &self,
        place: Place,
        given: &DictionaryArray<Int32Type>,
    ) -> Result<ArrayRef, ArrowError> {
        let plain = || cast(given, &DataType::Utf8);
        let Some(texts) = given.values().as_string_opt::<i32>() else { return plain() };
        if texts.null_count() > 0 {
            return plain();
        }
        let Some((numbers, all)) = self.numbers(place, texts) else { return plain() };
        let number = |key: i32| numbers.get(key as usize).copied().unwrap_or(0);
        let keys = given.keys();
        Ok(match numbers.iter().copied().max().unwrap_or(0) {
            0..=0xff => dictionary(keys.unary::<_, UInt8Type>(|key| number(key) as u8), all)?,
            0x100..=0xffff => {
                dictionary(keys.unary::<_, UInt16Type>(|key| number(key) as u16), all)?
            }
            _ => dictionary(keys.unary::<_, UInt32Type>(number), all)?,
        })
    }

    /// The number of each text, and all texts of the column; `None` if there are
    /// too many.
    fn numbers(&self, place: Place, texts: &StringArray) -> Option<(Vec<u32>, ArrayRef)> {
        let mut columns = self.columns();
        let column = columns.entry(place).or_default();
        let mut numbers = Vec::with_capacity(texts.len());
        for text in texts.iter().flatten() {
            if let Some(number) = column.numbers.get(text) {
                numbers.push(*number);
                continue;
            }
            let next = column.numbers.len();
            if next >= TEXTS_MAX || column.bytes + text.len() > BYTES_MAX {
                return None;
            }
            column.numbers.insert(text.into(), next as u32);
            column.bytes += text.len();
            column.all = None;
            numbers.push(next as u32);
        }
        let Column { numbers: known, all, .. } = column;
        let all = all.get_or_insert_with(|| Arc::new(StringArray::from(in_order(known))));
        Some((numbers, Arc::clone(all)))
    }

    fn columns(&self) -> MutexGuard<'_, BTreeMap<Place, Column>> {
        self.columns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All texts, when no more will come.
    pub(super) fn list(self) -> TextLists {
        let columns = self.columns.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut lists = TextLists::default();
        for ((table, place), column) in columns {
            let texts = in_order(&column.numbers).into_iter().map(str::to_owned).collect();
            lists.0.entry(table).or_default().insert(place, texts);
        }
        lists
    }
}

/// Texts as keys into those that are different; `None` if a large part of them is.
fn keyed_texts(texts: &StringArray) -> Option<DictionaryArray<Int32Type>> {
    /// A text seen lately is found by its hash.
    const RECENT: usize = 1 << 10;
    /// Of so many texts one may be new, and some more at first.
    const NEW_SHARE: usize = 4;
    const NEW_AT_FIRST: usize = if cfg!(test) { 4 } else { 1 << 8 };
    let mut different: Vec<&str> = Vec::new();
    let mut known: HashMap<&str, i32> = HashMap::new();
    let mut recent = vec![(0, 0); RECENT];
    let mut keys = Vec::with_capacity(texts.len());
    for row in 0..texts.len() {
        let text = if texts.is_valid(row) { texts.value(row) } else { "" };
        let hash = xxh3_64(text.as_bytes());
        let (seen, key) = &mut recent[hash as usize % RECENT];
        if *seen != hash || different.get(*key as usize) != Some(&text) {
            *seen = hash;
            *key = *known.entry(text).or_insert_with(|| {
                different.push(text);
                different.len() as i32 - 1
            });
            if different.len() > NEW_AT_FIRST + row / NEW_SHARE {
                return None;
            }
        }
        keys.push(*key);
    }
    let keys = PrimitiveArray::new(keys.into(), texts.nulls().cloned());
    DictionaryArray::try_new(keys, Arc::new(StringArray::from(different))).ok()
}

fn in_order(numbers: &HashMap<Box<str>, u32>) -> Vec<&str> {
    let mut texts = vec![""; numbers.len()];
    for (text, number) in numbers {
        texts[*number as usize] = text;
    }
    texts
}

/// The texts of columns, by table and place of the column.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct TextLists(BTreeMap<Table, BTreeMap<usize, Vec<String>>>);

/// The same, to be looked up in.
pub(super) struct TextTables(BTreeMap<Place, ArrayRef>);

impl TextTables {
    pub(super) fn new(lists: TextLists) -> Self {
        let of_table = |(table, columns): (Table, BTreeMap<usize, Vec<String>>)| {
            columns.into_iter().map(move |(place, texts)| ((table, place), texts))
        };
        let all = lists.0.into_iter().flat_map(of_table);
        Self(all.map(|(place, texts)| (place, Arc::new(StringArray::from(texts)) as _)).collect())
    }

    /// Rows as they lie at rest, with their texts again.
    pub(super) fn read(&self, table: Table, rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let column = |(field, column): (&Arc<Field>, &ArrayRef)| {
            let place = table
                .columns()
                .iter()
                .position(|own| own.name == field.name() && own.kind.data_type() == DataType::Utf8);
            let Some(place) = place.filter(|_| *column.data_type() != DataType::Utf8) else {
                return Ok(Arc::clone(column));
            };
            let all = self.0.get(&(table, place)).ok_or_else(unknown)?;
            keyed(column, all)?.ok_or_else(unknown)
        };
        let columns = rows.schema_ref().fields().iter().zip(rows.columns()).map(column);
        with_columns(rows, columns.collect::<Result<_, _>>()?)
    }
}

/// Rows as they lie at rest: keys of texts without the texts.
pub(super) fn at_rest(rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let column = |column: &ArrayRef| match column.as_any_dictionary_opt() {
        Some(dictionary) => keys_of(dictionary),
        None => Arc::clone(column),
    };
    with_columns(rows, rows.columns().iter().map(column).collect())
}

/// The rows with plain texts.
pub(super) fn plain(rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let column = |column: &ArrayRef| match column.data_type() {
        kind if is_dictionary(kind) => cast(column, &DataType::Utf8),
        _ => Ok(Arc::clone(column)),
    };
    with_columns(rows, rows.columns().iter().map(column).collect::<Result<_, _>>()?)
}

/// Columns of the texts of one place below each other, each with its rows, where
/// some have keys: the longest list of texts begins with the others. Plain texts
/// if some have no keys.
pub(super) fn joined_texts(
    columns: Vec<(Option<ArrayRef>, usize)>,
) -> Result<ArrayRef, ArrowError> {
    let none = DataType::Dictionary(Box::new(DataType::UInt8), Box::new(DataType::Utf8));
    let columns: Vec<ArrayRef> = columns
        .into_iter()
        .map(|(column, rows)| column.unwrap_or_else(|| new_null_array(&none, rows)))
        .collect();
    let keyed_ones = columns.iter().filter_map(|column| column.as_any_dictionary_opt());
    let dictionaries: Vec<&dyn AnyDictionaryArray> = keyed_ones.collect();
    let longest = dictionaries.iter().map(|d| d.values()).max_by_key(Array::len);
    let Some(all) = longest.filter(|_| dictionaries.len() == columns.len()) else {
        let plain = columns.iter().map(|column| cast(column, &DataType::Utf8));
        return below_each_other(&plain.collect::<Result<Vec<_>, _>>()?);
    };
    let keys: Vec<ArrayRef> = dictionaries.iter().map(|d| keys_of(*d)).collect();
    let kind = keys.iter().map(Array::data_type).max_by_key(|kind| rank(kind));
    let kind = kind.unwrap_or(&DataType::UInt8).clone();
    let keys: Vec<ArrayRef> = keys.iter().map(|keys| widened(keys, &kind)).collect();
    keyed(&below_each_other(&keys)?, all)?.ok_or_else(unknown)
}

fn below_each_other(columns: &[ArrayRef]) -> Result<ArrayRef, ArrowError> {
    match columns {
        [one] => Ok(Arc::clone(one)),
        all => concat(&all.iter().map(AsRef::as_ref).collect::<Vec<_>>()),
    }
}

fn keys_of(dictionary: &dyn AnyDictionaryArray) -> ArrayRef {
    let keys = dictionary.keys();
    keys.slice(0, keys.len())
}

fn unknown() -> ArrowError {
    ArrowError::SchemaError("texts that are not known".to_owned())
}

/// Keys with their texts; `None` for a column of another type than keys have.
fn keyed(keys: &ArrayRef, all: &ArrayRef) -> Result<Option<ArrayRef>, ArrowError> {
    let all = Arc::clone(all);
    Ok(Some(match keys.data_type() {
        DataType::UInt8 => dictionary(keys.as_primitive::<UInt8Type>().clone(), all)?,
        DataType::UInt16 => dictionary(keys.as_primitive::<UInt16Type>().clone(), all)?,
        DataType::UInt32 => dictionary(keys.as_primitive::<UInt32Type>().clone(), all)?,
        _ => return Ok(None),
    }))
}

fn dictionary<K: ArrowDictionaryKeyType>(
    keys: PrimitiveArray<K>,
    all: ArrayRef,
) -> Result<ArrayRef, ArrowError> {
    Ok(Arc::new(DictionaryArray::try_new(keys, all)?))
}

pub(super) fn is_dictionary(kind: &DataType) -> bool {
    matches!(kind, DataType::Dictionary(_, _))
}

/// The rows with these columns in place of theirs.
fn with_columns(rows: &RecordBatch, columns: Vec<ArrayRef>) -> Result<RecordBatch, ArrowError> {
    let fields = rows.schema_ref().fields().iter().zip(&columns);
    let fields =
        fields.map(|(f, column)| Field::new(f.name(), column.data_type().clone(), f.is_nullable()));
    RecordBatch::try_new(Arc::new(Schema::new(fields.collect::<Vec<_>>())), columns)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TABLE: Table = Table::ConditionOccurrence;
    const COLUMN: &str = "condition_source_value";

    /// Rows as a source hands them over: plain, or with a dictionary of their own.
    fn given_rows(texts: &[Option<&str>], is_keyed: bool) -> RecordBatch {
        let column: ArrayRef = if is_keyed {
            Arc::new(texts.iter().copied().collect::<DictionaryArray<Int32Type>>())
        } else {
            Arc::new(StringArray::from(texts.to_vec()))
        };
        RecordBatch::try_from_iter_with_nullable([(COLUMN, column, true)]).unwrap()
    }

    fn texts_of(column: &ArrayRef) -> Vec<Option<String>> {
        let column = cast(column, &DataType::Utf8).unwrap();
        column.as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect()
    }

    proptest! {
        /// Some batches have too many different texts for numbers, some rows no
        /// column at all; some lie at rest, some are slices.
        #[test]
        fn texts_come_back(
            batches in prop::collection::vec(
                prop::collection::vec(prop::option::weighted(0.8, "[a-e]{0,2}"), 1..12), 1..8,
            ),
            rests in prop::collection::vec(any::<bool>(), 8),
            lacks in prop::collection::vec(prop::bool::weighted(0.2), 8),
            is_keyed in prop::collection::vec(any::<bool>(), 8),
        ) {
            let known = Texts::default();
            let mut columns = Vec::new();
            let mut expected = Vec::new();
            for (place, batch) in batches.iter().enumerate() {
                if lacks[place] {
                    columns.push((None, batch.len() - 1, rests[place]));
                    expected.extend(vec![None; batch.len() - 1]);
                    continue;
                }
                let texts: Vec<Option<&str>> = batch.iter().map(Option::as_deref).collect();
                let rows = known.shared(TABLE, &given_rows(&texts, is_keyed[place])).unwrap();
                // The first row is cut off.
                let rows = rows.slice(1, rows.num_rows() - 1);
                columns.push((Some(rows), batch.len() - 1, rests[place]));
                expected.extend(batch[1..].iter().cloned());
            }
            let lists = serde_json::to_string(&known.list()).unwrap();
            let tables = TextTables::new(serde_json::from_str(&lists).unwrap());
            let column = |(rows, len, rests): (Option<RecordBatch>, usize, bool)| {
                let read = |rows: RecordBatch| tables.read(TABLE, &at_rest(&rows).unwrap()).unwrap();
                let rows = rows.map(|rows| if rests { read(rows) } else { rows });
                (rows.map(|rows| rows.column(0).clone()), len)
            };
            let joined = joined_texts(columns.into_iter().map(column).collect()).unwrap();
            prop_assert_eq!(texts_of(&joined), expected);
        }
    }

    #[test]
    fn numbers_take_one_byte_and_are_the_same_for_all_rows() {
        let known = Texts::default();
        let keys = |texts: &[Option<&str>]| {
            let rows =
                known.shared(TABLE, &given_rows(texts, texts.len().is_multiple_of(2))).unwrap();
            rows.column(0).as_dictionary_opt::<UInt8Type>().map(|d| d.keys().values().to_vec())
        };
        assert_eq!(keys(&[Some("b"), Some("a"), Some("b")]), Some(vec![0, 1, 0]));
        assert_eq!(keys(&[Some("a"), Some("c")]), Some(vec![1, 2]));
        let many: Vec<String> = (0..TEXTS_MAX).map(|n| n.to_string()).collect();
        let many: Vec<Option<&str>> = many.iter().map(|text| Some(text.as_str())).collect();
        assert_eq!(keys(&many), None);
        assert_eq!(keys(&[Some("c")]), Some(vec![2]));
    }

    #[test]
    fn texts_of_no_person_stay_as_they_are() {
        let texts: DictionaryArray<Int32Type> = [Some("a"), None].into_iter().collect();
        let rows = RecordBatch::try_from_iter([("care_site_name", Arc::new(texts) as ArrayRef)]);
        let shared = Texts::default().shared(Table::CareSite, &rows.unwrap()).unwrap();
        assert_eq!(*shared.column(0).data_type(), DataType::Utf8);
        assert_eq!(texts_of(shared.column(0)), [Some("a".to_owned()), None]);
    }
}
