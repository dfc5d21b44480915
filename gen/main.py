# SPDX-License-Identifier: LGPL-2.1-or-later
"""Turns schema/ into C, tables and manual pages.

usage: main.py --schema DIR --out DIR [--depfile FILE] [--root DIR]
       main.py --schema DIR --list class
With --root the tests that messages name must exist below that folder.
Exits with 1 and one line per problem if the schema is not in order.
"""

import argparse
import os
import sys

import check
import check_tests
import emit_class
import emit_derive
import emit_docs
import emit_errors
import emit_host
import emit_lists
import emit_man
import emit_msg
import emit_roles
import emit_types
import emit_xe
import implicit
import schema as schema_module
from out import Out

EMITTERS = [emit_types, emit_class, emit_derive, emit_errors, emit_roles, emit_msg,
            emit_lists, emit_host, emit_xe, emit_man, emit_docs]


def build(folder, root=None):
    """The checked schema of a folder; problems are in its problems."""
    schema = schema_module.load(folder)
    implicit.add(schema)
    check.run(schema)
    if root:
        check_tests.run(schema, root)
    return schema


def _depfile(path, target, schema):
    here = os.path.dirname(os.path.abspath(__file__))
    inputs = schema.files + [os.path.join(here, n) for n in sorted(os.listdir(here))
                             if n.endswith(".py")]
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"{target}: " + " ".join(i.replace(" ", "\\ ") for i in inputs) + "\n")


def main(argv):
    parser = argparse.ArgumentParser()
    parser.add_argument("--schema", required=True)
    parser.add_argument("--out")
    parser.add_argument("--depfile")
    parser.add_argument("--target", default="classes.h")
    parser.add_argument("--root")
    parser.add_argument("--list", choices=["class"])
    args = parser.parse_args(argv)
    if args.list:
        names = os.listdir(os.path.join(args.schema, "classes"))
        print("\n".join(sorted(n[: -len(".toml")] for n in names if n.endswith(".toml"))))
        return 0
    schema = build(args.schema, args.root)
    if schema.problems.texts:
        for text in schema.problems.texts:
            print(text, file=sys.stderr)
        return 1
    out = Out(args.out)
    for emitter in EMITTERS:
        emitter.emit(schema, out)
    for part in ("class", "msg"):
        out.add(f"{part}.stamp", out.digest(part + "/"))
    out.write()
    if args.depfile:
        _depfile(args.depfile, args.target, schema)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
