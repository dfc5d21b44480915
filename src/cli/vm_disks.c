/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Disks and CDs of VMs. */
#include "cli/commands.h"
#include "cli/lists.h"
#include "cli/vm.h"
#include "gen/errors.h"
#include "value/type.h"

/* Lists. */

/* Columns named by a word, else the default ones given. */
static void choose(struct xe *x, const char *cls, const char *word, const char *fallback,
                   struct columns *ret)
{
    columns_choose(xe_class_find(cls), word_or(x, word, fallback), ret);
}

static struct error *show(struct xe *x, const char *cls, const char *ref, const char *word,
                          const char *fallback)
{
    struct columns columns = {0};
    struct store s;

    choose(x, cls, word, fallback, &columns);
    store_init(&s, &x->client);
    struct error *e = show_object(x, &s, xe_class_find(cls), ref, &columns);

    store_fini(&s);
    vec_fini(&columns);
    return e;
}

/* The VBDs of a VM with their records: [{ref, record}], disks or CDs. */
static struct error *vbds_of(struct xe *x, const char *vm, bool cds, json_t *ret)
{
    _cleanup_json_ json_t *refs = NULL;
    const json_t *ref;
    size_t i;

    TRY(call(&x->client, &refs, "VM.get_VBDs", "s", vm));
    json_array_foreach (refs, i, ref) {
        _cleanup_json_ json_t *vbd = NULL;

        TRY(call(&x->client, &vbd, "VBD.get_record", "s", json_string_value(ref)));
        if (streq(text_of(vbd, "type"), cds ? "CD" : "Disk"))
            json_array_append_new(ret,
                                  json_pack("{ss sO}", "ref", json_string_value(ref), "vbd", vbd));
    }
    return NULL;
}

static struct error *list_disks(struct xe *x, const char *vm, bool cds)
{
    _cleanup_json_ json_t *vbds = json_array();
    const char *kind = cds ? "CD" : "Disk";
    const json_t *one;
    size_t i;

    TRY(vbds_of(x, vm, cds, vbds));
    json_array_foreach (vbds, i, one) {
        const json_t *vbd = json_object_get(one, "vbd");

        print_sentence(&x->printer, "%s %zu VBD:", kind, i);
        TRY(show(x, "vbd", text_of(one, "ref"), "vbd-params",
                 cds ? "uuid,vm-name-label,userdevice,empty" : "uuid,vm-name-label,userdevice"));
        if (is_true(vbd, "empty"))
            continue;
        print_sentence(&x->printer, "%s %zu VDI:", kind, i);
        TRY(show(x, "vdi", text_of(vbd, "VDI"), "vdi-params",
                 "uuid,name-label,virtual-size,sr-name-label"));
    }
    return NULL;
}

static struct error *list_one(struct xe *x, const struct selected *one, void *ctx)
{
    return list_disks(x, one->ref, *(bool *)ctx);
}

struct error *vm_disk_list(struct xe *x)
{
    bool cds = false;

    return for_selected(x, list_one, &cds);
}

struct error *vm_cd_list(struct xe *x)
{
    bool cds = true;

    return for_selected(x, list_one, &cds);
}

struct error *snapshot_disk_list(struct xe *x)
{
    _cleanup_free_ char *ref = NULL;

    TRY(snapshot_ref(x, &ref));
    return list_disks(x, ref, false);
}

static struct error *list_cds(struct xe *x, struct store *s, const struct columns *columns)
{
    struct table *vdis = store_table(s, "VDI"), *srs = store_table(s, "SR");
    size_t sr = table_want(vdis, "SR"), content = table_want(srs, "content_type");

    vec_foreach (f, columns)
        field_want(s, "VDI", *f);
    TRY(table_load(s, vdis));
    TRY(table_load(s, srs));
    print_table(&x->printer);
    for (size_t i = 0; i < vdis->rows.n; i++) {
        _cleanup_(record_fini) struct record record = {0};
        const struct row *where;

        TRY(table_find(s, srs, vdis->rows.v[i]->v[sr], &where));
        if (!where || !slice_is(where->v[content], "\"iso\""))
            continue;
        TRY(row_record(s, vdis, vdis->rows.v[i], columns, true, &record));
        print_record(&x->printer, &record);
    }
    print_table_end(&x->printer);
    return NULL;
}

