//! A location: a store, a prefix in it, and the zone it lies in.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use farr_disclosure::{Labelled, Level, Zone};
use futures::TryStreamExt;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};

use crate::runtime::wait;
use crate::{Error, ObjectReader};

/// A place to read from and write to: a store, a prefix in it, its zone.
///
/// Paths are relative to the location, with `/` between their parts.
#[derive(Clone)]
pub struct Location {
    store: Arc<dyn ObjectStore>,
    url: String,
    zone: Zone,
    folder: Option<PathBuf>,
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
        Ok(Self { store: Arc::new(store), url, zone, folder: Some(folder) })
    }

    /// The location below this one, in the same zone.
    #[must_use]
    pub fn below(&self, prefix: &str) -> Self {
        let store = PrefixStore::new(Arc::clone(&self.store), Path::from(prefix));
        Self {
            store: Arc::new(store),
            url: format!("{}/{prefix}", self.url.trim_end_matches('/')),
            zone: self.zone,
            folder: self.folder.as_ref().map(|folder| folder.join(prefix)),
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
    pub fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>, Error> {
        let prefix_path = (!prefix.is_empty()).then(|| Path::from(prefix));
        let listed = wait(self.store.list(prefix_path.as_ref()).try_collect::<Vec<_>>());
        let listed = listed.map_err(|source| self.failed(prefix, "list", source))?;
        let mut objects: Vec<ObjectInfo> = listed.into_iter().map(ObjectInfo::from).collect();
        objects.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(objects)
    }

    /// What the store says of one object.
    pub fn info(&self, path: &str) -> Result<ObjectInfo, Error> {
        let meta = wait(self.store.head(&Path::from(path)));
        meta.map(ObjectInfo::from).map_err(|source| self.failed(path, "read", source))
    }

    /// A whole object.
    pub fn read(&self, path: &str) -> Result<Bytes, Error> {
        let got = wait(async { self.store.get(&Path::from(path)).await?.bytes().await });
        got.map_err(|source| self.failed(path, "read", source))
    }

    /// Bytes `start..end` of an object.
    pub fn read_range(&self, path: &str, range: std::ops::Range<u64>) -> Result<Bytes, Error> {
        let got = wait(self.store.get_range(&Path::from(path), range));
        got.map_err(|source| self.failed(path, "read", source))
    }

    /// A reader that streams an object and hashes what passes.
    pub fn reader(&self, path: &str) -> Result<ObjectReader, Error> {
        let got = wait(self.store.get(&Path::from(path)));
        let got = got.map_err(|source| self.failed(path, "read", source))?;
        Ok(ObjectReader::new(got.into_stream()))
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
        let done = wait(self.store.delete(&Path::from(path)));
        done.map_err(|source| self.failed(path, "delete", source))
    }

    fn put<L: Level>(
        &self,
        path: &str,
        content: Labelled<L, Bytes>,
        mode: PutMode,
    ) -> Result<(), Error> {
        let label = content.label();
        if !self.zone.admits(label) {
            return Err(Error::Zone { object: self.url_of(path), zone: self.zone, label });
        }
        let payload = content.into_inner().into();
        let options = PutOptions::from(mode);
        let put = wait(self.store.put_opts(&Path::from(path), payload, options));
        put.map(|_| ()).map_err(|source| self.failed(path, "write", source))
    }

    fn failed(&self, path: &str, action: &'static str, source: object_store::Error) -> Error {
        let object = self.url_of(path);
        match source {
            object_store::Error::NotFound { .. } => Error::NotFound { object },
            object_store::Error::AlreadyExists { .. } => Error::Exists { object },
            source => Error::Request { object, action, source },
        }
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
