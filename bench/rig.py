# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the rows measure on: the daemons on simulated guests, 1,000 VMs, the load programs, the peers."""

import concurrent.futures
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "api"))

from conftest import BUILD, PROGRAMS, Daemons  # noqa: E402

VMS = 1000


class Missing(Exception):
    """A peer or program is not there; the text says how to get it."""


def need(program, package):
    found = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not found:
        raise Missing(f"{program} is not installed (apt install {package})")
    return found


def load(name, *args, timeout=120):
    """Runs a load program of bench/; its one line of name=value as numbers."""
    done = subprocess.run([BUILD / "bench" / name, *map(str, args)], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=timeout)
    if done.returncode != 0:
        raise RuntimeError(f"{name}: {done.stderr.strip() or done.stdout.strip() or done.returncode}")
    return {k: float(v) for k, _, v in (pair.partition("=") for pair in done.stdout.split())}


class RawClient:
    """JSON-RPC 2.0 over the unix socket with as little Python as possible around a call."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))
        self.session = self.call("session.login_with_password", "root", "", "1.0", "bench")

    def request(self, method, *params):
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        head = f"POST /jsonrpc HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        return head.encode() + body

    def send(self, request):
        """The body of the answer to a request made before."""
        self.socket.sendall(request)
        got = b""
        while b"\r\n\r\n" not in got:
            got += self._more()
        head, _, body = got.partition(b"\r\n\r\n")
        length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n")
                      if line.startswith(b"content-length:"))
        pieces, have = [body], len(body)
        while have < length:
            pieces.append(self._more())
            have += len(pieces[-1])
        return b"".join(pieces)

    def _more(self):
        data = self.socket.recv(1 << 20)
        if not data:
            raise ConnectionError("the server has closed the connection")
        return data

    @staticmethod
    def result(body):
        answer = json.loads(body)
        if "error" in answer:
            raise RuntimeError(f"{answer['error']['message']} {answer['error']['data']}")
        return answer["result"]

    def call(self, method, *params):
        return self.result(self.send(self.request(method, *params)))

    def xen(self, method, *params):
        return self.call(method, self.session, *params)

    def timed(self, method, *params):
        """Seconds of one call, encoding and decoding left out."""
        request = self.request(method, self.session, *params)
        begin = time.perf_counter()
        body = self.send(request)
        took = time.perf_counter() - begin
        self.result(body)
        return took

    def close(self):
        self.socket.close()


def make_vms(path, n):
    """References of n halted VMs "bench 0000" and so on."""
    first = RawClient(path)
    template = first.xen("VM.get_by_name_label", "Other install media")[0]
    first.close()

    def some(names):
        client, made = RawClient(path), []
        for name in names:
            vm = client.xen("VM.clone", template, name)
            client.xen("VM.set_is_a_template", vm, False)
            made.append(vm)
        client.close()
        return made
    names = [f"bench {i:04}" for i in range(n)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        parts = pool.map(some, [names[i::8] for i in range(8)])
    return [vm for part in parts for vm in part]


def new_disk(client, sr, size):
    return client.xen("VDI.create", {
        "name_label": "bench", "name_description": "", "SR": sr, "virtual_size": str(size), "type": "user",
        "sharable": False, "read_only": False, "other_config": {}})


class Rig:
    """Everything is started when a row first asks for it, and ended with the rig."""

    def __init__(self, progress, quick=False):
        self.progress = progress
        self.quick = quick
        # Not /tmp, which may be memory: flushes must be real ones. Short, since sockets' paths must be.
        self.directory = Path(tempfile.mkdtemp(prefix="xb-", dir="/var/tmp"))
        self._daemons = self._client = self._vms = None
        self._peers = {}

    @property
    def seconds(self):
        """Length of one timed run of a load program."""
        return 0.5 if self.quick else 2.0

    @property
    def rounds(self):
        return 3 if self.quick else 7

    def scratch(self, name):
        """An empty directory on a real disk."""
        path = self.directory / name
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir()
        return path

    @property
    def daemons(self):
        if self._daemons is None:
            for program in ("xenolithd", "xenolith-hostd"):
                if not PROGRAMS[program].exists():
                    raise Missing(f"{PROGRAMS[program]} is not built (make build)")
            self.progress("starting the daemons")
            state = self.directory / "state"
            state.mkdir()
            self._daemons = Daemons(state)
            self._daemons.start()
        return self._daemons

    @property
    def client(self):
        if self._client is None:
            self._client = RawClient(self.daemons.socket)
        return self._client

    def reconnect(self):
        """After the API daemon was started again."""
        if self._client:
            self._client.close()
        self._client = None

    @property
    def vms(self):
        """References of 1,000 halted VMs."""
        if self._vms is None:
            self.progress(f"making {VMS} VMs")
            self._vms = make_vms(self.daemons.socket, VMS)
        return self._vms

    def body(self, name, method, *params):
        """A file with the body of a JSON-RPC call, for http_load -b."""
        path = self.directory / f"{name}.json"
        path.write_text(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method,
                                    "params": [self.client.session, *params]}))
        return path

    def rpc_load(self, name, method, *params, options=()):
        """Load of one call, repeated."""
        return load("http_load", *options, "-p", "/jsonrpc", "-b", self.body(name, method, *params), "-w", '"result"',
                    self.daemons.socket)

    def peer(self, kind):
        """A peer of peers.py, started once."""
        if kind not in self._peers:
            self._peers[kind] = kind(self)
        return self._peers[kind]

    def end(self):
        """Ends all that was started; what is asked for afterwards starts anew."""
        self.reconnect()
        for peer in self._peers.values():
            peer.close()
        self._peers = {}
        if self._daemons:
            self._daemons.stop()
        self._daemons = self._vms = None

    def close(self):
        self.end()
        shutil.rmtree(self.directory, ignore_errors=True)
