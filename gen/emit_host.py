# SPDX-License-Identifier: LGPL-2.1-or-later
"""gen/host_proto.{h,c}, gen/host_dispatch.c: the protocol between xenolithd and xenolith-hostd."""

import hashlib

import cname
from emit_class import comment, default_of, member

HEADER = '''/*
 * The host protocol, from schema/host/. For each call X:
 *   struct host_X_args, struct host_X_result   plain values, see value/type.h
 *   hostd_X()   used by xenolithd: sends the call, waits for the answer (memory from the arena)
 *   host_X()    the body in xenolith-hostd; memory of the result from host_call_arena()
 * Calls that pass descriptors take an array of HOST_MAX_FDS and its fill: on entry those sent with
 * the call, on return those received, which the caller then owns.
 */

#include "gen/enums.h"
#include "gen/types.h"

#define HOST_MAX_FDS 16

struct arena;
struct error;
struct hostd;     /* connection to xenolith-hostd */
struct host_call; /* one call being served */
'''

INFO = '''
struct host_call_info {
    const char *name; /* "vm_start" */
    const struct struct_info *args;
    const struct struct_info *result;
    int timeout; /* seconds until the caller gives up; 0 = none, the caller cancels */
    uint8_t fds_in;  /* most descriptors sent with the call */
    uint8_t fds_out; /* most descriptors that come back */
    bool secret;     /* arguments never reach a log */
};

extern const struct host_call_info host_calls[HOST_CALL_MAX];

/* Bodies by call; NULL = not written yet. Linked into xenolith-hostd only. */
extern struct error *(*const host_bodies[HOST_CALL_MAX])(struct host_call *c, const void *args,
                                                         void *result);

/* What the stubs are made of; src/proto/ has it. Linked into xenolithd only. */
struct error *hostd_call(struct hostd *h, int call_id, const void *args, struct arena *arena,
                         void *ret, int *fds, size_t *n_fds);
'''


def call_id(call):
    return f"HOST_CALL_{cname.upper(call.name)}"


def passes_fds(call):
    return call.fds_in > 0 or call.fds_out > 0


def emit(schema, out):
    host = schema.host
    h = HEADER + "\nenum host_call_id {\n"
    h += "".join(f"    {call_id(c)},\n" for c in host.calls.values())
    h += "    HOST_CALL_MAX\n};\n"
    h += "\n/* Changes with every change of the protocol; both sides must have the same. */\n"
    h += f'#define HOST_PROTO_DIGEST "{digest(host)}"\n' + INFO
    c = '#include "gen/host_proto.h"\n\n#include "base/error.h"\n'
    for struct in ordered(host):
        tag = f"host_{cname.lower(struct.name)}_rec"
        h += "\n" + comment(struct.doc) + _struct(tag, struct.fields)
        c += _table(schema, tag, struct.name, struct.fields)
    infos = stubs = adapters = bodies = ""
    for call in host.calls.values():
        name = cname.lower(call.name)
        h += _declarations(call)
        c += _table(schema, f"host_{name}_args", call.name, call.args)
        c += _table(schema, f"host_{name}_result", call.name, call.result)
        infos += _info(call)
        stubs += _stub(call)
        if call.body:
            adapters += _adapter(call)
            bodies += f"    [{call_id(call)}] = do_{name},\n"
    c += f"\nconst struct host_call_info host_calls[HOST_CALL_MAX] = {{\n{infos}}};\n"
    out.header("host_proto.h", h)
    out.source("host_proto.c", c)
    out.source("host_client.c", '#include "gen/host_proto.h"\n' + stubs)
    out.source("host_dispatch.c", f'''#include "gen/host_proto.h"
{adapters}
struct error *(*const host_bodies[HOST_CALL_MAX])(struct host_call *c, const void *args,
                                                  void *result) = {{
{bodies}}};
''')


