# SPDX-License-Identifier: LGPL-2.1-or-later
"""xenolith-hostd against a caller who owns xenolithd: every argument of every call, as wrong as it can be.

The calls come from schema/host. An argument that no table here knows fails the test, so a new call comes with a
thought about what it refuses.
"""

import hashlib
import json
import os
import shutil
import socket
import tempfile
import time
import tomllib
import uuid
from pathlib import Path

import pytest

from conftest import BUILD, ROOT, Daemons

CALLS, STRUCTS = {}, {}
for source in sorted((ROOT / "schema/host").glob("*.toml")):
    data = tomllib.loads(source.read_text())
    CALLS.update(data.get("calls", {}))
    STRUCTS.update(data.get("structs", {}))

REFUSED = {"INVALID_VALUE", "UUID_INVALID", "INVALID_DEVICE", "SR_BACKEND_FAILURE_79", "SR_BACKEND_FAILURE_90",
           "SR_UNKNOWN_DRIVER", "FIELD_TYPE_ERROR", "SYSTEM", "XENAPI_MISSING_PLUGIN", "HOST_NAME_INVALID",
           "INVALID_NTP_CONFIG", "SUBJECT_CANNOT_BE_RESOLVED"}
A_UUID = "11111111-2222-4333-8444-555555555555"

BAD = {
    "uuid": ["", ".", "..", "/etc/passwd", "../../etc/passwd", "a" * 36, A_UUID.replace("1", "A"), A_UUID + "x",
             A_UUID + "/../x", A_UUID + "\n", " " + A_UUID, "{" + A_UUID + "}", "OpaqueRef:" + A_UUID, "%2e%2e%2f",
             "\u202e" + A_UUID[:-1], "x" * 500000],
    "handle": ["", "/", "../" * 30, "/".join([A_UUID] * 3), "/".join([A_UUID] * 3) + "/x",
               "/".join([A_UUID.replace("1", "A"), A_UUID, A_UUID, "r"]), "/".join([A_UUID, "." * 36, A_UUID, "r"]),
               "x" * 113, "x" * 500000],
    "interface": ["", ".", "..", "-rf", "a/b", "../x", "a b", "a\nb", "eth0;id", "x" * 16, "x" * 500000, "\u00e9"],
    "mac": ["", "x", "00:11:22:33:44", "00:11:22:33:44:5g", "00-11-22-33-44-55", "00:11:22:33:44:55,id=x",
            "00:11:22:33:44:55" * 20000],
    "bootfile": ["", ".", "..", "/etc/passwd", "../run/hostd.pid", "./x", ".hidden", "a/b", "link", "dir", "absent",
                 "x" * 500000],
    "firmware": ["", "BIOS", "efi,x", "x" * 500000],
    "guestkind": ["", "HVM", "xen", "x" * 500000],
    "bootorder": ["x", "cd,x", "cdn" * 100, "CD"],
    "signal": ["", "kill", "9", "x" * 500000],
    "console": ["", "qmp", "../serial", "x" * 500000],
    "locking": ["locked", "x", "x" * 500000],
    "srtype": ["", "ext", "nfs", "smb", "../file", "/bin/sh", "x" * 500000],
    "format": ["vmdk", "RAW", "raw,file=/etc/shadow", "x" * 500000],
    "plugin": ["", ".", "..", "../password", "/bin/sh", "a/b", "absent", "x" * 500000],
    "account": ["", "nobody at all", "a:b", "u:a\n", "x" * 500000],
    "power": ["", "halt", "poweroff;id", "x" * 500000],
    "hostname": [" ", "-rf", "a b", "a;b", "a\nb", "\u00e9", "x" * 500000],
    "timezone": ["", "..", "/etc/passwd", "../../etc/passwd", "x" * 500000],
    "servers": [[""], ["a b"], ["a\nb"], ["x"] * 100, ["x" * 500000]],
    "web address": ["", "/etc/passwd", "file:///etc/passwd", "ftp://x/", "-o x", "http:/x", "http://a b", "http://a\nb", "http://\u00e9", "http://" + "x" * 500000],
    "drive": [-1, 255, 2**31, 2**40, -2**40, 2**63 - 1, -2**63],
    "port": [-1, 16, 2**31, 2**32, 2**40, -2**40, 2**63 - 1, -2**63],
    "memory": [0, -1, 1, 2**50, 2**63 - 1, -2**63],
    "cpus": [0, -1, 255, 2**31, 2**32 + 1, -2**40 + 1, 2**63 - 1, -2**63],
    "mtu": [-1, 65536, 2**32 + 1500, 2**63 - 1, -2**63],
    "size": [0, -1, 2**47, 2**63 - 1, -2**63],
}
# For people or for the guest, or kept as it is: anything may be said there, and nothing comes of it.
TEXT = ["", "../" * 50, "a\nb\tc\x1b[2J", "a,b=c", "$(id)`id`", "\u00e9\U0001f600", "x" * 500000]

