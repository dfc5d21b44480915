# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guests on real Xen, through the XenAPI over the network. The stories of a file share one guest: each finds it running."""

import pytest

from conftest import ApiError
from figures import DAEMONS, memory
from guests import MIB, READY, Guest, keep_figure, network, pattern, remove_place, repository, until, until_as
from hostrun.api import NULL
from xenrig.traces import DISKS, traces


@pytest.fixture(scope="module", autouse=True)
def boot_files_are_there(boot_files):
    pass


@pytest.fixture(scope="module")
def untouched(rig):
    return traces(rig)


PVH = pytest.mark.parametrize("guest", ["pvh"], indirect=True, scope="module")
BOTH = pytest.mark.parametrize("guest", ["pvh", "pv"], indirect=True, scope="module")


@pytest.fixture(scope="module")
def places(session):
    """Repositories of each format; None is the default one."""
    made = [repository(session, image_format) for image_format in ("raw", "vhd")]
    yield [None, *made]
    for sr in made:
        remove_place(session, sr)


@pytest.fixture(scope="module")
def guest(request, rig, session, places, untouched):
    """A guest that counts, with one disk; what it needed is gone when it is gone."""
    guest = Guest(rig, session, request.param, VCPUs_max="2")
    guest.kind = request.param
    try:
        guest.add_disk("0")
        console = guest.start()
        console.wait(READY)
        console.wait(r"counter 1\r?\n")
        yield guest
    finally:
        guest.remove()
    until_as(rig, untouched)


def domid_in_xen(rig, guest):
    domain, = [line.split() for line in rig.shell("xl list -v").splitlines() if guest.uuid in line]
    return domain[1]


@BOTH
def test_it_is_a_domain_of_its_kind(rig, session, guest):
    metrics = session.VM_metrics.get_record(session.VM.get_metrics(guest.vm))
    assert (metrics["current_domain_type"], metrics["hvm"]) == (guest.kind, False)
    assert domid_in_xen(rig, guest) == session.VM.get_domid(guest.vm)
    assert f'"type": "{guest.kind}"' in rig.shell(f"xl list -l {session.VM.get_domid(guest.vm)}")
    before = guest.console.counter()
    guest.console.wait(rf"counter {before + 2}\r?\n")


@BOTH
def test_statistics_move(session, guest):
    names = {source["name_label"] for source in session.VM.get_data_sources(guest.vm)}
    assert {"cpu_seconds_total", "memory", "vbd_0_read_total", "vbd_0_write_total"} <= names
    most = int(session.VM.get_memory_dynamic_max(guest.vm))
    assert most <= session.VM.query_data_source(guest.vm, "memory") < most + MIB  # Xen's own pages for it count as well
    written, used = (session.VM.query_data_source(guest.vm, name) for name in ("vbd_0_write_total", "cpu_seconds_total"))
    guest.console.ask("dd if=/dev/zero of=/dev/xvda bs=1M count=8 conv=fsync")
    assert session.VM.query_data_source(guest.vm, "vbd_0_write_total") >= written + 8 * MIB
    assert session.VM.query_data_source(guest.vm, "cpu_seconds_total") > used


NAMES = {"5": "xvdf", "6": "xvdg", "7": "xvdh"}  # disks on a qcow2, a raw and a VHD image


def image_of(rig, session, vdi):
    """The link to its image that is kept for people."""
    uuid, sr = session.VDI.get_uuid(vdi), session.SR.get_uuid(session.VDI.get_SR(vdi))
    return rig.shell(f"ls /var/lib/xenolith-hostd/sr/{sr}/{uuid}.* | grep -v json").strip()


def assert_same(rig, session, vdi):
    """The image as other programs read it is what an export gives."""
    image = image_of(rig, session, vdi)
    kind = {"vhd": "vpc"}.get(image.rpartition(".")[2], image.rpartition(".")[2])
    rig.shell("rm -f /tmp/exported")
    rig.shell(f"xe vdi-export uuid={session.VDI.get_uuid(vdi)} filename=/tmp/exported format=raw")
    assert "identical" in rig.shell(f"qemu-img compare -U -f raw -F {kind} /tmp/exported {image}")
    rig.shell("rm /tmp/exported")


