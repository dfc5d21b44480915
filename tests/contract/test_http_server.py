# SPDX-License-Identifier: LGPL-2.1-or-later
"""Requests and answers of the HTTP server, TLS and static files, over real sockets."""

import contextlib
import os
import select
import socket
import ssl
import subprocess
import threading

import pytest
from http_bed import KINDS, ORDINARY, PATTERN, at_end, call, read_answer, read_head, serving


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
