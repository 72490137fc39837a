//! Reading a records store: its manifest, shards, vocabulary and site tables.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch, StringArray};
use arrow::compute::{concat_batches, filter_record_batch};
use farr_store::Location;
use parquet::file::statistics::Statistics;
use serde::Deserialize;

use crate::manifest::{FORMAT_VERSION, FileEntry, MANIFEST_PATH, Manifest};
use crate::parquet_file::KnownSchema;
use crate::vocabulary::VocabularyTables;
use crate::{
    ConceptSetExpression, Day, Error, RowKey, Scope, Shard, ShardId, Table, Vocabulary,
    parquet_file,
};

/// Tables of one shard.
pub type Batches = BTreeMap<Table, RecordBatch>;

/// A records store at a place.
#[derive(Clone)]
pub struct RecordsStore {
    location: Location,
    manifest: Arc<Manifest>,
    /// By table, once they have been asked for.
    schemas: Arc<BTreeMap<Table, OnceLock<Option<KnownSchema>>>>,
}

/// What all manifests say, whatever their version.
#[derive(Deserialize)]
struct Versioned {
    #[serde(default)]
    format_version: u32,
}

/// What a table holds, as `describe` prints it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSummary {
    /// The table.
    pub table: Table,
    /// Rows.
    pub rows: u64,
    /// Persons with at least one row; 0 for tables that are not persons'.
    pub persons: u64,
    /// The first and last start date, where there is any.
    pub starts: Option<(Day, Day)>,
    /// Its columns, in order.
    pub columns: Vec<ColumnSummary>,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColumnSummary {
    /// OMOP's name.
    pub name: &'static str,
    /// Rows without a value.
    pub nulls: u64,
}

impl RecordsStore {
    /// Opens a store by its manifest.
    ///
    /// # Errors
    /// [`Error::Store`] if there is none, [`Error::Manifest`] if it cannot be
    /// read, [`Error::FormatVersion`] if another farr wrote it.
    pub fn open(location: &Location) -> Result<Self, Error> {
        let bytes = location.read(MANIFEST_PATH)?;
        let object = || location.url_of(MANIFEST_PATH);
        let failed = |source| Error::Manifest { object: object(), source };
        let manifest: Result<Manifest, _> = serde_json::from_slice(&bytes);
        let found = match &manifest {
            Ok(manifest) => manifest.format_version,
            // Manifests of other versions have other fields.
            Err(_) => serde_json::from_slice::<Versioned>(&bytes).map_err(failed)?.format_version,
        };
        if found != FORMAT_VERSION {
            let expected = FORMAT_VERSION;
            return Err(Error::FormatVersion { object: object(), found, expected });
        }
        let manifest = manifest.map_err(failed)?;
        let schemas = Table::ALL.into_iter().map(|table| (table, OnceLock::new())).collect();
        let (manifest, schemas) = (Arc::new(manifest), Arc::new(schemas));
        Ok(Self { location: location.clone(), manifest, schemas })
    }

    /// What the store says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The place of the store.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// Whether every row of a table has an id that no other has.
    pub fn has_unique_ids(&self, table: Table) -> bool {
        table.id_column().is_some() && !self.manifest.repeated_ids.contains_key(table.name())
    }

    /// Its shards, in order.
    pub fn shards(&self) -> impl Iterator<Item = ShardId> {
        ShardId::all(self.manifest.shard_count)
    }

    /// Reads columns of tables of one shard. Person, start date and id are
    /// read of every table named, and the persons always. Tables that the
    /// store lacks stay absent, and so do names that are no columns of the
    /// table.
    ///
    /// # Errors
    /// [`Error::UnknownShard`]; [`Error::Contract`] if the files break the
    /// shard contract; and what fails in reading.
    pub fn read_shard(
        &self,
        shard: ShardId,
        tables: &BTreeMap<Table, Vec<&str>>,
    ) -> Result<Shard, Error> {
        let mut with_ids = tables.clone();
        for (table, columns) in &mut with_ids {
            columns.extend(table.id_column());
        }
        self.read_shard_rows(shard, &with_ids, &BTreeMap::new())
    }

    /// As [`RecordsStore::read_shard`], without the ids, unless they are named;
    /// of the tables with keys only rows that one of their keys asks for need
    /// be there.
    ///
    /// # Errors
    /// As [`RecordsStore::read_shard`].
    pub fn read_shard_rows(
        &self,
        shard: ShardId,
        tables: &BTreeMap<Table, Vec<&str>>,
        keys: &BTreeMap<Table, Vec<RowKey>>,
    ) -> Result<Shard, Error> {
        self.read_shard_after(shard, tables, keys, &Batches::new())
    }

