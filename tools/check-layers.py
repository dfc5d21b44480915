#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Includes go one way: a folder of src/ includes only what the table allows. New folders need a line here."""

import re

from checklib import Findings, files, read

# folder -> project folders it may include, besides itself. "gen" is what the generator writes.
XENOLITHD = {
    "base": "",
    "sandbox": "base",
    "value": "base",
    "db": "base value",
    "model": "base value gen db",
    "rules": "base value gen model",
    "wire": "base value",
    "event": "base value gen db model",
    "auth": "base value gen db model wire proto",
    "task": "base value gen db model event proto",
    "rpc": "base value gen db model wire event auth task",
    "stream": "base value gen db model wire event auth task rpc proto",
    "metrics": "base value gen db model wire event task rpc",
    "api": "base value gen db model rules wire event auth task rpc stream metrics proto",
    "daemon": "base value gen db model rules wire event auth task rpc stream metrics api proto sandbox",
}
HOSTD = {
    "proto": "base value gen",
    "hv": "base value gen proto sandbox",
    "storage": "base value gen proto hv sandbox",
    "net": "base value gen proto",
    "hostd": "base value gen proto hv storage net wire sandbox",
    "ldap": "base value sandbox",
    "plugins": "base value",
}
TOOLS = {
    "cli": "base value gen wire sandbox",
    "verify": "base value gen db model hv storage",
}
MAY_INCLUDE = {**XENOLITHD, **HOSTD, **TOOLS}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', re.M)


def main():
    findings = Findings()
    allowed = {folder: set(text.split()) | {folder} for folder, text in MAY_INCLUDE.items()}
    for path in files(".c", ".h", under="src/"):
        folder = path.split("/")[1]
        if folder not in allowed:
            findings.add(path, 0, f"folder {folder} has no line in tools/check-layers.py")
            continue
        text = read(path)
        for match in INCLUDE.finditer(text):
            target, line = match.group(1).split("/"), text.count("\n", 0, match.start()) + 1
            if len(target) < 2:
                findings.add(path, line, f'includes "{match.group(1)}": write the path from src/')
            elif target[0] not in allowed[folder]:
                findings.add(path, line, f"{folder} may not include {target[0]} ({match.group(1)})")
    findings.finish()


if __name__ == "__main__":
    main()
