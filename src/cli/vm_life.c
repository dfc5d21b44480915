/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How VMs come into being and go: from a template, empty, with their disks. */
#include "cli/commands.h"
#include "cli/vm.h"
#include "gen/errors.h"
#include "value/type.h"

/* vm-install. */

static struct error *named_template(struct xe *x, const char *name, char **ret)
{
    _cleanup_json_ json_t *refs = NULL;
    const char *found = NULL;
    const json_t *ref;
    size_t i;

    TRY(call(&x->client, &refs, "VM.get_by_name_label", "s", name));
    json_array_foreach (refs, i, ref) {
        _cleanup_json_ json_t *is = NULL;

        TRY(call(&x->client, &is, "VM.get_is_a_template", "s", json_string_value(ref)));
        if (!json_is_true(is))
            continue;
        if (found)
            return error_text("More than one matching template found");
        found = json_string_value(ref);
    }
    if (!found)
        return error_text("No templates matched");
    *ret = xstrdup(found);
    return NULL;
}

static struct error *find_template(struct xe *x, char **ret)
{
    const char *uuid = words_find(&x->words, "template-uuid");
    const char *name =
        words_get(&x->words, "template-name-label", words_find(&x->words, "template-name"));
    const char *either = words_find(&x->words, "template");
    struct error *e;

    if (uuid) {
        e = ref_of(&x->client, "VM", uuid, ret);
        if (e)
            error_free(e);
        return e ? error_text("Cannot find template") : NULL;
    }
    if (name)
        return named_template(x, name, ret);
    if (!either)
        return error_text("Template must be specified by parameter 'template-uuid', "
                          "'template-name', 'template-name-label' or 'template'");
    e = ref_of(&x->client, "VM", either, ret);
    if (!e)
        return NULL;
    error_free(e);
    return named_template(x, either, ret);
}

/* The SR named by uuid, name or both; NULL: none was named. */
static struct error *named_sr(struct xe *x, char **ret)
{
    const char *name = words_find(&x->words, "sr-name-label");
    _cleanup_json_ json_t *refs = NULL;
    _cleanup_free_ char *sr = NULL;
    bool among = false;
    const json_t *ref;
    size_t i;

    if (words_find(&x->words, "sr-uuid"))
        TRY(ref_of(&x->client, "SR", words_find(&x->words, "sr-uuid"), &sr));
    if (name) {
        TRY(call(&x->client, &refs, "SR.get_by_name_label", "s", name));
        if (!json_array_size(refs))
            return error_text("No SR with that name-label found");
        json_array_foreach (refs, i, ref)
            among = among || (sr && streq(sr, json_string_value(ref)));
        if (sr && !among)
            return error_text("SR specified via sr-uuid doesn't have the name specified via "
                              "sr-name-label");
        if (!sr && json_array_size(refs) > 1)
            return error_text("Multiple SRs with that name-label found");
        if (!sr)
            sr = xstrdup(json_string_value(json_array_get(refs, 0)));
    }
    *ret = TAKE_PTR(sr);
    return NULL;
}

struct error *default_sr(struct xe *x, char **ret_ref)
{
    _cleanup_free_ char *pool = NULL, *sr = NULL, *uuid = NULL;

    TRY(the_pool(&x->client, &pool));
    TRY(call_string(&x->client, &sr, "pool.get_default_SR", "s", pool));
    if (!streq(sr, REF_NULL)) {
        struct error *e = uuid_of(&x->client, "SR", sr, &uuid);

        if (e && !error_is(e, ERR_HANDLE_INVALID))
            return e;
        if (e)
            error_free(e);
    }
    *ret_ref = uuid ? TAKE_PTR(sr) : xstrdup("");
    return NULL;
}

/* Every sr="..." of the disks to be made names the SR chosen. */
static char *with_sr(const char *disks, const char *uuid)
{
    _cleanup_str_ struct str out = STR_INIT;

    for (const char *p = disks; *p;) {
        const char *attribute = strstr(p, " sr="), *end;
        char quote = attribute ? attribute[4] : '\0';

        end = quote == '"' || quote == '\'' ? strchr(attribute + 5, quote) : NULL;
        if (!end) {
            str_add(&out, p);
            break;
        }
        str_add_mem(&out, p, (size_t)(attribute + 5 - p));
        str_add(&out, uuid);
        p = end;
    }
    return str_take(&out);
}

