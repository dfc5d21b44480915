# SPDX-License-Identifier: LGPL-2.1-or-later
"""Default values: checks them against a type and writes them as C initialisers."""

import calendar
import re

import cname

NULL_REFS = ("", "OpaqueRef:NULL")


class BadValue(Exception):
    """A default that does not fit its type."""


def zero(t):
    """What a value of type t is when nothing is said."""
    return {"STRING": "", "SECRET": "", "REF": "", "INT": 0, "FLOAT": 0.0, "BOOL": False,
            "DATETIME": "19700101T00:00:00Z", "SET": [], "MAP": {}, "ENUM": None,
            "OPTION": None, "ANY": None}[t.kind]


def _epoch(text):
    m = re.fullmatch(r"(\d{4})(\d\d)(\d\d)T(\d\d):(\d\d):(\d\d)Z", text)
    if not m:
        raise BadValue(f"'{text}' is no datetime")
    return calendar.timegm(tuple(int(x) for x in m.groups()))


def initialiser(t, value, enums):
    """A constant C initialiser for value; raises BadValue if it does not fit."""
    kind = t.kind
    if kind in ("STRING", "SECRET"):
        return cname.c_string(_need(t, value, str))
    if kind == "REF":
        text = _need(t, value, str)
        return "REF_NULL" if text in NULL_REFS else cname.c_string(text)
    if kind == "BOOL":
        return "true" if _need(t, value, bool) else "false"
    if kind == "INT":
        return _int(_need(t, value, int))
    if kind == "FLOAT":
        return repr(float(_need(t, value, (int, float))))
    if kind == "DATETIME":
        return _int(_epoch(_need(t, value, str)))
    if kind == "ENUM":
        return _enum(t, value, enums)
    if kind == "SET":
        return _set(t, _need(t, value, list), enums)
    if kind == "MAP":
        return _map(t, _need(t, value, dict), enums)
    if kind in ("OPTION", "ANY") and value is None:
        return "NULL"
    raise BadValue(f"a {t.text} cannot have a default")


def _int(value):
    if value == -(2**63):
        return "INT64_MIN"
    return f"INT64_C({value})" if abs(value) >= 2**31 else str(value)


def _need(t, value, kinds):
    if not isinstance(value, kinds) or (isinstance(value, bool) and kinds is not bool):
        raise BadValue(f"{value!r} is no {t.text}")
    return value


def _enum(t, value, enums):
    enum = enums.get(t.name)
    if value is None:
        value = enum.values[0]
    if value not in enum.values:
        raise BadValue(f"{value!r} is no {t.text}")
    return cname.enum_value(t.name, value)


def _array(t, items):
    inner = cname.c_type(t)
    item = inner + "const" if inner.endswith("*") else "const " + inner.strip()
    return f"({item}[]){{{', '.join(items)}}}"


def _set(t, value, enums):
    if not value:
        return "{0}"
    items = [initialiser(t.elem, v, enums) for v in value]
    return f"{{{len(items)}, {_array(t.elem, items)}}}"


def _map(t, value, enums):
    if not value:
        return "{0}"
    keys = [initialiser(t.key, k, enums) for k in value]
    values = [initialiser(t.elem, v, enums) for v in value.values()]
    return f"{{{len(keys)}, {_array(t.key, keys)}, {_array(t.elem, values)}}}"
