/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xe: one command of a host, from the arguments to the exit code. */
#include "cli/command.h"
#include "cli/help.h"
#include "cli/options.h"

#include <signal.h>

static struct error *run(struct xe *x)
{
    const struct options *o = x->client.options;
    bool minimal;

    if (!o->args.n)
        return help_run(x);
    if (strchr(o->args.v[0], '='))
        return fail_usage("Syntax error", "");
    TRY(words_parse(&x->words, o->args.v + 1, o->args.n - 1));
    TRY(words_bool(&x->words, "minimal", false, &minimal));
    x->printer.minimal = minimal;
    TRY(command_run(x, o->args.v[0]));
    print_end(&x->printer);
    return NULL;
}

static int finish(struct xe *x, struct error *e)
{
    struct error *lost = print_flush(&x->printer);
    int code = 0;

    if (e) {
        code = failure_tell(&x->client, e);
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

int main(int argc, char **argv)
{
    _cleanup_(options_fini) struct options options = {0};
    struct xe x = {0};
    enum options_wish wish;
    struct error *e;

    signal(SIGPIPE, SIG_IGN);
    e = options_read(argc, argv, &options, &wish);
    if (e) {
        int code = failure_tell(NULL, e);

        error_free(e);
        return code;
    }
    if (wish == OPTIONS_USAGE) {
        help_usage(stderr);
        return 0;
    }
    if (wish == OPTIONS_VERSION) {
        printf("xe %s\n", XENOLITH_VERSION);
        return 0;
    }
    client_init(&x.client, &options);
    return finish(&x, run(&x));
}
