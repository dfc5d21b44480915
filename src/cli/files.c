/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Commands that bring files to a host or fetch them. */
#include "cli/commands.h"
#include "cli/select.h"
#include "cli/transfer.h"
#include "cli/vm.h"
#include "value/type.h"

#include <time.h>

/* Disks. */

static void add_word(struct xe *x, struct str *query, const char *word)
{
    const char *value = words_find(&x->words, word);

    if (value)
        query_add(query, word, value);
}

static struct error *disk_size(struct xe *x, const char *vdi, int64_t *ret)
{
    _cleanup_json_ json_t *size = NULL;

    TRY(call(&x->client, &size, "VDI.get_virtual_size", "s", vdi));
    *ret = json_integer_value(size);
    return NULL;
}

static struct error *vdi_transfer(struct xe *x, bool upload)
{
    _cleanup_str_ struct str query = STR_INIT;
    _cleanup_free_ char *vdi = NULL;
    struct transfer t = {
        .label = upload ? "VDI import" : "VDI export",
        .path = upload ? "/import_raw_vdi" : "/export_raw_vdi",
        .file = word_or(x, "filename", ""),
        .upload = upload,
    };

    t.resumes = streq(word_or(x, "format", "raw"), "raw");
    TRY(words_int(&x->words, "offset", 0, &t.offset));
    TRY(word_ref(x, "uuid", "VDI", &vdi));
    if (!upload)
        TRY(disk_size(x, vdi, &t.total));
    query_add(&query, "vdi", vdi);
    add_word(x, &query, "format");
    if (!upload)
        add_word(x, &query, "base");
    t.query = query.s;
    return transfer_run(x, &t, NULL);
}

struct error *vdi_import(struct xe *x)
{
    return vdi_transfer(x, true);
}

struct error *vdi_export(struct xe *x)
{
    return vdi_transfer(x, false);
}

/* VMs. */

struct exporting {
    const char *file;
    int n; /* files written so far */
};

static const char *compression(struct xe *x)
{
    const char *text = word_or(x, "compress", "false");

    if (streq(text, "zstd"))
        return "zstd";
    return streq(text, "true") || streq(text, "gzip") ? "gzip" : "false";
}

static struct error *export_vm(struct xe *x, const char *ref, const char *uuid,
                               struct exporting *ex)
{
    _cleanup_str_ struct str query = STR_INIT;
    _cleanup_free_ char *file = ex->n ? xasprintf("%s%d", ex->file, ex->n + 1) : xstrdup(ex->file);
    bool metadata, preserve, snapshots;

    TRY(words_bool(&x->words, "metadata", false, &metadata));
    TRY(words_bool(&x->words, "preserve-power-state", false, &preserve));
    TRY(words_bool(&x->words, "include-snapshots", true, &snapshots));
    ex->n++;
    query_add(&query, "ref", ref);
    query_add(&query, "use_compression", compression(x));
    query_add(&query, "preserve_power_state", preserve ? "true" : "false");
    query_add(&query, "export_snapshots", snapshots ? "true" : "false");
    if (metadata)
        query_add(&query, "excluded_device_types", word_or(x, "excluded-device-types", ""));
    const struct transfer t = {
        .label = "Export of VM",
        .detail = uuid,
        .path = metadata ? "/export_metadata" : "/export",
        .query = query.s,
        .file = file,
    };

    TRY(transfer_run(x, &t, NULL));
    if (*file)
        print_now(&x->printer, "Export succeeded");
    return NULL;
}

static struct error *export_one(struct xe *x, const struct selected *one, void *ctx)
{
    return export_vm(x, one->ref, one->uuid, ctx);
}

struct error *vm_export(struct xe *x)
{
    struct exporting ex = {.file = word_or(x, "filename", "")};

    return for_selected(x, export_one, &ex);
}