struct error *cd_list(struct xe *x)
{
    struct columns columns = {0};
    struct store s;

    choose(x, "vdi", "params", "name-label,uuid", &columns);
    store_init(&s, &x->client);
    struct error *e = list_cds(x, &s, &columns);

    store_fini(&s);
    vec_fini(&columns);
    return e;
}

/* Changes. */

/* Makes a VBD and plugs it if the VM runs. owner: the disk goes when the VM is uninstalled. */
static struct error *attach(struct xe *x, const char *vm, const char *vdi, bool cd, bool owner)
{
    _cleanup_free_ char *vbd = NULL;
    json_t *other = json_object();

    if (owner)
        json_object_set_new(other, "owner", json_string(""));
    TRY(call_string(&x->client, &vbd, "VBD.create", "{ss ss ss sb ss ss sb sb ss s{} so}", "VM", vm,
                    "VDI", vdi, "userdevice", word_or(x, "device", ""), "bootable", 0, "mode",
                    cd ? "RO" : "RW", "type", cd ? "CD" : "Disk", "unpluggable", 1, "empty", 0,
                    "qos_algorithm_type", "", "qos_algorithm_params", "other_config", other));
    /* A VM that is off takes the disk when it starts. */
    IGNORE_ERROR(call(&x->client, NULL, "VBD.plug", "s", vbd));
    return NULL;
}

struct adding {
    char *sr;
    int64_t size;
};

static struct error *add_disk(struct xe *x, const struct selected *one, void *ctx)
{
    const struct adding *a = ctx;
    _cleanup_free_ char *vdi = NULL;

    TRY(call_string(&x->client, &vdi, "VDI.create", "{ss ss ss sI ss sb sb s{} s{} s{ss} s[]}",
                    "name_label", "Created by xe", "name_description", "Created by xe", "SR", a->sr,
                    "virtual_size", (json_int_t)a->size, "type", "user", "sharable", 0, "read_only",
                    0, "other_config", "xenstore_data", "sm_config", "vmhint", one->uuid, "tags"));
    struct error *e = attach(x, one->ref, vdi, false, true);

    if (e)
        IGNORE_ERROR(call(&x->client, NULL, "VDI.destroy", "s", vdi));
    return e;
}

struct error *vm_disk_add(struct xe *x)
{
    _cleanup_free_ char *sr = NULL;
    struct adding a = {0};

    TRY(words_size(&x->words, "disk-size", &a.size));
    if (words_find(&x->words, "sr-uuid"))
        TRY(word_ref(x, "sr-uuid", "SR", &sr));
    else
        TRY(default_sr(x, &sr));
    if (!*sr)
        return error_text("No default Pool SR set; you must specify an SR on the commandline");
    a.sr = sr;
    return for_selected(x, add_disk, &a);
}

static struct error *remove_disk(struct xe *x, const struct selected *one, void *ctx)
{
    _cleanup_json_ json_t *refs = NULL;
    const json_t *ref;
    size_t i;

    TRY(call(&x->client, &refs, "VM.get_VBDs", "s", one->ref));
    json_array_foreach (refs, i, ref) {
        _cleanup_json_ json_t *vbd = NULL;

        TRY(call(&x->client, &vbd, "VBD.get_record", "s", json_string_value(ref)));
        if (!streq(text_of(vbd, "userdevice"), word_or(x, "device", "")))
            continue;
        TRY(call(&x->client, NULL, "VBD.destroy", "s", json_string_value(ref)));
        return call(&x->client, NULL, "VDI.destroy", "s", text_of(vbd, "VDI"));
    }
    return error_text("Disk not found");
}

struct error *vm_disk_remove(struct xe *x)
{
    return for_selected(x, remove_disk, NULL);
}

/* The CDs of that name, in SRs for CDs. */
static struct error *cds_named(struct xe *x, const char *name, json_t *ret)
{
    _cleanup_json_ json_t *refs = NULL;
    const json_t *ref;
    size_t i;

