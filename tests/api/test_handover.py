# SPDX-License-Identifier: LGPL-2.1-or-later
"""One xenolithd takes over from another (SIGHUP) while clients work: nobody is refused, cut off or left without an event."""

import hashlib
import json
import os
import random
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pytest

import conftest
from conftest import XenError
from transfers import Reply, connect, head
from vms import new_vdi, new_vm

MIB = 1 << 20


class Strict:
    """A client on one connection that repeats nothing: whatever goes wrong on the way is seen."""

    def __init__(self, daemons, session=None, how="unix"):
        self.daemons, self.how, self.sock, self.n, self.last = daemons, how, None, 0, 0.0
        self.session = session or self.raw("session.login_with_password", "root", daemons.password, "1.0", "strict")

    def open(self):
        if self.how == "unix":
            s = socket.socket(socket.AF_UNIX)
            s.settimeout(60)
            s.connect(str(self.daemons.socket))
            return s
        s = socket.create_connection(("127.0.0.1", self.daemons.tls if self.how == "tls" else self.daemons.http), timeout=60)
        if self.how == "tls":
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            s = context.wrap_socket(s)
        return s

    def raw(self, method, *params):
        self.n += 1
        body = json.dumps({"jsonrpc": "2.0", "id": self.n, "method": method, "params": params}).encode()
        self.sock = self.sock or self.open()
        self.sock.sendall(b"POST /jsonrpc HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        reply = Reply(self.sock)
        text = reply.body()
        self.last = time.monotonic()
        assert reply.status == 200
        if reply.headers["connection"] == "close":
            self.sock.close()
            self.sock = None
        answer = json.loads(text)
        assert answer["id"] == self.n
        if "error" in answer:
            raise XenError([answer["error"]["message"], *answer["error"]["data"]])
        return answer["result"]

    def call(self, method, *params):
        return self.raw(method, self.session, *params)


class Worker(threading.Thread):
    """Runs fn(*args) beside the test; result() gives back its value or raises its error."""

    def __init__(self, fn, *args):
        super().__init__(daemon=True)
        self.fn, self.args, self.value, self.error = fn, args, None, None
        self.start()

    def run(self):
        try:
            self.value = self.fn(*self.args)
        except BaseException as e:
            self.error = e

    def result(self, limit=60):
        self.join(limit)
        assert not self.is_alive(), "still at it"
        if self.error:
            raise self.error
        return self.value


@pytest.fixture
def pair(fresh_daemons):
    yield fresh_daemons
    log = fresh_daemons.log("xenolithd")
    print("\n".join(line for line in log.splitlines() if "serves; quiet after" in line or "warning" in line or "error" in line))


@pytest.mark.parametrize("how", ["unix", "tcp", "tls"])
def test_a_connection_and_its_session_stay(pair, how):
    xen = Strict(pair, how=how)
    vms = len(xen.call("VM.get_all"))
    for i in range(3):
        sock = xen.sock
        pair.hand_over()
        assert len(xen.call("VM.get_all")) == vms
        # Only a relayed connection ends, and says so before.
        assert (xen.sock is sock) == (how != "tls")


def test_the_old_program_ends(pair):
    xen = Strict(pair)
    old = pair.hand_over()
    assert old.wait(30) == 0
    assert xen.call("session.get_all_subject_identifiers") == []


def test_half_a_request_is_read_on(pair):
    xen = Strict(pair)
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "VM.get_all", "params": [xen.session]}).encode()
    request = b"POST /jsonrpc HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    for cut in (1, 30, len(request) - len(body), len(request) - 5):
        s = connect(pair)
        s.sendall(request[:cut])
        pair.hand_over()
        s.sendall(request[cut:])
        assert json.loads(Reply(s).body())["result"]


def until_marked(xen, vm):
    token = ""
    while not xen.call("VM.get_current_operations", vm):
        token = xen.call("event.from", [f"vm/{vm}"], token, 5.0)["token"]


