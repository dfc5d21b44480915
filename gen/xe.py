# SPDX-License-Identifier: LGPL-2.1-or-later
"""The tables of the command line client, read from schema/xe.toml and checked against the model."""

import re
from dataclasses import dataclass, field as dc_field

KINDS = ("RO", "RW", "SRO", "SRW", "MRO", "MRW", "MRO+")
FIELD_FLAGS = ("expensive", "hidden", "deprecated", "settable", "any-case")
STYLES = ("", "comma", "speed", "duplex", "by", "quoted", "one", "is-self", "same", "every",
          "fixed1", "lengths", "slash", "assign", "if-true", "kbs")
COMMAND_FLAGS = ("standard", "not-forwarded", "local", "files", "hidden", "deprecated", "new",
                 "one", "templates", "control-domains")
SELECTORS = ("VM", "host", "SR")
SPECIAL = ("@call:", "@rrd:", "@all:")
CLASS_KEYS = {"class": str, "default": list, "fields": list, "like": str, "where": dict,
              "list": bool}
FIELD_KEYS = {"name": str, "path": str, "also": str, "kind": str, "flags": list, "style": str,
              "none": str}
COMMAND_KEYS = {"required": list, "optional": list, "select": str, "flags": list, "output": str,
                "doc": str, "call": str, "args": list, "result": str, "test": str}
TOPIC_KEYS = {"doc": str, "text": str}
VERB_KEYS = {"doc": str, "required": list, "optional": list, "test": str}
BUILTIN_KEYS = {"doc": str, "words": str}
OPTION_KEYS = {"doc": str, "arg": str, "more": str}
VERBS = ("list", "param-list", "param-get", "param-set", "param-add", "param-remove", "param-clear")
ARG_KINDS = ("string", "int", "bool", "float", "size", "map", "list", "pairs", "enum")
# "param:kind", "param:kind=default", ":kind=constant", "@" (what was selected), "@pool", "@host";
# with ".field=" in front: a member of the record that is the argument
ARG = re.compile(r"(?:\.(\w+)=)?(?:@|@pool|@host|([\w-]*):(\w+\*?)(=.*)?)", re.A | re.S)


@dataclass
class XeField:
    name: str
    path: str
    also: str
    kind: str
    flags: list
    style: str
    none: str
    steps: list = dc_field(default_factory=list)  # schema Fields along the path
    also_steps: list = dc_field(default_factory=list)
    type: str = ""  # of the last step, of the answer to @call; as in the schema
    of: str = ""  # @all: the class

    @property
    def special(self):
        return self.path.startswith("@")


@dataclass
class XeClass:
    name: str
    cls: str
    default: list
    fields: list
    where: dict
    has_list: bool


@dataclass
class XeCommand:
    name: str
    required: list
    optional: list
    select: str
    flags: list
    output: str
    doc: str
    call: str
    args: list
    result: str
    test: str  # "FILE::NAME" that runs it


@dataclass
class XeTopic:
    name: str
    doc: str
    text: str


def _known(schema, where, table, keys):
    good = isinstance(table, dict)
    for key, value in table.items() if good else ():
        if key not in keys:
            schema.problems.add(where, f"unknown key '{key}'")
            good = False
        elif not isinstance(value, keys[key]):
            schema.problems.add(where, f"'{key}' must be a {keys[key].__name__}")
            good = False
    return good


def classes(schema):
    """The XeClasses of the schema; what is wrong with them goes to its problems."""
    found = {}
    for name, table in schema.xe.get("classes", {}).items():
        where = f"xe.toml: [classes.{name}]"
        if not _known(schema, where, table, CLASS_KEYS):
            continue
        if table.get("class") not in schema.classes:
            schema.problems.add(where, f"unknown class '{table.get('class')}'")
            continue
        fields = _fields(schema, where, table)
        if "like" in table:
            if table["like"] not in found:
                schema.problems.add(where, f"'like' names no class above: '{table['like']}'")
                continue
            fields = found[table["like"]].fields
        c = XeClass(name, table["class"], table.get("default", []), fields,
                    table.get("where", {}), table.get("list", True))
        for column in c.default:
            if column not in [f.name for f in fields]:
                schema.problems.add(where, f"default column '{column}' is no field")
        for field in c.where:
            if not schema.classes[c.cls].field(field):
                schema.problems.add(where, f"'where' names no field of {c.cls}: '{field}'")
        found[name] = c
    return found


