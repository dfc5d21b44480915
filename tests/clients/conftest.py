# SPDX-License-Identifier: LGPL-2.1-or-later
"""The daemons as tests/api starts them; files, certificates and programs that clients written by others need."""

import importlib.util
import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests" / "api"))
_spec = importlib.util.spec_from_file_location("api_conftest", ROOT / "tests" / "api" / "conftest.py")
api = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(api)

NULL, XenError, Daemons, a_pair = api.NULL, api.XenError, api.Daemons, api.a_pair  # the helpers of tests/api take them from here
daemons, fresh_daemons, xen = api.daemons, api.fresh_daemons, api.xen
LIMIT = 60  # seconds for a whole story


def restart(d):
    """Another xenolithd on the same ports: what a client sees when the daemon is killed, or updated without a hand-over."""
    ports = [word for name, port in (("--http", d.http), ("--tls", d.tls)) for word in (name, f"127.0.0.1:{port}")]
    d.stop(["xapi"])
    d.start_xapi(ports)
    d.ready()


# What a story may ask for while it runs.
DEEDS = {"restart": restart, "hand over": lambda d: d.hand_over()}


class Node:
    """Runs stories: functions that a .mjs file here exports, each in a process of its own (run.mjs)."""

    def __init__(self, tmp_path):
        self.tmp_path = tmp_path

    def tell(self, d, file, story):
        given = {"http": f"http://127.0.0.1:{d.http}", "https": f"https://127.0.0.1:{d.tls}", "user": "root",
                 "password": d.password}
        errors = self.tmp_path / "stderr"
        with open(errors, "wb") as out:
            child = subprocess.Popen(["node", HERE / "run.mjs", HERE / file, story], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     stderr=out, env={**os.environ, "XENOLITH_HOST": json.dumps(given)})
        try:
            said = self._attend(d, child)
        finally:
            child.kill()
            child.wait()
            child.stdin.close()
            child.stdout.close()
        assert said[-1:] == ["done"], "\n".join([*said, errors.read_text()])

    @staticmethod
    def _attend(d, child):
        """Its lines; what it asks for is done meanwhile."""
        said, rest, end = [], b"", time.monotonic() + LIMIT
        while select.select([child.stdout], [], [], max(0, end - time.monotonic()))[0]:
            got = os.read(child.stdout.fileno(), 65536)
            if not got:
                return said
            *lines, rest = (rest + got).split(b"\n")
            for line in map(bytes.decode, lines):
                said.append(line)
                if line.startswith("please "):
                    DEEDS[line.removeprefix("please ")](d)
                    child.stdin.write(b"so it is\n")
                    child.stdin.flush()
        return [*said, f"not at its end after {LIMIT} s"]


OUT_OF_REACH = 75  # as tests/clients/install ends then


@pytest.fixture(scope="session")
def packages():
    """What package.json names, unmodified."""
    done = subprocess.run([sys.executable, HERE / "install"], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode == OUT_OF_REACH:
        pytest.skip("npm's registry is out of reach")
    if done.returncode:
        pytest.fail(done.stderr, pytrace=False)


@pytest.fixture
def node(packages, tmp_path):
    return Node(tmp_path)
