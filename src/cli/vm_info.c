/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What VMs consist of and whether they could run. */
#include "cli/commands.h"
#include "cli/lists.h"
#include "cli/vm.h"

/* Prints the objects whose references are given as one table. */
static struct error *show_all(struct xe *x, const char *cls, const json_t *refs,
                              const char *columns_text)
{
    const struct xe_class *c = xe_class_find(cls);
    struct columns columns = {0};
    struct error *e = NULL;
    struct store s;

    columns_choose(c, columns_text, &columns);
    store_init(&s, &x->client);
    struct table *t = store_table(&s, c->api);

    vec_foreach (f, &columns)
        field_want(&s, c->api, *f);
    print_table(&x->printer);
    for (size_t i = 0; i < json_array_size(refs) && !e; i++) {
        _cleanup_(record_fini) struct record record = {0};
        const struct row *r;

        e = table_load_one(&s, t, json_string_value(json_array_get(refs, i)), &r);
        if (!e)
            e = row_record(&s, t, r, &columns, false, &record);
        if (!e)
            print_record(&x->printer, &record);
    }
    print_table_end(&x->printer);
    store_fini(&s);
    vec_fini(&columns);
    return e;
}

static struct error *vifs_of(struct xe *x, const struct selected *one, void *ctx)
{
    _cleanup_json_ json_t *refs = NULL;

    TRY(call(&x->client, &refs, "VM.get_VIFs", "s", one->ref));
    return show_all(
        x, "vif", refs,
        word_or(x, "params", "uuid,device,MAC,network-uuid,network-name-label,vm-name-label"));
}

struct error *vm_vif_list(struct xe *x)
{
    /* Several VMs are no accident here. */
    words_add(&x->words, "multiple", "true");
    return for_selected(x, vifs_of, NULL);
}

static struct error *crashdumps_of(struct xe *x, const struct selected *one, void *ctx)
{
    _cleanup_json_ json_t *refs = NULL;

    TRY(call(&x->client, &refs, "VM.get_crash_dumps", "s", one->ref));
    return show_all(x, "crashdump", refs, "all");
}

struct error *vm_crashdump_list(struct xe *x)
{
    return for_selected(x, crashdumps_of, NULL);
}

/* Data sources of VMs, hosts and SRs. */

static void add_number(struct record *r, const char *key, const json_t *source, const char *member)
{
    char text[40];

    snprintf(text, sizeof(text), "%.3f", json_number_value(json_object_get(source, member)));
    record_add(r, key, text);
}

static struct error *sources_of(struct xe *x, const struct selected *one, void *ctx)
{
    const char *cls = x->command->flags & XE_SELECT_VM     ? "VM"
                      : x->command->flags & XE_SELECT_HOST ? "host"
                                                           : "SR";
    _cleanup_free_ char *message = xasprintf("%s.get_data_sources", cls);
    _cleanup_json_ json_t *all = NULL;
    const json_t *source;
    size_t i;

    TRY(call(&x->client, &all, message, "s", one->ref));
    print_table(&x->printer);
    json_array_foreach (all, i, source) {
        _cleanup_(record_fini) struct record r = {0};

        record_add(&r, "name_label", text_of(source, "name_label"));
        record_add(&r, "name_description", text_of(source, "name_description"));
        record_add(&r, "enabled", is_true(source, "enabled") ? "true" : "false");
        record_add(&r, "standard", is_true(source, "standard") ? "true" : "false");
        add_number(&r, "min", source, "min");
        add_number(&r, "max", source, "max");
        record_add(&r, "units", text_of(source, "units"));
        print_record(&x->printer, &r);
    }
    print_table_end(&x->printer);
    return NULL;
}

struct error *data_source_list(struct xe *x)
{
    return for_selected(x, sources_of, NULL);
}

