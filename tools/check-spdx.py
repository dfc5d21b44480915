#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each file of ours names its licence in its first lines; C files in the first one."""

from checklib import Findings, files, read

WORD = "SPDX-License-Identifier: LGPL-2.1-or-later"
DATA = ("LICENSE", ".json", ".xml", ".txt", ".png", ".svg", ".ico", ".bin", ".xva", ".qcow2", ".vhd", ".golden", ".seed")
DATA_FOLDERS = ("tests/fuzz/corpus/", "tests/golden/", "web/vendor/")


def main():
    findings = Findings()
    for path in files():
        if path.startswith(DATA_FOLDERS) or (path.endswith(DATA) and not path.endswith("deps.txt")):
            continue
        head = read(path).split("\n", 3)[:3]
        if path.endswith((".c", ".h")):
            if head[0] != f"/* {WORD} */":
                findings.add(path, 1, f"first line must be /* {WORD} */")
        elif not any(WORD in line for line in head):
            findings.add(path, 1, f"no {WORD!r} in the first three lines")
    findings.finish()


if __name__ == "__main__":
    main()
