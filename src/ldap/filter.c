/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ldap/filter.h"

#include "base/str.h"

static bool is_plain(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

char *filter_escape(const char *text)
{
    _cleanup_str_ struct str out = STR_INIT;

    for (const char *p = text; *p; p++) {
        unsigned char c = (unsigned char)*p;

        if (is_plain(c))
            str_add_char(&out, *p);
        else
            str_printf(&out, "\\%02x", c);
    }
    return str_take(&out);
}

static char *fill(const char *template, const char *value)
{
    _cleanup_str_ struct str out = STR_INIT;
    const char *p = template;

    for (const char *hole = strstr(p, "%s"); hole; hole = strstr(p, "%s")) {
        str_add_mem(&out, p, (size_t)(hole - p));
        str_add(&out, value);
        p = hole + 2;
    }
    str_add(&out, p);
    return str_take(&out);
}

char *filter_for_name(const char *template, const char *name)
{
    _cleanup_free_ char *value = filter_escape(name);

    return fill(template, value);
}

char *filter_for_anyone(const char *template)
{
    return fill(template, "*");
}

char *filter_and(const char *filter, const char *attribute, const char *value)
{
    _cleanup_free_ char *escaped = filter_escape(value);

    return xasprintf("(&%s(%s=%s))", filter, attribute, escaped);
}
