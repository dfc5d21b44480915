/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/terminal.h"

#include "base/io.h"
#include "base/mem.h"

#include <stdio.h>

static struct error *print(struct front *f, const char *text, size_t n)
{
    return io_write_all(STDOUT_FILENO, text, n);
}

static void tell(struct front *f, const char *text)
{
    fputs(text, stderr);
}

static struct error *read_file(struct front *f, const char *name, size_t max, struct str *ret)
{
    return io_read_file(name, max, ret);
}

static struct error *read_line(struct front *f, struct str *ret)
{
    int c;

    while ((c = getchar()) != EOF && c != '\n')
        if (ret->len < 65536)
            str_add_char(ret, (char)c);
    return NULL;
}

static void discard(struct front *f)
{
    struct terminal *t = container_of(f, struct terminal, front);

    if (t->made)
        IGNORE_ERROR(io_unlink(t->made));
}

static const struct front_ops ops = {
    .print = print,
    .tell = tell,
    .read_file = read_file,
    .read_line = read_line,
    .move = terminal_move,
    .discard = discard,
    .console = terminal_console,
};

static bool has_colours(void)
{
    const char *term = getenv("TERM"), *none = getenv("NO_COLOR");

    return isatty(STDOUT_FILENO) && term && !streq(term, "dumb") && !(none && *none);
}

void terminal_init(struct terminal *t)
{
    *t = (struct terminal){.front = {.ops = &ops,
                                     .is_person = isatty(STDERR_FILENO),
                                     .colours = has_colours(),
                                     .resumes = true}};
}

void terminal_fini(struct terminal *t)
{
    free(t->made);
}
