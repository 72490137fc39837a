"""A whole set of Circe definitions, beside the reference's own times.

    python3 benches/cohorts.py target/release/farr ../shared/reference/circe [1 20 100]

Grows the reference's persons by copying them under new ids, has farr build a
records store of them, and runs `farr cohort run` over the store and over the
OMOP Parquet as it lies: whole processes, start, reading the definitions and
writing into a new folder included, the fastest of five. A row a size and kind: wall seconds, the
parts as farr gives them, milliseconds a definition, how many times faster than
the reference (SQL on DuckDB with two threads and its tables already in memory:
the milliseconds of `expected/log.csv`, taken at one copy), and the floor:
polars, with two threads, decoding the same columns of the same files once and
writing the same rows once. Each row is checked: copies times the expected rows.
Then ten definitions one by one beside DuckDB, on SQL written by hand
(`ten_definitions.py`), at the second size; each must give the same rows. What
the bench wrote before is on disk by then: a file system that is busy with it
makes whoever creates files wait.
Needs `pip install duckdb polars`.
"""

import csv
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("POLARS_MAX_THREADS", "2")

import duckdb
import polars

from ten_definitions import CODESETS, SQL
from vocabulary import items_of

REPEATS = 5
PERSON_STEP = 10_000_000
ROW_STEP = 1_000_000_000


def grown(cdm, copies, out):
    """Writes every table with each person `copies` times, rows shuffled."""
    for path in sorted(cdm.glob("*.parquet")):
        columns = [row[0] for row in duckdb.sql(f"DESCRIBE SELECT * FROM '{path}'").fetchall()]
        person = next((c for c in ("person_id", "entity_id") if c in columns), None)
        target = out / path.name
        if person is None:
            target.write_bytes(path.read_bytes())
            continue
        rows = {path.stem + "_id", "visit_occurrence_id", "visit_detail_id"} - {person}
        step = {person: PERSON_STEP, **dict.fromkeys(rows, ROW_STEP)}
        select = ", ".join(f"{c} + k * {step[c]} AS {c}" if c in step else c for c in columns)
        duckdb.sql(
            f"COPY (SELECT {select} FROM '{path}', range({copies}) r(k) "
            f"ORDER BY hash({person} + 7919 * k), {columns[0]}) TO '{target}' (FORMAT parquet)"
        )


JOB = """
[job]
name = "bench"
[locations.exports]
url = "{cdm}"
[locations.records]
url = "{records}"
[locations.reports]
url = "{reports}"
[[source]]
format = "omop"
location = "exports"
system = "bench"
[records]
location = "records"
[report]
location = "reports"
"""

PARTS = ("parse", "resolve", "decode", "evaluate", "write")


def built(farr, cdm, scratch):
    """A records store of an OMOP folder, built by farr."""
    records = scratch / "records"
    job = scratch / "job.toml"
    job.write_text(JOB.format(cdm=cdm, records=records, reports=scratch / "reports"))
    subprocess.run([farr, "--quiet", "ingest", str(job)], check=True, stdout=subprocess.DEVNULL)
    return records


def run(farr, definitions, where, out):
    """The fastest of some runs: wall seconds, and what farr says of itself."""
    best = None
    for _ in range(REPEATS):
        command = [farr, "--log", "json", "cohort", "run", "--definitions", str(definitions)]
        shutil.rmtree(out, ignore_errors=True)
        start = time.monotonic()
        said = subprocess.run([*command, *where, "--out", str(out)], check=True,
                              capture_output=True, text=True)
        seconds = time.monotonic() - start
        if best is None or seconds < best[0]:
            best = (seconds, json.loads(said.stdout.splitlines()[-1]))
    return best


def floor(records, columns, out):
    """Seconds to decode the columns that farr reads once, and to write the rows
    that it writes once: polars, with two threads, over the same files."""
    folder = next((records / "runs").iterdir())
    best = float("inf")
    for _ in range(REPEATS):
        start = time.monotonic()
        for table, names in columns.items():
            for file in sorted((folder / "tables" / table).glob("*.parquet")):
                there = set(polars.read_parquet_schema(file))
                polars.read_parquet(file, columns=[name for name in names if name in there])
        decoded = time.monotonic()
        frames = [(path.name, polars.read_parquet(path)) for path in sorted(out.glob("*.parquet"))]
        written = time.monotonic()
        with tempfile.TemporaryDirectory() as target:
            for name, frame in frames:
                frame.write_parquet(pathlib.Path(target) / name, compression_level=1)
        best = min(best, decoded - start + time.monotonic() - written)
    return best


