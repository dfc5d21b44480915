/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/http_head.h"

#include "base/utf8.h"

#include <assert.h>
#include <http_parser.h>
#include <openssl/evp.h>
#include <strings.h>

static const char *const verb_names[VERB_MAX] = {
    [VERB_GET] = "GET",         [VERB_HEAD] = "HEAD",       [VERB_POST] = "POST",
    [VERB_PUT] = "PUT",         [VERB_DELETE] = "DELETE",   [VERB_PATCH] = "PATCH",
    [VERB_OPTIONS] = "OPTIONS", [VERB_CONNECT] = "CONNECT",
};

/* What the tokenizer's callbacks collect. The whole head is fed at once, so each piece arrives in
 * one call; a second value for one name is a folded line. */
struct collector {
    char *head; /* our copy, into which NULs are put at the end */
    char *target;
    size_t target_len;
    struct http_field fields[HTTP_MAX_HEADERS];
    size_t value_len[HTTP_MAX_HEADERS];
    size_t n_names;
    size_t n_values;
    bool too_many;
    bool complete;
};

size_t http_head_end(const char *buf, size_t len, size_t *scanned)
{
    const char *p = buf + *scanned;
    const char *end = buf + len;

    while (p < end && (p = memchr(p, '\n', (size_t)(end - p)))) {
        /* The empty line may not have arrived whole: then look at this newline again. */
        *scanned = (size_t)(p - buf);
        if (p + 1 < end && p[1] == '\n')
            return *scanned + 2;
        if (p + 2 < end && p[1] == '\r' && p[2] == '\n')
            return *scanned + 3;
        if (p + 1 == end || (p + 2 == end && p[1] == '\r'))
            return 0;
        p++;
    }
    *scanned = len;
    return 0;
}

static int on_url(http_parser *parser, const char *at, size_t len)
{
    struct collector *c = parser->data;

    c->target = c->head + (at - c->head); /* `at` without its const */
    c->target_len = len;
    return 0;
}

static int on_name(http_parser *parser, const char *at, size_t len)
{
    struct collector *c = parser->data;

    if (c->n_names != c->n_values || c->n_names == HTTP_MAX_HEADERS) {
        c->too_many = c->n_names == HTTP_MAX_HEADERS;
        return 1;
    }
    c->fields[c->n_names++].name = at;
    /* The colon after a name may be ended with NUL only when nothing is read any more. */
    c->value_len[c->n_names - 1] = len;
    return 0;
}

static int on_value(http_parser *parser, const char *at, size_t len)
{
    struct collector *c = parser->data;

    if (c->n_values + 1 != c->n_names)
        return 1;
    struct http_field *f = &c->fields[c->n_values];
    size_t name_len = c->value_len[c->n_values];

    /* The tokenizer lets blanks pass in and after names; RFC 9112 5.1 does not. */
    if (memchr(f->name, ' ', name_len) || memchr(f->name, '\t', name_len))
        return 1;
    c->head[f->name - c->head + (ptrdiff_t)name_len] = 0;
    while (len && (at[len - 1] == ' ' || at[len - 1] == '\t'))
        len--;
    f->value = len ? at : ""; /* the place given for an empty value is the next line's */
    c->value_len[c->n_values++] = len;
    return 0;
}

static int on_complete(http_parser *parser)
{
    struct collector *c = parser->data;

    c->complete = true;
    return 2; /* no body, nothing more on this connection: bodies are not the tokenizer's matter */
}

