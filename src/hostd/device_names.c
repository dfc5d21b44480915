/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hostd/devices.h"

#include "base/error.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"

#define FILE_MAX (8u << 20)

struct device_names {
    struct str text;
};

struct device_names *device_names_open(const char *path)
{
    struct device_names *n = xnew(struct device_names);
    _cleanup_error_ struct error *e = io_read_file(path, FILE_MAX, &n->text);

    if (!e)
        return n;
    device_names_close(n);
    return NULL;
}

void device_names_close(struct device_names *n)
{
    if (!n)
        return;
    str_fini(&n->text);
    free(n);
}

/* The file has 35,000 lines: nothing here looks further than a line. */
static const char *end_of(const struct device_names *n)
{
    return str_cstr(&n->text) + n->text.len;
}

static const char *next_line(const struct device_names *n, const char *line)
{
    const char *end = memchr(line, '\n', (size_t)(end_of(n) - line));

    return end ? end + 1 : NULL;
}

/*
 * The text behind `key` in a line at that depth, among the lines below `from`; NULL = none. A line
 * that is less deep ends the search, but for comments.
 */
static const char *find(const struct device_names *n, const char *from, size_t depth,
                        const char *key)
{
    size_t len = strlen(key);

    for (const char *line = from; line; line = next_line(n, line)) {
        const char *text = line;

        while (*text == '\t')
            text++;
        if (*line == '#' || *line == '\n' || *line == 0)
            continue;
        if ((size_t)(text - line) < depth)
            return NULL;
        if ((size_t)(text - line) == depth && (size_t)(end_of(n) - text) > len &&
            memcmp(text, key, len) == 0 && text[len] == ' ')
            return text + len;
    }
    return NULL;
}

static const char *text_of(struct arena *a, const char *found)
{
    if (!found)
        return "";
    found += strspn(found, " ");
    return arena_memdup0(a, found, strcspn(found, "\n"));
}

static const char *below(const struct device_names *n, const char *key)
{
    const char *found = n ? find(n, str_cstr(&n->text), 0, key) : NULL;

    return found ? next_line(n, found) : NULL;
}

const char *device_names_vendor(const struct device_names *n, struct arena *a, const char *vendor)
{
    return text_of(a, n ? find(n, str_cstr(&n->text), 0, vendor) : NULL);
}

const char *device_names_device(const struct device_names *n, struct arena *a, const char *vendor,
                                const char *device)
{
    const char *from = below(n, vendor);

    return text_of(a, from ? find(n, from, 1, device) : NULL);
}

const char *device_names_card(const struct device_names *n, struct arena *a, const char *vendor,
                              const char *device, const char *card_vendor, const char *card)
{
    const char *from = below(n, vendor);
    const char *found = from ? find(n, from, 1, device) : NULL;

    found = found ? next_line(n, found) : NULL;
    return text_of(a,
                   found ? find(n, found, 2, arena_printf(a, "%s %s", card_vendor, card)) : NULL);
}

const char *device_names_class(const struct device_names *n, struct arena *a, const char *id)
{
    const char *base = arena_printf(a, "C %.2s", id);
    const char *from = below(n, base);
    const char *found = from ? find(n, from, 1, arena_strdup(a, id + 2)) : NULL;

    return text_of(a, found ? found : n ? find(n, str_cstr(&n->text), 0, base) : NULL);
}
