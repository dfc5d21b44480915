# SPDX-License-Identifier: LGPL-2.1-or-later
"""What it costs: a guest through the API beside `xl create` of the same one, in turns; memory of the daemons in the control domain.
The figures are printed, and kept as xen-figures.json where XENOLITH_KEEP names a folder; only gross failures fail."""

import json
import os
import statistics
import time

import pytest

from conftest import say
from guests import ARGUMENTS, BOOT, READY, Guest

ROUNDS = 3
DAEMONS = ["xenolithd", "xenolith-hostd", "xenolith-libxl", "qemu-storage-daemon"]


@pytest.fixture(scope="module")
def figures():
    kept = {}
    yield kept
    say(f"figures: {json.dumps(kept)}")
    if "XENOLITH_KEEP" in os.environ:
        with open(os.path.join(os.environ["XENOLITH_KEEP"], "xen-figures.json"), "w") as out:
            json.dump(kept, out, indent=1)


def timed(call):
    begin = time.monotonic()
    call()
    return time.monotonic() - begin


def test_to_the_first_instruction(rig, session, boot_files, nothing_left, figures):
    """From the call until the guest's processors run. xl returns at the same moment."""
    rig.shell(f"""printf '%s\\n' 'name = "peer"' 'type = "pvh"' 'memory = 160' 'vcpus = 1' 'kernel = "{BOOT}/tiny-vmlinuz"' \\
        'ramdisk = "{BOOT}/tiny-initrd"' 'cmdline = "{ARGUMENTS}"' >/tmp/peer.cfg""")
    ours, peers = [], []
    for _ in range(ROUNDS):
        made = []
        ours.append(timed(lambda: made.append(started(rig, session))))
        made[0].remove()
        peers.append(timed(lambda: rig.shell("xl create -q /tmp/peer.cfg")))
        rig.shell("xl destroy peer")
    figures["first instruction, s"] = {"ours": [round(s, 2) for s in ours], "xl create": [round(s, 2) for s in peers]}
    assert statistics.median(ours) < 3 * statistics.median(peers)


def started(rig, session):
    guest = Guest(rig, session, "pvh")
    session.VM.start(guest.vm, False, False)
    return guest


def test_memory_of_the_daemons(rig, session, boot_files, nothing_left, figures):
    """With one guest that has one disk: proportional set size, KiB."""
    guest = Guest(rig, session, "pvh")
    try:
        guest.add_disk("0")
        guest.start().wait(READY)
        used = {name: sum(int(line.split()[1]) for line in rig.shell(
            f"for pid in $(pidof {name}); do grep ^Pss: /proc/$pid/smaps_rollup; done").splitlines()) for name in DAEMONS}
        figures["memory, KiB"] = used
        assert all(0 < size < 200 << 10 for size in used.values()), used
    finally:
        guest.remove()
