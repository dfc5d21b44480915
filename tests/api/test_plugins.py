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
    "apt-get": """case "$*" in
"--simulate --quiet dist-upgrade") ;;
"--quiet update") echo update >>"$0.said"; echo 'E: it is out of reach' >&2; exit 100 ;;
*held*) echo 'E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 12 (unattended-upgr)' >&2; exit 100 ;;
*missing*) echo 'E: Unable to locate package missing' >&2; exit 100 ;;
*) echo "$DEBIAN_FRONTEND $*"; printf 'warned \\377' >&2; exit ;;
esac
echo 'Reading package lists...'
echo 'Inst bash [5.2.15-2] (1:5.2.15-3+b1 Debian:12.1/stable [amd64])'
echo 'Inst native-thing (7 Debian:12.1/stable [all])'
echo 'Conf bash (1:5.2.15-3+b1 Debian:12.1/stable [amd64])'""",
    "dpkg-query": """case "$*" in
*Summary*bash) echo -n 'A shell' ;;
*Version*bash) echo -n '5.2.15-2' ;;
*) echo 'no packages found' >&2; exit 1 ;;
esac""",
    "apt-config": """[ "$3" != Acquire::http::Proxy ] || echo "proxy='http://proxy.example:3128/'" """,
    "ipmitool": r"""case "$*" in
"chassis status") ;;
"sdr list") printf 'CPU Temp         | 45 degrees C      | ok\nFan 1            | no reading        | ns\nnonsense\n' ;;
"sdr get CPU Temp") printf 'Sensor ID              : CPU Temp (0x1)\n Sensor Reading        : 45 (+/- 0) degrees C\nnonsense\n' ;;
"lan print") printf 'Set in Progress         : Set Complete\nIP Address Source       : Static\nIP Address              : 192.0.2.7\nMAC Address             : 0c:c4:7a:00:00:01\n' ;;
*) echo "Unable to find sensor" >&2; exit 1 ;;
esac""",
    "pvs": """[ "$*" = "--noheadings --units b --nosuffix --separator | -o pv_name,vg_name,pv_fmt,pv_attr,pv_size,pv_free" ] || exit 9
echo '  /dev/sdb|linstor_group|lvm2|a--|1000|400'; echo '  /dev/sdc||lvm2|---|2000|2000'""",
    "vgs": """case "$*" in
*nosuch) echo 'Volume group "nosuch" not found' >&2; exit 5 ;;
*broken) echo 'Metadata is broken' >&2; exit 7 ;;
esac
echo '  linstor_group|1|2|0|wz--n-|1000|400'""",
    "lvs": """echo '  thin|linstor_group|twi-a-tz--|600|'; echo '  disk|linstor_group|Vwi-a-tz--|50|thin'""",
    "systemctl": """case "$*" in "is-active netdata") exit 3 ;; *controller) echo "Unit not found." >&2; exit 5 ;; esac""",
}
# What they were called with is in a file beside them.
for _name in ("pvcreate", "vgcreate", "vgremove", "lvcreate"):
    PROGRAMS[_name] = """echo "${0##*/} $*" >>"$0.said"
case "$*" in *nosuch) echo 'Volume group "nosuch" not found' >&2; exit 5 ;; *used*) echo "it is used" >&2; exit 5 ;; esac"""


@pytest.fixture
def places(tmp_path):
    """A PATH of stand-ins for programs of the system."""
    for name, text in PROGRAMS.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    return str(tmp_path)


def own(name, function, path, manages=True, **args):
    """What a plugin of the product answers when it is run as hostd runs it."""
    call = xmlrpc.client.dumps(("OpaqueRef:x", args), function)
    env = dict(os.environ, PATH=path, XENOLITH_ETC=f"{path}/etc", **({"XENOLITH_MANAGE_MACHINE": "1"} if manages else {}))
    done = subprocess.run([BUILD / "src/plugins" / name, call], env=env, check=True, capture_output=True, text=True)
    (answer,), _ = xmlrpc.client.loads(done.stdout)
    return answer


