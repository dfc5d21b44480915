/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/top.h"

#include "base/mem.h"
#include "base/world.h"
#include "cli/field.h"

#define FIGURES_MAX 500
#define SECOND      1000000.0

static void clear_hosts(struct top *t)
{
    vec_foreach (h, &t->hosts)
        free(h->name);
    vec_fini(&t->hosts);
}

static void clear_rows(struct top *t)
{
    vec_foreach (r, &t->rows) {
        free(r->ref);
        free(r->name);
        free(r->state);
    }
    vec_fini(&t->rows);
}

void top_fini(struct top *t)
{
    clear_hosts(t);
    clear_rows(t);
}

static json_t *result_of(const struct str *text)
{
    _cleanup_json_ json_t *j = json_loadb(str_cstr(text), text->len, JSON_ALLOW_NUL, NULL);

    return json_incref(json_object_get(j, "result"));
}

static int64_t int_of(const json_t *object, const char *member)
{
    return json_integer_value(json_object_get(object, member));
}

static const char *shown_state(const char *api)
{
    for (int i = 0; i < xe_words_n; i++)
        if (streq(xe_words[i].name, "vm_power_state"))
            for (const struct xe_word *w = xe_words[i].words; w->api; w++)
                if (streq(w->api, api))
                    return w->shown;
    return api;
}

static void add_vm(struct top *t, const char *ref, const json_t *vm)
{
    if (is_true(vm, "is_a_template") || is_true(vm, "is_control_domain"))
        return;
    vec_add(&t->rows, ((struct top_row){.ref = xstrdup(ref),
                                        .name = xstrdup(text_of(vm, "name_label")),
                                        .state = xstrdup(shown_state(text_of(vm, "power_state"))),
                                        .vcpus = int_of(vm, "VCPUs_at_startup"),
                                        .memory = int_of(vm, "memory_dynamic_max"),
                                        .rate = {-1, -1, -1}}));
}

static bool is_running(const struct top_row *r)
{
    return streq(r->state, "running");
}

/* "vbd_0_read_total", "vif_1_tx_total" and the like are added up. */
static void add_figures(struct top_row *r, const json_t *sources)
{
    const json_t *source;
    size_t i;

    r->measured = json_is_array(sources);
    json_array_foreach (sources, i, source) {
        const char *name = text_of(source, "name_label");
        double value = json_number_value(json_object_get(source, "value"));

        if (streq(name, "memory"))
            r->memory = (int64_t)value;
        else if (streq(name, "cpu_seconds_total"))
            r->total[0] += value;
        else if (str_starts(name, "vbd_") && str_ends(name, "_total"))
            r->total[1] += value;
        else if (str_starts(name, "vif_") && str_ends(name, "_total"))
            r->total[2] += value;
    }
}

static struct error *read_figures(struct top *t, struct client *c)
{
    char message[] = "VM.get_data_sources";
    struct top_row *of[FIGURES_MAX];
    char *messages[FIGURES_MAX], *refs[FIGURES_MAX];
    struct str texts[FIGURES_MAX] = {0};
    size_t n = 0;

    vec_foreach (r, &t->rows) {
        if (n == FIGURES_MAX || !is_running(r))
            continue;
        messages[n] = message;
        refs[n] = r->ref;
        of[n++] = r;
    }
    /* One that has just stopped fails all: then there are no figures this time. */
    struct error *e = n ? call_texts_of(c, texts, messages, refs, n) : NULL;

    for (size_t i = 0; i < n; i++) {
        _cleanup_json_ json_t *sources = result_of(&texts[i]);

        add_figures(of[i], sources);
        str_fini(&texts[i]);
    }
    if (e && e->code) {
        error_free(e);
        return NULL;
    }
    return e;
}

static const struct top_row *find(const struct top *t, const char *ref)
{
    vec_foreach (r, &t->rows)
        if (streq(r->ref, ref))
            return r;
    return NULL;
}