static struct error *rewrite_disks(struct xe *x, const char *vm, const json_t *other_config,
                                   const char *sr)
{
    const char *disks = json_string_value(json_object_get(other_config, "disks"));
    _cleanup_free_ char *text = NULL, *uuid = NULL;

    if (!disks || !*sr)
        return NULL;
    TRY(uuid_of(&x->client, "SR", sr, &uuid));
    text = with_sr(disks, uuid);
    TRY(call(&x->client, NULL, "VM.remove_from_other_config", "ss", vm, "disks"));
    return call(&x->client, NULL, "VM.add_to_other_config", "sss", vm, "disks", text);
}

/* What templates recommend as XML: <restriction field="has-vendor-device" value="true"/>. */
static bool recommends_vendor_device(const char *recommendations)
{
    const char *field = strstr(recommendations, "field=\"has-vendor-device\"");
    const char *end = field ? strchr(field, '>') : NULL;
    const char *value = field ? strstr(field, "value=\"true\"") : NULL;

    return value && end && value < end;
}

/* A device that makes Windows fetch drivers: as the template says, unless the pool is against it.
 */
static struct error *set_vendor_device(struct xe *x, const char *vm, const char *recommendations)
{
    _cleanup_free_ char *pool = NULL;
    _cleanup_json_ json_t *never = NULL;

    TRY(the_pool(&x->client, &pool));
    TRY(call(&x->client, &never, "pool.get_policy_no_vendor_device", "s", pool));
    return call(&x->client, NULL, "VM.set_has_vendor_device", "sb", vm,
                recommends_vendor_device(recommendations) && !json_is_true(never));
}

static struct error *set_up(struct xe *x, const char *vm, const json_t *template, const char *sr,
                            const char *suspend_sr)
{
    const char *bios = words_find(&x->words, "copy-bios-strings-from");
    _cleanup_free_ char *host = NULL;

    TRY(call(&x->client, NULL, "VM.set_name_description", "ss", vm, "Installed via xe CLI"));
    TRY(call(&x->client, NULL, "VM.set_suspend_SR", "ss", vm, suspend_sr));
    TRY(rewrite_disks(x, vm, json_object_get(template, "other_config"), sr));
    TRY(set_vendor_device(x, vm, text_of(template, "recommendations")));
    TRY(call(&x->client, NULL, "VM.provision", "s", vm));
    if (!bios)
        return NULL;
    TRY(ref_of(&x->client, "host", bios, &host));
    return call(&x->client, NULL, "VM.copy_bios_strings", "ss", vm, host);
}

static struct error *make(struct xe *x, const char *template, const char *sr, char **ret)
{
    const char *name = word_or(x, "new-name-label", "");

    if (sr)
        return call_string(&x->client, ret, "VM.copy", "sss", template, name, sr);
    return call_string(&x->client, ret, "VM.clone", "ss", template, name);
}

static struct error *install(struct xe *x, const char *template, const json_t *record)
{
    _cleanup_free_ char *sr = NULL, *fallback = NULL, *vm = NULL;
    bool snapshot = is_true(record, "is_a_snapshot");

    if (snapshot && (words_find(&x->words, "sr-name-label") || words_find(&x->words, "sr-uuid")))
        return error_text("Do not use the sr-name-label or sr-uuid argument when installing from "
                          "a snapshot. By default, it will install each new disk on the same SR "
                          "as the corresponding snapshot disks.");
    TRY(named_sr(x, &sr));
    if (!sr) {
        TRY(default_sr(x, &fallback));
        if (!*fallback && json_object_get(json_object_get(record, "other_config"), "disks"))
            return error_text("Failed to find a valid default SR for the Pool. Please provide an "
                              "sr-name-label or sr-uuid parameter.");
    }
    TRY(make(x, template, sr, &vm));
    struct error *e =
        set_up(x, vm, record, sr ? sr : fallback, sr ? sr : text_of(record, "suspend_SR"));

    if (!e)
        return print_uuid(x, "VM", vm);
    IGNORE_ERROR(call(&x->client, NULL, "VM.destroy", "s", vm));
    return e;
}

