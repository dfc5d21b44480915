# SPDX-License-Identifier: LGPL-2.1-or-later
"""docs/performance.md: what was measured stands between two marks and is written anew; the rest is kept."""

import datetime
import os
import platform
import subprocess
import time
from pathlib import Path

import cost
import growth
import plot
from measure import HEAD, Row, Skipped
from rig import ROOT

PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- measured: written by make bench -->", "<!-- end of what was measured -->"


def _first(path, key):
    with open(path) as lines:
        return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "unknown")


def _version(*command):
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=10)
    except OSError:
        return None
    words = (done.stdout + done.stderr).split()
    return next((word.strip("(),") for word in words if word[:1].isdigit() and "." in word), None)


def flush_cost(directory, times=200):
    """Seconds of one appended page and its flush."""
    with open(Path(directory) / "flush", "wb", buffering=0) as out:
        begin = time.perf_counter()
        for _ in range(times):
            out.write(bytes(4096))
            os.fdatasync(out.fileno())
        return (time.perf_counter() - begin) / times


def machine(rig):
    """Facts that matter for the figures; no names."""
    memory = int(_first("/proc/meminfo", "MemTotal").split()[0]) / (1 << 20)
    peers = {"QEMU": _version("qemu-system-x86_64", "--version"), "libvirt": _version("libvirtd", "--version"),
             "nginx": _version("nginx", "-v")}
    return [f"{os.cpu_count()} processors ({_first('/proc/cpuinfo', 'model name')}), {memory:.0f} GiB of memory",
            _kernel(),
            f"a page written and flushed to its disk: {flush_cost(rig.directory) * 1e6:.0f} us",
            ", ".join(f"{name} {version}" for name, version in peers.items() if version)]


def _kernel():
    works = subprocess.run([ROOT / "tools" / "kvm-works"], stdin=subprocess.DEVNULL, capture_output=True).returncode == 0
    kvm = "guests run on KVM" if works else "guests run by emulation"
    return f"Linux {platform.release().split('-')[0]}; {kvm}"


def _markdown(head, lines):
    rows = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return rows + ["| " + " | ".join(cell.replace("|", "/") for cell in line) + " |" for line in lines]


def write(rig, command, rows, grown, costs):
    measured = [row for row in rows if isinstance(row, Row)]
    missed = [row for row in measured if not row.met]
    day = datetime.datetime.now(datetime.timezone.utc)
    out = [BEGIN, "", f"Measured on {day:%Y-%m-%d} with `{command}`.", "", *(f"- {fact}" for fact in machine(rig)), "",
           "## Against peers", "",
           f"{len(measured)} rows, {len(missed)} of them beside their target.", "",
           "![How far each figure is from its target](performance.svg)", "",
           *_markdown(HEAD, (row.cells() for row in measured)), ""]
    out += [f"- {row.name}: {row.note}" for row in measured if row.note]
    out += [f"- Not measured: {row.name}: {row.why}" for row in rows if isinstance(row, Skipped)]
    if grown:
        out += ["", "## Beside more VMs", "", "![Growth with the number of VMs](growth.svg)", "",
                *_markdown(growth.HEAD, (row.cells() for row in grown))]
    if costs:
        out += ["", "## What is written", "",
                "Flushes and bytes of both daemons for one call of one client. Calls at the same time share flushes.", "",
                *_markdown(cost.HEAD, (row.cells() for row in costs))]
    out += ["", END]
    before, after = "", ""
    if PAGE.exists():
        text = PAGE.read_text()
        before, _, rest = text.partition(BEGIN)
        after = rest.partition(END)[2]
    PAGE.write_text(before + "\n".join(out) + (after or "\n"))
    (PAGE.parent / "performance.svg").write_text(plot.targets(measured))
    if grown:
        (PAGE.parent / "growth.svg").write_text(plot.growth(grown))