def failure(*args, **named):
    """The code and the text of one that failed."""
    answer = own(*args, **named)
    assert answer["Status"] == "Failure"
    return answer["ErrorDescription"][:2]


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
    ("updater.py", "get_proxies", {}, {"http": "http://proxy.example:3128/", "https": "_none_"}),
    ("ipmitool.py", "is_ipmi_device_available", {}, True),
    ("ipmitool.py", "get_all_sensors", {}, [{"name": "CPU Temp", "value": "45 degrees C", "event": "ok"},
                                            {"name": "Fan 1", "value": "no reading", "event": "ns"}]),
    ("ipmitool.py", "get_sensor", {"sensors": "CPU Temp, nosuch,-x"}, [{"name": "CPU Temp", "info": [
        {"name": "Sensor ID", "value": "CPU Temp (0x1)"}, {"name": "Sensor Reading", "value": "45 (+/- 0) degrees C"}]}]),
    ("ipmitool.py", "get_sensor", {}, {}),
    ("ipmitool.py", "get_ipmi_lan", {}, [{"name": "IP Address Source", "value": "Static"}, {"name": "IP Address", "value": "192.0.2.7"},
                                         {"name": "MAC Address", "value": "0c:c4:7a:00:00:01"}]),
    ("lvm.py", "list_physical_volumes", {}, {
        "/dev/sdb": {"vg_name": "linstor_group", "format": "lvm2", "attributes": "a--", "capacity": 1000, "free": 400},
        "/dev/sdc": {"vg_name": "", "format": "lvm2", "attributes": "---", "capacity": 2000, "free": 2000}}),
    ("lvm.py", "list_volume_groups", {}, {"linstor_group": {
        "pv_count": 1, "lv_count": 2, "sn_count": 0, "attributes": "wz--n-", "capacity": 1000, "free": 400}}),
    ("lvm.py", "list_volume_groups", {"vg_name": "nosuch"}, {}),
    ("lvm.py", "list_logical_volumes", {"vg_name": "linstor_group"}, {
        "thin": {"vg_name": "linstor_group", "attributes": "twi-a-tz--", "capacity": 600, "pool": ""},
        "disk": {"vg_name": "linstor_group", "attributes": "Vwi-a-tz--", "capacity": 50, "pool": "thin"}}),
    ("netdata.py", "is_netdata_installed", {}, False),
    ("service.py", "start_service", {"service": "linstor-satellite"}, True),
    ("echo", "main", {"a": "<\u00e4&>"}, {"a": "<\u00e4&>"}),
])
def test_own_plugins(places, name, function, args, told):
    assert json.loads(own(name, function, places, **args)) == told


def test_updates_are_installed(places, tmp_path):
    """What apt says, as clients know it, after it fetched its lists if it could; never a removal, and who else holds the lock is told."""
    options = "--quiet --assume-yes -o DPkg::Lock::Timeout=10 -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold"
    for function, args, words in (("update", {}, "dist-upgrade"), ("update", {"packages": "bash, g++"}, "install --only-upgrade -- bash g++"),
                                  ("install", {"packages": "netdata"}, "install -- netdata")):
        said = json.loads(own("updater.py", function, places, **args))
        assert said["stdout"] == f"noninteractive {options} {words}\n" and said["returncode"] == 0 and said["stderr"] == "warned ?"
    assert (tmp_path / "apt-get.said").read_text() == "update\n" * 3
    assert failure("updater.py", "update", places, packages="held") == [
        "-1", "The updater plugin is busy (current operation: unattended-upgr)"]
    assert failure("updater.py", "install", places, packages="missing") == ["-1", "E: Unable to locate package missing\n"]
    for bad in ("bash-", "-o", "a b-", "A", "a*", "/etc/x.deb"):
        assert failure("updater.py", "install", places, packages=bad) == ["-1", "a name of `packages` is none"]
    assert failure("updater.py", "install", places) == ["-1", "Missing or empty argument `packages`"]


def test_proxies(places, tmp_path):
    path = tmp_path / "etc/apt/apt.conf.d/90xenolith-proxy"
    path.parent.mkdir(parents=True)
    change = {"https": "http://other.example:1"}
    assert own("updater.py", "set_proxies", places, proxies=json.dumps(change)) == ""
    assert path.read_text() == 'Acquire::http::Proxy "http://proxy.example:3128/";\nAcquire::https::Proxy "http://other.example:1";\n'
    assert own("updater.py", "set_proxies", places, proxies='{"http": "_none_"}') == "" and not path.exists()
    assert failure("updater.py", "set_proxies", places, proxies='{"xcp-ng-base": "_none_"}')[1].startswith("Can't find section 'xcp-ng-base'")
    for bad in ('{"http": "ftp://x"}', '{"http": "http://x\\";}"}', '{"http": 5}', "nonsense"):
        assert failure("updater.py", "set_proxies", places, proxies=bad)[0] == "-1"
    assert not path.exists()


def test_volumes(places, tmp_path):
    """LVM's own programs are given what was asked for, and nothing that could be an option."""
    for function, args, said in (
            ("create_physical_volume", {"devices": "/dev/sdb,/dev/sdc"}, "pvcreate -qq /dev/sdb /dev/sdc"),
            ("create_physical_volume", {"devices": "/dev/sdb", "ignore_existing_filesystems": "true"}, "pvcreate -f -y /dev/sdb"),
            ("create_physical_volume", {"devices": "/dev/sdb", "force": "true"}, "pvcreate -ff -y /dev/sdb"),
            ("create_volume_group", {"vg_name": "g", "devices": "/dev/sdb"}, "vgcreate g /dev/sdb"),
            ("destroy_volume_group", {"vg_name": "g"}, "vgremove -qq g"),
            ("destroy_volume_group", {"vg_name": "nosuch", "force": "true"}, "vgremove -f -y nosuch"),
            ("create_thin_pool", {"vg_name": "g", "lv_name": "thin"}, "lvcreate -l 100%FREE --type thin-pool -n thin g")):
        assert own("lvm.py", function, places, **args) == "{}"
        file = tmp_path / f"{said.split()[0]}.said"
        assert file.read_text() == said + "\n"
        file.unlink()
    assert failure("lvm.py", "create_volume_group", places, vg_name="used", devices="/dev/sdb") == ["LVM_ERROR(5)", "it is used\n"]
    assert failure("lvm.py", "destroy_volume_group", places, vg_name="nosuch") == ["LVM_ERROR(5)", 'Volume group "nosuch" not found\n']
    assert failure("lvm.py", "list_volume_groups", places, vg_name="broken")[0] == "LVM_ERROR(7)"
    (tmp_path / "vgcreate.said").unlink()
    for args in ({"vg_name": "-f", "devices": "/dev/sdb"}, {"vg_name": "g", "devices": "sdb"}, {"vg_name": "g"}, {"devices": "/dev/sdb"},
                 {"vg_name": "g", "devices": "/dev/../etc/passwd"}):
        assert failure("lvm.py", "create_volume_group", places, **args)[0] == "-1"
    assert not (tmp_path / "vgcreate.said").exists()