@pytest.mark.parametrize("how", ["unix", "tcp", "tls"])
def test_a_caller_gets_the_end_of_its_plan(pair, how):
    """Twice handed over, answered by the third program; one plan ends well, the other does not."""
    xen = Strict(pair)
    vms = [new_vm(pair.client(), name) for name in ("obeys", "is cancelled")]
    callers = []
    for vm in vms:
        xen.call("VM.start", vm, False, False)
        pair.control(xen.call("VM.get_uuid", vm), ignore_shutdown=True)
        callers.append(Worker(Strict(pair, how=how).call, "VM.clean_shutdown", vm))
        until_marked(xen, vm)
    pair.hand_over()
    pair.hand_over()
    pair.control(xen.call("VM.get_uuid", vms[0]), "poweroff")
    assert callers[0].result() in ("", None)
    assert xen.call("VM.get_power_state", vms[0]) == "Halted"
    task, = xen.call("VM.get_current_operations", vms[1])
    xen.call("task.cancel", task)
    with pytest.raises(XenError) as failed:
        callers[1].result()
    assert failed.value.code == "TASK_CANCELLED"
    xen.call("VM.hard_shutdown", vms[1])


def test_contending_calls_wait_on(pair):
    """A synchronous and an Async call that wait for another operation; the latter's session has ended meanwhile."""
    xen, other = Strict(pair), Strict(pair)
    vm = new_vm(pair.client(), "busy")
    xen.call("VM.start", vm, False, False)
    pair.control(xen.call("VM.get_uuid", vm), ignore_shutdown=True)
    shutdown = Worker(Strict(pair).call, "VM.clean_shutdown", vm)
    until_marked(xen, vm)
    waits = Worker(Strict(pair).call, "VM.pause", vm)
    task = other.call("Async.VM.pause", vm)
    other.call("session.logout")
    pair.hand_over()
    assert xen.call("task.get_status", task) == "pending"
    pair.hand_over()
    pair.control(xen.call("VM.get_uuid", vm), "poweroff")
    shutdown.result()
    # Had they been lost, or not waited, they would say something else.
    with pytest.raises(XenError, match="VM_BAD_POWER_STATE"):
        waits.result()
    token = ""
    while xen.call("task.get_status", task) == "pending":
        token = xen.call("event.from", [f"task/{task}"], token, 5.0)["token"]
    assert xen.call("task.get_error_info", task)[0] == "VM_BAD_POWER_STATE"


def test_listeners_miss_nothing_and_hear_nothing_twice(pair):
    """Soft rows and fields, deletions, legacy listeners."""
    xen, legacy = Strict(pair), Strict(pair)
    made = xen.call("task.create", "kept", "soft")
    gone = xen.call("task.create", "gone", "soft")
    legacy.call("event.register", ["task"])
    token = xen.call("event.from", ["*"], "", 0.0)["token"]
    xen.call("task.destroy", gone)
    pair.hand_over()
    got = xen.call("event.from", ["task"], token, 5.0)
    assert [(e["operation"], e["ref"]) for e in got["events"]] == [("del", gone)]
    assert gone in [e["ref"] for e in legacy.call("event.next")]
    assert xen.call("task.get_name_label", made) == "kept"
    # Nothing else changed for a client: not one object is told again.
    quiet = [e for e in xen.call("event.from", ["vm", "network", "sr", "vdi", "pool", "console"], got["token"], 0.0)["events"]]
    assert quiet == []
    waiting = Worker(xen.call, "event.from", ["task"], got["token"], 60.0)
    pair.hand_over()
    assert waiting.is_alive()
    Strict(pair).call("task.set_progress", made, 0.5)
    assert [e["ref"] for e in waiting.result()["events"]] == [made]


def run_copy(pair, folder):
    """Another file of the program serves, in whose place a test may put something else."""
    program = folder / "xenolithd"
    shutil.copy(conftest.PROGRAMS["xenolithd"], program)
    pair.stop(("xapi",))
    pair.start_xapi(path=program)
    pair.ready()
    return program


def test_another_program_tells_everything_again(pair, tmp_path):
    """After an upgrade an object may look different, so listeners are told each once more."""
    program = run_copy(pair, tmp_path)
    xen = Strict(pair)
    token = xen.call("event.from", ["pool"], "", 0.0)["token"]
    fresh = tmp_path / "fresh"
    shutil.copy(conftest.PROGRAMS["xenolithd"], fresh)
    os.replace(fresh, program)
    pair.hand_over()
    got = xen.call("event.from", ["pool"], token, 5.0)["events"]
    assert [e["operation"] for e in got] == ["mod"]


