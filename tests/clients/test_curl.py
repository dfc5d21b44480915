# SPDX-License-Identifier: LGPL-2.1-or-later
"""curl on the HTTP handlers and on the RPC paths, with the options that scripts use."""

import json
import random
import re
import subprocess
from base64 import b64encode

import pytest

from conftest import XenError, a_pair
from vms import MIB, default_sr, new_vdi, new_vm, remove

SIZE = 8 * MIB


class Curl:
    """-k and -sS as scripts have them; the answer's status, headers and body."""

    def __init__(self, daemons, folder):
        self.daemons, self.folder = daemons, folder
        self.root = f"root:{daemons.password}"

    def __call__(self, *words, exits=0, base="tls"):
        base = f"https://127.0.0.1:{self.daemons.tls}" if base == "tls" else f"http://127.0.0.1:{self.daemons.http}"
        head, body = self.folder / "head", self.folder / "body"
        body.unlink(missing_ok=True)
        *options, path = words
        done = subprocess.run(["curl", "-k", "-sS", "--max-time", "60", "-D", head, "-o", body, "-w", "%{http_code}", *options, base + path],
                              input=b"", capture_output=True, timeout=90)
        assert done.returncode == exits, (done.returncode, done.stderr)
        self.said = done.stderr.decode()
        self.headers = dict(re.findall(r"^([\w-]+): (.*?)\r?$", head.read_text().lower(), re.M))
        self.task = (re.findall(r"(?i)^task-id: (\S+)", head.read_text(), re.M) or [None])[-1]
        self.body = body.read_bytes() if body.exists() else b""
        return int(done.stdout)

    def file(self, data):
        path = self.folder / "data"
        path.write_bytes(data)
        return str(path)


@pytest.fixture
def curl(daemons, tmp_path):
    return Curl(daemons, tmp_path)


@pytest.fixture
def vdi(xen):
    ref = new_vdi(xen, "curl", SIZE, default_sr(xen))
    yield ref
    xen.VDI.destroy(ref)


def noise(size=SIZE, seed=1):
    return random.Random(seed).randbytes(size)


def export(curl, vdi):
    assert curl("-u", curl.root, f"/export_raw_vdi?vdi={vdi}&format=raw") == 200
    return curl.body


# ---- disks ----

@pytest.mark.parametrize("base", ["tls", "http"])
@pytest.mark.parametrize("how", [["-T"], ["-X", "PUT", "--data-binary"], ["-H", "Expect:", "-T"], ["--http1.0", "-T"]],
                         ids=["-T", "--data-binary", "no Expect", "HTTP 1.0"])
def test_upload_and_download(curl, xen, vdi, base, how):
    data = noise()
    *options, how = how
    file = curl.file(data)
    words = [*options, how, "@" + file if how == "--data-binary" else file]
    assert curl(*words, "-u", curl.root, f"/import_raw_vdi?vdi={vdi}", base=base) == 200
    assert xen.wait(curl.task) == ""
    assert curl("-u", curl.root, f"/export_raw_vdi?vdi={vdi}", base=base) == 200
    assert curl.body == data
    assert curl.headers["content-disposition"] == f'attachment; filename="{xen.VDI.get_uuid(vdi)}.raw"'


def test_download_under_the_name_that_is_sent(curl, daemons, xen, vdi, tmp_path):
    subprocess.run(["curl", "-k", "-sS", "-OJ", "-u", curl.root, f"https://127.0.0.1:{daemons.tls}/export_raw_vdi?vdi={vdi}"],
                   cwd=tmp_path, check=True, timeout=60)
    assert (tmp_path / f"{xen.VDI.get_uuid(vdi)}.raw").stat().st_size == SIZE