static struct error *export_kind(struct xe *x, const char *kind, const char *is_message)
{
    _cleanup_free_ char *word = xasprintf("%s-uuid", kind), *ref = NULL;
    struct exporting ex = {.file = word_or(x, "filename", "")};
    _cleanup_json_ json_t *is = NULL;

    TRY(word_ref(x, word, "VM", &ref));
    TRY(call(&x->client, &is, is_message, "s", ref));
    if (!json_is_true(is))
        return error_text("This operation can only be performed on a VM %s. %s is not a VM %s.",
                          kind, word_or(x, word, ""), kind);
    return export_vm(x, ref, word_or(x, word, ""), &ex);
}

struct error *template_export(struct xe *x)
{
    return export_kind(x, "template", "VM.get_is_a_template");
}

struct error *snapshot_export(struct xe *x)
{
    return export_kind(x, "snapshot", "VM.get_is_a_snapshot");
}

/* All references in the result of a task. */
static struct error *print_refs(struct xe *x, const char *result)
{
    _cleanup_str_ struct str line = STR_INIT;
    bool dry_run;

    TRY(words_bool(&x->words, "dry-run", false, &dry_run));
    for (const char *p = strstr(result, "OpaqueRef:"); p; p = strstr(p + 1, "OpaqueRef:")) {
        _cleanup_free_ char *ref = xmemdup0(p, strcspn(p, "<, \"]"));
        _cleanup_free_ char *uuid = NULL;

        TRY(uuid_of(&x->client, "VM", ref, &uuid));
        str_printf(&line, "%s%s", line.len ? "," : "", uuid);
    }
    if (!line.len && dry_run)
        str_lit(&line, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx");
    print_now(&x->printer, "%s", str_cstr(&line));
    return NULL;
}

static struct error *import_from_url(struct xe *x, const char *sr, bool restore, bool force)
{
    _cleanup_json_ json_t *refs = NULL;
    _cleanup_free_ char *text = NULL;

    TRY(call(&x->client, &refs, "VM.import", "ssbb", word_or(x, "url", ""), sr, (int)restore,
             (int)force));
    text = json_dumps(refs, JSON_COMPACT);
    return print_refs(x, text);
}

static struct error *import_file(struct xe *x, const char *sr, bool restore, bool force)
{
    const char *file = words_find(&x->words, "filename");
    _cleanup_str_ struct str query = STR_INIT;
    _cleanup_free_ char *result = NULL;
    bool metadata, dry_run;

    if (!file)
        return fail_usage("Required parameter not found", "filename");
    TRY(words_bool(&x->words, "metadata", false, &metadata));
    TRY(words_bool(&x->words, "dry-run", false, &dry_run));
    if (dry_run && !metadata) {
        return front_fail(x->client.front, "Only metadata import function support dry-run");
    }
    query_add(&query, "restore", restore ? "true" : "false");
    query_add(&query, "force", force ? "true" : "false");
    query_add(&query, "dry_run", dry_run ? "true" : "false");
    query_add(&query, "sr_id", sr);
    vec_foreach (w, &x->words)
        if (str_starts(w->key, "vdi:"))
            query_add(&query, w->key, w->value);
    const struct transfer t = {
        .label = "VM import",
        .path = metadata ? "/import_metadata" : "/import",
        .query = query.s,
        .file = file,
        .upload = true,
    };

    TRY(transfer_run(x, &t, &result));
    return print_refs(x, result);
}

struct error *vm_import(struct xe *x)
{
    _cleanup_free_ char *sr = NULL;
    bool restore, force;

