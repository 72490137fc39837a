"""A whole set of Circe definitions, beside the reference's own times.

    python3 benches/cohorts.py target/release/farr ../shared/reference/circe [1 20 100]

Grows the reference's persons by copying them under new ids, runs `farr cohort
run` over the OMOP Parquet as it lies, process start and writing included, and
prints a row a size. The reference is SQL on DuckDB with two threads and its
tables already in memory: the milliseconds of `expected/log.csv`, which were
taken at one copy. Each row is checked: copies times the expected rows.
Needs `pip install duckdb`.
"""

import csv
import pathlib
import subprocess
import sys
import tempfile
import time

import duckdb

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


def main():
    farr, folder = str(pathlib.Path(sys.argv[1]).resolve()), pathlib.Path(sys.argv[2])
    sizes = [int(text) for text in sys.argv[3:]] or [1, 20]
    expected = folder / "expected"
    with open(expected / "log.csv", newline="") as log:
        rows = list(csv.DictReader(log))
    duckdb_ms = sum(float(next(v for k, v in row.items() if k.endswith("ms"))) for row in rows)
    count = f"SELECT count(*) FROM '{expected / 'cohort.parquet'}'"
    expected_rows = duckdb.sql(count).fetchall()[0][0]
    print(f"{len(rows)} definitions; the reference took {duckdb_ms / 1000:.1f} s at one copy")
    print(f"{'copies':>8}{'rows':>12}{'farr s':>10}{'ms a definition':>17}{'times the reference':>21}")
    for copies in sizes:
        with tempfile.TemporaryDirectory() as scratch:
            cdm = pathlib.Path(scratch) / "cdm"
            cdm.mkdir()
            grown(folder / "cdm", copies, cdm)
            out = pathlib.Path(scratch) / "out"
            start = time.monotonic()
            command = [farr, "--quiet", "cohort", "run", "--definitions", str(folder / "cohorts")]
            subprocess.run([*command, "--omop", str(cdm), "--out", str(out)], check=True,
                           stdout=subprocess.DEVNULL)
            seconds = time.monotonic() - start
            given = duckdb.sql(f"SELECT count(*) FROM '{out / 'cohort.parquet'}'").fetchall()[0][0]
        if given != copies * expected_rows:
            sys.exit(f"{copies} copies: {copies * expected_rows} rows expected, {given} given")
        print(f"{copies:>8}{given:>12}{seconds:>10.2f}{1000 * seconds / len(rows):>17.2f}"
              f"{duckdb_ms / 1000 / seconds:>21.0f}", flush=True)


if __name__ == "__main__":
    main()
