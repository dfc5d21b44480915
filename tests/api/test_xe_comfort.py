# SPDX-License-Identifier: LGPL-2.1-or-later
"""What xe does for people and programs beyond the reference: JSON, few round trips, odd texts, servers that break off."""

import contextlib
import fcntl
import json
import os
import re
import select
import shlex
import socket
import struct
import subprocess
import termios
import threading
import time

import pytest
from conftest import PROGRAMS, a_pair
from test_xe import WAYS, Xe

ODD = ["two words", 'say "x"', "it's", "a,b\\c", "späte Grüße ☃", "k: v; k2: v2", "$(true) `x` %n", " ", "=", "--force", "x" * 3000]


@pytest.fixture(params=WAYS)
def xe(daemons, request):
    return Xe(daemons.state, way=request.param)


@pytest.fixture
def vm(xe):
    uuid = xe.line("vm-create", "name-label=comfort")
    yield uuid
    xe.run("vm-destroy", f"uuid={uuid}")


# For programs.


def test_json_of_records(xe, vm):
    xe("vm-param-set", f"uuid={vm}", "other-config:a=1", "other-config:b,c=2 3")
    xe("vm-param-add", f"uuid={vm}", "param-name=tags", "param-key=red")
    found, = json.loads(xe("vm-list", f"uuid={vm}", "params=all", "--json"))
    assert found["uuid"] == vm and found["name-label"] == "comfort" and found["power-state"] == "halted"
    assert found["tags"] == ["red"] and found["is-a-template"] is False and found["VCPUs-max"] == 1
    assert found["other-config"].items() >= {"a": "1", "b,c": "2 3"}.items()
    assert found["suspend-VDI-uuid"] == "<not in database>"
    assert json.loads(xe("vm-list", f"uuid={vm}", "--json")) == [{"name-label": "comfort", "power-state": "halted", "uuid": vm}]
    assert json.loads(xe("vm-list", "name-label=there is none", "--json")) == []
    listed, = json.loads(xe("vm-param-list", f"uuid={vm}", "--json"))
    assert set(listed) == set(found)


def test_json_of_lines_and_of_nothing(xe, vm):
    made, = json.loads(xe("vm-create", "name-label=json", "--json"))
    assert json.loads(xe("vm-destroy", f"uuid={made}", "--json")) == []
    assert json.loads(xe("vm-param-get", f"uuid={vm}", "param-name=name-label", "--json")) == ["comfort"]
    about, = json.loads(xe("help", "vm-start", "--json"))
    assert about["command name"] == "vm-start"
    assert "vm-start" in json.loads(xe("help", "--all", "--minimal", "--json"))


def test_json_of_failures(xe, vm):
    failed = json.loads(xe.fails("vm-pause", f"uuid={vm}", "--json"))
    assert failed["code"] == "VM_BAD_POWER_STATE" and failed["params"][1:] == ["running", "halted"] and vm in failed["error"]
    assert json.loads(xe.fails("nonsense", "--json")) == {"error": "Unknown command: nonsense\nFor usage run: 'xe help'"}


# Texts of all kinds, in every place.


@pytest.mark.parametrize("text", ODD)
def test_odd_texts_come_back_as_they_went(xe, vm, text):
    xe("vm-param-set", f"uuid={vm}", f"name-label={text}", f"name-description={text}", f"other-config:{text[:20].replace('=', '-')}={text}")
    assert xe("vm-param-get", f"uuid={vm}", "param-name=name-label") == text + "\n"
    found, = json.loads(xe("vm-list", f"uuid={vm}", "params=all", "--json"))
    assert found["name-label"] == found["name-description"] == text
    assert found["other-config"][text[:20].replace("=", "-")] == text
    assert xe("vm-list", f"name-label={text}", f"uuid={vm}", "params=uuid", "--minimal") == vm + "\n"
    assert xe("vm-list", f"uuid={vm}", "params=name-label", "--minimal") == text.replace("\\", "\\\\").replace(",", "\\,") + "\n"
    assert xe("vm-param-add", f"uuid={vm}", "param-name=tags", f"param-key={text}") == ""
    assert vm in xe.line("vm-list", f"tags:contains={text}", "params=uuid", "--minimal").split(",")


