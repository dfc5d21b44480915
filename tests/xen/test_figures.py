# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a start costs: a guest through the API beside `xl create` of the same one, in turns. Only gross failures fail."""

import statistics

from figures import prepare_xl, start_by_xl, start_through_api
from guests import keep_figure

ROUNDS = 3


def test_to_the_first_instruction(rig, session, boot_files, nothing_left):
    """From the call until the guest's processors run."""
    prepare_xl(rig)
    ours, peers = [], []
    for _ in range(ROUNDS):
        ours.append(start_through_api(rig, session))
        peers.append(start_by_xl(rig))
    keep_figure("from the call to the first instruction, s", {
        "VM.create and VM.start": [round(s, 2) for s in ours], "xl create": [round(s, 2) for s in peers]})
    assert statistics.median(ours) < 3 * statistics.median(peers)
