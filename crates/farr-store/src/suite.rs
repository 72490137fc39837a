//! One suite for every kind of place: memory, a local folder, and the servers
//! that the environment names:
//! - `FARR_TEST_S3`: an endpoint of S3, with a bucket `farr-test`;
//! - `FARR_TEST_AZURE`: any value, for the emulator with a container
//!   `farr-test`;
//! - `FARR_TEST_GCS`: an endpoint of GCS, with a bucket `farr-test`;
//! - `FARR_TEST_HTTP`: the url of a folder with a file `hello.txt` that holds
//!   `hello`.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::Path;

use bytes::Bytes;
use farr_disclosure::{Document, Label, Labelled, Releasable, Zone};

use crate::{Error, Location, Publication, Sha256Hash};

fn person_level(text: &str) -> Labelled<farr_disclosure::PersonLevel, Bytes> {
    Labelled::person_level(Bytes::copy_from_slice(text.as_bytes()))
}

fn releasable(text: &'static str) -> Labelled<Releasable, Bytes> {
    let statement = Document::new("t").with("text", text).statement().unwrap();
    statement.map(|_| Bytes::from_static(text.as_bytes()))
}

/// Everything that a place must do; `place` is empty and restricted.
fn suite(place: &Location) {
    put_and_read(&place.below("put"));
    put_if_absent(&place.below("absent"));
    list(&place.below("list"));
    stream(&place.below("stream"));
    pin(&place.below("pin"));
    publish(&place.below("publish"));
    publish_at_once(&place.below("at-once"));
    crash_in_the_middle(&place.below("crash"));
}

fn put_and_read(place: &Location) {
    assert!(matches!(place.read("none"), Err(Error::NotFound { .. })));
    assert!(matches!(place.info("none"), Err(Error::NotFound { .. })));
    assert!(matches!(place.reader("none"), Err(Error::NotFound { .. })));
    place.write("a/b.txt", person_level("first")).unwrap();
    place.write("a/b.txt", person_level("0123456789")).unwrap();
    assert_eq!(place.read("a/b.txt").unwrap(), "0123456789");
    assert_eq!(place.read_range("a/b.txt", 2..5).unwrap(), "234");
    assert_eq!(place.info("a/b.txt").unwrap().size, 10);
    place.delete("a/b.txt").unwrap();
    assert!(matches!(place.read("a/b.txt"), Err(Error::NotFound { .. })));
}

fn put_if_absent(place: &Location) {
    place.write_if_absent("one", person_level("mine")).unwrap();
    let second = place.write_if_absent("one", person_level("yours"));
    assert!(matches!(second, Err(Error::Exists { .. })));
    assert_eq!(place.read("one").unwrap(), "mine");
}

fn list(place: &Location) {
    assert_eq!(place.list("").unwrap(), []);
    assert_eq!(place.folders("").unwrap(), Vec::<String>::new());
    for path in ["b/2", "b/1", "bb/3", "a", "b/with space ü"] {
        place.write(path, person_level(path)).unwrap();
    }
    let paths = |prefix: &str| -> Vec<String> {
        place.list(prefix).unwrap().into_iter().map(|object| object.path).collect()
    };
    assert_eq!(paths("").len(), 5);
    assert_eq!(paths("b")[..2], ["b/1", "b/2"]);
    assert_eq!(paths("b").len(), 3);
    assert_eq!(place.folders("").unwrap(), ["b", "bb"]);
    // What is listed can be read.
    for path in paths("") {
        assert!(!place.read(&path).unwrap().is_empty());
    }
}

fn stream(place: &Location) {
    for size in [0, 10, (8 << 20) - 1, 8 << 20, (20 << 20) + 3] {
        let bytes: Vec<u8> = (0..size).map(|i: u32| (i % 251) as u8).collect();
        let mut writer = place.writer("big").unwrap();
        writer.write_all(&bytes).unwrap();
        let written = writer.finish().unwrap();
        assert_eq!(written.size, u64::from(size));
        assert_eq!(written.sha256, Sha256Hash::of(&bytes));
        let mut reader = place.reader("big").unwrap();
        let hash = reader.hash();
        let mut read = Vec::new();
        reader.read_to_end(&mut read).unwrap();
        assert!(read == bytes);
        assert_eq!(hash(), written.sha256);
    }
    // A writer that is dropped leaves nothing.
    let mut writer = place.writer("dropped").unwrap();
    writer.write_all(&vec![1; 9 << 20]).unwrap();
    drop(writer);
    assert!(matches!(place.info("dropped"), Err(Error::NotFound { .. })));
    let content = Labelled::person_level(|writer: &mut crate::ObjectWriter| {
        writer.write_all(&vec![2; 9 << 20]).unwrap();
        Err(Error::NotFound { object: "made up".to_owned() })
    });
    assert!(place.write_streamed("failed", content).is_err());
    assert_eq!(place.list("").unwrap().len(), 1);
}

