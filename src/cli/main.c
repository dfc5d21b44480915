/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xe: one command of a host, from a terminal. */
#include "cli/help.h"
#include "cli/options.h"
#include "cli/run.h"
#include "cli/terminal.h"
#include "cli/top_screen.h"

#include <signal.h>

int main(int argc, char **argv)
{
    _cleanup_(options_fini) struct options options = {0};
    _cleanup_(terminal_fini) struct terminal terminal;
    enum options_wish wish;
    struct error *e;
    struct xe x;

    signal(SIGPIPE, SIG_IGN);
    terminal_init(&terminal);
    e = options_read(argc, argv, &options, &wish);
    if (e) {
        int code = failure_tell(&terminal.front, NULL, e);

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
    if (options.args.n && streq(options.args.v[0], "top"))
        return top_run(&options);
    xe_init(&x, &options, &terminal.front);
    return xe_run(&x, options.args.v, options.args.n);
}
