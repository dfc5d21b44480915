# SPDX-License-Identifier: LGPL-2.1-or-later
"""The HTTP server from outside: every rule of its contract over real sockets (http_server_main)."""

import base64
import contextlib
import hashlib
import json
import os
import select
import socket
import ssl
import struct
import subprocess
import threading
import time

import pytest

PROGRAM = os.environ["HTTP_SERVER_MAIN"]
PATTERN = bytes(ord("a") + i % 23 for i in range(65536))
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


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("http")) as running:
        yield running


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


KINDS = ["unix", "tcp", "tls"]


@pytest.mark.parametrize("kind", KINDS)
def test_keep_alive(server, kind):
    with server.connect(kind) as s:
        for _ in range(50):
            s.sendall(ORDINARY)
            answer, rest = read_answer(s)
            assert (answer.status, answer.body, rest) == (200, b"h" * 1024, b"")
            assert answer.headers["connection"] == "keep-alive"
            assert answer.headers["cache-control"] == "no-cache, no-store"


@pytest.mark.parametrize("request_", [b"GET /hello HTTP/1.0\r\n\r\n", b"GET /hello HTTP/1.1\r\nConnection: close\r\n\r\n",
                                      b"GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"])
def test_closes_when_asked_or_old(server, request_):
    with server.tcp() as s:
        s.sendall(request_)
        answer, rest = read_answer(s)
        assert answer.headers["connection"] == "close" and rest == b"" and at_end(s)