fn pin(place: &Location) {
    assert!(matches!(place.pin("none"), Err(Error::NotFound { .. })));
    place.write("one", person_level("0123456789")).unwrap();
    let pinned = place.pin("one").unwrap();
    assert_eq!((pinned.size(), &pinned.read(3..5).unwrap()[..]), (10, &b"34"[..]));
    let blocks: Result<Vec<Bytes>, Error> = pinned.blocks(1..10, 4).unwrap().collect();
    assert_eq!(blocks.unwrap(), ["1234", "5678", "9"]);
    place.write("one", person_level("another")).unwrap();
    assert!(matches!(pinned.read(3..5), Err(Error::Changed { .. })));
    place.write("none", person_level("")).unwrap();
    assert!(place.pin("none").unwrap().blocks(0..0, 4).unwrap().next().is_none());
}

fn publish(place: &Location) {
    assert!(Publication::current(place).unwrap().is_none());
    for (number, run) in [(1, "first"), (2, "second")] {
        let publication = Publication::begin(place, run).unwrap();
        publication.folder().write("table.parquet", person_level(run)).unwrap();
        assert_eq!(publication.commit().unwrap().number, number);
        let current = Publication::current(place).unwrap().unwrap();
        assert_eq!((current.number, current.run.as_str()), (number, run));
        assert_eq!(current.folder.read("table.parquet").unwrap(), run);
    }
    assert!(matches!(Publication::begin(place, "first"), Err(Error::Published { .. })));
    assert!(matches!(Publication::remove(place, "second"), Err(Error::Published { .. })));
    for run in ["", "../up", "a/b", ".hidden"] {
        assert!(matches!(Publication::begin(place, run), Err(Error::RunName { .. })));
    }
    assert_eq!(Publication::all(place).unwrap().len(), 2);
    assert!(matches!(Publication::point_again(place, "third"), Err(Error::Unpublished { .. })));
    assert_eq!(Publication::point_again(place, "second").unwrap().number, 2);
    assert_eq!(Publication::point_again(place, "first").unwrap().number, 3);
    assert_eq!(Publication::current(place).unwrap().unwrap().run, "first");
    let dead = Publication::begin(place, "dead").unwrap();
    dead.folder().write("a/b", person_level("x")).unwrap();
    assert_eq!(Publication::unpublished(place).unwrap(), ["dead"]);
    Publication::remove(place, "dead").unwrap();
    assert_eq!(Publication::unpublished(place).unwrap(), [""; 0]);
    dead.folder().remove_all().unwrap();
}

