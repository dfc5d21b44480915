# SPDX-License-Identifier: LGPL-2.1-or-later
"""Time-outs, numbers of connections, and the end of the server."""

import select
import socket
import ssl
import time

import pytest
from http_bed import KINDS, ORDINARY, at_end, call, read_answer, read_exactly, read_head, serving


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


@pytest.mark.parametrize("kind", ["unix", "tcp"])
def test_an_early_refusal_is_told_before_the_connection_goes(tmp_path, kind):
    """Who sends more than is read meets a full socket, then the answer, and no reset."""
    with serving(tmp_path, "linger=3000") as server, server.connect(kind) as s:
        s.sendall(b"POST / HTTP/1.1\r\nContent-Length: 1125899906842624\r\n\r\n")
        sent = 0
        while sent < 1 << 26 and select.select([], [s], [], 0.5)[1]:
            sent += s.send(bytes(1 << 16), socket.MSG_DONTWAIT)
        assert 1 << 20 <= sent < 1 << 26
        assert read_answer(s)[0].status == 500
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            s.sendall(bytes(1 << 26))  # not for ever


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
