/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/version.h"

#include "model/store_priv.h"
#include "value/json.h"
#include "value/xml.h"

struct version *version_new(struct object *obj, const void *rec, const char *unknown)
{
    const struct class_info *ci = &classes[obj->class_id];
    void *copy;
    size_t size;
    struct version *v = record_flatten(ci->info, rec, sizeof(*v), &copy, &size);

    atomic_init(&v->refs, 1);
    v->obj = obj;
    atomic_fetch_add_explicit(&obj->refs, 1, memory_order_relaxed);
    v->rec = copy;
    v->size = size;
    v->unknown = unknown ? xstrdup(unknown) : NULL;
    return v;
}

struct version *version_ref(struct version *v)
{
    atomic_fetch_add_explicit(&v->refs, 1, memory_order_relaxed);
    return v;
}

void version_unref(struct version *v)
{
    if (!v || atomic_fetch_sub_explicit(&v->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (int i = 0; i < FORM_MAX; i++)
        free(atomic_load_explicit(&v->form[i], memory_order_relaxed));
    object_unref(v->obj);
    cleanup_free(&v->unknown);
    free(v);
}

const char *version_ref_text(const struct version *v)
{
    return v->obj->ref;
}

enum class_id version_class(const struct version *v)
{
    return v->obj->class_id;
}

static struct fragment *encode(const struct version *v, enum wire_form form)
{
    _cleanup_str_ struct str text = STR_INIT;
    const struct struct_info *si = classes[v->obj->class_id].info;

    if (form == FORM_XML)
        xml_add_record(&text, si, v->rec);
    else
        json_add_record(&text, si, v->rec, 0, FIELD_INTERNAL);
    struct fragment *f = xmalloc(sizeof(*f) + text.len + 1);

    f->len = text.len;
    memcpy(f->text, str_cstr(&text), text.len + 1);
    return f;
}

const struct fragment *version_form(struct version *v, enum wire_form form)
{
    struct fragment *have = atomic_load_explicit(&v->form[form], memory_order_acquire);

    if (have)
        return have;
    struct fragment *made = encode(v, form);

    /* Two readers may encode at once; one result is kept. */
    if (atomic_compare_exchange_strong_explicit(&v->form[form], &have, made, memory_order_acq_rel,
                                                memory_order_acquire))
        return made;
    free(made);
    return have;
}
