# SPDX-License-Identifier: LGPL-2.1-or-later
"""The first guest of a new host: a disk filled through the API, a VM around it, its console up to the login."""

import os
import re
import select
import subprocess
import sys
import time

from .api import NULL, ApiError
from .daemons import ROOT, RunError

NAME = "debian"
MEMORY = str(1 << 30)  # bytes
CONTROL_SEQUENCE = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|[()].|[78=>c])")
LOGIN_LIMIT = 300  # seconds: emulation on a busy machine is slow


def find(session):
    """The guest of an earlier run, None if there is none."""
    for ref in session.VM.get_by_name_label(NAME):
        if not session.VM.get_is_a_template(ref) and not session.VM.get_is_a_snapshot(ref):
            return ref
    return None


def image():
    """Path of the Debian disk; made now if the cache has none."""
    done = subprocess.run([os.path.join(ROOT, "tools", "guest-image"), "debian"], stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise RunError("the guest's disk could not be made")
    return os.path.join(done.stdout.strip(), "disk.raw")


def storage(session, settings):
    """The default storage of the pool; a directory below the state when there is none yet."""
    pool = session.pool.get_all()[0]
    place = session.pool.get_default_SR(pool)
    if place != NULL and place in session.SR.get_all():
        return place
    host = session.host.get_all()[0]
    place = session.SR.create(host, {"location": os.path.join(settings.state, "sr", "local")}, "0", "Local storage",
                              "Disks of this host", "dir", "user", False, {})
    session.pool.set_default_SR(pool, place)
    return place


def vm_record():
    return {
        "name_label": NAME, "name_description": "Debian 12, made by make run", "user_version": "1", "is_a_template": False,
        "affinity": NULL, "memory_static_max": MEMORY, "memory_dynamic_max": MEMORY, "memory_dynamic_min": MEMORY,
        "memory_static_min": MEMORY, "VCPUs_params": {}, "VCPUs_max": "2", "VCPUs_at_startup": "2",
        "actions_after_shutdown": "destroy", "actions_after_reboot": "restart", "actions_after_crash": "restart",
        "PV_bootloader": "", "PV_kernel": "", "PV_ramdisk": "", "PV_args": "", "PV_bootloader_args": "", "PV_legacy_args": "",
        "HVM_boot_policy": "BIOS order", "HVM_boot_params": {"order": "c", "firmware": "bios"},
        "platform": {"acpi": "1", "apic": "true", "pae": "true"}, "PCI_bus": "", "other_config": {}, "recommendations": "",
    }


def create(session, settings, say):
    """Makes disk and VM. Everything made is taken back if a step fails, so that the next run begins afresh."""
    path = image()
    undo = []
    try:
        vdi = session.VDI.create({
            "name_label": NAME + " disk", "name_description": "", "SR": storage(session, settings),
            "virtual_size": str(os.path.getsize(path)), "type": "system", "sharable": False, "read_only": False,
            "other_config": {}, "xenstore_data": {}, "sm_config": {}, "tags": []})
        undo.append(lambda: session.VDI.destroy(vdi))
        say("filling its disk through /import_raw_vdi")
        session.import_raw(vdi, path, lambda sent, size: None)
        say("creating the VM")
        vm = session.VM.create(vm_record())
        undo.append(lambda: session.VM.destroy(vm))
        session.VBD.create({
            "VM": vm, "VDI": vdi, "userdevice": "0", "bootable": True, "mode": "RW", "type": "Disk", "unpluggable": False,
            "empty": False, "other_config": {}, "qos_algorithm_type": "", "qos_algorithm_params": {}})
        networks = session.network.get_all()
        if networks:
            session.VIF.create({
                "device": "0", "network": networks[0], "VM": vm, "MAC": "", "MTU": "1500", "other_config": {},
                "qos_algorithm_type": "", "qos_algorithm_params": {}})
        return vm
    except BaseException:
        for step in reversed(undo):
            try:
                step()
            except (ApiError, OSError):
                pass
        raise


def text_console(session, vm):
    for console in session.VM.get_consoles(vm):
        if session.console.get_protocol(console) == "vt100":
            return console
    raise RunError("the guest has no text console")


def show_until_login(session, vm, out=sys.stdout):
    """Copies the guest's console to out until it asks for a login."""
    connection, seen = session.open_console(text_console(session, vm))
    end = time.monotonic() + LOGIN_LIMIT
    with connection:
        out.write(printable(seen))
        while b"login:" not in seen:
            left = end - time.monotonic()
            if left <= 0 or not select.select([connection], [], [], left)[0]:
                raise RunError(f"the guest showed no login within {LOGIN_LIMIT} s")
            data = connection.recv(65536)
            if not data:
                raise RunError("the guest's console was closed")
            seen = (seen + data)[-4096:]
            out.write(printable(data))
            out.flush()
    out.write("\n")


def printable(data):
    """Console bytes for the terminal of somebody else: no control sequences but line ends."""
    text = CONTROL_SEQUENCE.sub("", data.decode(errors="replace"))
    return "".join(char for char in text if char == "\n" or char.isprintable())
