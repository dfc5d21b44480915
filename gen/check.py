# SPDX-License-Identifier: LGPL-2.1-or-later
"""Refusals that need the whole schema: names that lead nowhere, ends that disagree, gaps.

Each sentence is exact and tested in tests/gen; a new rule comes with its test.
"""

import check_clients
import check_docs
import check_host
import check_names
import check_values
import depends
import xe

STATES = ("published", "prototyped", "deprecated", "removed")
CHANGES = STATES + ("changed", "extended")
QUALIFIERS = ("RW", "StaticRO", "DynamicRO")
ON_DELETE = ("refuse", "null", "cascade", "keep")
BODIES = ("read", "write", "plan", "park", "slow", "generic")
MAX_FIELDS = 256  # RECORD_MAX_FIELDS in value/value.h
MAX_DERIVED = 64  # bits of a mask in the store


def run(schema):
    for name, roles in schema.role_sets.items():
        for role in roles:
            if role not in schema.roles:
                schema.problems.add("roles.toml: [sets]", f"set '{name}': unknown role '{role}'")
    for name, roles in schema.permissions.items():
        _role_set(schema, f"roles.toml: [permissions] {name}", roles)
    for cls in schema.classes.values():
        _class(schema, cls)
    for name, table in schema.http.items():
        _role_set(schema, f"http.toml: [{name}]", table.get("roles", ""))
        for roles in table.get("sub_actions", {}).values():
            _role_set(schema, f"http.toml: [{name}]", roles)
    check_host.run(schema)
    check_names.run(schema)
    check_docs.run(schema)
    check_clients.run(schema)
    if not schema.problems.texts:
        xe.classes(schema)
        xe.commands(schema)
        xe.words(schema)
        xe.verbs(schema)
        xe.builtins(schema)
        xe.options(schema)


def _role_set(schema, where, name):
    if name not in schema.role_sets:
        schema.problems.add(where, f"unknown role set '{name}'")


def _life(schema, where, thing):
    if thing.state not in STATES:
        schema.problems.add(where, f"unknown state '{thing.state}'")
    for change in thing.history:
        if len(change) != 2 or change[0] not in CHANGES:
            schema.problems.add(where, f"unknown change '{' '.join(change)}' in 'history'")
        else:
            check_values.release(schema, where, change[1])


def _class(schema, cls):
    where = f"{cls.file}: [class]"
    _role_set(schema, where, cls.roles)
    _role_set(schema, where, cls.read_roles)
    _life(schema, where, cls)
    if cls.in_database and not cls.field("uuid"):
        schema.problems.add(where, "a class in the database needs the field 'uuid'")
    if cls.name_label and not cls.field("name_label"):
        schema.problems.add(where, "'name_label' needs the field 'name_label'")
    if cls.no_rows and not cls.in_database:
        schema.problems.add(where, "'no_rows' belongs to classes in the database")
    if len(cls.fields) > MAX_FIELDS:
        schema.problems.add(where, f"has more than {MAX_FIELDS} fields")
    if sum(1 for f in cls.fields if f.derived) > MAX_DERIVED:
        schema.problems.add(where, f"has more than {MAX_DERIVED} derived fields")
    for f in cls.fields:
        _field(schema, cls, f)
    seen = set()
    for m in cls.messages:
        if m.name in seen:
            schema.problems.add(f"{cls.file}: [messages.{m.name}]", "is there twice")
        seen.add(m.name)
        _message(schema, cls, m)


def _field(schema, cls, f):
    where = f"{cls.file}: [fields.{f.name}]"
    check_values.types(schema, where, f.type)
    check_values.default(schema, where, f)
    _life(schema, where, f)
    _role_set(schema, where, f.get_roles)
    _role_set(schema, where, f.set_roles)
    if f.q not in QUALIFIERS:
        schema.problems.add(where, f"unknown qualifier '{f.q}'")
    for roles in f.key_roles.values():
        _role_set(schema, where, roles)
    if f.key_roles and f.type.kind != "MAP":
        schema.problems.add(where, "'key_roles' belong to maps")
    if f.ours and not f.internal:
        schema.problems.add(where, "a field of ours must be internal")
    _storage(schema, where, f)
    if f.inverse:
        _inverse(schema, where, f)
    elif f.computed:
        schema.problems.add(where, "'computed' needs 'inverse'")
    _derived(schema, where, f)


def _storage(schema, where, f):
    stored_ref = f.type.ref_class and not f.computed
    if f.on_delete and f.on_delete not in ON_DELETE:
        schema.problems.add(where, f"unknown on_delete '{f.on_delete}'")
    if f.on_delete and not stored_ref:
        schema.problems.add(where, "'on_delete' belongs to stored references")
    if f.bad_ref not in ("error", "null"):
        schema.problems.add(where, f"unknown bad_ref '{f.bad_ref}'")
    if f.bad_ref == "null" and not stored_ref:
        schema.problems.add(where, "'bad_ref' belongs to stored references")
    target = schema.classes.get(f.type.ref_class)
    if target and target.soft and not f.soft and not f.in_inv:
        schema.problems.add(where, f"is stored, but class {target.name} is soft: a stored row "
                                   "would point at a lost one")


