# SPDX-License-Identifier: LGPL-2.1-or-later
"""The same disk boots by UEFI firmware, on a machine of its own."""

from conftest import Rig, say


def test_uefi(image, tmp_path):
    machine = Rig(str(tmp_path / "uefi"), say)
    machine.make(image, uefi=True)
    machine.power_on()
    try:
        machine.wait_api().close()
        assert machine.shell("test -d /sys/firmware/efi && echo yes").strip() == "yes"
        assert "xen_version" in machine.shell("xl info")
        assert machine.shell("systemctl --failed --plain --no-legend") == ""
    finally:
        machine.power_off()
