# SPDX-License-Identifier: LGPL-2.1-or-later
"""The tables of the command line client, read from schema/xe.toml and checked against the model."""

from dataclasses import dataclass, field as dc_field

KINDS = ("RO", "RW", "SRO", "SRW", "MRO", "MRW", "MRO+")
FIELD_FLAGS = ("expensive", "hidden", "deprecated")
COMMAND_FLAGS = ("standard", "not-forwarded", "local", "files", "hidden", "deprecated", "new")
SELECTORS = ("VM", "host", "SR")
SPECIAL = ("@call:", "@rrd:", "@all:", "@text:")
CLASS_KEYS = {"class": str, "default": list, "fields": list, "like": str, "where": dict,
              "only": str, "list": bool}
FIELD_KEYS = {"name": str, "path": str, "kind": str, "flags": list}
COMMAND_KEYS = {"required": list, "optional": list, "select": str, "flags": list, "output": str,
                "doc": str}


@dataclass
class XeField:
    name: str
    path: str
    kind: str
    flags: list
    steps: list = dc_field(default_factory=list)  # schema Fields along the path; [] if special

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
    only: str
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
                    table.get("where", {}), table.get("only", ""), table.get("list", True))
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
        f = XeField(row.get("name", ""), row.get("path", ""), row.get("kind", ""),
                    row.get("flags", []))
        if f.name in [x.name for x in fields]:
            schema.problems.add(where, f"field '{f.name}' is there twice")
        if f.kind not in KINDS:
            schema.problems.add(where, f"field '{f.name}': unknown kind '{f.kind}'")
        for flag in f.flags:
            if flag not in FIELD_FLAGS:
                schema.problems.add(where, f"field '{f.name}': unknown flag '{flag}'")
        _resolve(schema, where, schema.classes[table["class"]], f)
        fields.append(f)
    return fields


def _resolve(schema, where, cls, f):
    if f.special:
        if not f.path.startswith(SPECIAL):
            schema.problems.add(where, f"field '{f.name}': unknown path '{f.path}'")
        return
    for word in f.path.split("."):
        step = cls.field(word) if cls else None
        if not step:
            schema.problems.add(where, f"field '{f.name}': path '{f.path}' leads nowhere")
            return
        f.steps.append(step)
        cls = schema.classes.get(step.type.ref_class)


def commands(schema):
    found = []
    for name, table in schema.xe.get("commands", {}).items():
        where = f"xe.toml: [commands.{name}]"
        if not _known(schema, where, table, COMMAND_KEYS):
            continue
        c = XeCommand(name, table.get("required", []), table.get("optional", []),
                      table.get("select", ""), table.get("flags", []), table.get("output", ""),
                      table.get("doc", ""))
        if c.select and c.select not in SELECTORS:
            schema.problems.add(where, f"unknown selector '{c.select}'")
        for flag in c.flags:
            if flag not in COMMAND_FLAGS:
                schema.problems.add(where, f"unknown flag '{flag}'")
        for p in c.required:
            if p in c.optional:
                schema.problems.add(where, f"parameter '{p}' is required and optional")
        found.append(c)
    return found
