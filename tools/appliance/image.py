# SPDX-License-Identifier: LGPL-2.1-or-later
"""The appliance: a disk that boots Xen and a Debian control domain with both daemons, by BIOS or UEFI, from its own GRUB.

Made in two layers, so that a change of ours costs no bootstrap: Debian's packages as a tar archive, made once a release;
our packages and settings on top of it. Neither needs root: mmdebstrap works in a user namespace by itself.
"""

import os
import re
import shlex
import subprocess
import sys
import uuid

from guestimage import cache, debs
from guestimage.cache import Progress
from guestimage.debian import as_root

from . import firmware, gpt, package

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCES = ["image.py", "gpt.py", "files/setup"]
DISK_MIB = 4096  # more is taken at the first boot, if the disk has it
LABEL = "xenolith-root"
PACKAGES = """
    systemd systemd-sysv udev dbus login passwd procps kmod iproute2 iputils-ping netbase ca-certificates less vim-tiny
    systemd-resolved systemd-timesyncd openssh-server e2fsprogs xfsprogs cifs-utils dosfstools fdisk initramfs-tools zstd apt bash-completion
    linux-image-amd64 xen-system-amd64 qemu-system-xen qemu-system-x86 qemu-utils qemu-block-extra seabios ovmf ipxe-qemu
    bridge-utils ethtool pciutils
""".split()
# Dependencies that a release has within other packages.
OTHERWISE = {"bookworm": {"systemd-repart"}}
EXCLUDED = ["/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*"]
LICENCES = "/usr/share/doc/*/copyright"  # stay: the image is given to others
GRUB_MODULES = ["multiboot2", "gzio", "serial", "terminal", "minicmd", "sleep", "reboot", "halt", "cat", "ls", "regexp"]
GRUB_EMBEDDED = "set prefix=($root)/boot/grub\nnormal ($root)/boot/grub/grub.cfg\n"


def _mmdebstrap(words):
    argv = ["mmdebstrap", "--quiet", "--format=tar", "--aptopt=Apt::Install-Recommends false",
            *[f"--dpkgopt=path-exclude={pattern}" for pattern in EXCLUDED], f"--dpkgopt=path-include={LICENCES}", *words]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise debs.PackageError("mmdebstrap:\n" + "\n".join(done.stderr.splitlines()[-25:]))


def needs(packages):
    """Names of Debian's packages that ours depend on: of alternatives the first."""
    names = set()
    for path in packages:
        depends = subprocess.run(["dpkg-deb", "--field", path, "Depends"], capture_output=True, text=True, check=True).stdout
        names |= {re.split(r"[\s(:|]", part.strip())[0] for part in depends.split(",")}
    return sorted(name for name in names if name and not name.startswith("xenolith"))


def base(release, packages):
    """Path of the archive with Debian's own packages, those that ours need among them: later there is no network."""
    wanted = sorted({*PACKAGES, *(name for name in needs(packages) if name not in OTHERWISE.get(release, {}))})

    def make(work, out):
        progress = Progress(f"Debian {release} with Xen")
        progress.step("fetching and configuring Debian's packages (some minutes)")
        _mmdebstrap(["--variant=minbase", "--include=" + ",".join(wanted), release, os.path.join(out, "base.tar"),
                     *debs.Packages(work, release).sources])
        progress.step("done")

    return os.path.join(cache.obtain(f"xen-base-{release}", cache.recipe([], words=[release, *wanted, *EXCLUDED, LICENCES]), make), "base.tar")


def guests_firmware():
    """Folder with the firmware of UEFI guests; None if its sources are out of reach, which is no reason to have no image."""
    try:
        return firmware.obtain()
    except (firmware.FirmwareError, debs.PackageError, subprocess.CalledProcessError) as error:
        print(f"no UEFI firmware for guests on Xen, the image is made without: {error}", file=sys.stderr, flush=True)
        return None


def _firmware_hooks(uefi):
    if uefi is None:
        return []
    places = {firmware.NAME: "usr/share/xenolith", "copyright": "usr/share/doc/ovmf-xen"}
    return [f"--customize-hook=mkdir -p \"$1/{place}\"" for place in places.values()] + [
        f"--customize-hook=upload {shlex.quote(os.path.join(uefi, name))} /{place}/{name}" for name, place in places.items()]


def make(work, out, release, archive, packages, uefi):
    progress = Progress(f"appliance on {release}")
    progress.step("adding our packages and settings")
    whole, setup = os.path.join(work, "root.tar"), os.path.join(HERE, "files", "setup")
    # Device nodes are for root alone; without them mmdebstrap lends those of this machine while it works.
    nodes = "" if os.geteuid() == 0 else " --exclude='./dev/*'"
    _mmdebstrap(["--variant=custom", "--skip=setup,update,cleanup",
                 f"--setup-hook=tar -C \"$1\" -xpf {shlex.quote(archive)} --numeric-owner{nodes}",
                 "--setup-hook=mkdir -p \"$1/dev/pts\" \"$1/dev/shm\"",
                 "--customize-hook=mkdir -p \"$1/tmp/packages\"",
                 *[f"--customize-hook=upload {shlex.quote(path)} /tmp/packages/{os.path.basename(path)}" for path in packages],
                 *_firmware_hooks(uefi), f"--customize-hook=upload {shlex.quote(setup)} /tmp/setup",
                 "--customize-hook=chroot \"$1\" sh /tmp/setup " + LABEL, release, whole, *debs.Packages(work, release).sources])
    progress.step("unpacking")
    tree = os.path.join(work, "tree")
    os.mkdir(tree)
    subprocess.run([*as_root(), "tar", "-xpf", whole, "-C", tree, "--numeric-owner", "--exclude=./dev/*"], check=True)
    os.unlink(whole)
    progress.step("writing the disk")
    seed = uuid.uuid5(uuid.NAMESPACE_OID, f"xenolith appliance {release}")
    gpt.write(os.path.join(out, "disk.raw"), tree, DISK_MIB, LABEL, GRUB_EMBEDDED, work, seed, GRUB_MODULES, as_root())
    subprocess.run([*as_root(), "rm", "-rf", tree], check=True)
    progress.step("done")


def obtain(release):
    """Folder of the appliance's disk for the tree as it is."""
    folder = package.obtain(release)
    packages = package.files(folder)
    archive = base(release, packages)
    uefi = guests_firmware()
    digest = cache.recipe(SOURCES, HERE, [release, *(os.path.basename(path or "") for path in (folder, os.path.dirname(archive), uefi))])
    return cache.obtain(f"appliance-{release}", digest, lambda work, out: make(work, out, release, archive, packages, uefi))
