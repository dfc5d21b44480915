# SPDX-License-Identifier: LGPL-2.1-or-later
"""Programs of the administrator that clients may call: host.call_plugin, extensions."""

import json
import os
import subprocess
import time
import xmlrpc.client

import pytest

from conftest import BUILD
from vms import new_vm, remove

ECHO = """\
import sys, xmlrpc.client as x
params, fn = x.loads(sys.argv[1])
session, args = params
if fn == "main":
    out = x.dumps((args["text"],), methodresponse=True)
elif fn == "session":
    out = x.dumps((session,), methodresponse=True)
elif fn == "good":
    out = x.dumps(({"Status": "Success", "Value": "fine"},), methodresponse=True)
elif fn == "bad":
    out = x.dumps(({"Status": "Failure", "ErrorDescription": ["MY_ERROR", "one", "two"]},), methodresponse=True)
elif fn == "fault":
    out = x.dumps(x.Fault("7", "no such thing"), methodresponse=True)
elif fn == "number":
    out = x.dumps((5,), methodresponse=True)
elif fn == "exit":
    print("said"); print("complained", file=sys.stderr); sys.exit(3)
else:
    out = "nonsense"
print(out)
"""
EXTENSION = """\
import sys, xmlrpc.client as x
params, method = x.loads(sys.stdin.read())
assert sys.argv[1] == "--xmlrpc"
value = {"method": method, "params": list(params)} if len(params) > 1 else str(params[0])
print(x.dumps(({"Status": "Success", "Value": value},), methodresponse=True, allow_none=True))
"""


@pytest.fixture
def host(xen):
    return xen.host.get_all()[0]


def install(daemons, kind, name, text, mode=0o755):
    path = daemons.state / kind / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("#!/usr/bin/python3\n" + text)
    path.chmod(mode)
    return path


def test_plugin(daemons, xen, host, fails):
    path = install(daemons, "plugins", "own-echo", ECHO)
    call = xen.host.call_plugin
    nasty = "a<b>&\"'\n\u00e4" + "x" * 5000
    assert call(host, "own-echo", "main", {"text": nasty}) == nasty
    assert call(host, "own-echo", "session", {}) == xen.session
    assert call(host, "own-echo", "good", {}) == "fine"
    assert fails("MY_ERROR", call, host, "own-echo", "bad", {}) == ["one", "two"]
    assert fails("XENAPI_PLUGIN_FAILURE", call, host, "own-echo", "fault", {}) == ["fault", "7", "no such thing"]
    assert fails("XENAPI_PLUGIN_FAILURE", call, host, "own-echo", "exit", {}) == ["non-zero exit", "said\n", "complained\n"]
    for fn in ("number", "else"):
        assert fails("XENAPI_PLUGIN_FAILURE", call, host, "own-echo", fn, {})[0] == "failed to parse plugin output"
    fails("HANDLE_INVALID", call, "OpaqueRef:none", "own-echo", "good", {})
    assert xen.wait(xen.call("Async.host.call_plugin", host, "own-echo", "good", {})) == "fine"
    path.unlink()
    assert fails("XENAPI_MISSING_PLUGIN", call, host, "own-echo", "good", {}) == ["own-echo"]


def test_plugin_for_vm(daemons, xen, fails):
    """One of the host that the VM is on, also while it is off."""
    path, vm = install(daemons, "plugins", "echo", ECHO), new_vm(xen, "asks")
    assert xen.VM.call_host_plugin(vm, "echo", "main", {"text": "hello"}) == "hello"
    xen.VM.start(vm, False, False)
    assert xen.VM.call_host_plugin(vm, "echo", "main", {"text": "again"}) == "again"
    fails("HANDLE_INVALID", xen.VM.call_host_plugin, "OpaqueRef:none", "echo", "main", {})
    remove(xen, vm)
    path.unlink()


def test_which_files_are_plugins(daemons, xen, host, fails):
    for mode in (0o644, 0o777, 0o775):
        install(daemons, "plugins", "open", ECHO, mode)
        fails("XENAPI_MISSING_PLUGIN", xen.host.call_plugin, host, "open", "good", {})
    install(daemons, "plugins", ".hidden", ECHO)
    for name in ("../password", "/bin/true", "", ".", "..", ".hidden", "a b", "x" * 200, "../plugins/open"):
        assert fails("XENAPI_MISSING_PLUGIN", xen.host.call_plugin, host, name, "main", {}) == [name]


