//! From a url and options to a store.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::{Component, Path as FilePath, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use farr_disclosure::Zone;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::http::HttpBuilder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{Certificate, ClientConfigKey, ObjectStore, RetryConfig};
use url::Url;

use crate::files::Files;
use crate::retry::{Connector, Retries};
use crate::{Error, Location};

/// Options that are farr's own; the others are keys of `object_store`.
const CA_CERTIFICATE: &str = "ca_certificate";
const FILES: &str = "files";
const FILES_FROM: &str = "files_from";
const PATH_STYLE: &str = "path_style";
const REQUESTER_PAYS: &str = "requester_pays";
const RETRIES_MAX: &str = "retries_max";
const RETRY_SECONDS_MAX: &str = "retry_seconds_max";

impl Location {
    /// The place of a url.
    ///
    /// `url` is a plain path (relative to `base`), `file://`, `s3://bucket/…`,
    /// `gs://bucket/…`, `az://container/…`, `abfs[s]://container@account…/…`,
    /// or `http[s]://host/…`, which can only be read. A folder need not exist:
    /// it is made by the first write.
    ///
    /// Credentials come from the usual chains: the environment (`AWS_*`,
    /// `GOOGLE_*`, `AZURE_*`), files that it names, the machine's role. The
    /// options go before them:
    /// - `ca_certificate`: a PEM file, relative to `base`, of the authorities
    ///   that a private cloud's certificate was signed by;
    /// - `retries_max` (10) and `retry_seconds_max` (180): how often and how
    ///   long a request is repeated, with growing pauses, after errors of the
    ///   server or the network;
    /// - `files` or `files_from`: for http, where nothing can be listed: the
    ///   names of the objects, with commas between them, or of an object there
    ///   that has one name a line;
    /// - `path_style` (true) and `requester_pays` (false), for S3;
    /// - any key of `object_store` for that kind of store: `endpoint`,
    ///   `region`, `allow_http`, `skip_signature`, `access_key_id`,
    ///   `use_emulator`, `account_name`, `proxy_url`, `timeout`, …
    ///
    /// # Errors
    /// [`Error::Url`] for a url that names no place, [`Error::Option`] for an
    /// option that there is not or a value that does not fit. Nothing is asked
    /// of the store yet.
    pub fn open(
        url: &str,
        zone: Zone,
        options: BTreeMap<String, String>,
        base: &FilePath,
    ) -> Result<Self, Error> {
        let Some((scheme, _)) = url.split_once("://") else {
            return local(&base.join(url), url, zone, &options);
        };
        let parsed = Url::parse(url).map_err(|e| no_place(url, e.to_string()))?;
        let clean = without_credentials(&parsed);
        let mut options = Options { url: clean.clone(), values: options };
        let is_http = matches!(scheme, "http" | "https");
        if !is_http {
            options.check_plain_http()?;
        }
        if scheme == "file" {
            let folder = parsed.to_file_path();
            let folder = folder.map_err(|()| no_place(&clean, "is no local path"))?;
            return local(&folder, &clean, zone, &options.values);
        }
        let connector = options.connector(base, is_http)?;
        let retries = connector.retries;
        if is_http {
            let (named, from) = (options.take(FILES), options.take(FILES_FROM));
            if named.is_some() && from.is_some() {
                return Err(options.error(FILES_FROM, "there is 'files' already"));
            }
            let store: Arc<dyn ObjectStore> = Arc::new(http(&parsed, &mut options, connector)?);
            let files = Files::new(&store, named.as_deref(), from);
            return Ok(Self::of_store(store, clean, zone).with_files(files).with_retries(retries));
        }
        let (store, prefix): (Arc<dyn ObjectStore>, String) = match scheme {
            "s3" | "s3a" => (Arc::new(s3(&parsed, &mut options, connector)?), path_of(&parsed)?),
            "gs" => (Arc::new(gcs(&parsed, &mut options, connector)?), path_of(&parsed)?),
            "az" | "azure" | "abfs" | "abfss" | "adl" => {
                (Arc::new(azure(&parsed, &mut options, connector)?), path_of(&parsed)?)
            }
            _ => return Err(no_place(&clean, format!("scheme '{scheme}' is not known"))),
        };
        let prefix = Path::parse(&prefix).map_err(|e| no_place(&clean, e.to_string()))?;
        let store = match prefix.as_ref() {
            "" => store,
            _ => Arc::new(PrefixStore::new(store, prefix)),
        };
        Ok(Self::of_store(store, clean, zone).with_retries(retries))
    }
}

