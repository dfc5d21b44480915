/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "task/traces.h"

#include "base/io.h"
#include "base/str.h"
#include "base/vec.h"
#include "base/world.h"
#include "gen/class/Observer.h"
#include "gen/class/host.h"
#include "model/store.h"
#include "value/json.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sys/stat.h>
#include <time.h>

#define PENDING_MAX (4u << 20) /* what comes faster than it is written is left out */
#define SERVICE     "xapi"     /* what tools that read such files look for */

struct traces {
    pthread_mutex_t lock;
    struct store *store; /* NULL = stopped */
    struct watch watch;
    _Atomic uint64_t rows_seq; /* moves when a row changes */
    _Atomic uint64_t tags_seq; /* for which `tags` is right */
    atomic_bool on;
    struct str tags;    /* members of the object "tags" that each span has */
    struct str pending; /* spans, a comma before each */
    char *dir;
    char *host; /* uuid */
    char *file; /* NULL = none is open yet; traces_write only */
};

static void on_rows(struct watch *w, const struct publication *p)
{
    atomic_fetch_add(&container_of(w, struct traces, watch)->rows_seq, 1);
}

struct traces *traces_new(struct store *store, const char *dir)
{
    struct traces *t = xnew(struct traces);

    pthread_mutex_init(&t->lock, NULL);
    t->store = store;
    t->dir = xstrdup(dir);
    t->rows_seq = 1;
    t->watch.fn = on_rows;
    t->watch.classes[CLASS_OBSERVER] = true;
    store_watch(store, &t->watch);
    return t;
}

void traces_stop(struct traces *t)
{
    if (!t)
        return;
    store_unwatch(t->store, &t->watch);
    pthread_mutex_lock(&t->lock);
    t->store = NULL;
    atomic_store(&t->on, false);
    atomic_store(&t->tags_seq, atomic_load(&t->rows_seq));
    pthread_mutex_unlock(&t->lock);
}

void traces_free(struct traces *t)
{
    if (!t)
        return;
    IGNORE_ERROR(traces_write(t));
    str_fini(&t->tags);
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
    return o->enabled && has(&o->endpoints, "bugtool") && is_here(&o->hosts, host_ref) &&
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

static void make_tags(struct traces *t, const struct observer_rec *o, const struct host_rec *host)
{
    add_tag(&t->tags, "xs.host.name", host->name_label);
    add_tag(&t->tags, "xs.host.uuid", host->uuid);
    add_tag(&t->tags, "xs.observer.name", o->name_label);
    add_tag(&t->tags, "service.name", SERVICE);
    for (size_t i = 0; i < o->attributes.n; i++)
        add_tag(&t->tags, o->attributes.k[i], o->attributes.v[i]);
}

/* Lock held. Of several that observe the one made first is it. */
static void look_at_rows(struct traces *t, const char *host_ref)
{
    const uint64_t seq = atomic_load(&t->rows_seq);
    _cleanup_version_ struct version *host = store_find(t->store, CLASS_HOST, host_ref);
    struct version_list rows;
    bool on = false;

    str_clear(&t->tags);
    store_all(t->store, CLASS_OBSERVER, &rows);
    for (size_t i = 0; i < rows.n && host && !on; i++) {
        on = observes_calls(rows.v[i]->rec, host_ref);
        if (on)
            make_tags(t, rows.v[i]->rec, host->rec);
    }
    version_list_fini(&rows);
    if (on && !t->host)
        t->host = xstrdup(((const struct host_rec *)host->rec)->uuid);
    atomic_store(&t->on, on);
    atomic_store(&t->tags_seq, seq);
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

static void add_span(struct traces *t, const struct traced_call *c)
{
    char trace[33], parent[17] = "", id[17];
    struct str *out = &t->pending;

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
    str_add_mem(out, str_cstr(&t->tags), t->tags.len);
    if (*c->user)
        add_tag(out, "xs.xapi.user", c->user);
    if (*c->task)
        add_tag(out, "xs.xapi.task.ref", c->task);
    if (c->error) {
        add_tag(out, "error", "true");
        add_tag(out, "exception.message", c->error);
    }
    str_lit(out, "}}");
}

void traces_add(struct traces *t, const char *host_ref, const struct traced_call *call)
{
    if (!t || !host_ref)
        return;
    if (!atomic_load(&t->on) && atomic_load(&t->tags_seq) == atomic_load(&t->rows_seq))
        return;
    pthread_mutex_lock(&t->lock);
    if (t->store && atomic_load(&t->tags_seq) != atomic_load(&t->rows_seq))
        look_at_rows(t, host_ref);
    if (atomic_load(&t->on) && t->pending.len < PENDING_MAX)
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
    pthread_mutex_unlock(&t->lock);
    if (!spans.len)
        return NULL;
    str_add_char(&line, '[');
    str_add_mem(&line, spans.s + 1, spans.len - 1);
    str_lit(&line, "]\n");
    return append(t, &line);
}
