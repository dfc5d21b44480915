/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * One connection on its poller, between the files of the server: server.c accepts, conn.c owns and
 * schedules, conn_in.c reads requests, conn_out.c writes answers, request.c is what handlers call.
 * Nobody else includes this.
 *
 * Ownership: a shard (a poller and what belongs to its thread) owns its connections; a connection
 * owns its request except between the call of the handler and the request's end, when the handler
 * does. In that state (CONN_PENDING) the poller leaves transport, buffer, answer and request alone,
 * which is what lets http_reply() and http_take() use them from any thread.
 */

#include "base/list.h"
#include "wire/admission.h"
#include "wire/router.h"
#include "wire/server.h"
#include "wire/transport.h"

#include <pthread.h>
#include <stdatomic.h>

#define HEAD_MAX     (16u << 10)
#define BUFFER_SIZE  (32u << 10) /* holds a head of the largest size and bytes that follow it */
#define BUFFERS_KEPT 32          /* idle connections have no buffer; a shard keeps that many */

/* Bytes read and not yet used lie in data[start..end). */
struct buffer {
    struct buffer *next;
    size_t start;
    size_t end;
    char data[BUFFER_SIZE];
};

struct shard {
    struct server *server;
    struct poller *poller;
    struct list conns;
    struct list ready;      /* connections that were interrupted to give others their turn */
    struct buffer *buffers; /* unused ones */
    unsigned n_buffers;
    unsigned n_conns; /* those in the list */
    atomic_uint load; /* those assigned: for the choice at accept */
    atomic_uint_fast64_t requests;
    atomic_bool draining;      /* no further requests */
    bool paused;               /* no handler is called: connections wait where they are */
    bool giving;               /* and are given away */
    bool drained;              /* has told the server that no connection is left */
    struct poller_work drain;  /* starts the draining */
    struct poller_work pause;  /* sets paused */
    struct poller_work give;   /* sets giving */
    struct poller_work resume; /* runs the ready ones */
};

struct server {
    struct server_limits limits;
    struct router *router;
    struct admission *admission;
    struct tls *tls;
    struct shard *shards;
    unsigned n_shards;
    struct list listeners; /* of poller 0's thread once started */
    bool started;
    atomic_uint_fast64_t accepted;
    atomic_uint_fast64_t refused;

    pthread_mutex_t lock;   /* rank: leaf; guards what follows */
    pthread_cond_t drained; /* a shard has got that far */
    unsigned n_undrained;
    unsigned n_unpaused;
    void (*give)(void *ctx, struct given *g);
    void *give_ctx;
    struct workers *relays; /* NULL before server_give */
    struct list relayed;
    bool relays_end;
};

enum conn_state {
    CONN_HANDSHAKE,
    CONN_HEAD,
    CONN_BODY,
    CONN_PENDING, /* a handler owns the request */
    CONN_ANSWER,
    CONN_LINGER, /* answered early; reading on so that the answer is not lost to a reset */
    CONN_CLOSED,
};

enum ending { ENDING_NONE, ENDING_REPLY, ENDING_DROP, ENDING_TAKE, ENDING_RETURN };

/* Bytes that another program read. */
struct early {
    char *resume; /* "" = none; of the next request, like start_us */
    int64_t start_us;
    size_t at;
    size_t end;
    char data[];
};

/* An answer on its way: head and pieces, then perhaps a file. */
struct answer {
    struct iovec *pieces; /* consumed from the front */
    size_t n_pieces;
    int file; /* -1 = none */
    off_t file_offset;
    size_t file_left;
    bool close;
};

struct conn {
    struct poller_source source;
    struct transport io;
    struct shard *shard;
    struct list link;
    struct list ready_link;
    struct http_peer peer;
    struct ticket ticket;
    enum conn_state state;

    bool readable;  /* no read has said "would block" since the last event */
    bool wants_out; /* registered for EPOLLOUT */
    bool hung_up;   /* the peer has closed, or ended its sending */
    bool broken;    /* the peer is gone both ways */
    bool unread;    /* part of the request stays unread: the connection cannot go on */
    unsigned served;

    struct buffer *in;    /* NULL = no bytes waiting */
    struct early *early;  /* what follows them; NULL = the socket */
    bool relayed;         /* by a program that wants to end */
    size_t scanned;       /* of them, by http_head_end */
    int64_t input_end_us; /* when the head or body must be complete; 0 = not begun */
    char *body;
    size_t body_done;
    size_t lingered;

    struct timer timer;
    int64_t deadline_us; /* the timer may fire earlier and is then set again */

    struct http_request *rq;
    struct answer answer;
    enum ending ending;
    bool dispatching;        /* the handler is being called right now, on this thread */
    bool ended_inside;       /* by the handler, before it returned */
    struct poller_work work; /* starts the connection, runs, tells of an ending, frees it */
    void (*run)(void *ctx);  /* of http_run */
    void *run_ctx;
    void (*on_gone)(void *ctx, struct http_request *rq);
    void *gone_ctx;
    atomic_bool gone;
};

/* Any thread: takes socket and ticket over and hands them to the shard, which starts. given: what
 * another program knows of it, NULL = accepted here. */
void conn_new(struct shard *shard, int fd, const struct http_peer *peer, struct ticket ticket,
              const struct given *given);

/* All that follow: on the shard's thread, unless said otherwise. */

/* Goes on for as long as something can be done, or hands over to others. */
void conn_run(struct conn *c);
void conn_close(struct conn *c);
/* The same for one whose socket and ticket have gone elsewhere. */
void conn_forget(struct conn *c);
/* No further requests; closes what is idle, tells those who wait. */
void conn_drain(struct conn *c);
/* give.c: hands it to another program; it is gone. */
void conn_give(struct conn *c);
void conn_free_early(struct conn *c);
/* A copy of what was read ahead and not used. By whoever owns the buffer; the caller frees. */
char *conn_copy_unused(const struct conn *c, size_t *ret_n);
/* Any thread: the request has been ended as c->ending says. */
void conn_request_ended(struct conn *c);
/* Any thread that owns the request: c->run is called on the shard's thread. */
void conn_request_run(struct conn *c);
void conn_free_request(struct conn *c);
/* Acts on c->ending. False: the connection is gone. */
bool conn_apply_ending(struct conn *c);
struct http_request *conn_new_request(struct conn *c);
/* Says `100 Continue` if the client waits for that. By whoever owns the transport. False: it did
 * not go out, the connection is of no use. */
_must_check_ bool conn_invite_body(struct conn *c);
/* Answers without a handler and closes. False: the connection is gone. */
bool conn_refuse(struct conn *c, int status, const char *why);

void conn_set_deadline(struct conn *c, int64_t from_now_us);
void conn_want_out(struct conn *c, bool on);
const struct server_limits *conn_limits(const struct conn *c);

/* The buffer is there only while it holds bytes. */
struct buffer *conn_need_buffer(struct conn *c);
void conn_give_buffer(struct conn *c);
size_t conn_buffered(const struct conn *c);
void conn_consume(struct conn *c, size_t n);

/* States (conn_in.c, conn_out.c): true = the state may have changed, go on; false = wait, or the
 * connection is gone. */
bool conn_step_handshake(struct conn *c);
bool conn_step_head(struct conn *c);
bool conn_step_body(struct conn *c);
bool conn_step_answer(struct conn *c);
bool conn_step_linger(struct conn *c);

/* server.c: a shard has lost a connection. */
void shard_conn_gone(struct shard *shard);