@BOTH
def test_a_snapshot_of_each_format_while_it_runs(rig, session, guest, places):
    """What an export of the snapshot gives is what the guest had written."""
    guest.drives = {number: guest.add_disk(number, 4 * MIB, place) for number, place in zip(NAMES, places)}
    disks = {number: session.VBD.get_VDI(drive) for number, drive in guest.drives.items()}
    assert [image_of(rig, session, vdi).rpartition(".")[2] for vdi in disks.values()] == ["qcow2", "raw", "vhd"]
    for number, name in NAMES.items():
        session.VBD.plug(guest.drives[number])
        guest.console.ask(f"while [ ! -b /dev/{name} ]; do sleep 0.2; done")
        assert "done" in guest.console.ask(f"pattern write /dev/{name} 2 before-{name}")
    taken = {number: session.VDI.snapshot(vdi, {}) for number, vdi in disks.items()}
    for number, name in NAMES.items():
        assert "done" in guest.console.ask(f"pattern write /dev/{name} 1 after-{name}")
        data = guest.read(taken[number])
        assert data[:2 * MIB] == pattern(f"before-{name}", 2) and not any(data[2 * MIB:]), name
        session.VDI.destroy(taken[number])  # and its image is merged some time later, under the guest


@PVH
def test_a_snapshot_while_it_writes_and_back(rig, session, guest):
    assert "done" in guest.console.ask("pattern write /dev/xvda 3 before")
    snapshot = session.VM.snapshot(guest.vm, "before")
    assert "done" in guest.console.ask("pattern write /dev/xvda 3 after")
    assert "done" in guest.console.ask("pattern check /dev/xvda 3 after")
    session.VM.hard_shutdown(guest.vm)
    session.VM.revert(snapshot)
    console = guest.start()
    console.wait(READY)
    assert "done" in console.ask("pattern check /dev/xvda 3 before")


@BOTH
def test_suspend_and_resume(rig, session, guest):
    assert "done" in guest.console.ask("pattern write /dev/xvda 1 kept")
    before, first = guest.console.counter(), session.VM.get_domid(guest.vm)
    session.VM.suspend(guest.vm)
    assert guest.state() == "Suspended" and guest.uuid not in rig.shell("xl list -v")
    session.VM.resume(guest.vm, False, False)
    assert session.VM.get_domid(guest.vm) != first and domid_in_xen(rig, guest) == session.VM.get_domid(guest.vm)
    console = guest.watch()
    console.wait(r"counter \d+\r?\n")
    assert READY not in console.text
    assert before <= console.counter() < before + 60, console.text
    assert "done" in console.ask("pattern check /dev/xvda 1 kept")


@PVH
def test_clean_reboot(rig, session, guest):
    before = session.VM.get_domid(guest.vm)
    session.VM.clean_reboot(guest.vm)
    assert guest.state() == "Running"
    assert session.VM.get_domid(guest.vm) == domid_in_xen(rig, guest) != before
    guest.watch().wait(READY)


@PVH
def test_a_disk_comes_and_goes(session, guest):
    drive = guest.add_disk("1")
    session.VBD.plug(drive)
    guest.console.ask("while [ ! -b /dev/xvdb ]; do sleep 0.2; done")
    assert "done" in guest.console.ask("pattern write /dev/xvdb 2 new") and "done" in guest.console.ask("pattern check /dev/xvdb 2 new")
    assert session.VBD.get_device(drive) == "xvdb"
    session.VBD.unplug(drive)
    assert not session.VBD.get_currently_attached(drive)
    guest.console.ask("while [ -b /dev/xvdb ]; do sleep 0.2; done")
    session.VBD.destroy(drive)


