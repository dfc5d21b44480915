# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the stories on Xen compare before and after: grant tables as Xen prints them, and the difference of two looks."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from xenrig.traces import difference, grants, read  # noqa: E402 (the path is set above)

HEAD = """(XEN)       -------- active --------       -------- shared --------
(XEN) [ref] localdom mfn      pin          localdom gmfn     flags
"""
EMPTY = HEAD + """(XEN) grant-table for remote d0 (v1)
(XEN)   1 frames (64 max), 5 maptrack frames (1024 max)
(XEN) no active grant table entries
"""
THREE = HEAD + """(XEN) grant-table for remote d7 (v1)
(XEN)   4 frames (64 max), 0 maptrack frames (1024 max)
(XEN) [0x000]      0 0x11fbff 0x00000001          0 0x00feff 0x19
(XEN) [0x001]      0 0x11fbfe 0x00000001          0 0x00fefe 0x19
(XEN) [0x2a8]      0 0x11a3c4 0x00010000          0 0x0023c4 0x1b
"""
BEGIN, END = "(XEN) gnttab_usage_print_all [ key 'g' pressed\n", "(XEN) gnttab_usage_print_all ] done\n"


def test_entries_are_counted_by_domain():
    assert grants(BEGIN + EMPTY + END) == {}
    assert grants(BEGIN + EMPTY + THREE + END) == {7: 3}
    assert grants(BEGIN + THREE + THREE.replace("d7", "d12") + END) == {7: 3, 12: 3}


def test_only_the_last_answer_counts():
    assert grants("(XEN) Xen version 4.17\n" + BEGIN + THREE + END + "(XEN) d7 has gone\n" + BEGIN + EMPTY + END) == {}


def test_half_an_answer_is_none():
    assert grants("") is None
    assert grants(BEGIN + THREE) is None
    assert grants(THREE + END) is None  # what came first is no longer kept


def test_other_releases_print_it_otherwise():
    stamped = (BEGIN + THREE + END).replace("(XEN) ", "(XEN) [2026-01-02 03:04:05.678] ")
    assert grants(stamped) == {7: 3}
    old = "(XEN) grant-table for remote domain:    7 (v1)\n(XEN) [  0]        0 0x11fbff 0x00000001          0 0x00feff 0x19\n"
    assert grants(BEGIN + old + END) == {7: 1}


LOOK = f"""== xenstore
/local/domain/0 = ""
/local/domain/0/backend = ""
/local/domain/0/backend/vbd = ""
/local/domain/0/backend/vbd/7/51712/state = "4"
== domain
Name                                        ID   Mem VCPUs\tState\tTime(s)
Domain-0                                     0  1024     2     r-----     663.7
(null)                                       7     0     1     --p--d       0.1
== mount
/dev/vda3 / ext4 rw 0 0
== event channel
           CPU0       CPU1
 48:       1234          0   xen-dyn    -event     blkif-backend
 49:       1234          0   xen-pirq   -ioapic-edge  i8042
== interface
lo
== block device
/sys/block/nbd3/pid
== program
bash
7.xvda-0
xenolithd
== open
 371=xenolithd 372=xenolith-libxl
/proc/371/fd socket:[123]
/proc/371/fd /var/lib/xenolith/store.db
/proc/372/fd pipe:[9]
/proc/372/fd anon_inode:[eventfd]
== file
/run/xenolith-hostd/hostd
/var/lib/xenolith-hostd/sr/a/b.qcow2
== messages
{BEGIN}{THREE}{END}"""


def test_each_kind_is_seen():
    assert read(LOOK) == sorted([
        "xenstore: /local/domain/0", "xenstore: /local/domain/0/backend/vbd/7/51712/state", "domain: Domain-0 0", "domain: (null) 7",
        "mount: /", "event channel: blkif-backend", "interface: lo", "block device: /sys/block/nbd3/pid", "program: 7.xvda-0",
        "program: xenolithd", "open: xenolithd: /var/lib/xenolith/store.db", "open: xenolith-libxl: anon_inode:[eventfd]",
        "file: /run/xenolith-hostd/hostd", "file of a disk: /var/lib/xenolith-hostd/sr/a/b.qcow2", "grants: domain 7, 3 entries"])


def test_what_came_and_went():
    before = ["mount: /", "open in x: pipe", "open in x: pipe", "domain: a 1"]
    assert difference(before, list(reversed(before))) == []
    assert difference(before, ["mount: /", "open in x: pipe", "domain: a 1", "domain: (null) 3"]) == [
        "+ domain: (null) 3", "- open in x: pipe"]
    assert difference(before, ["mount: /"], without=("open in x",)) == ["- domain: a 1"]
