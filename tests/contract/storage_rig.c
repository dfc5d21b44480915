/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "storage_rig.h"

#include "base/io.h"

#include <dirent.h>
#include <fnmatch.h>
#include <ftw.h>
#include <libnbd.h>
#include <signal.h>
#include <sys/wait.h>

const char *rig_type = "file";
const char *rig_device;

void must(struct error *e)
{
    if (!e)
        return;
    _cleanup_free_ char *text = error_string(e);
    fail_msg("%s:%d: %s", e->file, e->line, text);
}

void must_fail(struct error *e, const char *code)
{
    if (!e)
        fail_msg("succeeded instead of %s", code);
    if (!error_is(e, code)) {
        _cleanup_free_ char *text = error_string(e);
        fail_msg("%s instead of %s", text, code);
    }
    error_free(e);
}

struct map rig_config(const char *type)
{
    static const char *device[] = {FAKE_DEVICE};
    static const char *const device_keys[] = {"device"};
    static const char *const nfs_keys[] = {"server", "serverpath", "nfsversion"};
    static const char *const nfs[] = {FAKE_SERVER, FAKE_EXPORT, "4.1"};
    static const char *const smb_keys[] = {"server", "username", "password"};
    static const char *const smb[] = {FAKE_SHARE, "OFFICE\\ann", FAKE_PASSWORD};

    if (rig_device)
        device[0] = rig_device;
    if (streq(type, "ext") || streq(type, "xfs"))
        return (struct map){.n = 1, .k = device_keys, .v = device};
    if (streq(type, "nfs"))
        return (struct map){.n = 3, .k = nfs_keys, .v = nfs};
    if (streq(type, "smb"))
        return (struct map){.n = 3, .k = smb_keys, .v = smb};
    return (struct map){0};
}

struct sr_spec rig_spec(const struct rig *r)
{
    return (struct sr_spec){.uuid = r->sr.s, .type = r->type, .device_config = rig_config(r->type)};
}

/* Where the disks lie, for those who look at files. */
static char *place_of(const struct rig *r)
{
    return rig_config(r->type).n ? xasprintf("%s/mnt/%s/%s", r->dir, r->sr.s, r->sr.s)
                                 : xasprintf("%s/sr/%s", r->dir, r->sr.s);
}

void rig_open(struct rig *r)
{
    _cleanup_free_ char *state = xasprintf("%s/state", r->dir);
    _cleanup_free_ char *run = xasprintf("%s/run", r->dir);
    _cleanup_free_ char *root = xasprintf("%s/sr", r->dir);
    const char *roots[] = {root};
    const struct storage_config c = {.state_dir = state,
                                     .run_dir = run,
                                     .roots = roots,
                                     .n_roots = 1,
                                     .loop = r->loop,
                                     .mount_root = r->fake.root,
                                     .mounter = rig_device ? &mounter_programs : &mounter_fake,
                                     .mounter_ctx =
                                         rig_device ? (void *)r->fake.root : (void *)&r->fake};

    must(storage_new(&c, &r->storage));
}

struct error *rig_attach(struct rig *r)
{
    const struct sr_spec spec = rig_spec(r);

    return sr_attach(r->storage, &spec);
}

int rig_set_up(void **state)
{
    struct rig *r = xnew(struct rig);
    char template[] = "/tmp/xenolith-storage-XXXXXX";

    signal(SIGPIPE, SIG_IGN);
    r->type = rig_type;
    r->dir = xstrdup(mkdtemp(template));
    r->sr = uuid_random();
    r->sr_dir = place_of(r);
    fake_mounter_init(&r->fake, r->dir);
    r->loop = qmp_loop_start();
    rig_open(r);
    const struct sr_spec spec = rig_spec(r);
    must(sr_create(r->storage, &spec));
    must(rig_attach(r));
    *state = r;
    return 0;
}

void rig_stop(struct rig *r)
{
    storage_free(r->storage);
    r->storage = NULL;
}

void rig_start(struct rig *r)
{
    rig_open(r);
    must(rig_attach(r));
}

