/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * XML-RPC reader on expat. A table of which element may stand in which makes the grammar; one
 * stack of open values builds the tree. Every check happens when an element opens or closes.
 */
#include "value/xml.h"

#include "base/vec.h"
#include "value/number.h"

#include <assert.h>
#include <expat.h>
#include <limits.h>

enum element {
    E_NONE, /* outside the document's element */
    E_CALL,
    E_RESPONSE,
    E_METHOD,
    E_PARAMS,
    E_PARAM,
    E_FAULT,
    E_VALUE,
    E_STRING,
    E_INT,
    E_BOOLEAN,
    E_DOUBLE,
    E_DATETIME,
    E_BASE64,
    E_NIL,
    E_STRUCT,
    E_MEMBER,
    E_NAME,
    E_ARRAY,
    E_DATA,
    E_MAX
};

#define BIT(e) (1u << (e))
#define IN_VALUE                                                                                   \
    (BIT(E_STRING) | BIT(E_INT) | BIT(E_BOOLEAN) | BIT(E_DOUBLE) | BIT(E_DATETIME) |               \
     BIT(E_BASE64) | BIT(E_NIL) | BIT(E_STRUCT) | BIT(E_ARRAY))
#define HAS_TEXT                                                                                   \
    (BIT(E_METHOD) | BIT(E_NAME) | BIT(E_VALUE) | BIT(E_STRING) | BIT(E_INT) | BIT(E_BOOLEAN) |    \
     BIT(E_DOUBLE) | BIT(E_DATETIME) | BIT(E_BASE64))

static const struct {
    const char *name;
    enum element element;
} names[] = {
    {"value", E_VALUE},     {"member", E_MEMBER},
    {"name", E_NAME},       {"struct", E_STRUCT},
    {"array", E_ARRAY},     {"data", E_DATA},
    {"string", E_STRING},   {"int", E_INT},
    {"i4", E_INT},          {"i8", E_INT},
    {"boolean", E_BOOLEAN}, {"double", E_DOUBLE},
    {"nil", E_NIL},         {"dateTime.iso8601", E_DATETIME},
    {"base64", E_BASE64},   {"param", E_PARAM},
    {"params", E_PARAMS},   {"methodName", E_METHOD},
    {"methodCall", E_CALL}, {"methodResponse", E_RESPONSE},
    {"fault", E_FAULT},
};

/* What may open directly inside an element. */
static const uint32_t children[E_MAX] = {
    [E_CALL] = BIT(E_METHOD) | BIT(E_PARAMS),
    [E_RESPONSE] = BIT(E_PARAMS) | BIT(E_FAULT),
    [E_PARAMS] = BIT(E_PARAM),
    [E_PARAM] = BIT(E_VALUE),
    [E_FAULT] = BIT(E_VALUE),
    [E_VALUE] = IN_VALUE,
    [E_STRUCT] = BIT(E_MEMBER),
    [E_MEMBER] = BIT(E_NAME) | BIT(E_VALUE),
    [E_ARRAY] = BIT(E_DATA),
    [E_DATA] = BIT(E_VALUE),
};

/* A value nests through at most four elements: value, struct, member / array, data. */
#define MAX_ELEMENTS (VALUE_MAX_DEPTH * 4 + 4)

struct frame {
    enum element element;
    uint32_t seen; /* BIT of each child so far */
    json_t *value; /* struct, array and params collect here; value, member, fault: what closed */
    char *name;    /* member */
};

struct reader {
    XML_Parser parser;
    enum element root;
    int depth;       /* open elements */
    int value_depth; /* open <value>s */
    struct str text; /* of the innermost element that has text */
    char *method;
    json_t *result;
    bool fault;
    struct error *error;
    struct frame stack[MAX_ELEMENTS + 1]; /* [0] is outside the document's element */
};

static struct frame *top(struct reader *r)
{
    return &r->stack[r->depth];
}

static void fail(struct reader *r, struct error *e)
{
    if (r->error) {
        error_free(e);
        return;
    }
    r->error = error_prepend(e, "malformed XML-RPC at line %lu",
                             (unsigned long)XML_GetCurrentLineNumber(r->parser));
    XML_StopParser(r->parser, XML_FALSE);
}

static bool is_blank(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!strchr(" \t\r\n", s[i]) || !s[i])
            return false;
    }
    return true;
}

static const char *element_name(enum element e)
{
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (names[i].element == e)
            return names[i].name;
    }
    return "document";
}

static enum element element_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (streq(names[i].name, name))
            return names[i].element;
    }
    return E_NONE;
}

