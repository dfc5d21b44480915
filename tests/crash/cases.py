# SPDX-License-Identifier: LGPL-2.1-or-later
"""One death at one point of one scenario, and the verdict."""

import random
import threading
import time
from dataclasses import dataclass

from bed import GONE, LIMIT, Bed, NoAnswer, Wrong, XenError, difference, model
from scenarios import ONE_WAY, SCENARIOS, remove_all

WHOM = {"xapi": ("xapi",), "hostd": ("hostd",), "both": ("xapi", "hostd")}


@dataclass(frozen=True)
class Case:
    """`fail`: the step that is made to fail on the way, so that the plan is undone; "" = none."""
    plan: str
    program: str  # which of the two stops at the point
    point: str
    nth: int
    fail: str
    whom: str  # who is killed there

    def __str__(self):
        text = f"{self.plan}@{self.program}@{self.point}@{self.nth}@{self.whom}"
        return text + (f"@{self.fail}" if self.fail else "")

    @staticmethod
    def parse(text):
        plan, program, point, nth, whom, *fail = text.split("@")
        return Case(plan, program, point, int(nth), fail[0] if fail else "", whom)


# Commits share flushes; what an event of the host makes xenolithd ask is asked before or after the answer.
BY_CHANCE = ("store/flush/", "hostd/vm_query/", "hostd/vm_guest_info/")


class Caller(threading.Thread):
    """Makes the call and keeps what came of it."""

    def __init__(self, bed, call):
        super().__init__(daemon=True)
        self.call, self.xen = call, bed.client()
        self.answer = "none"  # "none": no word; "success", "failure": it was answered
        self.why = None
        self.go = threading.Event()
        self.start()

    def run(self):
        self.go.wait()
        try:
            self.call(self.xen)
            self.answer = "success"
        except XenError as e:
            self.answer, self.why = "failure", e
        except (NoAnswer, *GONE, TimeoutError) as e:
            self.why = e


class Stage:
    """A bed that goes from case to case; each leaves it as it was."""

    def __init__(self, seed, keep=None):
        self.bed = Bed(keep=keep)
        self.random = random.Random(seed)
        self.measures = {}  # plan -> (model before, model behind)
        self.hit = set()
        self.prepare(self.bed)
        try:
            xen = self.bed.start()
            self.known = {r for cls in ("VM", "VDI", "SR") for r in getattr(xen, cls).get_all()}
            self.empty = model(xen)
            self.files = self.bed.files()
        except BaseException:
            self.bed.close(failed=True)
            raise

    def prepare(self, bed):
        """Before the daemons start."""

    def clean(self, xen):
        """Removes all a case made; what is left over then is a leak."""
        remove_all(self.bed, xen, self.known)
        self.bed.settle(xen)
        end = time.monotonic() + 10  # seconds; merging and ends of storage daemons are no part of a call
        while self.bed.files() != self.files:
            if time.monotonic() > end:
                now = self.bed.files()
                raise Wrong(f"files are left: {sorted(now - self.files)}, lost: {sorted(self.files - now)}")
            time.sleep(0.01)
        for sr, record in xen.SR.get_all_records().items():
            if record["VDIs"]:  # rows of images without a disk go with the next scan
                xen.SR.scan(sr)
        left = difference(self.empty, model(xen))
        if left:
            raise Wrong(f"after everything was removed: {left}")

    def measure(self, plan):
        """Runs the scenario undisturbed: the models before and behind, and the points passed by each program."""
        xen = self.bed.client()
        call = SCENARIOS[plan](self.bed, xen)
        before = model(xen)
        for points in self.bed.points.values():
            points.arm()
        call(xen)
        self.bed.settle(xen)
        passed = {program: points.passed() for program, points in self.bed.points.items()}
        self.bed.disarm()
        self.measures[plan] = (before, model(xen))
        self.bed.check(xen)
        self.clean(xen)
        self.hit.update(p for p in passed["xenolithd"])
        return passed

    def run(self, case):
        if case.plan not in self.measures:
            self.measure(case.plan)
        bed = self.bed
        xen = bed.client()
        call = SCENARIOS[case.plan](bed, xen)
        fails = [("fail", f"{case.plan}/{case.fail}/fail", 1)] if case.fail else []
        stop = [("stop", case.point, case.nth)]
        caller = Caller(bed, call)  # logged in before: what the host tells meanwhile may stop the daemon at once
        bed.points["xenolithd"].arm(*fails, *(stop if case.program == "xenolithd" else []))
        bed.points["xenolith-hostd"].arm(*(stop if case.program == "xenolith-hostd" else []))
        caller.go.set()
        self.wait_stopped(case, caller)
        self.kill(case)
        xen = bed.ready()
        caller.join(LIMIT)
        if caller.is_alive():
            raise Wrong("the caller hears nothing, not even that the connection is gone")
        bed.settle(xen)
        if case.fail and case.plan in ONE_WAY:
            self.again(case, xen, call)
        else:
            self.judge(case, xen, caller)
        if case.plan == "SR.scan":
            bed.scan(xen)  # its scenario is a disk that nobody knows
        bed.check(xen)
        self.clean(xen)

    def wait_stopped(self, case, caller):
        points, end = self.bed.points[case.program], time.monotonic() + LIMIT
        while points.passed().count(case.point) < case.nth:
            if case.point.startswith(BY_CHANCE) and not caller.is_alive():
                break  # fewer than last time: the death comes after the answer
            if time.monotonic() > end or not caller.is_alive():
                raise Wrong(f"{case.point} was not reached; the call: {caller.answer} {caller.why or ''}")
            time.sleep(0.001)
        self.hit.update(self.bed.points["xenolithd"].passed())

    def kill(self, case):
        """Who stopped goes on, if it lives, before or after the killed came back."""
        bed, whom = self.bed, WHOM[case.whom]
        bed.kill(*whom)
        dead = {"xapi": "xenolithd", "hostd": "xenolith-hostd"}
        for name in whom:
            bed.points[dead[name]].disarm()
        lives = case.program not in {dead[name] for name in whom}
        early = self.random.random() < 0.5
        if early and lives:
            bed.points[case.program].disarm(True)
        bed.start_again(*whom)
        if not early and lives:
            if "xapi" in whom and "hostd" not in whom:
                # hostd is still in the middle of the old daemon's call, and the new one takes its plan up
                time.sleep(self.random.random() * 0.1)
            bed.points[case.program].disarm(True)
        bed.disarm()

    def again(self, case, xen, call):
        """A plan that has no way back failed: what is left is sound, and the same call may be made again."""
        self.bed.check_domains(xen)
        try:
            call(xen)
        except XenError:
            pass  # it was done, or is not possible any more
        self.bed.settle(xen)
        self.bed.scan(xen)

    def judge(self, case, xen, caller):
        before, behind = self.measures[case.plan]
        end = time.monotonic() + 3
        while True:
            now = model(xen)
            to_before, to_behind = difference(before, now), difference(behind, now)
            if caller.answer == "success" and not to_behind or \
                    caller.answer == "failure" and not to_before or \
                    caller.answer == "none" and not (to_before and to_behind):
                return
            if time.monotonic() > end:
                break
            time.sleep(0.05)  # what the host told late is still being followed
        said = f"answered {caller.answer}" + (f" ({caller.why})" if caller.why else "")
        raise Wrong(f"{said}, but neither whole nor undone. Against before: {to_before}. Against behind: {to_behind}")

    def close(self, failed=False):
        self.bed.close(failed)
