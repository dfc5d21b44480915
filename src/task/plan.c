/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A plan's intent and state: the task row, the marks in current_operations, the JSON object. */
#include "task/plan_priv.h"

#include "base/world.h"
#include "task/task_row.h"

#define STATE_MARKS  "marks"
#define STATE_RESULT "result"

struct plan *plan_new(struct daemon *d, const struct plan_type *type)
{
    struct plan *p = xnew(struct plan);

    arena_init(&p->arena);
    list_init(&p->link);
    list_init(&p->waiter.link);
    p->daemon = d;
    p->type = type;
    p->state = json_object();
    p->start_us = mono_us();
    return p;
}

void plan_free(struct plan *p)
{
    if (!p)
        return;
    json_decref(p->state);
    error_free(p->why);
    free(p->task_ref);
    free(p->label);
    free(p->user);
    arena_fini(&p->arena);
    free(p);
}

void plan_discard(struct plan *p)
{
    engine_unexpect(p->daemon->engine, p);
    plan_free(p);
}

static struct task_rec *new_task_row(struct plan *p, struct txn *t)
{
    struct task_rec *row = txn_new_task(t);

    task_row_begin(row, p->daemon, arena_strdup(txn_arena(t), p->label));
    p->task_ref = xstrdup(row->self);
    return row;
}

struct plan *plan_intend(struct daemon *d, struct txn *t, const struct plan_type *type,
                         const struct intent *in)
{
    struct plan *p = plan_new(d, type);

    p->label = xstrdup(in->label);
    p->user = xstrdup(in->user);
    if (*in->task) {
        struct error *e = txn_edit_task(t, in->task, &p->row);

        p->task_ref = xstrdup(in->task);
        if (e) {
            /* The client destroyed its task already; the work goes on under a row of its own. */
            error_free(e);
            free(p->task_ref);
            p->row = NULL;
        } else {
            txn_harden(t, CLASS_TASK, in->task);
        }
    }
    if (!p->row) {
        p->row = new_task_row(p, t);
        p->row->session = arena_strdup(txn_arena(t), *in->session ? in->session : REF_NULL);
        p->transient = true;
    }
    p->row->session_user = arena_strdup(txn_arena(t), in->user);
    engine_expect(d->engine, p);
    return p;
}

struct plan *plan_begin_internal(struct daemon *d, struct txn *t, const struct plan_type *type,
                                 const char *label)
{
    const struct intent in = {.label = label, .user = "", .session = "", .task = ""};

    return plan_intend(d, t, type, &in);
}

void plan_store(struct plan *p, struct txn *t, struct task_rec *row)
{
    _cleanup_free_ char *text = NULL;

    json_object_set_new(p->state, "transient", json_boolean(p->transient));
    json_object_set_new(p->state, "undoing", json_boolean(p->undoing));
    text = json_dumps(p->state, JSON_COMPACT | JSON_SORT_KEYS);
    row->plan = p->type->name;
    row->plan_state = arena_strdup(txn_arena(t), text);
    row->plan_step = p->step;
}

struct error *plan_save(struct plan *p, struct txn *t)
{
    struct task_rec *row;

    TRY(txn_edit_task(t, p->task_ref, &row));
    plan_store(p, t, row);
    return NULL;
}

/* current_operations of any class: the same name and layout everywhere. */
static struct map_string_enum *operations_of(enum class_id class_id, void *rec)
{
    const struct struct_info *si = classes[class_id].info;
    int field = field_find(si, "current_operations");

    assert(field >= 0);
    return field_at_mut(&si->fields[field], rec);
}

static void operations_add(struct arena *a, struct map_string_enum *m, const char *task, int op)
{
    const char **k = arena_array(a, const char *, m->n + 1);
    int *v = arena_array(a, int, m->n + 1);
    size_t n = 0;

    for (size_t i = 0; i < m->n; i++) {
        if (streq(m->k[i], task))
            continue;
        k[n] = m->k[i];
        v[n++] = m->v[i];
    }
    k[n] = task;
    v[n++] = op;
    *m = (struct map_string_enum){.n = n, .k = k, .v = v};
}

static void operations_remove(struct arena *a, struct map_string_enum *m, const char *task)
{
    operations_add(a, m, task, 0);
    m->n--;
}

struct error *plan_mark(struct plan *p, struct txn *t, enum class_id class_id, const char *ref,
                        int op)
{
    json_t *marks = json_object_get(p->state, STATE_MARKS);
    void *rec;

    TRY(txn_edit(t, class_id, ref, &rec));
    operations_add(txn_arena(t), operations_of(class_id, rec),
                   arena_strdup(txn_arena(t), p->task_ref), op);
    if (!marks) {
        marks = json_array();
        json_object_set_new(p->state, STATE_MARKS, marks);
    }
    json_array_append_new(marks, json_pack("[iss]", op, classes[class_id].name, ref));
    return NULL; /* a mark made twice, in a record that ran again, is taken out twice */
}

