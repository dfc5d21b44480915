# SPDX-License-Identifier: LGPL-2.1-or-later
"""Repositories that are mounted: NFS, SMB, libraries on servers, file systems on disks.

hostd runs in mounts of its own. The programs that would ask a server are stand-ins of these tests, found through PATH:
what a server holds is a folder, mounted as an overlay under the server's name. Disks are real ones over loop devices,
where this machine has any for us.
"""

import contextlib
import json
import os
import signal
import subprocess
import textwrap
import time

import pytest

from conftest import PROGRAMS, Daemons, XenError, a_pair
from vms import new_vdi, remove_sr

MIB, GIB = 1 << 20, 1 << 30
PASSWORD = "open, sesame"
ROOT = os.geteuid() == 0
UNSHARE = ["unshare", "--mount", "--propagation", "private", *([] if ROOT else ["--map-root-user"])]

MOUNT = textwrap.dedent("""\
    #!/bin/sh
    here=$(dirname "$0")
    echo "$0 $*" >>"$here/log"
    while [ -e "$here/hang" ]; do sleep 0.05; done
    case "$1" in
        *filer*) ;;
        *) echo "mount.nfs: Failed to resolve server ${1%%:*}: Name or service not known" >&2; exit 32 ;;
    esac
    if [ "${0##*/}" = mount.cifs ]; then
        case "$*" in *username=*) given=$(cat <&"$PASSWD_FD") ;; esac
        [ "$given" = "open, sesame" ] || { echo "mount error(13): Permission denied" >&2; exit 32; }
    fi
    held=$here/held/$(echo "$1" | tr /: %%)
    [ -d "$held" ] || { echo "mounting $1 failed, reason given by server: No such file or directory" >&2; exit 32; }
    mkdir -p "$held.work" "$here/empty"
    case "$4" in *,ro,*) exec mount -n -t overlay "$1" "$2" -o "ro,lowerdir=$held:$here/empty" ;; esac
    exec mount -n -t overlay "$1" "$2" -o "nosuid,nodev,noexec,lowerdir=$here/empty,upperdir=$held,workdir=$held.work"
    """)
SHOWMOUNT = textwrap.dedent("""\
    #!/bin/sh
    case "$*" in *filer*) ;; *) echo "clnt_create: RPC: Unknown host" >&2; exit 1 ;; esac
    echo "/disks          *"
    echo "/other disks    10.0.0.0/8,[fd00::]/8"
    """)


class Mounting(Daemons):
    def __init__(self, state, **more):
        super().__init__(state, **more)
        self.fake = self.state.parent / (self.state.name + "-fake")
        (self.fake / "held").mkdir(parents=True)
        for name, text in (("mount.nfs", MOUNT), ("mount.cifs", MOUNT), ("showmount", SHOWMOUNT)):
            (self.fake / name).write_text(text)
            (self.fake / name).chmod(0o755)
        self.env["PATH"] = f"{self.fake}:{os.environ['PATH']}:/usr/sbin:/sbin"

    def start_hostd(self, extra=()):
        log = open(self.logs / "xenolith-hostd.log", "ab")
        self.hostd = subprocess.Popen([*UNSHARE, PROGRAMS["xenolith-hostd"], "--state", self.state, "--hv", self.hv, "--mounts", *extra],
                                      stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                                      env={**os.environ, **self.env})

    def hold(self, source):
        folder = self.fake / "held" / source.replace("/", "%").replace(":", "%")
        folder.mkdir(exist_ok=True)
        return folder

    def mounts(self):
        """Sources of what hostd has mounted for repositories."""
        lines = (x.split(" - ") for x in open(f"/proc/{self.hostd.pid}/mountinfo"))
        return [b.split()[1] for a, b in lines if f"{self.state}/mnt/" in a.split()[4]]

    def asked(self):
        """Command lines of what mounted."""
        log = self.fake / "log"
        return log.read_text() if log.exists() else ""


