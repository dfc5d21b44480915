# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the agent in a guest says, in VM_guest_metrics."""

import time

import vms
from conftest import NULL


def until(look):
    end = time.monotonic() + 30
    while not (seen := look()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return seen


def record(xen, vm):
    ref = xen.VM.get_guest_metrics(vm)
    return None if ref == NULL else xen.VM_guest_metrics.get_record(ref)


def test_what_an_agent_says(fresh_daemons):
    d = fresh_daemons
    xen = d.client()
    vm = vms.new_vm(xen, "talks")
    vms.new_card(xen, vm)
    assert xen.VM.get_guest_metrics(vm) == NULL
    xen.VM.start(vm, False, False)
    told = until(lambda: record(xen, vm))
    assert told["live"] and told["os_version"] == {"name": "Simulated Linux 1.0", "distro": "simulated", "major": "1", "minor": "0"}
    first = int(xen.VM.get_domid(vm))
    assert told["networks"] == {"0/ip": f"10.{first >> 8}.{first & 255}.2"}
    assert not told["PV_drivers_detected"] and told["can_use_hotplug_vbd"] == "unspecified"

    # An agent that goes leaves what it said; another boot says it anew.
    d.control(xen.VM.get_uuid(vm), "agent_down")
    until(lambda: not record(xen, vm)["live"])
    assert record(xen, vm)["os_version"]["distro"] == "simulated"
    xen.VM.hard_reboot(vm)
    now = until(lambda: record(xen, vm)["live"] and record(xen, vm))
    assert now["networks"] != told["networks"]

    # None of it is kept by xenolithd itself.
    d.stop(("xapi",))
    d.start_xapi()
    xen = d.ready()
    until(lambda: record(xen, vm) and record(xen, vm)["os_version"])

    xen.VM.hard_shutdown(vm)
    assert xen.VM.get_guest_metrics(vm) == NULL and xen.VM_guest_metrics.get_all() == []
