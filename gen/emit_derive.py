# SPDX-License-Identifier: LGPL-2.1-or-later
"""gen/derive.{h,c}: prototypes of the derive functions and the tables of what they depend on.

A field whose function is not written yet (no `body = true`) keeps its default: it gets a prototype
but no table, so that nothing refers to a missing symbol.
"""

import cname
import depends
from emit_class import derived_fields


def emit(schema, out):
    h = '''/*
 * Derived fields. A body looks at the record and, through the view, at what the schema says the
 * field depends on; it sets *ret, with memory from the arena. See model/derived.h.
 */

#include "gen/types.h"
#include "model/derived.h"

'''
    c = '#include "gen/derive.h"\n\n'
    for cls in schema.classes.values():
        if derived_fields(cls):
            c += f'#include "gen/class/{cls.name}.h"\n'
    tables = ""
    for cls in schema.classes.values():
        for f in cls.fields:
            if f.derived:
                h += _prototype(cls, f)
        if derived_fields(cls):
            h += f"extern const struct derived {cname.lower(cls.name)}_derived_fields[];\n"
            tables += _table(schema, cls)
    out.header("derive.h", h)
    out.source("derive.c", c + tables)


def _name(cls, f):
    return f"derive_{cname.lower(cls.name)}_{f.derived}"


def _prototype(cls, f):
    rec = cname.rec(cls.name)
    return (f"struct {rec};\nvoid {_name(cls, f)}(const struct view *v, struct arena *a,\n"
            f"    const struct {rec} *rec, {cname.out_pointer(f.type)}ret);\n")


def _step(f):
    return f"{{{cname.class_id(f.cls)}, {f.index}}}"


def _table(schema, cls):
    lower = cname.lower(cls.name)
    c = ""
    rows = ""
    for f in derived_fields(cls):
        name = f"{lower}_{f.derived}"
        c += f'''
static void do_{name}(const struct view *v, struct arena *a, const void *rec, void *ret)
{{
    {_name(cls, f)}(v, a, rec, ret);
}}

static const struct dep_path {name}_paths[] = {{
'''
        paths = depends.of_field(schema, f)
        for p in paths:
            spelled = ".".join([h.name for h in p.hops] + [p.last.name])
            if not p.hops and p.last.cls != cls.name:
                spelled = f"@{p.last.cls}.{spelled}"
            parts = []
            if p.hops:
                parts.append(f".n_hops = {len(p.hops)}")
                parts.append(f".hops = {{{', '.join(_step(h) for h in p.hops)}}}")
            parts.append(f".last = {_step(p.last)}")
            if p.key:
                spelled += "/" + p.key
                parts.append(f".key = {cname.c_string(p.key)}")
            c += f"    {{{', '.join(parts)}}}, /* {spelled} */\n"
        c += "};\n"
        rows += (f"    {{.field = {cname.field_id(cls.name, f.name)}, .derive = do_{name}, "
                 f".paths = {name}_paths, .n_paths = {len(paths)}}},\n")
    return c + f"\nconst struct derived {lower}_derived_fields[] = {{\n{rows}}};\n"
