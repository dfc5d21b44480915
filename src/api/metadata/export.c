/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From VMs to the objects around them, as an ova.xml. A reference to what is not in it is null
 * there.
 */
#include "api/common/lists.h"
#include "api/common/settled.h"
#include "api/metadata/metadata.h"
#include "base/map.h"
#include "gen/class/VBD.h"
#include "gen/class/VDI.h"
#include "gen/class/VGPU.h"
#include "gen/class/VIF.h"
#include "gen/class/VM.h"
#include "gen/class/VTPM.h"
#include "gen/class/host.h"
#include "gen/class/secret.h"
#include "gen/errors.h"
#include "value/refs.h"

#include <stdlib.h>

struct leaving {
    struct version *v; /* counted */
    const char *id;
};

struct collection {
    struct store *store;
    const struct metadata_wish *wish;
    struct arena arena; /* of one attempt */
    struct VEC(struct leaving) list[CLASS_MAX];
    struct strmap known; /* reference -> struct version */
    struct strmap ids;   /* reference -> id */
};

static void forget(struct collection *c)
{
    for (int i = 0; i < CLASS_MAX; i++) {
        vec_foreach (l, &c->list[i])
            version_unref(l->v);
        c->list[i].n = 0;
    }
    strmap_fini(&c->known);
    strmap_fini(&c->ids);
    arena_fini(&c->arena);
}

static void collection_fini(struct collection *c)
{
    forget(c);
    for (int i = 0; i < CLASS_MAX; i++)
        vec_fini(&c->list[i]);
}

/* The record, or NULL: there is none, or it is there already. */
static const void *add(struct collection *c, enum class_id class_id, const char *ref)
{
    if (is_null_ref(ref) || strmap_find(&c->known, ref))
        return NULL;
    struct version *v = store_find(c->store, class_id, ref);

    if (!v)
        return NULL;
    vec_add(&c->list[class_id], (struct leaving){.v = v});
    strmap_set(&c->known, version_ref_text(v), v);
    return v->rec;
}

static const void *inverse_of(enum class_id class_id, const void *rec)
{
    return (const char *)rec + classes[class_id].inv_offset;
}

static void add_disk(struct collection *c, const char *ref)
{
    const struct vdi_rec *vdi = add(c, CLASS_VDI, ref);

    while (vdi) {
        const char *parent = map_find(&vdi->sm_config, "vhd-parent");

        add(c, CLASS_SR, vdi->SR);
        if (!c->wish->parents || !parent)
            return;
        _cleanup_version_ struct version *v = store_find_uuid(c->store, CLASS_VDI, parent);

        vdi = v ? add(c, CLASS_VDI, version_ref_text(v)) : NULL;
    }
}

static void add_disks(struct collection *c, const struct vm_inv *inv)
{
    for (size_t i = 0; i < inv->VBDs.n; i++) {
        const struct vbd_rec *vbd = add(c, CLASS_VBD, inv->VBDs.v[i]);

        if (vbd)
            add_disk(c, vbd->VDI);
    }
}

static void add_cards(struct collection *c, const struct vm_inv *inv)
{
    for (size_t i = 0; i < inv->VIFs.n; i++) {
        const struct vif_rec *vif = add(c, CLASS_VIF, inv->VIFs.v[i]);

        if (vif)
            add(c, CLASS_NETWORK, vif->network);
    }
}

static void add_gpus(struct collection *c, const struct vm_inv *inv)
{
    for (size_t i = 0; i < inv->VGPUs.n; i++) {
        const struct vgpu_rec *vgpu = add(c, CLASS_VGPU, inv->VGPUs.v[i]);

        if (!vgpu)
            continue;
        add(c, CLASS_VGPU_TYPE, vgpu->type);
        add(c, CLASS_GPU_GROUP, vgpu->GPU_group);
    }
}

static void add_vm(struct collection *c, const char *ref)
{
    const struct vm_rec *vm = add(c, CLASS_VM, ref);

    if (!vm)
        return;
    const struct vm_inv *inv = inverse_of(CLASS_VM, vm);

    add(c, CLASS_VM_METRICS, vm->metrics);
    add(c, CLASS_VM_GUEST_METRICS, vm->guest_metrics);
    add(c, CLASS_HOST, vm->affinity);
    add(c, CLASS_HOST, vm->resident_on);
    add_disk(c, vm->suspend_VDI);
    if (!(c->wish->without & METADATA_VBD))
        add_disks(c, inv);
    if (!(c->wish->without & METADATA_VIF))
        add_cards(c, inv);
    if (!(c->wish->without & METADATA_VGPU))
        add_gpus(c, inv);
    for (size_t i = 0; i < inv->VTPMs.n && !(c->wish->without & METADATA_VTPM); i++)
        add(c, CLASS_VTPM, inv->VTPMs.v[i]);
    /* Snapshots have none of their own. */
    for (size_t i = 0; i < inv->snapshots.n && c->wish->snapshots; i++)
        add_vm(c, inv->snapshots.v[i]);
}

