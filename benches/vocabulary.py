"""Concept sets against a vocabulary of real size, beside DuckDB.

    python3 benches/vocabulary.py target/release/farr ../shared/reference/circe FOLDER [sorted]

With the environment's FARR_RECORDS, a records store that `farr ingest` has made
of FOLDER, that is what farr reads.

Makes, in FOLDER, an OMOP folder with the reference's persons and a vocabulary
of 5 million concepts and 50 million ancestor pairs: the reference's own, and
made-up ones around them (a concept has about ten ancestors, a few concepts
have very many descendants). Rows lie in no order, as Athena has them; with
`sorted`, by concept and by ancestor. Then runs all definitions with `farr
cohort run --omop` and prints the seconds that farr took to resolve their
concept sets, its memory, and what DuckDB takes, with two threads and from the
same Parquet, to join the same items: which listed concepts there are, which
valid concepts lie below those with descendants, and what maps to those that
ask for it. Both must find as many concepts.
Needs `pip install duckdb`.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import duckdb

from peers import MEASURE

CONCEPTS = 5_000_000
ANCESTOR_PAIRS = 50_000_000
FIRST_MADE_UP = 100_000_000


def make(reference, folder, is_sorted):
    """Links the reference's persons and writes the grown vocabulary."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in (reference / "cdm").glob("*.parquet"):
        target = folder / path.name
        if not target.exists() and path.stem not in ("concept", "concept_ancestor"):
            target.symlink_to(path.resolve())
    if (folder / "concept_ancestor.parquet").exists():
        return
    db = duckdb.connect()
    db.execute("SET threads = 2; SET preserve_insertion_order = false")
    concept, ancestor = (reference / "cdm" / f"{t}.parquet" for t in ("concept", "concept_ancestor"))
    order = {"concept": "ORDER BY concept_id", "ancestor": "ORDER BY 1, 2"}
    if not is_sorted:
        order = {"concept": "ORDER BY hash(concept_id)", "ancestor": ""}
    columns = [row[0] for row in db.execute(f"DESCRIBE SELECT * FROM '{concept}'").fetchall()]
    made_up = {
        "concept_id": f"{FIRST_MADE_UP} + k",
        "concept_name": "'made-up concept ' || k",
        "vocabulary_id": "'MADE UP'",
        "concept_code": "'M' || k",
        "standard_concept": "CASE WHEN k % 2 = 0 THEN 'S' END",
        "invalid_reason": "CASE WHEN k % 11 = 0 THEN 'D' END",
        "domain_id": "'Condition'",
        "concept_class_id": "'Clinical Finding'",
        "valid_start_date": "DATE '1970-01-01'",
        "valid_end_date": "DATE '2099-12-31'",
    }
    select = ", ".join(f"{made_up.get(c, 'NULL')} AS {c}" for c in columns)
    n_real = db.execute(f"SELECT count(*) FROM '{concept}'").fetchone()[0]
    db.execute(
        f"COPY (SELECT * FROM (SELECT {', '.join(columns)} FROM '{concept}' UNION ALL BY NAME "
        f"SELECT {select} FROM range({CONCEPTS - n_real}) r(k)) {order['concept']}) "
        f"TO '{folder / 'concept.parquet'}' (FORMAT parquet, COMPRESSION zstd)"
    )
    # Each made-up concept has about ten ancestors: real ones for a fiftieth of
    # the pairs, and few of these much oftener than the rest.
    db.execute(f"CREATE TABLE real AS SELECT concept_id, row_number() OVER (ORDER BY concept_id) - 1 "
               f"AS place FROM '{concept}'")
    n_pairs = ANCESTOR_PAIRS - db.execute(f"SELECT count(*) FROM '{ancestor}'").fetchone()[0]
    db.execute(
        "COPY (SELECT * FROM (SELECT ancestor_concept_id, descendant_concept_id, "
        f"min_levels_of_separation, max_levels_of_separation FROM '{ancestor}' UNION ALL "
        "SELECT coalesce(real.concept_id, made.ancestor), made.descendant, 1, 1 FROM ("
        f"SELECT CASE WHEN k % 50 = 0 THEN floor({n_real} * pow((hash(k) % 1000003) / 1000003.0, 4)) "
        f"END AS place, {FIRST_MADE_UP} + hash(k + 7) % {CONCEPTS - n_real} AS ancestor, "
        f"{FIRST_MADE_UP} + k % {CONCEPTS - n_real} AS descendant FROM range({n_pairs}) r(k)) made "
        f"LEFT JOIN real ON real.place = made.place) {order['ancestor']}) "
        f"TO '{folder / 'concept_ancestor.parquet'}' (FORMAT parquet, COMPRESSION zstd)"
    )


