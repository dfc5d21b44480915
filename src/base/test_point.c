/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/test_point.h"

#ifdef XENOLITH_TEST_HOOKS
#include "base/io.h"
#include "base/mem.h"
#include "base/vec.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define RULES_MAX 65536

struct rule {
    bool stops;
    char name[200];
    unsigned nth, passes;
};

static struct {
    pthread_mutex_t lock;
    struct str text; /* the file, as it was read last */
    struct VEC(struct rule) rules;
} state = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void read_rules(const char *text)
{
    vec_fini(&state.rules);
    while (*text) {
        struct rule r = {.nth = 1};
        char verb[8] = "";
        /* Names hold spaces: the number stands behind the last one. */
        size_t len = strcspn(text, "\n");
        _cleanup_free_ char *line = xmemdup0(text, len);
        char *number = strrchr(line, ' ');

        if (number && sscanf(line, "%7s ", verb) == 1 && number > line + strlen(verb)) {
            *number = 0;
            r.nth = (unsigned)strtoul(number + 1, NULL, 10);
            r.stops = streq(verb, "stop");
            snprintf(r.name, sizeof(r.name), "%s", line + strlen(verb) + 1);
            vec_add(&state.rules, r);
        }
        text += len + (text[len] == '\n');
    }
}

static void refresh(const char *dir)
{
    _cleanup_free_ char *path = xasprintf("%s/rules", dir);
    _cleanup_str_ struct str text = STR_INIT;

    IGNORE_ERROR(io_read_file(path, RULES_MAX, &text));
    if (streq(str_cstr(&text), str_cstr(&state.text)))
        return;
    str_fini(&state.text);
    state.text = text;
    text = STR_INIT;
    read_rules(str_cstr(&state.text));
}

static void note(const char *dir, const char *name)
{
    _cleanup_free_ char *path = xasprintf("%s/passed", dir);
    _cleanup_free_ char *line = xasprintf("%s\n", name);
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    if (fd >= 0)
        IGNORE_ERROR(io_write_all(fd, line, strlen(line)));
}

static void wait_at_gate(const char *dir)
{
    _cleanup_free_ char *path = xasprintf("%s/gate", dir);
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
}

bool test_point(const char *whole, const char *part, const char *moment)
{
    const char *dir = getenv("XENOLITH_POINTS");
    bool stop = false, fail = false;

    if (!dir)
        return false;
    _cleanup_free_ char *name = xasprintf("%s/%s/%s", whole, part, moment);

    pthread_mutex_lock(&state.lock);
    note(dir, name);
    refresh(dir);
    vec_foreach (r, &state.rules) {
        if (!streq(r->name, name))
            continue;
        r->passes++;
        stop |= r->stops && r->passes == r->nth;
        fail |= !r->stops && r->passes >= r->nth;
    }
    pthread_mutex_unlock(&state.lock);
    if (stop)
        wait_at_gate(dir);
    return fail;
}
#endif