    if (words_find(&x->words, "url") && words_find(&x->words, "filename")) {
        return front_fail(x->client.front, "Invalid arguments. The 'url' and 'filename' "
                                           "parameters should not both be specified.");
    }
    TRY(words_bool(&x->words, "preserve", false, &restore));
    TRY(words_bool(&x->words, "force", false, &force));
    if (words_find(&x->words, "sr-uuid"))
        TRY(word_ref(x, "sr-uuid", "SR", &sr));
    else
        TRY(default_sr(x, &sr));
    if (!*sr)
        return error_text("No SR specified and Pool default SR is null");
    if (words_find(&x->words, "url"))
        return import_from_url(x, sr, restore, force);
    return import_file(x, sr, restore, force);
}

/* Hosts and pool. */

/* Says so afterwards, unless the output is the file. */
static struct error *run_and_tell(struct xe *x, const struct transfer *t)
{
    TRY(transfer_run(x, t, NULL));
    if (*t->file)
        print_now(&x->printer, "%s succeeded", t->label);
    return NULL;
}

static struct error *host_file_one(struct xe *x, const struct selected *one, void *ctx)
{
    struct transfer t = *(const struct transfer *)ctx;

    t.host = one->ref;
    return run_and_tell(x, &t);
}

struct error *host_backup(struct xe *x)
{
    struct transfer t = {.label = "host backup download",
                         .path = "/host_backup",
                         .query = "",
                         .file = word_or(x, "file-name", "")};

    return for_selected(x, host_file_one, &t);
}

struct error *host_restore(struct xe *x)
{
    struct transfer t = {.label = "host backup upload",
                         .path = "/host_restore",
                         .query = "",
                         .file = word_or(x, "file-name", ""),
                         .upload = true};

    return for_selected(x, host_file_one, &t);
}

struct error *host_logs_download(struct xe *x)
{
    time_t now = time(NULL);
    char name[40];
    struct tm tm;

    gmtime_r(&now, &tm);
    snprintf(name, sizeof(name), "logs-%d-%d-%dT%02d%02d%02dZ", tm.tm_year + 1900, tm.tm_mon + 1,
             tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
    struct transfer t = {.label = "host logs download",
                         .path = "/host_logs_download",
                         .query = "",
                         .file = word_or(x, "file-name", name)};

    return for_selected(x, host_file_one, &t);
}

struct error *host_get_system_status(struct xe *x)
{
    const char *output = word_or(x, "output", "tar.bz2");
    _cleanup_str_ struct str query = STR_INIT;

    if (!streq(output, "tar.bz2") && !streq(output, "tar") && !streq(output, "zip"))
        return error_text("Invalid output format. Must be 'tar', 'zip' or 'tar.bz2'");
    query_add(&query, "entries", word_or(x, "entries", ""));
    query_add(&query, "output", output);
    struct transfer t = {.label = "system-status download",
                         .path = "/system-status",
                         .query = query.s,
                         .file = word_or(x, "filename", "")};

    return for_selected(x, host_file_one, &t);
}

struct error *pool_dump_database(struct xe *x)
{
    const struct transfer t = {.label = "dump database",
                               .path = "/pool/xmldbdump",
                               .query = "",
                               .file = word_or(x, "file-name", "")};

    return run_and_tell(x, &t);
}

struct error *pool_restore_database(struct xe *x)
{
    bool dry_run = words_find(&x->words, "dry-run");
    struct transfer t = {.label = "restore database",
                         .path = "/pool/xmldbdump",
                         .query = dry_run ? "dry_run=true" : "dry_run=false",
                         .file = word_or(x, "file-name", ""),
                         .upload = true};

    if (!words_find(&x->words, "force") && !dry_run)
        return error_text("This operation will restore the database backup to this host, making "
                          "it the master. All slave hosts are assumed dead and they will be "
                          "forgotten. This operation must be forced (use --force).");
    TRY(run_and_tell(x, &t));
    /* Others tell of a reboot here, which is not needed. */
    print_line(&x->printer,
               dry_run ? "Dry-run backup restore successful" : "The restored database is in use.");
    return NULL;
}

struct error *pool_sync_bundle(struct xe *x)
{
    const struct transfer t = {.label = "upload bundle",
                               .path = "/bundle",
                               .query = "",
                               .file = word_or(x, "filename", ""),
                               .upload = true};

