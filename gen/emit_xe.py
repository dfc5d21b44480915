# SPDX-License-Identifier: LGPL-2.1-or-later
"""gen/xe_tables.{h,c}: what the command line client shows and takes."""

import cname
import xe

HEADER = '''/*
 * Tables of the command line client, from schema/xe.toml. Constant data, any thread. They name
 * classes, types and messages as the API does, so that the client needs nothing of the model.
 */

#include <stdbool.h>
#include <stdint.h>

enum xe_kind {
    XE_RO,
    XE_RW,
    XE_SRO, /* sets */
    XE_SRW,
    XE_MRO, /* maps */
    XE_MRW,
    XE_MRO_SETTABLE /* shown as MRO, but param-set map:key= works */
};

enum xe_field_flags {
    XE_EXPENSIVE = 1 << 0,  /* not read for lists */
    XE_HIDDEN_FIELD = 1 << 1, /* never listed; param-get reaches it */
    XE_DEPRECATED_FIELD = 1 << 2,
    XE_SETTABLE = 1 << 3, /* a set that param-set takes whole, separated by commas */
    XE_ANY_CASE = 1 << 4, /* filters do not look at the case */
};

/* How the text of a value is made. */
enum xe_style {
    XE_PLAIN,   /* members of a set are joined by "; " */
    XE_COMMA,   /* by ", " */
    XE_SPEED,   /* Mbit/s */
    XE_DUPLEX,  /* also: the carrier */
    XE_BY,      /* also: the height, "1920x1080" */
    XE_QUOTED,  /* 'text' */
    XE_ONE,     /* the only member; "<shared>" if there are more */
    XE_IS_SELF, /* is this reference the object itself */
    XE_SAME,    /* the value that all rows have in common */
    XE_EVERY,   /* true if it is true in all rows */
    XE_FIXED1,  /* "%5.1f" */
    XE_LENGTHS, /* a map with lengths instead of values */
    XE_SLASH,   /* also: what comes after the '/' in each member */
    XE_ASSIGN,  /* after '=' */
    XE_IF_TRUE, /* members for which `also` is true */
    XE_KBS,     /* a current rate in KiB/s */
};

/* One step of the way from an object to a value. */
struct xe_step {
    const char *name; /* of the field: "VM" */
    const char *cls;  /* class that the reference leads to; NULL at the end */
    bool set;
};

struct xe_field {
    const char *name; /* "vm-name-label" */
    /*
     * NULL, or where the value comes from instead of `steps`: "@call:M" message M with the object
     * as its argument, "@rrd:X" a current metric, "@all:C" `steps` in all rows of class C
     */
    const char *source;
    const struct xe_step *steps;
    const struct xe_step *also; /* NULL = none; ends with a step without class, as steps does */
    const char *type;           /* of the value, as in the schema: "set:enum:vm_operations" */
    const char *none;           /* text where a reference on the way is null */
    uint8_t style;              /* enum xe_style */
    uint8_t kind;               /* enum xe_kind */
    uint8_t flags;              /* enum xe_field_flags */
    const char *set;            /* "VM.set_name_label"; NULL = cannot be set so */
    const char *add;            /* "VM.add_to_other_config" or "VM.add_tags" */
    const char *remove;
};

struct xe_where {
    const char *field; /* of the class, not a column */
    const char *value; /* "true", "false"; "*" = not empty */
};

struct xe_class {
    const char *name; /* "vm", as in vm-list */
    const char *api;  /* "VM" */
    bool has_list;
    uint32_t verbs; /* bit i: it has xe_verbs[i] */
    const struct xe_where *where; /* rows that are listed; n_where conditions */
    int n_where;
    const char *const *columns; /* default columns, n_columns of them; none = all */
    int n_columns;
    const struct xe_field *fields; /* in output order */
    int n_fields;
};

extern const struct xe_class xe_classes[];
extern const int xe_classes_n;

/* A command of every class, "vm-list". */
struct xe_verb {
    const char *name;            /* "list" */
    const char *const *required; /* ends with NULL */
    const char *const *optional;
    const char *doc;
};

extern const struct xe_verb xe_verbs[];
extern const int xe_verbs_n;

enum xe_command_flags {
    XE_STANDARD = 1 << 0,      /* in the short help */
    XE_NOT_FORWARDED = 1 << 1, /* answered by the host asked, never by another */
    XE_LOCAL = 1 << 2,         /* works without a store (emergency) */
    XE_FILES = 1 << 3,         /* may read or write files of the client, or ask */
    XE_HIDDEN = 1 << 4,
    XE_DEPRECATED = 1 << 5,
    XE_NEW = 1 << 6, /* not in older products */
    XE_SELECT_VM = 1 << 8, /* works on the objects picked by selector parameters */
    XE_SELECT_HOST = 1 << 9,
    XE_SELECT_SR = 1 << 10,
    XE_ONLY_ONE = 1 << 11,        /* of what is selected, even with --multiple */
    XE_TEMPLATES = 1 << 12,       /* the selector finds templates and snapshots too */
    XE_CONTROL_DOMAINS = 1 << 13, /* and control domains */
};

struct xe_command {
    const char *name;
    const char *const *required; /* ends with NULL; a name ending in ":" takes key=value pairs */
    const char *const *optional;
    uint32_t flags;     /* enum xe_command_flags */
    const char *output; /* what is printed on success, in words */
    const char *doc;
    const char *call;        /* the one message this command is; NULL = it has code of its own */
    const char *const *args; /* of the call, ends with NULL; see gen/xe.py for the form */
    const char *result;      /* type of the answer to the call, as in the schema */
    const char *show;        /* class whose uuid is printed, "value", "sentence" or "" */
};

extern const struct xe_command xe_commands[]; /* sorted by name */
extern const int xe_commands_n;

/* A page of help about several commands. */
struct xe_topic {
    const char *name;
    const char *doc;
    const char *text; /* lines, the last one without its end */
};

extern const struct xe_topic xe_topics[]; /* in the order of the schema */
extern const int xe_topics_n;

/* What xe does without a host: help, completion... Ends with NULL. */
extern const char *const xe_builtins[];

/* A line for each option. */
extern const char xe_options_usage[];

struct xe_word {
    const char *api; /* "Halted" */
    const char *shown;
};

/* Enums that are not shown as the API spells them; values not listed are. */
struct xe_words {
    const char *name;
    const struct xe_word *words; /* ends with NULL, NULL */
};

extern const struct xe_words xe_words[];
extern const int xe_words_n;
'''


