# SPDX-License-Identifier: LGPL-2.1-or-later
"""What one client may take of the daemon: the table in docs/security.md, seen from outside."""

import base64
import json
import select
import signal
import socket
import threading
import time
import xmlrpc.client

import pytest

from conftest import XenError
from vms import new_vdi


def unix(daemons, timeout=60):
    s = socket.socket(socket.AF_UNIX)
    s.connect(str(daemons.socket))  # waits while the queue of the listener is full
    s.settimeout(timeout)
    return s


def post(method, *params):
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    return b"POST /jsonrpc HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def answer(s):
    data = b""
    while b"\r\n\r\n" not in data:
        data += s.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(next(line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")))
    while len(body) < length:
        body += s.recv(65536)
    return json.loads(body)


def test_calls_of_one_session(daemons):
    """500 at a time; another session is not held up, and what ends makes room."""
    mine, other = daemons.client(), daemons.client()
    listen = post("event.from", mine.session, ["host/OpaqueRef:none"], "", 120.0)
    waiting, poll = [], select.poll()
    try:
        for _ in range(500):
            waiting.append(unix(daemons))
            waiting[-1].sendall(listen)
            poll.register(waiting[-1], select.POLLIN)
        deadline, code = time.monotonic() + 20, None
        while code != "TOO_MANY_PENDING_TASKS" and time.monotonic() < deadline:
            told = poll.poll(0)
            assert not told, answer(next(s for s in waiting if s.fileno() == told[0][0]))  # nothing happens
            try:
                mine.VM.get_all()
            except XenError as e:
                code = e.code
            except BlockingIOError:
                pass  # the queue of the listener is full
        assert code == "TOO_MANY_PENDING_TASKS"
        assert isinstance(other.VM.get_all(), list)
    finally:
        for s in waiting:
            s.close()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            mine.VM.get_all()
            break
        except XenError as e:
            assert e.code == "TOO_MANY_PENDING_TASKS"
    mine.call("session.logout")
    other.call("session.logout")


def test_an_object_grows_to_a_limit(xen, fails):
    pool = xen.pool.get_all()[0]
    try:
        with pytest.raises(XenError) as refused:
            for i in range(20):
                xen.pool.add_to_other_config(pool, f"limit-{i}", "x" * 100000)
        assert refused.value.code == "VALUE_NOT_SUPPORTED"
        assert 5 <= i <= 11
        fails("VALUE_NOT_SUPPORTED", xen.pool.add_to_other_config, pool, "limit-more", "x" * 200000)
        xen.pool.remove_from_other_config(pool, "limit-0")
        xen.pool.add_to_other_config(pool, "limit-0", "x" * 1000)
    finally:
        for key in [k for k in xen.pool.get_other_config(pool) if k.startswith("limit-")]:
            xen.pool.remove_from_other_config(pool, key)


def test_names_are_as_long_as_a_call(daemons, xen):
    """The body of a call bounds every text in it: 300 KiB."""
    pool = xen.pool.get_all()[0]
    before = xen.pool.get_name_label(pool)
    xen.pool.set_name_label(pool, "n" * 200000)
    assert len(xen.pool.get_name_label(pool)) == 200000
    xen.pool.set_name_label(pool, before)
    with unix(daemons) as s:
        s.sendall(post("pool.set_name_label", xen.session, pool, "n" * 310000)[:65536])
        assert s.recv(65536).split(b" ")[1] == b"500"


def test_single_objects_of_a_listener(xen, fails):
    names = [f"vm/OpaqueRef:{i}" for i in range(1000)]
    xen.call("event.from", names, "", 0.1)
    with pytest.raises(XenError):
        xen.call("event.from", names + ["vm/OpaqueRef:more"], "", 0.1)


def test_filters(xen, fails):
    for expression in ('field "uuid" = "' + "x" * 17000 + '"', "(" * 100 + "true" + ")" * 100,
                       " or ".join(["true"] * 1100)):
        fails("INVALID_VALUE", xen.VM.get_all_records_where, expression)


def test_login_texts(daemons, fails):
    http = xmlrpc.client.ServerProxy(f"http://127.0.0.1:{daemons.http}/")
    for user, password in (("u" * 257, "p"), ("root", "p" * 1025)):
        assert http.session.login_with_password(user, password, "1", "t")["ErrorDescription"][0] == \
            "SESSION_AUTHENTICATION_FAILED"


def test_sessions_of_one_originator(daemons):
    """500; then the one unused for longest goes (which, if several are as old, is nobody's promise)."""
    server = daemons.server()
    refs = [server.session.login_with_password("root", "", "1", "limit-test")["Value"] for _ in range(503)]
    alive = [ref for ref in refs if server.session.get_uuid(ref, ref)["Status"] == "Success"]
    assert len(alive) == 500
    for ref in alive:
        server.session.logout(ref)


def test_what_a_client_says_stays_one_line_of_the_log(daemons, xen):
    with pytest.raises(XenError):
        xen.VM.get_by_uuid("evil\n2026-01-01T00:00:00.000Z xenolithd error: forged")
    with pytest.raises(XenError):
        xen.VM.get_by_uuid("L" * 200000)
    lines = daemons.log("xenolithd").splitlines()
    assert not any(line.startswith("2026-01-01T00:00:00.000Z") for line in lines)
    assert any("evil 2026-01-01" in line for line in lines)
    assert max(map(len, lines)) < 4400


@pytest.fixture
def slow_login(fresh_daemons):
    d = fresh_daemons
    d.stop(which=["xapi"])
    d.start_xapi(extra=["--login-delay", "2"])
    d.ready()
    return d


def basic(daemons, user, password):
    s = socket.create_connection(("127.0.0.1", daemons.http), timeout=30)
    word = base64.b64encode(f"{user}:{password}".encode())
    s.sendall(b"GET /export_raw_vdi?vdi=x HTTP/1.1\r\nHost: x\r\nAuthorization: Basic " + word + b"\r\n\r\n")
    return s


def test_refused_basic_password_waits(slow_login):
    """Also many of them: they hold no thread, and the right one is not held up."""
    d = slow_login
    begin = time.monotonic()
    wrong = [basic(d, "root", "wrong") for _ in range(90)]  # an address has 100 guesses
    with basic(d, "root", d.password) as right:
        assert right.recv(100).split()[1] in (b"400", b"500")  # known, but there is no such disk
    assert all(s.recv(100).split()[1] == b"401" for s in wrong[:1])
    assert time.monotonic() - begin >= 1.9
    for s in wrong[1:]:
        assert s.recv(100).split()[1] == b"401"
        s.close()
    wrong[0].close()


def login(daemons, password, source="127.0.0.1", user="root"):
    """A connection on which a login was asked for."""
    s = socket.create_connection(("127.0.0.1", daemons.http), timeout=60, source_address=(source, 0))
    s.sendall(post("session.login_with_password", user, password, "1.0", "guess"))
    return s


def test_guesses_of_a_source(fresh_daemons):
    """An address that sent 100 wrong passwords waits before the next one is looked at, be it right; others do not. How
    long is for test_sessions.c: which of many connections comes last is not in the hands of a client."""
    d = fresh_daemons
    d.stop(which=["xapi"])
    d.start_xapi(extra=["--login-delay", "1"])  # ten guesses come back in a second
    d.ready()
    wrong = [login(d, "wrong") for _ in range(150)]
    waits = login(d, d.password)
    assert "result" in answer(login(d, d.password, "127.0.0.2"))
    transfers = [basic(d, "root", "wrong") for _ in range(60)]  # they hold no place in the queue
    assert b"503" in {s.recv(100).split()[1] for s in transfers}
    assert "result" in answer(waits)
    for s in wrong:
        assert answer(s)["error"]["message"] == "SESSION_AUTHENTICATION_FAILED"
    for s in [waits, *wrong, *transfers]:
        s.close()


def test_right_passwords_are_no_guesses(slow_login):
    for _ in range(120):
        with login(slow_login, slow_login.password) as s:
            assert "result" in answer(s)


def test_a_refusal_tells_nothing_by_its_time(slow_login):
    """Who is not there, whose password is wrong, who has no role: all wait alike, from the question on."""
    for user, password in (("root", "wrong"), ("nobody-of-here", "wrong"), ("root", "")):
        begin = time.monotonic()
        with login(slow_login, password, user=user) as s:
            assert answer(s)["error"]["message"] == "SESSION_AUTHENTICATION_FAILED"
        assert 1.95 < time.monotonic() - begin


def test_no_password_is_told_at_once(slow_login):
    with socket.create_connection(("127.0.0.1", slow_login.http), timeout=30) as s:
        begin = time.monotonic()
        s.sendall(b"GET /export_raw_vdi?vdi=x HTTP/1.1\r\nHost: x\r\n\r\n")
        assert s.recv(100).split()[1] == b"401"
        assert time.monotonic() - begin < 1.5


def test_stopping_answers_those_who_wait(slow_login):
    wrong = basic(slow_login, "root", "wrong")
    seen = threading.Event()

    def wait():
        seen.got = wrong.recv(100)
        seen.set()

    threading.Thread(target=wait, daemon=True).start()
    time.sleep(0.3)
    begin = time.monotonic()
    slow_login.stop(which=["xapi"], sig=signal.SIGTERM)
    assert time.monotonic() - begin < 5
    assert seen.wait(5)


def test_upload_that_stands_still(fresh_daemons):
    d = fresh_daemons
    d.stop(which=["xapi"])
    d.env["XENOLITH_UPLOAD_IDLE_US"] = "1500000"
    d.start_xapi()
    xen = d.ready()
    vdi = new_vdi(xen, "idle", 4 << 20)
    task = xen.task.create("upload", "")
    with unix(d) as s:
        s.sendall(f"PUT /import_raw_vdi?vdi={vdi}&task_id={task} HTTP/1.1\r\nHost: x\r\nContent-Length: {4 << 20}\r\n\r\n"
                  .encode() + b"x" * 4096)
        begin = time.monotonic()
        while s.recv(65536):
            pass
        assert 1 < time.monotonic() - begin < 20
    assert xen.task.get_status(task) == "failure"
    xen.VDI.destroy(vdi)
