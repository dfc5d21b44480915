# SPDX-License-Identifier: LGPL-2.1-or-later
"""A tiny schema that is in order, and a way to spoil it."""

import os
import sys

import pytest

GEN = os.path.join(os.path.dirname(__file__), "..", "..", "gen")
sys.path.insert(0, os.path.abspath(GEN))

SHAKE = "[messages.shake]\n"  # of Box

# One that is like it.
NUDGE = """
[messages.nudge]
doc = "Shakes it once."
params = [{ name = "box", type = "ref:Box" }]
roles = "admin+"
since = "rio"
body = "read"
test = "x::y"
"""

FILES = {
    "roles.toml": """
[roles.admin]
uuid = "1"
[roles.reader]
uuid = "2"
[sets]
"local-root" = []
"admin+" = ["admin"]
"read-only+" = ["admin", "reader"]
""",
    "releases.toml": """
[rio]
api = "1.1"
""",
    "enums.toml": """
[color]
values = ["red", "green"]
""",
    "errors.toml": """
[BROKEN]
doc = "It is broken."
params = ["what"]
""",
    "classes/Box.toml": """
[class]
name = "Box"
doc = "A box."
since = "rio"
in_database = true
create_destroy = true
roles = "admin+"

[fields.uuid]
type = "string"
q = "DynamicRO"
doc = "Its identity."
since = "rio"

[fields.color]
type = "enum:color"
q = "RW"
doc = "Its color."
since = "rio"

[fields.labels]
type = "map:string:string"
q = "RW"
default = {}
doc = "Labels."
since = "rio"

[fields.balls]
type = "set:ref:Ball"
q = "DynamicRO"
doc = "What is in it."
since = "rio"
computed = true
inverse = "Ball.box"

[fields.weight]
type = "int"
q = "DynamicRO"
default = 0
doc = "With all that is in it."
since = "rio"
derived = "weight"
depends = ["color", "balls.weight", "labels/heavy"]

[messages.shake]
doc = "Shakes it."
params = [
    { name = "box", type = "ref:Box" },
    { name = "times", type = "int", default = 1 },
]
async = true
roles = "admin+"
errors = ["BROKEN"]
since = "rio"
""",
    "classes/Ball.toml": """
[class]
name = "Ball"
doc = "A ball."
since = "rio"
in_database = true
roles = "admin+"

[fields.uuid]
type = "string"
q = "DynamicRO"
doc = "Its identity."
since = "rio"

[fields.box]
type = "ref:Box"
q = "StaticRO"
doc = "The box it is in."
since = "rio"
inverse = "Box.balls"
on_delete = "cascade"

[fields.weight]
type = "int"
q = "RW"
default = 7
doc = "How heavy it is."
since = "rio"
""",
    "host/box.toml": """
[structs.lid]
doc = "A lid."
fields = [{ name = "open", type = "bool", default = false }]

[calls.box_open]
doc = "Opens a box."
args = [{ name = "lids", type = "set:record:lid" }]
""",
}


class Tiny:
    """The tiny schema on disk. spoil() replaces text in a file, problems() reads it."""

    def __init__(self, folder):
        self.folder = folder
        for name, text in FILES.items():
            self.write(name, text)

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def spoil(self, name, old, new):
        text = (self.folder / name).read_text(encoding="utf-8")
        assert old in text, f"{old!r} is not in {name}"
        self.write(name, text.replace(old, new, 1))

    def append(self, name, text):
        path = self.folder / name
        old = path.read_text(encoding="utf-8") if path.exists() else ""
        self.write(name, old + text)

    def problems(self):
        import main

        return main.build(str(self.folder)).problems.texts


@pytest.fixture
def tiny(tmp_path):
    return Tiny(tmp_path)
