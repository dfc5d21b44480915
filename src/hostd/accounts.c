/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hostd/accounts.h"

#include "base/io.h"
#include "base/mem.h"
#include "base/world.h"
#include "hostd/pam.h"

#include <crypt.h>
#include <errno.h>
#include <pthread.h>

#define FILE_MAX       65536
#define NAME_MAX_LEN   255
#define SECRET_MAX_LEN 255

struct accounts {
    bool pam;
    char *path;           /* <state>/accounts */
    char *first_path;     /* <state>/password */
    pthread_mutex_t lock; /* the file */
};

static struct error *hash(const char *password, char **ret)
{
    _cleanup_free_ struct crypt_data *data = xnew(struct crypt_data);
    _cleanup_free_ char *salt = crypt_gensalt_ra(NULL, 0, NULL, 0);
    const char *h = salt ? crypt_r(password, salt, data) : NULL;

    if (!h || h[0] == '*')
        return error_errno(errno, "cannot hash a password");
    *ret = xstrdup(h);
    explicit_bzero(data, sizeof(*data));
    return NULL;
}

static struct error *write_account(struct accounts *a, const char *user, const char *password)
{
    _cleanup_free_ char *h = NULL;

    TRY(hash(password, &h));
    _cleanup_free_ char *line = xasprintf("%s:%s\n", user, h);

    return io_write_file(a->path, line, strlen(line), 0600);
}

/* 24 letters and digits without look-alikes: 120 bits and more. */
static void random_password(char ret[25])
{
    static const char letters[] = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    const size_t n = sizeof(letters) - 1;

    for (int i = 0; i < 24;) {
        unsigned char c;

        world->random(&c, 1);
        if (c < 256 / n * n) /* the rest would make some letters likelier */
            ret[i++] = letters[c % n];
    }
    ret[24] = 0;
}

/* The password first: an account whose password nobody knows would be worse than none. */
static struct error *make_first(struct accounts *a)
{
    char password[25];

    random_password(password);
    _cleanup_free_ char *line = xasprintf("%s\n", password);

    TRY(io_write_file(a->first_path, line, strlen(line), 0600));
    return write_account(a, "root", password);
}

struct error *accounts_open(const char *state_dir, const char *how, struct accounts **ret)
{
    struct accounts *a = xnew(struct accounts);

    a->pam = streq(how, "pam");
    a->path = xasprintf("%s/accounts", state_dir);
    a->first_path = xasprintf("%s/password", state_dir);
    pthread_mutex_init(&a->lock, NULL);
    struct error *e = !a->pam && access(a->path, F_OK) < 0 ? make_first(a) : NULL;

    if (e) {
        accounts_close(a);
        return e;
    }
    *ret = a;
    return NULL;
}

void accounts_close(struct accounts *a)
{
    if (!a)
        return;
    pthread_mutex_destroy(&a->lock);
    free(a->path);
    free(a->first_path);
    free(a);
}

/* The hash of an account, or one that no password fits. */
static struct error *find_hash(struct accounts *a, const char *user, char **ret, bool *ret_found)
{
    _cleanup_str_ struct str text = STR_INIT;
    char *save = NULL;

    pthread_mutex_lock(&a->lock);
    struct error *e = io_read_file(a->path, FILE_MAX, &text);

    pthread_mutex_unlock(&a->lock);
    if (e)
        return e;
    *ret_found = false;
    for (char *line = strtok_r(text.s, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char *colon = strchr(line, ':');

        if (!colon)
            continue;
        *colon = 0;
        if (streq(line, user)) {
            *ret = xstrdup(colon + 1);
            *ret_found = true;
            return NULL;
        }
    }
    return hash("", ret);
}

static bool equal_in_constant_time(const char *a, const char *b)
{
    size_t n = strlen(a);
    unsigned char differ = n != strlen(b);

    for (size_t i = 0; i < n && b[i]; i++)
        differ |= (unsigned char)(a[i] ^ b[i]);
    return !differ;
}

static struct error *refused(const char *user)
{
    return error_api("SESSION_AUTHENTICATION_FAILED", 2, user, "Authentication failure");
}

struct error *accounts_check(struct accounts *a, const char *user, const char *password,
                             bool *ret_superuser)
{
    _cleanup_free_ struct crypt_data *data = xnew(struct crypt_data);
    _cleanup_free_ char *want = NULL;
    bool found;

    if (strlen(user) > NAME_MAX_LEN || strlen(password) > SECRET_MAX_LEN || strpbrk(user, ":\n"))
        return refused(user);
    if (a->pam)
        return pam_check(user, password, ret_superuser);
    TRY(find_hash(a, user, &want, &found));
    const char *got = crypt_r(password, want, data);

    if (!got || got[0] == '*' || !equal_in_constant_time(got, want) || !found)
        return refused(user);
    *ret_superuser = streq(user, "root");
    return NULL;
}

struct error *accounts_set_password(struct accounts *a, const char *user, const char *password)
{
    if (a->pam)
        return error_api("CHANGE_PASSWORD_REJECTED", 1, "accounts of the host are changed there");
    if (strlen(password) < 1 || strlen(password) > SECRET_MAX_LEN)
        return error_api("CHANGE_PASSWORD_REJECTED", 1, "the password must have 1 to 255 bytes");
    if (!streq(user, "root"))
        return error_api("CHANGE_PASSWORD_REJECTED", 1, "no such account");
    pthread_mutex_lock(&a->lock);
    struct error *e = write_account(a, user, password);

    if (!e)
        e = io_unlink(a->first_path);
    pthread_mutex_unlock(&a->lock);
    return e;
}
