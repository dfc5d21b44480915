# SPDX-License-Identifier: LGPL-2.1-or-later
"""Real Xen, under emulation where there is no hardware for it: a guest through the API beside `xl create` of the same one, in the
same boot, and the memory of the daemons. What is measured is in tests/xen, which has stories about the same."""

import os
import subprocess
import sys

from measure import Row, against_limit, in_turns
from rig import ROOT, Missing, need

sys.path[:0] = [str(ROOT / "tests" / "xen"), str(ROOT / "tools")]

import figures  # noqa: E402 (the path is set above)
import guests  # noqa: E402
from appliance import image, package  # noqa: E402
from guestimage import cache, debs  # noqa: E402
from xenrig.rig import Rig as Machine  # noqa: E402
from xenrig.rig import RigError  # noqa: E402

MOST_MEMORY = 32 << 20
ROUNDS = 3  # each takes a minute


class Appliance:
    """The machine of tools/xen-rig if it runs, else one that is booted for this run."""

    def __init__(self, rig):
        self.machine = Machine(os.environ.get("XENOLITH_RIG") or str(ROOT / "var-xen"))
        self.ours = not self.machine.running()
        if self.ours:
            for program, where in (("qemu-system-x86_64", "qemu-system-x86"), ("mformat", "mtools"), ("ssh", "openssh-client")):
                need(program, where)
            try:
                with cache.as_it_is():
                    disk = os.path.join(image.obtain(debs.CODENAME), "disk.raw")
            except (cache.NotThere, package.BuildError) as error:
                raise Missing(f"no appliance to boot ({error}): make image, or tools/xen-rig start") from None
            rig.progress("booting the appliance under emulation")
            self.machine = Machine(str(rig.directory / "xen"))
            self.machine.make(disk)
            self.machine.power_on()
        try:
            self.session = self.machine.wait_api()
            tiny = subprocess.run([ROOT / "tools" / "guest-image", "tiny"], stdout=subprocess.PIPE, text=True, check=True)
            guests.put_boot_files(self.machine, tiny.stdout.strip())
        except BaseException:
            self._end()
            raise

    def _end(self):
        if self.ours:
            self.machine.power_off()

    def close(self):
        self.session.close()
        self._end()


def xen(rig):
    try:
        appliance = rig.peer(Appliance)
        machine, session = appliance.machine, appliance.session
        figures.prepare_xl(machine)
        start = Row("VM.create and VM.start on Xen, PVH guest of 160 MiB", "s", "xl create", ("at most", 1.5))
        in_turns(ROUNDS, start, lambda: figures.start_through_api(machine, session), lambda: figures.start_by_xl(machine), rig.progress)
        start.note = "emulated: only the ratio counts" if appliance.ours else ""
        memory = Row("memory of the daemons on Xen, a guest running", "B", "limit", ("at most", 1))
        guest = guests.Guest(machine, session, "pvh")
        try:
            session.VM.start(guest.vm, False, False)
            against_limit(1, memory, lambda: sum(figures.memory(machine).values()), MOST_MEMORY, rig.progress)
        finally:
            guest.remove()
        memory.note = "proportional set size of xenolithd, xenolith-hostd and xenolith-libxl"
        return [start, memory]
    except RigError as error:
        raise RuntimeError(f"the appliance: {error}") from None


ROWS = {"xen": xen}
