/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory and processors of guests, what they have used, what their agents say; the host. */
#include "base/io.h"
#include "base/mem.h"
#include "hv/libxl/config.h"
#include "hv/libxl/guest_keys.h"
#include "hv/libxl/xl.h"

#include <errno.h>
#include <xenstore.h>

#define SECTOR 512

/* ---- changing ---- */

struct error *xl_set_memory(struct hv *hv, const char *uuid, int64_t target)
{
    _cleanup_xdom_turn_ struct xdom *d = NULL;

    TRY(xdom_enter_live(hv, uuid, &d));
    target = MIN(target, d->start.memory_max);
    int rc =
        libxl_set_memory_target(xl_quick_begin(d->xl)->ctx, (uint32_t)d->domid, target >> 10, 0, 1);

    xl_quick_end();
    TRY(xl_check(rc, "cannot set the memory target"));
    pthread_mutex_lock(&d->xl->lock);
    d->start.memory_target = target;
    xdom_emit(d, HV_EVENT_MEMORY, -1);
    pthread_mutex_unlock(&d->xl->lock);
    return xdom_write(d);
}

struct error *xl_set_vcpus(struct hv *hv, const char *uuid, int vcpus)
{
    _cleanup_xdom_turn_ struct xdom *d = NULL;
    libxl_bitmap map;

    TRY(xdom_enter_live(hv, uuid, &d));
    if (vcpus > d->start.vcpus_max)
        return error_text("domain %s can have %d CPUs", uuid, d->start.vcpus_max);
    libxl_bitmap_init(&map);
    int rc = libxl_bitmap_alloc(d->xl->ops->ctx, &map, d->start.vcpus_max);

    for (int i = 0; !rc && i < vcpus; i++)
        libxl_bitmap_set(&map, i);
    if (!rc)
        rc = libxl_set_vcpuonline(d->xl->ops->ctx, (uint32_t)d->domid, &map, NULL);
    libxl_bitmap_dispose(&map);
    TRY(xl_check(rc, "cannot plug CPUs"));
    pthread_mutex_lock(&d->xl->lock);
    d->start.vcpus = vcpus;
    pthread_mutex_unlock(&d->xl->lock);
    return xdom_write(d);
}

/* ---- counters ---- */

/* A number in a file of /sys; 0 = there is none. */
static int64_t number_in(const char *path)
{
    _cleanup_str_ struct str text = STR_INIT;
    struct error *e = io_read_file(path, 64, &text);

    if (e) {
        error_free(e);
        return 0;
    }
    return strtoll(str_cstr(&text), NULL, 10);
}

static int64_t disk_counter(int64_t domid, int device, const char *name)
{
    _cleanup_free_ char *path = xasprintf("/sys/bus/xen-backend/devices/vbd-%lld-%u/statistics/%s",
                                          (long long)domid, xl_devid(device), name);

    return number_in(path);
}

static int64_t nic_counter(int64_t domid, int device, const char *name)
{
    _cleanup_free_ char *path =
        xasprintf("/sys/class/net/vif%lld.%d/statistics/%s", (long long)domid, device, name);

    return number_in(path);
}

/* blkback counts sectors and requests; what a guest reads we write. */
static void add_devices(const struct xdom *d, struct arena *a, struct hv_stats *st)
{
    struct hv_disk_stats *disks = arena_array(a, struct hv_disk_stats, d->start.n_disks);
    struct hv_nic_stats *nics = arena_array(a, struct hv_nic_stats, d->start.n_nics);

    for (size_t i = 0; i < d->start.n_disks; i++) {
        int device = d->start.disks[i].device;

        disks[i] = (struct hv_disk_stats){
            .device = device,
            .read_bytes = disk_counter(d->domid, device, "rd_sect") * SECTOR,
            .write_bytes = disk_counter(d->domid, device, "wr_sect") * SECTOR,
            .read_ops = disk_counter(d->domid, device, "rd_req"),
            .write_ops = disk_counter(d->domid, device, "wr_req")};
    }
    for (size_t i = 0; i < d->start.n_nics; i++) {
        int device = d->start.nics[i].device;

        nics[i] = (struct hv_nic_stats){.device = device,
                                        .rx_bytes = nic_counter(d->domid, device, "tx_bytes"),
                                        .tx_bytes = nic_counter(d->domid, device, "rx_bytes")};
    }
    st->disks = disks;
    st->n_disks = d->start.n_disks;
    st->nics = nics;
    st->n_nics = d->start.n_nics;
}

static void add_cpus(const struct xdom *d, const struct xl_ctx *c, struct arena *a,
                     struct hv_stats *st)
{
    int n = 0, cpus = 0;
    libxl_vcpuinfo *all = libxl_list_vcpu(c->ctx, (uint32_t)d->domid, &n, &cpus);
    int64_t *ns = arena_array(a, int64_t, (size_t)n + 1);

    for (int i = 0; i < n; i++)
        ns[i] = (int64_t)all[i].vcpu_time;
    st->vcpu_ns = ns;
    st->n_vcpus = (size_t)n;
    libxl_vcpuinfo_list_free(all, n);
}

/* With the lock: it is quick, and what start points to may be replaced. */
static struct error *read_stats(struct xdom *d, struct arena *a, struct hv_stats *ret)
{
    libxl_dominfo info;

