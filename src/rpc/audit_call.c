/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which calls stand in the audit log, and what is told of their arguments. */
#include "rpc/audit_call.h"

#include "gen/roles.h"
#include "task/audit.h"

/* Whatever may change something, and who comes and goes. What asks the host counts as a change
 * unless everybody may. */
static bool is_audited(const struct message *m)
{
    bool everybody = m->roles & ROLE_BIT(ROLE_READ_ONLY);

    if (m->kind != MSG_EXPLICIT && m->kind != MSG_CREATE && m->kind != MSG_DESTROY)
        return m->kind >= MSG_SET_FIELD;
    if (m->flags & (MSG_READ | MSG_PARK))
        return false;
    if (m->flags & (MSG_WRITE | MSG_PLAN | MSG_NO_SESSION))
        return true;
    return !everybody;
}

static const char *text_at(const struct struct_info *si, const void *rec, int field)
{
    return field < 0 ? "" : *(const char *const *)field_at(&si->fields[field], rec);
}

static void add_ref(const struct job *j, struct str *out, const char *name, unsigned class_id,
                    const char *ref)
{
    _cleanup_version_ struct version *v =
        store_find(j->call.daemon->store, (enum class_id)class_id, ref);
    const struct class_info *ci = &classes[class_id];

    if (v)
        audit_add_arg(out, name, text_at(ci->info, v->rec, field_find(ci->info, "name_label")),
                      text_at(ci->info, v->rec, ci->field_uuid), ref);
    else
        audit_add_arg(out, name, "", "", ref);
}

/* References among the arguments; lists of them and members of structs are left out. */
static void add_args(const struct job *j, struct str *out)
{
    const struct message *m = j->call.msg;
    const struct generic_args *generic = j->args;

    if (!m->args && generic->self) {
        add_ref(j, out, "self", m->class_id, generic->self);
        return;
    }
    for (int i = 0; m->args && i < m->args->n; i++) {
        const struct field *f = &m->args->fields[i];

        if (f->type->kind == K_REF && f->type->class_id)
            add_ref(j, out, f->name, f->type->class_id, *(const char *const *)field_at(f, j->args));
    }
}

void audit_call_note(struct job *j)
{
    _cleanup_str_ struct str text = STR_INIT;

    if (!j->call.daemon->audit || !is_audited(j->call.msg))
        return;
    add_args(j, &text);
    j->audit = arena_memdup0(j->call.arena, str_cstr(&text), text.len);
}

/* Who logs in has a name only among the arguments. */
static const char *user_of(const struct job *j)
{
    const struct message *m = j->call.msg;
    const char *user = j->call.user;

    if (!*user && m->flags & MSG_NO_SESSION && m->args && m->args->n &&
        streq(m->args->fields[0].name, "uname"))
        user = json_string_value(json_array_get(j->env.params, 0));
    return user ? user : "";
}

void audit_call_end(const struct job *j, const struct error *e)
{
    const struct call *c = &j->call;
    bool denied = error_is(e, ERR_RBAC_PERMISSION_DENIED);

    if (!c->msg || (!j->audit && !denied))
        return;
    const struct audit_record r = {.session = c->session,
                                   .user = user_of(j),
                                   .kind = "API",
                                   .call = c->msg->name,
                                   .task = c->task,
                                   .args = j->audit,
                                   .denied = denied,
                                   .stranger = !*c->session && e,
                                   .failure = e ? e->code : NULL};

    audit_write(c->daemon->audit, &r);
}
