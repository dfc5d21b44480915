/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Listening sockets: making them, accepting, naming the peer, choosing a shard. */
#include "wire/listener.h"

#include "base/io.h"
#include "base/mem.h"
#include "base/world.h"
#include "wire/conn.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#define BACKLOG        512
#define ACCEPT_BATCH   64
#define ACCEPT_REST_US 100000 /* pause when the process has no descriptor left */

struct listener {
    struct poller_source source;
    struct server *server;
    struct list link;
    enum http_peer_kind kind;
    struct timer rest;
    struct poller_work work;
};

static const char busy[] = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n"
                           "connection: close\r\ncache-control: no-cache, no-store\r\n\r\n";

/* Peers. */

static void address_text(const struct sockaddr_storage *sa, char *ret, socklen_t size,
                         uint16_t *ret_port)
{
    const struct sockaddr_in6 *six = (const void *)sa;
    const struct sockaddr_in *four = (const void *)sa;

    *ret_port = 0;
    if (sa->ss_family == AF_INET6) {
        if (IN6_IS_ADDR_V4MAPPED(&six->sin6_addr))
            inet_ntop(AF_INET, &six->sin6_addr.s6_addr[12], ret, size);
        else
            inet_ntop(AF_INET6, &six->sin6_addr, ret, size);
        *ret_port = ntohs(six->sin6_port);
    } else if (sa->ss_family == AF_INET) {
        inet_ntop(AF_INET, &four->sin_addr, ret, size);
        *ret_port = ntohs(four->sin_port);
    }
}

static void name_unix_peer(int fd, struct http_peer *peer)
{
    struct ucred cred;
    socklen_t len = sizeof(cred);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
        return;
    peer->uid = cred.uid;
    peer->pid = cred.pid;
    peer->is_superuser = cred.uid == 0 || cred.uid == geteuid();
}

