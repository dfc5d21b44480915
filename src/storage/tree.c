/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tree of images and VDIs of one SR. */

#include "storage/tree.h"

#include "storage/tune.h"
#include "value/json.h"

#include <assert.h>
#include <openssl/evp.h>

#define RECORD_VERSION 1
/* Far more than is ever made (VDI_DEPTH_MAX): a record may say anything, and each is walked up. */
#define DEPTH_READ_MAX 1000

const char *const image_format_names[IMAGE_FORMAT_MAX] = {
    [IMAGE_QCOW2] = "qcow2",
    [IMAGE_RAW] = "raw",
    [IMAGE_VHD] = "vhd",
};

bool image_format_parse(const char *s, enum image_format *ret)
{
    for (int i = 0; i < IMAGE_FORMAT_MAX; i++) {
        if (streq(s, image_format_names[i])) {
            *ret = (enum image_format)i;
            return true;
        }
    }
    return false;
}

void tree_init(struct tree *t)
{
    *t = (struct tree){.complete = true};
}

static void node_free(struct node *n)
{
    json_decref(n->raw);
    free(n);
}

static void vdi_free(struct vdi *v)
{
    json_decref(v->props);
    json_decref(v->raw);
    free(v);
}

void tree_fini(struct tree *t)
{
    size_t pos = 0;
    const char *key;
    void *p;

    while ((p = strmap_next(&t->vdis, &pos, &key)))
        vdi_free(p);
    pos = 0;
    while ((p = strmap_next(&t->nodes, &pos, &key)))
        node_free(p);
    strmap_fini(&t->vdis);
    strmap_fini(&t->nodes);
    str_fini(&t->problems);
}

struct uuid_text node_id_for(const char *vdi_uuid, int which)
{
    _cleanup_free_ char *text = xasprintf("xenolith node %d of %s", which, vdi_uuid);
    unsigned char digest[EVP_MAX_MD_SIZE];

    if (EVP_Digest(text, strlen(text), digest, NULL, EVP_sha256(), NULL) != 1)
        abort();
    return uuid_from_bytes(digest);
}

struct node *tree_find_node(const struct tree *t, const char *id)
{
    return strmap_find(&t->nodes, id);
}

struct vdi *tree_find_vdi(const struct tree *t, const char *uuid)
{
    return strmap_find(&t->vdis, uuid);
}

static void set_uuid(struct uuid_text *u, const char *s)
{
    assert(strlen(s) <= UUID_LEN);
    memset(u, 0, sizeof(*u));
    memcpy(u->s, s, strlen(s));
}

struct node *tree_add_node(struct tree *t, const char *id, enum image_format format, int64_t size,
                           struct node *parent)
{
    struct node *n = xnew(struct node);

    assert(!tree_find_node(t, id));
    set_uuid(&n->id, id);
    n->format = format;
    n->size = size;
    tree_set_parent(n, parent);
    strmap_set(&t->nodes, n->id.s, n);
    return n;
}

void tree_set_parent(struct node *n, struct node *parent)
{
    if (n->parent)
        n->parent->n_children--;
    n->parent = parent;
    if (parent)
        parent->n_children++;
}

void tree_remove_node(struct tree *t, struct node *n)
{
    assert(node_is_unused(n) && n->readers == 0 && !n->writer);
    tree_set_parent(n, NULL);
    strmap_remove(&t->nodes, n->id.s);
    node_free(n);
}

struct vdi *tree_add_vdi(struct tree *t, const char *uuid, struct node *n)
{
    struct vdi *v = xnew(struct vdi);

    assert(!tree_find_vdi(t, uuid));
    set_uuid(&v->uuid, uuid);
    v->props = json_object();
    tree_set_vdi_node(v, n);
    strmap_set(&t->vdis, v->uuid.s, v);
    return v;
}

void tree_set_vdi_node(struct vdi *v, struct node *n)
{
    if (v->node)
        v->node->n_vdis--;
    v->node = n;
    if (n)
        n->n_vdis++;
}

