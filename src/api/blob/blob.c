/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/blob/blob.h"

#include "api/common/lists.h"
#include "gen/class/SR_txn.h"
#include "gen/class/VM_txn.h"
#include "gen/class/host_txn.h"
#include "gen/class/network_txn.h"
#include "gen/class/pool_txn.h"
#include "gen/msg/SR.h"
#include "gen/msg/VM.h"
#include "gen/msg/blob.h"
#include "gen/msg/host.h"
#include "gen/msg/network.h"
#include "gen/msg/pool.h"
#include "rpc/call.h"

#define TYPE_MAX_CHARS 256

struct error *blob_new(struct call *c, const char *mime_type, bool is_public, struct blob_rec **ret)
{
    struct blob_rec *b;

    TRY(blob_check_storage(c));
    /* It becomes a header of an answer. */
    if (strlen(mime_type) > TYPE_MAX_CHARS)
        return err_invalid_value("mime_type", "too long");
    for (const char *p = mime_type; *p; p++)
        if (*p < 0x20 || *p > 0x7e)
            return err_invalid_value("mime_type", mime_type);
    b = txn_new_blob(c->txn);
    b->mime_type = *mime_type ? mime_type : "application/octet-stream";
    b->public = is_public;
    *ret = b;
    return NULL;
}

struct error *blob_new_named(struct call *c, struct map_string_ref *blobs,
                             const struct blob_rec *like, const char *class_name, const char *owner,
                             const char **ret)
{
    struct blob_rec *b;

    if (map_find_ref(blobs, like->name_label))
        return err_map_duplicate_key(class_name, "blobs", owner, like->name_label);
    TRY(blob_new(c, like->mime_type, like->public, &b));
    b->name_label = like->name_label;
    map_set_ref(c->arena, blobs, b->name_label, b->self);
    *ret = b->self;
    return NULL;
}

struct error *api_blob_create(struct call *c, const struct blob_create_args *a, const char **ret)
{
    struct blob_rec *b;

    TRY(blob_new(c, a->mime_type, a->public, &b));
    *ret = b->self;
    return NULL;
}

struct error *api_host_create_new_blob(struct call *c, const struct host_create_new_blob_args *a,
                                       const char **ret)
{
    const struct blob_rec like = {
        .name_label = a->name, .mime_type = a->mime_type, .public = a->public};
    struct host_rec *h;

    TRY(txn_edit_host(c->txn, a->host, &h));
    return blob_new_named(c, &h->blobs, &like, "host", a->host, ret);
}

struct error *api_pool_create_new_blob(struct call *c, const struct pool_create_new_blob_args *a,
                                       const char **ret)
{
    const struct blob_rec like = {
        .name_label = a->name, .mime_type = a->mime_type, .public = a->public};
    struct pool_rec *p;

    TRY(txn_edit_pool(c->txn, a->pool, &p));
    return blob_new_named(c, &p->blobs, &like, "pool", a->pool, ret);
}

struct error *api_vm_create_new_blob(struct call *c, const struct vm_create_new_blob_args *a,
                                     const char **ret)
{
    const struct blob_rec like = {
        .name_label = a->name, .mime_type = a->mime_type, .public = a->public};
    struct vm_rec *row;

    TRY(txn_edit_vm(c->txn, a->vm, &row));
    return blob_new_named(c, &row->blobs, &like, "VM", a->vm, ret);
}

struct error *api_sr_create_new_blob(struct call *c, const struct sr_create_new_blob_args *a,
                                     const char **ret)
{
    const struct blob_rec like = {
        .name_label = a->name, .mime_type = a->mime_type, .public = a->public};
    struct sr_rec *row;

    TRY(txn_edit_sr(c->txn, a->sr, &row));
    return blob_new_named(c, &row->blobs, &like, "SR", a->sr, ret);
}

struct error *api_network_create_new_blob(struct call *c,
                                          const struct network_create_new_blob_args *a,
                                          const char **ret)
{
    const struct blob_rec like = {
        .name_label = a->name, .mime_type = a->mime_type, .public = a->public};
    struct network_rec *row;

    TRY(txn_edit_network(c->txn, a->network, &row));
    return blob_new_named(c, &row->blobs, &like, "network", a->network, ret);
}

/* Names of it in the maps of their owners. */
#define FORGET_IN(class, ref)                                                                      \
    do {                                                                                           \
        const struct class##_rec *const *all;                                                      \
        size_t n = txn_all_##class(c->txn, &all);                                                  \
                                                                                                   \
        for (size_t i = 0; i < n; i++) {                                                           \
            struct class##_rec *row;                                                               \
                                                                                                   \
            if (!leads_to(&all[i]->blobs, ref))                                                    \
                continue;                                                                          \
            TRY(txn_edit_##class(c->txn, all[i]->self, &row));                                     \
            map_remove_ref(c->arena, &row->blobs, ref);                                            \
        }                                                                                          \
    } while (0)

static bool leads_to(const struct map_string_ref *m, const char *ref)
{
    for (size_t i = 0; i < m->n; i++)
        if (streq(m->v[i], ref))
            return true;
    return false;
}

/* The bytes go once nobody can ask for them any more (files.h). */
struct error *api_blob_destroy(struct call *c, const struct blob_destroy_args *a)
{
    FORGET_IN(pool, a->self);
    FORGET_IN(host, a->self);
    FORGET_IN(network, a->self);
    FORGET_IN(sr, a->self);
    FORGET_IN(vm, a->self);
    return txn_delete_blob(c->txn, a->self);
}
