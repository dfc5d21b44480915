/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Objects out of a database on a disk, and plans for hosts that fail. */
#include "cli/commands.h"
#include "cli/lists.h"

/* Goes on in a session with the database on the disk named by database:vdi-uuid, or in the file of
 * the host named by database:filename. *ret_own: the session of before, NULL = neither was named.
 */
static struct error *open_database(struct xe *x, char **ret_own)
{
    const char *uuid = words_find(&x->words, "database:vdi-uuid");
    const char *file = words_find(&x->words, "database:filename");
    _cleanup_free_ char *vdi = NULL;
    char *database;

    *ret_own = NULL;
    if (uuid && file)
        return error_text("xapi can query a DB vdi or a DB file, but not both.");
    if (!uuid && !file)
        return NULL;
    if (file) {
        TRY(call_string(&x->client, &database, "session.create_from_db_file", "s", file));
    } else {
        TRY(ref_of(&x->client, "VDI", uuid, &vdi));
        TRY(call_string(&x->client, &database, "VDI.open_database", "s", vdi));
    }
    *ret_own = x->client.session;
    x->client.session = database;
    return NULL;
}

/* Goes back to the session of before. */
static void close_database(struct xe *x, char *own)
{
    IGNORE_ERROR(call(&x->client, NULL, "session.logout", ""));
    free(x->client.session);
    x->client.session = own;
}

struct error *with_database(struct xe *x,
                            struct error *(*run)(struct xe *, const struct xe_class *),
                            const struct xe_class *c)
{
    char *own;

    TRY(open_database(x, &own));
    if (!own)
        return run(x, c);
    struct error *e = run(x, c);

    close_database(x, own);
    return e;
}

/* One call in the other session, on an object there; force is a third argument if wanted. */
static struct error *in_database(struct xe *x, const char *cls, const char *message,
                                 bool with_force)
{
    _cleanup_free_ char *ref = NULL;
    char *own;
    bool force;

    TRY(words_bool(&x->words, "force", false, &force));
    TRY(open_database(x, &own));
    if (!own)
        return error_text("A parameter of the form 'database:vdi-uuid=<uuid>' must be specified "
                          "to run this command.");
    struct error *e = ref_of(&x->client, cls, word_or(x, "uuid", ""), &ref);
    json_t *args = e ? NULL : json_pack("[ss]", ref, own);

    if (args && with_force)
        json_array_append_new(args, json_boolean(force));
    if (!e)
        e = call_array(&x->client, NULL, message, args);
    close_database(x, own);
    return e;
}

struct error *vm_recover(struct xe *x)
{
    return in_database(x, "VM", "VM.recover", true);
}

struct error *vm_assert_can_be_recovered(struct xe *x)
{
    return in_database(x, "VM", "VM.assert_can_be_recovered", false);
}

struct error *appliance_recover(struct xe *x)
{
    return in_database(x, "VM_appliance", "VM_appliance.recover", true);
}

struct error *appliance_assert_can_be_recovered(struct xe *x)
{
    return in_database(x, "VM_appliance", "VM_appliance.assert_can_be_recovered", false);
}

/* Hosts that fail. */

/* vm-uuid and restart-priority come in pairs, in their order. */
struct error *pool_ha_hypothetical(struct xe *x)
{
    _cleanup_json_ json_t *vms = json_array(), *priorities = json_array(), *map = json_object();
    _cleanup_json_ json_t *n = NULL;
    char text[24];

    vec_foreach (w, &x->words) {
        _cleanup_free_ char *ref = NULL;

        if (streq(w->key, "restart-priority"))
            json_array_append_new(priorities, json_string(w->value));
        if (!streq(w->key, "vm-uuid"))
            continue;
        TRY(ref_of(&x->client, "VM", w->value, &ref));
        json_array_append_new(vms, json_string(ref));
    }
    if (json_array_size(vms) != json_array_size(priorities))
        return error_text("Call requires an equal number of vm-uuid and restart-priority "
                          "arguments");
    for (size_t i = 0; i < json_array_size(vms); i++)
        json_object_set(map, json_string_value(json_array_get(vms, i)),
                        json_array_get(priorities, i));
    TRY(call(&x->client, &n, "pool.ha_compute_hypothetical_max_host_failures_to_tolerate", "O",
             map));
    snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(n));
    print_line(&x->printer, text);
    return NULL;
}

/* The guests that run on a host. */
static struct error *add_guests(struct xe *x, const char *host, json_t *ret)
{
    _cleanup_json_ json_t *vms = NULL;
    json_t *vm;
    size_t i;

    TRY(call(&x->client, &vms, "host.get_resident_VMs", "s", host));
    json_array_foreach (vms, i, vm) {
        _cleanup_json_ json_t *is = NULL;

        TRY(call(&x->client, &is, "VM.get_is_control_domain", "s", json_string_value(vm)));
        if (!json_is_true(is))
            json_array_append(ret, vm);
    }
    return NULL;
}

struct error *pool_ha_failover_plan(struct xe *x)
{
    _cleanup_json_ json_t *uuids = word_list(x, "host-uuids"), *hosts = json_array();
    _cleanup_json_ json_t *vms = json_array(), *plan = NULL;
    _cleanup_(record_fini) struct record r = {0};
    const char *vm;
    json_t *uuid, *where;
    size_t i;

    json_array_foreach (uuids, i, uuid) {
        _cleanup_free_ char *host = NULL;

        TRY(ref_of(&x->client, "host", json_string_value(uuid), &host));
        json_array_append_new(hosts, json_string(host));
        TRY(add_guests(x, host, vms));
    }
    TRY(call(&x->client, &plan, "pool.ha_compute_vm_failover_plan", "OO", hosts, vms));
    record_add(&r, "VM", "Destination Host or Error");
    json_object_foreach (plan, vm, where) {
        _cleanup_free_ char *who = NULL, *to = NULL;

        TRY(name_of(x, "VM", vm, &who));
        if (json_object_get(where, "host"))
            TRY(name_of(x, "host", text_of(where, "host"), &to));
        else
            to = xstrdup(json_object_get(where, "error_code") ? text_of(where, "error_code")
                                                              : "UNKNOWN");
        record_add(&r, who, to);
    }
    print_one(&x->printer, &r);
    return NULL;
}
