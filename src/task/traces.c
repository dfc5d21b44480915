/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "task/traces.h"

#include "base/io.h"
#include "base/log.h"
#include "base/str.h"
#include "base/vec.h"
#include "base/workers.h"
#include "base/world.h"
#include "gen/class/Observer.h"
#include "gen/class/host.h"
#include "model/store.h"
#include "task/trace_outlet.h"
#include "value/json.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sys/stat.h>
#include <time.h>

#define PENDING_MAX   (4u << 20) /* what comes faster than it is written is left out */
#define SERVICE       "xapi"     /* what tools that read such files look for */
#define SINKS_MAX     8
#define FILE_ENDPOINT "bugtool" /* any other one is a web address */

/* Where a row of Observer wants spans to go. */
struct sink {
    struct str tags; /* members of the object "tags" that each span has */
    bool to_file;    /* of the first row only that wants it */
    struct trace_outlet *outlets[TRACE_OUTLETS_MAX]; /* of struct traces */
    int n_outlets;
};

struct traces {
    pthread_mutex_t lock;
    struct store *store; /* NULL = stopped */
    struct hostd *hostd;
    struct workers *senders; /* a thread for each outlet */
    struct watch watch;
    _Atomic uint64_t rows_seq;  /* moves when a row changes */
    _Atomic uint64_t sinks_seq; /* for which `sinks` is right */
    atomic_bool on;
    struct sink sinks[SINKS_MAX];
    int n_sinks;
    struct trace_outlet *outlets[TRACE_OUTLETS_MAX]; /* one for each address */
    int n_outlets;
    struct str pending; /* spans for the file, a comma before each */
    char *dir;
    char *host; /* uuid */
    char *file; /* NULL = none is open yet; traces_write only */
};

static void on_rows(struct watch *w, const struct publication *p)
{
    atomic_fetch_add(&container_of(w, struct traces, watch)->rows_seq, 1);
}

struct error *traces_new(struct store *store, struct hostd *hostd, const char *dir,
                         struct traces **ret)
{
    struct workers *senders;

    TRY(workers_new("traces", TRACE_OUTLETS_MAX, TRACE_OUTLETS_MAX, &senders));
    struct traces *t = xnew(struct traces);

    pthread_mutex_init(&t->lock, NULL);
    t->store = store;
    t->hostd = hostd;
    t->senders = senders;
    t->dir = xstrdup(dir);
    t->rows_seq = 1;
    t->watch.fn = on_rows;
    t->watch.classes[CLASS_OBSERVER] = true;
    store_watch(store, &t->watch);
    *ret = t;
    return NULL;
}

/* Lock held, here and below. */
static void forget_sinks(struct traces *t)
{
    for (int i = 0; i < t->n_sinks; i++)
        str_fini(&t->sinks[i].tags);
    memset(t->sinks, 0, sizeof(t->sinks));
    t->n_sinks = 0;
}

static void forget_outlets(struct trace_outlet **outlets, int n)
{
    for (int i = 0; i < n; i++)
        trace_outlet_unref(outlets[i]);
}

void traces_stop(struct traces *t)
{
    if (!t)
        return;
    store_unwatch(t->store, &t->watch);
    pthread_mutex_lock(&t->lock);
    t->store = NULL;
    atomic_store(&t->on, false);
    atomic_store(&t->sinks_seq, atomic_load(&t->rows_seq));
    forget_sinks(t);
    forget_outlets(t->outlets, t->n_outlets);
    t->n_outlets = 0;
    pthread_mutex_unlock(&t->lock);
    workers_free(TAKE_PTR(t->senders));
}

