# SPDX-License-Identifier: LGPL-2.1-or-later
"""The life of a VM: starting, pausing, stopping, suspending, and guests that act by themselves."""

import json
import time

import pytest

import vms
from conftest import NULL


@pytest.fixture
def vm(xen):
    """A halted VM without disks."""
    template = xen.VM.get_by_name_label("Other install media")[0]
    ref = xen.VM.clone(template, "power")
    xen.VM.set_is_a_template(ref, False)
    yield ref
    if xen.VM.get_power_state(ref) != "Halted":
        xen.VM.hard_shutdown(ref)
    xen.VM.destroy(ref)


def wait_state(xen, vm, state, timeout=20):
    token, end = "", time.monotonic() + timeout
    while time.monotonic() < end:
        if xen.VM.get_power_state(vm) == state:
            return
        token = xen.call("event.from", [f"VM/{vm}"], token, 1.0)["token"]
    assert xen.VM.get_power_state(vm) == state


def test_start_and_hard_shutdown(xen, vm, fails):
    assert "start" in xen.VM.get_allowed_operations(vm)
    xen.VM.start(vm, False, False)
    record = xen.VM.get_record(vm)
    assert record["power_state"] == "Running"
    assert record["resident_on"] in xen.host.get_all() and int(record["domid"]) > 0
    assert record["current_operations"] == {}
    assert "start" not in record["allowed_operations"] and "hard_shutdown" in record["allowed_operations"]
    assert {xen.console.get_protocol(c) for c in record["consoles"]} == {"rfb", "vt100"}
    assert fails("VM_BAD_POWER_STATE", xen.VM.start, vm, False, False) == [vm, "halted", "running"]
    xen.VM.hard_shutdown(vm)
    record = xen.VM.get_record(vm)
    assert (record["power_state"], record["resident_on"], record["domid"]) == ("Halted", NULL, "-1")
    assert record["consoles"] == []


def test_start_on(xen, vm, fails):
    host = xen.host.get_all()[0]
    xen.VM.start_on(vm, host, False, False)
    assert xen.VM.get_resident_on(vm) == host
    xen.VM.hard_shutdown(vm)
    fails("HANDLE_INVALID", xen.VM.start_on, vm, "OpaqueRef:nowhere", False, False)


def test_async_start(xen, vm):
    task = xen.Async.VM.start(vm, False, False)
    assert task.startswith("OpaqueRef:")
    assert xen.wait(task) == ""
    assert xen.VM.get_power_state(vm) == "Running"


def test_async_failure_is_in_the_task(xen, vm, fails):
    task = xen.Async.VM.hard_shutdown(vm)
    assert fails("VM_BAD_POWER_STATE", xen.wait, task)[0] == vm


def test_start_paused_and_unpause(xen, vm):
    xen.VM.start(vm, True, False)
    assert xen.VM.get_power_state(vm) == "Paused"
    xen.VM.unpause(vm)
    assert xen.VM.get_power_state(vm) == "Running"


def test_pause_and_unpause(xen, vm, fails):
    fails("VM_BAD_POWER_STATE", xen.VM.pause, vm)
    xen.VM.start(vm, False, False)
    xen.VM.pause(vm)
    assert xen.VM.get_power_state(vm) == "Paused"
    xen.VM.unpause(vm)
    assert xen.VM.get_power_state(vm) == "Running"


def test_clean_shutdown(xen, vm):
    xen.VM.start(vm, False, False)
    xen.VM.clean_shutdown(vm)
    assert xen.VM.get_power_state(vm) == "Halted"


def test_shutdown_pulls_the_plug(daemons, xen, vm):
    xen.VM.start(vm, False, False)
    xen.VM.set_shutdown_delay(vm, "1")
    daemons.control(xen.VM.get_uuid(vm), ignore_shutdown=True)
    xen.VM.shutdown(vm)
    assert xen.VM.get_power_state(vm) == "Halted"


def test_shutdown_of_a_guest_that_cannot_be_asked(daemons, xen, vm, fails):
    xen.VM.start(vm, False, False)
    daemons.control(xen.VM.get_uuid(vm), fail="signal")
    fails("INTERNAL_ERROR", xen.VM.clean_shutdown, vm)
    assert xen.VM.get_power_state(vm) == "Running"
    daemons.control(xen.VM.get_uuid(vm), fail="signal")
    xen.VM.shutdown(vm)
    assert xen.VM.get_power_state(vm) == "Halted"


