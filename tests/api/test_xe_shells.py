# SPDX-License-Identifier: LGPL-2.1-or-later
"""Completion of xe in the shells themselves: what stands in the line behind a tab."""

import contextlib
import os
import select
import subprocess
import time

import pytest
from conftest import PROGRAMS
from test_xe import Xe

# Control-X Control-B shows the line as the shell has it.
ZSH = """\
PROMPT='ready> '; unset RPROMPT; setopt no_beep no_always_last_prompt; unsetopt zle_bracketed_paste 2>/dev/null
zstyle ':completion:*' list-prompt ''; zstyle ':completion:*' menu no; unsetopt auto_menu list_ambiguous prompt_cr prompt_sp
autoload -Uz compinit; compinit -u -D
dump() { print -r -- "<<$BUFFER>>" }; zle -N dump; bindkey '^X^B' dump
"""


class Zsh:
    """An interactive zsh at a terminal."""

    def __init__(self, xe, folder, load):
        env = {**xe.env, "PATH": f"{PROGRAMS['xe'].parent}:{xe.env['PATH']}", "TERM": "xterm", "ZDOTDIR": str(folder)}
        (folder / ".zshrc").write_text(load + ZSH + ("" if "fpath" in load else ". <(xe completion zsh)\n"))
        self.fd, theirs = os.openpty()
        self.child = subprocess.Popen(["zsh", "-d", "-i"], env=env, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
        os.close(theirs)
        self.until(b"ready> ")

    def until(self, word, limit=60):
        seen, end = b"", time.monotonic() + limit
        while word not in seen:
            left = end - time.monotonic()
            assert left > 0 and select.select([self.fd], [], [], left)[0], (word, seen)
            seen += os.read(self.fd, 65536)
        return seen.decode(errors="replace")

    def line(self, typed):
        """The line after a tab, and what was shown on the way; it is thrown away then."""
        os.write(self.fd, typed.encode() + b"\t\x18\x02")
        seen = self.until(b">>")
        os.write(self.fd, b"\x15")
        return seen[seen.rindex("<<") + 2:seen.rindex(">>")], seen

    def close(self):
        self.child.kill()
        self.child.wait()
        os.close(self.fd)


@pytest.fixture
def xe(daemons):
    return Xe(daemons.state)


@pytest.fixture
def vm(xe):
    uuid = xe.line("vm-create", "name-label=two words")
    yield uuid
    xe.run("vm-destroy", f"uuid={uuid}")


@pytest.fixture(params=["read", "fpath"])
def zsh(request, xe, tmp_path):
    """By `. <(xe completion zsh)`, and as the package installs it."""
    (tmp_path / "_xe").write_text(xe("completion", "zsh"))
    shell = Zsh(xe, tmp_path, f"fpath=({tmp_path} $fpath)\n" if request.param == "fpath" else "")
    with contextlib.closing(shell):
        yield shell


def test_zsh(zsh, vm):
    assert zsh.line("xe vm-rese")[0] == "xe vm-reset-powerstate "  # the first call of an autoloaded function, too
    assert zsh.line("xe -s far vm-unp")[0] == "xe -s far vm-unpause "
    assert zsh.line("xe vdi-create virt")[0] == "xe vdi-create virtual-size="
    assert zsh.line("xe vdi-create sm")[0] == "xe vdi-create sm-config:"
    assert zsh.line(f"xe vm-destroy uuid={vm[:20]}")[0] == f"xe vm-destroy uuid={vm} "
    assert zsh.line("xe vm-start vm=two")[0] == "xe vm-start vm=two\\ words "
    assert zsh.line("xe vm-list params=uuid,power")[0] == "xe vm-list params=uuid,power-state "
    assert zsh.line("xe help top")[0].startswith("xe help top")
    line, shown = zsh.line("xe vm-pa")
    assert line == "xe vm-pa" and "vm-pause" in shown and "vm-param-list" in shown
    assert zsh.line("xe vm-start nonsense=x")[0] == "xe vm-start nonsense=x"


def fish(xe, folder, line):
    """What fish offers behind a line, without what it says of it."""
    env = {**xe.env, "PATH": f"{PROGRAMS['xe'].parent}:{xe.env['PATH']}", "XDG_CONFIG_HOME": str(folder), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(["fish", "--private", "-c", 'complete -C "$argv[1]"', line], env=env, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, ""), done
    return [offer.split("\t")[0] for offer in done.stdout.splitlines()]


def test_fish(xe, vm, tmp_path):
    (tmp_path / "fish/completions").mkdir(parents=True)
    (tmp_path / "fish/completions/xe.fish").write_text(xe("completion", "fish"))
    assert fish(xe, tmp_path, "xe vm-rese") == ["vm-reset-powerstate"]
    assert fish(xe, tmp_path, "xe -s far vm-unp") == ["vm-unpause"]
    assert fish(xe, tmp_path, "xe vdi-create virt") == ["virtual-size="]
    assert fish(xe, tmp_path, "xe vdi-create sm") == ["sm-config:"]
    assert fish(xe, tmp_path, f"xe vm-destroy uuid={vm[:20]}") == [f"uuid={vm}"]
    assert fish(xe, tmp_path, "xe vm-start vm=two") == ["vm=two words"]
    assert fish(xe, tmp_path, "xe vm-list params=uuid,power") == ["params=uuid,power-state"]
    assert {"vm-pause", "vm-param-list"} <= set(fish(xe, tmp_path, "xe vm-pa"))
    assert {"vm-start", "help", "top"} <= set(fish(xe, tmp_path, "xe "))
