//! Texts of persons' rows as numbers while rows wait: what a column says over
//! and over is held once, and rows have its place in the list, their key. Only
//! what is joined to be written has its texts again, as a dictionary array.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::{
    AnyDictionaryArray, Array, ArrayRef, AsArray, DictionaryArray, PrimitiveArray, RecordBatch,
    StringArray, new_null_array,
};
use arrow::compute::cast;
use arrow::datatypes::{
    ArrowDictionaryKeyType, DataType, Field, Int32Type, Schema, UInt8Type, UInt16Type, UInt32Type,
};
use arrow::error::ArrowError;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::divided::below;
use crate::narrow::{narrowest, rank, widened};
use crate::{Scope, Table};

/// Texts of more bytes have no number.
const TEXT_BYTES_MAX: usize = 128;

/// What a column's list holds at most: different texts, and bytes, of which each
/// text takes some of its own. One that would need more stays as it is. A list is
/// so short that Parquet cuts pages alike whether texts come as keys or plain: it
/// looks at plain ones where 1,024 of them may go beyond 1 MiB of dictionary.
const TEXTS_MAX: usize = if cfg!(test) { 8 } else { 1 << 15 };
const BYTES_MAX: usize = 1 << 19;
const BYTES_EACH: usize = 4;

/// A column: its table and its place there.
type Place = (Table, usize);

/// The texts of columns so far.
#[derive(Default)]
pub(super) struct Texts {
    columns: Mutex<BTreeMap<Place, Arc<Mutex<Column>>>>,
}

#[derive(Default)]
struct Column {
    numbers: HashMap<Box<str>, u32>,
    bytes: usize,
    /// Whether it says too much for a list: then nothing more is looked for.
    says_much: bool,
}

impl Texts {
    /// The rows with keys in place of the texts of columns that are persons' and
    /// say the same over and over. What came with a dictionary comes plain
    /// otherwise.
    pub(super) fn shared(
        &self,
        table: Table,
        rows: &RecordBatch,
    ) -> Result<RecordBatch, ArrowError> {
        let column = |(field, column): (&Arc<Field>, &ArrayRef)| {
            let place = table.columns().iter().position(|own| own.name == field.name());
            let place = place.filter(|_| table.scope() == Scope::Person);
            let keys = place.and_then(|place| self.keys((table, place), column));
            match keys {
                Some(keys) => Ok(keys),
                None if is_dictionary(column.data_type()) => cast(column, &DataType::Utf8),
                None => Ok(Arc::clone(column)),
            }
        };
        let columns = rows.schema_ref().fields().iter().zip(rows.columns()).map(column);
        with_columns(rows, columns.collect::<Result<_, _>>()?)
    }

    /// The keys of a column of texts; `None` for one of something else, or that
    /// says too much.
    fn keys(&self, place: Place, column: &ArrayRef) -> Option<ArrayRef> {
        let of_texts = column.as_string_opt::<i32>();
        let given = column.as_dictionary_opt::<Int32Type>();
        if of_texts.is_none_or(|texts| texts.null_count() == texts.len()) && given.is_none() {
            return None;
        }
        let known = self.column(place);
        if lock(&known).says_much {
            return None;
        }
        let keyed = of_texts.map(keyed_texts);
        let keys = given.or(keyed.as_ref().and_then(Option::as_ref)).and_then(|given| {
            let texts = given.values().as_string_opt::<i32>()?;
            let numbers = lock(&known).numbers(texts)?;
            let number = |key: i32| numbers.get(key as usize).copied().unwrap_or(0);
            let keys: PrimitiveArray<UInt32Type> = given.keys().unary(number);
            Some(narrowest(&(Arc::new(keys) as ArrayRef)))
        });
        if keys.is_none() {
            lock(&known).says_much = true;
        }
        keys
    }

    fn column(&self, place: Place) -> Arc<Mutex<Column>> {
        Arc::clone(lock(&self.columns).entry(place).or_default())
    }

    /// The texts of a table so far.
    pub(super) fn of(&self, table: Table) -> TextTables {
        let columns: Vec<(Place, Arc<Mutex<Column>>)> = lock(&self.columns)
            .range((table, 0)..=(table, usize::MAX))
            .map(|(place, column)| (*place, Arc::clone(column)))
            .collect();
        let texts = columns.into_iter().map(|(place, column)| {
            let all = StringArray::from(lock(&column).in_order());
            (place, Arc::new(all) as ArrayRef)
        });
        TextTables(texts.collect())
    }

    /// All texts, when no more will come.
    pub(super) fn list(self) -> TextLists {
        let mut lists = TextLists::default();
        for ((table, place), column) in &*lock(&self.columns) {
            let texts = lock(column).in_order().into_iter().map(str::to_owned).collect();
            lists.0.entry(*table).or_default().insert(*place, texts);
        }
        lists
    }
}

impl Column {
    /// The number of each text; `None` if there are too many, or too long ones.
    fn numbers(&mut self, texts: &StringArray) -> Option<Vec<u32>> {
        let mut numbers = Vec::with_capacity(texts.len());
        for text in texts {
            // A null in a dictionary is no text.
            let text = text?;
            if let Some(number) = self.numbers.get(text) {
                numbers.push(*number);
                continue;
            }
            let next = self.numbers.len();
            let bytes = self.bytes + BYTES_EACH + text.len();
            if next >= TEXTS_MAX || text.len() > TEXT_BYTES_MAX || bytes > BYTES_MAX {
                return None;
            }
            self.numbers.insert(text.into(), next as u32);
            self.bytes = bytes;
            numbers.push(next as u32);
        }
        Some(numbers)
    }

