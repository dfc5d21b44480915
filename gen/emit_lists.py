# SPDX-License-Identifier: LGPL-2.1-or-later
"""gen/http_actions.{h,c} and gen/alerts.{h,c}: HTTP requests other than calls, names of notices."""

import cname
from emit_roles import mask_text

HTTP_HEADER = '''/*
 * HTTP requests other than calls, from schema/http.toml: who may make them. The permission is
 * "http/NAME", that of a sub action "http/NAME/SUB".
 */

#include <stdbool.h>
#include <stdint.h>

struct http_sub_action {
    const char *name; /* NULL ends the list */
    uint32_t roles;
};

struct http_action {
    const char *name;   /* "get_export" */
    const char *method; /* "GET" */
    const char *uri;    /* the longest prefix that fits wins */
    uint32_t roles;     /* mask of ROLE_BIT() */
    bool rbac_checked;  /* false: anybody, the handler decides */
    bool works;         /* false: nobody has written it yet */
    const char *const *query; /* "uuid:string" ..., ends with NULL */
    const struct http_sub_action *sub_actions; /* NULL = none */
};

'''

ALERTS_HEADER = '''/*
 * Names of message objects and their priority: 1 is worst, 5 is information.
 */

struct alert_info {
    const char *name;
    int priority;
};

extern const struct alert_info alerts[]; /* sorted by name */
extern const int alerts_n;
/* Names that only begin so. */
extern const struct alert_info alert_prefixes[];
extern const int alert_prefixes_n;

'''


def emit(schema, out):
    _http(schema, out)
    _alerts(schema, out)


def _http(schema, out):
    h = HTTP_HEADER + "enum http_action_id {\n"
    c = '#include "gen/http_actions.h"\n\n#include <stddef.h>\n'
    rows = ""
    for name, a in schema.http.items():
        h += f"    HTTP_{cname.upper(name)},\n"
        sub = "NULL"
        if a.get("sub_actions"):
            sub = f"{cname.lower(name)}_sub_actions"
            c += f"\nstatic const struct http_sub_action {sub}[] = {{\n"
            for key, roles in a["sub_actions"].items():
                c += f"    {{{cname.c_string(key)}, {mask_text(schema, roles)}}},\n"
            c += "    {NULL, 0},\n};\n"
        query = "".join(cname.c_string(x) + ", " for x in a.get("query", []))
        checked = "true" if a.get("rbac_checked", True) else "false"
        works = "true" if a.get("test") else "false"
        rows += (f'    [HTTP_{cname.upper(name)}] = {{"{name}", "{a["method"]}", '
                 f"{cname.c_string(a['uri'])},\n        {mask_text(schema, a['roles'])}, {checked}, {works},"
                 f"\n        (const char *const[]){{{query}NULL}}, {sub}}},\n")
    h += "    HTTP_ACTION_MAX\n};\n\n"
    h += "extern const struct http_action http_actions[HTTP_ACTION_MAX];\n"
    c += f"\nconst struct http_action http_actions[HTTP_ACTION_MAX] = {{\n{rows}}};\n"
    out.header("http_actions.h", h)
    out.source("http_actions.c", c)


def _alerts(schema, out):
    h = ALERTS_HEADER
    c = '#include "gen/alerts.h"\n'
    for table, found in (("alerts", schema.alerts), ("alert_prefixes", schema.alert_prefixes)):
        c += f"\nconst struct alert_info {table}[] = {{\n"
        for name, priority in sorted(found.items()):
            c += f"    {{{cname.c_string(name)}, {priority}}},\n"
            if table == "alerts":
                h += f"#define ALERT_{cname.upper(name)} {cname.c_string(name)}\n"
        c += f"}};\n\nconst int {table}_n = sizeof({table}) / sizeof({table}[0]);\n"
    out.header("alerts.h", h)
    out.source("alerts.c", c)
