/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Text of an answer's head. Header values end at the first control character, so that nothing a
 * client has sent can add a header of its own.
 */

#include "wire/server.h"

/* length: -1 = none is given (the end of the connection ends the body). */
struct iovec reply_head(struct arena *a, int minor, const struct http_reply *reply, int64_t length,
                        bool close);
