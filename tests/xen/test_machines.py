# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whole machines (HVM) on real Xen: firmware, a device model with serial line, display and optical drive. Slow: all is emulated."""

import pytest

from guests import BOOT_SECTOR, LIMIT, MIB, Guest, connect, until
from hostrun.api import NULL, read_head
from test_guests import traces


@pytest.fixture(scope="module")
def session(rig):
    session = rig.session(timeout=600.0)
    yield session
    session.close()


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


def display(rig, session, guest):
    """The first words of its display."""
    ref, = [c for c in session.VM.get_consoles(guest.vm) if session.console.get_protocol(c) == "rfb"]
    line = connect(rig, session, ref)
    line.settimeout(LIMIT)
    with line:
        rest, status, head = read_head(line)
        assert status == 200, head
        return rest or line.recv(12)


def test_a_machine_with_a_bios(rig, session, medium):
    before = traces(rig)
    guest = Guest(rig, session, "hvm", memory=64)
    try:
        guest.add_disk("0", MIB)
        guest.fill(guest.disks[0], BOOT_SECTOR)
        drive = guest.add_drive("3", NULL, "CD")
        console = guest.start()
        metrics = session.VM_metrics.get_record(session.VM.get_metrics(guest.vm))
        assert (metrics["current_domain_type"], metrics["hvm"]) == ("hvm", True)
        assert display(rig, session, guest).startswith(b"RFB 003.")
        console.wait("BOOTED")

        domid = session.VM.get_domid(guest.vm)
        session.VBD.insert(drive, medium)
        assert session.VBD.get_VDI(drive) == medium
        assert "xs.iso" in rig.shell(f"xl qemu-monitor-command {domid} 'info block'") or "nbd" in rig.shell(
            f"xl qemu-monitor-command {domid} 'info block'")
        session.VBD.eject(drive)
        assert session.VBD.get_empty(drive)
        mark = len(console.text)
        console.wait("BOOTED", mark)

        console.type("q")
        until("it is off", lambda: guest.state() == "Halted")
    finally:
        guest.remove()
    until("all is as before", lambda: traces(rig) == before, 60.0)
