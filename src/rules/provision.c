/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reader of other_config:disks. */
#include "rules/provision.h"

#include "base/vec.h"
#include "gen/errors.h"

#include <errno.h>
#include <expat.h>
#include <limits.h>
#include <stdlib.h>

/* Two hundred generous elements; the text came from a client. */
#define PROVISION_MAX_TEXT (64 << 10)

struct reader {
    struct arena *arena;
    struct VEC(struct provision_disk) disks;
    const char *wrong; /* NULL = all well so far */
    int depth;
};

static bool parse_size(const char *text, int64_t *ret)
{
    char *end;

    errno = 0;
    long long n = strtoll(text, &end, 10);

    if (errno || end == text || *end || n <= 0)
        return false;
    *ret = n;
    return true;
}

static void read_disk(struct reader *r, const XML_Char **attrs)
{
    struct provision_disk disk = {.device = "", .sr = ""};

    for (; attrs[0]; attrs += 2) {
        if (streq(attrs[0], "device"))
            disk.device = arena_strdup(r->arena, attrs[1]);
        else if (streq(attrs[0], "sr"))
            disk.sr = arena_strdup(r->arena, attrs[1]);
        else if (streq(attrs[0], "bootable"))
            disk.bootable = streq(attrs[1], "true");
        else if (streq(attrs[0], "type"))
            disk.system = streq(attrs[1], "system");
        else if (streq(attrs[0], "size") && !parse_size(attrs[1], &disk.size))
            r->wrong = "size is not a positive number of bytes";
    }
    if (!*disk.device)
        r->wrong = "a disk without device";
    else if (!disk.size && !r->wrong)
        r->wrong = "a disk without size";
    else if (r->disks.n == PROVISION_MAX_DISKS)
        r->wrong = "too many disks";
    else
        vec_add(&r->disks, disk);
}

static void XMLCALL on_start(void *user, const XML_Char *name, const XML_Char **attrs)
{
    struct reader *r = user;

    r->depth++;
    if (r->wrong)
        return;
    if (r->depth == 1 && !streq(name, "provision"))
        r->wrong = "the outer element is not <provision>";
    else if (r->depth == 2 && streq(name, "disk"))
        read_disk(r, attrs);
}

static void XMLCALL on_end(void *user, const XML_Char *name)
{
    ((struct reader *)user)->depth--;
}

struct error *provision_parse(const char *xml, struct arena *a, struct provision_disk **ret_disks,
                              size_t *ret_n)
{
    struct reader r = {.arena = a};
    size_t len = strlen(xml);

    if (len > PROVISION_MAX_TEXT)
        return err_invalid_value("disks", "too long");
    XML_Parser parser = XML_ParserCreate(NULL);

    if (!parser)
        abort(); /* out of memory */
    XML_SetUserData(parser, &r);
    XML_SetElementHandler(parser, on_start, on_end);
    if (XML_Parse(parser, xml, (int)len, XML_TRUE) != XML_STATUS_OK && !r.wrong)
        r.wrong = XML_ErrorString(XML_GetErrorCode(parser));
    XML_ParserFree(parser);
    if (!r.wrong) {
        *ret_n = r.disks.n;
        *ret_disks = arena_memdup(a, r.disks.v, r.disks.n * sizeof(*r.disks.v));
    }
    vec_fini(&r.disks);
    return r.wrong ? err_invalid_value("disks", r.wrong) : NULL;
}