def can_mount():
    done = subprocess.run([*UNSHARE, "sh", "-c", "d=$(mktemp -d) && cd $d && mkdir l u w m && mount -n -t overlay x m "
                           "-o lowerdir=l,upperdir=u,workdir=w"], capture_output=True, check=False)
    return done.returncode == 0


@pytest.fixture(scope="module")
def pair():
    if not can_mount():
        pytest.skip("nobody may mount anything here")
    with a_pair(Mounting) as d:
        d.start()
        d.hold("filer:/disks")
        d.hold("filer:/iso")
        d.hold("//filer/disks")
        try:
            yield d
        finally:
            subprocess.run(["rm", "-rf", d.fake], check=False)


@pytest.fixture
def xen(pair):
    yield pair.client()
    left = [s for s in pair.mounts()]
    assert left == []
    assert PASSWORD not in pair.log("xenolith-hostd") + pair.log("xenolithd")


@pytest.fixture
def host(xen):
    return xen.host.get_all()[0]


NFS = {"server": "filer", "serverpath": "/disks", "nfsversion": "4.1"}
SMB = {"server": "\\\\filer\\disks", "username": "OFFICE\\ann", "password": PASSWORD}


def make(xen, host, kind, config, content="user", shared=True):
    return xen.SR.create(host, config, "0", f"a {kind}", "", kind, content, shared, {})


def refused(call, *args):
    with pytest.raises(XenError) as caught:
        call(*args)
    return caught.value


def test_types(xen):
    types = {r["type"]: r for r in xen.SM.get_all_records().values()}
    assert {"ext", "xfs", "nfs", "smb", "iso", "file"} <= set(types)
    assert "serverpath" in types["nfs"]["configuration"] and "VDI_CREATE" in types["nfs"]["features"]


@pytest.mark.parametrize("kind,config,source", [("nfs", NFS, "filer:/disks"), ("smb", SMB, "//filer/disks")])
def test_life(pair, xen, host, kind, config, source):
    sr = make(xen, host, kind, config)
    uuid = xen.SR.get_uuid(sr)
    record = xen.SR.get_record(sr)
    assert (record["type"], record["shared"]) == (kind, True) and int(record["physical_size"]) > 0
    assert pair.mounts() == [source]
    asked = pair.asked().splitlines()[-1]
    assert "nosuid,nodev,noexec" in asked and (kind == "smb" or ",vers=4.1" in asked and "soft" in asked)
    vdi = new_vdi(xen, "d", GIB, sr)
    assert (pair.hold(source) / uuid / "sr.json").exists()
    pbd = xen.SR.get_PBDs(sr)[0]
    xen.PBD.unplug(pbd)
    assert pair.mounts() == []
    xen.PBD.plug(pbd)
    assert xen.SR.get_VDIs(sr) == [vdi]
    remove_sr(xen, sr)
    assert not (pair.hold(source) / uuid).exists()


def test_password_is_kept_secret(pair, xen, host, fails):
    before = set(xen.secret.get_all())
    sr = make(xen, host, "smb", SMB)
    pbd = xen.SR.get_PBDs(sr)[0]
    config = xen.PBD.get_device_config(pbd)
    assert set(config) == {"server", "username", "password_secret"}
    secret = xen.secret.get_by_uuid(config["password_secret"])
    assert xen.secret.get_value(secret) == PASSWORD
    assert PASSWORD not in pair.asked()
    assert PASSWORD not in "".join(f.read_text() for f in (pair.state / "storage").iterdir())
    xen.PBD.unplug(pbd)
    xen.secret.set_value(secret, "forgotten")
    fails("SR_BACKEND_FAILURE_111", xen.PBD.plug, pbd)
    xen.secret.set_value(secret, PASSWORD)
    xen.PBD.plug(pbd)
    remove_sr(xen, sr)
    assert set(xen.secret.get_all()) == before
    # A secret the client made itself does as well.
    mine = xen.secret.create({"value": PASSWORD, "other_config": {}})
    config = {k: v for k, v in SMB.items() if k != "password"} | {"password_secret": xen.secret.get_uuid(mine)}
    remove_sr(xen, make(xen, host, "smb", config))
    gone = refused(make, xen, host, "smb", config)
    assert gone.code == "SR_BACKEND_FAILURE_20"
    assert set(xen.secret.get_all()) == before


