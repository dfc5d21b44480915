/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The directory that people other than root come from: the accounts of the host (type "PAM"), or a
 * server that hostd asks (type "LDAP"). On and off with enable_external_auth; who of it may log in
 * is said by rows of class subject.
 *
 * All of it asks hostd and may block for as long as a directory server takes.
 */

#include "base/error.h"
#include "gen/host_proto.h"
#include "rpc/call.h"

#define DIRECTORY_ACCOUNTS "PAM"
#define DIRECTORY_SERVER   "LDAP"

/* What a look into it needs: the transaction is read from, answers are in the arena. */
struct directory {
    struct daemon *daemon;
    struct txn *txn;
    struct arena *arena;
};

static inline struct directory directory_of(const struct call *c)
{
    return (struct directory){.daemon = c->daemon, .txn = c->txn, .arena = c->arena};
}

/* AUTH_IS_DISABLED while no directory is in use. */
_must_check_ struct error *directory_check_on(const struct directory *d);
/* SUBJECT_CANNOT_BE_RESOLVED; AUTH_SERVICE_ERROR or TOO_MANY_PENDING_TASKS of a server. */
_must_check_ struct error *directory_find(const struct directory *d, const char *who,
                                          struct host_account_rec *ret);

/* Roles of somebody: those of the own subject and of those of the groups. *ret_subject: reference
 * of one of them, or the null reference. */
uint32_t directory_roles(const struct directory *d, const struct host_account_rec *who,
                         const char **ret_subject);

/* Somebody who gave a password. */
struct admitted {
    const char *user; /* as the directory writes it, where it has a name of its own */
    bool superuser;
    uint32_t roles;
    const char *subject; /* reference of a row, null = not from the directory */
    const char *id;      /* "" = not from the directory */
};

/* Is there such an account, and is this its password? With a server in use `root` alone is an
 * account of the host. SESSION_AUTHENTICATION_FAILED [user, text], SESSION_AUTHORIZATION_FAILED
 * [user, text] (no subject), RBAC_PERMISSION_DENIED [user, text] (a subject without roles),
 * AUTH_SERVICE_ERROR, TOO_MANY_PENDING_TASKS (the server has all the questions it may have: ask
 * again soon). */
_must_check_ struct error *directory_admit(const struct directory *d, const char *user,
                                           const char *password, struct admitted *ret);
/* Is it one of those that say no to whoever asked? They are [user, text]. */
bool directory_is_refusal(const struct error *e);
/* The same for accounts of the host alone; roles are not looked at. */
_must_check_ struct error *directory_admit_local(const struct directory *d, const char *user,
                                                 const char *password, struct admitted *ret);