    TRY(call(&x->client, &refs, "VDI.get_by_name_label", "s", name));
    json_array_foreach (refs, i, ref) {
        _cleanup_free_ char *sr = NULL, *content = NULL;

        TRY(call_string(&x->client, &sr, "VDI.get_SR", "s", json_string_value(ref)));
        TRY(call_string(&x->client, &content, "SR.get_content_type", "s", sr));
        if (streq(content, "iso"))
            json_array_append(ret, (json_t *)(uintptr_t)ref);
    }
    return NULL;
}

static struct error *add_cd(struct xe *x, const struct selected *one, void *ctx)
{
    return attach(x, one->ref, ctx, true, false);
}

struct error *vm_cd_add(struct xe *x)
{
    const char *name = word_or(x, "cd-name", "");
    _cleanup_json_ json_t *cds = json_array();
    _cleanup_free_ char *vdi = NULL;

    TRY(cds_named(x, name, cds));
    if (!json_array_size(cds))
        return error_text("CD %s not found!", name);
    vdi = xstrdup(json_string_value(json_array_get(cds, 0)));
    return for_selected(x, add_cd, vdi);
}

static struct error *remove_cd(struct xe *x, const struct selected *one, void *ctx)
{
    const char *name = word_or(x, "cd-name", "");
    _cleanup_json_ json_t *vbds = json_array(), *cds = json_array();
    const json_t *vbd, *cd;
    size_t i, k;

    TRY(vbds_of(x, one->ref, true, vbds));
    TRY(cds_named(x, name, cds));
    json_array_foreach (vbds, i, vbd) {
        const char *vdi = text_of(json_object_get(vbd, "vbd"), "VDI");
        bool same = streq(name, "<EMPTY>") && streq(vdi, REF_NULL);

        json_array_foreach (cds, k, cd)
            same = same || streq(json_string_value(cd), vdi);
        if (same)
            return call(&x->client, NULL, "VBD.destroy", "s", text_of(vbd, "ref"));
    }
    return error_text("Disk not found");
}

struct error *vm_cd_remove(struct xe *x)
{
    return for_selected(x, remove_cd, NULL);
}

static struct error *eject_cd(struct xe *x, const struct selected *one, void *ctx)
{
    _cleanup_json_ json_t *vbds = json_array();

    TRY(vbds_of(x, one->ref, true, vbds));
    if (!json_array_size(vbds))
        return error_text("No CDs found");
    if (json_array_size(vbds) > 1)
        return error_text("Two or more CDs found. Please use vbd-eject");
    return call(&x->client, NULL, "VBD.eject", "s", text_of(json_array_get(vbds, 0), "ref"));
}

struct error *vm_cd_eject(struct xe *x)
{
    return for_selected(x, eject_cd, NULL);
}

static struct error *insert_cd(struct xe *x, const struct selected *one, void *ctx)
{
    _cleanup_json_ json_t *vbds = json_array();
    const char *empty = NULL;
    const json_t *vbd;
    size_t i;

    TRY(vbds_of(x, one->ref, true, vbds));
    json_array_foreach (vbds, i, vbd) {
        if (!is_true(json_object_get(vbd, "vbd"), "empty"))
            continue;
        if (empty)
            return error_text("Two or more empty CD devices found. Please use vbd-insert");
        empty = text_of(vbd, "ref");
    }
    if (!empty)
        return err_vm_no_empty_cd_vbd(one->ref);
    return call(&x->client, NULL, "VBD.insert", "ss", empty, (const char *)ctx);
}

struct error *vm_cd_insert(struct xe *x)
{
    const char *name = word_or(x, "cd-name", "");
    _cleanup_json_ json_t *cds = json_array();
    _cleanup_free_ char *vdi = NULL;

    TRY(cds_named(x, name, cds));
    if (!json_array_size(cds))
        return error_text("CD %s not found", name);
    if (json_array_size(cds) > 1)
        return error_text("Multiple CDs named %s found. Please use vbd-insert and specify uuids",
                          name);
    vdi = xstrdup(json_string_value(json_array_get(cds, 0)));
    return for_selected(x, insert_cd, vdi);
}
