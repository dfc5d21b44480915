/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* GET /export_metadata and PUT /import_metadata: VMs without the bytes of their disks, as a tar
 * archive of one file. */
#include "api/metadata/metadata.h"
#include "api/http/upload.h"
#include "base/world.h"
#include "gen/class/VM_txn.h"
#include "gen/errors.h"
#include "rules/ops.h"

#define OVA_XML "ova.xml"

/* ---- out ---- */

static struct error *check_exportable(struct transfer *t, const char *ref)
{
    _cleanup_txn_ struct txn *x = txn_new(t->daemon->store, &t->arena);
    const struct vm_rec *vm;

    TRY(txn_vm(x, ref, &vm));
    return vm->is_control_domain ? NULL
                                 : vm_op_check(txn_view(x), vm, VM_OPERATIONS_METADATA_EXPORT);
}

static struct error *read_wish(struct transfer *t, struct metadata_wish *ret)
{
    const char *text = transfer_param(t, "ref");

    *ret = (struct metadata_wish){
        .dom0 = transfer_flag(t, "include_dom0", true),
        .snapshots = transfer_flag(t, "export_snapshots", true),
        .parents = transfer_flag(t, "include_vhd_parents", false),
    };
    TRY(metadata_devices_read(transfer_param(t, "excluded_device_types"), &ret->without));
    if (transfer_flag(t, "all", false))
        return NULL;
    TRY(transfer_object(t, CLASS_VM, *text ? text : transfer_param(t, "uuid"), &ret->vm));
    return check_exportable(t, ret->vm);
}

static struct error *export_metadata(struct transfer *t)
{
    _cleanup_str_ struct str archive = STR_INIT, text = STR_INIT;
    struct metadata_wish wish;

    TRY(read_wish(t, &wish));
    TRY(metadata_export(t->daemon, &wish, &text));
    tar_add_head(&archive, OVA_XML, (int64_t)text.len, now_s());
    size_t padding = tar_padding((int64_t)text.len);

    TRY(transfer_take(t, "application/octet-stream", "attachment; filename=\"export.xva\"",
                      (int64_t)(TAR_BLOCK + text.len + padding + 2 * TAR_BLOCK)));
    TRY(stream_write(t->stream, archive.s, archive.len));
    TRY(stream_write(t->stream, text.s, text.len));
    str_clear(&archive);
    tar_add_padding(&archive, (int64_t)text.len);
    tar_add_end(&archive);
    return stream_write(t->stream, archive.s, archive.len);
}

const struct transfer_kind transfer_export_metadata = {
    .action = HTTP_GET_EXPORT_METADATA, .run = export_metadata, .has_task = true, .is_large = true};

/* ---- in ---- */

static struct error *read_member(struct upload *u, struct str *ret)
{
    struct tar_member member;
    bool end = false;

    TRY(upload_next(u, &member, &end));
    if (end)
        return err_import_error("the archive is empty");
    if (!streq(member.name, OVA_XML))
        return err_import_error_unexpected_file(OVA_XML, member.name);
    if (member.size > OVA_MAX)
        return err_import_error("ova.xml is larger than 64 MiB");
    str_reserve(ret, (size_t)member.size + 1);
    TRY(upload_read(u, ret->s, (size_t)member.size));
    ret->len = (size_t)member.size;
    ret->s[ret->len] = 0;
    return NULL;
}

static struct error *read_ova(struct transfer *t, struct str *ret)
{
    _cleanup_(upload_fini) struct upload u;

    upload_begin(t, &u);
    return read_member(&u, ret);
}

static void read_options(struct transfer *t, struct metadata_options *ret)
{
    const struct http_head *h = &t->rq->head;
    struct metadata_disk *disks = arena_array(&t->arena, struct metadata_disk, h->n_query + 1);

    *ret = (struct metadata_options){
        .restore = transfer_flag(t, "restore", false),
        .force = transfer_flag(t, "force", false),
        .dry_run = transfer_flag(t, "dry_run", false),
        .disks = disks,
    };
    for (size_t i = 0; i < h->n_query; i++)
        if (str_starts(h->query[i].name, "vdi:"))
            disks[ret->n_disks++] =
                (struct metadata_disk){h->query[i].name + strlen("vdi:"), h->query[i].value};
}

static json_t *refs_of(const struct metadata_import *in)
{
    json_t *j = json_array();

    for (size_t i = 0; i < in->n_vms; i++)
        json_array_append_new(j, json_string(in->vms[i]));
    return j;
}

struct attempt {
    struct metadata_import in;
    json_t *refs; /* of the attempt that was committed */
};

/* Memory of an attempt ends with it. */
static struct error *attempt(void *ctx, struct txn *x)
{
    struct attempt *a = ctx;

    TRY(metadata_fill(&a->in, x));
    json_decref(a->refs);
    a->refs = refs_of(&a->in);
    return NULL;
}

static struct error *receive(struct transfer *t)
{
    struct metadata_options options;
    struct attempt a = {0};
    _cleanup_str_ struct str text = STR_INIT;
    struct ova ova;

    read_options(t, &options);
    TRY(read_ova(t, &text));
    TRY(metadata_read(&t->arena, text.s, text.len, options.force, &ova));
    str_fini(&text);
    a.in = (struct metadata_import){.daemon = t->daemon, .ova = &ova, .options = &options};
    struct error *e =
        options.dry_run ? transfer_try(t, attempt, &a) : transfer_commit(t, attempt, &a);

    if (options.dry_run && a.refs)
        json_array_clear(a.refs);
    transfer_result(t, a.refs);
    return e;
}

static struct error *import_metadata(struct transfer *t)
{
    static const char type[] = "application/octet-stream";

    if (t->rq->head.chunked) {
        t->status = 403;
        return err_import_error_cannot_handle_chunked();
    }
    if (t->rq->head.content_length == 0)
        return transfer_take(t, type, NULL, 0); /* a probe */
    TRY(transfer_take(t, type, NULL, -1));
    struct error *e = receive(t);

    transfer_drain(t);
    return e;
}

const struct transfer_kind transfer_import_metadata = {
    .action = HTTP_PUT_IMPORT_METADATA, .run = import_metadata, .has_task = true, .is_large = true};