def test_clean_shutdown_can_be_cancelled(daemons, xen, vm, fails):
    xen.VM.start(vm, False, False)
    daemons.control(xen.VM.get_uuid(vm), ignore_shutdown=True)
    task = xen.Async.VM.clean_shutdown(vm)
    while not xen.VM.get_current_operations(vm):
        time.sleep(0.01)
    assert "clean_shutdown" in xen.VM.get_current_operations(vm).values()
    xen.task.cancel(task)
    fails("TASK_CANCELLED", xen.wait, task)
    assert xen.VM.get_power_state(vm) == "Running"
    assert xen.VM.get_current_operations(vm) == {}


def test_hard_shutdown_overtakes_a_waiting_clean_one(daemons, xen, vm):
    xen.VM.start(vm, False, False)
    daemons.control(xen.VM.get_uuid(vm), ignore_shutdown=True)
    task = xen.Async.VM.clean_shutdown(vm)
    while not xen.VM.get_current_operations(vm):
        time.sleep(0.01)
    xen.VM.hard_shutdown(vm)
    assert xen.VM.get_power_state(vm) == "Halted"
    xen.wait(task)
    assert xen.VM.get_current_operations(vm) == {}


def test_reboots(daemons, xen, vm):
    xen.VM.start(vm, False, False)
    first = xen.VM.get_domid(vm)
    signals, resets = daemons.driver_calls("signal"), daemons.driver_calls("reset")
    xen.VM.clean_reboot(vm)
    assert daemons.driver_calls("signal") == signals + 1
    second = xen.VM.get_domid(vm)
    xen.VM.hard_reboot(vm)
    assert daemons.driver_calls("reset") == resets + 1
    assert xen.VM.get_power_state(vm) == "Running"
    third = xen.VM.get_domid(vm)
    assert len({first, second, third}) == 3
    assert daemons.host_call("vm_query", uuid=xen.VM.get_uuid(vm))["domains"][0]["domid"] == int(third)


def test_a_reboot_of_the_guest_itself_is_another_domain(daemons, xen, vm):
    xen.VM.start(vm, False, False)
    before = xen.VM.get_domid(vm)
    daemons.control(xen.VM.get_uuid(vm), "reboot")
    end = time.monotonic() + 30
    while xen.VM.get_domid(vm) == before:
        assert time.monotonic() < end
        time.sleep(0.02)
    assert xen.VM.get_power_state(vm) == "Running"


@pytest.mark.parametrize("kind", ["hvm", "pv", "pvh"])
def test_metrics_tell_the_kind_that_runs(daemons, xen, vm, kind):
    xen.VM.set_domain_type(vm, kind)
    xen.VM.start(vm, False, False)
    record = xen.VM_metrics.get_record(xen.VM.get_metrics(vm))
    assert (record["current_domain_type"], record["hvm"]) == (kind, kind == "hvm")
    # Only a whole machine has a display.
    assert {xen.console.get_protocol(c) for c in xen.VM.get_consoles(vm)} == {"vt100"} | ({"rfb"} if kind == "hvm" else set())


def test_suspend_and_resume(xen, vm, fails):
    sr = xen.pool.get_default_SR(xen.pool.get_all()[0])
    xen.VM.set_suspend_SR(vm, sr)
    xen.VM.start(vm, False, False)
    xen.VM.suspend(vm)
    record = xen.VM.get_record(vm)
    assert (record["power_state"], record["resident_on"]) == ("Suspended", NULL)
    disk = record["suspend_VDI"]
    assert xen.VDI.get_type(disk) == "suspend"
    fails("VM_BAD_POWER_STATE", xen.VM.start, vm, False, False)
    xen.VM.resume(vm, False, False)
    record = xen.VM.get_record(vm)
    assert (record["power_state"], record["suspend_VDI"]) == ("Running", NULL)
    fails("HANDLE_INVALID", xen.VDI.get_type, disk)
    xen.VM.suspend(vm)
    disk = xen.VM.get_suspend_VDI(vm)
    xen.VM.resume_on(vm, xen.host.get_all()[0], True, False)
    assert xen.VM.get_power_state(vm) == "Paused"
    xen.VM.hard_shutdown(vm)
    fails("HANDLE_INVALID", xen.VDI.get_type, disk)