def test_extension(daemons, xen, host, fails):
    pool = xen.pool.get_all()[0]
    assert xen.host.has_extension(host, "Test.hello") is xen.pool.has_extension(pool, "Test.hello") is False
    install(daemons, "extensions", "Test.hello", EXTENSION)
    assert xen.host.has_extension(host, "Test.hello") is xen.pool.has_extension(pool, "Test.hello") is True
    call = {"method": "Test.hello", "params": ["one", 2, True, 1.5, None, ["x"], {"k": "v"}], "id": 1}
    answer = xen.host.call_extension(host, json.dumps(call))
    assert answer == {"method": "Test.hello", "params": ["one", "2", True, 1.5, None, ["x"], {"k": "v"}]}
    assert xen.host.call_extension(host, json.dumps({"method": "Test.hello", "params": ["only"]})) == "only"
    fails("INVALID_VALUE", xen.host.call_extension, host, "nonsense")
    fails("MESSAGE_METHOD_UNKNOWN", xen.host.call_extension, host, json.dumps({"method": "Test.no", "params": []}))
    fails("HANDLE_INVALID", xen.host.has_extension, "OpaqueRef:none", "Test.hello")
    fails("HANDLE_INVALID", xen.pool.has_extension, "OpaqueRef:none", "Test.hello")


def test_extension_as_a_message(daemons, xen, fails):
    """A message nobody knows is looked for among the extensions."""
    install(daemons, "extensions", "Test.direct", EXTENSION)
    answer = xen.call("Test.direct", "a")
    assert answer == {"method": "Test.direct", "params": [xen.session, "a"]}
    assert fails("MESSAGE_METHOD_UNKNOWN", xen.call, "Test.unknown", "a") == ["Test.unknown"]


WAITS = """\
import os, sys, time, xmlrpc.client as x
params, fn = x.loads(sys.argv[1])
while fn == "wait" and not os.path.exists(params[1]["gate"]):
    time.sleep(0.05)
print(x.dumps(("x" * int(params[1]["size"]),), methodresponse=True))
"""


def test_a_plugin_that_does_not_end(fresh_daemons, fails):
    """It has an hour, here a second; then it is killed, and what it started with it."""
    d = fresh_daemons
    d.stop(which=["hostd"])
    d.env["XENOLITH_PLUGIN_US"] = "1000000"
    d.start_hostd()
    xen, gate = d.ready(), d.state / "gate"
    install(d, "plugins", "waits", "import subprocess, sys\nsubprocess.run([sys.executable, '-c', " +
            repr(WAITS) + ", *sys.argv[1:]])\n")
    args = {"gate": str(gate), "size": "1"}
    call = (xen.host.call_plugin, xen.host.get_all()[0], "waits", "wait", args)
    begin = time.monotonic()
    why = fails("INTERNAL_ERROR", *call)
    assert "did not end in time" in why[0] and 1 <= time.monotonic() - begin < 20
    end = time.monotonic() + 10
    while [words for _, words in d.processes() if str(gate).encode() in b" ".join(words)]:
        assert time.monotonic() < end, "what it started goes on"
    gate.touch()
    assert call[0](*call[1:]) == "x"


def test_plugins_are_bounded(daemons, xen, host, fails):
    """16 run, one more is refused; 4 MiB of what one says is kept."""
    path, gate = install(daemons, "plugins", "waits", WAITS), daemons.state / "gate"
    args = {"gate": str(gate), "size": "1"}
    tasks = [xen.call("Async.host.call_plugin", host, "waits", "wait", args) for _ in range(17)]
    end, refused = time.monotonic() + 30, []
    while not refused and time.monotonic() < end:
        refused = [t for t in tasks if xen.task.get_status(t) == "failure"]
    assert [xen.task.get_error_info(t) for t in refused] == [["TOO_MANY_PENDING_TASKS"]]
    assert [xen.task.get_status(t) for t in tasks].count("pending") == 16
    gate.touch()
    assert [xen.wait(t) for t in tasks if t not in refused] == ["x"] * 16
    assert len(xen.host.call_plugin(host, "waits", "say", {"gate": "", "size": str(3 << 20)})) == 3 << 20
    fails("XENAPI_PLUGIN_FAILURE", xen.host.call_plugin, host, "waits", "say", {"gate": "", "size": str(5 << 20)})
    gate.unlink()
    path.unlink()


# ---- those that come with the product ----

PROGRAMS = {
    "lsblk": """echo '{"blockdevices":[{"name":"sda","size":5,"ro":false,"mountpoint":null,"children":[{"name":"sda1","ro":true}]}]}'""",
    "smartctl": """case "$*" in
*--scan*) echo '{"devices":[{"name":"/dev/sda","type":"sat"},{"name":"/dev/sdb","type":"scsi"},{"name":"/dev/sdc","type":"nvme"}]}' ;;
*/dev/sda) echo '{"smart_status":{"passed":true}}' ;;
*/dev/sdb) echo '{"smart_status":{"passed":false}}'; exit 8 ;;
*) echo '{"smartctl":{"exit_status":2}}'; exit 2 ;;
esac""",
    "mdadm": """[ "$2" = --scan ] && { echo 'ARRAY /dev/md127 metadata=1.2 name=x:127'; exit; }
[ "$2" = /dev/md127 ] && printf '/dev/md127:\\n           Version : 1.2\\n             State : clean, degraded \\n\\n\
    Number   Major   Minor   RaidDevice State\\n       0       8        1        0      active sync   /dev/sda1\\n'""",
    "zfs": r"""printf 'tank\tsize\t5 G\ntank\tcomment\ta\ttab\ntank/fs\tsize\t1\ntank@s\tsize\t1\nother\tsize\t2\n'""",
    "apt-get": """[ "$*" = "--simulate --quiet dist-upgrade" ] || exit 9
echo 'Reading package lists...'
echo 'Inst bash [5.2.15-2] (1:5.2.15-3+b1 Debian:12.1/stable [amd64])'
echo 'Inst native-thing (7 Debian:12.1/stable [all])'
echo 'Conf bash (1:5.2.15-3+b1 Debian:12.1/stable [amd64])'""",
    "dpkg-query": """case "$*" in
*Summary*bash) echo -n 'A shell' ;;
*Version*bash) echo -n '5.2.15-2' ;;
*) echo 'no packages found' >&2; exit 1 ;;
esac""",
    "apt-config": """echo "proxy='http://proxy.example:3128/'" """,
}


