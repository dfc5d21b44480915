/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The same work on libvirt, over its own client library:
 *   define       defines domains without devices as quickly as its threads can
 *   define-full  the same with a disk and a card
 *   list         lists all domains and reads the description of each
 *   stats        libvirt's bulk call, GetAllDomainStats
 *   state        asks one domain for its state
 *   power        defines CALLS domains, starts all of them paused, then destroys them
 *
 *   libvirt_load [-c THREADS] [-t SECONDS | -n CALLS] MODE URI
 *
 * Prints one line of name=value; power tells rss, the bytes of the process LIBVIRT_PID while all
 * run. Built where libvirt's headers are.
 */
#include "base/mem.h"
#include "base/uuid.h"
#include "base/world.h"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <pthread.h>
#include <stdatomic.h>

#define HEAD_XML                                                                                   \
    "<domain type='qemu'><name>bench-%s</name><uuid>%s</uuid><memory unit='MiB'>64</memory>"       \
    "<vcpu>1</vcpu><os><type arch='x86_64' machine='q35'>hvm</type></os>"

static const char bare_xml[] = HEAD_XML "</domain>";
static const char full_xml[] =
    HEAD_XML "<devices><disk type='file' device='disk'><source file='/nowhere/disk.qcow2'/>"
             "<target dev='vda' bus='virtio'/></disk>"
             "<interface type='user'><model type='virtio'/></interface></devices></domain>";

/* About the devices that a VM of ours has. */
static const char run_xml[] =
    HEAD_XML "<cpu mode='maximum'/><on_poweroff>destroy</on_poweroff>"
             "<devices><serial type='pty'/><video><model type='vga'/></video>"
             "<controller type='scsi' model='virtio-scsi'/><rng model='virtio'>"
             "<backend model='random'>/dev/urandom</backend></rng></devices></domain>";

struct load {
    const char *uri, *mode;
    unsigned threads;
    int64_t us;
    unsigned long calls; /* 0 = as many as fit into the time */
    atomic_ulong begun, done;
    atomic_ullong bytes, objects;
    int64_t stop;
};

static void fail(void)
{
    const virError *e = virGetLastError();

    fprintf(stderr, "%s\n", e ? e->message : "libvirt failed");
    exit(1);
}

static void define_one(struct load *l, virConnectPtr c)
{
    struct uuid_text uuid = uuid_random();
    bool full = streq(l->mode, "define-full");
    _cleanup_free_ char *xml =
        full ? xasprintf(full_xml, uuid.s, uuid.s) : xasprintf(bare_xml, uuid.s, uuid.s);
    virDomainPtr d = virDomainDefineXML(c, xml);

    if (!d)
        fail();
    virDomainFree(d);
    atomic_fetch_add(&l->objects, 1);
}

static void list_all(struct load *l, virConnectPtr c)
{
    virDomainPtr *list;
    int n = virConnectListAllDomains(c, &list, 0);

    if (n < 0)
        fail();
    for (int i = 0; i < n; i++) {
        char *xml = virDomainGetXMLDesc(list[i], 0);

        if (!xml)
            fail();
        atomic_fetch_add(&l->bytes, strlen(xml));
        free(xml);
        virDomainFree(list[i]);
    }
    free(list);
    atomic_fetch_add(&l->objects, (unsigned long long)n);
}

static void all_stats(struct load *l, virConnectPtr c)
{
    virDomainStatsRecordPtr *list;
    int n = virConnectGetAllDomainStats(c, 0, &list, 0);

    if (n < 0)
        fail();
    virDomainStatsRecordListFree(list);
    atomic_fetch_add(&l->objects, (unsigned long long)n);
}

static void one_state(struct load *l, virConnectPtr c)
{
    static _Thread_local virDomainPtr *list;
    int state;

    if (!list && virConnectListAllDomains(c, &list, 0) < 1)
        fail();
    if (virDomainGetState(list[0], &state, NULL, 0) < 0)
        fail();
    atomic_fetch_add(&l->objects, 1);
}

static const struct {
    const char *name;
    void (*run)(struct load *l, virConnectPtr c);
} modes[] = {{"define", define_one},
             {"define-full", define_one},
             {"list", list_all},
             {"stats", all_stats},
             {"state", one_state}};

/* Power: the phases are timed apart. */

struct power {
    struct load *load;
    virDomainPtr *domains;
    atomic_ulong next;
    int (*act)(virDomainPtr d);
};

static int start_paused(virDomainPtr d)
{
    return virDomainCreateWithFlags(d, VIR_DOMAIN_START_PAUSED);
}

