# SPDX-License-Identifier: LGPL-2.1-or-later
"""The Debian guest boots from its own disk, takes its settings from a seed disk and shuts down on the power button."""

import os
import subprocess

import pytest
from qemu_guest import Guest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


@pytest.fixture(scope="module")
def disk():
    done = subprocess.run([os.path.join(ROOT, "tools", "guest-image"), "debian"], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip() + "/disk.raw"


def test_seed_disk_size_and_power_button_are_obeyed(disk, tmp_path):
    seed = tmp_path / "seed.iso"
    subprocess.run([os.path.join(ROOT, "tools", "seed-iso"), seed, "--name", "basalt", "--password", "deep rock"], check=True)
    own = tmp_path / "own.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", disk, "-F", "raw", own, "3G"], check=True)
    guest = Guest(tmp_path, ["-drive", f"file={own},format=qcow2,if=virtio",
                             "-drive", f"file={seed},format=raw,if=virtio,readonly=on",
                             "-nic", "user,model=virtio-net-pci", "-cpu", "max"], memory=768)
    try:
        guest.expect("cloud-init.*finished", 240)
        guest.type("\n")
        guest.expect("basalt login: ")
        guest.type("root\n")
        guest.expect("Password: ")
        guest.type("deep rock\n")
        guest.expect("root@basalt:~# ")
        guest.type("systemctl is-system-running --wait; systemctl list-units --failed --plain --no-legend\n")
        assert guest.expect(r"(running|degraded)\r\n").group(1) == "running"
        guest.type("df --output=size -BM / | tail -1\n")
        assert int(guest.expect(r"\s(\d+)M\r").group(1)) > 2500  # grown from 2 GiB to its disk
        assert guest.agent("guest-get-host-name")["return"]["host-name"] == "basalt"
        guest.command("system_powerdown")
        assert guest.wait_end(60) == 0
    finally:
        guest.close()