/* BIOS strings that say nothing of a maker, as given to VMs that ask for none. */
static bool is_generic(const json_t *strings)
{
    static const char *const known[][2] = {
        {"bios-vendor", "Xen"},
        {"bios-version", ""},
        {"system-manufacturer", "Xen"},
        {"system-product-name", "HVM domU"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if (!streq(text_of(strings, known[i][0]), known[i][1]))
            return false;
    return true;
}

static struct error *bios_of(struct xe *x, const struct selected *one, void *ctx)
{
    _cleanup_json_ json_t *strings = NULL;

    TRY(call(&x->client, &strings, "VM.get_bios_strings", "s", one->ref));
    if (!json_object_size(strings))
        print_sentence(&x->printer, "The BIOS strings of this VM have not yet been set.");
    else if (is_generic(strings))
        print_sentence(&x->printer, "This VM is BIOS-generic.");
    else
        print_sentence(&x->printer, "This VM is BIOS-customized.");
    return NULL;
}

struct error *vm_is_bios_customized(struct xe *x)
{
    return for_selected(x, bios_of, NULL);
}

/* Diagnoses. */

static struct error *one_by_one(struct xe *x, const json_t *refs, const char *columns)
{
    const json_t *ref;
    size_t i;

    json_array_foreach (refs, i, ref) {
        _cleanup_json_ json_t *single = json_pack("[s]", json_string_value(ref));

        TRY(show_all(x, "vbd", single, columns));
    }
    return NULL;
}

struct error *diagnostic_vm_status(struct xe *x)
{
    _cleanup_free_ char *vm = NULL;
    _cleanup_json_ json_t *self = NULL, *vbds = NULL;
    _cleanup_str_ struct str text = STR_INIT;

    TRY(ref_of(&x->client, "VM", word_or(x, "uuid", ""), &vm));
    self = json_pack("[s]", vm);
    TRY(show_all(x, "vm", self, "uuid,name-label,power-state,possible-hosts"));
    print_line(&x->printer, "Checking to see whether disks are attachable");
    TRY(call(&x->client, &vbds, "VM.get_VBDs", "s", vm));
    TRY(one_by_one(x, vbds,
                   "uuid,userdevice,device,vdi-uuid,empty,mode,type,storage-lock,attachable"));
    print_line(&x->printer, "Checking to see whether VM can boot on each host");
    TRY(print_host_report(x, vm));
    _cleanup_error_ struct error *e = call(&x->client, NULL, "VM.assert_agile", "s", vm);

    if (e)
        failure_text(&x->client, e, &text);
    _cleanup_free_ char *agile =
        e ? xasprintf("VM is not agile because: %s", text.s) : xstrdup("VM is agile.");

    print_line(&x->printer, agile);
    return NULL;
}

struct error *diagnostic_vdi_status(struct xe *x)
{
    static const char columns[] = "uuid,userdevice,device,empty,mode,type,storage-lock";
    _cleanup_json_ json_t *self = NULL, *vbds = NULL;
    _cleanup_json_ json_t *active = json_array(), *inactive = json_array();
    _cleanup_free_ char *vdi = NULL;
    json_t *ref;
    size_t i;

    TRY(ref_of(&x->client, "VDI", word_or(x, "uuid", ""), &vdi));
    self = json_pack("[s]", vdi);
    TRY(show_all(x, "vdi", self, "uuid,name-label,sr-uuid,mode,read-only,sharable,storage-lock"));
    TRY(call(&x->client, &vbds, "VDI.get_VBDs", "s", vdi));
    json_array_foreach (vbds, i, ref) {
        _cleanup_json_ json_t *is = NULL;

        TRY(call(&x->client, &is, "VBD.get_currently_attached", "s", json_string_value(ref)));
        json_array_append(json_is_true(is) ? active : inactive, ref);
    }
    print_line(&x->printer, json_array_size(active) ? "active VBDs:" : "no active VBDs.");
    TRY(one_by_one(x, active, columns));
    if (!json_array_size(inactive))
        return NULL;
    print_line(&x->printer, "inactive VBDs:");
    return one_by_one(x, inactive, columns);
}
