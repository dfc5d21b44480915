/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "simulation/client.h"

#include "base/world.h"
#include "simulation/fail.h"
#include "simulation/sched.h"

#define PATIENCE_US  (3600 * SECOND_US)
#define RETRY_MIN_US 1000
#define RETRY_MAX_US (SECOND_US / 2)

static bool log_in(struct client *c)
{
    struct answer a = front_call("session.login_with_password",
                                 json_pack("[ssss]", "root", "", "1.0", c->name), PATIENCE_US);
    bool done = a.fate == FATE_ANSWERED && a.result;

    snprintf(c->session, sizeof(c->session), "%s", done ? answer_text(&a) : "");
    if (a.fate == FATE_LATE)
        fail_stuck("a login has no answer");
    answer_fini(&a);
    return done;
}

static void await_session(struct client *c)
{
    int64_t pause = RETRY_MIN_US;

    for (; !*c->session && !log_in(c); pause = MIN(pause * 2, RETRY_MAX_US))
        sched_sleep(pause);
}

struct answer client_call(struct client *c, const char *method, json_t *params)
{
    int64_t pause = RETRY_MIN_US;
    struct answer a;

    for (;;) {
        json_t *all = json_array();

        await_session(c);
        json_array_append_new(all, json_string(c->session));
        json_array_extend(all, params);
        a = front_call(method, all, PATIENCE_US);
        if (a.fate == FATE_LATE)
            fail_stuck("%s of %s has no answer", method, c->name);
        if (a.fate == FATE_ANSWERED && strcmp(answer_code(&a), "SESSION_INVALID") != 0)
            break;
        c->session[0] = 0;
        if (a.fate == FATE_LOST)
            break;
        answer_fini(&a);
        sched_sleep(pause);
        pause = MIN(pause * 2, RETRY_MAX_US);
    }
    json_decref(params);
    return a;
}

struct answer client_insist(struct client *c, const char *method, json_t *params)
{
    for (;;) {
        struct answer a = client_call(c, method, json_incref(params));

        if (a.fate == FATE_ANSWERED) {
            json_decref(params);
            return a;
        }
        answer_fini(&a);
    }
}
