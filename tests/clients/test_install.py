# SPDX-License-Identifier: LGPL-2.1-or-later
"""tests/clients/install with a stand-in for npm: when it asks for packages, and what it says when there are none."""

import os
import shutil
import subprocess
import sys

import pytest

from conftest import HERE


class Place:
    """A copy of the script with programs of its own."""

    def __init__(self, folder):
        self.folder, self.calls = folder, folder / "calls"
        shutil.copy(HERE / "install", folder)
        (folder / "package-lock.json").write_text("{}")
        (folder / "bin").mkdir()
        self.program("node", "exit 0")
        self.program("npm", f"echo called >>{self.calls}; mkdir -p node_modules")

    def program(self, name, script):
        path = self.folder / "bin" / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def install(self):
        path = f"{self.folder}/bin:/bin:/usr/bin" if os.path.exists(self.folder / "bin" / "npm") else f"{self.folder}/bin"
        return subprocess.run([sys.executable, self.folder / "install"], env={"PATH": path}, capture_output=True, text=True)

    def called(self):
        return len(self.calls.read_text().splitlines()) if self.calls.exists() else 0


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def test_once_for_each_lock_file(place):
    for _ in range(2):
        done = place.install()
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert place.called() == 1
    (place.folder / "package-lock.json").write_text('{"other": 1}')
    assert place.install().returncode == 0
    assert place.called() == 2


def test_no_npm(place):
    os.unlink(place.folder / "bin" / "npm")
    done = place.install()
    assert done.returncode == 1 and "tools/setup --clients" in done.stderr


def test_registry_out_of_reach(place):
    place.program("npm", "echo npm ERR! code ENOTFOUND; exit 1")
    done = place.install()
    assert done.returncode == 75 and "ENOTFOUND" in done.stderr and "needs its registry once" in done.stderr
    place.program("npm", "mkdir -p node_modules")
    assert place.install().returncode == 0


def test_a_package_that_is_not_there(place):
    place.program("npm", "echo npm ERR! code E404; exit 1")
    done = place.install()
    assert done.returncode == 1 and "E404" in done.stderr


def test_the_lock_file_names_no_host():
    text = (HERE / "package-lock.json").read_text()
    assert '"integrity"' in text and '"resolved"' not in text