@pytest.fixture
def places(tmp_path):
    """A PATH of stand-ins for programs of the system."""
    for name, text in PROGRAMS.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    return str(tmp_path)


def own(name, function, path, **args):
    """What a plugin of the product answers when it is run as hostd runs it."""
    call = xmlrpc.client.dumps(("OpaqueRef:x", args), function)
    done = subprocess.run([BUILD / "src/plugins" / name, call], env=dict(os.environ, PATH=path), check=True, capture_output=True, text=True)
    (answer,), _ = xmlrpc.client.loads(done.stdout)
    return answer


@pytest.mark.parametrize("name, function, args, told", [
    ("lsblk.py", "list_block_devices", {}, {"blockdevices": [
        {"name": "sda", "size": "5", "ro": "0", "mountpoint": "", "children": [{"name": "sda1", "ro": "1"}]}]}),
    ("smartctl.py", "health", {}, {"/dev/sda:sat": "PASSED", "/dev/sdb:scsi": "FAILED", "/dev/sdc:nvme": "UNKNOWN"}),
    ("smartctl.py", "information", {}, {"/dev/sda:sat": {"smart_status": {"passed": True}}, "/dev/sdb:scsi": {"smart_status": {"passed": False}},
                                        "/dev/sdc:nvme": {"smartctl": {"exit_status": 2}}}),
    ("raid.py", "check_raid_pool", {}, {"raid": {"Version": "1.2", "State": "clean, degraded"},
                                        "volumes": [["0", "8", "1", "0", "active", "sync", "/dev/sda1"]]}),
    ("zfs.py", "list_zfs_pools", {}, {"tank": {"size": "5 G", "comment": "a\ttab"}, "other": {"size": "2"}}),
    ("updater.py", "check_update", {}, [
        {"name": "bash", "version": "1:5.2.15", "release": "3+b1", "description": "A shell", "changelog": None, "url": "", "size": 0, "license": ""},
        {"name": "native-thing", "version": "7", "release": "", "description": "", "changelog": None, "url": "", "size": 0, "license": ""}]),
    ("updater.py", "query_installed", {"packages": "bash, nosuch\n-x"}, {"bash": "5.2.15-2"}),
    ("updater.py", "get_proxies", {}, {"http": "http://proxy.example:3128/"}),
    ("echo", "main", {"a": "<\u00e4&>"}, {"a": "<\u00e4&>"}),
])
def test_own_plugins(places, name, function, args, told):
    assert json.loads(own(name, function, places, **args)) == told


def test_own_plugins_without_programs(tmp_path):
    """What is not there is no disk, and no word; what must be there is told."""
    path = str(tmp_path)
    for name, function in (("smartctl.py", "health"), ("zfs.py", "list_zfs_pools"), ("raid.py", "check_raid_pool")):
        assert own(name, function, path) == "{}"
    assert own("hyperthreading.py", "get_hyperthreading", path) in ("true", "false")
    assert own("ipmitool.py", "is_ipmi_device_available", path) in ("true", "false")
    for name, function in (("lsblk.py", "list_block_devices"), ("updater.py", "check_update")):
        answer = own(name, function, path)
        assert answer["Status"] == "Failure" and answer["ErrorDescription"][0] == "-1"


def test_own_plugins_are_called(daemons, xen, host, fails):
    assert json.loads(xen.host.call_plugin(host, "echo", "main", {"a": "b"})) == {"a": "b"}
    devices = json.loads(xen.host.call_plugin(host, "lsblk.py", "list_block_devices", {}))["blockdevices"]
    assert all(isinstance(d["size"], str) for d in devices)
    assert fails("XENAPI_PLUGIN_FAILURE", xen.host.call_plugin, host, "updater.py", "update", {})[:2] == ["updater.py", "update"]
    for name in ("xenolith-plugin.p", "..", "../echo"):
        fails("XENAPI_MISSING_PLUGIN", xen.host.call_plugin, host, name, "main", {})
    path = install(daemons, "plugins", "echo", ECHO)  # an administrator's goes before
    assert xen.host.call_plugin(host, "echo", "good", {}) == "fine"
    path.unlink()
