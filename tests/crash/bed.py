# SPDX-License-Identifier: LGPL-2.1-or-later
"""A pair of daemons that is killed and started again, and what must hold afterwards.

The daemons are stopped at named points (src/base/test_point.h): a rule tells where, the program says that it came
by, and waits until its gate is opened or it is killed.
"""

import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from http.client import HTTPException
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "api"))

from conftest import BUILD, NULL, PROGRAMS, Client, Daemons, UnixConnection, XenError  # noqa: E402, F401

GONE = (OSError, HTTPException)  # the daemon went away; no word on what it did
LIMIT = 30  # seconds for anything that should happen soon


class Wrong(Exception):
    """Something that must hold does not."""


class NoAnswer(Exception):
    """The connection broke before the answer came: the call was carried out or it was not."""


class FastClient(Client):
    """JSON-RPC over one connection: the same calls as Client, several times quicker to parse."""

    def __init__(self, path):
        super().__init__(None)
        self.path = path
        self.connection = UnixConnection(path)
        self.ids = itertools.count(1)

    def raw(self, name, *args):
        body = json.dumps({"jsonrpc": "2.0", "id": next(self.ids), "method": name, "params": args})
        try:
            self.connection.request("POST", "/jsonrpc", body, {"Content-Type": "application/json"})
            reply = json.loads(self.connection.getresponse().read())
        except (*GONE, ValueError) as gone:
            self.connection.close()
            raise NoAnswer(name) from gone
        if "error" in reply and reply["error"]:
            error = reply["error"]
            raise XenError([error["message"], *(error.get("data") or [])])
        return reply["result"]


