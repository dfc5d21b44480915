/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The generated tables agree with themselves, and with a few facts everyone knows. */
#include "base/mem.h"
#include "gen/alerts.h"
#include "gen/class/VBD.h"
#include "gen/class/VM.h"
#include "gen/classes.h"
#include "gen/errors.h"
#include "gen/host_proto.h"
#include "gen/http_actions.h"
#include "gen/messages.h"
#include "gen/msg/VM.h"
#include "gen/roles.h"
#include "gen/types.h"
#include "gen/xe_tables.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static size_t size_of_kind(const struct type *t)
{
    switch (t->kind) {
    case K_VOID:
        return 0;
    case K_INT:
    case K_DATETIME:
        return sizeof(int64_t);
    case K_FLOAT:
        return sizeof(double);
    case K_BOOL:
        return sizeof(bool);
    case K_ENUM:
        return sizeof(int);
    case K_SET:
        return sizeof(struct set);
    case K_MAP:
        return sizeof(struct map);
    case K_RECORD:
        return t->record->size;
    default:
        return sizeof(void *);
    }
}

static void check_type(const struct type *t)
{
    assert_int_equal(t->size, size_of_kind(t));
    if (t->key)
        check_type(t->key);
    if (t->elem)
        check_type(t->elem);
    if (t->kind == K_ENUM)
        assert_non_null(t->en);
}

/* is_shared: others may have more members of it (args_of). */
static void check_struct(const struct struct_info *si, bool is_shared)
{
    size_t end = si->has_self ? sizeof(char *) : 0;

    assert_non_null(si->defaults);
    for (int i = 0; i < si->n; i++) {
        const struct field *f = &si->fields[i];

        check_type(f->type);
        assert_true(f->offset + f->type->size <= si->size);
        assert_true(!si->has_self || f->offset >= sizeof(char *));
        if (f->offset + f->type->size > end)
            end = f->offset + f->type->size;
        for (int k = 0; k < i; k++) {
            const struct field *g = &si->fields[k];

            assert_string_not_equal(f->name, g->name);
            assert_true(f->offset >= g->offset + g->type->size ||
                        g->offset >= f->offset + f->type->size);
        }
        /* Strings of the defaults are never NULL. */
        if (f->type->kind == K_STRING || f->type->kind == K_REF || f->type->kind == K_SECRET)
            assert_non_null(*(const char *const *)((const char *)si->defaults + f->offset));
    }
    assert_true(is_shared || si->n == 0 || si->size - end < sizeof(void *));
}

static void test_classes(void **state)
{
    for (int c = CLASS_NONE + 1; c < CLASS_MAX; c++) {
        const struct class_info *ci = &classes[c];

        check_struct(ci->info, false);
        if (ci->ctor)
            check_struct(ci->ctor, false);
        assert_true(ci->inv_offset <= ci->info->size);
        for (int i = 0; i < ci->info->n; i++) {
            const struct field *f = &ci->info->fields[i];
            bool in_inv = f->flags & (FIELD_INVERSE | FIELD_DERIVED);

            assert_int_equal(in_inv, f->offset >= ci->inv_offset);
            if (f->inverse < 0)
                continue;
            const struct field *other = &classes[f->inverse_class].info->fields[f->inverse];

            assert_int_equal(other->inverse, i);
            assert_int_equal(other->inverse_class, c);
            assert_int_equal(!!(f->flags & FIELD_INVERSE) + !!(other->flags & FIELD_INVERSE), 1);
        }
    }
    assert_string_equal(classes[CLASS_VM_GUEST_METRICS].lower, "vm_guest_metrics");
    assert_string_equal(classes[CLASS_VM].info->fields[VM_F_POWER_STATE].name, "power_state");
    assert_int_equal(classes[CLASS_VM].info->fields[VM_F_AFFINITY].bad_ref_is_null, 1);
    assert_int_equal(classes[CLASS_VBD].info->fields[VBD_F_VM].on_delete, ON_DELETE_CASCADE);
    assert_true(classes[CLASS_SESSION].soft);
    assert_true(classes[CLASS_MESSAGE].stored && !classes[CLASS_MESSAGE].in_database);
    assert_string_equal(vm_rec_default.affinity, REF_NULL);
}

static void test_messages(void **state)
{
    for (int i = 0; i < MID_MAX; i++) {
        const struct message *m = &messages[i];

        assert_true(i == 0 || strcmp(messages[i - 1].name, m->name) < 0);
        assert_ptr_equal(message_find(m->name, strlen(m->name)), m);
        assert_int_equal(message_id(m), i);
        check_type(m->result);
        if (m->args)
            check_struct(m->args, true);
        assert_true(m->field < classes[m->class_id].info->n);
        assert_true(!m->body || m->args);
    }
    assert_int_equal(MID_MAX, 2258);
}