def guest_that_talks(pair):
    xen = pair.client()
    vm = new_vm(xen, "talks")
    xen.VM.start(vm, False, False)
    console = next(c for c in xen.VM.get_consoles(vm) if xen.console.get_protocol(c) == "vt100")
    return xen, vm, console


def say(pair, xen, vm, text):
    pair.host_call("vm_control", command=json.dumps({"guest": {"uuid": xen.VM.get_uuid(vm), "say": text}}))


def test_transfers_and_consoles_go_on(pair):
    """The old program stays for them; their tasks are told by the new one, and one can be cancelled there."""
    xen, vm, console = guest_that_talks(pair)
    vdis = [new_vdi(xen, f"disk {i}", 16 * MIB) for i in range(2)]
    data = random.Random(1).randbytes(16 * MIB)
    tasks = [xen.task.create("put", "") for _ in vdis]
    puts = []
    for vdi, task in zip(vdis, tasks):
        s = connect(pair)
        s.sendall(head("PUT", "/import_raw_vdi", len(data), vdi=vdi, session_id=xen.session, task_id=task))
        assert Reply(s).status == 200
        s.sendall(data[:4 * MIB])
        puts.append(s)
    viewer = connect(pair)
    viewer.sendall(head("CONNECT", "/console", ref=console, session_id=xen.session))
    assert Reply(viewer).status == 200
    old = pair.hand_over()
    second = pair.hand_over()
    say(pair, xen, vm, "still connected\n")
    text = b""
    while b"still connected" not in text:
        got = viewer.recv(1000)
        assert got, text
        text += got
    viewer.close()
    puts[0].sendall(data[4 * MIB:])
    assert xen.wait(tasks[0]) == ""
    xen.task.cancel(tasks[1])
    with pytest.raises(XenError, match="TASK_CANCELLED"):
        xen.wait(tasks[1])
    assert old.wait(30) == 0 and second.wait(30) == 0
    # Both disks are free again, and the first holds what was sent.
    s = connect(pair)
    s.sendall(head("GET", "/export_raw_vdi", vdi=vdis[0], session_id=xen.session))
    assert hashlib.sha1(Reply(s).body()).digest() == hashlib.sha1(data).digest()
    for vdi in vdis:
        xen.VDI.destroy(vdi)


def test_what_a_killed_program_held_is_given_back(pair):
    """Old programs stay for an upload each and are killed in the middle of it: its task fails, its disk is free."""
    xen, uploads, olds = pair.client(), [], []
    for i in range(2):
        vdi, task = new_vdi(xen, f"disk {i}", 16 * MIB), xen.task.create("put", "")
        s = connect(pair)
        s.sendall(head("PUT", "/import_raw_vdi", 16 * MIB, vdi=vdi, session_id=xen.session, task_id=task))
        assert Reply(s).status == 200
        s.sendall(bytes(MIB))
        uploads.append((vdi, task, s))
        olds.append(pair.hand_over())
    pair.hand_over()  # what the first one held has been passed on twice
    for old, (vdi, task, s) in zip(olds, uploads):
        assert xen.task.get_status(task) == "pending"
        old.kill()
        old.wait(30)
        with pytest.raises(XenError, match="INTERNAL_ERROR"):
            xen.wait(task, 20)
        xen.VDI.destroy(vdi)
        s.close()


def test_a_plan_that_reads_a_disk_gives_it_back(pair):
    """VDI.checksum holds nobody up: it begins anew in the next program, and only that one has the disk open."""
    xen = pair.client()
    vdi = new_vdi(xen, "sum", 1 << 40)
    task = xen.call("Async.VDI.checksum", vdi)
    token = ""
    while not xen.VDI.get_current_operations(vdi):
        token = xen.call("event.from", [f"vdi/{vdi}"], token, 5.0)["token"]
    for _ in range(2):
        pair.hand_over(limit=20)
        assert xen.task.get_status(task) == "pending"
    xen.task.cancel(task)
    with pytest.raises(XenError, match="TASK_CANCELLED"):
        xen.wait(task)
    xen.VDI.destroy(vdi)