class Points:
    """The directory by which one program is stopped."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True)
        os.mkfifo(self.folder / "gate")

    def arm(self, *rules):
        """Rules are ("stop" | "fail", name, n); what passed before is forgotten."""
        (self.folder / "passed").unlink(missing_ok=True)
        new = self.folder / "rules.new"
        # The comment makes each set another text, so that passes are counted anew.
        new.write_text("".join(f"{verb} {name} {n}\n" for verb, name, n in rules) + f"# {time.monotonic_ns()}\n")
        new.rename(self.folder / "rules")

    def disarm(self, stopped=False):
        """No rules any more; and whoever is stopped, if somebody is, goes on."""
        (self.folder / "rules").unlink(missing_ok=True)
        if stopped:
            self.open_gate(True)

    def passed(self):
        try:
            return (self.folder / "passed").read_text().splitlines()
        except FileNotFoundError:
            return []

    def open_gate(self, stopped=False):
        """Lets who is stopped go on. Whoever is known to be may still be on its way to the gate."""
        end = time.monotonic() + (LIMIT if stopped else 0)
        while True:
            try:
                os.close(os.open(self.folder / "gate", os.O_WRONLY | os.O_NONBLOCK))
                return
            except OSError:
                if time.monotonic() >= end:
                    return
                time.sleep(0.001)


class Bed(Daemons):
    """Daemons of which each can be stopped at a point."""

    def __init__(self, hv="sim", keep=None, fault=None):
        super().__init__(tempfile.mkdtemp(prefix="xenolith-crash-"), hv)
        self.keep = keep
        self.fault = fault or {}  # environment for the fault library, by program
        self.points = {"xenolithd": Points(self.state / "points/xenolithd"),
                       "xenolith-hostd": Points(self.state / "points/xenolith-hostd")}

    def _spawn(self, program, *args):
        env = {**os.environ, "XENOLITH_POINTS": str(self.points[program].folder), **self.fault.get(program, {})}
        with open(self.logs / f"{program}.log", "ab") as log:
            return subprocess.Popen([PROGRAMS[program], "--state", self.state, *args], stdin=subprocess.DEVNULL,
                                    stdout=log, stderr=log, start_new_session=True, env=env)

    def start_xapi(self):
        self.xapi = self._spawn("xenolithd", "--http", "off", "--tls", "off", "--login-delay", "0")

    def client(self):
        return FastClient(self.socket).login()

    def ready(self, timeout=LIMIT):
        end = time.monotonic() + timeout
        while True:
            for name, process in (("xenolith-hostd", self.hostd), ("xenolithd", self.xapi)):
                if process.poll() is not None:
                    raise Wrong(f"{name} ended with {process.returncode} instead of starting: {self.last_words(name)}")
            try:
                self.host_call("host_facts")
                return self.client()
            except (NoAnswer, OSError):
                if time.monotonic() > end:
                    raise Wrong("a daemon does not answer") from None
                time.sleep(0.002)

    def last_words(self, name):
        """The end of what a daemon wrote to its log."""
        return (self.logs / f"{name}.log").read_text(errors="replace")[-500:].strip()

    def kill(self, *which):
        for name in which:
            process = getattr(self, name)
            process.send_signal(signal.SIGKILL)
        for name in which:
            getattr(self, name).wait()

    def start_again(self, *which):
        """As their supervisor would: each that is not there, hostd first."""
        for name in ("hostd", "xapi"):
            if name in which:
                getattr(self, f"start_{name}")()

    def disarm(self):
        for points in self.points.values():
            points.disarm()
            points.open_gate()

    # ---- what must hold ----

    def settle(self, xen, timeout=LIMIT):
        """Waits until no task is under way and nothing is marked by one."""
        end = time.monotonic() + timeout
        while True:
            under_way = [f"task {r['name_label']}" for r in xen.task.get_all_records().values()
                         if r["status"] in ("pending", "cancelling")]
            # A plan may begin by itself between the two looks, when a guest has stopped.
            under_way += [f"{cls} {ref}: {record['current_operations']}" for cls in ("VM", "VDI", "SR", "VBD", "VIF")
                          for ref, record in getattr(xen, cls).get_all_records().items() if record["current_operations"]]
            if not under_way:
                return
            if time.monotonic() > end:
                raise Wrong(f"stuck: {under_way}")
            time.sleep(0.005)

    def check(self, xen, verify=True):
        """Store, domains, disks, processes and files agree."""
        self.check_domains(xen)
        self.check_disks(xen)
        self.check_processes()
        if verify:
            self.check_verify()

    def domains(self):
        return {d["uuid"]: d["state"] for d in self.host_call("vm_list")["domains"]}

    def check_domains(self, xen, timeout=5):
        """The store follows what the host tells, soon."""
        end = time.monotonic() + timeout
        while True:
            want = {r["uuid"]: r["power_state"].lower() for r in xen.VM.get_all_records().values()
                    if r["power_state"] in ("Running", "Paused") and not r["is_control_domain"]}
            have = self.domains()
            if want == have:
                return
            if time.monotonic() > end:
                raise Wrong(f"the store has running {want}, the host has {have}")
            time.sleep(0.02)

    def check_disks(self, xen):
        """A scan finds what the store has, and nothing else."""
        before = managed(xen)
        self.scan(xen)
        after = managed(xen)
        if before != after:
            raise Wrong(f"disks nobody knew: {sorted(after - before)}; disks that are not there: {sorted(before - after)}")

    def scan(self, xen):
        for sr, record in xen.SR.get_all_records().items():
            if "scan" in record["allowed_operations"] and any(xen.PBD.get_currently_attached(p) for p in record["PBDs"]):
                xen.SR.scan(sr)

    def check_processes(self):
        """Nobody works on this state directory but the two daemons, and processes that own open disks or guests."""
        own = {self.hostd.pid, self.xapi.pid}
        for pid, words in self.processes():
            if pid not in own and os.path.basename(words[0]) in (b"xenolithd", b"xenolith-hostd"):
                raise Wrong(f"a second {words[0]} runs: {pid}")

    def check_verify(self):
        done = subprocess.run([PROGRAMS["xenolith-verify"], "--json", "--state", self.state], stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=60)
        if done.returncode:
            raise Wrong(f"xenolith-verify ends with {done.returncode}: {done.stdout[-2000:]}")

    def files(self):
        """What lies in the state directory, but logs, the database's own and sockets that come and go."""
        found = set()
        for folder, _, names in os.walk(self.state):
            place = Path(folder).relative_to(self.state)
            if place.parts[:1] in (("logs",), ("audit",), ("points",)):
                continue
            found |= {str(place / name) for name in names if not name.startswith("store.db")}
        return found

    def close(self, failed=False):
        self.disarm()
        self.sweep()
        if self.keep and failed:
            shutil.copytree(self.logs, self.keep, dirs_exist_ok=True)
        shutil.rmtree(self.state, ignore_errors=True)


