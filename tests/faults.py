#!/usr/bin/env python3
"""Runs that are killed, starved or started twice end as if nothing had happened.

    python3 tests/faults.py FARR [--kills N] [--disks N] [--networks N] [--pairs N]
                                 [--persons N] [--memory SIZE] [--seed N]

A synthetic export is made once and run once undisturbed. Then, N times each:

- kills: the run gets SIGKILL at a moment spread over its length, and the same
  command is given again; then once more in each stage that is too short to have
  been hit, and once the report is there;
- disks: the run's places lie on a tmpfs that is too small by a random amount;
  the tmpfs grows, and the same command is given again (needs root);
- networks: the run's places lie in S3 (moto, over loopback) behind a proxy
  that goes dead after a random number of bytes; it comes back, and the same
  command is given again (needs `moto[server]` in this Python);
- pairs: the same command is started twice at once.

Each time the outputs must be those of the undisturbed run, byte for byte
(all but `run.json`); a reader who follows the pointer must never see a file
missing or cut short; and after `farr clean` nothing may be left that a pointer
does not name.
"""

import argparse
import hashlib
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
MAIN_JOB = ROOT / "pipelines/diabetes-outcomes.toml"
STAMP = re.compile(r"^\d{8}T\d{9}-[0-9a-f]{16}$")


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


VISITS = """
name = "all visits"
[entry]
domain = "visit"
limit = "all"
[exit]
after_days = 1
"""


class Job:
    """The main job over one export, with records and reports at one place; and
    cohorts of all visits, four times: of more than 1,500 persons so many rows that
    they go by way of a temporary file."""

    def __init__(self, farr: str, export: pathlib.Path, shards: int, memory: str):
        self.farr, self.export, self.shards, self.memory = farr, export, shards, memory
        visits = export.parent / "visits.toml"
        visits.write_text(VISITS)
        job = tomllib.loads(MAIN_JOB.read_text())
        cohorts = [(c["id"], MAIN_JOB.parent / c["file"]) for c in job["cohort"]]
        cohorts += [(id, visits) for id in range(11, 15)]
        self.cohorts = ", ".join(
            f'{{id = {id}, name = "cohort {id}", file = "{file}"}}' for id, file in cohorts
        )

    def command(self, verb: str, place: str, *more: str) -> list[str]:
        return [
            self.farr, verb, str(MAIN_JOB), "--log", "json",
            "--set", f"cohort=[{self.cohorts}]",
            "--set", f"locations.exports.url={self.export}",
            "--set", "source.0.format=omop",
            "--set", f"records.shards={self.shards}",
            "--set", f"locations.records.url={place}/records",
            "--set", f"locations.reports.url={place}/reports",
            *(["--memory", self.memory] if verb == "run" else []),
            *more,
        ]  # fmt: skip

    def run(self, place: str, *more: str) -> subprocess.CompletedProcess:
        return subprocess.run(self.command("run", place, *more), capture_output=True, text=True)


