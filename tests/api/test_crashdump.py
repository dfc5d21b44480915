# SPDX-License-Identifier: LGPL-2.1-or-later
"""Dumps of crashes: none are made."""

NONE, NULL = "OpaqueRef:none", "OpaqueRef:NULL"


def test_no_rows(xen, fails):
    assert xen.host_crashdump.get_all() == []
    fails("HANDLE_INVALID", xen.crashdump.destroy, NONE)
    fails("HANDLE_INVALID", xen.host_crashdump.destroy, NONE)
    fails("NOT_IMPLEMENTED", xen.host_crashdump.upload, NULL, "", {})
