# SPDX-License-Identifier: LGPL-2.1-or-later
"""Debian packages for the images, from the mirrors this machine's apt is set up for. Needs no root.

apt runs with state of its own below a work directory; the machine's lists and package database stay as they are.
"""

import os
import subprocess

CODENAME = "bookworm"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
INDEX_FORMAT = "$(ORIGIN)|$(CODENAME)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)"


class PackageError(Exception):
    pass


def _apt(private, *arguments, tool="apt-get"):
    options = [f"Dir::State={private}/state", f"Dir::State::lists={private}/lists", f"Dir::Cache={private}/cache",
               f"Dir::State::status={private}/status", "APT::Sandbox::User=", "Acquire::Languages=none",
               "APT::Architecture=amd64", "APT::Architectures=amd64", "Acquire::Retries=3"]
    if os.path.exists(f"{private}/sources.list"):
        options += [f"Dir::Etc::sourcelist={private}/sources.list", "Dir::Etc::sourceparts=-"]
    argv = [tool, "-q", *[word for option in options for word in ("-o", option)], *arguments]
    return subprocess.run(argv, capture_output=True, text=True, cwd=private)


def _debian_lines(text, wanted):
    """Lines for sources.list: the mirrors apt is set up for, with the wanted release in place of CODENAME."""
    lines = []
    for row in text.splitlines():
        origin, codename, uri, release, component = row.split("|")
        if origin == "Debian" and codename.split("-")[0] == CODENAME and component == "main":
            signed = f" signed-by={KEYRING}" if os.path.exists(KEYRING) else ""
            lines.append(f"deb [arch=amd64{signed}] {uri} {release.replace(CODENAME, wanted)} {component}")
    return list(dict.fromkeys(lines))


class Packages:
    """The archive of a Debian release, by default Debian 12, as this machine reaches it."""

    def __init__(self, work, release=CODENAME):
        self.release = release
        self.private = os.path.join(work, "apt")
        for folder in ("lists/partial", "cache/archives/partial", "state"):
            os.makedirs(os.path.join(self.private, folder), exist_ok=True)
        open(os.path.join(self.private, "status"), "w").close()
        self.sources = self._find_sources()
        self.sources_file = os.path.join(self.private, "sources.list")
        with open(self.sources_file, "w") as out:
            out.write("\n".join(self.sources) + "\n")
        self._updated = False

    def _find_sources(self):
        index = ["indextargets", "--format", INDEX_FORMAT, "Created-By: Packages"]
        lines = _debian_lines(subprocess.run(["apt-get", *index], capture_output=True, text=True).stdout, self.release)
        if not lines:  # the machine has no lists (containers drop them): read them afresh, privately
            _apt(self.private, "update")
            lines = _debian_lines(_apt(self.private, *index).stdout, self.release)
        if not lines:
            raise PackageError(f"apt is set up for no mirror of Debian {CODENAME}; add one to /etc/apt/sources.list")
        return lines

    def _update(self):
        if not self._updated:
            done = _apt(self.private, "update")
            if done.returncode != 0:
                raise PackageError("apt-get update: " + done.stderr.strip())
            self._updated = True

    def newest_kernel(self, meta):
        """Name of the kernel package that the meta package stands for now."""
        self._update()
        done = _apt(self.private, "depends", meta, tool="apt-cache")
        for line in done.stdout.splitlines():
            word = line.split()
            if len(word) == 2 and word[0] == "Depends:" and word[1].startswith("linux-image-"):
                return word[1]
        raise PackageError(f"{meta} names no kernel: {done.stderr.strip()}")

    def unpack(self, package, into):
        """Downloads a package, checked by apt, and unpacks its files below into."""
        self._update()
        done = _apt(self.private, "download", package)
        if done.returncode != 0:
            raise PackageError(f"apt-get download {package}: {done.stderr.strip()}")
        debs = [name for name in os.listdir(self.private) if name.startswith(package + "_") and name.endswith(".deb")]
        subprocess.run(["dpkg-deb", "-x", os.path.join(self.private, debs[0]), into], check=True)

    def unpack_source(self, package, into):
        """Downloads a source package, checked by apt, and unpacks it with Debian's patches to the new folder into."""
        with open(self.sources_file, "w") as out:
            out.writelines(f"deb-src{line.removeprefix('deb')}\n" for line in self.sources)
        self._updated = False
        self._update()
        done = _apt(self.private, "source", "--download-only", package)
        if done.returncode != 0:
            raise PackageError(f"apt-get source {package}: {done.stderr.strip()}")
        described, = [name for name in os.listdir(self.private) if name.startswith(package + "_") and name.endswith(".dsc")]
        # apt has checked it; the keys of Debian's people are elsewhere
        subprocess.run(["dpkg-source", "--no-check", "-x", os.path.join(self.private, described), into], check=True,
                       stdout=subprocess.DEVNULL)
