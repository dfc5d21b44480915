# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whole machines (HVM) on real Xen: firmware, a device model with disks, serial line, display and optical drive, a power button.
Slow, for all is emulated: the stories share one machine, and each finds it running."""

import pytest

from guests import LIMIT, MIB, SECTOR_PATTERN_AT, Guest, boot_sector, connect, network, remove_place, repository, sector_pattern, until, until_as
from hostrun.api import NULL, read_head
from xenrig.traces import traces

BOOTED = "BOOTED"


@pytest.fixture(scope="module")
def machine(rig, session, tmp_path_factory):
    """A machine with a disk of each format, and an empty optical drive; what it needed is gone when it is gone."""
    before = traces(rig)
    places = [None, repository(session, "raw"), repository(session, "vhd")]
    machine = Guest(rig, session, "hvm", memory=64, shutdown_delay="4")
    try:
        for number, place in enumerate(places):
            machine.add_disk(str(number), 2 * MIB, place)
        machine.fill(machine.disks[0], boot_sector(tmp_path_factory.mktemp("boot")))
        machine.drive = machine.add_drive("3", NULL, "CD")
        machine.start().wait(BOOTED)
        yield machine
    finally:
        machine.remove()
        for place in places[1:]:
            remove_place(session, place)
    until_as(rig, before)


@pytest.fixture
def medium(rig, session):
    """A disc in the host's ISO library."""
    library, = [sr for sr in session.SR.get_all() if session.SR.get_type(sr) == "iso"]
    place = f"/var/lib/xenolith-hostd/sr/{session.SR.get_uuid(library)}"
    rig.shell(f"head -c 1048576 /dev/zero | tr '\\0' x >{place}/xs.iso")
    session.SR.scan(library)
    vdi, = [vdi for vdi in session.SR.get_VDIs(library) if session.VDI.get_location(vdi) == "xs.iso"]
    yield vdi
    rig.shell(f"rm {place}/xs.iso")
    session.SR.scan(library)


def test_its_card_is_on_the_network(rig, session, nothing_left):
    """Both are: the one that drivers for Xen would take, and the emulated one. Its firmware need not get anywhere for that."""
    machine, inside = Guest(rig, session, "hvm", memory=64), network(session)
    machine.add_card("0", inside)
    try:
        session.VM.start(machine.vm, False, False)
        domid = session.VM.get_domid(machine.vm)
        ports = rig.shell(f"ls /sys/class/net/{session.network.get_bridge(inside)}/brif").split()
        assert sorted(ports) == [f"vif{domid}.0", f"vif{domid}.0-emu"]
    finally:
        machine.remove()
        session.network.destroy(inside)


def test_it_has_a_display_and_firmware(rig, session, machine):
    metrics = session.VM_metrics.get_record(session.VM.get_metrics(machine.vm))
    assert (metrics["current_domain_type"], metrics["hvm"]) == ("hvm", True)
    ref, = [c for c in session.VM.get_consoles(machine.vm) if session.console.get_protocol(c) == "rfb"]
    line = connect(rig, session, ref)
    line.settimeout(LIMIT)
    with line:
        rest, status, head = read_head(line)
        assert status == 200, head
        assert (rest or line.recv(12)).startswith(b"RFB 003.")


def test_what_it_wrote_is_in_a_snapshot(session, machine):
    """On a qcow2, a raw and a VHD image, taken while it runs."""
    snapshot = session.VM.snapshot(machine.vm, "while it runs")
    disks = {session.VBD.get_userdevice(vbd): session.VBD.get_VDI(vbd) for vbd in session.VM.get_VBDs(snapshot)
             if session.VBD.get_type(vbd) == "Disk"}
    for number in range(3):
        data = machine.read(disks[str(number)])
        assert len(data) == 2 * MIB
        wanted = sector_pattern(number)
        assert data[SECTOR_PATTERN_AT:].rstrip(b"\0") == wanted, f"disk {number}"
    mark = len(machine.console.text)
    machine.console.wait(BOOTED, mark)
    machine.remove_snapshots()


def test_a_medium_comes_and_goes(rig, session, machine, medium):
    domid = session.VM.get_domid(machine.vm)
    session.VBD.insert(machine.drive, medium)
    assert session.VBD.get_VDI(machine.drive) == medium
    seen = rig.shell(f"xl qemu-monitor-command {domid} 'info block'")
    assert "xs.iso" in seen or "nbd" in seen
    session.VBD.eject(machine.drive)
    assert session.VBD.get_empty(machine.drive)
    mark = len(machine.console.text)
    machine.console.wait(BOOTED, mark)


def test_a_reboot_presses_its_power_button(session, machine):
    """It has no drivers for Xen: it goes off, and is started again."""
    domid = session.VM.get_domid(machine.vm)
    session.VM.clean_reboot(machine.vm)
    assert machine.state() == "Running" and session.VM.get_domid(machine.vm) != domid
    machine.watch().wait(BOOTED)


def test_one_that_ignores_its_button_is_switched_off(session, machine):
    machine.console.type("i")
    session.VM.shutdown(machine.vm)
    assert "BUTTON" in machine.console.text
    assert machine.state() == "Halted"


def test_one_whose_device_model_dies_has_crashed(rig, session, machine):
    machine.start()
    before = session.VM.get_domid(machine.vm)
    rig.shell(f"kill -9 $(xenstore-read /local/domain/{before}/image/device-model-pid)")
    until("it is halted", lambda: machine.state() == "Halted", 30.0)
    assert "VM_CRASHED" in {m["name"] for m in session.message.get_all_records().values() if m["obj_uuid"] == machine.uuid}
    assert before not in rig.shell("xl list | awk '{ print $2 }'").split()


def test_it_powers_itself_off(session, machine):
    machine.start().wait(BOOTED)
    machine.console.type("q")
    until("it is off", lambda: machine.state() == "Halted")
