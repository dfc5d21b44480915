# SPDX-License-Identifier: LGPL-2.1-or-later
"""VMs without the bytes of their disks: out of the pool, and into it."""

import gzip
import random
import subprocess

import pytest

from conftest import NULL, XenError
from metadata import archive, export, ova, read, restore
from transfers import Reply, ask, connect, connect_tcp, head
from vms import MIB, default_sr, disks_of, new_card, new_disk, new_vm, remove, template

CLASSES = ["host", "VM", "VM_metrics", "VM_guest_metrics", "VBD", "VIF", "network", "VDI", "SR", "VGPU_type", "VGPU",
           "GPU_group", "PVS_proxy", "PVS_site", "VTPM"]


@pytest.fixture
def vm(xen):
    """Two disks, an empty drive, a card, a TPM, a snapshot, and words that need care."""
    ref = new_vm(xen, "to be exported <&> \"'")
    xen.VM.set_name_description(ref, "two\nlines\tand a tab")
    xen.VM.set_other_config(ref, xen.VM.get_other_config(ref) | {"a key": "ä & <b>", "mac_seed": "seed-1"})
    xen.VM.set_tags(ref, ["one", "two"])
    new_disk(xen, ref, "0")
    new_disk(xen, ref, "1")
    xen.VBD.create({"VM": ref, "VDI": NULL, "userdevice": "3", "bootable": False, "mode": "RO", "type": "CD",
                    "empty": True, "unpluggable": True, "other_config": {}, "qos_algorithm_type": "",
                    "qos_algorithm_params": {}})
    new_card(xen, ref)
    new_card(xen, ref, "1", "02:00:00:00:00:07")
    xen.VTPM.create(ref, False)
    xen.VM.snapshot(ref, "a snapshot")
    yield ref
    remove(xen, ref)


@pytest.fixture
def made(xen):
    """VMs to be removed behind the test, without disks that others have."""
    refs = []
    yield refs
    for ref in refs:
        try:
            for snapshot in xen.VM.get_snapshots(ref):
                xen.VM.destroy(snapshot)
            xen.VM.destroy(ref)
        except XenError as e:
            if e.code != "HANDLE_INVALID":
                raise


def of_class(objects, cls):
    return {id_: record for id_, (c, record) in objects.items() if c == cls}


def everything(xen):
    """All rows that an import could make or change."""
    return {c: xen.call(f"{c}.get_all_records") for c in ("VM", "VBD", "VIF", "VDI", "network", "VTPM", "VM_metrics")}


def shape(xen, vm):
    """What an export and an import must keep."""
    r = xen.VM.get_record(vm)
    keep = ("name_label", "name_description", "tags", "memory_static_max", "memory_dynamic_min", "VCPUs_max",
            "HVM_boot_policy", "HVM_boot_params", "platform", "actions_after_crash", "recommendations", "is_a_template")
    vbds = sorted((b["userdevice"], b["VDI"], b["type"], b["mode"], b["empty"])
                  for b in map(xen.VBD.get_record, r["VBDs"]))
    vifs = sorted((v["device"], v["network"], v["MTU"]) for v in map(xen.VIF.get_record, r["VIFs"]))
    return {k: r[k] for k in keep}, vbds, vifs, len(r["VTPMs"]), r["other_config"]["a key"]


def test_export(daemons, xen, vm):
    version, objects = read(export(daemons, xen, ref=vm))
    assert (version["export_vsn"], version["hostname"]) == ("2", xen.host.get_hostname(xen.host.get_all()[0]))
    classes = [cls for cls, _ in objects.values()]
    assert classes == sorted(classes, key=CLASSES.index)
    assert list(objects) == [f"Ref:{i}" for i in range(len(objects))]
    assert {r["uuid"] for r in of_class(objects, "VM").values()} == {
        xen.VM.get_uuid(vm), *map(xen.VM.get_uuid, xen.VM.get_snapshots(vm))}
    for cls, record in objects.values():
        for name, value in record.items():
            for one in value if isinstance(value, list) else [value]:
                if isinstance(one, str) and one.startswith("OpaqueRef:"):
                    assert one == NULL, (cls, name)
                if isinstance(one, str) and one.startswith("Ref:"):
                    assert one in objects
    (id_, record), = [x for x in of_class(objects, "VM").items() if not x[1]["is_a_snapshot"]]
    assert record["name_description"] == "two\nlines\tand a tab"
    assert {b["userdevice"] for b in of_class(objects, "VBD").values() if b["VM"] == id_} == {"0", "1", "3"}
    assert sorted(record["VBDs"]) == sorted(i for i, b in of_class(objects, "VBD").items() if b["VM"] == id_)


