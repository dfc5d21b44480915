# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest under a QEMU of its own, without the daemons: for tests of the images themselves."""

import json
import os
import re
import select
import socket
import subprocess
import time


class Guest:
    """Runs QEMU with the arguments given; serial console, QMP and agent channel lie on sockets in folder."""

    def __init__(self, folder, arguments, memory=256):
        self.folder = str(folder)
        argv = ["qemu-system-x86_64", "-machine", "q35", "-accel", "tcg,thread=multi", "-m", str(memory), "-smp", "1",
                "-display", "none", "-nodefaults",
                "-chardev", f"socket,id=serial,path={self.folder}/serial,server=on,wait=off", "-serial", "chardev:serial",
                "-chardev", f"socket,id=qmp,path={self.folder}/qmp,server=on,wait=off", "-mon", "chardev=qmp,mode=control",
                "-chardev", f"socket,id=agent,path={self.folder}/agent,server=on,wait=off", "-device", "virtio-serial-pci",
                "-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0", "-S", *arguments]
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL)
        self.serial = self._connect("serial")
        self.text = ""
        self.qmp = self._connect("qmp").makefile("rwb", buffering=0)
        self.qmp.readline()  # greeting
        self.command("qmp_capabilities")
        self.command("cont")

    def _connect(self, name):
        path, end = os.path.join(self.folder, name), time.monotonic() + 20
        while True:  # QEMU tells nobody when its sockets are there
            try:
                connection = socket.socket(socket.AF_UNIX)
                connection.connect(path)
                return connection
            except OSError:
                connection.close()
                if time.monotonic() > end or self.process.poll() is not None:
                    raise
                time.sleep(0.02)

    def command(self, name, **arguments):
        self.qmp.write(json.dumps({"execute": name, "arguments": arguments}).encode() + b"\n")
        while True:
            reply = json.loads(self.qmp.readline())
            if "event" not in reply:
                return reply["return"]

    def expect(self, pattern, limit=60):
        """Waits until the console shows the pattern after what was expected before; gives back the match."""
        end = time.monotonic() + limit
        while True:
            match = re.search(pattern, self.text)
            if match:
                self.text = self.text[match.end():]
                return match
            left = end - time.monotonic()
            ready = select.select([self.serial], [], [], max(left, 0))[0]
            data = self.serial.recv(65536) if ready else b""
            assert data, f"console never showed {pattern!r}; last: {self.text[-400:]!r}"
            self.text += data.decode(errors="replace")

    def type(self, text):
        self.serial.sendall(text.encode())

    def agent(self, command, limit=20, **arguments):
        """Asks the guest agent; gives back its reply as a dictionary."""
        connection = self._connect("agent")
        with connection:
            connection.settimeout(limit)
            reader = connection.makefile("rb")
            request = {"execute": command, "arguments": arguments} if arguments else {"execute": command}
            connection.sendall(json.dumps(request).encode() + b"\n")
            return json.loads(reader.readline())

    def wait_end(self, limit=30):
        return self.process.wait(timeout=limit)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
