/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VDI.checksum: MD5 of all bytes, holes included. Reading again after a restart does no harm. */
#include "api/common/host_disk.h"
#include "api/vdi/plans.h"
#include "api/vdi/vdi.h"
#include "gen/class/SR_txn.h"
#include "gen/msg/VDI.h"
#include "rules/ops.h"

#include <openssl/evp.h>

#define MD5_SIZE 16

static const char zeroes[64 << 10];

static void add(EVP_MD_CTX *md, const void *data, size_t len)
{
    while (len) {
        size_t n = data ? len : MIN(len, sizeof(zeroes));

        EVP_DigestUpdate(md, data ? data : zeroes, n);
        len -= n;
    }
}

static struct error *read_all(struct plan *p, struct nbd_disk *nbd, EVP_MD_CTX *md)
{
    int64_t done = 0, size = nbd_disk_size(nbd);

    for (;;) {
        const void *data = NULL;
        size_t len = 0;

        TRY(nbd_disk_next(nbd, &data, &len));
        if (!len)
            return NULL;
        add(md, data, len);
        done += (int64_t)len;
        plan_progress(p, (double)done / (double)size);
        if (plan_is_cancelled(p) || plan_is_left(p))
            return plan_cancelled(p);
    }
}

static void set_result(struct plan *p, EVP_MD_CTX *md)
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    char text[2 * MD5_SIZE + 1];

    EVP_DigestFinal_ex(md, sum, NULL);
    for (int i = 0; i < MD5_SIZE; i++)
        snprintf(text + 2 * i, 3, "%02x", sum[i]);
    plan_set_result(p, text);
}

static struct error *digest(struct plan *p, struct nbd_disk *nbd)
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    struct error *e = NULL;

    if (!md || EVP_DigestInit_ex(md, EVP_md5(), NULL) != 1)
        e = error_text("MD5 is not available");
    if (!e)
        e = read_all(p, nbd, md);
    if (!e)
        set_result(p, md);
    EVP_MD_CTX_free(md);
    return e;
}

static struct error *run(struct plan *p)
{
    struct daemon *d = plan_daemon(p);
    const struct host_vdi_nbd_args args = {.sr = plan_str(p, P_SRUUID),
                                           .uuid = plan_str(p, P_VDIUUID)};
    struct host_disk disk;
    struct error *e = host_disk_open(d, &args, plan_arena(p), &disk);

    if (!e)
        e = digest(p, disk.nbd);
    host_disk_close(d, &disk, plan_arena(p));
    return e;
}

static const struct plan_step steps[] = {{.name = "read", .act = run}};

const struct plan_type plan_vdi_checksum = {
    .name = "VDI.checksum", .steps = steps, .n_steps = ARRAY_SIZE(steps)};

struct error *api_vdi_checksum(struct call *c, const struct vdi_checksum_args *a, const char **ret)
{
    const struct vdi_rec *vdi;
    const struct sr_rec *sr;

    TRY(txn_vdi(c->txn, a->self, &vdi));
    TRY(txn_sr(c->txn, vdi->SR, &sr));
    TRY(sr_check_attached(c->daemon, c->txn, sr));
    TRY(vdi_op_check(txn_view(c->txn), vdi, VDI_OPERATIONS_COPY));
    struct plan *p = plan_begin(c, &plan_vdi_checksum);

    plan_set_str(p, P_SRUUID, sr->uuid);
    plan_set_str(p, P_VDIUUID, vdi->uuid);
    return plan_mark(p, c->txn, CLASS_VDI, vdi->self, VDI_OPERATIONS_COPY);
}
