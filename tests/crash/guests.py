# SPDX-License-Identifier: LGPL-2.1-or-later
"""Real guests that count aloud, and must go on counting whatever dies around them."""

import os
import re
import shutil
import socket
import time
from pathlib import Path

from bed import LIMIT, Wrong
from load import Storm
from vms import MIB, new_disk, new_vm

READY = "XENOLITH-TINY READY"
PATTERN_MIB = 2
BOOT = 180  # seconds, without KVM on a busy machine


def tiny():
    folder = os.environ.get("XENOLITH_TINY")
    if not folder:
        raise SystemExit("XENOLITH_TINY must name the folder of the tiny guest (tools/guest-image tiny makes it)")
    return Path(folder)


class Guest:
    """A tiny guest with a pattern on its disk and a counter on its serial line."""

    def __init__(self, bed, xen, name):
        self.bed, self.name, self.counter = bed, name, -1
        self.vm = new_vm(xen, name)
        xen.VM.set_memory_limits(self.vm, *(str(n * MIB) for n in (64, 128, 128, 128)))
        for field, value in (("kernel", "vmlinuz"), ("ramdisk", "initrd"),
                             ("args", f"{(tiny() / 'cmdline').read_text().strip()} xenolith.pattern={PATTERN_MIB}:{name}")):
            getattr(xen.VM, f"set_PV_{field}")(self.vm, value)
        self.disk, _ = new_disk(xen, self.vm, size=2 * PATTERN_MIB * MIB)
        xen.VM.start(self.vm, False, False)
        self.uuid, self.domid = xen.VM.get_uuid(self.vm), xen.VM.get_domid(self.vm)
        self.pid = self.process()

    def process(self):
        return int((self.bed.state / "run/vm" / self.uuid / "pid").read_text())

    def console(self, xen):
        for ref in xen.VM.get_consoles(self.vm):
            if xen.console.get_protocol(ref) == "vt100":
                s = socket.socket(socket.AF_UNIX)
                s.settimeout(LIMIT)
                s.connect(str(self.bed.socket))
                s.sendall(f"CONNECT /console?uuid={xen.console.get_uuid(ref)} HTTP/1.0\r\n\r\n".encode())
                return s
        raise Wrong(f"{self.name} has no serial line")

    def read(self, xen, pattern, limit=BOOT, say=""):
        """What the serial line says, from its beginning, until the pattern comes."""
        text, end = "", time.monotonic() + limit
        with self.console(xen) as s:
            s.settimeout(1)
            while not re.search(pattern, text):
                if time.monotonic() > end:
                    raise Wrong(f"{self.name} does not say {pattern!r}: {text[-300:]!r}")
                if say and "200" in text:
                    s.sendall(say.encode())
                    say = ""
                try:
                    got = s.recv(65536)
                except TimeoutError:
                    continue
                if not got:
                    raise Wrong(f"the serial line of {self.name} ended: {text[-300:]!r}")
                text += got.decode(errors="replace").replace("\0", "")
        return text

    def check(self, xen):
        """It is the same process, never began again, and counts on."""
        if (self.process(), xen.VM.get_domid(self.vm)) != (self.pid, self.domid):
            raise Wrong(f"{self.name} runs in another process or domain than before")
        text = self.read(xen, rf"counter (?!{self.counter}\D)\d+\r?\n", LIMIT)
        if text.count(READY) > 1:
            raise Wrong(f"{self.name} has booted again")
        numbers = [int(n) for n in re.findall(r"counter (\d+)\r?\n", text)]
        # Echoes of an earlier connection may come first; the last one is now.
        if numbers[-1] < self.counter or numbers != sorted(numbers):
            raise Wrong(f"{self.name} counted to {self.counter} before, and now says {numbers[-5:]}")
        self.counter = numbers[-1]

    def check_disk(self, xen):
        said = self.read(xen, r"pattern: (check of \d+ MiB|block \d+ differs)", BOOT,
                         say=f"pattern check /dev/vda {PATTERN_MIB} {self.name}\n")
        if "differs" in said:
            raise Wrong(f"the disk of {self.name} does not hold what the guest wrote")


class GuestStorm(Storm):
    """Guests that count, a client that works on another VM, and deaths."""

    def __init__(self, bed, seed, guests=2):
        xen = bed.start()
        for name in ("vmlinuz", "initrd"):
            shutil.copyfile(tiny() / name, bed.state / "boot" / name)  # links out of there are not followed
        super().__init__(bed, seed, clients=1, machines=1, slow=0.1)
        self.guests = [Guest(bed, xen, f"tiny{i}") for i in range(guests)]
        for guest in self.guests:
            guest.read(xen, r"counter 1\r?\n")
            guest.check(xen)
        self.snapshots = 0

    def death(self, longest=0.6):
        whom = super().death(longest)
        xen = self.bed.client()
        for guest in self.guests:
            guest.check(xen)
        # The chain of a running guest grows and shrinks too.
        guest = self.random.choice(self.guests)
        snapshot = xen.VDI.snapshot(guest.disk, {})
        if self.random.random() < 0.7:
            xen.VDI.destroy(snapshot)
        return whom

    def end(self):
        xen = self.bed.client()
        for guest in self.guests:
            guest.check_disk(xen)
            guest.check(xen)
