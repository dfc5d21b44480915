#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Files of at most 700 lines, functions of at most 60. What is longer stands in tools/size-allow.txt, a list that only shrinks:

    PATH LINES              a file
    PATH:FUNCTION LINES     a function

An entry that allows more than is needed is an error too.
"""

import re

from checklib import Findings, code_only, files, read

FILE_LIMIT = 700
FUNCTION_LIMIT = 60
ALLOW = "tools/size-allow.txt"


def functions(text):
    """(name, first line, lines) of each function; by the house layout its braces stand in the first column."""
    lines = code_only(text).split("\n")
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number
        elif line.startswith("}") and start is not None:
            if line == "}":
                head = " ".join(lines[max(0, start - 8):start - 1])
                head = re.split(r"[;}]", head)[-1]
                names = re.findall(r"(\w+)\s*\(", head)
                yield (names[0] if names else "?"), start, number - start - 1
            start = None


def allowed(findings):
    entries = {}
    for number, line in enumerate(read(ALLOW).split("\n"), 1):
        words = line.split("#")[0].split()
        if not words:
            continue
        if len(words) != 2 or not words[1].isdigit() or words[0] in entries:
            findings.add(ALLOW, number, "expected: PATH[:FUNCTION] LINES, each once")
        else:
            entries[words[0]] = (int(words[1]), number)
    return entries


def main():
    findings = Findings()
    long = {}
    for path in files(".c", ".h", ".py"):
        text = read(path)
        if text.count("\n") > FILE_LIMIT:
            long[path] = (text.count("\n"), FILE_LIMIT, 1)
        if path.endswith(".c"):
            for name, line, length in functions(text):
                if length > FUNCTION_LIMIT:
                    long[f"{path}:{name}"] = (length, FUNCTION_LIMIT, line)
    entries = allowed(findings)
    for what, (length, limit, line) in sorted(long.items()):
        most = entries.get(what, (limit, 0))[0]
        if length > most:
            findings.add(what.split(":")[0], line, f"{what} has {length} lines, at most {most} are allowed")
    for what, (most, number) in sorted(entries.items()):
        if what not in long:
            findings.add(ALLOW, number, f"{what} is short enough now: remove the entry")
        elif long[what][0] < most:
            findings.add(ALLOW, number, f"{what} has {long[what][0]} lines now: lower the entry")
    findings.finish()


if __name__ == "__main__":
    main()
