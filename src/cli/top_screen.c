/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/top_screen.h"

#include "cli/failure.h"
#include "cli/terminal.h"
#include "cli/top.h"

#include <locale.h>
#include <ncurses.h>

#define EVERY_MS 2000

static void draw(const struct top *t)
{
    _cleanup_str_ struct str text = STR_INIT;
    bool in_table = false;
    char *rest;

    top_text(t, &text);
    erase();
    int row = 0;

    for (char *line = text.s; line && row < LINES - 1; line = rest) {
        rest = strchr(line, '\n');
        if (rest)
            *rest++ = '\0';
        bool head = str_starts(line, "NAME "), running = in_table && strstr(line, " running ");

        if (head)
            attron(A_REVERSE);
        else if (running && has_colors())
            attron(COLOR_PAIR(1));
        mvaddnstr(row++, 0, line, COLS);
        attrset(A_NORMAL);
        in_table = in_table || head;
    }
    mvaddnstr(LINES - 1, 0, "q quit   c by processor   m by memory   n by name", COLS);
    refresh();
}

/* False: that is enough. */
static bool obey(struct top *t, int key)
{
    switch (key) {
    case 'q':
    case 3: /* Ctrl-C */
        return false;
    case 'c':
        t->order = TOP_CPU;
        break;
    case 'm':
        t->order = TOP_MEMORY;
        break;
    case 'n':
        t->order = TOP_NAME;
        break;
    default:
        break;
    }
    return true;
}

static struct error *on_screen(struct top *t, struct client *c)
{
    TRY(top_read(t, c)); /* what fails at once is told without a screen */
    setlocale(LC_ALL, "");
    if (!newterm(NULL, stdout, stdin))
        return error_text("the terminal is of an unknown kind (TERM)");
    raw();
    noecho();
    curs_set(0);
    start_color();
    use_default_colors();
    init_pair(1, COLOR_GREEN, -1);
    timeout(EVERY_MS);
    struct error *e = NULL;

    do {
        draw(t);
        if (!obey(t, getch()))
            break;
        e = top_read(t, c);
    } while (!e);
    endwin();
    return e;
}

static struct error *once(struct top *t, struct client *c)
{
    _cleanup_str_ struct str text = STR_INIT;

    TRY(top_read(t, c));
    top_text(t, &text);
    return c->front->ops->print(c->front, text.s, text.len);
}

int top_run(const struct options *o)
{
    _cleanup_(terminal_fini) struct terminal terminal;
    _cleanup_(top_fini) struct top t = {0};
    struct client c;
    int code = 0;

    terminal_init(&terminal);
    client_init(&c, o, &terminal.front);
    struct error *e =
        isatty(STDOUT_FILENO) && isatty(STDIN_FILENO) ? on_screen(&t, &c) : once(&t, &c);

    if (e) {
        code = failure_tell(&terminal.front, &c, e);
        error_free(e);
    }
    client_fini(&c);
    return code;
}
