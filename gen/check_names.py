# SPDX-License-Identifier: LGPL-2.1-or-later
"""Names that differ in the schema must differ in C."""

import cname


class _Names:
    def __init__(self, problems):
        self.problems = problems
        self.owners = {}

    def claim(self, name, owner):
        other = self.owners.setdefault(name, owner)
        if other != owner:
            self.problems.add(owner, f"its C name {name} is also that of {other}")


def run(schema):
    constants = _Names(schema.problems)
    tags = _Names(schema.problems)
    for e in list(schema.enums.values()) + list(schema.host.enums.values()):
        tags.claim("enum " + cname.lower(e.name), f"enum {e.name}")
        constants.claim(f"{cname.upper(e.name)}_MAX", f"enum {e.name}")
        for v in e.values:
            constants.claim(cname.enum_value(e.name, v), f"enum {e.name} value '{v}'")
    for e in schema.errors.values():
        constants.claim(f"ERR_{cname.upper(e.name)}", f"error {e.name}")
    for cls in schema.classes.values():
        _class(cls, constants, tags)
    for s in schema.host.structs.values():
        tags.claim(f"host_{cname.lower(s.name)}_rec", f"host struct {s.name}")
    for c in schema.host.calls.values():
        tags.claim(f"host_{cname.lower(c.name)}_args", f"host call {c.name}")
        tags.claim(f"host_{cname.lower(c.name)}_result", f"host call {c.name}")


def _class(cls, constants, tags):
    constants.claim(cname.class_id(cls.name), f"class {cls.name}")
    tags.claim(cname.rec(cls.name), f"class {cls.name}")
    columns = {}
    members = {}
    constants.claim(f"{cname.upper(cls.name)}_F_MAX", f"class {cls.name}")
    for f in cls.fields:
        constants.claim(cname.field_id(cls.name, f.name), f"field {f.where}")
        for seen, name in ((columns, f.column), (members, cname.member(f.name))):
            if seen.setdefault(name, f.name) != f.name:
                constants.problems.add(f"field {f.where}",
                                       f"'{name}' is also the name of field '{seen[name]}'")
    for m in cls.messages:
        constants.claim(cname.msg_id(cls.name, m.name), f"message {m.where}")
        if m.has_args:
            tags.claim(cname.msg_base(cls.name, m.name) + "_args", f"message {m.where}")
