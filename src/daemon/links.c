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
    struct link_list list;
    int stop_fd; /* eventfd */
    pthread_t thread;
};

static void link_fini(struct link *l)
{
    cleanup_close(&l->fd);
    json_decref(l->held);
}

void link_list_fini(struct link_list *list)
{
    vec_foreach (l, list)
        link_fini(l);
    vec_fini(list);
}

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
    _cleanup_free_ struct pollfd *p = xnew_array(struct pollfd, l->list.n + 1);
    size_t n = l->list.n;

    for (size_t i = 0; i < n; i++)
        p[i] = (struct pollfd){.fd = l->list.v[i].fd, .events = POLLIN};
    p[n] = (struct pollfd){.fd = l->stop_fd, .events = POLLIN};
    int ready = TEMP_FAILURE_RETRY(poll(p, n + 1, timeout_ms));

    if (p[n].revents)
        return false;
    for (size_t i = n; ready > 0 && i-- > 0;) {
        struct error *e = p[i].revents ? answer_one(l, p[i].fd) : NULL;

        if (!e)
            continue;
        error_free(e); /* that program has ended */
        transfers_lost(l->daemon, l->list.v[i].held);
        link_fini(&l->list.v[i]);
        l->list.v[i] = l->list.v[--l->list.n];
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

struct error *links_start(struct daemon *d, struct link_list *list, struct links **ret)
{
    struct links *l = xnew(struct links);

    l->daemon = d;
    l->list = *list;
    *list = (struct link_list){0};
    l->stop_fd = eventfd(0, EFD_CLOEXEC);
    while (serve(l, 0))
        ;
    int r = pthread_create(&l->thread, NULL, links_main, l);

    if (r) {
        link_list_fini(&l->list);
        cleanup_close(&l->stop_fd);
        free(l);
        return error_errno(r, "cannot start a thread");
    }
    *ret = l;
    return NULL;
}

void links_stop(struct links *l, struct link_list *ret)
{
    uint64_t one = 1;

    if (TEMP_FAILURE_RETRY(write(l->stop_fd, &one, sizeof(one))) < 0)
        abort(); /* an eventfd with room */
    pthread_join(l->thread, NULL);
    *ret = l->list;
    cleanup_close(&l->stop_fd);
    free(l);
}
