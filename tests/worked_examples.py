"""The worked examples of the reference pages give the rows that they show.

    python tests/worked_examples.py target/release/farr [--write]

Runs pipelines/outcomes.toml once, over the sample data. In each page below
docs/reference, the section "Worked example on the sample data" has the job's
analysis (a `toml` block, which must be one of the job's), and pairs of a `sql`
block and a Markdown table: DuckDB's answer must be the table. `--write` writes
the answers into the pages.
"""

import pathlib
import re
import subprocess
import sys
import tempfile
import tomllib

import duckdb

ROOT = pathlib.Path(__file__).resolve().parent.parent
JOB = ROOT / "pipelines/outcomes.toml"
REPORTS = "out/outcomes/reports/latest"
HEADING = "## Worked example on the sample data\n"
PAIR = re.compile(r"(```sql\n(.*?)```\n\n)((?:\|[^\n]*\|\n)*)", re.DOTALL)


def run_job(farr, out):
    command = [farr, "run", str(JOB), "--quiet"]
    for name in ("records", "reports"):
        command += ["--set", f"locations.{name}.url={out}/{name}"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return pathlib.Path(out) / "reports/latest"


def table_of(sql, reports):
    answer = duckdb.sql(sql.replace(REPORTS, str(reports)))
    rows = [["" if cell is None else str(cell) for cell in row] for row in answer.fetchall()]
    lines = [answer.columns, ["---"] * len(answer.columns), *rows]
    shown = lambda cell: f" {cell} " if cell else " "
    return "".join("|" + "|".join(map(shown, line)) + "|\n" for line in lines)


def check_settings(page, section, analyses):
    blocks = re.findall(r"```toml\n(.*?)```", section, re.DOTALL)
    if not blocks:
        sys.exit(f"{page.name}: no toml block in the worked example")
    for block in blocks:
        for analysis in tomllib.loads(block)["analysis"]:
            if analysis not in analyses:
                sys.exit(f"{page.name}: its analysis is not one of {JOB.name}")


def main():
    farr = str(pathlib.Path(sys.argv[1]).resolve())
    write = sys.argv[2:] == ["--write"]
    analyses = tomllib.loads(JOB.read_text())["analysis"]
    kinds = {analysis["kind"] for analysis in analyses}
    seen, wrong = set(), 0
    with tempfile.TemporaryDirectory() as out:
        reports = run_job(farr, out)
        for kind in sorted(kinds):
            page = ROOT / f"docs/reference/{kind}.md"
            before, heading, section = page.read_text().partition(HEADING)
            if not heading:
                sys.exit(f"{page.name}: no '{HEADING.strip()}'")
            check_settings(page, section, analyses)
            pairs = PAIR.findall(section)
            if not pairs:
                sys.exit(f"{page.name}: no sql block with a table")
            for _, sql, shown in pairs:
                found = table_of(sql, reports)
                if found != shown:
                    wrong += 1
                    if not write:
                        print(f"{page.name}: shown\n{shown}\nfound\n{found}")
                seen.add(kind)
            if write:
                fill = lambda match: match[1] + table_of(match[2], reports)
                page.write_text(before + heading + PAIR.sub(fill, section))
    if wrong and not write:
        sys.exit(f"{wrong} tables differ; python tests/worked_examples.py FARR --write")
    print(f"{len(seen)} pages, {wrong} tables written" if write else f"{len(seen)} passed, 0 failed")


main()
