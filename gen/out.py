# SPDX-License-Identifier: LGPL-2.1-or-later
"""Output files: written only when their contents change, so that builds stay short."""

import hashlib
import os

C_HEAD = """/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Made by gen/main.py from schema/. Do not edit. */
"""


class Out:
    """The output folder. Files are collected first and written at the end."""

    def __init__(self, folder):
        self.folder = folder
        self.files = {}

    def add(self, path, text):
        assert path not in self.files, path
        self.files[path] = text if text.endswith("\n") else text + "\n"

    def header(self, path, body):
        self.add(path, C_HEAD + "#pragma once\n\n" + body)

    def source(self, path, body):
        self.add(path, C_HEAD + "\n" + body)

    def digest(self, prefix):
        """A hash over all files whose path starts with prefix."""
        total = hashlib.sha256()
        for path in sorted(self.files):
            if path.startswith(prefix):
                total.update(path.encode() + b"\0" + self.files[path].encode() + b"\0")
        return total.hexdigest()

    def write(self):
        """Writes what differs and returns the number of files written."""
        written = 0
        for path, text in self.files.items():
            full = os.path.join(self.folder, path)
            data = text.encode()
            try:
                with open(full, "rb") as old:
                    if old.read() == data:
                        continue
            except FileNotFoundError:
                os.makedirs(os.path.dirname(full), exist_ok=True)
            temporary = full + ".new"
            with open(temporary, "wb") as new:
                new.write(data)
            os.replace(temporary, full)
            written += 1
        return written
