# SPDX-License-Identifier: LGPL-2.1-or-later
"""Commands that every class has (list, param-list, param-get...), for each class of tests/facts/xe_classes.txt, with every byte they
print. What the columns must hold is read from the API, by the rules below and not by those of xe."""

import re

import pytest
from conftest import NULL, ROOT, a_pair
from test_xe import Xe

COLUMN = re.compile(r"([\w-]+?)(\[\]|\{\})?(\*|\+)?(?:\^(\w+))?(\*|\+)?")
KINDS = {"": " ( RO)", "*": " ( RW)", "[]": " (SRO)", "[]*": " (SRW)", "{}": " (MRO)", "{}*": " (MRW)", "{}+": " (MRO)"}
USAGE = "\nFor usage run: 'xe help'"


class Column:
    def __init__(self, text):
        m = COLUMN.fullmatch(text)
        self.name, self.kind, flags = m[1], (m[2] or "") + (m[3] or m[5] or ""), m[4] or ""
        self.costly, self.hidden = "e" in flags, "h" in flags
        self.label = self.name + KINDS[self.kind] + (" [DEPRECATED]" if "d" in flags else "")


class Class:
    def __init__(self, line):
        self.name, default, columns = (part.strip() for part in line.split("|"))
        self.columns = [Column(text) for text in columns.split()]
        self.shown = [c for c in self.columns if not c.hidden]
        self.has_list = default != "none"
        self.default = self.shown if default == "all" else [c for c in self.shown if c.name in default.split()]
        assert default in ("all", "none") or len(self.default) == len(default.split()), self.name

    def has(self, *kinds):
        return [c for c in self.shown if c.kind in kinds]


CLASSES = {c.name: c for c in map(Class, (line for line in (ROOT / "tests/facts/xe_classes.txt").read_text(encoding="utf-8").splitlines()
                                          if not line.startswith("#")))}
API = {"bond": "Bond", "vlan": "VLAN", "network-sriov": "network_sriov", "template": "VM", "snapshot": "VM", "host-crashdump": "host_crashdump",
       "patch": "pool_patch", "update": "pool_update", "host-cpu": "host_cpu", "sm": "SM", "appliance": "VM_appliance", "vm-group": "VM_group",
       "drtask": "DR_task", "gpu-group": "GPU_group", "vgpu-type": "VGPU_type", "pvs-site": "PVS_site", "pvs-server": "PVS_server",
       "pvs-proxy": "PVS_proxy", "pvs-cache-storage": "PVS_cache_storage", "feature": "Feature", "sdn-controller": "SDN_controller",
       "usb-group": "USB_group", "cluster": "Cluster", "cluster-host": "Cluster_host", "certificate": "Certificate", "repository": "Repository",
       "hostdriver-variant": "Driver_variant", "hostdriver": "Host_driver", "observer": "Observer",
       **{name: name.upper() for name in ("pif", "vif", "vmss", "vm", "vdi", "vbd", "sr", "pbd", "pgpu", "vgpu", "pusb", "vusb", "vtpm", "pci")}}
# Written by clients, and harmless: (class, map or set).
MEMBERS = {"tunnel": "other-config", "task": "other-config", "vif": "other-config", "network": "tags", "pool": "tags", "vmss": "schedule",
           "console": "other-config", "vm": "tags", "template": "tags", "snapshot": "tags", "host": "tags", "vdi": "tags",
           "vbd": "other-config", "sr": "tags", "pbd": "other-config", "pgpu": "other-config", "gpu-group": "other-config",
           "vgpu": "other-config", "usb-group": "other-config", "vusb": "other-config", "cluster": "other-config", "pif": "other-config", "observer": "endpoints",
           "pci": "other-config"}


def render(columns, values):
    """A record as the reference lays it out."""
    width = 4 + max(len(c.label) for c in columns)
    lines = [f"{c.label.ljust(width) if i == 0 else c.label.rjust(width)}: {v}\n" for i, (c, v) in enumerate(zip(columns, values))]
    return "".join(lines) + "\n\n"


def parse(columns, text):
    """The values of records, one list each; what is laid out in another way, or has other columns, is a failure."""
    found = []
    labels = [c.label for c in columns]
    for part in filter(None, text.split("\n\n\n")):
        values = []
        for label in labels:
            m = re.match(rf" *{re.escape(label)} *: ((?:.|\n)*?)(?=\n *\S+ \([SM ]R[OW]\)[^:]*: |\n*\Z)", part)
            assert m, (label, part)
            values.append(m[1])
            part = part[m.end():].lstrip("\n")
        assert not part, part
        found.append(values)
    assert "".join(render(columns, v) for v in found) == text
    return found


