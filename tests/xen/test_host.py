# SPDX-License-Identifier: LGPL-2.1-or-later
"""The appliance as it comes up: Xen below, both daemons hardened, the management bridge, the disks' own partition."""

import re

import pytest


def properties(rig, unit, *names):
    text = rig.shell(f"systemctl show {unit} " + " ".join(f"-p {name}" for name in names))
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def test_xen_is_below(rig):
    info = dict(re.split(r"\s*:\s*", line, maxsplit=1) for line in rig.shell("xl info").splitlines() if ":" in line)
    assert info["xen_major"] == "4"
    assert "hvm" in info["virt_caps"].split() and "pv" in info["virt_caps"].split()
    assert int(info["free_memory"]) > 1024
    listed = rig.shell("xl list").splitlines()
    assert [line.split()[0] for line in listed] == ["Name", "Domain-0"]
    assert 900 <= int(listed[1].split()[2]) <= 1100  # what dom0_mem says for this machine


def test_guests_run_on_it(rig, api):
    """Told to choose by itself, hostd takes Xen in a control domain, and tells what Xen told it."""
    host, = api.host.get_all()
    record = api.host.get_record(host)
    said = api.host.get_software_version(host)
    assert (said["hypervisor"], said["accelerator"]) == ("libxl", "xen")
    assert rig.shell("xl info xen_version").strip() == said["xen"]
    assert sorted(record["capabilities"]) == sorted(rig.shell("xl info xen_caps").split())
    assert abs(int(api.host_metrics.get_memory_total(record["metrics"])) - (int(rig.shell("xl info total_memory")) << 20)) <= 2 << 20
    assert "Xen version 4." in api.host.dmesg(host) or "dom0" in api.host.dmesg(host).lower()
    worker = rig.shell("ps -o ppid= -C xenolith-libxl").strip()
    assert worker == rig.shell("pidof xenolith-hostd").strip()
    assert rig.shell("xe vm-list is-control-domain=true params=uuid --minimal").strip() == api.VM.get_uuid(record["control_domain"])


def test_no_unit_failed(rig):
    assert rig.shell("systemctl --failed --plain --no-legend") == ""


@pytest.mark.parametrize("unit,user", [("xenolithd", "xenolith"), ("xenolith-hostd", "")])
def test_daemons_run_hardened(rig, unit, user):
    seen = properties(rig, unit, "ActiveState", "User", "NoNewPrivileges", "ProtectSystem", "CapabilityBoundingSet", "MainPID")
    assert (seen["ActiveState"], seen["User"]) == ("active", user)
    assert (seen["NoNewPrivileges"], seen["ProtectSystem"]) == ("yes", "strict")
    status = dict(line.split(":\t", 1) for line in rig.shell(f"cat /proc/{seen['MainPID']}/status").splitlines() if ":\t" in line)
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
    if unit == "xenolithd":
        assert int(status["CapBnd"], 16) == 0 and int(status["CapEff"], 16) == 0


def test_management_bridge(rig):
    assert rig.shell("cat /sys/class/net/xenbr0/address") == rig.shell("cat /sys/class/net/eth0/address")
    assert rig.shell("basename $(readlink /sys/class/net/eth0/master)").strip() == "xenbr0"
    assert re.search(r"inet \d", rig.shell("ip -4 address show xenbr0"))


def test_guests_disks_have_their_partition(rig):
    lines = rig.shell("findmnt -n -b -o SOURCE,FSTYPE,SIZE /var/lib/xenolith-hostd/sr").split()
    assert lines[1] == "ext4" and int(lines[2]) > 8 << 30
    assert rig.shell("findmnt -n -o SOURCE /").split() != lines[:1]


def test_the_host_as_the_api_tells(rig, api):
    host, = api.host.get_all()
    record = api.host.get_record(host)
    assert record["hostname"] == "rig" and record["enabled"]
    inventory = dict(line.split("=", 1) for line in rig.shell("cat /etc/xensource-inventory").splitlines())
    assert inventory["INSTALLATION_UUID"].strip("'") == record["uuid"]
    assert inventory["CONTROL_DOMAIN_UUID"].strip("'") == api.VM.get_uuid(record["control_domain"])
    assert record["address"] == rig.shell("ip -4 -o address show xenbr0").split()[3].split("/")[0]


def test_names_that_scripts_know(rig, api):
    assert rig.shell("cat /etc/xensource/pool.conf") == "master"
    host = api.host.get_uuid(api.host.get_all()[0])
    assert rig.shell("/opt/xensource/bin/xe host-list --minimal").strip() == host
    rig.shell("xapi-wait-init-complete 60")
    assert "BEGIN" in rig.shell("cat /etc/xensource/xapi-ssl.pem")


def test_the_setup_is_repeatable(rig):
    assert "set up already" in rig.shell("xenolith-setup --dry-run")


def test_daemons_restart(rig, api):
    host = api.host.get_all()
    before = {unit: properties(rig, unit, "MainPID")["MainPID"] for unit in ("xenolithd", "xenolith-hostd")}
    assert "restarted" in rig.shell("xe-toolstack-restart")
    rig.shell("xapi-wait-init-complete 60")
    after = {unit: properties(rig, unit, "MainPID")["MainPID"] for unit in before}
    assert all(after[unit] not in ("0", before[unit]) for unit in before)
    session = rig.session()
    assert session.host.get_all() == host
    session.close()