    if (!d->domid)
        return error_text("domain %s has gone", d->uuid);
    libxl_dominfo_init(&info);
    const struct xl_ctx *c = xl_quick_begin(d->xl);
    int rc = libxl_domain_info(c->ctx, &info, (uint32_t)d->domid);

    if (!rc) {
        *ret = (struct hv_stats){.cpu_ns = (int64_t)info.cpu_time,
                                 .memory_actual = (int64_t)info.current_memkb << 10,
                                 .memory_free = -1};
        add_cpus(d, c, a, ret);
    }
    xl_quick_end();
    if (!rc)
        add_devices(d, a, ret);
    libxl_dominfo_dispose(&info);
    return xl_check(rc, "cannot look");
}

/* What the agent says of its free memory. */
static int64_t free_memory(struct xl *x, int64_t domid)
{
    _cleanup_free_ char *path = xasprintf("/local/domain/%lld/data/meminfo_free", (long long)domid);
    unsigned len;
    _cleanup_free_ char *text = xs_read(x->xs, XBT_NULL, path, &len);

    return text && *text ? strtoll(text, NULL, 10) << 10 : -1;
}

struct error *xl_stats(struct hv *hv, const char *uuid, struct arena *a, struct hv_stats *ret)
{
    _cleanup_xdom_ struct xdom *d = NULL;

    TRY(xdom_find(hv, uuid, &d));
    pthread_mutex_lock(&d->xl->lock);
    struct error *e = read_stats(d, a, ret);
    int64_t domid = d->domid;

    pthread_mutex_unlock(&d->xl->lock);
    if (!e)
        ret->memory_free = free_memory(d->xl, domid);
    return e;
}

/* ---- the host ---- */

#define DMESG_MAX (256u << 10)
#define PAGE      4096

struct error *xl_dmesg(struct hv *hv, struct arena *a, const char **ret)
{
    libxl_ctx *c = xl_quick_begin(xl_of(hv))->ctx;
    libxl_xen_console_reader *r = libxl_xen_console_read_start(c, 0);
    _cleanup_str_ struct str text = STR_INIT;
    char *line;

    while (r && text.len < DMESG_MAX && libxl_xen_console_read_line(c, r, &line) > 0)
        str_add(&text, line);
    if (r)
        libxl_xen_console_read_finish(c, r);
    xl_quick_end();
    *ret = arena_strdup(a, str_cstr(&text));
    return NULL;
}

struct error *xl_host(struct hv *hv, struct arena *a, struct hv_host *ret)
{
    struct xl *x = xl_of(hv);
    libxl_physinfo info;

    libxl_physinfo_init(&info);
    int rc = libxl_get_physinfo(xl_quick_begin(x)->ctx, &info);

    xl_quick_end();
    TRY(xl_check(rc, "cannot ask about the host"));
    ret->memory_total = (int64_t)info.total_pages * PAGE;
    ret->memory_free = (int64_t)(info.free_pages + info.scrub_pages) * PAGE;
    libxl_physinfo_dispose(&info);
    ret->capabilities = arena_strdup(a, x->capabilities);
    return NULL;
}

/* ---- agents ---- */

/* A guest writes what it likes: so deep and so much is looked at. */
#define KEYS_DEPTH 5
#define KEYS_MAX   256

struct walk {
    struct xl *x;
    struct arena *a;
    char root[64];
    struct hv_pair *pairs;
    size_t n;
};

static void add_key(struct walk *w, const char *path, const char *value)
{
    const char *also, *key = guest_key(w->a, path, &also);

    if (!key || w->n + 2 > KEYS_MAX)
        return;
    w->pairs[w->n++] = (struct hv_pair){key, value};
    if (also)
        w->pairs[w->n++] = (struct hv_pair){also, value};
}

static void walk(struct walk *w, const char *path, int depth)
{
    _cleanup_free_ char *full = xasprintf("%s/%s", w->root, path);
    unsigned n = 0, len;
    char **children = depth < KEYS_DEPTH ? xs_directory(w->x->xs, XBT_NULL, full, &n) : NULL;

    for (unsigned i = 0; i < n && w->n < KEYS_MAX; i++) {
        _cleanup_free_ char *child = xasprintf("%s/%s", path, children[i]);

        walk(w, child, depth + 1);
    }
    free(children);
    if (n)
        return;
    _cleanup_free_ char *value = xs_read(w->x->xs, XBT_NULL, full, &len);

    if (value && *value)
        add_key(w, path, arena_strdup(w->a, value));
}

struct error *xl_guest_info(struct hv *hv, const char *uuid, struct arena *a, struct hv_pair **ret,
                            size_t *ret_n)
{
    static const char *const tops[] = {"attr", "data", "feature/hotplug", "xenserver/attr"};
    _cleanup_xdom_ struct xdom *d = NULL;

    TRY(xdom_find(hv, uuid, &d));
    struct walk w = {.x = d->xl, .a = a, .pairs = arena_array(a, struct hv_pair, KEYS_MAX)};

    snprintf(w.root, sizeof(w.root), "/local/domain/%lld", (long long)d->domid);
    for (size_t i = 0; i < ARRAY_SIZE(tops); i++)
        walk(&w, tops[i], 0);
    /* What the guest can is of interest only beside an agent: every kernel writes it. */
    if (w.n)
        walk(&w, "control", KEYS_DEPTH - 1);
    *ret = w.pairs;
    *ret_n = w.n;
    return NULL;
}
