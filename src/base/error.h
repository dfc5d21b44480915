/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * One error type. A fallible function returns `struct error *`: NULL is success, anything else is
 * owned by the caller, who passes it on (TRY), handles and frees it, or turns it into an answer.
 *
 * Two kinds travel here and are never mixed (a third kind, bugs, are asserts):
 *   API errors     a code of the XenAPI catalogue and its parameters: the contract with clients
 *   system errors  an errno and a text saying what was tried
 * A system error becomes an API error once, at the end of the request (error_to_api).
 * `detail` is for people and the log; context is put in front of it on the way up.
 */

#include "base/cleanup.h"

#include <stdarg.h>

struct error {
    char *code;    /* API error code, NULL for a system error */
    char **params; /* n_params strings */
    int n_params;
    int errnum;   /* system error: errno, 0 if none fits */
    char *detail; /* never NULL */
    const char *file;
    int line;
};

/* API error with n string parameters following. */
_malloc_ struct error *error_api_(const char *file, int line, const char *code, int n, ...);
/* System error; the text says what was tried, errno's text is added when it is shown. */
_malloc_ struct error *error_sys_(const char *file, int line, int errnum, const char *fmt, ...)
    _printf_(4, 5);
#define error_api(code, n, ...)                                                                    \
    error_api_(__FILE__, __LINE__, (code), (n)__VA_OPT__(, ) __VA_ARGS__)
#define error_errno(errnum, ...) error_sys_(__FILE__, __LINE__, (errnum), __VA_ARGS__)
/* A failure without an errno: bad data, a broken peer. */
#define error_text(...) error_sys_(__FILE__, __LINE__, 0, __VA_ARGS__)

/* API error from an array of parameters (for instance received from the other daemon). */
_malloc_ struct error *error_api_v(const char *code, const char *const *params, int n);

_must_check_ struct error *error_copy(const struct error *e); /* NULL of NULL */
void error_free(struct error *e);
/* Puts "text: " in front of the detail. Returns e. */
struct error *error_prepend(struct error *e, const char *fmt, ...) _printf_(2, 3);
/* Replaces the detail of an API error. Returns e. */
struct error *error_detail(struct error *e, const char *fmt, ...) _printf_(2, 3);
bool error_is(const struct error *e, const char *code);
/* A system error turns into INTERNAL_ERROR [text]; an API error is returned unchanged. */
struct error *error_to_api(struct error *e);
/* One line for logs and people; the caller frees. */
_malloc_ char *error_string(const struct error *e);

static inline void cleanup_error(struct error **e)
{
    if (*e)
        error_free(*e);
}

#define _cleanup_error_ _cleanup_(cleanup_error)

#define TRY(expr)                                                                                  \
    do {                                                                                           \
        struct error *try_ = (expr);                                                               \
        if (try_)                                                                                  \
            return try_;                                                                           \
    } while (0)

/* Runs a fallible call whose failure is of no interest. */
#define IGNORE_ERROR(expr)                                                                         \
    do {                                                                                           \
        struct error *ignored_ = (expr);                                                           \
        if (ignored_)                                                                              \
            error_free(ignored_);                                                                  \
    } while (0)