def test_a_broken_program_changes_nothing(pair, tmp_path):
    program = run_copy(pair, tmp_path)
    xen = Strict(pair)
    pid = pair.pid()
    for broken in (b"#!/bin/sh\nexit 1\n", b"\x7fELF nonsense", b"#!/bin/sh\nexec sleep 0.1\n"):
        fresh = tmp_path / "fresh"
        fresh.write_bytes(broken)
        fresh.chmod(0o755)
        os.replace(fresh, program)
        lines = pair.log("xenolithd").count("cannot hand over")
        os.kill(pid, signal.SIGHUP)
        while pair.log("xenolithd").count("cannot hand over") == lines:
            assert xen.call("pool.get_all")
        assert pair.pid() == pid
    # One that gets ready and then dies: the old program starts itself again.
    fresh = tmp_path / "fresh"
    fresh.write_text("""#!/usr/bin/python3
import os, socket, sys
s = socket.socket(fileno=int(os.environ["XENOLITH_TAKE_OVER"]))
text = b'{"ready":1}'
s.sendall(len(text).to_bytes(4, "little") + text)
s.recv(100)
sys.exit(1)
""")
    fresh.chmod(0o755)
    os.replace(fresh, program)
    pair.hand_over()
    assert xen.call("pool.get_all")
    assert "did not take over" in pair.log("xenolithd")


class Mirror:
    """Keeps a copy of rows by events, on a connection of its own, and counts how often each change of a name was seen."""

    def __init__(self, daemons, how):
        self.xen, self.rows, self.token, self.last = Strict(daemons, how=how), {}, "", None
        self.worker = Worker(self.run)

    def run(self):
        # Until the last change of all is told.
        while not (self.last in self.rows and self.rows[self.last]["progress"] == 0.5):
            got = self.xen.call("event.from", ["vm", "task"], self.token, 30.0)
            self.token = got["token"]
            for event in got["events"]:
                if event["operation"] == "del":
                    assert self.rows.pop(event["ref"], None) is not None, "a deletion of what was never told"
                else:
                    assert (event["operation"] == "add") == (event["ref"] not in self.rows), event["operation"]
                    self.rows[event["ref"]] = event["snapshot"]


def tight_loop(daemons, how, vms, number, stop):
    """Reads and writes without a pause; gives back the number of calls and the longest one in seconds."""
    xen = Strict(daemons, how=how)
    calls, longest = 0, 0.0
    while not stop.is_set():
        vm, start = vms[(number * 17 + calls) % len(vms)], time.monotonic()
        if calls % 5:
            assert xen.call("VM.get_power_state", vm) == "Halted"
        else:
            text = f"{number} {calls}"
            xen.call("VM.set_name_description", vms[number], text)
            assert xen.call("VM.get_name_description", vms[number]) == text
        longest = max(longest, time.monotonic() - start)
        calls += 1
        time.sleep(0.02)  # 50 of them share two processors with the daemons
    return calls, longest


def slow_export(daemons, xen, vdi, stop):
    """Reads until `stop`, slowly, then the rest; the hash of all."""
    s = connect(daemons)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    s.sendall(head("GET", "/export_raw_vdi", vdi=vdi, session_id=xen.session))
    reply, digest = Reply(s), hashlib.sha1()
    assert reply.status == 200
    digest.update(reply.rest)
    while True:
        data = s.recv(65536)
        if not data:
            return digest.digest()
        digest.update(data)
        stop.wait(0.02)


def slow_import(daemons, xen, vdi, data, stop):
    task, at = xen.call("task.create", "put", ""), 0
    s = connect(daemons)
    s.sendall(head("PUT", "/import_raw_vdi", len(data), vdi=vdi, session_id=xen.session, task_id=task))
    assert Reply(s).status == 200
    while at < len(data):
        s.sendall(data[at:at + 65536])
        at += 65536
        stop.wait(0.02)
    token = ""
    while xen.call("task.get_status", task) == "pending":
        token = xen.call("event.from", [f"task/{task}"], token, 10.0)["token"]
    return xen.call("task.get_status", task)


def already():
    event = threading.Event()
    event.set()
    return event


