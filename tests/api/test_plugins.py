# SPDX-License-Identifier: LGPL-2.1-or-later
"""Programs of the administrator that clients may call: host.call_plugin, extensions."""

import json
import time

import pytest

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
    path = install(daemons, "plugins", "echo", ECHO)
    call = xen.host.call_plugin
    nasty = "a<b>&\"'\n\u00e4" + "x" * 5000
    assert call(host, "echo", "main", {"text": nasty}) == nasty
    assert call(host, "echo", "session", {}) == xen.session
    assert call(host, "echo", "good", {}) == "fine"
    assert fails("MY_ERROR", call, host, "echo", "bad", {}) == ["one", "two"]
    assert fails("XENAPI_PLUGIN_FAILURE", call, host, "echo", "fault", {}) == ["fault", "7", "no such thing"]
    assert fails("XENAPI_PLUGIN_FAILURE", call, host, "echo", "exit", {}) == ["non-zero exit", "said\n", "complained\n"]
    for fn in ("number", "else"):
        assert fails("XENAPI_PLUGIN_FAILURE", call, host, "echo", fn, {})[0] == "failed to parse plugin output"
    fails("HANDLE_INVALID", call, "OpaqueRef:none", "echo", "good", {})
    assert xen.wait(xen.call("Async.host.call_plugin", host, "echo", "good", {})) == "fine"
    path.unlink()
    assert fails("XENAPI_MISSING_PLUGIN", call, host, "echo", "good", {}) == ["echo"]


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
