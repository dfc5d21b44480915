# SPDX-License-Identifier: LGPL-2.1-or-later
"""Debian packages of the tree, built by Debian's own tools from a copy of what belongs into them.

For the release this machine runs they are built here; for another one in a tree of that release, in a user namespace.
The same sources give the same bytes: time stamps are those of the last commit to them, paths do not matter.
"""

import datetime
import email.utils
import os
import re
import shutil
import subprocess

from guestimage import cache, debs
from guestimage.cache import ROOT, Progress

# What the packages are made of; a change elsewhere (tests, other pages) gives no new ones.
SHIPPED = ["gen", "schema", "src", "packaging", "docs/man", "tools/source-date", "meson.build", "meson_options.txt", "LICENSE"]
MAINTAINER = "Xenolith developers <xenolith@xenolith.invalid>"
OPTIONS = "noautodbgsym nocheck"


class BuildError(Exception):
    pass


def sources():
    """Paths of the files the packages are made of, as git knows them or would add them."""
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *SHIPPED],
                            capture_output=True, text=True)
    if listed.returncode != 0:
        raise BuildError(f"git tells what belongs to the tree: {listed.stderr.strip()}")
    return sorted(path for path in set(listed.stdout.split("\0")) if path and os.path.isfile(os.path.join(ROOT, path)))


def stamp():
    """Seconds of the last commit to these files: the time in the packages and the end of their version."""
    done = subprocess.run(["git", "-C", ROOT, "log", "-1", "--format=%ct", "--", *SHIPPED], capture_output=True, text=True)
    return int(done.stdout.strip() or 0)


def version(seconds):
    with open(os.path.join(ROOT, "meson.build")) as text:
        number = re.search(r"version: '([\d.]+)'", text.read()).group(1)
    return f"{number}~{_moment(seconds):%Y%m%d.%H%M%S}"


def _moment(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)


def release_here():
    with open("/etc/os-release") as text:
        found = re.search(r"^VERSION_CODENAME=(\w+)", text.read(), re.M)
    return found.group(1) if found else ""


def _lay_out(tree, paths, release, seconds):
    """The source tree as Debian's tools want it."""
    for path in paths:
        target = os.path.join(tree, path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copy(os.path.join(ROOT, path), target)
    shutil.copytree(os.path.join(tree, "packaging", "debian"), os.path.join(tree, "debian"))
    os.makedirs(os.path.join(tree, "debian", "source"))
    with open(os.path.join(tree, "debian", "source", "format"), "w") as out:
        out.write("3.0 (native)\n")
    with open(os.path.join(tree, "debian", "changelog"), "w") as out:
        out.write(f"xenolith ({version(seconds)}) {release}; urgency=medium\n\n"
                  "  * Built from the tree; CHANGELOG.md tells what is new.\n\n"
                  f" -- {MAINTAINER}  {email.utils.format_datetime(_moment(seconds))}\n")


def _build_here(tree, log):
    path = os.environ.get("PATH", os.defpath)
    env = {**os.environ, "DEB_BUILD_OPTIONS": OPTIONS, "PATH": f"/usr/lib/ccache:{path}:/usr/sbin:/sbin"}
    done = subprocess.run(["dpkg-buildpackage", "--build=binary", "--no-sign", "--jobs=auto"], cwd=tree, env=env,
                          stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    return done.returncode == 0


def _build_in_release(tree, work, release, log):
    """In a fresh tree of that release: mmdebstrap makes it, runs the build in it, and throws it away."""
    with open(os.path.join(tree, "debian", "control")) as text:
        needs = re.search(r"^Build-Depends: (.*?)^\S", text.read(), re.M | re.S).group(1)
    names = [re.sub(r"[\s(:].*", "", need.split("|")[0].strip()) for need in re.sub(r"\s+", " ", needs).split(",")]
    names = ["debhelper" if name == "debhelper-compat" else name for name in names if name]
    inside = ("cd /build/xenolith && DEB_BUILD_OPTIONS='" + OPTIONS + "' dpkg-buildpackage --build=binary --no-sign --jobs=auto")
    argv = ["mmdebstrap", "--quiet", "--variant=buildd", "--format=null", "--include=" + ",".join(["fakeroot", *names]),
            "--aptopt=Apt::Install-Recommends false", "--customize-hook=mkdir -p \"$1/build/xenolith\"",
            f"--customize-hook=sync-in {tree} /build/xenolith", f"--customize-hook=chroot \"$1\" sh -c \"{inside}\" >&2",
            f"--customize-hook=copy-out /build {work}", release, "-", *debs.Packages(work, release).sources]
    if subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log).returncode != 0:
        return False
    for name in os.listdir(os.path.join(work, "build")):
        if name.endswith(".deb"):
            os.rename(os.path.join(work, "build", name), os.path.join(work, name))
    return True


def make(work, out, release, paths, seconds):
    progress = Progress(f"packages for {release}")
    tree = os.path.join(work, "xenolith")
    _lay_out(tree, paths, release, seconds)
    here = release == release_here()
    progress.step("building" + ("" if here else f" in a tree of {release} (some minutes)"))
    path = os.path.join(work, "build.log")
    with open(path, "wb") as log:
        good = _build_here(tree, log) if here else _build_in_release(tree, work, release, log)
    if not good:
        with open(path, errors="replace") as log:
            raise BuildError("the build failed; the end of what it said:\n" + "".join(log.readlines()[-30:]))
    for name in sorted(os.listdir(work)):
        if name.endswith((".deb", ".changes", ".buildinfo", ".log")):
            shutil.move(os.path.join(work, name), out)
    progress.step("done")


def obtain(release):
    """Folder with the packages of the tree as it is, for that release."""
    paths, seconds = sources(), stamp()
    digest = cache.recipe(paths, ROOT, [release, str(seconds), OPTIONS])
    return cache.obtain(f"packages-{release}", digest, lambda work, out: make(work, out, release, paths, seconds))


def files(folder):
    return sorted(os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".deb"))
