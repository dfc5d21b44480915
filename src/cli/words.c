/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/words.h"

#include "cli/failure.h"

#include <errno.h>
#include <strings.h>

void words_fini(struct words *w)
{
    vec_foreach (x, w) {
        free(x->key);
        free(x->value);
    }
    vec_fini(w);
}

void words_add(struct words *w, const char *key, const char *value)
{
    vec_add(w, (struct word){xstrdup(key), xstrdup(value)});
}

/* Switches with a value of their own. */
static const char *switch_word(const char *s)
{
    static const struct {
        const char *key;
        const char *value;
    } names[] = {{"-u", "username"},
                 {"-pw", "password"},
                 {"-s", "server"},
                 {"-h", "server"},
                 {"-p", "port"}};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (streq(names[i].key, s))
            return names[i].value;
    return NULL;
}

struct error *words_parse(struct words *w, char *const *args, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *arg = args[i], *equals = strchr(arg, '=');

        if (str_starts(arg, "--")) {
            words_add(w, arg + 2, "true");
        } else if (arg[0] == '-') {
            const char *name = switch_word(arg);

            if (!name || i + 1 == n)
                return fail_usage("Syntax error", "");
            words_add(w, name, args[++i]);
        } else if (equals) {
            _cleanup_free_ char *key = xmemdup0(arg, (size_t)(equals - arg));

            words_add(w, key, equals + 1);
        } else {
            words_add(w, arg, "");
        }
    }
    return NULL;
}

const char *words_find(const struct words *w, const char *key)
{
    vec_foreach (x, w)
        if (streq(x->key, key))
            return x->value;
    return NULL;
}

const char *words_get(const struct words *w, const char *key, const char *fallback)
{
    const char *v = words_find(w, key);

    return v ? v : fallback;
}

static bool is_any(const char *text, const char *const *list)
{
    for (; *list; list++)
        if (strcasecmp(text, *list) == 0)
            return true;
    return false;
}

struct error *bool_parse(const char *name, const char *text, bool *ret)
{
    static const char *const yes[] = {"true", "t", "yes", "y", "1", NULL};
    static const char *const no[] = {"false", "f", "no", "n", "0", NULL};

    if (!is_any(text, yes) && !is_any(text, no))
        return error_text("Failed to parse parameter '%s': Expected 'true','t','yes','y','1',"
                          "'false','f','no','n','0' got %s",
                          name, text);
    *ret = is_any(text, yes);
    return NULL;
}

struct error *words_bool(const struct words *w, const char *key, bool fallback, bool *ret)
{
    const char *text = words_find(w, key);

    *ret = fallback;
    return text ? bool_parse(key, text, ret) : NULL;
}

struct error *words_int(const struct words *w, const char *key, int64_t fallback, int64_t *ret)
{
    const char *text = words_find(w, key);
    char *end;

    *ret = fallback;
    if (!text)
        return NULL;
    errno = 0;
    *ret = strtoll(text, &end, 0);
    if (errno || end == text || *end)
        return error_text("Failed to parse parameter '%s': expecting an integer", key);
    return NULL;
}

struct error *size_parse(const char *name, const char *text, int64_t *ret)
{
    static const char *const units[][4] = {
        {"bytes", "b", "", NULL}, {"kib", "kb", "k", NULL}, {"mib", "mb", "m", NULL},
        {"gib", "gb", "g", NULL}, {"tib", "tb", "t", NULL},
    };
    char *end;

    errno = 0;
    long long value = strtoll(text, &end, 10);
    bool good = !errno && end != text;

    while (*end == ' ')
        end++;
    for (size_t i = 0; good && i < ARRAY_SIZE(units); i++) {
        if (is_any(end, units[i])) {
            if (__builtin_mul_overflow(value, 1ll << (10 * i), &value))
                break;
            *ret = value;
            return NULL;
        }
    }
    return error_text("Failed to parse field '%s': expecting an integer (possibly with "
                      "suffix KiB, MiB, GiB, TiB), got '%s'",
                      name, text);
}

struct error *words_size(const struct words *w, const char *key, int64_t *ret)
{
    return size_parse(key, words_get(w, key, ""), ret);
}

const char *word_map_key(const struct word *w, const char *name)
{
    size_t n = strlen(name);

    if (!str_starts(w->key, name) || (w->key[n] != ':' && w->key[n] != '-') || !w->key[n + 1])
        return NULL;
    return w->key + n + 1;
}

void shell_add(struct str *out, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "-_=+:,./@%";

    if (*word && !word[strspn(word, plain)]) {
        str_add(out, word);
        return;
    }
    str_add_char(out, '\'');
    for (; *word; word++) {
        if (*word == '\'')
            str_lit(out, "'\\''");
        else
            str_add_char(out, *word);
    }
    str_add_char(out, '\'');
}

bool word_is_standard(const char *key)
{
    static const char *const names[] = {"server",           "password", "port",     "username",
                                        "minimal",          "force",    "multiple", "all",
                                        "message-priority", "trace",    "json"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (streq(names[i], key))
            return true;
    return false;
}
