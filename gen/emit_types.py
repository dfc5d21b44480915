# SPDX-License-Identifier: LGPL-2.1-or-later
"""gen/enums.h, gen/types.h: enums, typed twins of sets and maps, descriptors of all types."""

import cname
from typetext import parse

BASIC = ["void", "string", "secretstring", "int", "float", "bool", "datetime", "any",
         "set:string", "map:string:string"]


def used(schema):
    """Every type the schema uses, inner ones first, each once."""
    found = {}

    def add(t):
        for inner in t.walk():
            found.setdefault(cname.type_var(inner), inner)

    for text in BASIC:
        add(parse(text))
    for cls in schema.classes.values():
        for f in cls.fields:
            add(f.type)
        for m in cls.messages:
            add(m.result)
            for p in m.params:
                add(p.type)
        if cls.in_database or cls.in_store:
            add(parse(f"map:ref:{cls.name}:record:{cls.name}"))
    for struct in schema.host.structs.values():
        for p in struct.fields:
            add(p.type)
    for call in schema.host.calls.values():
        for p in call.args + call.result:
            add(p.type)
    return list(found.values())


def all_enums(schema):
    return {**schema.enums, **schema.host.enums}


def emit(schema, out):
    _enums(schema, out)
    types = used(schema)
    _types_header(schema, out, types)
    _types_source(schema, out, types)


def _enums(schema, out):
    h = '#include "value/type.h"\n'
    c = '#include "gen/enums.h"\n'
    for e in all_enums(schema).values():
        tag = cname.lower(e.name)
        h += f"\nenum {tag} {{\n"
        for v in e.values:
            note = f" /* {e.doc[v]} */" if v in e.doc else ""
            h += f"    {cname.enum_value(e.name, v)},{note}\n"
        h += f"    {cname.upper(e.name)}_MAX\n}};\n"
        h += f"extern const struct enum_info {tag}_info;\n"
        names = ", ".join(cname.c_string(v) for v in e.values)
        exact = ", .exact = true" if e.exact else ""
        c += (f"\nconst struct enum_info {tag}_info = {{.name = {cname.c_string(e.name)}, "
              f".n = {len(e.values)}{exact},\n"
              f"    .names = (const char *const[]){{{names}}}}};\n")
    out.header("enums.h", h)
    out.source("enums.c", c)


def _types_header(schema, out, types):
    h = '''/*
 * Typed twins of struct set and struct map (same layout), and one descriptor per type in use:
 * "set:ref:VM" is described by type_set_ref_VM and held by struct set_ref.
 */

#include "value/type.h"

struct json_t;

'''
    for tag in sorted({cname.rec_of(t) for t in types if t.kind == "RECORD"}):
        h += f"struct {tag};\n"
    h += "\n"
    done = set()
    for t in types:
        if t.kind not in ("SET", "MAP") or cname.twin(t) in done:
            continue
        done.add(cname.twin(t))
        h += f"struct {cname.twin(t)} {{\n    size_t n;\n"
        if t.kind == "MAP":
            h += f"    {cname.pointer_to(t.key)}k;\n"
        h += f"    {cname.pointer_to(t.elem)}v;\n}};\n"
    h += "\n"
    for t in types:
        h += f"extern const struct type {cname.type_var(t)};\n"
    out.header("types.h", h)


def _size(t):
    if t.kind == "VOID":
        return "0"
    return f"sizeof({cname.c_type(t).strip()})"


def _types_source(schema, out, types):
    c = '#include "gen/types.h"\n\n#include "gen/classes.h"\n#include "gen/enums.h"\n'
    for name in sorted({t.name for t in types if t.kind == "RECORD" and not t.host}):
        c += f'#include "gen/class/{name}.h"\n'
    c += '#include "gen/host_proto.h"\n'
    c += "\n"
    for t in types:
        parts = [f".kind = K_{t.kind}", f".size = {_size(t)}"]
        if t.kind == "REF" or (t.kind == "RECORD" and not t.host):
            parts.append(f".class_id = {cname.class_id(t.name)}")
        if t.key:
            parts.append(f".key = &{cname.type_var(t.key)}")
        if t.elem:
            parts.append(f".elem = &{cname.type_var(t.elem)}")
        if t.kind == "ENUM":
            parts.append(f".en = &{cname.lower(t.name)}_info")
        if t.kind == "RECORD":
            parts.append(f".record = &{cname.rec_of(t)}_info")
        parts.append(f".text = {cname.c_string(t.text)}")
        c += f"const struct type {cname.type_var(t)} = {{{', '.join(parts)}}};\n"
    out.source("types.c", c)
