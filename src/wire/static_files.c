/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/static_files.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdatomic.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/syscall.h>

struct static_files {
    int dir;
    atomic_int policy;
    atomic_uint tls_port;
    atomic_llong hsts_max_age;
};

static const struct {
    const char *suffix;
    const char *type;
} types[] = {
    {".html", "text/html; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".mjs", "text/javascript; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".json", "application/json"},
    {".map", "application/json"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".jpg", "image/jpeg"},
    {".jpeg", "image/jpeg"},
    {".gif", "image/gif"},
    {".ico", "image/x-icon"},
    {".webp", "image/webp"},
    {".woff", "font/woff"},
    {".woff2", "font/woff2"},
    {".ttf", "font/ttf"},
    {".txt", "text/plain; charset=utf-8"},
    {".md", "text/plain; charset=utf-8"},
    {".xml", "text/xml"},
    {".wasm", "application/wasm"},
    {".pdf", "application/pdf"},
    {".iso", "application/octet-stream"},
    {".gz", "application/gzip"},
    {".webmanifest", "application/manifest+json"},
};

struct error *static_files_new(const char *dir, struct static_files **ret)
{
    _cleanup_close_ int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return error_errno(errno, "cannot open the web directory %s", dir);
    struct static_files *f = xnew(struct static_files);

    f->dir = TAKE_FD(fd);
    atomic_init(&f->policy, PLAIN_REDIRECT);
    atomic_init(&f->tls_port, 443);
    atomic_init(&f->hsts_max_age, -1);
    *ret = f;
    return NULL;
}

void static_files_free(struct static_files *f)
{
    if (!f)
        return;
    close(f->dir);
    free(f);
}

void static_files_set_policy(struct static_files *f, enum plain_http_policy policy)
{
    atomic_store(&f->policy, (int)policy);
}

void static_files_set_tls_port(struct static_files *f, uint16_t port)
{
    atomic_store(&f->tls_port, port);
}

void static_files_set_hsts(struct static_files *f, int64_t max_age_s)
{
    atomic_store(&f->hsts_max_age, max_age_s);
}

static const char *type_of(const char *path)
{
    size_t len = strlen(path);

    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        size_t n = strlen(types[i].suffix);

        if (len > n && strcasecmp(path + len - n, types[i].suffix) == 0)
            return types[i].type;
    }
    return "application/octet-stream";
}

/* Path below the directory without `.`, `..` and empty parts; NULL when it leaves the directory. */
static char *normalize(struct arena *a, const char *path)
{
    char *out = arena_alloc(a, strlen(path) + 2);
    size_t n = 0;

    for (const char *p = path; *p;) {
        p += strspn(p, "/");
        size_t len = strcspn(p, "/");

        if (len == 2 && p[0] == '.' && p[1] == '.') {
            if (!n)
                return NULL;
            while (n && out[--n] != '/')
                ;
        } else if (len && !(len == 1 && p[0] == '.')) {
            if (n)
                out[n++] = '/';
            memcpy(out + n, p, len);
            n += len;
        }
        p += len;
    }
    if (!n)
        out[n++] = '.';
    out[n] = 0;
    return out;
}

/* The kernel checks that no symbolic link leads out (EXDEV). */
static int open_below(int dir, const char *path)
{
    struct open_how how = {
        .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };

    return (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
}

static void refuse_open(struct http_request *rq, int errnum)
{
    if (errnum == EXDEV || errnum == EACCES || errnum == EPERM || errnum == ELOOP)
        http_reply_text(rq, 403, "This file may not be read.");
    else if (errnum == EMFILE || errnum == ENFILE || errnum == ENOMEM)
        http_reply_text(rq, 503, "The server is busy.");
    else
        http_reply_text(rq, 404, "There is no such file.");
}

static void serve_path(struct static_files *f, struct http_request *rq, const char *path)
{
    struct http_reply reply = {.status = 200, .type = type_of(path)};
    struct http_field hsts = {"strict-transport-security", NULL};
    long long max_age = atomic_load(&f->hsts_max_age);
    _cleanup_close_ int fd = open_below(f->dir, path);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0) {
        refuse_open(rq, errno);
        return;
    }
    if (S_ISDIR(st.st_mode)) {
        if (str_starts(strrchr(path, '/') ? strrchr(path, '/') : path, "index.html"))
            http_reply_text(rq, 404, "There is no such file.");
        else
            serve_path(f, rq, arena_printf(&rq->arena, "%s/index.html", path));
        return;
    }
    if (!S_ISREG(st.st_mode)) {
        http_reply_text(rq, 404, "There is no such file.");
        return;
    }
    if (max_age >= 0 && rq->peer->kind == PEER_TLS) {
        hsts.value = arena_printf(&rq->arena, "max-age=%lld", max_age);
        reply.headers = &hsts;
        reply.n_headers = 1;
    }
    http_reply_file(rq, &reply, TAKE_FD(fd), (size_t)st.st_size);
}

/* The Host header without its port, if it looks like one. */
static const char *host_of(struct http_request *rq)
{
    const char *host = http_header_find(&rq->head, "host");

    if (str_empty(host) || strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                        "0123456789.-_:[]") != strlen(host))
        return NULL;
    char *copy = arena_strdup(&rq->arena, host);
    char *bracket = strchr(copy, ']');
    char *colon = strrchr(bracket ? bracket : copy, ':');

    if (colon)
        *colon = 0;
    return copy;
}

static void redirect(const struct static_files *f, struct http_request *rq)
{
    const char *host = host_of(rq);
    unsigned port = atomic_load(&f->tls_port);

    /* The path alone is taken from the target: a second slash would name another host. */
    if (!host || rq->head.target[0] != '/') {
        http_reply_text(rq, 403, "Use https.");
        return;
    }
    const char *where = port == 443 ? host : arena_printf(&rq->arena, "%s:%u", host, port);
    struct http_field location = {"location",
                                  arena_printf(&rq->arena, "https://%s%s", where, rq->head.target)};

    http_reply(rq, &(struct http_reply){.status = 301, .headers = &location, .n_headers = 1});
}

void static_files_serve(void *ctx, struct http_request *rq)
{
    struct static_files *f = ctx;
    int policy = atomic_load(&f->policy);

    if (rq->peer->kind == PEER_TCP && policy == PLAIN_REFUSE) {
        http_reply_text(rq, 403, "Use https.");
        return;
    }
    if (rq->peer->kind == PEER_TCP && policy == PLAIN_REDIRECT) {
        redirect(f, rq);
        return;
    }
    const char *path = normalize(&rq->arena, rq->head.path);

    if (path)
        serve_path(f, rq, path);
    else
        http_reply_text(rq, 403, "This file may not be read.");
}
