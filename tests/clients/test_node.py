# SPDX-License-Identifier: LGPL-2.1-or-later
"""Clients from npm, each unmodified: the stories are what the .mjs files here export."""

import re

import pytest

from conftest import HERE


def stories():
    for path in sorted(HERE.glob("*_*.mjs")):
        for name in re.findall(r"^export async function (\w+)", path.read_text(), re.M):
            yield pytest.param(path.name, name, id=f"{path.stem}-{name}")


@pytest.mark.parametrize("file,story", stories())
def test_story(daemons, node, file, story):
    node.tell(daemons, file, story)
