# SPDX-License-Identifier: LGPL-2.1-or-later
"""What messages.txt says of the XenAPI, and values that fit a type or do not."""

import json
from dataclasses import dataclass, field
from pathlib import Path

NULL = "OpaqueRef:NULL"
ABSENT = object()


@dataclass
class Param:
    name: str
    type: str
    default: object = ABSENT


@dataclass
class Message:
    name: str
    kind: str
    flags: str
    roles: set
    result: str
    params: list
    key_roles: dict = field(default_factory=dict)

    @property
    def cls(self):
        return self.name.partition(".")[0]

    @property
    def member(self):
        """The field of get_F, set_F, add_to_F ..."""
        name = self.name.partition(".")[2]
        for prefix in ("get_", "set_", "add_to_", "remove_from_", "add_", "remove_"):
            if name.startswith(prefix):
                return name[len(prefix):]
        return name

    @property
    def required(self):
        return sum(p.default is ABSENT for p in self.params)

    def has(self, flag):
        return flag in self.flags


class Facts:
    def __init__(self, path=Path(__file__).parent / "messages.txt"):
        self.role_sets, self.enums, self.fields, self.columns, self.ctors, self.messages = {}, {}, {}, {}, {}, {}
        for line in path.read_text(encoding="utf-8").splitlines():
            if not line.startswith("#"):
                what, *words = line.split("\t")
                getattr(self, "_" + what)(*words)
        self.classes = sorted({m.cls for m in self.messages.values()})

    def _role(self, name, *roles):
        self.role_sets[name] = set(roles)

    def _enum(self, name, *values):
        self.enums[name] = values

    def _field(self, cls, name, type_, column):
        self.fields.setdefault(cls, {})[name] = type_
        self.columns[cls, name] = column

    def _ctor(self, cls, param):
        self.ctors.setdefault(cls, []).append(_param(param))

    def _key(self, message, key, roles):
        self._keys = getattr(self, "_keys", {})
        self._keys.setdefault(message, {})[key] = self.role_sets[roles]

    def _message(self, name, kind, flags, roles, result, *params):
        self.messages[name] = Message(name, kind, flags, self.role_sets[roles], result, [_param(p) for p in params],
                                      getattr(self, "_keys", {}).get(name, {}))

    def filler(self, type_, ref=NULL):
        """The dullest JSON value of the type."""
        head, _, rest = type_.partition(":")
        simple = {"string": "x", "secretstring": "x", "int": 0, "float": 0.0, "bool": False, "ref": ref,
                  "datetime": "19700101T00:00:00Z", "set": [], "map": {}}
        if head == "enum":
            return self.enums[rest][0]
        if head == "option":
            return self.filler(rest, ref)
        if head == "record":
            return {p.name: self.filler(p.type, ref) for p in self.ctors.get(rest, [])}
        return simple[head]

    def wrong(self, type_):
        """JSON values that are none of the type."""
        head, _, rest = type_.partition(":")
        if head == "set":
            return ["no set", {}] + [[v] for v in self.wrong(rest)[:1]]
        if head == "map":
            key, value = split(rest)
            bad_key = [{"no such": self.filler(value)}] if key.startswith("enum") or key == "int" else []
            return ["no map", []] + bad_key + [{self.filler(key) if key != "int" else "0": v} for v in self.wrong(value)[:1]]
        return {"string": [5, {}], "secretstring": [5, []], "ref": [5, []], "int": ["seven", []], "float": ["much", {}],
                "bool": [[], {}], "datetime": ["tomorrow", []], "enum": ["no such value", 5], "record": ["no record", []],
                "option": [[]]}[head]

    def fits(self, type_, value):
        """Whether a JSON answer is of the type."""
        head, _, rest = type_.partition(":")
        if head == "set":
            return isinstance(value, list) and all(self.fits(rest, v) for v in value)
        if head == "map":
            key, inner = split(rest)
            return isinstance(value, dict) and all(
                (self.fits(key, k) or key == "int" and k.lstrip("-").isdigit()) and self.fits(inner, v)
                for k, v in value.items())
        if head == "enum":
            return value in self.enums[rest]
        if head == "ref":
            return isinstance(value, str) and value.startswith("OpaqueRef:") or value == ""
        if head == "record":
            return isinstance(value, dict)
        if head == "option":
            return value is None or self.fits(rest, value)
        if head == "int":
            return isinstance(value, int) and not isinstance(value, bool)
        if head == "datetime":
            return isinstance(value, str) and len(value) == 18 and value[8] == "T" and value[-1] == "Z"
        return isinstance(value, {"string": str, "secretstring": str, "float": (int, float), "bool": bool, "void": str}[head])


def split(text):
    """ "ref:VM:string" -> ("ref:VM", "string"): the key and the value of a map. """
    words = text.split(":")
    n = 2 if words[0] in ("ref", "enum", "record") else 1
    return ":".join(words[:n]), ":".join(words[n:])


def _param(text):
    text, eq, default = text.partition("=")
    name, type_ = text.split(" ")
    return Param(name, type_, json.loads(default) if eq else ABSENT)
