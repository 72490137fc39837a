//! A location: a store, a prefix in it, and the zone it lies in.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use farr_disclosure::{Label, Labelled, Level, PersonLevel, Zone};
use futures::TryStreamExt;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};

use crate::files::Files;
use crate::local;
use crate::mark::{Found, Mark};
use crate::read::Reading;
use crate::retry::Retries;
use crate::runtime::wait;
use crate::{Error, LocalFile, ObjectReader, ObjectWriter, Written};

/// A place to read from and write to: a store, a prefix in it, its zone.
///
/// Paths are relative to the location, with `/` between their parts.
#[derive(Clone)]
pub struct Location {
    store: Arc<dyn ObjectStore>,
    url: String,
    zone: Zone,
    folder: Option<PathBuf>,
    /// The names of the objects over HTTP, which can neither list nor write.
    files: Option<Files>,
    retries: Retries,
}

/// What a listing says of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectInfo {
    /// The path, relative to the location.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// The store's entity tag, where it has them.
    pub etag: Option<String>,
    /// The store's version, where it has them.
    pub version: Option<String>,
    /// When it was last written, in milliseconds since 1970.
    pub modified_ms: i64,
}

/// An object of which several ranges are read.
pub struct Ranges<'a> {
    location: &'a Location,
    path: &'a str,
    /// A local file.
    file: Option<File>,
}

impl Ranges<'_> {
    /// Bytes `start..end` of the object; of a local file as many as it has, if any.
    pub fn read(&self, range: Range<u64>) -> Result<Bytes, Error> {
        match self.file.as_ref().and_then(|file| local::read(file, &range).ok()) {
            Some(bytes) => Ok(bytes),
            None => self.location.read_range(self.path, range),
        }
    }

    /// The url of the object, for messages.
    pub fn url(&self) -> String {
        self.location.url_of(self.path)
    }
}

impl Location {
    /// A local folder, which is made if it is missing.
    ///
    /// # Errors
    /// [`Error::Url`] if it cannot be made or is no folder.
    pub fn folder(folder: &std::path::Path, zone: Zone) -> Result<Self, Error> {
        let url = folder.display().to_string();
        let failed = |reason: String| Error::Url { url: url.clone(), reason };
        std::fs::create_dir_all(folder).map_err(|e| failed(e.to_string()))?;
        let folder = folder.canonicalize().map_err(|e| failed(e.to_string()))?;
        let store = LocalFileSystem::new_with_prefix(&folder)
            .map_err(|e| failed(e.to_string()))?
            .with_automatic_cleanup(true);
        Ok(Self::of_folder(Arc::new(store), url, zone, folder))
    }

    /// A place in memory, gone with its last clone.
    pub fn memory(zone: Zone) -> Self {
        Self::of_store(Arc::new(InMemory::new()), "memory:".to_owned(), zone)
    }

    pub(crate) fn of_store(store: Arc<dyn ObjectStore>, url: String, zone: Zone) -> Self {
        Self { store, url, zone, folder: None, files: None, retries: Retries::default() }
    }

    pub(crate) fn of_folder(
        store: Arc<dyn ObjectStore>,
        url: String,
        zone: Zone,
        folder: PathBuf,
    ) -> Self {
        Self { folder: Some(folder), ..Self::of_store(store, url, zone) }
    }

    /// A location over plain HTTP.
    pub(crate) fn with_files(self, files: Files) -> Self {
        Self { files: Some(files), ..self }
    }

    pub(crate) fn with_retries(self, retries: Retries) -> Self {
        Self { retries, ..self }
    }

    /// Whether a server answers that may know no ranges.
    pub(crate) fn is_plain(&self) -> bool {
        self.files.is_some()
    }

    /// The location below this one, in the same zone.
    #[must_use]
    pub fn below(&self, prefix: &str) -> Self {
        let store = PrefixStore::new(Arc::clone(&self.store), object_path(prefix));
        Self {
            store: Arc::new(store),
            url: format!("{}/{prefix}", self.url.trim_end_matches('/')),
            zone: self.zone,
            folder: self.folder.as_ref().map(|folder| folder.join(prefix)),
            files: self.files.as_ref().map(|files| files.below(prefix)),
            retries: self.retries,
        }
    }

    /// The location's url, without credentials.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The zone it lies in.
    pub fn zone(&self) -> Zone {
        self.zone
    }

    /// The local folder, where the location is one.
    pub fn local_folder(&self) -> Option<&std::path::Path> {
        self.folder.as_deref()
    }

