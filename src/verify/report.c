/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Findings, and how they are told. */
#include "verify/verify.h"

#include "base/str.h"
#include "value/json.h"

#include <stdarg.h>

static const char *const severity_names[SEVERITY_MAX] = {
    [NOTE] = "note", [WARNING] = "warning", [ERROR] = "error"};

static const char *const checked_names[CHECKED_MAX] = {
    [CHECKED_ROWS] = "rows",           [CHECKED_DISKS] = "disks",
    [CHECKED_IMAGES] = "images",       [CHECKED_DOMAINS] = "domains",
    [CHECKED_PROCESSES] = "processes", [CHECKED_REPOSITORIES] = "repositories",
    [CHECKED_FILES] = "files",
};

struct finding *add_finding(struct verify *v, enum severity s, const char *code, const char *object,
                            const char *fmt, ...)
{
    struct finding f = {.severity = s, .code = code, .object = xstrdup(object)};
    va_list ap;

    va_start(ap, fmt);
    f.text = xvasprintf(fmt, ap);
    va_end(ap);
    f.advice = xstrdup("");
    vec_add(&v->found, f);
    return &v->found.v[v->found.n - 1];
}

void advise(struct finding *f, const char *fmt, ...)
{
    va_list ap;

    free(f->advice);
    va_start(ap, fmt);
    f->advice = xvasprintf(fmt, ap);
    va_end(ap);
}

void offer(struct finding *f, struct error *(*run)(struct verify *v, const char *subject),
           const char *subject, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    f->repair =
        (struct repair){.what = xvasprintf(fmt, ap), .run = run, .subject = xstrdup(subject)};
    va_end(ap);
}

static void finding_fini(struct finding *f)
{
    free(f->object);
    free(f->text);
    free(f->advice);
    free(f->repair.what);
    free(f->repair.subject);
}

void findings_fini(struct findings *all)
{
    vec_foreach (f, all)
        finding_fini(f);
    vec_fini(all);
}

static bool has_finding(const struct findings *all, const struct finding *like)
{
    vec_foreach (f, all)
        if (streq(f->code, like->code) && streq(f->object, like->object))
            return true;
    return false;
}

void findings_confirm(struct findings *now, const struct findings *before)
{
    size_t n = 0;

    for (size_t i = 0; i < now->n; i++) {
        if (has_finding(before, &now->v[i]))
            now->v[n++] = now->v[i];
        else
            finding_fini(&now->v[i]);
    }
    now->n = n;
}

size_t findings_count(const struct findings *all, enum severity at_least)
{
    size_t n = 0;

    vec_foreach (f, all)
        n += f->severity >= at_least;
    return n;
}

static json_t *text_json(const char *s)
{
    json_t *j = json_string(s);

    /* Names on a disk may be any bytes. */
    return j ? j : json_string("(not text)");
}

void report_json(const struct verify *v)
{
    _cleanup_json_ json_t *all = json_object();
    json_t *list = json_array(), *checked = json_object();

    vec_foreach (f, &v->found) {
        json_t *j = json_object();

        json_object_set_new(j, "severity", json_string(severity_names[f->severity]));
        json_object_set_new(j, "code", json_string(f->code));
        json_object_set_new(j, "object", text_json(f->object));
        json_object_set_new(j, "text", text_json(f->text));
        json_object_set_new(j, "advice", text_json(f->advice));
        if (f->repair.run)
            json_object_set_new(j, "repair", text_json(f->repair.what));
        json_array_append_new(list, j);
    }
    for (int i = 0; i < CHECKED_MAX; i++)
        json_object_set_new(checked, checked_names[i], json_integer((json_int_t)v->checked[i]));
    json_object_set_new(all, "findings", list);
    json_object_set_new(all, "checked", checked);
    json_object_set_new(all, "live", json_boolean(v->xapi_runs || v->hostd_runs));
    json_dumpf(all, stdout, JSON_INDENT(1));
    putchar('\n');
}

static void tell(const struct finding *f)
{
    printf("%s: %s: %s\n    %s\n", severity_names[f->severity], f->code, f->object, f->text);
    if (*f->advice)
        printf("    To do: %s\n", f->advice);
    if (f->repair.run)
        printf("    --repair would %s\n", f->repair.what);
}

void report_text(const struct verify *v, bool quiet)
{
    for (int s = ERROR; s >= (quiet ? WARNING : NOTE); s--)
        vec_foreach (f, &v->found)
            if ((int)f->severity == s)
                tell(f);
    if (quiet)
        return;
    if (v->xapi_runs || v->hostd_runs)
        printf("While %s%s%s runs, what is under way is left out.\n",
               v->xapi_runs ? "xenolithd" : "", v->xapi_runs && v->hostd_runs ? " or " : "",
               v->hostd_runs ? "xenolith-hostd" : "");
    printf("Looked at ");
    for (int i = 0; i < CHECKED_MAX; i++)
        printf("%s%zu %s", i ? ", " : "", v->checked[i], checked_names[i]);
    printf(": %zu errors, %zu warnings.\n", findings_count(&v->found, ERROR),
           findings_count(&v->found, WARNING) - findings_count(&v->found, ERROR));
}
