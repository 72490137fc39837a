"""farr beside DuckDB and Polars, from exports to records and to answers.

    python3 benches/peers.py target/release/farr [synthea omop job] [10000 100000 1000000] [--zstd] [--drop]

Whole processes, two threads each, on synthetic persons that farr makes below
the system's temporary folder (TMPDIR). A row a task and size: seconds and peak
memory of each, how many times faster farr is than the fastest other, the floor,
farr's time over it, and what was checked. All take turns, since a machine is
faster at one time than at another: the fastest of three, of one above 100,000
persons; of `job` of nine. Of the others, starting Python and imports do not
count.

`synthea`: Synthea CSV to OMOP Parquet, sorted by person, start date and id
(zstd level 1, row groups of 131,072 rows): `farr ingest` of
`pipelines/diabetes-outcomes.toml`. The others (`peers_duckdb.py`,
`peers_polars.py`) write the same tables of persons with the same rows, eras and
observation periods included, and three tables of sites. They do less than farr:
concept ids of codes are given to them (farr's `concept.parquet`); they trust
the export (no rejects, no check of types, persons or repeated ids of Synthea's
own, and all times are taken for UTC); columns that are empty in all exports are
left out, as are `metadata`, `rejects` and a manifest with hashes of all input
and output. Ids are each engine's own 63-bit hashes of the same keys.
`peers_check.py` resolves them before it compares.

`omop`: OMOP Parquet, rows shuffled, to the same layout. Source ids are kept, so
all but the ids of eras is compared as it is. The others do not look for rows
that stand twice, for persons that are not there, or for values out of range.

`job`: four cohorts and all five analyses of the main job, from the records that
`synthea` left: `farr run` of the same job file, which finds the records there,
and reads no export. Each repetition has a job name of its own, or it would be a
no-op. DuckDB (`peers_job_sql.py`) computes the cohorts and the incidence table
without its exact Poisson intervals, from the same Parquet. `incidence` is the
same with farr's other four analyses left out. What was written before is on
disk by then: who creates files waits for a file system that is busy with it.

The floor: Polars decodes the input once (all columns, CSV as text), and encodes
and compresses once what farr wrote, from memory.

Above 100,000 persons an export is made in parts of 100,000, each with a seed of
its own. A million persons' CSV takes 45 GB, and as much again while farr reads
it; `--zstd` compresses such parts, for all to read so. `--drop` removes each
population after use. Who runs out of memory has `-` for a time. Needs `pip
install duckdb polars`, and `zstd`.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib

import duckdb

from peers_check import same, same_job
from whole_job import population

HERE = pathlib.Path(__file__).resolve().parent
JOB = HERE.parent / "pipelines/diabetes-outcomes.toml"
TASKS = ("synthea", "omop", "job")
# Persons of an export that are made at once.
PART = 100_000
# How often the job is run, which takes no time to speak of.
SHORT_REPEATS = 9
# Ids that farr gives to rows of its own making.
DERIVED = ("condition_era", "drug_era")
KILLED = (-9, 137)

# Runs a command: its output, then seconds, peak memory in MB and exit code.
# Should memory run out, it goes first, not the machine's other processes.
MEASURE = """
import resource, subprocess, sys, time
open('/proc/self/oom_score_adj', 'w').write('1000')
start = time.monotonic()
done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE)
seconds = time.monotonic() - start
sys.stdout.buffer.write(done.stdout)
print(seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024, done.returncode)
"""


class Measured:
    """The fastest of some runs; the highest peak."""

    def __init__(self):
        self.seconds, self.peak, self.lines, self.checked = None, 0.0, [], None

    def run(self, command, says_seconds=False):
        out = subprocess.run([sys.executable, "-c", MEASURE, *map(str, command)], check=True,
                             stdout=subprocess.PIPE, text=True).stdout.splitlines()
        seconds, peak, code = map(float, out[-1].split())
        self.peak = max(self.peak, peak)
        if code in KILLED:
            return False
        if code:
            sys.exit(f"exit code {code:.0f}: {' '.join(map(str, command))}")
        seconds = float(out[-2]) if says_seconds else seconds
        if self.seconds is None or seconds < self.seconds:
            self.seconds, self.lines = seconds, out[:-1]
        return True

    def said(self):
        return "      -" if self.seconds is None else f"{self.seconds:>7.2f}"

    def stages(self):
        events = (json.loads(line) for line in self.lines)
        return ", ".join(f"{e['stage']} {e['seconds']:.2f} s" for e in events
                         if e.get("event") == "finished")


def repeats(persons):
    return 3 if persons <= 100_000 else 1


def emptied(folder):
    shutil.rmtree(folder, ignore_errors=True)
    return folder


def aside(folder):
    """Out of the way, to be removed at the end: ext4 takes its time to make files
    for minutes after others were removed, which would tell on who makes many."""
    if folder.exists():
        folder.rename(folder.with_name(f"{folder.name}-{time.monotonic_ns()}"))
    return folder


def program(name, *arguments):
    return [sys.executable, HERE / f"peers_{name}.py", *arguments]


def row(task, persons, farr, others, floor, checked):
    times = [other.seconds for other in others.values() if other.seconds is not None]
    cells = [f"{task:<10}{persons:>9}"]
    for measured in (farr, others.get("duckdb"), others.get("polars")):
        cells.append(f"{measured.said()}{measured.peak:>7.0f}" if measured else " " * 14)
    cells.append(f"{min(times) / farr.seconds:>6.1f}" if times else " " * 6)
    over = f"{farr.seconds / floor.seconds:>6.2f}" if floor and floor.seconds else " " * 6
    cells.append((floor.said() if floor else " " * 7) + over)
    print(" ".join(cells) + f"  {checked}; {farr.stages()}", flush=True)


def ingests(task, persons, scratch, source, farr_command, lookups, resolve):
    """Times farr, the floor and the others on one source, in turns, and compares
    what they wrote."""
    ours, floor, others = Measured(), Measured(), {"duckdb": Measured(), "polars": Measured()}
    records = scratch / "records"
    for _ in range(repeats(persons)):
        aside(records)
        if not ours.run(farr_command):
            sys.exit(f"{task}, {persons} persons: farr ran out of memory")
        run = records / "latest"
        floor.run(program("polars", "floor", source, run, emptied(scratch / "floor")), True)
        for name, other in others.items():
            out = emptied(scratch / name)
            given = [run / "vocabulary/concept.parquet"] if lookups else []
            other.run(program(name, task, source, *given, out), True)
            shutil.rmtree(f"{out}.spill", ignore_errors=True)
    n_rows = 0
    for name, other in others.items():
        if other.seconds is not None:
            n_rows = same(run, scratch / name, resolve, DERIVED)
        emptied(scratch / name)
    manifest = json.loads((run / "manifest.json").read_text())
    if manifest["persons"] != persons:
        sys.exit(f"{persons} persons made, {manifest['persons']} kept")
    row(task, persons, ours, others, floor, f"{n_rows:,} rows the same")
    return ours, records


def settings(scratch, exports):
    return ["--set", f"locations.exports.url={exports}",
            "--set", f"locations.records.url={scratch / 'records'}",
            "--set", f"locations.reports.url={scratch / 'reports'}"]


def exports_of(farr, persons):
    """Synthea CSV of so many persons."""
    if persons <= PART:
        return population(farr, persons)
    packed = "--zstd" in sys.argv
    folder = pathlib.Path(tempfile.gettempdir()) / f"farr-bench-{persons}{'-zstd' * packed}"
    for part, first in enumerate(range(0, persons, PART)):
        out = folder / f"part-{part}"
        if (out / "done").exists():
            continue
        subprocess.run([farr, "synth", "--quiet", "--persons", str(min(PART, persons - first)),
                        "--seed", str(1839 + part), "--format", "synthea-csv", "--out",
                        emptied(out)], check=True, stdout=subprocess.DEVNULL)
        if packed:
            subprocess.run(["zstd", "-q", "-T2", "-1", "--rm", *out.glob("*.csv")], check=True)
        (out / "done").touch()
    return folder


def synthea(farr, persons, scratch):
    exports = exports_of(farr, persons)
    command = [farr, "ingest", JOB, "--log", "json", "--threads", "2", *settings(scratch, exports)]
    return ingests("synthea", persons, scratch, exports, command, True, True)[0]


OMOP = """
[job]
name = "peers"
[locations]
exports.url = "."
records.url = "."
reports.url = "."
[[source]]
format = "omop"
location = "exports"
system = "sample"
[records]
location = "records"
[report]
location = "reports"
"""


def shuffled(farr, persons):
    """OMOP Parquet, one file a table, its rows in no order."""
    folder = pathlib.Path(tempfile.gettempdir()) / f"farr-bench-omop-{persons}"
    if (folder / "done").exists():
        return folder / "cdm"
    made, cdm = emptied(folder) / "made", folder / "cdm"
    subprocess.run([farr, "synth", "--quiet", "--persons", str(persons), "--format", "omop",
                    "--out", made], check=True, stdout=subprocess.DEVNULL)
    cdm.mkdir()
    db = duckdb.connect()
    db.execute(f"SET threads = 2; SET temp_directory = '{folder / 'spill'}'; "
               "SELECT setseed(0.5)")
    for table in sorted(made.iterdir()):
        if table.is_dir():
            db.execute(f"COPY (SELECT * FROM '{table}/*.parquet' ORDER BY random()) TO "
                       f"'{cdm / table.name}.parquet' (FORMAT parquet, COMPRESSION zstd, "
                       "ROW_GROUP_SIZE 131072)")
    db.close()
    emptied(made)
    emptied(folder / "spill")
    (folder / "done").touch()
    return cdm


def omop(farr, persons, scratch):
    cdm, job = shuffled(farr, persons), scratch / "omop.toml"
    job.write_text(OMOP)
    command = [farr, "ingest", job, "--log", "json", "--threads", "2", *settings(scratch, cdm)]
    return ingests("omop", persons, scratch, cdm, command, False, False)[0]


def only_incidence():
    """The main job's incidence analysis, as the one there is."""
    analyses = tomllib.loads(JOB.read_text())["analysis"]
    chosen = next(a for a in analyses if a["kind"] == "incidence")

    def toml(value):
        if isinstance(value, dict):
            return "{" + ", ".join(f"{k} = {toml(v)}" for k, v in value.items()) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(map(toml, value)) + "]"
        return json.dumps(value)

    return ["--set", f"analysis=[{toml(chosen)}]"]


