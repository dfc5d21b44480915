# SPDX-License-Identifier: LGPL-2.1-or-later
"""One machine under emulation that boots the appliance's disk through its own GRUB, and ways to talk to it.

A rig is a folder: an overlay over the disk, a small disk with the answers of its first boot, a key for ssh, the text of
the serial line, and rig.json, by which later programs find a rig that runs. Everything it listens on is on 127.0.0.1.

The processor is qemu64 with nested paging: with `-cpu max` the control domain dies early, without npt there is no HVM. There
is one: with two, also in turns on one thread, one PVH guest in some five dies of a fault on entry to its kernel, with one none
of 15 did.
"""

import http.client
import json
import os
import re
import secrets
import select
import shutil
import signal
import socket
import ssl
import subprocess
import time
import xmlrpc.client

from hostrun.api import ApiError, Session

MACHINE = ["-machine", "q35", "-accel", "tcg", "-cpu", "qemu64,+svm,+npt", "-smp", "1", "-display", "none", "-vga", "none"]
DISK = "16G"  # of the machine; the image is smaller and grows
UEFI = ("/usr/share/ovmf/OVMF.fd", "/usr/share/OVMF/OVMF.fd")
API_LIMIT = 1500.0  # seconds from power on to answers of the API; some 100 on two idle processors
COMMAND_LIMIT = 120.0
STAGES = [  # what the serial line shows on the way
    (rb"Loading Xen|Xen version|\(XEN\) Xen version", "Xen starts"),
    (rb"Linux version|Loading, please wait|systemd\[1\]: systemd", "the control domain's kernel runs"),
    (rb"Reached target[^\n]*network\.target|Started[^\n]*ssh\.service|xenolith-first-boot: this is", "its services start"),
    (rb"login: ", "it asks for a login"),
]


class RigError(Exception):
    pass


class RemoteSession(Session):
    """A logged-in session over HTTPS, with a password, as a client elsewhere has it."""

    def __init__(self, port, password, timeout=120.0):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # the certificate is the host's own
        transport = xmlrpc.client.SafeTransport(context=context)
        make = transport.make_connection

        def with_limit(host):
            connection = make(host)
            connection.timeout = timeout
            return connection
        transport.make_connection = with_limit
        self._server = xmlrpc.client.ServerProxy(f"https://127.0.0.1:{port}/", transport, allow_none=True)
        self.ref = None
        self.ref = self.call("session.login_with_password", "root", password, "2.21", "xen rig")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run(argv, **options):
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise RigError(f"{argv[0]}: {done.stderr.strip() or done.returncode}")
    return done.stdout.strip()


def started(pid):
    """When a process was started, which tells it from a later one with its number; None if it has ended."""
    try:
        with open(f"/proc/{pid}/stat") as text:
            words = text.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if words[0] in "ZX" else words[19]


