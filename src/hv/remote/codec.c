/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hv/remote/codec.h"

#include "base/mem.h"

enum form { IS_INT, IS_INT64, IS_BOOL, IS_TEXT, IS_INTS, IS_INT64S, IS_LIST, IS_DESCRIPTOR };

struct member {
    const char *name;
    enum form form;
    size_t at;
    size_t n_at;            /* IS_INTS, IS_INT64S, IS_LIST: where the count stands */
    int below;              /* IS_INT: an enum of that many values, 0 = any number */
    const struct shape *of; /* IS_LIST */
};

struct shape {
    size_t size;
    size_t n;
    const struct member *members;
};

#define M(type, name, form)                                                                        \
    {                                                                                              \
#name, form, offsetof(struct type, name), 0, 0, NULL                                       \
    }
#define M_ENUM(type, name, below)                                                                  \
    {                                                                                              \
#name, IS_INT, offsetof(struct type, name), 0, below, NULL                                 \
    }
#define M_ARRAY(type, name, form)                                                                  \
    {                                                                                              \
#name, form, offsetof(struct type, name), offsetof(struct type, n_##name), 0, NULL         \
    }
#define M_LIST(type, name, shape)                                                                  \
    {                                                                                              \
#name, IS_LIST, offsetof(struct type, name), offsetof(struct type, n_##name), 0, &(shape)  \
    }
#define SHAPE(type, table)                                                                         \
    const struct shape type##_shape = {sizeof(struct type), ARRAY_SIZE(table), table}

static const struct member disk_members[] = {
    M(hv_disk, device, IS_INT),
    M(hv_disk, vdi, IS_TEXT),
    M_ENUM(hv_disk, type, HV_DISK_TYPE_MAX),
    M(hv_disk, read_only, IS_BOOL),
    M(hv_disk, bootable, IS_BOOL),
    M(hv_disk, node, IS_TEXT),
    M(hv_disk, path, IS_TEXT),
};
SHAPE(hv_disk, disk_members);

static const struct member nic_members[] = {
    M(hv_nic, device, IS_INT),  M(hv_nic, mac, IS_TEXT),          M_ENUM(hv_nic, net, HV_NET_MAX),
    M(hv_nic, bridge, IS_TEXT), M(hv_nic, tap_fd, IS_DESCRIPTOR), M(hv_nic, mtu, IS_INT),
};
SHAPE(hv_nic, nic_members);

static const struct member pair_members[] = {M(hv_pair, key, IS_TEXT), M(hv_pair, value, IS_TEXT)};
SHAPE(hv_pair, pair_members);

static const struct member start_members[] = {
    M(hv_start, uuid, IS_TEXT),
    M(hv_start, name, IS_TEXT),
    M(hv_start, memory_max, IS_INT64),
    M(hv_start, memory_target, IS_INT64),
    M(hv_start, vcpus_max, IS_INT),
    M(hv_start, vcpus, IS_INT),
    M_ENUM(hv_start, kind, HV_KIND_MAX),
    M_ENUM(hv_start, firmware, HV_FIRMWARE_MAX),
    M(hv_start, boot_order, IS_TEXT),
    M(hv_start, kernel, IS_TEXT),
    M(hv_start, ramdisk, IS_TEXT),
    M(hv_start, cmdline, IS_TEXT),
    M_ENUM(hv_start, on_reboot, HV_ACTION_MAX),
    M_LIST(hv_start, disks, hv_disk_shape),
    M_LIST(hv_start, nics, hv_nic_shape),
    M_LIST(hv_start, platform, hv_pair_shape),
    M_LIST(hv_start, scheduling, hv_pair_shape),
    M(hv_start, resume_fd, IS_DESCRIPTOR),
    M(hv_start, record, IS_TEXT),
};
SHAPE(hv_start, start_members);

static const struct member started_members[] = {
    M(hv_started, domid, IS_INT64),
    M(hv_started, record, IS_TEXT),
};
SHAPE(hv_started, started_members);

