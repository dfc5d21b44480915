# SPDX-License-Identifier: LGPL-2.1-or-later
"""A disk with a GUID partition table that boots by BIOS and by UEFI, written as a plain file: no root, no loop device.

    sector 0      boot.img (loads the first sector of GRUB's core) and the protective table
    BIOS boot     GRUB's core; its first sector loads the rest of it
    EFI           FAT, GRUB as the program that firmware starts from a disk it does not know
    root          ext4, filled from a directory; the last one, so that further partitions may follow on a larger disk
"""

import os
import struct
import subprocess
import uuid
import zlib

from guestimage import disk

SECTOR = 512
ALIGN = 2048  # sectors: 1 MiB
CORE_SECTORS, ESP_SECTORS = 1 * ALIGN, 64 * ALIGN
CORE_START = ALIGN
ESP_START = CORE_START + CORE_SECTORS
ROOT_START = ESP_START + ESP_SECTORS
ENTRIES, ENTRY = 128, 128  # of the table: number, bytes
TABLE_SECTORS = ENTRIES * ENTRY // SECTOR

BIOS_BOOT = uuid.UUID("21686148-6449-6e6f-744e-656564454649")
ESP = uuid.UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
ROOT_X86_64 = uuid.UUID("4f68bce3-e8cd-4db1-96e7-fbcaf984b709")

# Where boot.img and the first sector of the core say what they load (GRUB's include/grub/i386/pc/boot.h).
KERNEL_SECTOR_AT, DRIVE_CHECK_AT, BLOCK_LIST_AT = 0x5C, 0x66, SECTOR - 12
NO_OPERATIONS = b"\x90\x90"


def _table(partitions, seed):
    entries = b""
    for name, kind, start, sectors in partitions:
        unique = uuid.uuid5(seed, name)
        entries += struct.pack("<16s16sQQQ72s", kind.bytes_le, unique.bytes_le, start, start + sectors - 1, 0,
                               name.encode("utf-16-le"))
    return entries.ljust(ENTRIES * ENTRY, b"\0")


def _header(entries, seed, own, other, table, last):
    def packed(crc):
        return struct.pack("<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, crc, 0, own, other, 2 + TABLE_SECTORS,
                           last - 1 - TABLE_SECTORS, uuid.uuid5(seed, "disk").bytes_le, table, ENTRIES, ENTRY, zlib.crc32(entries))
    return packed(zlib.crc32(packed(0))).ljust(SECTOR, b"\0")


def _first_sector(sectors):
    with open("/usr/lib/grub/i386-pc/boot.img", "rb") as image:
        code = bytearray(image.read(disk.BOOT_CODE))
    struct.pack_into("<Q", code, KERNEL_SECTOR_AT, CORE_START)
    code[DRIVE_CHECK_AT:DRIVE_CHECK_AT + 2] = NO_OPERATIONS  # as GRUB's installer does for hard disks: some firmware lies
    protective = struct.pack("<B3sB3sII", 0, b"\x00\x02\x00", 0xEE, b"\xff\xff\xff", 1, min(sectors - 1, 0xFFFFFFFF))
    return bytes(code) + b"\0" * 6 + protective.ljust(64, b"\0") + b"\x55\xaa"


def _core(work, config, modules):
    core = bytearray(disk.grub_image(work, "i386-pc", config, modules))
    if len(core) > CORE_SECTORS * SECTOR:
        raise disk.DiskError(f"GRUB's core image of {len(core)} bytes does not fit into its partition")
    struct.pack_into("<Q", core, BLOCK_LIST_AT, CORE_START + 1)
    return core


def write(path, tree, mib, label, grub_config, work, seed, modules=(), wrap=()):
    """Writes a raw disk of mib MiB to path, whose ext4 root called label holds tree, booting by grub_config.

    ($root) is the root partition there. modules: GRUB's, beside the usual ones. seed (a UUID) decides all identifiers: same
    input, same table. wrap goes before mke2fs (a user namespace in which tree has its right owners).
    """
    sectors = mib * ALIGN
    root_sectors = sectors - ROOT_START - ALIGN  # the copy of the table lies in the last 1 MiB
    config = f"search --no-floppy --set=root --label {label}\n" + grub_config
    modules = ["part_gpt", *modules]
    partitions = [("bios-boot", BIOS_BOOT, CORE_START, CORE_SECTORS), ("efi", ESP, ESP_START, ESP_SECTORS),
                  (label, ROOT_X86_64, ROOT_START, root_sectors)]
    entries, last = _table(partitions, seed), sectors - 1
    with open(path, "wb") as out:
        out.truncate(sectors * SECTOR)
        out.write(_first_sector(sectors))
        out.write(_header(entries, seed, 1, last, 2, last) + entries)
        out.seek(CORE_START * SECTOR)
        out.write(_core(work, config, modules))
        out.seek(ESP_START * SECTOR)
        out.write(disk.efi_partition(work, disk.grub_image(work, "x86_64-efi", config, modules), ESP_SECTORS))
        out.seek((last - TABLE_SECTORS) * SECTOR)
        out.write(entries + _header(entries, seed, last, 1, last - TABLE_SECTORS, last))
    disk.write_ext4(path, tree, ROOT_START, root_sectors, label, wrap, ["-U", str(uuid.uuid5(seed, "root"))])
