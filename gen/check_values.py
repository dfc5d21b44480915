# SPDX-License-Identifier: LGPL-2.1-or-later
"""Refusals about types, defaults, parameters and releases, wherever they stand."""

import re

import values


def release(schema, where, name):
    if name not in schema.releases and not re.fullmatch(r"\d+\.\d+\.\d+(-next)?", name):
        schema.problems.add(where, f"unknown release '{name}'")


def types(schema, where, type_, enums=None):
    """Do the classes, enums and records a type names exist?"""
    enums = {**schema.enums, **(enums or {})}
    for t in type_.walk():
        if t.kind == "ENUM" and t.name not in enums:
            schema.problems.add(where, f"unknown enum '{t.name}'")
        if t.kind == "REF" and t.name not in schema.classes:
            schema.problems.add(where, f"unknown class '{t.name}'")
        if t.kind == "RECORD" and not t.host and t.name not in schema.classes:
            schema.problems.add(where, f"unknown record '{t.name}'")


def default(schema, where, thing, enums=None):
    """Does a default fit its type?"""
    if not thing.has_default:
        return
    try:
        values.initialiser(thing.type, thing.default, {**schema.enums, **(enums or {})})
    except values.BadValue as e:
        schema.problems.add(where, f"bad default: {e}")
    except AttributeError:  # an unknown enum, reported by types()
        pass


def params(schema, where, params_, enums=None):
    seen = set()
    optional = ""
    for p in params_:
        types(schema, f"{where}: parameter '{p.name}'", p.type, enums)
        default(schema, f"{where}: parameter '{p.name}'", p, enums)
        if p.name in seen:
            schema.problems.add(where, f"parameter '{p.name}' is there twice")
        seen.add(p.name)
        if p.since:
            release(schema, f"{where}: parameter '{p.name}'", p.since)
        if p.has_default:
            optional = optional or p.name
        elif optional and enums is None:
            schema.problems.add(where, f"parameter '{p.name}' has no default but follows "
                                       f"'{optional}', which has one")
