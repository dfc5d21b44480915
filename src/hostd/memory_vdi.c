/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hostd/memory_vdi.h"

#include "base/io.h"
#include "base/uuid.h"
#include "storage/vdi.h"

#include <errno.h>
#include <fcntl.h>
#include <libnbd.h>
#include <pthread.h>

#define MAGIC     "XENOMEM1"
#define CHUNK     (1u << 20)
#define PIPE_SIZE (1 << 20)

struct head {
    char magic[8];
    unsigned char length[8];
    char vm[UUID_LEN + 1];
    char rest[MEMORY_VDI_HEAD - 8 - 8 - (UUID_LEN + 1)];
};

_Static_assert(sizeof(struct head) == MEMORY_VDI_HEAD, "the head is one block");

struct memory_move {
    struct machine *m;
    char sr[UUID_LEN + 1], vm[UUID_LEN + 1];
    struct uuid_text use; /* of the NBD export */
    struct nbd_handle *nbd;
    int fd; /* our end of the pipe */
    pthread_t thread;
    bool started;
    int64_t length; /* loading: to move; saving: moved */
    struct error *failed;
};

static struct error *nbd_error(const char *what)
{
    return error_errno(nbd_get_errno(), "%s: %s", what, nbd_get_error());
}

static void move_free(struct memory_move *mv)
{
    nbd_close(mv->nbd);
    IGNORE_ERROR(vdi_nbd_close(mv->m->storage, mv->sr, mv->use.s));
    cleanup_close(&mv->fd);
    free(mv);
}

static struct error *move_open(struct machine *m, const char *sr, const char *vdi, const char *vm,
                               bool writable, struct memory_move **ret)
{
    struct memory_move *mv = xnew(struct memory_move);
    int fd = -1;

    mv->m = m;
    mv->fd = -1;
    mv->use = uuid_random();
    snprintf(mv->sr, sizeof(mv->sr), "%.36s", sr);
    snprintf(mv->vm, sizeof(mv->vm), "%.36s", vm);
    struct error *e = vdi_nbd(m->storage, sr, vdi, mv->use.s, writable, &fd);

    if (!e && !(mv->nbd = nbd_create()))
        e = nbd_error("cannot talk to a suspend image");
    if (!e && (nbd_set_export_name(mv->nbd, mv->use.s) < 0 || nbd_connect_socket(mv->nbd, fd) < 0))
        e = nbd_error("cannot open a suspend image");
    if (!e)
        e = vdi_nbd_attached(m->storage, sr, mv->use.s);
    if (e) {
        move_free(mv);
        return e;
    }
    *ret = mv;
    return NULL;
}

/* ---- the head ---- */

static void put_length(unsigned char b[8], int64_t v)
{
    for (int i = 0; i < 8; i++)
        b[i] = (unsigned char)((uint64_t)v >> (8 * i));
}

static int64_t take_length(const unsigned char b[8])
{
    uint64_t v = 0;

    for (int i = 0; i < 8; i++)
        v |= (uint64_t)b[i] << (8 * i);
    return (int64_t)v;
}

/* length < 0: nothing is there. */
static struct error *write_head(struct memory_move *mv, int64_t length)
{
    struct head h = {.magic = ""};

    if (length >= 0) {
        memcpy(h.magic, MAGIC, sizeof(h.magic));
        put_length(h.length, length);
        memcpy(h.vm, mv->vm, sizeof(h.vm));
    }
    if (nbd_flush(mv->nbd, 0) < 0 || nbd_pwrite(mv->nbd, &h, sizeof(h), 0, 0) < 0 ||
        nbd_flush(mv->nbd, 0) < 0)
        return nbd_error("cannot write a suspend image");
    return NULL;
}

/* -1 = it holds no (whole) memory of that VM */
static struct error *read_head(struct memory_move *mv, int64_t *ret_length)
{
    int64_t size = nbd_get_size(mv->nbd);
    struct head h;

    *ret_length = -1;
    if (size < (int64_t)sizeof(h))
        return NULL;
    if (nbd_pread(mv->nbd, &h, sizeof(h), 0, 0) < 0)
        return nbd_error("cannot read a suspend image");
    int64_t length = take_length(h.length);

    if (memcmp(h.magic, MAGIC, sizeof(h.magic)) == 0 && memcmp(h.vm, mv->vm, sizeof(h.vm)) == 0 &&
        length > 0 && length <= size - (int64_t)sizeof(h))
        *ret_length = length;
    return NULL;
}

/* ---- moving ---- */

