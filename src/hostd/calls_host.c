/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bodies of the calls about the host itself: greeting, facts, figures, accounts, networks. */
#include "gen/errors.h"
#include "hostd/accounts.h"
#include "hostd/devices.h"
#include "hostd/directory_server.h"
#include "hostd/facts.h"
#include "hostd/machine.h"
#include "hostd/settings.h"
#include "hostd/trace_post.h"
#include "hv/hv.h"
#include "net/net.h"
#include "proto/server.h"

#include <stdlib.h>
#include <sys/klog.h>

/* syslog(2): read all messages in the ring, without removing them */
#define KLOG_READ_ALL 3
#define DMESG_MAX     (256u << 10)

struct error *host_hello(struct host_call *c, const struct host_hello_args *a,
                         struct host_hello_result *ret)
{
    const struct machine *m = host_call_ctx(c);

    *ret = (struct host_hello_result){.version = XENOLITH_VERSION,
                                      .schema = HOST_PROTO_DIGEST,
                                      .boot_id = m->boot_id,
                                      .driver = hv_probe(m->hv)->driver};
    return NULL;
}

static void add_features(struct arena *a, uint32_t features, struct set_string *ret)
{
    static const struct {
        uint32_t bit;
        const char *name;
    } all[] = {
        {HV_CAN_SUSPEND, "suspend"},
        {HV_CAN_HOTPLUG_DISK, "hotplug_disk"},
        {HV_CAN_HOTPLUG_NIC, "hotplug_nic"},
        {HV_CAN_HOTPLUG_VCPU, "hotplug_vcpu"},
        {HV_CAN_BALLOON, "balloon"},
        {HV_CAN_UEFI, "uefi"},
        {HV_CAN_VNC, "vnc"},
        {HV_CAN_AGENT, "agent"},
        {HV_CAN_PV, "pv"},
        {HV_CAN_PVH, "pvh"},
        {HV_CAN_SCHEDULE, "schedule"},
    };
    const char **v = arena_array(a, const char *, ARRAY_SIZE(all));
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        if (features & all[i].bit)
            v[n++] = all[i].name;
    }
    *ret = (struct set_string){.n = n, .v = v};
}

