//! However an export is shared out, the records built of it are the same, byte
//! for byte.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;

use bytes::Bytes;
use farr_disclosure::Zone;
use farr_records::{BuildSettings, Builder, Pulled, SpillPlace, build};
use farr_store::Location;

use super::intake::{folder, omop, shared, synthea};
use crate::share::{Division, Share};
use crate::{Error, SourceSettings, SourceSummary, read_divided, read_vocabulary};

fn settings(spill: SpillPlace) -> BuildSettings {
    BuildSettings { shards: Some(2), spill, ..BuildSettings::default() }
}

fn pull(
    export: &Path,
    source: &SourceSettings,
    division: Division,
) -> Result<(Pulled, SourceSummary), Error> {
    let location = Location::folder(export, Zone::Restricted).unwrap();
    let kept = SpillPlace::Kept(Location::memory(Zone::Restricted));
    let builder = Builder::new(settings(kept)).unwrap();
    let summary = read_divided(source, &location, None, division, &builder)?;
    Ok((builder.close().unwrap(), summary))
}

type Files = BTreeMap<String, Bytes>;

fn built(parts: Vec<Pulled>) -> Result<Files, farr_records::Error> {
    let store = Location::memory(Zone::Restricted);
    let settings = settings(SpillPlace::Temporary(None));
    build(parts, &settings, &store, None, &|_| ControlFlow::Continue(()))?;
    let objects = store.list("").unwrap();
    Ok(objects.into_iter().map(|o| (o.path.clone(), store.read(&o.path).unwrap())).collect())
}

fn shares(
    export: &Path,
    source: &SourceSettings,
    of: u32,
    block_bytes: u64,
) -> (Result<Files, farr_records::Error>, SourceSummary) {
    let mut parts = Vec::new();
    let mut summaries = Vec::new();
    for index in 0..of {
        let division = Division { share: Share::new(index, of).unwrap(), block_bytes };
        let (pulled, summary) = pull(export, source, division).unwrap();
        parts.push(pulled);
        summaries.push(summary);
    }
    (built(parts), SourceSummary::joined(summaries))
}

/// Hashes of parts of objects are left out of summaries.
fn without_hashes(mut summary: SourceSummary) -> SourceSummary {
    for object in &mut summary.objects {
        object.sha256 = None;
    }
    summary
}

fn check(export: &Path, source: &SourceSettings, counts: &[u32], block_bytes: u64) {
    let (whole, summary) = shares(export, source, 1, block_bytes);
    let whole = whole.unwrap();
    for of in counts {
        let (files, of_shares) = shares(export, source, *of, block_bytes);
        let files = files.unwrap();
        let differs: Vec<_> =
            whole.keys().filter(|path| files.get(*path) != whole.get(*path)).collect();
        assert!(files == whole, "{} in {of}: {differs:?}", export.display());
        assert_eq!(without_hashes(of_shares), without_hashes(summary.clone()));
    }
}

#[test]
fn real_exports_in_shares() {
    for (export, source) in [
        ("data/synthea-csv-2017", synthea()),
        ("data/synthea-csv-2023", synthea()),
        ("data/synthea-csv-2024", synthea()),
        ("data/omop-synthea27nj-csv", omop()),
        ("data/omop-synthea27nj-parquet", omop()),
        ("reference/circe-random/cdm", omop()),
    ] {
        let Some(export) = shared(export) else { return };
        check(&export, &source, &[2, 5], 1 << 16);
    }
}

#[test]
fn objects_are_divided_where_they_are_read_as_well() {
    // Blocks smaller than a record, than the header, and about as large.
    let patients = b"Id,BIRTHDATE,GENDER\n\np1,1980-01-01,M\r\np2,1981-01-01,F\np3,bad,F\n\n\
        p4,1982-01-01,\"F\"\np5,1983-01-01,F";
    let conditions = b"START,STOP,PATIENT,ENCOUNTER,CODE,DESCRIPTION\n\
        2020-01-01,,p1,e1,100,\"a, with\na break\"\n2020-01-02,,p2,e2,100,b\n\
        2020-01-03,x,p3,e3,101,c\n2020-01-04,,p4,e4,102,\"d\"\"\"\n\n2020-01-05,,p5,e5,103,e\n";
    let files = folder(&[("patients.csv", patients), ("conditions.csv", conditions)]);
    for block_bytes in [64, 100, 1000] {
        check(files.path(), &synthea(), &[1, 2, 3, 7], block_bytes);
    }
}

