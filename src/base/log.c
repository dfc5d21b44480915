/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/log.h"

#include "base/str.h"

#include <stdatomic.h>
#include <time.h>

#define LINE_TEXT_MAX 4096

static const char *program_name = "xenolith";
static atomic_int threshold = LOG_INFO;
static bool to_journal;
/* syslog priorities of the levels */
static const char *const prefix[LOG_LEVEL_MAX] = {"<3>", "<4>", "<6>", "<7>"};
static const char *const label[LOG_LEVEL_MAX] = {"error", "warning", "info", "debug"};

void log_init(const char *program)
{
    program_name = program;
    to_journal = getenv("JOURNAL_STREAM") != NULL;
}

void log_set_level(enum log_level level)
{
    atomic_store(&threshold, level);
}

bool log_wants(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&threshold, memory_order_relaxed);
}

/* Lines quote what clients and guests say: nothing in them may end the line, move a terminal's
 * cursor (C0, DEL; C1 as UTF-8 has it) or fill the disk by its length. */
static void add_safely(struct str *b, const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t n = strnlen(text, LINE_TEXT_MAX + 1), end = MIN(n, LINE_TEXT_MAX);

    for (size_t i = 0; i < end; i++) {
        if (p[i] == '\n')
            str_add_char(b, ' ');
        else if (p[i] < 0x20 || p[i] == 0x7f)
            str_printf(b, "\\x%02x", p[i]);
        else if (p[i] == 0xc2 && p[i + 1] >= 0x80 && p[i + 1] < 0xa0)
            str_printf(b, "\\u%04x", p[++i]);
        else
            str_add_char(b, (char)p[i]);
    }
    if (n > end)
        str_add(b, " ...");
}

static void log_text(enum log_level level, const char *text)
{
    _cleanup_str_ struct str b = STR_INIT;

    if (to_journal) {
        str_add(&b, prefix[level]);
    } else {
        struct timespec ts;
        struct tm tm;
        char when[32];

        clock_gettime(CLOCK_REALTIME, &ts);
        gmtime_r(&ts.tv_sec, &tm);
        strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
        str_printf(&b, "%s.%03ldZ %s %s: ", when, ts.tv_nsec / 1000000, program_name, label[level]);
    }
    add_safely(&b, text);
    str_add_char(&b, '\n');
    if (write(STDERR_FILENO, b.s, b.len) < 0)
        return; /* nowhere left to say it */
}

void log_line(enum log_level level, const char *fmt, ...)
{
    va_list ap;

    if (!log_wants(level))
        return;
    va_start(ap, fmt);
    _cleanup_free_ char *text = xvasprintf(fmt, ap);
    va_end(ap);
    log_text(level, text);
}

void log_and_free(enum log_level level, struct error *e, const char *fmt, ...)
{
    va_list ap;

    if (!e)
        return;
    va_start(ap, fmt);
    _cleanup_free_ char *text = xvasprintf(fmt, ap);
    va_end(ap);
    _cleanup_free_ char *why = error_string(e);

    log_line(level, "%s: %s", text, why);
    error_free(e);
}