def items_of(cohorts):
    """(definition, set, concept, excluded, descendants, mapped) of every item."""
    for path in sorted(cohorts.glob("*.json")):
        for concept_set in json.loads(path.read_text()).get("ConceptSets") or []:
            for item in concept_set["expression"]["items"]:
                flags = (bool(item.get(f)) for f in ("isExcluded", "includeDescendants", "includeMapped"))
                yield (int(path.stem), concept_set["id"], item["concept"]["CONCEPT_ID"], *flags)


def by_duckdb(folder, cohorts):
    """Seconds and the number of (definition, set, concept) that DuckDB finds."""
    db = duckdb.connect()
    db.execute("SET threads = 2")
    db.execute("CREATE TABLE items (definition BIGINT, set BIGINT, concept BIGINT, excluded BOOL, "
               "descendants BOOL, mapped BOOL)")
    with tempfile.NamedTemporaryFile("w", suffix=".csv") as lines:
        for item in items_of(cohorts):
            lines.write(",".join(str(part).lower() for part in item) + "\n")
        lines.flush()
        db.execute(f"COPY items FROM '{lines.name}' (HEADER false)")
    concept, ancestor, relation = (
        f"'{folder / (t + '.parquet')}'"
        for t in ("concept", "concept_ancestor", "concept_relationship")
    )
    start = time.monotonic()
    found = db.execute(f"""
        WITH wanted AS (SELECT DISTINCT concept, descendants, mapped FROM items),
        listed AS (
            SELECT w.*, w.concept AS target FROM wanted w JOIN {concept} c ON c.concept_id = w.concept
            UNION
            SELECT w.*, c.concept_id FROM wanted w
            JOIN {ancestor} a ON a.ancestor_concept_id = w.concept
            JOIN {concept} c ON c.concept_id = a.descendant_concept_id AND c.invalid_reason IS NULL
            WHERE w.descendants),
        resolved AS (
            SELECT * FROM listed
            UNION
            SELECT l.concept, l.descendants, l.mapped, r.concept_id_1 FROM listed l
            JOIN {relation} r ON r.concept_id_2 = l.target
            WHERE l.mapped AND r.relationship_id = 'Maps to' AND r.invalid_reason IS NULL),
        members AS (
            SELECT DISTINCT definition, set, target, excluded FROM items
            JOIN resolved USING (concept, descendants, mapped))
        SELECT count(*) FROM (
            SELECT definition, set, target FROM members WHERE NOT excluded
            EXCEPT SELECT definition, set, target FROM members WHERE excluded)
    """).fetchone()[0]
    return time.monotonic() - start, found


def by_farr(farr, where, cohorts):
    """What `farr cohort run` says of its parts, and its memory in MB."""
    with tempfile.TemporaryDirectory() as out:
        command = [farr, "--log", "json", "cohort", "run", "--definitions", str(cohorts)]
        command = [sys.executable, "-c", MEASURE, *command, *where, "--out", out]
        said = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.splitlines()
    _, memory, code = map(float, said[-1].split())
    if code:
        sys.exit(f"farr ended with exit code {code:.0f}")
    return json.loads(said[-2]), round(memory)


def main():
    farr, reference = str(pathlib.Path(sys.argv[1]).resolve()), pathlib.Path(sys.argv[2])
    folder = pathlib.Path(sys.argv[3])
    make(reference, folder, "sorted" in sys.argv[4:])
    cohorts = reference / "cohorts"
    records = os.environ.get("FARR_RECORDS")
    where = ["--records", records] if records else ["--omop", str(folder)]
    runs = [by_farr(farr, where, cohorts) for _ in range(3)]
    for last, memory in runs:
        print(f"farr {last['seconds']['resolve']:.2f} s, {memory} MB at most, "
              f"{last['concepts']} concepts", flush=True)
    for _ in range(3):
        seconds, found = by_duckdb(folder, cohorts)
        print(f"DuckDB {seconds:.2f} s, {found} concepts", flush=True)
        if any(last["concepts"] != found for last, _ in runs):
            sys.exit("the concept sets differ in size")


if __name__ == "__main__":
    main()