def emit(schema, out):
    out.header("xe_tables.h", HEADER)
    c = '#include "gen/xe_tables.h"\n\n#include <stddef.h>\n'
    classes = xe.classes(schema)
    done = {}
    rows = ""
    for x in classes.values():
        tag = cname.lower(x.name)
        fields = done.get(id(x.fields))
        if not fields:
            fields = done[id(x.fields)] = tag
            c += f"\nstatic const struct xe_field {tag}_fields[] = {{\n"
            for f in x.fields:
                c += _field(schema, x, f)
            c += "};\n"
        where = "".join(f'{{"{k}", "{_text(v)}"}}, ' for k, v in x.where.items())
        if where:
            c += f"\nstatic const struct xe_where {tag}_where[] = {{{where[:-2]}}};\n"
        rows += _class(schema, x, tag, fields)
    c += f"\nconst struct xe_class xe_classes[] = {{\n{rows}}};\n"
    c += "\nconst int xe_classes_n = sizeof(xe_classes) / sizeof(xe_classes[0]);\n"
    c += "\nconst struct xe_command xe_commands[] = {\n"
    for command in sorted(xe.commands(schema), key=lambda x: x.name):
        c += _command(schema, command)
    c += "};\n\nconst int xe_commands_n = sizeof(xe_commands) / sizeof(xe_commands[0]);\n"
    out.source("xe_tables.c", c + _verbs(schema) + _topics(schema) + _usage(schema) + _words(schema))


def _text(value):
    return {True: "true", False: "false"}.get(value, str(value))


def _message(schema, x, prefix, f):
    return cname.c_string(name) if (name := xe.setter(schema, x, prefix, f)) else "NULL"


def _steps(steps):
    if not steps:
        return "NULL"
    texts = []
    for i, step in enumerate(steps):
        last = i == len(steps) - 1
        cls = "NULL" if last else cname.c_string(step.type.ref_class)
        is_set = "true" if step.type.kind == "SET" and not last else "false"
        texts.append(f"{{{cname.c_string(step.name)}, {cls}, {is_set}}}")
    return f"(const struct xe_step[]){{{', '.join(texts)}}}"


