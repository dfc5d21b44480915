#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Layout is what .clang-format says. `make format` puts it right."""

import os
import re
import subprocess

from checklib import ROOT, Findings, files


def main():
    findings = Findings()
    sources = files(".c", ".h")
    size = max(1, len(sources) // (os.cpu_count() or 1) + 1)
    running = [subprocess.Popen(["clang-format-14", "--dry-run", *sources[at:at + size]], cwd=ROOT, text=True,
                                stderr=subprocess.PIPE) for at in range(0, len(sources), size)]
    wrong = {}
    for child in running:
        for line in child.communicate()[1].splitlines():
            match = re.match(r"([^:\s]+):(\d+):\d+: warning: code should be clang-formatted", line)
            if match:
                wrong.setdefault(match.group(1), match.group(2))
        if child.returncode != 0:
            findings.add("clang-format-14", 0, f"ended with {child.returncode}")
    for path, line in sorted(wrong.items()):
        findings.add(path, line, "not laid out by .clang-format (make format)")
    findings.finish()


if __name__ == "__main__":
    main()
