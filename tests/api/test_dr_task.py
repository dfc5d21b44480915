# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disaster recovery: refused with the reason."""


def test_dr_task(xen, fails):
    assert fails("SR_UNKNOWN_DRIVER", xen.DR_task.create, "floppy", {}, []) == ["floppy"]
    fails("OPERATION_NOT_ALLOWED", xen.DR_task.create, "file", {}, [])
    fails("HANDLE_INVALID", xen.DR_task.destroy, "OpaqueRef:none")
