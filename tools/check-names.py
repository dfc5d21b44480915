#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Nothing in the tree ties it to one machine: no private paths, no package mirrors' host names, no addresses of people."""

import re

from checklib import Findings, files, read

# Written in pieces so that this file does not find itself.
FORBIDDEN = [
    (r"/wor" r"k/(wt|main|shared|brief|cache)", "path of one machine"),
    (r"/tmp/bash" r"_jobs", "path of one machine"),
    (r"/home/" r"(?!\w*\$|NAME|USER)[a-z]\w+/", "path of one machine"),
    (r"\b(deb|security|ftp|archive|snapshot)\.(\w+\.)?(debi" r"an|ubuntu)\.(org|com)", "host of a package mirror: apt knows it"),
    (r"\b(registry\.npm" r"js\.org|pypi" r"\.org|proxy\.gol" r"ang\.org|crates" r"\.io)\b", "host of a package registry"),
    (r"[\w.+-]+@(gm" r"ail|outlook|yahoo|proton)\.", "address of a person"),
]
DATA_FOLDERS = ("tests/fuzz/corpus/", "web/vendor/")


def main():
    findings = Findings()
    patterns = [(re.compile(pattern), why) for pattern, why in FORBIDDEN]
    for path in files():
        if path == "LICENSE" or path.startswith(DATA_FOLDERS):
            continue
        for number, line in enumerate(read(path).split("\n"), 1):
            for pattern, why in patterns:
                match = pattern.search(line)
                if match:
                    findings.add(path, number, f"{match.group(0)!r}: {why}")
    findings.finish()


if __name__ == "__main__":
    main()