static bool comes_with_another(struct collection *c, const struct vm_rec *vm)
{
    _cleanup_version_ struct version *of =
        vm->is_a_snapshot ? store_find(c->store, CLASS_VM, vm->snapshot_of) : NULL;

    return of != NULL;
}

static void add_all(struct collection *c)
{
    struct version_list all = {0};

    store_all(c->store, CLASS_VM, &all);
    vec_foreach (v, &all) {
        const struct vm_rec *vm = (*v)->rec;

        if (!comes_with_another(c, vm) && (c->wish->dom0 || !vm->is_control_domain))
            add_vm(c, vm->self);
    }
    version_list_fini(&all);
}

static struct error *collect(void *ctx)
{
    struct collection *c = ctx;

    forget(c);
    if (!c->wish->vm) {
        add_all(c);
        return NULL;
    }
    add_vm(c, c->wish->vm);
    return c->list[CLASS_VM].n ? NULL : err_handle_invalid("VM", c->wish->vm);
}

/* ---- as text ---- */

static void number(struct collection *c)
{
    size_t n = 0;

    for (size_t i = 0; ova_class(i) != CLASS_NONE; i++)
        vec_foreach (l, &c->list[ova_class(i)]) {
            char *id = arena_printf(&c->arena, "Ref:%zu", n++);

            l->id = id;
            strmap_set(&c->ids, version_ref_text(l->v), id);
        }
}

static const char *id_of(void *ctx, unsigned class_id, const char *ref)
{
    const struct collection *c = ctx;
    const char *id = is_null_ref(ref) ? NULL : strmap_find(&c->ids, ref);

    return id ? id : REF_NULL;
}

static const char *contents_of(struct collection *c, const struct vtpm_rec *vtpm)
{
    _cleanup_version_ struct version *v = store_find(c->store, CLASS_SECRET, vtpm->contents);

    return v ? arena_strdup(&c->arena, ((const struct secret_rec *)v->rec)->value) : "";
}

static void add_object(struct collection *c, const struct leaving *l, struct str *out)
{
    const struct arena_mark before = arena_mark(&c->arena);
    const struct ref_mapping ids = {.fn = id_of, .ctx = c};
    enum class_id class_id = version_class(l->v);
    const struct struct_info *si = classes[class_id].info;
    struct ova_object o = {
        .class_id = class_id, .id = l->id, .rec = record_copy(&c->arena, si, l->v->rec)};

    record_map_refs(&c->arena, si, o.rec, &ids);
    if (class_id == CLASS_VTPM)
        o.contents = contents_of(c, l->v->rec);
    ova_add(out, &o);
    arena_rewind(&c->arena, &before);
}

static const char *text_or(const char *text, const char *otherwise)
{
    return text ? text : otherwise;
}

static void tell_writer(struct daemon *d, struct arena *a, struct ova_writer *ret)
{
    _cleanup_version_ struct version *v = store_find(d->store, CLASS_HOST, d->host_ref);
    const struct host_rec *h = v ? record_copy(a, classes[CLASS_HOST].info, v->rec)
                                 : record_new(a, classes[CLASS_HOST].info);

    *ret = (struct ova_writer){
        .hostname = h->hostname,
        .date = text_or(map_find(&h->software_version, "date"), ""),
        .product_version = text_or(map_find(&h->software_version, "product_version"), ""),
        .product_brand = text_or(map_find(&h->software_version, "product_brand"), ""),
        .build_number = text_or(map_find(&h->software_version, "build_number"), ""),
        .xapi_major = h->API_version_major,
        .xapi_minor = h->API_version_minor,
        .export_version = OVA_EXPORT_VERSION,
    };
}

struct error *metadata_export(struct daemon *d, const struct metadata_wish *wish, struct str *ret)
{
    _cleanup_(collection_fini) struct collection c = {.store = d->store, .wish = wish};
    struct ova_writer writer;

    TRY(read_settled(d->store, collect, &c));
    number(&c);
    tell_writer(d, &c.arena, &writer);
    ova_begin(ret, &writer);
    for (size_t i = 0; ova_class(i) != CLASS_NONE; i++)
        vec_foreach (l, &c.list[ova_class(i)])
            add_object(&c, l, ret);
    ova_end(ret);
    return NULL;
}

struct error *metadata_devices_read(const char *text, unsigned *ret)
{
    static const char *const names[] = {"vif", "vbd", "vgpu", "vtpm"};
    unsigned got = 0;

    while (*text) {
        size_t n = strcspn(text, ",");
        size_t i = 0;

        while (i < ARRAY_SIZE(names) && !(strlen(names[i]) == n && !strncmp(names[i], text, n)))
            i++;
        if (n && i == ARRAY_SIZE(names))
            return err_invalid_value("excluded_device_types", text);
        if (n)
            got |= 1u << i;
        text += n + (text[n] == ',');
    }
    *ret = got;
    return NULL;
}