void traces_free(struct traces *t)
{
    if (!t)
        return;
    IGNORE_ERROR(traces_write(t));
    str_fini(&t->pending);
    free(t->dir);
    free(t->host);
    free(t->file);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

/* ---- who observes ---- */

static bool has(const struct set_string *s, const char *text)
{
    for (size_t i = 0; i < s->n; i++)
        if (streq(s->v[i], text))
            return true;
    return false;
}

static bool is_here(const struct set_ref *hosts, const char *host_ref)
{
    for (size_t i = 0; i < hosts->n; i++)
        if (streq(hosts->v[i], host_ref))
            return true;
    return !hosts->n;
}

static bool observes_calls(const struct observer_rec *o, const char *host_ref)
{
    return o->enabled && is_here(&o->hosts, host_ref) &&
           (!o->components.n || has(&o->components, "xapi"));
}

/* Of an object's text: behind another member, if there is one. */
static void add_tag(struct str *out, const char *name, const char *value)
{
    if (out->len)
        str_add_char(out, ',');
    json_add_string(out, name);
    str_add_char(out, ':');
    json_add_string(out, value);
}

static void make_tags(struct str *out, const struct observer_rec *o, const struct host_rec *host)
{
    add_tag(out, "xs.host.name", host->name_label);
    add_tag(out, "xs.host.uuid", host->uuid);
    add_tag(out, "xs.observer.name", o->name_label);
    add_tag(out, "service.name", SERVICE);
    for (size_t i = 0; i < o->attributes.n; i++)
        add_tag(out, o->attributes.k[i], o->attributes.v[i]);
}

/* What was being sent goes on: outlets are those of before, where their addresses are still wanted.
 * NULL = there are enough. */
static struct trace_outlet *get_outlet(struct traces *t, struct trace_outlet **old, int n_old,
                                       const char *url)
{
    for (int i = 0; i < t->n_outlets; i++)
        if (streq(trace_outlet_url(t->outlets[i]), url))
            return t->outlets[i];
    if (t->n_outlets == TRACE_OUTLETS_MAX) {
        log_warning("no traces go to %s: there are %d addresses already", url, TRACE_OUTLETS_MAX);
        return NULL;
    }
    struct trace_outlet *o = NULL;

    for (int i = 0; i < n_old; i++)
        if (old[i] && streq(trace_outlet_url(old[i]), url))
            o = TAKE_PTR(old[i]);
    if (!o)
        o = trace_outlet_new(t->hostd, t->senders, url);
    t->outlets[t->n_outlets++] = o;
    return o;
}

static void add_sink(struct traces *t, struct trace_outlet **old, int n_old,
                     const struct observer_rec *o, const struct host_rec *host)
{
    struct sink *s = &t->sinks[t->n_sinks++];

    make_tags(&s->tags, o, host);
    s->to_file = has(&o->endpoints, FILE_ENDPOINT);
    for (struct sink *before = t->sinks; before < s; before++)
        s->to_file = s->to_file && !before->to_file;
    for (size_t i = 0; i < o->endpoints.n && s->n_outlets < TRACE_OUTLETS_MAX; i++) {
        struct trace_outlet *outlet = streq(o->endpoints.v[i], FILE_ENDPOINT)
                                          ? NULL
                                          : get_outlet(t, old, n_old, o->endpoints.v[i]);

        if (outlet)
            s->outlets[s->n_outlets++] = outlet;
    }
}

static void look_at_rows(struct traces *t, const char *host_ref)
{
    const uint64_t seq = atomic_load(&t->rows_seq);
    _cleanup_version_ struct version *host = store_find(t->store, CLASS_HOST, host_ref);
    struct trace_outlet *old[TRACE_OUTLETS_MAX];
    const int n_old = t->n_outlets;
    struct version_list rows;

    memcpy(old, t->outlets, sizeof(old));
    t->n_outlets = 0;
    forget_sinks(t);
    store_all(t->store, CLASS_OBSERVER, &rows);
    for (size_t i = 0; i < rows.n && host && t->n_sinks < SINKS_MAX; i++)
        if (observes_calls(rows.v[i]->rec, host_ref))
            add_sink(t, old, n_old, rows.v[i]->rec, host->rec);
    version_list_fini(&rows);
    for (int i = 0; i < n_old; i++)
        if (old[i])
            trace_outlet_unref(old[i]);
    if (t->n_sinks && !t->host)
        t->host = xstrdup(((const struct host_rec *)host->rec)->uuid);
    atomic_store(&t->on, t->n_sinks > 0);
    atomic_store(&t->sinks_seq, seq);
}

/* ---- spans ---- */

static bool is_hex(const char *s, size_t n)
{
    return strspn(s, "0123456789abcdef") >= n;
}

/* "00-TRACE-SPAN-FLAGS" */
static bool parse_parent(const char *text, char trace[33], char span[17])
{
    if (strlen(text) != 55 || !str_starts(text, "00-") || !is_hex(text + 3, 32) ||
        text[35] != '-' || !is_hex(text + 36, 16) || text[52] != '-')
        return false;
    snprintf(trace, 33, "%.32s", text + 3);
    snprintf(span, 17, "%.16s", text + 36);
    return true;
}

static void random_hex(char *to, size_t n)
{
    unsigned char bytes[16];

    world->random(bytes, n / 2);
    for (size_t i = 0; i < n / 2; i++)
        snprintf(to + 2 * i, 3, "%02x", bytes[i]);
}

static void add_member(struct str *out, const char *name, const char *value)
{
    str_printf(out, "\"%s\":", name);
    json_add_string(out, value);
    str_add_char(out, ',');
}

/* The members that all spans begin with, up to the tags. */
static void begin_span(struct str *out, const struct traced_call *c)
{
    char trace[33], parent[17] = "", id[17];

    random_hex(id, 16);
    if (!parse_parent(c->parent, trace, parent))
        random_hex(trace, 32);
    str_lit(out, ",{");
    add_member(out, "id", id);
    add_member(out, "traceId", trace);
    if (*parent)
        add_member(out, "parentId", parent);
    add_member(out, "name", c->name);
    str_printf(out, "\"timestamp\":%" PRId64 ",\"duration\":%" PRId64 ",\"kind\":\"SERVER\",",
               now_us() - c->took_us, c->took_us);
    str_lit(out,
            "\"localEndpoint\":{\"serviceName\":\"" SERVICE "\"},\"annotations\":[],\"tags\":{");
}

static void add_tags(struct str *tags, const struct traced_call *c)
{
    if (*c->user)
        add_tag(tags, "xs.xapi.user", c->user);
    if (*c->task)
        add_tag(tags, "xs.xapi.task.ref", c->task);
    if (c->error) {
        add_tag(tags, "error", "true");
        add_tag(tags, "exception.message", c->error);
    }
}

void traces_add_note(struct str *out, const char *name, const char *tag, const char *value)
{
    const struct traced_call note = {.name = name, .parent = ""};

    begin_span(out, &note);
    json_add_string(out, tag);
    str_add_char(out, ':');
    json_add_string(out, value);
    str_lit(out, "}}");
}

static void add_span(struct traces *t, const struct traced_call *c)
{
    _cleanup_str_ struct str head = STR_INIT, tags = STR_INIT, span = STR_INIT;

    begin_span(&head, c);
    for (struct sink *s = t->sinks; s < t->sinks + t->n_sinks; s++) {
        str_clear(&tags);
        str_clear(&span);
        str_add_mem(&tags, str_cstr(&s->tags), s->tags.len);
        add_tags(&tags, c);
        str_add_mem(&span, head.s, head.len);
        str_add_mem(&span, tags.s, tags.len);
        str_lit(&span, "}}");
        if (s->to_file && t->pending.len < PENDING_MAX)
            str_add_mem(&t->pending, span.s, span.len);
        for (int i = 0; i < s->n_outlets; i++)
            trace_outlet_add(s->outlets[i], span.s, span.len);
    }
}

void traces_add(struct traces *t, const char *host_ref, const struct traced_call *call)
{
    if (!t || !host_ref)
        return;
    if (!atomic_load(&t->on) && atomic_load(&t->sinks_seq) == atomic_load(&t->rows_seq))
        return;
    pthread_mutex_lock(&t->lock);
    if (t->store && atomic_load(&t->sinks_seq) != atomic_load(&t->rows_seq))
        look_at_rows(t, host_ref);
    if (atomic_load(&t->on))
        add_span(t, call);
    pthread_mutex_unlock(&t->lock);
}

/* ---- files ---- */

static char *new_file_name(const struct traces *t)
{
    const int64_t now = now_us();
    const time_t s = (time_t)(now / SECOND_US);
    char date[32];
    struct tm tm;

    gmtime_r(&s, &tm);
    strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
    return xasprintf("%s/" SERVICE "-%s-%s.%06d-00:00.ndjson", t->dir, t->host, date,
                     (int)(now % SECOND_US));
}

static int is_trace(const struct dirent *d)
{
    return str_starts(d->d_name, SERVICE "-") && str_ends(d->d_name, ".ndjson");
}

/* Their names are in the order of their age: of one host, with the date behind. */
static void remove_old(const struct traces *t)
{
    struct dirent **found = NULL;
    int n = scandir(t->dir, &found, is_trace, alphasort);

    for (int i = 0; i < n; i++) {
        _cleanup_free_ char *path = xasprintf("%s/%s", t->dir, found[i]->d_name);

        if (i < n - TRACE_FILES)
            IGNORE_ERROR(io_unlink(path));
        free(found[i]);
    }
    free(found);
}

static struct error *append(struct traces *t, const struct str *line)
{
    if (!t->file) {
        TRY(io_mkdir_p(t->dir, 0700));
        t->file = new_file_name(t);
    }
    _cleanup_close_ int fd = open(t->file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    struct stat st;

    if (fd < 0)
        return error_errno(errno, "cannot open %s", t->file);
    TRY(io_write_all(fd, line->s, line->len));
    if (fstat(fd, &st) == 0 && st.st_size >= TRACE_FILE_SIZE)
        free(TAKE_PTR(t->file)); /* the next one begins another */
    remove_old(t);
    return NULL;
}

struct error *traces_write(struct traces *t)
{
    _cleanup_str_ struct str spans = STR_INIT, line = STR_INIT;

    if (!t)
        return NULL;
    pthread_mutex_lock(&t->lock);
    spans = t->pending;
    t->pending = STR_INIT;
    for (int i = 0; i < t->n_outlets; i++)
        trace_outlet_send(t->outlets[i]);
    pthread_mutex_unlock(&t->lock);
    if (!spans.len)
        return NULL;
    str_add_char(&line, '[');
    str_add_mem(&line, spans.s + 1, spans.len - 1);
    str_lit(&line, "]\n");
    return append(t, &line);
}
