# SPDX-License-Identifier: LGPL-2.1-or-later
"""reference/*.md, one manual page per class and per list, and coverage.md: what works so far."""

import xe
from works import KINDS, WORKS, called, refused, share, status

IMPLICIT_DOC = {
    "GET_RECORD": "All fields of the {cls} as one record.",
    "GET_BY_UUID": "The {cls} with this uuid; UUID_INVALID if there is none.",
    "GET_BY_NAME_LABEL": "All {cls} rows with exactly this name; names need not be unique.",
    "GET_ALL": "All {cls} rows the pool knows.",
    "GET_ALL_WHERE": "The {cls} rows that a filter expression picks.",
    "GET_ALL_RECORDS": "All {cls} rows with their records.",
    "GET_ALL_RECORDS_WHERE": "The {cls} rows that a filter expression picks, with their records.",
    "CREATE": "Makes a new {cls} from a record and answers its reference.",
    "DESTROY": "Removes the {cls}.",
    "GET_FIELD": "Reads the field {field}.",
    "SET_FIELD": "Writes the field {field}.",
    "ADD_FIELD": "Puts a member into the set {field}; nothing happens if it is there.",
    "REMOVE_FIELD": "Takes a member out of the set {field}; nothing happens if it is not there.",
    "ADD_TO_FIELD": "Adds a key to the map {field}; MAP_DUPLICATE_KEY if it is there.",
    "REMOVE_FROM_FIELD": "Takes a key out of the map {field}; nothing happens if it is not there.",
}


def doc_of(m):
    if m.doc or not m.implicit:
        return m.doc
    return IMPLICIT_DOC[m.kind].format(cls=m.cls, field=m.field.name if m.field else "")


def emit(schema, out):
    for cls in schema.classes.values():
        out.add(f"reference/{cls.name}.md", _class_page(cls))
    out.add("reference/errors.md", _errors_page(schema))
    out.add("reference/enums.md", _enums_page(schema))
    out.add("reference/http.md", _http_page(schema))
    out.add("reference/xe.md", _xe_page(schema))
    out.add("reference/host-protocol.md", _host_page(schema))
    out.add("reference/index.md", _index(schema))
    out.add("coverage.md", coverage(schema))


def _table(heads, rows):
    text = "| " + " | ".join(heads) + " |\n|" + "---|" * len(heads) + "\n"
    for row in rows:
        text += "| " + " | ".join(str(c).replace("|", "\\|") or " " for c in row) + " |\n"
    return text


def _life(thing):
    return ", ".join(f"{change} {release}" for change, release in thing.history)


def _access(f):
    if f.computed or f.derived:
        return "computed"
    return {"RW": "read, write", "StaticRO": "read, set on creation"}.get(f.q, "read")


def _class_page(cls):
    text = f"# {cls.name}\n\n{cls.doc}\n\n{_life(cls)}.\n"
    fields = [f for f in cls.fields if not f.internal]
    if fields:
        text += "\n## Fields\n\n" + _table(
            ("Field", "Type", "Access", "Since", ""),
            [(f"`{f.name}`", f"`{f.type.text}`", _access(f), _life(f), f.doc) for f in fields])
    for title, implicit in (("Messages", False), ("Generated messages", True)):
        messages = [m for m in cls.messages if m.implicit == implicit]
        if messages:
            text += f"\n## {title}\n"
        for m in messages:
            text += "\n" + _message(m)
    return text


def _message(m):
    params = ([] if not m.session else ["session"]) + [
        f"{p.name}{' = ' + repr(p.default) if p.has_default else ''}" for p in m.params]
    text = f"### {m.wire}\n\n`{m.result.text} {m.wire}({', '.join(params)})`\n"
    notes = [f"roles {m.roles}", status(m)]
    if m.async_:
        notes.append("may be called as Async")
    if m.state != "published":
        notes.append(m.state)
    if doc_of(m):
        text += f"\n{doc_of(m)}\n"
    text += f"\n{'; '.join(notes)}.\n"
    if any(p.doc for p in m.params):
        text += "\n" + _table(("Parameter", "Type", ""),
                              [(f"`{p.name}`", f"`{p.type.text}`", p.doc) for p in m.params])
    if m.errors:
        text += "\nErrors: " + ", ".join(m.errors) + ".\n"
    return text


def _errors_page(schema):
    rows = [(f"`{e.name}`", ", ".join(e.params), e.doc) for e in schema.errors.values()]
    return "# Errors\n\n" + _table(("Code", "Parameters", ""), sorted(rows))


def _enums_page(schema):
    text = "# Enums\n"
    for e in schema.enums.values():
        values = ", ".join(f"`{v}`" for v in e.values)
        text += f"\n**{e.name}**: {values}\n"
    return text


def _http_page(schema):
    rows = [(a["method"], f"`{a['uri']}`", ", ".join(a.get("query", [])), a["roles"],
             a.get("doc", "")) for a in schema.http.values()]
    return "# HTTP requests\n\n" + _table(("Method", "Path", "Query", "Roles", ""), rows)


