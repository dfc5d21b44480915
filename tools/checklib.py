# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the house checks (tools/check-*.py) share: which files count, C text without comments, how findings are told."""

import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def files(*endings, under=""):
    """Paths, relative to the root, of the files git knows or would add, that end in one of the endings (all if none)."""
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                            capture_output=True, text=True, check=True).stdout.split("\0")
    return sorted(path for path in set(listed) if path and path.startswith(under) and (not endings or path.endswith(endings))
                  and os.path.isfile(os.path.join(ROOT, path)))


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8", errors="surrogateescape") as text:
        return text.read()


_BLANKED = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def code_only(text, keep_strings=False):
    """C text with comments (and strings) blanked out; line numbers stay."""
    def blank(match):
        found = match.group(0)
        if found[0] in "\"'":
            return found if keep_strings else found[0] + " " * (len(found) - 2) + found[0]
        return re.sub(r"[^\n]", " ", found)
    return _BLANKED.sub(blank, text)


def line_of(text, position):
    return text.count("\n", 0, position) + 1


class Findings:
    """Collects what is wrong and ends the check."""

    def __init__(self):
        self.count = 0

    def add(self, path, line, text):
        self.count += 1
        print(f"{path}:{line}: {text}" if line else f"{path}: {text}")

    def finish(self):
        sys.exit(1 if self.count else 0)
