# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the host tells late: an event is followed as the domain is when it is handled."""

import json
import time

from test_restart import running_vm


def test_a_started_vm_stays_running(fresh_daemons):
    xen = fresh_daemons.client()
    vm = running_vm(xen)
    for _ in range(100):
        xen.VM.hard_shutdown(vm)
        xen.VM.start(vm, False, False)
        # the event of the pause before the first instruction may be handled only now
        assert [xen.VM.get_power_state(vm) for _ in range(3)] == ["Running"] * 3


def test_a_clean_shutdown_ends_with_the_guest(fresh_daemons):
    xen = fresh_daemons.client()
    vm = running_vm(xen)
    fresh_daemons.host_call("vm_control", command=json.dumps({"timing": {"boot_us": 0, "shutdown_us": 300000}}))
    begin = time.monotonic()
    xen.VM.clean_shutdown(vm)
    assert 0.3 <= time.monotonic() - begin < 1.5  # seconds; without being told, the daemon looks every two
    assert xen.VM.get_power_state(vm) == "Halted"


def test_what_became_of_a_vm_is_told(fresh_daemons):
    """Each operation leaves one message, and so does a guest that acts by itself."""
    d = fresh_daemons
    xen = d.client()
    vm = running_vm(xen)
    uuid = xen.VM.get_uuid(vm)
    seen = set()

    def told(wanted):
        end = time.monotonic() + 60
        while True:
            new = {ref: r for ref, r in xen.message.get("VM", uuid, "19700101T00:00:00Z").items() if ref not in seen}
            if new or not wanted:
                break
            assert time.monotonic() < end, wanted
            time.sleep(0.02)
        seen.update(new)
        return sorted((r["name"], r["priority"]) for r in new.values())

    def wait_for(state):
        end = time.monotonic() + 60
        while xen.VM.get_power_state(vm) != state or xen.VM.get_current_operations(vm):
            assert time.monotonic() < end
            time.sleep(0.02)

    told(True)
    for call, name in ((lambda: xen.VM.pause(vm), "PAUSED"), (lambda: xen.VM.unpause(vm), "UNPAUSED"),
                       (lambda: xen.VM.suspend(vm), "SUSPENDED"),
                       (lambda: xen.VM.resume(vm, False, False), "RESUMED"),
                       (lambda: xen.VM.hard_reboot(vm), "REBOOTED"),
                       (lambda: xen.VM.hard_shutdown(vm), "SHUTDOWN"),
                       (lambda: xen.VM.start(vm, False, False), "STARTED")):
        call()
        assert told(True) == [(f"VM_{name}", "5")]
    xen.VM.set_actions_after_crash(vm, "destroy")
    d.control(uuid, "crash")
    wait_for("Halted")
    assert told(True) == [("VM_CRASHED", "2")]
    xen.VM.start(vm, False, False)
    body, = [r["body"] for r in xen.message.get("VM", uuid, "19700101T00:00:00Z").values() if r["name"] == "VM_CRASHED"]
    assert xen.VM.get_name_label(vm) in body and xen.host.get_uuid(xen.host.get_all()[0]) in body
    assert told(True) == [("VM_STARTED", "5")]
    d.control(uuid, "poweroff")
    wait_for("Halted")
    assert told(True) == [("VM_SHUTDOWN", "5")]
