/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/ova.h"

#include "gen/class/VTPM.h"
#include "gen/errors.h"
#include "value/number.h"
#include "value/xml.h"

static const enum class_id order[] = {
    CLASS_HOST,      CLASS_VM,        CLASS_VM_METRICS, CLASS_VM_GUEST_METRICS,
    CLASS_VBD,       CLASS_VIF,       CLASS_NETWORK,    CLASS_VDI,
    CLASS_SR,        CLASS_VGPU_TYPE, CLASS_VGPU,       CLASS_GPU_GROUP,
    CLASS_PVS_PROXY, CLASS_PVS_SITE,  CLASS_VTPM,       CLASS_NONE,
};

enum class_id ova_class(size_t i)
{
    return order[i];
}

static bool is_exported(enum class_id class_id)
{
    for (size_t i = 0; order[i] != CLASS_NONE; i++)
        if (order[i] == class_id)
            return true;
    return false;
}

/* ---- writing ---- */

static void add_member(struct str *out, const char *name, const char *text)
{
    str_printf(out, "<member><name>%s</name><value>", name);
    xml_add_text(out, text);
    str_lit(out, "</value></member>");
}

static void add_number(struct str *out, const char *name, int64_t n)
{
    str_printf(out, "<member><name>%s</name><value>%lld</value></member>", name, (long long)n);
}

static void add_writer(struct str *out, const struct ova_writer *w)
{
    str_lit(out, "<member><name>version</name><value><struct>");
    add_member(out, "hostname", w->hostname);
    add_member(out, "date", w->date);
    add_member(out, "product_version", w->product_version);
    add_member(out, "product_brand", w->product_brand);
    add_member(out, "build_number", w->build_number);
    add_number(out, "xapi_major", w->xapi_major);
    add_number(out, "xapi_minor", w->xapi_minor);
    add_number(out, "export_vsn", w->export_version);
    str_lit(out, "</struct></value></member>");
}

/* Its record has a form of its own, with the state inside. */
static void add_vtpm(struct str *out, const struct ova_object *o)
{
    const struct vtpm_rec *vtpm = o->rec;

    str_lit(out, "<value><struct>");
    add_member(out, "vTPM'_VM", vtpm->VM);
    add_member(out, "vTPM'_uuid", vtpm->uuid);
    str_printf(out,
               "<member><name>vTPM'_is_unique</name><value><boolean>%d</boolean></value>"
               "</member>",
               vtpm->is_unique);
    str_printf(out,
               "<member><name>vTPM'_is_protected</name><value><boolean>%d</boolean></value>"
               "</member>",
               vtpm->is_protected);
    add_member(out, "vTPM'_content", o->contents ? o->contents : "");
    str_lit(out, "</struct></value>");
}

void ova_add(struct str *out, const struct ova_object *o)
{
    str_lit(out, "<value><struct>");
    add_member(out, "class", classes[o->class_id].name);
    add_member(out, "id", o->id);
    str_lit(out, "<member><name>snapshot</name>");
    if (o->class_id == CLASS_VTPM)
        add_vtpm(out, o);
    else
        xml_add_record(out, classes[o->class_id].info, o->rec);
    str_lit(out, "</member></struct></value>");
}

void ova_begin(struct str *out, const struct ova_writer *w)
{
    str_lit(out, "<value><struct>");
    add_writer(out, w);
    str_lit(out, "<member><name>objects</name><value><array><data>");
}

void ova_end(struct str *out)
{
    str_lit(out, "</data></array></value></member></struct></value>");
}

/* ---- reading ---- */

static struct error *wrong(const char *fmt, ...) _printf_(1, 2);

static struct error *wrong(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    _cleanup_free_ char *text = xvasprintf(fmt, ap);

    va_end(ap);
    return err_import_error(text);
}

static const char *text_at(const json_t *j, const char *name)
{
    const char *s = json_string_value(json_object_get(j, name));

    return s ? s : "";
}

static int64_t number_at(const json_t *j, const char *name)
{
    const json_t *v = json_object_get(j, name);
    int64_t n = 0;

    if (json_is_integer(v))
        return json_integer_value(v);
    return number_parse_int(text_at(j, name), &n) ? n : 0;
}

