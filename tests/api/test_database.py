# SPDX-License-Identifier: LGPL-2.1-or-later
"""The database as XML: out, in again, and that of another pool."""

import random
import re
import xml.etree.ElementTree as ET

import pytest

from conftest import NULL, ROOT, XenError, a_pair
from metadata import export
from transfers import Reply, ask, connect, connect_tcp, head, put_task
from vms import default_sr, disks_of, new_card, new_disk, new_vm, remove

PATH = "/pool/xmldbdump"
FOREIGN = (ROOT / "tests/golden/database/pool.xml").read_text()
# What belongs to the machine, or changes by itself.
OURS = {"host", "host_metrics", "host_cpu", "PIF", "PIF_metrics", "PCI", "PGPU", "PUSB", "SM", "Feature", "Certificate",
        "Host_driver", "Driver_variant", "console", "role", "blob"}


@pytest.fixture(scope="module")
def pair():
    with a_pair() as d:
        d.start()
        yield d


@pytest.fixture
def xen(pair):
    return pair.client()


def dump(d, xen):
    reply = ask(d, "GET", PATH, session_id=xen.session)
    assert (reply.status, reply.headers["content-type"]) == (200, "text/xml")
    return reply.body().decode()


def restore(d, xen, text, **query):
    assert put_task(d, xen, PATH, text.encode(), **query) == ""


def tables(text):
    """class -> reference -> columns, without the times of changes"""
    found = {}
    for table in ET.fromstring(text).findall("table"):
        rows = found.setdefault(table.get("name"), {})
        for row in table.findall("row"):
            columns = dict(row.attrib)
            assert columns["_ref"] == columns["ref"] and int(columns["__ctime"]) <= int(columns["__mtime"])
            rows[columns.pop("ref")] = {k: v for k, v in columns.items() if not k.startswith("__")}
    return found


def guests(text):
    """What a restore brings back."""
    left_out = OURS | {"host_crashdump", "task", "session"}
    return {name: rows for name, rows in tables(text).items() if name not in left_out}


def differences(one, other):
    """(class, reference, column) -> both values"""
    one, other = guests(one), guests(other)
    return {(name, ref, c): (a.get(c), b.get(c))
            for name in one.keys() | other.keys()
            for ref in one[name].keys() | other[name].keys()
            for a, b in [(one[name].get(ref, {}), other[name].get(ref, {}))]
            for c in a.keys() | b.keys() if a.get(c) != b.get(c)}


@pytest.fixture
def vm(xen):
    ref = new_vm(xen, "in the database")
    new_disk(xen, ref)
    new_card(xen, ref)
    xen.VM.snapshot(ref, "a snapshot")
    yield ref
    remove(xen, ref)


def test_dump(pair, xen, vm):
    odd = "a  b%c\td\ne'f\\g\"h<i>&j ä"
    xen.VM.set_name_description(vm, odd)
    xen.VM.set_other_config(vm, {"k 1": odd, "k'2": ""})
    xen.VM.set_tags(vm, [odd, "t"])
    text = dump(pair, xen)
    root = ET.fromstring(text)
    manifest = {p.get("key"): p.get("value") for p in root.find("manifest")}
    assert (manifest["schema_major_vsn"], manifest["schema_minor_vsn"]) == ("5", "909")
    assert int(manifest["generation_count"]) > 1
    row = tables(text)["VM"][vm]
    assert row["uuid"] == xen.VM.get_uuid(vm) and row["VCPUs__max"] == xen.VM.get_VCPUs_max(vm)
    assert row["name__description"] == "a%.%.b%%c%td%ne'f\\g\"h<i>&j%.ä"
    assert row["tags"] == r"('a%.%.b%%c%td%ne\'f\\g\"h<i>&j%.ä'%.'t')"
    assert sorted(row["other_config"][2:-2].split(")%.(")) == [
        r"'k%.1'%.'a%.%.b%%c%td%ne\'f\\g\"h<i>&j%.ä'", r"'k\'2'%.''"]
    assert "VBDs" not in row and "snapshots" not in row
    for name in ("VM", "VBD", "VIF", "VDI", "SR", "PBD", "network", "pool", "host"):
        assert set(tables(text)[name]) == set(xen.call(f"{name}.get_all")), name
    assert "session" not in tables(text) and "task" not in tables(text)
    assert not re.search(r'="[^"]* [^"]*"', text.split("</manifest>")[1]), "white space is protected"


