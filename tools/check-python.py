#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Python of ours compiles and uses the standard library only (tests may use pytest)."""

import ast
import os
import sys

from checklib import Findings, files, read


def imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name.split(".")[0]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.lineno, node.module.split(".")[0]


def sources():
    for path in files():
        if path.endswith(".py") or ("." not in os.path.basename(path) and read(path).startswith("#!/usr/bin/python3")):
            yield path


def main():
    findings = Findings()
    paths = list(sources())
    own = {os.path.basename(path)[:-3] for path in paths} | {os.path.basename(os.path.dirname(path)) for path in paths}
    for path in paths:
        try:
            tree = ast.parse(read(path), path)
        except SyntaxError as error:
            findings.add(path, error.lineno, error.msg)
            continue
        for line, name in imported(tree):
            known = name in sys.stdlib_module_names or name in own or (name == "pytest" and path.startswith("tests/"))
            if not known:
                findings.add(path, line, f"{name} is not in the standard library")
    findings.finish()


if __name__ == "__main__":
    main()