void tree_remove_vdi(struct tree *t, struct vdi *v)
{
    assert(!v->owner);
    tree_set_vdi_node(v, NULL);
    strmap_remove(&t->vdis, v->uuid.s);
    vdi_free(v);
}

unsigned node_depth(const struct node *n)
{
    unsigned depth = 0;

    for (; n; n = n->parent)
        depth++;
    return depth;
}

/* ---- records ---- */

static char *record_text(json_t **raw, json_t *known)
{
    if (!*raw)
        *raw = json_object();
    json_object_update(*raw, known);
    json_decref(known);
    char *text = json_dumps(*raw, JSON_INDENT(1) | JSON_SORT_KEYS);
    assert(text);
    return text;
}

char *node_record(struct node *n)
{
    return record_text(&n->raw, json_pack("{s:i, s:s, s:s, s:I, s:s?}", "xenolith", RECORD_VERSION,
                                          "node", n->id.s, "format", image_format_names[n->format],
                                          "size", (json_int_t)n->size, "parent",
                                          n->parent ? n->parent->id.s : NULL));
}

char *vdi_record(struct vdi *v)
{
    return record_text(&v->raw, json_pack("{s:i, s:s, s:s, s:b, s:b, s:s, s:I, s:O}", "xenolith",
                                          RECORD_VERSION, "vdi", v->uuid.s, "node", v->node->id.s,
                                          "frozen", v->frozen, "is_snapshot", v->is_snapshot,
                                          "snapshot_of", v->snapshot_of.s, "snapshot_time",
                                          (json_int_t)v->snapshot_time, "props", v->props));
}

void tree_problem(struct tree *t, const char *fmt, ...)
{
    va_list ap;

    t->complete = false;
    if (t->problems.len > 65536)
        return;
    va_start(ap, fmt);
    str_vprintf(&t->problems, fmt, ap);
    va_end(ap);
    str_add_char(&t->problems, '\n');
}

static const char *member_uuid(const json_t *j, const char *name)
{
    const char *s = json_string_value(json_object_get(j, name));

    return s && uuid_is_valid(s) ? s : NULL;
}

static bool load_node(struct tree *t, json_t *j)
{
    const char *id = member_uuid(j, "node");
    const char *format = json_string_value(json_object_get(j, "format"));
    const json_t *parent = json_object_get(j, "parent");
    json_int_t size = json_integer_value(json_object_get(j, "size"));
    enum image_format f;

    if (!id || !format || !image_format_parse(format, &f) || tree_find_node(t, id))
        return false;
    if (size <= 0 || size > VDI_SIZE_MAX || t->nodes.n >= SR_NODES_MAX)
        return false;
    if (parent && !json_is_null(parent) && !member_uuid(j, "parent"))
        return false;
    tree_add_node(t, id, f, size, NULL)->raw = json_incref(j);
    return true;
}

static bool props_are_strings(const json_t *props)
{
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)(uintptr_t)props, key, value) {
        if (!json_is_string(value))
            return false;
    }
    return json_is_object(props);
}

static bool load_vdi(struct tree *t, json_t *j)
{
    const char *uuid = member_uuid(j, "vdi");
    const char *of = json_string_value(json_object_get(j, "snapshot_of"));
    json_t *props = json_object_get(j, "props");

    if (!uuid || !member_uuid(j, "node") || tree_find_vdi(t, uuid) || t->vdis.n >= SR_NODES_MAX)
        return false;
    if ((of && *of && !uuid_is_valid(of)) || !props_are_strings(props))
        return false;
    struct vdi *v = tree_add_vdi(t, uuid, NULL);
    v->frozen = json_is_true(json_object_get(j, "frozen"));
    v->is_snapshot = json_is_true(json_object_get(j, "is_snapshot"));
    v->snapshot_time = json_integer_value(json_object_get(j, "snapshot_time"));
    set_uuid(&v->snapshot_of, of ? of : "");
    json_object_update(v->props, props);
    v->raw = json_incref(j);
    return true;
}

