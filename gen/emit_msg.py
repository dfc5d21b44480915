# SPDX-License-Identifier: LGPL-2.1-or-later
"""gen/messages.{h,c}, gen/msg/<Class>.{h,c}, gen/dispatch.c: messages, their arguments, bodies."""

import cname
from emit_class import comment, ctor_defaults, default_of, member
from emit_roles import mask_text

FLAGS = (("async_", "ASYNC"), ("hidden", "HIDDEN"), ("pool_internal", "POOL_INTERNAL"),
         ("secret", "SECRET"), ("custom_result", "CUSTOM_RESULT"), ("emergency", "EMERGENCY"),
         ("no_current_operations", "NO_CURRENT_OPERATIONS"), ("effect", "EFFECT"),
         ("generic", "GENERIC"))


def base(m):
    return cname.msg_base(m.cls, m.name)


def shared(m):
    """What the struct of its arguments is called, with "_args"."""
    return cname.msg_base(m.cls, m.like)


def all_messages(schema):
    """Sorted by wire name, bytewise: the order of messages[] and of enum msg_id."""
    found = [m for cls in schema.classes.values() for m in cls.messages]
    return sorted(found, key=lambda m: m.wire.encode())


def emit(schema, out):
    messages = all_messages(schema)
    _messages_header(messages, out)
    for cls in schema.classes.values():
        _class_header(cls, out)
        _class_source(schema, cls, out)
    _dispatch(schema, messages, out)


def _messages_header(messages, out):
    h = '''/* All messages. See rpc/message.h. */

#include "rpc/message.h"

enum msg_id {
'''
    for m in messages:
        h += f"    {cname.msg_id(m.cls, m.name)},\n"
    h += '''    MID_MAX
};

extern const struct message messages[MID_MAX];

/* "VM.start" or "VM_start"; NULL if there is no such message. */
const struct message *message_find(const char *name, size_t len);

static inline enum msg_id message_id(const struct message *m)
{
    return (enum msg_id)(m - messages);
}
'''
    out.header("messages.h", h)


def _members(m):
    if m.kind == "CREATE":
        return f"    struct {cname.lower(m.cls)}_ctor args;\n"
    text = "".join(f"    {member(p)}\n" for p in m.params)
    return text or "    char none; /* takes no arguments */\n"


def _has_ret(m):
    return m.result.kind != "VOID" and not m.custom_result


def _class_header(cls, out):
    h = f"/* Messages of {cls.name}: arguments, and the bodies in src/api/. */\n\n"
    h += f'#include "gen/class/{cls.name}.h"\n'
    for name in sorted({t.name for m in cls.messages if m.has_args for p in m.params
                        for t in p.type.walk() if t.kind == "RECORD"} - {cls.name}):
        h += f'#include "gen/class/{name}.h"\n'
    h += "\nstruct call;\nstruct error;\n"
    for m in cls.messages:
        if not m.has_args:
            continue
        h += "\n" + comment(f"{m.wire}: {m.doc}" if m.doc else m.wire)
        h += f"struct {base(m)}_args {{\n{_members(m)}}};\n" if m.like == m.name else f"struct {shared(m)}_args;\n"
        h += f"extern const struct struct_info {base(m)}_args_info;\n"
        ret = f", {cname.out_pointer(m.result)}ret" if _has_ret(m) else ""
        if not m.body_of:
            h += f"struct error *api_{base(m)}(struct call *c, const struct {shared(m)}_args *a{ret});\n"
    out.header(f"msg/{cls.name}.h", h)


def _class_source(schema, cls, out):
    c = f'#include "gen/msg/{cls.name}.h"\n'
    for m in cls.messages:
        if m.has_args:
            c += _args_table(schema, m)
    out.source(f"msg/{cls.name}.c", c)


def _args_table(schema, m):
    name, struct = f"{base(m)}_args", f"{shared(m)}_args"
    fields = defaults = ""
    n = len(m.params)
    for p in _absent(schema, m):
        defaults += f"    .{cname.member(p.name)} = {default_of(schema, p)},\n"
    for p in m.params:
        path = cname.member(p.name)
        flags = "0" if p.has_default else "FIELD_REQUIRED"
        type_ = f"&{cname.type_var(p.type)}"
        if m.kind == "CREATE":
            type_ = f"&{name}_type"
            inner = ctor_defaults(schema, schema.classes[m.cls], "        ")
            defaults += f"    .{path} = {{\n{inner}    }},\n"
        else:
            defaults += f"    .{path} = {default_of(schema, p)},\n"
        bad_ref = ", .bad_ref_is_null = true" if _optional_ref(p) else ""
        fields += (f'    {{.name = "{p.name}", .column = "{p.name}", .type = {type_},\n'
                   f"     .offset = offsetof(struct {struct}, {path}), .flags = {flags}{bad_ref}, "
                   ".inverse = -1},\n")
    c = ""
    if m.kind == "CREATE":
        lower = cname.lower(m.cls)
        c += f'''
static const struct type {name}_type = {{
    .kind = K_RECORD, .class_id = {cname.class_id(m.cls)}, .size = sizeof(struct {lower}_ctor),
    .record = &{lower}_ctor_info, .text = "record:{m.cls}"}};
'''
    table = "NULL"
    if fields:
        c += f"\nstatic const struct field {name}_fields[] = {{\n{fields}}};\n"
        table = f"{name}_fields"
    c += f"\nstatic const struct {struct} {name}_default = {{\n{defaults}}};\n"
    c += f'''
const struct struct_info {name}_info = {{
    .name = "{m.wire}", .size = sizeof(struct {struct}), .fields = {table}, .n = {n},
    .defaults = &{name}_default}};
'''
    return c


