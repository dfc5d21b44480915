# SPDX-License-Identifier: LGPL-2.1-or-later
"""The tiny guest does what other tests rely on."""

import os
import shutil
import subprocess

import pytest
from qemu_guest import Guest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


@pytest.fixture(scope="module")
def image():
    done = subprocess.run([os.path.join(ROOT, "tools", "guest-image"), "tiny"], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def start(tmp_path):
    guests = []

    def make(*arguments):
        guests.append(Guest(tmp_path, list(arguments)))
        return guests[-1]

    yield make
    for guest in guests:
        guest.close()


def boot_disk(image):
    return ["-drive", f"file={image}/disk.raw,format=raw,if=virtio,snapshot=on"]


def test_a_second_call_makes_nothing_anew(image):
    before = os.stat(image).st_mtime_ns
    done = subprocess.run([os.path.join(ROOT, "tools", "guest-image"), "tiny"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == image
    assert done.stderr == ""
    assert os.stat(image).st_mtime_ns == before


def test_disk_boots_counts_and_obeys_the_power_button(image, start):
    guest = start(*boot_disk(image))
    guest.expect("XENOLITH-TINY READY")
    first = int(guest.expect(r"counter (\d+)\r").group(1))
    assert int(guest.expect(r"counter (\d+)\r").group(1)) == first + 1
    guest.command("system_powerdown")
    guest.expect("XENOLITH-TINY POWER BUTTON")
    guest.expect("XENOLITH-TINY DOWN")
    assert guest.wait_end() == 0


def test_disk_boots_by_uefi(image, start, tmp_path):
    shutil.copy("/usr/share/OVMF/OVMF_VARS_4M.fd", tmp_path / "vars.fd")
    guest = start(*boot_disk(image), "-drive", "if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd",
                  "-drive", f"if=pflash,format=raw,file={tmp_path}/vars.fd")
    guest.expect("XENOLITH-TINY READY", 120)
    guest.expect("tiny# ")
    guest.type("ls -d /sys/firmware/efi\n")
    guest.expect("/sys/firmware/efi\r\n")
    guest.type("poweroff\n")
    assert guest.wait_end() == 0


def test_control_alt_delete_starts_it_again(image, start):
    guest = start(*boot_disk(image))
    guest.expect("XENOLITH-TINY READY")
    guest.expect("counter 1")
    guest.command("send-key", keys=[{"type": "qcode", "data": key} for key in ("ctrl", "alt", "delete")])
    guest.expect("XENOLITH-TINY DOWN")
    guest.expect("XENOLITH-TINY READY")


def test_agent_answers_and_shuts_down(image, start):
    guest = start(*boot_disk(image), "-nic", "user,model=virtio-net-pci,mac=52:54:00:00:00:07")
    assert guest.expect(r"XENOLITH-TINY ADDRESS eth0 (\S+)\r").group(1) == "10.0.2.15"
    assert guest.agent("guest-sync", id=4711) == {"return": 4711}
    assert guest.agent("guest-get-host-name") == {"return": {"host-name": "tiny"}}
    cards = {card["name"]: card for card in guest.agent("guest-network-get-interfaces")["return"]}
    assert cards["eth0"]["hardware-address"] == "52:54:00:00:00:07"
    assert "10.0.2.15" in [address["ip-address"] for address in cards["eth0"]["ip-addresses"]]
    assert guest.agent("guest-no-such")["error"]["class"] == "CommandNotFound"
    assert guest.agent("guest-info")["return"]["version"]
    with guest._connect("agent") as connection:  # it answers nothing; what it has not read goes with the connection
        connection.sendall(b'{"execute":"guest-shutdown"}\n')
        guest.expect("XENOLITH-TINY DOWN")
    assert guest.wait_end() == 0


def test_pattern_is_written_where_a_host_finds_it(image, start, tmp_path):
    data = tmp_path / "data.raw"
    with open(data, "wb") as disk:
        disk.truncate(8 << 20)
    with open(f"{image}/cmdline") as text:
        command_line = text.read().strip()
    guest = start("-kernel", f"{image}/vmlinuz", "-initrd", f"{image}/initrd",
                  "-append", command_line + " xenolith.counter=off xenolith.pattern=3:stone",
                  "-drive", f"file={data},format=raw,if=virtio")
    guest.expect("pattern: write of 3 MiB on /dev/vda done")
    guest.expect("tiny# ")
    guest.type("pattern check /dev/vda 3 stone\n")
    guest.expect("pattern: check of 3 MiB on /dev/vda done")
    guest.type("pattern check /dev/vda 3 flint\n")
    guest.expect("pattern: block 0 differs")
    guest.type("poweroff\n")
    assert guest.wait_end() == 0
    with open(data, "rb") as disk:
        for number in range(3):
            line = f"stone.{number}".ljust(63, ".").encode() + b"\n"
            assert disk.read(1 << 20) == line * (1 << 14)
        assert disk.read() == bytes(5 << 20)
