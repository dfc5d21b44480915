/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/given.h"

#include "value/json.h"

struct error *given_send(int socket, const struct given *g)
{
    const struct http_peer *p = &g->peer;
    _cleanup_json_ json_t *j = json_pack(
        "{s:{s:i, s:I, s:I, s:b, s:i, s:s, s:s, s:b, s:s, s:I}}", "given", "kind", (int)p->kind,
        "uid", (json_int_t)p->uid, "pid", (json_int_t)p->pid, "superuser", p->is_superuser, "port",
        (int)p->port, "address", p->address, "server", p->server_address, "relayed", g->relayed,
        "resume", g->resume, "start", (json_int_t)g->start_us);
    _cleanup_free_ char *head = j ? json_dumps(j, JSON_COMPACT) : NULL;
    _cleanup_str_ struct str text = STR_INIT;

    if (!head)
        return error_text("a connection cannot be described");
    str_add_mem(&text, head, strlen(head) + 1);
    str_add_mem(&text, g->bytes, g->n);
    return frame_send(socket, text.s, text.len, &g->fd, 1);
}

static void read_address(const json_t *j, const char *key, char ret[46])
{
    const char *s = json_string_value(json_object_get(j, key));

    snprintf(ret, 46, "%s", s ? s : "");
}

struct error *given_read(struct arena *a, struct frame *f, struct given *ret)
{
    const char *text = str_cstr(&f->text);
    size_t len = strnlen(text, f->text.len);
    _cleanup_json_ json_t *j = NULL;

    TRY(json_parse(text, len, &j));
    const json_t *g = json_object_get(j, "given");
    const char *resume = json_string_value(json_object_get(g, "resume"));

    if (!g || !resume || !f->n_fds)
        return NULL;
    *ret = (struct given){
        .fd = TAKE_FD(f->fds[0]),
        .relayed = json_is_true(json_object_get(g, "relayed")),
        .resume = arena_strdup(a, resume),
        .start_us = json_integer_value(json_object_get(g, "start")),
    };
    if (len < f->text.len) {
        ret->bytes = text + len + 1;
        ret->n = f->text.len - len - 1;
    }
    ret->peer = (struct http_peer){
        .kind = (enum http_peer_kind)json_integer_value(json_object_get(g, "kind")),
        .uid = (uid_t)json_integer_value(json_object_get(g, "uid")),
        .pid = (pid_t)json_integer_value(json_object_get(g, "pid")),
        .is_superuser = json_is_true(json_object_get(g, "superuser")),
        .port = (uint16_t)json_integer_value(json_object_get(g, "port")),
    };
    read_address(g, "address", ret->peer.address);
    read_address(g, "server", ret->peer.server_address);
    return NULL;
}