def test_session_and_task_of_the_script(curl, xen, vdi):
    uuid = xen.VDI.get_uuid(vdi)
    for who in (["-b", f"session_id={xen.session}"], ["-G", "-d", f"session_id={xen.session}"]):
        task = xen.task.create("script", "")
        query = f"vdi={uuid}&task_id={task}"
        assert curl(*who, f"/export_raw_vdi/?{query}") == 200
        assert (curl.task, len(curl.body)) == (task, SIZE)
        assert xen.wait(task) == ""
    task = xen.task.create("script", "")
    file = curl.file(noise(MIB))
    assert curl("-b", f"session_id={xen.session}; task_id={task}", "-T", file, f"/import_raw_vdi/?vdi={uuid}") == 200
    assert xen.wait(task) == ""
    assert export(curl, vdi)[:MIB] == noise(MIB)


def test_sparse_upload(curl, xen, vdi):
    block = noise(MIB)
    record = (3 * MIB).to_bytes(8, "little") + MIB.to_bytes(4, "little") + block
    assert curl("-T", curl.file(record + bytes(12)), "-u", curl.root, f"/import_raw_vdi?vdi={vdi}&chunked") == 200
    xen.wait(curl.task)
    assert export(curl, vdi) == bytes(3 * MIB) + block + bytes(4 * MIB)


def test_standard_input_has_no_length(curl, vdi):
    """curl -T - sends chunks, which this handler does not take."""
    assert curl("-T", "-", "-u", curl.root, f"/import_raw_vdi?vdi={vdi}") == 404
    assert b"Chunked" in curl.body


@pytest.mark.parametrize("how", [["-T"], ["-H", "Expect:", "-T"]], ids=["Expect", "no Expect"])
@pytest.mark.parametrize("base", ["tls", "http"])
def test_refused_uploads_are_told(curl, vdi, base, how):
    """The status arrives, however much curl was about to send."""
    file = curl.file(bytes(64 * MIB))
    for path, who, status in (("vdi=OpaqueRef:none", curl.root, 400), (f"vdi={vdi}&format=bmp", curl.root, 404),
                              (f"vdi={vdi}", "root:guess", 401)):
        assert curl(*how, file, "-u", who, f"/import_raw_vdi?{path}", base=base) == status


def test_failing_scripts_stop(curl, vdi):
    """curl -f: a status of 400 or more is exit status 22."""
    assert curl("-f", "-u", curl.root, "/export_raw_vdi?vdi=none", exits=22) == 400
    assert curl("-f", f"/export_raw_vdi?vdi={vdi}", exits=22) == 401


# ---- VMs, the database, archives ----

def task_of(curl, xen):
    return xen.wait(curl.task)


@pytest.mark.parametrize("how", [["-T"], ["-X", "PUT", "--data-binary"], ["-H", "Expect: 100-continue", "-T"]])
def test_metadata(curl, xen, how):
    """As scripts do: out with -o, in again with -T or --data-binary; the task tells how it went."""
    vm = new_vm(xen, "by curl")
    assert curl("-u", curl.root, f"/export_metadata?uuid={xen.VM.get_uuid(vm)}") == 200
    assert int(curl.headers["content-length"]) == len(curl.body) and curl.body[:8] == b"ova.xml\0"
    file = curl.file(curl.body)
    assert curl(*how[:-1], how[-1], ("@" if how[0] == "-X" else "") + file, "-u", curl.root, "/import_metadata") == 200
    copy, = re.findall("OpaqueRef:[-0-9a-f]{36}", task_of(curl, xen))
    assert xen.VM.get_name_label(copy) == "by curl" and copy != vm
    for ref in (vm, copy):
        xen.VM.destroy(ref)


def test_database(curl, xen):
    vm = new_vm(xen, "then")
    assert curl("-u", curl.root, "/pool/xmldbdump") == 200
    file = curl.file(curl.body)
    xen.VM.set_name_label(vm, "since")
    assert curl("-T", file, "-u", curl.root, "/pool/xmldbdump?dry_run=true") == 200
    assert task_of(curl, xen) == "" and xen.VM.get_name_label(vm) == "since"
    assert curl("-T", file, "-u", curl.root, "/pool/xmldbdump") == 200
    assert task_of(curl, xen) == "" and xen.VM.get_name_label(vm) == "then"
    assert curl("-T", curl.file(b"<database>"), "-u", curl.root, "/pool/xmldbdump") == 200
    with pytest.raises(XenError, match="INVALID_VALUE"):
        task_of(curl, xen)
    assert curl("-T", file, "-H", "Transfer-Encoding: chunked", "-u", curl.root, "/pool/xmldbdump") == 400
    xen.VM.destroy(vm)


