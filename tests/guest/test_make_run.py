# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a newcomer does: start the host, see the guest's login, look, start again, stop, start again."""

import os
import re
import socket
import stat
import subprocess
import time
import xmlrpc.client

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Host:
    def __init__(self, folder):
        self.state = str(folder / "var")
        self.http = f"127.0.0.1:{free_port()}"
        self.env = {**os.environ, "XENOLITH_STATE": self.state, "XENOLITH_HTTP": self.http,
                    "XENOLITH_TLS": f"127.0.0.1:{free_port()}",
                    "XENOLITH_BUILD": os.environ.get("XENOLITH_BUILD", os.path.join(ROOT, "build"))}

    def run(self, verb):
        done = subprocess.run([os.path.join(ROOT, "tools", "run"), verb], env=self.env, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=600)
        return done.returncode, done.stdout + done.stderr

    def processes(self):
        """Process ids with the state directory on their command line: daemons, guests, storage daemons."""
        found = set()
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as words:
                    if os.fsencode(self.state) in words.read():
                        found.add(int(pid))
            except OSError:
                pass
        return found - {os.getpid()}


@pytest.fixture
def host(tmp_path):
    host = Host(tmp_path)
    yield host
    host.run("stop")


def change_password(host, old, new):
    server = xmlrpc.client.ServerProxy(f"http://{host.http}/")
    session = server.session.login_with_password("root", old, "1.0", "tests")["Value"]
    assert server.session.change_password(session, old, new)["Status"] == "Success"


def test_a_first_run_ends_at_the_login_and_a_second_changes_nothing(host):
    status, text = host.run("start")
    assert status == 0, text
    console, _, closing = text.partition("The host runs in the background.")
    assert re.search(r"Debian GNU/Linux 12 .*\n\n?.* login:", console), console
    assert 'Guest "debian" is running.' in closing
    assert f"http://{host.http}/" in closing
    assert "console vm=debian" in closing
    assert "make stop" in closing
    password = os.path.join(host.state, "password")
    assert stat.S_IMODE(os.stat(password).st_mode) == 0o600
    with open(password) as secret:
        first = secret.read().strip()
    assert first in closing

    before, begin = host.processes(), time.monotonic()
    status, again = host.run("start")
    assert (status, time.monotonic() - begin < 10) == (0, True), again
    assert "making the first guest" not in again
    assert host.processes() == before

    change_password(host, first, "chosen by its owner")
    status, text = host.run("status")
    assert status == 0
    assert re.search(r"guest debian +running", text)

    status, text = host.run("stop")
    assert status == 0
    assert "cutting it off" not in text  # the guest obeyed
    assert host.processes() == set()
    assert host.run("status")[0] == 3

    status, text = host.run("start")
    assert status == 0
    assert "starting debian again" in text
    assert 'Guest "debian" is running.' in text
    assert "with the password that was set" in text
