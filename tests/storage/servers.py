"""Real servers of every kind of store, on loopback, for as long as they are
needed: S3 (moto), Azure (Azurite), HTTP and TLS (nginx), and a double of GCS."""

import base64
import hashlib
import hmac
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import xml.etree.ElementTree as ET
from email.utils import formatdate

HERE = pathlib.Path(__file__).parent
CACHE = pathlib.Path(
    os.environ.get("FARR_CACHE")
    or pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "farr"
)
VENV = CACHE / "venv"
NPM = CACHE / "npm"
AZURITE = NPM / "node_modules/.bin/azurite-blob"

# Azurite's account and key are the same everywhere; they open nothing else.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


def install():
    """What the servers need, into the cache; moto and Azurite come from their
    registries, nginx from Debian's. Returns why it cannot be, if so."""
    python = VENV / "bin/python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
    if subprocess.run([python, "-c", "import moto.server, boto3, flask"], capture_output=True).returncode:
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "moto[server]"], check=True)
    if not AZURITE.exists():
        if not shutil.which("npm"):
            return "npm is missing (Azurite needs it)"
        NPM.mkdir(parents=True, exist_ok=True)
        npm = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", NPM, "azurite"]
        subprocess.run(npm, check=True)
    if not nginx():
        if os.geteuid() != 0 or not shutil.which("apt-get"):
            return "nginx is missing, and only root can install it"
        quiet = {"stdout": subprocess.DEVNULL, "check": True}
        subprocess.run(["apt-get", "update", "-qq"], **quiet)
        subprocess.run(["apt-get", "install", "-qq", "-y", "nginx-light"], **quiet)
    return None


def nginx():
    return shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Servers:
    """Started one by one, stopped together."""

    def __init__(self, folder):
        self.folder, self.running = pathlib.Path(folder), []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self.running):
            process.terminate()
        for process in self.running:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def start(self, name, port, command, env=None):
        log = open(self.folder / f"{name}.log", "ab")
        process = subprocess.Popen(
            [str(part) for part in command],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **(env or {})},
            cwd=self.folder,
        )
        self.running.append(process)
        for _ in range(600):
            if process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return port
            except OSError:
                time.sleep(0.05)
        sys.exit(f"{name} does not start: {(self.folder / f'{name}.log').read_text()[-2000:]}")

    def s3(self, free_actions=None):
        """moto; checks credentials and rights after so many actions."""
        env = {} if free_actions is None else {"INITIAL_NO_AUTH_ACTION_COUNT": str(free_actions)}
        port = free_port()
        return self.start("s3", port, [VENV / "bin/moto_server", "-p", port], env)

    def azure(self):
        port = free_port()
        command = [AZURITE, "--silent", "--inMemoryPersistence", "--skipApiVersionCheck"]
        command += ["--disableTelemetry", "--blobPort", port]
        return self.start("azure", port, command)

    def gcs(self):
        port = free_port()
        return self.start("gcs", port, [sys.executable, HERE / "gcs_double.py", port])

    def faults(self, upstream, share, seed):
        port = free_port()
        command = [sys.executable, HERE / "faults.py", port, upstream, share, seed]
        return self.start(f"faults-{upstream}", port, command)

    def web(self, files, s3_port):
        """nginx: the files over HTTP, and S3 behind TLS. Two ports, and the
        file of the authority that signed its certificate."""
        authority, certificate, key = self.certificates()
        http, tls = free_port(), free_port()
        temporary = "\n".join(
            f"{kind}_temp_path {self.folder}/nginx-{kind};"
            for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        )
        configuration = self.folder / "nginx.conf"
        configuration.write_text(
            f"""
            daemon off; {"user root;" if os.geteuid() == 0 else ""}
            pid {self.folder}/nginx.pid; error_log {self.folder}/nginx-error.log;
            worker_processes 1; events {{ }}
            http {{
              access_log off; client_max_body_size 0; {temporary}
              server {{ listen 127.0.0.1:{http}; root {files}; charset utf-8; }}
              server {{
                listen 127.0.0.1:{tls} ssl;
                ssl_certificate {certificate}; ssl_certificate_key {key};
                location / {{
                  proxy_pass http://127.0.0.1:{s3_port}; proxy_set_header Host $http_host;
                }}
              }}
            }}"""
        )
        command = [nginx(), "-c", configuration, "-e", self.folder / "nginx-error.log"]
        return self.start("nginx", http, command), tls, authority

    def certificates(self):
        """An authority of our own, and a certificate for 127.0.0.1 by it."""
        def openssl(*arguments):
            subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=self.folder)

        (self.folder / "names").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=farr test authority",
                "-keyout", "ca.key", "-out", "ca.pem")
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1", "-keyout", "server.key",
                "-out", "server.csr")
        openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                "-days", "2", "-extfile", "names", "-out", "server.pem")
        return (self.folder / name for name in ["ca.pem", "server.pem", "server.key"])


