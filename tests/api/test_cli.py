# SPDX-License-Identifier: LGPL-2.1-or-later
"""POST /cli: the thin-CLI protocol as its bytes. What commands print is the matter of test_xe.py, which runs over it too."""

import os
import select
import socket
import struct
import time

import pytest
from conftest import BUILD, PROGRAMS
from thin import BLOB, CHUNK, COMMAND, END, EXIT, FAILED, HELLO, LOAD, OK, PRINT, PRINT_STDERR, PROMPT, RESPONSE, WAIT, frame, number

LIMIT = 204800


def connect(daemons, way="unix"):
    if way == "unix":
        s = socket.socket(socket.AF_UNIX)
        s.connect(str(daemons.state / "run/xapi"))
    else:
        s = socket.create_connection(("127.0.0.1", daemons.http))
    s.settimeout(60)
    return s


class Talk:
    """A conversation as bytes."""

    def __init__(self, daemons, *args, body=None, way="unix", hello=HELLO + number(0) + number(2)):
        self.s = connect(daemons, way)
        body = "\n".join(args).encode() if body is None else body
        self.s.sendall(b"POST /cli HTTP/1.0\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        if hello is not None:
            self.exactly(len(HELLO) + 8)
            self.s.sendall(hello)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.s.close()

    def exactly(self, n):
        data = b""
        while len(data) < n:
            more = self.s.recv(n - len(data))
            if not more:
                raise EOFError(data)
            data += more
        return data

    def message(self):
        """(command, rest of the payload)"""
        n, = struct.unpack("<i", self.exactly(4))
        payload = self.exactly(n)
        kind, what = struct.unpack("<ii", payload[:8])
        assert kind == COMMAND
        return what, payload[8:]

    def rest(self):
        found = []
        while not found or found[-1][0] != EXIT:
            found.append(self.message())
        assert self.s.recv(1) == b""
        return found


def text(data):
    n, = struct.unpack("<i", data[:4])
    assert len(data) == 4 + n
    return data[4:].decode()


def test_greeting_comes_first_and_without_an_answer_of_http(daemons):
    with Talk(daemons, "help", hello=None) as t:
        assert t.exactly(len(HELLO) + 8) == b"XenSource thin CLI protocol" + bytes(4) + bytes([2, 0, 0, 0])


def test_prints_and_exits(daemons, xen):
    host = xen.host.get_uuid(xen.host.get_all()[0])
    with Talk(daemons, "host-list", "--minimal") as t:
        printed, ended = t.rest()
    assert printed[0] == PRINT and text(printed[1]) == host
    assert ended == (EXIT, number(0))


def test_lines_may_end_in_cr(daemons, xen):
    host = xen.host.get_uuid(xen.host.get_all()[0])
    with Talk(daemons, body=b"host-list\r\nparams=uuid\r\n--minimal\r\n") as t:
        assert text(t.rest()[0][1]) == host


def test_failure_goes_to_the_other_output(daemons):
    with Talk(daemons, "nonsense") as t:
        told, ended = t.rest()
    assert told[0] == PRINT_STDERR and text(told[1]) == "Unknown command: nonsense\nFor usage run: 'xe help'\n"
    assert ended == (EXIT, number(1))


def test_a_session_is_used_and_stays(daemons, xen):
    with Talk(daemons, f"session_id={xen.session}", "host-list", "--minimal") as t:
        assert t.rest()[-1] == (EXIT, number(0))
    assert xen.host.get_all()
    with Talk(daemons, "session_id=OpaqueRef:none", "host-list", "--minimal", way="tcp") as t:
        assert t.rest()[-1] == (EXIT, number(1))


def test_strangers_need_a_password(daemons):
    with Talk(daemons, "host-list", "--minimal", way="tcp") as t:
        told, ended = t.rest()
    assert text(told[1]) == "Username/password must be specified\nFor usage run: 'xe help'\n" and ended == (EXIT, number(1))
    with Talk(daemons, "host-list", "--minimal", "username=root", f"password={daemons.password}", way="tcp") as t:
        assert t.rest()[-1] == (EXIT, number(0))


def test_question_and_answer(daemons, xen):
    vm = xen.VM.get_uuid(xen.VM.get_by_name_label("Other install media")[0])
    with Talk(daemons, "template-uninstall", f"template-uuid={vm}") as t:
        while (m := t.message())[0] != PROMPT:
            assert m[0] == PRINT
        t.s.sendall(frame(BLOB, CHUNK, 2) + b"no" + frame(BLOB, END))
        said, ended = t.rest()
    assert text(said[1]) == "Aborted (you typed: 'no')" and ended == (EXIT, number(0))


def ask_for_file(daemons):
    t = Talk(daemons, "pool-install-ca-certificate", "filename=some.pem")
    what, rest = t.message()
    assert what == LOAD and text(rest) == "some.pem"
    return t


def test_file_that_is_refused(daemons):
    with ask_for_file(daemons) as t:
        t.s.sendall(frame(RESPONSE, FAILED))
        told, ended = t.rest()
    assert text(told[1]) == "Failed to read certificate\n" and ended == (EXIT, number(1))


def test_file_in_pieces_with_pauses(daemons):
    with ask_for_file(daemons) as t:
        for piece in (frame(RESPONSE, WAIT), frame(RESPONSE, OK), frame(BLOB, CHUNK, 3), b"no", b"t", frame(BLOB, CHUNK, 3) + b" it",
                      frame(BLOB, END)):
            for byte in piece:
                t.s.sendall(bytes([byte]))
        told, ended = t.rest()
    assert told[0] == PRINT_STDERR and "ertificate" in text(told[1]) and ended == (EXIT, number(1))


def test_file_that_is_too_large(daemons):
    with ask_for_file(daemons) as t:
        t.s.sendall(frame(RESPONSE, OK))
        piece = bytes(1 << 20)
        for _ in range(33):
            t.s.sendall(frame(BLOB, CHUNK, len(piece)) + piece)
        t.s.sendall(frame(BLOB, END))
        told, ended = t.rest()
    assert text(told[1]) == "Failed to read certificate\n" and ended == (EXIT, number(1))


@pytest.mark.parametrize("bad", [frame(BLOB, CHUNK, -1), frame(RESPONSE, 99), frame(COMMAND, 0), number(0), number(-1), number(1 << 30),
                                 frame(BLOB, END, 0), frame(RESPONSE, OK, 0, 0), b"GET / HTTP/1.0\r\n\r\n"])
def test_a_client_that_talks_nonsense_is_left(daemons, bad):
    with ask_for_file(daemons) as t:
        t.s.sendall(bad)
        with pytest.raises((EOFError, ConnectionResetError)):
            while True:
                t.message()


@pytest.mark.parametrize("hello", [b"x" * 35, HELLO + number(1) + number(0)])
def test_another_greeting(daemons, hello):
    with Talk(daemons, "host-list", hello=hello) as t:
        assert t.rest()[-1] == (EXIT, number(1))


def status(daemons, head, body=b""):
    with connect(daemons) as s:
        s.sendall(head + body)
        return s.recv(4096).split(b"\r\n")[0]


def test_arguments_have_limits(daemons):
    assert b" 411 " in status(daemons, b"POST /cli HTTP/1.0\r\n\r\n")
    assert b" 500 " in status(daemons, b"POST /cli HTTP/1.0\r\ncontent-length: %d\r\n\r\n" % (LIMIT + 1))
    with Talk(daemons, "host-list", "--minimal", *(f"k{i:06}=" for i in range(20000))) as t:
        assert t.rest()[-1] == (EXIT, number(1))
    with Talk(daemons, body=b"host-list\n" + b"x" * (LIMIT - 10)) as t:
        assert t.rest()[-1] == (EXIT, number(1))
    with Talk(daemons, body=b"host-list\nna\0me=x") as t:
        assert t.rest()[-1] == (EXIT, number(1))
    with Talk(daemons, body=b"vm-list\nname-label=\xff\xfe") as t:
        assert t.rest()[-1][0] == EXIT
    with Talk(daemons, body=b"") as t:
        assert t.rest()[-1] == (EXIT, number(0))


def workers():
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.path.realpath(f"/proc/{pid}/exe") == os.path.realpath(PROGRAMS["xenolith-cli"]):
                found.append(int(pid))
        except OSError:
            pass
    return found


def await_no_worker():
    """Waits for the ends of those there are."""
    for pid in workers():
        try:
            fd = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        assert select.select([fd], [], [], 30)[0], "a worker stays"
        os.close(fd)


def test_a_worker_has_nothing_but_its_two_sockets(daemons):
    await_no_worker()
    with ask_for_file(daemons):
        pid, = workers()
        with open(f"/proc/{pid}/status") as f:
            about = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
        assert about["Seccomp"] == "2" or BUILD.name != "build"  # sanitizers make calls of their own
        assert about["NoNewPrivs"] == "1" and int(about["CapEff"], 16) == 0
        assert sorted(map(int, os.listdir(f"/proc/{pid}/fd"))) == [0, 1, 2, 3, 4]
    await_no_worker()


def test_a_client_that_goes_takes_its_command_along(daemons):
    await_no_worker()
    with Talk(daemons, "event-wait", "class=vm", "name-label=never there") as t:
        assert len(workers()) == 1
        t.s.settimeout(1)
        with pytest.raises(TimeoutError):
            t.message()
    await_no_worker()


def test_number_of_clients_is_limited(daemons):
    await_no_worker()
    many = [Talk(daemons, "event-wait", "class=vm", "name-label=never there", hello=None) for _ in range(32)]
    try:
        for t in many:
            t.exactly(len(HELLO))
        body = b"help"
        assert b" 503 " in status(daemons, b"POST /cli HTTP/1.0\r\ncontent-length: %d\r\n\r\n" % len(body), body)
    finally:
        for t in many:
            t.s.close()
    await_no_worker()
    with Talk(daemons, "host-list", "--minimal") as t:
        assert t.rest()[-1] == (EXIT, number(0))


@pytest.mark.waits
def test_a_client_that_says_nothing_is_given_up(daemons):
    await_no_worker()
    start = time.monotonic()
    with Talk(daemons, "help", hello=None) as t:
        t.exactly(len(HELLO) + 8)
        assert t.s.recv(1) == b""
    assert time.monotonic() - start < 30


def test_a_command_outlives_a_hand_over(daemons):
    """What was under way when the program is replaced ends as if nothing had been."""
    with ask_for_file(daemons) as t:
        daemons.hand_over()
        t.s.sendall(frame(RESPONSE, OK) + frame(BLOB, CHUNK, 1) + b"x" + frame(BLOB, END))
        told, ended = t.rest()
    assert told[0] == PRINT_STDERR and "ertificate" in text(told[1]) and ended == (EXIT, number(1))
