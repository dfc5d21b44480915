# SPDX-License-Identifier: LGPL-2.1-or-later
"""A whole machine with UEFI on real Xen: its firmware starts a program of ours from a disk (efi_program.c), by its own drivers."""

import os
import subprocess

import pytest

from conftest import BUILD
from guests import MIB, Guest, until, until_as
from xenrig.traces import traces

FIRMWARE = "/usr/share/xenolith/ovmf-xen.fd"
PROGRAM = os.path.join(BUILD, "tests", "xen", "BOOTX64.EFI")
BOOT_LIMIT = 900.0  # seconds; its way through all devices that a machine may have is long


def efi_disk(folder):
    """Bytes of a disk that is one FAT file system with the program as what UEFI starts from a disk it does not know."""
    image = os.path.join(str(folder), "efi.img")
    with open(image, "wb") as out:
        out.truncate(2 * MIB)
    for argv in (["mformat", "-i", image, "::"], ["mmd", "-i", image, "::EFI", "::EFI/BOOT"], ["mcopy", "-i", image, PROGRAM, "::EFI/BOOT/"]):
        subprocess.run(argv, check=True)
    with open(image, "rb") as disk:
        return disk.read()


@pytest.fixture(scope="module")
def machine(rig, session, tmp_path_factory):
    if not rig.shell(f"ls {FIRMWARE}", check=False):
        pytest.skip("the image was made without firmware for UEFI guests: its sources were out of reach")
    before = traces(rig)
    machine = Guest(rig, session, "hvm", memory=96, HVM_boot_params={"order": "c", "firmware": "uefi"}, platform={"vga": "none"})
    try:
        machine.add_disk("0", 2 * MIB)
        machine.fill(machine.disks[0], efi_disk(tmp_path_factory.mktemp("efi")))
        machine.start()
        yield machine
    finally:
        machine.remove()
    until_as(rig, before)


def test_its_firmware_starts_a_program_from_its_disk(machine):
    machine.console.wait(r"BdsDxe: starting Boot\d+", limit=BOOT_LIMIT)
    machine.console.wait("EFI START 1 by EDK II", limit=BOOT_LIMIT)


def test_it_turns_itself_off(machine):
    machine.console.type("q")
    until("it is off", lambda: machine.state() == "Halted")
