/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/http/disk.h"

#include "api/http/elsewhere.h"
#include "api/http/transfer_task.h"
#include "api/http/transfers.h"
#include "gen/class/SR_txn.h"
#include "gen/class/VDI_txn.h"
#include "gen/errors.h"

#include <errno.h>

static struct error *name_disk(struct transfer *t, const char *ref, bool writable,
                               struct host_vdi_nbd_args *ret)
{
    _cleanup_txn_ struct txn *x = txn_new(t->daemon->store, &t->arena);
    const char *why = writable ? store_read_only(t->daemon->store) : NULL;
    const struct vdi_rec *vdi;
    const struct sr_rec *sr;

    if (why)
        return err_operation_not_allowed(why);
    TRY(txn_vdi(x, ref, &vdi));
    TRY(txn_sr(x, vdi->SR, &sr));
    if (writable && vdi->read_only)
        return err_vdi_readonly(ref);
    *ret = (struct host_vdi_nbd_args){
        .sr = arena_strdup(&t->arena, sr->uuid),
        .uuid = arena_strdup(&t->arena, vdi->uuid),
        .writable = writable,
    };
    return NULL;
}

/* The VDI, or the repository that one is to be made in. */
const char *disk_where(const struct transfer *t, struct txn *x)
{
    const char *vdi_text = transfer_param(t, "vdi"), *sr_text = transfer_param(t, "sr_id");
    const struct vdi_rec *vdi = txn_find_vdi(x, vdi_text);
    const struct sr_rec *sr = txn_find_sr(x, sr_text);

    if (!vdi)
        vdi = txn_find_uuid(x, CLASS_VDI, vdi_text);
    if (!sr)
        sr = txn_find_uuid(x, CLASS_SR, sr_text);
    return vdi || sr ? host_seeing_sr(x, t->daemon->host_ref, vdi ? vdi->SR : sr->self) : "";
}

struct error *disk_format(struct transfer *t, const char *format)
{
    if (!*format || streq(format, "raw"))
        return NULL;
    t->status = 404;
    return err_internal_error(arena_printf(&t->arena, "Unknown format %s", format));
}

struct opening {
    struct transfer *t;
    const struct host_vdi_nbd_args *args;
    struct host_disk *ret;
};

static struct error *open_disk(void *ctx)
{
    const struct opening *o = ctx;
    struct error *e = host_disk_open(o->t->daemon, o->args, &o->t->arena, o->ret);

    if (e && o->ret->handle)
        disk_close(o->t, o->ret);
    return e;
}

struct error *disk_open(struct transfer *t, const char *vdi, bool writable, struct host_disk *ret)
{
    struct host_vdi_nbd_args args;
    struct opening o = {t, &args, ret};

    TRY(name_disk(t, vdi, writable, &args));
    TRY(transfers_retry(t->daemon->under_way, vdi, open_disk, &o));
    transfers_set_disk(t, vdi, ret->handle);
    return NULL;
}

struct error *disk_failure(struct error *e)
{
    if (!e || e->code || (e->errnum != ENOSPC && e->errnum != EDQUOT && e->errnum != EIO))
        return e;
    _cleanup_error_ struct error *system = e;
    _cleanup_free_ char *text = error_string(system);

    return e->errnum == EIO ? err_vdi_io_error(text)
                            : error_api("SR_BACKEND_FAILURE_44", 3, "", text, "");
}

void disk_close(struct transfer *t, struct host_disk *d)
{
    nbd_disk_close(d->nbd);
    d->nbd = NULL;
    transfer_close_disk(t, d->handle);
}