struct error *vm_install(struct xe *x)
{
    _cleanup_free_ char *template = NULL;
    _cleanup_json_ json_t *record = NULL;

    TRY(find_template(x, &template));
    TRY(call(&x->client, &record, "VM.get_record", "s", template));
    if (!is_true(record, "is_a_template"))
        return error_text("Can only install from templates");
    return install(x, template, record);
}

/* vm-create: a VM without anything. */

struct error *vm_create(struct xe *x)
{
    const json_int_t mib = 1 << 20;
    _cleanup_free_ char *vm = NULL;
    json_t *record = json_pack(
        "{ss ss sI sb s{} ss sI sI sI sI sI s{} sI sI ss ss ss ss}", "name_label",
        word_or(x, "name-label", ""), "name_description", word_or(x, "name-description", ""),
        "user_version", (json_int_t)0, "is_a_template", 0, "blocked_operations", "affinity",
        REF_NULL, "memory_target", 256 * mib, "memory_static_max", 256 * mib, "memory_dynamic_max",
        256 * mib, "memory_dynamic_min", 128 * mib, "memory_static_min", 128 * mib, "VCPUs_params",
        "VCPUs_max", (json_int_t)1, "VCPUs_at_startup", (json_int_t)1, "actions_after_shutdown",
        "destroy", "actions_after_reboot", "restart", "actions_after_crash", "destroy",
        "actions_after_softreboot", "soft_reboot");
    static const char *const texts[] = {
        "PV_bootloader",  "PV_kernel",       "PV_ramdisk", "PV_args",        "PV_bootloader_args",
        "PV_legacy_args", "HVM_boot_policy", "PCI_bus",    "recommendations"};
    static const char *const maps[] = {"HVM_boot_params", "platform", "other_config",
                                       "xenstore_data"};

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        json_object_set_new(record, texts[i], json_string(""));
    for (size_t i = 0; i < ARRAY_SIZE(maps); i++)
        json_object_set_new(record, maps[i], json_object());
    TRY(call_string(&x->client, &vm, "VM.create", "o", record));
    return print_uuid(x, "VM", vm);
}

struct error *vm_destroy(struct xe *x)
{
    _cleanup_free_ char *vm = NULL;
    _cleanup_json_ json_t *is = NULL;

    TRY(ref_of(&x->client, "VM", word_or(x, "uuid", ""), &vm));
    TRY(call(&x->client, &is, "VM.get_is_control_domain", "s", vm));
    if (json_is_true(is))
        return error_api(ERR_OPERATION_NOT_ALLOWED, 1,
                         "You cannot destroy a control domain via the CLI");
    return call(&x->client, NULL, "VM.destroy", "s", vm);
}

/* vm-uninstall: a VM and the disks it owns. */

struct doomed {
    char *vm;
    json_t *vdis; /* references */
    char *suspend_vdi;
};

struct doomed_list VEC(struct doomed);

static void doomed_fini(struct doomed_list *all)
{
    vec_foreach (d, all) {
        free(d->vm);
        json_decref(d->vdis);
        free(d->suspend_vdi);
    }
    vec_fini(all);
}

static struct error *show_vdi(struct xe *x, const char *vdi)
{
    _cleanup_json_ json_t *record = NULL;

    TRY(call(&x->client, &record, "VDI.get_record", "s", vdi));
    print_now(&x->printer, "VDI: %s (%s) %s", text_of(record, "uuid"),
              text_of(record, "name_label"),
              json_array_size(json_object_get(record, "VBDs")) > 1
                  ? " ** WARNING: disk is shared by other VMs"
                  : "");
    return NULL;
}

/* Disks whose VBD says that the VM owns them. */
static struct error *owned_disks(struct xe *x, const json_t *vbds, json_t *ret)
{
    const json_t *ref;
    size_t i;

    json_array_foreach (vbds, i, ref) {
        _cleanup_json_ json_t *vbd = NULL;

        TRY(call(&x->client, &vbd, "VBD.get_record", "s", json_string_value(ref)));
        const char *vdi = text_of(vbd, "VDI");

        if (json_object_get(json_object_get(vbd, "other_config"), "owner") && !streq(vdi, REF_NULL))
            json_array_append_new(ret, json_string(vdi));
    }
    return NULL;
}

