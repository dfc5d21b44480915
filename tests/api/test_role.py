# SPDX-License-Identifier: LGPL-2.1-or-later
"""Built-in roles."""

READ_ONLY = "OpaqueRef:7233b8e3-eacb-d7da-2c95-f2e581cdbf4e"
POOL_ADMIN = "OpaqueRef:0165f154-ba3e-034e-6b27-5d271af109ba"


def test_built_in_roles(xen):
    records = xen.role.get_all_records()
    assert records[READ_ONLY]["name_label"] == "read-only"
    assert records[POOL_ADMIN]["uuid"] == "0165f154-ba3e-034e-6b27-5d271af109ba"
    assert xen.role.get_by_name_label("vm-admin")


def test_permissions(xen, fails):
    reader = set(xen.role.get_permissions_name_label(READ_ONLY))
    admin = set(xen.role.get_permissions_name_label(POOL_ADMIN))
    assert "vm.get_record" in reader and "vm.start" not in reader
    assert reader < admin
    assert POOL_ADMIN in xen.role.get_by_permission_name_label("VM.start")
    assert READ_ONLY not in xen.role.get_by_permission_name_label("vm.start")
    assert xen.role.get_by_permission_name_label("no.such") == []
    fails("HANDLE_INVALID", xen.role.get_permissions_name_label, "OpaqueRef:none")


def test_permission_rows(xen, fails):
    assert xen.role.get_permissions(READ_ONLY) == [READ_ONLY]
    assert xen.role.get_by_permission(READ_ONLY) == [READ_ONLY]
    fails("HANDLE_INVALID", xen.role.get_permissions, "OpaqueRef:none")
