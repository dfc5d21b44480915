# SPDX-License-Identifier: LGPL-2.1-or-later
"""Storage repositories and their connections to the host."""

import pytest

from conftest import XenError
from vms import new_vdi, remove_sr, vdi_fields

GIB = 1 << 30


@pytest.fixture
def host(xen):
    return xen.host.get_all()[0]


def make(xen, host, name="made by a test", kind="file"):
    return xen.SR.create(host, {}, "0", name, "", kind, "user", False, {})


@pytest.fixture
def sr(xen, host):
    ref = make(xen, host)
    yield ref
    if ref in xen.SR.get_all():
        for pbd in xen.SR.get_PBDs(ref):
            xen.PBD.plug(pbd)
        remove_sr(xen, ref)


def test_create_and_destroy(xen, host, fails):
    sr = make(xen, host)
    record = xen.SR.get_record(sr)
    assert (record["name_label"], record["type"], record["shared"]) == ("made by a test", "file", False)
    assert int(record["physical_size"]) > 0
    pbd = record["PBDs"][0]
    assert xen.PBD.get_currently_attached(pbd) is True and xen.PBD.get_host(pbd) == host
    vdi = new_vdi(xen, "d", GIB, sr)
    fails("SR_HAS_PBD", xen.SR.destroy, sr)
    xen.PBD.unplug(pbd)
    fails("SR_NOT_EMPTY", xen.SR.destroy, sr)
    xen.PBD.plug(pbd)
    xen.VDI.destroy(vdi)
    xen.PBD.unplug(pbd)
    xen.SR.destroy(sr)
    fails("HANDLE_INVALID", xen.SR.get_record, sr)
    fails("HANDLE_INVALID", xen.PBD.get_record, pbd)


def test_unknown_type_and_bad_references(xen, host, fails):
    assert fails("SR_UNKNOWN_DRIVER", make, xen, host, "x", "floppy") == ["floppy"]
    fails("HANDLE_INVALID", make, xen, "OpaqueRef:none")
    fails("HANDLE_INVALID", xen.SR.scan, "OpaqueRef:none")
    assert not [s for s, r in xen.SR.get_all_records().items() if r["name_label"] == "x"]


@pytest.mark.parametrize("place", ["/etc", "/", "relative", "../outside", "/tmp/../etc"])
def test_places_outside_the_roots_are_refused(xen, host, place):
    before = (xen.SR.get_all(), xen.PBD.get_all())
    with pytest.raises(XenError) as caught:
        xen.SR.create(host, {"location": place}, "0", "x", "", "file", "user", False, {})
    assert caught.value.code.startswith("SR_BACKEND_FAILURE_")
    assert (xen.SR.get_all(), xen.PBD.get_all()) == before


def test_create_async(xen, host):
    task = xen.call("Async.SR.create", host, {}, "0", "async", "", "file", "user", False, {})
    sr = xen.wait(task)
    assert xen.SR.get_name_label(sr) == "async"
    remove_sr(xen, sr)


def test_introduce_plug_forget(xen, host, sr, fails):
    ident = xen.SR.get_uuid(sr)
    vdi = new_vdi(xen, "kept", GIB, sr)
    vdi_uuid = xen.VDI.get_uuid(vdi)
    pbd = xen.SR.get_PBDs(sr)[0]
    fails("SR_HAS_PBD", xen.SR.forget, sr)
    assert fails("OPERATION_NOT_ALLOWED", xen.PBD.destroy, pbd) == ["PBD is currently attached"]
    xen.PBD.unplug(pbd)
    xen.PBD.unplug(pbd)
    xen.SR.forget(sr)
    fails("UUID_INVALID", xen.VDI.get_by_uuid, vdi_uuid)
    again = xen.SR.introduce(ident, "back", "", "FILE", "user", False, {})
    assert xen.SR.get_type(again) == "file"
    assert fails("SR_UUID_EXISTS", xen.SR.introduce, ident, "b", "", "file", "user", False, {}) == [ident]
    fails("INVALID_VALUE", xen.SR.introduce, "not a uuid", "b", "", "file", "user", False, {})
    fails("VALUE_NOT_SUPPORTED", xen.PBD.create,
          {"host": host, "SR": again, "device_config": {"SRmaster": "true"}, "other_config": {}})
    pbd = xen.PBD.create({"host": host, "SR": again, "device_config": {}, "other_config": {}})
    assert fails("PBD_EXISTS", xen.PBD.create, {"host": host, "SR": again, "device_config": {},
                                               "other_config": {}}) == [again, host, pbd]
    xen.PBD.set_device_config(pbd, {"preferred-image-formats": "raw"})
    assert xen.PBD.get_device_config(pbd) == {"preferred-image-formats": "raw"}
    fails("VALUE_NOT_SUPPORTED", xen.PBD.set_device_config, pbd, {"SRmaster": "x"})
    xen.PBD.set_device_config(pbd, {})
    xen.PBD.plug(pbd)
    xen.PBD.plug(pbd)
    found = xen.VDI.get_by_uuid(vdi_uuid)
    assert xen.VDI.get_name_label(found) == "kept"
    remove_sr(xen, again)