def _absent(schema, m):
    """Members of a shared struct that are no parameters of this message."""
    whole = next(o for o in schema.classes[m.cls].messages if o.name == m.like)
    return [p for p in whole.params if p.name not in {own.name for own in m.params}]


def _optional_ref(p):
    return p.type.is_ref and p.has_default


def flags(m):
    found = ["MSG_" + flag for attr, flag in FLAGS if getattr(m, attr)]
    if not m.session:
        found.append("MSG_NO_SESSION")
    if m.state == "removed":
        found.append("MSG_REMOVED")
    if m.has_body:
        found.append("MSG_" + m.body.upper())
    return " | ".join(found) or "0"


def _dispatch(schema, messages, out):
    c = '#include "gen/messages.h"\n\n#include "gen/roles.h"\n#include "gen/types.h"\n'
    for name in schema.classes:
        c += f'#include "gen/msg/{name}.h"\n'
    c += "\n#include <string.h>\n"
    shared = {}
    for m in messages:
        c += _adapter(m) + _refusal(m)
        c += _key_roles(schema, m, shared)
    c += "\nconst struct message messages[MID_MAX] = {\n"
    for m in messages:
        c += _row(schema, m)
    c += "};\n" + FIND
    out.source("dispatch.c", c)


def _adapter(m):
    if not m.has_body:
        return ""
    ret = ", ret" if _has_ret(m) else ""
    return f'''
static struct error *do_{base(m)}(struct call *c, const void *args, void *ret)
{{
    return api_{cname.msg_base(m.cls, m.body_of or m.name)}(c, args{ret});
}}
'''


def _refusal(m):
    if not m.refuse:
        return ""
    texts = ", ".join(cname.c_string(t) for t in m.refuse)
    return f"\nstatic const char *const {base(m)}_refusal[] = {{{texts}, NULL}};\n"


def _key_roles(schema, m, shared):
    if not m.key_roles:
        return ""
    permission = m.wire.lower()
    c = f"\nstatic const struct key_role {base(m)}_keys[] = {{\n"
    for key, roles in m.key_roles.items():
        prefix = "true" if key.endswith("*") else "false"
        c += (f"    {{{cname.c_string(key.rstrip('*'))}, {prefix}, {mask_text(schema, roles)},\n"
              f"     {cname.c_string(f'{permission}/key:{key.lower()}')}}},\n")
    return c + "    {NULL, false, 0, NULL},\n};\n"


def _row(schema, m):
    required = sum(1 for p in m.params if not p.has_default)
    field = cname.field_id(m.cls, m.field.name) if m.field else "-1"
    parts = [f'.name = "{m.wire}"', f'.permission = "{m.wire.lower()}"',
             f".class_id = {cname.class_id(m.cls)}", f".kind = MSG_{m.kind}",
             f".n_required = {required}", f".field = {field}"]
    if m.has_args:
        parts.append(f".args = &{base(m)}_args_info")
    parts.append(f".result = &{cname.type_var(m.result)}")
    parts.append(f".flags = {flags(m)}")
    parts.append(f".roles = {mask_text(schema, m.roles)}")
    if m.key_roles:
        parts.append(f".key_roles = {base(m)}_keys")
    if m.has_body:
        parts.append(f".body = do_{base(m)}")
    if m.refuse:
        parts.append(f".refusal = {base(m)}_refusal")
    return "    {" + ", ".join(parts) + "},\n"


FIND = '''
static const struct message *find_dotted(const char *name, size_t len)
{
    size_t low = 0, high = MID_MAX;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const char *other = messages[middle].name;
        int order = strncmp(name, other, len);
        if (order == 0 && other[len] == 0)
            return &messages[middle];
        if (order > 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

#define NAME_MAX_LEN 128 /* longer than any message */

const struct message *message_find(const char *name, size_t len)
{
    if (len == 0 || len >= NAME_MAX_LEN || memchr(name, 0, len))
        return NULL;
    const struct message *found = find_dotted(name, len);
    if (found || memchr(name, '.', len))
        return found;
    /* Class_message: any underscore may be the one that stands for the dot. */
    char dotted[NAME_MAX_LEN];
    memcpy(dotted, name, len);
    for (size_t i = 1; i < len && !found; i++) {
        if (name[i] != '_')
            continue;
        dotted[i] = '.';
        found = find_dotted(dotted, len);
        dotted[i] = '_';
    }
    return found;
}
'''