def _xe_page(schema):
    text = "# Commands of xe\n\n## Classes\n\n"
    text += _table(("Class", "Shown by default", "All columns"),
                   [(c.name, " ".join(c.default) or "all",
                     " ".join(f.name for f in c.fields if "hidden" not in f.flags))
                    for c in xe.classes(schema).values()])
    text += "\n## Commands of every class\n\n" + _table(
        ("Command", "", "Test"),
        [(f"{c.name}-{name}", v["doc"], f"{v.get('test', '')}[{c.name}]") for c in xe.classes(schema).values()
         for name, v in xe.verbs(schema).items() if xe.has_verb(schema, c, name)])
    text += "\n## Topics\n\n"
    text += "\n".join(f"### {t.name}\n\n{t.doc[0].upper()}{t.doc[1:]}.\n\n```\n{t.text}\n```\n" for t in xe.topics(schema))
    text += "\n## Commands\n\n"
    return text + _table(("Command", "Required", "Optional", "Picks", "", "Test"),
                         [(c.name, " ".join(c.required), " ".join(c.optional), c.select, c.doc, c.test)
                          for c in xe.commands(schema)])


def _host_page(schema):
    text = "# Host protocol\n\nWhat xenolithd asks of xenolith-hostd.\n"
    for kind, things in (("Structs", schema.host.structs), ("Calls", schema.host.calls)):
        text += f"\n## {kind}\n"
        for x in things.values():
            text += f"\n### {x.name}\n\n{x.doc}\n"
            parts = [("", x.fields)] if kind == "Structs" else [("in", x.args), ("out", x.result)]
            rows = [(way, f"`{p.name}`", f"`{p.type.text}`", p.doc)
                    for way, params in parts for p in params]
            if rows:
                text += "\n" + _table(("", "Member", "Type", ""), rows)
    return text


def _index(schema):
    text = "# Reference\n\nMade from schema/. Also: [errors](errors.md), [enums](enums.md), " \
           "[HTTP requests](http.md), [xe](xe.md), [host protocol](host-protocol.md), " \
           "[what works so far](../coverage.md).\n\n"
    return text + _table(("Class", ""), [(f"[{c.name}]({c.name}.md)", c.doc)
                                         for c in schema.classes.values()])


def coverage(schema):
    rows, details = [], ""
    total = dict.fromkeys(KINDS, 0)
    for cls in schema.classes.values():
        count = dict.fromkeys(KINDS, 0)
        for m in cls.messages:
            count[status(m)] += 1
            total[status(m)] += 1
        if cls.messages:
            rows.append((cls.name, *count.values()))
            details += _coverage_class(cls)
    rows.append(("**all**", *total.values()))
    return ("# Coverage\n\nEvery message of the XenAPI: works; checks everything and then can only refuse; answers "
            "with an error\non purpose; is gone from the API, so that every server refuses it; or is missing. "
            "Messages that are served\nfrom the tables alone (get_F, set_F, get_all ...) are counted, and listed "
            "only if they have a body of their own.\n\n"
            + _table(("Class", *KINDS), rows) + _refused(schema) + _http_coverage(schema) + details)


def _http_coverage(schema):
    rows = [(a["method"], f"`{a['uri']}`", WORKS if a.get("test") else "answers 501", a.get("test") or a.get("cannot", ""))
            for a in schema.http.values() if a.get("rbac_checked", True) or a.get("test")]
    return "\n## HTTP requests\n\n" + _table(("Method", "Path", "", "Test, or why it cannot be"), rows)


def _refused(schema):
    """All of them by name, with the reason."""
    found = refused(schema)
    rows = [(m.wire, status(m), m.cannot or m.doc) for m in found]
    shares = "".join(f"{n} of {of} {name}, {100 * n / of:.2f} %.\n" for name, n, of in share(schema))
    return (f"\n## What does not work\n\n{shares}\n"
            + _table(("Message", "", "Why"), rows) + _clients(schema) + _no_rows(schema))


def _clients(schema):
    """The generator has refused those of which a message does not work."""
    rows = [(name, table.get("doc", ""), len({m.wire for text in table["messages"] for m in called(schema, text)}))
            for name, table in schema.clients.items()]
    if not rows:
        return ""
    return ("\n## What others call\n\nMessages that these are known to call (schema/clients.toml). None of them "
            "stands above.\n\n" + _table(("Program", "", "Messages"), rows))


def _no_rows(schema):
    """Classes whose messages are served, but have nothing to be about."""
    rows = [(cls.name, sum(status(m) == WORKS for m in cls.messages), cls.no_rows)
            for cls in schema.classes.values() if cls.no_rows]
    if not rows:
        return ""
    return ("\n## Classes without objects\n\nTheir messages are counted as working; but lists are "
            "empty, and a reference can only lead to nothing.\n\n"
            + _table(("Class", "Messages", "Why"), rows))


def _why(m):
    """Why an answer is an error on purpose, or an empty success."""
    reason = f"inert: {m.inert}" if m.inert else m.cannot or (m.doc if m.refuse else "")
    return f" ({reason})" if reason else ""


def _coverage_class(cls):
    rows = [(m.name, status(m) + _why(m),
             m.body or " ".join(m.refuse), m.test) for m in cls.messages
            if not m.implicit or m.kind in ("CREATE", "DESTROY") or m.body or m.refuse]
    if not rows:
        return ""
    return f"\n## {cls.name}\n\n" + _table(("Message", "", "How", "Test"), rows)