@pytest.mark.parametrize("kind,config,code", [
    ("nfs", {}, "102"), ("nfs", {"server": "filer"}, "101"), ("nfs", NFS | {"server": "elsewhere"}, "140"),
    ("nfs", NFS | {"serverpath": "/absent"}, "73"), ("nfs", NFS | {"nfsversion": "2"}, "72"),
    ("nfs", NFS | {"options": "suid,dev"}, "115"), ("smb", {}, "102"), ("smb", SMB | {"password": "guessed"}, "111"),
    ("smb", SMB | {"username": "ann,uid=0"}, "115"), ("iso", {"location": "filer:/absent", "type": "nfs_iso"}, "222"),
    ("iso", {"type": "cifs"}, "220"), ("ext", {}, "90"), ("xfs", {"device": "/etc/passwd"}, "91"),
    ("ext", {"device": "/dev/absent"}, "91")])
def test_refusals_leave_nothing(xen, host, kind, config, code):
    def rows():
        return [set(getattr(xen, cls).get_all()) for cls in ("SR", "PBD", "secret")]

    before = rows()
    error = refused(make, xen, host, kind, config)
    assert error.code == f"SR_BACKEND_FAILURE_{code}" and len(error.params) == 3 and error.params[1]
    assert PASSWORD not in str(error)
    assert rows() == before


def test_killed_hostd_finds_its_mounts(pair, xen, host):
    sr = make(xen, host, "nfs", NFS)
    vdi = new_vdi(xen, "d", GIB, sr)
    # In the same mounts, as where no unit has some of its own: what is mounted is taken over.
    asked = pair.asked()
    enter = ["nsenter", "-t", str(keeper(pair)), "-m", *([] if ROOT else ["-U", "--preserve-credentials"])]
    restart(pair, enter)
    assert pair.mounts() == ["filer:/disks"] and pair.asked() == asked
    xen.VDI.resize(vdi, str(2 * GIB))
    # In new ones: mounted again.
    restart(pair, UNSHARE)
    assert pair.mounts() == ["filer:/disks"] and pair.asked() != asked
    xen.VDI.resize(vdi, str(3 * GIB))
    remove_sr(xen, sr)


def keeper(pair):
    """A process that keeps the mounts of hostd."""
    pair.kept = subprocess.Popen(["nsenter", "-t", str(pair.hostd.pid), "-m", *([] if ROOT else ["-U", "--preserve-credentials"]),
                                  "sleep", "300"])
    end = time.monotonic() + 10
    while os.readlink(f"/proc/{pair.kept.pid}/ns/mnt") != os.readlink(f"/proc/{pair.hostd.pid}/ns/mnt"):
        assert time.monotonic() < end
    return pair.kept.pid


def restart(pair, how):
    pair.hostd.kill()
    pair.hostd.wait()
    log = open(pair.logs / "xenolith-hostd.log", "ab")
    pair.hostd = subprocess.Popen([*how, PROGRAMS["xenolith-hostd"], "--state", pair.state, "--hv", pair.hv, "--mounts"],
                                  stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                                  env={**os.environ, **pair.env})
    end = time.monotonic() + 30
    while True:
        with contextlib.suppress(OSError, ConnectionError):
            pair.host_call("sr_roots")
            break
        assert pair.hostd.poll() is None and time.monotonic() < end, pair.log("xenolith-hostd")[-3000:]
    if how is UNSHARE:
        pair.kept.kill()
        pair.kept.wait()


def look(pair, inside):
    """(what xenolith-verify finds, how many images it saw)."""
    enter = ["nsenter", "-t", str(pair.hostd.pid), "-m", *([] if ROOT else ["-U", "--preserve-credentials"])] if inside else []
    done = subprocess.run([*enter, PROGRAMS["xenolith-verify"], "--json", "--state", pair.state], capture_output=True, text=True,
                          timeout=120, check=False)
    report = json.loads(done.stdout)
    return [(f["severity"], f["code"]) for f in report["findings"]], report["checked"]["images"]


