/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ldap/people.h"

#include "base/mem.h"
#include "base/uuid.h"
#include "ldap/filter.h"
#include "value/json.h"

#define GROUPS_MAX 1000
#define NAME_TEXT  512

/* One entry, with what is asked of all. */
struct entry {
    char *dn; /* of the library */
    char *id;
    char *name; /* "" = it has none */
    char *full_name;
};

static void entry_fini(struct entry *e)
{
    ldap_memfree(e->dn);
    free(e->id);
    free(e->name);
    free(e->full_name);
}

static void cleanup_messages(LDAPMessage **m)
{
    if (*m)
        ldap_msgfree(*m);
}

#define _cleanup_entry_    _cleanup_(entry_fini)
#define _cleanup_messages_ _cleanup_(cleanup_messages)

/* ---- an entry's words ---- */

/* The first value as text: bounded, without control characters. "" = none. The caller frees. */
static char *value_of(struct server *s, LDAPMessage *m, const char *attribute)
{
    struct berval **values = ldap_get_values_len(s->ld, m, attribute);
    char *text = xstrdup("");

    if (values && values[0]) {
        free(text);
        text = xmemdup0(values[0]->bv_val, MIN(values[0]->bv_len, NAME_TEXT));
    }
    ldap_value_free_len(values);
    for (char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
    return text;
}

static void read_entry(struct server *s, LDAPMessage *m, const char *name, struct entry *ret)
{
    _cleanup_free_ char *display = value_of(s, m, "displayName");

    ret->dn = ldap_get_dn(s->ld, m);
    ret->id = value_of(s, m, "entryUUID");
    if (!*ret->id) {
        free(ret->id);
        ret->id = xstrdup(ret->dn ? ret->dn : "");
    }
    ret->name = value_of(s, m, name);
    ret->full_name = *display ? TAKE_PTR(display) : value_of(s, m, "cn");
}

/* Texts need not be UTF-8, whatever the standard says; JSON must. */
static json_t *text_of(const char *s)
{
    json_t *j = json_string(s);

    return j ? j : json_string("?");
}

static json_t *account_of(const struct entry *e, bool is_group, json_t *groups)
{
    return json_pack("{s:o, s:o, s:o, s:b, s:o}", "id", text_of(e->id), "name",
                     text_of(*e->name ? e->name : e->dn), "full_name", text_of(e->full_name),
                     "is_group", is_group, "groups", groups ? groups : json_array());
}

/* ---- looking ---- */

struct place {
    const char *base;
    int scope;
};

static struct error *search(struct server *s, const struct place *at, const char *filter,
                            bool groups, int max, LDAPMessage **ret)
{
    const char *attributes[] = {"entryUUID", "displayName", "cn",
                                groups ? NULL : s->settings->user_name, NULL};
    const struct search what = {
        .base = at->base,
        .scope = at->scope,
        .filter = filter,
        .key = groups ? "group_filter" : "user_filter",
        .attributes = attributes,
        .max = max,
    };

    return server_search(s, &what, ret);
}

/* *ret_found is false when there is none, and when there are several: who is meant is unknown. */
static struct error *find_one(struct server *s, const struct place *at, const char *filter,
                              bool group, struct entry *ret, bool *ret_found)
{
    _cleanup_messages_ LDAPMessage *m = NULL;

    *ret_found = false;
    TRY(search(s, at, filter, group, 2, &m));
    if (!m || ldap_count_entries(s->ld, m) != 1)
        return NULL;
    read_entry(s, ldap_first_entry(s->ld, m), group ? "cn" : s->settings->user_name, ret);
    *ret_found = ret->dn && *ret->dn;
    return NULL;
}

static struct place everywhere(const struct server *s)
{
    return (struct place){s->settings->base, LDAP_SCOPE_SUBTREE};
}

static struct error *find_groups(struct server *s, const struct entry *who, json_t **ret)
{
    const struct settings *st = s->settings;
    const struct place at = everywhere(s);
    _cleanup_free_ char *filter = filter_and(st->group_filter, st->member,
                                             settings_members_are_names(st) ? who->name : who->dn);
    _cleanup_messages_ LDAPMessage *m = NULL;

    TRY(search(s, &at, filter, true, GROUPS_MAX, &m));
    json_t *groups = json_array();

    for (LDAPMessage *e = m ? ldap_first_entry(s->ld, m) : NULL; e; e = ldap_next_entry(s->ld, e)) {
        _cleanup_entry_ struct entry group = {0};

        read_entry(s, e, "cn", &group);
        json_array_append_new(groups, text_of(group.id));
    }
    *ret = groups;
    return NULL;
}

static struct error *person_account(struct server *s, const struct entry *who, json_t **ret)
{
    json_t *groups = NULL;

    TRY(find_groups(s, who, &groups));
    *ret = account_of(who, false, groups);
    return NULL;
}

/* ---- by identifier ---- */

/* Identifiers lead nowhere else than names do. */
static bool is_below(const char *dn, const char *base)
{
    char *a = NULL, *b = NULL;
    bool below = false;

    if (ldap_dn_normalize(dn, LDAP_DN_FORMAT_LDAPV3, &a, LDAP_DN_FORMAT_LDAPV3) == LDAP_SUCCESS &&
        ldap_dn_normalize(base, LDAP_DN_FORMAT_LDAPV3, &b, LDAP_DN_FORMAT_LDAPV3) == LDAP_SUCCESS) {
        size_t n = strlen(a), m = strlen(b);

        below = n >= m && !strcasecmp(a + n - m, b) && (n == m || a[n - m - 1] == ',');
    }
    ldap_memfree(a);
    ldap_memfree(b);
    return below;
}

struct identity {
    struct place at;
    const char *attribute; /* NULL = the place says it all */
    const char *value;
};

static bool is_identity(const struct server *s, const char *who, struct identity *ret)
{
    if (uuid_is_valid(who)) {
        *ret = (struct identity){.at = everywhere(s), .attribute = "entryUUID", .value = who};
        return true;
    }
    *ret = (struct identity){.at = {who, LDAP_SCOPE_BASE}};
    return strchr(who, '=') && is_below(who, s->settings->base);
}

static struct error *find_identity(struct server *s, const struct identity *id, bool group,
                                   struct entry *ret, bool *ret_found)
{
    _cleanup_free_ char *any =
        group ? xstrdup(s->settings->group_filter) : filter_for_anyone(s->settings->user_filter);
    _cleanup_free_ char *filter =
        id->attribute ? filter_and(any, id->attribute, id->value) : xstrdup(any);

    return find_one(s, &id->at, filter, group, ret, ret_found);
}

/* ---- questions ---- */

static struct error *find_named(struct server *s, const char *name, bool group, struct entry *ret,
                                bool *ret_found)
{
    const struct place at = everywhere(s);
    _cleanup_free_ char *filter = group ? filter_and(s->settings->group_filter, "cn", name)
                                        : filter_for_name(s->settings->user_filter, name);

    return find_one(s, &at, filter, group, ret, ret_found);
}

struct error *people_find(struct server *s, const char *who, json_t **ret)
{
    struct identity id;
    const bool by_id = is_identity(s, who, &id);

    /* An identifier before a name, a person before a group. */
    for (int i = by_id ? 0 : 2; i < 4; i++) {
        _cleanup_entry_ struct entry e = {0};
        bool group = i % 2, found;

        TRY(i < 2 ? find_identity(s, &id, group, &e, &found)
                  : find_named(s, who, group, &e, &found));
        if (!found)
            continue;
        if (!group)
            return person_account(s, &e, ret);
        *ret = account_of(&e, true, NULL);
        return NULL;
    }
    return error_api("SUBJECT_CANNOT_BE_RESOLVED", 0);
}

/* The password comes last: from then on the connection is that person's, who need not be allowed to
 * look at groups. */
struct error *people_login(struct server *s, const char *name, const char *password, json_t **ret)
{
    _cleanup_entry_ struct entry who = {0};
    _cleanup_json_ json_t *account = NULL;
    bool ok = false;

    TRY(find_named(s, name, false, &who, &ok));
    if (ok)
        TRY(person_account(s, &who, &account));
    if (ok)
        TRY(server_bind_as(s, who.dn, password, &ok));
    if (!ok)
        return error_api("SESSION_AUTHENTICATION_FAILED", 2, name, "Authentication failure");
    *ret = TAKE_PTR(account);
    return NULL;
}

static struct error *check_base(struct server *s)
{
    const struct place at = {s->settings->base, LDAP_SCOPE_BASE};
    _cleanup_messages_ LDAPMessage *m = NULL;

    TRY(search(s, &at, "(objectClass=*)", false, 1, &m));
    if (m && ldap_count_entries(s->ld, m) == 1)
        return NULL;
    _cleanup_free_ char *text = xasprintf("base: there is no entry %s", s->settings->base);

    return error_api("INVALID_OU", 1, text);
}

struct error *people_check(struct server *s)
{
    const struct settings *st = s->settings;
    const struct place at = everywhere(s);
    _cleanup_free_ char *users = filter_for_anyone(st->user_filter);
    _cleanup_free_ char *groups = filter_and(st->group_filter, st->member, st->base);
    _cleanup_messages_ LDAPMessage *some = NULL, *others = NULL;

    TRY(check_base(s));
    TRY(search(s, &at, users, false, 1, &some));
    return search(s, &at, groups, true, 1, &others);
}