@pytest.fixture(scope="module")
def world():
    """Daemons with an object of most classes: xe, a client of the API, and {class: uuid}."""
    with a_pair() as pair:
        pair.start()
        xe, xen = Xe(pair.state), pair.client()
        yield xe, xen, make(xe, xen)


def make(xe, xen):
    line = xe.line

    def first(name, *filters):
        return xe(f"{name}-list", *filters, "params=uuid", "--minimal").strip().split(",")[0]

    sr, pif, vm = first("sr", "name-label=Local storage"), first("pif", "management=false"), line("vm-create", "name-label=one")
    host, nets = first("host"), [line("network-create", f"name-label=n{i}") for i in range(4)]
    vdi = line("vdi-create", f"sr-uuid={sr}", "name-label=disk", "virtual-size=2MiB")
    made = {"vm": vm, "network": nets[0], "vdi": vdi, "sr": sr}
    made["vbd"] = line("vbd-create", f"vm-uuid={vm}", "device=0", f"vdi-uuid={vdi}")
    made["vif"] = line("vif-create", f"vm-uuid={vm}", f"network-uuid={nets[0]}", "device=0")
    made["vtpm"] = line("vtpm-create", f"vm-uuid={vm}")
    made["snapshot"] = line("vm-snapshot", f"uuid={vm}", "new-name-label=before")
    line("vlan-create", f"pif-uuid={pif}", "vlan=7", f"network-uuid={nets[1]}")
    line("tunnel-create", f"pif-uuid={pif}", f"network-uuid={nets[2]}")
    made["task"] = xen.task.get_uuid(xen.task.create("a task", "of a test"))
    made["vmss"] = line("vmss-create", "name-label=nightly", "type=snapshot", "frequency=daily", "schedule:min=0", "schedule:hour=3")
    made["secret"] = line("secret-create", "value=hush")
    made["appliance"] = line("appliance-create", "name-label=shop")
    xe("vm-param-set", f"uuid={vm}", f"appliance={made['appliance']}", "name-description=words, \\ and more")
    made["vm-group"] = line("vm-group-create", "name-label=apart", "placement=anti_affinity")
    xe("message-create", f"vm-uuid={vm}", "name=TEST", "priority=3", "body=text")
    site = line("pvs-site-introduce", "name-label=site")
    line("pvs-server-introduce", "addresses=10.0.0.1", "first-port=5000", "last-port=5010", f"pvs-site-uuid={site}")
    line("sdn-controller-introduce", "address=10.0.0.1", "protocol=ssl", "tcp-port=6633")
    xe("pusb-scan", f"host-uuid={host}")
    pusb = first("pusb")
    xe("pusb-param-set", f"uuid={pusb}", "passthrough-enabled=true")
    line("vusb-create", f"usb-group-uuid={first('usb-group')}", f"vm-uuid={vm}")
    line("vgpu-create", f"vm-uuid={vm}", f"gpu-group-uuid={first('gpu-group')}")
    line("observer-create", "name-label=watcher")
    line("caller-create", "name-label=agent", "user-agent=x")
    xe("vm-start", f"uuid={line('vm-create', 'name-label=running')}")
    for name in CLASSES:
        if name not in made and CLASSES[name].has_list and (uuid := first(name)):
            made[name] = uuid
    return made


def api_of(name):
    return API.get(name, name)


def records(xen, name):
    """What list is to show: {uuid: record}."""
    found = getattr(xen, api_of(name)).get_all_records().values()
    wanted = {"vm": lambda r: not r["is_a_template"] and not r["is_a_snapshot"], "template": lambda r: r["is_a_template"] and not r["is_a_snapshot"],
              "snapshot": lambda r: r["is_a_snapshot"]}.get(name, lambda r: True)
    return {r["uuid"]: r for r in found if wanted(r)}


def test_facts_name_every_class(world):
    xe, _, made = world
    names = xe.line("help", "--minimal", "--all").split(",")
    assert {n.removesuffix("-param-list") for n in names if n.endswith("-param-list")} == set(CLASSES)
    assert len(made) >= 38, sorted(set(CLASSES) - set(made))


