/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * NBD for simulated images: fixed newstyle, simple replies, no TLS. One thread a connection.
 * Format: the NBD protocol document (NetworkBlockDevice/nbd, doc/proto.md).
 */

#include "base/io.h"
#include "base/list.h"
#include "storage/sim/sim.h"

#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>

#define NBD_MAGIC       0x4e42444d41474943ull
#define NBD_OPTION      0x49484156454f5054ull
#define NBD_REPLY_MAGIC 0x0003e889045565a9ull
#define REQUEST_MAGIC   0x25609513u
#define ANSWER_MAGIC    0x67446698u

#define FLAG_FIXED_NEWSTYLE 1
#define FLAG_NO_ZEROES      2

#define OPT_EXPORT_NAME 1
#define OPT_ABORT       2
#define OPT_INFO        6
#define OPT_GO          7

#define REP_ACK         1
#define REP_INFO        3
#define REP_ERR_UNSUP   0x80000001u
#define REP_ERR_UNKNOWN 0x80000006u

#define CMD_READ  0
#define CMD_WRITE 1
#define CMD_DISC  2
#define CMD_FLUSH 3
#define CMD_TRIM  4
#define CMD_ZERO  6

/* has flags, flush, FUA, trim, write zeroes, several connections */
#define EXPORT_FLAGS     (1 | 1 << 2 | 1 << 3 | 1 << 5 | 1 << 6 | 1 << 8)
#define EXPORT_READ_ONLY (1 << 1)

#define MAX_OPTION  4096
#define MAX_PAYLOAD (32u << 20)

struct sim_server {
    struct place *place;
    sim_export_fn *fn;
    void *arg;
    pthread_rwlock_t requests; /* held for reading by each request */
    pthread_mutex_t lock;
    pthread_cond_t ended;
    struct list connections;
};

struct connection {
    struct list link;
    struct sim_server *server;
    int fd;
    bool no_zeroes;
    bool done; /* handshake over */
    char export[MAX_OPTION + 1];
};

/* What is sent and received, as it lies on the wire. */
struct option_head {
    uint64_t magic;
    uint32_t option;
    uint32_t length;
} __attribute__((packed));

struct option_reply {
    uint64_t magic;
    uint32_t option;
    uint32_t type;
    uint32_t length;
} __attribute__((packed));

struct request {
    uint32_t magic;
    uint16_t flags;
    uint16_t type;
    uint64_t cookie;
    uint64_t offset;
    uint32_t length;
} __attribute__((packed));

struct answer {
    uint32_t magic;
    uint32_t error;
    uint64_t cookie;
} __attribute__((packed));

static struct error *send_all(const struct connection *c, const void *p, size_t n)
{
    const char *s = p;

    while (n > 0) {
        ssize_t w = send(c->fd, s, n, MSG_NOSIGNAL);
        if (w < 0 && errno != EINTR)
            return error_errno(errno, "NBD client is gone");
        if (w > 0) {
            s += w;
            n -= (size_t)w;
        }
    }
    return NULL;
}

static struct error *reply_option(const struct connection *c, uint32_t option, uint32_t type,
                                  const void *data, uint32_t n)
{
    const struct option_reply r = {.magic = htobe64(NBD_REPLY_MAGIC),
                                   .option = htobe32(option),
                                   .type = htobe32(type),
                                   .length = htobe32(n)};

    TRY(send_all(c, &r, sizeof(r)));
    return send_all(c, data, n);
}

static bool describe(struct connection *c, uint64_t *ret_size, uint16_t *ret_flags)
{
    char node[UUID_LEN + 1];
    bool writable;

    pthread_rwlock_rdlock(&c->server->requests);
    bool found = c->server->fn(c->server->arg, c->export, node, &writable);
    if (found) {
        *ret_size = (uint64_t)sim_size(c->server->place, node);
        *ret_flags = (uint16_t)(EXPORT_FLAGS | (writable ? 0 : EXPORT_READ_ONLY));
    }
    pthread_rwlock_unlock(&c->server->requests);
    return found;
}