fn publish_at_once(place: &Location) {
    let numbers: Vec<u64> = std::thread::scope(|scope| {
        let commit = |run: usize| {
            let publication = Publication::begin(place, &format!("run-{run}")).unwrap();
            publication.folder().write("object", person_level("x")).unwrap();
            publication.commit().unwrap().number
        };
        let threads: Vec<_> = (0..6).map(|run| scope.spawn(move || commit(run))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut sorted = numbers.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, [1, 2, 3, 4, 5, 6]);
    let last = numbers.iter().position(|&number| number == 6).unwrap();
    let current = Publication::current(place).unwrap().unwrap();
    assert_eq!(current.run, format!("run-{last}"));
}

fn crash_in_the_middle(place: &Location) {
    let publication = Publication::begin(place, "good").unwrap();
    publication.folder().write("object", person_level("good")).unwrap();
    publication.commit().unwrap();
    let dead = Publication::begin(place, "dead").unwrap();
    dead.folder().write("object", person_level("half")).unwrap();
    drop(dead);
    assert_eq!(Publication::current(place).unwrap().unwrap().run, "good");
    assert_eq!(Publication::unpublished(place).unwrap(), ["dead"]);
    Publication::remove(place, "dead").unwrap();
    assert!(Publication::unpublished(place).unwrap().is_empty());
    assert_eq!(place.list("runs").unwrap().len(), 1);
    // Taken up again, it is whole.
    let again = Publication::begin(place, "dead").unwrap();
    again.folder().write("object", person_level("whole")).unwrap();
    let current = again.commit().unwrap();
    assert_eq!(current.folder.read("object").unwrap(), "whole");
}

fn refuse_by_zone(open: &Location) {
    let refused = |result: Result<(), Error>, found: Label| matches!(result, Err(Error::Zone { label, .. }) if label == found);
    assert!(refused(open.write("x", person_level("x")), Label::PersonLevel));
    assert!(refused(open.write_if_absent("x", person_level("x")), Label::PersonLevel));
    let aggregate = Labelled::aggregate(Bytes::from_static(b"x"));
    assert!(refused(open.below("y").write("x", aggregate), Label::Aggregate));
    assert!(refused(open.writer("x").map(|_| ()), Label::PersonLevel));
    assert_eq!(open.list("").unwrap(), []);
    open.write("x", releasable("x")).unwrap();
    // A pointer holds nothing of persons.
    let publication = Publication::begin(open, "run").unwrap();
    publication.folder().write("x", releasable("x")).unwrap();
    publication.commit().unwrap();
    assert_eq!(Publication::current(open).unwrap().unwrap().run, "run");
}

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

/// A place on a server, empty: below a prefix that no other test run has.
fn on_server(url: &str, options: &[(&str, &str)], zone: Zone) -> Location {
    let unique = tempfile::tempdir().unwrap();
    let unique = unique.path().file_name().unwrap().to_str().unwrap().replace('.', "");
    let options = options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let url = format!("{url}/{unique}");
    Location::open(&url, zone, options.collect(), Path::new(".")).unwrap()
}

#[test]
fn servers_named_by_the_environment() {
    let mut tried = 0;
    let mut both = |url: &str, options: &[(&str, &str)]| {
        suite(&on_server(url, options, Zone::Restricted));
        refuse_by_zone(&on_server(url, options, Zone::Open));
        tried += 1;
    };
    if let Ok(endpoint) = std::env::var("FARR_TEST_S3") {
        let options = [
            ("endpoint", endpoint.as_str()),
            ("allow_http", "true"),
            ("access_key_id", "test"),
            ("secret_access_key", "test"),
        ];
        both("s3://farr-test", &options);
    }
    if std::env::var("FARR_TEST_AZURE").is_ok() {
        both("az://farr-test", &[("use_emulator", "true"), ("allow_http", "true")]);
    }
    if let Ok(endpoint) = std::env::var("FARR_TEST_GCS") {
        let options = [
            ("google_base_url", endpoint.as_str()),
            ("allow_http", "true"),
            ("google_skip_signature", "true"),
        ];
        both("gs://farr-test", &options);
    }
    if let Ok(url) = std::env::var("FARR_TEST_HTTP") {
        let options = BTreeMap::from([("files".to_owned(), "hello.txt".to_owned())]);
        let place = Location::open(&url, Zone::Restricted, options, Path::new(".")).unwrap();
        assert_eq!(place.list("").unwrap().len(), 1);
        assert_eq!(place.read("hello.txt").unwrap(), "hello");
        tried += 1;
    }
    if tried == 0 {
        println!("no server tried: none of FARR_TEST_S3, _AZURE, _GCS, _HTTP is set");
    }
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
    ] {
        let refused = open(url, &[option]).unwrap_err();
        assert!(matches!(&refused, Error::Option { option: name, .. } if name == option.0));
        assert!(!refused.to_string().contains("maybe"));
    }
}

#[test]
fn a_place_that_does_not_answer() {
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let options = BTreeMap::from([
        ("endpoint".to_owned(), format!("http://127.0.0.1:{port}")),
        ("allow_http".to_owned(), "true".to_owned()),
        ("skip_signature".to_owned(), "true".to_owned()),
        ("retries_max".to_owned(), "1".to_owned()),
    ]);
    let place = Location::open("s3://bucket", Zone::Restricted, options, Path::new(".")).unwrap();
    let unreachable = |e: Error| matches!(e, Error::Unreachable { .. });
    assert!(unreachable(place.read("x").unwrap_err()));
    assert!(unreachable(place.list("").unwrap_err()));
    assert!(unreachable(place.write("x", person_level("x")).unwrap_err()));
}
