/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hostd/directory_server.h"

#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/programs.h"
#include "base/spawn.h"
#include "base/world.h"
#include "hostd/machine.h"
#include "sandbox/child.h"
#include "value/json.h"

#include <errno.h>
#include <limits.h>

#define CONFIG_MAX     (256u << 10)
#define ANSWER_MAX     (1u << 20)
#define WHO_MAX        1024
#define NAME_MAX_LEN   255
#define SECRET_MAX_LEN 1024

/* What docs/operations.md lists. */
static const char *const keys[] = {"uri",         "base",        "bind_dn",  "bind_password",
                                   "user_filter", "user_name",   "insecure", "ca",
                                   "member",      "group_filter"};

static char *config_path(const struct machine *m)
{
    return xasprintf("%s/directory", m->state_dir);
}

/* ---- the child ---- */

/* The last whole line: what it was about. */
static char *last_step(struct str *err)
{
    while (err->len && err->s[err->len - 1] == '\n')
        err->s[--err->len] = 0;
    const char *newline = strrchr(str_cstr(err), '\n');

    return xstrdup(newline ? newline + 1 : str_cstr(err));
}

static struct error *failed(const char *why, const char *step)
{
    _cleanup_free_ char *text = xasprintf("%s while %s", why, *step ? step : "it was started");

    return error_api("UNAVAILABLE", 1, text);
}

static struct error *run_child(const char *question, size_t n, struct str *ret_answer)
{
    struct child_confine confine = {.network = true};
    char program[PATH_MAX];
    _cleanup_close_ int input = -1;
    _cleanup_spawn_ struct spawn s;
    _cleanup_str_ struct str err = STR_INIT;
    int status = 0;

    program_find("../ldap/xenolith-ldap", XENOLITH_LIBEXEC "/xenolith-ldap", program);
    child_allow_resolver(&confine);
    child_allow(&confine, program, LANDLOCK_RUN);
    spawn_init(&s, program);
    TRY(spawn_input(question, n, &input));
    s.stdin_fd = input;
    s.confine = child_confine;
    s.confine_arg = &confine;
    struct error *e =
        spawn_run_status(&s, DIRECTORY_TIME_S * SECOND_US, ANSWER_MAX, ret_answer, &err, &status);
    _cleanup_free_ char *step = last_step(&err);

    if (e && e->errnum == ETIMEDOUT) {
        error_free(e);
        return failed("no answer within 10 s", step);
    }
    if (!e && status != 0)
        return failed("xenolith-ldap ended", step);
    return e;
}

/* ---- questions ---- */

static struct error *read_answer(const struct str *text, json_t **ret)
{
    json_t *j = NULL;

    TRY(json_parse(str_cstr(text), text->len, &j));
    struct error *e = error_from_json(json_object_get(j, "error"));

    if (e) {
        json_decref(j);
        return e;
    }
    *ret = j;
    return NULL;
}

/* Of the question both the text and its memory are wiped: it may hold passwords. */
static struct error *ask_once(json_t *question, json_t **ret)
{
    _cleanup_free_ char *text = json_dumps(question, JSON_COMPACT);
    _cleanup_str_ struct str answer = STR_INIT;
    struct error *e = run_child(text, strlen(text), &answer);

    explicit_bzero(text, strlen(text));
    return e ? e : read_answer(&answer, ret);
}

static struct error *ask(struct machine *m, json_t *question, json_t **ret)
{
    struct error *e = atomic_fetch_add(&m->directory_questions, 1) < DIRECTORY_QUESTIONS
                          ? ask_once(question, ret)
                          : error_api("TOO_MANY_PENDING_TASKS", 0);

    atomic_fetch_sub(&m->directory_questions, 1);
    return e;
}

static bool is_answer(const struct error *e)
{
    return error_is(e, "SESSION_AUTHENTICATION_FAILED") ||
           error_is(e, "SUBJECT_CANNOT_BE_RESOLVED") || error_is(e, "TOO_MANY_PENDING_TASKS");
}

/* Whoever logs in is not told more than that it failed; the log is. */
static struct error *service_error(struct error *e)
{
    if (!e || is_answer(e))
        return e;
    _cleanup_free_ char *text = e->code && e->n_params ? xstrdup(e->params[0]) : error_string(e);

    error_free(e);
    log_warning("the directory cannot be asked: %s", text);
    return error_api("AUTH_SERVICE_ERROR", 1, text);
}

static struct error *read_config(const struct machine *m, json_t **ret)
{
    _cleanup_free_ char *path = config_path(m);
    _cleanup_str_ struct str text = STR_INIT;