def test_back_again(pair, xen, vm):
    """What was made, changed and removed since is gone, as it was, and back; the same dump comes out."""
    xen.VM.set_name_description(vm, "then")
    secret = xen.secret.create({"value": "a secret", "other_config": {}})
    appliance = xen.VM_appliance.create({"name_label": "a", "name_description": ""})
    xen.VM.set_appliance(vm, appliance)
    before = dump(pair, xen)
    disk, = disks_of(xen, vm).values()
    xen.VM.set_name_description(vm, "since")
    xen.VM.set_name_label(vm, "since")
    xen.VDI.set_name_label(disk, "since")
    xen.pool.set_name_label(xen.pool.get_all()[0], "since")
    xen.VM_appliance.destroy(appliance)
    xen.VIF.destroy(xen.VM.get_VIFs(vm)[0])
    new = new_vm(xen, "made since")
    xen.VM.destroy(xen.VM.get_snapshots(vm)[0])
    restore(pair, xen, before)
    assert differences(dump(pair, xen), before) == {}
    assert new not in xen.VM.get_all() and xen.VM.get_name_description(vm) == "then"
    assert xen.VM.get_appliance(vm) == appliance and len(xen.VM.get_snapshots(vm)) == 1
    assert pair.verify() == {}
    xen.VM.start(vm, False, False)
    xen.VM.hard_shutdown(vm)
    xen.VM_appliance.destroy(appliance)
    xen.secret.destroy(secret)
    # And once more, as it is: nothing changes.
    before = dump(pair, xen)
    restore(pair, xen, before)
    assert differences(dump(pair, xen), before) == {}


def test_dry_run(pair, xen, vm):
    before = dump(pair, xen)
    xen.VM.set_name_label(vm, "since")
    restore(pair, xen, before, dry_run="true")
    assert xen.VM.get_name_label(vm) == "since"


