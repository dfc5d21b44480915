# SPDX-License-Identifier: LGPL-2.1-or-later
"""What guests cost on real Xen, for the stories and for `bench/run xen`: a start through the API beside `xl create` of the same
guest, and the memory of the programs that see to it."""

import time

from guests import ARGUMENTS, BOOT, Guest

DAEMONS = ("xenolithd", "xenolith-hostd", "xenolith-libxl")
MEMORY = 160  # MiB of the guest
PEER = "/tmp/peer.cfg"


def start_through_api(rig, session):
    """Seconds from VM.create until VM.start has answered: the guest's processors run. The guest is removed again."""
    begin = time.perf_counter()
    guest = Guest(rig, session, "pvh", memory=MEMORY)
    try:
        session.VM.start(guest.vm, False, False)
        return time.perf_counter() - begin
    finally:
        guest.remove()


def prepare_xl(rig):
    """A description of the same guest for xl. It needs the boot files (guests.put_boot_files), as the other does."""
    rig.shell(f"""printf '%s\\n' 'name = "peer"' 'type = "pvh"' 'memory = {MEMORY}' 'vcpus = 1' 'kernel = "{BOOT}/tiny-vmlinuz"' \\
        'ramdisk = "{BOOT}/tiny-initrd"' 'cmdline = "{ARGUMENTS}"' >{PEER}""")


def start_by_xl(rig):
    """Seconds of `xl create`, which returns at the same moment; by the control domain's clock, so that the way there is not
    counted. The guest is ended again."""
    said = rig.shell(f"begin=$(date +%s%N); xl create -q {PEER} && end=$(date +%s%N) && echo $((end - begin))")
    rig.shell("xl destroy peer")
    return int(said) / 1e9


def memory(rig, programs=DAEMONS):
    """Bytes of each program, all its processes together: proportional set size."""
    return {name: 1024 * sum(int(line.split()[1]) for line in rig.shell(
        f"for pid in $(pidof {name}); do grep ^Pss: /proc/$pid/smaps_rollup; done").splitlines()) for name in programs}
