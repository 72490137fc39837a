//! What farr reads back of its own: the pointer to a run, a records manifest
//! and a report's. Whatever lies there instead, an error names it.

use std::collections::BTreeMap;

use bytes::Bytes;
use farr_disclosure::{Labelled, PersonLevel, Zone};
use farr_records::{MANIFEST_PATH, RecordsStore, RowKey, Table};
use farr_store::{Location, Publication};

/// The path of the first pointer.
const POINTER: &str = "pointers/00000000000000000001.json";

pub(crate) fn check(data: &[u8]) {
    let place = Location::memory(Zone::Restricted);
    let write = |path: &str| {
        let content = Labelled::<PersonLevel, _>::person_level(Bytes::copy_from_slice(data));
        place.write(path, content).expect("memory takes it");
    };
    write(POINTER);
    match Publication::current(&place) {
        Ok(current) => assert_eq!(current.expect("a pointer is there").number, 1),
        Err(error) => assert!(error.to_string().contains(POINTER)),
    }
    write(MANIFEST_PATH);
    match RecordsStore::open(&place) {
        Ok(store) => read(&store),
        Err(error) => assert!(error.to_string().contains(MANIFEST_PATH)),
    }
    if let Err(error) = farr_report::Manifest::parse(data) {
        assert!(error.to_string().contains("manifest"));
    }
}

/// A manifest's files are not there: reading says so.
fn read(store: &RecordsStore) {
    let tables: BTreeMap<Table, Vec<&str>> = [(Table::ConditionOccurrence, vec![])].into();
    for shard in store.shards().take(3) {
        if let Err(error) = store.read_shard(shard, &tables) {
            assert!(!error.to_string().is_empty());
        }
    }
    let ancestors = RowKey::new("ancestor_concept_id", vec![1]);
    for read in [store.names_where(|_, _| true), store.read_ancestors(&ancestors)] {
        if let Err(error) = read {
            assert!(!error.to_string().is_empty());
        }
    }
}
