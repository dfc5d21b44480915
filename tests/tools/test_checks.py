# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each house check is quiet about a sound tree and speaks up about what it is for."""

import glob
import os
import shutil
import subprocess

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SPDX = "/* SPDX-License-Identifier: LGPL-2.1-or-later */\n"
SOUND_HEADER = SPDX + "#pragma once\n\n#include <stddef.h>\n\nsize_t rock_weight(void);\n"
SOUND_SOURCE = SPDX + '#include "base/rock.h"\n\nstatic const char *const names[] = {"a"};\nstatic struct list *find(int n);\nstatic const int n;\n\nsize_t rock_weight(void)\n{\n    return 7;\n}\n'


@pytest.fixture
def tree(tmp_path):
    """A small repository with one sound module and the checks."""
    os.makedirs(tmp_path / "tools")
    for path in glob.glob(f"{ROOT}/tools/check*.py"):
        shutil.copy(path, tmp_path / "tools")
    for name in (".clang-format", ".gitignore"):
        shutil.copy(f"{ROOT}/{name}", tmp_path)
    write(tmp_path, "tools/size-allow.txt", "")
    write(tmp_path, "src/base/rock.h", SOUND_HEADER)
    write(tmp_path, "src/base/rock.c", SOUND_SOURCE)
    write(tmp_path, "src/base/meson.build", "# SPDX-License-Identifier: LGPL-2.1-or-later\nlib = static_library('base', 'rock.c')\n")
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    return tmp_path


def write(tree, path, text):
    os.makedirs(os.path.dirname(tree / path), exist_ok=True)
    (tree / path).write_text(text)


def check(tree, name):
    done = subprocess.run(["/usr/bin/python3", f"tools/check-{name}.py"], cwd=tree, capture_output=True, text=True)
    assert done.stderr == ""
    return done.returncode, done.stdout


def body(*lines):
    return SPDX + '#include "base/rock.h"\n\nvoid rock_roll(void)\n{\n' + "".join(f"    {line}\n" for line in lines) + "}\n"


WRONG = [
    ("layers", "src/base/roll.c", SPDX + '#include "api/vm.h"\n', "base may not include api"),
    ("layers", "src/base/roll.c", SPDX + '#include "rock.h"\n', "write the path from src/"),
    ("layers", "src/lava/flow.c", SPDX, "folder lava has no line"),
    ("built", "src/base/roll.c", SPDX, "no meson.build names it"),
    ("banned", "src/base/roll.c", body("strcpy(a, b);"), "roll.c:6: strcpy()"),
    ("banned", "src/base/roll.c", body('system("true");'), "no shell"),
    ("banned", "src/base/roll.c", body("posix_spawn(0, 0, 0, 0, 0, 0);"), "base/spawn.h only"),
    ("banned", "src/base/roll.c", body("int fd = open(path, O_RDONLY);"), "without O_CLOEXEC"),
    ("banned", "src/base/roll.c", body("int fd = accept(s, NULL, NULL);"), "use accept4"),
    ("banned", "src/base/roll.c", body("return malloc(7);"), "unchecked"),
    ("banned", "src/base/roll.c", body("signal(SIGTERM, rock_roll);"), "use sigaction"),
    ("globals", "src/base/roll.c", SPDX + "static int rolls;\n", "roll.c:2: rolls belongs to the process"),
    ("globals", "src/base/roll.c", SPDX + "static const char *name = 0;\n", "roll.c:2: name belongs"),
    ("globals", "src/base/roll.c", SPDX + "static struct {\n    int n;\n} all = {1};\n", "roll.c:2: all belongs"),
    ("globals", "src/base/roll.c", body("static unsigned long count[3];"), "roll.c:6: count belongs"),
    ("spdx", "src/base/roll.c", "void rock_roll(void);\n", "first line must be"),
    ("spdx", "tools/roll.sh", "#!/bin/sh\n", "no 'SPDX"),
    ("headers", "src/base/roll.h", SPDX + "#pragma once\nsize_t rolls(void);\n", "does not compile alone"),
    ("format", "src/base/roll.c", SPDX + "int  a ;\n", "roll.c:2: not laid out"),
    ("size", "src/base/roll.c", body(*["rock_weight();"] * 61), "rock_roll has 61 lines, at most 60"),
    ("size", "src/base/roll.c", SPDX + "\n" * 700, "has 701 lines, at most 700"),
    ("size", "tools/size-allow.txt", "src/base/rock.c:rock_weight 90\n", "short enough now: remove the entry"),
    ("names", "docs/a.md", "see /work" + "/main/x\n", "path of one machine"),
    ("names", "docs/a.md", "from pypi" + ".org\n", "host of a package registry"),
    ("python", "gen/a.py", "import numpy\n", "numpy is not in the standard library"),
    ("python", "gen/a.py", "def (:\n", "a.py:1"),
    ("docs", "docs/a.md", "[there](gone.md)\n", "leads nowhere"),
    ("docs", "docs/man/a.1", ".Dd today\n.XX\n", "docs/man/a.1"),
]


@pytest.mark.parametrize("name, path, text, message", WRONG, ids=[f"{row[0]}-{number}" for number, row in enumerate(WRONG)])
def test_check_finds(tree, name, path, text, message):
    assert check(tree, name) == (0, "")
    write(tree, path, text)
    status, output = check(tree, name)
    assert status == 1
    assert message in output


RIGHT = [
    ("banned", body("/* strcpy(a, b) is banned */", 'rock_say("system(1)");', "rock->open(1);", "rock.dup(2);", "signal(SIGPIPE, SIG_IGN);")),
    ("banned", body("int fd = open(path, O_RDONLY | O_CLOEXEC);", "int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);")),
    ("size", body(*["rock_weight();"] * 60)),
]


@pytest.mark.parametrize("name, text", RIGHT)
def test_check_accepts(tree, name, text):
    write(tree, "src/base/roll.c", text)
    assert check(tree, name) == (0, "")


def test_a_list_of_allowed_lengths_only_shrinks(tree):
    write(tree, "src/base/roll.c", body(*["rock_weight();"] * 70))
    write(tree, "tools/size-allow.txt", "src/base/roll.c:rock_roll 70\n")
    assert check(tree, "size") == (0, "")
    write(tree, "src/base/roll.c", body(*["rock_weight();"] * 65))
    status, output = check(tree, "size")
    assert status == 1
    assert "has 65 lines now: lower the entry" in output
