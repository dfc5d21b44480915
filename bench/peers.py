# SPDX-License-Identifier: LGPL-2.1-or-later
"""Programs that do comparable work, started privately for one run: no root, no files outside the rig's directory."""

import os
import pwd
import shutil
import signal
import subprocess
import time

from rig import BUILD, VMS, Missing, load, need

NGINX_CONF = """
daemon off; worker_processes auto; error_log {dir}/error.log; pid {dir}/pid;
events {{ worker_connections 512; }}
http {{
    access_log off; keepalive_requests 100000000; sendfile on; root {dir};
    client_body_temp_path {dir}/a; proxy_temp_path {dir}/b; fastcgi_temp_path {dir}/c; uwsgi_temp_path {dir}/d;
    scgi_temp_path {dir}/e;
    server {{ listen unix:{dir}/socket; }}
}}
"""


def wait_for(path, process, what, limit=30):
    end = time.monotonic() + limit
    while not path.exists():
        if process.poll() is not None or time.monotonic() > end:
            raise Missing(f"{what} does not start")
        time.sleep(0.01)


def stop(process):
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Nginx:
    """nginx with one static file of 1 KiB behind a unix socket."""

    def __init__(self, rig):
        program = need("nginx", "nginx-light")
        where = rig.scratch("nginx")
        (where / "small").write_bytes(b"x" * 1024)
        conf = where / "conf"
        conf.write_text(NGINX_CONF.format(dir=where))
        rig.progress("starting nginx")
        os.chmod(where, 0o755)
        os.chmod(rig.directory, 0o755)  # its workers are another user if the run is root's
        self.where, self.socket = where, where / "socket"
        self.process = subprocess.Popen([program, "-c", conf, "-e", where / "error.log"], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(self.socket, self.process, "nginx")

    def load(self, *options):
        return load("http_load", *options, "-p", "/small", self.socket)

    def serve(self, name, data):
        """One more file."""
        (self.where / name).write_bytes(data)

    def close(self):
        stop(self.process)


class Libvirt:
    """libvirtd of an ordinary user, with 1,000 defined domains."""

    def __init__(self, rig):
        program = need("libvirtd", "libvirt-daemon libvirt-daemon-driver-qemu")
        if not (BUILD / "bench" / "libvirt_load").exists():
            raise Missing("libvirt's headers were not there at build time (apt install libvirt-dev, then"
                          f" meson setup --reconfigure {BUILD} && ninja -C {BUILD} bench-programs)")
        self.where = where = rig.scratch("lv")
        os.chmod(rig.directory, 0o755)
        self.env = {**os.environ, "HOME": str(where), "XDG_CONFIG_HOME": f"{where}/c",
                    "XDG_RUNTIME_DIR": f"{where}/run", "XDG_CACHE_HOME": f"{where}/cache",
                    "LIBVIRT_DEFAULT_URI": "qemu:///session"}
        self.user = {}
        if os.geteuid() == 0:  # root's libvirtd would be the machine's own
            nobody = pwd.getpwnam("nobody")
            self.user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            os.chown(where, nobody.pw_uid, nobody.pw_gid)
        rig.progress(f"starting libvirtd, defining {VMS} domains")
        os.umask(0o022)
        for name in ("c", "run", "cache"):
            (where / name).mkdir(mode=0o700)
            os.chown(where / name, self.user.get("user", -1), self.user.get("group", -1))
        conf = where / "conf"
        conf.write_text("max_clients = 200\nmax_client_requests = 50\n")
        self.command, self.socket = [program, "--config", conf, "--timeout", "0"], where / "run/libvirt/libvirt-sock"
        self.start()
        self.load("define-full", "-n", VMS, "-c", 8)

    def start(self):
        self.socket.unlink(missing_ok=True)
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, env=self.env, cwd="/", **self.user)
        wait_for(self.socket, self.process, "libvirtd")

    def run(self, *command):
        done = subprocess.run([str(c) for c in command], env=self.env, cwd="/", stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=120, **self.user)
        if done.returncode != 0:
            raise RuntimeError(f"{command[0]}: {done.stderr.strip()}")
        return done.stdout

    def load(self, mode, *options):
        out = self.run(BUILD / "bench" / "libvirt_load", *options, mode, "qemu:///session")
        return {k: float(v) for k, _, v in (pair.partition("=") for pair in out.split())}

    def power(self, machines, workers):
        """Seconds in which machines start (paused) and are destroyed; its memory in between."""
        self.env["LIBVIRT_PID"] = str(self.process.pid)
        return self.load("power", "-n", machines, "-c", workers)

    def answer_time(self):
        """Seconds from its start to its first answer about its domains."""
        stop(self.process)
        begin = time.perf_counter()
        self.start()
        self.load("state", "-n", 1)
        return time.perf_counter() - begin

    def virsh(self):
        return need("virsh", "libvirt-clients")

    def close(self):
        stop(self.process)
        for pid in filter(str.isdigit, os.listdir("/proc")):  # domains outlive it
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as words:
                    if os.fsencode(f"{self.where}/") in words.read():
                        os.kill(int(pid), signal.SIGKILL)
            except OSError:
                continue
        shutil.rmtree(self.where, ignore_errors=True)