def test_verify_looks_into_what_is_mounted(pair, xen, host):
    before = look(pair, True)
    assert before[0] == []
    sr = make(xen, host, "nfs", NFS)
    new_vdi(xen, "d", GIB, sr)
    assert look(pair, True) == ([], before[1] + 1)
    assert look(pair, False) == ([("note", "repository-not-seen")], before[1])
    image, *_ = (pair.hold("filer:/disks") / xen.SR.get_uuid(sr)).glob("*.qcow2")
    remove_sr(xen, sr)
    assert not image.exists()


@pytest.mark.waits
def test_start_beside_a_silent_server(pair, xen, host):
    """Both daemons come up and say what they could not attach."""
    sr = make(xen, host, "nfs", NFS)
    pbd = xen.SR.get_PBDs(sr)[0]
    pair.stop(("xapi",))
    (pair.fake / "hang").touch()
    try:
        pair.stop(("hostd",), signal.SIGKILL)
        began = time.monotonic()
        pair.start_hostd()
        pair.start_xapi()
        xen = pair.ready(timeout=90)
        print(f"up after {time.monotonic() - began:.1f} s")
        local, = (s for s, r in xen.SR.get_all_records().items() if r["name_label"] == "Local storage")
        assert xen.PBD.get_currently_attached(pbd) is False
        xen.VDI.destroy(new_vdi(xen, "d", GIB, local))
    finally:
        (pair.fake / "hang").unlink()
    xen.PBD.plug(pbd)
    remove_sr(xen, sr)


def test_server_that_hangs_hinders_nobody(pair, xen, host):
    (pair.fake / "hang").touch()
    try:
        before = pair.asked()
        task = xen.call("Async.SR.create", host, NFS, "0", "late", "", "nfs", "user", True, {})
        end = time.monotonic() + 10
        while pair.asked() == before:
            assert time.monotonic() < end
        began = time.monotonic()
        sr = make(xen, host, "file", {}, shared=False)
        vdi = new_vdi(xen, "d", GIB, sr)
        xen.VDI.snapshot(vdi, {})
        remove_sr(xen, sr)
        assert time.monotonic() - began < 15
        assert xen.task.get_status(task) == "pending"
    finally:
        (pair.fake / "hang").unlink()
    remove_sr(xen, xen.wait(task))


def test_probe(xen, host):
    sr = make(xen, host, "nfs", NFS)
    uuid = xen.SR.get_uuid(sr)
    error = refused(xen.SR.probe, host, {"server": "filer"}, "nfs", {})
    assert error.code == "SR_BACKEND_FAILURE_101"
    assert "<Path>/disks</Path>" in error.params[2] and "<Path>/other disks</Path>" in error.params[2]
    assert f"<UUID>{uuid}</UUID>" in xen.SR.probe(host, NFS, "nfs", {})
    found, = xen.SR.probe_ext(host, NFS, "nfs", {})
    assert found["complete"] is True and found["configuration"] == NFS
    assert found["sr"]["uuid"] == uuid and int(found["sr"]["total_space"]) > 0
    found = xen.SR.probe_ext(host, {"server": "filer"}, "nfs", {})
    assert [(f["configuration"]["serverpath"], f["complete"]) for f in found] == [("/disks", False), ("/other disks", False)]
    assert refused(xen.SR.probe, host, {"server": "elsewhere"}, "nfs", {}).code == "SR_BACKEND_FAILURE_108"
    found, = xen.SR.probe_ext(host, SMB, "smb", {})
    assert found["complete"] is True and "sr" not in found
    assert refused(xen.SR.probe, host, SMB | {"password": "x"}, "smb", {}).code == "SR_BACKEND_FAILURE_111"
    remove_sr(xen, sr)


