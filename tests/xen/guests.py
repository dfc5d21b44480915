# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guests on the appliance's Xen: the tiny guest as kernel and ramdisk, its disks and its console over the network."""

import http.client
import json
import os
import queue
import re
import socket
import ssl
import subprocess
import sys
import threading
import time

from hostrun.api import NULL, read_head
from xenrig.traces import difference, traces

BOOT = "/var/lib/xenolith-hostd/boot"
ARGUMENTS = "console=hvc0 quiet mitigations=off panic=10"
READY = "XENOLITH-TINY READY"
MIB = 1 << 20
LIMIT = 240.0  # seconds; everything here is emulated, and others may be at work


def put_boot_files(rig, tiny):
    """The guest's kernel and ramdisk into the host's boot directory."""
    for name in ("vmlinuz", "initrd"):
        with open(os.path.join(tiny, name), "rb") as source:
            subprocess.run(rig.ssh(f"cat >{BOOT}/tiny-{name}"), stdin=source, check=True, timeout=LIMIT)


def until_as(rig, before, without=(), limit=60.0):
    """Waits until the host is as it was; kinds of traces named in `without` may differ."""
    end = time.monotonic() + limit
    while left := difference(before, traces(rig), without):
        assert time.monotonic() < end, f"left after {limit:.0f} s:\n" + "\n".join(left)
        time.sleep(0.5)  # nobody tells


def until(what, look, limit=LIMIT):
    """Asks until the answer is true, and gives it back."""
    end = time.monotonic() + limit
    while not (seen := look()):
        assert time.monotonic() < end, f"{what}: not within {limit:.0f} s"
        time.sleep(0.5)  # for what gives no notice
    return seen


class Console(threading.Thread):
    """Everything a guest writes to its serial line, by CONNECT /console over HTTPS."""

    def __init__(self, rig, session, vm):
        super().__init__(daemon=True)
        ref, = [c for c in session.VM.get_consoles(vm) if session.console.get_protocol(c) == "vt100"]
        self.socket = connect(rig, session, ref)
        rest, status, head = read_head(self.socket)
        assert status == 200, head
        self.text, self.closed, self.outgoing = rest.decode(errors="replace"), "", queue.SimpleQueue()
        self.socket.settimeout(0.1)
        self.start()

    def run(self):
        """One thread reads and writes: a TLS connection is not for two."""
        try:
            while not self.closed:
                while not self.outgoing.empty():
                    self.socket.sendall(self.outgoing.get())
                try:
                    got = self.socket.recv(65536)
                except TimeoutError:
                    continue
                self.text += got.decode(errors="replace")
                if not got:  # what close() said may stand there already
                    self.closed = self.closed or "by the host"
        except OSError as error:
            self.closed = str(error)

    def wait(self, pattern, start=0, limit=LIMIT):
        end = time.monotonic() + limit
        while not (found := re.search(pattern, self.text[start:])):
            assert time.monotonic() < end and not self.closed, f"no {pattern!r} on the console (closed: {self.closed}):\n{self.text[-2000:]}"
            time.sleep(0.1)
        return found

    def type(self, text):
        self.outgoing.put(text.encode())

    def ask(self, command):
        """Runs a command in the guest; gives back what it printed."""
        mark = len(self.text)
        self.type(f"{command}; echo '<''end'$?'>'\n")
        found = self.wait(r"(?s)\n(.*?)<end(\d+)>", mark)
        return found[1].replace("\r", "")

    def counter(self):
        return int(self.wait(r"(?s).*counter (\d+)\r?\n")[1])

    def close(self):
        self.closed = self.closed or "by us"
        self.join()
        self.socket.close()


