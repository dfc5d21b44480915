# SPDX-License-Identifier: LGPL-2.1-or-later
"""Clients that work on machines of their own, and a journal of what they were answered.

A call that was answered must hold after any death; one that got no answer was carried out whole or not at all. So
each thing has an expected state, and a call under way a second one: what it will be if the call goes through.
"""

import copy
import random
import threading
import time

from bed import GONE, LIMIT, NULL, NoAnswer, Wrong, XenError
from vms import MIB, default_sr, new_vdi, template, vbd_fields

RUNNING, HALTED, PAUSED, SUSPENDED, GONE_VM = "Running", "Halted", "Paused", "Suspended", "gone"


class Machine:
    """What a client may expect of one VM that only it works on."""

    def __init__(self, name):
        self.name, self.ref = name, None
        self.now = {"power": GONE_VM}  # what was answered
        self.maybe = None  # what may be instead: a call got no answer
        self.task = None  # of the call without an answer, if it was an Async one

    def look(self, xen):
        """The same as the store has it."""
        found = xen.VM.get_by_name_label(self.name)
        if len(found) > 1:
            raise Wrong(f"{self.name} was made {len(found)} times")
        if not found:
            return {"power": GONE_VM}
        self.ref = found[0]
        r = xen.VM.get_record(self.ref)
        disks = [xen.VBD.get_record(vbd) for vbd in r["VBDs"]]
        if r["current_operations"]:
            raise Wrong(f"{self.name} is still marked {r['current_operations']}")
        live = r["power_state"] in (RUNNING, PAUSED)
        if any(d["currently_attached"] is not (live or r["power_state"] == SUSPENDED) for d in disks):
            raise Wrong(f"{self.name} is {r['power_state']}, its disks: {[d['currently_attached'] for d in disks]}")
        if (r["suspend_VDI"] != NULL) != (r["power_state"] == SUSPENDED):
            raise Wrong(f"{self.name} is {r['power_state']} with suspend disk {r['suspend_VDI']}")
        if ("start" in r["allowed_operations"]) != (r["power_state"] == HALTED and not r["is_a_template"]):
            raise Wrong(f"{self.name} is {r['power_state']} and allows {r['allowed_operations']}")
        return {"power": r["power_state"], "template": r["is_a_template"], "note": r["name_description"],
                "keys": {k: v for k, v in r["other_config"].items() if k.startswith("load-")},
                "memory": r["memory_static_max"], "disks": len(disks),
                "snapshots": sorted(xen.VM.get_name_label(s) for s in r["snapshots"])}

    def check(self, xen):
        real = self.look(xen)
        if real != self.now and real != self.maybe:
            raise Wrong(f"{self.name}: the store has {real}; answered was {self.now}, under way {self.maybe}")
        if self.task:
            self.check_task(xen, real)
        self.now, self.maybe, self.task = real, None, None

    def check_task(self, xen, real):
        """The task of a call tells what became of it."""
        try:
            status = xen.task.get_status(self.task)
        except XenError:
            return  # it died before its call began, or was over and removed by the client
        if status not in ("success", "failure"):
            raise Wrong(f"{self.name}: its task is {status}")
        if real != (self.maybe if status == "success" else self.now):
            raise Wrong(f"{self.name}: the task says {status}, the store has {real} for {self.now} or {self.maybe}")


