# SPDX-License-Identifier: LGPL-2.1-or-later
"""xe.1: the manual page of the command line client, from the tables its help comes from (mdoc)."""

import re
import textwrap
from itertools import groupby

import xe

KINDS = {"MRO+": "MRO"}
SELECTORS = {"VM": "VM", "host": "host", "SR": "SR"}


def emit(schema, out):
    if "man" in schema.xe:
        out.add("xe.1", page(schema))


def page(schema):
    man = schema.xe["man"]
    text = ('.\\" SPDX-License-Identifier: LGPL-2.1-or-later\n'
            '.\\" Made by gen/emit_man.py from schema/xe.toml. Do not edit.\n'
            f".Dd {man['date']}\n.Dt XE 1\n.Os\n"
            ".Sh NAME\n.Nm xe\n.Nd command line of a Xenolith host or pool\n"
            ".Sh SYNOPSIS\n.Nm\n")
    options = xe.options(schema)
    for name, option in options.items():
        text += f".Op {_flag(name, option)}\n"
    text += ".Ar command\n.Op Ar key Ns = Ns Ar value ...\n"
    for name, builtin in xe.builtins(schema).items():
        text += f".Nm\n.Cm {name}\n" + (f".Op {_words(builtin['words'])}\n" if "words" in builtin else "")
    text += ".Sh DESCRIPTION\n" + _paragraphs(man["description"])
    text += ".Sh OPTIONS\n" + _list((_flag(name, o), o["doc"] + ". " + o.get("more", "")) for name, o in options.items())
    text += ".Sh COMMANDS OF XE ITSELF\n" + _list((f"Cm {name} {_words(b.get('words', ''))}".strip(), b["doc"])
                                                  for name, b in xe.builtins(schema).items())
    text += _classes(schema)
    text += _commands(schema)
    text += ".Sh ENVIRONMENT\n" + _list((f"Ev {name}", doc) for name, doc in schema.xe["environment"].items())
    text += ".Sh FILES\n" + _list((f"Pa {name}", doc) for name, doc in schema.xe["files"].items())
    text += ".Sh EXIT STATUS\n" + _list((code, doc) for code, doc in schema.xe["exits"].items())
    text += ".Sh EXAMPLES\nThe same pages as of\n.Nm\n.Cm help Ar topic .\n"
    for t in xe.topics(schema):
        text += f".Ss {_upper(t.name)}: {t.doc}\n.Bd -literal\n{_literal(t.text)}\n.Ed\n"
    return text + ".Sh SEE ALSO\n.Xr xenolithd 8\n"


def _upper(text):
    return text[0].upper() + text[1:]


def _safe(text):
    """Text in which roff sees no escapes; a hyphen is one that can be copied."""
    return text.replace("\\", "\\e").replace("-", "\\-")


def _literal(text):
    return "\n".join("\\&" + line if line.startswith((".", "'")) else line for line in _safe(text).split("\n"))


def _word(text):
    """A word behind a macro, that must not be taken for a macro or for punctuation."""
    safe = _safe(text)
    return "\\&" + safe if len(text) <= 3 or not text[0].isalnum() else safe


def _flag(name, option):
    return f"Fl {name[1:]}" + (f" Ar {option['arg']}" if "arg" in option else "")


def _words(words):
    return "Ar " + words.replace("[", "").replace("]", "").strip() if words else ""


def _prose(text):
    """Filled text: a sentence begins a line, none is long."""
    lines = []
    for sentence in re.split(r"(?<=[.!?]) +", " ".join(text.split())):
        lines += textwrap.wrap(_safe(sentence), 76, break_long_words=False, break_on_hyphens=False)
    return "".join(("\\&" if line.startswith((".", "'")) else "") + line + "\n" for line in lines)


def _paragraphs(text):
    return ".Pp\n".join(_prose(p) for p in text.strip().split("\n\n"))


def _list(items):
    text = ".Bl -tag -width Ds\n"
    for head, doc in items:
        text += f".It {head}\n{_prose(_upper(doc))}"
    return text + ".El\n"


def _parameter(name):
    if name.endswith((":", "-")):
        return f"Cm {_word(name)}\\& Ns Ar key Ns = Ns Ar value"
    return f"Cm {_word(name)} Ns = Ns Ar value"


def _entry(name, required, optional, select, doc):
    text = f".It Xo Cm {_safe(name)}\n" if required or optional or select else f".It Cm {_safe(name)}\n"
    text += "".join(f".{_parameter(p)}\n" for p in required)
    text += "".join(f".Op {_parameter(p)}\n" for p in optional)
    if select:
        text += f".Op Ar {SELECTORS[select]} selectors\n"
    if required or optional or select:
        text += ".Xc\n"
    return text + _prose(doc)


def _classes(schema):
    text = (".Sh COMMANDS OF EVERY CLASS\n.Ar CLASS\nis one of those below.\n.Bl -tag -width Ds\n")
    more = {"list": ["column"], "param-set": ["column"]}
    for name, v in xe.verbs(schema).items():
        text += _entry(f"CLASS-{name}", v.get("required", []), v.get("optional", []) + more.get(name, []), "", v["doc"])
    text += ".El\n.Ss Classes and their columns\n.Bl -tag -width Ds\n"
    for c in xe.classes(schema).values():
        verbs = [f"{c.name}-{v}" for v in xe.verbs(schema) if xe.has_verb(schema, c, v)]
        columns = ", ".join(f"{f.name} ({KINDS.get(f.kind, f.kind)})" for f in c.fields if "hidden" not in f.flags)
        text += f".It Cm {_word(c.name)}\n{_prose(', '.join(verbs) + '.')}.Pp\n{_prose('Columns: ' + columns + '.')}"
        if c.default:
            text += f".Pp\n{_prose('Shown by default: ' + ', '.join(c.default) + '.')}"
    return text + ".El\n"


def _commands(schema):
    text = ".Sh COMMANDS\n"
    commands = sorted(xe.commands(schema), key=lambda x: x.name)
    for group, members in groupby(commands, key=lambda x: x.name.split("-")[0]):
        text += f".Ss {group}\n.Bl -tag -width Ds\n"
        for c in members:
            text += _entry(c.name, c.required, c.optional, c.select, _doc(c))
        text += ".El\n"
    return text


def _doc(c):
    notes = [text for flag, text in (("hidden", "Not listed by help."), ("deprecated", "Deprecated."),
                                     ("new", "Not in older products.")) if flag in c.flags]
    printed = f"Prints: {c.output}." if c.output else ""
    return " ".join(x for x in (c.doc, printed, *notes) if x)