static void count_rates(struct top *t, const struct top *before)
{
    double seconds = (double)(t->read_us - before->read_us) / SECOND;

    vec_foreach (r, &t->rows) {
        const struct top_row *old = r->measured ? find(before, r->ref) : NULL;

        if (!old || !old->measured || seconds <= 0)
            continue;
        /* It may have started anew in between. */
        for (int i = 0; i < 3; i++)
            if (r->total[i] >= old->total[i])
                r->rate[i] = (r->total[i] - old->total[i]) / seconds;
    }
}

static int compare(const void *a, const void *b, void *order)
{
    const struct top_row *x = a, *y = b;
    enum top_order by = *(const enum top_order *)order;

    if (is_running(x) != is_running(y))
        return is_running(x) ? -1 : 1;
    if (by == TOP_CPU && x->rate[0] != y->rate[0])
        return x->rate[0] > y->rate[0] ? -1 : 1;
    if (by == TOP_MEMORY && x->memory != y->memory)
        return x->memory > y->memory ? -1 : 1;
    return strcmp(x->name, y->name);
}

static void read_hosts(struct top *t, const json_t *hosts, const json_t *metrics)
{
    const char *ref;
    json_t *host;

    json_object_foreach ((json_t *)(uintptr_t)hosts, ref, host) {
        const json_t *m = json_object_get(metrics, text_of(host, "metrics"));

        vec_add(&t->hosts, ((struct top_host){.name = xstrdup(text_of(host, "name_label")),
                                              .enabled = is_true(host, "enabled"),
                                              .memory_total = int_of(m, "memory_total"),
                                              .memory_free = int_of(m, "memory_free")}));
    }
}

struct error *top_read(struct top *t, struct client *c)
{
    char hosts_all[] = "host.get_all_records", metrics_all[] = "host_metrics.get_all_records",
         vms_all[] = "VM.get_all_records";
    char *messages[] = {hosts_all, metrics_all, vms_all};
    struct str texts[3] = {0};
    struct top now = {.order = t->order};
    struct error *e = call_texts(c, texts, messages, 3);
    _cleanup_json_ json_t *hosts = result_of(&texts[0]), *metrics = result_of(&texts[1]),
                          *vms = result_of(&texts[2]);
    const char *ref;
    json_t *vm;

    for (int i = 0; i < 3; i++)
        str_fini(&texts[i]);
    TRY(e);
    read_hosts(&now, hosts, metrics);
    json_object_foreach (vms, ref, vm)
        add_vm(&now, ref, vm);
    e = read_figures(&now, c);
    now.read_us = mono_us();
    count_rates(&now, t);
    qsort_r(now.rows.v, now.rows.n, sizeof(now.rows.v[0]), compare, &now.order);
    top_fini(t);
    *t = now;
    return e;
}

static void add_rate(struct str *out, double rate)
{
    if (rate < 0)
        str_printf(out, " %10s", "-");
    else
        str_printf(out, " %8.1f K", rate / 1024);
}

void top_text(const struct top *t, struct str *out)
{
    size_t running = 0;

    vec_foreach (r, &t->rows)
        running += is_running(r);
    vec_foreach (h, &t->hosts)
        str_printf(out, "host %s%s: %.1f GiB free of %.1f GiB\n", h->name,
                   h->enabled ? "" : " (disabled)", (double)h->memory_free / (1 << 30),
                   (double)h->memory_total / (1 << 30));
    str_printf(out, "%zu VMs, %zu running\n\n%-32s %-10s %5s %6s %9s %10s %10s\n", t->rows.n,
               running, "NAME", "STATE", "VCPUS", "CPU%", "MEMORY", "DISK/s", "NET/s");
    vec_foreach (r, &t->rows) {
        str_printf(out, "%-32.32s %-10s %5lld ", r->name, r->state, (long long)r->vcpus);
        if (r->rate[0] < 0)
            str_printf(out, "%6s", "-");
        else
            str_printf(out, "%6.1f", r->rate[0] * 100);
        str_printf(out, " %5lld MiB", (long long)(r->memory >> 20));
        add_rate(out, r->rate[1]);
        add_rate(out, r->rate[2]);
        str_lit(out, "\n");
    }
}
