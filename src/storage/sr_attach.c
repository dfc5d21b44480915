/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Creating, attaching, detaching and destroying SRs; recovery; the list of attached ones. */

#include "base/io.h"
#include "base/wait.h"
#include "storage/sr_internal.h"
#include "storage/sr_mount.h"
#include "storage/tune.h"
#include "value/json.h"
#include "value/value.h"

#include <assert.h>
#include <errno.h>

/* ---- where an SR lies ---- */

static bool is_below(const char *path, const char *root)
{
    size_t n = strlen(root);

    return str_starts(path, root) && (path[n] == '/' || path[n] == 0);
}

/* The path with links resolved; a last component that is not there yet is allowed. */
static char *resolve(const char *path)
{
    char *real = realpath(path, NULL);
    const char *slash = strrchr(path, '/');

    if (real || errno != ENOENT || !slash || slash == path)
        return real;
    _cleanup_free_ char *dir = xmemdup0(path, (size_t)(slash - path));
    _cleanup_free_ char *real_dir = realpath(dir, NULL);
    if (!real_dir || streq(slash, "/..") || streq(slash, "/."))
        return NULL;
    return xasprintf("%s%s", real_dir, slash);
}

/* Where its file system is mounted by now: no link of it may lead out. */
static struct error *find_mounted(const struct storage_config *config, const char *uuid,
                                  const struct sr_mount *m, char **ret)
{
    _cleanup_free_ char *top = xasprintf("%s/%s", config->mount_root, uuid);
    _cleanup_free_ char *path = sr_mount_path(config, uuid, m);
    _cleanup_free_ char *root = realpath(top, NULL);
    _cleanup_free_ char *real = resolve(path);

    if (!real || !root || !is_below(real, root))
        return sr_failure(SR_FAILURE_UNAVAILABLE, "%s does not exist", path);
    *ret = TAKE_PTR(real);
    return NULL;
}

static struct error *find_directory(const struct storage_config *config, const struct sr_spec *spec,
                                    bool only_look, char **ret)
{
    const char *given = map_string_find(&spec->device_config, "location");
    _cleanup_free_ char *path =
        given ? xstrdup(given) : xasprintf("%s/%s", config->roots[0], spec->uuid);

    for (const char *p = path; *p; p++) {
        if ((unsigned char)*p < ' ')
            return sr_failure(SR_FAILURE_DEVICE_INVALID, "location holds a control character");
    }
    if (path[0] != '/' || strlen(path) > PATH_MAX - 256)
        return sr_failure(SR_FAILURE_DEVICE_INVALID, "location must be an absolute path");
    if (!given && !only_look)
        TRY(sr_failure_from(SR_FAILURE_UNAVAILABLE, io_mkdir_p(config->roots[0], 0700)));
    _cleanup_free_ char *real = resolve(path);
    if (!real)
        return sr_failure(SR_FAILURE_UNAVAILABLE, "%s does not exist", path);
    for (size_t i = 0; i < config->n_roots; i++) {
        _cleanup_free_ char *root = realpath(config->roots[i], NULL);
        if (root && is_below(real, root)) {
            *ret = TAKE_PTR(real);
            return NULL;
        }
    }
    return sr_failure(SR_FAILURE_DEVICE_INVALID, "%s is not a place where SRs may lie", path);
}

struct error *sr_place_config(const struct storage_config *c, const struct sr_spec *spec,
                              bool only_look, struct place_config *ret)
{
    _cleanup_sr_mount_ struct sr_mount m = {0};
    char *location = NULL;

    if (!uuid_is_valid(spec->uuid))
        return error_api("UUID_INVALID", 2, "SR", spec->uuid);
    TRY(sr_mount_parse(spec, false, &m));
    TRY(m.fs ? find_mounted(c, spec->uuid, &m, &location)
             : find_directory(c, spec, only_look, &location));
    *ret = (struct place_config){
        .storage = c, .uuid = xstrdup(spec->uuid), .location = location, .only_look = only_look};
    return NULL;
}

void place_config_fini(struct place_config *c)
{
    free((void *)(uintptr_t)c->uuid);
    free((void *)(uintptr_t)c->location);
}

/* ---- the list of attached SRs ---- */

static char *inventory_path(const struct storage *s, const char *uuid)
{
    return xasprintf("%s/%s.json", s->inventory, uuid);
}

static bool is_password(const char *key)
{
    return streq(key, "password") || streq(key, "cifspassword");
}

