# SPDX-License-Identifier: LGPL-2.1-or-later
"""The same disk boots by UEFI firmware: the machine of all stories if that was asked for, else one of its own."""

import os

import pytest

from conftest import Rig, say


@pytest.fixture
def machine(request, tmp_path):
    if os.environ.get("XENOLITH_XEN_FIRMWARE") == "uefi":
        yield request.getfixturevalue("rig")
        return
    machine = Rig(str(tmp_path / "uefi"), say)
    machine.make(request.getfixturevalue("image"), uefi=True)
    machine.power_on()
    try:
        machine.wait_api().close()
        yield machine
    finally:
        machine.power_off()


def test_uefi(machine):
    assert machine.shell("test -d /sys/firmware/efi && echo yes").strip() == "yes"
    assert "xen_version" in machine.shell("xl info")
    assert machine.shell("systemctl --failed --plain --no-legend") == ""
