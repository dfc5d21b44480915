# SPDX-License-Identifier: LGPL-2.1-or-later
"""No file goes into two packages: dpkg would refuse the second. One that goes into none ends the build of the packages."""

from pathlib import Path

DEBIAN = Path(__file__).resolve().parents[2] / "packaging" / "debian"


def installed():
    """(package, path of what the build installed), as the packages list them."""
    for listed in sorted(DEBIAN.glob("*.install")):
        for line in listed.read_text().splitlines():
            words = line.split()
            if len(words) == 1 and not line.startswith("#"):  # two words: a file of the tree and where it goes
                yield listed.stem, Path(words[0])


def test_no_file_is_in_two_packages():
    entries = list(installed())
    shared = [(a, str(path), b, str(other)) for a, path in entries for b, other in entries
              if a != b and (path == other or path in other.parents)]
    assert len(entries) > 10 and not shared
