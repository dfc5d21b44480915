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
