/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hostd/trace_post.h"

#include "base/spawn.h"
#include "base/world.h"
#include "hostd/machine.h"
#include "sandbox/child.h"

#include <errno.h>

#define URL_MAX 2048

static bool is_address(const char *url)
{
    if (!str_starts(url, "http://") && !str_starts(url, "https://"))
        return false;
    for (const char *c = url; *c; c++)
        if (*c <= ' ' || *c >= 0x7f)
            return false;
    return strlen(url) < URL_MAX;
}

static void make_command(struct spawn *s, const char *url)
{
    static const char *const words[] = {
        "--disable", "--silent",    "--show-error",  "--globoff", "--noproxy",
        "*",         "--proto",     "=http,https",   "--header",  "Content-Type: application/json",
        "--header",  "Expect:",     "--data-binary", "@-",        "--output",
        "/dev/null", "--write-out", "%{http_code}"};

    spawn_init(s, "curl");
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        spawn_add(s, words[i]);
    spawn_add(s, "--max-time");
    spawn_addf(s, "%d", TRACE_TIME_S);
    spawn_add(s, "--url");
    spawn_add(s, url);
}

static struct error *post(const char *url, const char *spans)
{
    struct child_confine confine = {.network = true};
    _cleanup_str_ struct str answer = STR_INIT, err = STR_INIT;
    _cleanup_close_ int input = -1;
    _cleanup_spawn_ struct spawn s;
    int status;

    child_allow_resolver(&confine);
    child_allow(&confine, "/etc/ssl/certs", LANDLOCK_READ);
    child_allow(&confine, "/etc/ssl/openssl.cnf", LANDLOCK_READ);
    make_command(&s, url);
    TRY(spawn_input(spans, strlen(spans), &input));
    s.stdin_fd = input;
    s.confine = child_confine;
    s.confine_arg = &confine;
    TRY(spawn_run_status(&s, 2 * TRACE_TIME_S * SECOND_US, 64, &answer, &err, &status));
    if (status)
        return error_text("%s", str_cstr(&err));
    return *str_cstr(&answer) == '2' ? NULL
                                     : error_errno(EPROTO, "the answer was %s", str_cstr(&answer));
}

struct error *trace_post(struct machine *m, const char *url, const char *spans)
{
    if (!is_address(url))
        return error_api("INVALID_VALUE", 2, "url", url);
    struct error *e = atomic_fetch_add(&m->trace_posts, 1) < TRACE_POSTS
                          ? post(url, spans)
                          : error_api("TOO_MANY_PENDING_TASKS", 0);

    atomic_fetch_sub(&m->trace_posts, 1);
    return e;
}