def job(farr, persons, scratch):
    """Cohorts and analyses over records that are there."""
    given = settings(scratch, exports_of(farr, persons))
    if not (scratch / "records").exists():
        subprocess.run([farr, "--quiet", "ingest", JOB, *given], check=True,
                       stdout=subprocess.DEVNULL)
    run, out, peer = scratch / "records/latest", scratch / "duckdb", Measured()
    tasks = {"job": [], "incidence": only_incidence()}
    ours = {task: Measured() for task in tasks}
    for repeat in range(SHORT_REPEATS):
        peer.run(program("duckdb", "job", run, emptied(out)), True)
        os.sync()
        for task, more in tasks.items():
            ours[task].run([farr, "run", JOB, "--log", "json", "--threads", "2", *given, *more,
                            "--set", f"job.name={task}-{repeat}"])
            if "as run" not in ours[task].lines[1]:
                sys.exit(f"{task}: the records were made anew")
            if repeat == 0:
                n_cohort, n_incidence = same_job(run, f"{task}-0", scratch / "reports/latest", out)
                ours[task].checked = f"{n_cohort:,} cohort rows and {n_incidence} of incidence"
    for task, measured in ours.items():
        row(task, persons, measured, {"duckdb": peer}, None, f"{measured.checked} the same")
    return ours["job"]


