# SPDX-License-Identifier: LGPL-2.1-or-later
"""Drivers in several versions: there are none."""

NONE = "OpaqueRef:none"


def test_no_rows(xen, fails):
    host = xen.host.get_all()[0]
    for rescan in (xen.Host_driver.rescan, xen.host.rescan_drivers):
        rescan(host)
        fails("HANDLE_INVALID", rescan, NONE)
    assert xen.Host_driver.get_all() == []
    fails("HANDLE_INVALID", xen.Host_driver.select, NONE, NONE)
    fails("HANDLE_INVALID", xen.Host_driver.deselect, NONE)
    fails("HANDLE_INVALID", xen.Driver_variant.select, NONE)