@pytest.mark.parametrize("path, start", [
    ("/system-status?output=tar.bz2", b"BZh"), ("/system-status?output=zip", b"PK"), ("/host_backup", b"\x1f\x8b"),
    ("/host_logs_download", b"\x1f\x8b"), ("/audit_log", b"["), ("/system-status?list=true", b"<?xml")])
def test_archives(curl, path, start):
    assert curl("-b", "session_id=OpaqueRef:none", path) == 401
    assert curl("-u", curl.root, path) == 200
    assert curl.body.startswith(start)


# ---- who asks ----

def test_basic_authentication(curl, vdi):
    path = f"/export_raw_vdi?vdi={vdi}"
    assert curl(path) == 401
    assert curl.headers["www-authenticate"] == 'basic realm="get_export_raw_vdi"'
    assert curl("-u", "root:guess", path) == 401
    assert curl("--anyauth", "-u", curl.root, path) == 200
    assert len(curl.body) == SIZE
    assert curl("-H", f"Authorization: Basic {b64encode(curl.root.encode()).decode()}", path) == 200


def test_session_that_is_over(curl, daemons, vdi):
    other = daemons.client()
    other.call("session.logout")
    assert curl("-b", f"session_id={other.session}", f"/export_raw_vdi?vdi={vdi}") == 401


def test_local_socket(daemons, xen, vdi, tmp_path):
    """Whoever owns the socket needs no password."""
    out = tmp_path / "disk"
    subprocess.run(["curl", "-sS", "-f", "--unix-socket", daemons.socket, "-o", out, f"http://localhost/export_raw_vdi?vdi={vdi}"],
                   check=True, timeout=60)
    assert out.stat().st_size == SIZE


def test_certificate(curl, daemons, tmp_path):
    """The host's own certificate is all that has to be trusted."""
    with open(tmp_path / "host.pem", "w") as out:
        out.write(daemons.client().host.get_server_certificate(daemons.client().host.get_all()[0]))
    shown = subprocess.run(["curl", "-sS", f"https://127.0.0.1:{daemons.tls}/"], capture_output=True, text=True, timeout=60)
    assert shown.returncode == 60, shown.stderr  # nobody vouches for it
    for version, works in (("1.2", True), ("1.3", True), ("1.1", False)):
        done = subprocess.run(["curl", "-k", "-sS", "--ciphers", "DEFAULT@SECLEVEL=0", f"--tlsv{'1.0' if not works else version}",
                               "--tls-max", version, "-o", tmp_path / "x", f"https://127.0.0.1:{daemons.tls}/"],
                              capture_output=True, text=True, timeout=60)
        assert (done.returncode == 0) == works, (version, done.stderr)


# ---- blobs ----

def test_blobs(curl, xen):
    ref = xen.blob.create("text/plain", False)
    assert curl("-T", curl.file(b"words"), "-u", curl.root, f"/blob?ref={ref}") == 200
    assert curl(f"/blob?ref={ref}") == 401
    assert curl("-b", f"session_id={xen.session}", f"/blob?uuid={xen.blob.get_uuid(ref)}") == 200
    assert (curl.body, curl.headers["content-type"], curl.headers["content-length"]) == (b"words", "text/plain", "5")
    xen.blob.set_public(ref, True)
    assert curl(f"/blob?ref={ref}") == 200 and curl.body == b"words"
    xen.blob.destroy(ref)
    assert curl("-u", curl.root, f"/blob?ref={ref}") == 404


# ---- calls ----

def test_json_by_hand(curl, daemons, xen):
    """-d without a content type, as in many a README."""
    def call(method, *params, more=()):
        text = json.dumps({"jsonrpc": "2.0", "method": method, "params": params, "id": 1})
        assert curl(*more, "-d", text, "/jsonrpc") == 200
        assert curl.headers["content-type"] == "application/json"
        return json.loads(curl.body)

    session = call("session.login_with_password", "root", daemons.password)["result"]
    records = call("host.get_all_records", session, more=["-H", "Content-Type: application/json", "--compressed"])["result"]
    assert list(records) == xen.host.get_all()
    assert call("VM.get_all", "OpaqueRef:none")["error"]["message"] == "SESSION_INVALID"
    assert call("session.logout", session)["result"] == ""


