# SPDX-License-Identifier: LGPL-2.1-or-later
"""Connections that leave HTTP: uploads, downloads, consoles, WebSockets."""

import base64
import contextlib
import hashlib
import os
import struct
import threading

import pytest
from http_bed import KINDS, PATTERN, at_end, call, read_answer, read_exactly, read_head


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("path", [b"/upload", b"/upload?taken"])
def test_upload_is_answered_before_its_body(server, kind, path):
    before = server.counts()
    with server.connect(kind) as s:
        s.sendall(b"PUT " + path + b" HTTP/1.1\r\nContent-Length: 1125899906842624\r\n\r\n")
        status, headers, _ = read_head(s)
        assert status == 200 and headers["connection"] == "close" and "content-length" not in headers
        s.sendall(b"x" * 3_000_000)
    server.wait_for(uploaded=before["uploaded"] + 3_000_000, upload_ended=before["upload_ended"] + 1)
    with server.connect(kind) as s:  # the head and the body in one piece
        s.sendall(b"PUT " + path + b" HTTP/1.1\r\nContent-Length: 50000\r\n\r\n" + b"y" * 50000)
        assert read_head(s)[0] == 200 and at_end(s)
    server.wait_for(uploaded=before["uploaded"] + 3_050_000, upload_ended=before["upload_ended"] + 2)


@pytest.mark.parametrize("kind", KINDS)
def test_a_client_that_waits_before_it_uploads_is_told_to_go_on(server, kind):
    with server.connect(kind) as s:
        s.sendall(b"PUT /upload HTTP/1.1\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        told, rest = read_exactly(s, 25)
        assert told == b"HTTP/1.1 100 Continue\r\n\r\n"
        s.sendall(b"hello")
        assert read_head(s, rest)[0] == 200


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
