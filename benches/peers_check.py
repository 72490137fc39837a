"""Whether two folders of OMOP Parquet hold the same rows.

Rows are compared by how many there are and by a sum of hashes of each row and
of each column, which does not depend on their order. Hashed ids differ between
engines, so they are first told by what they stand for: a person by
`person_source_value`, a visit by person, times and kind, a provider and a care
site by their source values, a location by its address, the event of a cost by
its time, code and end. Ids of rows that have none in the source are left out.
That the others' rows lie in order, and none next to one with its id, is checked.
"""

import math
import pathlib
import sys

import duckdb

from peers_layout import ORDER

# What stands for a row that others refer to: table, its id, its meaning.
MEANINGS = {
    "person": ("person", "person_id", "person_source_value"),
    "provider": ("provider", "provider_id", "provider_source_value"),
    "care_site": ("care_site", "care_site_id", "care_site_source_value"),
    "location": ("location", "location_id", "address_1, city, state, county, zip"),
    "visit": ("visit_occurrence", "visit_occurrence_id",
              "person_id, visit_start_datetime, visit_end_datetime, visit_source_value"),
}
# ... and which columns refer to it.
REFERENCES = {"person_id": "person", "provider_id": "provider", "care_site_id": "care_site",
              "location_id": "location", "visit_occurrence_id": "visit"}
# Rows that a cost may be of, by the cost's domain.
EVENTS = {
    "Visit": ("visit_occurrence", "visit_start_datetime, visit_source_concept_id"),
    "Drug": ("drug_exposure", "drug_exposure_start_datetime, drug_exposure_end_datetime, "
                              "drug_source_value"),
    "Procedure": ("procedure_occurrence", "procedure_datetime, procedure_end_datetime, "
                                          "procedure_source_value"),
    "Visit Detail": ("visit_detail", "visit_detail_start_datetime, visit_occurrence_id"),
}


class Side:
    """One folder: where its tables are, and keys that mean the same on both."""

    def __init__(self, db, name, files, hashed):
        self.db, self.name, self.files, self.hashed = db, name, files, hashed
        if not hashed:
            return
        for kind, (table, key, meaning) in MEANINGS.items():
            columns = ", ".join(self.told(column.strip()) for column in meaning.split(","))
            joins = self.joins(meaning)
            db.execute(f"CREATE TEMP TABLE {name}_{kind} AS SELECT t.{key} AS id, "
                       f"hash({columns}) AS meaning FROM {self.of(table)} t {joins}")
        unions = []
        for domain, (table, meaning) in EVENTS.items():
            columns = ", ".join(self.told(column.strip()) for column in meaning.split(","))
            unions.append(f"SELECT '{domain}' AS domain, t.{table}_id AS id, hash({columns}) AS "
                          f"meaning FROM {self.of(table)} t {self.joins(meaning)}")
        db.execute(f"CREATE TEMP TABLE {name}_event AS {' UNION ALL '.join(unions)}")

    def of(self, table):
        return f"read_parquet({[str(path) for path in self.files(table)]})"

    def told(self, column):
        if self.hashed and column in REFERENCES:
            return f"{self.name}_{REFERENCES[column]}.meaning"
        return f"{self.name}_event.meaning" if self.hashed and column == "cost_event_id" \
            else f"t.{column}"

    def joins(self, columns):
        joins = [f"LEFT JOIN {self.name}_{kind} ON {self.name}_{kind}.id = t.{column}"
                 for column, kind in REFERENCES.items()
                 if column in [name.strip() for name in columns.split(",")]]
        if "cost_event_id" in columns:
            joins.append(f"LEFT JOIN {self.name}_event ON {self.name}_event.id = t.cost_event_id "
                         f"AND {self.name}_event.domain = t.cost_domain_id")
        return " ".join(joins)

    def sums(self, table, columns):
        """Rows, hashes of whole rows, hashes by column."""
        told = [self.told(column) for column in columns]
        hashes = ", ".join(f"sum(hash({column})::HUGEINT)" for column in told)
        joins = self.joins(", ".join(columns)) if self.hashed else ""
        query = (f"SELECT count(*), sum(hash({', '.join(told)})::HUGEINT), {hashes} "
                 f"FROM {self.of(table)} t {joins}")
        return self.db.execute(query).fetchall()[0]

    def columns(self, table):
        described = self.db.execute(f"DESCRIBE SELECT * FROM {self.of(table)}").fetchall()
        return {row[0]: row[1] for row in described}

    def unordered(self, table):
        """Rows that stand before a row that belongs before them, or have its id."""
        key = ", ".join(("person_id", *ORDER[table]))
        return self.db.execute(
            f"SELECT count(*) FROM (SELECT ({key},) AS key, lag(({key},)) OVER () AS before "
            f"FROM {self.of(table)}) WHERE key <= before").fetchall()[0][0]


