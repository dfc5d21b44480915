#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each C file is named in a meson.build: a test that nobody compiles finds nothing and fails nobody."""

import os
import re

from checklib import Findings, files, read

QUOTED = re.compile(r"'([^'\n]+)'")


def named_by(build):
    """Paths that a meson.build may mean: as they stand there, or as names of tests and programs made from lists."""
    folder = os.path.dirname(build)
    for word in QUOTED.findall(read(build)):
        for name in (word, f"{word}.c", f"test_{word}.c", f"fuzz_{word}.c"):
            yield os.path.normpath(os.path.join(folder, name))


def main():
    findings = Findings()
    named = {path for build in files("meson.build") for path in named_by(build)}
    for path in files(".c"):
        if path not in named:
            findings.add(path, 1, "no meson.build names it")
    findings.finish()


if __name__ == "__main__":
    main()
