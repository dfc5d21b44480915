# SPDX-License-Identifier: LGPL-2.1-or-later
"""The running daemon is in its sandbox. What it cannot do there is tried in tests/unit/test_sandbox.c."""

import os
import pwd
import shutil
import subprocess

import pytest

from conftest import PROGRAMS


@pytest.fixture(autouse=True)
def built(daemons):
    if "sandbox: none" in daemons.log("xenolithd"):
        pytest.skip("no sandbox in builds with sanitizers")


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


def test_it_has_no_children_and_no_program_to_start(daemons):
    with open(f"/proc/{daemons.xapi.pid}/task/{daemons.xapi.pid}/children") as f:
        assert f.read() == ""


def test_it_says_what_the_kernel_gave(daemons):
    lines = [line for line in daemons.log("xenolithd").splitlines() if "sandbox:" in line]
    assert lines and "no capabilities" in lines[0] and "Landlock" in lines[0]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_root_becomes_the_user_it_is_told(fresh_daemons):
    d = fresh_daemons
    d.stop()
    nobody = pwd.getpwnam("nobody")
    for where, dirs, files in os.walk(d.state):
        for name in [where, *(os.path.join(where, n) for n in dirs + files)]:
            os.chown(name, nobody.pw_uid, nobody.pw_gid, follow_symlinks=False)
    d.start_hostd(extra=["--user", "nobody"])
    d.start_xapi(extra=["--user", "nobody"])
    d.ready()
    assert status(d.xapi.pid)["Uid"].split() == [str(nobody.pw_uid)] * 4
    assert status(d.xapi.pid)["Groups"].split() == [str(nobody.pw_gid)]


def test_unknown_user_is_refused(tmp_path):
    done = subprocess.run([PROGRAMS["xenolithd"], "--state", tmp_path / "s", "--user", "no-such-user"],
                          capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1 and "there is no user no-such-user" in done.stderr
    shutil.rmtree(tmp_path)