class LoadClient(threading.Thread):
    """Goes on until told to pause; then the main thread compares, and lets it go on."""

    def __init__(self, bed, name, seed, machines=3, async_share=0.3, slow=0.0):
        super().__init__(daemon=True)
        self.bed, self.prefix, self.slow = bed, name, slow
        self.random = random.Random(f"{seed}/{name}")
        self.machines = [Machine(f"{name}-{i}") for i in range(machines)]
        self.async_share = async_share
        self.go, self.idle = threading.Event(), threading.Event()
        self.ending, self.broken, self.calls = False, None, 0
        self.xen = None

    def run(self):
        while True:
            self.idle.set()
            self.go.wait()
            if self.ending:
                return
            self.idle.clear()
            try:
                self.xen = self.bed.client()
                while self.go.is_set():
                    self.step()
            except (NoAnswer, *GONE, TimeoutError):
                pass  # the daemon died: the journal says what was under way
            except Exception as e:
                self.broken = e
            while self.go.is_set() and not self.ending:
                time.sleep(0.001)

    def step(self):
        m = self.random.choice(self.machines)
        ways = [w for w in WAYS if w.when(m.now)]
        way = self.random.choices(ways, [w.weight for w in ways])[0]
        if self.slow:
            time.sleep(self.random.random() * self.slow)
        m.maybe = copy.deepcopy(m.now)
        call, args = way.prepare(self, m, m.maybe)
        task = None
        try:
            if way.plan and self.random.random() < self.async_share:
                task = self.xen.call("Async." + call, *args)
                m.task = task
                result = self.xen.wait(task, LIMIT)
            else:
                result = self.xen.call(call, *args)
        except XenError as e:
            if e.code == "HANDLE_INVALID" and task and e.params[1:] == [task]:
                raise NoAnswer(call) from e
            self.failed(m, call, e)
            return
        self.calls += 1
        m.now, m.maybe, m.task = m.maybe, None, None
        if way.makes:
            m.ref = result

    def failed(self, m, call, e):
        """hostd died under it: an error is an answer too, and means that nothing was done."""
        m.maybe = m.task = None
        if e.code not in ("INTERNAL_ERROR", "VM_CHECKPOINT_SUSPEND_FAILED", "VM_CHECKPOINT_RESUME_FAILED"):
            raise Wrong(f"{call} of {m.name}, which is {m.now}: {e}")


class Way:
    """Something a client can do: when, how likely, and `prepare`, which changes the expected state and gives the call."""

    def __init__(self, weight, when, prepare, plan=True, makes=False):
        self.weight, self.when, self.prepare, self.plan, self.makes = weight, when, prepare, plan, makes


def to(power, call, *more):
    def prepare(client, m, state):
        state["power"] = power
        return f"VM.{call}", (m.ref, *more)
    return prepare


def be(*powers):
    return lambda s: s["power"] in powers and not s["template"]


def make(client, m, state):
    origin = client.xen.VM.get_record(template(client.xen))
    state.update(power=HALTED, template=True, note=origin["name_description"], keys={}, disks=0, snapshots=[],
                 memory=origin["memory_static_max"])
    return "VM.clone", (template(client.xen), m.name)


def settle_down(client, m, state):
    state["template"] = False
    return "VM.set_is_a_template", (m.ref, False)


def note(client, m, state):
    state["note"] = f"note {client.random.randrange(10 ** 9)}"
    return "VM.set_name_description", (m.ref, state["note"])


def add_key(client, m, state):
    key, value = f"load-{client.random.randrange(10 ** 9)}", str(client.calls)
    state["keys"][key] = value
    return "VM.add_to_other_config", (m.ref, key, value)


def set_memory(client, m, state):
    state["memory"] = (256 + client.random.randrange(64)) * MIB
    return "VM.set_memory", (m.ref, state["memory"])


def add_disk(client, m, state):
    """The disk by itself is of no VM: one that nobody claims is taken away when all is compared."""
    xen = client.xen
    vdi = new_vdi(xen, f"{m.name} disk", 4 * MIB)
    state["disks"] += 1
    return "VBD.create", (vbd_fields(m.ref, vdi, "autodetect"),)


def snapshot(client, m, state):
    name = f"{m.name} then {client.random.randrange(10 ** 9)}"
    state["snapshots"] = sorted([*state["snapshots"], name])
    return "VM.snapshot", (m.ref, name, [])


def drop_snapshot(client, m, state):
    name = state["snapshots"].pop()
    return "VM.destroy", (client.xen.VM.get_by_name_label(name)[0],)


def destroy(client, m, state):
    state.clear()
    state["power"] = GONE_VM
    return "VM.destroy", (m.ref,)