def test_suspend_whose_way_back_is_barred(daemons, xen, vm, fails):
    """Nobody knows then whether the guest was saved: rows and memory stay, and the guest, which was not, runs on."""
    xen.VM.set_suspend_SR(vm, xen.pool.get_default_SR(xen.pool.get_all()[0]))
    card = vms.new_card(xen, vm)
    xen.VM.start(vm, False, False)
    before = xen.VM.get_record(vm)
    fault = {"op": "query", "code": "INTERNAL_ERROR", "params": ["told to fail"], "times": 2}
    daemons.host_call("vm_control", command=json.dumps({"fault": fault}))
    fails("INTERNAL_ERROR", xen.VM.suspend, vm)
    now = xen.VM.get_record(vm)
    assert [now[f] for f in ("power_state", "domid", "current_operations")] == ["Running", before["domid"], {}]
    xen.VIF.unplug(card)
    disk = now["suspend_VDI"]
    assert xen.VDI.get_type(disk) == "suspend"
    xen.VM.hard_shutdown(vm)
    fails("HANDLE_INVALID", xen.VDI.get_type, disk)


def test_suspend_needs_a_place(xen, vm, fails):
    xen.VM.start(vm, False, False)
    xen.VM.set_suspend_SR(vm, NULL)
    pool, host = xen.pool.get_all()[0], xen.host.get_all()[0]
    before = xen.pool.get_suspend_image_SR(pool), xen.host.get_suspend_image_sr(host)
    xen.pool.set_suspend_image_SR(pool, NULL)
    xen.host.set_suspend_image_sr(host, NULL)
    try:
        assert fails("VM_NO_SUSPEND_SR", xen.VM.suspend, vm) == [vm]
    finally:
        xen.pool.set_suspend_image_SR(pool, before[0])
        xen.host.set_suspend_image_sr(host, before[1])
    assert xen.VM.get_power_state(vm) == "Running"


def test_guest_that_powers_off_is_halted(daemons, xen, vm):
    xen.VM.start(vm, False, False)
    daemons.control(xen.VM.get_uuid(vm), act="poweroff")
    wait_state(xen, vm, "Halted")


def test_crash_after_start_is_not_a_loop(daemons, xen, vm):
    xen.VM.set_actions_after_crash(vm, "restart")
    xen.VM.start(vm, False, False)
    daemons.control(xen.VM.get_uuid(vm), act="crash")
    wait_state(xen, vm, "Halted")


def test_blocked_operation(xen, vm, fails):
    xen.VM.add_to_blocked_operations(vm, "start", "not today")
    assert fails("OPERATION_BLOCKED", xen.VM.start, vm, False, False) == [vm, "not today"]
    xen.VM.remove_from_blocked_operations(vm, "start")


def test_too_much_memory(xen, vm, fails):
    huge = str(1 << 50)
    xen.VM.set_memory_limits(vm, "0", huge, huge, huge)
    needed, free = fails("HOST_NOT_ENOUGH_FREE_MEMORY", xen.VM.start, vm, False, False)
    assert int(needed) >= 1 << 50 > int(free)
    assert xen.VM.get_power_state(vm) == "Halted" and xen.VM.get_current_operations(vm) == {}


def test_bad_firmware(xen, vm, fails):
    xen.VM.set_HVM_boot_params(vm, {"firmware": "punched cards"})
    assert fails("INVALID_VALUE", xen.VM.start, vm, False, False) == ["HVM-boot-params['firmware']", "punched cards"]


def test_template_cannot_start(xen, fails):
    template = xen.VM.get_by_name_label("Other install media")[0]
    fails("VM_IS_TEMPLATE", xen.VM.start, template, False, False)


def test_hypervisor_failure_leaves_nothing(daemons, xen, vm):
    from conftest import XenError
    daemons.control(xen.VM.get_uuid(vm), fail="start")
    with pytest.raises(XenError):
        xen.VM.start(vm, False, False)
    record = xen.VM.get_record(vm)
    assert (record["power_state"], record["current_operations"]) == ("Halted", {})
    xen.VM.start(vm, False, False)