/// A local folder, which may not exist yet.
fn local(
    folder: &FilePath,
    url: &str,
    zone: Zone,
    options: &BTreeMap<String, String>,
) -> Result<Location, Error> {
    if let Some(option) = options.keys().next() {
        return Err(Error::Option {
            url: url.to_owned(),
            option: option.clone(),
            reason: "a local folder takes no options".to_owned(),
        });
    }
    let folder = &without_parents(folder);
    // Looked at once: another run may make it between two looks.
    match folder.metadata() {
        Ok(found) if found.is_dir() => return Location::folder(folder, zone),
        Ok(_) => return Err(no_place(url, "is a file; name the folder that it lies in")),
        Err(_) => {}
    }
    let absolute = std::path::absolute(folder).map_err(|e| no_place(url, e.to_string()))?;
    let absolute = without_parents(&absolute);
    let prefix = Path::from_absolute_path(&absolute).map_err(|e| no_place(url, e.to_string()))?;
    let store = LocalFileSystem::new().with_automatic_cleanup(true);
    let store = Arc::new(PrefixStore::new(store, prefix));
    Ok(Location::of_folder(store, folder.display().to_string(), zone, absolute))
}

/// The path with `a/..` taken out, where `a` is no symbolic link, so that it
/// still names the same place. A relative path may go on beginning with `..`.
fn without_parents(path: &FilePath) -> PathBuf {
    let mut short = PathBuf::new();
    for part in path.components() {
        let last = short.components().next_back();
        match (part, last) {
            (Component::ParentDir, Some(Component::Normal(_))) if !short.is_symlink() => {
                short.pop();
            }
            (Component::CurDir, Some(_)) => {}
            _ => short.push(part),
        }
    }
    if short.as_os_str().is_empty() { PathBuf::from(".") } else { short }
}

/// The options that are left to read.
struct Options {
    url: String,
    values: BTreeMap<String, String>,
}

impl Options {
    fn take(&mut self, option: &str) -> Option<String> {
        self.values.remove(option)
    }

    fn error(&self, option: &str, reason: impl Display) -> Error {
        let (url, option) = (self.url.clone(), option.to_owned());
        Error::Option { url, option, reason: reason.to_string() }
    }

    fn parsed<T: FromStr>(&mut self, option: &str, expected: &str) -> Result<Option<T>, Error> {
        let value = self.take(option).map(|value| value.trim().parse::<T>()).transpose();
        value.map_err(|_| self.error(option, format!("expected {expected}")))
    }

    fn retries(&mut self) -> Result<Retries, Error> {
        let mut retries = Retries::default();
        if let Some(max) = self.parsed(RETRIES_MAX, "a whole number")? {
            retries.count_max = max;
        }
        if let Some(seconds) = self.parsed(RETRY_SECONDS_MAX, "whole seconds")? {
            retries.time_max = Duration::from_secs(seconds);
        }
        Ok(retries)
    }

    fn connector(&mut self, base: &FilePath, streams_whole: bool) -> Result<Connector, Error> {
        let retries = self.retries()?;
        Ok(Connector { retries, certificates: self.certificates(base)?, streams_whole })
    }

    fn certificates(&mut self, base: &FilePath) -> Result<Vec<Certificate>, Error> {
        let Some(file) = self.take(CA_CERTIFICATE) else { return Ok(Vec::new()) };
        let path: PathBuf = base.join(file);
        let pem = std::fs::read(&path).map_err(|e| self.error(CA_CERTIFICATE, e))?;
        let found = Certificate::from_pem_bundle(&pem);
        let found = found.map_err(|e| self.error(CA_CERTIFICATE, e))?;
        if found.is_empty() {
            return Err(self.error(CA_CERTIFICATE, "holds no certificate in PEM form"));
        }
        Ok(found)
    }

    /// Refuses an endpoint that persons' rows would reach in the clear, unless
    /// that is allowed by name.
    fn check_plain_http(&self) -> Result<(), Error> {
        let is_allowed = self.values.iter().any(|(option, value)| {
            option.ends_with("allow_http") && value.trim().eq_ignore_ascii_case("true")
        });
        let plain = self.values.iter().find(|(option, value)| {
            (option.ends_with("endpoint") || option.ends_with("base_url"))
                && value.trim().starts_with("http://")
        });
        match plain {
            Some((option, _)) if !is_allowed => Err(self.error(
                option,
                "plain http can be read by anyone on the way; take https, or set allow_http = true",
            )),
            _ => Ok(()),
        }
    }

