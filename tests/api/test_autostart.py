# SPDX-License-Identifier: LGPL-2.1-or-later
"""VMs that start with their machine: other_config:auto_poweron of the VM and of the pool.

hostd is given another boot id (a file mounted over the kernel's, in a mount namespace of its own) and loses its
guests; to the daemons that is a boot.
"""

import os
import shutil
import signal
import subprocess
import time
import uuid

import pytest

import vms
from conftest import PROGRAMS, Daemons, a_pair

UNSHARE = ["unshare", "--mount"] + ([] if os.geteuid() == 0 else ["--map-root-user"])
BOOT_ID = "/proc/sys/kernel/random/boot_id"
LIMIT = 30.0


class Machine(Daemons):
    """Daemons on a machine that can be booted."""

    def start_hostd(self, extra=()):
        boot = self.state / "boot_id"
        if not boot.exists():
            boot.write_text(f"{uuid.uuid4()}\n")
        with open(self.logs / "xenolith-hostd.log", "ab") as log:
            self.hostd = subprocess.Popen(
                [*UNSHARE, "sh", "-c", f'mount --bind "$0" {BOOT_ID} || exit 77; exec "$@"', boot,
                 PROGRAMS["xenolith-hostd"], "--state", self.state, "--hv", self.hv, *extra],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def die(self):
        """All programs end at once; guests do with a machine."""
        self.sweep()
        self.hostd = self.xapi = None

    def boot(self):
        """A client of the next boot."""
        self.die()
        shutil.rmtree(self.state / "run" / "sim", ignore_errors=True)
        (self.state / "boot_id").write_text(f"{uuid.uuid4()}\n")
        return self.start()


@pytest.fixture
def machine(request):
    if subprocess.run([*UNSHARE, "true"], capture_output=True).returncode:
        pytest.skip("this machine lets nobody make a mount namespace")
    with a_pair(Machine, hv=getattr(request, "param", "sim")) as m:
        xen = m.start()
        xen.pool.add_to_other_config(xen.pool.get_all()[0], "auto_poweron", "true")
        yield m
        assert m.verify() == {}


def wanted(xen, name, order=0, delay=0):
    vm = vms.new_vm(xen, name)
    xen.VM.add_to_other_config(vm, "auto_poweron", "true")
    xen.VM.set_order(vm, str(order))
    xen.VM.set_start_delay(vm, str(delay))
    return vm


def settled(xen):
    """Nothing is under way that the boot began."""
    end = time.monotonic() + LIMIT
    while xen.task.get_all_records() or any(v["current_operations"] for v in xen.VM.get_all_records().values()):
        assert time.monotonic() < end, xen.task.get_all_records()
        time.sleep(0.01)


def started(xen, machines):
    return [xen.VM.get_power_state(vm) == "Running" for vm in machines]


def moments(xen, machines):
    return [time.mktime(time.strptime(str(xen.VM_metrics.get_start_time(xen.VM.get_metrics(vm))), "%Y%m%dT%H:%M:%SZ"))
            for vm in machines]


@pytest.mark.parametrize("machine", ["sim", "qemu"], indirect=True)
def test_a_boot_starts_who_is_wanted(machine):
    xen = machine.client()
    ran, rested = wanted(xen, "ran"), wanted(xen, "rested")
    other, not_wanted = vms.new_vm(xen, "other"), vms.new_vm(xen, "said no")
    xen.VM.add_to_other_config(not_wanted, "auto_poweron", "false")
    for vm in (ran, other):
        xen.VM.start(vm, False, False)
    xen.VM.snapshot(ran, "not this one")
    xen = machine.boot()
    settled(xen)
    assert started(xen, [ran, rested, other, not_wanted]) == [True, True, False, False]
    assert len([v for v in xen.VM.get_all_records().values() if v["power_state"] == "Running"]) == 3  # and the control domain


def test_only_a_boot_does(machine):
    xen = machine.client()
    vm = wanted(xen, "switched off since")
    machine.die()
    xen = machine.start()
    settled(xen)
    assert xen.VM.get_power_state(vm) == "Halted"
    machine.stop(("hostd",), signal.SIGKILL)
    machine.start_hostd()
    machine.ready()
    xen.VM.start(vm, False, False)
    xen.VM.hard_shutdown(vm)
    settled(xen)
    assert xen.VM.get_power_state(vm) == "Halted"


def test_the_pool_must_want_it_too(machine):
    xen = machine.client()
    vm = wanted(xen, "wanted")
    xen.pool.remove_from_other_config(xen.pool.get_all()[0], "auto_poweron")
    xen = machine.boot()
    settled(xen)
    assert xen.VM.get_power_state(vm) == "Halted"


def test_in_order_with_delays(machine):
    xen = machine.client()
    machines = [wanted(xen, "second", order=1), wanted(xen, "first", order=0, delay=2), wanted(xen, "also first", order=0)]
    appliance = xen.VM_appliance.create({"name_label": "shop", "name_description": ""})
    for vm in machines[:2]:
        xen.VM.set_appliance(vm, appliance)
    xen = machine.boot()
    settled(xen)
    assert started(xen, machines) == [True] * 3
    second, first, also = moments(xen, machines)
    assert second - max(first, also) >= 2


def test_one_that_cannot_start_keeps_nobody_from_it(machine):
    xen = machine.client()
    machines = [wanted(xen, "broken", order=0), wanted(xen, "whole", order=1)]
    xen.VM.set_PV_kernel(machines[0], "no-such-kernel")
    xen.VM.set_HVM_boot_policy(machines[0], "")
    xen = machine.boot()
    settled(xen)
    assert started(xen, machines) == [False, True]
