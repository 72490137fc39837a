//! Servers that the environment names.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use farr_disclosure::Zone;
use farr_store::{Error, Location};

use crate::cases::{person_level, refuse_by_zone, suite};

type Options<'a> = Vec<(&'static str, &'a str)>;

fn variable(name: &str) -> Option<String> {
    let value = std::env::var(name).ok();
    if value.is_none() {
        println!("skipped: {name} is not set; tests/storage/run.py sets it");
    }
    value
}

/// A place on a server, empty: below a prefix that no other test run has.
fn place(bucket: &str, options: &[(&str, &str)], zone: Zone) -> Location {
    let unique = tempfile::tempdir().unwrap();
    let unique = unique.path().file_name().unwrap().to_str().unwrap().replace('.', "");
    let options = options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    Location::open(&format!("{bucket}/{unique}"), zone, options.collect(), Path::new(".")).unwrap()
}

fn s3(endpoint: &str) -> Options<'_> {
    vec![
        ("endpoint", endpoint),
        ("allow_http", "true"),
        ("access_key_id", "test"),
        ("secret_access_key", "test"),
        ("region", "us-east-1"),
    ]
}

/// A key that asks nobody for a token: object_store signs writes also where
/// `skip_signature` is set.
const GCS_KEY: &str =
    r#"{"private_key": "", "private_key_id": "", "client_email": "", "disable_oauth": true}"#;

fn gcs(endpoint: &str) -> Options<'_> {
    vec![("base_url", endpoint), ("allow_http", "true"), ("service_account_key", GCS_KEY)]
}

fn azure() -> Options<'static> {
    vec![("use_emulator", "true")]
}

fn whole_suite(bucket: &str, options: &[(&str, &str)]) {
    suite(&place(bucket, options, Zone::Restricted));
    refuse_by_zone(&place(bucket, options, Zone::Open));
}

#[test]
fn on_s3() {
    let Some(endpoint) = variable("FARR_TEST_S3") else { return };
    whole_suite("s3://farr-test", &s3(&endpoint));
}

#[test]
fn on_azure() {
    let Some(_) = variable("FARR_TEST_AZURE") else { return };
    whole_suite("az://farr-test", &azure());
}

#[test]
fn on_gcs() {
    let Some(endpoint) = variable("FARR_TEST_GCS") else { return };
    whole_suite("gs://farr-test", &gcs(&endpoint));
}

