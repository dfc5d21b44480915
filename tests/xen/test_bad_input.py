# SPDX-License-Identifier: LGPL-2.1-or-later
"""What goes wrong on real Xen: the error names it, the rows say what is, and nothing is left on the host."""

import contextlib

import pytest

from conftest import ApiError
from guests import BOOT, READY, Guest, network, until

DISKS = "/var/lib/xenolith-hostd/sr"


@pytest.fixture(autouse=True)
def boot_files_are_there(boot_files, nothing_left):
    pass


@pytest.fixture
def new(rig, session):
    """Makes guests; they are removed when the test is over."""
    made = []

    def make(kind, **fields):
        made.append(Guest(rig, session, kind, **fields))
        return made[-1]
    yield make
    for guest in made:
        guest.remove()


def refused(guest):
    """The code of a start that fails."""
    with pytest.raises(ApiError) as told:
        guest.session.VM.start(guest.vm, False, False)
    assert guest.state() == "Halted" and guest.uuid not in guest.rig.shell("xl list -v")
    return told.value


@pytest.mark.parametrize("kind", ["pvh", "pv"])
def test_a_kernel_that_is_none(rig, new, kind):
    rig.shell(f"echo nothing >{BOOT}/nothing")
    assert "Invalid kernel" in str(refused(new(kind, PV_kernel="nothing", PV_ramdisk="")))


def test_a_kernel_that_is_missing(new):
    assert "no-such-kernel" in str(refused(new("pvh", PV_kernel="no-such-kernel")))


def test_more_memory_than_there_is(new):
    assert refused(new("pv", memory=64 * 1024)).code == "HOST_NOT_ENOUGH_FREE_MEMORY"


def test_less_memory_than_the_kernel_needs(new):
    assert "Out of memory" in str(refused(new("pvh", memory=16)))


def test_a_bridge_that_cannot_be(rig, session, new):
    """Something else has the name of the network's bridge."""
    taken = network(session, "taken")
    bridge = session.network.get_bridge(taken)
    guest = new("pvh")
    guest.add_card("0", taken)
    rig.shell(f"ip link add {bridge} type dummy")
    try:
        assert bridge in str(refused(guest))
    finally:
        rig.shell(f"ip link delete {bridge}")
        for card in session.VM.get_VIFs(guest.vm):
            session.VIF.destroy(card)
        session.network.destroy(taken)


def test_an_image_that_is_missing(rig, session, new):
    guest = new("pvh")
    vdi = session.VBD.get_VDI(guest.add_disk("0"))
    folder = f"{DISKS}/{session.SR.get_uuid(guest.place)}"
    image = rig.shell(f"readlink -f {folder}/{session.VDI.get_uuid(vdi)}.qcow2").strip()
    rig.shell(f"mv {image} {image}.away")
    try:
        assert refused(guest).code.startswith(("SR_BACKEND_FAILURE", "VDI_"))
    finally:
        rig.shell(f"mv {image}.away {image}")


@contextlib.contextmanager
def filled(rig, folder):
    """Nothing more fits onto the disk that folder lies on."""
    rig.shell(f"fallocate -l $((($(stat -f -c %f {folder}) - 512) * 4096)) {folder}/filler; cat /dev/zero >{folder}/rest 2>/dev/null || true")
    try:
        assert "full" in rig.shell(f"head -c 65536 /dev/zero 2>/dev/null >{folder}/more || echo full")
        yield
    finally:
        rig.shell(f"rm {folder}/filler {folder}/rest {folder}/more")


def test_a_place_that_is_full(rig, session, new):
    """What fits nowhere is refused by name; the guest goes on, and so does everything once there is room."""
    guest = new("pvh")
    drive = guest.add_disk("0")
    vdi = session.VBD.get_VDI(drive)
    console = guest.start()
    console.wait(READY)
    assert "done" in console.ask("pattern write /dev/xvda 2 before")
    with filled(rig, DISKS):
        for call in (lambda: session.VDI.snapshot(vdi, {}), lambda: guest.add_disk("1")):
            with pytest.raises(ApiError) as told:
                call()
            assert told.value.code in ("SR_FULL", "SR_BACKEND_FAILURE_44"), told.value
        assert guest.state() == "Running"
        assert "done" in console.ask("pattern check /dev/xvda 2 before")
    assert "done" in console.ask("pattern write /dev/xvda 3 after")
    session.VDI.destroy(session.VDI.snapshot(vdi, {}))
    assert "done" in console.ask("pattern check /dev/xvda 3 after")


def test_a_system_disk_that_is_full(rig, session, new):
    """The daemons' own state is on it, and Xen's. Each call is done or says why not; the guest goes on; and all is well once there
    is room."""
    guest, other = new("pvh"), new("pvh")
    vdi = session.VBD.get_VDI(guest.add_disk("0"))
    console = guest.start()
    console.wait(READY)
    with filled(rig, "/var/tmp"):
        assert "full" in until("a commit is refused", lambda: failure(lambda: describe(other))), "by name"
        for call in (lambda: session.VM.start(other.vm, False, False), lambda: guest.add_disk("1"), lambda: describe(guest),
                     lambda: session.VDI.snapshot(vdi, {}), lambda: session.VM.snapshot(guest.vm, "on a full disk")):
            said = failure(call)
            assert not said or any(word in said for word in ("full", "FULL", "No space")), said
        assert guest.state() == "Running"
        assert "done" in console.ask("pattern write /dev/xvda 2 meanwhile")
    until("changes are taken again", lambda: not failure(lambda: describe(other)))
    until("the other guest is what Xen says", lambda: (other.state() == "Running") == (other.uuid in rig.shell("xl list -v")))
    if other.state() == "Halted":
        session.VM.start(other.vm, False, False)
    other.watch().wait(READY)
    for name in ("xenolithd", "xenolith-hostd"):
        assert rig.shell(f"systemctl is-active {name}").strip() == "active"
    session.VDI.snapshot(vdi, {})
    assert "done" in console.ask("pattern check /dev/xvda 2 meanwhile")
    guest.remove_snapshots()
    for snapshot in session.VDI.get_snapshots(vdi):
        session.VDI.destroy(snapshot)
    rig.shell("xenolith-verify --state /var/lib/xenolith --hostd-state /var/lib/xenolith-hostd --quiet")  # its status tells


def failure(call):
    """What a call says when it fails; nothing when it is done."""
    try:
        call()
    except ApiError as error:
        return str(error)
    return ""


def describe(guest):
    """Gives a VM a long description, another one than it has."""
    last = guest.session.VM.get_name_description(guest.vm)
    guest.session.VM.set_name_description(guest.vm, ("y" if last.startswith("x") else "x") * 60000)


def test_a_guest_that_does_not_hear(rig, session, new):
    """Its processors stand still, and only Xen knows. VM.shutdown goes on to the plug."""
    guest = new("pvh")
    guest.start().wait(READY)
    rig.shell(f"xl pause {session.VM.get_domid(guest.vm)}")
    with pytest.raises(ApiError) as told:
        session.VM.clean_shutdown(guest.vm)
    assert told.value.code == "VM_FAILED_SHUTDOWN_ACKNOWLEDGMENT" and guest.vm in str(told.value)
    assert guest.state() == "Running"
    session.VM.shutdown(guest.vm)
    assert guest.state() == "Halted"
