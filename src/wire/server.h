/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The HTTP front door. A few poller threads own all connections; a complete request (head, and
 * body where the route wants it) is given to the handler of the longest path prefix of its method.
 * Rules: docs of the XenAPI (keep-alive in 1.1, close in 1.0, no chunked bodies, every answer says
 * `connection` and `cache-control: no-cache, no-store`).
 *
 * A handler runs on the connection's poller thread and must not block. It owns the request and
 * ends it exactly once, at once or later, from any thread, by one of
 *   http_reply*()    answers; the connection goes on to the next request
 *   http_take()      makes the connection a stream of its own; then http_request_free()
 *   http_drop()      closes the connection without an answer
 *   http_return()    gives it back as if it had never been handled: for server_give
 * Requests of one connection are handled one after the other, also when they arrive together.
 *
 * server_new makes the program ignore SIGPIPE if it has no handler of its own.
 */

#include "base/arena.h"
#include "base/error.h"
#include "base/poller.h"
#include "wire/http_head.h"
#include "wire/stream.h"
#include "wire/tls.h"

#include <sys/uio.h>

struct conn;
struct http_request;
struct server;

enum http_peer_kind { PEER_UNIX, PEER_TCP, PEER_TLS };

struct http_peer {
    enum http_peer_kind kind;
    uid_t uid;               /* of a unix peer, else (uid_t)-1 */
    pid_t pid;               /* of a unix peer, else 0 */
    bool is_superuser;       /* unix peer that is root or our own user: needs no authentication */
    uint16_t port;           /* TCP, else 0 */
    char address[46];        /* text of the IP address without brackets, "" for unix; a v4 address
                                mapped to v6 is shown as v4 */
    char server_address[46]; /* the address the client connected to */
};

enum http_route_flags {
    /* The handler is called after the head, no body is read: it takes the connection. */
    ROUTE_STREAM = 1,
};

struct http_route {
    enum http_verb verb;
    const char *prefix;
    size_t max_body; /* 0: requests of this route have none */
    unsigned flags;
    void (*handler)(void *ctx, struct http_request *rq);
    void *ctx;
};

#define HTTP_RPC_MAX_BODY (300u << 10)
#define HTTP_CLI_MAX_BODY (200u << 10)

/*
 * A connection on its way to another program that serves the same clients: the socket, who is at
 * its other end, and what was read from it and not answered.
 */
struct given {
    int fd; /* owned, -1 = taken over */
    struct http_peer peer;
    bool relayed;      /* the socket leads to a program that relays TLS: ends soon if it can */
    const void *bytes; /* from the beginning of a request on, which may be complete */
    size_t n;
    const char *resume; /* of http_return for the first request, "" = none */
    int64_t start_us;   /* when the first request was complete, 0 = not yet */
};

struct http_request {
    struct arena arena; /* of whoever owns the request; ends with it */
    struct http_head head;
    const char *body; /* NUL-terminated, not NULL; body_len bytes */
    size_t body_len;
    const struct http_peer *peer;
    const struct http_route *route;
    int64_t start_us;   /* mono_us when the head was complete */
    const char *resume; /* what another program said in http_return, "" = a fresh request */
    void *user;         /* the handler's */
    struct conn *conn;
};

struct http_reply {
    int status;
    const char *type;                 /* content-type; NULL = none */
    const struct http_field *headers; /* further headers, lower-case names */
    size_t n_headers;
    const struct iovec *body; /* gathered without a copy: the bytes live as long as the request's */
    size_t n_body;            /* arena (arena_on_end releases others); the array is copied */
    bool close;               /* end the connection after this answer */
};

void http_reply(struct http_request *rq, const struct http_reply *reply);
/* One piece in memory. */
void http_reply_mem(struct http_request *rq, int status, const char *type, const void *p, size_t n);
/* An HTML page that says status and text. */
void http_reply_text(struct http_request *rq, int status, const char *fmt, ...) _printf_(3, 4);
/* Body from a file: size bytes from its start. Takes the descriptor. reply->body is not used. */
void http_reply_file(struct http_request *rq, const struct http_reply *reply, int fd, size_t size);
void http_drop(struct http_request *rq);
/* Only once the server is paused. resume: what the handler of the next program is to know (copied).
 */
void http_return(struct http_request *rq, const char *resume);

/*
 * Asks to be told when the peer goes away while the request is unanswered. To be set by the
 * handler before it returns. fn runs on the poller thread at most once, possibly at the very moment
 * in which another thread answers, so the owner's own lock decides who ends the request; it may be
 * ended from fn itself. ctx must live as long as the request. Without this call, a client that
 * has only closed its sending side still gets its answer.
 */
