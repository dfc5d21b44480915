/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Contexts of libxl, and the texts of its errors. */
#include "hv/libxl/xl.h"

#include "base/log.h"
#include "base/mem.h"

#include <errno.h>

#define SAID_MAX 2000

static void take_message(xentoollog_logger *logger, xentoollog_level level, int errnoval,
                         const char *context, const char *format, va_list args)
{
    struct xl_ctx *c = container_of(logger, struct xl_ctx, logger);
    _cleanup_free_ char *text = NULL;

    if (level < (log_wants(LOG_DEBUG) ? XTL_DETAIL : XTL_WARN))
        return;
    text = xvasprintf(format, args);
    log_debug("%s: %s", context ? context : "libxl", text);
    if (level < XTL_ERROR)
        return;
    pthread_mutex_lock(&c->lock);
    if (c->said.len < SAID_MAX)
        str_printf(&c->said, "%s%s%s%s", c->said.len ? "; " : "", text, errnoval >= 0 ? ": " : "",
                   errnoval >= 0 ? strerrordesc_np(errnoval) : "");
    pthread_mutex_unlock(&c->lock);
}

static void forget_logger(xentoollog_logger *logger)
{
}

void xl_ctx_close(struct xl_ctx *c)
{
    if (!c)
        return;
    if (c->ctx)
        libxl_ctx_free(c->ctx);
    str_fini(&c->said);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

struct error *xl_ctx_open(struct xl_ctx **ret)
{
    static const libxl_childproc_hooks hooks = {
        .chldowner = libxl_sigchld_owner_libxl_always_selective_reap};
    _cleanup_xl_ctx_ struct xl_ctx *c = xnew(struct xl_ctx);

    pthread_mutex_init(&c->lock, NULL);
    c->logger = (xentoollog_logger){.vmessage = take_message, .destroy = forget_logger};
    TRY(xl_check(c, libxl_ctx_alloc(&c->ctx, LIBXL_VERSION, 0, &c->logger), "cannot reach Xen"));
    libxl_childproc_setmode(c->ctx, &hooks, NULL);
    *ret = TAKE_PTR(c);
    return NULL;
}

/* What of libxl's numbers a caller can act upon. */
static int errno_of(int rc)
{
    switch (rc) {
    case ERROR_NOMEM:
        return ENOMEM;
    case ERROR_TIMEDOUT:
        return ETIMEDOUT;
    case ERROR_NOTFOUND:
    case ERROR_DOMAIN_NOTFOUND:
        return ESRCH;
    case ERROR_INVAL:
    case ERROR_BADFAIL:
        return EINVAL;
    case ERROR_ABORTED:
        return ECANCELED;
    default:
        return 0;
    }
}

struct error *xl_check(struct xl_ctx *c, int rc, const char *what)
{
    pthread_mutex_lock(&c->lock);
    struct error *e = rc ? error_errno(errno_of(rc), "%s: libxl error %d%s%s", what, rc,
                                       c->said.len ? ": " : "", str_cstr(&c->said))
                         : NULL;

    str_clear(&c->said);
    pthread_mutex_unlock(&c->lock);
    return e;
}
