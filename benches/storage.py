#!/usr/bin/env python3
"""The main job reading its export from S3 over loopback, beside the same files
on disk: rounds in turn, minima, and their ratio (1.0: as fast as from disk).

    benches/storage.py [--persons 10000] [--rounds 5] [--farr target/release/farr]

Two servers stand for S3. moto is the one that the tests use; it is written in
Python, and its own speed is measured and printed, since it takes a good part of
a core from the job. The other is nginx with the export's files and a listing
written beforehand: the three requests that reading makes, answered as fast as
a store on the same two cores can. Records and reports go to disk in all runs.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from xml.sax.saxutils import escape

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/storage"))

import servers  # noqa: E402
from servers import VENV, S3, Servers, free_port, nginx  # noqa: E402

BUCKET = "farr-bench"


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--persons", type=int, default=10_000)
    arguments.add_argument("--rounds", type=int, default=5)
    target = os.environ.get("CARGO_TARGET_DIR", ROOT / "target")
    arguments.add_argument("--farr", default=pathlib.Path(target) / "release/farr")
    asked = arguments.parse_args()
    if why_not := servers.install():
        sys.exit(why_not)
    if pathlib.Path(sys.prefix).resolve() != VENV.resolve():
        os.execv(VENV / "bin/python", [str(VENV / "bin/python"), *sys.argv])
    with tempfile.TemporaryDirectory(prefix="farr-bench-") as folder, Servers(folder) as running:
        folder = pathlib.Path(folder)
        export = folder / "web" / BUCKET / "exports"
        export.mkdir(parents=True)
        command = [asked.farr, "synth", "--persons", str(asked.persons), "--seed", "7"]
        command += ["--format", "synthea-csv", "--out", export]
        subprocess.run(command, check=True, capture_output=True)
        files = sorted(export.iterdir())
        size = sum(path.stat().st_size for path in files)
        print(f"{asked.persons} persons, {len(files)} files, {size / 1e6:.0f} MB", flush=True)
        moto = running.s3()
        bucket = S3(moto, BUCKET)
        for path in files:
            bucket.put(f"exports/{path.name}", path.read_bytes())
        plain = plain_s3(running, folder / "web", files)
        ports = {"moto": moto, "nginx": plain}
        keys = [f"exports/{path.name}" for path in files]
        urls = {
            "moto": [bucket.url(key) for key in keys],
            "nginx": [f"http://127.0.0.1:{plain}/{BUCKET}/{key}" for key in keys],
        }
        for name, wanted in urls.items():
            print(f"raw GETs from {name}: {raw(wanted) / 1e6:.0f} MB/s", flush=True)
        seconds = {"disk": [], "nginx": [], "moto": []}
        for _ in range(asked.rounds):
            for name in seconds:
                out = folder / "out"
                shutil.rmtree(out, ignore_errors=True)
                seconds[name].append(job(asked.farr, export, ports.get(name), out))
        disk = min(seconds["disk"])
        for name, taken in seconds.items():
            print(f"{name:6} {min(taken):7.2f} s   {disk / min(taken):.2f} of the speed from disk")


def plain_s3(running, root, files):
    """nginx as a store of S3 that can only be read."""
    entries = []
    for path in files:
        about = path.stat()
        tag = f'"{int(about.st_mtime):x}-{about.st_size:x}"'
        modified = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(about.st_mtime))
        entries.append(
            f"<Contents><Key>exports/{path.name}</Key><LastModified>{modified}</LastModified>"
            f"<ETag>{escape(tag)}</ETag><Size>{about.st_size}</Size></Contents>"
        )
    (root / "listing.xml").write_text(f"<ListBucketResult>{''.join(entries)}</ListBucketResult>")
    port, folder = free_port(), running.folder
    temporary = "\n".join(
        f"{kind}_temp_path {folder}/bench-{kind};"
        for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    )
    configuration = folder / "bench.conf"
    configuration.write_text(
        f"""
        daemon off; {"user root;" if os.geteuid() == 0 else ""}
        pid {folder}/bench.pid; error_log {folder}/bench-error.log;
        worker_processes 1; events {{ }}
        http {{
          access_log off; sendfile on; {temporary}
          server {{
            listen 127.0.0.1:{port}; root {root};
            location = /{BUCKET} {{ default_type application/xml; alias {root}/listing.xml; }}
          }}
        }}"""
    )
    command = [nginx(), "-c", configuration, "-e", folder / "bench-error.log"]
    return running.start("bench-nginx", port, command)


def raw(urls):
    """Bytes per second of plain GETs, one after the other."""
    started, size = time.monotonic(), 0
    for url in urls:
        with urllib.request.urlopen(url) as answer:
            while chunk := answer.read(1 << 20):
                size += len(chunk)
    return size / (time.monotonic() - started)


def job(farr, export, port, out):
    url = f"s3://{BUCKET}/exports" if port else export
    env = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
    }
    command = [farr, "run", ROOT / "pipelines/diabetes-outcomes.toml"]
    places = {"exports": url, "records": out / "records", "reports": out / "reports"}
    for place, where in places.items():
        command += ["--set", f"locations.{place}.url={where}"]
    started = time.monotonic()
    ran = subprocess.run(command, env={**os.environ, **env}, capture_output=True, text=True)
    if ran.returncode:
        sys.exit(f"{ran.stdout}\n{ran.stderr}")
    return time.monotonic() - started


if __name__ == "__main__":
    main()