def test_nobody_notices(pair):
    """A thousand VMs, 50 callers, 20 listeners, transfers, a console and a slow guest, while programs change five times."""
    xen, vm, console = guest_that_talks(pair)
    boss, stop = Strict(pair, xen.session), threading.Event()
    template = xen.VM.get_by_name_label("Other install media")[0]
    vms = [ref for refs in [w.result(120) for w in [
        Worker(lambda i: [Strict(pair, xen.session).call("VM.clone", template, f"{i}.{k}") for k in range(125)], i)
        for i in range(8)]] for ref in refs]
    pair.control(xen.VM.get_uuid(vm), ignore_shutdown=True)
    data = random.Random(2).randbytes(24 * MIB)
    source, target = new_vdi(xen, "source", len(data)), new_vdi(xen, "target", len(data))
    slow_import(pair, boss, source, data, already())
    waiter = Worker(Strict(pair).call, "VM.clean_shutdown", vm)
    until_marked(boss, vm)
    viewer = connect(pair)
    viewer.sendall(head("CONNECT", "/console", ref=console, session_id=xen.session))
    assert Reply(viewer).status == 200
    hows = ["unix", "tcp", "unix", "tls"]
    mirrors = [Mirror(pair, hows[i % 4]) for i in range(20)]
    callers = [Worker(tight_loop, pair, hows[i % 4], vms, i, stop) for i in range(50)]
    exporter = Worker(slow_export, pair, xen, source, stop)
    importer = Worker(slow_import, pair, Strict(pair), target, data, stop)
    for i in range(5):
        task = boss.call("task.create", f"hand-over {i}", "")
        pair.hand_over()
        assert boss.call("task.get_status", task) == "pending"
        boss.call("task.destroy", task)
        say(pair, xen, vm, f"after {i}\n")
        text = b""
        while b"after %d" % i not in text:
            got = viewer.recv(1000)
            assert got, text
            text += got
    stop.set()
    counts = [w.result() for w in callers]
    pair.control(xen.VM.get_uuid(vm), "poweroff")
    assert waiter.result() in ("", None)
    assert exporter.result() == hashlib.sha1(data).digest()
    assert importer.result() == "success"
    last = boss.call("task.create", "the last word", "")
    for m in mirrors:
        m.last = last
    boss.call("task.set_progress", last, 0.5)
    expected = {name: boss.call(f"{name}.get_all_records") for name in ("VM", "task")}
    for m in mirrors:
        m.worker.result()
        rows = {name: {ref: row for ref, row in m.rows.items() if ("power_state" in row) == (name == "VM")}
                for name in expected}
        assert rows["VM"] == expected["VM"]
        assert rows["task"] == expected["task"]
    longest = max(longest for _, longest in counts)
    print(f"{sum(n for n, _ in counts)} calls, the longest {longest * 1000:.0f} ms")
    assert longest < 10


def programs(daemons):
    """Process ids of every xenolithd of this state directory, oldest first."""
    return sorted(pid for pid, words in daemons.processes() if words[0].endswith(b"xenolithd"))


@pytest.mark.parametrize("seed", range(12))
def test_a_kill_in_between_loses_nothing(pair, seed):
    """Either program is killed at some moment; whoever serves then, or is started then, knows all that was answered."""
    random_ = random.Random(seed)
    xen, answered, stop = pair.client(), [], threading.Event()
    vm = new_vm(xen, "slow")
    xen.VM.start(vm, False, False)
    pair.control(xen.VM.get_uuid(vm), ignore_shutdown=True)
    task = xen.Async.VM.clean_shutdown(vm)
    token = ""
    while not xen.VM.get_current_operations(vm):
        token = xen.call("event.from", [f"vm/{vm}"], token, 5.0)["token"]

    def writes():
        try:
            client, n = Strict(pair), 0
            while not stop.is_set():
                client.call("VM.add_tags", vm, str(n))
                answered.append(str(n))
                n += 1
        except (OSError, IndexError, AssertionError):
            pass  # the program was killed: what counts is what it had answered

    writer = Worker(writes)
    first = pair.pid()
    os.kill(first, signal.SIGHUP)
    end = time.monotonic() + random_.uniform(0, 0.06)
    while time.monotonic() < end:
        pass
    victim = random_.choice((programs(pair) or [first])[:2])
    os.kill(victim, signal.SIGKILL)
    # Until one serves that was not killed, or none is left.
    end = time.monotonic() + 30
    while True:
        alive = [pid for pid in programs(pair) if pid != victim]
        if not alive:
            pair.xapi.wait(10)
            pair.start_xapi()
            break
        if pair.pid() in alive and (len(alive) == 1 or pair.pid() != first):
            pair.xapi = pair.xapi if pair.pid() == first else conftest.Adopted(pair.pid())
            break
        assert time.monotonic() < end, pair.log("xenolithd")[-3000:]
        time.sleep(0.01)
    xen = pair.ready()
    stop.set()
    writer.result()
    assert set(answered) <= set(xen.VM.get_tags(vm))
    pair.control(xen.VM.get_uuid(vm), "poweroff")
    assert xen.wait(task) == ""
    assert xen.VM.get_power_state(vm) == "Halted"