@BOTH
def test_scheduling_changes_at_once(rig, session, guest):
    host, = session.host.get_all()
    scheduler = rig.shell("xl info xen_scheduler").strip()
    assert session.host.get_sched_policy(host) == scheduler
    domid = session.VM.get_domid(guest.vm)
    for key, value in (("weight", "512"), ("cap", "50"), ("mask", "0")):
        session.VM.add_to_VCPUs_params_live(guest.vm, key, value)
    assert scheduled(rig, scheduler, domid) == ("512", "50", "all")
    for key, value in (("mask", "63"), ("weight", "0")):
        with pytest.raises(ApiError) as told:
            session.VM.add_to_VCPUs_params_live(guest.vm, key, value)
        assert told.value.code == "INVALID_VALUE"
    assert scheduled(rig, scheduler, domid) == ("512", "50", "all")
    session.VM.hard_reboot(guest.vm)
    guest.watch().wait(READY)
    assert scheduled(rig, scheduler, session.VM.get_domid(guest.vm)) == ("512", "50", "all")


def scheduled(rig, scheduler, domid):
    """Weight, cap and processors, as Xen tells: all, where there is but one."""
    words = rig.shell(f"xl sched-{scheduler} -d {domid}").splitlines()[-1].split()
    return words[-2], words[-1], rig.shell(f"xl vcpu-list {domid}").splitlines()[1].split("/")[0].split()[-1]


@PVH
def test_a_card_comes_with_traffic_and_goes(rig, session, guest):
    inside = network(session)
    card = guest.add_card("0", inside)
    session.VIF.plug(card)
    bridge = session.network.get_bridge(inside)
    rig.shell(f"ip address add 10.99.0.1/24 dev {bridge}")
    guest.console.ask("while [ ! -e /sys/class/net/eth0 ]; do sleep 0.2; done; ip link set eth0 up; ip address add 10.99.0.2/24 dev eth0")
    assert session.VIF.get_MAC(card) in guest.console.ask("cat /sys/class/net/eth0/address")
    until("the guest answers on its network", lambda: " 0% packet loss" in rig.shell("ping -c 1 -W 2 10.99.0.2", check=False))
    session.VIF.unplug(card)
    guest.console.ask("while [ -e /sys/class/net/eth0 ]; do sleep 0.2; done")
    session.VIF.destroy(card)
    session.network.destroy(inside)
    until("its bridge has gone", lambda: bridge not in rig.shell("ls /sys/class/net").split())


