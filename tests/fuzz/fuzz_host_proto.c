/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Messages between the daemons, in both directions and through a socket as they come: 'c' hostd
 * reads calls of xenolithd, 'a' and the number of a call xenolithd reads answers and events of
 * hostd. What is accepted is the same when it is written and read once more.
 */
#include "fuzz/fuzz.h"
#include "proto/frame.h"
#include "proto/message.h"

#include <assert.h>
#include <sys/socket.h>

static void encode(struct str *out, const struct struct_info *si, const void *rec)
{
    json_add_record(out, si, rec, 0, 0);
}

static void check_round_trip(const struct struct_info *si, const void *rec)
{
    _cleanup_arena_ struct arena a = {0};
    _cleanup_str_ struct str once = STR_INIT, twice = STR_INIT;
    _cleanup_json_ json_t *j = NULL;
    void *again = arena_zalloc(&a, si->size);

    encode(&once, si, rec);
    struct error *e = json_parse(once.s, once.len, &j);

    assert(!e);
    e = message_record(&a, si, j, again);
    assert(!e);
    encode(&twice, si, again);
    assert(once.len == twice.len && memcmp(once.s, twice.s, once.len) == 0);
}

/* What hostd says about what it refuses must be readable for xenolithd. */
static void check_refusal(const struct error *e)
{
    _cleanup_str_ struct str text = STR_INIT;
    _cleanup_json_ json_t *j = NULL;

    message_add_error(&text, 1, e);
    struct error *broken = json_parse(text.s, text.len, &j);

    assert(!broken);
    _cleanup_error_ struct error *back = message_error(json_object_get(j, "error"));

    assert(back && !back->code == !e->code);
}

static void read_call(struct arena *a, const json_t *j)
{
    void *args = NULL;
    int call = -1;
    _cleanup_error_ struct error *e = message_call(a, j, &call, &args);

    if (e) {
        check_refusal(e);
        return;
    }
    assert(call >= 0 && call < HOST_CALL_MAX);
    check_round_trip(host_calls[call].args, args);
}

static void read_answer(struct arena *a, const json_t *j, const struct host_call_info *call)
{
    const json_t *event = json_object_get(j, "event"), *result = json_object_get(j, "result");
    const struct struct_info *si = event ? &host_event_rec_info : call->result;
    void *rec = arena_zalloc(a, si->size);

    if (!event && !result) {
        _cleanup_error_ struct error *told = message_error(json_object_get(j, "error"));

        assert(told);
        return;
    }
    _cleanup_error_ struct error *e = message_record(a, si, event ? event : result, rec);

    if (!e)
        check_round_trip(si, rec);
}

/* One message; false = the conversation is over. */
static bool read_one(int fd, const struct host_call_info *call)
{
    _cleanup_arena_ struct arena a = {0};
    _cleanup_frame_ struct frame f = FRAME_INIT;
    _cleanup_json_ json_t *j = NULL;
    _cleanup_error_ struct error *e = frame_recv(fd, call ? 65536 : FRAME_MAX_CALL, &f);

    if (!e)
        e = json_parse(str_cstr(&f.text), f.text.len, &j);
    if (e)
        return false;
    if (call)
        read_answer(&a, j, call);
    else
        read_call(&a, j);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct host_call_info *call = NULL;
    int ends[2];

    if (size < 2 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return 0;
    _cleanup_close_ int in = ends[0];
    _cleanup_close_ int out = ends[1];

    if (data[0] == 'a')
        call = &host_calls[data[1] % HOST_CALL_MAX];
    ssize_t sent = send(in, data + 2, size - 2, MSG_NOSIGNAL);

    assert(sent == (ssize_t)size - 2);
    shutdown(in, SHUT_WR);
    while (read_one(out, call))
        ;
    return 0;
}
