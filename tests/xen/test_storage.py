# SPDX-License-Identifier: LGPL-2.1-or-later
"""Repositories that the hardened unit mounts: real file systems on disks of the control domain, a real NFS server in it."""

import pytest

from conftest import ApiError
from guests import remove_place

MIB, GIB = 1 << 20, 1 << 30
HOSTD = "nsenter -m -t $(cat /var/lib/xenolith-hostd/run/hostd.pid)"


def needs(rig, *programs):
    for program in programs:
        if not rig.shell(f"command -v {program} || true").strip():
            pytest.skip(f"the control domain has no {program}")


def mounted(rig):
    """{source: (kind, options)} of what hostd has mounted for repositories."""
    lines = rig.shell(f"{HOSTD} cat /proc/self/mounts").splitlines()
    words = [line.split() for line in lines if "/xenolith-hostd/mnt/" in line]
    return {w[0]: (w[2], w[3].split(",")) for w in words}


def create(api, kind, config, shared=False):
    host, = api.host.get_all()
    return api.SR.create(host, config, "0", f"a {kind}", "", kind, "user", shared, {})


def new_disk(api, sr):
    return api.VDI.create({"name_label": "d", "SR": sr, "virtual_size": str(GIB), "type": "user", "sharable": False,
                           "read_only": False, "other_config": {}})


def survives_a_restart(rig, api, sr):
    """Of hostd's unit, killed: its mounts go with it and are made again."""
    vdi = new_disk(api, sr)
    before = mounted(rig)
    rig.shell("systemctl kill --signal=KILL --kill-whom=main xenolith-hostd")
    rig.shell("for i in $(seq 300); do xe sr-scan uuid=" + api.SR.get_uuid(sr) + " && break; sleep 0.2; done")
    assert mounted(rig) == before
    assert api.SR.get_VDIs(sr) == [vdi]
    remove_place(api, sr)
    assert mounted(rig) == {}


@pytest.fixture
def disk(rig):
    rig.shell("truncate -s 600M /var/tmp/disk.img")
    device = rig.shell("losetup --find --show /var/tmp/disk.img").strip()
    yield device
    rig.shell(f"losetup --detach {device}; rm /var/tmp/disk.img")


@pytest.mark.parametrize("kind,fs", [("ext", "ext4"), ("xfs", "xfs")])
def test_file_system_on_a_disk(rig, api, disk, nothing_left, kind, fs):
    needs(rig, f"mkfs.{fs}")
    sr = create(api, kind, {"device": disk})
    kind_found, options = mounted(rig)[disk]
    assert kind_found == fs and {"nosuid", "nodev", "noexec"} <= set(options)
    survives_a_restart(rig, api, sr)


@pytest.fixture
def server(rig):
    needs(rig, "exportfs", "mount.nfs", "rpc.nfsd")
    rig.shell("mkdir -p /srv/disks && systemctl start nfs-server rpc-statd && "
              "exportfs -o rw,no_root_squash,fsid=7,insecure 127.0.0.1:/srv/disks")
    yield {"server": "127.0.0.1", "serverpath": "/srv/disks"}
    rig.shell("exportfs -u 127.0.0.1:/srv/disks; systemctl stop nfs-server; rm -r /srv/disks")


@pytest.mark.parametrize("version", ["3", "4.0", "4.1", "4.2"])
def test_nfs(rig, api, server, version):
    sr = create(api, "nfs", server | {"nfsversion": version}, shared=True)
    kind, options = mounted(rig)["127.0.0.1:/srv/disks"]
    assert kind in ("nfs", "nfs4") and {"soft", "nosuid", "nodev", "noexec", f"vers={version}"} <= set(options)
    assert api.SR.get_uuid(sr) in api.SR.probe(api.host.get_all()[0], server, "nfs", {})
    survives_a_restart(rig, api, sr)


def test_nfs_server_that_falls_silent(rig, api, server):
    """What asks it fails in about a minute; what asks others does not wait."""
    sr = create(api, "nfs", server, shared=True)
    local, = (s for s, r in api.SR.get_all_records().items() if r["name_label"] == "Local storage")
    rig.shell("iptables -I INPUT -i lo -p tcp --dport 2049 -j DROP")
    try:
        task = api.Async.SR.scan(sr)
        api.VDI.destroy(new_disk(api, local))
        assert api.task.get_status(task) == "pending"
        with pytest.raises(ApiError):
            create(api, "nfs", server, shared=True)
    finally:
        rig.shell("iptables -D INPUT -i lo -p tcp --dport 2049 -j DROP")
    remove_place(api, sr)


def test_smb(rig, api):
    needs(rig, "smbd", "mount.cifs")
    rig.shell("mkdir -p /srv/share && useradd -M ann; printf 'open, sesame\\nopen, sesame\\n' | smbpasswd -s -a ann && "
              "printf '[global]\\n[disks]\\npath=/srv/share\\nwritable=yes\\nforce user=root\\n' >/etc/samba/smb.conf && systemctl restart smbd")
    config = {"server": "//127.0.0.1/disks", "username": "ann", "password": "open, sesame"}
    with pytest.raises(ApiError):
        create(api, "smb", config | {"password": "guessed"}, shared=True)
    sr = create(api, "smb", config, shared=True)
    assert mounted(rig)["//127.0.0.1/disks"][0] == "cifs"
    survives_a_restart(rig, api, sr)
