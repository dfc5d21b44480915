/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What tests tell the simulator, one JSON object a call:
 *
 *   {"delay": {"op": "start", "us": 5000}}                   every start takes that long
 *   {"fault": {"op": "start", "code": "X", "params": ["y"], "times": 1}}   API error
 *   {"fault": {"op": "pause", "text": "broken", "times": -1}}              system error
 *   {"timing": {"boot_us": 0, "shutdown_us": 0}}
 *   {"guest": {"uuid": U, "act": "poweroff|reboot|crash|lost|agent_up|agent_down"}}
 *   {"guest": {"uuid": U, "say": "text"}}                    on its console
 *   {"policy": {"uuid": U, "ignore_shutdown": true, "refuse_detach": true}}
 *   {"clear": true}                                          forget delays, faults and timings
 *
 * The answer: {"domains": N, "calls": {"start": N, ...}}. `op` is a slot of struct hv_driver.
 */
#include "hv/sim/sim.h"

#include "base/mem.h"
#include "base/world.h"

#include <jansson.h>
#include <time.h>

static const char *const act_names[] = {"poweroff", "reboot",   "crash",
                                        "lost",     "agent_up", "agent_down"};

static void rule_fini(struct sim_rule *r)
{
    for (int i = 0; i < r->n_params; i++)
        free(r->params[i]);
    free(r->params);
    free(r->code);
    free(r->text);
    *r = (struct sim_rule){.times = 0};
}

void sim_rules_clear(struct sim *s)
{
    vec_foreach (r, &s->rules)
        rule_fini(r);
    vec_fini(&s->rules);
}

static struct sim_rule *rule_for(struct sim *s, const char *op, bool make)
{
    vec_foreach (r, &s->rules) {
        if (streq(r->op, op))
            return r;
    }
    if (!make)
        return NULL;
    vec_add(&s->rules, (struct sim_rule){.times = 0});
    struct sim_rule *r = &s->rules.v[s->rules.n - 1];

    snprintf(r->op, sizeof(r->op), "%s", op);
    return r;
}

static void sleep_us(int64_t us)
{
    struct timespec ts = {.tv_sec = us / SECOND_US, .tv_nsec = us % SECOND_US * 1000};

    clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
}

struct error *sim_rule_apply(struct sim *s, const char *op)
{
    struct error *e = NULL;
    int64_t delay = 0;

    pthread_mutex_lock(&s->lock);
    strmap_set(&s->calls, op, (void *)((uintptr_t)strmap_find(&s->calls, op) + 1));
    struct sim_rule *r = rule_for(s, op, false);

    if (r) {
        delay = r->delay_us;
        if (r->times && r->code)
            e = error_api_v(r->code, (const char *const *)r->params, r->n_params);
        else if (r->times && r->text)
            e = error_text("%s", r->text);
        if (e && r->times > 0)
            r->times--;
    }
    pthread_mutex_unlock(&s->lock);
    if (delay)
        sleep_us(delay);
    return e;
}

static struct error *bad(const char *what)
{
    return error_api("INVALID_VALUE", 2, "control", what);
}

static const char *text_of(const json_t *j, const char *key)
{
    return json_string_value(json_object_get(j, key));
}

static struct error *set_fault(struct sim *s, const json_t *j)
{
    const char *op = text_of(j, "op"), *code = text_of(j, "code"), *text = text_of(j, "text");
    const json_t *times = json_object_get(j, "times"), *params = json_object_get(j, "params");

    if (!op || strlen(op) >= SIM_OP_NAME_MAX || (!code && !text))
        return bad("fault");
    struct sim_rule *r = rule_for(s, op, true);
    int64_t delay = r->delay_us;

    rule_fini(r);
    snprintf(r->op, sizeof(r->op), "%s", op);
    r->delay_us = delay;
    r->code = code ? xstrdup(code) : NULL;
    r->text = text ? xstrdup(text) : NULL;
    r->times = times ? json_integer_value(times) : 1;
    r->params = xnew_array(char *, json_array_size(params) + 1);
    for (size_t i = 0; i < json_array_size(params); i++) {
        const char *p = json_string_value(json_array_get(params, i));

        r->params[r->n_params++] = xstrdup(p ? p : "");
    }
    return NULL;
}