    fn in_order(&self) -> Vec<&str> {
        let mut texts = vec![""; self.numbers.len()];
        for (text, number) in &self.numbers {
            texts[*number as usize] = text;
        }
        texts
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// Keys of a column, by its place, with their texts.
    pub(super) fn keyed_of(
        &self,
        table: Table,
        place: usize,
        keys: &ArrayRef,
    ) -> Result<ArrayRef, ArrowError> {
        let unknown = || ArrowError::DictionaryKeyOverflowError;
        let all = self.0.get(&(table, place)).ok_or_else(unknown)?;
        keyed(keys, all)?.ok_or_else(unknown)
    }

    /// The texts of keys.
    pub(super) fn texts_of(
        &self,
        table: Table,
        place: usize,
        keys: &ArrayRef,
    ) -> Result<ArrayRef, ArrowError> {
        cast(&self.keyed_of(table, place, keys)?, &DataType::Utf8)
    }

    /// Rows that have keys with their texts again.
    pub(super) fn read(&self, table: Table, rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let mut columns: Option<Vec<ArrayRef>> = None;
        for ((_, place), all) in self.0.range((table, 0)..=(table, usize::MAX)) {
            let mut fields = rows.schema_ref().fields().iter();
            let column = table.columns().get(*place);
            let found = column.and_then(|own| fields.position(|field| field.name() == own.name));
            if let Some(found) = found
                && let Some(texts) = keyed(rows.column(found), all)?
            {
                columns.get_or_insert_with(|| rows.columns().to_vec())[found] = texts;
            }
        }
        columns.map_or_else(|| Ok(rows.clone()), |columns| with_columns(rows, columns))
    }
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
        return below(&plain.collect::<Result<Vec<_>, _>>()?);
    };
    let keys: Vec<ArrayRef> = dictionaries.iter().map(|d| keys_of(*d)).collect();
    let kind = keys.iter().map(Array::data_type).max_by_key(|kind| rank(kind));
    let kind = kind.unwrap_or(&DataType::UInt8).clone();
    let keys: Vec<ArrayRef> = keys.iter().map(|keys| widened(keys, &kind)).collect();
    let keys = below(&keys)?;
    Ok(keyed(&keys, all)?.unwrap_or(keys))
}

fn keys_of(dictionary: &dyn AnyDictionaryArray) -> ArrayRef {
    let keys = dictionary.keys();
    keys.slice(0, keys.len())
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
    use crate::encoding::Sequences;
    use crate::parquet_file;

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
        /// column at all.
        #[test]
        fn texts_come_back(
            batches in prop::collection::vec(
                prop::collection::vec(prop::option::weighted(0.8, "[a-e]{0,2}"), 1..12), 1..8,
            ),
            lacks in prop::collection::vec(prop::bool::weighted(0.2), 8),
            is_keyed in prop::collection::vec(any::<bool>(), 8),
        ) {
            let known = Texts::default();
            let mut columns = Vec::new();
            let mut expected = Vec::new();
            for (place, batch) in batches.iter().enumerate() {
                if lacks[place] {
                    columns.push((None, batch.len() - 1));
                    expected.extend(vec![None; batch.len() - 1]);
                    continue;
                }
                let texts: Vec<Option<&str>> = batch.iter().map(Option::as_deref).collect();
                let rows = known.shared(TABLE, &given_rows(&texts, is_keyed[place])).unwrap();
                // The first row is cut off.
                let rows = rows.slice(1, rows.num_rows() - 1);
                columns.push((Some(rows), batch.len() - 1));
                expected.extend(batch[1..].iter().cloned());
            }
            let lists = serde_json::to_string(&known.list()).unwrap();
            let tables = TextTables::new(serde_json::from_str(&lists).unwrap());
            let column = |(rows, len): (Option<RecordBatch>, usize)| {
                let rows = rows.map(|rows| tables.read(TABLE, &rows).unwrap());
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
            rows.column(0).as_primitive_opt::<UInt8Type>().map(|keys| keys.values().to_vec())
        };
        assert_eq!(keys(&[Some("b"), Some("a"), Some("b")]), Some(vec![0, 1, 0]));
        assert_eq!(keys(&[Some("a"), Some("c")]), Some(vec![1, 2]));
        let many: Vec<String> = (0..TEXTS_MAX).map(|n| n.to_string()).collect();
        let many: Vec<Option<&str>> = many.iter().map(|text| Some(text.as_str())).collect();
        assert_eq!(keys(&many), None);
        // From then on it stays as it is.
        assert_eq!(keys(&[Some("c")]), None);
    }

    /// A list as long as one can be, of the longest texts: pages are cut where
    /// they are cut for plain texts.
    #[test]
    fn keyed_and_plain_texts_have_the_same_bytes_in_parquet() {
        let long = TEXT_BYTES_MAX;
        let list: Vec<String> =
            (0..BYTES_MAX / (long + BYTES_EACH)).map(|n| format!("{n:>long$}")).collect();
        let row =
            |row: usize| (!row.is_multiple_of(7)).then(|| list[row * row % list.len()].as_str());
        let texts: Vec<Option<&str>> = (0..60_000).map(row).collect();
        let encoded = |rows: &RecordBatch| {
            let nothing = Sequences::default();
            parquet_file::encode(rows, &plain(rows).unwrap().schema(), &nothing, 1 << 17).unwrap()
        };
        let keyed = given_rows(&texts, true);
        assert!(encoded(&keyed) == encoded(&plain(&keyed).unwrap()));
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
