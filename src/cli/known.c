/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/known.h"

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"

#define MAX_FILE (1u << 20)

/* The rest of the file without the line that begins so; *ret_known: what stood there, NULL = it is
 * new. */
static void take_line(char *text, const char *begin, struct str *rest, char **ret_known)
{
    char *next;

    *ret_known = NULL;
    for (char *line = strtok_r(text, "\n", &next); line; line = strtok_r(NULL, "\n", &next)) {
        if (!str_starts(line, begin)) {
            str_printf(rest, "%s\n", line);
        } else {
            free(*ret_known);
            *ret_known = xstrdup(line + strlen(begin));
        }
    }
}

struct error *known_check(const struct known *k, const char *host, uint16_t port,
                          const unsigned char digest[KNOWN_DIGEST])
{
    _cleanup_str_ struct str text = STR_INIT, rest = STR_INIT;
    _cleanup_free_ char *begin = xasprintf("%s:%u ", host, port), *known = NULL;
    char hex[2 * KNOWN_DIGEST + 1];

    if (!k->path)
        return NULL;
    for (int i = 0; i < KNOWN_DIGEST; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    IGNORE_ERROR(io_read_file(k->path, MAX_FILE, &text));
    str_add_mem(&text, "", 0);
    take_line(text.s, begin, &rest, &known);
    if (known && streq(known, hex))
        return NULL;
    if (known && !k->renew)
        return error_text("%s shows another certificate than before (SHA-256 %.16s..., was "
                          "%.16s...). If it was renewed on purpose: --new-certificate, once",
                          host, hex, known);
    str_printf(&rest, "%s%s\n", begin, hex);
    IGNORE_ERROR(io_replace_file(k->path, rest.s, rest.len, 0600));
    return NULL;
}