    /// The same, where some tables have been read: those that have all columns
    /// are not read again.
    pub fn read_shard_after(
        &self,
        shard: ShardId,
        tables: &BTreeMap<Table, Vec<&str>>,
        keys: &BTreeMap<Table, Vec<RowKey>>,
        read: &Batches,
    ) -> Result<Shard, Error> {
        Shard::new(shard, self.read_batches(shard, tables, keys, read)?)
    }

    /// Columns of tables of one shard, to be handed to
    /// [`RecordsStore::read_shard_after`].
    pub fn read_ahead(
        &self,
        shard: ShardId,
        tables: &BTreeMap<Table, Vec<&str>>,
    ) -> Result<Batches, Error> {
        self.read_batches(shard, tables, &BTreeMap::new(), &Batches::new())
    }

    fn read_batches(
        &self,
        shard: ShardId,
        tables: &BTreeMap<Table, Vec<&str>>,
        keys: &BTreeMap<Table, Vec<RowKey>>,
        read: &Batches,
    ) -> Result<Batches, Error> {
        let count = self.manifest.shard_count;
        if shard.count() != count {
            return Err(Error::UnknownShard { shard, count });
        }
        let mut batches = Batches::new();
        let persons = (!tables.contains_key(&Table::Person)).then_some(Table::Person);
        for table in persons.into_iter().chain(tables.keys().copied()) {
            if table.scope() != Scope::Person {
                continue;
            }
            let Some(entry) = self.manifest.table(table) else { continue };
            let Some(file) = entry.files.get(shard.index() as usize) else {
                let broken = "the manifest has not one file per shard";
                return Err(Error::Contract { table, row: 0, broken });
            };
            let always = [table.person_column(), table.start_column()];
            let mut columns: Vec<&str> = always.into_iter().flatten().collect();
            columns.extend(tables.get(&table).into_iter().flatten());
            let is_there =
                |batch: &&RecordBatch| columns.iter().all(|c| batch.column_by_name(c).is_some());
            if let Some(batch) = read.get(&table).filter(is_there) {
                batches.insert(table, batch.clone());
                continue;
            }
            let known = self.known_schema(table);
            let batch = match keys.get(&table) {
                None => parquet_file::read(self.object(file), known, Some(&columns))?,
                Some(keys) => parquet_file::read_rows(self.object(file), known, &columns, keys)?,
            };
            batches.insert(table, batch);
        }
        Ok(batches)
    }

