# SPDX-License-Identifier: LGPL-2.1-or-later
"""A whole machine with a Linux that knows Xen: it takes its disk over from the emulated one. Its boot is the slowest of all, and so
the stories share one machine: each finds it running."""

import pytest

from guests import ARGUMENTS, MIB, READY, Guest, network, pattern, until, until_as
from hostrun.api import NULL
from xenrig.traces import traces

BOOT_LIMIT = 900.0  # seconds


@pytest.fixture(scope="module")
def machine(rig, session, boot_files):
    before = traces(rig)
    machine = Guest(rig, session, "hvm", memory=192, PV_kernel="tiny-vmlinuz", PV_ramdisk="tiny-initrd",
                    PV_args=ARGUMENTS.replace("hvc0", "ttyS0") + " xenolith.counter=off", HVM_boot_policy="", HVM_boot_params={},
                    platform={"vga": "none"})  # each letter on a display is a way to the device model; so is a card that could boot
    try:
        machine.add_disk("0", 4 * MIB)
        machine.start().wait(READY, limit=BOOT_LIMIT)
        yield machine
    finally:
        machine.remove()
    until_as(rig, before)


def test_its_disk_is_xens(rig, session, machine):
    """The emulated one has gone: the kernel had it unplugged."""
    metrics = session.VM_metrics.get_record(session.VM.get_metrics(machine.vm))
    assert (metrics["current_domain_type"], metrics["hvm"]) == ("hvm", True)
    seen = machine.console.ask("ls /sys/bus/xen/devices /sys/block")
    assert {"vbd-51712", "xvda"} <= set(seen.split()), seen
    assert "ide0-hd0" not in rig.shell(f"xl qemu-monitor-command {session.VM.get_domid(machine.vm)} 'info block'")


def test_what_it_writes_is_on_its_disk(session, machine):
    assert "done" in machine.console.ask("pattern write /dev/xvda 2 whole")
    snapshot = session.VDI.snapshot(machine.disks[0], {})
    assert machine.read(snapshot)[:2 * MIB] == pattern("whole", 2)
    session.VDI.destroy(snapshot)


def test_a_disk_comes_and_goes(session, machine):
    drive = machine.add_disk("1", 4 * MIB)
    session.VBD.plug(drive)
    machine.console.ask("while [ ! -b /dev/xvdb ]; do sleep 0.2; done")
    assert "done" in machine.console.ask("pattern write /dev/xvdb 1 new")
    session.VBD.unplug(drive)
    machine.console.ask("while [ -b /dev/xvdb ]; do sleep 0.2; done")
    session.VBD.destroy(drive)


def test_a_card_comes_and_goes(session, machine):
    inside = network(session)
    card = machine.add_card("0", inside)
    session.VIF.plug(card)
    machine.console.ask("while [ ! -e /sys/class/net/eth0 ]; do sleep 0.2; done")
    assert session.VIF.get_MAC(card) in machine.console.ask("cat /sys/class/net/eth0/address")
    session.VIF.unplug(card)
    machine.console.ask("while [ -e /sys/class/net/eth0 ]; do sleep 0.2; done")
    session.VIF.destroy(card)
    session.network.destroy(inside)


def test_memory_follows_its_target(session, machine):
    most, least = int(session.VM.get_memory_dynamic_max(machine.vm)), int(session.VM.get_memory_static_min(machine.vm))
    full = machine.memory()
    session.VM.set_memory_dynamic_range(machine.vm, str(least), str(least))
    until("the guest gives memory back", lambda: machine.memory() < full - (most - least) * 3 // 4)
    session.VM.set_memory_dynamic_range(machine.vm, str(least), str(most))
    until("the guest has it again", lambda: machine.memory() == full)


def test_what_its_agent_says_arrives(session, machine):
    for path, value in {"attr/PVAddons/MajorVersion": "9", "data/os_name": "Whole Linux", "data/updated": "1"}.items():
        machine.xs_write(path, value)

    def told():
        ref = session.VM.get_guest_metrics(machine.vm)
        return ref != NULL and session.VM_guest_metrics.get_os_version(ref).get("name") == "Whole Linux"
    until("the agent's words arrive", told)


def test_suspend_and_resume(session, machine):
    """Its device model is saved with it."""
    machine.console.ask("echo kept >/run/note")
    session.VM.suspend(machine.vm)
    assert machine.state() == "Suspended" and session.VM.get_suspend_VDI(machine.vm) != NULL
    session.VM.resume(machine.vm, False, False)
    machine.watch()
    assert "kept" in machine.console.ask("cat /run/note")
    assert "done" in machine.console.ask("pattern check /dev/xvda 2 whole")


def test_clean_shutdown(session, machine):
    """It hears what Xen asks of it, without a power button."""
    mark = len(machine.console.text)
    session.VM.clean_shutdown(machine.vm)
    assert machine.state() == "Halted"
    assert "POWER BUTTON" not in machine.console.text[mark:]
