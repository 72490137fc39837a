"""The reports open in DuckDB and in Polars, and both see the same rows."""

import pathlib
import sys

import duckdb
import polars

folder = pathlib.Path(sys.argv[1])
reports = sorted(folder.glob("*.parquet"))
if not reports:
    sys.exit(f"{folder}: no reports")
for report in reports:
    frame = polars.read_parquet(report)
    rows = duckdb.sql(f"SELECT count(*) FROM '{report}'").fetchall()[0][0]
    if rows != frame.height:
        sys.exit(f"{report.name}: {rows} rows in DuckDB, {frame.height} in Polars")
    print(f"{report.name}: {rows} rows, {frame.width} columns")
print(f"{len(reports)} passed, 0 failed")