def connect(rig, session, console):
    """A connection that has asked for a console; the answer is still to be read."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    plain = socket.create_connection(("127.0.0.1", rig.facts["tls"]), timeout=60)
    line = context.wrap_socket(plain)
    line.settimeout(None)
    line.sendall(f"CONNECT /console?ref={console}&session_id={session.ref} HTTP/1.0\r\n\r\n".encode())
    return line


class Guest:
    """A VM of the tiny guest, removed with its disks by remove()."""

    def __init__(self, rig, session, kind, memory=160, **fields):
        self.rig, self.session, self.console, self.disks = rig, session, None, []
        most, least = str(memory * MIB), str(memory * 3 // 4 * MIB)  # a kernel with less dies of it
        direct = {"PV_kernel": "tiny-vmlinuz", "PV_ramdisk": "tiny-initrd", "PV_args": ARGUMENTS, "HVM_boot_policy": "",
                  "HVM_boot_params": {}}
        firmware = {"PV_kernel": "", "PV_ramdisk": "", "PV_args": "", "HVM_boot_policy": "BIOS order",
                    "HVM_boot_params": {"order": "cd", "firmware": "bios"}}
        self.vm = session.VM.create({
            "name_label": f"tiny-{kind}", "name_description": "", "user_version": "1", "is_a_template": False, "affinity": NULL,
            "memory_static_max": most, "memory_dynamic_max": most, "memory_dynamic_min": least, "memory_static_min": least,
            "VCPUs_params": {}, "VCPUs_max": "1", "VCPUs_at_startup": "1", "actions_after_shutdown": "destroy",
            "actions_after_reboot": "restart", "actions_after_crash": "destroy", "PV_bootloader": "", "PV_bootloader_args": "",
            "PV_legacy_args": "", "platform": {}, "PCI_bus": "", "other_config": {}, "recommendations": "", "domain_type": kind,
            **(firmware if kind == "hvm" else direct), **fields})
        self.uuid = session.VM.get_uuid(self.vm)
        self.place = session.pool.get_default_SR(session.pool.get_all()[0])
        session.VM.set_suspend_SR(self.vm, self.place)

    def add_disk(self, device, size=16 * MIB, place=None):
        """A new disk, not plugged in; its VBD."""
        vdi = self.session.VDI.create({"name_label": f"disk {device}", "name_description": "", "SR": place or self.place,
                                       "virtual_size": str(size), "type": "user", "sharable": False, "read_only": False,
                                       "other_config": {}})
        self.disks.append(vdi)
        return self.add_drive(device, vdi)

    def add_drive(self, device, vdi, kind="Disk"):
        return self.session.VBD.create({
            "VM": self.vm, "VDI": vdi, "userdevice": device, "bootable": device == "0", "mode": "RO" if kind == "CD" else "RW",
            "type": kind, "unpluggable": True, "empty": vdi == NULL, "other_config": {}, "qos_algorithm_type": "",
            "qos_algorithm_params": {}})

    def add_card(self, device, network):
        return self.session.VIF.create({"device": device, "network": network, "VM": self.vm, "MAC": "", "MTU": "1500",
                                        "other_config": {}, "qos_algorithm_type": "", "qos_algorithm_params": {}})

    def start(self):
        self.session.VM.start(self.vm, False, False)
        return self.watch()

    def watch(self):
        """Its console, opened anew."""
        if self.console:
            self.console.close()
        self.console = Console(self.rig, self.session, self.vm)
        return self.console

    def state(self):
        return self.session.VM.get_power_state(self.vm)

    def memory(self):
        """Bytes that its kernel has, as it says itself."""
        return int(re.search(r"MemTotal:\s+(\d+)", self.console.ask("cat /proc/meminfo"))[1]) << 10

    def xs_write(self, path, value):
        """It writes into xenstore, as an agent does: a message by hand (Xen, public/io/xs_wire.h)."""
        body = len(path) + 1 + len(value)
        assert body < 256
        head = r"\013\0\0\0" + r"\0" * 8 + f"\\{body:03o}" + r"\0\0\0"  # XS_WRITE, no request, no transaction, size
        self.console.ask(f"printf '{head}{path}\\000{value}' >/dev/xen/xenbus")

    def remove(self):
        if self.console:
            self.console.close()
        if self.state() != "Halted":
            self.session.VM.hard_shutdown(self.vm)
        self.remove_snapshots()
        self.disks += [vdi for vdi in map(self.session.VBD.get_VDI, self.session.VM.get_VBDs(self.vm)) if vdi != NULL]
        self.session.VM.destroy(self.vm)
        for vdi in set(self.disks) & set(self.session.VDI.get_all()):
            if self.session.VDI.get_type(vdi) == "user":
                self.session.VDI.destroy(vdi)

    def remove_snapshots(self):
        for snapshot in self.session.VM.get_snapshots(self.vm):
            disks = [self.session.VBD.get_VDI(vbd) for vbd in self.session.VM.get_VBDs(snapshot)]
            self.session.VM.destroy(snapshot)
            for vdi in disks:
                if vdi != NULL and self.session.VDI.get_type(vdi) == "user":
                    self.session.VDI.destroy(vdi)

    def fill(self, vdi, data):
        """Puts the bytes at a disk's begin."""
        task = self.session.task.create("its first bytes", "")
        line = https(self.rig)
        line.request("PUT", f"/import_raw_vdi?session_id={self.session.ref}&task_id={task}&vdi={vdi}&format=raw", data)
        answer = line.getresponse()
        assert answer.status == 200, answer.read()
        line.close()
        self.session.wait_task(task)

    def read(self, vdi):
        """All bytes of a disk, as an export gives them."""
        line = https(self.rig)
        line.request("GET", f"/export_raw_vdi?session_id={self.session.ref}&vdi={vdi}&format=raw")
        answer = line.getresponse()
        data = answer.read()
        assert answer.status == 200, data
        line.close()
        return data


