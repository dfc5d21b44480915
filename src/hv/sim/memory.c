/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Suspend and resume of simulated domains: a stream that looks like memory (so that storage has
 * something to keep) and names its owner (so that a mixed-up stream is noticed).
 */
#include "hv/sim/sim.h"

#include "base/io.h"
#include "base/mem.h"

#define MAGIC     "XENOLITH-SIM-MEMORY-1\n"
#define BODY_SIZE (64u << 10)

struct stream {
    char magic[sizeof(MAGIC)];
    char uuid[UUID_LEN + 1];
    unsigned char body[BODY_SIZE];
};

static void fill_body(struct stream *st)
{
    for (size_t i = 0; i < BODY_SIZE; i++)
        st->body[i] = (unsigned char)(i * 31 + (unsigned char)st->uuid[i % UUID_LEN]);
}

static struct stream *stream_of(const char *uuid)
{
    struct stream *st = xnew(struct stream);

    snprintf(st->magic, sizeof(st->magic), "%s", MAGIC);
    snprintf(st->uuid, sizeof(st->uuid), "%s", uuid);
    fill_body(st);
    return st;
}

struct error *sim_suspend(struct hv *hv, const char *uuid, int fd, int64_t max)
{
    struct sim *s = sim_of(hv);
    _cleanup_free_ struct stream *st = stream_of(uuid);
    struct sim_domain *d;

    TRY(sim_enter_domain(s, "suspend", uuid, &d));
    bool stopped = d->state == HV_STOPPED;

    sim_leave(s);
    if (stopped)
        return error_text("domain %s has stopped", uuid);
    if ((int64_t)sizeof(*st) > max)
        return error_text("the memory of %s does not fit", uuid);
    TRY(io_write_all(fd, st, sizeof(*st)));
    TRY(sim_enter_domain(s, "suspend_end", uuid, &d));
    sim_set_state(s, d, HV_PAUSED, HV_STOP_NONE);
    sim_leave(s);
    return NULL;
}

struct error *sim_read_stream(int fd, const char *uuid)
{
    _cleanup_free_ struct stream *want = stream_of(uuid);
    _cleanup_free_ struct stream *got = xnew(struct stream);

    TRY(io_read_all(fd, got, sizeof(*got)));
    if (memcmp(got->magic, want->magic, sizeof(got->magic)) != 0)
        return error_text("this is not the memory of a simulated domain");
    if (memcmp(got, want, sizeof(*got)) != 0)
        return error_text("this is not the memory of %s", uuid);
    return NULL;
}