# Arguments that are not ids; "free" takes any text, "clamped" any number.
KINDS = {
    "hello.version": "free", "hello.schema": "digest",
    "host_auth.user": "free", "host_auth.password": "free",
    "host_account.who": "account", "directory_find.who": "free", "directory_login.user": "free",
    "directory_login.password": "free", "directory_set.config": "config", "directory_set.ca": "free",
    "host_set_password.user": "free", "host_set_password.password": "free",
    "net_attach.bridge": "interface", "net_attach.device": "device name", "net_attach.mtu": "mtu",
    "net_detach.bridge": "interface",
    "vm_start.name": "free", "vm_start.cmdline": "free", "vm_start.record": "free", "vm_start.platform": "free map", "vm_start.scheduling": "free map",
    "vm_start.memory_max": "memory", "vm_start.memory_target": "memory",
    "vm_start.vcpus_max": "cpus", "vm_start.vcpus": "cpus", "vm_start.firmware": "firmware", "vm_start.kind": "guestkind",
    "vm_start.boot_order": "bootorder", "vm_start.kernel": "bootfile", "vm_start.ramdisk": "ramdisk",
    "disk.device": "drive", "nic.device": "port", "nic.mac": "mac", "nic.bridge": "interface", "nic.mtu": "mtu",
    "nic.locking": "locking",
    "vm_signal.signal": "signal", "vm_set_memory.target": "memory", "vm_set_vcpus.vcpus": "cpus",
    "vm_set_scheduling.key": "free", "vm_set_scheduling.value": "free",
    "vm_detach_disk.device": "drive", "vm_detach_disk.timeout": "clamped",
    "vm_detach_nic.device": "port", "vm_detach_nic.timeout": "clamped",
    "vm_console.kind": "console", "vm_control.command": "free",
    "sr_create.type": "srtype", "sr_attach.type": "srtype", "sr_destroy.type": "srtype",
    "sr_probe.type": "srtype", "sr_probe.device_config": "config",
    "sr_create.device_config": "config", "sr_attach.device_config": "config", "sr_destroy.device_config": "config",
    "vdi_create.virtual_size": "size", "vdi_create.format": "format", "vdi_create.props": "props",
    "vdi_resize.virtual_size": "size", "vdi_set_props.props": "props",
    "vdi_snapshot.props": "props", "vdi_clone.props": "props",
    "plugin_run.kind": "plugin", "plugin_run.name": "plugin", "plugin_run.argument": "free", "plugin_run.input": "free",
    "plugin_exists.kind": "free", "plugin_exists.name": "free", "trace_send.url": "web address", "trace_send.spans": "free",
    "machine_power.action": "power", "machine_set_hostname.name": "hostname", "machine_set_timezone.name": "timezone",
    "machine_set_clock.time": "free", "machine_set_ntp.servers": "servers", "machine_set_syslog.destination": "hostname",
    "vdi_nbd_attached.handle": "handle", "vdi_nbd_close.handle": "handle",
}
UUID_NAMES = {"uuid", "run", "sr", "vdi", "to_sr", "copy", "clone", "snapshot", "suspend_sr", "suspend_vdi"}
OPTIONAL_UUIDS = {"disk.sr", "disk.vdi", "vm_start.suspend_sr", "vm_start.suspend_vdi"}  # "" with "" is "none"
OPTIONAL_UUIDS |= {f"{call}.run" for call in CALLS}  # "" is a run like any other