static struct error *each_mark(struct plan *p, struct txn *t, bool add)
{
    json_t *marks = json_object_get(p->state, STATE_MARKS), *m;
    size_t i;

    json_array_foreach (marks, i, m) {
        const char *class_name = json_string_value(json_array_get(m, 1));
        const char *ref = arena_strdup(txn_arena(t), json_string_value(json_array_get(m, 2)));
        enum class_id class_id = class_find(class_name);
        void *rec;

        if (class_id == CLASS_NONE || !txn_find(t, class_id, ref))
            continue; /* the plan destroyed it */
        TRY(txn_edit(t, class_id, ref, &rec));
        const char *task = arena_strdup(txn_arena(t), p->task_ref);

        if (add)
            operations_add(txn_arena(t), operations_of(class_id, rec), task,
                           (int)json_integer_value(json_array_get(m, 0)));
        else
            operations_remove(txn_arena(t), operations_of(class_id, rec), task);
    }
    return NULL;
}

struct error *plan_unmark_all(struct plan *p, struct txn *t)
{
    return each_mark(p, t, false);
}

struct error *plan_remark_all(struct plan *p, struct txn *t)
{
    return each_mark(p, t, true);
}

const char *plan_str(const struct plan *p, const char *key)
{
    const char *s = json_string_value(json_object_get(p->state, key));

    return s ? s : "";
}

int64_t plan_int(const struct plan *p, const char *key)
{
    return json_integer_value(json_object_get(p->state, key));
}

bool plan_bool(const struct plan *p, const char *key)
{
    return json_is_true(json_object_get(p->state, key));
}

json_t *plan_json(const struct plan *p, const char *key)
{
    return json_object_get(p->state, key);
}

void plan_set_json(struct plan *p, const char *key, json_t *value)
{
    json_object_set_new(p->state, key, value);
}

void plan_set_str(struct plan *p, const char *key, const char *value)
{
    /* Values were checked as UTF-8 when they came in; a lossy one must not lose the key. */
    json_t *j = json_string(value);

    plan_set_json(p, key, j ? j : json_string(""));
}

void plan_set_int(struct plan *p, const char *key, int64_t value)
{
    plan_set_json(p, key, json_integer(value));
}

void plan_set_bool(struct plan *p, const char *key, bool value)
{
    plan_set_json(p, key, json_boolean(value));
}

void plan_set_memo(struct plan *p, void *memo)
{
    p->memo = memo;
}

void *plan_memo(const struct plan *p)
{
    return p->memo;
}

void plan_set_result(struct plan *p, const char *value)
{
    plan_set_str(p, STATE_RESULT, value);
}

struct daemon *plan_daemon(const struct plan *p)
{
    return p->daemon;
}

struct arena *plan_arena(struct plan *p)
{
    return &p->arena;
}

const char *plan_task(const struct plan *p)
{
    return p->task_ref;
}

bool plan_is_cancelled(const struct plan *p)
{
    return atomic_load(&p->cancelled);
}

struct error *plan_cancelled(const struct plan *p)
{
    return error_api("TASK_CANCELLED", 1, p->task_ref);
}

static int step_weight(const struct plan_step *s)
{
    return s->weight > 0 ? s->weight : 1;
}

double plan_fraction(const struct plan *p)
{
    double total = 0, done = 0;

    for (int i = 0; i < p->type->n_steps; i++) {
        int w = step_weight(&p->type->steps[i]);

        total += w;
        if (i < p->step)
            done += w;
        else if (i == p->step)
            done += w * p->step_progress;
    }
    return total > 0 ? done / total : 1;
}

struct error *plan_wait(struct plan *p, enum class_id class_id, const char *ref,
                        int64_t deadline_us)
{
    memset(p->waiter.classes, 0, sizeof(p->waiter.classes));
    p->waiter.classes[class_id] = true;
    p->waiter.only = NULL;
    if (ref) {
        if (!p->wait_ref || !streq(p->wait_ref, ref))
            p->wait_ref = arena_strdup(&p->arena, ref);
        p->wait_for = (struct interest){.refs = {.v = &p->wait_ref, .n = 1}};
        p->wait_for.class_some[class_id] = true;
        p->waiter.only = &p->wait_for;
    }
    p->waiter.deadline_us = deadline_us;
    p->wait_asked = true;
    return NULL;
}