def managed(xen):
    return {r["uuid"] for r in xen.VDI.get_all_records().values() if r["managed"]}


# ---- the whole model as text that is the same each time the same was done ----

# Without VM_guest_metrics: what a guest says comes when it likes, and is told anew.
CLASSES = ("VM", "VBD", "VDI", "VIF", "SR", "PBD", "PIF", "network", "console", "VM_metrics", "task")
# Times, sizes as the disk has them now, names made at random: they differ although the same was done.
FLEETING = {
    "uuid", "domid", "start_time", "last_updated", "install_time", "snapshot_time", "location", "MAC", "generation_id",
    "physical_utilisation", "physical_size", "virtual_allocation", "sm_config", "metrics", "guest_metrics", "last_boot_CPU_flags",
    "snapshot_metadata", "transportable_snapshot_id", "snapshot_info", "hardware_platform_version", "bios_strings",
    "last_booted_record", "other_config", "messages", "memory_actual", "memory", "networks", "os_version", "disks", "runtime_properties",
    "guest_metrics_last_updated", "NVRAM", "IP", "HVM_boot_params",
}
REF = re.compile(r"OpaqueRef:[0-9a-f-]+")
TIME = re.compile(r"\d{8}T\d{6}Z")  # in names that say when


def model(xen):
    """{class: sorted records}; references are told by class and name."""
    names, all_records = {NULL: "-"}, {}
    for cls in CLASSES:
        records = all_records[cls] = getattr(xen, cls).get_all_records()
        for ref, record in records.items():
            names[ref] = f"{cls}:{record.get('name_label') or record.get('userdevice') or record.get('device') or ''}"

    def plain(value):
        if isinstance(value, str):
            return TIME.sub("TIME", REF.sub(lambda found: names.get(found[0], "other"), value))
        if isinstance(value, list):
            return sorted(map(plain, value), key=str)
        if isinstance(value, dict):
            return {plain(k): plain(v) for k, v in sorted(value.items())}
        return value

    def wanted(cls, record):
        return not (cls == "VM" and (record["is_default_template"] or record["is_control_domain"])
                    or cls == "VDI" and not record["managed"])
    return {cls: sorted(json.dumps({k: plain(v) for k, v in record.items() if k not in FLEETING}, sort_keys=True)
                        for record in records.values() if wanted(cls, record))
            for cls, records in all_records.items()}


def difference(a, b):
    """Words for how two models differ."""
    lines = []
    for cls in CLASSES:
        gone, come = [r for r in a[cls] if r not in b[cls]], [r for r in b[cls] if r not in a[cls]]
        for one, other in itertools.zip_longest(gone, come):
            if one and other:
                x, y = json.loads(one), json.loads(other)
                lines.append(f"{cls} {x.get('name_label', '')}: " +
                             ", ".join(f"{k} {x[k]!r} is {y[k]!r}" for k in x if x[k] != y[k])[:600])
            else:
                lines.append(f"{cls}: {'lacks' if one else 'has too much'} {json.loads(one or other).get('name_label', '')}")
    return "; ".join(lines)
