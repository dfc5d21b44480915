# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads schema/*.toml into plain objects.

Only the shape is judged here: known keys, right kinds of values, readable types. What needs the
whole schema at hand (does this class exist, do both ends agree) is judged in check.py.
Problems are collected, not raised, so that one run shows them all.
"""

import os
import tomllib
from dataclasses import dataclass, field as dc_field, replace

from typetext import Type, TypeText, parse

CLASS_KEYS = {
    "name": str, "doc": str, "state": str, "since": str, "history": list, "in_database": bool,
    "in_store": bool, "soft": bool, "events": bool, "create_destroy": bool, "get_all": bool,
    "name_label": bool, "roles": str, "read_roles": str, "no_rows": str,
}
FIELD_KEYS = {
    "type": str, "q": str, "default": None, "column": str, "state": str, "since": str,
    "history": list, "internal": bool, "ours": bool, "computed": bool, "inverse": str,
    "derived": str, "depends": list, "body": bool, "soft": bool, "on_delete": str, "bad_ref": str,
    "get_roles": str, "set_roles": str, "key_roles": dict, "set_has_effect": bool, "doc": str,
}
MESSAGE_KEYS = {
    "params": list, "result": str, "async": bool, "effect": bool, "roles": str, "key_roles": dict,
    "errors": list, "state": str, "since": str, "history": list, "hidden": bool,
    "pool_internal": bool, "secret": bool, "no_current_operations": bool, "custom_result": bool,
    "emergency": bool, "session": bool, "forward_to": str, "body": str, "test": str, "doc": str,
    "refuse": list, "inert": str, "cannot": str, "args_of": str, "body_of": str,
}
OVERRIDE_KEYS = {
    "body": str, "test": str, "doc": str, "refuse": list, "errors": list, "effect": bool,
    "inert": str, "cannot": str,
}
PARAM_KEYS = {"name": str, "type": str, "default": None, "since": str, "doc": str}
ENUM_KEYS = {"values": list, "exact": bool, "doc": dict}
ERROR_KEYS = {"params": list, "sent": list, "doc": str, "variadic": bool, "declared": bool}
HTTP_KEYS = {
    "method": str, "uri": str, "query": list, "roles": str, "sub_actions": dict,
    "rbac_checked": bool, "hidden": bool, "doc": str, "test": str, "cannot": str,
}
CLIENT_KEYS = {"doc": str, "messages": list}
ROLE_KEYS = {"uuid": str, "internal": bool, "doc": str}
HOST_FILE_KEYS = {"structs": dict, "calls": dict, "enums": dict}
STRUCT_KEYS = {"doc": str, "fields": list}
CALL_KEYS = {
    "doc": str, "args": list, "result": list, "fds_in": int, "fds_out": int, "timeout": int,
    "secret": bool, "body": bool,
}


class Problems:
    """What is wrong with the schema, as sentences."""

    def __init__(self):
        self.texts = []

    def add(self, where, text):
        self.texts.append(f"{where}: {text}")


@dataclass
class Field:
    cls: str
    name: str
    type: Type
    index: int
    q: str = "DynamicRO"
    default: object = None
    has_default: bool = False
    column: str = ""
    state: str = "published"
    history: list = dc_field(default_factory=list)
    internal: bool = False
    ours: bool = False
    computed: bool = False
    inverse: str = ""
    derived: str = ""
    depends: list = dc_field(default_factory=list)
    body: bool = False
    soft: bool = False
    on_delete: str = ""
    bad_ref: str = "error"
    get_roles: str = "read-only+"
    set_roles: str = ""
    key_roles: dict = dc_field(default_factory=dict)
    set_has_effect: bool = False
    doc: str = ""
    ctor: str = ""  # "", "required" or "optional"

    @property
    def where(self):
        return f"{self.cls}.{self.name}"

    @property
    def in_inv(self):
        """Lives in the trailing `inv` member: never stored, computed by the store."""
        return self.computed or bool(self.derived)


@dataclass
class Param:
    name: str
    type: Type
    default: object = None
    has_default: bool = False
    since: str = ""
    doc: str = ""


@dataclass
class Message:
    cls: str
    name: str
    kind: str  # as in enum message_kind, without MSG_
    params: list
    result: Type
    roles: str
    field: "Field | None" = None
    async_: bool = False
    effect: bool = False
    key_roles: dict = dc_field(default_factory=dict)
    errors: list = dc_field(default_factory=list)
    state: str = "published"
    history: list = dc_field(default_factory=list)
    hidden: bool = False
    pool_internal: bool = False
    secret: bool = False
    no_current_operations: bool = False
    custom_result: bool = False
    emergency: bool = False
    session: bool = True
    forward_to: str = ""
    body: str = ""
    refuse: list = dc_field(default_factory=list)
    test: str = ""
    inert: str = ""  # why the right answer is the empty success
    cannot: str = ""  # why the body can only check and refuse
    args_of: str = ""  # the message of this class whose struct of arguments it shares
    body_of: str = ""  # ... and whose body
    doc: str = ""

    @property
    def where(self):
        return f"{self.cls}.{self.name}()"

    @property
    def like(self):
        """The name of the message whose struct of arguments this one has; often its own."""
        return self.body_of or self.args_of or self.name

    @property
    def wire(self):
        return f"{self.cls}.{self.name}"

    @property
    def implicit(self):
        return self.kind != "EXPLICIT"

    @property
    def has_args(self):
        """Has an args struct (and a body, once one is written)."""
        return not self.implicit or self.kind in ("CREATE", "DESTROY") or self.has_body

    @property
    def has_body(self):
        return self.body not in ("", "generic")

    @property
    def generic(self):
        """Served by the rpc layer from the tables alone."""
        if self.body:
            return self.body == "generic"
        return self.implicit and self.kind not in ("CREATE", "DESTROY")


@dataclass
class Class:
    name: str
    file: str
    doc: str = ""
    state: str = "published"
    history: list = dc_field(default_factory=list)
    in_database: bool = False
    in_store: bool = False
    soft: bool = False
    events: bool = False
    create_destroy: bool = False
    get_all: bool = False
    name_label: bool = False
    roles: str = ""
    read_roles: str = "read-only+"
    no_rows: str = ""  # why nothing here makes an object of it
    fields: list = dc_field(default_factory=list)
    messages: list = dc_field(default_factory=list)  # explicit, then implicit (implicit.py)
    overrides: dict = dc_field(default_factory=dict)  # [messages.set_F] of implicit messages

    def field(self, name):
        for f in self.fields:
            if f.name == name:
                return f
        return None


@dataclass
class Enum:
    name: str
    values: list
    exact: bool = False
    doc: dict = dc_field(default_factory=dict)


@dataclass
class Error:
    name: str
    params: list  # labels that xe prints
    sent: list  # what is really sent, where the published list is not the truth
    doc: str = ""
    variadic: bool = False
    declared: bool = True


@dataclass
class Struct:
    """A struct of the host protocol, or the arguments or result of a call."""

    name: str
    doc: str
    fields: list  # of Param


@dataclass
class Call:
    """One call of the host protocol. The descriptors it passes are counted, not named."""

    name: str
    group: str
    doc: str
    args: list
    result: list
    fds_in: int = 0
    fds_out: int = 0
    timeout: int = 60
    secret: bool = False
    body: bool = False  # hostd has a body for it


@dataclass
class Host:
    structs: dict = dc_field(default_factory=dict)
    calls: dict = dc_field(default_factory=dict)
    enums: dict = dc_field(default_factory=dict)


@dataclass
class Schema:
    folder: str
    problems: Problems
    files: list = dc_field(default_factory=list)
    classes: dict = dc_field(default_factory=dict)
    enums: dict = dc_field(default_factory=dict)
    errors: dict = dc_field(default_factory=dict)
    roles: dict = dc_field(default_factory=dict)
    role_sets: dict = dc_field(default_factory=dict)
    permissions: dict = dc_field(default_factory=dict)
    releases: dict = dc_field(default_factory=dict)
    alerts: dict = dc_field(default_factory=dict)
    alert_prefixes: dict = dc_field(default_factory=dict)
    http: dict = dc_field(default_factory=dict)
    clients: dict = dc_field(default_factory=dict)
    undocumented: list = dc_field(default_factory=list)
    host: Host = dc_field(default_factory=Host)
    xe: dict = dc_field(default_factory=dict)


def load(folder):
    """The schema in a folder; what is wrong with it is in its problems."""
    s = Schema(folder, Problems())
    _load_enums(s)
    _load_roles(s)
    s.releases = _read(s, "releases.toml") or {}
    _load_errors(s)
    for name in _listing(s, "classes"):
        _load_class(s, os.path.join("classes", name))
    _load_alerts(s)
    _load_http(s)
    _load_clients(s)
    for name in _listing(s, "host"):
        _load_host(s, os.path.join("host", name))
    _mark_host_records(s.host)
    s.xe = _read(s, "xe.toml") or {}
    _load_undocumented(s)
    return s


def _listing(s, sub):
    try:
        names = sorted(os.listdir(os.path.join(s.folder, sub)))
    except FileNotFoundError:
        return []
    return [n for n in names if n.endswith(".toml")]


def _read(s, name):
    """One file as nested tables; None if there is none or it cannot be read."""
    path = os.path.join(s.folder, name)
    try:
        with open(path, "rb") as file:
            data = tomllib.load(file)
    except FileNotFoundError:
        return None
    except tomllib.TOMLDecodeError as e:
        s.problems.add(name, str(e))
        return None
    s.files.append(path)
    return data


def _keys(s, where, table, allowed):
    """Reports unknown keys and values of the wrong kind; answers whether the table is usable."""
    good = True
    if not isinstance(table, dict):
        s.problems.add(where, "must be a table")
        return False
    for key, value in table.items():
        if key not in allowed:
            s.problems.add(where, f"unknown key '{key}'")
            good = False
        elif allowed[key] and not isinstance(value, allowed[key]):
            s.problems.add(where, f"'{key}' must be a {allowed[key].__name__}")
            good = False
    return good


def _type(s, where, text):
    try:
        return parse(text)
    except TypeText as e:
        s.problems.add(where, str(e))
        return None


def _history(table):
    if "since" in table:
        return [("published", table["since"])]
    return [tuple(h.split(" ", 1)) for h in table.get("history", [])]


def _load_class(s, name):
    data = _read(s, name)
    if data is None:
        return
    if not _keys(s, name, data, {"class": dict, "fields": dict, "messages": dict}):
        return
    head = data.get("class", {})
    if not _keys(s, f"{name}: [class]", head, CLASS_KEYS):
        return
    if "name" not in head or "roles" not in head:
        s.problems.add(f"{name}: [class]", "'name' and 'roles' are needed")
        return
    plain = {k: v for k, v in head.items() if k not in ("since", "history")}
    cls = Class(file=name, history=_history(head), **plain)
    if os.path.basename(name) != cls.name + ".toml":
        s.problems.add(f"{name}: [class]", f"class '{cls.name}' belongs into {cls.name}.toml")
    if cls.name in s.classes:
        s.problems.add(f"{name}: [class]", f"class '{cls.name}' is there twice")
        return
    s.classes[cls.name] = cls
    for field_name, table in data.get("fields", {}).items():
        _load_field(s, cls, field_name, table)
    for message_name, table in data.get("messages", {}).items():
        _load_message(s, cls, message_name, table)


def _load_field(s, cls, name, table):
    where = f"{cls.file}: [fields.{name}]"
    if not _keys(s, where, table, FIELD_KEYS):
        return
    if "type" not in table or "q" not in table:
        s.problems.add(where, "'type' and 'q' are needed")
        return
    type_ = _type(s, where, table["type"])
    if not type_:
        return
    plain = {k: v for k, v in table.items() if k not in ("type", "since", "history", "default")}
    f = Field(cls=cls.name, name=name, type=type_, index=len(cls.fields),
              history=_history(table), **plain)
    f.has_default = "default" in table
    f.default = table.get("default")
    f.column = f.column or name
    f.set_roles = f.set_roles or cls.roles
    f.soft = f.soft or cls.soft
    if cls.create_destroy and f.q in ("RW", "StaticRO") and not f.internal and not f.computed:
        f.ctor = "optional" if f.has_default else "required"
    cls.fields.append(f)


def load_params(s, where, tables):
    params = []
    for table in tables:
        if not _keys(s, where, table, PARAM_KEYS):
            continue
        if "name" not in table or "type" not in table:
            s.problems.add(where, "a parameter needs 'name' and 'type'")
            continue
        type_ = _type(s, where, table["type"])
        if type_:
            params.append(Param(table["name"], type_, table.get("default"), "default" in table,
                                table.get("since", ""), table.get("doc", "")))
    return params


def _load_message(s, cls, name, table):
    where = f"{cls.file}: [messages.{name}]"
    if not _keys(s, where, table, MESSAGE_KEYS):
        return
    if "roles" not in table:  # an entry without roles says something about an implicit message
        if _keys(s, where, table, OVERRIDE_KEYS):
            cls.overrides[name] = table
        return
    result = _type(s, where, table.get("result", "void"))
    params = load_params(s, where, table.get("params", []))
    if not result:
        return
    skip = ("params", "result", "since", "history", "async")
    plain = {k: v for k, v in table.items() if k not in skip}
    cls.messages.append(Message(cls=cls.name, name=name, kind="EXPLICIT", params=params,
                                result=result, history=_history(table),
                                async_=table.get("async", False), **plain))


def _load_enums(s):
    for name, table in (_read(s, "enums.toml") or {}).items():
        add_enum(s, s.enums, f"enums.toml: [{name}]", name, table)


def add_enum(s, into, where, name, table):
    if not _keys(s, where, table, ENUM_KEYS):
        return
    values = table.get("values", [])
    if not values:
        s.problems.add(where, "'values' are needed")
    for v in sorted({v for v in values if values.count(v) > 1}):
        s.problems.add(where, f"value '{v}' is there twice")
    into[name] = Enum(name, values, table.get("exact", False), table.get("doc", {}))


def _load_roles(s):
    data = _read(s, "roles.toml") or {}
    if not _keys(s, "roles.toml", data, {"roles": dict, "sets": dict, "permissions": dict}):
        return
    for name, table in data.get("roles", {}).items():
        if _keys(s, f"roles.toml: [roles.{name}]", table, ROLE_KEYS):
            s.roles[name] = table
    s.role_sets = data.get("sets", {})
    s.permissions = data.get("permissions", {})


def _load_errors(s):
    for name, table in (_read(s, "errors.toml") or {}).items():
        if _keys(s, f"errors.toml: [{name}]", table, ERROR_KEYS):
            params = table.get("params", [])
            s.errors[name] = Error(name, params, table.get("sent", params), table.get("doc", ""),
                                   table.get("variadic", False), table.get("declared", True))


def _load_alerts(s):
    data = _read(s, "alerts.toml") or {}
    if _keys(s, "alerts.toml", data, {"alerts": dict, "prefixes": dict}):
        s.alerts = data.get("alerts", {})
        s.alert_prefixes = data.get("prefixes", {})


def _load_http(s):
    for name, table in (_read(s, "http.toml") or {}).items():
        if _keys(s, f"http.toml: [{name}]", table, HTTP_KEYS):
            s.http[name] = table


def _load_clients(s):
    for name, table in (_read(s, "clients.toml") or {}).items():
        if _keys(s, f"clients.toml: [{name}]", table, CLIENT_KEYS):
            s.clients[name] = table


def _load_host(s, name):
    data = _read(s, name)
    if data is None or not _keys(s, name, data, HOST_FILE_KEYS):
        return
    group = os.path.basename(name)[: -len(".toml")]
    for enum, table in data.get("enums", {}).items():
        add_enum(s, s.host.enums, f"{name}: [enums.{enum}]", enum, table)
    for struct, table in data.get("structs", {}).items():
        where = f"{name}: [structs.{struct}]"
        if _keys(s, where, table, STRUCT_KEYS):
            if struct in s.host.structs:
                s.problems.add(where, f"struct '{struct}' is there twice")
            fields = load_params(s, where, table.get("fields", []))
            s.host.structs[struct] = Struct(struct, table.get("doc", ""), fields)
    for call, table in data.get("calls", {}).items():
        where = f"{name}: [calls.{call}]"
        if _keys(s, where, table, CALL_KEYS):
            if call in s.host.calls:
                s.problems.add(where, f"call '{call}' is there twice")
            plain = {k: v for k, v in table.items() if k not in ("args", "result", "doc")}
            s.host.calls[call] = Call(
                name=call, group=group, doc=table.get("doc", ""),
                args=load_params(s, where, table.get("args", [])),
                result=load_params(s, where, table.get("result", [])), **plain)


def _mark_host_records(host):
    """Lets records in the host protocol name its own structs."""

    def mark(t):
        if t.kind == "RECORD":
            return replace(t, host=t.name in host.structs)
        return replace(t, key=t.key and mark(t.key), elem=t.elem and mark(t.elem))

    lists = [x.fields for x in host.structs.values()]
    for call in host.calls.values():
        lists += [call.args, call.result]
    for params in lists:
        for p in params:
            p.type = mark(p.type)


def _load_undocumented(s):
    path = os.path.join(s.folder, "undocumented.txt")
    try:
        with open(path, encoding="utf-8") as file:
            lines = [line.strip() for line in file]
    except FileNotFoundError:
        return
    s.files.append(path)
    s.undocumented = [line for line in lines if line and not line.startswith("#")]
