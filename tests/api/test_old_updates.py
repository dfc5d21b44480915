# SPDX-License-Identifier: LGPL-2.1-or-later
"""Updates and patches of earlier products: none can be had, and that is said."""

NONE, NULL = "OpaqueRef:none", "OpaqueRef:NULL"


def test_no_rows(xen, fails):
    host = xen.host.get_all()[0]
    xen.pool_update.resync_host(host)
    fails("HANDLE_INVALID", xen.pool_update.resync_host, NONE)
    for call in (xen.pool_update.destroy, xen.pool_update.pool_clean, xen.pool_update.detach, xen.pool_patch.destroy,
                 xen.pool_patch.clean, xen.pool_patch.pool_clean, xen.host_patch.destroy):
        fails("HANDLE_INVALID", call, NONE)
    fails("HANDLE_INVALID", xen.pool_patch.clean_on_host, NONE, host)


def test_refused(xen, fails):
    host = xen.host.get_all()[0]
    for code, call, *args in (
            ("INVALID_UPDATE", xen.pool_update.introduce, NULL),
            ("UPDATE_PRECHECK_FAILED_UNKNOWN_ERROR", xen.pool_update.precheck, NULL, host),
            ("UPDATE_APPLY_FAILED", xen.pool_update.apply, NULL, host),
            ("UPDATE_POOL_APPLY_FAILED", xen.pool_update.pool_apply, NULL),
            ("CANNOT_FIND_UPDATE", xen.pool_update.attach, NULL),
            ("PATCH_PRECHECK_FAILED_UNKNOWN_ERROR", xen.pool_patch.precheck, NULL, host),
            ("PATCH_APPLY_FAILED", xen.pool_patch.apply, NULL, host),
            ("PATCH_APPLY_FAILED", xen.pool_patch.pool_apply, NULL),
            ("PATCH_APPLY_FAILED", xen.host_patch.apply, NULL)):
        fails(code, call, *args)