static struct error *answer_export_name(struct connection *c)
{
    char zeroes[124] = {0};
    uint64_t size;
    uint16_t flags;

    if (!describe(c, &size, &flags))
        return error_errno(ENOENT, "no export %s", c->export);
    size = htobe64(size);
    flags = htobe16(flags);
    TRY(send_all(c, &size, sizeof(size)));
    TRY(send_all(c, &flags, sizeof(flags)));
    c->done = true;
    return c->no_zeroes ? NULL : send_all(c, zeroes, sizeof(zeroes));
}

/* INFO and GO carry: length of the name, name, list of wanted informations (not looked at). */
static struct error *answer_go(struct connection *c, uint32_t option, const char *data, uint32_t n)
{
    struct {
        uint16_t type;
        uint64_t size;
        uint16_t flags;
    } __attribute__((packed)) info = {0};
    uint32_t len = 0;
    uint64_t size;
    uint16_t flags;

    if (n >= 4)
        memcpy(&len, data, 4);
    len = be32toh(len);
    if (n < 6 || len > n - 6)
        return error_errno(EPROTO, "bad NBD option");
    memcpy(c->export, data + 4, len);
    c->export[len] = 0;
    if (!describe(c, &size, &flags))
        return reply_option(c, option, REP_ERR_UNKNOWN, NULL, 0);
    info.size = htobe64(size);
    info.flags = htobe16(flags);
    TRY(reply_option(c, option, REP_INFO, &info, sizeof(info)));
    c->done = option == OPT_GO;
    return reply_option(c, option, REP_ACK, NULL, 0);
}

static struct error *one_option(struct connection *c)
{
    struct option_head h;
    char data[MAX_OPTION + 1];

    TRY(io_read_all(c->fd, &h, sizeof(h)));
    uint32_t option = be32toh(h.option);
    uint32_t n = be32toh(h.length);
    if (be64toh(h.magic) != NBD_OPTION || n > MAX_OPTION)
        return error_errno(EPROTO, "bad NBD option");
    TRY(io_read_all(c->fd, data, n));
    switch (option) {
    case OPT_EXPORT_NAME:
        memcpy(c->export, data, n);
        c->export[n] = 0;
        return answer_export_name(c);
    case OPT_INFO:
    case OPT_GO:
        return answer_go(c, option, data, n);
    case OPT_ABORT:
        IGNORE_ERROR(reply_option(c, option, REP_ACK, NULL, 0));
        return error_errno(ECONNRESET, "NBD client left");
    default:
        return reply_option(c, option, REP_ERR_UNSUP, NULL, 0);
    }
}

static struct error *handshake(struct connection *c)
{
    const uint64_t magic[2] = {htobe64(NBD_MAGIC), htobe64(NBD_OPTION)};
    const uint16_t flags = htobe16(FLAG_FIXED_NEWSTYLE | FLAG_NO_ZEROES);
    uint32_t client;

    TRY(send_all(c, magic, sizeof(magic)));
    TRY(send_all(c, &flags, sizeof(flags)));
    TRY(io_read_all(c->fd, &client, sizeof(client)));
    c->no_zeroes = be32toh(client) & FLAG_NO_ZEROES;
    while (!c->done)
        TRY(one_option(c));
    return NULL;
}

/* The export is looked up for each request: a snapshot or merge may have changed its image. */
static struct error *act(struct connection *c, const struct request *r, char *buf)
{
    struct place *p = c->server->place;
    char node[UUID_LEN + 1];
    bool writable;

    if (!c->server->fn(c->server->arg, c->export, node, &writable))
        return error_errno(ESHUTDOWN, "export is gone");
    if (r->type == CMD_FLUSH)
        return NULL;
    if (r->offset > (uint64_t)INT64_MAX - r->length ||
        r->offset + r->length > (uint64_t)sim_size(p, node))
        return error_errno(EINVAL, "beyond the end");
    if (r->type == CMD_READ)
        return sim_read(p, node, buf, r->length, (int64_t)r->offset);
    if (!writable)
        return error_errno(EPERM, "read-only");
    if (r->type == CMD_WRITE)
        return sim_write(p, node, buf, r->length, (int64_t)r->offset);
    if (r->type == CMD_TRIM || r->type == CMD_ZERO)
        return sim_zero(p, node, r->length, (int64_t)r->offset);
    return error_errno(EINVAL, "unknown NBD command");
}

