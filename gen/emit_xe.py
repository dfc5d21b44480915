# SPDX-License-Identifier: LGPL-2.1-or-later
"""gen/xe_tables.{h,c}: what the command line client shows and takes."""

import cname
import xe

HEADER = '''/*
 * Tables of the command line client, from schema/xe.toml. Constant data, any thread.
 */

#include "gen/classes.h"
#include "value/type.h"

enum xe_kind {
    XE_RO,
    XE_RW,
    XE_SRO, /* sets */
    XE_SRW,
    XE_MRO, /* maps */
    XE_MRW,
    XE_MRO_SETTABLE /* shown as MRO, but param-set map:key= works */
};

enum xe_field_flags {
    XE_EXPENSIVE = 1 << 0,  /* not read for lists */
    XE_HIDDEN_FIELD = 1 << 1, /* never listed; param-get reaches it */
    XE_DEPRECATED_FIELD = 1 << 2,
};

struct xe_field {
    const char *name; /* "vm-name-label" */
    /*
     * Dotted fields from the object, "VM.name_label"; or another source of the value:
     * "@call:M" message M with the object as its argument, "@rrd:X" a current metric,
     * "@all:C.f" field f of all rows of class C, "@text:X" made by the client itself.
     */
    const char *path;
    const struct type *type; /* of the last field of path; NULL for the other sources */
    uint8_t kind;            /* enum xe_kind */
    uint8_t flags;           /* enum xe_field_flags */
    const char *set;         /* "VM.set_name_label"; NULL = cannot be set so */
    const char *add;         /* "VM.add_to_other_config" or "VM.add_tags" */
    const char *remove;
};

struct xe_where {
    const char *field;
    const char *value; /* as in filter expressions: "true" */
};

struct xe_class {
    const char *name; /* "vm", as in vm-list */
    const char *api;  /* "VM" */
    uint16_t class_id;
    bool has_list;
    const char *only;                /* extra condition made by the client, NULL = none */
    const struct xe_where *where;    /* rows that are listed; n_where conditions */
    int n_where;
    const char *const *columns; /* default columns, n_columns of them; none = all */
    int n_columns;
    const struct xe_field *fields; /* in output order */
    int n_fields;
};

extern const struct xe_class xe_classes[];
extern const int xe_classes_n;

enum xe_command_flags {
    XE_STANDARD = 1 << 0,      /* in the short help */
    XE_NOT_FORWARDED = 1 << 1, /* answered by the host asked, never by another */
    XE_LOCAL = 1 << 2,         /* works without a store (emergency) */
    XE_FILES = 1 << 3,         /* may read or write files of the client, or ask */
    XE_HIDDEN = 1 << 4,
    XE_DEPRECATED = 1 << 5,
    XE_NEW = 1 << 6, /* not in older products */
    XE_SELECT_VM = 1 << 8, /* works on the objects picked by selector parameters */
    XE_SELECT_HOST = 1 << 9,
    XE_SELECT_SR = 1 << 10,
};

struct xe_command {
    const char *name;
    const char *const *required; /* ends with NULL; a name ending in ":" takes key=value pairs */
    const char *const *optional;
    uint32_t flags;     /* enum xe_command_flags */
    const char *output; /* what is printed on success, in words */
    const char *doc;
};

extern const struct xe_command xe_commands[]; /* sorted by name */
extern const int xe_commands_n;
'''


def emit(schema, out):
    out.header("xe_tables.h", HEADER)
    c = '#include "gen/xe_tables.h"\n\n#include "gen/types.h"\n'
    classes = xe.classes(schema)
    done = {}
    rows = ""
    for x in classes.values():
        tag = cname.lower(x.name)
        fields = done.get(id(x.fields))
        if not fields:
            fields = done[id(x.fields)] = tag
            c += f"\nstatic const struct xe_field {tag}_fields[] = {{\n"
            for f in x.fields:
                c += _field(schema, x, f)
            c += "};\n"
        where = "".join(f'{{"{k}", "{_text(v)}"}}, ' for k, v in x.where.items())
        if where:
            c += f"\nstatic const struct xe_where {tag}_where[] = {{{where[:-2]}}};\n"
        rows += _class(x, tag, fields)
    c += f"\nconst struct xe_class xe_classes[] = {{\n{rows}}};\n"
    c += "\nconst int xe_classes_n = sizeof(xe_classes) / sizeof(xe_classes[0]);\n"
    c += "\nconst struct xe_command xe_commands[] = {\n"
    for command in sorted(xe.commands(schema), key=lambda x: x.name):
        c += _command(command)
    c += "};\n\nconst int xe_commands_n = sizeof(xe_commands) / sizeof(xe_commands[0]);\n"
    out.source("xe_tables.c", c)


def _text(value):
    return {True: "true", False: "false"}.get(value, str(value))


def _message(schema, x, prefix, f):
    """Wire name of the call that changes a field, or NULL."""
    if f.kind in ("RO", "SRO", "MRO"):
        return "NULL"
    name = prefix + (f.steps[0].name if f.steps else f.name.replace("-", "_"))
    known = any(m.name == name for m in schema.classes[x.cls].messages)
    return cname.c_string(f"{x.cls}.{name}") if known else "NULL"


def _field(schema, x, f):
    kind = f.kind.replace("+", "_SETTABLE")
    names = {"expensive": "XE_EXPENSIVE", "hidden": "XE_HIDDEN_FIELD",
             "deprecated": "XE_DEPRECATED_FIELD"}
    flags = " | ".join(names[n] for n in f.flags) or "0"
    type_ = f"&{cname.type_var(f.steps[-1].type)}" if f.steps else "NULL"
    map_ = f.kind.startswith("M")
    return (f"    {{{cname.c_string(f.name)}, {cname.c_string(f.path)}, {type_}, XE_{kind}, "
            f"{flags},\n     {_message(schema, x, 'set_', f)}, "
            f"{_message(schema, x, 'add_to_' if map_ else 'add_', f)}, "
            f"{_message(schema, x, 'remove_from_' if map_ else 'remove_', f)}}},\n")


def _class(x, tag, fields):
    columns = ", ".join(cname.c_string(d) for d in x.default)
    parts = [f'.name = "{x.name}"', f'.api = "{x.cls}"', f".class_id = {cname.class_id(x.cls)}"]
    if x.has_list:
        parts.append(".has_list = true")
    if x.only:
        parts.append(f".only = {cname.c_string(x.only)}")
    if x.where:
        parts.append(f".where = {tag}_where, .n_where = {len(x.where)}")
    if columns:
        parts.append(f".columns = (const char *const[]){{{columns}}}, "
                     f".n_columns = {len(x.default)}")
    parts.append(f".fields = {fields}_fields, .n_fields = {len(x.fields)}")
    return "    {" + ",\n     ".join(parts) + "},\n"


def _list(names):
    texts = "".join(cname.c_string(n) + ", " for n in names)
    return f"(const char *const[]){{{texts}NULL}}"


def _command(x):
    flags = ["XE_" + cname.upper(f) for f in x.flags]
    if x.select:
        flags.append("XE_SELECT_" + x.select.upper())
    return (f'    {{"{x.name}", {_list(x.required)},\n     {_list(x.optional)},\n     '
            f'{" | ".join(flags) or "0"}, {cname.c_string(x.output)},\n     '
            f"{cname.c_string(x.doc)}}},\n")
