# SPDX-License-Identifier: LGPL-2.1-or-later
"""The running daemon is in its sandbox. What it cannot do there is tried in tests/unit/test_sandbox.c."""

import io
import os
import pwd
import shutil
import subprocess
import tempfile
import zipfile

import pytest

from conftest import PROGRAMS, Daemons, UnixConnection, a_pair
from transfers import ask


def status(pid):
    with open(f"/proc/{pid}/status") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def threads(pid):
    for tid in os.listdir(f"/proc/{pid}/task"):
        yield status(f"{pid}/task/{tid}")


def test_every_thread_is_inside(daemons):
    seen = 0
    for thread in threads(daemons.xapi.pid):
        seen += 1
        assert thread["Seccomp"] == "2" and thread["NoNewPrivs"] == "1"
        for which in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            assert int(thread[which], 16) == 0, which
        if os.geteuid() == 0:
            assert int(thread["CapBnd"], 16) == 0
    assert seen > 5


HOSTD_KEEPS = sum(1 << n for n in (0, 1, 3, 5, 6, 7, 12, 29, 34))  # linux/capability.h


def test_every_thread_of_hostd_is_confined(daemons):
    for thread in threads(daemons.hostd.pid):
        assert thread["Seccomp"] == "2" and thread["NoNewPrivs"] == "1"
        for which in ("CapInh", "CapAmb"):
            assert int(thread[which], 16) == 0, which
        for which in ("CapPrm", "CapEff") + (("CapBnd",) if os.geteuid() == 0 else ()):
            assert int(thread[which], 16) & ~HOSTD_KEEPS == 0, which


def test_its_only_child_is_the_launcher(daemons):
    """Which was there before the sandbox; whatever it is asked, it starts xenolithd or nothing."""
    with open(f"/proc/{daemons.xapi.pid}/task/{daemons.xapi.pid}/children") as f:
        child, = f.read().split()
    with open(f"/proc/{child}/cmdline") as f:
        words = f.read().split("\0")
    assert words[:3] == ["xenolithd-launcher", "--", os.path.realpath(PROGRAMS["xenolithd"])]


def test_it_says_what_the_kernel_gave(daemons):
    lines = [line for line in daemons.log("xenolithd").splitlines() if "sandbox:" in line]
    assert lines and "no capabilities" in lines[0] and "Landlock" in lines[0]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_two_users_with_a_directory_each(tmp_path_factory):
    """As a host is set up for real: hostd is root, xenolithd is not and cannot write where hostd works."""
    root, state = Daemons(tempfile.mkdtemp(prefix="xenolith-root-")), Daemons(tempfile.mkdtemp(prefix="xenolith-user-"))
    nobody = pwd.getpwnam("nobody")
    os.chown(state.state, nobody.pw_uid, nobody.pw_gid)
    try:
        root.start_hostd(extra=["--user", "nobody", "--api-state", state.state])
        state.start_xapi(extra=["--user", "nobody", "--hostd", root.state / "run/hostd"])
        state.hostd = root.hostd
        xen = state.ready()
        assert status(state.xapi.pid)["Uid"].split() == [str(nobody.pw_uid)] * 4
        assert status(state.xapi.pid)["Groups"].split() == [str(nobody.pw_gid)]
        assert xen.VM.get_all() and xen.SR.get_all()
        for name in ("sr", "iso", "boot", "accounts", "run/storage", "run/guests"):
            mode = os.stat(root.state / name).st_mode
            assert mode & 0o077 == 0, f"{name}: {mode:o}"
        # What root looks at for a report is the other's.
        (state.state / "store.db-old").write_bytes(b"x")
        reply = ask(state, "GET", "/system-status", session_id=xen.session, entries="verify", output="zip")
        with zipfile.ZipFile(io.BytesIO(reply.body())) as archive:
            said = archive.read(archive.namelist()[0]).decode()
        assert "error: file-mode: store.db-old" in said and said.endswith(": 1 errors, 0 warnings.\n"), said
    finally:
        root.sweep()
        state.sweep()
        shutil.rmtree(root.state, ignore_errors=True)
        shutil.rmtree(state.state, ignore_errors=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
@pytest.mark.parametrize("how", ["owner", "group"])
def test_root_does_not_work_where_others_write(tmp_path, how):
    if how == "owner":
        os.chown(tmp_path, 65534, 65534)
    else:
        os.chmod(tmp_path, 0o770)
    done = subprocess.run([PROGRAMS["xenolith-hostd"], "--state", tmp_path, "--hv", "sim"], capture_output=True,
                          text=True, timeout=30, check=False)
    assert done.returncode == 1 and "must belong to root" in done.stderr


def test_pages_are_served_inside_it(tmp_path):
    (tmp_path / "index.html").write_text("<p>hello</p>")
    (tmp_path / "out").symlink_to("/etc/hostname")
    with a_pair() as d:
        d.start_hostd()
        d.start_xapi(["--web", str(tmp_path)])
        d.ready()
        for path, status in (("/", 200), ("/index.html", 200), ("/none", 404), ("/out", 403)):
            c = UnixConnection(d.socket)
            c.request("GET", path)
            answer = c.getresponse()
            assert answer.status == status and (status != 200 or answer.read() == b"<p>hello</p>"), path


def test_unknown_user_is_refused(tmp_path):
    done = subprocess.run([PROGRAMS["xenolithd"], "--state", tmp_path / "s", "--user", "no-such-user"],
                          capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1 and "there is no user no-such-user" in done.stderr
    shutil.rmtree(tmp_path)
