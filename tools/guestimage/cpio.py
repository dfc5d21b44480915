# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes initramfs archives: the "newc" form that Linux reads (Documentation/driver-api/early-userspace/buffer-format.rst).

Written here because device nodes and root ownership are wanted in the archive while nobody has to be root.
"""

import gzip
import stat

NEWC_MAGIC = "070701"


class Archive:
    """An archive in memory. Paths have no leading slash; parents must be added first."""

    def __init__(self):
        self._data = bytearray()
        self._next_inode = 1

    def directory(self, path, mode=0o755):
        self._entry(path, stat.S_IFDIR | mode)

    def file(self, path, content, mode=0o644):
        self._entry(path, stat.S_IFREG | mode, content)

    def symlink(self, path, target):
        self._entry(path, stat.S_IFLNK | 0o777, target.encode())

    def char_device(self, path, major, minor, mode=0o600):
        self._entry(path, stat.S_IFCHR | mode, b"", (major, minor))

    def compressed(self):
        """The finished archive, gzip form. Same input, same bytes."""
        trailer = Archive()
        trailer._entry("TRAILER!!!", 0)
        return gzip.compress(bytes(self._data + trailer._data), compresslevel=6, mtime=0)

    def _entry(self, path, mode, content=b"", device=(0, 0)):
        name = path.encode() + b"\0"
        links = 2 if stat.S_ISDIR(mode) else 1
        fields = [self._next_inode, mode, 0, 0, links, 0, len(content), 0, 0, device[0], device[1], len(name), 0]
        self._next_inode += 1
        self._data += NEWC_MAGIC.encode() + "".join(f"{value:08X}" for value in fields).encode() + name
        self._pad()
        self._data += content
        self._pad()

    def _pad(self):
        self._data += b"\0" * (-len(self._data) % 4)
