/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a seed found. The first finding ends the run. */

#include "base/cleanup.h"

_noreturn_ void fail(const char *fmt, ...) _printf_(1, 2);
/* The same with every fiber's place. */
_noreturn_ void fail_stuck(const char *fmt, ...) _printf_(1, 2);