def test_pool_of_another_program():
    """Written by hand after the format: guests, disks, networks, people of the other pool; this machine."""
    with a_pair() as d:
        d.start()
        xen = d.client()
        host, = xen.host.get_all()
        mine = {c: set(xen.call(f"{c}.get_all")) for c in ("host", "PIF", "SR", "PBD", "SM", "network")}
        host_record = xen.host.get_record(host)
        dom0 = host_record["control_domain"]
        events = xen.call("event.from", ["*"], "", 0.0)["token"]
        vdi = xen.VDI.create({"name_label": "ours", "name_description": "", "SR": default_sr(xen), "virtual_size": "1",
                              "type": "user", "sharable": False, "read_only": False, "other_config": {}})
        restore(d, xen, FOREIGN)
        r = "OpaqueRef:00000000-0000-4000-8000-0000000000"
        vm = xen.VM.get_record(r + "42")
        assert vm["uuid"] == "10000000-0000-4000-8000-000000000042"
        assert vm["name_label"] == "a guest <of> elsewhere" and vm["name_description"] == "100%\nin two lines"
        assert (vm["power_state"], vm["resident_on"], vm["domid"]) == ("Halted", NULL, "-1")
        assert (vm["affinity"], vm["VCPUs_max"], vm["order"]) == (host, "4", "3")
        assert vm["HVM_boot_params"] == {"firmware": "uefi", "order": "cdn"} and vm["current_operations"] == {}
        assert vm["blocked_operations"] == {"destroy": "not this one"} and vm["tags"] == ["web"]
        assert (vm["snapshots"], vm["parent"], vm["appliance"]) == ([r + "43"], r + "43", r + "45")
        assert vm["VBDs"] == [r + "65"] and vm["VIFs"] == [r + "70"]
        vbd, vif = xen.VBD.get_record(r + "65"), xen.VIF.get_record(r + "70")
        assert (vbd["VDI"], vbd["currently_attached"], vbd["other_config"]) == (r + "60", False, {"owner": ""})
        assert (vif["network"], vif["MAC"], vif["ipv4_allowed"]) == (r + "20", "0e:2f:cf:29:7f:0a", ["192.0.2.7", "192.0.2.8"])
        network = xen.network.get_record(r + "20")
        assert network["name_description"] == "tab:\tpercent:%  two spaces" and network["PIFs"] == []
        assert network["assigned_ips"] == {r + "70": "169.254.0.2"}
        sr = xen.SR.get_record(r + "30")
        assert (sr["type"], sr["VDIs"], sr["PBDs"]) == ("nfs", [r + "60"], [r + "35"])
        pbd = xen.PBD.get_record(r + "35")
        assert (pbd["host"], pbd["currently_attached"]) == (host, False)
        assert pbd["device_config"] == {"server": "192.0.2.1", "serverpath": "/disks"}
        assert xen.secret.get_value(r + "80") == "pass word"
        subject = xen.subject.get_record(r + "90")
        assert (subject["subject_identifier"], len(subject["roles"])) == ("S-1-5-21-1-2-3-1000", 1)
        pool = xen.pool.get_record(xen.pool.get_all()[0])
        assert (pool["name_label"], pool["default_SR"], pool["master"]) == ("pool of elsewhere", r + "30", host)
        assert pool["other_config"]["it's"] == "a \\ b" and pool["tags"] == ["one", "two words"]
        # This machine is what it was.
        assert {c: set(xen.call(f"{c}.get_all")) for c in mine} == mine | {
            "SR": mine["SR"] | {r + "30"}, "PBD": mine["PBD"] | {r + "35"}, "network": mine["network"] | {r + "20"}}
        assert set(xen.VM.get_all()) == {dom0, r + "42", r + "43"} and vdi in xen.VDI.get_all()
        assert xen.host.get_record(host)["name_label"] == host_record["name_label"]
        assert len(xen.VM_metrics.get_all()) == 3
        # Who listens hears of it.
        told = {(e["class"], e["operation"], e["ref"]) for e in xen.call("event.from", ["*"], events, 5.0)["events"]}
        assert ("vm", "add", r + "42") in told and ("sr", "add", r + "30") in told
        assert [e for e in told if e[:2] == ("vm", "del")]
        assert d.verify() == {}
        d.stop()
        d.start()
        xen = d.client()
        assert xen.VM.get_name_label(r + "42") == "a guest <of> elsewhere"


def changed(old, new, text=FOREIGN):
    assert old in text
    return text.replace(old, new, 1)


ROW = 'ref="OpaqueRef:00000000-0000-4000-8000-000000000042"'


def test_how_large_a_dump_may_be(pair, xen, fails):
    rows = "".join(f'<row ref="OpaqueRef:{i}"/>' for i in range(200001))
    text = FOREIGN.replace('<table name="secret">', '<table name="secret">' + rows)
    assert "table secret is too large" in fails("INVALID_VALUE", restore, pair, xen, text, dry_run="true")[1]
    with connect(pair) as s:
        s.sendall(head("PUT", PATH, (256 << 20) + 1, session_id=xen.session))
        assert Reply(s).status == 400


