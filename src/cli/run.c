/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/run.h"

#include "cli/completion.h"
#include "cli/help.h"

void xe_init(struct xe *x, const struct options *o, struct front *front)
{
    *x = (struct xe){.printer.front = front};
    client_init(&x->client, o, front);
}

static struct error *run(struct xe *x, char *const *args, size_t n)
{
    bool minimal;

    if (!n)
        return help_run(x);
    if (streq(args[0], "completion"))
        return completion_run(x, args + 1, MAX(x->client.options->n_typed, (size_t)1) - 1);
    if (strchr(args[0], '='))
        return fail_usage("Syntax error", "");
    TRY(words_parse(&x->words, args + 1, n - 1));
    TRY(words_bool(&x->words, "minimal", false, &minimal));
    x->printer.minimal = minimal;
    TRY(words_bool(&x->words, "json", false, &x->printer.json));
    x->client.json = x->printer.json;
    TRY(command_run(x, args[0]));
    print_end(&x->printer);
    return NULL;
}

int xe_run(struct xe *x, char *const *args, size_t n)
{
    struct error *e = run(x, args, n);
    struct error *lost = print_flush(&x->printer);
    int code = 0;

    if (e) {
        code = failure_tell(x->client.front, &x->client, e);
        error_free(e);
    }
    if (lost) {
        code = 1;
        error_free(lost);
    }
    client_fini(&x->client);
    words_fini(&x->words);
    printer_fini(&x->printer);
    return code;
}
