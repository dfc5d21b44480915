# SPDX-License-Identifier: LGPL-2.1-or-later
"""Daemons that are killed and come back: guests go on, listeners and objects are the same."""

import socket
import time
import signal
import threading

import pytest

from conftest import NULL

MEMORY = str(64 << 20)


def running_vm(xen):
    """Made without a template: only what a start needs."""
    vm = xen.VM.create({
        "name_label": "survivor", "name_description": "", "user_version": "1", "is_a_template": False, "affinity": NULL,
        "memory_static_max": MEMORY, "memory_dynamic_max": MEMORY, "memory_dynamic_min": MEMORY, "memory_static_min": MEMORY,
        "VCPUs_params": {}, "VCPUs_max": "1", "VCPUs_at_startup": "1", "actions_after_shutdown": "destroy",
        "actions_after_reboot": "restart", "actions_after_crash": "restart", "PV_bootloader": "", "PV_kernel": "",
        "PV_ramdisk": "", "PV_args": "", "PV_bootloader_args": "", "PV_legacy_args": "", "HVM_boot_policy": "BIOS order",
        "HVM_boot_params": {"order": "cd"}, "platform": {}, "PCI_bus": "", "other_config": {}, "recommendations": "",
    })
    xen.VM.start(vm, False, False)
    return vm


@pytest.mark.parametrize("which", [("xapi",), ("hostd",), ("xapi", "hostd")], ids="+".join)
def test_a_guest_goes_on(fresh_daemons, which):
    xen = fresh_daemons.client()
    vm = running_vm(xen)
    domid = xen.VM.get_domid(vm)
    fresh_daemons.stop(which, signal.SIGKILL)
    for name in reversed(which):
        getattr(fresh_daemons, f"start_{name}")()
    xen = fresh_daemons.ready()
    assert (xen.VM.get_power_state(vm), xen.VM.get_domid(vm)) == ("Running", domid)
    xen.VM.hard_shutdown(vm)
    assert xen.VM.get_power_state(vm) == "Halted"


def test_calls_to_hostd_are_made_again(fresh_daemons):
    """Somebody starts and ends a guest all the time while hostd is killed and comes back: no call fails."""
    xen, stop = fresh_daemons.client(), threading.Event()
    vm, rounds, failures = running_vm(xen), [], []

    def toggle(client):
        while not stop.is_set():
            try:
                client.VM.hard_reboot(vm)
                client.VM.pause(vm)
                client.VM.unpause(vm)
            except Exception as e:
                failures.append(e)
                return
            rounds.append(1)

    caller = threading.Thread(target=toggle, args=(fresh_daemons.client(),))
    caller.start()
    for _ in range(6):
        before = len(rounds)
        fresh_daemons.stop(("hostd",), signal.SIGKILL)
        fresh_daemons.start_hostd()
        while len(rounds) < before + 3 and not failures:
            time.sleep(0.001)
    stop.set()
    caller.join()
    assert not failures
    assert xen.VM.get_power_state(vm) == "Running"


def test_a_token_holds(fresh_daemons):
    xen = fresh_daemons.client()
    vm = running_vm(xen)
    token = xen.call("event.from", ["network"], "", 0.0)["token"]
    fresh_daemons.stop(("xapi",), signal.SIGKILL)
    fresh_daemons.start_xapi()
    xen = fresh_daemons.ready()
    made = xen.network.create({"name_label": "new", "name_description": "", "MTU": "1500", "other_config": {},
                               "bridge": "", "managed": True, "tags": []})
    got = xen.call("event.from", ["network"], token, 10.0)
    assert made in [e["ref"] for e in got["events"] if e["operation"] == "add"]
    assert "del" not in [e["operation"] for e in got["events"]]
    xen.VM.hard_shutdown(vm)