    /// The url of an object, for messages.
    pub fn url_of(&self, path: &str) -> String {
        format!("{}/{path}", self.url.trim_end_matches('/'))
    }

    /// All objects below `prefix` (`""`: all of the location), by path.
    ///
    /// # Errors
    /// [`Error::NoListing`] over plain HTTP, unless the location's options name
    /// its `files` or a list of them.
    pub fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>, Error> {
        if let Some(files) = &self.files {
            let listed = wait(files.list(prefix));
            let listed = listed.map_err(|source| self.failed(prefix, "list", source))?;
            let listed = listed.ok_or_else(|| Error::NoListing { object: self.url.clone() })?;
            let named = |(path, meta)| ObjectInfo { path, ..ObjectInfo::from(meta) };
            return Ok(listed.into_iter().map(named).collect());
        }
        let prefix_path = (!prefix.is_empty()).then(|| object_path(prefix));
        let listed = self.wait(self.store.list(prefix_path.as_ref()).try_collect::<Vec<_>>());
        let listed = listed.map_err(|source| self.failed(prefix, "list", source))?;
        let mut objects: Vec<ObjectInfo> = listed.into_iter().map(ObjectInfo::from).collect();
        objects.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(objects)
    }

    /// The names of the folders directly below `prefix` (`""`: the location),
    /// in order.
    pub fn folders(&self, prefix: &str) -> Result<Vec<String>, Error> {
        if self.files.is_some() {
            return Err(Error::NoListing { object: self.url.clone() });
        }
        let prefix_path = (!prefix.is_empty()).then(|| object_path(prefix));
        let listed = self.wait(self.store.list_with_delimiter(prefix_path.as_ref()));
        let listed = listed.map_err(|source| self.failed(prefix, "list", source))?;
        let names = listed.common_prefixes.iter().filter_map(Path::filename);
        let mut names: Vec<String> = names.map(str::to_owned).collect();
        names.sort();
        Ok(names)
    }

    /// What the store says of one object.
    pub fn info(&self, path: &str) -> Result<ObjectInfo, Error> {
        let meta = self.wait(self.store.head(&object_path(path)));
        let meta = meta.map_err(|source| self.failed(path, "read", source))?;
        // Below a prefix, the store gives the whole path in this one answer.
        Ok(ObjectInfo { path: object_path(path).to_string(), ..ObjectInfo::from(meta) })
    }

    /// A whole object.
    pub fn read(&self, path: &str) -> Result<Bytes, Error> {
        if let Some(bytes) = self.folder.as_deref().and_then(|f| local::read_all(f, path)) {
            return Ok(bytes);
        }
        let mut reader = self.reader(path)?;
        let mut bytes = Vec::new();
        match reader.read_to_end(&mut bytes) {
            Ok(_) => Ok(bytes.into()),
            Err(error) => Err(match error.downcast::<Error>() {
                Ok(error) => error,
                Err(error) => self.failed(path, "read", generic(error)),
            }),
        }
    }

    /// Bytes `start..end` of an object; of a local file as many as it has, if any.
    pub fn read_range(&self, path: &str, range: Range<u64>) -> Result<Bytes, Error> {
        if self.folder.is_none() {
            return wait(self.reading(path).range(range));
        }
        let folder = self.folder.as_deref();
        if let Some(bytes) = folder.and_then(|folder| local::read_range(folder, path, &range)) {
            return Ok(bytes);
        }
        let got = self.wait(self.store.get_range(&object_path(path), range));
        got.map_err(|source| self.failed(path, "read", source))
    }

    /// An object of which several ranges are read: a local one is opened once.
    pub fn ranges<'a>(&'a self, path: &'a str) -> Ranges<'a> {
        let file = self.folder.as_deref().and_then(|folder| local::open(folder, path));
        Ranges { location: self, path, file }
    }

    /// A reader that streams an object and hashes what passes. All of it is of
    /// one version: an object that changes while it is read ends in
    /// [`Error::Changed`].
    pub fn reader(&self, path: &str) -> Result<ObjectReader, Error> {
        self.reader_from(self.reading(path))
    }

    /// The same, of an object as it was listed: [`Error::Changed`] if it has
    /// changed since.
    pub fn reader_of(&self, object: &ObjectInfo) -> Result<ObjectReader, Error> {
        self.reader_from(self.reading(&object.path).of_listed(object))
    }

    fn reader_from(&self, reading: Reading) -> Result<ObjectReader, Error> {
        let is_local = self.folder.is_some();
        let pieces =
            wait(async { if is_local { reading.file().await } else { reading.pieces().await } });
        Ok(ObjectReader::new(pieces?))
    }

