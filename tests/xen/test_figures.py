# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a start costs: a guest through the API beside `xl create` of the same one, in turns. Only gross failures fail."""

import statistics
import time

from guests import ARGUMENTS, BOOT, Guest, keep_figure

ROUNDS = 3


def timed(call):
    begin = time.monotonic()
    call()
    return time.monotonic() - begin


def test_to_the_first_instruction(rig, session, boot_files, nothing_left):
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
    keep_figure("from the call to the first instruction, s", {
        "VM.create and VM.start": [round(s, 2) for s in ours], "xl create": [round(s, 2) for s in peers]})
    assert statistics.median(ours) < 3 * statistics.median(peers)


def started(rig, session):
    guest = Guest(rig, session, "pvh")
    session.VM.start(guest.vm, False, False)
    return guest
