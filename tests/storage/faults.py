"""A proxy on loopback that makes some requests fail.

It forwards HTTP/1.1, keep-alive included, and gives a share of the requests
one of these fates, drawn by a seeded generator: a delay; an answer 429, 500 or
503 in place of the server's; a connection cut before the request reaches the
server, or after the server has done its work (the answer is lost); a body that
ends half way.

    faults.py PORT UPSTREAM_PORT SHARE SEED
"""

import asyncio
import random
import sys

FATES = ["delay", "status", "cut", "lose", "truncate"]
STATUSES = {429: "Too Many Requests", 500: "Internal Server Error", 503: "Service Unavailable"}
CHUNK = 1 << 16


class Closed(Exception):
    pass


async def head_of(reader):
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError) as error:
        raise Closed from error
    lines = head.decode("latin-1").split("\r\n")
    headers = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip().lower()] = value.strip()
    return head, lines[0], headers


async def chunks_of(reader, headers, has_body, to_end):
    """The bytes of a body as they are on the wire."""
    if not has_body:
        return
    if headers.get("transfer-encoding", "").lower() == "chunked":
        while True:
            line = await reader.readline()
            if not line.endswith(b"\n"):
                raise Closed
            yield line
            size = int(line.split(b";")[0], 16)
            yield await reader.readexactly(size + 2)
            if size == 0:
                return
    elif "content-length" in headers:
        left = int(headers["content-length"])
        while left:
            chunk = await reader.read(min(left, CHUNK))
            if not chunk:
                raise Closed
            left -= len(chunk)
            yield chunk
    elif to_end:
        while chunk := await reader.read(CHUNK):
            yield chunk


class Proxy:
    def __init__(self, upstream, share, seed):
        self.upstream, self.share, self.random = upstream, share, random.Random(seed)

    def fate(self):
        if self.random.random() >= self.share:
            return None
        return self.random.choice(FATES if self.share < 1 else FATES[1:4])

    async def serve(self, reader, writer):
        server = None
        try:
            while True:
                head, line, headers = await head_of(reader)
                if server is None:
                    server = await asyncio.open_connection("127.0.0.1", self.upstream, limit=CHUNK * 4)
                if not await self.one(head, line, headers, reader, writer, server):
                    return
        except (Closed, ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            for side in [writer] + ([server[1]] if server else []):
                side.close()

    async def one(self, head, line, headers, reader, writer, server):
        """One request and its answer; false if the connection is to end."""
        fate = self.fate()
        if fate == "delay":
            await asyncio.sleep(self.random.uniform(0.05, 0.5))
        if fate == "cut":
            return False
        if headers.get("expect", "").lower() == "100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            head = b"\r\n".join(l for l in head.split(b"\r\n") if not l.lower().startswith(b"expect:"))
        body = [c async for c in chunks_of(reader, headers, True, False)]
        if fate == "status":
            status = self.random.choice(list(STATUSES))
            text = b"<Error><Code>Injected</Code></Error>"
            answer = f"HTTP/1.1 {status} {STATUSES[status]}\r\nContent-Length: {len(text)}\r\n\r\n"
            writer.write(answer.encode() + (b"" if line.startswith("HEAD") else text))
            await writer.drain()
            return True
        from_server, to_server = server
        to_server.write(head)
        for chunk in body:
            to_server.write(chunk)
        await to_server.drain()
        while True:
            answer, status_line, answered = await head_of(from_server)
            status = int(status_line.split()[1])
            if status >= 200:
                break
        has_body = not line.startswith("HEAD") and status not in (204, 304)
        pieces = chunks_of(from_server, answered, has_body, True)
        if fate == "lose":
            async for _ in pieces:
                pass
            return False
        if fate == "truncate" and has_body:
            whole = b"".join([c async for c in pieces])
            writer.write(answer + whole[: len(whole) // 2])
            await writer.drain()
            return False
        writer.write(answer)
        async for chunk in pieces:
            writer.write(chunk)
            await writer.drain()
        await writer.drain()
        return answered.get("connection", "").lower() != "close"


async def main(port, upstream, share, seed):
    proxy = Proxy(upstream, share, seed)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", port, limit=CHUNK * 4, backlog=256)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])))
