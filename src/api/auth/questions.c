/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What clients ask of the directory: who somebody is, and in which groups. */
#include "api/auth/directory.h"
#include "api/common/lists.h"
#include "gen/msg/auth.h"

struct error *api_auth_get_subject_identifier(struct call *c,
                                              const struct auth_get_subject_identifier_args *a,
                                              const char **ret)
{
    const struct directory d = directory_of(c);
    struct host_account_rec who;

    TRY(directory_check_on(&d));
    TRY(directory_find(&d, a->subject_name, &who));
    *ret = who.id;
    return NULL;
}

struct error *api_auth_get_subject_information_from_identifier(
    struct call *c, const struct auth_get_subject_information_from_identifier_args *a,
    struct map_string_string *ret)
{
    const struct directory d = directory_of(c);
    struct host_account_rec who;

    TRY(directory_check_on(&d));
    TRY(directory_find(&d, a->subject_identifier, &who));
    const char *const pairs[] = {
        "subject-name",
        who.name,
        "subject-upn",
        who.name,
        "subject-sid",
        who.id,
        "subject-gecos",
        who.full_name,
        "subject-displayname",
        *who.full_name ? who.full_name : who.name,
        "subject-is-group",
        who.is_group ? "true" : "false",
        NULL,
    };

    *ret = map_of(c->arena, pairs);
    return NULL;
}

struct error *api_auth_get_group_membership(struct call *c,
                                            const struct auth_get_group_membership_args *a,
                                            struct set_string *ret)
{
    const struct directory d = directory_of(c);
    struct host_account_rec who;

    TRY(directory_check_on(&d));
    TRY(directory_find(&d, a->subject_identifier, &who));
    *ret = who.groups;
    return NULL;
}