# Values that are fine by themselves, so that the one wrong value is what is refused.
GOOD = {
    "firmware": "bios", "boot_order": "cd", "memory_max": 2**28, "memory_target": 2**28, "vcpus_max": 1, "vcpus": 1,
    "kind": "serial", "vm_start.kind": "hvm", "signal": "poweroff", "type": "file", "format": "qcow2", "virtual_size": 2**20, "mtu": 1500,
    "mac": "52:54:00:00:00:01", "bridge": "xenbr0", "device": 0, "target": 2**28, "handle": "/".join([A_UUID] * 3) + "/r",
    "schema": None, "timeout": 0, "command": "{}", "action": "reboot", "time": "20300101T00:00:00Z", "servers": [], "url": "http://127.0.0.1:1/", "user": "nobody-at-all", "who": "nobody-at-all", "password": "x",
}
# Asking for what is not there succeeds where the schema says so.
ABSENT_IS_SUCCESS = {"vm_destroy", "vm_forget", "vm_query", "sr_detach", "vdi_copy_progress",
                     "net_attach", "net_detach", "plugin_exists"}
NO_ID = {name for name, call in CALLS.items() if not call.get("args")} | {
    "hello", "host_auth", "host_set_password", "directory_set", "vm_control", "vm_start", "sr_create", "sr_destroy",
    "sr_probe"}


class Refused(Exception):
    def __init__(self, error):
        super().__init__(str(error)[:300])
        self.code = error.get("code", "SYSTEM")


class Caller:
    """One connection, as xenolithd makes it."""

    digest = next(line.split('"')[1] for line in (BUILD / "gen/host_proto.h").read_text().splitlines()
                  if "define HOST_PROTO_DIGEST" in line)

    def __init__(self, state, greet=True):
        self.s = socket.socket(socket.AF_UNIX)
        self.s.settimeout(30)
        self.s.connect(str(state / "run/hostd"))
        self.last = 0
        self.fds = []  # that came with answers
        if greet:
            self.call("hello", version="test", schema=self.digest)

    def send(self, message):
        text = json.dumps(message).encode() if not isinstance(message, bytes) else message
        self.s.sendall(len(text).to_bytes(4, "little") + text)

    def receive(self):
        size = int.from_bytes(self.exactly(4), "little")
        return json.loads(self.exactly(size))

    def exactly(self, n):
        data = b""
        while len(data) < n:
            got, fds, _, _ = socket.recv_fds(self.s, n - len(data), 16)
            self.fds += fds
            if not got:
                raise ConnectionError("closed")
            data += got
        return data

    def call(self, name, /, **args):
        self.last += 1
        self.send({"id": self.last, "call": name, "args": args})
        while (answer := self.receive()).get("id") != self.last:
            pass
        if "error" in answer:
            raise Refused(answer["error"])
        return answer["result"]

    def close(self):
        self.s.close()
        for fd in self.fds:
            os.close(fd)


@pytest.fixture(scope="module")
def bed():
    """A hostd alone, with a canary outside its roots and links that lead there."""
    top = Path(tempfile.mkdtemp(prefix="xenolith-hostile-"))
    d = Daemons(top / "state")
    (top / "outside").mkdir()
    (top / "outside/canary").write_text("untouched")
    try:
        d.start_hostd()
        d.xapi = None
        while not (d.state / "run/hostd.pid").exists():
            assert d.hostd.poll() is None, d.log("xenolith-hostd")
        (d.state / "sr/link").symlink_to(top / "outside")
        (d.state / "boot/link").symlink_to("/etc/passwd")
        (d.state / "boot/dir").mkdir()
        yield d
        assert d.hostd.poll() is None
    finally:
        d.sweep()
        shutil.rmtree(top, ignore_errors=True)


@pytest.fixture
def caller(bed):
    c = Caller(bed.state)
    yield c
    c.close()
    assert bed.hostd.poll() is None, bed.log("xenolith-hostd")[-3000:]


def kind_of(owner, member):
    name = f"{owner}.{member['name']}"
    if name in KINDS:
        return KINDS[name]
    if member["name"] in UUID_NAMES and member["type"] == "string":
        return "uuid"
    if member["type"] == "bool" or ":record:" in ":" + member["type"]:
        return member["type"]
    raise AssertionError(f"{name} ({member['type']}): say in this file what hostd refuses there")


def record_of(member):
    return STRUCTS[member["type"].rsplit(":", 1)[1]]["fields"] if "record:" in member["type"] else None


