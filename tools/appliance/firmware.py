# SPDX-License-Identifier: LGPL-2.1-or-later
"""UEFI firmware for guests on Xen, built from Debian's source package edk2: its binary packages have that of QEMU only.

Two changes are made to Debian's sources. One of Debian's patches is taken back, for with it this platform lacks a library. And
the handlers of interrupts leave CR8 alone: no part of the firmware changes it, so there is nothing to keep; but QEMU 7.2,
emulating a processor with a guest of a guest, ended itself when that wrote CR8, and in QEMU 10 its reading failed (docs/xen.md).
"""

import os
import re
import shutil
import subprocess

from guestimage import cache, debs
from guestimage.cache import Progress

HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGE = "edk2"
PLATFORM = "OvmfPkg/OvmfXen.dsc"
NAME = "ovmf-xen.fd"
NOT_FOR_XEN = "debian/patches/Disable-the-Shell-when-SecureBoot-is-enabled.patch"
HANDLERS = [f"UefiCpuPkg/Library/CpuExceptionHandlerLib/X64/{name}.nasm" for name in ("ExceptionHandlerAsm", "Xcode5ExceptionHandlerAsm")]
TOOLCHAIN = "GCC5"
BUILD = f"""
set -e
export PYTHON3_ENABLE=TRUE
. ./edksetup.sh
make -C BaseTools -j{os.cpu_count()} ARCH=X64
build -a X64 -t {TOOLCHAIN} -b RELEASE -n {os.cpu_count()} -p {PLATFORM}
"""


class FirmwareError(Exception):
    pass


def _leave_cr8(path):
    """The handler neither reads CR8, its place among what is kept holds 0, nor writes it."""
    with open(path, newline="") as source:
        text = source.read()
    text, reads = re.subn(r"\bmov\s+rax, cr8\b", "xor rax, rax", text)
    text, writes = re.subn(r"\bmov\s+cr8, rax\b", "", text)
    if (reads, writes) != (1, 1):
        raise FirmwareError(f"{path} reads CR8 {reads} times and writes it {writes} times: what is to be changed there?")
    with open(path, "w", newline="") as source:
        source.write(text)


def _prepare(tree):
    with open(os.path.join(tree, NOT_FOR_XEN), "rb") as patch:
        subprocess.run(["patch", "--reverse", "--strip=1", "--silent"], cwd=tree, stdin=patch, check=True)
    for path in HANDLERS:
        _leave_cr8(os.path.join(tree, path))


def make(work, out):
    progress = Progress("UEFI firmware for Xen")
    progress.step(f"downloading Debian's source package {PACKAGE}")
    tree = os.path.join(work, PACKAGE)
    debs.Packages(work).unpack_source(PACKAGE, tree)
    _prepare(tree)
    progress.step("building (some minutes)")
    log = os.path.join(work, "build.log")
    with open(log, "wb") as said:
        done = subprocess.run(["bash", "-c", BUILD], cwd=tree, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
    if done.returncode != 0:
        with open(log, errors="replace") as said:
            raise FirmwareError("the build failed; the end of what it said:\n" + "".join(said.readlines()[-30:]))
    platform = os.path.splitext(os.path.basename(PLATFORM))[0]
    shutil.copy(os.path.join(tree, "Build", platform, f"RELEASE_{TOOLCHAIN}", "FV", "OVMF.fd"), os.path.join(out, NAME))
    shutil.copy(os.path.join(tree, "debian", "copyright"), out)
    progress.step("done")


def obtain():
    """Folder with the firmware and its licence."""
    return cache.obtain("ovmf-xen", cache.recipe(["firmware.py"], HERE), make)