void tree_load(struct tree *t, const char *what, const char *text, size_t len)
{
    json_error_t err;
    _cleanup_json_ json_t *j = json_loadb(text, len, JSON_REJECT_DUPLICATES, &err);
    json_int_t version = json_integer_value(json_object_get(j, "xenolith"));
    bool ok = false;

    if (!json_is_object(j)) {
        tree_problem(t, "%s: not a record: %s", what, err.text);
        return;
    }
    if (version < 1 || version > RECORD_VERSION) {
        tree_problem(t, "%s: record of version %lld", what, (long long)version);
        return;
    }
    if (json_object_get(j, "vdi"))
        ok = load_vdi(t, j);
    else
        ok = load_node(t, j);
    if (!ok)
        tree_problem(t, "%s: record makes no sense", what);
}

static void link_node(struct tree *t, struct node *n)
{
    const char *id = member_uuid(n->raw, "parent");
    struct node *parent = id ? tree_find_node(t, id) : NULL;

    if (!id)
        return;
    if (!parent) {
        tree_problem(t, "image %s: its parent %s is unknown", n->id.s, id);
        n->broken = true;
        return;
    }
    unsigned depth = 1;

    for (struct node *p = parent; p; p = p->parent, depth++) {
        if (p == n || depth > DEPTH_READ_MAX) {
            tree_problem(t, "image %s: %s", n->id.s,
                         p == n ? "is its own ancestor" : "has too many ancestors");
            n->broken = true;
            return;
        }
    }
    tree_set_parent(n, parent);
}

void tree_link(struct tree *t)
{
    size_t pos = 0;
    const char *key;
    struct node *n;
    struct vdi *v;
    struct vdi_list lost = {0};

    while ((n = strmap_next(&t->nodes, &pos, &key)))
        link_node(t, n);
    pos = 0;
    while ((v = strmap_next(&t->vdis, &pos, &key))) {
        n = tree_find_node(t, member_uuid(v->raw, "node"));
        if (n) {
            tree_set_vdi_node(v, n);
            continue;
        }
        tree_problem(t, "VDI %s: its image is unknown", v->uuid.s);
        vec_add(&lost, v);
    }
    vec_foreach (l, &lost)
        tree_remove_vdi(t, *l);
    vec_fini(&lost);
}

void tree_unfinished(const struct tree *t, struct vdi_list *ret)
{
    size_t pos = 0;
    size_t pos2 = 0;
    const char *key;
    struct vdi *v;
    struct vdi *other;

    while ((v = strmap_next(&t->vdis, &pos, &key))) {
        if (v->frozen || (v->node->n_vdis == 1 && v->node->n_children == 0))
            continue;
        /* v still writes this node: whoever else uses it came from an unfinished operation. */
        pos2 = 0;
        while ((other = strmap_next(&t->vdis, &pos2, &key))) {
            if (other != v && (other->node == v->node || other->node->parent == v->node))
                vec_add(ret, other);
        }
    }
}

struct node *tree_find_garbage(const struct tree *t)
{
    size_t pos = 0;
    const char *key;
    struct node *n;

    while ((n = strmap_next(&t->nodes, &pos, &key))) {
        if (node_is_unused(n) && !n->busy && !n->writer && n->readers == 0)
            return n;
    }
    return NULL;
}

/* ---- pins ---- */

bool chain_pin(struct node *n, bool write)
{
    assert(!write || node_is_unused(n) || (n->n_children == 0 && n->n_vdis == 1));
    if (n->busy || n->broken || n->writer || (write && n->readers > 0))
        return false;
    for (const struct node *p = n->parent; p; p = p->parent) {
        if (p->busy || p->broken || p->writer)
            return false;
    }
    if (write)
        n->writer = true;
    else
        n->readers++;
    for (struct node *p = n->parent; p; p = p->parent)
        p->readers++;
    return true;
}

void chain_unpin(struct node *n, bool write)
{
    if (write) {
        assert(n->writer);
        n->writer = false;
    } else {
        assert(n->readers > 0);
        n->readers--;
    }
    for (struct node *p = n->parent; p; p = p->parent) {
        assert(p->readers > 0);
        p->readers--;
    }
}
