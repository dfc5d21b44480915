# SPDX-License-Identifier: LGPL-2.1-or-later
"""Starts, finds and stops the two daemons of one state directory. They run in the background as the caller."""

import errno
import http.client
import os
import select
import signal
import socket
import subprocess
import time
import xmlrpc.client

from .api import ApiError, Session

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAMS = {"xenolith-hostd": ("hostd", "src/hostd"), "xenolithd": ("xenolithd", "src/daemon"), "xe": (None, "src/cli")}
START_LIMIT = 30.0  # seconds


class RunError(Exception):
    pass


def parse_address(text):
    host, _, port = text.rpartition(":")
    return host or "127.0.0.1", int(port)


class Settings:
    """Everything `make run` can be told through the environment, with the defaults of a newcomer."""

    def __init__(self):
        self.state = os.path.abspath(os.environ.get("XENOLITH_STATE") or os.path.join(ROOT, "var"))
        self.build = os.environ.get("XENOLITH_BUILD") or os.path.join(ROOT, "build")
        self.http = os.environ.get("XENOLITH_HTTP") or "127.0.0.1:8080"
        self.tls = os.environ.get("XENOLITH_TLS") or "127.0.0.1:8443"
        self.hv = os.environ.get("XENOLITH_HV") or "auto"
        self.run = os.path.join(self.state, "run")
        self.socket = os.path.join(self.run, "xapi")
        self.password_file = os.path.join(self.state, "password")

    def program(self, name):
        for folder in (PROGRAMS[name][1], "src", "."):
            path = os.path.join(self.build, folder, name)
            if os.access(path, os.X_OK):
                return path
        raise RunError(f"{name} is not in {self.build}: run `make build` first")


def is_ours(settings, name, pid):
    """Is that process this daemon of this state directory?"""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as text:
            words = text.read().split(b"\0")
    except OSError:
        return False
    # the second word too: the program may run under an interpreter or a debugger
    return name.encode() in [os.path.basename(word) for word in words[:2]] and os.fsencode(settings.state) in words


def running(settings, name):
    """Process id of a daemon of this state directory, None if it does not run. The pid file alone is not believed."""
    try:
        with open(os.path.join(settings.run, PROGRAMS[name][0] + ".pid")) as text:
            pid = int(text.read())
    except (OSError, ValueError):
        return None
    return pid if is_ours(settings, name, pid) else None


def lingering(settings, name):
    """Process ids of programs that have handed over and stay for a transfer."""
    serving = running(settings, name)
    return [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and int(pid) != serving and is_ours(settings, name, pid)]


def spawn(settings, name, *options):
    """Starts a daemon detached from the terminal; its messages go to <state>/log/NAME.log."""
    logs = os.path.join(settings.state, "log")
    os.makedirs(logs, exist_ok=True)
    path = os.path.join(logs, name + ".log")
    with open(path, "ab") as log:
        return subprocess.Popen([settings.program(name), "--state", settings.state, *options], stdin=subprocess.DEVNULL,
                                stdout=log, stderr=log, start_new_session=True, cwd="/"), path


def wait_for(child, log, ready, what):
    """Waits until ready() is true; raises with the end of the log if the daemon dies or takes too long."""
    end, pause = time.monotonic() + START_LIMIT, 0.01
    while not ready():
        if (child is not None and child.poll() is not None) or time.monotonic() > end:
            with open(log, errors="replace") as text:
                tail = "".join(text.readlines()[-15:])
            raise RunError(f"{what} did not come up; the end of {log}:\n{tail}")
        time.sleep(pause)  # a socket file gives no notice of itself
        pause = min(pause * 1.5, 0.2)


def can_connect(path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
            return True
        except OSError as error:
            # a packet socket answers with EPROTOTYPE: it is there
            return error.errno == errno.EPROTOTYPE


def login(settings):
    """A session, or None while the API does not answer."""
    try:
        return Session(settings.socket)
    except (OSError, ApiError, http.client.HTTPException, xmlrpc.client.Error):
        return None


def port_taken(address):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(parse_address(address))
            return False
        except OSError:
            return True


def start_hostd(settings, say):
    os.makedirs(settings.run, mode=0o700, exist_ok=True)
    if running(settings, "xenolith-hostd") is None:
        say("starting xenolith-hostd")
        child, log = spawn(settings, "xenolith-hostd", "--hv", settings.hv)
        path = os.path.join(settings.run, "hostd")
        wait_for(child, log, lambda: can_connect(path), "xenolith-hostd")


def start(settings, say):
    """Starts what does not run yet; gives back a session."""
    start_hostd(settings, say)
    found = []

    def answers():
        session = login(settings)
        if session:
            found.append(session)
        return bool(session)

    child, log = None, os.path.join(settings.state, "log", "xenolithd.log")
    if running(settings, "xenolithd") is None:
        for address in (settings.http, settings.tls):
            if address != "off" and port_taken(address):
                raise RunError(f"{address} is taken by another program; set XENOLITH_HTTP and XENOLITH_TLS to free addresses")
        say("starting xenolithd")
        child, log = spawn(settings, "xenolithd", "--http", settings.http, "--tls", settings.tls)
    wait_for(child, log, answers, "xenolithd")
    return found[0]


def hand_over(settings, say):
    """Lets the xenolithd that lies in the build now take over from the one that runs; clients notice a pause at most."""
    pid = running(settings, "xenolithd")
    log = os.path.join(settings.state, "log", "xenolithd.log")
    size = os.path.getsize(log) if os.path.exists(log) else 0
    say("xenolithd hands over")
    os.kill(pid, signal.SIGHUP)

    def answered():
        with open(log, "rb") as text:
            text.seek(size)
            if b"cannot hand over" in text.read():
                raise RunError(f"the new xenolithd did not start, the old one goes on; see {log}")
        return running(settings, "xenolithd") not in (pid, None)

    wait_for(None, log, answered, "the new xenolithd")


def stop(settings, name, limit=30):
    """Ends a daemon and waits until it is gone; True if one ran."""
    found = False
    for _ in range(2):  # one that ends while it hands over leaves another
        pids = [*lingering(settings, name), running(settings, name)]
        for pid in filter(None, pids):
            found = end(pid, name, limit)
    return found


def end(pid, name, limit):
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        signal.pidfd_send_signal(handle, signal.SIGTERM)
        if not select.select([handle], [], [], limit)[0]:
            raise RunError(f"{name} (process {pid}) does not end")
    except ProcessLookupError:
        pass
    finally:
        os.close(handle)
    return True
