/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Clones, copies, snapshots and checkpoints of VMs, and going back to one. */
#include "cli/commands.h"
#include "cli/vm.h"
#include "value/type.h"

/* What is done to each VM, and the results. */
struct copying {
    const char *message;
    const char *sr;  /* VM.copy: destination, else NULL */
    json_t *ignored; /* VM.snapshot: disks left out, else NULL */
    json_t *made;    /* references, in order */
};

static struct error *copy_ref(struct xe *x, const char *vm, const struct copying *how, char **ret)
{
    const char *name = word_or(x, "new-name-label", "");
    _cleanup_json_ json_t *made = NULL;
    json_t *args = json_pack("[ss]", vm, name);

    if (how->sr)
        json_array_append_new(args, json_string(how->sr));
    if (how->ignored)
        json_array_append(args, how->ignored);
    TRY(call_array(&x->client, &made, how->message, args));
    *ret = xstrdup(json_string_value(made) ?: REF_NULL);
    return NULL;
}

static struct error *copy_one(struct xe *x, const struct selected *one, void *ctx)
{
    struct copying *how = ctx;
    _cleanup_free_ char *ref = NULL;

    TRY(copy_ref(x, one->ref, how, &ref));
    json_array_append_new(how->made, json_string(ref));
    return NULL;
}

static struct error *describe_first(struct xe *x, const json_t *made)
{
    const char *text = words_find(&x->words, "new-name-description");
    const char *first = json_string_value(json_array_get(made, 0));

    if (!text || !first)
        return NULL;
    return call(&x->client, NULL, "VM.set_name_description", "ss", first, text);
}

static struct error *print_made(struct xe *x, const json_t *made)
{
    size_t n = json_array_size(made);
    char **uuids = xnew_array(char *, n + 1);
    struct error *e = NULL;

    for (size_t i = 0; i < n && !e; i++)
        e = uuid_of(&x->client, "VM", json_string_value(json_array_get(made, i)) ?: "", &uuids[i]);
    if (!e)
        print_lines(&x->printer, (const char *const *)uuids, n);
    for (size_t i = 0; i < n; i++)
        free(uuids[i]);
    free(uuids);
    return e;
}

static struct error *copy_all(struct xe *x, struct copying *how)
{
    _cleanup_json_ json_t *made = json_array();

    how->made = made;
    TRY(for_selected(x, copy_one, how));
    TRY(describe_first(x, made));
    return print_made(x, made);
}

struct error *vm_clone(struct xe *x)
{
    return copy_all(x, &(struct copying){.message = "VM.clone"});
}

struct error *vm_checkpoint(struct xe *x)
{
    return copy_all(x, &(struct copying){.message = "VM.checkpoint"});
}

struct error *vm_snapshot_with_quiesce(struct xe *x)
{
    return copy_all(x, &(struct copying){.message = "VM.snapshot_with_quiesce"});
}

struct error *vm_snapshot(struct xe *x)
{
    _cleanup_json_ json_t *uuids = word_list(x, "ignore-vdi-uuids");
    _cleanup_json_ json_t *refs = json_array();
    size_t i;
    const json_t *uuid;

    json_array_foreach (uuids, i, uuid) {
        _cleanup_free_ char *ref = NULL;

        TRY(ref_of(&x->client, "VDI", json_string_value(uuid), &ref));
        json_array_append_new(refs, json_string(ref));
    }
    return copy_all(x, &(struct copying){.message = "VM.snapshot", .ignored = refs});
}

struct error *vm_copy(struct xe *x)
{
    _cleanup_free_ char *sr = NULL;

    TRY(word_ref(x, "sr-uuid", "SR", &sr));
    return copy_all(x, &(struct copying){.message = "VM.copy", .sr = sr});
}

/* Snapshots. */

struct error *snapshot_ref(struct xe *x, char **ret)
{
    const char *uuid = words_get(&x->words, "snapshot-uuid", words_find(&x->words, "uuid"));
    _cleanup_free_ char *ref = NULL;
    _cleanup_json_ json_t *is = NULL;

    if (!uuid)
        return error_text("Required parameter not found: snapshot-uuid or uuid.");
    TRY(ref_of(&x->client, "VM", uuid, &ref));
    TRY(call(&x->client, &is, "VM.get_is_a_snapshot", "s", ref));
    if (!json_is_true(is))
        return error_text("This operation can only be performed on a VM snapshot. %s is not a VM "
                          "snapshot.",
                          uuid);
    *ret = TAKE_PTR(ref);
    return NULL;
}

static struct error *copy_snapshot(struct xe *x, struct copying *how)
{
    _cleanup_free_ char *ref = NULL, *made = NULL;
    _cleanup_json_ json_t *all = json_array();

    TRY(snapshot_ref(x, &ref));
    TRY(copy_ref(x, ref, how, &made));
    json_array_append_new(all, json_string(made));
    TRY(describe_first(x, all));
    return print_made(x, all);
}

struct error *snapshot_clone(struct xe *x)
{
    return copy_snapshot(x, &(struct copying){.message = "VM.clone"});
}

struct error *snapshot_copy(struct xe *x)
{
    _cleanup_free_ char *sr = NULL;

    TRY(word_ref(x, "sr-uuid", "SR", &sr));
    return copy_snapshot(x, &(struct copying){.message = "VM.copy", .sr = sr});
}

struct error *snapshot_revert(struct xe *x)
{
    _cleanup_free_ char *ref = NULL;

    TRY(snapshot_ref(x, &ref));
    return call(&x->client, NULL, "VM.revert", "s", ref);
}

struct error *snapshot_destroy(struct xe *x)
{
    _cleanup_free_ char *ref = NULL, *state = NULL;

    TRY(snapshot_ref(x, &ref));
    TRY(call_string(&x->client, &state, "VM.get_power_state", "s", ref));
    if (!streq(state, "Halted"))
        TRY(call(&x->client, NULL, "VM.hard_shutdown", "s", ref));
    return call(&x->client, NULL, "VM.destroy", "s", ref);
}