def _fields(schema, where, table):
    fields = []
    for row in table.get("fields", []):
        if not _known(schema, where, row, FIELD_KEYS):
            continue
        f = XeField(row.get("name", ""), row.get("path", ""), row.get("also", ""),
                    row.get("kind", ""), row.get("flags", []), row.get("style", ""),
                    row.get("none", ""))
        if f.name in [x.name for x in fields]:
            schema.problems.add(where, f"field '{f.name}' is there twice")
        if f.kind not in KINDS:
            schema.problems.add(where, f"field '{f.name}': unknown kind '{f.kind}'")
        if f.style not in STYLES:
            schema.problems.add(where, f"field '{f.name}': unknown style '{f.style}'")
        for flag in f.flags:
            if flag not in FIELD_FLAGS:
                schema.problems.add(where, f"field '{f.name}': unknown flag '{flag}'")
        cls = schema.classes[table["class"]]
        if f.special:
            _resolve_special(schema, where, cls, f)
        else:
            f.steps = _resolve(schema, where, cls, f, f.path)
        if f.also:
            f.also_steps = _resolve(schema, where, cls, f, f.also)
        if f.steps:
            f.type = f.steps[-1].type.text
        fields.append(f)
    return fields


def _resolve(schema, where, cls, f, path):
    """The schema Fields along a path."""
    steps = []
    for word in path.split("."):
        step = cls.field(word) if cls else None
        if not step:
            schema.problems.add(where, f"field '{f.name}': path '{path}' leads nowhere")
            return []
        steps.append(step)
        cls = schema.classes.get(step.type.ref_class)
    return steps


def _resolve_special(schema, where, cls, f):
    if not f.path.startswith(SPECIAL):
        schema.problems.add(where, f"field '{f.name}': unknown path '{f.path}'")
        return
    source, name = f.path.split(":", 1)
    if source == "@call":
        found = [m for m in cls.messages if m.name == name]
        if found:
            f.type = found[0].result.text
        else:
            schema.problems.add(where, f"field '{f.name}': {cls.name} has no message '{name}'")
    elif source == "@all":
        f.of, path = name.split(".", 1)
        f.steps = _resolve(schema, where, schema.classes.get(f.of), f, path)


def commands(schema):
    found = []
    for name, table in schema.xe.get("commands", {}).items():
        where = f"xe.toml: [commands.{name}]"
        if not _known(schema, where, table, COMMAND_KEYS):
            continue
        c = XeCommand(name, table.get("required", []), table.get("optional", []),
                      table.get("select", ""), table.get("flags", []), table.get("output", ""),
                      table.get("doc", ""), table.get("call", ""), table.get("args", []),
                      table.get("result", ""), table.get("test", ""))
        if c.select and c.select not in SELECTORS:
            schema.problems.add(where, f"unknown selector '{c.select}'")
        for flag in c.flags:
            if flag not in COMMAND_FLAGS:
                schema.problems.add(where, f"unknown flag '{flag}'")
        for p in c.required:
            if p in c.optional:
                schema.problems.add(where, f"parameter '{p}' is required and optional")
        if not c.test:
            schema.problems.add(where, "no test runs it: name one with test = \"FILE::NAME\"")
        if c.call:
            _check_call(schema, where, c)
        elif not c.doc:
            schema.problems.add(where, "is not documented")
        found.append(c)
    return found


def topics(schema):
    found = []
    for name, table in schema.xe.get("topics", {}).items():
        where = f"xe.toml: [topics.{name}]"
        if not _known(schema, where, table, TOPIC_KEYS):
            continue
        if name in schema.xe.get("commands", {}):
            schema.problems.add(where, "a command has this name")
        if not table.get("doc") or not table.get("text"):
            schema.problems.add(where, "is empty")
        found.append(XeTopic(name, table.get("doc", ""), table.get("text", "").strip("\n")))
    return found


def verbs(schema):
    """The commands every class has, {verb: its table}, in the order of VERBS."""
    found = _tables(schema, "verbs", VERB_KEYS)
    for name, table in found.items():
        if not table.get("test"):
            schema.problems.add(f"xe.toml: [verbs.{name}]", "no test runs it: name one with test = \"FILE::NAME\"")
        if name not in VERBS:
            schema.problems.add(f"xe.toml: [verbs.{name}]", "unknown verb")
    return {name: found[name] for name in VERBS if name in found}


def builtins(schema):
    return _tables(schema, "builtins", BUILTIN_KEYS)


def options(schema):
    return _tables(schema, "options", OPTION_KEYS)


