# SPDX-License-Identifier: LGPL-2.1-or-later
"""Secrets."""

import uuid


def test_secret(xen, fails):
    ref = xen.secret.create({"value": "s3cret", "other_config": {"a": "b"}})
    assert xen.secret.get_value(ref) == "s3cret"
    assert xen.secret.get_other_config(ref) == {"a": "b"}
    xen.secret.set_value(ref, "other")
    assert xen.secret.get_value(ref) == "other"
    ident = str(uuid.uuid4())
    second = xen.secret.introduce(ident, "x", {})
    assert xen.secret.get_by_uuid(ident) == second
    fails("INVALID_VALUE", xen.secret.introduce, ident, "x", {})
    fails("INVALID_VALUE", xen.secret.introduce, "no uuid", "x", {})
    for r in (ref, second):
        xen.secret.destroy(r)
    fails("HANDLE_INVALID", xen.secret.destroy, ref)