def checked(out, rows, where):
    given = duckdb.sql(f"SELECT count(*) FROM '{out / 'cohort.parquet'}'").fetchall()[0][0]
    if given != rows:
        sys.exit(f"{where}: {rows} rows expected, {given} given")


def whole_set(farr, folder, copies, scratch, cdm, expected):
    """A row for the records store and one for the OMOP Parquet."""
    definitions, out = folder / "cohorts", scratch / "out"
    records = built(farr, cdm, scratch)
    for name, where in (("records", ["--records", str(records)]), ("omop", ["--omop", str(cdm)])):
        seconds, last = run(farr, definitions, where, out)
        checked(out, copies * expected["rows"], f"{copies} copies, {name}")
        lowest = floor(records, last["columns"], out) if name == "records" else None
        parts = "".join(f"{last['seconds'][part]:>10.3f}" for part in PARTS)
        print(f"{copies:>7}  {name:<8}{seconds:>8.3f}{parts}"
              f"{1000 * seconds / expected['definitions']:>11.2f}"
              f"{expected['seconds'] / seconds:>8.0f}"
              f"{f'{lowest:>8.3f}{seconds / lowest:>7.1f}' if lowest else ''}", flush=True)
    return records


def ten(farr, folder, copies, scratch, cdm, records):
    """Ten definitions one by one, beside DuckDB with its tables in memory."""
    db = duckdb.connect()
    db.execute("SET threads = 2")
    for path in sorted(cdm.glob("*.parquet")):
        db.execute(f"CREATE TABLE {path.stem} AS FROM '{path}'")
    db.execute("CREATE TABLE items (definition BIGINT, set BIGINT, concept BIGINT, excluded BOOL, "
               "descendants BOOL, mapped BOOL)")
    mine = [item for item in items_of(folder / "cohorts") if item[0] in SQL]
    db.executemany("INSERT INTO items VALUES (?, ?, ?, ?, ?, ?)", mine)
    os.sync()
    print(f"\n{'definition':>10}{'rows':>9}{'DuckDB ms':>11}{'farr ms':>9}")
    for definition, sql in SQL.items():
        fastest = float("inf")
        for _ in range(REPEATS):
            start = time.monotonic()
            db.execute(CODESETS, {"definition": definition})
            rows = db.execute(sql).fetchall()
            fastest = min(fastest, time.monotonic() - start)
        alone, out = scratch / f"only-{definition}", scratch / "out-one"
        alone.mkdir()
        (alone / f"{definition}.json").write_bytes(
            (folder / "cohorts" / f"{definition}.json").read_bytes())
        seconds, _ = run(farr, alone, ["--records", str(records)], out)
        given = duckdb.sql("SELECT subject_id, cohort_start_date, cohort_end_date "
                           f"FROM '{out / 'cohort.parquet'}'").fetchall()
        if sorted(given) != sorted(rows):
            sys.exit(f"definition {definition}: farr and DuckDB differ")
        print(f"{definition:>10}{len(rows):>9}{1000 * fastest:>11.1f}{1000 * seconds:>9.1f}",
              flush=True)
    db.close()


def main():
    farr, folder = str(pathlib.Path(sys.argv[1]).resolve()), pathlib.Path(sys.argv[2]).resolve()
    sizes = [int(text) for text in sys.argv[3:]] or [1, 20, 100]
    with open(folder / "expected" / "log.csv", newline="") as log:
        rows = list(csv.DictReader(log))
    count = f"SELECT count(*) FROM '{folder / 'expected' / 'cohort.parquet'}'"
    expected = {
        "definitions": len(rows),
        "rows": duckdb.sql(count).fetchall()[0][0],
        "seconds": sum(float(row["duckdb_ms"]) for row in rows) / 1000,
    }
    print(f"{len(rows)} definitions; the reference took {expected['seconds']:.1f} s at one copy")
    print(f"{'copies':>7}  {'over':<8}{'farr s':>8}" + "".join(f"{part:>10}" for part in PARTS)
          + f"{'ms each':>11}{'times':>8}{'floor':>8}{'ratio':>7}")
    for copies in sizes:
        with tempfile.TemporaryDirectory() as scratch:
            scratch = pathlib.Path(scratch)
            cdm = scratch / "cdm"
            cdm.mkdir()
            grown(folder / "cdm", copies, cdm)
            records = whole_set(farr, folder, copies, scratch, cdm, expected)
            if copies == sizes[min(1, len(sizes) - 1)]:
                ten(farr, folder, copies, scratch, cdm, records)


if __name__ == "__main__":
    main()