/* Passwords lie where nothing outlives the boot, so that what a restarted program needs for guests
 * that go on is there, and no disk has it. */
static char *password_path(const struct storage *s, const char *uuid)
{
    return xasprintf("%s/%s.password", s->config.run_dir, uuid);
}

static struct error *remember_password(struct storage *s, const char *uuid, const char *password)
{
    _cleanup_free_ char *path = password_path(s, uuid);

    return password && *password ? io_replace_file(path, password, strlen(password), 0600)
                                 : io_unlink(path);
}

/* What is to be mounted, with the password that was known when it was attached. */
static struct error *find_mount(struct storage *s, const struct sr_spec *spec, struct sr_mount *ret)
{
    _cleanup_free_ char *path = password_path(s, spec->uuid);
    _cleanup_str_ struct str text = STR_INIT;

    if (!uuid_is_valid(spec->uuid))
        return error_api("UUID_INVALID", 2, "SR", spec->uuid);
    TRY(sr_mount_parse(spec, false, ret));
    if (!ret->fs || *ret->password || access(path, F_OK) < 0)
        return NULL;
    TRY(io_read_file(path, 4096, &text));
    free(ret->password);
    ret->password = str_take(&text);
    return NULL;
}

static struct error *remember(struct storage *s, const struct sr_spec *spec)
{
    _cleanup_json_ json_t *config = json_object();
    const char *const *keys = spec->device_config.k;
    const char *const *values = spec->device_config.v;

    for (size_t i = 0; i < spec->device_config.n; i++)
        if (!is_password(keys[i]))
            json_object_set_new(config, keys[i], json_string(values[i]));
    _cleanup_json_ json_t *j = json_pack("{s:i, s:s, s:s, s:O}", "xenolith", 1, "sr", spec->uuid,
                                         "type", spec->type, "device_config", config);
    _cleanup_free_ char *text = j ? json_dumps(j, JSON_INDENT(1)) : NULL;
    _cleanup_free_ char *path = inventory_path(s, spec->uuid);
    if (!text)
        return error_text("device_config is not text");
    return io_write_file(path, text, strlen(text), 0600);
}

struct inventory {
    void *arg;
    storage_entry_fn *fn;
};

static struct error *read_entry(const struct inventory *in, const char *path)
{
    _cleanup_str_ struct str text = STR_INIT;

    TRY(io_read_file(path, 65536, &text));
    _cleanup_json_ json_t *j = json_loadb(str_cstr(&text), text.len, 0, NULL);
    json_t *config = json_object_get(j, "device_config");
    const char *uuid = json_string_value(json_object_get(j, "sr"));
    const char *type = json_string_value(json_object_get(j, "type"));
    if (!uuid || !type || !json_is_object(config))
        return error_text("%s makes no sense", path);
    size_t n = json_object_size(config);
    _cleanup_free_ const char **keys = xnew_array(const char *, n + 1);
    _cleanup_free_ const char **values = xnew_array(const char *, n + 1);
    const char *key;
    json_t *value;
    size_t i = 0;
    json_object_foreach (config, key, value) {
        keys[i] = key;
        values[i++] = json_is_string(value) ? json_string_value(value) : "";
    }
    const struct sr_spec spec = {
        .uuid = uuid, .type = type, .device_config = {.n = n, .k = keys, .v = values}};
    in->fn(in->arg, uuid, &spec, NULL);
    return NULL;
}

void storage_each_attached(const char *state_dir, storage_entry_fn *fn, void *arg)
{
    const struct inventory in = {.arg = arg, .fn = fn};
    _cleanup_free_ char *dir = xasprintf("%s/storage", state_dir);
    _cleanup_closedir_ DIR *d = opendir(dir);
    const struct dirent *entry;

    while (d && (entry = readdir(d))) {
        if (!uuid_is_with(entry->d_name, ".json"))
            continue;
        _cleanup_free_ char *uuid = xmemdup0(entry->d_name, UUID_LEN);
        _cleanup_free_ char *path = xasprintf("%s/%s", dir, entry->d_name);
        struct error *e = read_entry(&in, path);
        if (e)
            fn(arg, uuid, NULL, e);
    }
}

/* One whose server may be silent. */
struct waiting_entry {
    struct storage *storage;
    char *path;
    void (*fn)(void *arg, const char *sr, struct error *e);
    void *arg;
};

static void attach_again(void *arg, const char *uuid, const struct sr_spec *spec, struct error *e)
{
    const struct waiting_entry *w = arg;

    if (spec)
        e = sr_attach(w->storage, spec);
    if (e && w->fn)
        w->fn(w->arg, uuid, e);
    else
        error_free(e);
}