    /// What is left, as keys of `object_store`.
    fn keys<K: FromStr>(&mut self) -> Result<Vec<(K, String)>, Error> {
        let values = std::mem::take(&mut self.values);
        let keys = values.into_iter().map(|(option, value)| match option.parse::<K>() {
            Ok(key) => Ok((key, value)),
            Err(_) => Err(self.error(&option, "there is no such option for this kind of store")),
        });
        keys.collect()
    }
}

/// No repetitions in `object_store`: the connector does them.
fn retried_below() -> RetryConfig {
    RetryConfig { max_retries: 0, ..RetryConfig::default() }
}

fn s3(
    url: &Url,
    options: &mut Options,
    connector: Connector,
) -> Result<object_store::aws::AmazonS3, Error> {
    let bucket = format!("s3://{}", url.host_str().unwrap_or_default());
    let mut builder = AmazonS3Builder::from_env()
        .with_url(bucket)
        .with_retry(retried_below())
        .with_http_connector(connector);
    if let Some(path_style) = options.parsed::<bool>(PATH_STYLE, "true or false")? {
        builder = builder.with_virtual_hosted_style_request(!path_style);
    }
    if let Some(pays) = options.parsed::<bool>(REQUESTER_PAYS, "true or false")? {
        builder = builder.with_request_payer(pays);
    }
    for (key, value) in options.keys::<AmazonS3ConfigKey>()? {
        builder = builder.with_config(key, value);
    }
    builder.build().map_err(|e| no_place(&options.url, e.to_string()))
}

fn gcs(
    url: &Url,
    options: &mut Options,
    connector: Connector,
) -> Result<object_store::gcp::GoogleCloudStorage, Error> {
    let bucket = format!("gs://{}", url.host_str().unwrap_or_default());
    let mut builder = GoogleCloudStorageBuilder::from_env()
        .with_url(bucket)
        .with_retry(retried_below())
        .with_http_connector(connector);
    for (key, value) in options.keys::<GoogleConfigKey>()? {
        builder = builder.with_config(key, value);
    }
    builder.build().map_err(|e| no_place(&options.url, e.to_string()))
}

fn azure(
    url: &Url,
    options: &mut Options,
    connector: Connector,
) -> Result<object_store::azure::MicrosoftAzure, Error> {
    let mut builder = MicrosoftAzureBuilder::from_env()
        .with_url(url.as_str())
        .with_retry(retried_below())
        .with_http_connector(connector);
    for (key, value) in options.keys::<AzureConfigKey>()? {
        builder = builder.with_config(key, value);
    }
    builder.build().map_err(|e| no_place(&options.url, e.to_string()))
}

fn http(
    url: &Url,
    options: &mut Options,
    connector: Connector,
) -> Result<object_store::http::HttpStore, Error> {
    let mut builder = HttpBuilder::new()
        .with_url(url.as_str())
        .with_retry(retried_below())
        .with_http_connector(connector);
    // Whoever writes http:// has allowed it.
    builder = builder.with_config(ClientConfigKey::AllowHttp, (url.scheme() == "http").to_string());
    for (key, value) in options.keys::<ClientConfigKey>()? {
        builder = builder.with_config(key, value);
    }
    builder.build().map_err(|e| no_place(&options.url, e.to_string()))
}

/// The path below the bucket.
fn path_of(url: &Url) -> Result<String, Error> {
    if url.host_str().is_none_or(str::is_empty) {
        return Err(no_place(&without_credentials(url), "names no bucket"));
    }
    Ok(url.path().trim_matches('/').to_owned())
}

/// The url without user, password, query and fragment: any of them may be a
/// secret. (The container of `abfs://container@account` is no secret.)
fn without_credentials(url: &Url) -> String {
    let mut clean = url.clone();
    if !url.scheme().starts_with("abfs") {
        let _ = clean.set_username("");
    }
    let _ = clean.set_password(None);
    clean.set_query(None);
    clean.set_fragment(None);
    clean.to_string()
}

fn no_place(url: &str, reason: impl Into<String>) -> Error {
    Error::Url { url: url.to_owned(), reason: reason.into() }
}
