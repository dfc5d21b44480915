/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The agent inside a guest (QEMU guest agent protocol: JSON lines over a virtio serial port; see
 * QEMU's qemu-ga-ref). Connected for each talk, since QEMU's socket has one client at a time. The
 * guest is not trusted: lines are bounded, time is short, texts are cut and cleaned.
 */
#include "base/io.h"
#include "base/mem.h"
#include "base/world.h"
#include "hv/qemu/domain.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#define AGENT_TIMEOUT_US (2 * SECOND_US)
#define AGENT_LINE_MAX   (64u << 10)
#define TEXT_MAX         256
#define MAX_PAIRS        256

struct talk {
    int fd;
    int64_t deadline;
    struct str in;
};

static struct error *read_line(struct talk *t, struct str *ret)
{
    for (;;) {
        char *end = t->in.len ? memchr(t->in.s, '\n', t->in.len) : NULL;

        if (end) {
            size_t n = (size_t)(end - t->in.s);

            str_clear(ret);
            str_add_mem(ret, t->in.s, n);
            memmove(t->in.s, end + 1, t->in.len - n - 1);
            t->in.len -= n + 1;
            return NULL;
        }
        struct pollfd p = {.fd = t->fd, .events = POLLIN};
        int64_t left = t->deadline - mono_us();
        char buf[4096];

        if (left <= 0 || TEMP_FAILURE_RETRY(poll(&p, 1, (int)(left / 1000 + 1))) <= 0)
            return error_errno(ETIMEDOUT, "the agent does not answer");
        ssize_t got = TEMP_FAILURE_RETRY(recv(t->fd, buf, sizeof(buf), MSG_DONTWAIT));

        if (got == 0 || (got < 0 && errno != EAGAIN))
            return error_errno(ECONNRESET, "the agent's line ended");
        if (got > 0)
            str_add_mem(&t->in, buf, (size_t)got);
        if (t->in.len > AGENT_LINE_MAX)
            return error_text("the agent says too much");
    }
}

static struct error *ask(struct talk *t, json_t *request, json_t **ret)
{
    _cleanup_free_ char *text = json_dumps(request, JSON_COMPACT);
    _cleanup_str_ struct str line = STR_INIT;

    json_decref(request);
    TRY(io_write_all(t->fd, text, strlen(text)));
    TRY(io_write_all(t->fd, "\n", 1));
    TRY(read_line(t, &line));
    /* The answer to a delimited sync begins with a byte 0xff. */
    const char *from = line.len && (unsigned char)line.s[0] == 0xff ? line.s + 1 : str_cstr(&line);
    _cleanup_json_ json_t *j = json_loads(from, 0, NULL);
    json_t *value = json_object_get(j, "return");

    if (!value)
        return error_text("the agent refused");
    *ret = json_incref(value);
    return NULL;
}

/* What an earlier, broken-off talk left unread is skipped up to the answer of the sync. */
static struct error *synchronise(struct talk *t)
{
    json_int_t id = (json_int_t)(mono_us() & 0x3fffffff);
    json_t *got = NULL;
    struct error *e =
        ask(t, pack("{s:s, s:{s:I}}", "execute", "guest-sync", "arguments", "id", id), &got);

    for (int tries = 0; !e && json_integer_value(got) != id; tries++) {
        _cleanup_str_ struct str line = STR_INIT;

        if (tries == 16)
            e = error_text("the agent is out of step");
        else
            e = read_line(t, &line);
        json_decref(got);
        got = NULL;
        if (!e) {
            _cleanup_json_ json_t *j = json_loads(str_cstr(&line), 0, NULL);

            got = json_incref(json_object_get(j, "return"));
        }
    }
    json_decref(got);
    return e;
}

static struct error *talk_start(struct domain *d, struct talk *t)
{
    _cleanup_free_ char *path = xasprintf("%s/agent", d->dir);

    *t = (struct talk){.fd = -1, .deadline = mono_us() + AGENT_TIMEOUT_US};
    TRY(io_connect_unix(path, SOCK_STREAM, &t->fd));
    return synchronise(t);
}

static void talk_end(struct talk *t)
{
    cleanup_close(&t->fd);
    str_fini(&t->in);
}

bool agent_shutdown(struct domain *d, const char *mode)
{
    struct talk t;

    pthread_mutex_lock(&d->qemu->lock);
    bool there = d->agent;

    pthread_mutex_unlock(&d->qemu->lock);
    if (!there)
        return false;
    pthread_mutex_lock(&d->agent_lock);
    struct error *e = talk_start(d, &t);

    if (!e) {
        /* Success has no answer: the guest is going down. */
        _cleanup_json_ json_t *request =
            pack("{s:s, s:{s:s}}", "execute", "guest-shutdown", "arguments", "mode", mode);
        _cleanup_free_ char *text = json_dumps(request, JSON_COMPACT);

        e = io_write_all(t.fd, text, strlen(text));
        if (!e)
            e = io_write_all(t.fd, "\n", 1);
    }
    talk_end(&t);
    pthread_mutex_unlock(&d->agent_lock);
    bool done = !e;

    error_free(e);
    return done;
}

struct pairs {
    struct arena *a;
    struct hv_pair *v;
    size_t n;
};

static void add_pair(struct pairs *p, const char *key, const char *value)
{
    if (p->n == MAX_PAIRS || !value)
        return;
    char *clean = arena_memdup0(p->a, value, strnlen(value, TEXT_MAX));

    for (char *c = clean; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = ' ';
    }
    p->v[p->n++] = (struct hv_pair){key, clean};
}

static const char *text_of(const json_t *j, const char *key)
{
    return json_string_value(json_object_get(j, key));
}

static void add_os(struct pairs *p, const json_t *os)
{
    const char *version = text_of(os, "version-id");

    add_pair(p, "os_version/name", text_of(os, "pretty-name"));
    add_pair(p, "os_version/distro", text_of(os, "id"));
    add_pair(p, "os_version/uname", text_of(os, "kernel-release"));
    if (version) {
        const char *dot = strchr(version, '.');

        add_pair(p, "os_version/major",
                 arena_memdup0(p->a, version, dot ? (size_t)(dot - version) : strlen(version)));
        add_pair(p, "os_version/minor", dot ? dot + 1 : "0");
    }
}

/* The host knows a NIC by its MAC only after asking QEMU; NICs are listed in the guest's order
 * without the loopback, which is the order of the devices for all guests that name by slot. */
static void add_networks(struct pairs *p, const json_t *list)
{
    const json_t *nic, *address;
    int number = 0;
    size_t i, k;

    json_array_foreach (list, i, nic) {
        const char *mac = text_of(nic, "hardware-address");
        int v4 = 0, v6 = 0;

        if (!mac || streq(mac, "00:00:00:00:00:00"))
            continue;
        add_pair(p, arena_printf(p->a, "networks/%d/mac", number), mac);
        json_array_foreach (json_object_get(nic, "ip-addresses"), k, address) {
            const char *kind = text_of(address, "ip-address-type");
            const char *ip = text_of(address, "ip-address");
            bool is6 = kind && streq(kind, "ipv6");

            if (!is6 && v4 == 0)
                add_pair(p, arena_printf(p->a, "networks/%d/ip", number), ip);
            add_pair(p,
                     is6 ? arena_printf(p->a, "networks/%d/ipv6/%d", number, v6)
                         : arena_printf(p->a, "networks/%d/ipv4/%d", number, v4),
                     ip);
            *(is6 ? &v6 : &v4) += 1;
        }
        number++;
    }
}

static struct error *collect(struct talk *t, struct pairs *p)
{
    _cleanup_json_ json_t *os = NULL;
    _cleanup_json_ json_t *net = NULL;
    _cleanup_json_ json_t *name = NULL;

    TRY(ask(t, pack("{s:s}", "execute", "guest-get-osinfo"), &os));
    add_os(p, os);
    TRY(ask(t, pack("{s:s}", "execute", "guest-network-get-interfaces"), &net));
    add_networks(p, net);
    TRY(ask(t, pack("{s:s}", "execute", "guest-get-host-name"), &name));
    add_pair(p, "hostname", text_of(name, "host-name"));
    return NULL;
}

struct error *qemu_guest_info(struct hv *hv, const char *uuid, struct arena *a,
                              struct hv_pair **ret, size_t *ret_n)
{
    _cleanup_domain_ struct domain *d = NULL;
    struct pairs p = {.a = a, .v = arena_array(a, struct hv_pair, MAX_PAIRS)};
    struct talk t;

    TRY(domain_take(hv, uuid, &d));
    pthread_mutex_lock(&d->qemu->lock);
    bool there = d->agent;

    pthread_mutex_unlock(&d->qemu->lock);
    if (there) {
        pthread_mutex_lock(&d->agent_lock);
        struct error *e = talk_start(d, &t);

        if (!e)
            e = collect(&t, &p);
        talk_end(&t);
        pthread_mutex_unlock(&d->agent_lock);
        /* An agent that stops half-way has said what it has said. */
        error_free(e);
    }
    *ret = p.v;
    *ret_n = p.n;
    return NULL;
}
