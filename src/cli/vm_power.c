/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Starting and stopping VMs. */
#include "cli/commands.h"
#include "cli/task.h"
#include "cli/vm.h"
#include "gen/errors.h"

struct error *run_call(struct xe *x, const char *message, json_t *args)
{
    _cleanup_free_ char *async = NULL;
    _cleanup_json_ json_t *task = NULL;

    if (!words_find(&x->words, "progress"))
        return call_array(&x->client, NULL, message, args);
    async = xasprintf("Async.%s", message);
    TRY(call_array(&x->client, &task, async, args));
    return task_finish(&x->client, json_string_value(task) ?: "", true, NULL);
}

static struct error *host_by_name(struct xe *x, const char *name, char **ret)
{
    _cleanup_json_ json_t *hosts = NULL;
    const char *ref;
    json_t *host;

    TRY(call(&x->client, &hosts, "host.get_all_records", ""));
    json_object_foreach (hosts, ref, host) {
        if (streq(text_of(host, "uuid"), name) || streq(text_of(host, "name_label"), name)) {
            *ret = xstrdup(ref);
            return NULL;
        }
    }
    return error_text("Host %s not found", name);
}

struct error *print_host_report(struct xe *x, const char *vm)
{
    _cleanup_(record_fini) struct record r = {0};
    _cleanup_json_ json_t *hosts = NULL;
    const char *ref;
    json_t *host;

    TRY(call(&x->client, &hosts, "host.get_all_records", ""));
    json_object_foreach (hosts, ref, host) {
        _cleanup_str_ struct str text = STR_INIT;
        _cleanup_error_ struct error *e =
            call(&x->client, NULL, "VM.assert_can_boot_here", "ss", vm, ref);

        if (e) {
            failure_text(&x->client, e, &text);
            /* One line: the sentence. */
            text.s[strcspn(text.s, "\n")] = '\0';
        }
        _cleanup_free_ char *why = e ? xasprintf("Cannot start here [%s]", text.s) : xstrdup("OK");

        record_add(&r, text_of(host, "name_label"), why);
    }
    print_one(&x->printer, &r);
    return NULL;
}

/* A start that found no host says what each host lacks. */
static struct error *explain(struct xe *x, const char *vm, struct error *e)
{
    static const char *const lines[] = {
        "There are no suitable hosts to start this VM on.",
        "The following table provides per-host reasons for why the VM could not be started:", ""};

    if (e && error_is(e, ERR_NO_HOSTS_AVAILABLE)) {
        print_lines(&x->printer, lines, ARRAY_SIZE(lines));
        IGNORE_ERROR(print_host_report(x, vm));
    }
    return e;
}

/* start and resume: on the host named by "on", else on any. */
static struct error *start_somewhere(struct xe *x, const char *vm, const char *verb, bool paused)
{
    const char *on = words_find(&x->words, "on");
    _cleanup_free_ char *message = xasprintf("VM.%s%s", verb, on ? "_on" : "");
    _cleanup_free_ char *host = NULL;
    bool force;

    TRY(words_bool(&x->words, "force", false, &force));
    if (!on)
        return explain(x, vm, run_call(x, message, json_pack("[sbb]", vm, paused, force)));
    TRY(host_by_name(x, on, &host));
    return run_call(x, message, json_pack("[ssbb]", vm, host, paused, force));
}

static struct error *start_one(struct xe *x, const struct selected *one, void *ctx)
{
    bool paused;

    TRY(words_bool(&x->words, "paused", false, &paused));
    return start_somewhere(x, one->ref, "start", paused);
}

struct error *vm_start(struct xe *x)
{
    return for_selected(x, start_one, NULL);
}

static struct error *resume_one(struct xe *x, const struct selected *one, void *ctx)
{
    return start_somewhere(x, one->ref, "resume", false);
}

struct error *vm_resume(struct xe *x)
{
    return for_selected(x, resume_one, NULL);
}

/* ctx: the message. */
static struct error *simple_one(struct xe *x, const struct selected *one, void *ctx)
{
    return run_call(x, ctx, json_pack("[s]", one->ref));
}

static struct error *by_force(struct xe *x, const char *message, const char *forced)
{
    bool force;

    TRY(words_bool(&x->words, "force", false, &force));
    return for_selected(x, simple_one, (void *)(uintptr_t)(force ? forced : message));
}

struct error *vm_shutdown(struct xe *x)
{
    return by_force(x, "VM.clean_shutdown", "VM.hard_shutdown");
}

struct error *vm_reboot(struct xe *x)
{
    return by_force(x, "VM.clean_reboot", "VM.hard_reboot");
}

struct error *vm_suspend(struct xe *x)
{
    return by_force(x, "VM.suspend", "VM.suspend");
}

struct error *vm_reset_powerstate(struct xe *x)
{
    TRY(need_force(x));
    return by_force(x, "VM.power_state_reset", "VM.power_state_reset");
}

struct error *snapshot_reset_powerstate(struct xe *x)
{
    _cleanup_free_ char *ref = NULL;

    TRY(need_force(x));
    TRY(snapshot_ref(x, &ref));
    return call(&x->client, NULL, "VM.power_state_reset", "s", ref);
}