@pytest.mark.parametrize("xe", ["native"], indirect=True)  # an argument of a thin client ends with its line
def test_newlines(xe, vm):
    xe("vm-param-set", f"uuid={vm}", "name-description=one\ntwo\n")
    assert xe("vm-param-get", f"uuid={vm}", "param-name=name-description") == "one\ntwo\n\n"
    assert json.loads(xe("vm-list", f"uuid={vm}", "params=name-description", "--json")) == [{"name-description": "one\ntwo\n"}]


def test_what_is_no_text(xe, vm):
    failed = xe.run("vm-param-set", f"uuid={vm}", os.fsdecode(b"name-label=\xff\xfe"))
    assert failed.code == 1 and failed.err == "Error: a parameter is not UTF-8\n"


def test_wrong_numbers_change_nothing(xe, vm):
    before = xe("vm-param-list", f"uuid={vm}")
    for word in ("memory=", "memory=1XiB", "memory=-", "memory=99999999999999999999", "memory=9999999999TiB", "memory=1.5GiB"):
        assert "expecting an integer" in xe.fails("vm-memory-set", f"uuid={vm}", word), word
    for word in ("VCPUs-max=many", "is-a-template=perhaps", "VCPUs-at-startup=1.5"):
        assert xe.fails("vm-param-set", f"uuid={vm}", word), word
    assert xe("vm-param-list", f"uuid={vm}") == before


# A server that breaks off, and how often it is asked.


class Between:
    """Stands between xe and the server: counts how often it is waited for, and may break off."""

    def __init__(self, target, folder):
        self.target, self.state = target, folder
        (folder / "run").mkdir()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(folder / "run/xapi"))
        self.listener.listen(50)
        self.trips, self.answered, self.break_at, self.cut_after = 0, True, None, None
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(str(self.target))
                threading.Thread(target=self.pump, args=(client, server, True), daemon=True).start()
                threading.Thread(target=self.pump, args=(server, client, False), daemon=True).start()

    def pump(self, one, other, counts):
        moved = 0
        with contextlib.suppress(OSError):
            while data := one.recv(1 << 16):
                moved += len(data)
                if self.cut_after is not None and moved > self.cut_after:
                    one.close()
                    other.shutdown(socket.SHUT_RDWR)
                    return
                if not counts:
                    self.answered = True
                elif self.answered:
                    self.answered = False
                    self.trips += 1
                    if self.break_at is not None and self.trips >= self.break_at:
                        one.close()
                        other.shutdown(socket.SHUT_RDWR)
                        return
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)

    def close(self):
        self.listener.close()


@pytest.fixture
def between(daemons, tmp_path):
    b = Between(daemons.socket, tmp_path)
    yield b
    b.close()


@pytest.mark.parametrize("at", [1, 2])
def test_server_that_dies_in_the_middle(between, at):
    between.break_at = at
    xe = Xe(between.state)
    assert xe.fails("vm-list", "params=all") == "Error: Lost connection to the server."
    failed = xe.run("sr-list", "--json")
    assert failed.code == 1 and failed.out == "" and "Lost connection" in json.loads(failed.err)["error"]


BULK = [("vm-list",), ("vm-list", "params=all"), ("vm-list", "power-state=halted", "--minimal"), ("vm-list", "tags:contains=x"), ("vdi-list",),
        ("vbd-list", "params=all"), ("template-list",), ("network-list", "params=all"), ("sr-list", "params=all"), ("task-list",),
        ("host-list", "params=all"), ("vm-list", "resident-on=x", "params=uuid")]


def count_trips(between, args):
    between.trips, between.answered = 0, True
    Xe(between.state)(*args)
    return between.trips


@pytest.mark.waits
def test_round_trips_do_not_grow(tmp_path):
    """The same at 10 objects as at 10,000: log in, ask, log out."""
    with a_pair() as pair:
        pair.start()
        xen, between = pair.client(), Between(pair.socket, tmp_path)
        template = xen.VM.get_record(xen.VM.get_by_name_label("Other install media")[0])
        fields = {key: value for key, value in template.items() if key not in ("uuid", "VBDs", "VIFs", "consoles")}
        few = {}
        for n, counts in ((10, few), (10000, {})):
            for _ in range(n - len(xen.VM.get_all())):
                xen.VM.create(fields | {"name_label": "one of many", "is_a_template": False, "is_default_template": False})
            for args in BULK:
                counts[args] = count_trips(between, args)
                assert counts[args] <= 4, (n, args, counts[args])
                assert counts[args] == few[args], (n, args)
        between.close()


