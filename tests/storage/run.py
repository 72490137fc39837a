#!/usr/bin/env python3
"""The storage suite over real servers, and the main job through each.

    tests/storage/run.py                the suite, then with 10 % of the requests
                                        failing, then with all; then the main job
                                        in every store, with and without faults
    tests/storage/run.py --quick        one faulted round of the suite, and the
                                        main job in S3 under faults

The servers are started on loopback and stopped at the end. `--seed` draws
other faults; a round is told by share and seed.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import servers
from servers import VENV, Azure, Gcs, S3, Servers

ROOT = pathlib.Path(__file__).resolve().parents[2]
CARGO = os.environ.get("CARGO", "cargo")
BUCKET = "farr-test"


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--quick", action="store_true")
    arguments.add_argument("--share", type=float, default=0.1, help="of requests that fail")
    arguments.add_argument("--seed", type=int, default=12)
    arguments.add_argument("--only", choices=["suite", "job"])
    asked = arguments.parse_args()
    why_not = servers.install()
    if why_not:
        if os.environ.get("CI"):
            sys.exit(f"the storage suite cannot run: {why_not}")
        return print(f"skipped: {why_not}")
    # boto3 and moto live in the environment of the cache.
    if pathlib.Path(sys.prefix).resolve() != VENV.resolve():
        os.execv(VENV / "bin/python", [str(VENV / "bin/python"), *sys.argv])
    suite, farr = built()
    with tempfile.TemporaryDirectory(prefix="farr-storage-") as folder, Servers(folder) as running:
        stores = Stores(running)
        shares = [asked.share] if asked.quick else [0, asked.share, 1]
        if asked.only != "job":
            for share in shares:
                stores.run_suite(suite, share, asked.seed)
        if asked.only != "suite":
            names = ["s3"] if asked.quick else ["s3", "azure", "gcs"]
            run_jobs(stores, farr, names, [share for share in shares if share < 1], asked.seed)


def built():
    """The suite's test program and the farr binary: those that the environment
    names, or else they are built."""
    named = [os.environ.get("FARR_SUITE"), os.environ.get("FARR_BINARY")]
    if all(named):
        return named
    # In CI all is built as a whole, and must not be built a second time in parts.
    which = ["--workspace"] if os.environ.get("CI") else ["-p", "farr-store"]
    command = [CARGO, "test", "--release", "--locked", *which, "--test", "suite", "--no-run"]
    told = subprocess.run([*command, "--message-format=json"], cwd=ROOT, check=True, stdout=subprocess.PIPE)
    messages = [json.loads(line) for line in told.stdout.splitlines() if line.startswith(b"{")]
    programs = [m["executable"] for m in messages if m.get("target", {}).get("name") == "suite" and m.get("executable")]
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    farr = target / "release/farr"
    if not farr.exists():
        subprocess.run([CARGO, "build", "--release", "--locked", "-p", "farr"], cwd=ROOT, check=True)
    return programs[0], farr


class Stores:
    """One server of each kind, and proxies in front of them."""

    def __init__(self, running):
        self.running = running
        self.files = running.folder / "files"
        self.files.mkdir()
        self.ports = {"s3": running.s3(), "azure": running.azure(), "gcs": running.gcs()}
        self.buckets = {
            "s3": S3(self.ports["s3"], BUCKET),
            "azure": Azure(self.ports["azure"], BUCKET),
            "gcs": Gcs(self.ports["gcs"], BUCKET),
        }
        self.ports["http"], self.tls, self.authority = running.web(self.files, self.ports["s3"])
        # Five actions to make the bucket, an object, and a user; then rights count.
        self.auth = running.s3(free_actions=5)
        S3(self.auth, BUCKET).put("rights/there", b"there")
        self.reader = servers.reader_of(self.auth, BUCKET)

    def endpoints(self, share, seed):
        if share == 0:
            return {name: f"http://127.0.0.1:{port}" for name, port in self.ports.items()}
        return {
            name: f"http://127.0.0.1:{self.running.faults(port, share, seed)}"
            for name, port in self.ports.items()
        }

    def run_suite(self, program, share, seed):
        at = self.endpoints(share, seed)
        env = {"AZURITE_BLOB_STORAGE_URL": at["azure"]}
        if share == 1:
            env |= {f"FARR_TEST_FAILING_{name.upper()}": at[name] for name in ["s3", "gcs", "azure"]}
            which = ["where_everything_fails"]
        else:
            env |= {
                "FARR_TEST_S3": at["s3"],
                "FARR_TEST_AZURE": "yes",
                "FARR_TEST_GCS": at["gcs"],
                "FARR_TEST_HTTP": at["http"],
                "FARR_TEST_HTTP_FOLDER": str(self.files),
                "FARR_TEST_TLS": f"https://127.0.0.1:{self.tls}",
                "FARR_TEST_CA": str(self.authority),
                "FARR_TEST_S3_AUTH": f"http://127.0.0.1:{self.auth}",
                "FARR_TEST_S3_READER": self.reader,
                "FARR_TEST_AZURE_SAS": self.buckets["azure"].reading_signature(),
            }
            which = []
        print(f"\n-- the suite, {share:.0%} of the requests failing (seed {seed})", flush=True)
        started = time.monotonic()
        subprocess.run([program, *which], env={**os.environ, **env}, cwd=ROOT, check=True)
        print(f"-- {time.monotonic() - started:.0f} s", flush=True)


URLS = {"s3": "s3://", "azure": "az://", "gcs": "gs://"}


def environment(name, endpoint):
    return {
        "s3": {
            "AWS_ENDPOINT_URL": endpoint, "AWS_ALLOW_HTTP": "true", "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
        },
        "azure": {"AZURE_STORAGE_USE_EMULATOR": "true", "AZURITE_BLOB_STORAGE_URL": endpoint},
        "gcs": {
            "GOOGLE_BASE_URL": endpoint, "GOOGLE_ALLOW_HTTP": "true",
            "GOOGLE_SERVICE_ACCOUNT_KEY": json.dumps(
                {"private_key": "", "private_key_id": "", "client_email": "", "disable_oauth": True}
            ),
        },
    }[name]


def run_job(farr, exports, out, env=None):
    """The seconds that it takes."""
    started = time.monotonic()
    ran = job(farr, exports, out, env)
    if ran.returncode:
        sys.exit(f"exit code {ran.returncode}\n{ran.stdout}\n{ran.stderr}")
    return time.monotonic() - started


def job(farr, exports, out, env=None, more=()):
    command = [farr, "run", ROOT / "pipelines/diabetes-outcomes.toml"]
    places = {"exports": exports, "records": f"{out}/records", "reports": f"{out}/reports"}
    for place, url in places.items():
        command += ["--set", f"locations.{place}.url={url}"]
    command += [*more]
    return subprocess.run(command, env={**os.environ, **(env or {})}, capture_output=True, text=True)


def run_jobs(stores, farr, names, shares, seed):
    """The main job with everything in a store gives the bytes of the local run."""
    export = ROOT / "sample-data/synthea-csv"
    local = stores.running.folder / "local"
    seconds = run_job(farr, export, local)
    expected = {
        path.name: path.read_bytes()
        for path in (local / "reports/latest").iterdir() if path.name != "run.json"
    }
    print(f"\n-- the main job, on disk: {seconds:.1f} s, {len(expected)} files", flush=True)
    for name in names:
        bucket = stores.buckets[name]
        for path in export.iterdir():
            bucket.put(f"exports/{path.name}", path.read_bytes())
        for share in shares:
            out, url = f"job-{share}", f"{URLS[name]}{BUCKET}"
            endpoint = stores.endpoints(share, seed)[name]
            seconds = run_job(farr, f"{url}/exports", f"{url}/{out}", environment(name, endpoint))
            pointer = max(bucket.list(f"{out}/reports/pointers/"))
            run = json.loads(bucket.get(pointer))["run"]
            folder = f"{out}/reports/runs/{run}/"
            keys = [key for key in bucket.list(folder) if not key.endswith("/run.json")]
            found = {key.removeprefix(folder): bucket.get(key) for key in keys}
            if found != expected:
                differ = [n for n in expected.keys() | found.keys() if expected.get(n) != found.get(n)]
                sys.exit(f"{name}, {share:.0%} failing: the reports differ: {sorted(differ)}")
            print(f"-- the main job, in {name}, {share:.0%} failing: {seconds:.1f} s, "
                  "the same bytes", flush=True)
        give_up(stores, farr, name, seed)


def give_up(stores, farr, name, seed):
    """Where every request fails, the job ends within its budget, with the exit
    code of storage and the name of what could not be reached."""
    url = f"{URLS[name]}{BUCKET}"
    env = environment(name, stores.endpoints(1, seed)[name])
    more = []
    for place in ["exports", "records", "reports"]:
        more += ["--set", f'locations.{place}.options.retry_seconds_max="3"']
    started = time.monotonic()
    ran = job(farr, f"{url}/exports", f"{url}/none", env, more)
    seconds = time.monotonic() - started
    said = ran.stdout + ran.stderr
    if ran.returncode != 4 or url not in said or "given up after" not in said or seconds > 20:
        sys.exit(f"{name}, all failing: exit code {ran.returncode} after {seconds:.0f} s\n{said}")
    print(f"-- the main job, in {name}, all failing: given up after {seconds:.1f} s, "
          "naming the object", flush=True)


if __name__ == "__main__":
    main()
