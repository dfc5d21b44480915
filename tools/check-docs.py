#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Manual pages are well formed (mandoc's lint) and the links between the Markdown pages lead somewhere."""

import os
import re
import subprocess

from checklib import ROOT, Findings, files, read

LINK = re.compile(r"\]\(([^)\s#]+)(?:#[^)]*)?\)")
FENCED = re.compile(r"^```.*?^```", re.M | re.S)


def check_links(findings):
    for path in files(".md"):
        text = FENCED.sub(lambda block: re.sub(r"[^\n]", " ", block.group(0)), read(path))
        for match in LINK.finditer(text):
            target = match.group(1)
            if "://" in target or target.startswith("mailto:"):
                continue
            base = ROOT if target.startswith("/") else os.path.join(ROOT, os.path.dirname(path))
            if not os.path.exists(os.path.join(base, target.lstrip("/"))):
                findings.add(path, text.count("\n", 0, match.start()) + 1, f"link to {target} leads nowhere")


def check_manuals(findings):
    pages = files(".1", ".5", ".7", ".8", under="docs/man/")
    for page in pages:
        done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", page], cwd=ROOT, capture_output=True, text=True)
        for line in done.stdout.splitlines():
            findings.add(page, 0, line.replace("mandoc: ", ""))


def main():
    findings = Findings()
    check_links(findings)
    check_manuals(findings)
    findings.finish()


if __name__ == "__main__":
    main()