static const struct member domain_members[] = {
    M(hv_domain, uuid, IS_TEXT),
    M(hv_domain, domid, IS_INT64),
    M_ENUM(hv_domain, state, HV_STATE_MAX),
    M_ENUM(hv_domain, stop, HV_STOP_MAX),
    M(hv_domain, started, IS_INT64),
    M(hv_domain, memory_max, IS_INT64),
    M(hv_domain, memory_actual, IS_INT64),
    M(hv_domain, vcpus, IS_INT),
    M(hv_domain, vcpus_max, IS_INT),
    M_ARRAY(hv_domain, disks, IS_INTS),
    M_ARRAY(hv_domain, nics, IS_INTS),
};
SHAPE(hv_domain, domain_members);

static const struct member disk_stats_members[] = {
    M(hv_disk_stats, device, IS_INT),        M(hv_disk_stats, read_bytes, IS_INT64),
    M(hv_disk_stats, write_bytes, IS_INT64), M(hv_disk_stats, read_ops, IS_INT64),
    M(hv_disk_stats, write_ops, IS_INT64),
};
static SHAPE(hv_disk_stats, disk_stats_members);

static const struct member nic_stats_members[] = {
    M(hv_nic_stats, device, IS_INT),
    M(hv_nic_stats, rx_bytes, IS_INT64),
    M(hv_nic_stats, tx_bytes, IS_INT64),
};
static SHAPE(hv_nic_stats, nic_stats_members);

/* The count of vcpu_ns has a name of its own. */
static const struct member stats_members[] = {
    M(hv_stats, cpu_ns, IS_INT64),
    {"vcpu_ns", IS_INT64S, offsetof(struct hv_stats, vcpu_ns), offsetof(struct hv_stats, n_vcpus),
     0, NULL},
    M(hv_stats, memory_actual, IS_INT64),
    M(hv_stats, memory_free, IS_INT64),
    M_LIST(hv_stats, disks, hv_disk_stats_shape),
    M_LIST(hv_stats, nics, hv_nic_stats_shape),
};
SHAPE(hv_stats, stats_members);

static const struct member caps_members[] = {
    M(hv_caps, driver, IS_TEXT),      M(hv_caps, version, IS_TEXT),
    M(hv_caps, accelerator, IS_TEXT), M(hv_caps, why, IS_TEXT),
    M(hv_caps, features, IS_INT),     M(hv_caps, max_vcpus, IS_INT),
    M(hv_caps, scheduler, IS_TEXT),   M(hv_caps, block_devices, IS_BOOL),
};
SHAPE(hv_caps, caps_members);

static const struct member host_members[] = {
    M(hv_host, memory_total, IS_INT64),
    M(hv_host, memory_free, IS_INT64),
    M(hv_host, capabilities, IS_TEXT),
};
SHAPE(hv_host, host_members);

static const struct member event_members[] = {
    M_ENUM(hv_event, kind, HV_EVENT_MAX),  M(hv_event, uuid, IS_TEXT),
    M_ENUM(hv_event, state, HV_STATE_MAX), M_ENUM(hv_event, stop, HV_STOP_MAX),
    M(hv_event, device, IS_INT),           M(hv_event, memory_actual, IS_INT64),
};
SHAPE(hv_event, event_members);

/* ---- encoding ---- */

/* Guests and files may say anything; JSON carries UTF-8. */
json_t *hv_text_to_json(const char *s)
{
    json_t *j = json_string(s ? s : "");

    if (j)
        return j;
    _cleanup_free_ char *clean = xstrdup(s);

    for (char *c = clean; *c; c++) {
        if ((unsigned char)*c >= 0x80)
            *c = '?';
    }
    return json_string(clean);
}

static size_t element_size(const struct member *m)
{
    return m->form == IS_LIST ? m->of->size : m->form == IS_INTS ? sizeof(int) : sizeof(int64_t);
}

static json_t *element_to_json(const struct member *m, const void *p)
{
    if (m->form == IS_LIST)
        return hv_to_json(m->of, p);
    return json_integer(m->form == IS_INTS ? *(const int *)p : *(const int64_t *)p);
}

static json_t *array_to_json(const struct member *m, const char *rec)
{
    const char *items = *(const char *const *)(const void *)(rec + m->at);
    size_t n = *(const size_t *)(const void *)(rec + m->n_at);
    json_t *all = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(all, element_to_json(m, items + i * element_size(m)));
    return all;
}