    pub(crate) fn reading(&self, path: &str) -> Reading {
        Reading::new(&self.store, object_path(path), self.url_of(path), self.retries)
    }

    /// A writer that streams person-level bytes into an object and hashes what
    /// passes.
    ///
    /// # Errors
    /// [`Error::Zone`] if the zone does not take persons' rows.
    pub fn writer(&self, path: &str) -> Result<ObjectWriter, Error> {
        self.check_zone(path, PersonLevel::LABEL)?;
        Ok(self.new_writer(path))
    }

    /// A file that takes person-level bytes, where the location is a local
    /// folder: for much that is written and read at once, without a hash.
    ///
    /// # Errors
    /// As [`writer`](Self::writer), and those of making the file.
    pub fn local_file(&self, path: &str) -> Result<Option<LocalFile>, Error> {
        self.check_zone(path, PersonLevel::LABEL)?;
        let Some(folder) = &self.folder else { return Ok(None) };
        LocalFile::create(folder, path, self.url_of(path)).map(Some)
    }

    fn new_writer(&self, path: &str) -> ObjectWriter {
        let store = Arc::clone(&self.store);
        let part_bytes = self.part_bytes() as usize;
        ObjectWriter::new(store, object_path(path), self.url_of(path), self.mark(), part_bytes)
    }

    /// Bytes that are written, copied or compared at a time: many where they
    /// take a request.
    pub(crate) fn part_bytes(&self) -> u64 {
        /// Ten thousand of them, the most that S3 takes, are 80 GB.
        const OF_REQUEST: u64 = 8 << 20;
        const OF_FILE: u64 = 1 << 18;
        if self.folder.is_some() { OF_FILE } else { OF_REQUEST }
    }

    /// A mark for what is written next, where the store can keep one.
    fn mark(&self) -> Option<Mark> {
        self.folder.is_none().then(Mark::new)
    }

    /// Streams labelled content into an object: `content` is what writes it,
    /// made from labelled values by [`Labelled::map`]. If it fails, nothing
    /// appears.
    ///
    /// # Errors
    /// [`Error::Zone`] if the zone does not take the label, and whatever
    /// `content` gives.
    pub fn write_streamed<L, F, E>(&self, path: &str, content: Labelled<L, F>) -> Result<Written, E>
    where
        L: Level,
        F: FnOnce(&mut ObjectWriter) -> Result<(), E>,
        E: From<Error>,
    {
        self.check_zone(path, content.label())?;
        let mut writer = self.new_writer(path);
        content.into_inner()(&mut writer)?;
        Ok(writer.finish()?)
    }

    /// Writes a whole object, atomically; replaces one that is there.
    ///
    /// # Errors
    /// [`Error::Zone`] if the zone does not take the label.
    pub fn write<L: Level>(&self, path: &str, content: Labelled<L, Bytes>) -> Result<(), Error> {
        self.put(path, content, PutMode::Overwrite)
    }

    /// Writes a whole object unless it exists: [`Error::Exists`] if it does. Of
    /// several who try at once, exactly one succeeds; and one whose answer was
    /// lost on the way knows its own object again.
    pub fn write_if_absent<L: Level>(
        &self,
        path: &str,
        content: Labelled<L, Bytes>,
    ) -> Result<(), Error> {
        self.put(path, content, PutMode::Create)
    }

    /// Deletes an object; one that is not there is deleted already.
    pub fn delete(&self, path: &str) -> Result<(), Error> {
        if self.files.is_some() {
            return Err(Error::ReadOnly { object: self.url_of(path) });
        }
        match self.wait(self.store.delete(&object_path(path))) {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(source) => Err(self.failed(path, "delete", source)),
        }
    }

