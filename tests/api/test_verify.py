# SPDX-License-Identifier: LGPL-2.1-or-later
"""xenolith-verify beside running daemons, at rest, and on things that were broken on purpose."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess

import pytest

from conftest import BUILD
from vms import MIB, new_disk, new_vm

VERIFY = BUILD / "src/verify/xenolith-verify"
CODES = ("code", "object", "severity")


def run(daemons, *options):
    """(exit status, standard output, standard error)."""
    done = subprocess.run([VERIFY, "--state", daemons.state, *options], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=120)
    return done.returncode, done.stdout, done.stderr


def findings(daemons, *options, notes=False):
    """{code: [object]} of warnings and errors."""
    status, out, err = run(daemons, "--json", *options)
    assert status in (0, 1), err
    report = json.loads(out)
    found = {}
    for f in report["findings"]:
        assert f["text"] and f["severity"] in ("note", "warning", "error"), f
        if notes or f["severity"] != "note":
            found.setdefault(f["code"], []).append(f["object"])
    assert notes or status == (1 if found else 0), out
    assert report["checked"]["rows"] > 0 and report["checked"]["repositories"] > 0, report["checked"]
    return found


class Host:
    """A host with a bit of everything: a running guest with a disk, a snapshot, a halted VM."""

    def __init__(self, daemons):
        self.daemons = daemons
        self.state = daemons.state
        xen = daemons.client()
        self.vm = new_vm(xen, "runs")
        self.vdi, _ = new_disk(xen, self.vm)
        xen.VM.start(self.vm, False, False)
        self.halted = new_vm(xen, "halted")
        self.spare, _ = new_disk(xen, self.halted)
        self.snapshot = xen.VDI.snapshot(self.spare, {})
        self.uuid = xen.VM.get_uuid(self.vm)
        self.vdi_uuid = xen.VDI.get_uuid(self.vdi)
        self.spare_uuid = xen.VDI.get_uuid(self.spare)
        self.sr_uuid = xen.SR.get_uuid(xen.VDI.get_SR(self.vdi))
        self.sr_dir = self.state / "sr" / self.sr_uuid

    def rest(self):
        self.daemons.stop(("xapi",))
        self.daemons.stop(("hostd",))

    def image_of(self, vdi):
        record = json.loads((self.sr_dir / f"{vdi}.vdi.json").read_text())
        return self.sr_dir / (record["node"] + ".qcow2")

    def sql(self, text, *args):
        with sqlite3.connect(self.state / "store.db") as db:
            return db.execute(text, args).fetchall()

    def found(self, *options):
        return findings(self.daemons, *options)


@pytest.fixture
def host(fresh_daemons):
    return Host(fresh_daemons)


@pytest.fixture
def resting(host):
    host.rest()
    return host


def test_nothing_wrong(host):
    """Beside the daemons, after each of them was killed, at rest."""
    assert host.found() == {}
    assert host.found("--live") == {}
    host.daemons.stop(("xapi",), signal.SIGKILL)
    assert host.found() == {}
    host.daemons.stop(("hostd",), signal.SIGKILL)
    assert host.found() == {}
    host.daemons.start()
    assert host.found() == {}
    host.rest()
    status, out, err = run(host.daemons)
    assert (status, err) == (0, "")
    assert "0 errors, 0 warnings" in out
    assert run(host.daemons, "--quiet") == (0, "", "")
    assert host.found("--live") == {}
