/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Contexts of libxl, and the texts of its errors. */
#include "hv/libxl/xl.h"

#include "base/log.h"
#include "base/mem.h"

#include <errno.h>

#define SAID_MAX 2000

/* What libxl said during the calls of this thread. */
static _Thread_local struct str said;

/* See xl.h. A child of a fork has but one thread: locks others held stay locked for ever. */
static pthread_mutex_t quick = PTHREAD_MUTEX_INITIALIZER;
static bool is_child;

struct xl_ctx *xl_quick_begin(struct xl *x)
{
    pthread_mutex_lock(&quick);
    return x->look;
}

void xl_quick_end(void)
{
    pthread_mutex_unlock(&quick);
}

static void before_fork(void)
{
    pthread_mutex_lock(&quick);
}

static void after_fork(void)
{
    pthread_mutex_unlock(&quick);
}

static void in_child(void)
{
    is_child = true;
    pthread_mutex_unlock(&quick);
}

void xl_guard_forks(void)
{
    if (pthread_atfork(before_fork, after_fork, in_child))
        abort();
}

_printf_(5, 0) static void take_message(xentoollog_logger *logger, xentoollog_level level,
                                        int errnoval, const char *context, const char *format,
                                        va_list args)
{
    _cleanup_free_ char *text = NULL;

    if (is_child || level < (log_wants(LOG_DEBUG) ? XTL_DETAIL : XTL_WARN))
        return;
    text = xvasprintf(format, args);
    log_debug("%s: %s", context ? context : "libxl", text);
    if (level >= XTL_ERROR && said.len < SAID_MAX)
        str_printf(&said, "%s%s%s%s", said.len ? "; " : "", text, errnoval >= 0 ? ": " : "",
                   errnoval >= 0 ? strerrordesc_np(errnoval) : "");
}

static void forget_logger(xentoollog_logger *logger)
{
}

struct error *xl_ctx_open(struct xl_ctx **ret)
{
    static const libxl_childproc_hooks hooks = {
        .chldowner = libxl_sigchld_owner_libxl_always_selective_reap,
    };
    struct xl_ctx *c = xnew(struct xl_ctx);

    c->logger = (xentoollog_logger){.vmessage = take_message, .destroy = forget_logger};
    TRY(xl_check(libxl_ctx_alloc(&c->ctx, LIBXL_VERSION, 0, &c->logger), "cannot reach Xen"));
    libxl_childproc_setmode(c->ctx, &hooks, NULL);
    *ret = c;
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

struct error *xl_check(int rc, const char *what)
{
    struct error *e = rc ? error_errno(errno_of(rc), "%s: libxl error %d%s%s", what, rc,
                                       said.len ? ": " : "", str_cstr(&said))
                         : NULL;

    str_clear(&said);
    return e;
}
