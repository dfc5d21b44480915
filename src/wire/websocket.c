/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Handshake, and libwslay's frames over a stream. */
#include "wire/websocket.h"

#include "base/mem.h"
#include "base/str.h"
#include "base/world.h"
#include "wire/stream_private.h"

#include <errno.h>
#include <openssl/evp.h>
#include <poll.h>
#include <wslay/wslay.h>

/* RFC 6455 1.3: joined with the client's key, so that no other protocol answers by accident. */
static const char handshake_guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

#define KEY_LEN          24 /* base64 of 16 bytes */
#define CLOSE_TIMEOUT_US (2 * SECOND_US)

struct websocket {
    struct stream *stream;
    wslay_event_context_ptr frames;
    struct str in; /* bytes of complete messages, used up to in_at */
    size_t in_at;
    struct error *failure; /* of the stream, inside a callback of the library */
    bool eof;
};

/* Callbacks of the library. */

static ssize_t on_receive(wslay_event_context_ptr ctx, uint8_t *p, size_t n, int flags, void *user)
{
    struct websocket *ws = user;
    size_t got = 0;
    short events;

    /* A fast client must not fill our memory: what has come is used first. */
    if (ws->in.len == 0 && !ws->eof && !ws->failure) {
        ws->failure = stream_try_read(ws->stream, p, n, &got, &events, &ws->eof);
        if (!ws->failure && got)
            return (ssize_t)got;
    }
    wslay_event_set_error(ctx, WSLAY_ERR_WOULDBLOCK);
    return -1;
}

static ssize_t on_send(wslay_event_context_ptr ctx, const uint8_t *p, size_t n, int flags,
                       void *user)
{
    struct websocket *ws = user;
    size_t done = 0;
    short events;

    if (!ws->failure)
        ws->failure = stream_try_write(ws->stream, p, n, &done, &events);
    if (!ws->failure && done)
        return (ssize_t)done;
    wslay_event_set_error(ctx, WSLAY_ERR_WOULDBLOCK);
    return -1;
}

static void on_message(wslay_event_context_ptr ctx, const struct wslay_event_on_msg_recv_arg *arg,
                       void *user)
{
    struct websocket *ws = user;

    if (!wslay_is_ctrl_frame(arg->opcode))
        str_add_mem(&ws->in, arg->msg, arg->msg_length);
}

static struct error *take_failure(struct websocket *ws)
{
    return TAKE_PTR(ws->failure);
}

/* Handshake. */

static char *accept_key(struct arena *a, const char *key)
{
    const char *text = arena_printf(a, "%s%s", key, handshake_guid);
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len;
    /* Base64 of 20 bytes. */
    unsigned char *ret = arena_zalloc(a, 32);

    if (EVP_Digest(text, strlen(text), digest, &len, EVP_sha1(), NULL) != 1)
        return NULL;
    EVP_EncodeBlock(ret, digest, (int)len);
    return (char *)ret;
}

static bool is_upgrade(const struct http_head *h, const char **ret_key)
{
    const char *key = http_header_find(h, "sec-websocket-key");
    const char *version = http_header_find(h, "sec-websocket-version");

    *ret_key = key;
    return h->verb == VERB_GET && h->minor == 1 && h->upgrade_websocket && key &&
           strlen(key) == KEY_LEN && version && streq(version, "13");
}

static struct error *refuse(struct stream *s)
{
    /* RFC 6455 4.4: name the version we speak. */
    static const struct http_field headers[] = {{"sec-websocket-version", "13"}};

    TRY(http_stream_head(
        s, 1, &(struct http_reply){.status = 400, .headers = headers, .n_headers = 1}, 0));
    return error_text("no valid WebSocket upgrade");
}

static struct error *agree(struct stream *s, const char *accept)
{
    const struct http_field headers[] = {{"upgrade", "websocket"},
                                         {"connection", "Upgrade"},
                                         {"sec-websocket-accept", accept},
                                         {"sec-websocket-protocol", "binary"}};

    return http_stream_head(
        s, 1,
        &(struct http_reply){.status = 101, .headers = headers, .n_headers = ARRAY_SIZE(headers)},
        -1);
}

