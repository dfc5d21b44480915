/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "auth/refusals.h"

#include "base/map.h"
#include "base/utf8.h"
#include "base/world.h"
#include "value/json.h"
#include "value/xml.h"

#include <pthread.h>

enum word { USER, ORIGINATOR, ADDRESS, AGENT, WORDS };

static const char *const elements[WORDS] = {"username", "originator", "ip", "useragent"};

struct client {
    char words[WORDS][REFUSED_WORD + 1];
    int64_t number, last_s;
    char key[];
};

struct refusals {
    pthread_mutex_t lock;
    struct strmap clients;
    int64_t others;
};

struct refusals *refusals_new(void)
{
    struct refusals *r = xnew(struct refusals);

    pthread_mutex_init(&r->lock, NULL);
    return r;
}

void refusals_free(struct refusals *r)
{
    struct client *c;
    size_t pos = 0;

    if (!r)
        return;
    while ((c = strmap_next(&r->clients, &pos, NULL)))
        free(c);
    strmap_fini(&r->clients);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

static struct client *client_new(const struct refused_client *who)
{
    const char *const said[WORDS] = {who->user, who->originator, who->address, who->agent};
    _cleanup_str_ struct str key = STR_INIT;
    struct client c = {0};

    for (int i = 0; i < WORDS; i++) {
        snprintf(c.words[i], sizeof(c.words[i]), "%s", said[i]);
        utf8_clean(c.words[i]); /* cut in the middle of a character, maybe */
        str_printf(&key, "%s\n", c.words[i]);
    }
    struct client *made = xcalloc(1, sizeof(*made) + key.len + 1);

    *made = c;
    memcpy(made->key, key.s, key.len);
    return made;
}

/* Lock held; takes ownership of c. */
static void add(struct refusals *r, struct client *c)
{
    struct client *known = strmap_find(&r->clients, c->key);

    if (!known && r->clients.n < REFUSED_CLIENTS) {
        strmap_set(&r->clients, c->key, c);
        return;
    }
    if (known) {
        known->number += c->number;
        known->last_s = MAX(known->last_s, c->last_s);
    } else {
        r->others += c->number;
    }
    free(c);
}

void refusals_add(struct refusals *r, const struct refused_client *who)
{
    if (!r)
        return;
    struct client *c = client_new(who);

    c->number = 1;
    c->last_s = now_s();
    pthread_mutex_lock(&r->lock);
    add(r, c);
    pthread_mutex_unlock(&r->lock);
}

struct refusals *refusals_take(struct refusals *r)
{
    struct refusals *taken = NULL;

    if (!r)
        return NULL;
    pthread_mutex_lock(&r->lock);
    if (r->clients.n || r->others) {
        taken = refusals_new();
        taken->clients = r->clients;
        taken->others = r->others;
        r->clients = (struct strmap){0};
        r->others = 0;
    }
    pthread_mutex_unlock(&r->lock);
    return taken;
}

void refusals_return(struct refusals *r, struct refusals *taken)
{
    struct client *c;
    size_t pos = 0;

    pthread_mutex_lock(&r->lock);
    while ((c = strmap_next(&taken->clients, &pos, NULL)))
        add(r, c);
    r->others += taken->others;
    pthread_mutex_unlock(&r->lock);
    strmap_fini(&taken->clients);
    taken->clients = (struct strmap){0};
    refusals_free(taken);
}

/* The one with most goes first; of two, the later one. */
static bool is_before(const struct client *a, const struct client *b)
{
    return !b || a->number > b->number || (a->number == b->number && a->last_s > b->last_s);
}

static void choose(const struct strmap *clients, struct client *top[REFUSED_TOLD], int64_t *ret_all)
{
    struct client *c;
    size_t pos = 0;

    *ret_all = 0;
    while ((c = strmap_next(clients, &pos, NULL))) {
        *ret_all += c->number;
        for (int i = 0; i < REFUSED_TOLD && c; i++) {
            if (!is_before(c, top[i]))
                continue;
            struct client *next = top[i];

            top[i] = c;
            c = next;
        }
    }
}

static void tell(struct str *out, const struct client *c)
{
    str_lit(out, "<known>\n");
    for (int i = 0; i < WORDS; i++) {
        if (!*c->words[i])
            continue;
        str_printf(out, "<%s>", elements[i]);
        xml_add_text(out, c->words[i]);
        str_printf(out, "</%s>\n", elements[i]);
    }
    str_printf(out, "<number>%lld</number>\n<date>", (long long)c->number);
    datetime_add(out, c->last_s);
    str_lit(out, "</date>\n</known>\n");
}

void refusals_tell(const struct refusals *r, struct str *out)
{
    struct client *top[REFUSED_TOLD] = {NULL};
    int64_t all;

    choose(&r->clients, top, &all);
    str_lit(out, "<body>\n");
    if (all)
        str_printf(out, "<total>%lld</total>\n", (long long)all);
    for (int i = 0; i < REFUSED_TOLD && top[i]; i++)
        tell(out, top[i]);
    if (r->others)
        str_printf(out, "<unknown>%lld</unknown>\n", (long long)r->others);
    str_lit(out, "</body>");
}
