# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disks: making, sharing, copying, growing and losing them."""

import concurrent.futures
import uuid

import pytest

from vms import new_vdi

GIB = 1 << 30
MIB = 1 << 20


@pytest.fixture
def sr(xen):
    return xen.pool.get_default_SR(xen.pool.get_all()[0])


def create(xen, sr, size=GIB, name="disk", **more):
    return new_vdi(xen, name, size, sr, **more)


@pytest.fixture
def vdi(xen, sr):
    ref = create(xen, sr)
    yield ref
    for left in [r for r, v in xen.VDI.get_all_records().items() if v["SR"] == sr and v["managed"]]:
        xen.VDI.destroy(left)


def test_create_and_destroy(xen, sr, fails):
    vdi = create(xen, sr, 3 * MIB + 5, other_config={"k": "v"}, tags=["t"], xenstore_data={"a": "b"})
    record = xen.VDI.get_record(vdi)
    assert int(record["virtual_size"]) == 4 * MIB
    assert (record["SR"], record["type"], record["managed"]) == (sr, "user", True)
    assert (record["other_config"], record["tags"], record["xenstore_data"]) == ({"k": "v"}, ["t"], {"a": "b"})
    assert record["location"]
    assert {"snapshot", "clone", "copy", "destroy", "resize"} <= set(record["allowed_operations"])
    assert vdi in xen.SR.get_VDIs(sr)
    xen.VDI.destroy(vdi)
    assert fails("HANDLE_INVALID", xen.VDI.destroy, vdi) == ["VDI", vdi]
    assert vdi not in xen.SR.get_VDIs(sr)


def test_bad_arguments(xen, sr, fails):
    assert fails("INVALID_VALUE", create, xen, sr, -1)[0] == "virtual_size"
    fails("HANDLE_INVALID", create, xen, "OpaqueRef:none")
    fails("VDI_INCOMPATIBLE_TYPE", create_typed, xen, sr, "cbt_metadata")
    before = set(xen.VDI.get_all())
    assert fails("SR_BACKEND_FAILURE_79", create, xen, sr, 1 << 48)[0] == ""
    assert set(xen.VDI.get_all()) == before


def create_typed(xen, sr, kind):
    return create(xen, sr, type=kind)


def test_many_at_once(daemons, xen, sr):
    def one(i):
        return create(daemons.client(), sr, 4 * MIB, f"many {i}")

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        made = list(pool.map(one, range(12)))
    assert len(set(made)) == 12
    assert set(made) <= set(xen.SR.get_VDIs(sr))
    for vdi in made:
        xen.VDI.destroy(vdi)


def test_snapshot(xen, sr, vdi):
    xen.VDI.set_name_label(vdi, "source")
    snapshot = xen.VDI.snapshot(vdi, {})
    record = xen.VDI.get_record(snapshot)
    assert record["is_a_snapshot"] is True and record["snapshot_of"] == vdi
    assert record["name_label"] == "source"
    assert str(record["snapshot_time"]) > "2020"
    assert xen.VDI.get_snapshots(vdi) == [snapshot]
    xen.SR.scan(sr)
    assert xen.VDI.get_snapshot_of(snapshot) == vdi
    xen.VDI.destroy(vdi)
    assert xen.VDI.get_snapshot_of(snapshot) == "OpaqueRef:NULL"
    xen.VDI.destroy(snapshot)


def test_sharable_disks_are_not_shot(xen, vdi, fails):
    xen.VDI.set_sharable(vdi, True)
    assert fails("VDI_IS_SHARABLE", xen.VDI.snapshot, vdi, {}) == [vdi]
    assert "snapshot" not in xen.VDI.get_allowed_operations(vdi)
    xen.VDI.set_sharable(vdi, False)


def test_clone(xen, vdi):
    snapshot = xen.VDI.snapshot(vdi, {})
    clone = xen.VDI.clone(snapshot, {})
    record = xen.VDI.get_record(clone)
    assert record["is_a_snapshot"] is False and record["snapshot_of"] == "OpaqueRef:NULL"
    assert record["virtual_size"] == xen.VDI.get_virtual_size(vdi)
    assert record["uuid"] != xen.VDI.get_uuid(snapshot)


def test_copy(xen, sr, vdi):
    copy = xen.VDI.copy(vdi, "OpaqueRef:NULL", "OpaqueRef:NULL", "OpaqueRef:NULL")
    assert xen.VDI.get_SR(copy) == sr
    assert xen.VDI.get_virtual_size(copy) == xen.VDI.get_virtual_size(vdi)
    host = xen.host.get_all()[0]
    other = xen.SR.create(host, {}, "0", "target", "", "file", "user", False, {})
    elsewhere = xen.wait(xen.call("Async.VDI.copy", vdi, other))
    assert xen.VDI.get_SR(elsewhere) == other
    xen.VDI.destroy(elsewhere)
    xen.PBD.unplug(xen.SR.get_PBDs(other)[0])
    xen.SR.destroy(other)


