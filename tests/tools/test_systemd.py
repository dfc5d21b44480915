# SPDX-License-Identifier: LGPL-2.1-or-later
"""The units under a real systemd: it is process 1 of namespaces of its own, with its own /run, /var/lib and network.

What the units promise is looked at from outside: over the local socket, which lies in a directory of the test.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("XENOLITH_BUILD", ROOT / "build"))
SYSTEMD = "/lib/systemd/systemd"
TARGETS = "basic sysinit sockets shutdown umount final multi-user timers paths slices local-fs network exit".split()
ENTER = ["unshare", "--mount", "--uts", "--ipc", "--net", "--cgroup", "--pid", "--fork", "--kill-child", "--mount-proc"]
# Nothing of the machine outside changes: mounts are private, and what is written lies below the test's directory.
INIT = """
set -eu
mount --make-rprivate /
mount -o bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys
mount -t tmpfs tmpfs /run
umount -R /sys/fs/cgroup 2>/dev/null || true
mount -t cgroup2 none /sys/fs/cgroup
for at in var/lib usr/local/sbin etc/passwd etc/group; do mount --bind {own}/$at /$at; done
systemd-tmpfiles --create {own}/units/tmpfiles.conf
test $# -eq 0 || exec "$@"
export container=xenolith SYSTEMD_UNIT_PATH={own}/units
exec {systemd} --system --unit=test.target --log-target=kmsg --show-status=no
"""
LIMIT = 60


def lay_out(own):
    """Programs, units and accounts as an installation has them."""
    for name in ("var/lib", "usr/local/sbin", "etc", "units"):
        (own / name).mkdir(parents=True)
    for folder, program in (("daemon", "xenolithd"), ("hostd", "xenolith-hostd")):
        shutil.copy(BUILD / "src" / folder / program, own / "usr/local/sbin")
    units = ROOT / "packaging/systemd"
    for source in units.glob("xenolith*.s*"):
        if source.suffix in (".socket", ".in"):
            text = source.read_text().replace("@sbindir@", "/usr/local/sbin")
            (own / "units" / source.name.removesuffix(".in")).write_text(text)
    shutil.copy(units / "xenolith.tmpfiles", own / "units/tmpfiles.conf")
    for target in TARGETS:
        if (source := Path(f"/lib/systemd/system/{target}.target")).exists():
            shutil.copy(source, own / "units")
    (own / "units/test.target").write_text(
        "[Unit]\nWants=xenolith-hostd.service xenolithd.socket xenolithd-http.socket xenolithd.service\n")
    for name in ("passwd", "group"):
        entry = "xenolith:x:64999:64999::/:/bin/false\n" if name == "passwd" else "xenolith:x:64999:\n"
        (own / "etc" / name).write_text(Path(f"/etc/{name}").read_text() + entry)
    own.chmod(0o755)


class Machine:
    def __init__(self, own):
        self.own, self.session = own, None
        text = INIT.format(own=own, systemd=SYSTEMD)
        self.log = open(own / "log", "wb")
        self.process = subprocess.Popen([*ENTER, "sh", "-c", text], stdin=subprocess.DEVNULL, stdout=self.log,
                                        stderr=self.log, start_new_session=True)

    def first(self):
        """Process 1, seen from outside."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return children[0] if children else None

    def inside(self, *command):
        done = subprocess.run(["nsenter", "-t", self.first(), "-m", "-p", "-n", "-C", *map(str, command)],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT, check=False)
        return done.stdout.strip()

    def show(self, unit, what):
        return self.inside("systemctl", "show", "-P", what, unit)

    def await_(self, condition, what):
        end = time.monotonic() + LIMIT
        while True:
            try:
                if got := condition():
                    return got
            except (OSError, KeyError, ValueError):
                pass  # nobody serves
            if time.monotonic() > end:
                units = self.inside("systemctl", "--no-pager", "status", "xenolithd", "xenolith-hostd")
                raise AssertionError(f"{what}\n{units}\n{(self.own / 'log').read_text()[-2000:]}")
            time.sleep(0.05)

    def await_active(self, *units):
        for unit in units:
            self.await_(lambda: self.show(unit, "ActiveState") == "active", f"{unit} is not active")

    def raw(self, method, *params):
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(LIMIT)
            s.connect(str(self.own / "var/lib/xcp/xapi"))
            s.sendall(b"POST /jsonrpc HTTP/1.0\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            answer = b""
            while got := s.recv(65536):
                answer += got
        return json.loads(answer.partition(b"\r\n\r\n")[2])["result"]

    def login(self):
        self.session = self.await_(lambda: self.raw("session.login_with_password", "root", "", "1", "test"), "no login")

    def call(self, method, *params):
        return self.raw(method, self.session, *params)

    def guests(self):
        """Processes of QEMU inside, as numbers of the inside."""
        return self.inside("pgrep", "-f", "^qemu-system").split()

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)  # --kill-child: process 1 and with it all others
        self.process.wait()
        self.log.close()


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    if os.geteuid() != 0 or not os.path.exists(SYSTEMD) or not shutil.which("nsenter"):
        pytest.skip("needs root and systemd")
    own = tmp_path_factory.mktemp("systemd")
    for at in own.parents:
        if str(at).startswith("/tmp/") and at != Path("/tmp"):
            at.chmod(0o755)  # xenolithd is another user
    lay_out(own)
    trial = subprocess.run([*ENTER, "sh", "-c", INIT.format(own=own, systemd=SYSTEMD), "sh", "true"], stdin=subprocess.DEVNULL,
                           capture_output=True, text=True, timeout=LIMIT, check=False)
    if trial.returncode:
        pytest.skip(f"no namespaces or no cgroups here: {trial.stderr.strip()[-200:]}")
    m = Machine(own)
    try:
        m.await_(m.first, "no process 1")
        m.await_active("xenolith-hostd", "xenolithd")
        m.login()
        yield m
    finally:
        m.end()


