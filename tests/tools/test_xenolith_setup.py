# SPDX-License-Identifier: LGPL-2.1-or-later
"""xenolith-setup on the tree of a machine: it says what it will change, changes that and nothing else, and takes it back."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "packaging/setup/xenolith-setup"
UNITS = ["xenolith-hostd.service", "xenolithd.service", "systemd-networkd.service", "xendomains.service"]
INTERFACES = """# the loopback
auto lo
iface lo inet loopback

allow-hotplug eth0 eth1
iface eth0 inet static
    address 192.0.2.7/24
    gateway 192.0.2.1
iface eth0 inet6 auto

iface eth1 inet dhcp
"""


def snapshot(root):
    """Everything below root but the record: kind, mode and content."""
    seen = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if name.startswith("var/lib/xenolith-setup"):
            continue
        if path.is_symlink():
            seen[name] = os.readlink(path)
        elif path.is_file():
            seen[name] = (path.stat().st_mode, path.read_bytes())
        else:
            seen[name] = "folder"
    return seen


@pytest.fixture
def machine(tmp_path):
    root = tmp_path / "machine"
    units = root / "usr/lib/systemd/system"
    units.mkdir(parents=True)
    for unit in UNITS:
        (units / unit).write_text(f"[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n# {unit}\n")
    for folder in ("etc/systemd/system", "etc/default/grub.d", "usr/sbin", "boot", "var/lib", "run", "lib/bridge-utils"):
        (root / folder).mkdir(parents=True)
    (root / "usr/sbin/update-grub").write_text("#!/bin/sh\n")
    (root / "boot/xen-4.17-amd64.gz").write_text("")
    (root / "lib/bridge-utils/ifupdown.sh").write_text("")
    (root / "etc/hostname").write_text("somewhere\n")
    done = subprocess.run(["systemctl", f"--root={root}", "--quiet", "enable", "xendomains.service"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return root


def set_up(root, *words):
    done = subprocess.run(["/usr/bin/python3", PROGRAM, "--root", root, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def test_a_look_changes_nothing(machine):
    before = snapshot(machine)
    for words in (["--dry-run"], []):
        status, said, _ = set_up(machine, "--network", "eth0", *words)
        assert status == 0 and "Nothing was done." in said
        assert "write /etc/default/grub.d/xenolith.cfg" in said and "disable xendomains.service" in said
    assert snapshot(machine) == before
    assert not (machine / "var/lib/xenolith-setup").exists()


def test_done_is_what_was_said_and_undone_is_as_before(machine):
    before = snapshot(machine)
    _, said, _ = set_up(machine, "--network", "eth0", "--dry-run")
    named = {line.split()[2].rstrip(":") for line in said.splitlines() if line.startswith("  - ") and line.split()[1] in ("write", "replace", "link")}
    status, _, why = set_up(machine, "--network", "eth0", "--yes")
    assert status == 0, why
    after = snapshot(machine)
    changed = {"/" + name for name in after if after[name] != before.get(name) and after[name] != "folder"}
    assert {name for name in changed if "/etc/systemd/system/" not in name} == named
    assert (machine / "etc/systemd/system/multi-user.target.wants/xenolithd.service").is_symlink()
    assert not (machine / "etc/systemd/system/multi-user.target.wants/xendomains.service").is_symlink()
    assert "Bridge=xenbr0" in (machine / "etc/systemd/network/10-xenolith-uplink.network").read_text()
    status, said, why = set_up(machine, "--undo", "--yes")
    assert status == 0, why
    left = snapshot(machine)
    assert {name: left[name] for name in left if left[name] != "folder"} == {n: before[n] for n in before if before[n] != "folder"}
    assert not (machine / "var/lib/xenolith-setup").exists()
    assert "nothing to undo" in set_up(machine, "--undo", "--yes")[1]


def test_a_second_run_has_nothing_to_do(machine):
    set_up(machine, "--network", "eth0", "--yes")
    before = snapshot(machine)
    status, said, _ = set_up(machine, "--network", "eth0", "--yes")
    assert status == 0 and "set up already" in said
    assert snapshot(machine) == before


def test_other_options_later_are_undone_to_the_first_state(machine):
    before = snapshot(machine)
    set_up(machine, "--network", "none", "--yes")
    set_up(machine, "--network", "eth0", "--dom0-memory", "2048M", "--yes")
    assert "dom0_mem=2048M" in (machine / "etc/default/grub.d/xenolith.cfg").read_text()
    assert set_up(machine, "--undo", "--yes")[0] == 0
    left = snapshot(machine)
    assert {name: left[name] for name in left if left[name] != "folder"} == {n: before[n] for n in before if before[n] != "folder"}


def test_a_file_changed_since_stays(machine):
    set_up(machine, "--network", "none", "--yes")
    config = machine / "etc/default/grub.d/xenolith.cfg"
    config.write_text("mine\n")
    status, said, _ = set_up(machine, "--undo", "--yes")
    assert status == 1 and "/etc/default/grub.d/xenolith.cfg was changed since" in said
    assert config.read_text() == "mine\n"
    assert not (machine / "etc/xensource/pool.conf").exists()


def test_ifupdown(machine):
    path = machine / "etc/network/interfaces"
    path.parent.mkdir()
    path.write_text(INTERFACES)
    assert set_up(machine, "--network", "eth0", "--yes")[0] == 0
    text = path.read_text()
    assert "iface eth0 inet manual" in text and "allow-hotplug eth1" in text and "iface eth1 inet dhcp" in text
    bridge = text[text.index("iface xenbr0 inet static"):]
    assert bridge.splitlines()[1:6] == ["    bridge_ports eth0", "    bridge_stp off", "    bridge_fd 0",
                                        "    address 192.0.2.7/24", "    gateway 192.0.2.1"]
    assert "iface xenbr0 inet6 auto" in text and text.count("bridge_ports") == 1
    assert set_up(machine, "--undo", "--yes")[0] == 0
    assert path.read_text() == INTERFACES


@pytest.mark.parametrize("change,why", [
    (lambda root: (root / "lib/bridge-utils/ifupdown.sh").unlink(), "bridge-utils"),
    (lambda root: (root / "etc/network/interfaces").write_text("auto eth0\niface eth0 inet manual\n    bond-slaves eth1\n"), "by hand"),
])
def test_networks_it_does_not_understand(machine, change, why):
    (machine / "etc/network").mkdir()
    (machine / "etc/network/interfaces").write_text(INTERFACES)
    change(machine)
    before = snapshot(machine)
    status, _, said = set_up(machine, "--network", "eth0", "--yes")
    assert status == 1 and why in said
    assert snapshot(machine) == before


@pytest.mark.parametrize("card", ["xenbr0", "../eth0", "eth0;reboot", "a" * 16])
def test_a_card_that_is_none(machine, card):
    status, _, said = set_up(machine, "--network", card, "--yes")
    assert status == 1 and "not a network card" in said


def test_without_xen_it_says_so(machine):
    (machine / "boot/xen-4.17-amd64.gz").unlink()
    status, said, _ = set_up(machine, "--network", "none", "--yes")
    assert status == 0 and "Xen is not installed" in said
    assert not (machine / "etc/default/grub.d/xenolith.cfg").exists()
