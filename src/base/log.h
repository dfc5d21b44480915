/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Log lines go to standard error, one write each, with the priority prefix that journald
 * understands when standard error is a journal stream. Any thread. Only programs and the ends of
 * requests log; library code returns errors.
 */

#include "base/error.h"

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG, LOG_LEVEL_MAX };

void log_init(const char *program);
void log_set_level(enum log_level level);
bool log_wants(enum log_level level);
void log_line(enum log_level level, const char *fmt, ...) _printf_(2, 3);

#define log_error(...)   log_line(LOG_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_WARNING, __VA_ARGS__)
#define log_info(...)    log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...)                                                                             \
    do {                                                                                           \
        if (log_wants(LOG_DEBUG))                                                                  \
            log_line(LOG_DEBUG, __VA_ARGS__);                                                      \
    } while (0)

/* Logs "text: error" and frees the error; NULL is ignored. */
void log_and_free(enum log_level level, struct error *e, const char *fmt, ...) _printf_(3, 4);
