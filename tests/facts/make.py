#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes messages.txt: what is known of every XenAPI message, independent of schema/.

Reads a schema.json: the data model of xapi-project/xen-api (commit in its `meta`) as data, with the keys `roles`, `enums`
and `classes[].{fields,messages,implicit_messages}`. Takes names, types, defaults, roles and flags, no text. How a line
is made up stands at the head of the output; facts.py reads it.

usage: tests/facts/make.py SCHEMA.JSON >tests/facts/messages.txt
"""

import json
import sys

HEAD = """\
# SPDX-License-Identifier: LGPL-2.1-or-later
# The messages of the XenAPI. Made by make.py from the data model of {source}, commit {source_commit}.
# Separated by tabs; types read from left to right (set:ref:VM); a default is JSON.
# role     set, roles in it
# enum     name, values
# field    class, name, type, name in the database; those that a record has
# ctor     class, member of create's argument: type, default unless it must be given
# key      message, key of the map (* = all that begin so), role set
# message  name, kind ("explicit" or of which implicit sort), flags, role set, result, parameters
#          flags: a = Async too, r = removed, s = takes no session, p = for sessions between hosts only
"""
FLAGS = (("a", lambda m: m["async"]), ("r", lambda m: m.get("state") == "removed"),
         ("s", lambda m: m.get("session") is False), ("p", lambda m: m.get("pool_internal", False)))


def typed(p):
    text = f"{p['name']} {p['type']}"
    return f"{text}={json.dumps(p['default'])}" if "default" in p else text


def lines(data):
    for name, roles in data["role_sets"].items():
        yield "role", name, *roles
    for name, enum in data["enums"].items():
        yield "enum", name, *enum["values"]
    for cls in data["classes"]:
        for f in cls["fields"]:
            if not f.get("internal"):
                yield "field", cls["name"], f["name"], f["type"], f.get("db_column", f["name"])
            if f.get("ctor"):
                yield "ctor", cls["name"], typed(f)
        for m in cls["messages"] + cls["implicit_messages"]:
            name = f"{cls['name']}.{m['name']}"
            for key, roles in m.get("key_roles", {}).items():
                yield "key", name, key, roles
            flags = "".join(letter for letter, has in FLAGS if has(m))
            yield "message", name, m.get("kind", "explicit"), flags, m["roles"], m["result"], *map(typed, m["params"])


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        data = json.load(file)
    sys.stdout.write(HEAD.format_map(data["meta"]))
    for line in lines(data):
        assert not any("\t" in part or "\n" in part for part in line), line
        print("\t".join(line))


if __name__ == "__main__":
    main()
