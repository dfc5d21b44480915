# SPDX-License-Identifier: LGPL-2.1-or-later
"""Transcripts of tests/golden/xe over both ways in. Every command that no other test names has a place there."""

import tomllib

import pytest
import transcript
from conftest import ROOT, a_pair
from test_xe import WAYS, Xe

FILES = sorted((ROOT / "tests/golden/xe").glob("*.txt"))


@pytest.fixture(params=WAYS)
def fresh(request, tmp_path):
    with a_pair() as pair:
        pair.start()
        xe = Xe(pair.state, way=request.param)
        (tmp_path / "given").write_text("some text\n")
        known = {"host": xe.line("host-list", "--minimal"), "pool": xe.line("pool-list", "--minimal"),
                 "sr": xe.line("sr-list", "name-label=Local storage", "--minimal"), "state": str(pair.state), "dir": str(tmp_path),
                 "file": str(tmp_path / "given"),
                 "network": xe.line("network-list", "--minimal").split(",")[0]}
        yield xe, known


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_transcript(fresh, file):
    xe, known = fresh
    wrong = transcript.play(file, lambda *args: xe.run(*args, text=""), known)
    assert not wrong, f"what was printed instead:\n{wrong}"


def test_every_command_has_a_test_that_runs_it():
    commands = tomllib.loads((ROOT / "schema/xe.toml").read_text(encoding="utf-8"))["commands"]
    played = {file.relative_to(ROOT).as_posix(): {case.command for case in transcript.read(file)} for file in FILES}
    for name, command in commands.items():
        assert command.get("test"), f"{name} names no test"
        file, _, test = command["test"].partition("::")
        if file in played:
            assert test == name and name in played[file], f"{file} has no case of {name}"
        else:
            assert f'"{name}"' in (ROOT / file).read_text(encoding="utf-8"), f"{file} does not run {name}"
