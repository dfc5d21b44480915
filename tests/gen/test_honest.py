# SPDX-License-Identifier: LGPL-2.1-or-later
"""A body all of whose ends are errors must be told from those that work: `cannot` in the schema."""

import re
from pathlib import Path

import main

ROOT = Path(__file__).resolve().parents[2]
FUNCTION = re.compile(r"^(?:static )?struct error \*(\w+)\([^{;]*?\)\n\{\n(.*?)^\}", re.S | re.M)
ERROR = re.compile(r"err_\w+|error_api\w*")


def arms(expression):
    """The values an expression with ?: can have."""
    depth, question = 0, expression.find("?")
    for i, letter in enumerate(expression):
        depth += (letter in "([{") - (letter in ")]}")
        if letter == ":" and depth == 0 and 0 <= question < i:
            return arms(expression[question + 1:i]) + arms(expression[i + 1:])
    return [expression.strip()]


def fails(expression, hopeless):
    called = re.match(r"(\w+)\(", expression)
    return bool(called) and (bool(ERROR.fullmatch(called[1])) or called[1] in hopeless)


def hopeless_functions(texts):
    """Functions that cannot return NULL, as far as their text tells."""
    bodies = {m[1]: m[2] for text in texts for m in FUNCTION.finditer(text)}
    hopeless, before = set(), None
    while before != len(hopeless):
        before = len(hopeless)
        for name, body in bodies.items():
            ends = [arm for e in re.findall(r"\breturn (.*?);", body, re.S) for arm in arms(" ".join(e.split()))]
            sure = re.findall(r"^    TRY\((\w+\()", body, re.M)
            if ends and all(fails(e, hopeless) for e in ends) or any(fails(s, hopeless) for s in sure):
                hopeless.add(name)
    return hopeless


def test_finds_what_can_only_fail():
    sample = '''
static struct error *no(struct call *c)
{
    return c ? err_a(c) : error_api_v("B", 0);
}

struct error *api_always(struct call *c)
{
    TRY(check(c));
    return no(c);
}

struct error *api_first(struct call *c)
{
    TRY(no(c));
    return NULL;
}

struct error *api_sometimes(struct call *c)
{
    return c ? NULL : err_a(c);
}

struct error *api_inside(struct call *c)
{
    if (c)
        TRY(no(c));
    return NULL;
}
'''
    assert hopeless_functions([sample]) == {"no", "api_always", "api_first"}


def test_bodies_that_can_only_refuse_say_so():
    hopeless = hopeless_functions(p.read_text(encoding="utf-8") for p in sorted((ROOT / "src" / "api").rglob("*.c")))
    schema = main.build(str(ROOT / "schema"))
    told = [m.wire for cls in schema.classes.values() for m in cls.messages
            if m.has_body and not m.cannot and "api_" + (cls.name + "_" + (m.body_of or m.name)).lower() in hopeless]
    assert told == []
