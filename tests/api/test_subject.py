# SPDX-License-Identifier: LGPL-2.1-or-later
"""People and groups of a directory."""

READ_ONLY = "OpaqueRef:7233b8e3-eacb-d7da-2c95-f2e581cdbf4e"
POOL_ADMIN = "OpaqueRef:0165f154-ba3e-034e-6b27-5d271af109ba"


def test_subject(xen, fails):
    ref = xen.subject.create({"subject_identifier": "u1000", "other_config": {"subject-name": "anna"}})
    assert xen.subject.get_roles(ref) == []
    assert xen.subject.get_other_config(ref) == {"subject-name": "anna"}
    fails("SUBJECT_ALREADY_EXISTS", xen.subject.create, {"subject_identifier": "u1000", "other_config": {}})
    fails("INVALID_VALUE", xen.subject.create, {"subject_identifier": "", "other_config": {}})
    assert xen.subject.get_permissions_name_label(ref) == []
    xen.subject.add_to_roles(ref, READ_ONLY)
    assert xen.subject.get_roles(ref) == [READ_ONLY]
    reads = xen.subject.get_permissions_name_label(ref)
    assert "vm.get_record" in reads and "vm.start" not in reads
    fails("ROLE_ALREADY_EXISTS", xen.subject.add_to_roles, ref, READ_ONLY)
    fails("ROLE_NOT_FOUND", xen.subject.add_to_roles, ref, "OpaqueRef:none")
    fails("ROLE_NOT_FOUND", xen.subject.remove_from_roles, ref, POOL_ADMIN)
    xen.subject.remove_from_roles(ref, READ_ONLY)
    assert xen.subject.get_roles(ref) == []
    xen.subject.destroy(ref)
    fails("HANDLE_INVALID", xen.subject.destroy, ref)