@pytest.fixture(scope="module")
def vm(machine):
    """A guest without an operating system: its process is what matters."""
    template = machine.call("VM.get_by_name_label", "Other install media")[0]
    ref = machine.call("VM.clone", template, "firmware")
    machine.call("VM.set_is_a_template", ref, False)
    machine.call("VM.start", ref, False, False)
    assert machine.call("VM.get_power_state", ref) == "Running"
    yield ref
    machine.login()
    machine.call("VM.hard_shutdown", ref)
    machine.call("VM.destroy", ref)


def test_both_start(machine):
    assert machine.show("xenolithd", "User") == "xenolith"
    for unit in ("xenolithd", "xenolith-hostd"):
        assert machine.show(unit, "Result") == "success" and machine.show(unit, "NRestarts") == "0"
    pid = machine.show("xenolithd", "MainPID")
    uid = machine.inside("stat", "-c", "%u", f"/proc/{pid}")
    assert uid == "64999"
    assert machine.call("host.get_all")


def test_reload_hands_over(machine):
    before = machine.show("xenolithd", "MainPID")
    machine.inside("systemctl", "reload", "xenolithd")
    machine.await_(lambda: machine.show("xenolithd", "MainPID") not in (before, "0"), "nobody took over")
    machine.await_active("xenolithd")
    assert machine.call("host.get_all")  # the session of before
    assert machine.show("xenolithd", "NRestarts") == "0"


def test_a_killed_daemon_comes_back(machine, vm):
    before = machine.show("xenolithd", "MainPID")
    machine.inside("kill", "-9", before)
    machine.await_(lambda: machine.show("xenolithd", "MainPID") not in (before, "0"), "it does not come back")
    machine.await_active("xenolithd")
    machine.login()
    assert machine.call("VM.get_power_state", vm) == "Running"


@pytest.mark.parametrize("how", ["kill", "restart"])
def test_guests_outlive_hostd(machine, vm, how):
    before, guests = machine.show("xenolith-hostd", "MainPID"), machine.guests()
    assert guests
    if how == "kill":
        machine.inside("kill", "-9", before)
    else:
        machine.inside("systemctl", "restart", "xenolith-hostd")
    machine.await_(lambda: machine.show("xenolith-hostd", "MainPID") not in (before, "0"), "it does not come back")
    machine.await_active("xenolith-hostd")
    machine.call("VM.pause", vm)  # it is known again
    machine.call("VM.unpause", vm)
    assert machine.guests() == guests


def test_restart_of_xenolithd(machine, vm):
    guests = machine.guests()
    machine.inside("systemctl", "restart", "xenolithd")
    machine.await_active("xenolithd")
    machine.login()
    assert machine.call("VM.get_power_state", vm) == "Running"
    assert machine.guests() == guests


def test_a_stopped_one_starts_with_a_connection(machine, vm):
    machine.inside("systemctl", "stop", "xenolithd.service")
    assert machine.show("xenolithd", "ActiveState") == "inactive" and machine.show("xenolithd", "Result") == "success"
    machine.login()  # the socket is systemd's
    assert machine.show("xenolithd", "ActiveState") == "active"
