# SPDX-License-Identifier: LGPL-2.1-or-later
"""Paths of derived fields: "VBDs.VDI.on_boot", "platform/nomigrate", "@pool.ha_enabled"."""

from dataclasses import dataclass

MAX_HOPS = 4


class BadPath(Exception):
    """A path that leads nowhere."""


@dataclass(frozen=True)
class Path:
    hops: tuple  # Fields that lead on: references and inverse sets
    last: object  # the Field that matters
    key: str = ""  # of a map; "" = the whole value

    @property
    def places(self):
        """The same as names, to compare by."""
        return tuple(h.where for h in self.hops), self.last.where


def resolve(schema, owner, text):
    """The Paths a text stands for: the one it spells and its prefixes, shortest first."""
    spelled, _, key = text.partition("/")
    cls = owner
    words = spelled.split(".")
    if spelled.startswith("@"):
        cls = schema.classes.get(words[0][1:])
        words = words[1:]
        if cls is None or len(words) != 1:
            raise BadPath(f"'{text}' must be @CLASS.FIELD")
    hops, paths = [], []
    for i, word in enumerate(words):
        f = cls.field(word)
        if f is None:
            raise BadPath(f"'{text}': class {cls.name} has no field '{word}'")
        if f.derived:
            raise BadPath(f"'{text}': {f.where} is itself derived")
        if i == len(words) - 1:
            if key and (f.type.kind != "MAP" or f.type.key.kind != "STRING"):
                raise BadPath(f"'{text}': {f.where} is no map with text keys")
            paths.append(Path(tuple(hops), f, key))
            break
        paths.append(Path(tuple(hops), f))
        cls = schema.classes.get(f.type.ref_class)
        if cls is None:
            raise BadPath(f"'{text}': {f.where} leads to no class")
        hops.append(f)
    if len(hops) > MAX_HOPS:
        raise BadPath(f"'{text}' is longer than {MAX_HOPS} hops")
    return paths


def of_field(schema, f):
    """All paths of a derived field, each once; a whole value swallows its keys."""
    found = {}
    for text in f.depends:
        for p in resolve(schema, schema.classes[f.cls], text):
            found[(p.places, p.key)] = p
    whole = {places for places, key in found if not key}
    return [p for (places, key), p in found.items() if not key or places not in whole]

