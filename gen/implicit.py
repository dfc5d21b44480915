# SPDX-License-Identifier: LGPL-2.1-or-later
"""Derives the implicit messages (get_record, set_F, add_to_F ...) that no file lists.

The rules are those of the XenAPI. Order: record access, the calls of each field, then the calls on
the whole class.
"""

from schema import Message, Param
from typetext import parse


def add(schema):
    """Appends the implicit messages to every class and applies [messages.X] overrides."""
    for cls in schema.classes.values():
        messages = _messages(cls) if cls.in_database else []
        known = {m.name: m for m in messages}
        for name, table in cls.overrides.items():
            where = f"{cls.file}: [messages.{name}]"
            if name not in known:
                schema.problems.add(where, "no such implicit message, and 'roles' is missing")
                continue
            for key, value in table.items():
                setattr(known[name], key, value)
        explicit = {m.name for m in cls.messages}
        for m in messages:
            if m.name in explicit:
                schema.problems.add(f"{cls.file}: [messages.{m.name}]",
                                    "is an implicit message, 'roles' must not be given")
        cls.messages.extend(messages)


def _messages(cls):
    self_ = Param("self", parse(f"ref:{cls.name}"))
    ref = f"ref:{cls.name}"
    record = f"record:{cls.name}"

    def whole(name, kind, params, result, roles=cls.read_roles, **more):
        return Message(cls=cls.name, name=name, kind=kind, params=params, result=parse(result),
                       roles=roles, state=cls.state, history=cls.history, **more)

    out = [
        whole("get_record", "GET_RECORD", [self_], record),
        whole("get_by_uuid", "GET_BY_UUID", [Param("uuid", parse("string"))], ref),
    ]
    if cls.create_destroy:
        args = Param("args", parse(record))
        change = {"roles": cls.roles, "async_": True, "effect": True}
        out.append(whole("create", "CREATE", [args], ref, **change))
        out.append(whole("destroy", "DESTROY", [self_], "void", **change))
    if cls.name_label:
        out.append(whole("get_by_name_label", "GET_BY_NAME_LABEL",
                         [Param("label", parse("string"))], f"set:{ref}"))
    for f in cls.fields:
        if not f.internal:
            out.extend(_field_messages(f, self_))
    if cls.get_all:
        expr = [Param("expr", parse("string"))]
        records = f"map:{ref}:{record}"
        out.append(whole("get_all", "GET_ALL", [], f"set:{ref}"))
        out.append(whole("get_all_where", "GET_ALL_WHERE", expr, f"set:{ref}", hidden=True))
        out.append(whole("get_all_records_where", "GET_ALL_RECORDS_WHERE", expr, records,
                         hidden=True))
        out.append(whole("get_all_records", "GET_ALL_RECORDS", [], records))
    return out


def _field_messages(f, self_):
    def access(prefix, kind, params, result="void", roles=f.set_roles, **more):
        return Message(cls=f.cls, name=prefix + f.name, kind=kind, params=[self_, *params],
                       result=parse(result), roles=roles, field=f, state=f.state,
                       history=f.history, **more)

    yield access("get_", "GET_FIELD", [], f.type.text, f.get_roles)
    if f.q != "RW" or f.computed:
        return
    yield access("set_", "SET_FIELD", [Param("value", f.type)])
    if f.type.kind == "SET":
        element = [Param("value", f.type.elem)]
        yield access("add_", "ADD_FIELD", element)
        yield access("remove_", "REMOVE_FIELD", element)
    if f.type.kind == "MAP":
        key = Param("key", f.type.key)
        yield access("add_to_", "ADD_TO_FIELD", [key, Param("value", f.type.elem)],
                     key_roles=f.key_roles)
        yield access("remove_from_", "REMOVE_FROM_FIELD", [key], key_roles=f.key_roles)