def test_unplugged_repository_makes_no_disks(xen, sr, fails):
    xen.PBD.unplug(xen.SR.get_PBDs(sr)[0])
    assert fails("SR_HAS_NO_PBDS", xen.VDI.create, vdi_fields(sr)) == [sr]
    assert fails("SR_HAS_NO_PBDS", xen.SR.scan, sr) == [sr]


def test_scan(xen, sr):
    xen.SR.add_to_other_config(sr, "dirty", "")
    xen.SR.scan(sr)
    assert "dirty" not in xen.SR.get_other_config(sr)
    assert xen.SR.get_VDIs(sr) == []


def test_sizes(xen, sr):
    xen.SR.set_physical_size(sr, "1")
    xen.SR.set_virtual_allocation(sr, "2")
    xen.SR.set_physical_utilisation(sr, "3")
    record = xen.SR.get_record(sr)
    assert [int(record[f]) for f in ("physical_size", "virtual_allocation", "physical_utilisation")] == [1, 2, 3]
    xen.SR.update(sr)
    record = xen.SR.get_record(sr)
    assert int(record["physical_size"]) > 3 and int(record["virtual_allocation"]) == 0


def test_types(xen):
    types = xen.SR.get_supported_types()
    assert {"file", "iso"} <= set(types)
    assert sorted(types) == sorted(r["type"] for r in xen.SM.get_all_records().values())
    features = [r for r in xen.SM.get_all_records().values() if r["type"] == "file"][0]["features"]
    assert {"VDI_CREATE", "VDI_SNAPSHOT"} <= set(features)


def test_probe(xen, host, fails):
    assert "<SRlist>" in xen.SR.probe(host, {}, "file", {})
    assert fails("SR_UNKNOWN_DRIVER", xen.SR.probe, host, {}, "floppy", {}) == ["floppy"]
    assert xen.SR.probe_ext(host, {}, "file", {}) == []
    assert fails("SR_UNKNOWN_DRIVER", xen.SR.probe_ext, host, {}, "floppy", {}) == ["floppy"]
    fails("HANDLE_INVALID", xen.SR.probe_ext, "OpaqueRef:none", {}, "file", {})


def test_deprecated(xen, host, fails):
    fails("MESSAGE_DEPRECATED", xen.SR.make, host, {}, "0", "n", "", "file", "user", {})


def test_fields(xen, host, sr):
    xen.SR.set_name_label(sr, "new name")
    xen.SR.set_name_description(sr, "new text")
    xen.SR.set_shared(sr, True)
    record = xen.SR.get_record(sr)
    assert (record["name_label"], record["name_description"], record["shared"]) == ("new name", "new text", True)
    xen.SR.set_shared(sr, False)
    assert xen.SR.get_live_hosts(sr) == [host]


def test_indestructible(xen, sr, fails):
    xen.PBD.unplug(xen.SR.get_PBDs(sr)[0])
    xen.SR.add_to_other_config(sr, "indestructible", "true")
    assert fails("SR_INDESTRUCTIBLE", xen.SR.destroy, sr) == [sr]
    xen.SR.remove_from_other_config(sr, "indestructible")


def test_lvhd_refused(xen, fails):
    host, sr = xen.host.get_all()[0], xen.SR.get_all()[0]
    fails("SR_OPERATION_NOT_SUPPORTED", xen.LVHD.enable_thin_provisioning, host, sr, "0", "0")


def test_what_no_driver_can(xen, sr, fails):
    for call in (xen.SR.assert_can_host_ha_statefile, xen.SR.assert_supports_database_replication,
                 xen.SR.enable_database_replication):
        assert fails("SR_OPERATION_NOT_SUPPORTED", call, sr) == [sr]
        fails("HANDLE_INVALID", call, "OpaqueRef:none")
    xen.SR.disable_database_replication(sr)
    fails("HANDLE_INVALID", xen.SR.disable_database_replication, "OpaqueRef:none")
