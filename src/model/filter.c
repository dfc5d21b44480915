/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An expression becomes a short program over one truth value: comparisons set it, `and` and `or`
 * stand between their operands and jump over the right one when the left one has decided. So a
 * match needs no stack, however long the expression.
 */
#include "model/filter.h"

#include "base/vec.h"
#include "model/stored_form.h"
#include "value/number.h"

enum op { OP_TRUE, OP_FALSE, OP_EQUAL, OP_BEGINS, OP_NOT, OP_AND, OP_OR };
enum operand_kind { LITERAL, COLUMN, SELF };

struct operand {
    enum operand_kind kind;
    int field;        /* COLUMN */
    const char *text; /* LITERAL */
};

struct instruction {
    enum op op;
    size_t target; /* AND, OR: the instruction after the right side */
    struct operand a, b;
};

struct filter {
    size_t n;
    const struct instruction *v;
};

enum token {
    T_END,
    T_TRUE,
    T_FALSE,
    T_NOT,
    T_AND,
    T_OR,
    T_FIELD,
    T_EQUAL,
    T_BEGINS,
    T_OPEN,
    T_CLOSE,
    T_TEXT,
    T_BAD
};

struct parser {
    struct arena *arena;
    const struct struct_info *si;
    const char *start;
    const char *at;   /* after the current token */
    enum token token; /* current */
    const char *text; /* T_TEXT: what stands between the quotes */
    size_t text_len;
    int depth;
    struct VEC(struct instruction) program;
    char *wrong; /* first error, in the arena */
};

static void fail(struct parser *p, const char *what)
{
    if (!p->wrong)
        p->wrong = arena_printf(p->arena, "%s at character %td", what, p->at - p->start);
}

/* ---- tokens ---- */

static const struct {
    const char *word;
    enum token token;
} words[] = {
    {"true", T_TRUE},   {"false", T_FALSE}, {"not", T_NOT}, {"and", T_AND}, {"or", T_OR},
    {"field", T_FIELD}, {"=", T_EQUAL},     {"(", T_OPEN},  {")", T_CLOSE}, {"begins", T_BEGINS},
};

/* Words need no space around them: `field"uuid"="x"or true` is fine. */
static enum token take_token(struct parser *p)
{
    p->at += strspn(p->at, " \t\r\n");
    if (!*p->at)
        return T_END;
    if (*p->at == '"') {
        const char *end = strchr(p->at + 1, '"');

        if (!end)
            return T_BAD;
        p->text = p->at + 1;
        p->text_len = (size_t)(end - p->text);
        p->at = end + 1;
        return T_TEXT;
    }
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (str_starts(p->at, words[i].word)) {
            p->at += strlen(words[i].word);
            return words[i].token;
        }
    }
    return T_BAD;
}

static void next(struct parser *p)
{
    p->token = take_token(p);
    if (p->token == T_BAD)
        fail(p, "unknown word");
}

/* ---- grammar ---- */

static void parse_expression(struct parser *p);

static size_t emit(struct parser *p, struct instruction i)
{
    if (p->program.n >= FILTER_MAX_NODES)
        fail(p, "too many terms");
    else
        vec_add(&p->program, i);
    return p->program.n - 1;
}

/* A filter must not tell by yes and no what a record does not show. */
static bool is_public(const struct field *f)
{
    return f->type->kind != K_SECRET && !(f->flags & FIELD_INTERNAL);
}

static void parse_column(struct parser *p, struct operand *ret)
{
    next(p);
    if (p->token != T_TEXT) {
        fail(p, "expected a column name in quotes");
        return;
    }
    char *name = arena_memdup0(p->arena, p->text, p->text_len);
    int field = field_find_column(p->si, name);

    if (streq(name, "_ref"))
        *ret = (struct operand){.kind = SELF};
    else if (field >= 0 && is_public(&p->si->fields[field]))
        *ret = (struct operand){.kind = COLUMN, .field = field};
    else
        fail(p, "unknown column");
}

/* The current token begins the value; afterwards it is the one behind it. */
static struct operand parse_value(struct parser *p)
{
    struct operand v = {.kind = LITERAL, .text = ""};

    if (p->token == T_FIELD)
        parse_column(p, &v);
    else if (p->token == T_TEXT)
        v.text = arena_memdup0(p->arena, p->text, p->text_len);
    else
        fail(p, "expected a value");
    if (!p->wrong)
        next(p);
    return v;
}

