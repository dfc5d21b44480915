# SPDX-License-Identifier: LGPL-2.1-or-later
"""gen/classes.h and gen/class/<Class>.{h,c}: the structs of the object model and their tables."""

import textwrap

import cname
import values
from emit_types import all_enums


def comment(text, indent=""):
    lines = textwrap.wrap(text.replace("*/", "* /"), 94 - len(indent))
    if len(lines) == 1:
        return f"{indent}/* {lines[0]} */\n"
    return indent + "/*\n" + "".join(f"{indent} * {line}\n" for line in lines) + indent + " */\n"


def in_store(cls):
    return cls.in_database or cls.in_store


def emit(schema, out):
    _classes(schema, out)
    for cls in schema.classes.values():
        _class_header(cls, out)
        _class_source(schema, cls, out)
        _class_txn(cls, out)


def _classes(schema, out):
    h = '''/*
 * The classes of the data model. classes[] is indexed by enum class_id; entry 0 (CLASS_NONE) is
 * empty. Constant data, usable from any thread.
 */

enum class_id {
    CLASS_NONE,
'''
    for name in schema.classes:
        h += f"    {cname.class_id(name)},\n"
    h += '''    CLASS_MAX
};

#include "model/class.h"

extern const struct class_info classes[CLASS_MAX];
'''
    out.header("classes.h", h)
    c = '#include "gen/classes.h"\n\n'
    for name in schema.classes:
        c += f'#include "gen/class/{name}.h"\n'
    c += '#include "gen/derive.h"\n'
    c += "\nconst struct class_info classes[CLASS_MAX] = {\n"
    for cls in schema.classes.values():
        c += _class_row(cls)
    c += "};\n"
    out.source("classes.c", c)


def derived_fields(cls):
    return [f for f in cls.fields if f.derived and f.body]


def _class_row(cls):
    lower = cname.lower(cls.name)
    rec = cname.rec(cls.name)
    parts = [f'.name = "{cls.name}"', f'.lower = "{cls.name.lower()}"']
    parts.append(f".info = &{rec}_info")
    size = f"offsetof(struct {rec}, inv)" if inv_fields(cls) else f"sizeof(struct {rec})"
    parts.append(f".inv_offset = {size}")
    if cls.create_destroy:
        parts.append(f".ctor = &{lower}_ctor_info")
    if derived_fields(cls):
        parts.append(f".derived = {lower}_derived_fields")
        parts.append(f".n_derived = {len(derived_fields(cls))}")

    def index(name):
        return cname.field_id(cls.name, name) if cls.field(name) else "-1"

    parts.append(f".field_uuid = {index('uuid')}")
    parts.append(f".field_name_label = {index('name_label') if cls.name_label else -1}")
    for on, name in ((cls.in_database, "in_database"), (in_store(cls), "stored"),
                     (cls.events, "emits_events"), (cls.soft, "soft"),
                     (cls.get_all, "has_get_all"), (cls.state == "removed", "removed")):
        if on:
            parts.append(f".{name} = true")
    text = ",\n        ".join(_fill(parts))
    return f"    [{cname.class_id(cls.name)}] = {{{text}}},\n"


def _members(fields, indent="    "):
    text = ""
    for f in fields:
        if f.doc:
            text += comment(f.doc, indent)
        text += f"{indent}{member(f)}\n"
    return text


def member(thing):
    """Declaration of a struct member, with the type of the schema where C does not say it all."""
    text = f"{cname.c_type(thing.type)}{cname.member(thing.name)};"
    if any(t.kind in ("ENUM", "REF", "DATETIME") for t in thing.type.walk()):
        text += f" /* {thing.type.text} */"
    return text


def inv_fields(cls):
    return [f for f in cls.fields if f.in_inv]