class Rig:
    def __init__(self, folder, say=lambda text: None):
        self.folder, self.say = os.path.abspath(folder), say
        self.facts = {}
        try:
            with open(self.path("rig.json")) as text:
                self.facts = json.load(text)
        except FileNotFoundError:
            pass

    def path(self, name):
        return os.path.join(self.folder, name)

    # ---- making and starting ----

    def make(self, disk, uefi=False, memory=4096, answers=()):
        """Lays a new machine out in the folder; what lay there is thrown away."""
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder, mode=0o700)
        password = secrets.token_urlsafe(12)
        run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", disk, "-F", "raw", self.path("disk.qcow2"), DISK])
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "xen-rig", "-f", self.path("key")])
        with open(self.path("key.pub")) as key:
            lines = ["HOSTNAME=rig", "PASSWORD_HASH=" + run(["openssl", "passwd", "-6", password]), "SSH_KEY=" + key.read().strip(), *answers]
        self._write_answers(lines)
        self.facts = {"password": password, "uefi": uefi, "memory": memory}
        self._save()

    def _write_answers(self, lines):
        config, image = self.path("xenolith.conf"), self.path("answers.img")
        with open(config, "w") as out:
            out.write("\n".join(lines) + "\n")
        with open(image, "wb") as out:
            out.truncate(1440 << 10)
        run(["mformat", "-i", image, "-v", "XENOLITH", "-f", "1440", "::"])
        run(["mcopy", "-i", image, config, "::"])
        os.unlink(config)

    def _save(self):
        with open(os.open(self.path("rig.json"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
            json.dump(self.facts, out, indent=1)

    def _firmware(self):
        if not self.facts["uefi"]:
            return []
        found = [path for path in UEFI if os.path.exists(path)]
        if not found:
            raise RigError("UEFI firmware is not here: package ovmf")
        return ["-bios", found[0]]

    def power_on(self, detached=False):
        """Starts the machine: for as long as the caller lives, or detached, to go on without it."""
        if self.running():
            raise RigError(f"the rig in {self.folder} runs already")
        ssh, tls = free_port(), free_port()
        argv = ["qemu-system-x86_64", *MACHINE, *self._firmware(), "-m", str(self.facts["memory"]),
                "-drive", f"file={self.path('disk.qcow2')},if=virtio,cache=unsafe,discard=unmap",
                "-drive", f"file={self.path('answers.img')},if=virtio,format=raw,readonly=on",
                "-nic", f"user,model=virtio-net-pci,hostfwd=tcp:127.0.0.1:{ssh}-:22,hostfwd=tcp:127.0.0.1:{tls}-:443",
                "-chardev", f"socket,id=serial,path={self.path('serial')},server=on,wait=off,logfile={self.path('serial.log')},logappend=on",
                "-serial", "chardev:serial", "-qmp", f"unix:{self.path('qmp')},server=on,wait=off", "-boot", "strict=on"]
        with open(self.path("qemu.log"), "ab") as log:
            child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=detached, cwd="/")
        self.child = child
        self.facts.update(pid=child.pid, started=started(child.pid), ssh=ssh, tls=tls)
        self._save()

    def running(self):
        return "pid" in self.facts and started(self.facts["pid"]) == self.facts["started"]

    def power_off(self):
        """Pulls the plug; the disk stays."""
        if not self.running():
            return
        handle = os.pidfd_open(self.facts["pid"])
        try:
            signal.pidfd_send_signal(handle, signal.SIGKILL)
            select.select([handle], [], [], 30)
            if getattr(self, "child", None):
                self.child.wait(30)
        finally:
            os.close(handle)

    # ---- talking to it ----

    def serial(self, since=0):
        """Bytes of the serial line so far, from an offset on."""
        try:
            with open(self.path("serial.log"), "rb") as log:
                log.seek(since)
                return log.read()
        except FileNotFoundError:
            return b""

    def session(self, timeout=120.0):
        return RemoteSession(self.facts["tls"], self.facts["password"], timeout)

    def ssh(self, *words):
        """The command line of ssh into the control domain; one connection serves many commands."""
        return ["ssh", "-q", "-i", self.path("key"), "-p", str(self.facts["ssh"]), "-o", "StrictHostKeyChecking=no",
                "-o", "UserKnownHostsFile=/dev/null", "-o", "ConnectTimeout=60", "-o", "ServerAliveInterval=20",
                "-o", f"ControlPath={self.path('ssh')}", "-o", "ControlMaster=auto", "-o", "ControlPersist=60", "root@127.0.0.1", *words]

    def shell(self, command, limit=COMMAND_LIMIT, check=True):
        """Runs a command line in the control domain as root; gives back what it printed."""
        done = subprocess.run(self.ssh(command), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=limit)
        if check and done.returncode != 0:
            raise RigError(f"{command}: status {done.returncode}: {done.stderr.strip()} {done.stdout.strip()}")
        return done.stdout

    def wait_api(self, limit=API_LIMIT, since=0):
        """Waits until the API answers a login; gives back a session. since: where this boot begins in the serial log."""
        end, stages = time.monotonic() + limit, list(STAGES)
        while True:
            if not self.running():
                raise RigError(f"the machine ended: {self._tail(since)}")
            text = self.serial(since)
            while stages and re.search(stages[0][0], text):
                self.say(stages.pop(0)[1])
            try:
                session = self.session(timeout=30.0)
                self.say("the XenAPI answers")
                return session
            except ApiError as error:
                why = str(error)
                if error.code == "SESSION_AUTHENTICATION_FAILED":
                    raise RigError("the API does not take the password of the first boot") from None
            except (OSError, http.client.HTTPException, xmlrpc.client.Error) as error:
                why = str(error)
            if time.monotonic() > end:
                raise RigError(f"the API did not answer within {limit:.0f} s ({why}): {self._tail(since)}")
            time.sleep(1.0)  # the network of the machine gives no notice

    def reboot(self, begin=None, limit=API_LIMIT):
        """Reboots the control domain, and with it Xen: begin() does, or it is told from inside. A session of the new boot."""
        end, since, ask = time.monotonic() + limit, len(self.serial()), "cat /proc/sys/kernel/random/boot_id"
        before = self.shell(ask)
        begin() if begin else self.shell("systemctl --no-block reboot")
        subprocess.run(["ssh", "-q", "-O", "exit", *self.ssh()[2:]], capture_output=True)
        while b"Xen version" not in self.serial(since):
            if time.monotonic() > end or not self.running():
                raise RigError(f"the machine does not reboot: {self._tail(since)}")
            time.sleep(1.0)  # nor does a machine that goes down
        session = self.wait_api(end - time.monotonic(), since)
        if self.shell(ask) == before:
            raise RigError("the machine is still in its old boot")
        return session

    def _tail(self, since, lines=25):
        text = re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", self.serial(since)).decode(errors="replace")
        with open(self.path("qemu.log"), errors="replace") as log:
            text += log.read()
        return "\n" + "\n".join(text.splitlines()[-lines:])