static struct error *doom(struct xe *x, const char *vm, struct doomed_list *all)
{
    _cleanup_json_ json_t *record = NULL;
    struct doomed d = {.vm = xstrdup(vm), .vdis = json_array()};
    const json_t *vdi;
    size_t i;

    vec_add(all, d);
    TRY(call(&x->client, &record, "VM.get_record", "s", vm));
    print_now(&x->printer, "VM : %s (%s)", text_of(record, "uuid"), text_of(record, "name_label"));
    TRY(owned_disks(x, json_object_get(record, "VBDs"), d.vdis));
    json_array_foreach (d.vdis, i, vdi)
        TRY(show_vdi(x, json_string_value(vdi)));
    const char *suspend = text_of(record, "suspend_VDI");

    if (!*suspend || streq(suspend, REF_NULL))
        return NULL;
    all->v[all->n - 1].suspend_vdi = xstrdup(suspend);
    return show_vdi(x, suspend);
}

static struct error *destroy(struct xe *x, const struct doomed *d)
{
    _cleanup_free_ char *state = NULL;
    const json_t *vdi;
    size_t i;

    TRY(call_string(&x->client, &state, "VM.get_power_state", "s", d->vm));
    if (!streq(state, "Halted"))
        TRY(call(&x->client, NULL, "VM.hard_shutdown", "s", d->vm));
    TRY(call(&x->client, NULL, "VM.destroy", "s", d->vm));
    json_array_foreach (d->vdis, i, vdi)
        TRY(call(&x->client, NULL, "VDI.destroy", "s", json_string_value(vdi)));
    if (d->suspend_vdi)
        IGNORE_ERROR(call(&x->client, NULL, "VDI.destroy", "s", d->suspend_vdi));
    return NULL;
}

static struct error *uninstall(struct xe *x, const json_t *vms)
{
    _cleanup_(doomed_fini) struct doomed_list all = {0};
    const json_t *vm;
    bool yes;
    size_t i;

    TRY(words_bool(&x->words, "force", false, &yes));
    print_now(&x->printer, "The following items are about to be destroyed");
    json_array_foreach (vms, i, vm)
        TRY(doom(x, json_string_value(vm), &all));
    if (!yes)
        TRY(ask(x, &yes));
    if (!yes)
        return NULL;
    vec_foreach (d, &all)
        TRY(destroy(x, d));
    print_now(&x->printer, "All objects destroyed");
    return NULL;
}

static struct error *collect(struct xe *x, const struct selected *one, void *ctx)
{
    json_array_append_new(ctx, json_string(one->ref));
    return NULL;
}

struct error *vm_uninstall(struct xe *x)
{
    _cleanup_json_ json_t *vms = json_array();
    size_t n;

    TRY(for_selected(x, collect, vms));
    n = json_array_size(vms);
    for (size_t i = 0; i < n; i++) {
        _cleanup_json_ json_t *snapshots = NULL;

        TRY(call(&x->client, &snapshots, "VM.get_snapshots", "s",
                 json_string_value(json_array_get(vms, i))));
        json_array_extend(vms, snapshots);
    }
    return uninstall(x, vms);
}

struct error *template_uninstall(struct xe *x)
{
    const char *uuid = word_or(x, "template-uuid", "");
    _cleanup_free_ char *ref = NULL;
    _cleanup_json_ json_t *is = NULL, *vms = NULL;

    TRY(ref_of(&x->client, "VM", uuid, &ref));
    TRY(call(&x->client, &is, "VM.get_is_a_template", "s", ref));
    if (!json_is_true(is))
        return error_text("This operation can only be performed on a VM template. %s is not a VM "
                          "template.",
                          uuid);
    vms = json_pack("[s]", ref);
    return uninstall(x, vms);
}

struct error *snapshot_uninstall(struct xe *x)
{
    _cleanup_free_ char *ref = NULL;
    _cleanup_json_ json_t *vms = NULL;

    TRY(snapshot_ref(x, &ref));
    vms = json_pack("[s]", ref);
    return uninstall(x, vms);
}
