# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which messages work, and which of them programs of others call."""

WORKS, CANNOT, ERROR = "works", "checks, then refuses", "answers with an error"
GONE, MISSING = "gone from the API", "missing"
KINDS = (WORKS, CANNOT, ERROR, GONE, MISSING)
GONE_CODES = ("MESSAGE_REMOVED", "MESSAGE_DEPRECATED")  # what any server of the XenAPI answers


def status(m):
    if m.state == "removed" or m.refuse and m.refuse[0] in GONE_CODES:
        return GONE
    if m.refuse or m.cannot:
        return ERROR if m.refuse else CANNOT
    return WORKS if m.has_body or m.generic else MISSING


def messages(schema):
    return [m for cls in schema.classes.values() for m in cls.messages]


def refused(schema):
    """Messages that no arguments make work here."""
    return [m for m in messages(schema) if status(m) in (CANNOT, ERROR, MISSING)]


def share(schema):
    """How many of how many do not work: of all, of those that are neither on trial nor on their way out, and of those
    among them that are not hidden from the manual."""
    found = []
    for name, counts in (("messages", lambda m: True), ("messages in state published", lambda m: m.state == "published"),
                         ("of those that manuals show", lambda m: m.state == "published" and not m.hidden)):
        found.append((name, sum(map(counts, refused(schema))), sum(map(counts, messages(schema)))))
    return found


def called(schema, text):
    """The messages that a text of clients.toml stands for: "VM.start", "*.get_record"."""
    cls, _, name = text.partition(".")
    return [m for m in messages(schema) if m.name == name and cls in ("*", m.cls)]
