# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every message of the XenAPI, called as it must not be called, and the implicit ones as they must.

What is expected comes from tests/facts alone, which knows nothing of schema/. Each test goes through all messages and
tells every one that answers otherwise. tests/mutations/run shows that errors in schema/ do not pass.
"""

import json
import socket
import subprocess
import sys
import xmlrpc.client

import pytest

from conftest import NULL, ROOT, Client, a_pair
from nets import introduce
from vms import new_card, new_disk, new_vm

sys.path.insert(0, str(ROOT / "tests" / "facts"))

from facts import ABSENT, Facts, split  # noqa: E402

FACTS = Facts()
MESSAGES = sorted(FACTS.messages.values(), key=lambda m: m.name)
ROLES = ["read-only", "vm-operator", "vm-admin", "vm-power-admin", "pool-operator", "pool-admin"]  # upwards
NOBODY = "OpaqueRef:00000000-0000-4000-8000-0000000dead0"
NOTHING = "OpaqueRef:00000000-0000-4000-8000-0000000dead{}"
OK = "Success"

# They take no arguments that could be wrong; a call that is right ends the session or the daemon, waits, or removes rows.
NEVER_RIGHT = {"session.logout", "session.local_logout", "host.shutdown_agent", "event.next", "pool.disable_binary_storage"}

# A reference to nothing is none: servers of the XenAPI look at it when it is used, if ever.
MAY_DANGLE = {(f"{cls}.set_{field}", "value") for cls, field in (
    ("VM", "affinity"), ("VM", "appliance"), ("VM", "suspend_SR"), ("host", "crash_dump_sr"), ("host", "suspend_image_sr"),
    ("pool", "crash_dump_SR"), ("pool", "default_SR"), ("pool", "suspend_image_SR"))}
MAY_DANGLE |= {("PGPU.remove_enabled_VGPU_types", "value"), ("host.evacuate", "network")}


class Wire:
    """One connection. call() in JSON-RPC, xml() in XML-RPC: (code, parameters) or (OK, value)."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(str(path))
        self.file = self.sock.makefile("rb")

    def call(self, method, *params):
        answer = json.loads(self.post(b"/jsonrpc", {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))
        error = answer.get("error")
        return (error["message"], error["data"]) if error else (OK, answer["result"])

    def xml(self, method, *params):
        (answer,), _ = xmlrpc.client.loads(self.post(b"/", xmlrpc.client.dumps(params, method)))
        failure = answer.get("ErrorDescription")
        return (failure[0], failure[1:]) if failure else (OK, answer["Value"])

    def post(self, path, body):
        body = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.sock.sendall(b"POST %s HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (path, len(body)) + body)
        assert b" 200 " in self.file.readline()
        length = 0
        while (line := self.file.readline().strip()):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        return self.file.read(length)


class Host:
    """Daemons of their own, with a session of each role, and something of most classes in the store."""

    def __init__(self, daemons):
        self.daemons, self.xen = daemons, daemons.client()
        self.wire = Wire(daemons.socket)
        self.root = self.xen.session
        self.remote_root = self.login("root", daemons.password)
        self.sessions = self.people()
        populate(self.xen)
        self.known = {}
        for cls in FACTS.classes:
            if f"{cls}.get_all" in FACTS.messages and not FACTS.messages[f"{cls}.get_all"].has("r"):
                refs = self.xen.call(f"{cls}.get_all")
                self.known[cls] = refs[0] if refs else None

    def login(self, user, word):
        return Client(xmlrpc.client.ServerProxy(f"http://127.0.0.1:{self.daemons.http}/")).login(user, word).session

    def people(self):
        hashed = subprocess.run(["openssl", "passwd", "-6", "-stdin"], input="word", check=True, capture_output=True,
                                text=True).stdout.strip()
        with open(self.daemons.state / "accounts", "a", encoding="utf-8") as f:
            f.writelines(f"{role}:{hashed}\n" for role in ROLES)
        xen = self.xen
        xen.pool.enable_external_auth(xen.pool.get_all()[0], {}, "accounts", "PAM")
        for role in ROLES:
            who = xen.auth.get_subject_identifier(role)
            subject = xen.subject.create({"subject_identifier": who, "other_config": {}})
            xen.subject.add_to_roles(subject, xen.role.get_by_name_label(role)[0])
        return {role: self.login(role, "word") for role in ROLES}

    def call(self, session, m, *args, prefix="", form="call"):
        return getattr(self.wire, form)(prefix + m.name, *([] if m.has("s") else [session]), *args)


def populate(xen):
    """A row of every class of which the simulated host has none by itself, where that is easy."""
    machine, vm = xen.host.get_all()[0], new_vm(xen, "every message")
    vdi, _ = new_disk(xen, vm)
    vif = new_card(xen, vm)
    site, group, network = xen.PVS_site.introduce("site", "", ""), xen.USB_group.create("u", "", {}), xen.VIF.get_network(vif)
    pif = introduce(xen, "eth7", network)
    xen.VLAN.create(pif, "7", new_network(xen))
    xen.tunnel.create(pif, new_network(xen), "gre")
    xen.VM.snapshot(vm, "every snapshot", [])
    xen.VM.create_new_blob(vm, "b", "text/plain", False)
    xen.VM_appliance.create({"name_label": "a", "name_description": ""})
    xen.VM_group.create({"name_label": "g", "name_description": "", "placement": "normal"})
    xen.VMSS.create({"name_label": "v", "name_description": "", "type": "snapshot", "frequency": "daily",
                     "schedule": {"min": "0", "hour": "1"}})
    xen.VTPM.create(vm, False)
    xen.VUSB.create(vm, group, {})
    xen.PVS_server.introduce(["192.0.2.1"], "1000", "1001", site)
    xen.PVS_proxy.create(site, vif)
    xen.PVS_cache_storage.create({"host": machine, "SR": xen.VDI.get_SR(vdi), "site": site, "size": str(1 << 30)})
    xen.SDN_controller.introduce("pssl", "", 0)
    xen.Repository.introduce("r", "", "http://127.0.0.1/b", "http://127.0.0.1/s", False, "")
    xen.secret.create({"value": "s", "other_config": {}})
    xen.task.create("every message", "")
    xen.message.create("EVERY", 5, "VM", xen.VM.get_uuid(vm), "body")
    for cls in ("Caller", "Rate_limit", "Observer"):
        xen.call(f"{cls}.create", {"name_label": "every", "user_agent": "every", "burst_size": 5.0, "fill_rate": 1.0})
    xen.VM.start(xen.VM.clone(vm, "every running"), False, False)


def new_network(xen):
    return xen.network.create({"name_label": "n", "name_description": "", "MTU": "1500", "other_config": {}})


@pytest.fixture(scope="module")
def host():
    with a_pair() as d:
        d.start()
        yield Host(d)


class Findings(list):
    def expect(self, what, got, *wanted):
        if got not in wanted:
            self.append(f"{what}: {got}, not {' or '.join(map(str, wanted))}")

    def check(self, told):
        """told: how many things were looked at; a test that looks at nothing proves nothing."""
        assert told, "nothing was looked at"
        assert not self, f"{len(self)} findings\n" + "\n".join(self[:40])


def fillers(m, ref=NULL):
    return [FACTS.filler(p.type, ref) for p in m.params]


def test_all_are_there_and_no_others(host):
    _, names = host.wire.call("system.listMethods")
    assert set(names) == set(FACTS.messages) | {"system.listMethods"}


def test_number_of_parameters(host):
    """Looked at before the session, so a session that is none tells whether the number was right."""
    found = Findings()
    for m in MESSAGES:
        args = fillers(m)
        some_left_off = m.required < len(args)
        for n in {0, m.required - 1, m.required, len(args), len(args) + 1}:
            if n < 0:
                continue
            right = m.required <= n and (n <= len(args) or some_left_off)
            if right and m.has("s"):
                continue  # a login
            got = host.call(NOBODY, m, *(args + ["more"])[:n])
            wrong = ("MESSAGE_PARAMETER_COUNT_MISMATCH", [m.name, str(m.required), str(n)])
            found.expect(f"{m.name} with {n} parameters", got, ("SESSION_INVALID", [NOBODY]) if right else wrong)
        if not m.has("s"):
            wrong = ("MESSAGE_PARAMETER_COUNT_MISMATCH", [m.name, str(m.required), "-1"])
            found.expect(f"{m.name} with nothing", host.wire.call(m.name), wrong)
    found.check(len(MESSAGES))


def test_no_session(host):
    found = Findings()
    for m in MESSAGES:
        if not m.has("s"):
            for session in ("", NOBODY, 5):
                got = host.call(session, m, *fillers(m))
                found.expect(f"{m.name} without session", got, ("SESSION_INVALID", [session if session != 5 else ""]))
    found.check(len(MESSAGES))


def test_removed(host):
    """No role is looked at."""
    removed = [m for m in MESSAGES if m.has("r")]
    found = Findings()
    for m in removed:
        for session in (host.root, host.sessions["read-only"]):
            found.expect(m.name, host.call(session, m, *fillers(m)), ("MESSAGE_REMOVED", []))
    found.check(len(removed))


def test_between_hosts_only(host):
    """Whoever comes over the network is no host, whatever the account."""
    internal = [m for m in MESSAGES if m.has("p")]
    found = Findings()
    for m in internal:
        for session in (host.remote_root, host.sessions["pool-admin"], host.sessions["read-only"]):
            code, _ = host.call(session, m, *fillers(m))
            found.expect(m.name, code, "INTERNAL_ERROR")
    found.check(len(internal))


def refusal(m, roles, key=None):
    return "RBAC_PERMISSION_DENIED", m.name.lower() + (f"/key:{key.lower()}" if key else ""), roles


def denied(got):
    """An answer in the form of refusal()."""
    if got[0] != "RBAC_PERMISSION_DENIED":
        return got
    text = got[1][1]
    inner = text[text.index("permission: ") + len("permission: "):].rstrip(")")
    return got[0], got[1][0], set(filter(None, inner.split(", ")))


def strangers_and_friends(roles):
    """The highest role that may not, the lowest that may."""
    return ([r for r in ROLES if r not in roles] or [None])[-1], ([r for r in ROLES if r in roles] or [None])[0]


def harmless(m):
    """Arguments that pass every check of roles and reach nothing."""
    if m.params:
        return [FACTS.wrong(m.params[0].type)[0], *fillers(m)[1:]]
    return None if m.name in NEVER_RIGHT else []


def test_roles(host):
    found = Findings()
    for m in MESSAGES:
        if m.has("s") or m.has("p") or m.has("r"):
            continue
        stranger, friend = strangers_and_friends(m.roles)
        if stranger:
            got = denied(host.call(host.sessions[stranger], m, *fillers(m)))
            found.expect(f"{m.name} by a {stranger}", got, refusal(m, m.roles))
        args = harmless(m)
        if friend and args is not None:
            got = host.call(host.sessions[friend], m, *args)
            if got[0] == "RBAC_PERMISSION_DENIED":
                found.append(f"{m.name} by a {friend}: {got}")
    found.check(len(MESSAGES))


def test_roles_of_keys(host):
    found, told = Findings(), 0
    for m in MESSAGES:
        for key, roles in m.key_roles.items():
            stranger, friend = strangers_and_friends(roles)
            for spelled in {key.replace("*", ""), key.replace("*", "x").upper()}:
                told += 1
                args = [NULL, spelled, "v"][:len(m.params)]
                got = denied(host.call(host.sessions[stranger], m, *args)) if stranger else None
                found.expect(f"{m.name} {spelled} by a {stranger}", got, refusal(m, roles, key))
                got = host.call(host.sessions[friend], m, *args)
                found.expect(f"{m.name} {spelled} by a {friend}", got[0], "HANDLE_INVALID")
    found.check(told)


def end_of_task(host, got):
    """error_info of a task that somebody was given."""
    if got[0] != OK:
        return got
    record = host.wire.call("task.get_record", host.root, got[1])[1]
    host.wire.call("task.destroy", host.root, got[1])
    return record["error_info"]


def test_async(host):
    """Async.X is for some only; who may not call X may not call it so either."""
    found = Findings()
    for m in MESSAGES:
        if m.has("s") or m.has("p") or m.has("r"):
            continue
        stranger, friend = strangers_and_friends(m.roles)
        args = harmless(m)
        if not m.has("a"):
            got = host.call(host.sessions[stranger or friend], m, *fillers(m), prefix="Async.")
            found.expect(f"Async.{m.name}", got[0], "Fault")
        elif stranger:
            got = denied(host.call(host.sessions[stranger], m, *fillers(m), prefix="Async."))
            found.expect(f"Async.{m.name} by a {stranger}", got, refusal(m, m.roles))
        elif args:
            got = host.call(host.sessions[friend], m, *args, prefix="Async.")
            found.expect(f"Async.{m.name} by a {friend}", end_of_task(host, got)[:1], ["FIELD_TYPE_ERROR"])
    found.check(len(MESSAGES))


@pytest.mark.parametrize("form", ["call", "xml"])
def test_types(host, form):
    """A value of a wrong kind in each place; what stands before it is right."""
    found = Findings()
    for m in MESSAGES:
        if m.has("r"):
            continue
        for i, p in enumerate(m.params):
            for value in FACTS.wrong(p.type):
                args = fillers(m)
                args[i] = value
                found.expect(f"{m.name}({p.name}={value!r})", host.call(host.root, m, *args, form=form),
                             ("FIELD_TYPE_ERROR", [p.name]))
    found.check(len(MESSAGES))


def test_values_of_enums(host):
    """Each is taken, in any case but where the exact spelling counts."""
    found, told = Findings(), 0
    for m in MESSAGES:
        if m.has("r") or not m.params or not m.params[0].type.startswith("ref:"):
            continue
        for i, p in enumerate(m.params):
            kind, _, name = p.type.removeprefix("set:").partition(":")
            if kind != "enum":
                continue
            for value in FACTS.enums[name]:
                told += 1
                args = fillers(m, NOTHING.format(0))
                exact = name in ("bond_mode", "event_operation")
                args[i] = value if exact else value.swapcase()
                args[i] = [args[i]] if p.type.startswith("set:") else args[i]
                code, params = host.call(host.root, m, *args)
                if code in (OK, "FIELD_TYPE_ERROR"):
                    found.append(f"{m.name}({p.name}={value!r}): {code} {params}")
    found.check(told)


CREATES = [m for m in MESSAGES if m.kind == "create" and not m.has("r")]


def test_members_of_create(host):
    """Each member that must be there, left out; each one with a wrong kind of value."""
    found, told = Findings(), 0
    for m in CREATES:
        whole = FACTS.filler(f"record:{m.cls}")
        for p in FACTS.ctors.get(m.cls, []):
            told += 1
            if p.default is ABSENT:
                code, params = host.call(host.root, m, {k: v for k, v in whole.items() if k != p.name})
                if code != "INTERNAL_ERROR" or f"Dispatcher_FieldNotFound: {p.name}" not in params[0]:
                    found.append(f"{m.name} without {p.name}: {code} {params}")
            code, params = host.call(host.root, m, whole | {p.name: FACTS.wrong(p.type)[0]})
            found.expect(f"{m.name} with a bad {p.name}", (code, params), ("FIELD_TYPE_ERROR", [p.name]))
    found.check(told)


def test_members_left_off_have_their_defaults(host):
    found, told = Findings(), 0
    for m in CREATES:
        given = {p.name: FACTS.filler(p.type, host.known.get(p.type[4:]) or NULL) for p in FACTS.ctors.get(m.cls, [])
                 if p.default is ABSENT}
        code, answer = host.call(host.root, m, given | {"no_such_member": 5})
        if code != OK:
            if "Dispatcher" in answer[0] or code == "FIELD_TYPE_ERROR":
                found.append(f"{m.name}({given}): {code} {answer}")
            continue
        record = host.wire.call(f"{m.cls}.get_record", host.root, answer)[1]
        for p in FACTS.ctors.get(m.cls, []):
            told += 1
            if (m.cls, p.name) == ("network", "bridge"):
                continue  # the host finds a name
            wanted = given.get(p.name, p.default)
            found.expect(f"{m.cls}.{p.name} by default", record[p.name], wanted, NULL if wanted == "" else wanted)
        found.expect(f"{m.cls}.destroy", host.wire.call(f"{m.cls}.destroy", host.root, answer), (OK, ""))
    found.check(told)


def with_reference(host, m, i, ref):
    """Arguments with that reference in one place and such as exist in the others."""
    args = []
    for k, p in enumerate(m.params):
        kind, _, cls = p.type.partition(":")
        args.append(ref if k == i else FACTS.filler(p.type, kind == "ref" and host.known.get(cls) or NULL))
    return args


def test_references_to_nothing(host):
    """One place after the other: always an error, and if it tells of an object, then of this one."""
    found, told = Findings(), 0
    for m in MESSAGES:
        if m.has("r"):
            continue
        for i, p in enumerate(m.params):
            if not p.type.startswith("ref:"):
                continue
            told += 1
            ref = NOTHING.format(i)
            code, params = host.call(host.root, m, *with_reference(host, m, i, ref))
            if code == "FIELD_TYPE_ERROR":
                found.append(f"{m.name} takes no {[p.type for p in m.params]}: {params}")
            elif code == OK and (m.name, p.name) not in MAY_DANGLE:
                found.append(f"{m.name}({p.name}=nothing) succeeds: {params}")
            elif code == "HANDLE_INVALID" and ref in params:
                found.expect(f"{m.name}({p.name})", params, [p.type[4:], ref])
            elif code != OK and m.kind != "explicit" or sum(q.type.startswith("ref:") for q in m.params) == len(m.params) == 1:
                found.append(f"{m.name}({p.name}=nothing): {code} {params}")
    found.check(told)


def rows(host, cls):
    """reference -> record, or None if the class has no list."""
    lister = FACTS.messages.get(f"{cls}.get_all_records")
    if not lister or lister.has("r"):
        return None
    code, records = host.call(host.root, lister)
    assert code == OK, (cls, records)
    return records


def test_answers_have_their_types(host):
    """A record holds just the fields of the class, and each getter gives what the record has."""
    found, told = Findings(), 0
    for cls in FACTS.classes:
        fields = FACTS.fields.get(cls)
        for ref, record in list((rows(host, cls) or {}).items())[:8]:
            told += 1
            found.expect(f"members of {cls}", set(record), set(fields))
            found.expect(f"{cls}.get_record", host.wire.call(f"{cls}.get_record", host.root, ref), (OK, record))
            for name, type_ in fields.items():
                if not FACTS.fits(type_, record.get(name)):
                    found.append(f"{cls}.{name}: {record.get(name)!r} is no {type_}")
                m = FACTS.messages.get(f"{cls}.get_{name}")
                if m and not m.has("r"):
                    found.expect(m.name, host.call(host.root, m, ref), (OK, record[name]))
    found.check(told)


def in_xml(type_, value):
    """What xmlrpc.client makes of the XML form of a JSON value of that type: an int is text, a date has a type."""
    head, _, rest = type_.partition(":")
    if head == "set":
        return [in_xml(rest, v) for v in value]
    if head == "map":
        return {k: in_xml(split(rest)[1], v) for k, v in value.items()}
    return {"int": str, "datetime": xmlrpc.client.DateTime}.get(head, lambda v: v)(value)


def test_records_are_the_same_in_xml(host):
    found, told = Findings(), 0
    for cls in FACTS.classes:
        for ref, record in list((rows(host, cls) or {}).items())[:4]:
            told += 1
            wanted = {name: in_xml(type_, record[name]) for name, type_ in FACTS.fields[cls].items()}
            found.expect(f"{cls}.get_record", host.wire.xml(f"{cls}.get_record", host.root, ref), (OK, wanted))
    found.check(told)


def test_most_classes_have_rows(host):
    """Of the others no row can be made on a simulated host; what these tests say of rows does not reach them."""
    empty = {cls for cls in FACTS.classes if rows(host, cls) == {}}
    of_the_machine = {"GPU_group", "Host_driver", "Driver_variant", "PCI", "PGPU", "PUSB", "VGPU_type"}
    assert empty - of_the_machine <= {"Bond", "Cluster", "Cluster_host", "DR_task", "Feature", "VGPU", "VM_guest_metrics",
                                      "crashdump", "host_crashdump", "host_patch", "network_sriov", "pool_patch",
                                      "pool_update"}


def look_up(found, host, cls, ref, record):
    def call(name, *args):
        return host.wire.call(f"{cls}.{name}", host.root, *args)

    found.expect(f"{cls}.get_by_uuid", call("get_by_uuid", record["uuid"]), (OK, ref))
    found.expect(f"{cls}.get_by_uuid of none", call("get_by_uuid", "none"), ("UUID_INVALID", [cls, "none"]))
    if f"{cls}.get_by_name_label" in FACTS.messages:
        label = record["name_label"]
        code, refs = call("get_by_name_label", label)
        if code != OK or ref not in refs:
            found.append(f"{cls}.get_by_name_label({label!r}): {code} {refs}")
        found.expect(f"{cls}.get_by_name_label of none", call("get_by_name_label", "no such name"), (OK, []))


def filter_(found, host, cls, ref, records):
    for kind, of in (("get_all_where", sorted), ("get_all_records_where", dict)):
        def call(expr, name=f"{cls}.{kind}"):
            code, answer = host.wire.call(name, host.root, expr)
            return (code, of(answer)) if code == OK else (code, answer[:1])

        def those(*refs):
            return OK, of({r: records[r] for r in refs})

        uuid = f'field "uuid" = "{records[ref]["uuid"]}"'
        label = FACTS.columns.get((cls, "name_label"))
        if label and '"' not in records[ref]["name_label"]:
            code, got = call(f'field "{label}" = "{records[ref]["name_label"]}"')
            if code != OK or ref not in got:
                found.append(f"{cls}.{kind} by {label}: {code} {got}")
        found.expect(f"{cls}.{kind} true", call("true"), those(*records))
        found.expect(f"{cls}.{kind} false", call("false"), those())
        found.expect(f"{cls}.{kind} uuid", call(uuid), those(ref))
        found.expect(f"{cls}.{kind} or", call(f"false or ({uuid})"), those(ref))
        found.expect(f"{cls}.{kind} and", call(f"true and {uuid}"), those(ref))
        found.expect(f"{cls}.{kind} not", call(f"not {uuid}"), those(*(r for r in records if r != ref)))
        found.expect(f"{cls}.{kind} weak not", call(f"not {uuid} and false"), those(*records))
        found.expect(f"{cls}.{kind} literals", call('"a" = "a"'), those(*records))
        for bad in ("", "True", 'field "uuid" =', "true true", "(true", 'field "uuid = "x"', "true and"):
            found.expect(f"{cls}.{kind} {bad!r}", call(bad), ("INVALID_VALUE", [bad]))


def test_looking_up(host):
    found, told = Findings(), 0
    host.wire.call("session.logout", host.login("root", host.daemons.password))
    for cls in FACTS.classes:
        records = rows(host, cls)
        if not records or cls in ("task", "message"):  # tasks come and go; messages are no table
            continue
        told += 1
        ref = next(iter(records))
        look_up(found, host, cls, ref, records[ref])
        if f"{cls}.get_all_where" in FACTS.messages:
            filter_(found, host, cls, ref, records)
    found.check(told > 25)


def by_field(kind):
    return {(m.cls, m.member): m for m in MESSAGES if m.kind == kind and not m.has("r")}


def test_maps_and_sets(host):
    """add_to_F refuses a key that is there, even with its value; the others may be called twice."""
    adders, removers, found, told = by_field("field_add"), by_field("field_remove"), Findings(), 0
    for (cls, field), add in adders.items():
        type_ = FACTS.fields[cls][field]
        ref, remove = host.known.get(cls), removers[cls, field]
        if not ref:
            continue
        told += 1
        key, value = split(type_.removeprefix("map:")) if type_.startswith("map:") else ("", type_.removeprefix("set:"))
        words = ([FACTS.filler(key)] if key else []) + [FACTS.filler(value)]

        def get(cls=cls, field=field, ref=ref):
            return host.wire.call(f"{cls}.get_{field}", host.root, ref)[1]

        before = get()
        found.expect(add.name, host.call(host.root, add, ref, *words), (OK, ""))
        if key:
            column = FACTS.columns[cls, field]
            again = ("MAP_DUPLICATE_KEY", [cls, column, ref, words[0]])
            found.expect(f"{add.name} again", host.call(host.root, add, ref, *words), again)
            found.expect(f"{cls}.{field} with the key", get(), before | {words[0]: words[1]})
        else:
            found.expect(f"{add.name} again", host.call(host.root, add, ref, *words), (OK, ""))
            found.expect(f"{cls}.{field} with the member", sorted(get()), sorted([*before, *words]))
        for _ in range(2):
            found.expect(remove.name, host.call(host.root, remove, ref, words[0]), (OK, ""))
        found.expect(f"{cls}.{field} at the end", get(), before)
    found.check(told > 30)


def test_setting_what_is_there(host):
    """set_F takes what get_F gave."""
    found, told = Findings(), 0
    for (cls, field), m in by_field("field_set").items():
        ref = host.known.get(cls)
        if not ref:
            continue
        told += 1
        getter = FACTS.messages[f"{cls}.get_{field}"]
        _, value = host.call(host.root, getter, ref)
        found.expect(m.name, host.call(host.root, m, ref, value), (OK, ""))
        found.expect(f"{getter.name} after it", host.call(host.root, getter, ref), (OK, value))
    found.check(told > 60)