void rig_restart(struct rig *r)
{
    rig_stop(r);
    rig_start(r);
}

struct rig *rig_take_over(const char *dir, const char *sr)
{
    struct rig *r = xnew(struct rig);

    signal(SIGPIPE, SIG_IGN);
    r->type = rig_type;
    r->dir = xstrdup(dir);
    snprintf(r->sr.s, sizeof(r->sr.s), "%s", sr);
    r->sr_dir = place_of(r);
    fake_mounter_init(&r->fake, r->dir);
    r->loop = qmp_loop_start();
    rig_start(r);
    return r;
}

void rig_give_back(struct rig *r)
{
    storage_free(r->storage);
    qmp_loop_stop(r->loop);
    fake_mounter_fini(&r->fake);
    free(r->sr_dir);
    free(r->dir);
    free(r);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    return remove(path);
}

int rig_tear_down(void **state)
{
    struct rig *r = *state;

    _cleanup_free_ char *dir = xstrdup(r->dir);

    if (r->guest > 0) {
        kill(r->guest, SIGKILL);
        waitpid(r->guest, NULL, 0);
    }
    storage_free(r->storage);
    r->storage = NULL;
    qmp_close(r->guest_qmp);
    rig_give_back(r);
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return 0;
}

struct uuid_text rig_disk(struct rig *r, int64_t size)
{
    struct uuid_text u = uuid_random();

    must(vdi_create(r->storage, r->sr.s, u.s, size, -1, NULL));
    return u;
}

struct disk disk_connect(struct rig *r, const char *vdi, bool writable)
{
    struct disk d = {.rig = r, .id = uuid_random(), .fd = -1};

    must(vdi_nbd(r->storage, r->sr.s, vdi, d.id.s, writable, &d.fd));
    return d;
}

void disk_attach(struct disk *d)
{
    d->nbd = nbd_create();
    assert_non_null(d->nbd);
    nbd_set_export_name(d->nbd, d->id.s);
    if (nbd_connect_socket(d->nbd, d->fd) < 0)
        fail_msg("NBD: %s", nbd_get_error());
    must(vdi_nbd_attached(d->rig->storage, d->rig->sr.s, d->id.s));
}

struct disk disk_open(struct rig *r, const char *vdi, bool writable)
{
    struct disk d = disk_connect(r, vdi, writable);

    disk_attach(&d);
    return d;
}

void disk_close(struct disk *d)
{
    nbd_shutdown(d->nbd, 0);
    nbd_close(d->nbd);
    must(vdi_nbd_close(d->rig->storage, d->rig->sr.s, d->id.s));
}

void disk_fill(struct disk *d, int64_t at, unsigned char byte)
{
    _cleanup_free_ void *buf = xmalloc(MIB);

    memset(buf, byte, MIB);
    if (nbd_pwrite(d->nbd, buf, MIB, (uint64_t)at, 0) < 0 || nbd_flush(d->nbd, 0) < 0)
        fail_msg("NBD write: %s", nbd_get_error());
}

unsigned char disk_byte(struct disk *d, int64_t at)
{
    unsigned char b;

    if (nbd_pread(d->nbd, &b, 1, (uint64_t)at, 0) < 0)
        fail_msg("NBD read: %s", nbd_get_error());
    return b;
}

void vdi_fill(struct rig *r, const char *vdi, int64_t at, unsigned char byte)
{
    struct disk d = disk_open(r, vdi, true);

    disk_fill(&d, at, byte);
    disk_close(&d);
}

unsigned char vdi_byte(struct rig *r, const char *vdi, int64_t at)
{
    struct disk d = disk_open(r, vdi, false);
    unsigned char b = disk_byte(&d, at);

    disk_close(&d);
    return b;
}

int rig_count_files(const struct rig *r, const char *pattern)
{
    DIR *d = opendir(r->sr_dir);
    const struct dirent *e;
    int n = 0;

    assert_non_null(d);
    while ((e = readdir(d)))
        n += e->d_type != DT_LNK && fnmatch(pattern, e->d_name, 0) == 0;
    closedir(d);
    return n;
}