def test_revert(xen, vdi, fails):
    snapshot = xen.VDI.snapshot(vdi, {})
    xen.VDI.resize(vdi, str(2 * GIB))
    xen.VDI.revert(snapshot)
    assert int(xen.VDI.get_virtual_size(vdi)) == GIB
    assert fails("OPERATION_NOT_ALLOWED", xen.VDI.revert, vdi)


def test_resize(xen, vdi, fails):
    before = int(xen.SR.get_virtual_allocation(xen.VDI.get_SR(vdi)))
    xen.VDI.resize(vdi, str(2 * GIB))
    assert int(xen.VDI.get_virtual_size(vdi)) == 2 * GIB
    assert int(xen.SR.get_virtual_allocation(xen.VDI.get_SR(vdi))) == before + GIB
    assert fails("SR_BACKEND_FAILURE_79", xen.VDI.resize, vdi, str(GIB))[0] == ""
    xen.VDI.resize_online(vdi, str(3 * GIB))
    assert int(xen.VDI.get_virtual_size(vdi)) == 3 * GIB


def test_update_and_forget(xen, sr, vdi):
    xen.VDI.set_virtual_size(vdi, "1")
    xen.VDI.update(vdi)
    assert int(xen.VDI.get_virtual_size(vdi)) == GIB
    uuid = xen.VDI.get_uuid(vdi)
    xen.VDI.forget(vdi)
    assert vdi not in xen.VDI.get_all()
    xen.SR.scan(sr)
    found = xen.VDI.get_by_uuid(uuid)
    assert xen.VDI.get_name_label(found) == "disk"


def test_names(xen, sr, vdi):
    xen.VDI.set_name_label(vdi, "näme <&>")
    xen.VDI.set_name_description(vdi, "text")
    uuid = xen.VDI.get_uuid(vdi)
    xen.VDI.forget(vdi)
    xen.SR.scan(sr)
    record = xen.VDI.get_record(xen.VDI.get_by_uuid(uuid))
    assert (record["name_label"], record["name_description"]) == ("näme <&>", "text")


def test_fields(xen, vdi, fails):
    pool = xen.pool.get_all()[0]
    for name, value in (("sharable", True), ("read_only", True), ("missing", True), ("is_a_snapshot", True),
                        ("cbt_enabled", True), ("managed", False)):
        call = getattr(xen.VDI, f"set_{name}")
        call(vdi, value)
        assert getattr(xen.VDI, f"get_{name}")(vdi) is value
        call(vdi, not value)
    xen.VDI.set_virtual_size(vdi, "5")
    xen.VDI.set_physical_utilisation(vdi, "6")
    xen.VDI.set_snapshot_of(vdi, vdi)
    xen.VDI.set_snapshot_time(vdi, "20240131T12:34:56Z")
    xen.VDI.set_metadata_of_pool(vdi, pool)
    xen.VDI.set_allow_caching(vdi, True)
    record = xen.VDI.get_record(vdi)
    assert (int(record["virtual_size"]), int(record["physical_utilisation"])) == (5, 6)
    assert (record["snapshot_of"], record["metadata_of_pool"]) == (vdi, pool)
    assert record["allow_caching"] is True
    assert str(record["snapshot_time"]) == "20240131T12:34:56Z"
    fails("HANDLE_INVALID", xen.VDI.set_sharable, "OpaqueRef:none", True)


def test_tracking_is_refused(xen, sr, vdi, fails):
    assert fails("SR_OPERATION_NOT_SUPPORTED", xen.VDI.enable_cbt, vdi) == [sr]
    xen.VDI.disable_cbt(vdi)
    fails("HANDLE_INVALID", xen.VDI.disable_cbt, "OpaqueRef:none")
    fails("SR_OPERATION_NOT_SUPPORTED", xen.VDI.data_destroy, vdi)
    fails("SR_OPERATION_NOT_SUPPORTED", xen.VDI.list_changed_blocks, vdi, vdi)
    fails("SR_OPERATION_NOT_SUPPORTED", xen.VDI.set_on_boot, vdi, "reset")
    xen.VDI.set_on_boot(vdi, "persist")