def good(owner, member):
    fields = record_of(member)
    if fields:
        record = {f["name"]: good(member["type"].rsplit(":", 1)[1], f) for f in fields}
        return [record] if member["type"].startswith("set:") else record
    kind = kind_of(owner, member)
    if kind == "uuid":
        return "" if f"{owner}.{member['name']}" in OPTIONAL_UUIDS - {"disk.sr", "disk.vdi"} else str(uuid.uuid4())
    if f"{owner}.{member['name']}" in GOOD:
        return GOOD[f"{owner}.{member['name']}"]
    if member["name"] in GOOD and not (member["name"] == "device" and member["type"] == "string"):
        return GOOD[member["name"]]
    return member.get("default", {"string": "", "int": 0, "bool": False}.get(member["type"], {}))


def good_args(call):
    return {a["name"]: good(call, a) for a in CALLS[call].get("args", [])}


def single_faults(call):
    """(what, kind, function that puts a bad value into good arguments) for each leaf."""
    for member in CALLS[call].get("args", []):
        fields = record_of(member)
        if not fields:
            yield f"{call}.{member['name']}", kind_of(call, member), lambda args, v, m=member["name"]: args.update({m: v})
            continue
        struct = member["type"].rsplit(":", 1)[1]
        for f in fields:
            def put(args, v, m=member, n=f["name"]):
                (args[m["name"]][0] if m["type"].startswith("set:") else args[m["name"]])[n] = v
            yield f"{struct}.{f['name']}", kind_of(struct, f), put


def prepared(call, what):
    """Good arguments in which `what` matters."""
    args = good_args(call)
    if call == "vm_start":
        args["disks"] = [] if not what.startswith("disk.") else args["disks"]
        args["nics"] = [] if not what.startswith("nic.") else args["nics"]
        if what in ("vm_start.kernel", "vm_start.ramdisk"):
            args.update(firmware="direct", kernel="absent-kernel")
        if what.startswith("vm_start.suspend"):
            args.update(suspend_sr=A_UUID, suspend_vdi=A_UUID)
    if call == "vm_change_media":
        args["disk"]["cd"] = True
    return args


@pytest.mark.parametrize("call", sorted(CALLS))
def test_each_argument_is_checked(caller, bed, call):
    living = prepared("vm_start", "")
    if call == "vm_attach_nic":  # which looks for the domain first
        caller.call("vm_start", **living)
    before = tree(bed.state)
    for what, kind, put in single_faults(call):
        if kind in ("free", "free map", "clamped", "props", "config", "digest", "device name", "ramdisk", "bool"):
            continue
        for value in BAD[kind]:
            if value == "" and what.endswith(".run"):
                continue
            if value == "" and what in OPTIONAL_UUIDS:
                pass  # the other one of the pair is there: half a name
            args = prepared(call, what)
            if call == "vm_attach_nic":
                args["uuid"] = living["uuid"]
            put(args, value)
            try:
                answer = caller.call(call, **args)
            except Refused as refusal:
                assert refusal.code in REFUSED, (what, str(value)[:60], refusal)
            else:
                raise AssertionError(f"{what} was taken as {str(value)[:60]!r}: {answer}")
    assert tree(bed.state) == before
    caller.call("vm_destroy", uuid=living["uuid"])


@pytest.mark.parametrize("call", sorted(c for c in CALLS if c not in NO_ID))
def test_unknown_ids(caller, bed, call):
    args = good_args(call)
    if call == "vm_change_media":
        args["disk"]["cd"] = True
    if call in ABSENT_IS_SUCCESS:
        caller.call(call, **args)
    else:
        with pytest.raises(Refused):
            caller.call(call, **args)


@pytest.mark.parametrize("call", sorted(set(CALLS) - {"hello"}))  # that one: test_no_greeting_no_service
def test_wrong_types(bed, caller, call):
    for member in CALLS[call].get("args", []):
        for value in (None, [], {}, 1.5, True, "text", 7, [[[[]]]], {"a": {"b": {}}}):
            args = {**good_args(call), member["name"]: value}
            try:
                caller.call(call, **args)
            except Refused:
                pass
            if call == "vm_start" and isinstance(args["uuid"], str) and len(args["uuid"]) == 36:
                caller.call("vm_destroy", uuid=args["uuid"])
        if "default" not in member:
            args = good_args(call)
            del args[member["name"]]
            with pytest.raises(Refused) as refusal:
                caller.call(call, **args)
            assert refusal.value.code == "FIELD_TYPE_ERROR"


