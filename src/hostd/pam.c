/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hostd/pam.h"

#include "base/io.h"
#include "base/mem.h"
#include "base/spawn.h"
#include "base/world.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <security/pam_appl.h>

#define SERVICE    "xenolith"
#define HELPER_FD  3
#define QUESTION   1024
#define TIMEOUT_US (60 * SECOND_US)
/* What the helper writes: nothing, or this for uid 0. */
#define SUPERUSER "superuser\n"
#define ACCEPTED  "user\n"

static int converse(int n, const struct pam_message **m, struct pam_response **ret, void *arg)
{
    struct pam_response *r = xnew_array(struct pam_response, (size_t)n);

    for (int i = 0; i < n; i++) {
        if (m[i]->msg_style == PAM_PROMPT_ECHO_OFF)
            r[i].resp = xstrdup(arg);
    }
    *ret = r; /* PAM frees */
    return PAM_SUCCESS;
}

static int authenticate(const char *user, char *password)
{
    struct pam_conv conv = {.conv = converse, .appdata_ptr = password};
    pam_handle_t *h;
    int r = pam_start(SERVICE, user, &conv, &h);

    if (r != PAM_SUCCESS)
        return r;
    r = pam_authenticate(h, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
    if (r == PAM_SUCCESS)
        r = pam_acct_mgmt(h, PAM_SILENT);
    pam_end(h, r);
    return r;
}

static bool is_superuser(const char *user)
{
    char buf[4096];
    struct passwd pw, *found;

    return getpwnam_r(user, &pw, buf, sizeof(buf), &found) == 0 && found && pw.pw_uid == 0;
}

int pam_helper_main(void)
{
    char question[QUESTION];
    ssize_t n = TEMP_FAILURE_RETRY(read(HELPER_FD, question, sizeof(question) - 1));

    if (n <= 0)
        return 2;
    question[n] = 0;
    char *password = question + strlen(question) + 1;

    if (password >= question + n || authenticate(question, password) != PAM_SUCCESS)
        return 1;
    fputs(is_superuser(question) ? SUPERUSER : ACCEPTED, stdout);
    return 0;
}

static struct error *refused(const char *user)
{
    return error_api("SESSION_AUTHENTICATION_FAILED", 2, user, "Authentication failure");
}

struct error *pam_check(const char *user, const char *password, bool *ret_superuser)
{
    char question[QUESTION];
    int ends[2];
    int n = snprintf(question, sizeof(question), "%s%c%s", user, 0, password);

    if (n < 0 || (size_t)n >= sizeof(question))
        return refused(user);
    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_errno(errno, "cannot make a pipe");
    _cleanup_close_ int out = ends[0];
    _cleanup_close_ int in = ends[1];
    struct error *e = io_write_all(in, question, (size_t)n + 1); /* fits into the pipe */

    explicit_bzero(question, sizeof(question));
    cleanup_close(&in);
    if (e)
        return e;
    _cleanup_spawn_ struct spawn s;
    _cleanup_str_ struct str answer = STR_INIT;

    spawn_init(&s, "/proc/self/exe");
    spawn_add(&s, "--pam-helper");
    spawn_pass_fd(&s, out, HELPER_FD);
    e = spawn_run(&s, TIMEOUT_US, 64, &answer);
    if (e || (!streq(str_cstr(&answer), SUPERUSER) && !streq(str_cstr(&answer), ACCEPTED))) {
        error_free(e);
        return refused(user);
    }
    *ret_superuser = streq(str_cstr(&answer), SUPERUSER);
    return NULL;
}