@pytest.mark.parametrize("name", CLASSES)
def test_list(world, name):
    xe, xen, _ = world
    c = CLASSES[name]
    if not c.has_list:
        assert xe.fails(f"{name}-list") == f"Unknown command: {name}-list{USAGE}"
        return
    there = records(xen, name)
    uuids = xe.line(f"{name}-list", "params=uuid", "--minimal")
    assert sorted(filter(None, uuids.split(","))) == sorted(there)
    shown = parse(c.shown, xe(f"{name}-list", "params=all"))
    assert [v[[x.name for x in c.shown].index("uuid")] for v in shown] == list(filter(None, uuids.split(",")))
    assert all(value == "<expensive field>" for values in shown for x, value in zip(c.shown, values) if x.costly)
    assert len(parse(c.default, xe(f"{name}-list"))) == len(there)
    assert xe(f"{name}-list", "uuid=none") == ""
    for uuid in list(there)[:1]:
        assert xe.line(f"{name}-list", f"uuid={uuid}", "params=uuid,nonsense", "--minimal") == uuid


class Names:
    """uuids and names by reference, of all classes."""

    def __init__(self, xen):
        self.known = {}
        for api in {api_of(name) for name in CLASSES}:
            for ref, r in getattr(xen, api).get_all_records().items():
                self.known[ref] = r

    def text(self, value):
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, list):
            return "; ".join(map(self.text, value))
        if isinstance(value, dict):
            return "; ".join(f"{k}: {self.text(v)}" for k, v in value.items())
        if isinstance(value, float):
            return f"{value:.3f}"
        text = str(value)
        if text == NULL:
            return "<not in database>"
        return self.known[text]["uuid"] if text in self.known else text


def expected(names, record, column):
    """Text of a column by its name alone; None: the name does not tell."""
    fields = {key.lower().replace("_", "-"): key for key in record}
    name = column.name.lower().replace("_", "-")
    if column.costly or name in ("allowed-operations", "current-operations"):
        return None
    if name in fields:
        return names.text(record[fields[name]])
    for suffix, field in (("-uuid", "uuid"), ("-name-label", "name_label")):
        owner = name.removesuffix(suffix)
        if name.endswith(suffix) and owner in fields:
            ref = record[fields[owner]]
            return names.known[ref][field] if ref in names.known else "<not in database>" if ref == NULL else None
    return None


# Shown otherwise than by their name: spelled for people, joined in another way, of other objects.
OTHERWISE = {"power-state", "type", "mode", "protocol", "actions-after-shutdown", "actions-after-reboot", "actions-after-crash",
             "actions-after-softreboot", "tags", "purpose", "placement", "allocation-algorithm"}


@pytest.mark.parametrize("name", CLASSES)
def test_param_list_and_get(world, name):
    xe, xen, made = world
    c = CLASSES[name]
    assert xe.fails(f"{name}-param-list", "uuid=none").splitlines()[1:] == [f"type: {api_of(name)}", "uuid: none"]
    assert xe.fails(f"{name}-param-list") == f"Required parameter not found: uuid{USAGE}"
    assert xe.fails(f"{name}-param-get", "uuid=none") == f"Required parameter not found: param-name{USAGE}"
    if name not in made:
        return
    values, = parse(c.shown, xe(f"{name}-param-list", f"uuid={made[name]}"))
    record, names = getattr(xen, api_of(name)).get_record(getattr(xen, api_of(name)).get_by_uuid(made[name])), Names(xen)
    wrong = {x.name: (value, want) for x, value in zip(c.shown, values)
             if (want := expected(names, record, x)) is not None and x.name not in OTHERWISE and value != want}
    assert not wrong
    kinds = {x.kind: i for i, x in enumerate(c.shown) if not x.costly}
    for i in kinds.values():
        assert xe(f"{name}-param-get", f"uuid={made[name]}", f"param-name={c.shown[i].name}") == values[i] + "\n", c.shown[i].name
    assert xe.fails(f"{name}-param-get", f"uuid={made[name]}", "param-name=none") == "Error code: Missing parameter\nError parameters: none"