def test_introduced_elsewhere(pair, xen, host):
    """What one host made another one attaches: by its uuid."""
    sr = make(xen, host, "nfs", NFS)
    uuid = xen.SR.get_uuid(sr)
    vdi = xen.VDI.get_uuid(new_vdi(xen, "kept", GIB, sr))
    xen.PBD.unplug(xen.SR.get_PBDs(sr)[0])
    xen.SR.forget(sr)
    sr = xen.SR.introduce(uuid, "again", "", "nfs", "user", True, {})
    pbd = xen.PBD.create({"host": host, "SR": sr, "device_config": NFS, "other_config": {}})
    xen.PBD.plug(pbd)
    assert [xen.VDI.get_uuid(v) for v in xen.SR.get_VDIs(sr)] == [vdi]
    remove_sr(xen, sr)


@pytest.mark.parametrize("config", [
    {"location": "filer:/iso"}, {"location": "filer:/iso", "type": "nfs_iso", "nfsversion": "3"},
    {"location": "//filer/disks", "type": "cifs", "username": "ann", "cifspassword": PASSWORD, "iso_path": "/media"}])
def test_library(pair, xen, host, config):
    folder = pair.hold(config["location"]) / config.get("iso_path", "").lstrip("/")
    folder.mkdir(exist_ok=True)
    (folder / "installer.iso").write_bytes(bytes(MIB))
    sr = make(xen, host, "iso", config, "iso")
    vdi, = xen.SR.get_VDIs(sr)
    assert xen.VDI.get_location(vdi) == "installer.iso" and xen.VDI.get_read_only(vdi) is True
    assert not any(PASSWORD in v for v in xen.PBD.get_device_config(xen.SR.get_PBDs(sr)[0]).values())
    xen.PBD.unplug(xen.SR.get_PBDs(sr)[0])
    xen.SR.forget(sr)
    (folder / "installer.iso").unlink()


@pytest.fixture
def disk(tmp_path):
    if not ROOT:
        pytest.skip("only root has disks")
    image = tmp_path / "disk"
    with open(image, "wb") as f:
        f.truncate(512 * MIB)
    done = subprocess.run(["losetup", "--find", "--show", image], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("no loop devices here")
    device = done.stdout.strip()
    yield device
    subprocess.run(["losetup", "--detach", device], check=True)


@pytest.mark.parametrize("kind", ["ext", "xfs"])
def test_disk(pair, xen, host, disk, kind):
    config = {"device": disk}
    error = refused(xen.SR.probe, host, {}, kind, {})
    assert error.code == "SR_BACKEND_FAILURE_90" and f"<path>{disk}</path>" in error.params[2]
    found, = xen.SR.probe_ext(host, config, kind, {})
    assert found["complete"] is True and found["extra_info"] == {"contents": "empty"}
    sr = make(xen, host, kind, config, shared=False)
    uuid = xen.SR.get_uuid(sr)
    assert pair.mounts() == [disk]
    new_vdi(xen, "d", GIB, sr)
    assert refused(make, xen, host, kind, config | {"force": "true"}).code == "SR_DEVICE_IN_USE"
    xen.PBD.unplug(xen.SR.get_PBDs(sr)[0])
    found, = xen.SR.probe_ext(host, config, kind, {})
    assert found["sr"]["uuid"] == uuid
    assert refused(make, xen, host, kind, config).code == "SR_BACKEND_FAILURE_42"
    xen.PBD.plug(xen.SR.get_PBDs(sr)[0])
    assert len(xen.SR.get_VDIs(sr)) == 1
    remove_sr(xen, sr)
    found, = xen.SR.probe_ext(host, config, kind, {})
    assert found["extra_info"] == {"contents": "empty"}


def test_without_mounts_there_are_no_such_types(fresh_daemons):
    xen = fresh_daemons.client()
    assert not {"ext", "xfs", "nfs", "smb"} & set(xen.SR.get_supported_types())
    assert refused(make, xen, xen.host.get_all()[0], "nfs", NFS).code == "SR_UNKNOWN_DRIVER"