def test_rows_in_memory_end(fresh_daemons, fails):
    """Tasks of clients: who listened hears that they are gone; where nothing noted them, who named one does."""
    xen = fresh_daemons.client()
    mine = xen.task.create("ends with the daemon", "")
    token = xen.call("event.from", ["task"], "", 0.0)["token"]
    fresh_daemons.stop(("xapi",), signal.SIGKILL)
    fresh_daemons.start_xapi()
    xen = fresh_daemons.ready()
    got = xen.call("event.from", [f"task/{mine}"], token, 10.0)
    assert [(e["operation"], e["ref"]) for e in got["events"]] == [("del", mine)]
    assert xen.call("event.from", [f"task/{mine}"], got["token"], 0.1)["events"] == []
    for classes in (["task"], ["*"]):
        got = xen.call("event.from", classes, token, 10.0)
        assert mine in [e["ref"] for e in got["events"] if e["operation"] == "del"]
    fresh_daemons.stop(("xapi",))
    (fresh_daemons.state / "soft-rows").unlink()
    fresh_daemons.start_xapi()
    xen = fresh_daemons.ready()
    for classes in (["task"], ["*"]):
        fails("EVENTS_LOST", xen.call, "event.from", classes, token, 1.0)
    got = xen.call("event.from", [f"task/{mine}"], token, 10.0)
    assert [(e["operation"], e["ref"]) for e in got["events"]] == [("del", mine)]
    assert mine not in [e["ref"] for e in xen.call("event.from", ["task"], "", 0.0)["events"]]


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGKILL])
def test_a_plan_goes_on(fresh_daemons, sig):
    """A guest that has not obeyed yet when the daemon ends, and does while there is none."""
    xen = fresh_daemons.client()
    vm = running_vm(xen)
    uuid = xen.VM.get_uuid(vm)
    fresh_daemons.control(uuid, ignore_shutdown=True)
    task = xen.Async.VM.clean_shutdown(vm)
    token = ""
    while not xen.VM.get_current_operations(vm):
        token = xen.call("event.from", [f"vm/{vm}"], token, 5.0)["token"]
    process = fresh_daemons.xapi
    fresh_daemons.stop(("xapi",), sig)
    assert process.returncode == (0 if sig == signal.SIGTERM else -sig)
    fresh_daemons.control(uuid, "poweroff")
    fresh_daemons.start_xapi()
    xen = fresh_daemons.ready()
    assert xen.wait(task) == ""
    assert xen.VM.get_power_state(vm) == "Halted"


def test_a_daemon_ends_while_a_caller_waits(fresh_daemons):
    xen = fresh_daemons.client()
    vm = running_vm(xen)
    fresh_daemons.control(xen.VM.get_uuid(vm), ignore_shutdown=True)
    caller = threading.Thread(target=lambda: pytest.raises(Exception, fresh_daemons.client().VM.clean_shutdown, vm))
    caller.start()
    token = ""
    while not xen.VM.get_current_operations(vm):
        token = xen.call("event.from", [f"vm/{vm}"], token, 5.0)["token"]
    process = fresh_daemons.xapi
    fresh_daemons.stop(("xapi",))
    assert process.returncode == 0
    caller.join()


@pytest.mark.parametrize("delay_ms", [0, 0.2, 0.5, 0.8, 1, 1.5, 2, 3])
def test_a_stop_finds_a_plan_at_any_moment(fresh_daemons, delay_ms):
    xen = fresh_daemons.client()
    vm = running_vm(xen)
    fresh_daemons.control(xen.VM.get_uuid(vm), ignore_shutdown=True)
    xen.Async.VM.clean_shutdown(vm)
    time.sleep(delay_ms / 1000)
    process = fresh_daemons.xapi
    fresh_daemons.stop(("xapi",))
    assert process.returncode == 0, fresh_daemons.log("xenolithd")[-1500:]


def test_an_open_console_does_not_hold_up_the_stop(fresh_daemons):
    xen = fresh_daemons.client()
    template = xen.VM.get_by_name_label("Other install media")[0]
    vm = xen.VM.clone(template, "talks")
    xen.VM.set_is_a_template(vm, False)
    xen.VM.start(vm, False, False)
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(fresh_daemons.socket))
        s.sendall(f"CONNECT /console?ref={vm} HTTP/1.0\r\n\r\n".encode())
        assert b" 200 " in s.recv(4096)
        start = time.monotonic()
        fresh_daemons.stop(("xapi",))
        assert time.monotonic() - start < 10
        while s.recv(4096):
            pass
