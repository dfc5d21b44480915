# SPDX-License-Identifier: LGPL-2.1-or-later
"""Mistakes in schema/classes that a client could notice. Each kind finds the places where it can be made."""

import re
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Place:
    file: str
    text: str  # of the whole file, with the mistake
    what: str


@dataclass
class Section:
    """[class], [fields.X] or [messages.X] of a file."""

    file: str
    whole: str
    start: int
    text: str
    kind: str
    name: str
    cls: str

    def place(self, new, what):
        text = self.whole[:self.start] + new + self.whole[self.start + len(self.text):]
        return Place(self.file, text, f"{self.cls}.{self.name or '*'} {what}")

    def has(self, line):
        return re.search(rf"^{line}$", self.text, re.M)

    def without(self, line):
        return re.sub(rf"^{line}\n", "", self.text, count=1, flags=re.M)

    def param_lines(self):
        return re.findall(r"^    \{ name = .*\},$", self.text, re.M)


class Schema:
    def __init__(self, folder):
        self.sections, self.files = [], {}
        for path in sorted(Path(folder, "classes").glob("*.toml")):
            whole = path.read_text(encoding="utf-8")
            self.files[f"classes/{path.name}"] = whole
            heads = [*re.finditer(r"^\[(class|fields|messages)(?:\.(\w+))?\]$", whole, re.M)]
            ends = [h.start() for h in heads[1:]] + [len(whole)]
            for head, end in zip(heads, ends):
                self.sections.append(Section(f"classes/{path.name}", whole, head.start(), whole[head.start():end], head[1],
                                             head[2] or "", path.stem))
        self.removed = {s.cls for s in self.sections if s.kind == "class" and s.has('state = "removed"')}

    def of(self, kind):
        """Sections whose mistakes a client could notice."""
        for s in self.sections:
            internal = s.has("internal = true") or s.has("pool_internal = true") or s.has("session = false")
            if s.kind == kind and s.cls not in self.removed and not s.has('state = "removed"') and not internal:
                yield s


def messages(schema):
    """Explicit ones."""
    return [s for s in schema.of("messages") if s.has("roles = .*")]


def fields(schema, q="RW"):
    in_database = {s.cls for s in schema.of("class") if s.has("in_database = true")}
    return [s for s in schema.of("fields") if s.has(f'q = "{q}"') and s.cls in in_database]


def other_roles(text, rng):
    sets = ["read-only+", "vm-operator+", "vm-admin+", "vm-power-admin+", "pool-operator+", "pool-admin+", "local-root"]
    old = re.search(r'^(\w*roles) = "(.*)"$', text, re.M)
    new = rng.choice([s for s in sets if s != old[2]])
    return text[:old.start()] + f'{old[1]} = "{new}"' + text[old.end():], f"{old[2]} became {new}"


def role_of_message(schema, rng):
    return [s.place(*other_roles(s.text, rng)) for s in messages(schema)]


def role_of_class(schema, rng):
    return [s.place(*other_roles(s.text, rng)) for s in schema.of("class") if s.has("roles = .*") and
            s.has("create_destroy = true")]


def role_of_reading(schema, rng):
    return [s.place(s.text.replace("\n\n", '\nread_roles = "pool-admin+"\n\n', 1), "read_roles") for s in schema.of("class")
            if s.has("in_database = true") and not s.has("read_roles = .*")]


def role_of_setting(schema, rng):
    return [s.place(*other_roles(s.text, rng)) for s in fields(schema) if s.has("set_roles = .*")]


def role_of_key(schema, rng):
    return [s.place(re.sub(r'^(key_roles = \{ \w+ = )"[^"]*"', r'\1"read-only+"', s.text, flags=re.M), "key role")
            for s in schema.of("fields") if s.has("key_roles = .*")]


def default_dropped(schema, rng):
    for s in messages(schema):
        for line in s.param_lines():
            if ", default = " in line:
                new = re.sub(r", default = (\"[^\"]*\"|\[\]|\{\}|[\w.-]+)", "", line)
                yield s.place(s.text.replace(line, new), f"without {line.strip()}")


def default_added(schema, rng):
    values = {"string": '""', "int": "0", "bool": "false", "map:string:string": "{}"}
    for s in messages(schema):
        lines = s.param_lines()
        type_ = re.search(r'type = "([^"]*)"', lines[-1])[1] if lines else ""
        if type_ in values and "default" not in lines[-1]:
            new = lines[-1].replace(" },", f", default = {values[type_]} }},")
            yield s.place(s.text.replace(lines[-1], new), new.strip())