static struct error *one_request(struct connection *c)
{
    struct request r;

    TRY(io_read_all(c->fd, &r, sizeof(r)));
    r.type = be16toh(r.type);
    r.offset = be64toh(r.offset);
    r.length = be32toh(r.length);
    bool payload = r.type == CMD_READ || r.type == CMD_WRITE;
    if (be32toh(r.magic) != REQUEST_MAGIC || (payload && r.length > MAX_PAYLOAD))
        return error_errno(EPROTO, "bad NBD request");
    if (r.type == CMD_DISC)
        return error_errno(ECONNRESET, "NBD client left");
    _cleanup_free_ char *buf = payload ? xmalloc(r.length + 1u) : NULL;
    if (r.type == CMD_WRITE)
        TRY(io_read_all(c->fd, buf, r.length));
    pthread_rwlock_rdlock(&c->server->requests);
    struct error *e = act(c, &r, buf);
    pthread_rwlock_unlock(&c->server->requests);
    uint32_t num = e ? (uint32_t)(e->errnum ? e->errnum : EIO) : 0;
    error_free(e);
    const struct answer a = {
        .magic = htobe32(ANSWER_MAGIC), .error = htobe32(num), .cookie = r.cookie};
    TRY(send_all(c, &a, sizeof(a)));
    if (r.type == CMD_READ && !num)
        return send_all(c, buf, r.length);
    return NULL;
}

static void *connection_main(void *arg)
{
    struct connection *c = arg;
    struct sim_server *s = c->server;
    struct error *e = handshake(c);

    while (!e)
        e = one_request(c);
    error_free(e);
    pthread_mutex_lock(&s->lock);
    list_remove(&c->link);
    close(c->fd);
    free(c);
    pthread_cond_broadcast(&s->ended);
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

struct sim_server *sim_server_new(struct place *p, sim_export_fn *fn, void *arg)
{
    struct sim_server *s = xnew(struct sim_server);

    s->place = p;
    s->fn = fn;
    s->arg = arg;
    pthread_rwlock_init(&s->requests, NULL);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->ended, NULL);
    list_init(&s->connections);
    return s;
}

void sim_server_free(struct sim_server *s)
{
    struct connection *c;

    pthread_mutex_lock(&s->lock);
    list_foreach (c, &s->connections, link)
        shutdown(c->fd, SHUT_RDWR);
    while (!list_empty(&s->connections))
        pthread_cond_wait(&s->ended, &s->lock);
    pthread_mutex_unlock(&s->lock);
    pthread_cond_destroy(&s->ended);
    pthread_mutex_destroy(&s->lock);
    pthread_rwlock_destroy(&s->requests);
    free(s);
}

void sim_server_pause(struct sim_server *s)
{
    pthread_rwlock_wrlock(&s->requests);
}

void sim_server_resume(struct sim_server *s)
{
    pthread_rwlock_unlock(&s->requests);
}

struct error *sim_server_connect(struct sim_server *s, int *ret_fd)
{
    int sv[2];
    pthread_t thread;
    pthread_attr_t attr;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) < 0)
        return error_errno(errno, "cannot make a socket pair");
    struct connection *c = xnew(struct connection);
    c->server = s;
    c->fd = sv[1];
    pthread_mutex_lock(&s->lock);
    list_append(&s->connections, &c->link);
    pthread_mutex_unlock(&s->lock);
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    int r = pthread_create(&thread, &attr, connection_main, c);
    pthread_attr_destroy(&attr);
    if (r == 0) {
        *ret_fd = sv[0];
        return NULL;
    }
    pthread_mutex_lock(&s->lock);
    list_remove(&c->link);
    pthread_mutex_unlock(&s->lock);
    close(sv[0]);
    close(sv[1]);
    free(c);
    return error_errno(r, "cannot start a thread");
}