def _tables(schema, part, keys):
    found = {}
    for name, table in schema.xe.get(part, {}).items():
        where = f"xe.toml: [{part}.{name}]"
        if not _known(schema, where, table, keys):
            continue
        if not table.get("doc"):
            schema.problems.add(where, "is not documented")
        found[name] = table
    return found


def setter(schema, c, prefix, f):
    """Wire name of the message that changes a column ("set_", "add_to_"...), or None."""
    if f.kind in ("RO", "SRO", "MRO"):
        return None
    name = f.name.replace("-", "_") if f.special or not f.steps else f.steps[0].name
    names = [prefix + name]
    if f.kind == "MRO+" and prefix == "set_":
        names.append("set_property")
    for candidate in names:
        if any(m.name == candidate for m in schema.classes[c.cls].messages):
            return f"{c.cls}.{candidate}"
    return None


def is_set_whole(schema, c, f):
    """Can param-set take the column as it is?"""
    return bool(setter(schema, c, "set_", f)) and (f.kind[0] not in "SM" or "settable" in f.flags)


def takes_members(schema, c, f):
    """One by one; by param-add a set also where it can only be set whole."""
    return bool(setter(schema, c, "add_to_" if f.kind[0] == "M" else "add_", f)) or (
        f.kind == "SRW" and bool(setter(schema, c, "set_", f)))


def has_verb(schema, c, verb):
    """Has the class a column that allows it?"""
    shown = [f for f in c.fields if "hidden" not in f.flags]
    if verb == "list":
        return c.has_list
    if verb == "param-set":
        return any(is_set_whole(schema, c, f) or (f.kind[0] == "M" and takes_members(schema, c, f)) or
                   (f.kind == "MRO+" and setter(schema, c, "set_", f)) for f in shown)
    if verb in ("param-add", "param-remove"):
        return any(takes_members(schema, c, f) for f in shown)
    if verb == "param-clear":
        return any(is_set_whole(schema, c, f) or f.kind[0] in "SM" for f in shown)
    return True


def message(schema, wire):
    cls, _, name = wire.partition(".")
    for m in schema.classes[cls].messages if cls in schema.classes else ():
        if m.name == name:
            return m
    return None


def _check_call(schema, where, c):
    """A command that is one call: the message exists and gets what it takes, from known words."""
    m = message(schema, c.call)
    if not m:
        schema.problems.add(where, f"there is no message '{c.call}'")
        return
    c.doc = c.doc or m.doc or f"Calls {c.call}."
    required = sum(1 for p in m.params if not p.has_default)
    if m.kind == "CREATE":
        fields = [a[1:].partition("=")[0] for a in c.args]
        for f in schema.classes[m.cls].fields:
            if f.ctor == "required" and f.name not in fields:
                schema.problems.add(where, f"{c.call} needs '{f.name}'")
        for name in fields:
            if not schema.classes[m.cls].field(name):
                schema.problems.add(where, f"{m.cls} has no field '{name}'")
    elif not required <= len(c.args) <= len(m.params):
        schema.problems.add(where, f"{c.call} takes {required} to {len(m.params)} arguments, "
                                   f"not {len(c.args)}")
    for arg in c.args:
        _check_arg(schema, where, c, arg)
    if c.result and c.result not in ("value", "sentence") and c.result not in schema.classes:
        schema.problems.add(where, f"unknown result '{c.result}'")


def _check_arg(schema, where, c, arg):
    match = ARG.fullmatch(arg)
    if not match:
        schema.problems.add(where, f"argument '{arg}' is not of the form word:kind=default")
        return
    word, kind, default = match.group(2), match.group(3), match.group(4)
    if arg.endswith("@") and not c.select:
        schema.problems.add(where, "'@' stands for what was selected, but nothing is")
    if word and word not in [p.rstrip(":") for p in c.required + c.optional]:
        schema.problems.add(where, f"argument '{arg}': no parameter '{word}'")
    if word == "" and not default:
        schema.problems.add(where, f"argument '{arg}' has neither word nor value")
    if kind and kind not in ARG_KINDS and kind.rstrip("*") not in schema.classes:
        schema.problems.add(where, f"argument '{arg}': unknown kind '{kind}'")


def words(schema):
    """{enum: [(API name, name shown)]} of the enums that are not shown as the API spells them."""
    found = {}
    for enum, table in schema.xe.get("words", {}).items():
        where = f"xe.toml: [words.{enum}]"
        if enum not in schema.enums:
            schema.problems.add(where, "there is no such enum")
            continue
        for value in table:
            if value not in schema.enums[enum].values:
                schema.problems.add(where, f"unknown value '{value}'")
        found[enum] = list(table.items())
    return found
