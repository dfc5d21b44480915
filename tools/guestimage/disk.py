# SPDX-License-Identifier: LGPL-2.1-or-later
"""Boot disks written as plain files: a root partition filled from a directory, GRUB for PC BIOS and for UEFI.

No loop device, no mount, no root. For a BIOS, GRUB is put where its own installer puts it: boot.img in the first sector, the
core image in the gap before the first partition. boot.img loads the core from sector 1 and diskboot.img the rest from sector 2
as shipped, so that nothing has to be patched as long as the core lies there in one piece. UEFI firmware finds the same GRUB as
a program on a small FAT partition. That one lies before the root partition, which can therefore grow with its disk.
"""

import os
import struct
import subprocess

SECTOR = 512
ESP_START, ESP_SECTORS = 2048, 8192  # the usual 1 MiB gap, GRUB's core lies in it; then 4 MiB
ROOT_START = ESP_START + ESP_SECTORS
LINUX, ESP = 0x83, 0xEF  # partition types
GRUB_COMMON = ["part_msdos", "ext2", "search", "search_label", "linux", "normal", "configfile", "echo", "test"]
GRUB = {
    "i386-pc": ["biosdisk"],
    "x86_64-efi": ["all_video", "efi_gop"],
}
BOOT_CODE = 440  # bytes of the first sector before the disk signature and the partition table


class DiskError(Exception):
    pass


def grub_image(work, platform, config, modules=()):
    """Builds GRUB for a platform with config (text) and further modules inside; gives back its bytes."""
    config_path, image_path = os.path.join(work, f"grub-{platform}.cfg"), os.path.join(work, f"grub-{platform}")
    with open(config_path, "w") as out:
        out.write(config)
    subprocess.run(["grub-mkimage", "-O", platform, "-d", f"/usr/lib/grub/{platform}", "-p", "/boot/grub", "-c", config_path,
                    "-o", image_path, *GRUB_COMMON, *GRUB[platform], *modules], check=True)
    with open(image_path, "rb") as image:
        return image.read()


def first_sector(root_sectors, signature):
    """boot.img with a table of two partitions: root first, so that it is number one."""
    with open("/usr/lib/grub/i386-pc/boot.img", "rb") as image:
        code = image.read(BOOT_CODE)
    table = b""
    for flags, kind, start, count in ((0x80, LINUX, ROOT_START, root_sectors), (0, ESP, ESP_START, ESP_SECTORS)):
        # status, CHS of first, type, CHS of last (beyond reach: use LBA), LBA of first, count
        table += struct.pack("<B3sB3sII", flags, b"\xfe\xff\xff", kind, b"\xfe\xff\xff", start, count)
    return code.ljust(BOOT_CODE, b"\0") + struct.pack("<IH", signature, 0) + table.ljust(64, b"\0") + b"\x55\xaa"


def efi_partition(work, grub, sectors=ESP_SECTORS):
    """A FAT file system with grub as the program that UEFI starts from a disk it does not know."""
    program, image = os.path.join(work, "BOOTX64.EFI"), os.path.join(work, "esp.img")
    with open(program, "wb") as out:
        out.write(grub)
    with open(image, "wb") as out:
        out.truncate(sectors * SECTOR)
    # a fixed serial number and time: same input, same bytes
    for argv in (["mformat", "-i", image, "-v", "EFI", "-N", "58656e6f", "::"], ["mmd", "-i", image, "::EFI", "::EFI/BOOT"],
                 ["mcopy", "-i", image, program, "::EFI/BOOT/"]):
        subprocess.run(argv, check=True, env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000"})
    with open(image, "rb") as partition:
        return partition.read()


def write_ext4(path, tree, start, sectors, label, wrap=(), options=()):
    """Fills a part of the disk at path with an ext4 file system that holds tree; wrap goes before mke2fs."""
    # lazy tables are off: the guest would spend its first minutes writing them
    argv = [*wrap, "mke2fs", "-q", "-F", "-t", "ext4", "-L", label, "-m", "1", "-O", "^metadata_csum_seed", *options,
            "-E", f"offset={start * SECTOR},lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0",
            "-d", tree, path, f"{sectors * SECTOR // 1024}k"]
    done = subprocess.run(argv, capture_output=True, text=True)
    if done.returncode != 0:
        raise DiskError(f"mke2fs: {done.stderr.strip()}")


def write_boot_disk(path, tree, mib, label, grub_config, work, wrap=(), options=()):
    """Writes a raw disk of mib MiB to path: an ext4 partition called label that holds tree, booting by grub_config.

    In grub_config, ($root) is that partition. wrap goes before mke2fs's own arguments (a user namespace in which tree has its
    right owners).
    """
    root_sectors = mib * (1 << 20) // SECTOR - ROOT_START
    config = f"search --no-floppy --set=root --label {label}\n" + grub_config
    core = grub_image(work, "i386-pc", config)
    if len(core) > (ESP_START - 1) * SECTOR:
        raise DiskError(f"GRUB's core image of {len(core)} bytes does not fit before the first partition")
    with open(path, "wb") as disk:
        disk.truncate(mib * (1 << 20))
        disk.write(first_sector(root_sectors, signature=0x58656e6f))
        disk.write(core)
        disk.seek(ESP_START * SECTOR)
        disk.write(efi_partition(work, grub_image(work, "x86_64-efi", config)))
    write_ext4(path, tree, ROOT_START, root_sectors, label, wrap, options)
