# SPDX-License-Identifier: LGPL-2.1-or-later
"""The Debian guest: Debian 12 as people install it, on a disk that boots by itself.

systemd, a login on the serial console (root, no password there), ssh, cloud-init for seed disks (NoCloud, ConfigDrive) and
QEMU's guest agent. /boot/grub/grub.cfg names the kernel by Debian's /vmlinuz link, so a newer kernel is taken after an upgrade.
"""

import os
import shlex
import subprocess

from . import debs, disk
from .cache import HERE, Progress

SOURCES = ["debian.py", "disk.py", "debs.py", "files/debian-setup"]
DISK_MIB = 2048
KERNEL = "linux-image-cloud-amd64"
PACKAGES = """
    systemd systemd-sysv udev dbus login passwd procps kmod iproute2 iputils-ping netbase ca-certificates
    systemd-resolved openssh-server cloud-init cloud-guest-utils sudo qemu-guest-agent e2fsprogs fdisk less vim-tiny
    initramfs-tools apt
""".split()
EXCLUDED = ["/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*"]
COMMAND_LINE = "root=LABEL=debian-root ro console=tty0 console=ttyS0,115200 quiet mitigations=off net.ifnames=0"
GRUB_EMBEDDED = "configfile ($root)/boot/grub/grub.cfg\n"
GRUB_CONFIG = f"""# plain entry: /vmlinuz and /initrd.img are kept up to date by Debian's kernel packages
linux /vmlinuz {COMMAND_LINE}
initrd /initrd.img
boot
"""


def bootstrap(work, packages, tarball):
    """Debian's tree as a tar archive. mmdebstrap chooses by itself how: as root, or in a user namespace."""
    setup = os.path.join(HERE, "files", "debian-setup")
    grub = os.path.join(work, "disk-grub.cfg")
    with open(grub, "w") as out:
        out.write(GRUB_CONFIG)
    hooks = ["mkdir -p \"$1/etc/initramfs-tools/conf.d\" \"$1/boot/grub\"",
             "printf 'MODULES=list\\nBUSYBOX=no\\nCOMPRESS=lz4\\nRESUME=none\\n' >\"$1/etc/initramfs-tools/conf.d/xenolith\"",
             "mkdir -p \"$1/etc/initramfs-tools\" && printf 'virtio_pci\\nvirtio_blk\\nvirtio_scsi\\nsd_mod\\n' >\"$1/etc/initramfs-tools/modules\""]
    argv = ["mmdebstrap", "--quiet", "--variant=minbase", "--format=tar",
            "--include=" + ",".join([*PACKAGES, KERNEL]),
            "--aptopt=Apt::Install-Recommends false",
            *[f"--dpkgopt=path-exclude={pattern}" for pattern in EXCLUDED],
            *[f"--extract-hook={hook}" for hook in hooks],
            f"--customize-hook=upload {shlex.quote(setup)} /tmp/setup",
            f"--customize-hook=upload {shlex.quote(grub)} /boot/grub/grub.cfg",
            "--customize-hook=chroot \"$1\" sh /tmp/setup",
            debs.CODENAME, tarball, *packages.sources]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise debs.PackageError("mmdebstrap:\n" + "\n".join(done.stderr.splitlines()[-25:]))


def as_root():
    """Words before a command that must own files as root: none for root, else a user namespace."""
    return [] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--map-auto", "--"]


def make(work, out):
    progress = Progress("Debian guest")
    progress.step("fetching and configuring Debian's packages (some minutes)")
    packages = debs.Packages(work)
    tarball = os.path.join(work, "root.tar")
    bootstrap(work, packages, tarball)
    progress.step("unpacking")
    tree = os.path.join(work, "tree")
    os.mkdir(tree)
    subprocess.run([*as_root(), "tar", "-xpf", tarball, "-C", tree, "--numeric-owner", "--exclude=./dev/*"], check=True)
    os.unlink(tarball)
    progress.step("writing the boot disk")
    disk.write_boot_disk(os.path.join(out, "disk.raw"), tree, DISK_MIB, "debian-root", GRUB_EMBEDDED, work, wrap=as_root())
    subprocess.run([*as_root(), "rm", "-rf", tree], check=True)
    progress.step("done")