def digest(host):
    """A short hash over everything that goes over the wire."""

    def shape(params):
        return [(p.name, p.type.text, repr(p.default)) for p in params]

    text = repr([(s.name, shape(s.fields)) for s in host.structs.values()]
                + [(e.name, e.values) for e in host.enums.values()]
                + [(c.name, shape(c.args), shape(c.result), c.fds_in, c.fds_out)
                   for c in host.calls.values()])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def ordered(host):
    """Structs, those embedded in others first. check.py has refused cycles."""
    done = {}

    def visit(struct):
        if struct.name in done:
            return
        for p in struct.fields:
            if p.type.kind == "RECORD" and p.type.name in host.structs:
                visit(host.structs[p.type.name])
        done[struct.name] = struct

    for struct in host.structs.values():
        visit(struct)
    return done.values()


def _struct(tag, params):
    text = f"struct {tag} {{\n"
    for p in params:
        if p.doc:
            text += comment(p.doc, "    ")
        text += f"    {member(p)}\n"
    if not params:
        text += "    char none;\n"
    return text + f"}};\nextern const struct struct_info {tag}_info;\n"


def _declarations(call):
    name = cname.lower(call.name)
    text = "\n" + comment(f"{call.name}: {call.doc}")
    text += _struct(f"host_{name}_args", call.args) + _struct(f"host_{name}_result", call.result)
    text += f"{_stub_head(call)};\n{_body_head(call)};\n"
    return text


def _stub_head(call):
    name = cname.lower(call.name)
    fds = ",\n    int *fds, size_t *n_fds" if passes_fds(call) else ""
    return (f"struct error *hostd_{name}(struct hostd *h, const struct host_{name}_args *a,\n"
            f"    struct arena *arena, struct host_{name}_result *ret{fds})")


def _body_head(call):
    name = cname.lower(call.name)
    return (f"struct error *host_{name}(struct host_call *c, const struct host_{name}_args *a,\n"
            f"    struct host_{name}_result *ret)")


def _stub(call):
    if passes_fds(call):
        return (f"\n{_stub_head(call)}\n{{\n"
                f"    return hostd_call(h, {call_id(call)}, a, arena, ret, fds, n_fds);\n}}\n")
    return (f"\n{_stub_head(call)}\n{{\n"
            f"    return hostd_call(h, {call_id(call)}, a, arena, ret, NULL, NULL);\n}}\n")


def _adapter(call):
    name = cname.lower(call.name)
    return f'''
static struct error *do_{name}(struct host_call *c, const void *args, void *result)
{{
    return host_{name}(c, args, result);
}}
'''


def _table(schema, tag, name, params):
    fields = defaults = ""
    for p in params:
        path = cname.member(p.name)
        flags = "0" if p.has_default else "FIELD_REQUIRED"
        fields += (f'    {{.name = "{p.name}", .column = "{p.name}", '
                   f".type = &{cname.type_var(p.type)},\n"
                   f"     .offset = offsetof(struct {tag}, {path}), .flags = {flags}, "
                   ".inverse = -1},\n")
        if p.type.kind != "RECORD":
            defaults += f"    .{path} = {default_of(schema, p)},\n"
        else:
            defaults += _nested(schema, p, f".{path}")
    table = f"{tag}_fields" if fields else "NULL"
    c = f"\nstatic const struct field {table}[] = {{\n{fields}}};\n" if fields else ""
    c += f"\nstatic const struct {tag} {tag}_default = {{\n{defaults or '    .none = 0,'}\n}};\n"
    return c + f'''
const struct struct_info {tag}_info = {{
    .name = "{name}", .size = sizeof(struct {tag}), .fields = {table}, .n = {len(params)},
    .defaults = &{tag}_default}};
'''


def _nested(schema, p, path):
    text = ""
    for inner in schema.host.structs[p.type.name].fields:
        deeper = f"{path}.{cname.member(inner.name)}"
        if inner.type.kind == "RECORD":
            text += _nested(schema, inner, deeper)
        else:
            text += f"    {deeper} = {default_of(schema, inner)},\n"
    return text


def _info(call):
    name = cname.lower(call.name)
    secret = ", .secret = true" if call.secret else ""
    return (f'    [{call_id(call)}] = {{.name = "{call.name}", .args = &host_{name}_args_info,\n'
            f"        .result = &host_{name}_result_info, .timeout = {call.timeout},\n"
            f"        .fds_in = {call.fds_in}, .fds_out = {call.fds_out}{secret}}},\n")