/// Quotes that are never closed cost the same rows in every share.
#[test]
fn stray_quotes_in_shares() {
    let mut conditions = b"START,STOP,PATIENT,ENCOUNTER,CODE,DESCRIPTION\n".to_vec();
    for day in 1..29 {
        let description = match day % 7 {
            2 => "\"open",
            4 => "\"closed, \"\"quoted\"\"\nin two lines\"",
            5 => "5\" wide",
            _ => "\"plain, in quotes\"",
        };
        let row = format!("2020-01-{day:02},,p1,e{day},100,{description}\n");
        conditions.extend_from_slice(row.as_bytes());
    }
    let patients = b"Id,BIRTHDATE,GENDER\np1,1980-01-01,M\n";
    let files = folder(&[("patients.csv", patients), ("conditions.csv", &conditions)]);
    for block_bytes in [64, 100, 256] {
        check(files.path(), &synthea(), &[2, 3, 7, 20], block_bytes);
    }
}

/// Fields that look like records, across many lines: a share that starts in
/// one may be mistaken, and must not be so in silence.
#[test]
fn a_wrong_guess_is_noticed() {
    let mut conditions = b"START,STOP,PATIENT,ENCOUNTER,CODE,DESCRIPTION\n".to_vec();
    let inner = "2020-01-03,,p1,e1,100,x\n".repeat(40);
    for _ in 0..4 {
        conditions.extend_from_slice(format!("2020-01-01,,p1,e1,100,\"{inner}\"\n").as_bytes());
    }
    let patients = b"Id,BIRTHDATE,GENDER\np1,1980-01-01,M\n";
    let files = folder(&[("patients.csv", patients), ("conditions.csv", &conditions)]);
    let (whole, _) = shares(files.path(), &synthea(), 1, 64);
    let whole = whole.unwrap();
    let mut noticed = 0;
    for of in 2..9 {
        match shares(files.path(), &synthea(), of, 64).0 {
            Ok(files) => assert!(files == whole),
            Err(error @ farr_records::Error::Ranges { .. }) => {
                noticed += 1;
                assert!(error.to_string().contains("conditions.csv"), "{error}");
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!(noticed > 0);
}

#[test]
fn a_missing_share_is_noticed() {
    let Some(export) = shared("data/synthea-csv-2017") else { return };
    let mut parts = Vec::new();
    for index in [0, 2] {
        let division = Division { share: Share::new(index, 3).unwrap(), block_bytes: 1 << 16 };
        parts.push(pull(&export, &synthea(), division).unwrap().0);
    }
    assert!(matches!(built(parts), Err(farr_records::Error::Ranges { .. })));
}

#[test]
fn a_vocabulary_in_shares() {
    let Some(export) = shared("reference/gibleed/cdm") else { return };
    let location = Location::folder(&export, Zone::Restricted).unwrap();
    let patients = b"Id,BIRTHDATE,GENDER\np1,1980-01-01,M\n";
    let conditions = b"START,STOP,PATIENT,ENCOUNTER,CODE,DESCRIPTION\n\
        2020-01-01,,p1,e1,195662009,a\n2020-01-01,,p1,e1,7,b\n";
    let files = folder(&[("patients.csv", patients), ("conditions.csv", conditions)]);
    let records = Location::folder(files.path(), Zone::Restricted).unwrap();
    let build_of = |of: u32| {
        let part = |index: u32| {
            let share = Share::new(index, of).unwrap();
            let kept = SpillPlace::Kept(Location::memory(Zone::Restricted));
            let builder = Builder::new(settings(kept)).unwrap();
            let (mapping, _) = read_vocabulary(&location, share, &builder).unwrap();
            let source = synthea();
            crate::read(&source, &records, Some(&mapping), share, &builder).unwrap();
            builder.close().unwrap()
        };
        built((0..of).map(part).collect()).unwrap()
    };
    let whole = build_of(1);
    assert!(build_of(3) == whole);
}
