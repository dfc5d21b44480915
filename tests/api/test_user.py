# SPDX-License-Identifier: LGPL-2.1-or-later
"""Rows of class user."""


def test_user(xen, fails):
    ref = xen.user.create({"short_name": "s", "fullname": "f", "other_config": {"a": "b"}})
    assert xen.user.get_short_name(ref) == "s"
    assert xen.user.get_by_uuid(xen.user.get_uuid(ref)) == ref
    xen.user.destroy(ref)
    fails("HANDLE_INVALID", xen.user.destroy, ref)