def parameter_dropped(schema, rng):
    return [s.place(s.text.replace(line + "\n", ""), f"without {line.strip()}") for s in messages(schema)
            if s.has("refuse = .*") for line in s.param_lines()[-1:]]  # a body would miss it when it is compiled


def parameter_added(schema, rng):
    more = '    { name = "one_more", type = "string" },\n'
    return [s.place(s.text.replace(s.param_lines()[-1] + "\n", s.param_lines()[-1] + "\n" + more), "one more parameter")
            for s in messages(schema) if s.param_lines() and "default" not in s.param_lines()[-1]]


def parameters_swapped(schema, rng):
    for s in messages(schema):
        lines = [line for line in s.param_lines() if "default" not in line]
        for a, b in zip(lines, lines[1:]):
            if "ref:" not in a + b or "type = \"int\"" in a + b or "type = \"bool\"" in a + b or "string\"" in a + b:
                yield s.place(s.text.replace(f"{a}\n{b}", f"{b}\n{a}"), f"{a.strip()} and the next one swapped")


def parameter_renamed(schema, rng):
    return [s.place(s.text.replace(line, line.replace('name = "', 'name = "my_')), f"{line.strip()} renamed")
            for s in messages(schema) for line in s.param_lines()]


def type_of_parameter(schema, rng):
    for s in messages(schema):
        for line in s.param_lines():
            for old, new in (("string", "int"), ("int", "string"), ("bool", "string"), ("map:string:string", "set:string"),
                             ("set:string", "map:string:string")):
                if f'type = "{old}"' in line and "default" not in line:
                    yield s.place(s.text.replace(line, line.replace(f'"{old}"', f'"{new}"')), f"{line.strip()} became {new}")


def class_of_reference(schema, rng):
    return [s.place(s.text.replace(line, re.sub('"ref:[^"]*"', '"ref:VIF_metrics"', line)), f"{line.strip()} became VIF_metrics")
            for s in messages(schema) if s.has("refuse = .*") for line in s.param_lines() if '"ref:' in line]


def async_dropped(schema, rng):
    return [s.place(s.without("async = true"), "not async") for s in messages(schema) if s.has("async = true")]


def async_added(schema, rng):
    return [s.place(s.text.replace("\nroles =", "\nasync = true\nroles ="), "async") for s in messages(schema)
            if not s.has("async = .*")]


def session_not_asked(schema, rng):
    return [s.place(s.text.replace("\nroles =", "\nsession = false\nroles ="), "without session") for s in messages(schema)]


def no_longer_removed(schema, rng):
    return [s.place(s.without('state = "removed"'), "not removed") for s in schema.sections
            if s.kind != "class" and s.cls not in schema.removed and s.has('state = "removed"')]


def removed(schema, rng):
    return [s.place(s.text.replace("\nq = ", '\nstate = "removed"\nq = '), "removed") for s in fields(schema)]


def opened_to_all(schema, rng):
    return [s.place(s.without("pool_internal = true"), "not between hosts only") for s in schema.sections
            if s.kind == "messages" and s.has("pool_internal = true")]


def not_written(schema, rng):
    return [s.place(s.text.replace('q = "RW"', 'q = "DynamicRO"'), "cannot be set") for s in fields(schema)]


def written(schema, rng):
    return [s.place(s.text.replace('q = "DynamicRO"', 'q = "RW"'), "can be set") for s in fields(schema, "DynamicRO")]


def not_told(schema, rng):
    return [s.place(s.text.replace("\nq = ", "\ninternal = true\nq = "), "is internal") for s in fields(schema, "DynamicRO")]


def column(schema, rng):
    return [s.place(s.without("column = .*"), "column") for s in fields(schema)
            if s.has('column = "name__label"') or s.has('type = "map:.*"') and s.has("column = .*")]


def default_of_field(schema, rng):
    created = {s.cls for s in schema.of("class") if s.has("create_destroy = true")}
    return [s.place(s.without("default = .*"), "without default") for s in fields(schema)
            if s.cls in created and s.has("default = .*")]


def not_listed(schema, rng):
    return [s.place(s.without(f"{flag} = true"), f"without {flag}") for s in schema.of("class")
            for flag in ("get_all", "name_label", "create_destroy") if s.has(f"{flag} = true")]


KINDS = {f.__name__: f for f in (
    role_of_message, role_of_class, role_of_reading, role_of_setting, role_of_key, default_dropped, default_added,
    parameter_dropped, parameter_added, parameters_swapped, parameter_renamed, type_of_parameter, class_of_reference,
    async_dropped, async_added, session_not_asked, no_longer_removed, removed, opened_to_all, not_written, written, not_told,
    column, default_of_field, not_listed)}
