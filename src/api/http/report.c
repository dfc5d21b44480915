/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* GET /system-status and /host_logs_download: archives for those who look for a fault. */
#include "api/report/report.h"
#include "api/http/transfer.h"
#include "base/world.h"
#include "gen/class/host.h"
#include "gen/errors.h"
#include "stream/archive.h"

#define HOST_NAME_MAX_HERE 40 /* names within an archive are short */

struct report {
    struct transfer *t;
    struct archive *archive;
    const char *folder;
    size_t n, done; /* parts */
};

static const struct {
    const char *name; /* as clients choose it, and what the file is called */
    const char *type;
    enum archive_format format;
} formats[] = {
    {"tar", "appliation/x-tar", ARCHIVE_TAR}, /* as other servers spell it */
    {"tar.bz2", "application/x-bzip2", ARCHIVE_TAR_BZ2},
    {"zip", "application/zip", ARCHIVE_ZIP},
    {"tar.gz", "application/gzip", ARCHIVE_TAR_GZ},
};

/* The name of this host as far as it can stand in the name of a file. */
static const char *host_name(struct transfer *t)
{
    _cleanup_version_ struct version *v =
        store_find(t->daemon->store, CLASS_HOST, t->daemon->host_ref);
    char *name = arena_strdup(&t->arena, v ? ((const struct host_rec *)v->rec)->hostname : "host");

    for (char *p = name; *p; p++)
        if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.", *p))
            *p = '_';
    if (strlen(name) > HOST_NAME_MAX_HERE)
        name[HOST_NAME_MAX_HERE] = 0;
    return name;
}

static struct error *write_out(void *ctx, const char *p, size_t n)
{
    struct transfer *t = ctx;

    return stream_write(t->stream, p, n);
}

/* What cannot be had is told where it would have been. */
static void fill(struct report *r, const struct report_part *part, struct str *out)
{
    struct arena a;

    if (!transfer_enter(r->t)) {
        str_add(out, "another program has taken over\n");
        return;
    }
    arena_init(&a);
    struct error *e = part->fill(r->t->daemon, &a, out);

    arena_fini(&a);
    transfer_leave(r->t);
    if (e) {
        _cleanup_free_ char *text = error_string(e);

        str_printf(out, "\n%s cannot be told: %s\n", part->text, text);
        error_free(e);
    }
}

static struct error *add_part(struct report *r, const struct report_part *part)
{
    const char *name = arena_printf(&r->t->arena, "%s/%s", r->folder, part->file);
    _cleanup_str_ struct str text = STR_INIT;

    fill(r, part, &text);
    TRY(archive_add(r->archive, name, str_cstr(&text), text.len));
    r->done++;
    TRY(transfer_check(r->t));
    return transfer_progress(r->t, (double)r->done / (double)r->n);
}

/* A word of a list with commas; an empty list has all. */
static bool is_wanted(const char *list, const char *key)
{
    size_t n = strlen(key);

    if (!*list)
        return true;
    for (const char *p = list; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
        if (strncmp(p, key, n) == 0 && (!p[n] || p[n] == ','))
            return true;
    return false;
}

static struct error *check_entries(const char *list)
{
    for (const char *p = list; *p;) {
        size_t n = strcspn(p, ",");
        const struct report_part *part = report_parts;

        while (part->key && !(strlen(part->key) == n && strncmp(part->key, p, n) == 0))
            part++;
        if (n && !part->key)
            return err_invalid_value("entries", p);
        p += n + (p[n] == ',');
    }
    return NULL;
}

static struct error *send_parts(struct report *r, const char *entries)
{
    for (const struct report_part *p = report_parts; p->key; p++)
        r->n += is_wanted(entries, p->key);
    for (const struct report_part *p = report_parts; p->key; p++)
        if (is_wanted(entries, p->key))
            TRY(add_part(r, p));
    return archive_end(r->archive);
}

static struct error *send_report(struct transfer *t, const char *kind, size_t format,
                                 const char *entries)
{
    const struct archive_sink sink = {.fn = write_out, .ctx = t};
    _cleanup_free_ char *when = now_for_names();
    struct report r = {.t = t,
                       .folder = arena_printf(&t->arena, "%s-%s-%s", kind, when, host_name(t))};
    const char *disposition =
        arena_printf(&t->arena, "attachment; filename=\"%s.%s\"", r.folder, formats[format].name);

    TRY(transfer_take(t, formats[format].type, disposition, -1));
    _cleanup_archive_ struct archive *archive = archive_new(formats[format].format, now_s(), &sink);

    r.archive = archive;
    return send_parts(&r, entries);
}

static struct error *send_list(struct transfer *t)
{
    _cleanup_str_ struct str text = STR_INIT;

    report_capabilities(&text);
    TRY(transfer_take(t, "text/xml", NULL, (int64_t)text.len));
    return stream_write(t->stream, text.s, text.len);
}

static struct error *system_status(struct transfer *t)
{
    const char *output = transfer_param(t, "output"), *entries = transfer_param(t, "entries");

    if (http_query_find(&t->rq->head, "list"))
        return send_list(t);
    TRY(check_entries(entries));
    for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
        if (streq(*output ? output : "tar", formats[i].name) && formats[i].format != ARCHIVE_TAR_GZ)
            return send_report(t, "system_status", i, entries);
    return err_invalid_value("output", output);
}

static struct error *logs(struct transfer *t)
{
    return send_report(t, "logs", ARRAY_SIZE(formats) - 1, "xapi-log,kernel-log,xapi-audit");
}

const struct transfer_kind transfer_system_status = {
    .action = HTTP_GET_SYSTEM_STATUS, .run = system_status, .has_task = true, .is_large = true};
const struct transfer_kind transfer_host_logs = {
    .action = HTTP_GET_HOST_LOGS_DOWNLOAD, .run = logs, .has_task = true, .is_large = true};