def ask(method, url, content=None, headers=None):
    request = urllib.request.Request(url, data=content, method=method, headers=headers or {})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read()


class S3:
    """A bucket, made."""

    def __init__(self, port, bucket):
        import boto3

        self.bucket = bucket
        self.client = boto3.client(
            "s3", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1",
            aws_access_key_id="test", aws_secret_access_key="test",
        )
        self.client.create_bucket(Bucket=bucket)

    def put(self, key, content):
        self.client.put_object(Bucket=self.bucket, Key=key, Body=content)

    def get(self, key):
        return self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()

    def url(self, key):
        """A signed address of an object."""
        wanted = {"Bucket": self.bucket, "Key": key}
        return self.client.generate_presigned_url("get_object", Params=wanted)

    def list(self, prefix):
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]


def reader_of(port, bucket):
    """`id:secret` of a user who may only read the bucket."""
    import boto3

    iam = boto3.client(
        "iam", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1",
        aws_access_key_id="test", aws_secret_access_key="test",
    )
    iam.create_user(UserName="reader")
    policy = (
        '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow",'
        ' "Action": ["s3:GetObject", "s3:ListBucket"],'
        f' "Resource": ["arn:aws:s3:::{bucket}", "arn:aws:s3:::{bucket}/*"]}}]}}'
    )
    iam.put_user_policy(UserName="reader", PolicyName="read", PolicyDocument=policy)
    key = iam.create_access_key(UserName="reader")["AccessKey"]
    return f"{key['AccessKeyId']}:{key['SecretAccessKey']}"


class Gcs:
    def __init__(self, port, bucket):
        self.url = f"http://127.0.0.1:{port}/{bucket}"

    def put(self, key, content):
        ask("PUT", f"{self.url}/{urllib.parse.quote(key, safe='')}", content)

    def get(self, key):
        return ask("GET", f"{self.url}/{urllib.parse.quote(key, safe='')}")

    def list(self, prefix):
        found, token = [], ""
        while True:
            query = {"prefix": prefix, "continuation-token": token}
            page = ET.fromstring(ask("GET", f"{self.url}?{urllib.parse.urlencode(query)}"))
            found += [entry.findtext("Key") for entry in page.iter("Contents")]
            token = page.findtext("NextContinuationToken")
            if not token:
                return found


class Azure:
    VERSION = "2021-08-06"

    def __init__(self, port, container):
        self.port, self.container = port, container
        self.ask("PUT", "", {"restype": "container"})

    def ask(self, method, key, query=None, content=b"", headers=None):
        """A request, signed by the account's key."""
        query = query or {}
        path = f"/{ACCOUNT}/{self.container}" + (f"/{urllib.parse.quote(key)}" if key else "")
        headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": self.VERSION, **(headers or {})}
        if content:
            headers["Content-Type"] = "application/octet-stream"
        lines = [method, "", "", str(len(content)) if content else "", "", headers.get("Content-Type", "")]
        lines += [""] * 6
        lines += [f"{name}:{headers[name]}" for name in sorted(headers) if name.startswith("x-ms-")]
        lines += [f"/{ACCOUNT}{path}"] + [f"{name}:{query[name]}" for name in sorted(query)]
        headers["Authorization"] = f"SharedKey {ACCOUNT}:{sign(chr(10).join(lines))}"
        url = f"http://127.0.0.1:{self.port}{path}"
        url += f"?{urllib.parse.urlencode(query)}" if query else ""
        return ask(method, url, content or None, headers)

    def put(self, key, content):
        self.ask("PUT", key, content=content, headers={"x-ms-blob-type": "BlockBlob"})

    def get(self, key):
        return self.ask("GET", key)

    def list(self, prefix):
        query = {"restype": "container", "comp": "list", "prefix": prefix}
        page = ET.fromstring(self.ask("GET", "", query))
        return [entry.findtext("Name") for entry in page.iter("Blob")]

    def reading_signature(self):
        """A signature that allows to read and list only."""
        end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 7200))
        fields = {"sv": self.VERSION, "ss": "b", "srt": "sco", "sp": "rl", "se": end}
        text = "\n".join([ACCOUNT, "rl", "b", "sco", "", end, "", "", self.VERSION, "", ""])
        return urllib.parse.urlencode({**fields, "sig": sign(text)})


def sign(text):
    digest = hmac.new(base64.b64decode(KEY), text.encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()
