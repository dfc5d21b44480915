# SPDX-License-Identifier: LGPL-2.1-or-later
"""The API over the unix socket: lists, small calls, changes, events."""

import json
import subprocess

from measure import Row, against_limit, in_turns, median_of
from peers import Libvirt, Nginx
from rig import ROOT, VMS, Missing, load, need


def warm_list(rig):
    libvirt = rig.peer(Libvirt)
    vms = len(rig.vms)
    pairs = []

    def one_round():
        a = rig.rpc_load("list", "VM.get_all_records", options=["-t", rig.seconds])
        b = libvirt.load("list", "-t", rig.seconds)
        return a["bytes"] / a["seconds"], vms * a["rate"], b["bytes"] / b["seconds"], b["objects"] / b["seconds"]
    in_bytes = Row("list of 1,000 VMs, warm, bytes", "B/s", "libvirt list + XML", ("at least", 20))
    in_objects = Row("list of 1,000 VMs, warm, objects", "/s", "libvirt list + XML", ("at least", 20))
    for i in range(rig.rounds):
        rig.progress(f"{in_bytes.name}: round {i + 1} of {rig.rounds}")
        pairs.append(one_round())
    for a_bytes, a_objects, b_bytes, b_objects in pairs:
        in_bytes.add(a_bytes, b_bytes)
        in_objects.add(a_objects, b_objects)
    return [in_bytes, in_objects]


def cold_list(rig):
    libvirt = rig.peer(Libvirt)

    def ours():
        for vm in rig.vms:
            rig.client.xen("event.inject", "vm", vm)  # a new version: its encoding is gone
        return rig.client.timed("VM.get_all_records")
    row = Row("list of 1,000 VMs, all just changed", "s", "libvirt GetAllDomainStats", ("at most", 1))
    return [in_turns(rig.rounds, row, ours, lambda: 1 / libvirt.load("stats", "-n", 5)["rate"], rig.progress)]


def small_calls(rig):
    nginx = rig.peer(Nginx)
    rows = []
    for n in (1, 8, 64):
        options = ["-t", rig.seconds, "-c", n]
        row = Row(f"small call, {n} connection{'s' if n > 1 else ''}", "/s", "nginx, 1 KiB file", ("at least", 0.5))
        rows.append(in_turns(rig.rounds, row,
                             lambda: rig.rpc_load("small", "VM.get_power_state", rig.vms[0], options=options)["rate"],
                             lambda: nginx.load(*options)["rate"], rig.progress))
    return rows


# What VM.create must be given.
DEFINED = ("name_label name_description user_version is_a_template affinity memory_static_max memory_dynamic_max"
           " memory_dynamic_min memory_static_min VCPUs_params VCPUs_max VCPUs_at_startup actions_after_shutdown"
           " actions_after_reboot actions_after_crash PV_bootloader PV_kernel PV_ramdisk PV_args PV_bootloader_args"
           " PV_legacy_args HVM_boot_policy HVM_boot_params platform PCI_bus other_config recommendations").split()


def definition(client, vm):
    """A record for VM.create that makes another such VM."""
    record = client.xen("VM.get_record", vm)
    return {name: record[name] for name in DEFINED}


