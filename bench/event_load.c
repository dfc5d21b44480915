/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Time from a change to each waiting client. Every listener has a connection and a session of its
 * own and waits in event.from; one writer changes VMs at a steady rate. Two times are taken: from
 * the moment the writer sends its call, which holds the call itself and its flush to disk, and from
 * the moment it has its answer (`after`; 0 for a listener that was quicker).
 *
 *   event_load [-l LISTENERS] [-r CHANGES_PER_SECOND] [-t SECONDS] [-a] SOCKET FILE
 *
 * FILE holds references of VMs, one a line. A listener waits for one VM each; with -a for all.
 * Prints one line of name=value.
 */
#include "base/io.h"
#include "base/vec.h"
#include "http_client.h"

#include <jansson.h>
#include <sys/epoll.h>

#define MARK        "bench-change-" /* then which run, then the number of the change */
#define CHANGES_MAX 100000

struct listener {
    struct http_conn c;
    char *session, *token, *class_text;
};

struct times VEC(float);

struct load {
    const char *where;
    char mark[32]; /* a value that a VM has already makes no event */
    unsigned n_listeners;
    double rate, seconds;
    bool all;
    struct VEC(char *) vms;
    struct listener *listeners;
    struct http_conn writer;
    bool writer_busy;
    char *session;
    double sent[CHANGES_MAX];
    unsigned changes, answered;
    double answered_at[CHANGES_MAX]; /* 0 = not yet */
    struct times seen, calls, after;
    struct str request;
};

/* ---- calls ---- */

static void call_start(struct load *l, struct http_conn *c, const char *method, json_t *params)
{
    json_t *j = json_pack("{s:s, s:s, s:o, s:i}", "jsonrpc", "2.0", "method", method, "params",
                          params, "id", 1);
    char *text = json_dumps(j, JSON_COMPACT);

    http_request(&l->request, "/jsonrpc", text, strlen(text));
    http_send(c, &l->request);
    free(text);
    json_decref(j);
}

static json_t *call_result(struct http_conn *c)
{
    json_t *j = json_loads(http_body(c), 0, NULL);
    json_t *result = json_incref(json_object_get(j, "result"));

    if (!result)
        bench_die("a call failed: %.300s", http_body(c));
    json_decref(j);
    return result;
}

static json_t *call(struct load *l, struct http_conn *c, const char *method, json_t *params)
{
    call_start(l, c, method, params);
    http_await(c);
    return call_result(c);
}

static char *login(struct load *l, struct http_conn *c)
{
    json_t *r = call(l, c, "session.login_with_password",
                     json_pack("[s, s, s, s]", "root", "", "1.0", "event_load"));
    char *session = xstrdup(json_string_value(r));

    json_decref(r);
    return session;
}

/* By hand: a parser would cost the load program more than the daemon needs for the answer. */
static void from_start(struct load *l, struct listener *s, double timeout)
{
    char text[512];
    int len = snprintf(text, sizeof(text),
                       "{\"jsonrpc\":\"2.0\",\"method\":\"event.from\",\"params\":"
                       "[\"%s\",[\"%s\"],\"%s\",%.1f],\"id\":1}",
                       s->session, s->class_text, s->token, timeout);

    http_request(&l->request, "/jsonrpc", text, (size_t)len);
    http_send(&s->c, &l->request);
}

static void take_token(struct listener *s)
{
    static const char name[] = "\"token\":\"";
    const char *body = http_body(&s->c);
    const char *tail = body + s->c.body - MIN(s->c.body, 200);
    const char *at = strstr(tail, name);
    const char *end = at ? strchr(at + strlen(name), '"') : NULL;

    if (!end)
        bench_die("no token in an answer: %.300s", body);
    free(s->token);
    s->token = xmemdup0(at + strlen(name), (size_t)(end - at) - strlen(name));
}

/* ---- listeners ---- */

static void listener_start(struct load *l, struct listener *s, unsigned i)
{
    http_connect(&s->c, l->where);
    s->c.keep = true;
    s->session = login(l, &s->c);
    s->class_text = l->all ? xstrdup("vm") : xasprintf("vm/%s", l->vms.v[i % l->vms.n]);
    s->token = xstrdup("");
    from_start(l, s, 0);
    http_await(&s->c);
    take_token(s);
    from_start(l, s, 60);
}

static void listener_heard(struct load *l, struct listener *s)
{
    double now = bench_now();

    for (const char *at = http_body(&s->c); (at = strstr(at, l->mark));) {
        at += strlen(l->mark);
        unsigned long k = strtoul(at, NULL, 10);

        if (k >= l->changes)
            bench_die("an event of a change that was never made");
        vec_add(&l->seen, (float)(now - l->sent[k]));
        vec_add(&l->after, (float)(l->answered_at[k] > 0 ? now - l->answered_at[k] : 0));
    }
    take_token(s);
    from_start(l, s, 60);
}

/* ---- writer ---- */

/* Each change is of interest to a listener. */
static const char *next_vm(const struct load *l)
{
    size_t n = l->all ? l->vms.n : MIN(l->vms.n, l->n_listeners);

    return l->vms.v[l->changes % n];
}

