# SPDX-License-Identifier: LGPL-2.1-or-later
"""Real guests on the qemu driver. The tiny guest's files are in XENOLITH_TINY (tools/guest-image tiny)."""

import importlib.util
import os
import re
import shutil
import socket
import threading
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_spec = importlib.util.spec_from_file_location("api_conftest", ROOT / "tests" / "api" / "conftest.py")
api = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(api)


class Console(threading.Thread):
    """Everything a guest writes to its serial line, read through CONNECT /console."""

    def __init__(self, daemons, uuid):
        super().__init__(daemon=True)
        self.text, self.closed = "", False
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(daemons.socket))
        self.socket.sendall(f"CONNECT /console?uuid={uuid} HTTP/1.0\r\n\r\n".encode())
        head = b""
        while b"\r\n\r\n" not in head:
            got = self.socket.recv(4096)
            assert got, head
            head += got
        head, _, rest = head.partition(b"\r\n\r\n")
        assert b" 200 " in head.splitlines()[0], head
        self.text = rest.decode(errors="replace")
        self.start()

    def run(self):
        try:
            while got := self.socket.recv(65536):
                self.text += got.decode(errors="replace")
        except OSError:
            pass
        self.closed = True

    def wait(self, pattern, timeout=120, start=0):
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            found = re.search(pattern, self.text[start:])
            if found:
                return found
            time.sleep(0.05)
        raise AssertionError(f"no {pattern!r} on the console:\n{self.text[-2000:]}")

    def type(self, text):
        self.socket.sendall(text.encode())

    def counter(self):
        """The last whole number the guest has counted to."""
        return int(re.findall(r"counter (\d+)\r?\n", self.text)[-1])

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()


@pytest.fixture(scope="session")
def tiny():
    folder = os.environ.get("XENOLITH_TINY")
    assert folder, "XENOLITH_TINY must name the folder of the tiny guest (tools/guest-image tiny makes it)"
    return Path(folder)


@pytest.fixture(scope="module")
def daemons():
    with api.a_pair(hv="qemu") as d:
        d.start()
        yield d
        xen = d.client()
        for vm, record in xen.VM.get_all_records().items():
            if record["power_state"] not in ("Halted", "Suspended") and not record["is_control_domain"]:
                xen.VM.hard_shutdown(vm)
        assert d.verify() == {}
        d.stop()
        assert d.verify() == {}


def import_raw(daemons, xen, vdi, path):
    """PUT /import_raw_vdi of a file; waits for the task."""
    task = xen.task.create("import", "")
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        s = socket.socket(socket.AF_UNIX)
        s.connect(str(daemons.socket))
        s.sendall(f"PUT /import_raw_vdi?vdi={vdi}&session_id={xen.session}&task_id={task}&format=raw HTTP/1.1\r\n"
                  f"Host: x\r\nContent-Length: {size}\r\n\r\n".encode())
        head = s.recv(4096)
        assert b" 200 " in head.splitlines()[0], head
        s.sendfile(file)
        s.close()
    xen.wait(task)


def export_raw(daemons, xen, vdi, path):
    """GET /export_raw_vdi into a file."""
    s = socket.socket(socket.AF_UNIX)
    s.connect(str(daemons.socket))
    s.sendall(f"GET /export_raw_vdi?vdi={vdi}&session_id={xen.session}&format=raw HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    reader = s.makefile("rb")
    assert b" 200 " in reader.readline()
    while reader.readline().strip():
        pass
    with open(path, "wb") as out:
        shutil.copyfileobj(reader, out, 1 << 20)


@pytest.fixture(scope="module")
def xen(daemons):
    return daemons.client()


@pytest.fixture
def guest(daemons, xen, tiny):
    """A halted VM whose disk is the tiny guest's; (vm, vdi)."""
    template = xen.VM.get_by_name_label("Other install media")[0]
    vm = xen.VM.clone(template, "tiny")
    xen.VM.set_is_a_template(vm, False)
    xen.VM.set_memory_limits(vm, str(64 << 20), str(128 << 20), str(128 << 20), str(128 << 20))
    sr = xen.pool.get_default_SR(xen.pool.get_all()[0])
    image = tiny / "disk.raw"
    vdi = xen.VDI.create({"name_label": "tiny", "name_description": "", "SR": sr, "virtual_size": str(image.stat().st_size),
                          "type": "user", "sharable": False, "read_only": False, "other_config": {}})
    import_raw(daemons, xen, vdi, image)
    xen.VBD.create({"VM": vm, "VDI": vdi, "userdevice": "0", "bootable": True, "mode": "RW", "type": "Disk",
                    "unpluggable": True, "empty": False, "other_config": {}, "qos_algorithm_type": "",
                    "qos_algorithm_params": {}})
    xen.VM.set_suspend_SR(vm, sr)
    yield vm, vdi
    if xen.VM.get_power_state(vm) != "Halted":
        xen.VM.hard_shutdown(vm)
    for vbd in xen.VM.get_VBDs(vm):
        xen.VBD.destroy(vbd)
    xen.VM.destroy(vm)
    xen.VDI.destroy(vdi)


def console_of(daemons, xen, vm):
    for c in xen.VM.get_consoles(vm):
        if xen.console.get_protocol(c) == "vt100":
            return Console(daemons, xen.console.get_uuid(c))
    raise AssertionError("no serial console")
