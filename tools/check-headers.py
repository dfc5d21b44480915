#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each header of src/ compiles alone, so that nobody depends on what happened to be included before it."""

import concurrent.futures
import os
import subprocess
import tempfile

from checklib import ROOT, Findings, files

FLAGS = ["-std=gnu17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter", "-fsyntax-only"]


def compile_alone(header, generated):
    # A file that includes the header, as compilers warn about a main file that is a header.
    done = subprocess.run(["gcc", *FLAGS, "-I", "src", "-I", generated, "-x", "c", "-"], cwd=ROOT, capture_output=True,
                          input=f'#include "{header[len("src/"):]}"\n', text=True)
    return header, done.stderr if done.returncode else ""


def main():
    findings = Findings()
    with tempfile.TemporaryDirectory() as generated:
        if os.path.exists(os.path.join(ROOT, "gen", "main.py")):
            done = subprocess.run(["/usr/bin/python3", "-B", "gen/main.py", "--schema", "schema", "--out",
                                   f"{generated}/gen"], cwd=ROOT)
            if done.returncode != 0:
                findings.add("schema", 0, "the generator refuses it, so the headers were not looked at")
                findings.finish()
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for header, errors in pool.map(lambda path: compile_alone(path, generated), files(".h", under="src/")):
                if errors:
                    findings.add(header, 0, "does not compile alone:\n" + "\n".join(errors.splitlines()[:6]))
    findings.finish()


if __name__ == "__main__":
    main()
