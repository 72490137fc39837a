//! A location: a store, a prefix in it, and the zone it lies in.

use std::fmt;
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

use crate::local;
use crate::runtime::wait;
use crate::{Error, ObjectReader, ObjectWriter, Written};

/// A place to read from and write to: a store, a prefix in it, its zone.
///
/// Paths are relative to the location, with `/` between their parts.
#[derive(Clone)]
pub struct Location {
    store: Arc<dyn ObjectStore>,
    url: String,
    zone: Zone,
    folder: Option<PathBuf>,
    /// The names of the objects, where the store cannot list them.
    files: Option<Vec<String>>,
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
        Self { store, url, zone, folder: None, files: None }
    }

    pub(crate) fn of_folder(
        store: Arc<dyn ObjectStore>,
        url: String,
        zone: Zone,
        folder: PathBuf,
    ) -> Self {
        Self { folder: Some(folder), ..Self::of_store(store, url, zone) }
    }

    /// A location over plain HTTP: the names of its objects, if they are known.
    pub(crate) fn with_files(self, files: Option<Vec<String>>) -> Self {
        Self { files: Some(files.unwrap_or_default()), ..self }
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
            files: self.files.as_ref().map(|files| {
                let below = files.iter().filter_map(|name| below(name, prefix));
                below.map(str::to_owned).collect()
            }),
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
    /// its `files`.
    pub fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>, Error> {
        if let Some(files) = &self.files {
            if files.is_empty() {
                return Err(Error::NoListing { object: self.url.clone() });
            }
            let named = files.iter().filter(|name| below(name, prefix).is_some());
            return named.map(|name| self.info(name)).collect();
        }
        let prefix_path = (!prefix.is_empty()).then(|| object_path(prefix));
        let listed = wait(self.store.list(prefix_path.as_ref()).try_collect::<Vec<_>>());
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
        let listed = wait(self.store.list_with_delimiter(prefix_path.as_ref()));
        let listed = listed.map_err(|source| self.failed(prefix, "list", source))?;
        let names = listed.common_prefixes.iter().filter_map(Path::filename);
        let mut names: Vec<String> = names.map(str::to_owned).collect();
        names.sort();
        Ok(names)
    }

    /// What the store says of one object.
    pub fn info(&self, path: &str) -> Result<ObjectInfo, Error> {
        let meta = wait(self.store.head(&object_path(path)));
        meta.map(ObjectInfo::from).map_err(|source| self.failed(path, "read", source))
    }

    /// A whole object.
    pub fn read(&self, path: &str) -> Result<Bytes, Error> {
        let got = wait(async { self.store.get(&object_path(path)).await?.bytes().await });
        got.map_err(|source| self.failed(path, "read", source))
    }

    /// Bytes `start..end` of an object.
    pub fn read_range(&self, path: &str, range: std::ops::Range<u64>) -> Result<Bytes, Error> {
        let folder = self.folder.as_deref();
        if let Some(bytes) = folder.and_then(|folder| local::read_range(folder, path, &range)) {
            return Ok(bytes);
        }
        let got = wait(self.store.get_range(&object_path(path), range));
        got.map_err(|source| self.failed(path, "read", source))
    }

    /// A reader that streams an object and hashes what passes.
    pub fn reader(&self, path: &str) -> Result<ObjectReader, Error> {
        let is_remote = self.folder.is_none() && self.files.is_none();
        let store = Arc::clone(&self.store);
        let stream = wait(async {
            if is_remote {
                return crate::read::pieces(store, object_path(path)).await;
            }
            Ok(store.get(&object_path(path)).await?.into_stream())
        });
        let stream = stream.map_err(|source| self.failed(path, "read", source))?;
        Ok(ObjectReader::new(stream, self.url_of(path)))
    }

    /// A writer that streams person-level bytes into an object and hashes what
    /// passes.
    ///
    /// # Errors
    /// [`Error::Zone`] if the zone does not take persons' rows.
    pub fn writer(&self, path: &str) -> Result<ObjectWriter, Error> {
        self.check_zone(path, PersonLevel::LABEL)?;
        let store = Arc::clone(&self.store);
        Ok(ObjectWriter::new(store, object_path(path), self.url_of(path)))
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
        let store = Arc::clone(&self.store);
        let mut writer = ObjectWriter::new(store, object_path(path), self.url_of(path));
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

    /// Writes a whole object unless it exists: [`Error::Exists`] if it does.
    pub fn write_if_absent<L: Level>(
        &self,
        path: &str,
        content: Labelled<L, Bytes>,
    ) -> Result<(), Error> {
        self.put(path, content, PutMode::Create)
    }

    /// Deletes an object.
    pub fn delete(&self, path: &str) -> Result<(), Error> {
        let done = wait(self.store.delete(&object_path(path)));
        done.map_err(|source| self.failed(path, "delete", source))
    }

    fn put<L: Level>(
        &self,
        path: &str,
        content: Labelled<L, Bytes>,
        mode: PutMode,
    ) -> Result<(), Error> {
        self.check_zone(path, content.label())?;
        let payload = content.into_inner().into();
        let options = PutOptions::from(mode);
        let put = wait(self.store.put_opts(&object_path(path), payload, options));
        put.map(|_| ()).map_err(|source| self.failed(path, "write", source))
    }

    fn check_zone(&self, path: &str, label: Label) -> Result<(), Error> {
        if self.zone.admits(label) {
            return Ok(());
        }
        Err(Error::Zone { object: self.url_of(path), zone: self.zone, label })
    }

    fn failed(&self, path: &str, action: &'static str, source: object_store::Error) -> Error {
        Error::of_request(self.url_of(path), action, source)
    }
}

/// Prints the url and the zone: options may hold secrets.
impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Location({}, {})", self.url, self.zone)
    }
}

/// A store's path for a name: as listed, or with what it cannot hold encoded.
fn object_path(path: &str) -> Path {
    Path::parse(path).unwrap_or_else(|_| Path::from(path))
}

/// The rest of a name below a folder.
fn below<'a>(name: &'a str, prefix: &str) -> Option<&'a str> {
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