def test_started_and_reloaded_by_a_service_manager(tmp_path):
    """Sockets come from the manager, also those somebody has connected to already; it hears who serves."""
    state = Path(tempfile.mkdtemp(prefix="xenolith-api-"))
    pair = conftest.Daemons(state)
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(str(tmp_path / "notify"))
    manager.settimeout(60)
    (state / "run").mkdir(mode=0o700)
    local = socket.socket(socket.AF_UNIX)
    local.bind(str(state / "run/xapi"))
    web = socket.create_server(("127.0.0.1", 0))
    local.listen()
    early = Worker(Strict(pair, "none").raw, "system.isAlive")
    sockets = {"http": web, "xapi": local, "nobody's": socket.create_server(("127.0.0.1", 0))}

    def pass_sockets():
        copies = [os.dup2(s.fileno(), 100 + i) for i, s in enumerate(sockets.values())]
        for i, fd in enumerate(copies):
            os.dup2(fd, 3 + i, inheritable=True)

    try:
        pair.start_hostd()
        log = open(pair.logs / "xenolithd.log", "ab")
        pair.xapi = subprocess.Popen(
            ["/bin/sh", "-c", 'LISTEN_PID=$$ exec "$0" "$@"', conftest.PROGRAMS["xenolithd"], "--state", state,
             "--tls", "off", "--login-delay", "0"], preexec_fn=pass_sockets, close_fds=False, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            env={**os.environ, "LISTEN_FDS": "3", "LISTEN_FDNAMES": ":".join(sockets), "NOTIFY_SOCKET": str(tmp_path / "notify")})
        assert manager.recv(1000) == b"READY=1"
        early.result()
        assert pair.http == web.getsockname()[1]
        xen = Strict(pair, how="tcp")
        pair.hand_over()
        assert manager.recv(1000) == b"RELOADING=1"
        assert f"MAINPID={pair.pid()}\nREADY=1" in manager.recv(1000).decode()
        assert xen.call("pool.get_all")
        assert "nobody's" in pair.log("xenolithd")
        pair.stop()
        pair.check_sanitizers()
    finally:
        pair.sweep()
        manager.close()
        for s in sockets.values():
            s.close()
        shutil.rmtree(state, ignore_errors=True)


def free_address():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return "127.0.0.1:%d" % s.getsockname()[1]


def test_make_restart(tmp_path):
    """Both daemons are replaced, hostd first; a session goes on, and `stop` also ends a program that lingers."""
    env = {**os.environ, "XENOLITH_STATE": str(tmp_path), "XENOLITH_HTTP": free_address(), "XENOLITH_TLS": free_address(),
           "XENOLITH_HV": "sim", "XENOLITH_BUILD": str(conftest.BUILD)}
    tool = str(conftest.ROOT / "tools/run")
    start = ("import sys; sys.path.insert(0, sys.argv[1]); sys.dont_write_bytecode = True\n"
             "from hostrun import daemons\ndaemons.start(daemons.Settings(), print).close()")
    subprocess.run(["/usr/bin/python3", "-c", start, str(conftest.ROOT / "tools")], env=env, check=True)
    pair = conftest.Daemons(tmp_path)
    try:
        xen, before = Strict(pair), programs(pair)
        vdi = new_vdi(pair.client(), "busy", MIB)
        upload = connect(pair)
        upload.sendall(head("PUT", "/import_raw_vdi", MIB, vdi=vdi, session_id=xen.session))
        assert Reply(upload).status == 200
        done = subprocess.run([tool, "restart"], env=env, capture_output=True, text=True)
        assert done.returncode == 0 and f"runs as process {pair.pid()}" in done.stdout, done.stdout + done.stderr
        assert xen.call("pool.get_all")
        assert programs(pair) == sorted([*before, pair.pid()])
        assert subprocess.run([tool, "stop"], env=env, capture_output=True).returncode == 0
        assert programs(pair) == []
    finally:
        pair.sweep()