/* ---- opening ---- */

/* Children that may come only once. */
#define ONCE (BIT(E_METHOD) | BIT(E_PARAMS) | BIT(E_NAME) | BIT(E_DATA) | BIT(E_FAULT))

static bool may_open(const struct reader *r, const struct frame *parent, enum element e)
{
    if (parent->element == E_NONE)
        return e == r->root;
    if (!(children[parent->element] & BIT(e)))
        return false;
    if (parent->element == E_VALUE || parent->element == E_PARAM || parent->element == E_RESPONSE ||
        parent->element == E_FAULT)
        return parent->seen == 0;
    return !(parent->seen & BIT(e) & (ONCE | (parent->element == E_MEMBER ? BIT(E_VALUE) : 0)));
}

static json_t *collection_for(enum element e)
{
    if (e == E_STRUCT)
        return json_object();
    return e == E_ARRAY || e == E_PARAMS ? json_array() : NULL;
}

static void on_open(void *ctx, const XML_Char *name, const XML_Char **attributes)
{
    struct reader *r = ctx;
    struct frame *parent = top(r);
    enum element e = element_find(name);

    if (r->error)
        return;
    if (e == E_NONE || !may_open(r, parent, e)) {
        fail(r, error_text("unexpected <%.40s> in %s", name, element_name(parent->element)));
        return;
    }
    if (parent->element == E_VALUE && !is_blank(r->text.s, r->text.len)) {
        fail(r, error_text("text beside <%s>", name));
        return;
    }
    if (e == E_VALUE && ++r->value_depth > VALUE_MAX_DEPTH) {
        fail(r, error_text("nested deeper than %d", VALUE_MAX_DEPTH));
        return;
    }
    parent->seen |= BIT(e);
    r->depth++;
    *top(r) = (struct frame){.element = e, .value = collection_for(e)};
    str_clear(&r->text);
}

static void on_text(void *ctx, const XML_Char *s, int len)
{
    struct reader *r = ctx;
    const struct frame *f = top(r);

    if (r->error)
        return;
    bool typed = f->element == E_VALUE && f->seen;

    if ((HAS_TEXT & BIT(f->element)) && !typed)
        str_add_mem(&r->text, s, (size_t)len);
    else if (!is_blank(s, (size_t)len))
        fail(r, error_text("unexpected text in %s", element_name(f->element)));
}

static void on_doctype(void *ctx, const XML_Char *name, const XML_Char *system_id,
                       const XML_Char *public_id, int has_subset)
{
    fail(ctx, error_text("a document type is not accepted"));
}

/* ---- closing ---- */

/* Blanks around a number or a boolean are not part of it. */
static const char *trimmed(struct str *text)
{
    char *s = text->s;

    if (!s)
        return "";
    while (text->len && is_blank(s + text->len - 1, 1))
        s[--text->len] = 0;
    return s + strspn(s, " \t\r\n");
}

static json_t *scalar(struct reader *r, enum element e)
{
    int64_t i;
    double d;

    switch (e) {
    case E_INT:
        if (number_parse_int(trimmed(&r->text), &i))
            return json_integer(i);
        fail(r, error_text("\"%.40s\" is not an integer", str_cstr(&r->text)));
        return NULL;
    case E_DOUBLE:
        if (number_parse_float(trimmed(&r->text), &d))
            return json_real(d);
        fail(r, error_text("\"%.40s\" is not a number", str_cstr(&r->text)));
        return NULL;
    case E_BOOLEAN:
        return json_boolean(streq(trimmed(&r->text), "1"));
    case E_DATETIME:
        return json_string(trimmed(&r->text));
    case E_NIL:
        return json_null();
    default:
        return json_stringn(str_cstr(&r->text), r->text.len);
    }
}

static void close_member(struct reader *r, struct frame *f, struct frame *parent)
{
    if (!f->name || !f->value) {
        fail(r, error_text("a member without %s", f->name ? "value" : "name"));
        return;
    }
    json_object_set(parent->value, f->name, f->value);
}

static void close_value(struct reader *r, struct frame *f, struct frame *parent)
{
    json_t *v = f->seen ? TAKE_PTR(f->value) : scalar(r, E_STRING);

    r->value_depth--;
    if (parent->element == E_DATA)
        json_array_append_new(parent[-1].value, v);
    else if (parent->element == E_PARAM)
        json_array_append_new(parent[-1].value, v);
    else
        parent->value = v; /* member, fault, or outside */
}

