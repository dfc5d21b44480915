# SPDX-License-Identifier: LGPL-2.1-or-later
"""The small language of types: "map:string:ref:VM" read from left to right.

parse() turns a text into a Type or raises TypeError_ with the reason. The rest
of the generator never looks at the text again.
"""

from dataclasses import dataclass

SCALARS = {
    "void": "VOID",
    "string": "STRING",
    "secretstring": "SECRET",
    "int": "INT",
    "float": "FLOAT",
    "bool": "BOOL",
    "datetime": "DATETIME",
    "any": "ANY",
}


class TypeText(Exception):
    """A text that is no type."""


@dataclass(frozen=True)
class Type:
    kind: str  # as in enum kind, without K_
    text: str
    name: str = ""  # REF and RECORD: class or struct; ENUM: enum
    host: bool = False  # RECORD: a struct of the host protocol, not a class
    key: "Type | None" = None
    elem: "Type | None" = None

    def walk(self):
        """This type and all it is made of, inner ones first."""
        if self.key:
            yield from self.key.walk()
        if self.elem:
            yield from self.elem.walk()
        yield self

    @property
    def is_ref(self):
        return self.kind == "REF"

    @property
    def ref_class(self):
        """The class a REF or SET of REF leads to, or ""."""
        if self.kind == "REF":
            return self.name
        if self.kind == "SET" and self.elem.kind == "REF":
            return self.elem.name
        return ""


def parse(text):
    if not isinstance(text, str):
        raise TypeText(f"a type is a text, not {text!r}")
    words = text.split(":")
    type_, rest = _parse(words, text)
    if rest:
        raise TypeText(f"unknown type '{text}': '{':'.join(rest)}' is left over")
    return type_


def _parse(words, whole):
    if not words:
        raise TypeText(f"unknown type '{whole}': it ends too early")
    head, rest = words[0], words[1:]
    if head in SCALARS:
        return Type(SCALARS[head], head), rest
    if head in ("ref", "enum", "record"):
        if not rest:
            raise TypeText(f"unknown type '{whole}': {head} needs a name")
        return Type(head.upper(), f"{head}:{rest[0]}", rest[0]), rest[1:]
    if head in ("set", "option"):
        elem, rest = _parse(rest, whole)
        return Type(head.upper(), f"{head}:{elem.text}", elem=elem), rest
    if head == "map":
        key, rest = _parse(rest, whole)
        elem, rest = _parse(rest, whole)
        return Type("MAP", f"map:{key.text}:{elem.text}", key=key, elem=elem), rest
    raise TypeText(f"unknown type '{whole}': no '{head}'")
