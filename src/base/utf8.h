/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Text of strangers need not be UTF-8, but what is sent on as JSON or XML, or stored in a row, must
 * be: names of files, output of programs, headers of requests, text that was cut anywhere.
 * Surrogates and overlong forms are none (RFC 3629).
 */

#include <stdbool.h>

bool utf8_is_valid(const char *s);
/* In place: '?' for each byte that is part of no character. */
void utf8_clean(char *s);
