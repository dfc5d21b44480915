/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/report/report.h"

#include "auth/sessions.h"
#include "gen/class/host.h"
#include "gen/class/task.h"
#include "gen/host_proto.h"
#include "gen/messages.h"
#include "model/store.h"
#include "task/audit.h"
#include "task/tally.h"
#include "value/json.h"

#include <unistd.h>

#define AUDIT_TAIL (1 << 20)

static void add_row(struct arena *a, struct str *out, const struct version *v)
{
    const struct struct_info *si = classes[version_class(v)].info;
    const struct arena_mark before = arena_mark(a);
    void *rec = record_copy(a, si, v->rec);

    report_hide(a, version_class(v), rec);
    json_add_record(out, si, rec, 0, FIELD_INTERNAL);
    str_add_char(out, '\n');
    arena_rewind(a, &before);
}

static void add_rows(struct daemon *d, struct arena *a, enum class_id class_id, struct str *out)
{
    struct version_list all = {0};

    store_all(d->store, class_id, &all);
    vec_foreach (v, &all)
        if (out->len < report_part_max())
            add_row(a, out, *v);
    version_list_fini(&all);
}

/* ---- the parts ---- */

static struct error *fill_host(struct daemon *d, struct arena *a, struct str *out)
{
    add_rows(d, a, CLASS_HOST, out);
    add_rows(d, a, CLASS_HOST_METRICS, out);
    return NULL;
}

static struct error *fill_tasks(struct daemon *d, struct arena *a, struct str *out)
{
    add_rows(d, a, CLASS_TASK, out);
    return NULL;
}

static struct error *fill_messages(struct daemon *d, struct arena *a, struct str *out)
{
    add_rows(d, a, CLASS_MESSAGE, out);
    return NULL;
}

static void add_calls(struct daemon *d, struct arena *a, struct str *out)
{
    const struct tally_message *calls = tally_messages(d->tally, a, MID_MAX);

    str_lit(out, "\ncalls, microseconds of all together, name\n");
    for (size_t i = 0; calls && i < MID_MAX; i++)
        if (calls[i].calls)
            str_printf(out, "%lld %lld %s\n", (long long)calls[i].calls, (long long)calls[i].us,
                       messages[i].name);
}

static struct error *fill_figures(struct daemon *d, struct arena *a, struct str *out)
{
    struct store_stats s;

    store_stats(d->store, &s);
    str_printf(out,
               "version %s\ncommits %llu\nconflicts %llu\nflushes %llu\nbytes of rows %llu\n"
               "publications %llu\nderivations %llu\nobjects %zu\nsessions %zu\nread-only: %s\n",
               d->version, (unsigned long long)s.commits, (unsigned long long)s.conflicts,
               (unsigned long long)s.flushes, (unsigned long long)s.row_bytes,
               (unsigned long long)s.publications, (unsigned long long)s.derivations, s.objects,
               sessions_count(d->sessions),
               store_read_only(d->store) ? store_read_only(d->store) : "no");
    str_lit(out, "\nrows of each class\n");
    for (int i = 0; i < CLASS_MAX; i++)
        if (classes[i].info && classes[i].stored)
            str_printf(out, "%zu %s\n", store_count(d->store, (enum class_id)i), classes[i].name);
    add_calls(d, a, out);
    return NULL;
}

static struct error *fill_domains(struct daemon *d, struct arena *a, struct str *out)
{
    struct host_vm_list_result r;

    TRY(hostd_vm_list(d->hostd, &(struct host_vm_list_args){0}, a, &r));
    for (size_t i = 0; i < r.domains.n && out->len < report_part_max(); i++) {
        json_add_record(out, &host_domain_rec_info, &r.domains.v[i], 0, 0);
        str_add_char(out, '\n');
    }
    return NULL;
}

static struct error *fill_verify(struct daemon *d, struct arena *a, struct str *out)
{
    struct host_machine_verify_result r;

    TRY(hostd_machine_verify(d->hostd, &(struct host_machine_verify_args){0}, a, &r));
    str_add(out, r.text);
    return NULL;
}

static struct error *fill_log(struct daemon *d, struct arena *a, struct str *out)
{
    struct host_machine_log_result r;

    TRY(hostd_machine_log(d->hostd, &(struct host_machine_log_args){0}, a, &r));
    str_add(out, r.text);
    return NULL;
}

static struct error *fill_kernel(struct daemon *d, struct arena *a, struct str *out)
{
    struct host_host_dmesg_result r;

    TRY(hostd_host_dmesg(d->hostd, &(struct host_host_dmesg_args){0}, a, &r));
    str_add(out, r.text);
    return NULL;
}

/* The end of the newest file. */
static struct error *fill_audit(struct daemon *d, struct arena *a, struct str *out)
{
    const char *dir = arena_printf(a, "%s/audit", d->state_dir);
    char *buf = arena_alloc(a, AUDIT_TAIL);
    int fds[AUDIT_FILES];
    size_t n = audit_open_all(dir, fds);

    if (n) {
        off_t size = lseek(fds[n - 1], 0, SEEK_END);
        ssize_t got = pread(fds[n - 1], buf, AUDIT_TAIL, MAX(size - AUDIT_TAIL, (off_t)0));

        str_add_mem(out, buf, (size_t)MAX(got, (ssize_t)0));
    }
    for (size_t i = 0; i < n; i++)
        close(fds[i]);
    return NULL;
}

const struct report_part report_parts[] = {
    {"host-info", "host.json", "the host", "application/json", fill_host},
    {"xapi-figures", "figures.txt", "counts of objects, commits and calls", "text/plain",
     fill_figures},
    {"xapi-db", "database.xml", "the database without what is secret", "text/xml", report_database},
    {"xapi-tasks", "tasks.json", "tasks", "application/json", fill_tasks},
    {"xapi-messages", "messages.json", "messages to the administrator", "application/json",
     fill_messages},
    {"xapi-audit", "audit.log", "the end of the audit log", "text/plain", fill_audit},
    {"domains", "domains.json", "guests that run", "application/json", fill_domains},
    {"verify", "verify.txt", "what does not fit between store, disks and guests", "text/plain",
     fill_verify},
    {"xapi-log", "daemons.log", "what the daemons said last", "text/plain", fill_log},
    {"kernel-log", "kernel.log", "what the kernel said last", "text/plain", fill_kernel},
    {0},
};

void report_capabilities(struct str *out)
{
    str_add(out, "<?xml version=\"1.0\" ?>\n<system-status-capabilities>\n");
    for (const struct report_part *p = report_parts; p->key; p++)
        str_printf(out,
                   "<capability content=\"%s\" default-checked=\"yes\" key=\"%s\" max-size=\"%zu\" "
                   "max-time=\"60\" mime=\"%s\" min-size=\"0\" min-time=\"0\" pii=\"maybe\"/>\n",
                   p->text, p->key, report_part_max(), p->mime);
    str_add(out, "</system-status-capabilities>\n");
}
