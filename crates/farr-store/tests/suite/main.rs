//! One suite for every kind of place: memory, a local folder, and the servers
//! that the environment names. `tests/storage/run.py` starts and stops them, puts
//! a proxy in front that makes requests fail, and sets:
//! - `FARR_TEST_S3`: an endpoint of S3, with a bucket `farr-test`;
//! - `FARR_TEST_AZURE`: any value, for Azurite at `AZURITE_BLOB_STORAGE_URL`
//!   with a container `farr-test`;
//! - `FARR_TEST_GCS`: an endpoint of GCS, with a bucket `farr-test`;
//! - `FARR_TEST_HTTP`: the url of a web server, whose files lie in the folder
//!   `FARR_TEST_HTTP_FOLDER`;
//! - `FARR_TEST_TLS`: an endpoint of S3 behind TLS, by an authority whose
//!   certificate is the file `FARR_TEST_CA`;
//! - `FARR_TEST_S3_AUTH`: an endpoint of S3 that checks credentials, and
//!   `FARR_TEST_S3_READER`: `id:secret` of one who may only read there;
//! - `FARR_TEST_AZURE_SAS`: a signature that allows to read and list only;
//! - `FARR_TEST_FAILING_<STORE>`: an endpoint where every request fails.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod canned;
mod cases;
mod servers;

use std::collections::BTreeMap;
use std::path::Path;

use farr_disclosure::Zone;
use farr_store::{Error, Location, Publication};

use cases::{person_level, publish_at_once, refuse_by_zone, suite};

#[test]
fn memory() {
    suite(&Location::memory(Zone::Restricted));
    refuse_by_zone(&Location::memory(Zone::Open));
}

#[test]
fn a_local_folder() {
    let folder = tempfile::tempdir().unwrap();
    suite(&Location::folder(&folder.path().join("a"), Zone::Restricted).unwrap());
    refuse_by_zone(&Location::folder(&folder.path().join("b"), Zone::Open).unwrap());
    // One that is made by the first write.
    let later = Location::open("later", Zone::Restricted, BTreeMap::new(), folder.path()).unwrap();
    assert!(!folder.path().join("later").exists());
    suite(&later);
    assert!(folder.path().join("later/publish/pointers").is_dir());
}

#[test]
fn what_a_dead_process_left_half_written_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let place = Location::folder(folder.path(), Zone::Restricted).unwrap();
    place.write("runs/a/x.parquet", person_level("x")).unwrap();
    let staged = folder.path().join("runs/a/y.parquet#12");
    std::fs::copy(folder.path().join("runs/a/x.parquet"), &staged).unwrap();
    std::fs::create_dir(folder.path().join(".latest-abc")).unwrap();
    assert_eq!(place.remove_remnants().unwrap(), 2);
    assert!(!staged.exists());
    assert_eq!(place.list("").unwrap().len(), 1);
    assert_eq!(Location::memory(Zone::Restricted).remove_remnants().unwrap(), 0);
}

#[cfg(unix)]
#[test]
fn latest_follows_the_pointer() {
    let folder = tempfile::tempdir().unwrap();
    let place = Location::folder(folder.path(), Zone::Restricted).unwrap();
    publish_at_once(&place);
    let current = Publication::current(&place).unwrap().unwrap().run;
    let target = std::fs::read_link(folder.path().join("latest")).unwrap();
    assert_eq!(target, Path::new("runs").join(current));
    let names = std::fs::read_dir(folder.path()).unwrap();
    assert_eq!(names.count(), 3, "runs, pointers, latest");
}

#[test]
fn urls_and_options() {
    let open = |url: &str, options: &[(&str, &str)]| {
        let options = options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Location::open(url, Zone::Restricted, options.collect(), Path::new("/nowhere"))
    };
    let s3 = open(
        "s3://bucket/a/b",
        &[("region", "eu"), ("access_key_id", "me"), ("secret_access_key", "hush")],
    )
    .unwrap();
    assert_eq!(s3.url_of("c"), "s3://bucket/a/b/c");
    assert!(!format!("{s3:?}").contains("hush"));
    open("gs://bucket", &[("skip_signature", "true")]).unwrap();
    open("az://container/a", &[("account_name", "me"), ("account_key", "aHVzaA==")]).unwrap();
    open("s3://bucket", &[("path_style", "false"), ("requester_pays", "true")]).unwrap();
    let http = open("https://user:hush@host/data/?token=hush", &[]).unwrap();
    assert_eq!(http.url(), "https://host/data/");
    assert!(matches!(http.list(""), Err(Error::NoListing { .. })));
    assert!(matches!(open("ftp://host/a", &[]), Err(Error::Url { .. })));
    assert!(matches!(open("s3:///a", &[]), Err(Error::Url { .. })));
    for (url, option) in [
        ("s3://bucket", ("regoin", "eu")),
        ("s3://bucket", ("path_style", "maybe")),
        ("s3://bucket", ("ca_certificate", "missing.pem")),
        ("https://host", ("region", "eu")),
        ("folder", ("region", "eu")),
        ("s3://bucket", ("endpoint", "http://host")),
    ] {
        let refused = open(url, &[option]).unwrap_err();
        assert!(matches!(&refused, Error::Option { option: name, .. } if name == option.0));
        assert!(!refused.to_string().contains("maybe"));
    }
}