static void *act_on_some(void *arg)
{
    struct power *p = arg;
    unsigned long i;

    while ((i = atomic_fetch_add(&p->next, 1)) < p->load->calls)
        if (p->act(p->domains[i]) < 0)
            fail();
    return NULL;
}

static double phase(struct power *p, int (*act)(virDomainPtr d))
{
    pthread_t threads[64];
    int64_t begin = mono_us();

    p->act = act;
    atomic_store(&p->next, 0);
    for (unsigned i = 0; i < p->load->threads; i++)
        if (pthread_create(&threads[i], NULL, act_on_some, p))
            exit(1);
    for (unsigned i = 0; i < p->load->threads; i++)
        pthread_join(threads[i], NULL);
    return (double)(mono_us() - begin) / 1e6;
}

static unsigned long long resident_bytes(const char *pid)
{
    _cleanup_free_ char *path = xasprintf("/proc/%s/statm", pid ? pid : "self");
    unsigned long long total, resident = 0;
    FILE *f = fopen(path, "re");

    if (!f || fscanf(f, "%llu %llu", &total, &resident) != 2)
        resident = 0;
    if (f)
        fclose(f);
    return resident * (unsigned long long)sysconf(_SC_PAGESIZE);
}

static int power(struct load *l)
{
    virConnectPtr c = virConnectOpen(l->uri);

    if (!c)
        fail();
    struct power p = {.load = l, .domains = xnew_array(virDomainPtr, l->calls)};

    for (unsigned long i = 0; i < l->calls; i++) {
        struct uuid_text uuid = uuid_random();
        _cleanup_free_ char *xml = xasprintf(run_xml, uuid.s, uuid.s);

        if (!(p.domains[i] = virDomainDefineXML(c, xml)))
            fail();
    }
    double start = phase(&p, start_paused);
    unsigned long long rss = resident_bytes(getenv("LIBVIRT_PID"));
    double destroy = phase(&p, virDomainDestroy);

    for (unsigned long i = 0; i < l->calls; i++) {
        virDomainUndefine(p.domains[i]);
        virDomainFree(p.domains[i]);
    }
    free(p.domains);
    virConnectClose(c);
    printf("start=%.6f destroy=%.6f rss=%llu\n", start, destroy, rss);
    return 0;
}

static void *run(void *arg)
{
    struct load *l = arg;
    virConnectPtr c = virConnectOpen(l->uri);

    if (!c)
        fail();
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        if (!streq(modes[i].name, l->mode))
            continue;
        while (l->calls ? atomic_fetch_add(&l->begun, 1) < l->calls : mono_us() < l->stop) {
            modes[i].run(l, c);
            atomic_fetch_add(&l->done, 1);
        }
    }
    virConnectClose(c);
    return NULL;
}

static void quiet(void *ctx, virErrorPtr e)
{
}

static bool parse(int argc, char **argv, struct load *l)
{
    int c;

    while ((c = getopt(argc, argv, "c:t:n:")) >= 0) {
        if (c == 'c')
            l->threads = (unsigned)strtoul(optarg, NULL, 10);
        else if (c == 't')
            l->us = (int64_t)(strtod(optarg, NULL) * 1e6);
        else if (c == 'n')
            l->calls = strtoul(optarg, NULL, 10);
        else
            return false;
    }
    if (optind + 2 != argc || l->threads < 1 || l->threads > 64)
        return false;
    l->mode = argv[optind];
    l->uri = argv[optind + 1];
    return true;
}

int main(int argc, char **argv)
{
    static struct load l = {.threads = 1, .us = 2 * SECOND_US};
    pthread_t threads[64];

    if (!parse(argc, argv, &l)) {
        fputs("usage: libvirt_load [-c THREADS] [-t SECONDS | -n CALLS]"
              " define|define-full|list|stats|state|power URI\n",
              stderr);
        return 2;
    }
    virSetErrorFunc(NULL, quiet);
    if (streq(l.mode, "power"))
        return power(&l);
    int64_t start = mono_us();

    l.stop = start + l.us;
    for (unsigned i = 0; i < l.threads; i++)
        if (pthread_create(&threads[i], NULL, run, &l))
            exit(1);
    for (unsigned i = 0; i < l.threads; i++)
        pthread_join(threads[i], NULL);
    double seconds = (double)(mono_us() - start) / 1e6;

    printf("calls=%lu objects=%llu bytes=%llu seconds=%.6f rate=%.1f\n", atomic_load(&l.done),
           atomic_load(&l.objects), atomic_load(&l.bytes), seconds,
           (double)atomic_load(&l.done) / seconds);
    return atomic_load(&l.objects) ? 0 : 1;
}