def test_what_may_be_left_out(daemons, xen, vm):
    by_uuid = read(export(daemons, xen, uuid=xen.VM.get_uuid(vm), export_snapshots="false"))[1]
    assert len(of_class(by_uuid, "VM")) == 1
    bare = read(export(daemons, xen, ref=vm, excluded_device_types="vif,vbd,vgpu,vtpm"))[1]
    assert not {"VIF", "VBD", "VTPM", "network"} & {cls for cls, _ in bare.values()}
    assert of_class(read(export(daemons, xen, ref=vm))[1], "VTPM")
    everyone = of_class(read(export(daemons, xen, all="true"))[1], "VM")
    assert {r["uuid"] for r in everyone.values()} == {r["uuid"] for r in xen.VM.get_all_records().values()}
    guests = of_class(read(export(daemons, xen, all="true", include_dom0="false"))[1], "VM")
    assert not [r for r in guests.values() if r["is_control_domain"]] and len(guests) == len(everyone) - 1


@pytest.mark.parametrize("query, status", [
    ({}, 400), ({"ref": NULL}, 400), ({"uuid": "../x"}, 400), ({"all": "yes"}, 400),
    ({"all": "true", "excluded_device_types": "vif,floppy"}, 400)])
def test_export_of_nothing(daemons, xen, query, status):
    task = xen.task.create("t", "")
    assert ask(daemons, "GET", "/export_metadata", session_id=xen.session, task_id=task, **query).status == status
    with pytest.raises(XenError, match="HANDLE_INVALID|INVALID_VALUE"):
        xen.wait(task)


@pytest.mark.parametrize("verb, path", [("GET", "/export_metadata"), ("PUT", "/import_metadata")])
def test_who_may(daemons, xen, verb, path):
    s = connect_tcp(daemons)
    s.sendall(head(verb, path, 0, all="true"))
    reply = Reply(s)
    assert (reply.status, reply.headers["www-authenticate"][:6]) == (401, "Basic ")
    assert ask(daemons, verb, path, session_id="OpaqueRef:none", all="true").status == 401


def test_import(daemons, xen, vm, made):
    before = set(xen.VM.get_all())
    refs = restore(daemons, xen, export(daemons, xen, ref=vm))
    made += refs
    copy, = refs
    assert shape(xen, copy) == shape(xen, vm)
    assert xen.VM.get_uuid(copy) != xen.VM.get_uuid(vm)
    assert xen.VM.get_other_config(copy)["mac_seed"] != "seed-1"
    snapshot, = xen.VM.get_snapshots(copy)
    assert set(xen.VM.get_all()) == before | {copy, snapshot}
    assert (xen.VM.get_snapshot_of(snapshot), xen.VM.get_parent(copy)) == (copy, snapshot)
    macs = [{r["device"]: r["MAC"] for r in map(xen.VIF.get_record, xen.VM.get_VIFs(v))} for v in (vm, copy)]
    assert macs[0]["0"] != macs[1]["0"] and macs[1]["1"] == "02:00:00:00:00:07"
    assert disks_of(xen, copy) == disks_of(xen, vm)
    assert xen.VM.get_power_state(copy) == "Halted" and xen.VM.get_allowed_operations(copy)
    for disk in disks_of(xen, copy).values():  # a VM that starts has what it needs
        assert xen.VDI.get_SR(disk) == default_sr(xen)
    xen.VM.start(copy, False, False)
    xen.VM.hard_shutdown(copy)


@pytest.mark.parametrize("how", [gzip.compress, lambda data: subprocess.run(
    ["zstd", "-c"], input=data, capture_output=True, check=True).stdout], ids=["gzip", "zstd"])