struct error *websocket_accept(struct http_request *rq, struct websocket **ret)
{
    static const struct wslay_event_callbacks callbacks = {
        .recv_callback = on_receive,
        .send_callback = on_send,
        .on_msg_recv_callback = on_message,
    };
    _cleanup_stream_ struct stream *s = http_take(rq);
    const char *key;

    if (!is_upgrade(&rq->head, &key))
        return refuse(s);
    const char *accept = accept_key(&rq->arena, key);

    if (!accept)
        return error_text("cannot make the key of a WebSocket");
    TRY(agree(s, accept));
    struct websocket *ws = xnew(struct websocket);

    if (wslay_event_context_server_init(&ws->frames, &callbacks, ws) != 0) {
        free(ws);
        return error_text("cannot make a WebSocket");
    }
    wslay_event_config_set_max_recv_msg_length(ws->frames, WEBSOCKET_MAX_MESSAGE);
    ws->stream = TAKE_PTR(s);
    *ret = ws;
    return NULL;
}

/* Moving bytes. */

static struct error *flush(struct websocket *ws)
{
    if (wslay_event_want_write(ws->frames) && wslay_event_send(ws->frames) != 0 && !ws->failure)
        return error_text("cannot send a WebSocket frame");
    return take_failure(ws);
}

static short wanted_events(struct websocket *ws)
{
    return (short)(POLLIN | (wslay_event_want_write(ws->frames) ? POLLOUT : 0));
}

struct error *websocket_try_read(struct websocket *ws, void *p, size_t n, size_t *ret_n,
                                 short *ret_events, bool *ret_eof)
{
    *ret_n = 0;
    *ret_eof = false;
    if (ws->in.len == 0 && wslay_event_want_read(ws->frames) && wslay_event_recv(ws->frames) != 0 &&
        !ws->failure)
        return error_text("cannot read a WebSocket frame");
    TRY(flush(ws)); /* pongs, and the answer to a close or to a broken frame */
    if (ws->in.len) {
        *ret_n = MIN(n, ws->in.len - ws->in_at);
        memcpy(p, ws->in.s + ws->in_at, *ret_n);
        ws->in_at += *ret_n;
        if (ws->in_at == ws->in.len) {
            str_clear(&ws->in);
            ws->in_at = 0;
        }
        return NULL;
    }
    *ret_eof =
        ws->eof || (!wslay_event_want_read(ws->frames) && !wslay_event_want_write(ws->frames));
    *ret_events = wanted_events(ws);
    return NULL;
}

struct error *websocket_try_write(struct websocket *ws, const void *p, size_t n, size_t *ret_n,
                                  short *ret_events)
{
    const struct wslay_event_msg msg = {WSLAY_BINARY_FRAME, p, n};

    *ret_n = 0;
    *ret_events = POLLOUT;
    TRY(flush(ws));
    if (wslay_event_want_write(ws->frames))
        return NULL; /* the previous message goes first */
    if (wslay_event_get_close_sent(ws->frames) || wslay_event_queue_msg(ws->frames, &msg) != 0)
        return error_errno(EPIPE, "the WebSocket is closed");
    *ret_n = n;
    return flush(ws);
}

static struct error *flush_all(struct websocket *ws, int64_t timeout_us)
{
    for (;;) {
        TRY(flush(ws));
        if (!wslay_event_want_write(ws->frames))
            return NULL;
        TRY(stream_wait(ws->stream, POLLOUT, timeout_us));
    }
}

void websocket_close(struct websocket *ws, int status)
{
    if (!ws)
        return;
    /* Refused when the library has queued a close of its own, which then goes out. */
    wslay_event_queue_close(ws->frames, (uint16_t)status, NULL, 0);
    IGNORE_ERROR(flush_all(ws, CLOSE_TIMEOUT_US));
    wslay_event_context_free(ws->frames);
    stream_close(ws->stream);
    cleanup_error(&ws->failure);
    str_fini(&ws->in);
    free(ws);
}

void websocket_cancel(struct websocket *ws)
{
    stream_cancel(ws->stream);
}

struct stream *websocket_stream(struct websocket *ws)
{
    return ws->stream;
}