def _class_header(cls, out):
    lower = cname.lower(cls.name)
    h = comment(cls.doc or cls.name) + "\n"
    h += '#include "gen/classes.h"\n#include "gen/enums.h"\n#include "gen/types.h"\n'
    if cls.fields:
        h += f"\nenum {lower}_field {{\n"
        for f in cls.fields:
            h += f"    {cname.field_id(cls.name, f.name)},\n"
        h += f"    {cname.upper(cls.name)}_F_MAX\n}};\n"
    inv = inv_fields(cls)
    if inv:
        h += "\n/* Computed by the store; read it through txn_inv_X(). */\n"
        h += f"struct {lower}_inv {{\n{_members(inv)}}};\n"
    h += f"\nstruct {cname.rec(cls.name)} {{\n"
    if in_store(cls):
        h += "    const char *self; /* reference of the object; not a field */\n"
    h += _members([f for f in cls.fields if not f.in_inv])
    if inv:
        h += f"    struct {lower}_inv inv;\n"
    if not cls.fields:
        h += "    char none; /* the class has messages only */\n"
    h += "};\n"
    h += f"\nextern const struct struct_info {cname.rec(cls.name)}_info;\n"
    h += f"extern const struct {cname.rec(cls.name)} {cname.rec(cls.name)}_default;\n"
    if cls.create_destroy:
        h += f"\n/* What the generated {cls.name}.create takes. */\n"
        h += f"struct {lower}_ctor {{\n"
        h += _members([f for f in cls.fields if f.ctor]) + "};\n"
        h += f"\nextern const struct struct_info {lower}_ctor_info;\n"
        h += f"extern const struct {lower}_ctor {lower}_ctor_default;\n"
    out.header(f"class/{cls.name}.h", h)


def field_flags(f):
    flags = []
    if f.computed:
        flags.append("INVERSE")
    elif f.derived:
        flags.append("DERIVED")
    elif f.soft:
        flags.append("SOFT")
    else:
        flags.append("STORED")
    if f.internal:
        flags.append("INTERNAL")
    if f.ctor:
        flags.append("CTOR")
    if f.ctor == "required":
        flags.append("REQUIRED")
    if f.q == "RW" and not f.computed:
        flags.append("RW")
    if f.state == "removed":
        flags.append("REMOVED")
    return " | ".join("FIELD_" + x for x in flags)


def _field_row(schema, f, struct, path, flags):
    parts = [f'.name = "{f.name}"', f'.column = "{f.column}"',
             f".type = &{cname.type_var(f.type)}",
             f".offset = offsetof(struct {struct}, {path})", f".flags = {flags}"]
    if f.type.ref_class and not f.computed:
        parts.append(f".on_delete = ON_DELETE_{(f.on_delete or 'null').upper()}")
        if f.bad_ref == "null":
            parts.append(".bad_ref_is_null = true")
    if f.inverse:
        other, name = f.inverse.split(".", 1)
        parts.append(f".inverse = {schema.classes[other].field(name).index}")
        parts.append(f".inverse_class = {cname.class_id(other)}")
    else:
        parts.append(".inverse = -1")
    return "    {" + ",\n     ".join(_fill(parts)) + "},\n"


def _fill(parts, width=92):
    lines, line = [], ""
    for p in parts:
        if line and len(line) + len(p) + 2 > width:
            lines.append(line)
            line = p
        else:
            line = f"{line}, {p}" if line else p
    return lines + [line]


def default_of(schema, thing):
    value = thing.default if thing.has_default else values.zero(thing.type)
    return values.initialiser(thing.type, value, all_enums(schema))


def _class_source(schema, cls, out):
    c = f'#include "gen/class/{cls.name}.h"\n'
    c += _table(schema, cls)
    if cls.create_destroy:
        c += _ctor(schema, cls)
    out.source(f"class/{cls.name}.c", c)


def _table(schema, cls):
    rec = cname.rec(cls.name)
    c = ""
    if cls.fields:
        c += "\nstatic const struct field fields[] = {\n"
        for f in cls.fields:
            path = ("inv." if f.in_inv else "") + cname.member(f.name)
            c += _field_row(schema, f, rec, path, field_flags(f))
        c += "};\n"
    c += f"\nconst struct {rec} {rec}_default = {{\n"
    if in_store(cls):
        c += "    .self = REF_NULL,\n"
    for f in cls.fields:
        path = ("inv." if f.in_inv else "") + cname.member(f.name)
        c += f"    .{path} = {default_of(schema, f)},\n"
    if not cls.fields:
        c += "    .none = 0,\n"
    c += f'''}};

const struct struct_info {rec}_info = {{
    .name = "{cls.name}",
    .size = sizeof(struct {rec}),
    .fields = {"fields" if cls.fields else "NULL"},
    .n = {len(cls.fields)},
    .has_self = {"true" if in_store(cls) else "false"},
    .defaults = &{rec}_default,
}};
'''
    return c


