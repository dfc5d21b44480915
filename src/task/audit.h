/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Who asked for what: a line for each call that may change something, each login, each refusal for
 * want of a role, in files that only grow to a bound.
 *
 *     [20260131T12:34:56.123Z|audit|HOST|TASK LABEL|TASK|audit] ('trackid=HASH' 'USER' 'ALLOWED'
 *     'OK' 'API' 'VM.start' (('vm' 'NAME' 'UUID' 'REFERENCE')))          (one line)
 *
 * trackid is the same for all calls of a session and tells nothing about it; ALLOWED is DENIED
 * where a role was missing; OK is "ERROR:" and the code of a failure. Only references stand among
 * the arguments: what else was given may be secret. The files are DIR/audit.log, and audit.log.1
 * to audit.log.4, older ones with higher numbers. Lines are not flushed: a power cut may take the
 * last seconds. Source: the audit log of XenAPI servers.
 *
 * Any thread. Two programs may write at the same time (one takes over from the other).
 */

#include "base/error.h"
#include "base/str.h"

#define AUDIT_FILES    5
#define AUDIT_FILE_MAX (8ll << 20)
#define AUDIT_LINE_MAX 8192
/* Who cannot log in must not be able to push out what others did. */
#define AUDIT_STRANGERS_PER_MINUTE 60

struct audit;

struct audit_record {
    const char *session; /* reference, "" = none */
    const char *user;
    const char *kind; /* "API", "HTTP" */
    const char *call; /* "VM.start" */
    const char *task; /* reference, "" = none */
    const char *args; /* as audit_add_arg wrote them, without the outermost parentheses */
    bool denied;
    bool stranger;       /* nobody was logged in: only so many a minute are kept */
    const char *failure; /* code, NULL = it went well */
};

_must_check_ struct error *audit_new(const char *dir, struct audit **ret);
void audit_free(struct audit *a);
/* a may be NULL: nothing is kept. A failure is logged, once until it goes well again. */
void audit_write(struct audit *a, const struct audit_record *r);
void audit_add_arg(struct str *out, const char *name, const char *label, const char *uuid,
                   const char *ref);

/* All files that there are, the oldest first, for reading; the caller closes them. */
size_t audit_open_all(const char *dir, int ret[AUDIT_FILES]);
/* Does the line begin with a time that is not before since ("20260131T12:34:56")? */
bool audit_is_since(const char *line, size_t n, const char *since);
