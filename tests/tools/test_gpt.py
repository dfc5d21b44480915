# SPDX-License-Identifier: LGPL-2.1-or-later
"""The appliance's partition table: what Debian's own tools say of it, and that the boot code leads to GRUB's core."""

import json
import os
import shutil
import struct
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from appliance import gpt  # noqa: E402 (the path is set above)

SEED = uuid.UUID("00000000-0000-4000-8000-000000000001")
os.environ["PATH"] += ":/usr/sbin:/sbin"


def write(folder):
    tree, work = folder / "tree", folder / "work"
    (tree / "boot/grub").mkdir(parents=True)
    (tree / "hello").write_text("world\n")
    work.mkdir()
    path = folder / "disk.raw"
    gpt.write(str(path), str(tree), 128, "test-root", "normal\n", str(work), SEED)
    return path


@pytest.fixture(scope="module")
def disk(tmp_path_factory):
    return write(tmp_path_factory.mktemp("disk"))


def sector(disk, number, count=1):
    with open(disk, "rb") as data:
        data.seek(number * 512)
        return data.read(count * 512)


def test_sfdisk_reads_it(disk):
    done = subprocess.run(["/sbin/sfdisk", "--verify", disk], capture_output=True, text=True)
    assert "No errors detected" in done.stdout, done.stdout + done.stderr
    table = json.loads(subprocess.run(["/sbin/sfdisk", "--json", disk], capture_output=True, text=True, check=True).stdout)["partitiontable"]
    assert table["label"] == "gpt"
    assert [part["name"] for part in table["partitions"]] == ["bios-boot", "efi", "test-root"]
    assert table["partitions"][0]["type"].lower() == str(gpt.BIOS_BOOT)


def test_the_copy_at_the_end_is_as_good(disk, tmp_path):
    copy = tmp_path / "copy.raw"
    shutil.copy(disk, copy)
    with open(copy, "r+b") as data:
        data.seek(512)
        data.write(b"\0" * 512 * 33)
    done = subprocess.run(["/sbin/sfdisk", "--json", copy], capture_output=True, text=True, check=True)
    assert len(json.loads(done.stdout)["partitiontable"]["partitions"]) == 3


def test_boot_code_leads_to_the_core(disk):
    first = sector(disk, 0)
    assert first[510:] == b"\x55\xaa" and first[450] == 0xEE
    assert struct.unpack_from("<Q", first, gpt.KERNEL_SECTOR_AT)[0] == gpt.CORE_START
    start, count, segment = struct.unpack_from("<QHH", sector(disk, gpt.CORE_START), gpt.BLOCK_LIST_AT)
    assert start == gpt.CORE_START + 1 and segment == 0x820
    core = sector(disk, gpt.CORE_START, gpt.CORE_SECTORS).rstrip(b"\0")
    assert 0 <= (count + 1) * 512 - len(core) < 2048


def test_what_is_in_the_partitions(disk):
    listed = subprocess.run(["mdir", "-b", "-i", f"{disk}@@{gpt.ESP_START * 512}", "::EFI/BOOT"], capture_output=True, text=True, check=True)
    assert "BOOTX64.EFI" in listed.stdout
    said = subprocess.run(["debugfs", "-R", "cat /hello", f"{disk}?offset={gpt.ROOT_START * 512}"], capture_output=True, text=True)
    assert said.stdout == "world\n", said.stderr


def test_same_input_same_table(disk, tmp_path):
    again = write(tmp_path)
    assert sector(again, 0, gpt.ROOT_START) == sector(disk, 0, gpt.ROOT_START)
