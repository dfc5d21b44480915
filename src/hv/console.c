/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The console hub: an epoll loop over serial lines and viewers.
 *
 * Everything happens under the hub's lock, in steps that never block. An epoll event names a slot
 * and its generation, so an event that was fetched before its descriptor was closed by another
 * thread is recognised and dropped.
 */
#include "hv/console.h"

#include "base/bounded_file.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define VIEWER_BUFFER (256 << 10)
#define INPUT_MAX     (64u << 10)
#define NO_SLOT       UINT32_MAX

struct ring {
    uint64_t written; /* bytes ever; the next byte goes to text[written % CONSOLE_RING] */
    uint64_t cut;     /* `written` when the log was last cut: the log goes on from there */
    char text[CONSOLE_RING];
};

struct console {
    struct console_hub *hub;
    struct ring *ring;
    int log;       /* -1 = none */
    uint32_t line; /* slot of the guest's end, NO_SLOT = echo or ended */
    bool echo;
    struct str input; /* typed, not yet taken by the guest */
    bool held;        /* viewers wait: input is full */
    struct VEC(uint32_t) viewers;
};

struct slot {
    struct console *console; /* NULL = free */
    int fd;
    uint32_t generation;
};

struct console_hub {
    pthread_mutex_t lock;
    pthread_t thread;
    int epoll;
    int wake; /* eventfd: written once, to stop */
    struct VEC(struct slot) slots;
    int n_consoles;
};

static uint64_t slot_key(const struct console_hub *hub, uint32_t i)
{
    return (uint64_t)hub->slots.v[i].generation << 32 | i;
}

static uint32_t slot_new(struct console *c, int fd, uint32_t events)
{
    struct console_hub *hub = c->hub;
    uint32_t i = 0;

    while (i < hub->slots.n && hub->slots.v[i].console)
        i++;
    if (i == hub->slots.n)
        vec_add(&hub->slots, (struct slot){.fd = -1});
    struct slot *s = &hub->slots.v[i];

    s->console = c;
    s->fd = fd;
    s->generation++;
    struct epoll_event ev = {.events = events, .data.u64 = slot_key(hub, i)};

    /* Fails only without memory in the kernel: the line is then simply silent. */
    epoll_ctl(hub->epoll, EPOLL_CTL_ADD, fd, &ev);
    return i;
}

static void slot_free(struct console_hub *hub, uint32_t i)
{
    struct slot *s = &hub->slots.v[i];

    epoll_ctl(hub->epoll, EPOLL_CTL_DEL, s->fd, NULL);
    cleanup_close(&s->fd);
    s->console = NULL;
}

static void slot_wants(struct console_hub *hub, uint32_t i, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data.u64 = slot_key(hub, i)};

    epoll_ctl(hub->epoll, EPOLL_CTL_MOD, hub->slots.v[i].fd, &ev);
}

static void ring_add(struct ring *r, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        r->text[(r->written + i) % CONSOLE_RING] = p[i];
    r->written += n;
}

static void console_out(struct console *c, const char *p, size_t n)
{
    ring_add(c->ring, p, n);
    vec_foreach (v, &c->viewers) {
        /* A full buffer loses bytes for this viewer only. */
        ssize_t done =
            TEMP_FAILURE_RETRY(send(c->hub->slots.v[*v].fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL));

        (void)done;
    }
}

static void hold_viewers(struct console *c, bool hold)
{
    if (c->held == hold)
        return;
    c->held = hold;
    vec_foreach (v, &c->viewers)
        slot_wants(c->hub, *v, hold ? 0 : EPOLLIN);
}

/* A line is a socket, or a terminal that was opened non-blocking. */
static ssize_t line_write(int fd, const void *p, size_t n)
{
    ssize_t done = send(fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);

    return done < 0 && errno == ENOTSOCK ? write(fd, p, n) : done;
}

static ssize_t line_read(int fd, void *p, size_t n)
{
    ssize_t got = recv(fd, p, n, MSG_DONTWAIT);

    return got < 0 && errno == ENOTSOCK ? read(fd, p, n) : got;
}

static void console_in(struct console *c)
{
    if (c->line == NO_SLOT) {
        if (c->echo)
            console_out(c, c->input.s, c->input.len);
        str_clear(&c->input);
        return;
    }
    ssize_t n =
        TEMP_FAILURE_RETRY(line_write(c->hub->slots.v[c->line].fd, c->input.s, c->input.len));

    if (n > 0) {
        memmove(c->input.s, c->input.s + n, c->input.len - (size_t)n);
        c->input.len -= (size_t)n;
    } else if (n < 0 && errno != EAGAIN) {
        str_clear(&c->input);
    }
    slot_wants(c->hub, c->line, c->input.len ? EPOLLIN | EPOLLOUT : EPOLLIN);
    hold_viewers(c, c->input.len >= INPUT_MAX);
}