static void close_frame(struct reader *r, struct frame *f, struct frame *parent)
{
    switch (f->element) {
    case E_VALUE:
        close_value(r, f, parent);
        break;
    case E_MEMBER:
        close_member(r, f, parent);
        break;
    case E_NAME:
        parent->name = xstrdup(str_cstr(&r->text));
        break;
    case E_METHOD:
        r->method = xstrdup(trimmed(&r->text));
        break;
    case E_PARAM:
        if (!f->seen)
            fail(r, error_text("a param without value"));
        break;
    case E_FAULT:
        r->fault = true;
        r->result = TAKE_PTR(f->value);
        break;
    case E_PARAMS:
        r->result = TAKE_PTR(f->value);
        break;
    case E_STRUCT:
    case E_ARRAY:
        parent->value = TAKE_PTR(f->value);
        break;
    case E_CALL:
    case E_RESPONSE:
    case E_DATA:
        break;
    default:
        parent->value = scalar(r, f->element);
    }
}

static void frame_fini(struct frame *f)
{
    json_decref(f->value);
    free(f->name);
}

static void on_close(void *ctx, const XML_Char *name)
{
    struct reader *r = ctx;
    struct frame *f = top(r);

    if (r->error)
        return;
    close_frame(r, f, f - 1);
    str_clear(&r->text);
    frame_fini(f);
    r->depth--;
}

/* ---- entry points ---- */

static void reader_fini(struct reader *r)
{
    for (; r->depth >= 0; r->depth--)
        frame_fini(top(r));
    json_decref(r->result);
    free(r->method);
    str_fini(&r->text);
    error_free(r->error);
    if (r->parser)
        XML_ParserFree(r->parser);
}

static void reader_init(struct reader *r, enum element root)
{
    memset(r, 0, sizeof(*r));
    r->root = root;
    r->parser = XML_ParserCreate(NULL);
    assert(r->parser);
    XML_SetUserData(r->parser, r);
    XML_SetElementHandler(r->parser, on_open, on_close);
    XML_SetCharacterDataHandler(r->parser, on_text);
    XML_SetStartDoctypeDeclHandler(r->parser, on_doctype);
}

static struct error *read_document(struct reader *r, const char *text, size_t len)
{
    if (len > INT_MAX)
        return error_text("malformed XML-RPC: too long");
    enum XML_Status status = XML_Parse(r->parser, text, (int)len, 1);

    if (r->error)
        return TAKE_PTR(r->error);
    if (status != XML_STATUS_OK)
        return error_text("malformed XML-RPC at line %lu: %s",
                          (unsigned long)XML_GetCurrentLineNumber(r->parser),
                          XML_ErrorString(XML_GetErrorCode(r->parser)));
    return NULL;
}

#define _cleanup_reader_ _cleanup_(reader_fini)

void xml_call_fini(struct xml_call *c)
{
    free(c->method);
    json_decref(c->params);
    *c = (struct xml_call){0};
}

struct error *xml_parse_call(const char *text, size_t len, struct xml_call *ret)
{
    _cleanup_reader_ struct reader r;

    reader_init(&r, E_CALL);
    TRY(read_document(&r, text, len));
    if (str_empty(r.method))
        return error_text("malformed XML-RPC: no method name");
    ret->method = TAKE_PTR(r.method);
    ret->params = r.result ? TAKE_PTR(r.result) : json_array();
    return NULL;
}

struct error *xml_parse_answer(const char *text, size_t len, json_t **ret, bool *ret_fault)
{
    _cleanup_reader_ struct reader r;

    reader_init(&r, E_RESPONSE);
    TRY(read_document(&r, text, len));
    if (!r.fault && json_array_size(r.result) != 1)
        return error_text("malformed XML-RPC: a response has one param, not %zu",
                          json_array_size(r.result));
    *ret = json_incref(r.fault ? r.result : json_array_get(r.result, 0));
    *ret_fault = r.fault;
    return NULL;
}

struct error *xml_parse_response(const char *text, size_t len, json_t **ret)
{
    json_t *value = NULL;
    bool fault;

    TRY(xml_parse_answer(text, len, &value, &fault));
    if (!fault) {
        *ret = value;
        return NULL;
    }
    const char *why = json_string_value(json_object_get(value, "faultString"));
    struct error *e = error_text("XML-RPC fault: %s", why ? why : "no reason given");

    json_decref(value);
    return e;
}

struct error *xml_parse_value(const char *text, size_t len, json_t **ret)
{
    _cleanup_reader_ struct reader r;

    reader_init(&r, E_VALUE);
    TRY(read_document(&r, text, len));
    *ret = TAKE_PTR(r.stack[0].value);
    return NULL;
}
