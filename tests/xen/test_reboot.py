# SPDX-License-Identifier: LGPL-2.1-or-later
"""The machine goes down and comes back: the same host, set up once."""


def facts(rig, session):
    host, = session.host.get_all()
    return {"host": session.host.get_uuid(host), "repositories": sorted(session.SR.get_all()),
            "keys": rig.shell("cat /etc/ssh/ssh_host_ed25519_key.pub"), "machine": rig.shell("cat /etc/machine-id"),
            "shadow": rig.shell("grep ^root: /etc/shadow"), "network": rig.shell("ls /etc/systemd/network")}


def test_reboot(rig, api):
    before = facts(rig, api)
    session = rig.reboot()
    assert facts(rig, session) == before
    session.close()
    assert "xenolith-first-boot: this is" not in rig.shell("journalctl -b --no-pager -o cat")
    assert rig.shell("systemctl --failed --plain --no-legend") == ""
    assert rig.shell("xl list").splitlines()[1].startswith("Domain-0")
