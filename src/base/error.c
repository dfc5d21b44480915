/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"

#include "base/mem.h"
#include "base/str.h"

static struct error *error_new(const char *file, int line)
{
    struct error *e = xnew(struct error);

    e->file = file;
    e->line = line;
    return e;
}

struct error *error_api_(const char *file, int line, const char *code, int n, ...)
{
    struct error *e = error_new(file, line);
    va_list ap;

    e->code = xstrdup(code);
    e->params = xnew_array(char *, (size_t)n);
    va_start(ap, n);
    for (; e->n_params < n; e->n_params++) {
        const char *p = va_arg(ap, const char *);

        e->params[e->n_params] = xstrdup(p ? p : "");
    }
    va_end(ap);
    e->detail = xstrdup("");
    return e;
}

struct error *error_api_v(const char *code, const char *const *params, int n)
{
    struct error *e = error_new(__FILE__, __LINE__);

    e->code = xstrdup(code);
    e->params = xnew_array(char *, (size_t)n);
    for (; e->n_params < n; e->n_params++)
        e->params[e->n_params] = xstrdup(params[e->n_params]);
    e->detail = xstrdup("");
    return e;
}

struct error *error_sys_(const char *file, int line, int errnum, const char *fmt, ...)
{
    struct error *e = error_new(file, line);
    va_list ap;

    e->errnum = errnum;
    va_start(ap, fmt);
    e->detail = xvasprintf(fmt, ap);
    va_end(ap);
    return e;
}

struct error *error_copy(const struct error *e)
{
    if (!e)
        return NULL;
    struct error *copy = e->code ? error_api_v(e->code, (const char *const *)e->params, e->n_params)
                                 : error_sys_(e->file, e->line, e->errnum, "%s", e->detail);

    copy->file = e->file;
    copy->line = e->line;
    return copy;
}

void error_free(struct error *e)
{
    if (!e)
        return;
    for (int i = 0; i < e->n_params; i++)
        free(e->params[i]);
    free(e->params);
    free(e->code);
    free(e->detail);
    free(e);
}

struct error *error_prepend(struct error *e, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    _cleanup_free_ char *text = xvasprintf(fmt, ap);
    va_end(ap);
    char *old = e->detail;

    e->detail = *old ? xasprintf("%s: %s", text, old) : xstrdup(text);
    free(old);
    return e;
}

struct error *error_detail(struct error *e, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    char *text = xvasprintf(fmt, ap);
    va_end(ap);
    free(e->detail);
    e->detail = text;
    return e;
}

bool error_is(const struct error *e, const char *code)
{
    return e && e->code && streq(e->code, code);
}

struct error *error_to_api(struct error *e)
{
    if (e->code)
        return e;
    char *text = error_string(e);

    e->code = xstrdup("INTERNAL_ERROR");
    e->params = xnew_array(char *, 1);
    e->params[0] = text;
    e->n_params = 1;
    return e;
}

char *error_string(const struct error *e)
{
    struct str b = STR_INIT;

    if (e->code) {
        str_printf(&b, "%s [", e->code);
        for (int i = 0; i < e->n_params; i++)
            str_printf(&b, "%s%s", i ? ", " : "", e->params[i]);
        str_add(&b, "]");
        if (*e->detail)
            str_printf(&b, ": %s", e->detail);
    } else {
        str_add(&b, e->detail);
        if (e->errnum)
            str_printf(&b, ": %s", strerror(e->errnum));
    }
    return str_take(&b);
}
