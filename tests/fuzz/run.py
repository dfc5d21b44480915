#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs fuzz targets for a short time each: run.py BUILD_DIR [SECONDS [TARGET...]].

The seeds are read, never written: what the fuzzer finds goes to a temporary folder. A crash leaves
its input in BUILD_DIR and ends with status 1.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent


def run(program, seeds, seconds):
    artifacts = program.parent / f"{program.name}-"
    words = HERE / f"{seeds.name}.dict"
    with tempfile.TemporaryDirectory(prefix="xenolith-fuzz-") as found:
        done = subprocess.run(
            [program, f"-max_total_time={seconds}", "-timeout=30", "-rss_limit_mb=1024",
             "-max_len=4096", "-print_final_stats=1", f"-artifact_prefix={artifacts}",
             *([f"-dict={words}"] if words.exists() else []), found, seeds],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
            timeout=seconds + 120, check=False)
    runs = [line.split()[-1] for line in done.stdout.splitlines()
            if line.startswith("stat::number_of_executed_units")]
    if done.returncode or not runs or int(runs[0]) < 100:
        print(done.stdout)
        print(f"{program.name}: failed with status {done.returncode}")
        return False
    reached = re.findall(r" cov: (\d+) ft: (\d+) corp: (\d+)", done.stdout)
    print(f"{program.name}: {runs[0]} inputs in {seconds} s"
          + (", {} edges, {} features, {} inputs kept".format(*reached[-1]) if reached else ""), flush=True)
    return True


def main(argv):
    build = pathlib.Path(argv[1]).resolve()
    seconds = int(argv[2]) if len(argv) > 2 else 10
    names = argv[3:] or sorted(p.stem[len("fuzz_"):] for p in HERE.glob("fuzz_*.c"))
    ok = True
    for name in names:
        program = build / "tests" / "fuzz" / f"fuzz_{name}"
        ok = run(program, HERE / "corpus" / name, seconds) and ok
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv))