/// Checksums of every part, which S3 compares.
#[test]
fn on_s3_with_checksums() {
    let Some(endpoint) = variable("FARR_TEST_S3") else { return };
    let mut options = s3(&endpoint);
    options.push(("checksum_algorithm", "sha256"));
    let place = place("s3://farr-test", &options, Zone::Restricted);
    crate::cases::stream(&place);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the server's files are made by the test")]
fn on_http() {
    let Some(url) = variable("FARR_TEST_HTTP") else { return };
    let Some(folder) = variable("FARR_TEST_HTTP_FOLDER") else { return };
    let folder = Path::new(&folder);
    let big: Vec<u8> = (0..(20 << 20) + 3).map(|i: u32| (i % 251) as u8).collect();
    std::fs::create_dir_all(folder.join("sub")).unwrap();
    std::fs::write(folder.join("hello.txt"), "hello").unwrap();
    std::fs::write(folder.join("sub/a b=\u{fc}.txt"), "named").unwrap();
    std::fs::write(folder.join("empty.txt"), "").unwrap();
    std::fs::write(folder.join("big.bin"), &big).unwrap();
    std::fs::write(
        folder.join("files.txt"),
        "# one a line\nhello.txt\n\nsub/a b=\u{fc}.txt\nempty.txt\n",
    )
    .unwrap();
    let open = |option: &str, value: &str| {
        let options = BTreeMap::from([(option.to_owned(), value.to_owned())]);
        Location::open(&url, Zone::Restricted, options, Path::new(".")).unwrap()
    };
    for place in
        [open("files", "hello.txt,sub/a b=\u{fc}.txt,empty.txt"), open("files_from", "files.txt")]
    {
        let listed = place.list("").unwrap();
        let sizes: Vec<u64> = listed.iter().map(|object| object.size).collect();
        assert_eq!(sizes, [0, 5, 5]);
        assert_eq!(place.read("hello.txt").unwrap(), "hello");
        assert_eq!(place.read_range("hello.txt", 1..3).unwrap(), "el");
        assert_eq!(place.read("empty.txt").unwrap(), "");
        assert_eq!(place.below("sub").list("").unwrap().len(), 1);
        assert_eq!(place.below("sub").read("a b=\u{fc}.txt").unwrap(), "named");
        assert!(place.read("big.bin").unwrap() == big);
        assert!(matches!(place.read("none.txt"), Err(Error::NotFound { .. })));
        assert!(matches!(place.info("none.txt"), Err(Error::NotFound { .. })));
        let written = place.write("new.txt", person_level("x"));
        assert!(matches!(written, Err(Error::ReadOnly { .. })));
        assert!(matches!(place.delete("hello.txt"), Err(Error::ReadOnly { .. })));
    }
    let place = open("files", "big.bin");
    let mut reader = place.reader("big.bin").unwrap();
    reader.read_exact(&mut [0; 10]).unwrap();
    std::fs::write(folder.join("other.bin"), vec![0; big.len()]).unwrap();
    // nginx's entity tag is made of the size and the time in whole seconds.
    let long_ago = std::time::SystemTime::now() - Duration::from_hours(1);
    let other = std::fs::File::options().append(true).open(folder.join("other.bin")).unwrap();
    other.set_modified(long_ago).unwrap();
    std::fs::rename(folder.join("other.bin"), folder.join("big.bin")).unwrap();
    let error = reader.read_to_end(&mut Vec::new()).unwrap_err();
    assert!(error.to_string().contains("big.bin: changed while"), "{error}");
}

#[test]
fn behind_tls() {
    let Some(endpoint) = variable("FARR_TEST_TLS") else { return };
    let Some(authority) = variable("FARR_TEST_CA") else { return };
    let mut options = s3(&endpoint);
    options.retain(|(option, _)| *option != "allow_http");
    let strange = place("s3://farr-test", &options, Zone::Restricted);
    let started = Instant::now();
    let error = strange.read("x").unwrap_err();
    assert!(matches!(error, Error::Certificate { .. }), "{error}");
    assert!(started.elapsed() < Duration::from_secs(5), "no repetition mends it");
    options.push(("ca_certificate", &authority));
    let place = place("s3://farr-test", &options, Zone::Restricted);
    crate::cases::stream(&place);
}

#[test]
fn credentials_and_rights_on_s3() {
    let Some(endpoint) = variable("FARR_TEST_S3_AUTH") else { return };
    let Some(reader) = variable("FARR_TEST_S3_READER") else { return };
    let (id, secret) = reader.split_once(':').unwrap();
    let open = |id: &str, secret: &str| {
        let mut options = s3(&endpoint);
        options.retain(|(option, _)| !option.contains("access_key"));
        let keys = [("access_key_id", id), ("secret_access_key", secret)];
        let options = options.into_iter().chain(keys);
        let options = options.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        Location::open("s3://farr-test/rights", Zone::Restricted, options, Path::new(".")).unwrap()
    };
    for wrong in [open("AKIANOBODY", secret), open(id, "wrong")] {
        let error = wrong.read("there").unwrap_err();
        assert!(matches!(error, Error::Unauthenticated { .. }), "{error}");
        assert!(error.to_string().contains("s3://farr-test/rights/there"), "{error}");
        let error = wrong.write("new", person_level("x")).unwrap_err();
        assert!(matches!(error, Error::Unauthenticated { .. }), "{error}");
    }
    let place = open(id, secret);
    assert_eq!(place.read("there").unwrap(), "there");
    let error = place.write("new", person_level("x")).unwrap_err();
    assert!(matches!(error, Error::PermissionDenied { .. }), "{error}");
    assert!(error.to_string().contains("rights/new: no permission to write"), "{error}");
    let error = place.delete("there").unwrap_err();
    assert!(matches!(error, Error::PermissionDenied { .. }), "{error}");
}

#[test]
fn credentials_and_rights_on_azure() {
    let Some(signature) = variable("FARR_TEST_AZURE_SAS") else { return };
    let owner = place("az://farr-test", &azure(), Zone::Restricted);
    owner.write("there", person_level("there")).unwrap();
    let open = |option: &str, value: &str| {
        let options = [("use_emulator", "true"), (option, value)];
        let options = options.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let options = BTreeMap::from(options);
        Location::open(owner.url(), Zone::Restricted, options, Path::new(".")).unwrap()
    };
    let error = open("account_key", "d3Jvbmc=").read("there").unwrap_err();
    assert!(matches!(error, Error::Unauthenticated { .. }), "{error}");
    let reader = open("sas_key", &signature);
    assert_eq!(reader.read("there").unwrap(), "there");
    let error = reader.write("new", person_level("x")).unwrap_err();
    assert!(matches!(error, Error::PermissionDenied { .. }), "{error}");
    assert!(!error.to_string().contains("sig="), "a secret in {error}");
}

/// Where every request fails, each is given up within its budget, and the
/// error names the object.
#[test]
fn where_everything_fails() {
    let mut tried: Vec<(&str, Options<'_>)> = Vec::new();
    let s3_endpoint = variable("FARR_TEST_FAILING_S3");
    let gcs_endpoint = variable("FARR_TEST_FAILING_GCS");
    tried.extend(s3_endpoint.iter().map(|endpoint| ("s3://farr-test", s3(endpoint))));
    tried.extend(gcs_endpoint.iter().map(|endpoint| ("gs://farr-test", gcs(endpoint))));
    if variable("FARR_TEST_FAILING_AZURE").is_some() {
        tried.push(("az://farr-test", azure()));
    }
    for (bucket, mut options) in tried {
        options.extend([("retry_seconds_max", "4"), ("timeout", "2 seconds")]);
        let place = place(bucket, &options, Zone::Restricted);
        let object = place.url_of("x");
        let fails = |what: &str, error: Error, named: &str| {
            let text = error.to_string();
            assert!(text.starts_with(named), "{text}");
            assert!(text.contains("given up after"), "{what}: {text}");
        };
        let started = Instant::now();
        fails("read", place.read("x").unwrap_err(), &object);
        fails("info", place.info("x").unwrap_err(), &object);
        fails("write", place.write("x", person_level("x")).unwrap_err(), &object);
        let absent = place.write_if_absent("x", person_level("x"));
        fails("if absent", absent.unwrap_err(), &object);
        fails("delete", place.delete("x").unwrap_err(), &object);
        fails("list", place.list("").unwrap_err(), place.url());
        assert!(started.elapsed() < Duration::from_secs(6 * 7), "{:?}", started.elapsed());
    }
}
