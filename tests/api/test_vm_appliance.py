# SPDX-License-Identifier: LGPL-2.1-or-later
"""Appliances: VMs that start and stop together, in order."""

import time

import pytest
from conftest import XenError

import vms


@pytest.fixture
def appliance(xen):
    ref = xen.VM_appliance.create({"name_label": "shop", "name_description": ""})
    yield ref
    for vm in xen.VM_appliance.get_VMs(ref):
        vms.remove(xen, vm)
    xen.VM_appliance.destroy(ref)


def members(xen, appliance, *orders):
    made = []
    for order in orders:
        vm = vms.new_vm(xen, f"member {order}")
        xen.VM.set_order(vm, str(order))
        xen.VM.set_appliance(vm, appliance)
        made.append(vm)
    return made


def states(xen, machines):
    return [xen.VM.get_power_state(vm) for vm in machines]


def test_create_and_destroy(xen, fails):
    one = xen.VM_appliance.create({"name_label": "empty", "name_description": "a remark"})
    record = xen.VM_appliance.get_record(one)
    assert (record["name_description"], record["VMs"], record["current_operations"]) == ("a remark", [], {})
    assert sorted(record["allowed_operations"]) == ["clean_shutdown", "hard_shutdown", "shutdown", "start"]
    xen.VM_appliance.start(one, False)
    vm, = members(xen, one, 0)
    xen.VM_appliance.destroy(one)
    assert xen.VM.get_appliance(vm) == "OpaqueRef:NULL"
    vms.remove(xen, vm)
    fails("HANDLE_INVALID", xen.VM_appliance.start, one, False)


def test_start_and_shutdown(xen, appliance):
    machines = members(xen, appliance, 0, 1, 1)
    xen.VM.start(machines[1], False, False)
    xen.VM_appliance.start(appliance, False)
    assert states(xen, machines) == ["Running"] * 3
    xen.VM_appliance.shutdown(appliance)
    assert states(xen, machines) == ["Halted"] * 3
    assert xen.VM_appliance.get_current_operations(appliance) == {}


def test_start_paused(xen, appliance):
    machines = members(xen, appliance, 0)
    xen.VM_appliance.start(appliance, True)
    assert states(xen, machines) == ["Paused"]


def test_clean_shutdown(xen, appliance):
    machines = members(xen, appliance, 0, 1)
    xen.VM_appliance.start(appliance, False)
    xen.VM_appliance.clean_shutdown(appliance)
    assert states(xen, machines) == ["Halted"] * 2


def changes(xen, machines, call):
    """In which order the VMs changed their state while the call ran."""
    token, seen = xen.event.inject("pool", xen.pool.get_all()[0]), []
    before = dict(zip(machines, states(xen, machines)))
    xen.wait(call())
    deadline = time.monotonic() + 30
    while set(seen) != set(machines):
        assert time.monotonic() < deadline, seen
        got = xen.event.__getattr__("from")(["VM"], token, 5.0)
        token = got["token"]
        for event in got["events"]:
            vm = event["ref"]
            if vm in before and event["snapshot"]["power_state"] != before[vm] and vm not in seen:
                seen.append(vm)
    return seen


def test_order(xen, appliance):
    machines = members(xen, appliance, 2, 0, 1)
    assert changes(xen, machines, lambda: xen.Async.VM_appliance.start(appliance, False)) == \
        [machines[1], machines[2], machines[0]]
    assert changes(xen, machines, lambda: xen.Async.VM_appliance.hard_shutdown(appliance)) == \
        [machines[0], machines[2], machines[1]]


def test_delay(xen, appliance):
    machines = members(xen, appliance, 0, 1)
    xen.VM.set_start_delay(machines[0], "1")
    xen.VM.set_start_delay(machines[1], "100")
    began = time.monotonic()
    xen.VM_appliance.start(appliance, False)
    assert 1 <= time.monotonic() - began < 50


def test_a_failure_ends_it(xen, daemons, appliance, fails):
    machines = members(xen, appliance, 0, 0, 1)
    daemons.control(xen.VM.get_uuid(machines[1]), fail="start")
    params = fails("OPERATION_PARTIALLY_FAILED", xen.VM_appliance.start, appliance, False)
    assert params[0] == "VM_appliance.start" and len(params) == 2
    broken = params[1]
    assert broken in machines[:2]
    assert states(xen, machines).count("Running") == 1
    assert xen.VM.get_power_state(machines[2]) == "Halted"
    xen.VM_appliance.start(appliance, False)
    assert states(xen, machines) == ["Running"] * 3


def test_one_thing_at_a_time(xen, daemons, appliance):
    machines = members(xen, appliance, 0)
    xen.VM_appliance.start(appliance, False)
    daemons.control(xen.VM.get_uuid(machines[0]), ignore_shutdown=True)
    task = xen.Async.VM_appliance.clean_shutdown(appliance)
    deadline = time.monotonic() + 30
    while not xen.VM_appliance.get_current_operations(appliance):
        assert time.monotonic() < deadline
    assert xen.VM_appliance.get_allowed_operations(appliance) == []
    xen.task.cancel(task)
    with pytest.raises(XenError):
        xen.wait(task)
    xen.VM.hard_shutdown(machines[0])