static bool find_verb(unsigned method, enum http_verb *ret)
{
    const char *name = http_method_str((enum http_method)method);

    for (int v = 0; v < VERB_MAX; v++) {
        if (streq(verb_names[v], name)) {
            *ret = (enum http_verb)v;
            return true;
        }
    }
    return false;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static bool escapes_are_sound(const char *s)
{
    for (; (s = strchr(s, '%')); s += 3) {
        int high = hex_digit(s[1]);
        int low = high < 0 ? -1 : hex_digit(s[2]);

        if (low < 0 || high + low == 0)
            return false;
    }
    return true;
}

bool http_unescape(char *s, bool plus_is_space)
{
    char *to = s;

    if (!escapes_are_sound(s))
        return false;
    for (const char *from = s; *from; from++) {
        if (*from == '%') {
            *to++ = (char)(hex_digit(from[1]) * 16 + hex_digit(from[2]));
            from += 2;
        } else {
            *to++ = plus_is_space && *from == '+' ? ' ' : *from;
        }
    }
    *to = 0;
    return true;
}

/*
 * Splits `text` at any of the separators into name=value pairs, in place. Empty pieces are left
 * out; a name without '=' has the value "". False when there are too many.
 */
static bool split_fields(struct arena *a, char *text, const char *separators,
                         struct http_field **ret, size_t *ret_n)
{
    size_t n = 1;

    for (const char *p = text; *p; p++)
        n += strchr(separators, *p) != NULL;
    if (n > HTTP_MAX_PARAMS)
        return false;
    struct http_field *fields = arena_array(a, struct http_field, n);
    size_t used = 0;
    char *save = NULL;

    for (char *p = strtok_r(text, separators, &save); p; p = strtok_r(NULL, separators, &save)) {
        p += strspn(p, " ");
        if (!*p)
            continue;
        char *value = strchr(p, '=');

        if (value)
            *value++ = 0;
        fields[used++] = (struct http_field){.name = p, .value = value ? value : ""};
    }
    *ret = fields;
    *ret_n = used;
    return true;
}

/* The strings of a field lie in text that is ours to change. */
static bool unescape_field(struct http_field *f, bool plus_is_space)
{
    bool name = http_unescape((char *)(uintptr_t)f->name, plus_is_space);
    bool value = !*f->value || http_unescape((char *)(uintptr_t)f->value, plus_is_space);

    return name && value;
}

static bool parse_query(struct arena *a, char *text, struct http_head *h)
{
    if (!split_fields(a, text, "&", &h->query, &h->n_query))
        return false;
    for (size_t i = 0; i < h->n_query; i++) {
        const struct http_field *f = &h->query[i];

        /* Values end up in errors, tasks and rows. */
        if (!unescape_field(&h->query[i], true) || !utf8_is_valid(f->name) ||
            !utf8_is_valid(f->value))
            return false;
    }
    return true;
}

/* Splits the target into path and query; takes the origin form and, for proxies, the absolute. */
static bool parse_target(struct arena *a, struct http_head *h)
{
    char *path = arena_strdup(a, h->target);

    if (path[0] != '/' && strncasecmp(path, "http", 4) == 0) {
        char *authority = strstr(path, "://");
        char *start = authority ? strpbrk(authority + 3, "/?") : NULL;

        if (!authority)
            return false;
        if (!start)
            path = arena_strdup(a, "/");
        else if (*start == '/')
            path = start;
        else
            return false;
    }
    if (h->verb == VERB_OPTIONS && streq(path, "*"))
        path = arena_strdup(a, "/");
    if (path[0] != '/')
        return false;
    path[strcspn(path, "#")] = 0;
    char *query = strchr(path, '?');

    if (query) {
        *query++ = 0;
        if (!parse_query(a, query, h))
            return false;
    }
    h->path = path;
    return http_unescape(path, false);
}

/* Browsers send cookies of other programs on this host too: what is not escaped stays as it is. */
static bool parse_cookies(struct arena *a, struct http_head *h)
{
    const char *text = http_header_find(h, "cookie");

    if (!text)
        return true;
    if (!split_fields(a, arena_strdup(a, text), ";&", &h->cookies, &h->n_cookies))
        return false;
    for (size_t i = 0; i < h->n_cookies; i++)
        unescape_field(&h->cookies[i], false);
    return true;
}

static int refusal(const http_parser *parser, const struct collector *c)
{
    if (c->too_many)
        return 431;
    switch (HTTP_PARSER_ERRNO(parser)) {
    case HPE_INVALID_METHOD:
        return 501;
    case HPE_HEADER_OVERFLOW:
        return 431;
    default:
        return 400;
    }
}

static int fill(struct arena *a, const http_parser *parser, struct collector *c,
                struct http_head *h)
{
    if (parser->http_major != 1)
        return 505;
    if (!find_verb(parser->method, &h->verb))
        return 501;
    if (!c->target || c->n_names != c->n_values)
        return 400;
    for (size_t i = 0; i < c->n_values; i++) {
        if (c->value_len[i])
            c->head[c->fields[i].value - c->head + (ptrdiff_t)c->value_len[i]] = 0;
    }
    c->target[c->target_len] = 0;
    h->minor = parser->http_minor ? 1 : 0;
    h->target = c->target;
    h->headers = arena_memdup(a, c->fields, c->n_values * sizeof(*c->fields));
    h->n_headers = c->n_values;
    h->content_length = -1;
    if (parser->flags & F_CONTENTLENGTH) {
        if (parser->content_length > INT64_MAX)
            return 400;
        h->content_length = (int64_t)parser->content_length;
    }
    h->chunked = http_header_find(h, "transfer-encoding") != NULL;
    h->keep_alive = h->minor == 1 && !(parser->flags & F_CONNECTION_CLOSE);
    h->expect_continue = h->minor == 1 && http_header_has_token(h, "expect", "100-continue");
    h->upgrade_websocket = http_header_has_token(h, "upgrade", "websocket") &&
                           http_header_has_token(h, "connection", "upgrade");
    return parse_target(a, h) && parse_cookies(a, h) ? 0 : 400;
}

/* The tokenizer takes a carriage return followed by anything for the end of a line. */
static bool has_stray_return(const char *buf, size_t len)
{
    const char *end = buf + len;

    for (const char *p = buf; (p = memchr(p, '\r', (size_t)(end - p))); p++) {
        if (p + 1 == end || p[1] != '\n')
            return true;
    }
    return false;
}

int http_head_parse(struct arena *a, const char *buf, size_t len, struct http_head *ret)
{
    static const http_parser_settings settings = {
        .on_url = on_url,
        .on_header_field = on_name,
        .on_header_value = on_value,
        .on_headers_complete = on_complete,
    };
    struct collector c; /* the arrays are filled as far as the counts say */
    struct http_head h = {0};
    http_parser parser;

    if (memchr(buf, 0, len) || has_stray_return(buf, len))
        return 400;
    c.head = arena_memdup0(a, buf, len);
    c.target = NULL;
    c.n_names = c.n_values = 0;
    c.too_many = c.complete = false;
    http_parser_init(&parser, HTTP_REQUEST);
    parser.data = &c;
    size_t used = http_parser_execute(&parser, &settings, c.head, len);

    if (HTTP_PARSER_ERRNO(&parser) != HPE_OK || !c.complete || used != len)
        return refusal(&parser, &c);
    int status = fill(a, &parser, &c, &h);

    if (status == 0)
        *ret = h;
    return status;
}

const char *http_header_find(const struct http_head *h, const char *name)
{
    for (size_t i = 0; i < h->n_headers; i++) {
        if (strcasecmp(h->headers[i].name, name) == 0)
            return h->headers[i].value;
    }
    return NULL;
}

static const char *find_field(const struct http_field *fields, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (streq(fields[i].name, name))
            return fields[i].value;
    }
    return NULL;
}