def ctor_defaults(schema, cls, indent):
    return "".join(f"{indent}.{cname.member(f.name)} = {default_of(schema, f)},\n"
                   for f in cls.fields if f.ctor)


def _ctor(schema, cls):
    lower = cname.lower(cls.name)
    c = "\nstatic const struct field ctor_fields[] = {\n"
    fields = [f for f in cls.fields if f.ctor]
    for f in fields:
        c += _field_row(schema, f, f"{lower}_ctor", cname.member(f.name), field_flags(f))
    c += f"}};\n\nconst struct {lower}_ctor {lower}_ctor_default = {{\n"
    c += ctor_defaults(schema, cls, "    ")
    c += f'''}};

const struct struct_info {lower}_ctor_info = {{
    .name = "{cls.name}",
    .size = sizeof(struct {lower}_ctor),
    .fields = ctor_fields,
    .n = {len(fields)},
    .defaults = &{lower}_ctor_default,
}};
'''
    return c


TXN = '''/* @NAME@ rows by their type: names for model/txn.h and model/view.h, nothing more. */

#include "gen/class/@NAME@.h"
#include "model/txn.h"
#include "model/view.h"

static inline struct error *txn_@LOWER@(struct txn *t, const char *ref, const struct @REC@ **ret)
{
    const void *rec;
    struct error *e = txn_read(t, @ID@, ref, &rec);
    if (!e)
        *ret = (const struct @REC@ *)rec;
    return e;
}

/* NULL if there is no such row. */
static inline const struct @REC@ *txn_find_@LOWER@(struct txn *t, const char *ref)
{
    return (const struct @REC@ *)txn_find(t, @ID@, ref);
}

static inline const struct @REC@ *txn_find_@LOWER@_uuid(struct txn *t, const char *uuid)
{
    return (const struct @REC@ *)txn_find_uuid(t, @ID@, uuid);
}

static inline struct error *txn_edit_@LOWER@(struct txn *t, const char *ref, struct @REC@ **ret)
{
    void *rec;
    struct error *e = txn_edit(t, @ID@, ref, &rec);
    if (!e)
        *ret = (struct @REC@ *)rec;
    return e;
}

static inline struct @REC@ *txn_new_@LOWER@(struct txn *t)
{
    return (struct @REC@ *)txn_insert(t, @ID@);
}

static inline struct error *txn_delete_@LOWER@(struct txn *t, const char *ref)
{
    return txn_delete(t, @ID@, ref);
}

static inline struct error *txn_@LOWER@_by_uuid(struct txn *t, const char *uuid,
                                            const struct @REC@ **ret)
{
    const void *rec;
    struct error *e = txn_read_uuid(t, @ID@, uuid, &rec);
    if (!e)
        *ret = (const struct @REC@ *)rec;
    return e;
}

/* All rows in order of creation; *ret lives as long as the transaction. */
static inline size_t txn_all_@LOWER@(struct txn *t, const struct @REC@ *const **ret)
{
    const void *const *all;
    size_t count = txn_all(t, @ID@, &all);
    *ret = (const struct @REC@ *const *)all;
    return count;
}

static inline const struct @REC@ *view_@LOWER@(const struct view *v, const char *ref)
{
    return (const struct @REC@ *)view_find(v, @ID@, ref);
}
'''

TXN_INVERSE = '''
static inline const struct @LOWER@_inv *txn_inv_@LOWER@(struct txn *t, const struct @REC@ *rec)
{
    return (const struct @LOWER@_inv *)txn_inverse(t, @ID@, rec);
}
'''


def _class_txn(cls, out):
    if not in_store(cls):
        out.header(f"class/{cls.name}_txn.h", f"/* {cls.name} has no rows. */\n")
        return
    text = TXN + (TXN_INVERSE if inv_fields(cls) else "")
    for mark, name in (("@NAME@", cls.name), ("@ID@", cname.class_id(cls.name)),
                       ("@REC@", cname.rec(cls.name)), ("@LOWER@", cname.lower(cls.name))):
        text = text.replace(mark, name)
    out.header(f"class/{cls.name}_txn.h", text)