static const struct message *find(const char *name)
{
    return message_find(name, strlen(name));
}

static void test_message_names(void **state)
{
    assert_ptr_equal(find("VM.start"), &messages[MID_VM_START]);
    assert_ptr_equal(find("VM_start"), &messages[MID_VM_START]);
    assert_ptr_equal(find("VM_guest_metrics_get_record"),
                     &messages[MID_VM_GUEST_METRICS_GET_RECORD]);
    assert_ptr_equal(message_find("VM.start_on", 8), &messages[MID_VM_START]);
    assert_null(find(""));
    assert_null(find("VM.star"));
    assert_null(find("vm.start"));
    assert_null(find("VM.start "));
    assert_null(find("_VM_start"));
    assert_null(message_find("VM.start\0", 9));
    char much[4096];

    memset(much, '_', sizeof(much));
    assert_null(message_find(much, sizeof(much)));

    const struct message *start = find("VM.start");

    assert_string_equal(start->permission, "vm.start");
    assert_int_equal(start->n_required, 3);
    assert_int_equal(start->args->n, 3);
    assert_true(start->flags & MSG_ASYNC);
    assert_int_equal(start->roles, ROLE_BIT(ROLE_POOL_ADMIN) | ROLE_BIT(ROLE_POOL_OPERATOR) |
                                       ROLE_BIT(ROLE_VM_POWER_ADMIN) | ROLE_BIT(ROLE_VM_ADMIN) |
                                       ROLE_BIT(ROLE_VM_OPERATOR));
    assert_true(find("session.login_with_password")->flags & MSG_NO_SESSION);
    assert_true(find("VMPP.create")->flags & MSG_REMOVED);
}

static void test_key_roles(void **state)
{
    const struct key_role *k = find("pool.add_to_other_config")->key_roles;

    assert_string_equal(k[0].key, "folder");
    assert_string_equal(k[0].permission, "pool.add_to_other_config/key:folder");
    assert_true(k[1].prefix);
    assert_string_equal(k[1].key, "XenCenter.CustomFields.");
    assert_null(k[3].key);
}

static void test_errors(void **state)
{
    for (int i = 0; i < error_catalogue_n; i++) {
        assert_ptr_equal(error_catalogue_find(error_catalogue[i].code), &error_catalogue[i]);
        for (int k = 0; k < error_catalogue[i].n_params; k++)
            assert_non_null(error_catalogue[i].params[k]);
    }
    assert_null(error_catalogue_find("NO_SUCH_CODE"));
    struct error *e = err_vm_bad_power_state("OpaqueRef:x", "halted", "running");

    assert_string_equal(e->code, ERR_VM_BAD_POWER_STATE);
    assert_int_equal(e->n_params, 3);
    assert_string_equal(e->params[1], "halted");
    assert_non_null(strstr(e->file, "test_gen.c"));
    error_free(e);
}

static void test_lists(void **state)
{
    for (int i = 0; i < HOST_CALL_MAX; i++) {
        check_struct(host_calls[i].args, false);
        check_struct(host_calls[i].result, false);
    }
    for (int i = 0; i < HTTP_ACTION_MAX; i++)
        assert_int_equal(http_actions[i].uri[0], '/');
    assert_string_equal(role_infos[ROLE_READ_ONLY].uuid, "7233b8e3-eacb-d7da-2c95-f2e581cdbf4e");
    for (int i = 1; i < alerts_n; i++)
        assert_true(strcmp(alerts[i - 1].name, alerts[i].name) < 0);
    for (int i = 1; i < xe_commands_n; i++)
        assert_true(strcmp(xe_commands[i - 1].name, xe_commands[i].name) < 0);
}

static void test_xe_classes(void **state)
{
    int vm = -1;

    for (int i = 0; i < xe_classes_n; i++) {
        const struct xe_class *x = &xe_classes[i];

        if (streq(x->name, "vm"))
            vm = i;
        for (int k = 0; k < x->n_fields; k++) {
            const struct xe_field *f = &x->fields[k];

            assert_true(!f->set || find(f->set));
            assert_true(!f->add || find(f->add));
            assert_true(!f->remove || find(f->remove));
            assert_true(f->steps || f->source);
        }
    }
    assert_true(vm >= 0);
    assert_string_equal(xe_classes[vm].columns[0], "name-label");
    assert_string_equal(xe_classes[vm].fields[1].set, "VM.set_name_label");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classes),       cmocka_unit_test(test_messages),
        cmocka_unit_test(test_message_names), cmocka_unit_test(test_key_roles),
        cmocka_unit_test(test_errors),        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_xe_classes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