def main():
    arguments = [text for text in sys.argv[2:] if text not in ("--drop", "--zstd")]
    farr = str(pathlib.Path(sys.argv[1]).resolve())
    sizes = [int(text) for text in arguments if text.isdigit()] or [10_000, 100_000, 1_000_000]
    tasks = [text for text in arguments if not text.isdigit()] or TASKS
    if unknown := set(tasks) - set(TASKS):
        sys.exit(f"no such task: {', '.join(sorted(unknown))}; there are {', '.join(TASKS)}")
    print(f"{'task':<10}{'persons':>9} {'farr s':>7}{'MB':>7} {'DuckDB':>7}{'MB':>7} "
          f"{'Polars':>7}{'MB':>7} {'times':>6} {'floor':>7}{'over':>6}  checked; farr's stages")
    measured = {}
    with tempfile.TemporaryDirectory() as scratch:
        measure_all(farr, (sizes, tasks), pathlib.Path(scratch), measured)
    for task in tasks:
        small, large = (measured.get((task, persons)) for persons in (100_000, 1_000_000))
        if small and large:
            print(f"{task}: from 100,000 to 1,000,000 persons farr's peak memory grows "
                  f"{large.peak / small.peak:.2f} times, its time "
                  f"{large.seconds / small.seconds:.1f} times")


def measure_all(farr, asked, scratch, measured):
    sizes, tasks = asked
    for persons in sizes:
        # The job goes over the records that synthea leaves; omop comes last.
        for group in (("synthea", "job"), ("omop",)):
            folder = scratch / f"{persons}-{group[0]}"
            folder.mkdir()
            for task in (task for task in group if task in tasks):
                run = {"synthea": synthea, "omop": omop, "job": job}[task]
                measured[task, persons] = run(farr, persons, folder)
            if "--drop" in sys.argv:
                kind = "omop-" if group == ("omop",) else ""
                for made in pathlib.Path(tempfile.gettempdir()).glob(f"farr-bench-{kind}{persons}*"):
                    if made.name.removesuffix("-zstd") == f"farr-bench-{kind}{persons}":
                        emptied(made)


if __name__ == "__main__":
    main()