@pytest.mark.parametrize("call", sorted(CALLS))
def test_free_text_does_no_harm(caller, bed, call):
    before = tree(bed.state)
    for what, kind, put in single_faults(call):
        if kind not in ("free", "free map", "clamped"):
            continue
        values = {"clamped": [-1, 2**40, -2**63], "free map": [{t: t} for t in TEXT] + [{str(i): "" for i in range(60000)}]}
        for value in values.get(kind, TEXT):
            args = prepared(call, what)
            put(args, value)
            try:
                caller.call(call, **args)
            except Refused:
                pass
            if call == "vm_start":
                caller.call("vm_destroy", uuid=args["uuid"])
    assert caller.call("vm_list")["domains"] == []
    assert tree(bed.state) == before


@pytest.mark.parametrize("call", ["sr_create", "sr_attach", "sr_destroy"])
def test_places(caller, bed, call):
    """A repository lies below a root, however its place is written."""
    root, outside = bed.state / "sr", bed.state.parent / "outside"
    for location in ("", "x", "..", "../outside", str(outside), f"{root}/../../outside", f"{root}/../../outside/new",
                     f"{root}/link", f"{root}/link/new", f"{root}x", f"{root}/..", f"{root}/a/..", "/", "/etc", "/dev/shm",
                     "/proc/self/root/tmp", "/proc/self/cwd", f"{root}/{'x' * 5000}", "/" * 5000, f"{root}/\n",
                     f"//{root}/../..", str(bed.state), str(bed.state / "run")):
        with pytest.raises(Refused):
            caller.call(call, uuid=str(uuid.uuid4()), type="file", device_config={"location": location})
    assert sorted(p.name for p in outside.iterdir()) == ["canary"]
    assert (outside / "canary").read_text() == "untouched"
    with pytest.raises(Refused) as refusal:
        caller.call(call, uuid=str(uuid.uuid4()), type="file", device_config={str(i): "x" * 100 for i in range(200)})
    assert refusal.value.code == "INVALID_VALUE"


def test_boot_files(caller, bed):
    (bed.state / "boot/kernel").write_bytes(b"x")
    for args in ({"kernel": "kernel", "ramdisk": bad} for bad in BAD["bootfile"] if bad):
        with pytest.raises(Refused):
            caller.call("vm_start", **{**prepared("vm_start", ""), "firmware": "direct", **args})
    started = {**prepared("vm_start", ""), "firmware": "direct", "kernel": "kernel", "cmdline": "x" * 2049}
    with pytest.raises(Refused):
        caller.call("vm_start", **started)
    caller.call("vm_start", **{**started, "cmdline": "console=ttyS0"})
    caller.call("vm_destroy", uuid=started["uuid"])


def test_what_is_meant_for_one_run_leaves_others_alone(caller):
    vm, before, now = (str(uuid.uuid4()) for _ in range(3))
    start = {**prepared("vm_start", ""), "uuid": vm, "disks": [], "nics": []}
    drive = {"device": 2, "cd": True}
    calls = [("vm_attach_nic", {"nic": {"device": 1, "mac": "52:54:00:00:00:01", "bridge": "xenbr0"}}, ([], [1])),
             ("vm_detach_nic", {"device": 1}, ([], [])),
             ("vm_attach_disk", {"disk": drive}, ([2], [])),
             ("vm_change_media", {"disk": drive}, ([2], [])),
             ("vm_detach_disk", {"device": 2}, ([], []))]

    def domain():
        return caller.call("vm_query", uuid=vm)["domains"][0]

    caller.call("vm_start", **{**start, "run": before})
    first = domain()
    assert first["run"] == before
    caller.call("vm_start", **{**start, "run": before})  # the same call again
    assert domain()["domid"] == first["domid"]
    caller.call("vm_start", **{**start, "run": now})  # that one never ran: another start left it
    assert domain()["run"] == now and domain()["domid"] != first["domid"]
    devices = ([], [])
    for call, args, then in calls:
        for run in (before, ""):
            with pytest.raises(Refused) as refusal:
                caller.call(call, uuid=vm, run=run, **args)
            assert refusal.value.code == "HANDLE_INVALID"
            assert (domain()["disks"], domain()["nics"]) == devices
        caller.call(call, uuid=vm, run=now, **args)
        devices = then
        assert (domain()["disks"], domain()["nics"]) == devices
    caller.call("vm_unpause", uuid=vm)
    with pytest.raises(Refused) as refusal:
        caller.call("vm_start", **{**start, "run": before})
    assert refusal.value.code == "DUPLICATE_VM"
    caller.call("vm_destroy", uuid=vm, run=before)
    assert domain()["run"] == now
    caller.call("vm_destroy", uuid=vm, run=now)
    assert not caller.call("vm_query", uuid=vm)["found"]


