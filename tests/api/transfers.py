# SPDX-License-Identifier: LGPL-2.1-or-later
"""Requests to the HTTP handlers, byte by byte: what a client sends and what it gets back."""

import os
import socket
import struct
from base64 import b64encode

PIB = 1 << 50


class Reply:
    """Status line and headers of an answer; `rest` is what came behind them."""

    def __init__(self, sock):
        self.sock, data = sock, b""
        while b"\r\n\r\n" not in data:
            got = sock.recv(65536)
            if not got:
                break
            data += got
        head, _, self.rest = data.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        self.status = int(lines[0].split()[1])
        self.headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}

    def body(self):
        data, length = self.rest, self.headers.get("content-length")
        while length is None or len(data) < int(length):
            got = self.sock.recv(1 << 20)
            if not got:
                break
            data += got
        return data


def connect(daemons):
    """As root over the local socket."""
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(60)
    s.connect(str(daemons.socket))
    return s


def connect_tcp(daemons):
    """As somebody who has to say who they are."""
    return socket.create_connection(("127.0.0.1", daemons.http), timeout=60)


def head(verb, path, length=None, fields=(), **query):
    text = "&".join(f"{k}={v}" for k, v in query.items())
    lines = [f"{verb} {path}?{text} HTTP/1.1", "Host: x", *fields]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def ask(daemons, verb, path, body=b"", length=None, fields=(), **query):
    """One request of which the whole body is sent at once; our direction is closed behind it."""
    s = connect(daemons)
    s.sendall(head(verb, path, len(body) if length is None and verb == "PUT" else length, fields, **query))
    reply = None
    if body:
        # The answer comes before the body is read.
        reply = Reply(s)
        try:
            s.sendall(body)
        except OSError:
            pass # refused: the task says why
    try:
        s.shutdown(socket.SHUT_WR)
    except OSError:
        pass
    return reply or Reply(s)


def put_task(daemons, xen, path, body, **query):
    """PUT of body: what its task ends with, or fails with."""
    task = xen.task.create("upload", "")
    reply = ask(daemons, "PUT", path, body, session_id=xen.session, task_id=task, **query)
    assert reply.status == 200, reply.rest
    assert reply.headers["task-id"] == task
    try:
        return xen.wait(task)
    finally:
        reply.sock.close()


def put(daemons, xen, vdi, body, **query):
    return put_task(daemons, xen, "/import_raw_vdi/", body, vdi=vdi, **query)


def get(daemons, xen, vdi, **query):
    reply = ask(daemons, "GET", "/export_raw_vdi/", vdi=vdi, session_id=xen.session, **query)
    assert reply.status == 200, reply.rest
    return reply.body()


def records(*parts):
    """The body of an import with `chunked`: (offset, data)... and the end."""
    return b"".join(struct.pack("<QI", at, len(data)) + data for at, data in parts) + bytes(12)


class WebSocket:
    """Just enough of RFC 6455 to read frames and send masked ones."""

    def __init__(self, sock, path, protocol="binary"):
        self.sock = sock
        sock.sendall((f"GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                      f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: {protocol}\r\n"
                      f"Sec-WebSocket-Key: {b64encode(os.urandom(16)).decode()}\r\n\r\n").encode())
        self.reply = Reply(sock)
        self.data = self.reply.rest

    def _exactly(self, n):
        while len(self.data) < n:
            got = self.sock.recv(65536)
            if not got:
                raise EOFError
            self.data += got
        out, self.data = self.data[:n], self.data[n:]
        return out

    def frame(self):
        """(opcode, payload)"""
        first, second = self._exactly(2)
        size = second & 127
        if size == 126:
            size = int.from_bytes(self._exactly(2), "big")
        elif size == 127:
            size = int.from_bytes(self._exactly(8), "big")
        assert not second & 128, "a server must not mask"
        return first & 15, self._exactly(size)

    def read_until(self, wanted):
        text = b""
        while wanted not in text:
            opcode, payload = self.frame()
            if opcode in (1, 2, 0):
                text += payload
            elif opcode == 8:
                raise EOFError(text)
        return text

    def send(self, payload, opcode=2):
        mask = os.urandom(4)
        self.sock.sendall(bytes([128 | opcode, 128 | len(payload)]) + mask +
                          bytes(b ^ mask[i % 4] for i, b in enumerate(payload)))
