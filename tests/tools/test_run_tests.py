# SPDX-License-Identifier: LGPL-2.1-or-later
"""tools/run-tests adds up what its stages say and loses no failure."""

import os
import shutil
import subprocess

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


@pytest.fixture
def tree(tmp_path):
    os.makedirs(tmp_path / "tools")
    for name in ("run-tests", "check"):
        shutil.copy(f"{ROOT}/tools/{name}", tmp_path / "tools")
    return tmp_path


def write(tree, path, text, mode=0o755):
    os.makedirs(os.path.dirname(tree / path), exist_ok=True)
    (tree / path).write_text(text)
    (tree / path).chmod(mode)


def run(tree, *stages):
    done = subprocess.run(["/usr/bin/python3", "tools/run-tests", *stages], cwd=tree, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout.splitlines()


def test_counts_of_several_stages_are_added(tree):
    write(tree, "tests/gen/test_a.py", "def test_one():\n    pass\n\ndef test_two():\n    pass\n")
    write(tree, "tools/check-fine.py", "")
    status, lines = run(tree, "gen", "checks")
    assert (status, lines[-1]) == (0, "3 passed, 0 failed")


def test_failures_and_skips_are_counted_and_named(tree):
    write(tree, "tests/gen/test_a.py", "import pytest\n\ndef test_bad():\n    assert 1 == 2\n\n"
                                       "def test_off():\n    pytest.skip('no such part')\n\ndef test_good():\n    pass\n")
    write(tree, "tools/check-wrong.py", "raise SystemExit(1)")
    status, lines = run(tree, "gen", "checks")
    assert (status, lines[-1]) == (1, "1 passed, 2 failed, 1 skipped")
    assert "failed: tests.gen.test_a::test_bad" in lines
    assert "failed: wrong" in lines
    assert any("test_off" in line and "no such part" in line for line in lines)


def test_a_stage_that_breaks_counts_as_failed(tree):
    write(tree, "tools/build", "#!/bin/sh\necho the compiler is on holiday\nexit 1\n")
    write(tree, "tests/gen/test_a.py", "def test_one():\n    pass\n")
    status, lines = run(tree, "gen", "unit")
    assert (status, lines[-1]) == (1, "1 passed, 1 failed")
    assert "failed: unit: build does not build" in lines
    assert any("the compiler is on holiday" in line for line in lines)


def test_a_file_that_cannot_be_collected_is_a_failure(tree):
    write(tree, "tests/gen/test_a.py", "import no_such_module\n")
    status, lines = run(tree, "gen")
    assert status == 1
    assert lines[-1].endswith("1 failed")


def test_no_test_at_all_is_not_success(tree):
    status, lines = run(tree, "gen")
    assert status == 1
    assert not any("passed, 0 failed" == line for line in lines)


def test_meson_report_is_read(tree):
    cmocka = "[==========] Running 3 test(s).\n[ RUN      ] x\n[       OK ] x\n[ RUN      ] y\n[  FAILED  ] y\n" \
             "[ RUN      ] z\n[       OK ] z\n[==========] 3 test(s) run.\n[  FAILED  ] y\n"
    died = "[==========] Running 2 test(s).\n[ RUN      ] v\n[       OK ] v\n[ RUN      ] w\n"
    report = ('<testsuites><testsuite name="x" tests="2"><testcase name="a"/><testcase name="b"><failure/></testcase>'
              f'<testcase name="c"><failure/><system-out>{cmocka}</system-out></testcase>'
              f'<testcase name="d"><failure/><system-out>{died}</system-out></testcase>'
              "</testsuite></testsuites>")
    write(tree, "tools/build", "#!/bin/sh\nexit 0\n")
    write(tree, "tools/guest-image", "#!/bin/sh\necho /nowhere\n")
    write(tree, "bin/meson", f"#!/bin/sh\nmkdir -p build/meson-logs\ncat >build/meson-logs/testlog.junit.xml <<END\n{report}\nEND\nexit 1\n")
    done = subprocess.run(["/usr/bin/python3", "tools/run-tests", "unit"], cwd=tree, capture_output=True, text=True,
                          env={**os.environ, "PATH": f"{tree}/bin:{os.environ['PATH']}"}, stdin=subprocess.DEVNULL)
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "4 passed, 3 failed"
    assert {"failed: b", "failed: c: y", "failed: d: died"} <= set(done.stdout.splitlines())
