/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Time from a change to each waiting client. Every listener has a connection and a session of its
 * own and waits in event.from; writers change VMs at a steady rate together. Two times are taken:
 * from the moment the writer sends its call, which holds the call itself and its flush to disk, and
 * from the moment it has its answer (`after`; 0 for a listener that was quicker).
 *
 *   event_load [-l LISTENERS] [-e LISTENERS] [-r CHANGES_PER_SECOND] [-t SECONDS] SOCKET FILE
 *
 * FILE holds references of VMs, one a line. -l: listeners to one VM each; -e: to everything ("*").
 * Where there are both, one change in five is one that somebody waits for alone. Changes of one VM
 * may be told as one; in the end each listener must have been told the last of each.
 * Prints one line of name=value.
 */
#include "base/io.h"
#include "base/vec.h"
#include "http_client.h"

#include <jansson.h>
#include <sys/epoll.h>

#define MARK        "bench-change-" /* then which run, then the number of the change */
#define CHANGES_MAX 100000
#define WRITERS     4
#define NOTHING     UINT32_MAX

struct times VEC(float);

/* Listeners of one kind. */
struct crowd {
    unsigned n;
    struct times seen, after;
    unsigned long batches;
    unsigned long long bytes;
    unsigned missing; /* last changes that were never told */
};

struct listener {
    struct http_conn c; /* first */
    struct crowd *crowd;
    char *session, *token, *class_text;
    uint32_t *last; /* change told last, by VM */
};

struct writer {
    struct http_conn c; /* first */
    uint32_t change;    /* under way, or NOTHING */
};

struct load {
    const char *where;
    char mark[32]; /* a value that a VM has already makes no event */
    double rate, seconds;
    struct crowd single, every;
    struct VEC(char *) vms;
    struct listener *listeners;
    struct writer writers[WRITERS];
    char *session, *token;
    uint32_t changes, answered;
    uint32_t of_vm[CHANGES_MAX];
    double sent[CHANGES_MAX];
    double answered_at[CHANGES_MAX]; /* 0 = not yet */
    struct times calls;
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

static unsigned n_listeners(const struct load *l)
{
    return l->single.n + l->every.n;
}

static void listener_start(struct load *l, unsigned i)
{
    struct listener *s = &l->listeners[i];

    s->crowd = i < l->single.n ? &l->single : &l->every;
    http_connect(&s->c, l->where);
    s->c.keep = true;
    s->session = login(l, &s->c);
    s->class_text = i < l->single.n ? xasprintf("vm/%s", l->vms.v[i % l->vms.n]) : xstrdup("*");
    /* Any listener may begin where another one is; a beginning of its own would be everything. */
    s->token = xstrdup(l->token);
    s->last = xnew_array(uint32_t, l->vms.n);
    memset(s->last, 0xff, l->vms.n * sizeof(*s->last));
    from_start(l, s, 60);
}

static void change_heard(struct load *l, struct listener *s, unsigned long k, double now)
{
    if (k >= l->changes)
        bench_die("an event of a change that was never made");
    s->last[l->of_vm[k]] = (uint32_t)k;
    vec_add(&s->crowd->seen, (float)(now - l->sent[k]));
    vec_add(&s->crowd->after, (float)(l->answered_at[k] > 0 ? now - l->answered_at[k] : 0));
}

static void listener_heard(struct load *l, struct listener *s)
{
    double now = bench_now();
    const char *at = http_body(&s->c), *end = at + s->c.body;
    size_t len = strlen(l->mark);

    while ((at = memmem(at, (size_t)(end - at), l->mark, len))) {
        at += len;
        change_heard(l, s, strtoul(at, NULL, 10), now);
    }
    s->crowd->batches++;
    s->crowd->bytes += s->c.body;
    take_token(s);
    from_start(l, s, 60);
}

/* ---- writers ---- */

/* Each change is of interest to a listener. */
static uint32_t next_vm(const struct load *l)
{
    uint32_t alone = (uint32_t)MIN(l->vms.n, l->single.n);
    uint32_t others = (uint32_t)l->vms.n - alone;
    uint32_t k = l->changes;

    if (!l->every.n || !others)
        return k % alone;
    if (alone && k % 5 == 0)
        return k / 5 % alone;
    return alone + k % others;
}

static void change(struct load *l, struct writer *w)
{
    char text[64];
    uint32_t k = l->changes;

    snprintf(text, sizeof(text), "%s%u", l->mark, k);
    l->of_vm[k] = next_vm(l);
    l->sent[k] = bench_now();
    w->change = k;
    call_start(l, &w->c, "VM.set_name_description",
               json_pack("[s, s, s]", l->session, l->vms.v[l->of_vm[k]], text));
    l->changes++;
}

static void on_answer(struct load *l, struct writer *w)
{
    l->answered_at[w->change] = bench_now();
    vec_add(&l->calls, (float)(l->answered_at[w->change] - l->sent[w->change]));
    l->answered++;
    w->change = NOTHING;
}

/* NULL: all have a change under way, or the VM whose turn it is has one. */
static struct writer *free_writer(struct load *l)
{
    struct writer *found = NULL;

    for (unsigned i = 0; i < WRITERS; i++) {
        struct writer *w = &l->writers[i];

        if (w->change == NOTHING)
            found = w;
        else if (l->of_vm[w->change] == next_vm(l))
            return NULL;
    }
    return found;
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
        struct http_conn *c = evs[i].data.ptr;
        struct writer *w = (struct writer *)c;
        bool writes = w >= l->writers && w < l->writers + WRITERS;

