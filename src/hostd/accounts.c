/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hostd/accounts.h"

#include "base/io.h"
#include "base/mem.h"
#include "base/world.h"
#include "gen/host_proto.h"
#include "hostd/pam.h"
#include "value/number.h"

#include <crypt.h>
#include <errno.h>
#include <grp.h>
#include <pthread.h>
#include <pwd.h>

#define FILE_MAX       65536
#define NAME_MAX_LEN   255
#define SECRET_MAX_LEN 255

struct accounts {
    bool pam;
    char *path;           /* <state>/accounts */
    char *first_path;     /* <state>/password */
    char *nobody;         /* a hash that counts for accounts that are not there */
    pthread_mutex_t lock; /* the file, nobody */
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
    free(a->nobody);
    free(a);
}

/* The same for all who are not there: whether somebody is must not show in the time it takes. */
static struct error *hash_of_nobody(struct accounts *a, char **ret)
{
    struct error *e = NULL;

    pthread_mutex_lock(&a->lock);
    if (!a->nobody)
        e = hash("", &a->nobody);
    if (!e)
        *ret = xstrdup(a->nobody);
    pthread_mutex_unlock(&a->lock);
    return e;
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
    return hash_of_nobody(a, ret);
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

/* ---- who somebody is */

#define GROUPS_MAX 256
#define ENTRY_MAX  16384

static struct error *not_found(void)
{
    return error_api("SUBJECT_CANNOT_BE_RESOLVED", 0);
}

/* "u1000": the number behind the letter. */
static bool is_id(const char *who, char letter, unsigned *ret)
{
    int64_t n;

    if (who[0] != letter || !number_parse_int(who + 1, &n) || n < 0 || n > UINT32_MAX)
        return false;
    *ret = (unsigned)n;
    return true;
}

static void fill_user(struct arena *arena, const struct passwd *pw, struct host_account_rec *ret)
{
    _cleanup_free_ gid_t *ids = xnew_array(gid_t, GROUPS_MAX);
    int n = GROUPS_MAX;

    if (getgrouplist(pw->pw_name, pw->pw_gid, ids, &n) < 0)
        n = GROUPS_MAX; /* the first ones */
    const char **v = arena_array(arena, const char *, (size_t)n);

    for (int i = 0; i < n; i++)
        v[i] = arena_printf(arena, "g%u", (unsigned)ids[i]);
    *ret = (struct host_account_rec){
        .id = arena_printf(arena, "u%u", (unsigned)pw->pw_uid),
        .name = arena_strdup(arena, pw->pw_name),
        .full_name = arena_memdup0(arena, pw->pw_gecos, strcspn(pw->pw_gecos, ",")),
        .groups = {.n = (size_t)n, .v = v},
    };
}

static struct error *find_group(const char *who, struct arena *arena, struct host_account_rec *ret)
{
    char *buf = arena_zalloc(arena, ENTRY_MAX);
    struct group gr, *found = NULL;
    unsigned id;

    if (is_id(who, 'g', &id))
        getgrgid_r(id, &gr, buf, ENTRY_MAX, &found);
    else
        getgrnam_r(who, &gr, buf, ENTRY_MAX, &found);
    if (!found)
        return not_found();
    *ret = (struct host_account_rec){
        .id = arena_printf(arena, "g%u", (unsigned)found->gr_gid),
        .name = arena_strdup(arena, found->gr_name),
        .full_name = "",
        .is_group = true,
    };
    return NULL;
}

static struct error *find_in_system(const char *who, struct arena *arena,
                                    struct host_account_rec *ret)
{
    char *buf = arena_zalloc(arena, ENTRY_MAX);
    struct passwd pw, *found = NULL;
    unsigned id;

    if (is_id(who, 'u', &id))
        getpwuid_r(id, &pw, buf, ENTRY_MAX, &found);
    else
        getpwnam_r(who, &pw, buf, ENTRY_MAX, &found);
    if (!found)
        return find_group(who, arena, ret);
    fill_user(arena, found, ret);
    return NULL;
}

struct error *accounts_find(struct accounts *a, const char *who, struct arena *arena,
                            struct host_account_rec *ret)
{
    const char *name = str_starts(who, "u:") ? who + 2 : who;
    _cleanup_free_ char *unused = NULL;
    bool found = false;

    if (!*who || strlen(who) > NAME_MAX_LEN)
        return not_found();
    if (a->pam)
        return find_in_system(who, arena, ret);
    if (strpbrk(name, ":\n"))
        return not_found();
    TRY(find_hash(a, name, &unused, &found));
    if (!found)
        return not_found();
    *ret = (struct host_account_rec){.id = arena_printf(arena, "u:%s", name),
                                     .name = arena_strdup(arena, name),
                                     .full_name = ""};
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
