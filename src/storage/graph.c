/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Block graph commands. Commits with their two-handed switch are in graph_commit.c. */

#include "storage/graph.h"

#include "storage/qimg.h"
#include "storage/tune.h"
#include "value/json.h"

#include <assert.h>
#include <errno.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return (c | 0x20) - 'a' + 10;
}

struct graph_name graph_name(char prefix, const struct node *n)
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
    struct graph_name name = {.s = {prefix}};
    unsigned acc = 0;
    unsigned bits = 0;
    size_t out = 1;

    for (const char *p = n->id.s; *p; p++) {
        if (*p == '-')
            continue;
        acc = acc << 4 | (unsigned)hex_digit(*p);
        bits += 4;
        if (bits >= 5) {
            bits -= 5;
            name.s[out++] = alphabet[acc >> bits & 31];
        }
        assert(out < sizeof(name.s) - 1);
    }
    name.s[out] = alphabet[acc << (5 - bits) & 31];
    return name;
}

json_t *graph_file_options(const struct node *n, const char *path)
{
    struct graph_name file = graph_name('f', n);

    /* auto-read-only: opened for reading until somebody writes, which a commit into it may. */
    return json_pack("{s:s, s:s, s:s, s:b, s:s}", "driver", "file", "node-name", file.s, "filename",
                     path, "auto-read-only", 1, "discard", "unmap");
}

json_t *graph_format_options(const struct node *n, bool over_parent, bool read_only)
{
    struct graph_name file = graph_name('f', n);
    struct graph_name name = graph_name('n', n);
    json_t *j =
        json_pack("{s:s, s:s, s:s, s:b, s:s}", "driver", qimg_driver(n->format), "node-name",
                  name.s, "file", file.s, "read-only", read_only, "discard", "unmap");

    if (n->format != IMAGE_QCOW2)
        return j;
    /* Never the name in the image's header. */
    if (over_parent && n->parent)
        json_object_set_new(j, "backing", json_string(graph_name('n', n->parent).s));
    else
        json_object_set_new(j, "backing", json_null());
    return j;
}

struct error *graph_open(struct qmp *q, const struct node *n, const char *path, bool over_parent,
                         bool read_only)
{
    TRY(qmp_run(q, "blockdev-add", graph_file_options(n, path), QMP_TIMEOUT_US, NULL));
    struct error *e = qmp_run(q, "blockdev-add", graph_format_options(n, over_parent, read_only),
                              QMP_TIMEOUT_US, NULL);
    if (e)
        IGNORE_ERROR(graph_close(q, n));
    return e;
}

static struct error *node_del(struct qmp *q, const char *name)
{
    struct error *e =
        qmp_run(q, "blockdev-del", json_pack("{s:s}", "node-name", name), QMP_TIMEOUT_US, NULL);

    if (e && strstr(e->detail, "Failed to find node")) {
        error_free(e);
        return NULL;
    }
    return e;
}

struct error *graph_close(struct qmp *q, const struct node *n)
{
    TRY(node_del(q, graph_name('n', n).s));
    return node_del(q, graph_name('f', n).s);
}

static struct error *find_node(struct qmp *q, const struct node *n, json_t **ret)
{
    _cleanup_json_ json_t *all = NULL;
    struct graph_name name = graph_name('n', n);
    size_t i;
    json_t *one;

    TRY(qmp_run(q, "query-named-block-nodes", json_pack("{s:b}", "flat", 1), QMP_TIMEOUT_US, &all));
    json_array_foreach (all, i, one) {
        const char *s = json_string_value(json_object_get(one, "node-name"));
        if (s && streq(s, name.s)) {
            *ret = json_incref(one);
            return NULL;
        }
    }
    return error_errno(ENODEV, "block node %s is not open", name.s);
}

struct error *graph_has(struct qmp *q, const struct node *n, bool *ret)
{
    _cleanup_json_ json_t *found = NULL;
    struct error *e = find_node(q, n, &found);

    if (e && e->errnum == ENODEV) {
        error_free(e);
        *ret = false;
        return NULL;
    }
    TRY(e);
    *ret = true;
    return NULL;
}

struct error *graph_size(struct qmp *q, const struct node *n, int64_t *ret)
{
    _cleanup_json_ json_t *found = NULL;

    TRY(find_node(q, n, &found));
    *ret = json_integer_value(json_object_get(json_object_get(found, "image"), "virtual-size"));
    return NULL;
}

struct error *graph_is_overlay(struct qmp *q, const struct node *n, bool *ret)
{
    _cleanup_json_ json_t *found = NULL;

    TRY(find_node(q, n, &found));
    *ret = json_object_get(found, "backing_file"); /* the depth is 0 in a flat list */
    return NULL;
}

struct error *graph_snapshot(struct qmp *q, const struct node *n, const struct node *overlay)
{
    struct graph_name below = graph_name('n', n);
    struct graph_name above = graph_name('n', overlay);

    return qmp_run(q, "blockdev-snapshot",
                   json_pack("{s:s, s:s}", "node", below.s, "overlay", above.s), QMP_TIMEOUT_US,
                   NULL);
}

struct error *graph_resize(struct qmp *q, const struct node *n, int64_t size)
{
    return qmp_run(
        q, "block_resize",
        json_pack("{s:s, s:I}", "node-name", graph_name('n', n).s, "size", (json_int_t)size),
        QMP_TIMEOUT_US, NULL);
}

static bool is_stray(const char *name, bool (*known)(void *arg, const char *id), void *arg)
{
    return name && (name[0] == 'n' || name[0] == 'f') && strlen(name) == GRAPH_ID_LEN + 1 &&
           strspn(name + 1, "abcdefghijklmnopqrstuvwxyz234567") == GRAPH_ID_LEN &&
           !known(arg, name + 1);
}

struct error *graph_prune(struct qmp *q, bool (*known)(void *arg, const char *id), void *arg)
{
    bool progress = true;

    /* Upper nodes hold lower ones: again and again until nothing more can be closed. */
    while (progress) {
        _cleanup_json_ json_t *all = NULL;
        size_t i;
        json_t *one;

        progress = false;
        TRY(qmp_run(q, "query-named-block-nodes", json_pack("{s:b}", "flat", 1), QMP_TIMEOUT_US,
                    &all));
        json_array_foreach (all, i, one) {
            const char *name = json_string_value(json_object_get(one, "node-name"));
            if (!is_stray(name, known, arg))
                continue;
            struct error *e = node_del(q, name);
            progress |= !e;
            error_free(e);
        }
    }
    return NULL;
}

/* An id of QEMU begins with a letter. */
struct export_id {
    char s[UUID_LEN + 2];
};

static struct export_id export_id(const char *name)
{
    struct export_id id;

    snprintf(id.s, sizeof(id.s), "x%s", name);
    return id;
}

struct error *graph_export(struct qmp *q, const struct node *n, const char *name, bool writable)
{
    return qmp_run(q, "block-export-add",
                   json_pack("{s:s, s:s, s:s, s:s, s:b}", "type", "nbd", "id", export_id(name).s,
                             "node-name", graph_name('n', n).s, "name", name, "writable", writable),
                   QMP_TIMEOUT_US, NULL);
}

struct error *graph_unexport(struct qmp *q, const char *name)
{
    struct error *e = qmp_run(q, "block-export-del",
                              json_pack("{s:s, s:s}", "id", export_id(name).s, "mode", "hard"),
                              QMP_TIMEOUT_US, NULL);

    if (e && strstr(e->detail, "is not found")) {
        error_free(e);
        return NULL;
    }
    return e;
}
