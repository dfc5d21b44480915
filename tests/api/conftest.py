# SPDX-License-Identifier: LGPL-2.1-or-later
"""The real daemons on simulated hardware, one pair for a whole run, and clients for them.

Nothing here reaches into the daemons: tests use the public sockets only. XENOLITH_BUILD names the
build directory (default: build/ of this tree).
"""

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import xmlrpc.client
from http.client import HTTPConnection
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("XENOLITH_BUILD", ROOT / "build"))
NULL = "OpaqueRef:NULL"
PROGRAMS = {"xenolithd": BUILD / "src/daemon/xenolithd", "xenolith-hostd": BUILD / "src/hostd/xenolith-hostd",
            "xe": BUILD / "src/cli/xe", "xenolith-cli": BUILD / "src/cli/xenolith-cli",
            "xenolith-verify": BUILD / "src/verify/xenolith-verify"}


def pytest_configure(config):
    config.addinivalue_line("markers", "waits: most of its time passes in waiting for a limit; run once, not with every build")


class XenError(Exception):
    """A failure the API answered: code and parameters."""

    def __init__(self, description):
        super().__init__(" ".join(description))
        self.code = description[0]
        self.params = list(description[1:])


class UnixConnection(HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(120)
        self.sock.connect(str(self.path))


class UnixTransport(xmlrpc.client.Transport):
    def __init__(self, path):
        super().__init__()
        self.unix_path = path

    def make_connection(self, host):
        return UnixConnection(self.unix_path)


class _Call:
    def __init__(self, client, name):
        self._client, self._name = client, name

    def __getattr__(self, part):
        return _Call(self._client, f"{self._name}.{part}")

    def __call__(self, *args):
        return self._client.call(self._name, *args)


class Client:
    """`xen.VM.get_all()`: the session is added, failures become XenError."""

    def __init__(self, server):
        self.server = server
        self.session = None

    def raw(self, name, *args):
        reply = getattr(self.server, name)(*args)
        if reply["Status"] != "Success":
            raise XenError(reply["ErrorDescription"])
        return reply["Value"]

    def login(self, user="root", password=""):
        self.session = self.raw("session.login_with_password", user, password, "1.0", "tests")
        return self

    def call(self, name, *args):
        return self.raw(name, self.session, *args)

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        return _Call(self, name)

    def wait(self, task, timeout=60):
        """Waits for a task by events; its result text, or XenError. Destroys the task."""
        token, end = "", time.monotonic() + timeout
        while time.monotonic() < end:
            got = self.call("event.from", [f"task/{task}"], token, 5.0)
            token = got["token"]
            for event in got["events"]:
                record = event.get("snapshot")
                if event["ref"] == task and record and record["status"] not in ("pending", "cancelling"):
                    self.call("task.destroy", task)
                    if record["status"] != "success":
                        raise XenError(record["error_info"])
                    return record["result"].removeprefix("<value>").removesuffix("</value>")
        raise TimeoutError(task)


class Adopted:
    """A process that is not our child, with what we use of subprocess.Popen."""

    def __init__(self, pid):
        self.pid, self.fd, self.returncode = pid, os.pidfd_open(pid), None

    def _ended(self, timeout):
        if self.returncode is None and select.select([self.fd], [], [], timeout)[0]:
            self.returncode = 0  # what it really was only its parent knows
        return self.returncode

    def poll(self):
        return self._ended(0)

    def wait(self, timeout=None):
        if self._ended(timeout) is None:
            raise subprocess.TimeoutExpired("xenolithd", timeout)
        return self.returncode

    def send_signal(self, sig):
        if self.poll() is None:
            signal.pidfd_send_signal(self.fd, sig)

    def kill(self):
        self.send_signal(signal.SIGKILL)


class Daemons:
    """xenolithd and xenolith-hostd on the `sim` driver with a state directory of their own."""

    def __init__(self, state, hv="sim"):
        self.state = Path(state)
        self.hv = hv
        self.env = {}  # more for both
        self.logs = self.state / "logs"
        self.logs.mkdir(parents=True, exist_ok=True)
        self.hostd = self.xapi = None

    def _spawn(self, program, *args, path=None):
        log = open(self.logs / f"{program}.log", "ab")
        # A system call that the sandbox refuses ends xenolithd, so that no test can miss it.
        return subprocess.Popen([path or PROGRAMS[program], "--state", self.state, *args], stdin=subprocess.DEVNULL,
                                stdout=log, stderr=log, start_new_session=True,
                                env={"XENOLITH_SANDBOX": "die", **os.environ, **self.env})

    def start_hostd(self, extra=()):
        self.hostd = self._spawn("xenolith-hostd", "--hv", self.hv, *extra)

    def start_xapi(self, extra=(), path=None):
        self.xapi = self._spawn("xenolithd", "--http", "127.0.0.1:0", "--tls", "127.0.0.1:0", "--login-delay", "0",
                                *extra, path=path)

    def start(self):
        self.start_hostd()
        self.start_xapi()
        return self.ready()

    def pid(self):
        """Process id of the xenolithd that serves, by its own word."""
        return int((self.state / "run" / "xenolithd.pid").read_text())

    def hand_over(self, limit=60):
        """SIGHUP, until another process serves. Gives back the old one, which may stay for a while."""
        old, before = self.xapi, self.pid()
        old.send_signal(signal.SIGHUP)
        end = time.monotonic() + limit
        while True:
            ended = old.poll() is not None
            if self.pid() != before:
                break
            assert not ended and time.monotonic() < end, self.log("xenolithd")[-3000:]
            time.sleep(0.002)
        self.xapi = Adopted(self.pid())
        return old

    def ready(self, timeout=60):
        end = time.monotonic() + timeout
        while True:
            for name, process in (("xenolith-hostd", self.hostd), ("xenolithd", self.xapi)):
                if process.poll() is not None:
                    raise RuntimeError(f"{name} ended with {process.returncode}:\n{self.log(name)[-3000:]}")
            try:
                return self.client()
            except (OSError, xmlrpc.client.ProtocolError):
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)

    def log(self, program):
        return (self.logs / f"{program}.log").read_text(errors="replace")

    def server(self):
        return xmlrpc.client.ServerProxy("http://localhost/", transport=UnixTransport(self.socket), allow_none=True)

    @property
    def socket(self):
        return self.state / "run" / "xapi"

    @property
    def http(self):
        """Port of the plain HTTP listener."""
        return int((self.state / "run" / "http.port").read_text())

    @property
    def tls(self):
        return int((self.state / "run" / "tls.port").read_text())

    @property
    def password(self):
        return (self.state / "password").read_text().strip()

    def client(self):
        return Client(self.server()).login()

    def host_call(self, name, **args):
        """A call of the host protocol, as xenolithd makes it (src/proto/frame.h)."""
        def exchange(id_, call, fields):
            text = json.dumps({"id": id_, "call": call, "args": fields}).encode()
            s.sendall(len(text).to_bytes(4, "little") + text)
            while True:
                size = int.from_bytes(exactly(4), "little")
                answer = json.loads(exactly(size))
                if answer.get("id") == id_:
                    if "error" in answer:
                        raise XenError([answer["error"].get("code", "SYSTEM"), answer["error"].get("detail", "")])
                    return answer["result"]

        def exactly(n):
            data = b""
            while len(data) < n:
                got = s.recv(n - len(data))
                if not got:
                    raise ConnectionError("hostd closed the connection")
                data += got
            return data

        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(60)
            s.connect(str(self.state / "run" / "hostd"))
            digest = next(line.split('"')[1] for line in (BUILD / "gen/host_proto.h").read_text().splitlines()
                          if "define HOST_PROTO_DIGEST" in line)
            exchange(1, "hello", {"version": "tests", "schema": digest})
            return exchange(2, name, args)

    def driver_calls(self, op):
        """How often xenolith-hostd called that operation of the simulated driver."""
        answer = self.host_call("vm_control", command="{}")["answer"]
        return json.loads(answer)["calls"].get(op, 0)

    def control(self, uuid, act=None, fail=None, **policy):
        """Makes the simulated guest act, or the simulated hypervisor fail its next call `fail`."""
        if act:
            self.host_call("vm_control", command=json.dumps({"guest": {"uuid": uuid, "act": act}}))
        if fail:
            fault = {"op": fail, "code": "INTERNAL_ERROR", "params": ["told to fail"], "times": 1}
            self.host_call("vm_control", command=json.dumps({"fault": fault}))
        if policy:
            self.host_call("vm_control", command=json.dumps({"policy": {"uuid": uuid, **policy}}))

    def verify(self, *options, notes=False):
        """What xenolith-verify finds: {code: [object]}; {} = all fits."""
        done = subprocess.run([PROGRAMS["xenolith-verify"], "--json", "--state", self.state, *options],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
        assert done.returncode in (0, 1), done.stderr
        report = json.loads(done.stdout)
        assert report["checked"]["rows"] and report["checked"]["repositories"], report
        found = {}
        for f in report["findings"]:
            assert f["text"] and f["severity"] in ("note", "warning", "error"), f
            if notes or f["severity"] != "note":
                found.setdefault(f["code"], []).append(f["object"])
        assert notes or done.returncode == (1 if found else 0), done.stdout
        return found

    def processes(self):
        """(process id, words of its command line) of all that were given this state directory, but us."""
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                words = Path(f"/proc/{pid}/cmdline").read_bytes()
            except OSError:
                continue
            if os.fsencode(self.state) in words and int(pid) != os.getpid():
                yield int(pid), words.split(b"\0")

    def sweep(self):
        """Ends what a failed test left: daemons, guests and storage daemons of this state directory."""
        for pid, _ in self.processes():
            os.kill(pid, signal.SIGKILL)
        for process in (self.xapi, self.hostd):
            if process:
                process.wait()

    def stop(self, which=("xapi", "hostd"), sig=signal.SIGTERM):
        for name in which:
            process = getattr(self, name)
            if process and process.poll() is None:
                process.send_signal(sig)
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
                    raise
            setattr(self, name, None)


    def check_sanitizers(self):
        for log in self.logs.glob("*.log"):
            assert "Sanitizer" not in log.read_text(errors="replace"), self.log(log.stem)[-8000:]


@contextlib.contextmanager
def a_pair(kind=Daemons, **options):
    """Daemons in a state directory of their own, not started; nothing of them is left behind."""
    state = tempfile.mkdtemp(prefix="xenolith-api-")
    d = kind(state, **options)
    try:
        yield d
        d.stop()
        d.check_sanitizers()
    finally:
        d.sweep()
        keep = os.environ.get("XENOLITH_KEEP")
        if keep:
            shutil.copytree(d.logs, Path(keep) / d.state.name)
        shutil.rmtree(state, ignore_errors=True)


@pytest.fixture(scope="session")
def daemons():
    with a_pair() as d:
        d.start()
        yield d
        assert d.verify() == {}
        d.stop()
        assert d.verify() == {}


@pytest.fixture
def fresh_daemons():
    """A pair for one test that stops or breaks it."""
    with a_pair() as d:
        d.start()
        yield d


@pytest.fixture
def xen(daemons):
    """A client logged in as root over the local socket."""
    client = daemons.client()
    yield client
    try:
        client.session and client.call("session.logout")
    except XenError:
        pass


def fails(code, call, *args, **more):
    """The parameters of the failure with that code."""
    with pytest.raises(XenError) as caught:
        call(*args, **more)
    assert caught.value.code == code, caught.value
    return caught.value.params


@pytest.fixture(name="fails")
def fails_fixture():
    return fails