def https(rig):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return http.client.HTTPSConnection("127.0.0.1", rig.facts["tls"], timeout=120, context=context)


def pattern(seed, mib):
    """What `pattern write DEVICE MIB SEED` in the tiny guest puts on a disk."""
    return b"".join((f"{seed} {n}".ljust(63).replace(" ", ".") + "\n").encode() * (MIB // 64) for n in range(mib))


def boot_sector(folder):
    """The bytes of boot_sector.S."""
    base = os.path.join(str(folder), "boot_sector")
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "boot_sector.S")
    subprocess.run(["as", "--32", source, "-o", base + ".o"], check=True)
    subprocess.run(["ld", "-m", "elf_i386", "-Ttext", "0x7c00", "--oformat", "binary", base + ".o", "-o", base], check=True)
    with open(base, "rb") as binary:
        return binary.read()


SECTOR_PATTERN_AT = 8 * 512


def sector_pattern(disk):
    """What it writes on its disks, numbered from 0, from byte SECTOR_PATTERN_AT on."""
    return b"".join(bytes([0x80 + disk, sector]) * 256 for sector in (8, 9))


def network(session, name="inside"):
    """A network without a way out."""
    return session.network.create({"name_label": name, "name_description": "", "MTU": "1500", "other_config": {}, "tags": []})


def repository(session, image_format):
    """A repository whose new disks have that format."""
    host, = session.host.get_all()
    return session.SR.create(host, {"preferred-image-formats": image_format}, "0", f"disks as {image_format}", "", "file", "user",
                             False, {})


def remove_place(session, sr):
    """A repository with what is left in it."""
    for vdi in session.SR.get_VDIs(sr):
        session.VDI.destroy(vdi)
    for pbd in session.SR.get_PBDs(sr):
        session.PBD.unplug(pbd)
    session.SR.destroy(sr)


def keep_figure(name, value):
    """Prints it, and adds it to xen-figures.json where XENOLITH_KEEP names a folder."""
    print(f"\nfigure: {name}: {value}", file=sys.__stderr__, flush=True)
    if "XENOLITH_KEEP" in os.environ:
        with open(os.path.join(os.environ["XENOLITH_KEEP"], "xen-figures.json"), "a") as out:
            json.dump({name: value}, out)
            out.write("\n")
