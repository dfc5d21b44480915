/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xenolith-ldap: one question to a directory server, for xenolith-hostd (hostd/directory_server.h),
 * which starts it without privileges and ends it when its time is up. Standard input has the
 * question,
 * {"do", "who", "password", "config"}; standard output gets the account, or {"error"}; standard
 * error a line for each step.
 */
#include "base/mem.h"
#include "base/str.h"
#include "ldap/people.h"
#include "sandbox/privileges.h"
#include "sandbox/syscalls.h"
#include "value/json.h"

#include <errno.h>
#include <sys/resource.h>

#define QUESTION_MAX (512u << 10)

/* Whatever a server sends, this program stays small; it writes certificates to memory only. */
static void limit_self(void)
{
    const struct rlimit memory = {256u << 20, 256u << 20}, cpu = {10, 10};
    const struct rlimit file = {QUESTION_MAX, QUESTION_MAX}, none = {0, 0};

    if (syscalls_can_limit()) /* sanitizers need more */
        setrlimit(RLIMIT_AS, &memory);
    setrlimit(RLIMIT_CPU, &cpu);
    setrlimit(RLIMIT_FSIZE, &file);
    setrlimit(RLIMIT_CORE, &none);
}

static struct error *read_question(json_t **ret)
{
    _cleanup_str_ struct str text = STR_INIT;
    char buf[4096];
    ssize_t n;

    while ((n = TEMP_FAILURE_RETRY(read(STDIN_FILENO, buf, sizeof(buf)))) > 0) {
        str_add_mem(&text, buf, (size_t)n);
        if (text.len > QUESTION_MAX)
            return error_text("the question is too long");
    }
    return json_parse(str_cstr(&text), text.len, ret);
}

static const char *member(const json_t *question, const char *name)
{
    const char *v = json_string_value(json_object_get(question, name));

    return v ? v : "";
}

static struct error *ask(struct server *s, const json_t *question, json_t **ret)
{
    const char *what = member(question, "do"), *who = member(question, "who");

    if (streq(what, "login"))
        return people_login(s, who, member(question, "password"), ret);
    if (streq(what, "find"))
        return people_find(s, who, ret);
    if (!streq(what, "check"))
        return error_text("this question is not known");
    *ret = json_object();
    return people_check(s);
}

static struct error *answer(json_t **ret)
{
    _cleanup_json_ json_t *question = NULL;
    struct settings settings;
    struct server s;

    TRY(privileges_no_dump());
    TRY(read_question(&question));
    TRY(settings_read(json_object_get(question, "config"), &settings));
    struct error *e = server_open(&settings, &s);

    if (!e)
        e = ask(&s, question, ret);
    server_close(&s);
    return e;
}

int main(void)
{
    _cleanup_json_ json_t *j = NULL;

    json_own_memory();
    limit_self();
    setenv("LDAPNOINIT", "1", 1); /* no settings but those of the question */
    struct error *e = answer(&j);

    if (e) {
        e = error_to_api(e);
        json_decref(j);
        j = json_pack("{s:o}", "error", error_to_json(e));
        error_free(e);
    }
    _cleanup_free_ char *text = json_dumps(j, JSON_COMPACT);

    puts(text);
    _exit(fflush(stdout) ? 1 : 0); /* libraries that tidy up need more than this process may do */
}