static void read_writer(struct arena *a, const json_t *j, struct ova_writer *ret)
{
    ret->hostname = arena_strdup(a, text_at(j, "hostname"));
    ret->date = arena_strdup(a, text_at(j, "date"));
    ret->product_version = arena_strdup(a, text_at(j, "product_version"));
    ret->product_brand = arena_strdup(a, text_at(j, "product_brand"));
    ret->build_number = arena_strdup(a, text_at(j, "build_number"));
    ret->xapi_major = number_at(j, "xapi_major");
    ret->xapi_minor = number_at(j, "xapi_minor");
    ret->export_version = number_at(j, "export_vsn");
}

/* A program of another age may name operations that nobody here knows; they do not matter. */
static void drop_computed(const struct struct_info *si, json_t *snapshot)
{
    for (int i = 0; i < si->n; i++)
        if (si->fields[i].flags & (FIELD_INVERSE | FIELD_DERIVED | FIELD_INTERNAL))
            json_object_del(snapshot, si->fields[i].name);
    json_object_del(snapshot, "allowed_operations");
    json_object_del(snapshot, "current_operations");
}

static bool flag_at(const json_t *j, const char *name)
{
    const json_t *v = json_object_get(j, name);

    return json_is_true(v) || streq(text_at(j, name), "true") || streq(text_at(j, name), "1");
}

static void read_vtpm(struct arena *a, const json_t *j, struct ova_object *ret)
{
    struct vtpm_rec *vtpm = ret->rec;

    vtpm->VM = arena_strdup(a, text_at(j, "vTPM'_VM"));
    vtpm->uuid = arena_strdup(a, text_at(j, "vTPM'_uuid"));
    vtpm->is_unique = flag_at(j, "vTPM'_is_unique");
    vtpm->is_protected = flag_at(j, "vTPM'_is_protected");
    ret->contents = arena_strdup(a, text_at(j, "vTPM'_content"));
}

static struct error *read_record(struct arena *a, json_t *snapshot, struct ova_object *ret)
{
    const struct struct_info *si = classes[ret->class_id].info;

    ret->rec = record_new(a, si);
    if (ret->class_id == CLASS_VTPM) {
        read_vtpm(a, snapshot, ret);
        return NULL;
    }
    drop_computed(si, snapshot);
    struct error *e = record_from_json(a, si, snapshot, ret->rec, NULL);

    if (!e)
        return NULL;
    struct error *told = wrong("%s %s: %s", classes[ret->class_id].name, ret->id, e->detail);

    error_free(e);
    return told;
}

/* *ret_taken false: of a class that does not matter. */
static struct error *read_object(struct arena *a, const json_t *j, struct ova_object *ret,
                                 bool *ret_taken)
{
    json_t *snapshot = json_object_get(j, "snapshot");
    const char *class_name = text_at(j, "class"), *id = text_at(j, "id");
    enum class_id class_id = class_find(class_name);

    if (!*class_name || !*id || !json_is_object(snapshot))
        return wrong("ova.xml: an object without class, id or snapshot");
    *ret_taken = is_exported(class_id);
    if (!*ret_taken)
        return NULL;
    *ret = (struct ova_object){.class_id = class_id, .id = arena_strdup(a, id)};
    return read_record(a, snapshot, ret);
}

static struct error *read_objects(struct arena *a, const json_t *j, struct ova *ret)
{
    size_t n = json_array_size(j);

    if (!json_is_array(j))
        return wrong("ova.xml: no list of objects");
    if (n > OVA_MAX_OBJECTS)
        return wrong("ova.xml: more than %d objects", OVA_MAX_OBJECTS);
    ret->objects = arena_array(a, struct ova_object, n);
    ret->n = 0;
    for (size_t i = 0; i < n; i++) {
        bool taken = false;

        TRY(read_object(a, json_array_get(j, i), &ret->objects[ret->n], &taken));
        ret->n += taken;
    }
    return NULL;
}

struct error *ova_read(struct arena *a, const char *text, size_t n, struct ova *ret)
{
    _cleanup_json_ json_t *j = NULL;
    struct error *e = xml_parse_value(text, n, &j);

    if (e) {
        struct error *told = wrong("ova.xml: %s", e->detail);

        error_free(e);
        return told;
    }
    if (!json_is_object(json_object_get(j, "version")))
        return wrong("ova.xml: nobody says who wrote it");
    *ret = (struct ova){0};
    read_writer(a, json_object_get(j, "version"), &ret->writer);
    return read_objects(a, json_object_get(j, "objects"), ret);
}
