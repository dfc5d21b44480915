# SPDX-License-Identifier: LGPL-2.1-or-later
"""Refusals about the host protocol."""

import check_values

MAX_FDS = 16  # HOST_MAX_FDS


def run(schema):
    host = schema.host
    for name in host.enums:
        if name in schema.enums:
            schema.problems.add(f"host: [enums.{name}]", "the XenAPI has an enum of that name")
    for struct in host.structs.values():
        where = f"host: [structs.{struct.name}]"
        _members(schema, where, struct.fields)
        if _reaches(host, struct, struct.name, set()):
            schema.problems.add(where, "contains itself")
    for call in host.calls.values():
        where = f"host: [calls.{call.name}]"
        _members(schema, where, call.args)
        _members(schema, where, call.result)
        for key in ("fds_in", "fds_out"):
            if not 0 <= getattr(call, key) <= MAX_FDS:
                schema.problems.add(where, f"'{key}' must be 0 to {MAX_FDS}")
        if call.timeout < 0:
            schema.problems.add(where, "'timeout' must not be negative")


def _members(schema, where, params):
    check_values.params(schema, where, params, enums=schema.host.enums)
    for p in params:
        if p.type.kind == "VOID":
            schema.problems.add(where, f"member '{p.name}' is void")


def _reaches(host, struct, name, seen):
    """Does a struct hold another of its kind by value, at any depth?"""
    for p in struct.fields:
        if p.type.kind == "RECORD" and p.type.host:
            if p.type.name == name:
                return True
            if p.type.name not in seen:
                seen.add(p.type.name)
                if _reaches(host, host.structs[p.type.name], name, seen):
                    return True
    return False
