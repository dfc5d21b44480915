# SPDX-License-Identifier: LGPL-2.1-or-later
"""The contract suite of hypervisor drivers over QEMU, which needs a guest to boot."""

import subprocess

from conftest import api

TESTS = api.BUILD / "tests" / "contract" / "test_contract_hv"


def test_the_qemu_driver_keeps_the_contract(tiny):
    done = subprocess.run([TESTS, "qemu"], env={"XENOLITH_TINY": str(tiny), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