@pytest.mark.parametrize("text, code, part", [
    ("", "INVALID_VALUE", "no element found"),
    ("<database>", "INVALID_VALUE", "line 1"),
    ("x" * 5000, "INVALID_VALUE", "line 1"),
    ("<database></database>", "INVALID_VALUE", "no version"),
    ("<methodCall/>", "INVALID_VALUE", "methodCall"),
    ("<!DOCTYPE a [<!ENTITY b 'c'>]><database/>", "INVALID_VALUE", "document type"),
    (FOREIGN[:-300], "INVALID_VALUE", "line"),
    (changed('value="909"', 'value="908"'), "RESTORE_INCOMPATIBLE_VERSION", None),
    (changed('value="5"', 'value="6"'), "RESTORE_INCOMPATIBLE_VERSION", None),
    (changed('value="5"', 'value="five"'), "INVALID_VALUE", "five"),
    (changed('VCPUs__max="4"', 'VCPUs__max="four"'), "INVALID_VALUE", "VCPUs__max of VM OpaqueRef"),
    (changed('power_state="Running" resident', 'power_state="Flying" resident'), "INVALID_VALUE", "power_state of VM"),
    (changed("(('weight'%.'256'))", "(('weight'%.'256')"), "INVALID_VALUE", "VCPUs__params of VM"),
    (changed("('web')", "('web'"), "INVALID_VALUE", "tags of VM"),
    (changed("('web')", "(web)"), "INVALID_VALUE", "tags of VM"),
    (changed('snapshot_time="1970', 'snapshot_time="in 1970'), "INVALID_VALUE", "snapshot_time of VM"),
    (changed('VCPUs__max="4"', 'VCPUs__max="0"'), "INVALID_VALUE", None),
    (changed('memory__static_min="268435456"', 'memory__static_min="9"'.replace("9", "9" * 15)),
     "MEMORY_CONSTRAINT_VIOLATION_ORDER", None),
    (changed(ROW, ""), "INVALID_VALUE", "line"),
    (changed(ROW, ROW.replace("42", "43")), "INVALID_VALUE", "twice"),
    (changed('uuid="10000000-0000-4000-8000-000000000042"', 'uuid="10000000-0000-4000-8000-000000000043"'),
     "INVALID_VALUE", "10000000-0000-4000-8000-000000000043"),
    (changed('uuid="10000000-0000-4000-8000-000000000042"', 'uuid="../../x"'), "INVALID_VALUE", "../../x"),
    (changed('master="OpaqueRef:0', 'master="OpaqueRef:9'), "INVALID_VALUE", "OpaqueRef:9"),
    (changed('<table name="pool">', '<table name="pooh">'), "INVALID_VALUE", "none"),
    (changed('userdevice="0"', 'userdevice="many"'), "INVALID_VALUE", "userdevice of VBD"),
    (changed('MAC="0e:2f', 'MAC="0x:2f'), "INVALID_VALUE", "MAC of VIF"),
    (changed("<row", "<column"), "INVALID_VALUE", "line"),
], ids=range(27))
def test_wrong_dumps_change_nothing(pair, xen, fails, text, code, part):
    before = tables(dump(pair, xen))
    if text:
        for dry_run in ("true", "false"):
            params = fails(code, restore, pair, xen, text, dry_run=dry_run)
            assert part is None or any(part in p for p in params), params
    assert tables(dump(pair, xen)) == before


def test_another_minor_version_if_forced():
    with a_pair() as d:
        d.start()
        xen = d.client()
        restore(d, xen, changed('value="909"', 'value="799"'), force="true")
        assert xen.VM.get_by_name_label("a guest <of> elsewhere")


def test_references_of_another_form(fails):
    """They become ours; those that another object here has, too."""
    with a_pair() as d:
        d.start()
        xen = d.client()
        sr = default_sr(xen)
        text = FOREIGN.replace("OpaqueRef:00000000-0000-4000-8000-000000000042", "OpaqueRef:x" * 20)
        restore(d, xen, text)
        vm, = xen.VM.get_by_name_label("a guest <of> elsewhere")
        assert re.fullmatch("OpaqueRef:[0-9a-f-]{36}", vm)
        assert xen.VBD.get_VM("OpaqueRef:00000000-0000-4000-8000-000000000065") == vm
        text = FOREIGN.replace("OpaqueRef:00000000-0000-4000-8000-000000000030", sr)
        restore(d, xen, text)
        assert xen.SR.get_uuid(sr) != "10000000-0000-4000-8000-000000000030"
        assert xen.SR.get_by_uuid("10000000-0000-4000-8000-000000000030") != sr


def test_guests_that_run(pair, xen, vm, fails):
    text = dump(pair, xen)
    xen.VM.start(vm, False, False)
    host, = xen.host.get_all()
    assert fails("HOST_IN_USE", restore, pair, xen, text) == [host, "VM", vm]
    assert xen.VM.get_power_state(vm) == "Running"
    xen.VM.suspend(vm)
    text = dump(pair, xen)
    restore(pair, xen, text)
    assert differences(dump(pair, xen), text) == {}
    xen.VM.resume(vm, False, False)
    assert xen.VM.get_power_state(vm) == "Running"