@pytest.mark.parametrize("path", ["/", "/RPC2", "/xmlrpc"])
def test_xml_by_hand(curl, daemons, path):
    call = "<?xml version='1.0'?><methodCall><methodName>{}</methodName><params>{}</params></methodCall>".format
    param = "<param><value><string>{}</string></value></param>".format
    login = call("session.login_with_password", param("root") + param(daemons.password))
    assert curl("-H", "Content-Type: text/xml", "--data-binary", "@" + curl.file(login.encode()), path) == 200
    assert curl.headers["content-type"] == "text/xml"
    session = re.search(rb"OpaqueRef:[-0-9a-f]{36}", curl.body)[0].decode()
    assert curl("-d", call("session.get_this_user", param(session) + param(session)), path) == 200
    assert b"Success" in curl.body
    assert curl("-d", call("session.logout", param(session)), path) == 200


def test_origins(curl):
    assert curl("-X", "OPTIONS", "-H", "Origin: https://console.example", "-H", "Access-Control-Request-Method: POST", "/jsonrpc") == 200
    assert "access-control-allow-origin" in curl.headers


# ---- consoles ----

def test_console(curl, daemons, xen):
    """As `curl -i -N -H 'Upgrade: websocket'` shows it: 101 and what the guest says, in frames."""
    vm = new_vm(xen, "talker")
    xen.VM.start(vm, False, False)
    console = next(c for c in xen.VM.get_consoles(vm) if xen.console.get_protocol(c) == "vt100")
    words = ["-N", "--http1.1", "-H", "Connection: Upgrade", "-H", "Upgrade: websocket", "-H", "Sec-WebSocket-Version: 13",
             "-H", "Sec-WebSocket-Protocol: binary", "-H", "Sec-WebSocket-Key: bm90aGluZyBzZWNyZXQuLg=="]
    path = f"/console?uuid={xen.console.get_uuid(console)}"
    assert curl(*words, path) == 401
    with subprocess.Popen(["curl", "-k", "-sS", "-i", "--max-time", "60", *words, "-u", curl.root, f"https://127.0.0.1:{daemons.tls}{path}"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as child:
        head = b"".join(iter(child.stdout.readline, b"\r\n"))
        assert head.startswith(b"HTTP/1.1 101") and re.search(rb"(?i)sec-websocket-protocol: binary\r\n", head)
        daemons.host_call("vm_control", command=json.dumps({"guest": {"uuid": xen.VM.get_uuid(vm), "say": "good morning\n"}}))
        said = b""
        while b"good morning" not in said:
            more = child.stdout.read1(4096)
            assert more, said
            said += more
        xen.VM.hard_shutdown(vm)
        child.wait(30)
    remove(xen, vm)


# ---- pages ----

@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Daemons that serve a folder."""
    web = tmp_path_factory.mktemp("web")
    (web / "index.html").write_text("<p>hello</p>")
    with a_pair() as d:
        d.start_hostd()
        d.start_xapi(["--web", str(web)])
        d.ready()
        yield d


def test_redirect_to_https(pages, tmp_path):
    curl = Curl(pages, tmp_path)
    assert curl("/", base="http") == 301
    assert curl.headers["location"] == f"https://127.0.0.1:{pages.tls}/"
    assert curl("-L", "/", base="http") == 200
    assert curl.body == b"<p>hello</p>"
    assert curl("/index.html") == 200 and curl.headers["content-length"] == "12"
    assert curl("--head", "/index.html") == 200
    assert (curl.headers["content-length"], curl.headers["content-type"][:9]) == ("12", "text/html")
    assert curl("/../../etc/passwd") == 404  # curl itself goes no further up than /
    assert curl("--path-as-is", "/../../etc/passwd") == 403
