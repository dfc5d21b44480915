# SPDX-License-Identifier: LGPL-2.1-or-later
"""Binary objects."""

import pytest


def test_blob(xen, fails):
    ref = xen.blob.create("text/plain", True)
    record = xen.blob.get_record(ref)
    assert (record["mime_type"], record["public"], record["size"]) == ("text/plain", True, "0")
    plain = xen.blob.create("")
    assert (xen.blob.get_mime_type(plain), xen.blob.get_public(plain)) == ("application/octet-stream", False)
    fails("INVALID_VALUE", xen.blob.create, "text/plain\r\nX: y")
    for one in (ref, plain):
        xen.blob.destroy(one)
    fails("HANDLE_INVALID", xen.blob.destroy, ref)


@pytest.mark.parametrize("cls", ["host", "pool"])
def test_of_an_owner(xen, fails, cls):
    owner = getattr(xen, cls).get_all()[0]
    create, blobs = getattr(xen, cls).create_new_blob, getattr(xen, cls).get_blobs
    one = create(owner, "one", "image/png", True)
    two = create(owner, "two", "")
    assert blobs(owner) == {"one": one, "two": two}
    assert (xen.blob.get_name_label(one), xen.blob.get_public(one)) == ("one", True)
    fails("MAP_DUPLICATE_KEY", create, owner, "one", "")
    xen.blob.destroy(one)
    assert blobs(owner) == {"two": two}
    xen.blob.destroy(two)
    fails("HANDLE_INVALID", create, "OpaqueRef:none", "one", "")