    /// The part of the vocabulary that some concept sets need: they resolve as
    /// with the whole of it, of which only what they need is kept in memory.
    pub fn vocabulary_for<'a>(
        &self,
        sets: impl IntoIterator<Item = &'a ConceptSetExpression>,
    ) -> Result<Vocabulary, Error> {
        Vocabulary::partial(self, sets)
    }

    /// What these concepts are called: `concept_id`, `concept_name`,
    /// `vocabulary_id` and `concept_code`, sorted by id; `None` if the store
    /// has no concepts. Only the row groups that may hold any are read.
    pub fn read_names(
        &self,
        concepts: impl IntoIterator<Item = i64>,
    ) -> Result<Option<RecordBatch>, Error> {
        let key = RowKey::new("concept_id", concepts.into_iter().collect());
        self.scan_whole(Table::Concept, &NAME_COLUMNS, Some(&key), |rows| Ok(rows.clone()))
    }

    /// The same of the concepts whose name and code are wanted; one that lacks
    /// either has it empty. Of the others nothing is kept in memory.
    pub fn names_where(
        &self,
        is_wanted: impl Fn(&str, &str) -> bool + Sync,
    ) -> Result<Option<RecordBatch>, Error> {
        let table = Table::Concept;
        self.scan_whole(table, &NAME_COLUMNS, None, |rows| {
            let texts = |name: &str| rows.column_by_name(name).and_then(|c| c.as_string_opt());
            let (names, codes) = (texts("concept_name"), texts("concept_code"));
            let keep = |row| Some(is_wanted(text_at(names, row), text_at(codes, row)));
            let keep: BooleanArray = (0..rows.num_rows()).map(keep).collect();
            filter_record_batch(rows, &keep).map_err(|source| Error::Arrow { table, source })
        })
    }

    /// Rows of `concept_ancestor` that a key asks for; `None` if the store has
    /// none.
    pub fn read_ancestors(&self, key: &RowKey) -> Result<Option<RecordBatch>, Error> {
        const COLUMNS: [&str; 3] =
            ["ancestor_concept_id", "descendant_concept_id", "min_levels_of_separation"];
        self.scan_whole(Table::ConceptAncestor, &COLUMNS, Some(key), |rows| Ok(rows.clone()))
    }

    /// What [`scan`](VocabularyTables::scan) gives, as one batch.
    fn scan_whole(
        &self,
        table: Table,
        columns: &[&'static str],
        key: Option<&RowKey>,
        map: impl Fn(&RecordBatch) -> Result<RecordBatch, Error> + Sync,
    ) -> Result<Option<RecordBatch>, Error> {
        let rows = self.scan(table, columns, key, map)?;
        let Some(first) = rows.first() else { return Ok(None) };
        let rows = concat_batches(&first.schema(), &rows);
        rows.map(Some).map_err(|source| Error::Arrow { table, source })
    }

    /// All rows of a site table, sorted by its id; `None` if the store lacks
    /// it.
    pub fn read_site_table(&self, table: Table) -> Result<Option<RecordBatch>, Error> {
        self.read_piece(table)
    }

    /// What a table holds, from the statistics of its files; `None` if the
    /// store lacks it.
    pub fn summarise(&self, table: Table) -> Result<Option<TableSummary>, Error> {
        let Some(entry) = self.manifest.table(table) else { return Ok(None) };
        let names = table.columns().iter().map(|column| column.name);
        let mut summary = TableSummary {
            table,
            rows: entry.rows,
            persons: entry.persons,
            starts: None,
            columns: names.map(|name| ColumnSummary { name, nulls: 0 }).collect(),
        };
        for file in &entry.files {
            self.summarise_file(file, &mut summary)?;
        }
        Ok(Some(summary))
    }

    /// All rows of a table that is not persons'; `None` if the store lacks it.
    pub(crate) fn read_piece(&self, table: Table) -> Result<Option<RecordBatch>, Error> {
        let file = self.manifest.table(table).and_then(|entry| entry.files.first());
        file.filter(|_| table.scope() != Scope::Person)
            .map(|file| parquet_file::read(self.object(file), None, None))
            .transpose()
    }

    fn object<'a>(&'a self, file: &'a FileEntry) -> (&'a Location, &'a str, u64) {
        (&self.location, &file.path, file.size)
    }

    /// The schema of a persons' table, where it has many files.
    fn known_schema(&self, table: Table) -> Option<&KnownSchema> {
        const MANY: u32 = 64;
        let schema = self.schemas.get(&table).filter(|_| self.manifest.shard_count >= MANY)?;
        schema.get_or_init(|| KnownSchema::of(table)).as_ref()
    }

    fn summarise_file(&self, file: &FileEntry, summary: &mut TableSummary) -> Result<(), Error> {
        let footer = parquet_file::footer(&self.location, &file.path, file.size)?;
        let start = summary.table.start_column();
        for group in footer.row_groups() {
            for column in group.columns() {
                let name = column.column_descr().name();
                let known = summary.columns.iter_mut().find(|known| known.name == name);
                let (Some(known), Some(statistics)) = (known, column.statistics()) else {
                    continue;
                };
                known.nulls += statistics.null_count_opt().unwrap_or_default();
                if let Statistics::Int32(days) = statistics
                    && start == Some(known.name)
                    && let (Some(first), Some(last)) = (days.min_opt(), days.max_opt())
                {
                    let (first, last) = (Day(*first), Day(*last));
                    let (known_first, known_last) = summary.starts.unwrap_or((first, last));
                    summary.starts = Some((known_first.min(first), known_last.max(last)));
                }
            }
        }
        Ok(())
    }
}

impl VocabularyTables for RecordsStore {
    fn scan<T: Send>(
        &self,
        table: Table,
        columns: &[&'static str],
        key: Option<&RowKey>,
        map: impl Fn(&RecordBatch) -> Result<T, Error> + Sync,
    ) -> Result<Vec<T>, Error> {
        let Some(file) = self.manifest.table(table).and_then(|entry| entry.files.first()) else {
            return Ok(Vec::new());
        };
        parquet_file::scan((&self.location, &file.path, file.size), columns, key, map)
    }

    fn scan_codes<T: Send>(
        &self,
        codes: &[(&str, &str)],
        map: impl Fn(&RecordBatch) -> Result<T, Error> + Sync,
    ) -> Result<Vec<T>, Error> {
        match &self.manifest.codes {
            Some(file) => {
                parquet_file::scan_codes((&self.location, &file.path, file.size), codes, map)
            }
            None => self.scan(Table::Concept, &parquet_file::CODE_COLUMNS, None, map),
        }
    }

    fn has_rows(&self, table: Table) -> Result<bool, Error> {
        Ok(self.manifest.table(table).is_some_and(|entry| entry.rows > 0))
    }
}

/// What tells a person which concept it is.
const NAME_COLUMNS: [&str; 4] = ["concept_id", "concept_name", "vocabulary_id", "concept_code"];

/// A text, empty where there is none.
fn text_at(texts: Option<&StringArray>, row: usize) -> &str {
    texts.filter(|texts| texts.is_valid(row)).map_or("", |texts| texts.value(row))
}
