# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where finished images lie: <cache>/<image>-<recipe>/, made once, shared by `make run` and the tests.

The recipe is a hash over everything that shapes an image (the scripts here). A folder appears by one rename when
all of its files are complete; makers of the same image wait for each other on a lock.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


def cache_dir():
    return os.environ.get("XENOLITH_CACHE") or os.path.join(ROOT, "cache")


def recipe(sources, folder=HERE, words=()):
    """Hash over the named files of a folder, and over words that shape the image as well."""
    digest = hashlib.sha256()
    for name in sorted(sources):
        with open(os.path.join(folder, name), "rb") as source:
            digest.update(name.encode() + b"\0" + source.read() + b"\0")
    for word in words:
        digest.update(word.encode() + b"\0")
    return digest.hexdigest()[:12]


@contextlib.contextmanager
def _locked(path):
    with open(path, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class NotThere(Exception):
    """The cache has no such image, and none was to be made."""


_making = True


@contextlib.contextmanager
def as_it_is():
    """Meanwhile obtain() makes nothing, and raises NotThere."""
    global _making
    _making = False
    try:
        yield
    finally:
        _making = True


def obtain(image, digest, make):
    """Folder of the finished image with that recipe; make(work, out) fills it when it is not there yet."""
    base = cache_dir()
    final = os.path.join(base, f"{image}-{digest}")
    if os.path.isdir(final):
        return final
    if not _making:
        raise NotThere(f"{image} is not made for the tree as it is")
    os.makedirs(base, exist_ok=True)
    with _locked(os.path.join(base, f".{image}.lock")):
        if os.path.isdir(final):
            return final
        work = tempfile.mkdtemp(prefix=f".{image}-", dir=base)
        try:
            out = os.path.join(work, "out")
            os.mkdir(out)
            make(work, out)
            os.rename(out, final)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        _drop_older(base, image, final)
    return final


def _drop_older(base, image, keep):
    """Images of earlier recipes are of no use to anyone once the new one is there."""
    for name in os.listdir(base):
        path = os.path.join(base, name)
        if name.startswith(image + "-") and path != keep:
            shutil.rmtree(path, ignore_errors=True)


class Progress:
    """One line a step on standard error, with the time it took."""

    def __init__(self, what):
        self.what, self.begin = what, time.monotonic()

    def step(self, text):
        print(f"{self.what}: {text} [{time.monotonic() - self.begin:.0f} s]", file=sys.stderr, flush=True)
