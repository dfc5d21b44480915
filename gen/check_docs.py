# SPDX-License-Identifier: LGPL-2.1-or-later
"""Everything has a sentence of its own, or stands on the shrinking list of what still lacks one.

"C.f" is a field, "C.m()" a message, "error E" an error. Classes, our own fields and the host
protocol must be documented from the start; so must a message that works.
"""

LIST = "undocumented.txt"


def members(schema):
    """Name on the list -> (documented, where it stands, works)."""
    found = {}
    for cls in schema.classes.values():
        for f in cls.fields:
            if not f.internal:
                found[f.where] = (bool(f.doc), f"{cls.file}: [fields.{f.name}]", False)
        for m in cls.messages:
            if not m.implicit:
                works = bool(m.body or m.refuse)
                found[m.where] = (bool(m.doc), f"{cls.file}: [messages.{m.name}]", works)
    for e in schema.errors.values():
        found[f"error {e.name}"] = (bool(e.doc), f"errors.toml: [{e.name}]", False)
    return found


def run(schema):
    for cls in schema.classes.values():
        if not cls.doc:
            schema.problems.add(f"{cls.file}: [class]", "is not documented")
        for f in cls.fields:
            if f.ours and not f.doc:
                schema.problems.add(f"{cls.file}: [fields.{f.name}]", "is not documented")
    for kind, things in (("structs", schema.host.structs), ("calls", schema.host.calls)):
        for thing in things.values():
            if not thing.doc:
                schema.problems.add(f"host: [{kind}.{thing.name}]", "is not documented")
    for name, action in schema.http.items():
        if action.get("test") and not action.get("doc"):
            schema.problems.add(f"http.toml: [{name}]", "works but is not documented")
    found = members(schema)
    listed = set()
    for name in schema.undocumented:
        if name in listed:
            schema.problems.add(LIST, f"'{name}' is there twice")
        elif name not in found:
            schema.problems.add(LIST, f"'{name}' does not exist, remove it from the list")
        elif found[name][0]:
            schema.problems.add(LIST, f"'{name}' is documented, remove it from the list")
        listed.add(name)
    for name, (documented, where, works) in found.items():
        if documented:
            continue
        if works:
            schema.problems.add(where, "works but is not documented")
        elif name not in listed:
            schema.problems.add(where, "is not documented")