static void name_tcp_peer(int fd, const struct sockaddr_storage *from, struct http_peer *peer)
{
    struct sockaddr_storage to;
    socklen_t len = sizeof(to);
    uint16_t port;
    int on = 1;

    address_text(from, peer->address, sizeof(peer->address), &peer->port);
    if (getsockname(fd, (struct sockaddr *)&to, &len) == 0)
        address_text(&to, peer->server_address, sizeof(peer->server_address), &port);
    /* Answers go out whole; Nagle's waiting would only delay their ends. */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

/* Accepting. */

static struct shard *choose_shard(struct server *s)
{
    struct shard *best = &s->shards[0];

    for (unsigned i = 1; i < s->n_shards; i++) {
        if (atomic_load_explicit(&s->shards[i].load, memory_order_relaxed) <
            atomic_load_explicit(&best->load, memory_order_relaxed))
            best = &s->shards[i];
    }
    return best;
}

static void refuse(int fd, enum http_peer_kind kind)
{
    char scrap[4096];

    /* A best effort without waiting: under TLS nothing could be said before a handshake. */
    if (kind != PEER_TLS && send(fd, busy, sizeof(busy) - 1, MSG_NOSIGNAL | MSG_DONTWAIT) > 0)
        shutdown(fd, SHUT_WR);
    while (recv(fd, scrap, sizeof(scrap), MSG_DONTWAIT) == sizeof(scrap))
        ;
    close(fd);
}

static void admit(struct listener *l, int fd, const struct sockaddr_storage *from)
{
    struct server *s = l->server;
    struct http_peer peer = {.kind = l->kind, .uid = (uid_t)-1};
    struct ticket ticket;

    if (l->kind == PEER_UNIX)
        name_unix_peer(fd, &peer);
    else
        name_tcp_peer(fd, from, &peer);
    if (!admission_enter(s->admission, l->kind == PEER_UNIX ? NULL : peer.address, &ticket)) {
        atomic_fetch_add_explicit(&s->refused, 1, memory_order_relaxed);
        refuse(fd, l->kind);
        return;
    }
    atomic_fetch_add_explicit(&s->accepted, 1, memory_order_relaxed);
    conn_new(choose_shard(s), fd, &peer, ticket, NULL);
}

void server_adopt(struct server *s, struct given *g)
{
    struct ticket ticket;

    if (!admission_enter(s->admission, g->peer.kind == PEER_UNIX ? NULL : g->peer.address,
                         &ticket)) {
        atomic_fetch_add_explicit(&s->refused, 1, memory_order_relaxed);
        refuse(TAKE_FD(g->fd), g->peer.kind);
        return;
    }
    conn_new(choose_shard(s), TAKE_FD(g->fd), &g->peer, ticket, g);
}

/* Out of descriptors: without the pause this thread would spin. */
static void rest(struct listener *l)
{
    struct poller *p = l->server->shards[0].poller;

    poller_remove(p, &l->source);
    timer_start(poller_timers(p), &l->rest, poller_now(p) + ACCEPT_REST_US);
}

static void rested(struct timer *t)
{
    struct listener *l = container_of(t, struct listener, rest);
    struct poller *p = l->server->shards[0].poller;
    struct error *e = poller_add(p, &l->source, EPOLLIN);

    if (e) {
        error_free(e);
        timer_start(poller_timers(p), t, poller_now(p) + ACCEPT_REST_US);
    }
}

static void on_connection(struct poller_source *source, uint32_t events)
{
    struct listener *l = container_of(source, struct listener, source);

    for (int i = 0; i < ACCEPT_BATCH; i++) {
        struct sockaddr_storage from = {0};
        socklen_t len = sizeof(from);
        int fd = accept4(source->fd, (struct sockaddr *)&from, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd >= 0) {
            admit(l, fd, &from);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            rest(l);
        else if (errno == ECONNABORTED || errno == EINTR || errno == EPROTO)
            continue;
        return;
    }
}

/* Listeners. */

static void listener_free(struct listener *l)
{
    struct poller *p = l->server->shards[0].poller;

    poller_remove(p, &l->source);
    timer_stop(poller_timers(p), &l->rest);
    list_remove(&l->link);
    close(l->source.fd);
    free(l);
}

void listeners_close(struct server *s)
{
    struct listener *l;

    list_foreach (l, &s->listeners, link)
        listener_free(l);
}

/* On the first poller's thread. */
static void listener_start(struct poller_work *work)
{
    struct listener *l = container_of(work, struct listener, work);
    struct shard *sh = &l->server->shards[0];

    list_append(&l->server->listeners, &l->link);
    if (atomic_load(&sh->draining))
        listener_free(l);
    else
        rested(&l->rest);
}

struct error *server_listen(struct server *s, int fd, enum http_peer_kind kind)
{
    _cleanup_close_ int own = fd;

    assert(kind != PEER_TLS || s->tls);
    TRY(io_set_nonblock(own, true));
    struct listener *l = xnew(struct listener);

    l->source = (struct poller_source){TAKE_FD(own), on_connection};
    l->server = s;
    l->kind = kind;
    list_init(&l->link);
    l->rest.fn = rested;
    l->work.fn = listener_start;
    poller_post(s->shards[0].poller, &l->work);
    return NULL;
}

struct error *server_listen_unix(struct server *s, const char *path)
{
    int fd;

    TRY(io_listen_unix(path, SOCK_STREAM, 0600, &fd));
    return server_listen(s, fd, PEER_UNIX);
}

/* "" is every address: one v6 socket that takes v4 too, or v4 alone where there is no v6. */
static struct error *parse_address(const char *text, uint16_t port, struct sockaddr_storage *ret,
                                   socklen_t *ret_len)
{
    struct sockaddr_in6 *six = (void *)ret;
    struct sockaddr_in *four = (void *)ret;

    *ret = (struct sockaddr_storage){0};
    if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons(port);
        *ret_len = sizeof(*four);
        return NULL;
    }
    six->sin6_family = AF_INET6;
    six->sin6_port = htons(port);
    *ret_len = sizeof(*six);
    if (str_empty(text) || inet_pton(AF_INET6, text, &six->sin6_addr) == 1)
        return NULL;
    return error_errno(EINVAL, "no address to listen on: %s", text);
}

static struct error *bind_tcp(const struct sockaddr_storage *sa, socklen_t len, int *ret_fd)
{
    _cleanup_close_ int fd = socket(sa->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct sockaddr_in6 *six = (const void *)sa;
    int on = 1;
    int only = !IN6_IS_ADDR_UNSPECIFIED(&six->sin6_addr);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
        return error_errno(errno, "cannot make a socket");
    if (sa->ss_family == AF_INET6 &&
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only)) < 0)
        return error_errno(errno, "cannot make a socket");
    if (bind(fd, (const struct sockaddr *)sa, len) < 0 || listen(fd, BACKLOG) < 0)
        return error_errno(errno, "cannot listen");
    *ret_fd = TAKE_FD(fd);
    return NULL;
}

uint16_t server_bound_port(int fd)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof(sa);
    uint16_t port = 0;
    char text[46];

    if (getsockname(fd, (struct sockaddr *)&sa, &len) == 0)
        address_text(&sa, text, sizeof(text), &port);
    return port;
}

struct error *server_listen_tcp(struct server *s, const char *address, uint16_t port,
                                enum http_peer_kind kind, uint16_t *ret_port)
{
    int fd;

    assert(kind != PEER_UNIX);
    TRY(server_bind_tcp(address, port, &fd));
    if (ret_port)
        *ret_port = server_bound_port(fd);
    return server_listen(s, fd, kind);
}

struct error *server_bind_tcp(const char *address, uint16_t port, int *ret_fd)
{
    struct sockaddr_storage sa;
    socklen_t len;

    TRY(parse_address(address, port, &sa, &len));
    struct error *e = bind_tcp(&sa, len, ret_fd);

    if (e && str_empty(address) && (e->errnum == EAFNOSUPPORT || e->errnum == EADDRNOTAVAIL)) {
        error_free(e);
        TRY(parse_address("0.0.0.0", port, &sa, &len));
        e = bind_tcp(&sa, len, ret_fd);
    }
    return e ? error_prepend(e, "[%s]:%u", address, port) : NULL;
}