def test_guest_that_ran_then(pair, xen, vm):
    xen.VM.start(vm, False, False)
    text = dump(pair, xen)
    xen.VM.hard_shutdown(vm)
    restore(pair, xen, text)
    assert (xen.VM.get_power_state(vm), xen.VM.get_resident_on(vm)) == ("Halted", NULL)
    assert not [b for b in xen.VM.get_VBDs(vm) if xen.VBD.get_currently_attached(b)]
    xen.VM.start(vm, False, False)


def test_who_may_and_how(pair, xen):
    for verb in ("GET", "PUT"):
        s = connect_tcp(pair)
        s.sendall(head(verb, PATH, 0))
        reply = Reply(s)
        assert (reply.status, reply.headers["www-authenticate"]) == (
            401, f'Basic realm="{verb.lower()}_pool_xml_db_sync"')
    assert ask(pair, "PUT", PATH, length=-1, session_id=xen.session).status == 400
    s = connect_tcp(pair)
    s.sendall(head("PUT", PATH, session_id=xen.session))
    assert Reply(s).status == 400
    assert ask(pair, "PUT", PATH, length=1 << 40, session_id=xen.session).status == 400


def test_body_that_is_cut(pair, xen, fails):
    def cut():
        task = xen.task.create("restore", "")
        reply = ask(pair, "PUT", PATH, FOREIGN.encode()[:2000], length=len(FOREIGN), session_id=xen.session, task_id=task)
        reply.sock.close()
        xen.wait(task)
    before = tables(dump(pair, xen))
    assert fails("INVALID_VALUE", cut) == ["database", "the body ends too early"]
    assert tables(dump(pair, xen)) == before


def test_bytes_that_are_wrong(pair, xen, vm):
    """Whatever is changed in a dump: it is taken, or an error of the catalogue; the daemon goes on and is sound."""
    text, r = dump(pair, xen), random.Random(7)
    places = [m.start() for m in re.finditer('<row ref', text)]
    for _ in range(30):
        wrong = text
        for _ in range(4):
            at = r.choice(places) + r.randrange(600)
            wrong = wrong[:at] + r.choice("x01'\"()<>%& -") + wrong[at + 1:]
        try:
            restore(pair, xen, wrong)
        except XenError as e:
            assert e.code != "INTERNAL_ERROR", e.params
    restore(pair, xen, text)
    assert differences(dump(pair, xen), text) == {}
    assert pair.verify() == {}


@pytest.mark.parametrize("path", [PATH, "/import_metadata", "/host_restore"])
def test_hand_over_in_the_middle(fails, path):
    """What comes in half before and half behind a hand-over is refused, by the task that was given; nothing changes."""
    with a_pair() as d:
        d.start()
        xen = d.client()
        vm = new_vm(xen, "then")
        body = {PATH: dump(d, xen).encode(), "/import_metadata": export(d, xen, ref=vm),
                "/host_restore": ask(d, "GET", "/host_backup", session_id=xen.session).body()}[path]
        xen.VM.set_name_label(vm, "since")
        before = xen.VM.get_all_records()
        task = xen.task.create("t", "")
        s = connect(d)
        s.sendall(head("PUT", path, len(body), session_id=xen.session, task_id=task) + body[:1000])
        reply = Reply(s)
        assert reply.status == 200
        old = d.hand_over()
        s.sendall(body[1000:])
        assert "another program" in fails("INTERNAL_ERROR", xen.wait, task)[0]
        s.close()
        old.wait(60)
        assert xen.VM.get_all_records() == before
        task = xen.task.create("t", "")
        reply = ask(d, "PUT", path, body, session_id=xen.session, task_id=task)
        assert reply.status == 200
        xen.wait(task)
        assert "then" in [r["name_label"] for r in xen.VM.get_all_records().values()]


def test_dump_that_outlives_its_daemon():
    with a_pair() as d:
        d.start()
        xen = d.client()
        for _ in range(12):
            xen.VM.add_to_other_config(new_vm(xen, "large"), "much", "x" * 250_000)
        s = connect(d)
        s.sendall(head("GET", PATH, session_id=xen.session))
        reply = Reply(s)
        old = d.hand_over()
        xen.VM.set_name_label(xen.VM.get_by_name_label("large")[0], "since")
        text = reply.body().decode()
        old.wait(60)
        assert len(tables(text)["VM"]) == len(xen.VM.get_all()) and "since" not in text and text.count("x" * 250_000) == 12
