#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A thin client as other products have it: sends its arguments to POST /cli and does what the server says.

Written from the description of the protocol, not from the server. Knows no command. As a program it takes the place of xe;
its parts are used by tests of the protocol itself.
"""

import os
import select
import socket
import ssl
import struct
import sys
import termios
import tty
from urllib.parse import urlsplit

HELLO = b"XenSource thin CLI protocol"
MAJOR, MINOR = 0, 2
COMMAND, RESPONSE, BLOB = 9, 10, 11
OK, FAILED, CHUNK, END, WAIT = 5, 6, 7, 8, 18
PRINT, LOAD, PROMPT, EXIT, HTTP_GET, HTTP_PUT, ERROR, DEBUG, PRINT_STDERR, HTTP_CONNECT = 0, 1, 3, 4, 12, 13, 14, 15, 16, 17
QUIT = 0x1d


class Fault(Exception):
    """What the user is told; exit code 1."""


def number(n):
    return struct.pack("<i", n)


def frame(*numbers):
    payload = b"".join(map(number, numbers))
    return number(len(payload)) + payload


def unix_connect(path):
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    return s


class Place:
    """Where the server is, and how connections to it are made."""

    def __init__(self, options):
        self.server, self.port, self.tls, self.unix = options["server"], options["port"], not options["nossl"], options["socket"]

    def connect(self, host=None):
        try:
            if host is None and not self.server:
                return unix_connect(self.unix)
            name, _, port = (host or self.server).partition(":")
            s = socket.create_connection((name, int(port or self.port or (443 if self.tls else 80))))
        except socket.gaierror:
            raise Fault(f"Error: Host '{host or self.server}' not found.") from None
        except OSError as e:
            raise Fault(f"Error: {e.strerror} (calling connect )") from None
        if not self.tls:
            return s
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context.wrap_socket(s)


class Reader:
    """Bytes of a socket, with what was read ahead."""

    def __init__(self, sock):
        self.sock, self.ahead = sock, b""

    def some(self):
        if self.ahead:
            found, self.ahead = self.ahead, b""
            return found
        return self.sock.recv(65536)

    def exactly(self, n):
        data = b""
        while len(data) < n:
            more = self.some()
            if not more:
                raise Fault("Lost connection to the server.")
            data += more
        self.ahead = data[n:] + self.ahead
        return data[:n]

    def number(self):
        return struct.unpack("<i", self.exactly(4))[0]

    def head(self):
        """Status and fields of an HTTP answer."""
        data = b""
        while b"\r\n\r\n" not in data:
            more = self.some()
            if not more:
                raise Fault("Lost connection to the server.")
            data += more
        head, self.ahead = data.split(b"\r\n\r\n", 1)
        lines = head.decode().split("\r\n")
        fields = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
        return int(lines[0].split()[1]), fields


class Payload:
    def __init__(self, data):
        self.data = data

    def number(self):
        n, self.data = struct.unpack("<i", self.data[:4])[0], self.data[4:]
        return n

    def text(self):
        n = self.number()
        found, self.data = self.data[:n], self.data[n:]
        return found


class Thin:
    """One command: `Thin(place, args).run()` is its exit code."""

    def __init__(self, place, args, stdin=None, stdout=None, stderr=None, allowed=None):
        self.place, self.args = place, args
        self.allowed = "\n".join(args) if allowed is None else allowed
        self.stdin, self.stdout, self.stderr = stdin or sys.stdin.buffer, stdout or sys.stdout.buffer, stderr or sys.stderr.buffer

    def run(self):
        with self.place.connect() as self.sock:
            self.reader = Reader(self.sock)
            body = "\n".join(self.args).encode(errors="surrogateescape")
            self.sock.sendall(b"POST /cli HTTP/1.0\r\nUser-agent: xe-cli/Unix/0.2\r\noriginator: cli\r\n"
                              b"content-length: %d\r\n\r\n" % len(body) + body)
            self.greet()
            while True:
                code = self.obey(Payload(self.reader.exactly(self.reader.number())))
                if code is not None:
                    return code

    def greet(self):
        first = self.reader.exactly(4)
        if first == b"HTTP":
            raise Fault("Server internal error.")
        if first + self.reader.exactly(len(HELLO) - 4) != HELLO:
            raise Fault("Protocol failure")
        major, _ = self.reader.number(), self.reader.number()
        if major != MAJOR:
            raise Fault("Protocol version mismatch")
        self.sock.sendall(HELLO + number(MAJOR) + number(MINOR))

    def obey(self, p):
        assert p.number() == COMMAND
        what = p.number()
        if what == PRINT:
            self.out(p.text() + b"\n")
        elif what == PRINT_STDERR:
            self.err(p.text())
        elif what == ERROR:
            code, params = p.text().decode(), [p.text().decode() for _ in range(p.number())]
            self.err(f"Error code: {code}\nError parameters: {', '.join(params)}\n".encode())
        elif what == EXIT:
            return p.number()
        elif what == LOAD:
            self.load(p.text().decode())
        elif what == PROMPT:
            self.blob(self.stdin.readline().rstrip(b"\n"))
        elif what in (HTTP_GET, HTTP_PUT):
            name, url = p.text().decode(), p.text().decode()
            self.answer((self.get if what == HTTP_GET else self.put)(name, url))
        elif what == HTTP_CONNECT:
            self.answer(self.connect(p.text().decode()))
        elif what != DEBUG:
            raise Fault(f"Protocol failure: command {what}")
        assert what in (LOAD, PROMPT, DEBUG) or not p.data, "bytes behind the end of a command"
        return None

    def out(self, data):
        self.stdout.write(data)
        self.stdout.flush()

    def err(self, data):
        self.stderr.write(data)
        self.stderr.flush()

    def answer(self, good):
        self.sock.sendall(frame(RESPONSE, OK if good else FAILED))

    def blob(self, data):
        self.sock.sendall(frame(BLOB, CHUNK, len(data)) + data + frame(BLOB, END))

    def permitted(self, name):
        """Only what the user has named is touched, whatever the server asks for."""
        if name and name not in self.allowed:
            self.err(f"File not permitted: {name}\n".encode())
            return False
        return True

    def load(self, name):
        try:
            with open(name, "rb") as f:
                data = f.read()
        except OSError:
            data = None
        good = data is not None and self.permitted(name)
        self.answer(good)
        if good:
            self.blob(data)

    def request(self, verb, url, more=""):
        """A connection on which the server has agreed, or None."""
        for _ in range(5):
            parts = urlsplit(url)
            sock = self.place.connect(parts.netloc or None)
            target = parts.path + (f"?{parts.query}" if parts.query else "")
            sock.sendall(f"{verb} {target} HTTP/1.0\r\nUser-agent: xe-cli/Unix/0.2\r\n{more}\r\n".encode())
            reader = Reader(sock)
            status, fields = reader.head()
            if status == 200:
                return reader
            sock.close()
            if status != 302:
                if verb == "CONNECT" and status == 404:
                    self.err(b"Server replied with HTTP 404: the console is not available\n")
                return None
            url = fields["location"]
        return None

    def get(self, name, url):
        if not self.permitted(name):
            return False
        try:
            out = os.fdopen(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") if name else self.stdout
        except OSError as e:
            self.err(f"Error: {e.strerror} (calling open {name})\n".encode())
            return False
        reader = self.request("GET", url)
        while reader and (data := reader.some()):
            out.write(data)
        out.flush()
        if name:
            out.close()
            if not reader:
                os.unlink(name)
        return reader is not None

    def put(self, name, url):
        if not self.permitted(name):
            return False
        try:
            f = open(name, "rb")
        except OSError as e:
            self.err(f"Error: {e.strerror} (calling open {name})\n".encode())
            return False
        with f:
            reader = self.request("PUT", url, f"Content-length: {os.fstat(f.fileno()).st_size}\r\n")
            if not reader:
                return False
            try:
                while data := f.read(1 << 18):
                    reader.sock.sendall(data)
                while reader.some():
                    pass
            except OSError:
                return False
        return True

    def connect(self, url):
        reader = self.request("CONNECT", url, "content-length: 0\r\n")
        if not reader:
            return False
        fd = self.stdin.fileno()
        before = termios.tcgetattr(fd) if os.isatty(fd) else None
        if before:
            tty.setraw(fd)
        try:
            while True:
                ready = [reader.sock] if reader.ahead else select.select([reader.sock, fd], [], [])[0]
                if fd in ready:
                    keys = os.read(fd, 1024)
                    if not keys or QUIT in keys:
                        return True
                    reader.sock.sendall(keys)
                if reader.sock in ready:
                    data = reader.some()
                    if not data:
                        return True
                    self.out(data)
        finally:
            if before:
                termios.tcsetattr(fd, termios.TCSADRAIN, before)


SWITCHES = {"-s": "server", "-h": "server", "-p": "port", "-u": "username", "-pw": "password", "-pwf": "passwordfile"}
FLAGS = {"--nossl": "nossl", "--debug": "debug", "--debug-on-fail": "debugonfail"}
USAGE = "Usage: xe [-s server] [-p port] [-u username] [-pw password] [-pwf file] command ...\n"


def split_extra(text):
    """Words between commas; a comma in a word has a backslash before it."""
    words, word, quoted = [], "", False
    for c in text:
        if quoted or c not in "\\,":
            word, quoted = word + c, False
        elif c == "\\":
            quoted = True
        else:
            words, word = [*words, word], ""
    return [w for w in [*words, word] if w]


class Options(dict):
    def __init__(self):
        super().__init__(server="", port="", username="", password="", nossl=False)
        self.args, self.late = [], []

    def set(self, key, value):
        if key == "passwordfile":
            try:
                with open(value, encoding="utf-8") as f:
                    lines = f.read().split("\n")
            except OSError:
                raise Fault(f"Error: Error opening password file '{value}'") from None
            if len(lines) < 2:
                raise Fault("Error: password file format: expecting username on the first line, password on the second line")
            self["username"], self["password"] = lines[:2]
        elif key in ("nossl", "debug"):
            self[key] = value == "true"
        elif key in ("server", "port", "username", "password"):
            self[key] = value
        else:
            return False
        return True

    def pair(self, text, late):
        key, equals, value = text.partition("=")
        if not (equals and self.set(key, value)):
            late.append(text)


def read_options(argv, env):
    o, extra, late = Options(), [], []
    try:
        with open(os.path.join(env.get("HOME", ""), ".xe"), encoding="utf-8") as f:
            for line in f.read().split("\n"):
                if "=" in line:
                    o.pair(line, late)
    except OSError:
        pass
    for word in split_extra(env.get("XE_EXTRA_ARGS", "")):
        o.pair(word, extra)
    i = 0
    while i < len(argv):
        if argv[i] in SWITCHES and i + 1 < len(argv):
            o.set(SWITCHES[argv[i]], argv[i + 1])
            i += 1
        elif argv[i] in FLAGS:
            o.set(FLAGS[argv[i]], "true")
        else:
            o.pair(argv[i], o.args)
        i += 1
    o.args += extra + late
    o["socket"] = env.get("XENOLITH_STATE", "/var/lib/xcp") + ("/run/xapi" if "XENOLITH_STATE" in env else "/xapi")
    if o["server"] == "127.0.0.1" and not o["port"]:
        o["server"] = ""
    return o


def main():
    if len(sys.argv) > 1 and sys.argv[1] in ("-help", "--help"):
        sys.stderr.write(USAGE)
        return 0
    try:
        o = read_options(sys.argv[1:], os.environ)
        allowed = "\n".join(o.args)
        account = [f"username={o['username']}", f"password={o['password']}"] if o["username"] else []
        return Thin(Place(o), o.args + account, allowed=allowed).run()
    except Fault as e:
        sys.stderr.write(f"{e}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
