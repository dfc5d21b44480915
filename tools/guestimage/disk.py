# SPDX-License-Identifier: LGPL-2.1-or-later
"""Boot disks written as plain files: partition table, ext4 partition filled from a directory, GRUB for a PC BIOS.

No loop device, no mount, no root. GRUB is put where its own installer puts it: boot.img in the first sector, the core image
in the gap before the first partition. boot.img loads the core from sector 1 and diskboot.img the rest from sector 2 as
shipped, so that nothing has to be patched as long as the core lies there in one piece.
"""

import os
import struct
import subprocess

SECTOR = 512
PARTITION_START = 2048  # sectors; the usual 1 MiB gap, GRUB's core lies in it
GRUB_DIR = "/usr/lib/grub/i386-pc"
GRUB_MODULES = ["biosdisk", "part_msdos", "ext2", "linux", "normal", "configfile", "echo", "test", "serial", "terminal"]
BOOT_CODE = 440  # bytes of the first sector before the disk signature and the partition table


class DiskError(Exception):
    pass


def grub_core(work, config):
    """Builds GRUB's core image with config (text) inside; gives back its bytes."""
    config_path, core_path = os.path.join(work, "grub.cfg"), os.path.join(work, "core.img")
    with open(config_path, "w") as out:
        out.write(config)
    # The empty device in the prefix means "the disk that was booted from", whichever number the BIOS gives it.
    subprocess.run(["grub-mkimage", "-O", "i386-pc", "-d", GRUB_DIR, "-p", "(,msdos1)/boot/grub", "-c", config_path,
                    "-o", core_path, *GRUB_MODULES], check=True)
    with open(core_path, "rb") as core:
        return core.read()


def first_sector(partition_sectors, signature):
    """boot.img with a table of one bootable Linux partition."""
    with open(os.path.join(GRUB_DIR, "boot.img"), "rb") as image:
        code = image.read(BOOT_CODE)
    # status, CHS of first, type, CHS of last (all ones: use LBA), LBA of first, count
    entry = struct.pack("<B3sB3sII", 0x80, b"\xfe\xff\xff", 0x83, b"\xfe\xff\xff", PARTITION_START, partition_sectors)
    return code.ljust(BOOT_CODE, b"\0") + struct.pack("<IH", signature, 0) + entry + b"\0" * 48 + b"\x55\xaa"


def write_boot_disk(path, tree, mib, label, grub_config, work, wrap=(), options=()):
    """Writes a raw disk of mib MiB to path: one ext4 partition holding tree, booting by grub_config.

    wrap goes before mke2fs's own arguments (a user namespace in which tree has its right owners).
    """
    sectors = mib * (1 << 20) // SECTOR
    partition = sectors - PARTITION_START
    core = grub_core(work, grub_config)
    if len(core) > (PARTITION_START - 1) * SECTOR:
        raise DiskError(f"GRUB's core image of {len(core)} bytes does not fit before the first partition")
    with open(path, "wb") as disk:
        disk.truncate(sectors * SECTOR)
        disk.write(first_sector(partition, signature=0x58656e6f))
        disk.write(core)
    # lazy tables are off: the guest would spend its first minutes writing them
    argv = [*wrap, "mke2fs", "-q", "-F", "-t", "ext4", "-L", label, "-m", "1", "-O", "^metadata_csum_seed", *options,
            "-E", f"offset={PARTITION_START * SECTOR},lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0",
            "-d", tree, path, f"{partition * SECTOR // 1024}k"]
    done = subprocess.run(argv, capture_output=True, text=True)
    if done.returncode != 0:
        raise DiskError(f"mke2fs: {done.stderr.strip()}")