const char *http_query_find(const struct http_head *h, const char *name)
{
    return find_field(h->query, h->n_query, name);
}

const char *http_cookie_find(const struct http_head *h, const char *name)
{
    return find_field(h->cookies, h->n_cookies, name);
}

bool http_header_has_token(const struct http_head *h, const char *name, const char *token)
{
    size_t len = strlen(token);

    for (size_t i = 0; i < h->n_headers; i++) {
        if (strcasecmp(h->headers[i].name, name) != 0)
            continue;
        for (const char *p = h->headers[i].value; *p;) {
            p += strspn(p, ", \t");
            size_t word = strcspn(p, ", \t");

            if (word == len && strncasecmp(p, token, len) == 0)
                return true;
            p += word;
        }
    }
    return false;
}

bool http_basic_auth(struct arena *a, const struct http_head *h, const char **ret_user,
                     const char **ret_password)
{
    const char *text = http_header_find(h, "authorization");

    if (!text || strncasecmp(text, "basic ", 6) != 0)
        return false;
    text += 6;
    text += strspn(text, " ");
    size_t len = strlen(text);
    unsigned char *plain = arena_zalloc(a, len + 4);

    if (len == 0 || len % 4 != 0 ||
        EVP_DecodeBlock(plain, (const unsigned char *)text, (int)len) < 0)
        return false;
    /* EVP_DecodeBlock turns the padding into NULs, which end the string; none may be inside. */
    size_t n = len / 4 * 3;

    while (n && text[len - 1] == '=') {
        n--;
        len--;
    }
    char *colon = strchr((char *)plain, ':');

    if (!colon || strlen((char *)plain) != n)
        return false;
    *colon = 0;
    *ret_user = (char *)plain;
    *ret_password = colon + 1;
    return true;
}

const char *http_verb_name(enum http_verb verb)
{
    assert(verb < VERB_MAX);
    return verb_names[verb];
}

const char *http_status_name(int status)
{
    switch (status) {
#define CASE(number, name, text)                                                                   \
    case number:                                                                                   \
        return #text;
        HTTP_STATUS_MAP(CASE)
#undef CASE
    default:
        return "Unknown";
    }
}
