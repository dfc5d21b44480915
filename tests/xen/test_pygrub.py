# SPDX-License-Identifier: LGPL-2.1-or-later
"""Paravirtual guests whose kernel is on their own disk: pygrub in the control domain reads GRUB's configuration there."""

import os
import shutil
import subprocess

import pytest

from conftest import ApiError
from guests import ARGUMENTS, MIB, READY, Guest

SIZE = 24 * MIB
MENU = f"""menuentry "tiny" {{
    linux /boot/vmlinuz {ARGUMENTS}
    initrd /boot/initrd
}}
"""


@pytest.fixture(scope="module")
def disk(tiny, tmp_path_factory):
    """Bytes of a disk that is one file system with the tiny guest's kernel on it."""
    folder = tmp_path_factory.mktemp("pygrub")
    boot = folder / "tree" / "boot"
    (boot / "grub").mkdir(parents=True)
    (boot / "grub" / "grub.cfg").write_text(MENU)
    for name in ("vmlinuz", "initrd"):
        shutil.copy(os.path.join(tiny, name), boot)
    subprocess.run(["/sbin/mke2fs", "-q", "-t", "ext2", "-d", folder / "tree", folder / "disk", f"{SIZE // 1024}k"], check=True)
    return (folder / "disk").read_bytes()


@pytest.fixture
def guest(request, rig, session, nothing_left):
    guest = Guest(rig, session, request.param, PV_kernel="", PV_ramdisk="", PV_args="", PV_bootloader="pygrub")
    guest.add_disk("0", SIZE)
    yield guest
    guest.remove()


@pytest.mark.parametrize("guest", ["pv", "pvh"], indirect=True)
def test_its_kernel_is_on_its_disk(guest, disk):
    guest.fill(guest.disks[0], disk)
    guest.start().wait(READY)


@pytest.mark.parametrize("guest", ["pvh"], indirect=True)
def test_a_disk_without_a_kernel(session, guest):
    with pytest.raises(ApiError):
        session.VM.start(guest.vm, False, False)
    assert guest.state() == "Halted" and guest.uuid not in guest.rig.shell("xl list -v")