static struct error *set_delay(struct sim *s, const json_t *j)
{
    const char *op = text_of(j, "op");
    int64_t us = json_integer_value(json_object_get(j, "us"));

    if (!op || strlen(op) >= SIM_OP_NAME_MAX || us < 0 || us > 600 * SECOND_US)
        return bad("delay");
    rule_for(s, op, true)->delay_us = us;
    return NULL;
}

static struct error *guest(struct sim *s, const json_t *j)
{
    const char *uuid = text_of(j, "uuid"), *act = text_of(j, "act"), *say = text_of(j, "say");
    struct sim_domain *d = uuid ? sim_find(s, uuid) : NULL;

    if (!d)
        return hv_no_domain(uuid ? uuid : "");
    if (say && d->console)
        console_say(d->console, say);
    for (size_t i = 0; act && i < ARRAY_SIZE(act_names); i++) {
        if (streq(act_names[i], act)) {
            if (d->state != HV_STOPPED)
                sim_guest_acts(s, d, (enum sim_act)i);
            return NULL;
        }
    }
    return say ? NULL : bad("guest");
}

static struct error *policy(struct sim *s, const json_t *j)
{
    const char *uuid = text_of(j, "uuid");
    struct sim_domain *d = uuid ? sim_find(s, uuid) : NULL;
    const json_t *v;

    if (!d)
        return hv_no_domain(uuid ? uuid : "");
    if ((v = json_object_get(j, "ignore_shutdown")))
        d->ignore_shutdown = json_is_true(v);
    if ((v = json_object_get(j, "refuse_detach")))
        d->refuse_detach = json_is_true(v);
    return NULL;
}

static struct error *timing(struct sim *s, const json_t *j)
{
    const json_t *v;

    if ((v = json_object_get(j, "boot_us")))
        s->boot_us = json_integer_value(v);
    if ((v = json_object_get(j, "shutdown_us")))
        s->shutdown_us = json_integer_value(v);
    return NULL;
}

static struct error *clear(struct sim *s, const json_t *j)
{
    sim_rules_clear(s);
    s->boot_us = s->shutdown_us = 0;
    return NULL;
}

static const struct {
    const char *name;
    struct error *(*fn)(struct sim *s, const json_t *j);
} commands[] = {
    {"clear", clear}, {"delay", set_delay}, {"fault", set_fault},
    {"guest", guest}, {"policy", policy},   {"timing", timing},
};

static struct error *run_command(struct sim *s, const json_t *j)
{
    bool any = false;

    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        const json_t *arg = json_object_get(j, commands[i].name);

        if (!arg)
            continue;
        any = true;
        TRY(commands[i].fn(s, arg));
    }
    return any || json_object_size(j) == 0 ? NULL : bad("unknown command");
}

static const char *report(struct sim *s, struct arena *a)
{
    json_t *calls = json_object();
    const char *op;
    size_t pos = 0;
    void *count;

    while ((count = strmap_next(&s->calls, &pos, &op)))
        json_object_set_new(calls, op, json_integer((json_int_t)(uintptr_t)count));
    json_t *j = json_pack("{s:I, s:o}", "domains", (json_int_t)s->domains.n, "calls", calls);
    _cleanup_free_ char *text = json_dumps(j, JSON_COMPACT | JSON_SORT_KEYS);

    json_decref(j);
    return arena_strdup(a, text);
}

struct error *sim_control(struct hv *hv, const char *json, struct arena *a, const char **ret_json)
{
    struct sim *s = sim_of(hv);
    json_t *j = json_loads(json, 0, NULL);

    if (!json_is_object(j)) {
        json_decref(j);
        return bad("not a JSON object");
    }
    pthread_mutex_lock(&s->lock);
    struct error *e = run_command(s, j);

    if (!e)
        *ret_json = report(s, a);
    pthread_mutex_unlock(&s->lock);
    json_decref(j);
    return e;
}