@pytest.fixture
def two_srs(caller):
    srs = [str(uuid.uuid4()) for _ in range(2)]
    for sr in srs:
        caller.call("sr_create", uuid=sr, type="file")
        caller.call("sr_attach", uuid=sr, type="file")
    yield srs
    for sr in srs:
        for vdi in caller.call("sr_scan", uuid=sr)["vdis"]:
            caller.call("vdi_destroy", sr=sr, uuid=vdi["uuid"])
        caller.call("sr_detach", uuid=sr)
        caller.call("sr_destroy", uuid=sr, type="file")


def test_foreign_ids(caller, two_srs):
    """A disk is reached through its own repository only, and a repository only as what it is."""
    one, two = two_srs
    vdi = str(uuid.uuid4())
    caller.call("vdi_create", sr=one, uuid=vdi, virtual_size=2**21)
    for call, args in (("vdi_stat", {}), ("vdi_snapshot", {"snapshot": str(uuid.uuid4())}), ("vdi_nbd", {}),
                       ("vdi_clone", {"clone": str(uuid.uuid4())}), ("vdi_resize", {"virtual_size": 2**22}),
                       ("vdi_set_props", {"props": {}}), ("vdi_copy", {"to_sr": one, "copy": str(uuid.uuid4())}),
                       ("vdi_revert", {"snapshot": vdi})):
        with pytest.raises(Refused):
            caller.call(call, sr=two, uuid=vdi, **args)
    caller.call("vdi_destroy", sr=two, uuid=vdi)  # absent there
    assert caller.call("vdi_stat", sr=one, uuid=vdi)["vdi"]["uuid"] == vdi
    other = str(uuid.uuid4())
    place = {"location": caller.call("sr_roots")["roots"][0] + "/" + one}
    for call in ("sr_create", "sr_attach", "sr_destroy"):
        with pytest.raises(Refused):
            caller.call(call, uuid=other, type="file", device_config=place)
    with pytest.raises(Refused):
        caller.call("sr_destroy", uuid=one, type="file")  # attached
    assert caller.call("vdi_stat", sr=one, uuid=vdi)["vdi"]["uuid"] == vdi


def test_long_properties(caller, two_srs):
    vdi = str(uuid.uuid4())
    for props in ({"x": "y" * 40000}, {"x" * 40000: "y"}, {str(i): "" for i in range(1000)}):
        with pytest.raises(Refused):
            caller.call("vdi_create", sr=two_srs[0], uuid=vdi, virtual_size=2**21, props=props)
    caller.call("vdi_create", sr=two_srs[0], uuid=vdi, virtual_size=2**21, props={"a": "../../x\x1b"})
    with pytest.raises(Refused):
        caller.call("vdi_set_props", sr=two_srs[0], uuid=vdi, props={"x": "y" * 40000})
    assert caller.call("vdi_stat", sr=two_srs[0], uuid=vdi)["vdi"]["props"] == {"a": "../../x\x1b"}


def test_links_in_a_library_lead_nowhere(caller, bed):
    sr, place = str(uuid.uuid4()), bed.state / "iso/lib"
    place.mkdir()
    (place / "real.iso").write_bytes(b"x" * 2048)
    (place / "out.iso").symlink_to("/etc/passwd")
    caller.call("sr_attach", uuid=sr, type="iso", device_config={"location": str(place)})
    found = caller.call("sr_scan", uuid=sr)["vdis"]
    assert [v["location"] for v in found] == ["real.iso"]
    caller.call("sr_detach", uuid=sr)
    shutil.rmtree(place)


def test_viewers_of_a_console_are_bounded(caller):
    vm = prepared("vm_start", "")
    caller.call("vm_start", **vm)
    for _ in range(32):
        caller.call("vm_console", uuid=vm["uuid"], kind="serial")
    with pytest.raises(Refused):
        caller.call("vm_console", uuid=vm["uuid"], kind="serial")
    caller.call("vm_destroy", uuid=vm["uuid"])


