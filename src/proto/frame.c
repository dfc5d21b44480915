/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "proto/frame.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

void frame_fini(struct frame *f)
{
    str_fini(&f->text);
    for (size_t i = 0; i < f->n_fds; i++)
        cleanup_close(&f->fds[i]);
    f->n_fds = 0;
}

static void put_fds(struct msghdr *m, char *control, const int *fds, size_t n)
{
    m->msg_control = control;
    m->msg_controllen = CMSG_SPACE(n * sizeof(int));
    struct cmsghdr *c = CMSG_FIRSTHDR(m);

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(n * sizeof(int));
    memcpy(CMSG_DATA(c), fds, n * sizeof(int));
}

/* Skips n sent bytes. */
static void advance(struct msghdr *m, size_t n)
{
    while (m->msg_iovlen && n >= m->msg_iov->iov_len) {
        n -= m->msg_iov->iov_len;
        m->msg_iov++;
        m->msg_iovlen--;
    }
    if (m->msg_iovlen) {
        m->msg_iov->iov_base = (char *)m->msg_iov->iov_base + n;
        m->msg_iov->iov_len -= n;
    }
}

struct error *frame_send(int fd, const char *text, size_t len, const int *fds, size_t n_fds)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(FRAME_MAX_FDS * sizeof(int))] = {0};
    unsigned char head[4] = {(unsigned char)len, (unsigned char)(len >> 8),
                             (unsigned char)(len >> 16), (unsigned char)(len >> 24)};
    struct iovec iov[2] = {{.iov_base = head, .iov_len = sizeof(head)},
                           {.iov_base = (void *)(uintptr_t)text, .iov_len = len}};
    struct msghdr m = {.msg_iov = iov, .msg_iovlen = 2};

    if (len > FRAME_MAX_REPLY || n_fds > FRAME_MAX_FDS)
        return error_errno(EMSGSIZE, "message of %zu bytes", len);
    if (n_fds)
        put_fds(&m, control, fds, n_fds);
    while (m.msg_iovlen) {
        ssize_t n = sendmsg(fd, &m, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_errno(errno == EAGAIN ? ETIMEDOUT : errno, "cannot send a message");
        m.msg_control = NULL;
        m.msg_controllen = 0;
        advance(&m, (size_t)n);
    }
    return NULL;
}

static void take_fds(struct msghdr *m, struct frame *f)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        int *fds = (int *)(void *)CMSG_DATA(c);

        for (size_t i = 0; i < n; i++) {
            if (f->n_fds < FRAME_MAX_FDS)
                f->fds[f->n_fds++] = fds[i];
            else
                cleanup_close(&fds[i]);
        }
    }
}

/* Reads exactly n bytes; descriptors are taken wherever they come. */
static struct error *recv_exactly(int fd, void *p, size_t n, struct frame *f)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(FRAME_MAX_FDS * sizeof(int))];
    char *at = p;

    while (n) {
        struct iovec iov = {.iov_base = at, .iov_len = n};
        struct msghdr m = {.msg_iov = &iov,
                           .msg_iovlen = 1,
                           .msg_control = control,
                           .msg_controllen = sizeof(control)};
        ssize_t got = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_errno(errno == EAGAIN ? ETIMEDOUT : errno, "cannot receive a message");
        take_fds(&m, f);
        if (got == 0)
            return error_errno(ECONNRESET, "the other side went away");
        if (m.msg_flags & MSG_CTRUNC)
            return error_errno(EPROTO, "too many descriptors");
        at += got;
        n -= (size_t)got;
    }
    return NULL;
}

struct error *frame_recv(int fd, size_t max, struct frame *ret)
{
    _cleanup_frame_ struct frame f = FRAME_INIT;
    unsigned char head[4];

    TRY(recv_exactly(fd, head, sizeof(head), &f));
    size_t len = head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;

    if (len > max)
        return error_errno(EMSGSIZE, "message of %zu bytes", len);
    str_reserve(&f.text, len + 1);
    TRY(recv_exactly(fd, f.text.s, len, &f));
    f.text.s[len] = 0;
    f.text.len = len;
    *ret = f;
    f = FRAME_INIT;
    return NULL;
}
