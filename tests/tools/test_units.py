# SPDX-License-Identifier: LGPL-2.1-or-later
"""The systemd units: they are sound, as tight as they say, and let the programs do what their own lists allow."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UNITS = ROOT / "packaging/systemd"


@pytest.fixture
def installed(tmp_path):
    """The units as they are installed, naming programs that are there."""
    for source in UNITS.iterdir():
        if source.suffix == ".socket":
            shutil.copy(source, tmp_path)
        elif source.name.endswith(".service.in"):
            text = source.read_text().replace("@sbindir@", str(tmp_path)).replace("@libdir@", str(tmp_path))
            (tmp_path / source.name.removesuffix(".in")).write_text(text)
    for program in ("xenolithd", "xenolith-hostd", "xenolith-inventory"):
        (tmp_path / program).write_text("#!/bin/sh\n")
        (tmp_path / program).chmod(0o755)
    return tmp_path


def analyze(*args):
    return subprocess.run(["systemd-analyze", *map(str, args)], capture_output=True, text=True, timeout=60, check=False)


def test_units_are_sound(installed):
    units = sorted(installed.glob("*.s*"))
    assert len(units) == 6
    done = analyze("verify", "--man=no", *units)
    ours = [line for line in (done.stdout + done.stderr).splitlines() if "xenolith" in line]
    assert not ours


@pytest.mark.parametrize("unit,most", [("xenolithd", 1.7), ("xenolith-hostd", 4.3), ("xenolith-inventory", 6.0)])
def test_exposure(installed, unit, most):
    done = analyze("security", "--offline=true", "--no-pager", installed / f"{unit}.service")
    score = float(re.search(r"exposure level for \S+: ([\d.]+)", done.stdout).group(1))
    print(f"{unit}: {score}")
    assert score <= most


def group(name):
    if not name.startswith("@"):
        return {name}
    members = set()
    for line in analyze("syscall-filter", name).stdout.splitlines()[1:]:
        word = line.strip()
        if word and not word.startswith("#"):
            members |= group(word)
    return members


def test_the_unit_allows_what_the_programs_own_list_does(installed):
    allowed = set()
    for words in re.findall(r"^SystemCallFilter=(.*)$", (installed / "xenolithd.service").read_text(), re.M):
        names = set().union(*(group(w) for w in words.lstrip("~").split()))
        allowed = allowed - names if words.startswith("~") else allowed | names
    source = (ROOT / "src/daemon/sandbox.c").read_text()
    lists = source[source.index("rules[] = {"):source.index("static const char absent")]
    wanted = set(" ".join(re.findall(r'"([a-z0-9_ ]+)"', lists)).split())
    assert len(wanted) > 80
    assert wanted <= allowed, sorted(wanted - allowed)
    assert not {"ptrace", "mount", "bpf", "init_module", "reboot", "setuid", "chroot"} & allowed


def number(path, pattern):
    return int(re.search(pattern, (ROOT / path).read_text()).group(1))


def limit(name):
    return number("packaging/systemd/xenolithd.service.in", rf"(?m)^{name}=(\d+)$")


def test_threads_fit_the_unit():
    """Each program has workers, transfers, pollers and a few more; a hand-over adds one for each TLS connection."""
    parts, server = "src/daemon/parts.c", "src/wire/server.c"
    workers, transfers = (number(parts, rf"#define {name}\s+(\d+)") for name in ("WORKERS_MAX", "TRANSFERS_MAX"))
    pollers, tcp = number(server, r"MIN\(cores, (\d+)\)"), number(server, r"DEFAULT\(max_tcp, (\d+)\)")
    # The main thread, two of hostd's client, waiting, chores, links, taking over, awaiting a signal, a launcher.
    others = 9
    most = 2 * (workers + transfers + pollers + others) + tcp
    assert most < limit("TasksMax") < 2 * most
    local = number(server, r"DEFAULT\(max_unix, (\d+)\)")
    # A connection that is relayed has two sockets more, a transfer one to its disk and one to be told of its end.
    assert local + 3 * tcp + 2 * transfers + 500 < limit("LimitNOFILE")


def test_guests_outlive_hostd(installed):
    text = (installed / "xenolith-hostd.service").read_text()
    assert "KillMode=process" in text and "RuntimeDirectoryPreserve=yes" in text


def test_names_of_the_sockets(installed):
    names = {p.name: re.search(r"FileDescriptorName=(\w+)", p.read_text()).group(1) for p in installed.glob("*.socket")}
    assert names == {"xenolithd.socket": "xapi", "xenolithd-http.socket": "http", "xenolithd-tls.socket": "tls"}