static void viewers_end(struct console *c)
{
    vec_foreach (v, &c->viewers)
        slot_free(c->hub, *v);
    vec_fini(&c->viewers);
}

/* The hypervisor appends, so it goes on at the beginning. */
static void cut_log(struct console *c)
{
    if (c->log >= 0 && bounded_file_cut(c->log))
        c->ring->cut = c->ring->written;
}

static void line_ready(struct console *c, uint32_t events)
{
    char buf[16384];
    ssize_t n = -1;

    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
        n = line_read(c->hub->slots.v[c->line].fd, buf, sizeof(buf));
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
            slot_free(c->hub, c->line);
            c->line = NO_SLOT;
            viewers_end(c);
            return;
        }
    }
    if (n > 0) {
        console_out(c, buf, (size_t)n);
        if (c->ring->written - c->ring->cut > CONSOLE_LOG)
            cut_log(c);
    }
    if (c->input.len)
        console_in(c);
}

static void viewer_ready(struct console *c, uint32_t slot)
{
    char buf[4096];
    ssize_t n = recv(c->hub->slots.v[slot].fd, buf, sizeof(buf), MSG_DONTWAIT);

    if (n > 0) {
        str_add_mem(&c->input, buf, (size_t)n);
        console_in(c);
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        slot_free(c->hub, slot);
        vec_foreach (v, &c->viewers) {
            if (*v == slot) {
                vec_remove_fast(&c->viewers, (size_t)(v - c->viewers.v));
                break;
            }
        }
    }
}

static void slot_ready(struct console_hub *hub, uint64_t key, uint32_t events)
{
    uint32_t i = (uint32_t)key;
    struct console *c = hub->slots.v[i].console;

    if (!c || slot_key(hub, i) != key)
        return; /* closed since */
    if (i == c->line)
        line_ready(c, events);
    else if (events & EPOLLIN || events & (EPOLLHUP | EPOLLERR))
        viewer_ready(c, i);
}

static void *hub_run(void *arg)
{
    struct console_hub *hub = arg;
    struct epoll_event ev[64];

    for (;;) {
        int n = epoll_wait(hub->epoll, ev, ARRAY_SIZE(ev), -1);

        pthread_mutex_lock(&hub->lock);
        for (int i = 0; i < n; i++) {
            if (ev[i].data.u64 == UINT64_MAX) {
                pthread_mutex_unlock(&hub->lock);
                return NULL;
            }
            slot_ready(hub, ev[i].data.u64, ev[i].events);
        }
        pthread_mutex_unlock(&hub->lock);
    }
}

struct error *console_hub_start(struct console_hub **ret)
{
    struct console_hub *hub = xnew(struct console_hub);
    struct epoll_event ev = {.events = EPOLLIN, .data.u64 = UINT64_MAX};
    int r;

    hub->epoll = epoll_create1(EPOLL_CLOEXEC);
    hub->wake = eventfd(0, EFD_CLOEXEC);
    pthread_mutex_init(&hub->lock, NULL);
    if (hub->epoll < 0 || hub->wake < 0 || epoll_ctl(hub->epoll, EPOLL_CTL_ADD, hub->wake, &ev) < 0)
        r = errno;
    else
        r = pthread_create(&hub->thread, NULL, hub_run, hub);
    if (r) {
        cleanup_close(&hub->epoll);
        cleanup_close(&hub->wake);
        free(hub);
        return error_errno(r, "cannot start the console thread");
    }
    *ret = hub;
    return NULL;
}

void console_hub_stop(struct console_hub *hub)
{
    if (!hub)
        return;
    assert(hub->n_consoles == 0);
    eventfd_write(hub->wake, 1);
    pthread_join(hub->thread, NULL);
    cleanup_close(&hub->epoll);
    cleanup_close(&hub->wake);
    pthread_mutex_destroy(&hub->lock);
    vec_fini(&hub->slots);
    free(hub);
}

static struct error *map_ring(const char *path, struct ring **ret)
{
    _cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0 || TEMP_FAILURE_RETRY(ftruncate(fd, sizeof(struct ring))) < 0)
        return error_errno(errno, "cannot make %s", path);
    void *p = mmap(NULL, sizeof(struct ring), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (p == MAP_FAILED)
        return error_errno(errno, "cannot map %s", path);
    *ret = p;
    return NULL;
}

