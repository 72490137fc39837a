//! What every place must do.

use std::io::{Read, Write};

use bytes::Bytes;
use farr_disclosure::{Document, Label, Labelled, PersonLevel, Releasable};
use farr_store::{Error, Location, ObjectWriter, Publication, Sha256Hash};

pub(crate) fn person_level(text: &str) -> Labelled<PersonLevel, Bytes> {
    Labelled::person_level(Bytes::copy_from_slice(text.as_bytes()))
}

fn releasable(text: &'static str) -> Labelled<Releasable, Bytes> {
    let statement = Document::new("t").with("text", text).statement().unwrap();
    statement.map(|_| Bytes::from_static(text.as_bytes()))
}

/// Everything that a place must do; `place` is empty and restricted.
pub(crate) fn suite(place: &Location) {
    put_and_read(&place.below("put"));
    names(&place.below("names"));
    put_if_absent(&place.below("absent"));
    one_of_many(&place.below("one"));
    long_listing(&place.below("long"));
    change_while_read(&place.below("change"));
    list(&place.below("list"));
    stream(&place.below("stream"));
    pin(&place.below("pin"));
    copy(&place.below("copy"));
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
    let ranges = place.ranges("a/b.txt");
    assert_eq!(ranges.read(2..5).unwrap(), "234");
    assert_eq!(ranges.read(0..2).unwrap(), "01");
    assert!(matches!(place.ranges("a/none").read(0..1), Err(Error::NotFound { .. })));
    assert_eq!(place.info("a/b.txt").unwrap().size, 10);
    let listed = &place.list("").unwrap()[0];
    let info = place.info("a/b.txt").unwrap();
    assert_eq!((listed.size, &listed.path), (info.size, &info.path));
    assert!(info.etag.is_some() && listed.etag.is_some());
    place.write("empty", person_level("")).unwrap();
    assert_eq!(place.info("empty").unwrap().size, 0);
    assert_eq!(place.read("empty").unwrap(), "");
    place.delete("a/b.txt").unwrap();
    assert!(matches!(place.read("a/b.txt"), Err(Error::NotFound { .. })));
    // What is not there is deleted already.
    place.delete("a/b.txt").unwrap();
}

fn names(place: &Location) {
    let names =
        ["with space", "gr\u{fc}\u{df}e", "year=2020/x", "100%", "a+b&c", "\u{75c5}\u{4eba}"];
    for name in names {
        place.write(name, person_level(name)).unwrap();
        assert_eq!(place.read(name).unwrap(), name);
    }
    let listed = place.list("").unwrap();
    assert_eq!(listed.len(), names.len());
    for object in listed {
        // What is listed can be read, and is what it says.
        let content = place.read(&object.path).unwrap();
        assert!(names.iter().any(|name| content == *name), "{}", object.path);
        place.reader_of(&object).unwrap();
    }
    assert_eq!(place.list("year=2020").unwrap().len(), 1);
}

fn put_if_absent(place: &Location) {
    place.write_if_absent("one", person_level("mine")).unwrap();
    let second = place.write_if_absent("one", person_level("yours"));
    assert!(matches!(second, Err(Error::Exists { .. })));
    assert_eq!(place.read("one").unwrap(), "mine");
    place.require_put_if_absent().unwrap();
    assert_eq!(place.list("").unwrap().len(), 1);
}

/// Of many who put at once, exactly one succeeds, and its content is there.
fn one_of_many(place: &Location) {
    for round in 0..4 {
        let name = format!("round-{round}");
        let wins: Vec<usize> = std::thread::scope(|scope| {
            let put = |i: usize| match place.write_if_absent(&name, person_level(&i.to_string())) {
                Ok(()) => Some(i),
                Err(Error::Exists { .. }) => None,
                Err(error) => panic!("{error}"),
            };
            let threads: Vec<_> = (0..8).map(|i| scope.spawn(move || put(i))).collect();
            threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(wins.len(), 1, "{wins:?}");
        assert_eq!(place.read(&name).unwrap(), wins[0].to_string());
    }
}

/// More objects than a page of a listing holds.
fn long_listing(place: &Location) {
    const COUNT: usize = 1_050;
    std::thread::scope(|scope| {
        for thread in 0..6 {
            scope.spawn(move || {
                for i in (thread..COUNT).step_by(6) {
                    place.write(&format!("{i:05}"), person_level("x")).unwrap();
                }
            });
        }
    });
    let listed = place.list("").unwrap();
    assert!(
        listed.iter().map(|object| object.path.clone()).eq((0..COUNT).map(|i| format!("{i:05}")))
    );
}

/// A reader sees one version of an object, or an error.
fn change_while_read(place: &Location) {
    let version = |byte: u8| Labelled::person_level(Bytes::from(vec![byte; 20 << 20]));
    place.write("object", version(1)).unwrap();
    let mut reader = place.reader("object").unwrap();
    reader.read_exact(&mut [0; 10]).unwrap();
    place.write("object", version(2)).unwrap();
    let mut rest = Vec::new();
    let error = reader.read_to_end(&mut rest).unwrap_err();
    assert!(error.to_string().contains("object: changed while it was in use"), "{error}");
    assert!(rest.iter().all(|byte| *byte == 1));
    // One that has changed since it was listed.
    let listed = place.list("").unwrap().remove(0);
    place.write("object", person_level("short")).unwrap();
    let read = place.reader_of(&listed).map(|mut reader| reader.read_to_end(&mut Vec::new()));
    assert!(!matches!(read, Ok(Ok(_))));
    let now = place.list("").unwrap().remove(0);
    place.reader_of(&now).unwrap().read_to_end(&mut rest).unwrap();
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

pub(crate) fn stream(place: &Location) {
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
    let content = Labelled::person_level(|writer: &mut ObjectWriter| {
        writer.write_all(&vec![2; 9 << 20]).unwrap();
        Err(Error::NotFound { object: "made up".to_owned() })
    });
    assert!(place.write_streamed("failed", content).is_err());
    assert_eq!(place.list("").unwrap().len(), 1);
}

fn copy(place: &Location) {
    assert!(matches!(place.copy("none", "to"), Err(Error::NotFound { .. })));
    assert!(matches!(place.are_equal("none", "to"), Err(Error::NotFound { .. })));
    for size in [0, 10, 1 << 20, (1 << 20) + 1, (20 << 20) + 3] {
        let mut bytes: Vec<u8> = (0..size).map(|i: u32| (i % 251) as u8).collect();
        place.write("from", Labelled::person_level(Bytes::from(bytes.clone()))).unwrap();
        assert!(!place.are_equal("from", "to").unwrap());
        place.copy("from", "to").unwrap();
        assert!(place.are_equal("from", "to").unwrap());
        assert!(place.read("to").unwrap() == bytes);
        if let Some(last) = bytes.last_mut() {
            *last ^= 1;
            place.write("to", Labelled::person_level(Bytes::from(bytes))).unwrap();
            assert!(!place.are_equal("from", "to").unwrap());
        }
    }
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
    let (first, is_current) = Publication::latest_of(place, |run| run == "first").unwrap().unwrap();
    assert_eq!((first.number, is_current), (1, false));
    assert!(Publication::latest_of(place, |run| run == "third").unwrap().is_none());
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

pub(crate) fn publish_at_once(place: &Location) {
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

pub(crate) fn refuse_by_zone(open: &Location) {
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