# For people.


def at_terminal(xe, *args):
    """Standard error as somebody sees it who sits at a terminal, and the exit code."""
    ours, theirs = os.openpty()
    child = subprocess.Popen([*xe.program, *args], env=xe.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    seen = b""
    with contextlib.suppress(OSError):  # EIO is the end
        while more := os.read(ours, 4096):
            seen += more
    os.close(ours)
    return seen.decode().replace("\r\n", "\n"), child.wait(60)


def test_topics(xe):
    topics = [line.split()[0] for line in xe("help", "topics").splitlines()]
    assert {"filters", "selectors", "files", "consoles"} <= set(topics)
    for topic in topics:
        assert "xe " in xe("help", topic), topic
    assert "VNC" in xe("help", "consoles") and "xe help topics" in xe("help")
    assert json.loads(xe("help", "events", "--json"))[0].startswith("event-wait returns")


native = pytest.mark.parametrize("xe", ["native"], indirect=True)


@native
def test_what_was_meant(xe):
    usage = "For usage run: 'xe help'\n"
    assert at_terminal(xe, "vm-strat") == (f"Did you mean 'vm-start'?\nUnknown command: vm-strat\n{usage}", 1)
    assert at_terminal(xe, "vdi-lsit") == (f"Did you mean 'vdi-list'?\nUnknown command: vdi-lsit\n{usage}", 1)
    assert at_terminal(xe, "completely-else") == (f"Unknown command: completely-else\n{usage}", 1)
    assert at_terminal(xe, "network-create", "nmae-label=x") == (
        "network-create does not know the parameter 'nmae-label' and ignores it. Did you mean 'name-label'?\n"
        f"Required parameter not found: name-label\n{usage}", 1)
    assert at_terminal(xe, "network-destroy", "uuid=none", "zzz=1")[0].startswith(
        "network-destroy does not know the parameter 'zzz' and ignores it.\n")
    # Scripts get what the reference says, and nothing else.
    assert xe.fails("vm-strat") == "Unknown command: vm-strat\nFor usage run: 'xe help'"


@native
def test_completion_of_each_shell(xe, vm):
    for shell, word in (("bash", "complete -F _xe"), ("zsh", "compdef _xe xe"), ("fish", "complete -c xe")):
        assert word in xe("completion", shell)
    assert xe.fails("completion", "csh").startswith("Syntax error: xe completion bash, zsh or fish")
    assert subprocess.run(["bash", "-n"], input=xe("completion", "bash"), text=True).returncode == 0


@native
def test_candidates(xe, vm):
    def offered(*words, **how):
        return xe("completion", "candidates", *words, **how).splitlines()

    assert offered("vm-rese") == ["vm-reset-powerstate"]
    assert "help" in offered("") and "vm-start" in offered("")
    assert offered("vdi-create", "virt") == ["virtual-size="] and offered("vdi-create", "sm") == ["sm-config:"]
    assert {"uuid=", "vm=", "on="} <= set(offered("vm-start", ""))
    assert offered("vm-destroy", f"uuid={vm[:20]}") == [f"uuid={vm}"]
    assert f"vm={'comfort'}" in offered("vm-start", "vm=com")
    assert offered("vm-list", "params=uuid,power") == ["params=uuid,power-state"]
    assert offered("vm-param-get", f"uuid={vm}", "param-name=name-l") == ["param-name=name-label"]
    assert offered("help", "vm-unp") == ["vm-unpause"]
    assert offered("no-such-command", "x") == [] and offered("vm-start", "nonsense=") == []
    xe("vm-param-set", f"uuid={vm}", "name-label=two words")
    assert offered("vm-start", "vm=two") == ["vm=two words"]
    assert offered("vm-start", "vm=two", env={"XE_EXTRA_ARGS": "minimal=true"}) == ["vm=two words"]


def test_server_finds_what_is_typed(xen, vm):
    assert [r["uuid"] for r in xen.VM.get_all_records_where(f'field "uuid" begins "{vm[:9]}"').values()] == [vm]
    assert xen.VM.get_all_records_where('field "name__label" begins "comf" and field "uuid" begins "x"') == {}


@native
def test_completion_does_not_fetch_what_is_not_offered(xe, vm, between):
    """As from a server that has only what begins with what is typed."""
    seen = []
    pump = between.pump
    between.pump = lambda one, other, counts: pump(Recording(one, seen) if counts else one, other, counts)
    assert Xe(between.state)("completion", "candidates", "vm-start", f"uuid={vm[:9]}") == f"uuid={vm}\n"
    asked = b"".join(seen)
    assert f'begins \\"{vm[:9]}\\"'.encode() in asked and b"get_all_records\"" not in asked


class Recording:
    """A socket that notes what is read from it."""

    def __init__(self, sock, seen):
        self.sock, self.seen = sock, seen

    def recv(self, n):
        data = self.sock.recv(n)
        self.seen.append(data)
        return data

    def __getattr__(self, name):
        return getattr(self.sock, name)


@pytest.fixture
def vdi(xe, xen):
    sr = xen.SR.get_uuid(xen.pool.get_default_SR(xen.pool.get_all()[0]))
    uuid = xe.line("vdi-create", f"sr-uuid={sr}", "name-label=comfort", "virtual-size=16MiB")
    yield uuid
    xe.run("vdi-destroy", f"uuid={uuid}")


@native
def test_transfers_show_rate_and_time(xe, vdi, tmp_path):
    (tmp_path / "in").write_bytes(os.urandom(16 << 20))
    for command, name in (("vdi-import", "in"), ("vdi-export", "out")):
        told, code = at_terminal(xe, command, f"uuid={vdi}", f"filename={tmp_path}/{name}")
        assert code == 0 and re.search(r"\r\s*\d+% \[#* *\] [\d.]+ [KM]iB  [\d.]+ \w+/s  \d+:\d\d left", told), told
        assert re.search(r"\r16\.0 MiB in \d+:\d\d, [\d.]+ \w+/s\x1b\[K\n$", told), told
    assert (tmp_path / "in").read_bytes() == (tmp_path / "out").read_bytes()
    # None for scripts, nor for who does not want it, nor where the file itself is shown.
    assert xe.run("vdi-import", f"uuid={vdi}", f"filename={tmp_path}/in").err == ""
    assert at_terminal(xe, "vdi-import", f"uuid={vdi}", f"filename={tmp_path}/in", "progress=false") == ("", 0)
    assert at_terminal(xe, "vdi-export", f"uuid={vdi}", "filename=") == ("", 0)


def advised(told, what):
    """How much has gone over, and the command line that goes on, as a failure tells them."""
    found = re.search(rf"^The {what} broke off; the first (\d+) bytes are in (.*)\. To go on behind them:\n  (xe .*)\n.", told.err, re.M)
    assert told.code == 1 and told.out == "" and found, told.err
    return int(found[1]), found[2], found[3]


def run_line(xe, line):
    """A command line as somebody types it again."""
    env = {**xe.env, "PATH": f"{PROGRAMS['xe'].parent}:{xe.env['PATH']}"}
    done = subprocess.run(["sh", "-c", line], env=env, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), (line, done)


@native
def test_download_that_breaks_off_goes_on(xe, vdi, between, tmp_path):
    data, cut = bytearray(os.urandom(16 << 20)), Xe(between.state)
    data[1 << 20:3 << 20] = bytes(2 << 20)  # the file has a hole where it may end
    (tmp_path / "in").write_bytes(data)
    xe("vdi-import", f"uuid={vdi}", f"filename={tmp_path}/in")
    out = tmp_path / "out of order's"
    between.cut_after = 2 << 20
    kept, where, line = advised(cut.run("vdi-export", f"uuid={vdi}", f"filename={out}", "--progress"), "download")
    assert where == str(out) and 0 < kept <= 2 << 20 and out.read_bytes() == data[:kept]
    between.cut_after = 4 << 20  # it breaks off once more
    words = [word for word in shlex.split(line)[1:] if word != "--progress"]
    more, _, line = advised(cut.run(*words), "download")
    assert more > kept and out.read_bytes() == data[:more]
    run_line(xe, line)
    assert out.read_bytes() == data
    # Nothing is missing, or it is another file.
    run_line(xe, shlex.join(["xe", "vdi-export", f"uuid={vdi}", f"filename={out}", f"offset={16 << 20}"]))
    assert out.read_bytes() == data
    again = ("vdi-export", f"uuid={vdi}", f"filename={out}")
    assert xe.fails(*again, "offset=5") == f"Error: {out} has not 5 bytes"
    out.write_bytes(data[:100000] + b"x")
    assert xe.fails(*again, "offset=100001") == f"Error: what is in {out} is not the beginning of this disk"
    assert out.read_bytes() == data[:100000] + b"x"
    out.write_bytes(data[:1000])
    assert xe(*again, "offset=1000") == "" and out.read_bytes() == data


@native
def test_upload_that_breaks_off_goes_on(xe, vdi, between, tmp_path):
    data, cut = os.urandom((16 << 20) - 1000), Xe(between.state)
    (tmp_path / "in").write_bytes(data)
    between.cut_after = 6 << 20
    kept, where, line = advised(cut.run("vdi-import", f"uuid={vdi}", f"filename={tmp_path}/in"), "upload")
    assert where == "the disk" and 0 < kept <= 6 << 20
    xe("vdi-export", f"uuid={vdi}", f"filename={tmp_path}/part")
    assert (tmp_path / "part").read_bytes()[:kept] == data[:kept]
    between.cut_after = 7 << 20
    more, _, line = advised(cut.run(*shlex.split(line)[1:]), "upload")
    assert more > kept
    run_line(xe, line)
    xe("vdi-export", f"uuid={vdi}", f"filename={tmp_path}/out")
    assert (tmp_path / "out").read_bytes() == data + bytes(1000)
    again = ("vdi-import", f"uuid={vdi}", f"filename={tmp_path}/in")
    assert xe.fails(*again, f"offset={len(data) + 1}") == f"Error: {tmp_path}/in has not at least {len(data) + 1} bytes"
    assert xe.fails(*again, "offset=-1") == "Error: offset= is for raw disks and files"


@native
def test_transfer_that_cannot_go_on_is_begun_anew(xe, vdi, between, tmp_path):
    """Standard output has no middle to go on from."""
    (tmp_path / "in").write_bytes(os.urandom(16 << 20))
    xe("vdi-import", f"uuid={vdi}", f"filename={tmp_path}/in")
    between.cut_after = 4 << 20
    told = Xe(between.state, "-u", "root", "-pw", "not told").run("vdi-export", f"uuid={vdi}", "filename=", binary=True)
    assert told.code == 1 and told.err.decode().startswith(
        "The download broke off and cannot be taken up in the middle. To begin anew:\n"
        f"  xe -u root -pw PASSWORD vdi-export uuid={vdi} filename=\n")
    assert xe.fails("vdi-export", f"uuid={vdi}", "filename=", "offset=5") == "Error: offset= is for raw disks and files"
    assert xe.fails("vdi-export", f"uuid={vdi}", "filename=x", "format=vhd", "offset=5") == "Error: offset= is for raw disks and files"


@pytest.mark.parametrize("xe", ["thin"], indirect=True)
def test_thin_clients_write_whole_files(xe, vdi, tmp_path):
    assert xe.fails("vdi-export", f"uuid={vdi}", f"filename={tmp_path}/x", "offset=5") == \
        "Error: offset= needs the xe of this product: others write new files only"


@native
def test_certificates_are_remembered(xe, daemons, tmp_path):
    env = {"HOME": str(tmp_path)}
    far = ("-s", "localhost", "-p", str(daemons.tls), "-u", "root", "-pw", daemons.password)
    host = xe("host-list", "--minimal")
    assert xe(*far, "host-list", "--minimal", env=env) == host
    known = tmp_path / ".xe-certificates"
    line = known.read_text()
    assert re.fullmatch(rf"localhost:{daemons.tls} [0-9a-f]{{64}}\n", line) and known.stat().st_mode & 0o777 == 0o600
    assert xe(*far, "host-list", "--minimal", env=env) == host
    # Somebody else, or a certificate that was renewed.
    other = f"other.example:443 {'0' * 64}\n"
    known.write_text(other + re.sub(" ....", " 0000", line))
    told = xe.fails(*far, "host-list", "--minimal", env=env)
    assert re.fullmatch(r"Error: localhost shows another certificate than before \(SHA-256 [0-9a-f]{16}\.\.\., was 0000[0-9a-f]{12}\.\.\.\)\. "
                        r"If it was renewed on purpose: --new-certificate, once", told), told
    assert xe(*far, "--new-certificate", "host-list", "--minimal", env=env) == host
    assert known.read_text() == other + line
    # Nowhere to remember it is no obstacle.
    assert xe(*far, "host-list", "--minimal", env={"HOME": "/nonexistent"}) == host


@native
def test_top_as_text(xe, vm):
    xe("vm-start", f"uuid={vm}")
    lines = xe("top").splitlines()
    assert re.fullmatch(r"host \S+: [\d.]+ GiB free of [\d.]+ GiB", lines[0])
    assert re.fullmatch(r"\d+ VMs, [1-9]\d* running", lines[1])
    assert lines[3].split() == ["NAME", "STATE", "VCPUS", "CPU%", "MEMORY", "DISK/s", "NET/s"]
    row, = (line for line in lines[4:] if line.startswith("comfort "))
    assert re.fullmatch(r"comfort +running +1 +- +\d+ MiB +- +-", row), row
    xe("vm-shutdown", f"uuid={vm}", "--force")
    assert re.search(r"^comfort +halted ", xe("top"), re.M)


def read_until(fd, words, limit=30):
    seen, end = b"", time.monotonic() + limit
    while not all(word in seen for word in words):
        left = end - time.monotonic()
        assert left > 0 and select.select([fd], [], [], left)[0], seen
        seen += os.read(fd, 65536)
    return seen


@native
def test_top_on_a_screen(xe, vm):
    xe("vm-start", f"uuid={vm}")
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 120, 0, 0))
    child = subprocess.Popen([*xe.program, "top"], env={**xe.env, "TERM": "xterm"}, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    try:
        read_until(ours, [b"NAME", b"comfort", b"q quit"])
        os.write(ours, b"m")
        read_until(ours, [b"0.0"])  # a rate, at the second reading
        os.write(ours, b"q")
        read_until(ours, [b"\x1b[?1049l"])  # the screen as it was
        assert child.wait(30) == 0
    finally:
        child.kill()
        child.wait()
        os.close(ours)
    xe("vm-shutdown", f"uuid={vm}", "--force")


@native
def test_top_without_a_host(xe):
    assert "calling connect" in xe.fails("top", env={"XENOLITH_STATE": "/nonexistent"})


def output_at_terminal(xe, *args, **env):
    ours, theirs = os.openpty()
    child = subprocess.Popen([*xe.program, *args], env={**xe.env, "TERM": "xterm", **env}, stdin=subprocess.DEVNULL, stdout=theirs)
    os.close(theirs)
    seen = b""
    with contextlib.suppress(OSError):
        while more := os.read(ours, 4096):
            seen += more
    os.close(ours)
    assert child.wait(60) == 0
    return seen.decode()


@native
def test_states_have_colours_at_a_terminal(xe, vm):
    args = ("vm-list", f"uuid={vm}", "params=power-state,name-label")
    xe("vm-param-set", f"uuid={vm}", "name-label=running")
    xe("vm-start", f"uuid={vm}")
    assert "): \033[32mrunning\033[0m" in output_at_terminal(xe, *args)
    assert output_at_terminal(xe, *args).count("\033") == 2  # the name is none
    xe("vm-pause", f"uuid={vm}")
    assert "\033[33mpaused\033[0m" in output_at_terminal(xe, *args)
    assert "\033" not in output_at_terminal(xe, *args, NO_COLOR="1") + output_at_terminal(xe, *args, TERM="dumb") + xe(*args)
    assert "\033" not in output_at_terminal(xe, *args, "--minimal") + output_at_terminal(xe, *args, "--json")
    xe("vm-shutdown", f"uuid={vm}", "--force")