static struct error *save(struct memory_move *mv)
{
    _cleanup_free_ char *buf = xmalloc(CHUNK);
    int64_t room = nbd_get_size(mv->nbd) - MEMORY_VDI_HEAD;

    for (;;) {
        size_t have = 0;

        while (have < CHUNK) {
            ssize_t n = read(mv->fd, buf + have, CHUNK - have);

            if (n < 0 && errno == EINTR)
                continue;
            if (n < 0)
                return error_errno(errno, "cannot read a guest's memory");
            if (n == 0)
                break;
            have += (size_t)n;
        }
        if (have == 0)
            return NULL;
        if ((int64_t)have > room - mv->length)
            return error_errno(ENOSPC, "a guest's memory does not fit its suspend image");
        if (nbd_pwrite(mv->nbd, buf, have, (uint64_t)(MEMORY_VDI_HEAD + mv->length), 0) < 0)
            return nbd_error("cannot write a suspend image");
        mv->length += (int64_t)have;
    }
}

static struct error *load(struct memory_move *mv)
{
    _cleanup_free_ char *buf = xmalloc(CHUNK);

    for (int64_t at = 0; at < mv->length;) {
        size_t n = (size_t)MIN((int64_t)CHUNK, mv->length - at);

        if (nbd_pread(mv->nbd, buf, n, (uint64_t)(MEMORY_VDI_HEAD + at), 0) < 0)
            return nbd_error("cannot read a suspend image");
        TRY(io_write_all(mv->fd, buf, n));
        at += (int64_t)n;
    }
    return NULL;
}

static void *save_main(void *arg)
{
    struct memory_move *mv = arg;

    mv->failed = save(mv);
    cleanup_close(&mv->fd); /* the hypervisor stops writing */
    return NULL;
}

static void *load_main(void *arg)
{
    struct memory_move *mv = arg;

    mv->failed = load(mv);
    cleanup_close(&mv->fd); /* the end of the stream */
    return NULL;
}

static struct error *start(struct memory_move *mv, void *(*fn)(void *), int *ret_fd)
{
    bool saving = fn == save_main;
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_errno(errno, "cannot make a pipe");
    fcntl(ends[0], F_SETPIPE_SZ, PIPE_SIZE); /* fewer wake-ups; the default would do */
    mv->fd = ends[saving ? 0 : 1];
    int r = pthread_create(&mv->thread, NULL, fn, mv);

    if (r) {
        close(ends[saving ? 1 : 0]);
        return error_errno(r, "cannot start a thread");
    }
    mv->started = true;
    *ret_fd = ends[saving ? 1 : 0];
    return NULL;
}

struct error *memory_save_start(struct machine *m, const char *sr, const char *vdi, const char *vm,
                                int *ret_fd, int64_t *ret_max, struct memory_move **ret)
{
    struct memory_move *mv;

    TRY(move_open(m, sr, vdi, vm, true, &mv));
    int64_t max = nbd_get_size(mv->nbd) - MEMORY_VDI_HEAD;
    struct error *e = max > 0 ? write_head(mv, -1) : error_errno(ENOSPC, "suspend image");

    if (!e)
        e = start(mv, save_main, ret_fd);
    if (e) {
        move_free(mv);
        return e;
    }
    *ret_max = max;
    *ret = mv;
    return NULL;
}

struct error *memory_load_start(struct machine *m, const char *sr, const char *vdi, const char *vm,
                                int *ret_fd, struct memory_move **ret)
{
    struct memory_move *mv;

    TRY(move_open(m, sr, vdi, vm, false, &mv));
    struct error *e = read_head(mv, &mv->length);

    if (!e && mv->length < 0)
        e = error_text("the suspend image holds no memory of %s", vm);
    if (!e)
        e = start(mv, load_main, ret_fd);
    if (e) {
        move_free(mv);
        return e;
    }
    *ret = mv;
    return NULL;
}

struct error *memory_move_end(struct memory_move *mv, bool complete)
{
    if (!mv)
        return NULL;
    pthread_join(mv->thread, NULL);
    struct error *e = TAKE_PTR(mv->failed);

    if (!e && complete)
        e = write_head(mv, mv->length);
    move_free(mv);
    return e;
}

struct error *memory_is_saved(struct machine *m, const char *sr, const char *vdi, const char *vm,
                              bool *ret)
{
    struct memory_move *mv;
    int64_t length = -1;

    TRY(move_open(m, sr, vdi, vm, false, &mv));
    struct error *e = read_head(mv, &length);

    move_free(mv);
    if (!e)
        *ret = length > 0;
    return e;
}
