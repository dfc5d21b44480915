# SPDX-License-Identifier: LGPL-2.1-or-later
"""tools/setup with stand-ins for dpkg-query, apt-get, id and sudo: what it asks for, and when it touches nothing."""

import os
import subprocess
import time

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def wanted():
    with open(os.path.join(ROOT, "packaging", "deps.txt")) as text:
        return [line.split("#")[0].strip() for line in text if line.split("#")[0].strip()]


class Machine:
    """A PATH of stand-ins; apt-get writes down how it was called."""

    def __init__(self, folder, installed, uid, sudo):
        self.folder, self.calls = folder, folder / "calls"
        self.program("dpkg-query", "".join(f"echo installed {name}\n" for name in installed) + "exit 1")
        self.program("apt-get", f'echo "$@" >>{self.calls}')
        self.program("id", f"echo {uid}")
        if sudo:
            self.program("sudo", f'[ "$1" = -n ] && exit 0\necho sudo >>{self.calls}\nexec "$@"')
        for name in ("sh", "sed", "awk", "env", "dirname", "mktemp", "rm", "tail"):
            os.symlink(next(f"{place}/{name}" for place in ("/bin", "/usr/bin") if os.path.exists(f"{place}/{name}")),
                       folder / name)

    def program(self, name, script):
        (self.folder / name).write_text("#!/bin/sh\n" + script + "\n")
        (self.folder / name).chmod(0o755)

    def setup(self, *options):
        return subprocess.run(["/bin/sh", f"{ROOT}/tools/setup", *options], env={"PATH": str(self.folder)}, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True)

    def called(self):
        return self.calls.read_text().splitlines() if self.calls.exists() else []


@pytest.fixture
def machine(tmp_path):
    return lambda installed, uid=0, sudo=False: Machine(tmp_path, installed, uid, sudo)


def test_nothing_missing_is_silent_quick_and_calls_nobody(machine):
    here = machine(wanted())
    begin = time.monotonic()
    done = here.setup()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert time.monotonic() - begin < 0.3
    assert here.called() == []


def test_clients_need_a_node_and_an_npm_from_anywhere(machine):
    here = machine(wanted())
    assert here.setup("--clients", "--list").stdout.split() == ["nodejs", "npm"]
    for name in ("node", "npm"):
        assert here.setup("--clients", "--list").stdout
        here.program(name, "exit 0")
    assert here.setup("--clients").stdout == ""
    assert here.called() == []


def test_root_installs_what_is_missing_by_name(machine):
    here = machine([name for name in wanted() if name not in ("meson", "mmdebstrap")])
    done = here.setup()
    assert done.returncode == 0
    assert "Missing Debian packages: meson mmdebstrap" in done.stdout
    assert here.called() == ["update", "install -y --no-install-recommends meson mmdebstrap"]


def test_others_use_sudo_after_saying_so(machine):
    here = machine([name for name in wanted() if name != "meson"], uid=1000, sudo=True)
    done = here.setup()
    assert done.returncode == 0
    assert "sudo apt-get install -y --no-install-recommends meson" in done.stdout
    assert here.called() == ["sudo", "update", "sudo", "install -y --no-install-recommends meson"]


def test_without_root_and_sudo_the_command_is_printed(machine):
    here = machine([name for name in wanted() if name != "meson"], uid=1000)
    done = here.setup()
    assert done.returncode == 1
    assert "apt-get update && apt-get install -y --no-install-recommends meson" in done.stderr
    assert here.called() == []


def test_a_failing_installation_is_told(machine):
    here = machine([name for name in wanted() if name != "meson"])
    here.program("apt-get", "echo E: no such mirror; exit 100")
    done = here.setup()
    assert done.returncode == 1
    assert "E: no such mirror" in done.stderr


def test_a_directory_server_is_installed_without_a_service(machine):
    here = machine([name for name in wanted() if name != "slapd"], uid=1000, sudo=True)
    here.program("debconf-set-selections", f"read -r line; echo \"$line\" >>{here.calls}")
    assert here.setup().returncode == 0
    assert here.called() == ["sudo", "slapd slapd/no_configuration boolean true", "sudo", "update", "sudo",
                             "install -y --no-install-recommends slapd"]


def test_every_package_has_a_reason_and_stands_once():
    names = wanted()
    assert len(names) == len(set(names))
    with open(os.path.join(ROOT, "packaging", "deps.txt")) as text:
        for line in text:
            if line.strip() and not line.startswith("#"):
                assert line.partition("#")[2].strip(), line