/* How many bytes at the end of a are the beginning of b. */
static size_t overlap(const char *a, size_t na, const char *b, size_t nb)
{
    for (size_t n = MIN(na, nb); n > 0; n--) {
        if (memcmp(a + na - n, b, n) == 0)
            return n;
    }
    return 0;
}

/*
 * The log holds all that was said since it was cut: what the ring has of that is replaced by it.
 * The line holds the end of it once more, as far as it was said after we were connected.
 */
static void catch_up(struct console *c, int fd)
{
    _cleanup_free_ char *log = xmalloc(CONSOLE_RING);
    _cleanup_free_ char *line = xmalloc(CONSOLE_RING);
    off_t start = bounded_file_start(c->log), size = lseek(c->log, 0, SEEK_END);
    ssize_t n = TEMP_FAILURE_RETRY(
        pread(c->log, log, CONSOLE_RING, MAX(start, size - (off_t)CONSOLE_RING)));

    if (n <= 0)
        return;
    ssize_t more = TEMP_FAILURE_RETRY(recv(fd, line, CONSOLE_RING, MSG_DONTWAIT));
    size_t both = overlap(log, (size_t)n, line, (size_t)MAX(0, more));

    if (c->ring->cut <= c->ring->written)
        c->ring->written = c->ring->cut;
    ring_add(c->ring, log, (size_t)n);
    if (more > 0)
        ring_add(c->ring, line + both, (size_t)more - both);
    cut_log(c);
}

struct error *console_open(struct console_hub *hub, int fd, const char *ring_path,
                           const char *log_path, struct console **ret)
{
    _cleanup_close_ int own = fd;
    _cleanup_close_ int log = log_path ? open(log_path, O_RDWR | O_CLOEXEC | O_NOFOLLOW) : -1;
    struct ring *ring;

    TRY(map_ring(ring_path, &ring));
    struct console *c = xnew(struct console);

    c->hub = hub;
    c->ring = ring;
    c->log = TAKE_FD(log);
    if (c->log >= 0)
        catch_up(c, fd);
    c->line = NO_SLOT;
    c->echo = fd < 0;
    pthread_mutex_lock(&hub->lock);
    hub->n_consoles++;
    if (fd >= 0)
        c->line = slot_new(c, TAKE_FD(own), EPOLLIN);
    pthread_mutex_unlock(&hub->lock);
    *ret = c;
    return NULL;
}

void console_close(struct console *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&c->hub->lock);
    viewers_end(c);
    if (c->line != NO_SLOT)
        slot_free(c->hub, c->line);
    c->hub->n_consoles--;
    pthread_mutex_unlock(&c->hub->lock);
    munmap(c->ring, sizeof(*c->ring));
    cleanup_close(&c->log);
    str_fini(&c->input);
    free(c);
}

static void send_kept(const struct ring *r, int fd)
{
    uint64_t from = r->written > CONSOLE_RING ? r->written - CONSOLE_RING : 0;

    while (from < r->written) {
        size_t at = from % CONSOLE_RING;
        size_t n = MIN(CONSOLE_RING - at, (size_t)(r->written - from));
        ssize_t done = TEMP_FAILURE_RETRY(send(fd, r->text + at, n, MSG_DONTWAIT | MSG_NOSIGNAL));

        if (done <= 0)
            return;
        from += (size_t)done;
    }
}

struct error *console_view(struct console *c, int *ret_fd)
{
    int pair[2], size = VIEWER_BUFFER;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return error_errno(errno, "cannot make a socket pair");
    setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    pthread_mutex_lock(&c->hub->lock);
    if (c->viewers.n >= CONSOLE_VIEWERS) {
        pthread_mutex_unlock(&c->hub->lock);
        cleanup_close(&pair[0]);
        cleanup_close(&pair[1]);
        return error_errno(EBUSY, "too many people look at this console");
    }
    send_kept(c->ring, pair[0]);
    if (c->line == NO_SLOT && !c->echo)
        cleanup_close(&pair[0]); /* the guest has ended: only what it said */
    else
        vec_add(&c->viewers, slot_new(c, pair[0], c->held ? 0 : EPOLLIN));
    pthread_mutex_unlock(&c->hub->lock);
    *ret_fd = pair[1];
    return NULL;
}

void console_say(struct console *c, const char *text)
{
    pthread_mutex_lock(&c->hub->lock);
    console_out(c, text, strlen(text));
    pthread_mutex_unlock(&c->hub->lock);
}