static void add_capabilities(struct arena *a, const char *words, struct set_string *ret)
{
    char *rest, *text = arena_strdup(a, words);
    const char **v = arena_array(a, const char *, strlen(text) / 2 + 1);
    size_t n = 0;

    for (char *word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        v[n++] = word;
    *ret = (struct set_string){.n = n, .v = v};
}

struct error *host_host_facts(struct host_call *c, const struct host_host_facts_args *a,
                              struct host_host_facts_result *ret)
{
    const struct machine *m = host_call_ctx(c);
    const struct hv_caps *caps = hv_probe(m->hv);
    struct arena *arena = host_call_arena(c);
    struct hv_host host;

    TRY(hv_host(m->hv, arena, &host));
    facts_add_system(arena, ret);
    ret->timezone = settings_current_timezone(arena);
    if (host.memory_total)
        ret->memory_total = host.memory_total;
    facts_add_cpus(arena, ret);
    facts_add_interfaces(arena, !streq(caps->driver, "sim"), ret);
    add_features(arena, caps->features, &ret->features);
    if (host.capabilities)
        add_capabilities(arena, host.capabilities, &ret->capabilities);
    ret->driver = caps->driver;
    ret->driver_version = caps->version;
    ret->accelerator = caps->accelerator;
    ret->why = caps->why;
    ret->max_vcpus = caps->max_vcpus;
    ret->scheduler = caps->scheduler;
    return NULL;
}

struct error *host_host_devices(struct host_call *c, const struct host_host_devices_args *a,
                                struct host_host_devices_result *ret)
{
    const struct machine *m = host_call_ctx(c);
    struct arena *arena = host_call_arena(c);

    if (streq(hv_probe(m->hv)->driver, "sim"))
        devices_make_up(arena, ret);
    else
        devices_find(arena, "/sys", "/usr/share/misc", ret);
    return NULL;
}

struct error *host_host_figures(struct host_call *c, const struct host_host_figures_args *a,
                                struct host_host_figures_result *ret)
{
    double load[1] = {0};

    const struct machine *m = host_call_ctx(c);
    struct hv_host host;

    TRY(hv_host(m->hv, host_call_arena(c), &host));
    if (getloadavg(load, 1) < 1)
        load[0] = 0;
    *ret = (struct host_host_figures_result){
        .memory_free = host.memory_total ? host.memory_free : facts_meminfo("MemAvailable"),
        .load = load[0]};
    return NULL;
}

/* The kernel's text is not bound to be UTF-8. */
static void make_text(char *s)
{
    for (; *s; s++) {
        if ((unsigned char)*s >= 0x80 || ((unsigned char)*s < 0x20 && *s != '\n' && *s != '\t'))
            *s = '?';
    }
}

struct error *host_host_dmesg(struct host_call *c, const struct host_host_dmesg_args *a,
                              struct host_host_dmesg_result *ret)
{
    const struct machine *m = host_call_ctx(c);
    char *text = arena_zalloc(host_call_arena(c), DMESG_MAX + 1);
    const char *own;

    TRY(hv_dmesg(m->hv, host_call_arena(c), &own));
    /* The hypervisor's, where it keeps one: what callers of host.dmesg expect. */
    int n = *own ? snprintf(text, DMESG_MAX, "%s", own) : klogctl(KLOG_READ_ALL, text, DMESG_MAX);

    if (n < 0) {
        ret->text = "(the kernel's messages are not for this user)\n";
        return NULL;
    }
    text[MIN((unsigned)n, DMESG_MAX)] = 0;
    make_text(text);
    ret->text = text;
    return NULL;
}

struct error *host_host_auth(struct host_call *c, const struct host_host_auth_args *a,
                             struct host_host_auth_result *ret)
{
    struct machine *m = host_call_ctx(c);

    return accounts_check(m->accounts, a->user, a->password, &ret->superuser);
}

struct error *host_host_account(struct host_call *c, const struct host_host_account_args *a,
                                struct host_host_account_result *ret)
{
    struct machine *m = host_call_ctx(c);

    return accounts_find(m->accounts, a->who, host_call_arena(c), &ret->account);
}

struct error *host_directory_set(struct host_call *c, const struct host_directory_set_args *a,
                                 struct host_directory_set_result *ret)
{
    return directory_server_set(host_call_ctx(c), &a->config, a->ca);
}

struct error *host_directory_login(struct host_call *c, const struct host_directory_login_args *a,
                                   struct host_directory_login_result *ret)
{
    return directory_server_login(host_call_ctx(c), a->user, a->password, host_call_arena(c),
                                  &ret->account);
}

struct error *host_directory_find(struct host_call *c, const struct host_directory_find_args *a,
                                  struct host_directory_find_result *ret)
{
    return directory_server_find(host_call_ctx(c), a->who, host_call_arena(c), &ret->account);
}

struct error *host_host_set_password(struct host_call *c,
                                     const struct host_host_set_password_args *a,
                                     struct host_host_set_password_result *ret)
{
    struct machine *m = host_call_ctx(c);

    return accounts_set_password(m->accounts, a->user, a->password);
}

struct error *host_trace_send(struct host_call *c, const struct host_trace_send_args *a,
                              struct host_trace_send_result *ret)
{
    return trace_post(host_call_ctx(c), a->url, a->spans);
}

struct error *host_net_attach(struct host_call *c, const struct host_net_attach_args *a,
                              struct host_net_attach_result *ret)
{
    struct machine *m = host_call_ctx(c);

    return net_attach(m->net, a->bridge, a->device, (int)MAX(0, MIN(a->mtu, 100000)));
}

struct error *host_net_detach(struct host_call *c, const struct host_net_detach_args *a,
                              struct host_net_detach_result *ret)
{
    struct machine *m = host_call_ctx(c);

    return net_detach(m->net, a->bridge);
}