static void *restore_aside(void *arg)
{
    struct waiting_entry *w = arg;
    const struct inventory in = {.arg = w, .fn = attach_again};
    struct storage *s = w->storage;

    IGNORE_ERROR(read_entry(&in, w->path)); /* it could be read a moment ago */
    free(w->path);
    free(w);
    pthread_mutex_lock(&s->lock);
    s->restoring--;
    pthread_cond_broadcast(&s->unused);
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static void restore_one(void *arg, const char *uuid, const struct sr_spec *spec, struct error *e)
{
    _cleanup_sr_mount_ struct sr_mount m = {0};
    struct waiting_entry *common = arg;
    struct storage *s = common->storage;
    pthread_t thread;

    if (spec)
        IGNORE_ERROR(sr_mount_parse(spec, false, &m));
    if (!m.fs) {
        attach_again(common, uuid, spec, e);
        return;
    }
    struct waiting_entry *w = xnew(struct waiting_entry);
    *w = *common;
    w->path = inventory_path(s, uuid);
    pthread_mutex_lock(&s->lock);
    s->restoring++;
    pthread_mutex_unlock(&s->lock);
    if (pthread_create(&thread, NULL, restore_aside, w) == 0)
        vec_add(&s->restorers, thread);
    else
        restore_aside(w);
}

void storage_restore(struct storage *s, void (*fn)(void *arg, const char *sr, struct error *e),
                     void *arg)
{
    struct waiting_entry common = {.storage = s, .fn = fn, .arg = arg};
    int64_t end = mono_us() + RESTORE_TIMEOUT_US;
    bool in_time = true;

    io_remove_temporaries(s->inventory);
    sr_mount_sweep(s);
    storage_each_attached(s->config.state_dir, restore_one, &common);
    pthread_mutex_lock(&s->lock);
    while (s->restoring > 0 && in_time)
        in_time = cond_wait_until(&s->unused, &s->lock, end);
    pthread_mutex_unlock(&s->lock);
}

/* ---- recovery ---- */

static struct error *drop_unfinished(struct sr *sr)
{
    struct vdi_list list = {0};
    struct error *e = NULL;

    tree_unfinished(&sr->tree, &list);
    for (size_t i = 0; i < list.n && !e; i++) {
        _cleanup_free_ char *name = xasprintf("%s.vdi", list.v[i]->uuid.s);
        if (tree_find_vdi(&sr->tree, list.v[i]->uuid.s) != list.v[i])
            continue;
        sr->driver->link ? sr->driver->link(sr->place, list.v[i]->uuid.s, NULL) : (void)0;
        e = sr->driver->record_remove(sr->place, name);
        if (!e)
            tree_remove_vdi(&sr->tree, list.v[i]);
    }
    vec_fini(&list);
    return e;
}

static struct error *drop_garbage(struct sr *sr)
{
    struct node *n;

    while ((n = tree_find_garbage(&sr->tree))) {
        TRY(sr->driver->image_remove(sr->place, n));
        TRY(sr->driver->record_remove(sr->place, n->id.s));
        tree_remove_node(&sr->tree, n);
    }
    return NULL;
}

/* A resize that stopped between the image and its record: the image is right. */
static bool adopt_size(struct sr *sr, struct node *n, const struct image_stat *st)
{
    if (st->size <= n->size || st->size > VDI_SIZE_MAX || n->n_children > 0)
        return false;
    int64_t old = n->size;
    n->size = st->size;
    struct error *e = sr_write_node(sr, n);
    if (e) {
        error_free(e);
        n->size = old;
        return false;
    }
    return true;
}

static void check_images(struct sr *sr)
{
    size_t pos = 0;
    const char *key;
    struct node *n;

    while ((n = strmap_next(&sr->tree.nodes, &pos, &key))) {
        struct image_stat st = {0};
        IGNORE_ERROR(sr->driver->image_stat(sr->place, n, &st));
        if (!st.sound && !adopt_size(sr, n, &st))
            n->broken = true;
    }
}

static struct error *load(struct sr *sr)
{
    if (sr->driver->flags & SR_FLAT)
        return sr->driver->refresh(sr->place, &sr->tree);
    TRY(sr->driver->records(sr->place, &sr->tree));
    tree_link(&sr->tree);
    if (sr->tree.complete) {
        TRY(sr->driver->image_sweep(sr->place));
        TRY(drop_unfinished(sr));
        TRY(drop_garbage(sr));
    }
    check_images(sr);
    return NULL;
}

/* ---- attach and detach ---- */

static struct sr *sr_new(struct storage *s, const struct sr_driver *d, const struct sr_spec *spec)
{
    struct sr *sr = xnew(struct sr);
    const char *formats = map_string_find(&spec->device_config, "preferred-image-formats");

    sr->storage = s;
    sr->driver = d;
    snprintf(sr->uuid.s, sizeof(sr->uuid.s), "%s", spec->uuid);
    sr->preferred = IMAGE_QCOW2;
    if (formats) {
        _cleanup_free_ char *first = xmemdup0(formats, strcspn(formats, ","));
        (void)image_format_parse(first, &sr->preferred);
    }
    pthread_mutex_init(&sr->lock, NULL);
    pthread_cond_init(&sr->changed, NULL);
    tree_init(&sr->tree);
    return sr;
}

void sr_free(struct sr *sr)
{
    size_t pos = 0;
    const char *key;
    struct nbd_use *use;
    struct vdi *v;

    while ((use = strmap_next(&sr->exports, &pos, &key))) {
        free(use->id);
        free(use);
    }
    pos = 0;
    while ((v = strmap_next(&sr->tree.vdis, &pos, &key))) {
        if (!v->owner)
            continue;
        if (v->owner->guest && v->owner->driver->leave) {
            free(v->owner->guest);
            v->owner->driver->leave(v->owner); /* a guest goes on with it */
        } else {
            free(v->owner->guest);
            v->owner->driver->stop(v->owner);
        }
        v->owner = NULL;
    }
    if (sr->place)
        sr->driver->detach(sr->place);
    strmap_fini(&sr->exports);
    tree_fini(&sr->tree);
    place_config_fini(&sr->place_config);
    pthread_cond_destroy(&sr->changed);
    pthread_mutex_destroy(&sr->lock);
    free(sr);
}

static bool is_attached(struct storage *s, const char *uuid)
{
    pthread_mutex_lock(&s->lock);
    bool found = strmap_find(&s->srs, uuid);
    pthread_mutex_unlock(&s->lock);
    return found;
}

static size_t count_attached(struct storage *s)
{
    pthread_mutex_lock(&s->lock);
    size_t n = s->srs.n;
    pthread_mutex_unlock(&s->lock);
    return n;
}

static struct error *check_room(struct storage *s)
{
    if (count_attached(s) < SR_ATTACHED_MAX)
        return NULL;
    return sr_failure(SR_FAILURE_UNAVAILABLE, "%d repositories are attached", SR_ATTACHED_MAX);
}

/* Its place is there, mounted if need be. */
static struct error *open_sr(struct storage *s, const struct sr_spec *spec, const struct sr_type *t,
                             const struct sr_mount *m)
{
    struct place_config c = {0};

    TRY(sr_place_config(&s->config, spec, false, &c));
    struct sr *sr = sr_new(s, t->driver, spec);
    sr->place_config = c;
    sr->on_server = m->fs && sr_mount_is_remote(m);
    struct error *e = t->driver->attach(&sr->place_config, &sr->place);
    if (!e)
        e = load(sr);
    if (!e)
        e = remember(s, spec);
    if (e) {
        sr_free(sr);
        return sr_failure_from(SR_FAILURE_UNAVAILABLE, e);
    }
    pthread_mutex_lock(&s->lock);
    strmap_set(&s->srs, sr->uuid.s, sr);
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

struct error *sr_attach(struct storage *s, const struct sr_spec *spec)
{
    _cleanup_turn_ struct held_turn turn = turn_take(&s->attaching, spec->uuid);
    _cleanup_sr_mount_ struct sr_mount m = {0};
    const struct sr_type *t = NULL;

    if (is_attached(s, spec->uuid))
        return NULL;
    TRY(check_room(s));
    TRY(sr_find_usable_type(s, spec->type, &t));
    TRY(find_mount(s, spec, &m));
    if (m.fs) {
        TRY(sr_mount_up(s, spec->uuid, &m));
        TRY(remember_password(s, spec->uuid, m.password));
    }
    struct error *e = open_sr(s, spec, t, &m);
    if (e && m.fs)
        IGNORE_ERROR(sr_mount_down(s, spec->uuid));
    return e;
}

static struct error *check_unused(struct sr *sr)
{
    size_t pos = 0;
    const char *key;
    const struct vdi *v;

    while (sr->collecting)
        sr_wait_merge(sr);
    if (sr->working > 0)
        return error_api("OTHER_OPERATION_IN_PROGRESS", 4, "SR", sr->uuid.s, "vdi_copy", "");
    while ((v = strmap_next(&sr->tree.vdis, &pos, &key))) {
        if (v->node->writer || v->node->readers > 0 || v->node->busy)
            return error_api("VDI_IN_USE", 2, v->uuid.s, "detach");
    }
    return NULL;
}

static struct error *close_sr(struct storage *s, const char *uuid)
{
    _cleanup_free_ char *path = inventory_path(s, uuid);
    struct sr *sr = NULL;

    if (!is_attached(s, uuid))
        return uuid_is_valid(uuid) ? io_unlink(path) : NULL;
    TRY(sr_lock(s, uuid, &sr));
    struct error *e = check_unused(sr);
    if (!e)
        e = sr_failure_from(SR_FAILURE_UNAVAILABLE, io_unlink(path));
    if (e) {
        sr_unlock(sr);
        return e;
    }
    pthread_mutex_lock(&s->lock);
    strmap_remove(&s->srs, sr->uuid.s);
    pthread_mutex_unlock(&s->lock);
    sr->gone = true;
    sr_unlock(sr);
    pthread_mutex_lock(&s->lock);
    while (sr->users > 0)
        pthread_cond_wait(&s->unused, &s->lock);
    pthread_mutex_unlock(&s->lock);
    sr_free(sr);
    return NULL;
}

struct error *sr_detach(struct storage *s, const char *uuid)
{
    _cleanup_turn_ struct held_turn turn = turn_take(&s->attaching, uuid);

    TRY(close_sr(s, uuid));
    if (!uuid_is_valid(uuid))
        return NULL;
    TRY(remember_password(s, uuid, NULL));
    return sr_mount_down(s, uuid);
}

/* ---- create and destroy ---- */

/* A library is its owner's: it is there or not. */
static struct error *make_place(const struct sr_type *t, const struct sr_mount *m,
                                const struct place_config *c)
{
    if (!m->read_only)
        return sr_failure_from(SR_FAILURE_UNAVAILABLE, t->driver->create(c));
    return access(c->location, R_OK | X_OK) == 0
               ? NULL
               : sr_failure(SR_FAILURE_ISO_SHARE, "%s is not on the share", m->below);
}

struct error *sr_create(struct storage *s, const struct sr_spec *spec)
{
    _cleanup_turn_ struct held_turn turn = turn_take(&s->attaching, spec->uuid);
    _cleanup_place_config_ struct place_config c = {0};
    _cleanup_sr_mount_ struct sr_mount m = {0};
    const struct sr_type *t;

    TRY(sr_find_usable_type(s, spec->type, &t));
    TRY(find_mount(s, spec, &m));
    if (m.fs) {
        TRY(sr_mount_format(s, spec, &m));
        TRY(sr_mount_up(s, spec->uuid, &m));
    }
    struct error *e = sr_place_config(&s->config, spec, false, &c);
    if (!e)
        e = make_place(t, &m, &c);
    if (m.fs && !is_attached(s, spec->uuid))
        IGNORE_ERROR(sr_mount_down(s, spec->uuid));
    return e;
}

static struct error *erase_place(struct storage *s, const struct sr_spec *spec,
                                 const struct sr_type *t)
{
    _cleanup_place_config_ struct place_config c = {0};

    TRY(sr_place_config(&s->config, spec, false, &c));
    return sr_failure_from(SR_FAILURE_UNAVAILABLE, t->driver->destroy(&c));
}

struct error *sr_destroy(struct storage *s, const struct sr_spec *spec)
{
    _cleanup_turn_ struct held_turn turn = turn_take(&s->attaching, spec->uuid);
    _cleanup_sr_mount_ struct sr_mount m = {0};
    const struct sr_type *t;
    bool made = true;

    TRY(sr_find_usable_type(s, spec->type, &t));
    if (is_attached(s, spec->uuid))
        return error_api("SR_HAS_PBD", 1, spec->uuid);
    TRY(find_mount(s, spec, &m));
    if (!m.fs)
        return erase_place(s, spec, t);
    TRY(sr_mount_is_made(s, spec->uuid, &m, &made));
    if (!made)
        return NULL;
    TRY(sr_mount_up(s, spec->uuid, &m));
    struct error *e = erase_place(s, spec, t);
    IGNORE_ERROR(sr_mount_down(s, spec->uuid));
    return e ? e : sr_mount_wipe(s, &m);
}