    if (access(path, F_OK) < 0)
        return error_api("AUTH_SERVICE_ERROR", 1,
                         "this host does not know how to ask the directory: disable and enable it");
    TRY(io_read_file(path, CONFIG_MAX, &text));
    struct error *e = json_parse(str_cstr(&text), text.len, ret);

    explicit_bzero(text.s, text.len);
    return e;
}

/* Takes `what`. */
static struct error *ask_who(struct machine *m, json_t *what, struct arena *a,
                             struct host_account_rec *ret)
{
    _cleanup_json_ json_t *question = what, *config = NULL, *answer = NULL;
    struct error *e = read_config(m, &config);

    if (!e)
        json_object_set(question, "config", config);
    if (!e)
        e = ask(m, question, &answer);
    if (!e)
        e = record_from_json(a, &host_account_rec_info, answer, ret, NULL);
    return service_error(e);
}

struct error *directory_server_login(struct machine *m, const char *user, const char *password,
                                     struct arena *a, struct host_account_rec *ret)
{
    *ret = (struct host_account_rec){.id = "", .name = "", .full_name = ""};
    if (!*user || strlen(user) > NAME_MAX_LEN || !*password || strlen(password) > SECRET_MAX_LEN)
        return error_api("SESSION_AUTHENTICATION_FAILED", 2, user, "Authentication failure");
    return ask_who(
        m, json_pack("{s:s, s:s, s:s}", "do", "login", "who", user, "password", password), a, ret);
}

struct error *directory_server_find(struct machine *m, const char *who, struct arena *a,
                                    struct host_account_rec *ret)
{
    *ret = (struct host_account_rec){.id = "", .name = "", .full_name = ""};
    if (!*who || strlen(who) > WHO_MAX)
        return error_api("SUBJECT_CANNOT_BE_RESOLVED", 0);
    return ask_who(m, json_pack("{s:s, s:s}", "do", "find", "who", who), a, ret);
}

/* ---- the configuration ---- */

static bool is_key(const char *k)
{
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        if (streq(keys[i], k))
            return true;
    return false;
}

static struct error *make_config(const struct map_string_string *config, const char *ca,
                                 json_t **ret)
{
    _cleanup_json_ json_t *j = json_object();
    size_t size = strlen(ca);

    for (size_t i = 0; i < config->n; i++) {
        if (!is_key(config->k[i])) {
            _cleanup_free_ char *text = xasprintf("there is no key \"%.100s\"", config->k[i]);

            return error_api("AUTH_ENABLE_FAILED", 1, text);
        }
        size += strlen(config->k[i]) + strlen(config->v[i]);
        json_object_set_new(j, config->k[i], json_string(config->v[i]));
    }
    if (size > CONFIG_MAX / 4) /* what JSON may make of it fits */
        return error_api("AUTH_ENABLE_FAILED", 1, "the configuration is larger than 64 KiB");
    if (*ca && !json_object_get(j, "ca"))
        json_object_set_new(j, "ca", json_string(ca));
    *ret = TAKE_PTR(j);
    return NULL;
}

/* The child names the kind; the catalogue has a code for most of them. */
static struct error *enable_error(struct error *e)
{
    if (!e || error_is(e, "TOO_MANY_PENDING_TASKS"))
        return e;
    _cleanup_free_ char *text = e->code && e->n_params ? xstrdup(e->params[0]) : error_string(e);
    _cleanup_free_ char *code = error_is(e, "TLS") ? xstrdup("AUTH_SETUP_TLS_CONNECTION")
                                : !e->code || str_starts(e->code, "AUTH")
                                    ? xstrdup("AUTH_ENABLE_FAILED")
                                    : xasprintf("AUTH_ENABLE_FAILED_%s", e->code);

    error_free(e);
    return error_api(code, 1, text);
}

static struct error *keep(const struct machine *m, json_t *config)
{
    _cleanup_free_ char *path = config_path(m);
    _cleanup_free_ char *text = json_dumps(config, JSON_COMPACT);
    struct error *e = io_write_file(path, text, strlen(text), 0600);

    explicit_bzero(text, strlen(text));
    return e;
}

struct error *directory_server_set(struct machine *m, const struct map_string_string *config,
                                   const char *ca)
{
    _cleanup_json_ json_t *j = NULL, *answer = NULL, *question = NULL;
    _cleanup_free_ char *path = config_path(m);

    if (!config->n)
        return io_unlink(path);
    TRY(make_config(config, ca, &j));
    question = json_pack("{s:s, s:O}", "do", "check", "config", j);
    TRY(enable_error(ask(m, question, &answer)));
    return keep(m, j);
}
