"""A double of Google Cloud Storage's XML API.

No emulator in the registries speaks the XML API, which object_store uses
(gcp-storage-emulator and fake-gcs-server know JSON only). This is the few
requests that farr makes, in memory: objects with ranges, preconditions on
generation and entity tag, metadata, listing in pages, multipart uploads. It
shows that farr asks for what Google's manual describes, not that Google
answers so.
"""

import hashlib
import re
import sys
import threading
import urllib.parse
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from xml.sax.saxutils import escape

PAGE = 250

lock = threading.Lock()
objects = {}  # (bucket, key) -> (bytes, generation, headers, time)
uploads = {}  # id -> ((bucket, key), headers, {number: bytes})
generation = 1_000


def store(name, content, metadata):
    global generation
    generation += 1
    objects[name] = (content, generation, metadata, formatdate(usegmt=True))
    return generation


def etag(content, number):
    return f'"{hashlib.md5(content + str(number).encode()).hexdigest()}"'


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def parts(self):
        url = urllib.parse.urlsplit(self.path)
        bucket, _, key = url.path.lstrip("/").partition("/")
        query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        return urllib.parse.unquote(bucket), urllib.parse.unquote(key), query

    def body(self):
        return self.rfile.read(int(self.headers.get("content-length") or 0))

    def metadata(self):
        items = self.headers.items()
        return {k.lower(): v for k, v in items if k.lower().startswith("x-goog-meta-")}

    def answer(self, status, content=b"", headers=None):
        self.send_response(status)
        headers = {"Content-Length": str(len(content)), **(headers or {})}
        for key, value in headers.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def error(self, status, code):
        self.answer(status, f"<Error><Code>{code}</Code></Error>".encode())

    def do_GET(self):
        bucket, key, query = self.parts()
        with lock:
            if not key:
                return self.list(bucket, query)
            found = objects.get((bucket, key))
        if found is None:
            return self.error(404, "NoSuchKey")
        content, number, metadata, modified = found
        tag = etag(content, number)
        if self.headers.get("if-match", tag) != tag:
            return self.error(412, "PreconditionFailed")
        headers = {"ETag": tag, "Last-Modified": modified, "x-goog-generation": str(number)}
        headers.update(metadata)
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("range", ""))
        if wanted is None or self.command == "HEAD":
            headers["Content-Length"] = str(len(content))
            return self.answer(200, content, headers)
        start, end = int(wanted[1]), min(int(wanted[2]) + 1, len(content))
        if start >= len(content):
            return self.error(416, "InvalidRange")
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(content)}"
        self.answer(206, content[start:end], headers)

    do_HEAD = do_GET

    def list(self, bucket, query):
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter")
        after = query.get("continuation-token") or query.get("start-after") or ""
        contents, prefixes, last = [], [], None
        for key in sorted(key for where, key in objects if where == bucket):
            rest = key[len(prefix):]
            group = None
            if delimiter and delimiter in rest:
                group = prefix + rest.split(delimiter)[0] + delimiter
            if not key.startswith(prefix) or key <= after or group in prefixes:
                continue
            if group and after.startswith(group):
                continue
            if len(contents) + len(prefixes) == PAGE:
                break
            if group:
                prefixes.append(group)
            else:
                content, number, _, _ = objects[bucket, key]
                contents.append(
                    f"<Contents><Key>{escape(key)}</Key><Size>{len(content)}</Size>"
                    f"<LastModified>2020-01-01T00:00:00.000Z</LastModified>"
                    f"<ETag>{escape(etag(content, number))}</ETag></Contents>"
                )
            last = group or key
        else:
            last = None
        token = f"<NextContinuationToken>{escape(last)}</NextContinuationToken>" if last else ""
        common = "".join(
            f"<CommonPrefixes><Prefix>{escape(p)}</Prefix></CommonPrefixes>" for p in prefixes
        )
        listing = f"<ListBucketResult>{''.join(contents)}{common}{token}</ListBucketResult>"
        self.answer(200, listing.encode(), {"Content-Type": "application/xml"})

    def do_PUT(self):
        bucket, key, query = self.parts()
        content = self.body()
        with lock:
            if "uploadId" in query:
                if query["uploadId"] not in uploads:
                    return self.error(404, "NoSuchUpload")
                uploads[query["uploadId"]][2][int(query["partNumber"])] = content
                return self.answer(200, headers={"ETag": etag(content, 0)})
            wanted = self.headers.get("x-goog-if-generation-match")
            there = objects.get((bucket, key))
            if wanted is not None and int(wanted) != (there[1] if there else 0):
                return self.error(412, "PreconditionFailed")
            number = store((bucket, key), content, self.metadata())
        self.answer(200, headers={"ETag": etag(content, number), "x-goog-generation": str(number)})

    def do_POST(self):
        bucket, key, query = self.parts()
        content = self.body()
        with lock:
            if "uploads" in query:
                name = f"upload-{len(uploads) + 1}"
                uploads[name] = ((bucket, key), self.metadata(), {})
                text = f"<InitiateMultipartUploadResult><UploadId>{name}</UploadId>"
                return self.answer(200, (text + "</InitiateMultipartUploadResult>").encode())
            upload = uploads.get(query.get("uploadId"))
            if upload is None or not upload[2]:
                return self.error(404, "NoSuchUpload")
            numbers = [int(n) for n in re.findall(rb"<PartNumber>(\d+)</PartNumber>", content)]
            tags = re.findall(r"<ETag>(.*?)</ETag>", content.decode().replace("&quot;", '"'))
            name, metadata, pieces = upload
            if [etag(pieces[n], 0) for n in numbers if n in pieces] != tags:
                return self.error(400, "InvalidPart")
            whole = b"".join(pieces[n] for n in numbers)
            number = store(name, whole, metadata)
            uploads[query["uploadId"]] = (name, metadata, {})
        tag = escape(etag(whole, number))
        text = f"<CompleteMultipartUploadResult><ETag>{tag}</ETag></CompleteMultipartUploadResult>"
        self.answer(200, text.encode(), {"x-goog-generation": str(number)})

    def do_DELETE(self):
        bucket, key, query = self.parts()
        with lock:
            if "uploadId" in query:
                gone = uploads.pop(query["uploadId"], None)
            else:
                gone = objects.pop((bucket, key), None)
        self.answer(204) if gone else self.error(404, "NoSuchKey")


if __name__ == "__main__":
    ThreadingHTTPServer.request_queue_size = 128
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
