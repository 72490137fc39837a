"""The whole main job on synthetic persons: time by stage and peak memory.

    python3 benches/whole_job.py target/release/farr [10000 100000 ...]

Makes each population once (below the system's temporary folder), runs
`pipelines/diabetes-outcomes.toml` over it, and prints a row a size. Each row
is checked: the persons kept must be the persons made.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
STAGES = ["pull", "records", "cohorts", "reports"]


def child_peak_mb(run):
    """Wall seconds and peak memory of a command, in a process of its own."""
    code = (
        "import resource, subprocess, sys, time\n"
        "start = time.monotonic()\n"
        "done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, check=True)\n"
        "seconds = time.monotonic() - start\n"
        "peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024\n"
        "sys.stdout.buffer.write(done.stdout)\n"
        "print(f'{seconds} {peak}')\n"
    )
    out = subprocess.run([sys.executable, "-c", code, *run], stdout=subprocess.PIPE, check=True)
    lines = out.stdout.decode().splitlines()
    seconds, peak = map(float, lines[-1].split())
    return seconds, peak, [json.loads(line) for line in lines[:-1] if line.startswith("{")]


def population(farr, persons):
    folder = pathlib.Path(tempfile.gettempdir()) / f"farr-bench-{persons}"
    if not (folder / "done").exists():
        command = [farr, "synth", "--quiet", "--persons", str(persons), "--format", "synthea-csv"]
        subprocess.run([*command, "--out", str(folder)], check=True, stdout=subprocess.DEVNULL)
        (folder / "done").touch()
    return folder


def main():
    farr = str(pathlib.Path(sys.argv[1]).resolve())
    sizes = [int(text) for text in sys.argv[2:]] or [10_000, 100_000]
    print(f"{'persons':>10}{'CSV MB':>10}" + "".join(f"{stage + ' s':>11}" for stage in STAGES)
          + f"{'whole s':>10}{'peak MB':>10}")
    for persons in sizes:
        data = population(farr, persons)
        megabytes = sum(path.stat().st_size for path in data.glob("*.csv")) / 1e6
        with tempfile.TemporaryDirectory() as out:
            seconds, peak, events = child_peak_mb([
                farr, "run", str(ROOT / "pipelines/diabetes-outcomes.toml"), "--log", "json",
                "--set", f"locations.exports.url={data}",
                "--set", f"locations.records.url={out}/records",
                "--set", f"locations.reports.url={out}/reports",
            ])
            manifest = json.loads((pathlib.Path(out) / "reports/latest/manifest.json").read_text())
        if manifest["n_persons"] != persons:
            sys.exit(f"{persons} persons made, {manifest['n_persons']} kept")
        stages = {e["stage"]: e["seconds"] for e in events if e.get("event") == "finished"}
        print(f"{persons:>10}{megabytes:>10.0f}"
              + "".join(f"{stages[stage]:>11.2f}" for stage in STAGES)
              + f"{seconds:>10.2f}{peak:>10.0f}", flush=True)


if __name__ == "__main__":
    main()