static void parse_comparison(struct parser *p)
{
    struct instruction i = {.a = parse_value(p)};

    if (p->wrong)
        return;
    i.op = p->token == T_BEGINS ? OP_BEGINS : OP_EQUAL;
    if (p->token != T_EQUAL && p->token != T_BEGINS) {
        fail(p, "expected =");
        return;
    }
    next(p);
    i.b = parse_value(p);
    emit(p, i);
}

static void parse_operand(struct parser *p)
{
    switch (p->token) {
    case T_TRUE:
    case T_FALSE:
        emit(p, (struct instruction){.op = p->token == T_TRUE ? OP_TRUE : OP_FALSE});
        next(p);
        break;
    case T_NOT:
        next(p);
        parse_expression(p);
        emit(p, (struct instruction){.op = OP_NOT});
        break;
    case T_OPEN:
        next(p);
        parse_expression(p);
        if (p->token != T_CLOSE)
            fail(p, "expected )");
        else
            next(p);
        break;
    default:
        parse_comparison(p);
    }
}

static void parse_expression(struct parser *p)
{
    if (++p->depth > FILTER_MAX_DEPTH)
        fail(p, "nested too deep");
    if (!p->wrong)
        parse_operand(p);
    while (!p->wrong && (p->token == T_AND || p->token == T_OR)) {
        size_t jump = emit(p, (struct instruction){.op = p->token == T_AND ? OP_AND : OP_OR});

        next(p);
        if (!p->wrong)
            parse_operand(p);
        p->program.v[jump].target = p->program.n;
    }
    p->depth--;
}

struct error *filter_parse(struct arena *a, const char *expression, const struct struct_info *si,
                           const struct filter **ret)
{
    struct parser p = {.arena = a, .si = si, .start = expression, .at = expression};

    if (strlen(expression) > FILTER_MAX_LENGTH)
        return error_api("INVALID_VALUE", 2, "expr", "the expression is too long");
    next(&p);
    parse_expression(&p);
    if (!p.wrong && p.token != T_END)
        fail(&p, "expected and, or, or the end");
    if (!p.wrong) {
        struct filter *f = arena_new(a, struct filter);

        f->n = p.program.n;
        f->v = arena_memdup(a, p.program.v, p.program.n * sizeof(*p.program.v));
        *ret = f;
    }
    vec_fini(&p.program);
    return p.wrong ? error_api("INVALID_VALUE", 2, expression, p.wrong) : NULL;
}

/* ---- matching ---- */

struct subject {
    const struct struct_info *si;
    const void *record;
    const char *self;
};

/* Text that is there already is not copied. */
static const char *operand_text(const struct operand *o, const struct subject *s, struct str *room)
{
    if (o->kind == LITERAL)
        return o->text;
    if (o->kind == SELF)
        return s->self;
    const struct field *f = &s->si->fields[o->field];
    const void *p = field_at(f, s->record);

    switch (f->type->kind) {
    case K_STRING:
    case K_REF:
        return *(const char *const *)p;
    case K_BOOL:
        return *(const bool *)p ? "true" : "false";
    case K_ENUM:
        return enum_text(f->type->en, *(const int *)p);
    default:
        str_clear(room);
        stored_form_add(room, f->type, p);
        return str_cstr(room);
    }
}

bool filter_match(const struct filter *f, const struct struct_info *si, const void *record,
                  const char *self)
{
    const struct subject s = {.si = si, .record = record, .self = self};
    _cleanup_str_ struct str a = STR_INIT;
    _cleanup_str_ struct str b = STR_INIT;
    bool truth = false;

    for (size_t i = 0; i < f->n; i++) {
        const struct instruction *in = &f->v[i];

        switch (in->op) {
        case OP_TRUE:
        case OP_FALSE:
            truth = in->op == OP_TRUE;
            break;
        case OP_EQUAL:
            truth = streq(operand_text(&in->a, &s, &a), operand_text(&in->b, &s, &b));
            break;
        case OP_BEGINS:
            truth = str_starts(operand_text(&in->a, &s, &a), operand_text(&in->b, &s, &b));
            break;
        case OP_NOT:
            truth = !truth;
            break;
        case OP_AND:
        case OP_OR:
            if (truth == (in->op == OP_OR))
                i = in->target - 1;
        }
    }
    return truth;
}
