/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/links.h"

#include "api/http/transfer.h"
#include "base/str.h"
#include "proto/frame.h"
#include "value/json.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>

struct links {
    struct daemon *daemon;
    struct link_fds fds;
    int stop_fd; /* eventfd */
    pthread_t thread;
};

static struct error *answer_one(struct links *l, int fd)
{
    _cleanup_frame_ struct frame f = FRAME_INIT;
    _cleanup_json_ json_t *question = NULL;

    TRY(frame_recv(fd, FRAME_MAX_CALL, &f));
    TRY(json_parse(str_cstr(&f.text), f.text.len, &question));
    _cleanup_json_ json_t *answer = transfer_answer(l->daemon, question);
    _cleanup_free_ char *text = json_dumps(answer, JSON_COMPACT);

    if (json_is_true(json_object_get(question, "quiet")))
        return NULL;
    return frame_send(fd, text, strlen(text), NULL, 0);
}

/* Answers what waits, at most timeout_ms for the first (-1 = no limit). False: time to stop. */
static bool serve(struct links *l, int timeout_ms)
{
    _cleanup_free_ struct pollfd *p = xnew_array(struct pollfd, l->fds.n + 1);
    size_t n = l->fds.n;

    for (size_t i = 0; i < n; i++)
        p[i] = (struct pollfd){.fd = l->fds.v[i], .events = POLLIN};
    p[n] = (struct pollfd){.fd = l->stop_fd, .events = POLLIN};
    int ready = TEMP_FAILURE_RETRY(poll(p, n + 1, timeout_ms));

    if (p[n].revents)
        return false;
    for (size_t i = n; ready > 0 && i-- > 0;) {
        struct error *e = p[i].revents ? answer_one(l, p[i].fd) : NULL;

        if (!e)
            continue;
        error_free(e); /* that program has ended */
        close(p[i].fd);
        l->fds.v[i] = l->fds.v[--l->fds.n];
    }
    return ready > 0;
}

static void *links_main(void *arg)
{
    struct links *l = arg;

    while (serve(l, -1))
        ;
    return NULL;
}

struct error *links_start(struct daemon *d, struct link_fds *fds, struct links **ret)
{
    struct links *l = xnew(struct links);

    l->daemon = d;
    l->fds = *fds;
    *fds = (struct link_fds){0};
    l->stop_fd = eventfd(0, EFD_CLOEXEC);
    while (serve(l, 0))
        ;
    int r = pthread_create(&l->thread, NULL, links_main, l);

    if (r) {
        vec_foreach (fd, &l->fds)
            close(*fd);
        vec_fini(&l->fds);
        cleanup_close(&l->stop_fd);
        free(l);
        return error_errno(r, "cannot start a thread");
    }
    *ret = l;
    return NULL;
}

void links_stop(struct links *l, struct link_fds *ret)
{
    uint64_t one = 1;

    if (TEMP_FAILURE_RETRY(write(l->stop_fd, &one, sizeof(one))) < 0)
        abort(); /* an eventfd with room */
    pthread_join(l->thread, NULL);
    *ret = l->fds;
    cleanup_close(&l->stop_fd);
    free(l);
}