    return transfer_run(x, &t, NULL);
}

struct error *audit_log_get(struct xe *x)
{
    const char *since = words_find(&x->words, "since"), *file = word_or(x, "filename", "");
    _cleanup_str_ struct str query = STR_INIT;
    _cleanup_free_ char *label =
        since ? xasprintf("audit-log-get (since \"%.255s\") into file %.255s", since, file)
              : xasprintf("audit-log-get into file %.255s", file);

    if (since)
        query_add(&query, "since", since);
    const struct transfer t = {
        .label = label, .path = "/audit_log", .query = str_cstr(&query), .file = file};

    return run_and_tell(x, &t);
}

static struct error *wlb(struct xe *x, const char *label, const char *path, const char *query)
{
    const char *file = word_or(x, "filename", "");
    const struct transfer t = {.label = label, .path = path, .query = query, .file = file};

    return run_and_tell(x, &t);
}

struct error *pool_retrieve_wlb_report(struct xe *x)
{
    _cleanup_str_ struct str query = STR_INIT;

    vec_foreach (w, &x->words)
        if (!streq(w->key, "filename") && !word_is_standard(w->key))
            query_add(&query, w->key, w->value);
    return wlb(x, "Report generation", "/wlb_report", query.s);
}

struct error *pool_retrieve_wlb_diagnostics(struct xe *x)
{
    return wlb(x, "WLB diagnostics download", "/wlb_diagnostics", "");
}

/* Updates and blobs. */

struct error *patch_upload(struct xe *x)
{
    _cleanup_free_ char *sr = NULL, *result = NULL;
    _cleanup_str_ struct str query = STR_INIT;

    TRY(default_sr(x, &sr));
    query_add(&query, "sr_id", sr);
    const struct transfer t = {.label = "host patch upload",
                               .path = "/pool_patch_upload",
                               .query = query.s,
                               .file = word_or(x, "file-name", ""),
                               .upload = true};

    TRY(transfer_run(x, &t, &result));
    return print_uuid(x, "pool_patch", result);
}

struct error *update_upload(struct xe *x)
{
    _cleanup_free_ char *sr = NULL, *vdi = NULL, *update = NULL;
    _cleanup_str_ struct str query = STR_INIT;

    if (words_find(&x->words, "sr-uuid"))
        TRY(word_ref(x, "sr-uuid", "SR", &sr));
    else
        TRY(default_sr(x, &sr));
    query_add(&query, "sr_id", sr);
    const struct transfer t = {.label = "host patch upload",
                               .path = "/import_raw_vdi",
                               .query = query.s,
                               .file = word_or(x, "file-name", ""),
                               .upload = true};

    TRY(transfer_run(x, &t, &vdi));
    struct error *e = call_string(&x->client, &update, "pool_update.introduce", "s", vdi);

    if (e) {
        IGNORE_ERROR(call(&x->client, NULL, "VDI.destroy", "s", vdi));
        return e;
    }
    return print_uuid(x, "pool_update", update);
}

static struct error *blob_transfer(struct xe *x, bool upload)
{
    _cleanup_str_ struct str query = STR_INIT;
    _cleanup_free_ char *ref = NULL;
    struct transfer t = {.label = upload ? "Blob put" : "Blob get",
                         .path = "/blob",
                         .file = word_or(x, "filename", ""),
                         .upload = upload};

    TRY(word_ref(x, "uuid", "blob", &ref));
    query_add(&query, "ref", ref);
    t.query = query.s;
    TRY(transfer_run(x, &t, NULL));
    print_now(&x->printer, "%s succeeded", t.label);
    return NULL;
}

struct error *blob_get(struct xe *x)
{
    return blob_transfer(x, false);
}

struct error *blob_put(struct xe *x)
{
    return blob_transfer(x, true);
}
