# SPDX-License-Identifier: LGPL-2.1-or-later
"""The machine goes down and comes back, asked through the XenAPI: the same host, set up once, with the VMs that start with it."""

import pytest

from guests import READY, Guest, until


def facts(rig, session):
    host, = session.host.get_all()
    return {"host": session.host.get_uuid(host), "repositories": sorted(session.SR.get_all()),
            "keys": rig.shell("cat /etc/ssh/ssh_host_ed25519_key.pub"), "machine": rig.shell("cat /etc/machine-id"),
            "shadow": rig.shell("grep ^root: /etc/shadow"), "network": rig.shell("ls /etc/systemd/network")}


@pytest.fixture
def machines(rig, session, boot_files):
    """Three guests: two that start with the machine, one behind the other, and one that does not."""
    pool, = session.pool.get_all()
    session.pool.add_to_other_config(pool, "auto_poweron", "true")
    wanted = {"other_config": {"auto_poweron": "true"}}
    made = [Guest(rig, session, "pvh", order="2", **wanted), Guest(rig, session, "pv", order="1", start_delay="3", **wanted),
            Guest(rig, session, "pvh")]
    made[0].add_disk("0")
    yield made
    for guest in made:
        guest.remove()
    session.pool.remove_from_other_config(pool, "auto_poweron")


def ask_for_reboot(session):
    host, = session.host.get_all()
    session.host.disable(host)
    session.host.reboot(host)


def started(session, guest):
    return str(session.VM_metrics.get_start_time(session.VM.get_metrics(guest.vm)))


def test_reboot(rig, session, machines):
    before = facts(rig, session)
    second, first, other = machines
    session.VM.start(second.vm, False, False)
    new = rig.reboot(lambda: ask_for_reboot(session))
    session.ref = new.ref
    assert facts(rig, session) == before
    assert session.host.get_enabled(session.host.get_all()[0])
    assert "xenolith-first-boot: this is" not in rig.shell("journalctl -b --no-pager -o cat")
    assert rig.shell("systemctl --failed --plain --no-legend") == ""

    for guest in (first, second):
        until("it runs again", lambda guest=guest: guest.state() == "Running")
    assert other.state() == "Halted"
    assert started(session, first) < started(session, second)
    second.watch().wait(READY)
    listed = rig.shell("xl list").splitlines()
    assert listed[1].startswith("Domain-0") and len(listed) == 4