def test_nbd_info(xen, vdi, fails):
    assert xen.VDI.get_nbd_info(vdi) == []
    fails("HANDLE_INVALID", xen.VDI.get_nbd_info, "OpaqueRef:none")


def test_deprecated(xen, vdi, fails):
    fails("MESSAGE_DEPRECATED", xen.VDI.force_unlock, vdi)


def test_introduce(xen, sr, fails):
    """A disk whose row was forgotten comes back with the caller's words and its own size."""
    made = create(xen, sr)
    before = xen.VDI.get_record(made)
    ident, place = before["uuid"], before["location"]
    words = ("name", "text", sr, "user", False, False, {"k": "v"})
    assert fails("LOCATION_NOT_UNIQUE", xen.VDI.introduce, ident, *words, place) == [sr, place]
    xen.VDI.forget(made)
    assert fails("VDI_LOCATION_MISSING", xen.VDI.introduce, ident, *words, "somewhere") == [sr, "somewhere"]
    fails("INVALID_VALUE", xen.VDI.introduce, str(uuid.uuid4()), *words, place)
    fails("HANDLE_INVALID", xen.VDI.introduce, ident, "name", "text", made, *words[3:], place)
    again = xen.VDI.introduce(ident, *words, place)
    record = xen.VDI.get_record(again)
    assert (record["uuid"], record["name_label"], record["other_config"]) == (ident, "name", {"k": "v"})
    assert record["virtual_size"] == before["virtual_size"] and record["managed"]
    xen.VDI.destroy(again)


def test_db_introduce(xen, sr, fails):
    ident = str(uuid.uuid4())
    fixed = ("name", "text", sr, "user", False, False, {"k": "v"}, "somewhere")
    ref = xen.VDI.db_introduce(ident, *fixed)
    record = xen.VDI.get_record(ref)
    assert (record["uuid"], record["name_label"], record["SR"]) == (ident, "name", sr)
    assert (record["location"], record["other_config"], record["managed"]) == ("somewhere", {"k": "v"}, True)
    fails("INVALID_VALUE", xen.VDI.db_introduce, ident, *fixed)
    xen.VDI.db_forget(ref)
    fails("HANDLE_INVALID", xen.VDI.get_record, ref)


def test_many_clones_of_one_disk(xen):
    """A template is cloned more often than a chain may be long, and snapshots that went do not count."""
    sr = xen.pool.get_default_SR(xen.pool.get_all()[0])
    source = xen.VDI.create({"name_label": "template", "SR": sr, "virtual_size": str(4 << 20), "type": "user",
                             "sharable": False, "read_only": False, "other_config": {}})
    clones = [xen.VDI.clone(source, {}) for _ in range(45)]
    for _ in range(45):
        xen.VDI.destroy(xen.VDI.snapshot(source, {}))
    assert len(set(clones)) == 45
    for vdi in [*clones, source]:
        xen.VDI.destroy(vdi)


def test_database_on_a_disk(xen, sr, vdi, fails):
    for call in (xen.VDI.open_database, xen.VDI.read_database_pool_uuid):
        assert fails("VDI_INCOMPATIBLE_TYPE", call, vdi) == [vdi, "user"]
    metadata = create(xen, sr, type="metadata")
    fails("COULD_NOT_IMPORT_DATABASE", xen.VDI.open_database, metadata)
    assert xen.VDI.read_database_pool_uuid(metadata) == ""
    xen.VDI.destroy(metadata)


def test_generate_config(xen, sr, vdi, fails):
    host = xen.host.get_all()[0]
    assert fails("SR_OPERATION_NOT_SUPPORTED", xen.VDI.generate_config, host, vdi) == [sr]
    fails("HANDLE_INVALID", xen.VDI.generate_config, "OpaqueRef:none", vdi)


def test_pool_migrate(xen, sr, vdi, fails):
    assert fails("VDI_NEEDS_VM_FOR_MIGRATE", xen.VDI.pool_migrate, vdi, sr, {}) == [vdi]
    fails("HANDLE_INVALID", xen.VDI.pool_migrate, vdi, "OpaqueRef:none", {})


def test_pool_introduce(xen, sr, fails):
    uuid = "11111111-2222-4333-8444-555555555555"
    made = xen.VDI.pool_introduce(uuid, "told", "by a host", sr, "user", False, True, {"k": "v"}, "place")
    record = xen.VDI.get_record(made)
    assert (record["uuid"], record["location"], record["read_only"], record["SR"]) == (uuid, "place", True, sr)
    assert fails("INVALID_VALUE", xen.VDI.pool_introduce, uuid, "", "", sr, "user", False, True, {}, "") == ["uuid", uuid]
    xen.VDI.db_forget(made)