@PVH
def test_memory_follows_its_target(rig, session, guest):
    most, least = int(session.VM.get_memory_dynamic_max(guest.vm)), int(session.VM.get_memory_static_min(guest.vm))

    full = guest.memory()
    session.VM.set_memory_dynamic_range(guest.vm, str(least), str(least))
    until("the guest gives memory back", lambda: guest.memory() < full - (most - least) * 3 // 4)
    metrics = session.VM.get_metrics(guest.vm)
    until("it is told", lambda: int(session.VM_metrics.get_memory_actual(metrics)) <= least + 4 * MIB)
    session.VM.set_memory_dynamic_range(guest.vm, str(least), str(most))
    until("the guest has it again", lambda: guest.memory() == full)


@BOTH
def test_a_processor_comes_and_goes(rig, session, guest):
    """The guest is told of it, and has to take it."""
    session.VM.set_VCPUs_number_live(guest.vm, "2")
    guest.console.ask("while [ ! -e /sys/devices/system/cpu/cpu1/online ]; do sleep 0.2; done; echo 1 >/sys/devices/system/cpu/cpu1/online")
    assert "0-1" in guest.console.ask("cat /sys/devices/system/cpu/online").split()  # it counts on meanwhile
    assert session.VM_metrics.get_VCPUs_number(session.VM.get_metrics(guest.vm)) == "2"
    session.VM.set_VCPUs_number_live(guest.vm, "1")
    guest.console.ask("while [ $(cat /sys/devices/system/cpu/online) != 0 ]; do sleep 0.2; done")


def merged(session, sr):
    session.SR.scan(sr)
    return all(session.VDI.get_managed(vdi) for vdi in session.SR.get_VDIs(sr))


@BOTH
def test_images_were_merged_under_it(rig, session, guest, places):
    """The disk is what the guest wrote, as the guest, an export and another program read it."""
    for sr in (guest.place, *places[1:]):
        until("its images are merged", lambda sr=sr: merged(session, sr))
    for name in NAMES.values():
        assert "done" in guest.console.ask(f"pattern check /dev/{name} 1 after-{name}")
    drives = {session.VBD.get_userdevice(drive): drive for drive in session.VM.get_VBDs(guest.vm)}  # others since it was reverted
    for number, name in NAMES.items():
        vdi = session.VBD.get_VDI(drives[number])
        session.VBD.unplug(drives[number])
        assert guest.read(vdi) == pattern(f"after-{name}", 1) + pattern(f"before-{name}", 2)[MIB:] + bytes(2 * MIB), name
        assert_same(rig, session, vdi)
        session.VBD.destroy(drives[number])
        session.VDI.destroy(vdi)


@PVH
def test_daemons_stay_small(rig, guest):
    """Proportional set size, with one guest and its disks."""
    used = {name: size >> 10 for name, size in memory(rig, (*DAEMONS, "qemu-storage-daemon")).items()}
    keep_figure("memory, KiB", used)
    assert all(0 < size < 100 << 10 for size in used.values()), used


@PVH
def test_what_its_agent_says_arrives(session, guest):
    for path, value in {"attr/PVAddons/MajorVersion": "9", "attr/PVAddons/MinorVersion": "3", "data/os_name": "Tiny Linux",
                        "data/meminfo_free": "12345", "attr/vif/0/ipv4/0": "10.99.0.2", "data/updated": "1"}.items():
        guest.xs_write(path, value)

    def told():
        ref = session.VM.get_guest_metrics(guest.vm)
        record = {} if ref == NULL else session.VM_guest_metrics.get_record(ref)
        return record.get("os_version", {}).get("name") and record
    record = until("the agent's words arrive", told)
    assert record["os_version"]["name"] == "Tiny Linux" and record["networks"]["0/ip"] == "10.99.0.2"
    assert record["PV_drivers_version"]["major"] == "9" and record["PV_drivers_detected"]


@PVH
@pytest.mark.parametrize("program", ["xenolith-libxl", "xenolith-hostd", "xenolithd"])
def test_a_killed_daemon_loses_nothing(rig, session, guest, program):
    before, domid = guest.console.counter(), session.VM.get_domid(guest.vm)
    old = rig.shell(f"pidof {program}").split()
    rig.shell(f"kill -9 {old[-1] if program == 'xenolithd' else old[0]}")
    until("another one runs", lambda: set(rig.shell(f"pidof {program}", check=False).split()) - set(old))
    if program == "xenolithd":  # sessions are gone with it
        session.ref = until("the API answers", lambda: login(rig))
    until("it is connected", lambda: answers(session, guest))
    assert (guest.state(), session.VM.get_domid(guest.vm), domid_in_xen(rig, guest)) == ("Running", domid, domid)
    console = guest.watch()
    console.wait(rf"counter {before + 3}\r?\n")
    assert READY not in console.text[console.text.rfind(f"counter {before}"):]
    assert "done" in console.ask("pattern write /dev/xvda 1 on") and "done" in console.ask("pattern check /dev/xvda 1 on")
    session.VM.pause(guest.vm)
    session.VM.unpause(guest.vm)


def login(rig):
    try:
        return rig.session(timeout=60.0).ref
    except (OSError, ApiError):
        return None


def answers(session, guest):
    """The host does what it is asked for this guest."""
    try:
        session.VM.pause(guest.vm)
        session.VM.unpause(guest.vm)
        return True
    except (OSError, ApiError):
        return False


@BOTH
def test_who_destroys_it_with_xl_is_noticed(rig, session, guest):
    rig.shell(f"xl destroy {session.VM.get_domid(guest.vm)}")
    until("it is halted", lambda: guest.state() == "Halted", 30.0)
    console = guest.start()
    console.wait(READY)


@BOTH
def test_clean_shutdown(session, guest):
    session.VM.clean_shutdown(guest.vm)
    assert guest.state() == "Halted"
    guest.start().wait(READY)


@BOTH
def test_a_hard_shutdown_leaves_nothing(rig, session, guest, untouched):
    session.VM.hard_shutdown(guest.vm)
    assert guest.state() == "Halted"
    until_as(rig, untouched, without=(DISKS,))
