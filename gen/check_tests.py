# SPDX-License-Identifier: LGPL-2.1-or-later
"""A message that works names its test as "FILE::NAME", and so do another HTTP request and each command of xe; file and name
must exist. Commands of every class are run for the classes that a file lists: all of them."""

import os
import re

CLASSES = "tests/facts/xe_classes.txt"


def run(schema, root):
    texts = {}
    for cls in schema.classes.values():
        for m in cls.messages:
            if m.test:
                _one(schema, root, f"{cls.file}: [messages.{m.name}]", m.test, texts)
    for name, action in schema.http.items():
        if action.get("test"):
            _one(schema, root, f"http.toml: [{name}]", action["test"], texts)
    for name, command in schema.xe.get("commands", {}).items():
        if command.get("test"):
            _one(schema, root, f"xe.toml: [commands.{name}]", command["test"], texts)


    for name, verb in schema.xe.get("verbs", {}).items():
        if verb.get("test"):
            _one(schema, root, f"xe.toml: [verbs.{name}]", verb["test"], texts)
            _classes(schema, root)


def _classes(schema, root):
    path = os.path.join(root, CLASSES)
    try:
        with open(path, encoding="utf-8") as f:
            listed = [line.split(" | ")[0] for line in f]
        schema.files.append(path)
    except OSError:
        listed = []
    for name in schema.xe.get("classes", {}):
        text = f"'{CLASSES}' does not list it, so no test runs its commands"
        if name not in listed and f"xe.toml: [classes.{name}]: {text}" not in schema.problems.texts:
            schema.problems.add(f"xe.toml: [classes.{name}]", text)


def _one(schema, root, where, test, texts):
    file, _, name = test.partition("::")
    path = os.path.join(root, file)
    if file not in texts:
        try:
            with open(path, encoding="utf-8") as f:
                texts[file] = f.read()
            schema.files.append(path)
        except OSError:
            texts[file] = None
    if texts[file] is None:
        schema.problems.add(where, f"test file '{file}' does not exist")
    elif not name or not re.search(rf"\b{re.escape(name.split('[')[0])}\b", texts[file]):
        schema.problems.add(where, f"'{file}' has no test '{name}'")