        if (!http_receive(c))
            continue;
        if (writes)
            on_answer(l, w);
        else
            listener_heard(l, (struct listener *)c);
    }
}

static void watch(int ep, struct http_conn *c)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};

    epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &ev);
}

static char *token_now(struct load *l, struct http_conn *c)
{
    json_t *r = call(l, c, "event.from", json_pack("[s, [s], s, f]", l->session, "pool", "", 0.0));
    char *token = xstrdup(json_string_value(json_object_get(r, "token")));

    json_decref(r);
    return token;
}

static int start(struct load *l)
{
    int ep = epoll_create1(EPOLL_CLOEXEC);

    for (unsigned i = 0; i < WRITERS; i++) {
        http_connect(&l->writers[i].c, l->where);
        l->writers[i].c.keep = true;
        l->writers[i].change = NOTHING;
        if (!i) {
            l->session = login(l, &l->writers[i].c);
            l->token = token_now(l, &l->writers[i].c);
        }
        l->writers[i].c.expect = "\"result\"";
        watch(ep, &l->writers[i].c);
    }
    l->listeners = xnew_array(struct listener, n_listeners(l));
    for (unsigned i = 0; i < n_listeners(l); i++) {
        listener_start(l, i);
        watch(ep, &l->listeners[i].c);
    }
    return ep;
}

/* Of each VM that a listener listens to, the last change. */
static void count_missing(struct load *l)
{
    uint32_t *last = xnew_array(uint32_t, l->vms.n);

    memset(last, 0xff, l->vms.n * sizeof(*last));
    for (uint32_t k = 0; k < l->changes; k++)
        last[l->of_vm[k]] = k;
    l->single.missing = l->every.missing = 0;
    for (unsigned i = 0; i < n_listeners(l); i++)
        for (uint32_t v = 0; v < l->vms.n; v++)
            if ((i >= l->single.n || v == i % l->vms.n) && l->listeners[i].last[v] != last[v])
                l->listeners[i].crowd->missing++;
    free(last);
}

static void run(struct load *l)
{
    int ep = start(l);
    double begin = bench_now(), next = begin;
    struct writer *w;

    while (bench_now() < begin + l->seconds) {
        if (bench_now() >= next && l->changes < CHANGES_MAX && (w = free_writer(l))) {
            change(l, w);
            next = MAX(next + 1 / l->rate, bench_now() - 0.1);
        }
        turn(l, ep, MAX(next, bench_now() + 0.0001));
    }
    double end = bench_now() + 5;

    do {
        turn(l, ep, bench_now() + 0.01);
        count_missing(l);
    } while ((l->answered < l->changes || l->single.missing + l->every.missing) &&
             bench_now() < end);
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

static void print_crowd(const struct load *l, struct crowd *c, const char *name)
{
    double each = c->n ? 1 / (c->n * l->seconds) : 0;

    printf(" %sseen=%zu %smissing=%u %sp50_us=%.1f %sp99_us=%.1f %smax_us=%.1f %safter_p50_us=%.1f "
           "%safter_p99_us=%.1f %safter_max_us=%.1f %sbatches=%.1f %sbytes=%.0f",
           name, c->seen.n, name, c->missing, name, at_us(&c->seen, 0.5), name,
           at_us(&c->seen, 0.99), name, at_us(&c->seen, 1), name, at_us(&c->after, 0.5), name,
           at_us(&c->after, 0.99), name, at_us(&c->after, 1), name, (double)c->batches * each, name,
           (double)c->bytes * each);
}

/* Batches and bytes: for each listener, a second. */
static void print(struct load *l)
{
    printf("changes=%u rate=%.1f call_p50_us=%.1f call_p99_us=%.1f", l->changes,
           l->changes / l->seconds, at_us(&l->calls, 0.5), at_us(&l->calls, 0.99));
    print_crowd(l, &l->single, "");
    print_crowd(l, &l->every, "every_");
    printf("\n");
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

static bool parse(int argc, char **argv, struct load *l)
{
    int c;

    while ((c = getopt(argc, argv, "l:e:r:t:")) >= 0) {
        if (c == 'l')
            l->single.n = (unsigned)strtoul(optarg, NULL, 10);
        else if (c == 'e')
            l->every.n = (unsigned)strtoul(optarg, NULL, 10);
        else if (c == 'r')
            l->rate = strtod(optarg, NULL);
        else if (c == 't')
            l->seconds = strtod(optarg, NULL);
        else
            return false;
    }
    return optind + 2 == argc && n_listeners(l) && n_listeners(l) <= 1000 && l->rate > 0 &&
           l->seconds > 0;
}

int main(int argc, char **argv)
{
    static struct load l = {.rate = 100, .seconds = 3};

    if (!parse(argc, argv, &l)) {
        fputs("usage: event_load [-l LISTENERS] [-e LISTENERS] [-r CHANGES_PER_SECOND]"
              " [-t SECONDS] SOCKET FILE\n",
              stderr);
        return 2;
    }
    l.where = argv[optind];
    snprintf(l.mark, sizeof(l.mark), MARK "%d-", (int)getpid());
    read_vms(&l, argv[optind + 1]);
    run(&l);
    print(&l);
    return l.answered == l.changes && !l.single.missing && !l.every.missing ? 0 : 1;
}