    /// Removes everything at the location; on a local folder also the folders
    /// and what a dead process left half-written.
    ///
    /// # Errors
    /// Those of a request; objects that are gone by then are no error.
    pub fn remove_all(&self) -> Result<(), Error> {
        if let Some(folder) = &self.folder {
            let done = std::fs::remove_dir_all(folder);
            return done.or_else(|source| match source.kind() {
                io::ErrorKind::NotFound => Ok(()),
                _ => Err(Error::Removal { path: folder.display().to_string(), source }),
            });
        }
        for object in self.list("")? {
            match self.delete(&object.path) {
                Ok(()) | Err(Error::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Removes what processes that died left half-written in a local folder:
    /// staged files, which no listing shows. Nobody may be writing there.
    pub fn remove_remnants(&self) -> Result<u64, Error> {
        self.folder.as_deref().map_or(Ok(0), remove_remnants)
    }

    fn put<L: Level>(
        &self,
        path: &str,
        content: Labelled<L, Bytes>,
        mode: PutMode,
    ) -> Result<(), Error> {
        self.check_zone(path, content.label())?;
        let is_create = mode == PutMode::Create;
        let (bytes, mark) = (content.into_inner(), self.mark().filter(|_| is_create));
        let attributes = mark.as_ref().map(Mark::attributes).unwrap_or_default();
        let options = PutOptions { mode, attributes, ..PutOptions::default() };
        let put = self.wait(put_marked(&*self.store, &object_path(path), bytes, options, mark));
        put.map_err(|source| self.failed(path, "write", source))
    }

    fn check_zone(&self, path: &str, label: Label) -> Result<(), Error> {
        if self.files.is_some() {
            return Err(Error::ReadOnly { object: self.url_of(path) });
        }
        if self.zone.admits(label) {
            return Ok(());
        }
        Err(Error::Zone { object: self.url_of(path), zone: self.zone, label })
    }

    /// Waits for a request. One of a local folder needs no runtime: it is done
    /// on this thread, without a change to another.
    fn wait<F: Future>(&self, request: F) -> F::Output {
        if self.folder.is_some() { futures::executor::block_on(request) } else { wait(request) }
    }

    fn failed(&self, path: &str, action: &'static str, source: object_store::Error) -> Error {
        Error::of_request(self.url_of(path), action, source)
    }
}

/// Puts an object. One that is found there is looked at: it may come from an
/// earlier try of the same request.
async fn put_marked(
    store: &dyn ObjectStore,
    path: &Path,
    bytes: Bytes,
    options: PutOptions,
    mark: Option<Mark>,
) -> object_store::Result<()> {
    // A store may refuse two at once and keep neither.
    for _ in 0..8 {
        match (store.put_opts(path, bytes.clone().into(), options.clone()).await, &mark) {
            (Ok(_), _) => return Ok(()),
            (Err(exists @ object_store::Error::AlreadyExists { .. }), Some(mark)) => {
                match mark.find(store, path).await? {
                    Found::Own { .. } => return Ok(()),
                    Found::Other => return Err(exists),
                    Found::Nothing => {}
                }
            }
            (Err(error), _) => return Err(error),
        }
    }
    store.put_opts(path, bytes.into(), options).await.map(|_| ())
}

pub(crate) fn generic(error: io::Error) -> object_store::Error {
    object_store::Error::Generic { store: "stream", source: error.into() }
}

/// Prints the url and the zone: options may hold secrets.
impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Location({}, {})", self.url, self.zone)
    }
}

/// Staged files are `<name>#<number>`; half-set links lie in `.latest-…`.
fn remove_remnants(folder: &std::path::Path) -> Result<u64, Error> {
    let failed = |path: &std::path::Path, source| Error::Removal {
        path: path.display().to_string(),
        source,
    };
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        entries => entries.map_err(|error| failed(folder, error))?,
    };
    let mut removed = 0;
    for entry in entries {
        let entry = entry.map_err(|error| failed(folder, error))?;
        let path = entry.path();
        let kind = entry.file_type().map_err(|error| failed(&path, error))?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_staged = name.rsplit_once('#').is_some_and(|(_, number)| {
            !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
        });
        if kind.is_dir() && name.starts_with(".latest-") {
            std::fs::remove_dir_all(&path).map_err(|error| failed(&path, error))?;
            removed += 1;
        } else if kind.is_dir() {
            removed += remove_remnants(&path)?;
        } else if kind.is_file() && is_staged {
            std::fs::remove_file(&path).map_err(|error| failed(&path, error))?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// A store's path for a name: as listed, or with what it cannot hold encoded.
pub(crate) fn object_path(path: &str) -> Path {
    Path::parse(path).unwrap_or_else(|_| Path::from(path))
}

/// The rest of a name below a folder.
pub(crate) fn below<'a>(name: &'a str, prefix: &str) -> Option<&'a str> {
    match prefix.trim_matches('/') {
        "" => Some(name),
        prefix => name.strip_prefix(prefix)?.strip_prefix('/'),
    }
}

impl From<object_store::ObjectMeta> for ObjectInfo {
    fn from(meta: object_store::ObjectMeta) -> Self {
        Self {
            path: meta.location.to_string(),
            size: meta.size,
            etag: meta.e_tag,
            version: meta.version,
            modified_ms: meta.last_modified.timestamp_millis(),
        }
    }
}