def test_services(places, tmp_path):
    assert failure("service.py", "stop_service", places, service="ssh") == ["-1", "This service is not whitelisted"]
    assert failure("service.py", "restart_service", places) == ["-1", "Missing or empty argument `service`"]
    assert failure("service.py", "try_restart_service", places, service="linstor-controller") == ["-1", "Unit not found.\n"]
    assert own("netdata.py", "get_netdata_api_key", places) == ""
    args = {"api_key": "c1814542-c066-11e9-a752-080027d5b5e4", "destination": "tcp:192.0.2.34:19999"}
    assert own("netdata.py", "install_netdata", places, **args) == "true"
    assert own("netdata.py", "get_netdata_api_key", places) == args["api_key"]
    assert "destination = tcp:192.0.2.34:19999\n" in (tmp_path / "etc/netdata/stream.conf").read_text()
    for bad in ({**args, "api_key": ""}, {**args, "destination": "x\n[web]"}):
        assert failure("netdata.py", "install_netdata", places, **bad)[0] == "-1"
    for function in ("add-rule", "del-rule", "dump-flows"):
        assert failure("sdncontroller.py", function, places, bridge="xenbr0")[0] == "3"


@pytest.mark.parametrize("name, function", [
    ("updater.py", "update"), ("updater.py", "install"), ("updater.py", "set_proxies"), ("lvm.py", "create_physical_volume"),
    ("lvm.py", "create_volume_group"), ("lvm.py", "destroy_volume_group"), ("lvm.py", "create_thin_pool"), ("service.py", "start_service"),
    ("service.py", "stop_service"), ("service.py", "restart_service"), ("service.py", "try_restart_service"), ("netdata.py", "install_netdata")])
def test_who_may_not_change_the_machine(places, name, function):
    """hostd must have been told to."""
    assert failure(name, function, places, manages=False)[0] == "PERMISSION_DENIED"


def test_own_plugins_without_programs(tmp_path):
    """What is not there is no disk, and no word; what must be there is told."""
    path = str(tmp_path)
    for name, function in (("smartctl.py", "health"), ("zfs.py", "list_zfs_pools"), ("raid.py", "check_raid_pool"),
                           ("lvm.py", "list_physical_volumes"), ("lvm.py", "list_volume_groups"), ("lvm.py", "list_logical_volumes")):
        assert own(name, function, path) == "{}"
    assert own("hyperthreading.py", "get_hyperthreading", path) in ("true", "false")
    assert own("ipmitool.py", "is_ipmi_device_available", path) == own("netdata.py", "is_netdata_installed", path) == "false"
    for function in ("get_all_sensors", "get_sensor", "get_ipmi_lan"):
        assert failure("ipmitool.py", function, path) == ["1", "IPMI not available"]
    assert failure("lvm.py", "destroy_volume_group", path, vg_name="g") == ["-1", "LVM is not installed on this host"]
    for name, function in (("lsblk.py", "list_block_devices"), ("updater.py", "check_update")):
        answer = own(name, function, path)
        assert answer["Status"] == "Failure" and answer["ErrorDescription"][0] == "-1"


def test_own_plugins_are_called(daemons, xen, host, fails):
    assert json.loads(xen.host.call_plugin(host, "echo", "main", {"a": "b"})) == {"a": "b"}
    devices = json.loads(xen.host.call_plugin(host, "lsblk.py", "list_block_devices", {}))["blockdevices"]
    assert all(isinstance(d["size"], str) for d in devices)
    assert fails("XENAPI_PLUGIN_FAILURE", xen.host.call_plugin, host, "updater.py", "nosuch", {})[:2] == ["updater.py", "nosuch"]
    if not os.environ.get("XENOLITH_MANAGE_MACHINE"):
        fails("PERMISSION_DENIED", xen.host.call_plugin, host, "updater.py", "update", {})
    for name in ("xenolith-plugin.p", "..", "../echo"):
        fails("XENAPI_MISSING_PLUGIN", xen.host.call_plugin, host, name, "main", {})
    path = install(daemons, "plugins", "echo", ECHO)  # an administrator's goes before
    assert xen.host.call_plugin(host, "echo", "good", {}) == "fine"
    path.unlink()
