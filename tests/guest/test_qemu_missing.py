# SPDX-License-Identifier: LGPL-2.1-or-later
"""A host whose QEMU is missing, dies at once, or ends without a word: a start fails and leaves nothing."""

import os
from pathlib import Path

import pytest

from conftest import api

MIB = 1 << 20
FAKES = {"missing": None, "dies": "#!/bin/sh\necho no such machine >&2\nexit 1\n", "ends": "#!/bin/sh\nexit 0\n"}


EMULATOR = "qemu-system-x86_64"


def path_of_links(folder):
    """A PATH with every program, in one folder where a test can put another QEMU."""
    for place in reversed(os.environ["PATH"].split(":")):
        for program in Path(place).glob("*") if Path(place).is_dir() else ():
            link = folder / program.name
            link.unlink(missing_ok=True)
            link.symlink_to(program)
    return str(folder)


def replace_emulator(folder, fake):
    emulator = folder / EMULATOR
    emulator.unlink()
    if fake:
        emulator.write_text(fake)
        emulator.chmod(0o755)


@pytest.mark.parametrize("kind", FAKES)
def test_start_fails_and_leaves_nothing(kind, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", path_of_links(tmp_path))
    with api.a_pair(hv="qemu") as d:
        xen = d.start()
        replace_emulator(tmp_path, FAKES[kind])
        vm = xen.VM.clone(xen.VM.get_by_name_label("Other install media")[0], "never")
        xen.VM.set_is_a_template(vm, False)
        sr = xen.pool.get_default_SR(xen.pool.get_all()[0])
        vdi = xen.VDI.create({"name_label": "d", "name_description": "", "SR": sr, "virtual_size": str(4 * MIB),
                              "type": "user", "sharable": False, "read_only": False, "other_config": {}})
        vbd = xen.VBD.create({"VM": vm, "VDI": vdi, "userdevice": "0", "bootable": True, "mode": "RW", "type": "Disk",
                              "unpluggable": True, "empty": False, "other_config": {}, "qos_algorithm_type": "",
                              "qos_algorithm_params": {}})
        for _ in range(2):
            with pytest.raises(api.XenError) as caught:
                xen.VM.start(vm, False, False)
            assert caught.value.code == "INTERNAL_ERROR", caught.value
            assert kind != "dies" or "no such machine" in str(caught.value)
            record = xen.VM.get_record(vm)
            assert (record["power_state"], record["domid"], record["current_operations"]) == ("Halted", "-1", {})
            assert xen.VBD.get_currently_attached(vbd) is False
            assert [words for _, words in d.processes() if b"xenolith" not in words[0]] == []
            places = d.state / "run" / "vm"
            assert not places.exists() or list(places.iterdir()) == []
        xen.VM.destroy(vm)
        xen.VDI.destroy(vdi)


@pytest.mark.parametrize("kind", FAKES)
def test_hostd_says_what_it_needs(kind, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", path_of_links(tmp_path))
    replace_emulator(tmp_path, FAKES[kind])
    with api.a_pair(hv="qemu") as d:
        d.start_hostd()
        assert d.hostd.wait(30) == 1
        assert EMULATOR in d.log("xenolith-hostd")