static void change(struct load *l)
{
    char text[64];

    snprintf(text, sizeof(text), "%s%u", l->mark, l->changes);
    l->sent[l->changes] = bench_now();
    l->writer_busy = true;
    call_start(l, &l->writer, "VM.set_name_description",
               json_pack("[s, s, s]", l->session, next_vm(l), text));
    l->changes++;
}

static void on_answer(struct load *l)
{
    l->writer_busy = false;
    l->answered_at[l->answered] = bench_now();
    vec_add(&l->calls, (float)(l->answered_at[l->answered] - l->sent[l->answered]));
    l->answered++;
}

static unsigned expected(const struct load *l)
{
    return l->all ? l->changes * l->n_listeners : l->changes;
}

/* One turn: what has come, and the next change when its time is there. */
static void turn(struct load *l, int ep, double next)
{
    struct epoll_event evs[64];
    double wait = next - bench_now();
    struct timespec ts = {.tv_nsec = 0};

    if (wait > 0) {
        ts.tv_sec = (time_t)wait;
        ts.tv_nsec = (long)((wait - (double)ts.tv_sec) * 1e9);
    }
    int got = epoll_pwait2(ep, evs, 64, &ts, NULL);

    for (int i = 0; i < got; i++) {
        struct listener *s = evs[i].data.ptr;

        if (!s && http_receive(&l->writer))
            on_answer(l);
        else if (s && http_receive(&s->c))
            listener_heard(l, s);
    }
}

static void run(struct load *l)
{
    int ep = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event ev = {.events = EPOLLIN};

    l->listeners = xnew_array(struct listener, l->n_listeners);
    for (unsigned i = 0; i < l->n_listeners; i++) {
        listener_start(l, &l->listeners[i], i);
        ev.data.ptr = &l->listeners[i];
        epoll_ctl(ep, EPOLL_CTL_ADD, l->listeners[i].c.fd, &ev);
    }
    http_connect(&l->writer, l->where);
    l->writer.keep = true;
    l->writer.expect = "\"result\"";
    l->session = login(l, &l->writer);
    ev.data.ptr = NULL;
    epoll_ctl(ep, EPOLL_CTL_ADD, l->writer.fd, &ev);
    double start = bench_now(), next = start;

    while (bench_now() < start + l->seconds) {
        if (bench_now() >= next && !l->writer_busy && l->changes < CHANGES_MAX) {
            change(l);
            next = MAX(next + 1 / l->rate, bench_now());
        }
        turn(l, ep, next);
    }
    double end = bench_now() + 5;

    while ((l->writer_busy || l->seen.n < expected(l)) && bench_now() < end)
        turn(l, ep, bench_now() + 0.1);
}

/* ---- result ---- */

static int compare(const void *a, const void *b)
{
    const float *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

static double at_us(struct times *t, double part)
{
    if (!t->n)
        return 0;
    qsort(t->v, t->n, sizeof(*t->v), compare);
    return (double)t->v[MIN((size_t)((double)t->n * part), t->n - 1)] * 1e6;
}

static void print(struct load *l)
{
    printf("changes=%u expected=%u seen=%zu p50_us=%.1f p99_us=%.1f max_us=%.1f call_p50_us=%.1f "
           "call_p99_us=%.1f after_p50_us=%.1f after_p99_us=%.1f\n",
           l->changes, expected(l), l->seen.n, at_us(&l->seen, 0.5), at_us(&l->seen, 0.99),
           at_us(&l->seen, 1), at_us(&l->calls, 0.5), at_us(&l->calls, 0.99), at_us(&l->after, 0.5),
           at_us(&l->after, 0.99));
}

static void read_vms(struct load *l, const char *file)
{
    struct str text = STR_INIT;
    struct error *e = io_read_file(file, 16u << 20, &text);
    char *rest;

    if (e)
        bench_die("cannot read %s", file);
    str_add_char(&text, 0);
    for (char *line = strtok_r(text.s, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        vec_add(&l->vms, line);
    if (!l->vms.n)
        bench_die("%s: no references", file);
}

int main(int argc, char **argv)
{
    static struct load l = {.n_listeners = 100, .rate = 100, .seconds = 3};
    int c;

    while ((c = getopt(argc, argv, "l:r:t:a")) >= 0) {
        if (c == 'l')
            l.n_listeners = (unsigned)strtoul(optarg, NULL, 10);
        else if (c == 'r')
            l.rate = strtod(optarg, NULL);
        else if (c == 't')
            l.seconds = strtod(optarg, NULL);
        else if (c == 'a')
            l.all = true;
        else
            return 2;
    }
    if (optind + 2 != argc || !l.n_listeners || l.n_listeners > 1000 || l.rate <= 0) {
        fputs("usage: event_load [-l LISTENERS] [-r CHANGES_PER_SECOND] [-t SECONDS] [-a]"
              " SOCKET FILE\n",
              stderr);
        return 2;
    }
    l.where = argv[optind];
    snprintf(l.mark, sizeof(l.mark), MARK "%d-", (int)getpid());
    read_vms(&l, argv[optind + 1]);
    run(&l);
    print(&l);
    return l.seen.n == expected(&l) ? 0 : 1;
}
