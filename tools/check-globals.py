#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""State belongs to a struct that somebody made, so that one process can hold two of each: no variables of a process."""

import re

from checklib import Findings, code_only, files, line_of, read

# Where there is one of a kind in a process.
EXCEPTIONS = {
    ("src/base/log.c", "program_name"), ("src/base/log.c", "threshold"), ("src/base/log.c", "to_journal"),
    ("src/base/test_point.c", "state"), ("src/base/map.c", "hash_seed"), ("src/base/poller.c", "current"),
    ("src/value/json_memory.c", "kept"), ("src/value/json_memory.c", "at_exit"),  # of a thread
    ("src/sandbox/syscalls.c", "violation"),
    ("src/daemon/hand_over.c", "h"),  # outlives all parts
    ("src/api/host/machine.c", "restarting"), ("src/api/host/machine.c", "ending"),  # a signal is for a process
    ("src/hv/libxl/ctx.c", "said"), ("src/hv/libxl/ctx.c", "quick"), ("src/hv/libxl/ctx.c", "is_child"),  # a fork is of a process
    ("src/hv/remote/serve.c", "s"),  # a worker serves one conversation and ends with it
}
# What stands between "static" and the first of these is a variable's type and name, or a function's.
STATIC = re.compile(r"(?<!\w)static\s+([^;={}()]+?)\s*(?:\[[^\]]*\]\s*)*([;={(])")
WHOLE = re.compile(r"(?<!\w)static\s+struct\s*\w*\s*\{[^{}]*\}\s*(\w+)\s*[;=]")
CONSTANT = re.compile(r"\bconst\s*\w*$")  # the variable, not what it points to


def is_constant(declared):
    """True for "const int x" and "char *const x", not for "const char *x"."""
    after = declared.rpartition("*")
    return bool(CONSTANT.search(after[2])) if after[1] else bool(re.search(r"\bconst\b", declared))


def main():
    findings = Findings()
    for path in files(".c", ".h", under="src/"):
        text = code_only(read(path))
        found = [(m.start(), m.group(1).split()[-1].lstrip("*")) for m in STATIC.finditer(text)
                 if m.group(2) in ";=" and not is_constant(m.group(1))]
        found += [(m.start(), m.group(1)) for m in WHOLE.finditer(text)]
        for position, name in found:
            if (path, name) not in EXCEPTIONS:
                findings.add(path, line_of(text, position), f"{name} belongs to the process: put it into the struct it is part of")
    findings.finish()


if __name__ == "__main__":
    main()
