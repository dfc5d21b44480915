# SPDX-License-Identifier: LGPL-2.1-or-later
"""gen/roles.{h,c}: the roles, their order and the permissions that belong to no call."""

import cname


def mask(schema, set_name):
    return schema.role_sets[set_name]


def mask_text(schema, set_name):
    """C expression for a role set."""
    roles = schema.role_sets[set_name]
    if not roles:
        return "0"
    value = 0
    for i, name in enumerate(schema.roles):
        if name in roles:
            value |= 1 << i
    return f"0x{value:02x} /* {set_name} */"


def emit(schema, out):
    h = '''/*
 * Roles. A set of roles is a mask of ROLE_BIT(role); the empty mask means that no role suffices
 * (local root and pool members only).
 */

#include <stdbool.h>
#include <stdint.h>

enum role {
'''
    for name in schema.roles:
        h += f"    ROLE_{cname.upper(name)},\n"
    h += '''    ROLE_MAX
};

#define ROLE_BIT(role) (UINT32_C(1) << (role))

struct role_info {
    const char *name;
    const char *uuid; /* the reference is "OpaqueRef:" and this */
    const char *doc;
    bool internal; /* not offered to people */
};

extern const struct role_info role_infos[ROLE_MAX];

/* A permission that belongs to no single call. */
struct extra_permission {
    const char *name;
    uint32_t roles;
};

extern const struct extra_permission extra_permissions[];
extern const int extra_permissions_n;
'''
    c = '#include "gen/roles.h"\n\nconst struct role_info role_infos[ROLE_MAX] = {\n'
    for name, r in schema.roles.items():
        internal = "true" if r.get("internal") else "false"
        c += (f"    [ROLE_{cname.upper(name)}] = {{{cname.c_string(name)}, "
              f"{cname.c_string(r['uuid'])},\n        {cname.c_string(r.get('doc', ''))}, "
              f"{internal}}},\n")
    c += "};\n\nconst struct extra_permission extra_permissions[] = {\n"
    for name, roles in schema.permissions.items():
        c += f"    {{{cname.c_string(name)}, {mask_text(schema, roles)}}},\n"
    c += ("};\n\nconst int extra_permissions_n = "
          "sizeof(extra_permissions) / sizeof(extra_permissions[0]);\n")
    out.header("roles.h", h)
    out.source("roles.c", c)