def files(folder: pathlib.Path) -> dict[str, str]:
    """Every file below a folder with its hash; runs go by one name each."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        parts = path.relative_to(folder).parts
        parts = ["RUN" if STAMP.match(part) else part for part in parts]
        name = "/".join(parts)
        if name.endswith("run.json") or "leases" in parts or "pointers" in parts:
            continue
        found[name] = sha256(path.read_bytes())
    return found


class Reader(threading.Thread):
    """Follows the pointer all the time: what it names must be whole."""

    def __init__(self, place: pathlib.Path):
        super().__init__(daemon=True)
        self.place, self.ends, self.looks, self.faults = place, False, 0, []

    def run(self):
        while not self.ends:
            self.look()
            time.sleep(0.02)

    def look(self):
        for kind in ["reports", "records"]:
            pointers = sorted((self.place / kind / "pointers").glob("*[0-9].json"))
            if not pointers:
                continue
            try:
                run = json.loads(pointers[-1].read_text())["run"]
                folder = self.place / kind / "runs" / run
                manifest = json.loads((folder / "manifest.json").read_text())
                tables = manifest["tables"]
                if kind == "reports":
                    for table in tables:
                        data = (folder / table["file"]).read_bytes()
                        assert data[:4] == data[-4:] == b"PAR1", table["file"]
                        assert sha256(data) == table["sha256"], table["file"]
                else:
                    for table in tables.values():
                        for file in table["files"]:
                            assert (folder / file["path"]).stat().st_size == file["size"]
                self.looks += 1
            except (OSError, ValueError, KeyError, AssertionError) as error:
                self.faults.append(f"{kind}: {error!r}")

    def stop(self):
        self.ends = True
        self.join()
        self.look()
        assert not self.faults, self.faults[:3]


def last(text: str) -> dict:
    lines = [line for line in text.splitlines() if line.startswith("{")]
    return json.loads(lines[-1]) if lines else {}


def events(text: str):
    """The events of a JSON log."""
    for line in text.splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            continue


def stage_of(text: str) -> str:
    """The stage that a run was in when it ended."""
    stage = "start"
    for event in events(text):
        if event.get("event") == "started":
            stage = event["stage"]
        elif event.get("event") == "finished":
            stage = f"after {event['stage']}"
    return stage


def check(job: Job, place: pathlib.Path, expected: dict[str, str], what: str):
    again = job.run(str(place))
    assert again.returncode == 0, f"{what}: {again.stdout[-2000:]}{again.stderr[-2000:]}"
    subprocess.run(job.command("clean", str(place)), check=True, capture_output=True)
    given = files(place)
    assert given == expected, f"{what}: {sorted(set(given.items()) ^ set(expected.items()))[:6]}"
    no_op = job.run(str(place))
    assert last(no_op.stdout)["status"] == "unchanged", f"{what}: {no_op.stdout}"


def killed(job: Job, place: pathlib.Path, log: pathlib.Path, waits) -> str | None:
    """Kills a run once `waits` for it is over: the stage it was in, or none if it
    had ended before."""
    with open(log, "w") as out:
        child = subprocess.Popen(job.command("run", str(place)), stdout=out, stderr=out)
        try:
            waits(child)
        except subprocess.TimeoutExpired:
            pass
        finally:
            child.kill()
        code = child.wait()
    text = log.read_text()
    assert code in (0, -signal.SIGKILL), f"{code}: {text[-2000:]}"
    return stage_of(text) if code else None


class Kills:
    """What kills of a job did."""

    def __init__(self, job: Job, scratch: pathlib.Path, expected):
        self.job, self.expected = job, expected
        self.place, self.log = scratch / "kill", scratch / "kill.log"
        self.stages: dict[str, int] = {}
        self.looks = self.missed = 0

    def one(self, what: str, waits, is_meant) -> bool:
        """Kills a run, and checks what the same command makes of it; false if the
        run had ended, or was not in a stage that is meant."""
        shutil.rmtree(self.place, ignore_errors=True)
        self.place.mkdir()
        reader = Reader(self.place)
        reader.start()
        stage = killed(self.job, self.place, self.log, waits)
        if stage is None or not is_meant(stage):
            reader.stop()
            self.missed += 1
            return False
        self.stages[stage] = self.stages.get(stage, 0) + 1
        check(self.job, self.place, self.expected, f"kill {what}, in {stage}")
        reader.stop()
        self.looks += reader.looks
        return True

    def spread(self, length: float, times: int, rng):
        for i in range(times):
            while True:
                moment = length * (i + rng.random()) / times
                what = f"{i} at {moment:.2f} s"
                if self.one(what, lambda child, at=moment: child.wait(at), lambda _: True):
                    break
                # A run takes less by now than it did, and another moment is taken.
                length = moment

    def aimed(self, stage: str, seconds: float, rng):
        """A kill in a stage of so many seconds, or after it, soon after the run says
        that this began."""
        event = "finished" if stage.startswith("after ") else "started"
        began = f'"{event}","stage":"{stage.removeprefix("after ")}"'.encode()
        for tries in range(1, 51):

            def waits(child, within=seconds * min(tries / 10, 1)):
                while began not in self.log.read_bytes():
                    if child.poll() is not None:
                        return
                    time.sleep(0.0002)
                child.wait(within * rng.random())

            if self.one(f"aimed at {stage}", waits, lambda killed_in: killed_in == stage):
                return
        # It may be over before the line that says so is read.
        self.stages[stage] = 0


def kills(job: Job, scratch: pathlib.Path, expected, undisturbed, times: int, rng):
    length, stages = undisturbed
    # Then the report is there, and what the run kept is still to be removed.
    stages |= {f"after {list(stages)[-1]}": 0.0}
    made = Kills(job, scratch, expected)
    made.spread(length, times, rng)
    aimed = [stage for stage in stages if stage not in made.stages]
    for stage in aimed:
        made.aimed(stage, stages[stage], rng)
    done = sum(made.stages.values())
    hit = sum(made.stages[stage] for stage in aimed)
    print(f"kills: {done} of {times + hit} as undisturbed; {made.looks} looks of a reader")
    print(f"  {made.missed} more came too late or soon and were made again; killed in:")
    for stage, count in sorted(made.stages.items()):
        print(f"  {stage:<16} {count}{' (aimed)' if stage in aimed else ''}")


def disks(job: Job, scratch: pathlib.Path, expected, size: int, times: int, rng):
    place = scratch / "disk"
    place.mkdir()
    tried = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], capture_output=True
    )
    if tried.returncode != 0:
        print(f"disks: skipped, no tmpfs can be mounted here: {tried.stderr.decode().strip()}")
        return
    subprocess.run(["umount", str(place)], check=True)
    codes: dict[int, int] = {}
    for i in range(times):
        place.mkdir(exist_ok=True)
        small = int(size * (i + rng.random()) / times) + 65_536
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={small}", "tmpfs", str(place)], check=True
        )
        try:
            first = job.run(str(place))
            codes[first.returncode] = codes.get(first.returncode, 0) + 1
            if first.returncode != 0:
                assert first.returncode == 4, first.stdout[-2000:] + first.stderr[-2000:]
                assert "no space is left" in last(first.stdout)["message"], first.stdout[-2000:]
            subprocess.run(
                ["mount", "-o", f"remount,size={size * 4 + (64 << 20)}", str(place)], check=True
            )
            check(job, place, expected, f"disk {i} of {small} bytes")
        finally:
            subprocess.run(["umount", str(place)], check=True)
    print(f"disks: {times} of {times} as undisturbed; exit codes before: {codes}")


class Proxy(threading.Thread):
    """Passes bytes on until so many have passed; then it is dead."""

    def __init__(self, port: int):
        super().__init__(daemon=True)
        self.target = port
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.left, self.passed, self.open = None, 0, set()
        self.lock = threading.Lock()

    def run(self):
        while True:
            client, _ = self.server.accept()
            if self.left is not None and self.left <= 0:
                client.close()
                continue
            target = socket.create_connection(("127.0.0.1", self.target))
            self.open |= {client, target}
            for a, b in [(client, target), (target, client)]:
                threading.Thread(target=self.pump, args=(a, b), daemon=True).start()

    def pump(self, a, b):
        try:
            while data := a.recv(65_536):
                with self.lock:
                    self.passed += len(data)
                    if self.left is not None:
                        data = data[: max(self.left, 0)]
                        self.left -= len(data)
                if not data:
                    break
                b.sendall(data)
        except OSError:
            pass
        for end in (a, b):
            self.open.discard(end)
            end.close()


def networks(job: Job, scratch: pathlib.Path, expected, times: int, rng):
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    port = server.get_host_and_port()[1]
    proxy = Proxy(port)
    proxy.start()
    os.environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    client = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1")
    options = []
    for location in ["records", "reports"]:
        key = f"locations.{location}.options"
        options += ["--set", f"{key}.endpoint=http://127.0.0.1:{proxy.port}"]
        options += ["--set", f"{key}.allow_http=\"true\"", "--set", f"{key}.region=us-east-1"]
        options += ["--set", f"{key}.retries_max=\"1\""]

    def objects(bucket):
        found = {}
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for entry in page.get("Contents", []):
                parts = ["RUN" if STAMP.match(p) else p for p in entry["Key"].split("/")]
                name = "/".join(parts)
                if name.endswith("run.json") or "leases" in parts or "pointers" in parts:
                    continue
                body = client.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
                found[name] = sha256(body)
        return found

    client.create_bucket(Bucket="whole")
    whole = job.run("s3://whole", *options)
    assert whole.returncode == 0, whole.stdout + whole.stderr
    length = proxy.passed
    assert objects("whole") == expected
    codes: dict[int, int] = {}
    for i in range(times):
        bucket = f"network-{i}"
        client.create_bucket(Bucket=bucket)
        proxy.left = int(length * (i + rng.random()) / times)
        first = job.run(f"s3://{bucket}", *options)
        codes[first.returncode] = codes.get(first.returncode, 0) + 1
        assert first.returncode in (0, 4), first.stdout[-2000:] + first.stderr[-2000:]
        proxy.left = None
        again = job.run(f"s3://{bucket}", *options)
        assert again.returncode == 0, f"network {i}: {again.stdout[-2000:]}{again.stderr[-2000:]}"
        clean = job.command("clean", f"s3://{bucket}", *options)
        subprocess.run(clean, check=True, capture_output=True)
        given = objects(bucket)
        assert given == expected, f"network {i}: {set(given.items()) ^ set(expected.items())}"
    server.stop()
    print(f"networks: {times} of {times} as undisturbed; exit codes before: {codes}")


def pairs(job: Job, scratch: pathlib.Path, expected, times: int):
    place = scratch / "pair"
    for i in range(times):
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        reader = Reader(place)
        reader.start()
        command = job.command("run", str(place))
        both = [
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            for _ in range(2)
        ]
        ended = [child.communicate() for child in both]
        codes = [child.returncode for child in both]
        assert codes == [0, 0], f"pair {i}: {codes} {ended}"
        said = sorted(last(out)["status"] for out, _ in ended)
        assert said == ["done", "unchanged"], f"pair {i}: {said}"
        reader.stop()
        subprocess.run(job.command("clean", str(place)), check=True, capture_output=True)
        assert files(place) == expected, f"pair {i}"
    print(f"pairs: {times} of {times}: one did it, the other found it done")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("farr")
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--disks", type=int, default=0)
    parser.add_argument("--networks", type=int, default=0)
    parser.add_argument("--pairs", type=int, default=0)
    parser.add_argument("--persons", type=int, default=1000)
    parser.add_argument("--shards", type=int, default=16)
    # So little that what is pulled does not stay in memory, and is kept.
    parser.add_argument("--memory", default="64MiB")
    parser.add_argument("--seed", type=int, default=1839)
    given = parser.parse_args()
    rng = random.Random(given.seed)
    farr = str(pathlib.Path(given.farr).resolve())
    with tempfile.TemporaryDirectory() as folder:
        scratch = pathlib.Path(folder)
        export = scratch / "export"
        synth = [farr, "synth", "--persons", str(given.persons), "--format", "omop"]
        subprocess.run([*synth, "--out", str(export), "--quiet"], check=True, capture_output=True)
        job = Job(farr, export, given.shards, given.memory)
        whole = scratch / "whole"
        start = time.monotonic()
        undisturbed = job.run(str(whole))
        length = time.monotonic() - start
        assert undisturbed.returncode == 0, undisturbed.stdout + undisturbed.stderr
        expected = files(whole)
        size = sum(path.stat().st_size for path in whole.rglob("*") if path.is_file())
        print(
            f"undisturbed: {given.persons} persons, {given.shards} shards, {length:.1f} s, "
            f"{len(expected)} files, {size / 1e6:.1f} MB"
        )
        sys.stdout.flush()
        if given.kills:
            ended = [e for e in events(undisturbed.stdout) if e.get("event") == "finished"]
            stages = {event["stage"]: event["seconds"] for event in ended}
            kills(job, scratch, expected, (length, stages), given.kills, rng)
        if given.disks:
            disks(job, scratch, expected, size, given.disks, rng)
        if given.pairs:
            pairs(job, scratch, expected, given.pairs)
        if given.networks:
            networks(job, scratch, expected, given.networks, rng)


if __name__ == "__main__":
    main()
