# SPDX-License-Identifier: LGPL-2.1-or-later
"""Kernel modules of a Debian kernel tree: which ones a wanted module needs, in the order to load them."""

import os


def find(modules_dir):
    """Maps the kernel's name of each module below modules_dir ('-' written as '_') to its file."""
    found = {}
    for folder, _, names in os.walk(modules_dir):
        for name in names:
            if name.endswith(".ko"):
                found[name[:-3].replace("-", "_")] = os.path.join(folder, name)
    return found


def depends(path):
    """Names that the module itself says it depends on: the 'depends=' string of its .modinfo section."""
    with open(path, "rb") as module:
        data = module.read()
    at = data.find(b"\0depends=")
    if at < 0:
        return []
    text = data[at + len(b"\0depends="):data.index(b"\0", at + 1)].decode()
    return [name.replace("-", "_") for name in text.split(",") if name]


def load_order(found, wanted):
    """Files of the wanted modules and all they need, dependencies first. Wanted ones that do not exist (built in) are left out."""
    order, seen = [], set()

    def visit(name):
        if name in seen or name not in found:
            return
        seen.add(name)
        for need in depends(found[name]):
            visit(need)
        order.append(found[name])

    for name in wanted:
        visit(name)
    return order