@pytest.mark.parametrize("kind", KINDS)
def test_pipelining_keeps_order(server, kind):
    requests = []
    for i in range(200):
        body = b"body %d" % i
        requests.append(b"POST /x HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        requests.append(b"GET /later HTTP/1.1\r\n\r\n")  # answered by another thread
    with server.connect(kind) as s:
        writer = threading.Thread(target=s.sendall, args=(b"".join(requests),))
        writer.start()
        rest = b""
        for i in range(200):
            answer, rest = read_answer(s, rest)
            assert answer.body == b"body %d" % i
            answer, rest = read_answer(s, rest)
            assert answer.body == b"later"
        writer.join()


def test_byte_by_byte(server):
    with server.tcp() as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b"\r\nPOST /x?a=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello":
            s.sendall(bytes([byte]))
        assert read_answer(s)[0].body == b"hello"


def test_query_cookies_and_peer(server):
    request = (b"GET /head%2fx?a=1+2&b=%41%2c,&vm=x&vm=y&json HTTP/1.1\r\n"
               b"Cookie: session_id=OpaqueRef%3aabc; task_id=t&pool_secret=p\r\n\r\n")
    lines = call(server.unix(), request).body.decode().splitlines()
    assert lines[0] == "GET /head/x"
    assert lines[1:6] == ["q a=1 2", "q b=A,,", "q vm=x", "q vm=y", "q json="]
    assert lines[6:9] == ["c session_id=OpaqueRef:abc", "c task_id=t", "c pool_secret=p"]
    assert lines[9] == "peer 0  super=1"
    assert b"peer 1 127.0.0.1 super=0" in call(server.tcp(), b"GET /head HTTP/1.1\r\n\r\n").body
    assert b"peer 2 ::1 super=0" in call(server.tls(), b"GET /head HTTP/1.1\r\n\r\n").body


def test_longest_prefix_wins(server):
    assert call(server.unix(), b"GET /head/longer/x HTTP/1.1\r\n\r\n").body == b"14"
    assert call(server.unix(), b"GET /headlong HTTP/1.1\r\n\r\n").body.startswith(b"GET /headlong")
    assert call(server.unix(), b"POST /any/where HTTP/1.1\r\nContent-Length: 1\r\n\r\nx").body == b"x"


@pytest.mark.parametrize("request_, status", [
    (b"DELETE / HTTP/1.1\r\n\r\n", 501),
    (b"BREW / HTTP/1.1\r\n\r\n", 501),
    (b"PUT /nothing HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 403),
    (b"POST / HTTP/1.1\r\n\r\n", 411),
    (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc", 400),
    (b"POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400),
    (b"POST / HTTP/1.1\r\nContent-Length: -3\r\n\r\nabc", 400),
    (b"POST / HTTP/1.1\r\nContent-Length: 3x\r\n\r\nabc", 400),
    (b"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\nabc", 400),
    (b"POST / HTTP/1.1\r\nContent-Length: 9223372036854775807\r\n\r\nabc", 500),
    (b"POST / HTTP/1.1\r\nContent-Length: 307201\r\n\r\nabc", 500),
    (b"GET /hello HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", 500),
    (b"GET /hello HTTP/2.0\r\n\r\n", 505),
    (b"GET /%zz HTTP/1.1\r\n\r\n", 400),
    (b"GET /%00 HTTP/1.1\r\n\r\n", 400),
    (b"GET /x\0y HTTP/1.1\r\n\r\n", 400),
    (b"GET hello HTTP/1.1\r\n\r\n", 400),
    (b"GET /hello HTTP/1.1\r\nName : x\r\n\r\n", 400),
    (b"GET /hello HTTP/1.1\r\nA: b\r\n c\r\n\r\n", 400),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
])
def test_refusals_close(server, request_, status):
    for kind in ("unix", "tcp"):
        with server.connect(kind) as s:
            s.sendall(request_)
            answer, rest = read_answer(s)
            assert answer.status == status and rest == b""
            assert answer.headers["connection"] == "close" and at_end(s)


def test_head_size(server):
    fits = b"GET /hello HTTP/1.1\r\nX: " + b"a" * (16384 - 28) + b"\r\n\r\n"
    assert len(fits) == 16384
    assert call(server.tcp(), fits).status == 200
    for long in (fits.replace(b"X: ", b"XY: "), b"GET /hello HTTP/1.1\r\nX: " + b"a" * 40000,
                 b"GET /" + b"a" * 200000, b"GET /hello HTTP/1.1\r\n" + b"A: b\r\n" * 101 + b"\r\n"):
        with server.tcp() as s:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                s.sendall(long)
            assert read_answer(s)[0].status == 431


@pytest.mark.parametrize("kind", KINDS)
def test_largest_body(server, kind):
    body = os.urandom(307200)
    with server.connect(kind) as s:
        for _ in range(3):
            s.sendall(b"POST / HTTP/1.1\r\nContent-Length: 307200\r\n\r\n" + body)
            assert read_answer(s)[0].body == body


def test_truncated_body_is_not_answered(server):
    with server.unix() as s:
        s.sendall(b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc")
        s.shutdown(socket.SHUT_WR)
        assert at_end(s)


def test_half_closed_client_gets_its_answer(server):
    with server.tcp() as s:
        s.sendall(b"GET /later HTTP/1.1\r\n\r\n")
        s.shutdown(socket.SHUT_WR)
        assert read_answer(s)[0].body == b"later"


def test_expect_continue(server):
    with server.tcp() as s:
        s.sendall(b"POST / HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        assert s.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        s.sendall(b"abc")
        assert read_answer(s)[0].body == b"abc"


def test_head_method_has_length_but_no_body(server):
    with server.unix() as s:
        s.sendall(b"HEAD /hello HTTP/1.1\r\n\r\n" + ORDINARY)
        answer, rest = read_answer(s, no_body=True)
        assert answer.headers["content-length"] == "1024"
        assert read_answer(s, rest)[0].body == b"h" * 1024


def test_drop(server):
    with server.tcp() as s:
        s.sendall(b"GET /drop HTTP/1.1\r\n\r\n")
        assert at_end(s)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("piece", [65536, 7])
def test_large_answers_in_pieces(server, kind, piece):
    n = 10_000_000 if piece > 7 else 200_000
    with server.connect(kind) as s:
        if kind == "unix":  # TCP with a tiny window would spend its time in the kernel's timers
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.sendall(b"GET /big?n=%d&piece=%d HTTP/1.1\r\n\r\n" % (n, piece) + ORDINARY)
        answer, rest = read_answer(s)
        assert len(answer.body) == n
        assert answer.body == ((PATTERN[:piece] * (n // piece + 1))[:n])
        assert read_answer(s, rest)[0].body == b"h" * 1024


def test_many_large_answers_at_once(server):
    def fetch(kind, results):
        with server.connect(kind) as s:
            for _ in range(3):
                s.sendall(b"GET /big?n=3000000 HTTP/1.1\r\n\r\n")
                answer, _ = read_answer(s)
                results.append(answer.body == (PATTERN * 46)[:3000000])

    results = []
    threads = [threading.Thread(target=fetch, args=(kind, results)) for kind in KINDS * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 36


def test_parked_calls_are_answered_and_forgotten(server):
    before = server.counts()["gone"]
    waiting = [server.connect(kind) for kind in KINDS * 5]
    leaving = [server.connect(kind) for kind in KINDS * 5]
    for s in waiting + leaving:
        s.sendall(b"GET /park HTTP/1.1\r\n\r\n")
    server.wait_for(parked=30)
    for s in leaving:
        s.close()
    server.wait_for(parked=15, gone=before + 15)
    call(server.unix(), b"GET /release HTTP/1.1\r\n\r\n")
    for s in waiting:
        assert read_answer(s)[0].body == b"released"
        s.sendall(ORDINARY)  # the connection lives on
        assert read_answer(s)[0].status == 200
        s.close()


def test_requests_behind_a_parked_one_wait(server):
    with server.unix() as s:
        s.sendall(b"GET /park HTTP/1.1\r\n\r\n" + ORDINARY * 3)
        server.wait_for(parked=1)
        assert not select.select([s], [], [], 0)[0]
        call(server.unix(), b"GET /release HTTP/1.1\r\n\r\n")
        answer, rest = read_answer(s)
        assert answer.body == b"released"
        for _ in range(3):
            answer, rest = read_answer(s, rest)
            assert answer.status == 200


@pytest.mark.parametrize("kind", KINDS)
def test_upload_is_answered_before_its_body(server, kind):
    before = server.counts()
    with server.connect(kind) as s:
        s.sendall(b"PUT /upload HTTP/1.1\r\nContent-Length: 1125899906842624\r\n\r\n")
        status, headers, _ = read_head(s)
        assert status == 200 and headers["connection"] == "close" and "content-length" not in headers
        s.sendall(b"x" * 3_000_000)
    server.wait_for(uploaded=before["uploaded"] + 3_000_000, upload_ended=before["upload_ended"] + 1)
    with server.connect(kind) as s:  # the head and the body in one piece
        s.sendall(b"PUT /upload HTTP/1.1\r\nContent-Length: 50000\r\n\r\n" + b"y" * 50000)
        assert read_head(s)[0] == 200 and at_end(s)
    server.wait_for(uploaded=before["uploaded"] + 3_050_000, upload_ended=before["upload_ended"] + 2)


def test_upload_denied_with_the_body_under_way(server):
    with server.tcp() as s:
        s.sendall(b"PUT /upload?deny HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 100000)
        assert read_answer(s)[0].status == 401
        assert at_end(s)


@pytest.mark.parametrize("kind", KINDS)
def test_download_ends_with_the_connection(server, kind):
    with server.connect(kind) as s:
        s.sendall(b"GET /download?n=5000000 HTTP/1.1\r\n\r\n")
        status, headers, body = read_head(s)
        assert status == 200 and headers["connection"] == "close"
        while data := s.recv(1 << 20):
            body += data
        assert body == (PATTERN * 77)[:5000000]


@pytest.mark.parametrize("kind", KINDS)
def test_console(server, kind):
    data = os.urandom(1_000_000)
    with server.connect(kind) as s:
        s.sendall(b"CONNECT /console?uuid=x HTTP/1.0\r\ncontent-length: 0\r\n\r\nearly")
        status, _, rest = read_head(s)
        assert status == 200
        while len(rest) < 5:
            rest += s.recv(100)
        assert rest == b"early"
        if kind == "tls":  # one SSL object of this library is not for two threads
            for at in range(0, len(data), 10000):
                s.sendall(data[at:at + 10000])
                assert read_exactly(s, 10000)[0] == data[at:at + 10000]
            return
        writer = threading.Thread(target=s.sendall, args=(data,))
        writer.start()
        assert read_exactly(s, len(data))[0] == data
        writer.join()


def read_exactly(s, n, rest=b""):
    data = bytearray(rest)
    while len(data) < n:
        more = s.recv(1 << 20)
        if not more:
            raise EOFError
        data += more
    return bytes(data[:n]), bytes(data[n:])


# WebSocket.

KEY = "dGhlIHNhbXBsZSBub25jZQ=="  # the example of RFC 6455 1.3, as is the answer below
UPGRADE = (f"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
           f"Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n").encode()


def frame(payload, opcode=2, final=True, mask=b"\1\2\3\4"):
    head = bytes([opcode | (0x80 if final else 0)])
    flag = 0x80 if mask else 0
    if len(payload) < 126:
        head += bytes([flag | len(payload)])
    elif len(payload) < 65536:
        head += bytes([flag | 126]) + struct.pack(">H", len(payload))
    else:
        head += bytes([flag | 127]) + struct.pack(">Q", len(payload))
    if not mask:
        return head + payload
    pad = (mask * (len(payload) // 4 + 1))[:len(payload)]
    masked = (int.from_bytes(payload, "big") ^ int.from_bytes(pad, "big")).to_bytes(len(payload), "big")
    return head + mask + masked


def read_frame(s, rest=b""):
    head, rest = read_exactly(s, 2, rest)
    assert not head[1] & 0x80  # a server does not mask
    length = head[1]
    if length == 126:
        more, rest = read_exactly(s, 2, rest)
        length = struct.unpack(">H", more)[0]
    elif length == 127:
        more, rest = read_exactly(s, 8, rest)
        length = struct.unpack(">Q", more)[0]
    payload, rest = read_exactly(s, length, rest)
    return head[0], payload, rest


def read_messages(s, n, rest=b""):
    """Bytes of binary messages."""
    data = b""
    while len(data) < n:
        first, payload, rest = read_frame(s, rest)
        assert first == 0x82
        data += payload
    assert len(data) == n
    return data, rest


def open_websocket(server, kind):
    s = server.connect(kind)
    s.sendall(UPGRADE)
    status, headers, rest = read_head(s)
    assert status == 101 and headers["upgrade"] == "websocket" and headers["connection"] == "Upgrade"
    assert headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    assert headers["sec-websocket-protocol"] == "binary"
    return s, rest


def test_accept_key_is_the_standards():
    digest = hashlib.sha1((KEY + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
    assert base64.b64encode(digest) == b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@pytest.mark.parametrize("kind", KINDS)
def test_websocket_echo(server, kind):
    s, rest = open_websocket(server, kind)
    with s:
        for size in (1, 125, 126, 65535, 65536, 1 << 20):
            data = os.urandom(size)
            s.sendall(frame(data))
            got, rest = read_messages(s, size, rest)
            assert got == data
        s.sendall(frame(b"abc", final=False) + frame(b"ping", opcode=9) + frame(b"def", opcode=0, final=False) +
                  frame(b"ghi", opcode=0))
        first, payload, rest = read_frame(s, rest)
        assert (first, payload) == (0x8a, b"ping")
        assert read_messages(s, 9, rest) == (b"abcdefghi", b"")
        s.sendall(frame(struct.pack(">H", 1000), opcode=8))
        first, payload, _ = read_frame(s)
        assert first == 0x88 and payload[:2] == struct.pack(">H", 1000) and at_end(s)


@pytest.mark.parametrize("bad, code", [
    (frame(b"abc", mask=None), 1002),
    (frame(b"abc", opcode=3), 1002),
    (frame(b"abc", opcode=0), 1002),
    (frame(b"a" * 126, opcode=9), None),  # the frame library closes without saying why
    (frame(b"a" * ((1 << 20) + 1)), 1009),
    (b"".join([frame(b"a" * 600_000, final=False), frame(b"a" * 600_000, opcode=0)]), 1009),
], ids=["unmasked", "opcode", "continuation", "long ping", "large", "large in fragments"])
def test_websocket_refuses_bad_frames(server, bad, code):
    s, rest = open_websocket(server, "tcp")
    with s:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            s.sendall(bad)
        first, payload, _ = read_frame(s, rest)
        assert first == 0x88 and payload[:2] == (struct.pack(">H", code) if code else b"")
        while s.recv(65536):
            pass


def test_websocket_refuses_other_handshakes(server):
    for change in ((KEY.encode(), b"short"), (b"Version: 13", b"Version: 8"), (b"Upgrade: websocket\r\n", b""),
                   (b"HTTP/1.1", b"HTTP/1.0")):
        answer = call(server.tcp(), UPGRADE.replace(*change))
        assert answer.status == 400 and answer.headers["sec-websocket-version"] == "13"


# TLS.

@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tls_versions(server):
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        with server.tls(minimum_version=version, maximum_version=version) as s:
            assert s.selected_alpn_protocol() == "http/1.1"
            s.sendall(ORDINARY)
            assert read_answer(s)[0].status == 200
    for version in ("-tls1", "-tls1_1"):
        # The library of this test may itself refuse old versions: security level 0 lets it try.
        run = subprocess.run(["openssl", "s_client", version, "-cipher", "ALL:@SECLEVEL=0",
                              "-connect", f"[::1]:{server.ports['tls']}"],
                             input="", capture_output=True, text=True, timeout=20)
        assert run.returncode != 0
        assert "alert protocol version" in run.stderr, run.stderr


def test_tls_certificate(server):
    pem = os.path.join(os.path.dirname(server.path), "tls", "host.pem")
    assert os.stat(pem).st_mode & 0o777 == 0o600
    with server.tls() as s:
        served = s.getpeercert(binary_form=True)
    text = subprocess.run(["openssl", "x509", "-noout", "-text", "-in", pem], capture_output=True, text=True).stdout
    assert "CN = localhost" in text and "DNS:localhost" in text and "prime256v1" in text
    with open(pem) as f:
        assert ssl.PEM_cert_to_DER_cert(f.read().split("-----END PRIVATE KEY-----")[1].strip()) == served


def test_tls_noise_is_dropped(server):
    with socket.create_connection(("::1", server.ports["tls"]), 20) as s:
        s.sendall(b"GET / HTTP/1.1\r\n\r\n")
        while s.recv(1000):
            pass


def test_tls_slow_reader_gets_everything(server):
    with server.tls() as s:
        s.sendall(b"GET /big?n=10000000 HTTP/1.1\r\n\r\n")
        _, _, rest = read_head(s)
        got = len(rest)
        parts = [rest]
        while got < 10_000_000:
            parts.append(s.recv(1000 if got % 7 else 16384))
            got += len(parts[-1])
        assert b"".join(parts) == (PATTERN * 153)[:10_000_000]


# Limits.

def test_slow_heads_and_bodies_end_with_408(tmp_path):
    with serving(tmp_path, "read=300", "head=800") as server:
        for start in (b"GET / HT", b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nab"):
            begin = time.monotonic()
            answer = call(server.tcp(), start)
            assert answer.status == 408 and 0.25 < time.monotonic() - begin < 5
        begin = time.monotonic()
        with server.tcp() as s:  # always a byte in time, but never an end
            s.sendall(b"GET / HTTP/1.1\r\n")
            while not select.select([s], [], [], 0.1)[0]:
                s.sendall(b"X")
                assert time.monotonic() < begin + 10
            assert read_answer(s)[0].status == 408
        assert time.monotonic() - begin > 0.7
        with server.tcp() as s:  # nothing at all: no answer either
            assert at_end(s)
        with socket.create_connection(("::1", server.ports["tls"]), 20) as s:
            assert at_end(s)


def test_idle_connections_are_closed(tmp_path):
    with serving(tmp_path, "idle=300", "read=5000") as server:
        with server.tcp() as s:
            s.sendall(ORDINARY)
            read_answer(s)
            begin = time.monotonic()
            assert at_end(s) and 0.25 < time.monotonic() - begin < 4


@pytest.mark.parametrize("kind", KINDS)
def test_readers_that_stop_are_closed(tmp_path, kind):
    with serving(tmp_path, "write=400") as server:
        with server.connect(kind) as s:
            s.sendall(b"GET /big?n=50000000 HTTP/1.1\r\n\r\n")
            server.wait_for(**({"unix": 1} if kind == "unix" else {"tcp": 0}))


def test_connection_limits(tmp_path):
    with serving(tmp_path, "max-tcp=5", "max-unix=4", "max-address=3") as server:
        held = [server.tcp() for _ in range(3)]
        for s in held:
            s.sendall(ORDINARY)
            assert read_answer(s)[0].status == 200
        with server.tcp() as s:
            assert read_answer(s)[0].status == 503 and at_end(s)
        held += [server.tls() for _ in range(2)]  # from ::1, another address
        with pytest.raises((ssl.SSLError, OSError)):
            server.tls()
        held.pop(0).close()
        server.wait_for(tcp=4)
        with server.tcp() as s:
            s.sendall(ORDINARY)
            assert read_answer(s)[0].status == 200
        local = [server.unix() for _ in range(4)]
        for s in local:
            s.sendall(ORDINARY)
            assert read_answer(s)[0].status == 200
        assert read_answer(server.unix())[0].status == 503
        for s in held + local:
            s.close()


def test_streams_count_as_connections(tmp_path):
    with serving(tmp_path, "max-tcp=1") as server:
        with server.tcp() as s:
            s.sendall(b"CONNECT /console HTTP/1.0\r\n\r\n")
            read_head(s)
            assert read_answer(server.tcp())[0].status == 503
        server.wait_for(tcp=0)
        assert call(server.tcp(), ORDINARY).status == 200


def test_a_thousand_idle_connections(tmp_path):
    with serving(tmp_path, "max-tcp=1100", "max-address=1100") as server:
        idle, before = [], server.resident()
        for _ in range(1000):
            s = server.tcp()
            s.sendall(ORDINARY)
            idle.append(s)
        for s in idle:
            assert read_answer(s)[0].status == 200
        server.wait_for(tcp=1000)
        assert server.resident() - before < 16 << 20  # idle connections have no buffers: 32 MiB
        for s in idle:
            s.sendall(ORDINARY)
        for s in idle:
            assert read_answer(s)[0].status == 200
            s.close()
        server.wait_for(tcp=0)


def test_stop_lets_requests_end(tmp_path):
    with serving(tmp_path) as server:
        idle, parked = server.tcp(), server.unix()
        parked.sendall(b"GET /park HTTP/1.1\r\n\r\n")
        slow = server.tls()
        slow.sendall(b"GET /big?n=20000000 HTTP/1.1\r\n\r\n")
        _, headers, rest = read_head(slow)
        server.wait_for(parked=1)
        server.process.stdin.close()
        assert at_end(idle) and at_end(parked)
        assert len(read_exactly(slow, 20_000_000, rest)[0]) == 20_000_000
        assert at_end(slow)
        assert server.process.wait(30) == 0


# Static files.

def test_static_files(server):
    os.makedirs(f"{server.web}/assets/empty", exist_ok=True)
    with open(f"{server.web}/index.html", "w") as f:
        f.write("<p>page</p>")
    with open(f"{server.web}/assets/a b.js", "wb") as f:
        f.write(PATTERN * 40)
    for link, target in (("out", "/etc/hostname"), ("up", "../socket"), ("in", "assets/a b.js")):
        if not os.path.lexists(f"{server.web}/{link}"):
            os.symlink(target, f"{server.web}/{link}")
    for kind in KINDS:
        answer = call(server.connect(kind), b"GET / HTTP/1.1\r\n\r\n")
        assert (answer.body, answer.headers["content-type"]) == (b"<p>page</p>", "text/html; charset=utf-8")
        answer = call(server.connect(kind), b"GET /assets/./x/../a%20b.js?v=1 HTTP/1.1\r\n\r\n")
        assert answer.body == PATTERN * 40 and answer.headers["content-type"] == "text/javascript; charset=utf-8"
    for path, status in ((b"/index.html", 200), (b"//", 200), (b"/assets/..", 200), (b"/in", 200), (b"/missing", 404),
                         (b"/assets", 404), (b"/index.html/x", 404), (b"/..", 403), (b"/../socket", 403), (b"/%2e%2e/x", 403),
                         (b"/assets/../../x", 403), (b"/out", 403), (b"/up", 403), (b"/..%2f..%2fetc/passwd", 403)):
        answer = call(server.unix(), b"GET " + path + b" HTTP/1.1\r\n\r\n")
        assert answer.status == status, path
        assert answer.headers["content-type"].startswith("text/html") or status == 200


def test_plain_files_redirect_to_https(tmp_path):
    with serving(tmp_path, options=["--redirect"]) as server:
        with open(f"{server.web}/index.html", "w") as f:
            f.write("page")
        answer = call(server.tcp(), b"GET /a%20b?c HTTP/1.1\r\nHost: host.example:8080\r\n\r\n")
        assert answer.status == 301 and answer.headers["location"] == "https://host.example/a%20b?c"
        answer = call(server.tcp(), b"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n")
        assert answer.headers["location"] == "https://[::1]/"
        assert call(server.tcp(), b"GET / HTTP/1.1\r\n\r\n").status == 403
        assert call(server.tcp(), b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n").status == 403
        assert call(server.unix(), b"GET / HTTP/1.1\r\n\r\n").body == b"page"
        assert call(server.tls(), b"GET / HTTP/1.1\r\n\r\n").body == b"page"
        answer = call(server.tcp(), b"POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\nx")
        assert answer.status == 200  # calls are served in the clear
