# SPDX-License-Identifier: LGPL-2.1-or-later
"""The contract suite of hypervisor drivers (tests/contract/test_hv.c) over libxl, run in the control domain."""

import os
import subprocess

import pytest

from conftest import BUILD
from guests import ARGUMENTS

FOLDER = "/var/tmp/contract"
PROGRAM = os.path.join(BUILD, "tests/contract/test_contract_hv")


def put(rig, path, name):
    with open(path, "rb") as source:
        subprocess.run(rig.ssh(f"cat >{FOLDER}/{name} && chmod 755 {FOLDER}/{name}"), stdin=source, check=True, timeout=120)


@pytest.fixture(scope="module")
def program(rig, tiny):
    """The program, the library it was linked with, and a guest for it."""
    rig.shell(f"mkdir -p {FOLDER}")
    library, = [line.split()[2] for line in subprocess.run(["ldd", PROGRAM], check=True, capture_output=True, text=True).stdout.splitlines()
                if "libcmocka" in line]
    put(rig, PROGRAM, "test_contract_hv")
    put(rig, library, "libcmocka.so.0")
    for name in ("vmlinuz", "initrd"):
        put(rig, os.path.join(tiny, name), name)
    rig.shell(f"echo '{ARGUMENTS}' >{FOLDER}/cmdline")
    yield f"cd {FOLDER} && LD_LIBRARY_PATH={FOLDER} XENOLITH_TINY={FOLDER} ./test_contract_hv libxl /usr/libexec/xenolith/xenolith-libxl"
    rig.shell(f"rm -r {FOLDER}")


def test_the_libxl_driver_keeps_the_contract(rig, program, nothing_left):
    said = rig.shell(f"{program} 2>&1; echo status $?", limit=900.0)
    assert "status 0" in said and "[  PASSED  ]" in said, said[-4000:]