@pytest.mark.parametrize("name", CLASSES)
def test_param_set(world, name):
    xe, _, made = world
    c, uuid = CLASSES[name], f"uuid={made.get(name, 'none')}"
    if not c.has("*", "{}*", "{}+", "[]*"):
        assert xe.fails(f"{name}-param-set", uuid) == f"Unknown command: {name}-param-set{USAGE}"
        return
    assert xe.fails(f"{name}-param-set", "x=y") == f"Required parameter not found: uuid{USAGE}"
    assert xe.fails(f"{name}-param-set", uuid, "none=1") == "Error: Unknown field 'none'"
    if name not in made:
        return
    for x in [x for x in c.has("") if x.name != "uuid"][:1]:
        assert xe.fails(f"{name}-param-set", uuid, f"{x.name}=x") == f"Error: Field '{x.name}' is read-only."
    for x in c.has("{}*")[:1]:
        assert xe.fails(f"{name}-param-set", uuid, f"{x.name}=x") == \
            f"Error: Field '{x.name}' is a map or set. use the 'name:key=value' syntax."
    for x in [x for x in c.has("*") if x.name in ("name-description", "value", "enabled", "allocation-algorithm")][:1]:
        now = xe.line(f"{name}-param-get", uuid, f"param-name={x.name}")
        other = {"true": "false", "false": "true", "breadth-first": "depth-first", "depth-first": "breadth-first"}.get(now, "other words")
        for value in (other, now):
            assert xe(f"{name}-param-set", uuid, f"{x.name}={value}") == ""
            assert xe.line(f"{name}-param-get", uuid, f"param-name={x.name}") == value
    field = MEMBERS.get(name)
    if field and field in [x.name for x in c.has("{}*")]:
        before = xe(f"{name}-param-get", uuid, f"param-name={field}")
        key, values = ("hour", ("4", "3")) if name == "vmss" else ("xe-test", ("1", "2"))
        for value in values:
            assert xe(f"{name}-param-set", uuid, f"{field}:{key}={value}") == ""
            assert xe.line(f"{name}-param-get", uuid, f"param-name={field}", f"param-key={key}") == value
        if name != "vmss":
            assert xe(f"{name}-param-remove", uuid, f"param-name={field}", f"param-key={key}") == ""
            assert xe(f"{name}-param-get", uuid, f"param-name={field}") == before


def test_members_of_what_is_only_set_whole(world):
    """Objects by their uuids, texts as such."""
    xe, _, made = world
    uuid, host = f"uuid={made['observer']}", xe.line("host-list", "--minimal")
    for field, first, second in (("host-uuids", host, None), ("components", "xapi", "smapi")):
        words = ("observer-param-get", uuid, f"param-name={field}")
        assert xe.line(*words) == ""
        for member in filter(None, (first, second, first)):
            assert xe("observer-param-add", uuid, f"param-name={field}", f"param-key={member}") == ""
        assert xe.line(*words) == "; ".join(filter(None, (first, second)))
        assert xe("observer-param-remove", uuid, f"param-name={field}", f"param-key={first}") == ""
        assert xe.line(*words) == (second or "")
        assert xe.fails("observer-param-set", uuid, f"{field}=x")
    assert xe.fails("observer-param-add", uuid, "param-name=host-uuids", "param-key=none").splitlines()[1:] == ["type: host", "uuid: none"]


@pytest.mark.parametrize("name", CLASSES)
def test_param_add_remove_and_clear(world, name):
    xe, _, made = world
    c, uuid = CLASSES[name], f"uuid={made.get(name, 'none')}"
    if not c.has("[]*", "{}*"):
        for verb in ("param-add", "param-remove"):
            assert xe.fails(f"{name}-{verb}", uuid) == f"Unknown command: {name}-{verb}{USAGE}"
    else:
        assert xe.fails(f"{name}-param-add", uuid) == f"Required parameter not found: param-name{USAGE}"
        assert xe.fails(f"{name}-param-remove", uuid, "param-name=x") == f"Required parameter not found: param-key{USAGE}"
    if not any(x.kind != "" for x in c.shown):
        assert xe.fails(f"{name}-param-clear", uuid) == f"Unknown command: {name}-param-clear{USAGE}"
    if name not in made or name not in MEMBERS:
        return
    field, is_map = f"param-name={MEMBERS[name]}", MEMBERS[name] in [x.name for x in c.has("{}*")]

    def get():
        return xe.line(f"{name}-param-get", uuid, field)

    before = get()
    assert xe.fails(f"{name}-param-remove", uuid, field, "param-key=none") == ("Error: Key none is not in map" if is_map
                                                                                 else "Error: Key none is not in the set")
    if name == "vmss":
        return  # its keys are given, and none may be missing
    value = "http://127.0.0.1:1/x" if name == "observer" else "v 1"
    assert xe(f"{name}-param-add", uuid, field, "k1=v 1" if is_map else f"param-key={value}") == ""
    added = "k1: v 1" if is_map else value
    assert get() == (f"{before}{', ' if MEMBERS[name] == 'tags' else '; '}{added}" if before else added)
    if is_map:
        assert xe.fails(f"{name}-param-add", uuid, field, "k1=again")
    assert xe(f"{name}-param-remove", uuid, field, f"param-key={'k1' if is_map else value}") == ""
    assert get() == before
    xe(f"{name}-param-clear", uuid, field)
    assert get() == ""
    assert xe.fails(f"{name}-param-clear", uuid, "param-name=uuid") == "Error: Can only clear RW parameters"
