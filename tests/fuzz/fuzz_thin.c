/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a thin client sends: arguments 'a', the greeting 'h', answers 'm'. Answers are the same when
 * they come byte by byte.
 */
#include "cli/thin_wire.h"
#include "cli/words.h"
#include "fuzz/fuzz.h"

#include <assert.h>

static void read_arguments(const char *p, size_t n)
{
    _cleanup_(thin_request_fini) struct thin_request r = {0};
    struct words w = {0};
    struct error *e = thin_read_request(p, n, &r);

    vec_foreach (arg, &r.args)
        assert(**arg && !strchr(*arg, '\n'));
    if (!e && r.args.n)
        error_free(words_parse(&w, r.args.v + 1, r.args.n - 1));
    words_fini(&w);
    error_free(e);
}

static void read_hello(const char *p, size_t n)
{
    if (n >= THIN_HELLO_LEN)
        error_free(thin_read_hello(p));
}

static void read_messages(const char *p, size_t n)
{
    while (n) {
        struct thin_message m, again;
        size_t used, part = 0;
        struct error *e = thin_read_message(p, n, &m, &used);

        if (e || !used) {
            error_free(e);
            return;
        }
        assert(used <= n && m.n <= INT32_MAX && (m.answer == THIN_CHUNK || !m.n));
        for (size_t have = 0; !part && have <= used; have++)
            assert(!thin_read_message(p, have, &again, &part));
        assert(part == used && again.answer == m.answer && again.n == m.n);
        p += used;
        n -= used;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    const char *p = (const char *)data + 1;

    switch (data[0]) {
    case 'a':
        read_arguments(p, size - 1);
        break;
    case 'h':
        read_hello(p, size - 1);
        break;
    case 'm':
        read_messages(p, size - 1);
        break;
    default:
        break;
    }
    return 0;
}
