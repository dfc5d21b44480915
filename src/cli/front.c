/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/front.h"

#include "cli/failure.h"

void front_tell(struct front *f, const char *fmt, ...)
{
    _cleanup_str_ struct str text = STR_INIT;
    va_list ap;

    va_start(ap, fmt);
    str_vprintf(&text, fmt, ap);
    va_end(ap);
    f->ops->tell(f, str_cstr(&text));
}

struct error *front_fail(struct front *f, const char *fmt, ...)
{
    _cleanup_str_ struct str text = STR_INIT;
    va_list ap;

    va_start(ap, fmt);
    str_vprintf(&text, fmt, ap);
    va_end(ap);
    front_tell(f, "%s\n", str_cstr(&text));
    return fail_exit(1);
}