def same(farr_run, peer, hashed, own_ids=()):
    """Ends the process with what differs, or gives tables and rows compared."""
    farr_run, peer = pathlib.Path(farr_run), pathlib.Path(peer)
    db = duckdb.connect()
    db.execute(f"SET threads = 2; SET temp_directory = '{peer}.spill'")
    site = farr_run / "site"
    ours = Side(db, "farr", lambda table: [site / f"{table}.parquet"]
                if (site / f"{table}.parquet").exists()
                else sorted((farr_run / "tables" / table).glob("*.parquet")), hashed)
    theirs = Side(db, "peer", lambda table: [peer / f"{table}.parquet"], hashed)
    n_rows = 0
    for table in sorted(path.name for path in (farr_run / "tables").iterdir()):
        if not (peer / f"{table}.parquet").exists():
            sys.exit(f"{peer.name}: {table} is missing")
        wanted, given = ours.columns(table), theirs.columns(table)
        left_out = {f"{table}_id"} - {"person_id"} if hashed or table in own_ids else set()
        columns = [c for c in wanted if c in given and c not in left_out]
        empty = [c for c in wanted if c not in given]
        if empty:
            counts = ", ".join(f"count({c})" for c in empty)
            full = db.execute(f"SELECT {counts} FROM {ours.of(table)}").fetchall()[0]
            if any(full):
                sys.exit(f"{peer.name}: {table} lacks columns that are not empty: "
                         + ", ".join(c for c, n in zip(empty, full) if n))
        left, right = ours.sums(table, columns), theirs.sums(table, columns)
        if left != right:
            differ = [c for c, a, b in zip(columns, left[2:], right[2:]) if a != b]
            sys.exit(f"{peer.name}: {table} differs: farr {left[0]} rows, peer {right[0]}; "
                     f"columns that differ alone: {', '.join(differ) or 'none'}")
        if wrong := theirs.unordered(table):
            sys.exit(f"{peer.name}: {table} is not sorted, or repeats an id ({wrong} rows)")
        n_rows += left[0]
    db.close()
    return n_rows


def same_job(farr_run, job, report, peer):
    """The cohort rows, and the incidence table but the rate's interval."""
    peer, columns = pathlib.Path(peer), ("cohort_definition_id, subject_id, cohort_start_date, "
                                         "cohort_end_date")
    ours, theirs = f"'{farr_run}/cohort/{job}.parquet'", f"'{peer / 'cohort.parquet'}'"
    n_rows = duckdb.sql(f"SELECT count(*) FROM {ours}").fetchall()[0][0]
    for left, right in ((ours, theirs), (theirs, ours)):
        more = duckdb.sql(f"SELECT cohort_definition_id, count(*) FROM (SELECT {columns} FROM {left} "
                          f"EXCEPT ALL SELECT {columns} FROM {right}) GROUP BY 1").fetchall()
        if more:
            sys.exit(f"cohort rows differ: by cohort, {more} of {left} are not in {right}")
    described = duckdb.sql(f"DESCRIBE SELECT * FROM '{peer / 'incidence.parquet'}'").fetchall()
    names = [row[0] for row in described]
    order = "ORDER BY 1, 4, 5 NULLS FIRST, 6 NULLS FIRST, 7 NULLS FIRST"
    left, right = (duckdb.sql(f"SELECT {', '.join(names)} FROM '{file}' {order}").fetchall()
                   for file in (f"{report}/incidence.parquet", peer / "incidence.parquet"))
    if len(left) != len(right):
        sys.exit(f"incidence: farr has {len(left)} rows, DuckDB {len(right)}")
    for a, b in zip(left, right):
        for name, x, y in zip(names, a, b):
            if x != y and not (isinstance(x, float) and y is not None
                               and math.isclose(x, y, rel_tol=1e-9, abs_tol=1e-9)):
                sys.exit(f"incidence, row {a[:7]}: {name} is {x} of farr, {y} of DuckDB")
    return n_rows, len(left)
