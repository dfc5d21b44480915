# SPDX-License-Identifier: LGPL-2.1-or-later
"""/console by CONNECT and by WebSocket, and what is refused there; static pages without a folder."""

import json
import time

import pytest

from transfers import Reply, WebSocket, ask, connect, connect_tcp, head
from vms import new_vm, remove


@pytest.fixture
def vm(xen):
    ref = new_vm(xen, "talker")
    yield ref
    remove(xen, ref)


@pytest.fixture
def console(xen, vm):
    xen.VM.start(vm, False, False)
    for ref in xen.VM.get_consoles(vm):
        if xen.console.get_protocol(ref) == "vt100":
            return ref
    raise AssertionError("no serial console")


def say(daemons, xen, vm, text):
    daemons.host_call("vm_control", command=json.dumps({"guest": {"uuid": xen.VM.get_uuid(vm), "say": text}}))


def test_websocket_delivers_what_the_guest_says(daemons, xen, vm, console):
    ws = WebSocket(connect(daemons), f"/console?ref={console}&session_id={xen.session}")
    assert ws.reply.status == 101
    say(daemons, xen, vm, "hello over there\n")
    assert b"hello over there" in ws.read_until(b"there")
    xen.VM.hard_shutdown(vm)
    with pytest.raises(EOFError):
        ws.read_until(b"nothing more")


def test_connect_delivers_what_the_guest_says(daemons, xen, vm, console):
    s = connect(daemons)
    s.sendall(head("CONNECT", "/console", uuid=xen.console.get_uuid(console), session_id=xen.session))
    reply = Reply(s)
    assert reply.status == 200
    say(daemons, xen, vm, "plain words\n")
    text = reply.rest
    while b"plain words" not in text:
        got = s.recv(1000)
        assert got, text
        text += got


def test_viewer_that_disappears(daemons, xen, vm, console):
    for _ in range(3):
        connect(daemons).sendall(head("CONNECT", "/console", ref=console, session_id=xen.session))
    say(daemons, xen, vm, "still here\n")
    ws = WebSocket(connect(daemons), f"/console?ref={console}&session_id={xen.session}")
    assert b"still here" in ws.read_until(b"here")


@pytest.mark.parametrize("verb", ["CONNECT", "GET"])
def test_refused(daemons, xen, vm, verb):
    assert ask(daemons, verb, "/console", ref="OpaqueRef:none", session_id=xen.session).status == 400
    assert ask(daemons, verb, "/console", session_id=xen.session).status == 400
    assert ask(daemons, verb, "/console", ref=vm, session_id="OpaqueRef:none").status == 401
    reply = ask(daemons, verb, "/console", ref=vm, session_id=xen.session)
    assert (reply.status, b"VM_BAD_POWER_STATE" in reply.body()) == (500, True)
    s = connect_tcp(daemons)
    s.sendall(head(verb, "/console", ref=vm))
    assert Reply(s).status == 401


def test_get_without_upgrade(daemons, xen, console):
    assert ask(daemons, "GET", "/console", ref=console, session_id=xen.session).status == 400


@pytest.mark.parametrize("path", ["/", "/index.html", "/../etc/passwd"])
def test_no_pages_without_a_folder(daemons, path):
    assert ask(daemons, "GET", path).status == 403


def test_rows_of_clients(xen, console, fails):
    """They lead to no VM, and go when the client says so; those of VMs do not."""
    mine = xen.console.create({"other_config": {"of": "mine"}})
    assert xen.console.get_other_config(mine) == {"of": "mine"}
    assert xen.console.get_VM(mine) == "OpaqueRef:NULL" and xen.console.get_location(mine) == ""
    fails("OPERATION_NOT_ALLOWED", xen.console.destroy, console)
    xen.console.destroy(mine)
    fails("HANDLE_INVALID", xen.console.destroy, mine)


def test_console_that_leads_nowhere(daemons, xen):
    mine = xen.console.create({"other_config": {}})
    reply = ask(daemons, "GET", "/console", ref=mine, session_id=xen.session)
    assert reply.status in (400, 404, 500)
    xen.console.destroy(mine)


@pytest.fixture
def pool(xen):
    ref, = xen.pool.get_all()
    yield ref
    xen.pool.set_limit_console_sessions(ref, False)
    xen.pool.set_vm_console_idle_timeout(ref, "0")


def test_one_viewer_if_the_pool_says_so(daemons, xen, vm, console, pool):
    """Others come in when the first has left; another console is another one."""
    path = f"/console?ref={console}&session_id={xen.session}"
    first, second = WebSocket(connect(daemons), path), WebSocket(connect(daemons), path)
    assert (first.reply.status, second.reply.status) == (101, 101)
    first.sock.close()
    xen.pool.set_limit_console_sessions(pool, True)
    assert ask(daemons, "CONNECT", "/console", ref=console, session_id=xen.session).status == 503
    assert WebSocket(connect(daemons), f"/console?ref={vm}&session_id={xen.session}").reply.status == 101
    say(daemons, xen, vm, "to the one\n")
    second.read_until(b"the one")
    second.sock.close()
    end = time.monotonic() + 60
    while (third := WebSocket(connect(daemons), path)).reply.status != 101:
        assert third.reply.status == 503 and time.monotonic() < end
    say(daemons, xen, vm, "to the other\n")
    third.read_until(b"the other")


@pytest.mark.parametrize("verb", ["CONNECT", "GET"])
def test_an_idle_viewer_is_let_go(daemons, xen, vm, console, pool, verb):
    xen.pool.set_vm_console_idle_timeout(pool, "1")
    begin = time.monotonic()
    if verb == "GET":
        ws = WebSocket(connect(daemons), f"/console?ref={console}&session_id={xen.session}")
        with pytest.raises(EOFError):
            ws.read_until(b"nothing")
    else:
        s = connect(daemons)
        s.sendall(head("CONNECT", "/console", ref=console, session_id=xen.session))
        assert Reply(s).status == 200
        while s.recv(1000):
            pass
    assert 1 <= time.monotonic() - begin < 50
    for odd in ("-5", str(2 ** 63 - 1)):
        xen.pool.set_vm_console_idle_timeout(pool, odd)
        ws = WebSocket(connect(daemons), f"/console?ref={console}&session_id={xen.session}")
        say(daemons, xen, vm, "still there\n")
        ws.read_until(b"there")