void http_on_gone(struct http_request *rq, void (*fn)(void *ctx, struct http_request *rq),
                  void *ctx);
/* Has the client closed, or at least ended its sending? Any thread that owns the request. */
bool http_is_gone(const struct http_request *rq);

/* Any thread that owns the request: calls fn(ctx) on the connection's poller thread, soon. It must
 * not block, and may end the request, as in the handler. */
void http_run(struct http_request *rq, void (*fn)(void *ctx), void *ctx);

/* Any thread. Head and arena of the request stay usable until http_request_free. */
struct stream *http_take(struct http_request *rq);
void http_request_free(struct http_request *rq);

/* Writes an answer's head to a stream taken from rq: `connection: close`, no length unless given
 * (>= 0); minor: HTTP/1.minor. reply->body is not used. */
_must_check_ struct error *http_stream_head(struct stream *s, int minor,
                                            const struct http_reply *reply, int64_t length);

struct server_limits {
    int64_t read_us;          /* wait for the next bytes of a head or body; 10 s */
    int64_t head_us;          /* for a whole head, also a TLS handshake; 60 s */
    int64_t idle_us;          /* keep-alive without a request; 300 s */
    int64_t write_us;         /* no progress of an answer; 60 s */
    int64_t linger_us;        /* staying after an early refusal; 2 s */
    unsigned max_head;        /* bytes; 16 KiB, at most that */
    unsigned max_unix;        /* connections; 1024 */
    unsigned max_tcp;         /* plain and TLS together; 800 */
    unsigned max_per_address; /* of them from one address; 200 */
};

struct server_config {
    unsigned n_pollers;              /* 0 = processors, at most 2 */
    const struct http_route *routes; /* copied; strings are borrowed */
    size_t n_routes;
    struct tls *tls;             /* borrowed; may be NULL without TLS listeners */
    struct server_limits limits; /* 0 = the default named above */
};

_must_check_ struct error *server_new(const struct server_config *config, struct server **ret);
/* Before server_start, or on any thread later. The descriptor is a listening socket and is taken
 * over, also on failure. */
_must_check_ struct error *server_listen(struct server *s, int fd, enum http_peer_kind kind);
/* Makes the socket: a path (mode 600), or an address ("" = all, v6 and v4) and a port (0 = any;
 * *ret_port may be NULL). */
_must_check_ struct error *server_listen_unix(struct server *s, const char *path);
/* The socket of server_listen_tcp alone; and the port it got. */
_must_check_ struct error *server_bind_tcp(const char *address, uint16_t port, int *ret_fd);
uint16_t server_bound_port(int fd);
_must_check_ struct error *server_listen_tcp(struct server *s, const char *address, uint16_t port,
                                             enum http_peer_kind kind, uint16_t *ret_port);
_must_check_ struct error *server_start(struct server *s);
/* Listeners are closed and no handler runs any more when this returns; requests under way go on.
 * Before a server_stop, where what requests need goes before the server does. Once more, later:
 * what other threads have ended by then is over for the pollers too. Not on a poller. */
void server_pause(struct server *s);
/*
 * After server_pause: gives every connection away as soon as it has no answer under way, TLS by
 * relaying it on a thread of its own. fn runs on pollers and owns given->fd; the rest is borrowed.
 * server_await_gone waits until there is none left, then until nothing is relayed (false = time is
 * up); server_stop follows. server_end_relays makes the relays end soon, from any thread.
 */
void server_give(struct server *s, void (*fn)(void *ctx, struct given *g), void *ctx);
bool server_await_gone(struct server *s, int64_t timeout_us);
void server_end_relays(struct server *s);
/* The other side of it. Takes the descriptor, whatever comes of it. After server_start. */
void server_adopt(struct server *s, struct given *g);

/* Closes listeners and idle connections at once, lets running requests end (their on_gone is
 * called) for at most drain_us, then ends the pollers. Streams that were taken live on. True: every
 * request has been ended; else the server must not be freed. */
bool server_stop(struct server *s, int64_t drain_us);
/* Before server_start or after a server_stop that was true. */
void server_free(struct server *s);

struct server_stats {
    unsigned unix_connections;
    unsigned tcp_connections;
    uint64_t accepted;
    uint64_t refused; /* over a limit */
    uint64_t requests;
};

struct server_stats server_stats(const struct server *s);

static inline void cleanup_server(struct server **s)
{
    if (*s)
        server_free(*s);
}