def test_compressed(daemons, xen, made, fails, how):
    body = how(bad({"name_label": "was compressed"}))
    made += restore(daemons, xen, body)
    assert xen.VM.get_name_label(made[0]) == "was compressed"
    fails("IMPORT_ERROR", restore, daemons, xen, body[:len(body) // 2])
    fails("IMPORT_ERROR", restore, daemons, xen, body[:40] + b"xxxxxxxx" + body[48:])
    huge = how(archive(("ova.xml", b"<value>" + b" " * (70 << 20))))
    assert len(huge) < 1 << 20 and "64 MiB" in fails("IMPORT_ERROR", restore, daemons, xen, huge)[0]


def test_how_many_objects(daemons, xen, fails):
    many = ova({}).replace(b"<data></data>", b"<data>" + b"<value>x</value>" * 100001 + b"</data>")
    assert len(many) > 100001
    assert "more than 100000" in fails("IMPORT_ERROR", restore, daemons, xen, archive(("ova.xml", many)))[0]


def test_dry_run(daemons, xen, vm):
    before = everything(xen)
    assert restore(daemons, xen, export(daemons, xen, ref=vm), dry_run="true") == []
    assert everything(xen) == before


def test_restore_of_one_that_was_removed(daemons, xen, vm, made):
    uuid, then, kept = xen.VM.get_uuid(vm), shape(xen, vm), disks_of(xen, vm)
    macs = sorted(map(xen.VIF.get_MAC, xen.VM.get_VIFs(vm)))
    body = export(daemons, xen, ref=vm)
    snapshot, = xen.VM.get_snapshots(vm)
    snapshot_uuid = xen.VM.get_uuid(snapshot)
    for ref in (snapshot, vm):
        xen.VM.destroy(ref)
    back, = restore(daemons, xen, body, restore="true")
    made.append(back)
    assert (xen.VM.get_uuid(back), shape(xen, back)) == (uuid, then)
    assert sorted(map(xen.VIF.get_MAC, xen.VM.get_VIFs(back))) == macs
    assert xen.VM.get_other_config(back)["mac_seed"] == "seed-1"
    assert [xen.VM.get_uuid(s) for s in xen.VM.get_snapshots(back)] == [snapshot_uuid]
    remove(xen, back)
    assert not set(kept.values()) & set(xen.VDI.get_all())


def test_restore_over_one_that_is_there(daemons, xen, vm, fails):
    body = export(daemons, xen, ref=vm)
    then, vbds = shape(xen, vm), set(xen.VM.get_VBDs(vm))
    xen.VM.set_name_label(vm, "changed since")
    xen.VBD.destroy(min(vbds))
    assert restore(daemons, xen, body, restore="true") == [vm]
    assert shape(xen, vm) == then
    xen.VM.start(vm, False, False)
    assert fails("VM_BAD_POWER_STATE", restore, daemons, xen, body, restore="true")[0] == vm
    assert xen.VM.get_power_state(vm) == "Running"
    xen.VM.hard_shutdown(vm)


def test_older_version(daemons, xen, fails, made):
    record = {"uuid": "11111111-2222-3333-4444-555555555555", "name_label": "versions", "VCPUs_max": 1,
              "VCPUs_at_startup": 1, "version": 5}
    new = archive(("ova.xml", ova({"Ref:0": ("VM", record)})))
    old = archive(("ova.xml", ova({"Ref:0": ("VM", record | {"version": 4})})))
    made += restore(daemons, xen, new, restore="true")
    assert fails("VM_TO_IMPORT_IS_NOT_NEWER_VERSION", restore, daemons, xen, old, restore="true") == [made[0], "5", "4"]
    assert restore(daemons, xen, new, restore="true") == made
    assert restore(daemons, xen, old, restore="true", force="true") == made
    assert xen.VM.get_version(made[0]) == "4"


def test_seed_that_another_has(daemons, xen, vm, fails, made):
    record = {"uuid": "11111111-2222-3333-4444-555555555556", "name_label": "seed", "VCPUs_max": 1,
              "VCPUs_at_startup": 1, "other_config": {"mac_seed": "seed-1"}}
    body = archive(("ova.xml", ova({"Ref:0": ("VM", record)})))
    assert fails("DUPLICATE_MAC_SEED", restore, daemons, xen, body, restore="true") == ["seed-1"]
    made += restore(daemons, xen, body)
    made += restore(daemons, xen, body, restore="true", force="true")


def test_written_by_another(daemons, xen, made):
    """VM first, no host, ids of another form, numbers as text, few members, classes nobody knows."""
    objects = {
        "Ref:001": ("VM", {"name_label": "from elsewhere", "VCPUs_max": "2", "VCPUs_at_startup": "2",
                           "memory_static_max": str(256 * MIB), "memory_dynamic_max": str(256 * MIB),
                           "memory_dynamic_min": str(256 * MIB), "allowed_operations": ["fly"],
                           "a_field_of_tomorrow": ["x"], "affinity": "OpaqueRef:NULL", "domid": "7",
                           "power_state": "Running", "is_default_template": False}),
        "Ref:002": ("VIF", {"device": "0", "MAC": "", "network": "Ref:003", "VM": "Ref:001", "MTU": "1400"}),
        "Ref:003": ("network", {"name_label": "a network of elsewhere", "bridge": "xenbr77", "MTU": "1400"}),
        "Ref:004": ("Submarine", {"depth": "7"}),
    }
    made += restore(daemons, xen, archive(("ova.xml", ova(objects))))
    r = xen.VM.get_record(made[0])
    assert (r["VCPUs_max"], r["power_state"], r["domid"], r["resident_on"]) == ("2", "Halted", "-1", NULL)
    vif = xen.VIF.get_record(r["VIFs"][0])
    assert vif["MAC"] and vif["MAC_autogenerated"] and vif["MTU"] == "1400"
    network = xen.network.get_record(vif["network"])
    assert (network["name_label"], network["MTU"], network["managed"]) == ("a network of elsewhere", "1400", True)
    # The second time it is there.
    made += restore(daemons, xen, archive(("ova.xml", ova(objects))))
    assert xen.VIF.get_network(xen.VM.get_VIFs(made[1])[0]) == vif["network"]
    for ref in made:
        xen.VM.destroy(ref)
    xen.network.destroy(vif["network"])


def test_disks(daemons, xen, vm, made, fails):
    """One is found where it was, one is named, one is not there; a medium that is not there leaves its drive empty."""
    vdi, _ = new_disk(xen, vm, "5")
    uuid = xen.VDI.get_uuid(vdi)
    sr = xen.SR.get_record(default_sr(xen))
    disk = {"VM": "Ref:0", "type": "Disk", "mode": "RW", "empty": False}
    objects = {
        "Ref:0": ("VM", {"name_label": "disks", "VCPUs_max": 1, "VCPUs_at_startup": 1}),
        "Ref:1": ("SR", {"uuid": sr["uuid"]}),
        "Ref:2": ("VDI", {"uuid": "x", "SR": "Ref:1", "location": xen.VDI.get_location(vdi)}),
        "Ref:3": ("VDI", {"uuid": "of-elsewhere", "SR": "Ref:9", "location": "gone"}),
        "Ref:4": ("VBD", disk | {"userdevice": "0", "VDI": "Ref:2"}),
        "Ref:5": ("VBD", disk | {"userdevice": "1", "VDI": "Ref:3"}),
        "Ref:6": ("VBD", disk | {"userdevice": "3", "VDI": "Ref:3", "type": "CD", "mode": "RO"}),
    }
    body = archive(("ova.xml", ova(objects)))
    before = everything(xen)
    assert fails("IMPORT_ERROR_ATTACHED_DISKS_NOT_FOUND", restore, daemons, xen, body) == []
    fails("UUID_INVALID", restore, daemons, xen, body, **{"vdi:of-elsewhere": "nowhere"})
    assert everything(xen) == before
    made += restore(daemons, xen, body, force="true")
    assert disks_of(xen, made[0]) == {"0": vdi}
    drive, = [b for b in map(xen.VBD.get_record, xen.VM.get_VBDs(made[0])) if b["type"] == "CD"]
    assert (drive["empty"], drive["VDI"]) == (True, NULL)
    made += restore(daemons, xen, body, **{"vdi:of-elsewhere": uuid})
    assert disks_of(xen, made[1]) == {"0": vdi, "1": vdi}
    for ref in made:
        xen.VM.destroy(ref)


def test_templates_of_the_product_and_the_control_domain_are_not_made_again(daemons, xen):
    before = set(xen.VM.get_all())
    body = export(daemons, xen, ref=template(xen))
    assert restore(daemons, xen, body) == []
    dom0, = [r for r, v in xen.VM.get_all_records().items() if v["is_control_domain"]]
    assert restore(daemons, xen, export(daemons, xen, ref=dom0)) == []
    assert set(xen.VM.get_all()) == before


def test_snapshot_alone_becomes_a_template(daemons, xen, vm, made):
    snapshot, = xen.VM.get_snapshots(vm)
    made += restore(daemons, xen, export(daemons, xen, ref=snapshot))
    r = xen.VM.get_record(made[0])
    assert (r["is_a_template"], r["is_a_snapshot"], r["snapshot_of"]) == (True, False, NULL)


ONE = {"name_label": "x", "VCPUs_max": 1, "VCPUs_at_startup": 1}


def bad(change=None, *more, **version):
    objects = {"Ref:0": ("VM", ONE | (change or {}))}
    return archive(("ova.xml", ova(objects | dict(more), **version)))


@pytest.mark.parametrize("body, code, part", [
    (b"x" * 600, "IMPORT_ERROR", "no tar archive"),
    (b"x" * 100, "IMPORT_ERROR_PREMATURE_EOF", None),
    (bytes(1024), "IMPORT_ERROR", "empty"),
    (archive(("other.xml", b"x")), "IMPORT_ERROR_UNEXPECTED_FILE", "other.xml"),
    (archive(("../../ova.xml", b"x")), "IMPORT_ERROR_UNEXPECTED_FILE", "../../ova.xml"),
    (archive(("ova.xml", b"<value>")), "IMPORT_ERROR", "line 1"),
    (archive(("ova.xml", b"<!DOCTYPE a [<!ENTITY b 'c'>]><value>&b;</value>")), "IMPORT_ERROR", "document type"),
    (archive(("ova.xml", b"<value>text</value>")), "IMPORT_ERROR", "who wrote it"),
    (bad()[:1000], "IMPORT_ERROR_PREMATURE_EOF", None),
    (bad({"memory_static_max": "many"}), "IMPORT_ERROR", "VM Ref:0: memory_static_max"),
    (bad({"memory_static_min": "1"}), "MEMORY_CONSTRAINT_VIOLATION_ORDER", None),
    (bad({"VCPUs_max": "0"}), "INVALID_VALUE", "0"),
    (bad({"metrics": "Ref:77"}), "IMPORT_ERROR_FAILED_TO_FIND_OBJECT", "Ref:77"),
    (bad(None, ("Ref:1", ("VIF", {"VM": "Ref:5", "network": "Ref:0"}))), "IMPORT_ERROR_FAILED_TO_FIND_OBJECT", "Ref:5"),
    (bad(None, ("Ref:1", ("VIF", {"VM": "Ref:0", "network": "Ref:6"}))), "IMPORT_ERROR_FAILED_TO_FIND_OBJECT", "Ref:6"),
    (bad(None, ("Ref:1", ("VBD", {"VM": "Ref:0", "type": "CD", "mode": "RO", "userdevice": "900"}))), "INVALID_DEVICE", "900"),
    (bad(None, ("Ref:1", ("VBD", {"VM": "Ref:0", "type": "CD", "mode": "RO", "userdevice": "1"})),
         ("Ref:2", ("VBD", {"VM": "Ref:0", "type": "CD", "mode": "RO", "userdevice": "1"}))), "DEVICE_ALREADY_EXISTS", "1"),
    (bad(None, ("Ref:1", ("network", {})), ("Ref:2", ("VIF", {"VM": "Ref:0", "network": "Ref:1", "device": "0",
                                                          "MAC": "nonsense"}))), "MAC_INVALID", "nonsense"),
    (bad(export_vsn=3), "IMPORT_INCOMPATIBLE_VERSION", None),
], ids=range(19))
def test_bad_archives(daemons, xen, fails, body, code, part):
    before = everything(xen)
    params = fails(code, restore, daemons, xen, body)
    assert part is None or any(part in p for p in params), params
    assert everything(xen) == before


def test_uuid_that_is_none(daemons, xen, fails):
    for uuid in ("", "../../x", "11111111-2222-3333-4444-55555555555X"):
        assert "is no uuid" in fails("IMPORT_ERROR", restore, daemons, xen, bad({"uuid": uuid}), restore="true")[0]


def test_chunked_and_probe(daemons, xen):
    task = xen.task.create("t", "")
    s = connect(daemons)
    s.sendall(head("PUT", "/import_metadata", None, session_id=xen.session, task_id=task)[:-2] +
              b"Transfer-Encoding: chunked\r\n\r\n")
    assert Reply(s).status == 403
    with pytest.raises(XenError, match="IMPORT_ERROR_CANNOT_HANDLE_CHUNKED"):
        xen.wait(task)
    reply = ask(daemons, "PUT", "/import_metadata", length=0, session_id=xen.session)
    assert reply.status == 200 and xen.wait(reply.headers["task-id"]) == ""


def test_bytes_that_are_wrong(daemons, xen, vm):
    """Whatever is changed in an archive: a VM, or an error of the catalogue, and the pool goes on."""
    body, r = export(daemons, xen, ref=vm, export_snapshots="false"), random.Random(5)
    for _ in range(40):
        wrong = bytearray(body)
        for _ in range(3):
            wrong[r.randrange(512, len(wrong) - 1024)] = r.randrange(256)
        before = everything(xen)
        try:
            for ref in restore(daemons, xen, bytes(wrong)):
                xen.VM.destroy(ref)
        except XenError as e:
            assert e.code != "INTERNAL_ERROR", e.params
            assert everything(xen) == before
