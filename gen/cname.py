# SPDX-License-Identifier: LGPL-2.1-or-later
"""How names of the schema become names of C. Nothing else spells a C name."""

import re

_KEYWORDS = set(
    """auto break case char const continue default do double else enum extern float for goto if
    inline int long register restrict return short signed sizeof static struct switch typedef union
    unsigned void volatile while asm typeof bool true false linux unix errno stdin stdout stderr
    assert NULL""".split()
)


def ident(name):
    """Any text as an identifier."""
    text = re.sub(r"[^A-Za-z0-9_]+", "_", name).strip("_") or "none"
    if text[0].isdigit():
        text = "_" + text
    return text


def member(name):
    """A struct member or parameter; C keywords get a leading underscore."""
    name = ident(name)
    return "_" + name if name in _KEYWORDS else name


def upper(name):
    return ident(name).upper()


def lower(name):
    return ident(name).lower()


def class_id(name):
    return "CLASS_" + upper(name) if name else "CLASS_NONE"


def rec(name):
    """Tag of the struct of a class."""
    return lower(name) + "_rec"


def rec_of(t):
    """Tag of the struct a record type stands for."""
    return f"host_{lower(t.name)}_rec" if t.host else rec(t.name)


def _not_max(text):
    """MAX is the number of enumerators."""
    return "MAX_" if text == "MAX" else text


def field_id(cls, field):
    return f"{upper(cls)}_F_{_not_max(upper(field))}"


def msg_id(cls, msg):
    return f"MID_{upper(cls)}_{upper(msg)}"


def msg_base(cls, msg):
    return f"{lower(cls)}_{lower(msg)}"


def enum_value(enum, value):
    return f"{upper(enum)}_{_not_max(upper(value))}"


def _part(t):
    """One word per type; all references look alike, so do all enums."""
    if t.kind == "SET":
        return "set_" + _part(t.elem)
    if t.kind == "MAP":
        return f"map_{_part(t.key)}_{_part(t.elem)}"
    if t.kind == "OPTION":
        return "option_" + _part(t.elem)
    if t.kind == "RECORD":
        return rec_of(t)
    return t.kind.lower()


def twin(t):
    """Tag of the typed twin of struct set or struct map for this type."""
    return _part(t)


def c_type(t):
    """C type of one value of type t, ready to be followed by a name."""
    if t.kind in ("STRING", "SECRET", "REF"):
        return "const char *"
    if t.kind in ("INT", "DATETIME"):
        return "int64_t "
    if t.kind == "FLOAT":
        return "double "
    if t.kind == "BOOL":
        return "bool "
    if t.kind == "ENUM":
        return "int "
    if t.kind in ("SET", "MAP"):
        return f"struct {twin(t)} "
    if t.kind == "RECORD":
        return f"struct {rec_of(t)} "
    if t.kind == "ANY":
        return "struct json_t *"
    if t.kind == "OPTION":
        return pointer_to(t.elem)
    raise AssertionError(t.text)


def pointer_to(t):
    """C type of a pointer to unchangeable values of type t."""
    inner = c_type(t)
    if inner.endswith("*"):
        return inner + "const *"
    return "const " + inner + "*"


def out_pointer(t):
    """C type of a result parameter of type t."""
    inner = c_type(t)
    return inner + "*"


def type_var(t):
    """Name of the descriptor of a type."""
    host = any(inner.host for inner in t.walk())
    return ("host_type_" if host else "type_") + ident(t.text)


def c_string(text):
    out = []
    for ch in text:
        if ch in '"\\':
            out.append("\\" + ch)
        elif ch == "\n":
            out.append("\\n")
        elif ch == "\t":
            out.append("\\t")
        elif ord(ch) < 32 or ord(ch) == 127:
            out.append(f"\\{ord(ch):03o}")
        else:
            out.append(ch)
    return '"' + "".join(out) + '"'