WAYS = [
    Way(9, lambda s: s["power"] == GONE_VM, make, makes=True),
    Way(9, lambda s: s.get("template"), settle_down, plan=False),
    Way(3, be(HALTED, RUNNING, PAUSED, SUSPENDED), note, plan=False),
    Way(2, be(HALTED, RUNNING, PAUSED, SUSPENDED), add_key, plan=False),
    Way(2, be(HALTED), set_memory, plan=False),
    Way(3, lambda s: be(HALTED)(s) and s["disks"] < 2, add_disk, plan=False),
    Way(6, be(HALTED), to(RUNNING, "start", False, False)),
    Way(2, be(HALTED), to(PAUSED, "start", True, False)),
    Way(2, be(RUNNING), to(PAUSED, "pause")),
    Way(4, be(PAUSED), to(RUNNING, "unpause")),
    Way(2, be(RUNNING), to(RUNNING, "hard_reboot")),
    Way(3, be(RUNNING, PAUSED, SUSPENDED), to(HALTED, "hard_shutdown")),
    Way(2, lambda s: be(HALTED)(s) and s["disks"] and len(s["snapshots"]) < 3, snapshot),
    Way(2, lambda s: s.get("snapshots"), drop_snapshot),
    Way(1, lambda s: be(HALTED)(s) and not s["snapshots"], destroy),
]
ON_SIM = [
    Way(2, be(RUNNING), to(HALTED, "clean_shutdown")),
    Way(2, be(RUNNING), to(RUNNING, "clean_reboot")),
    Way(2, be(RUNNING), to(SUSPENDED, "suspend")),
    Way(4, be(SUSPENDED), to(RUNNING, "resume", False, False)),
]


def claimless_disks(xen):
    """Disks a client made and had not yet given to a VM, or that a VM left behind when it went."""
    for ref, record in xen.VDI.get_all_records().items():
        if record["managed"] and not record["VBDs"] and record["type"] == "user" and " disk" in record["name_label"]:
            try:
                xen.VDI.destroy(ref)
            except XenError:
                pass  # another disk has it below itself


class Load:
    def __init__(self, bed, seed, clients=4, **more):
        self.bed = bed
        if bed.hv == "sim" and not set(ON_SIM) <= set(WAYS):
            WAYS.extend(ON_SIM)
        self.clients = [LoadClient(bed, f"c{i}", seed, **more) for i in range(clients)]
        for client in self.clients:
            client.start()

    def go(self):
        for client in self.clients:
            client.go.set()

    def pause(self):
        """Returns when every client has its answer, or knows that it will get none."""
        for client in self.clients:
            client.go.clear()
        for client in self.clients:
            if not client.idle.wait(2 * LIMIT):
                raise Wrong(f"{client.prefix} waits for an answer for ever: "
                            f"{[(m.now, m.maybe) for m in client.machines if m.maybe]}")
            if client.broken:
                raise client.broken

    def check(self, xen):
        for client in self.clients:
            for m in client.machines:
                m.check(xen)

    def calls(self):
        return sum(client.calls for client in self.clients)

    def end(self):
        for client in self.clients:
            client.ending = True
            client.go.set()
        for client in self.clients:
            client.join(LIMIT)


class Storm:
    """A load, and deaths at moments that the seed chooses."""

    def __init__(self, bed, seed, **more):
        self.bed, self.random = bed, random.Random(f"{seed}/storm")
        self.load = Load(bed, seed, **more)

    def death(self, longest=0.25):
        """One round: load, death, return, comparison. Gives what was killed."""
        bed = self.bed
        whom = self.random.choice([("xapi",), ("hostd",), ("xapi", "hostd")])
        again = self.random.random()
        self.load.go()
        time.sleep(self.random.random() * longest)
        bed.kill(*whom)
        bed.start_again(*whom)
        if again < 0.2:  # and once more, while it is getting up
            time.sleep(self.random.random() * 0.05)
            bed.kill(*whom)
            bed.start_again(*whom)
        xen = bed.ready()
        self.load.pause()
        bed.settle(xen)
        self.load.check(xen)
        claimless_disks(xen)
        bed.check(xen)
        return "+".join(whom)

    def end(self):
        """What is to be looked at once more when all is over."""