def define(rig):
    libvirt = rig.peer(Libvirt)
    fields = definition(rig.client, rig.vms[0])
    # Definitions pile up on both sides, so the runs are counted, not timed.
    count = 400 if rig.quick else 2000
    made = set(rig.client.xen("VM.get_all"))
    row = Row("define a VM durably, 8 clients", "/s", "libvirt define", ("at least", 5))
    in_turns(rig.rounds, row,
             lambda: rig.rpc_load("define", "VM.create", fields, options=["-n", count, "-c", 8])["rate"],
             lambda: libvirt.load("define", "-n", count // 4, "-c", 8)["rate"], rig.progress)
    rig.progress(f"{row.name}: removing what was made")
    for vm in set(rig.client.xen("VM.get_all")) - made:
        rig.client.xen("VM.destroy", vm)
    return [row]


def vm_file(rig):
    path = rig.directory / "vms"
    path.write_text("\n".join(rig.vms) + "\n")
    return path


def polls(rig):
    """64 clients that ask again and again whether there is anything new, and there is not."""
    nginx = rig.peer(Nginx)
    assert rig.vms
    row = Row("event.from with nothing new, 64 connections", "/s", "nginx, 1 KiB file", ("at least", 0.25))
    options = ["-t", rig.seconds, "-c", 64]

    def ours():
        token = rig.client.xen("event.from", ["pool"], "", 0.0)["token"]
        return rig.rpc_load("poll", "event.from", ["vm"], token, 0.0, options=options)["rate"]
    return [in_turns(rig.rounds, row, ours, lambda: nginx.load(*options)["rate"], rig.progress)]


def connect(rig):
    """npm's xen-api, as Xen Orchestra uses it, from nothing to its cache of all objects."""
    node, nginx = need("node", "nodejs"), rig.peer(Nginx)
    if not (ROOT / "tests/clients/node_modules/xen-api").exists():
        raise Missing("the client is not there (tests/clients/install)")
    assert len(rig.vms) == VMS
    nginx.serve("everything", rig.client.send(rig.client.request("event.from", rig.client.session, ["*"], "", 0.0)))
    row = Row("connect of the client xen-api, 1,000 VMs", "s", "the same process reads and parses the bytes from nginx", None)
    rig.progress(row.name)
    words = {"url": f"http://127.0.0.1:{rig.daemons.http}", "user": "root", "password": rig.daemons.password,
             "socketPath": str(nginx.socket), "path": "/everything", "rounds": rig.rounds}
    done = subprocess.run([node, ROOT / "bench/xen_api_load.mjs", json.dumps(words)], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        raise RuntimeError(f"xen_api_load: {done.stderr.strip()[-500:]}")
    got = {k: float(v) for k, _, v in (pair.partition("=") for pair in done.stdout.split())}
    for i in range(rig.rounds):
        row.add(got[f"connect{i}"], got[f"read{i}"])
    row.note = f"{got['objects']:.0f} objects"
    return [row]


def flood(rig):
    """Few listen to one VM each, many to everything, while everything changes."""
    rate, seconds = 500, 2.0 if rig.quick else 5.0
    few = Row("event to 10 listeners of one VM each beside the 190 below, after the change's answer, p99", "s", "limit", ("at most", 1))
    many = Row("event to 190 listeners of everything, 500 changes a second, after the answer, the latest", "s", "limit", ("at most", 1))
    size = Row("bytes to each of the 190 in a second", "B/s", "the records that changed", ("at most", 1.25))
    record = len(rig.client.send(rig.client.request("VM.get_record", rig.client.session, rig.vms[0])))
    for i in range(rig.rounds):
        rig.progress(f"{few.name}: round {i + 1} of {rig.rounds}")
        got = load("event_load", "-l", 10, "-e", 190, "-r", rate, "-t", seconds, rig.daemons.socket, vm_file(rig))
        few.add(got["after_p99_us"] / 1e6, 0.005)
        many.add(got["every_after_max_us"] / 1e6, 0.1)
        size.add(got["every_bytes"], got["rate"] * record)
    return [few, many, size]


def events(rig):
    seconds = 1.0 if rig.quick else 3.0

    def run(*options):
        return load("event_load", *options, "-t", seconds, rig.daemons.socket, vm_file(rig))
    late = Row("event to 100 listeners of one VM each, after the change's answer, p99", "s", "limit", ("at most", 1))
    whole = Row("the same from sending the change, p99", "s", "the change's own call, p99", ("at most", 1.5))
    everything = Row("event to 200 listeners of all VMs, from sending, p99", "s", "limit", ("at most", 1))
    for i in range(rig.rounds):
        rig.progress(f"{late.name}: round {i + 1} of {rig.rounds}")
        got = run("-l", 100)
        late.add(got["after_p99_us"] / 1e6, 0.001)
        whole.add(got["p99_us"] / 1e6, got["call_p99_us"] / 1e6)
    against_limit(rig.rounds, everything, lambda: run("-e", 200)["every_p99_us"] / 1e6, 0.1, rig.progress)
    return [late, whole, everything]


def starts(rig):
    def one(vm):
        took = rig.client.timed("VM.start", vm, False, False)
        rig.client.xen("VM.hard_shutdown", vm)
        return took
    vms = iter(rig.vms * 3)
    row = Row("VM.start on simulated guests", "s", "limit", ("at most", 1))
    return [against_limit(rig.rounds, row, lambda: median_of(20, lambda: one(next(vms))), 0.002, rig.progress)]


ROWS = {"list": warm_list, "cold-list": cold_list, "small": small_calls, "polls": polls, "define": define, "events": events,
        "flood": flood, "connect": connect, "start": starts}
