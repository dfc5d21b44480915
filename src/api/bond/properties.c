/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/bond/bond.h"

#include "api/common/lists.h"
#include "gen/errors.h"

#include <stdlib.h>

/* Source: XenAPI semantics, Bond.create. All of them belong to LACP. */
static const struct property {
    const char *name;
    const char *usual;      /* NULL: none unless said */
    const char *allowed[3]; /* all NULL: a number */
} properties[] = {
    {"hashing_algorithm", "tcpudp_ports", {"tcpudp_ports", "src_mac"}},
    {"lacp-time", "slow", {"slow", "fast"}},
    {"lacp-aggregation-key", NULL, {NULL}},
    {"lacp-fallback-ab", "true", {"true", "false"}},
};

#define KEY_MAX 65535 /* 16 bits in the packet, IEEE 802.1AX */

static bool is_key(const char *value)
{
    char *end;
    unsigned long v = strtoul(value, &end, 10);

    return *value >= '0' && *value <= '9' && !*end && v <= KEY_MAX;
}

static bool fits(const struct property *p, const char *value)
{
    if (!p->allowed[0])
        return is_key(value);
    for (size_t i = 0; p->allowed[i]; i++)
        if (streq(p->allowed[i], value))
            return true;
    return false;
}

static const struct property *find(enum bond_mode mode, const char *name)
{
    for (size_t i = 0; mode == BOND_MODE_LACP && i < ARRAY_SIZE(properties); i++)
        if (streq(properties[i].name, name))
            return &properties[i];
    return NULL;
}

struct error *bond_check_property(enum bond_mode mode, const char *name, const char *value)
{
    const struct property *p = find(mode, name);
    _cleanup_free_ char *text = NULL;

    if (p && fits(p, value))
        return NULL;
    text = xasprintf("%s=%s", name, value);
    return err_invalid_value("properties", text);
}

struct map_string_string bond_properties(struct arena *a, enum bond_mode mode,
                                         const struct map_string_string *wanted)
{
    struct map_string_string made = {0};

    for (size_t i = 0; mode == BOND_MODE_LACP && i < ARRAY_SIZE(properties); i++) {
        const char *value = map_find(wanted, properties[i].name);

        value = value ? value : properties[i].usual;
        if (value)
            map_set(a, &made, properties[i].name, value);
    }
    return made;
}
