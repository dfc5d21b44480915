# SPDX-License-Identifier: LGPL-2.1-or-later
"""The tiny guest: Debian's kernel for virtual machines and busybox, as kernel + initramfs and as a boot disk.

Its serial console says `XENOLITH-TINY READY`, then `counter N` every second, and holds a shell. It obeys the power
button and Ctrl-Alt-Del, answers as a guest agent, takes an address by DHCP and knows a few commands for tests (see files/tiny-rc).
"""

import os
import shutil
import subprocess

from . import cpio, debs, disk, modules
from .cache import HERE, Progress

SOURCES = ["tiny.py", "cpio.py", "modules.py", "disk.py", "files/tiny-rc", "files/tiny-agent", "files/tiny-pattern"]
KERNEL = "linux-image-cloud-amd64"
DISK_MIB = 32
# quiet: each line on an emulated serial port costs time
COMMAND_LINE = "console=tty0 console=ttyS0,115200 quiet panic=10 mitigations=off"
BUSYBOX = "/bin/busybox"
WANTED_MODULES = """
    virtio_pci virtio_blk virtio_scsi sd_mod sr_mod isofs virtio_net virtio_console virtio_balloon virtio_rng virtio_mem
    button evdev qemu_fw_cfg xen_blkfront xen_netfront
""".split()
LINKS = ["sh", "init", "getty", "mount", "poweroff", "reboot", "halt"]

GRUB_CONFIG = f"""
linux /boot/vmlinuz {COMMAND_LINE} root=/dev/ram0
initrd /boot/initrd
boot
"""

INITTAB = """::sysinit:/etc/rc
ttyS0::respawn:-/bin/sh
tty1::askfirst:-/bin/sh
hvc0::respawn:-/bin/sh
::ctrlaltdel:/sbin/reboot
::shutdown:/bin/echo XENOLITH-TINY DOWN
"""

PROFILE = "export PS1='tiny# ' HOME=/root PATH=/bin:/sbin:/usr/bin:/usr/sbin\n"
DHCP_SCRIPT = """#!/bin/sh
# called by udhcpc with the lease in the environment
case "$1" in
bound | renew)
    ip address flush dev "$interface"
    ip address add "$ip/${mask:-24}" dev "$interface"
    [ -z "$router" ] || ip route replace default via "${router%% *}"
    [ -z "$dns" ] || echo "nameserver ${dns%% *}" >/etc/resolv.conf
    [ "$1" = renew ] || echo "XENOLITH-TINY ADDRESS $interface $ip" >/dev/console
    ;;
esac
"""


def _read(name):
    with open(os.path.join(HERE, "files", name), "rb") as source:
        return source.read()


def initramfs(kernel_tree):
    """The archive: busybox, modules in load order, the guest's own scripts."""
    archive = cpio.Archive()
    for path in ["bin", "sbin", "usr", "usr/bin", "usr/sbin", "usr/share", "usr/share/udhcpc", "etc", "etc/acpi",
                 "etc/acpi/PWRF", "dev", "proc", "sys", "run", "root", "tmp", "mnt", "lib", "lib/modules"]:
        archive.directory(path)
    archive.char_device("dev/console", 5, 1)
    with open(BUSYBOX, "rb") as binary:
        archive.file("bin/busybox", binary.read(), 0o755)
    for name in LINKS:
        archive.symlink(f"bin/{name}" if name != "init" else "sbin/init", "/bin/busybox")
    names = []
    for number, path in enumerate(modules.load_order(modules.find(kernel_tree), WANTED_MODULES)):
        names.append(f"{number:02}-{os.path.basename(path)}")
        with open(path, "rb") as module:
            archive.file("lib/modules/" + names[-1], module.read())
    archive.symlink("init", "/sbin/init")
    archive.file("etc/inittab", INITTAB.encode())
    archive.file("etc/profile", PROFILE.encode())
    archive.file("etc/passwd", b"root::0:0:root:/root:/bin/sh\n")
    archive.file("etc/rc", _read("tiny-rc"), 0o755)
    archive.file("etc/acpi/PWRF/00000080", b"#!/bin/sh\necho XENOLITH-TINY POWER BUTTON >/dev/console\nexec poweroff\n", 0o755)
    archive.file("usr/share/udhcpc/default.script", DHCP_SCRIPT.encode(), 0o755)
    archive.file("usr/bin/pattern", _read("tiny-pattern"), 0o755)
    archive.file("usr/sbin/agent", _read("tiny-agent"), 0o755)
    return archive.compressed()


def _check_busybox():
    done = subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True)
    missing = {"acpid", "udhcpc", "getty", "insmod"} - set(done.stdout.split())
    if missing:
        raise debs.PackageError(f"{BUSYBOX} lacks {', '.join(sorted(missing))}: is busybox-static installed?")


def make(work, out):
    progress = Progress("tiny guest")
    _check_busybox()
    progress.step("downloading Debian's kernel")
    packages = debs.Packages(work)
    tree = os.path.join(work, "kernel")
    packages.unpack(packages.newest_kernel(KERNEL), tree)
    progress.step("writing initramfs and boot disk")
    boot = os.path.join(work, "tree", "boot")
    os.makedirs(boot)
    kernel = [name for name in os.listdir(os.path.join(tree, "boot")) if name.startswith("vmlinuz-")][0]
    shutil.copyfile(os.path.join(tree, "boot", kernel), os.path.join(boot, "vmlinuz"))
    with open(os.path.join(boot, "initrd"), "wb") as archive:
        archive.write(initramfs(os.path.join(tree, "lib")))
    disk.write_boot_disk(os.path.join(out, "disk.raw"), os.path.join(work, "tree"), DISK_MIB, "tiny", GRUB_CONFIG, work,
                         options=["-O", "^has_journal", "-N", "64"])
    for name in ("vmlinuz", "initrd"):
        shutil.copyfile(os.path.join(boot, name), os.path.join(out, name))
    with open(os.path.join(out, "cmdline"), "w") as text:
        text.write(COMMAND_LINE + "\n")
    progress.step("done")