static json_t *member_to_json(const struct member *m, const char *rec)
{
    const void *p = rec + m->at;

    switch (m->form) {
    case IS_INT:
        return json_integer(*(const int *)p);
    case IS_INT64:
        return json_integer(*(const int64_t *)p);
    case IS_BOOL:
        return json_boolean(*(const bool *)p);
    case IS_TEXT:
        return hv_text_to_json(*(const char *const *)p);
    case IS_DESCRIPTOR:
        return NULL;
    default:
        return array_to_json(m, rec);
    }
}

json_t *hv_to_json(const struct shape *s, const void *p)
{
    json_t *j = json_object();

    for (size_t i = 0; i < s->n; i++) {
        json_t *value = member_to_json(&s->members[i], p);

        if (value)
            json_object_set_new(j, s->members[i].name, value);
    }
    return j;
}

json_t *hv_list_to_json(const struct shape *s, const void *items, size_t n)
{
    json_t *all = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(all, hv_to_json(s, (const char *)items + i * s->size));
    return all;
}

/* ---- decoding ---- */

static struct error *bad_member(const struct member *m)
{
    return error_text("member \"%s\" is absent or bad", m->name);
}

static struct error *element_from_json(struct arena *a, const struct member *m, const json_t *j,
                                       void *ret)
{
    if (m->form == IS_LIST)
        return hv_from_json(a, m->of, j, ret);
    if (!json_is_integer(j))
        return bad_member(m);
    if (m->form == IS_INTS)
        *(int *)ret = (int)json_integer_value(j);
    else
        *(int64_t *)ret = json_integer_value(j);
    return NULL;
}

static struct error *array_from_json(struct arena *a, const struct member *m, const json_t *j,
                                     char *rec)
{
    size_t n = json_array_size(j);

    if (!json_is_array(j))
        return bad_member(m);
    char *items = arena_zalloc(a, n * element_size(m) + 1);

    for (size_t i = 0; i < n; i++)
        TRY(element_from_json(a, m, json_array_get(j, i), items + i * element_size(m)));
    *(char **)(void *)(rec + m->at) = items;
    *(size_t *)(void *)(rec + m->n_at) = n;
    return NULL;
}

static struct error *number_from_json(const struct member *m, const json_t *j, void *ret)
{
    json_int_t v = json_integer_value(j);

    if (!json_is_integer(j) || (m->below && (v < 0 || v >= m->below)))
        return bad_member(m);
    if (m->form == IS_INT)
        *(int *)ret = (int)v;
    else
        *(int64_t *)ret = v;
    return NULL;
}

static struct error *member_from_json(struct arena *a, const struct member *m, const json_t *j,
                                      char *rec)
{
    void *p = rec + m->at;

    switch (m->form) {
    case IS_INT:
    case IS_INT64:
        return number_from_json(m, j, p);
    case IS_BOOL:
        if (!json_is_boolean(j))
            return bad_member(m);
        *(bool *)p = json_is_true(j);
        return NULL;
    case IS_TEXT:
        if (!json_is_string(j))
            return bad_member(m);
        *(const char **)p = arena_strdup(a, json_string_value(j));
        return NULL;
    case IS_DESCRIPTOR:
        *(int *)p = -1;
        return NULL;
    default:
        return array_from_json(a, m, j, rec);
    }
}

struct error *hv_from_json(struct arena *a, const struct shape *s, const json_t *j, void *ret)
{
    memset(ret, 0, s->size);
    for (size_t i = 0; i < s->n; i++)
        TRY(member_from_json(a, &s->members[i], json_object_get(j, s->members[i].name), ret));
    return NULL;
}

struct error *hv_list_from_json(struct arena *a, const struct shape *s, const json_t *j, void **ret,
                                size_t *ret_n)
{
    size_t n = json_array_size(j);

    if (!json_is_array(j))
        return error_text("not a list");
    char *items = arena_zalloc(a, n * s->size + 1);

    for (size_t i = 0; i < n; i++)
        TRY(hv_from_json(a, s, json_array_get(j, i), items + i * s->size));
    *ret = items;
    *ret_n = n;
    return NULL;
}
