/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/common/host_disk.h"

#include "api/common/host_error.h"
#include "base/log.h"
#include "proto/client.h"
#include "rpc/left.h"

static struct error *attach(struct daemon *d, struct arena *a, int fd, const char *export_name,
                            struct host_disk *ret)
{
    const struct host_vdi_nbd_attached_args args = {.handle = ret->handle};

    TRY(nbd_disk_open(fd, export_name, &ret->nbd));
    struct error *e = hostd_vdi_nbd_attached(d->hostd, &args, a, NULL);

    if (e) {
        nbd_disk_close(ret->nbd);
        ret->nbd = NULL;
    }
    return from_host(d->store, e);
}

struct error *host_disk_open(struct daemon *d, const struct host_vdi_nbd_args *args,
                             struct arena *a, struct host_disk *ret)
{
    struct host_vdi_nbd_result r;
    int fds[HOST_MAX_FDS];
    size_t n = 0;

    *ret = (struct host_disk){0};
    TRY(from_host(d->store, hostd_vdi_nbd(d->hostd, args, a, &r, fds, &n)));
    ret->handle = r.handle;
    if (n != 1)
        return error_text("hostd sent %zu descriptors instead of one", n);
    return attach(d, a, fds[0], r.export, ret);
}

void host_disk_close(struct daemon *d, struct host_disk *disk, struct arena *a)
{
    const struct host_vdi_nbd_close_args args = {.handle = disk->handle};

    nbd_disk_close(disk->nbd);
    disk->nbd = NULL;
    struct error *e = disk->handle ? hostd_vdi_nbd_close(d->hostd, &args, a, NULL) : NULL;

    /* A hostd that ended has closed it. */
    if (hostd_is_away(e) && atomic_load(&d->leaving))
        left_add_disk(d->left, disk->handle);
    log_and_free(LOG_DEBUG, e, "cannot close a disk now");
}