def closed(c):
    try:
        while c.s.recv(65536):
            pass
        return True
    except ConnectionError:
        return True


@pytest.mark.parametrize("message", [b"", b"{", b"[]", b"{}", b"\xff\xfe", b'{"id":1.5,"call":"hello"}', b'{"id":"1"}',
                                     b"[" * 100000, b'{"id":1,"call":"hello","args":' + b'{"a":' * 3000,
                                     b'{"id":1,"id":2,"call":"vm_list"', b'{"id":1,"call":"vm_\\u0000list"}'])
def test_messages_that_are_none(bed, message):
    c = Caller(bed.state)
    c.send(message)
    assert closed(c)
    Caller(bed.state).close()


def test_oversized_message(bed):
    for size in (2**20 + 1, 2**31, 2**32 - 1):
        c = Caller(bed.state)
        c.s.sendall(size.to_bytes(4, "little") + b"{")
        assert closed(c)


def test_no_greeting_no_service(bed):
    for first in ({"id": 1, "call": "vm_list", "args": {}},
                  {"id": 1, "call": "hello", "args": {"version": "1", "schema": "0" * 16}},
                  {"id": 1, "call": "hello", "args": {"version": "1", "schema": Caller.digest + " "}}):
        c = Caller(bed.state, greet=False)
        c.send(first)
        answer = c.receive()
        assert "error" in answer
        assert closed(c)


def test_connections_are_bounded(bed):
    held = []
    try:
        with pytest.raises(OSError):
            for _ in range(40):
                held.append(Caller(bed.state))
        assert 8 <= len(held) <= 16
    finally:
        for c in held:
            c.close()
        end = time.monotonic() + 20
        while True:  # hostd hears of each end by and by
            try:
                Caller(bed.state).close()
                break
            except OSError:
                assert time.monotonic() < end


def tree(state):
    """Names and contents below the state directory, but for logs and locks of who is attached."""
    found = {}
    for path in sorted(state.rglob("*")):
        if path.is_symlink() or "logs" in path.parts or path.is_socket():
            continue
        name = str(path.relative_to(state))
        found[name] = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "directory"
    return found


def test_no_table_names_what_is_gone():
    known = {f"{call}.{a['name']}" for call, c in CALLS.items() for a in c.get("args", [])}
    known |= {f"{s}.{f['name']}" for s, c in STRUCTS.items() for f in c["fields"]}
    assert set(KINDS) <= known
    assert (ABSENT_IS_SUCCESS | NO_ID) <= set(CALLS)
    assert os.path.exists(BUILD / "gen/host_proto.h")


def test_attached_repositories_are_bounded(caller):
    """A repository takes descriptors for as long as it is attached."""
    srs = []
    with pytest.raises(Refused, match="SR_BACKEND_FAILURE_47"):
        while len(srs) < 400:
            sr = str(uuid.uuid4())
            caller.call("sr_create", uuid=sr, type="file")
            srs.append(sr)
            caller.call("sr_attach", uuid=sr, type="file")
    assert len(srs) == 256 + 1
    caller.call("sr_detach", uuid=srs[0])
    caller.call("sr_attach", uuid=srs[-1], type="file")
    caller.call("sr_attach", uuid=srs[-1], type="file")  # it is
    for sr in srs:
        if sr != srs[0]:
            caller.call("sr_detach", uuid=sr)
        caller.call("sr_destroy", uuid=sr, type="file")


def test_exports_of_a_repository_are_bounded(caller):
    sr, vdi = str(uuid.uuid4()), str(uuid.uuid4())
    caller.call("sr_create", uuid=sr, type="sim")
    caller.call("sr_attach", uuid=sr, type="sim")
    caller.call("vdi_create", sr=sr, uuid=vdi, virtual_size=2**21)
    handles = []
    with pytest.raises(Refused):
        for _ in range(600):
            handles.append(caller.call("vdi_nbd", sr=sr, uuid=vdi)["handle"])
            while caller.fds:
                os.close(caller.fds.pop())
    assert len(handles) == 512
    for handle in handles:
        caller.call("vdi_nbd_close", handle=handle)
    caller.call("vdi_destroy", sr=sr, uuid=vdi)
    caller.call("sr_detach", uuid=sr)
    caller.call("sr_destroy", uuid=sr, type="sim")
