# SPDX-License-Identifier: LGPL-2.1-or-later
"""A running http_server_main and a small HTTP client, for the tests of the HTTP server."""

import contextlib
import json
import os
import socket
import ssl
import subprocess
import time

PROGRAM = os.environ["HTTP_SERVER_MAIN"]
PATTERN = bytes(ord("a") + i % 23 for i in range(65536))
KINDS = ["unix", "tcp", "tls"]
ORDINARY = b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"


class Server:
    """One running server; `limits` as NAME=NUMBER, times in milliseconds."""

    def __init__(self, folder, *limits, options=()):
        self.path = os.path.join(folder, "socket")
        self.web = os.path.join(folder, "web")
        os.makedirs(self.web, exist_ok=True)
        argv = [PROGRAM, "--unix", self.path, "--tcp", "--tls", os.path.join(folder, "tls"), "--web", self.web]
        for limit in limits:
            argv += ["--limit", limit]
        self.process = subprocess.Popen(argv + list(options), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ports = json.loads(self.process.stdout.readline())

    def unix(self):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(20)
        s.connect(self.path)
        return s

    def tcp(self):
        return socket.create_connection(("127.0.0.1", self.ports["tcp"]), 20)

    def tls(self, **versions):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols(["h2", "http/1.1"])
        for name, value in versions.items():
            setattr(context, name, value)
        return context.wrap_socket(socket.create_connection(("::1", self.ports["tls"]), 20))

    def connect(self, kind):
        return getattr(self, kind)()

    def counts(self):
        return json.loads(call(self.unix(), b"GET /counts HTTP/1.0\r\n\r\n").body)

    def wait_for(self, **wanted):
        """The counts are a matter of the server's own time: asked until they are as wanted."""
        end = time.monotonic() + 10
        while True:
            counts = self.counts()
            if all(counts[key] == value for key, value in wanted.items()):
                return counts
            assert time.monotonic() < end, (counts, wanted)

    def resident(self):
        with open(f"/proc/{self.process.pid}/statm") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def stop(self):
        self.process.stdin.close()
        assert self.process.wait(30) == 0
        assert "ended in order" in self.process.stdout.read()
        self.process.stdout.close()


@contextlib.contextmanager
def serving(folder, *limits, options=()):
    server = Server(str(folder), *limits, options=options)
    try:
        yield server
        server.stop()
    finally:
        server.process.kill()
        server.process.wait()


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body


def read_head(s, rest=b""):
    """Status, headers and what follows them."""
    while b"\r\n\r\n" not in rest:
        data = s.recv(65536)
        if not data:
            raise EOFError(rest)
        rest += data
    head, rest = rest.split(b"\r\n\r\n", 1)
    lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines[1:])
    return int(lines[0].split()[1]), headers, rest


def read_answer(s, rest=b"", no_body=False):
    """One answer with its body; returns it and the bytes after it."""
    status, headers, rest = read_head(s, rest)
    length = 0 if no_body else int(headers["content-length"])
    body, rest = read_exactly(s, length, rest)
    return Answer(status, headers, body), rest


def call(s, request):
    with s:
        s.sendall(request)
        return read_answer(s)[0]


def at_end(s):
    """Has the server closed? A reset counts too."""
    try:
        return s.recv(1) == b""
    except ConnectionResetError:
        return True


def read_exactly(s, n, rest=b""):
    data = bytearray(rest)
    while len(data) < n:
        more = s.recv(1 << 20)
        if not more:
            raise EOFError
        data += more
    return bytes(data[:n]), bytes(data[n:])