def _field(schema, x, f):
    kind = f.kind.replace("+", "_SETTABLE")
    names = {"expensive": "XE_EXPENSIVE", "hidden": "XE_HIDDEN_FIELD",
             "deprecated": "XE_DEPRECATED_FIELD", "settable": "XE_SETTABLE",
             "any-case": "XE_ANY_CASE"}
    flags = " | ".join(names[n] for n in f.flags) or "0"
    source = "NULL"
    if f.special:
        source = cname.c_string(f"@all:{f.of}" if f.of else f.path)
    map_ = f.kind.startswith("M")
    return (f"    {{{cname.c_string(f.name)}, {source}, {_steps(f.steps)},\n     "
            f"{_steps(f.also_steps)}, {cname.c_string(f.type or 'string')}, "
            f"{cname.c_string(f.none) if f.none else 'NULL'},\n     "
            f"XE_{cname.upper(f.style or 'plain')}, XE_{kind}, {flags},\n     "
            f"{_message(schema, x, 'set_', f)}, "
            f"{_message(schema, x, 'add_to_' if map_ else 'add_', f)}, "
            f"{_message(schema, x, 'remove_from_' if map_ else 'remove_', f)}}},\n")


def _class(schema, x, tag, fields):
    columns = ", ".join(cname.c_string(d) for d in x.default)
    verbs = sum(1 << i for i, v in enumerate(xe.verbs(schema)) if xe.has_verb(schema, x, v))
    parts = [f'.name = "{x.name}"', f'.api = "{x.cls}"', f".verbs = {verbs:#x}"]
    if x.has_list:
        parts.append(".has_list = true")
    if x.where:
        parts.append(f".where = {tag}_where, .n_where = {len(x.where)}")
    if columns:
        parts.append(f".columns = (const char *const[]){{{columns}}}, "
                     f".n_columns = {len(x.default)}")
    parts.append(f".fields = {fields}_fields, .n_fields = {len(x.fields)}")
    return "    {" + ",\n     ".join(parts) + "},\n"


def _list(names):
    texts = "".join(cname.c_string(n) + ", " for n in names)
    return f"(const char *const[]){{{texts}NULL}}"


def _command(schema, x):
    names = {"one": "ONLY_ONE"}
    flags = ["XE_" + names.get(f, cname.upper(f)) for f in x.flags]
    if x.select:
        flags.append("XE_SELECT_" + x.select.upper())
    m = xe.message(schema, x.call)
    return (f'    {{"{x.name}", {_list(x.required)},\n     {_list(x.optional)},\n     '
            f'{" | ".join(flags) or "0"}, {cname.c_string(x.output)},\n     '
            f"{cname.c_string(x.doc)},\n     {cname.c_string(x.call) if x.call else 'NULL'}, "
            f"{_list(x.args)}, {cname.c_string(m.result.text if m else 'void')}, "
            f"{cname.c_string(x.result)}}},\n")


def _verbs(schema):
    rows = "".join(f"    {{{cname.c_string(name)}, {_list(v.get('required', []))},\n     {_list(v.get('optional', []))},\n     "
                   f"{cname.c_string(v['doc'])}}},\n" for name, v in xe.verbs(schema).items())
    return (f"\nconst struct xe_verb xe_verbs[] = {{\n{rows}    {{NULL, NULL, NULL, NULL}},\n}};\n"
            "\nconst int xe_verbs_n = sizeof(xe_verbs) / sizeof(xe_verbs[0]) - 1;\n")


def _usage(schema):
    lines = []
    for name, option in xe.options(schema).items():
        words = f"    [ {name}{' <' + option['arg'] + '>' if 'arg' in option else ''} ]"
        lines.append(f"{words:30} {option['doc']}\n")
    lines.append(f"{'    [ <other arguments> ... ]':30} what the command takes\n")
    text = "\n    ".join(cname.c_string(line) for line in lines)
    return (f"\nconst char *const xe_builtins[] = {'{' + ''.join(cname.c_string(n) + ', ' for n in xe.builtins(schema)) + 'NULL}'};\n"
            f"\nconst char xe_options_usage[] =\n    {text};\n")


def _topics(schema):
    rows = "".join(f"    {{{cname.c_string(t.name)}, {cname.c_string(t.doc)},\n     {cname.c_string(t.text)}}},\n"
                   for t in xe.topics(schema))
    return (f"\nconst struct xe_topic xe_topics[] = {{\n{rows}    {{NULL, NULL, NULL}},\n}};\n"
            "\nconst int xe_topics_n = sizeof(xe_topics) / sizeof(xe_topics[0]) - 1;\n")


def _words(schema):
    rows = ""
    for enum, values in sorted(xe.words(schema).items()):
        texts = "".join(f"{{{cname.c_string(a)}, {cname.c_string(b)}}}, " for a, b in values)
        rows += (f"    {{{cname.c_string(enum)},\n     (const struct xe_word[]){{{texts}"
                 f"{{NULL, NULL}}}}}},\n")
    return (f"\nconst struct xe_words xe_words[] = {{\n{rows}    {{NULL, NULL}},\n}};\n"
            "\nconst int xe_words_n = sizeof(xe_words) / sizeof(xe_words[0]) - 1;\n")