def _inverse(schema, where, f):
    cls, _, name = f.inverse.partition(".")
    other = schema.classes[cls].field(name) if cls in schema.classes else None
    if not other:
        schema.problems.add(where, f"'inverse' names no field: '{f.inverse}'")
        return
    if other.inverse != f.where:
        schema.problems.add(where, f"the ends of the relation disagree: {f.inverse} has inverse "
                                   f"'{other.inverse}'")
    elif f.type.ref_class != cls:
        schema.problems.add(where, f"its inverse is in {cls}, but it refers to "
                                   f"'{f.type.ref_class}'")
    elif f.computed == other.computed:
        both = "both ends" if f.computed else "neither end"
        schema.problems.add(where, f"{both} of the relation with {f.inverse} computed")
    elif f.computed and f.type.kind != "SET":
        schema.problems.add(where, "a computed field must be a set of references")


def _derived(schema, where, f):
    if not f.derived:
        if f.depends:
            schema.problems.add(where, "'depends' without 'derived'")
        if f.body:
            schema.problems.add(where, "'body' without 'derived'")
        return
    if f.computed or f.soft or f.q == "RW":
        schema.problems.add(where, "a derived field cannot be computed, soft or RW")
    if not f.depends:
        schema.problems.add(where, "'derived' needs 'depends'")
    for text in f.depends:
        try:
            depends.resolve(schema, schema.classes[f.cls], text)
        except depends.BadPath as e:
            schema.problems.add(where, f"bad path {e}")


def _message(schema, cls, m):
    where = f"{cls.file}: [messages.{m.name}]"
    if not m.implicit:
        check_values.params(schema, where, m.params)
        check_values.types(schema, where, m.result)
        _life(schema, where, m)
    _role_set(schema, where, m.roles)
    for roles in m.key_roles.values():
        _role_set(schema, where, roles)
    for code in m.errors:
        if code not in schema.errors:
            schema.problems.add(where, f"unknown error '{code}'")
    if m.refuse and m.refuse[0] not in schema.errors:
        schema.problems.add(where, f"unknown error '{m.refuse[0]}'")
    if m.args_of or m.body_of:
        _shared(schema, where, cls, m)
    _works(schema, where, m)


def _shared(schema, where, cls, m):
    key = "body_of" if m.body_of else "args_of"
    other = next((o for o in cls.messages if o.name == m.like), None)
    if m.args_of and m.body_of:
        schema.problems.add(where, "'body_of' is 'args_of' already")
    elif not m.has_body:
        schema.problems.add(where, f"'{key}' needs a body")
    elif not other or other.implicit or other is m or other.like != other.name:
        schema.problems.add(where, f"'{key}' names no message of its own: '{m.like}'")
    else:
        theirs = {p.name: p for p in other.params}
        mine = {p.name for p in m.params}
        for p in m.params:
            if p.name not in theirs or theirs[p.name].type != p.type:
                schema.problems.add(where, f"'{key}': {other.wire} has no parameter '{p.name}' of that type")
        for p in other.params:
            if p.name not in mine and not p.has_default:
                schema.problems.add(where, f"'{key}': {other.wire} needs '{p.name}'")
        if m.body_of and (m.body, m.result) != (other.body, other.result):
            schema.problems.add(where, f"'{key}': {other.wire} behaves otherwise")


def _works(schema, where, m):
    if m.body and m.body not in BODIES:
        schema.problems.add(where, f"unknown body '{m.body}'")
    if m.body == "generic" and m.kind not in ("CREATE", "DESTROY"):
        schema.problems.add(where, "only create and destroy can be generic by choice")
    if m.body and m.refuse:
        schema.problems.add(where, "has both a body and a refusal")
    if (m.body or m.refuse) and not m.test:
        schema.problems.add(where, "works without test: name one with test = \"FILE::NAME\"")
    if m.test and not m.body and not m.refuse and not m.generic:
        schema.problems.add(where, "has a test but no body")
    if m.inert and not m.body:
        schema.problems.add(where, "is inert but has no body")
    if m.cannot and not m.has_body:
        schema.problems.add(where, "'cannot' needs a body that checks; without one it is 'refuse'")
    if m.cannot and m.inert:
        schema.problems.add(where, "cannot succeed and be inert")
    if m.state == "removed" and (m.body or m.refuse):
        schema.problems.add(where, "is removed, it cannot have a body")
