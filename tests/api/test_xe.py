# SPDX-License-Identifier: LGPL-2.1-or-later
"""The program xe as scripts use it: arguments in; standard output, errors and exit code out."""

import os
import re
import subprocess
import sys
import tarfile
import threading

import pytest
from conftest import NULL, PROGRAMS, ROOT

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
MIB = 1 << 20


class Result:
    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr


# Both ways in: the client of this product, and a thin one that only does what /cli says.
WAYS = {"native": [PROGRAMS["xe"]], "thin": [sys.executable, ROOT / "tests/api/thin.py"]}


class Xe:
    """`xe("vm-list", "params=uuid")`: the output of a command that must succeed."""

    def __init__(self, state, *options, way="native"):
        home = state / "xe-home"
        home.mkdir(exist_ok=True)
        self.options, self.way, self.program = options, way, WAYS[way]
        self.env = {"PATH": os.environ["PATH"], "HOME": str(home), "XENOLITH_STATE": str(state)}

    def run(self, *args, text=None, env=None, binary=False):
        done = subprocess.run([*self.program, *self.options, *args], input=text, capture_output=True, timeout=120,
                              env={**self.env, **(env or {})}, text=not binary)
        return Result(done)

    def __call__(self, *args, **how):
        result = self.run(*args, **how)
        assert result.code == 0, (args, result.out, result.err)
        assert not result.err, (args, result.err)
        return result.out

    def line(self, *args, **how):
        out = self(*args, **how)
        assert out.endswith("\n") and out.count("\n") == 1, out
        return out[:-1]

    def fails(self, *args, code=1, **how):
        """What a command that must fail says, without the last line end."""
        result = self.run(*args, **how)
        assert result.code == code, (args, result.out, result.err)
        assert result.out == "", (args, result.out)
        assert result.err.endswith("\n")
        return result.err[:-1]


@pytest.fixture(params=WAYS)
def xe(daemons, request):
    return Xe(daemons.state, way=request.param)


@pytest.fixture
def vm(xen, xe):
    """A VM of its own for one test; what is left of it is destroyed."""
    uuid = xe.line("vm-create", "name-label=xe test")
    ref = xen.VM.get_by_uuid(uuid)
    yield uuid
    for left in [ref] if ref in xen.VM.get_all() else []:
        if xen.VM.get_power_state(left) != "Halted":
            xen.VM.hard_shutdown(left)
        xen.VM.destroy(left)


@pytest.fixture
def sr(xen):
    return xen.SR.get_uuid(xen.pool.get_default_SR(xen.pool.get_all()[0]))


@pytest.fixture
def vdi(xe, sr):
    uuid = xe.line("vdi-create", f"sr-uuid={sr}", "name-label=xe disk", "virtual-size=4MiB")
    yield uuid
    xe.run("vdi-destroy", f"uuid={uuid}")


# Layout.


def test_list_layout(xe, vm):
    assert xe("vm-list", f"uuid={vm}") == (f"uuid ( RO)           : {vm}\n"
                                           "     name-label ( RW): xe test\n"
                                           "    power-state ( RO): halted\n\n\n")


def test_list_layout_of_kinds(xe, vm):
    xe("vm-param-add", f"uuid={vm}", "param-name=tags", "param-key=red")
    xe("vm-param-add", f"uuid={vm}", "param-name=tags", "param-key=blue")
    xe("vm-param-set", f"uuid={vm}", "other-config:a=1", "other-config:b=2")
    # The order is the class's own; hidden columns and unknown names are left out, costly ones not read.
    columns = "params=tags,other-config,ha-always-run,possible-hosts,NVRAM,nonsense,bios-strings"
    found = xe("vm-list", f"uuid={vm}", columns).splitlines()
    assert found[0] == "possible-hosts ( RO)                : <expensive field>"
    assert re.fullmatch(r" {18}other-config \(MRW\): .*\ba: 1; b: 2\b.*", found[1]), found[1]
    assert found[2] == "    ha-always-run ( RW) [DEPRECATED]: false"
    assert found[3] == " " * 26 + "tags (SRW): red, blue"
    assert found[4].startswith(" " * 18 + "bios-strings (MRO): ")
    assert found[5:] == ["", ""]


def test_width_is_the_longest_key_and_four(xe, vm):
    lines = xe("vm-param-list", f"uuid={vm}").splitlines()
    assert lines[-2:] == ["", ""]
    first, rest = lines[0], lines[1:-2]
    width = first.index(":")
    keys = [line[:line.index(": ")] if ": " in line else line[:line.index(":")] for line in rest]
    assert all(len(key) == width for key in keys)
    assert width == 4 + max(len(key.strip()) for key in keys + [first[:width]])
    assert first.startswith("uuid ( RO) ")
    assert len(rest) > 95


def test_references_are_shown_as_uuids(xe, vm):
    assert xe.line("vm-param-get", f"uuid={vm}", "param-name=suspend-VDI-uuid") == "<not in database>"
    assert xe.line("vm-param-get", f"uuid={vm}", "param-name=os-version") == "<not in database>"
    assert xe.line("vm-param-get", f"uuid={vm}", "param-name=snapshot-time") == "19700101T00:00:00Z"
    assert xe.line("vm-param-get", f"uuid={vm}", "param-name=HVM-shadow-multiplier") == "1.000"
    host = xe.line("host-list", "--minimal")
    assert xe.line("pool-list", "params=master", "--minimal") == host
    assert xe.line("vm-param-get", f"uuid={vm}", "param-name=possible-hosts") == host


def test_several_classes_in_one_record(xe, vm, vdi):
    vbd = xe.line("vbd-create", f"vm-uuid={vm}", f"vdi-uuid={vdi}", "device=0")
    assert xe("vbd-list", f"uuid={vbd}") == (f"uuid ( RO)             : {vbd}\n"
                                             f"          vm-uuid ( RO): {vm}\n"
                                             "    vm-name-label ( RO): xe test\n"
                                             f"         vdi-uuid ( RO): {vdi}\n"
                                             "            empty ( RO): false\n"
                                             "           device ( RO): \n\n\n")
    cd = xe.line("vbd-create", f"vm-uuid={vm}", "device=3", "type=cd", "mode=ro")
    assert xe.line("vbd-param-get", f"uuid={cd}", "param-name=vdi-name-label") == "<EMPTY>"
    assert xe.line("vbd-list", f"vm-uuid={vm}", "type=CD", "--minimal") == cd
    assert xe("vm-disk-list", f"uuid={vm}") == ("Disk 0 VBD:\n"
                                               f"uuid ( RO)             : {vbd}\n"
                                               "    vm-name-label ( RO): xe test\n"
                                               "       userdevice ( RW): 0\n\n\n"
                                               "Disk 0 VDI:\n"
                                               f"uuid ( RO)             : {vdi}\n"
                                               "       name-label ( RW): xe disk\n"
                                               "    sr-name-label ( RO): Local storage\n"
                                               f"     virtual-size ( RO): {4 * MIB}\n\n\n")
    assert xe("vm-cd-list", f"uuid={vm}", "vbd-params=empty") == "CD 0 VBD:\nempty ( RO)    : true\n\n\n"


def test_minimal(xe, vm):
    assert xe("vm-list", "name-label=xe test", "--minimal") == vm + "\n"
    assert xe("vm-list", "name-label=there is none", "--minimal") == "\n"
    assert xe("vm-list", "name-label=there is none") == ""
    xe("vm-param-set", f"uuid={vm}", "name-label=a,b\\c")
    assert xe("vm-list", f"uuid={vm}", "params=name-label", "--minimal") == "a\\,b\\\\c\n"
    # The first column shown counts, whatever was asked first.
    assert xe("vm-list", f"uuid={vm}", "params=name-label,uuid", "minimal=true") == vm + "\n"


def test_lists_of_every_class_answer(xe):
    names = xe.line("help", "--minimal", "--all").split(",")
    lists = [name for name in names if name.endswith("-list") and not name.startswith(("vm-", "snapshot-d"))
             and not name.endswith("param-list") and "data-source" not in name and "certificate-list" not in name
             and "identifier" not in name and name not in ("pool-crl-list",)]
    assert len(lists) > 50
    for name in lists:
        result = xe.run(name, "params=all")
        assert result.code == 0, (name, result.err)


def test_templates_and_snapshots_have_lists_of_their_own(xe, vm):
    assert vm in xe.line("vm-list", "--minimal").split(",")
    snapshot = xe.line("vm-snapshot", f"uuid={vm}", "new-name-label=s")
    assert xe.line("snapshot-list", f"snapshot-of={vm}", "--minimal") == snapshot
    assert snapshot not in xe.line("vm-list", "--minimal").split(",")
    templates = xe.line("template-list", "--minimal").split(",")
    assert len(templates) > 5 and vm not in templates and snapshot not in templates
    xe("snapshot-destroy", f"uuid={snapshot}")


# Filters, fields.


def test_filters(xe, vm):
    xe("vm-param-set", f"uuid={vm}", "other-config:xe-test=yes")
    xe("vm-param-add", f"uuid={vm}", "param-name=tags", "param-key=red")
    for good in ("other-config:xe-test=yes", "other-config-xe-test=yes", "tags:contains=red", "power-state=halted"):
        assert vm in xe.line("vm-list", good, "--minimal").split(","), good
    for bad in ("other-config:xe-test=no", "tags:contains=re", "power-state=Halted", "other-config:none="):
        assert vm not in xe.line("vm-list", bad, "--minimal").split(","), bad
    assert xe.fails("vm-list", "nonsense=1") == "Error code: Missing parameter\nError parameters: nonsense"
    assert xe.fails("vm-list", "tags:has=red") == \
        "Error: Invalid syntax for set filtering (should be set-param:contains=key)"


def test_mac_filters_ignore_case(xe, vm):
    network = xe.line("network-list", "--minimal").split(",")[0]
    vif = xe.line("vif-create", f"vm-uuid={vm}", f"network-uuid={network}", "device=0", "mac=02:ab:cd:ef:00:01")
    assert xe.line("vif-list", "MAC=02:AB:CD:EF:00:01", "--minimal") == vif
    table = xe("vm-vif-list", f"uuid={vm}").splitlines()
    assert [line.split(" (")[0].strip() for line in table[:6]] == [
        "uuid", "vm-name-label", "device", "MAC", "network-uuid", "network-name-label"]


def test_param_commands(xe, vm):
    one = ("vm-param-get", f"uuid={vm}")
    xe("vm-param-set", f"uuid={vm}", "name-description=words", "VCPUs-max=2", "actions-after-crash=Core dump and restart")
    assert xe.line(*one, "param-name=name-description") == "words"
    assert xe.line(*one, "param-name=VCPUs-max") == "2"
    assert xe.line(*one, "param-name=actions-after-crash") == "Core dump and restart"
    xe("vm-param-set", f"uuid={vm}", "platform:videoram=4")
    xe("vm-param-set", f"uuid={vm}", "platform:videoram=8")
    assert xe.line(*one, "param-name=platform", "param-key=videoram") == "8"
    assert xe.fails(*one, "param-name=platform", "param-key=none") == "Error: Key none not found in map"
    assert xe.fails(*one, "param-name=none") == "Error code: Missing parameter\nError parameters: none"
    assert xe.fails("vm-param-set", f"uuid={vm}", "power-state=running") == "Error: Field 'power-state' is read-only."
    assert xe.fails("vm-param-set", f"uuid={vm}", "platform=x") == \
        "Error: Field 'platform' is a map or set. use the 'name:key=value' syntax."
    assert xe.fails("vm-param-set", f"uuid={vm}", "tags:x=y") == "Error: Cannot param-set on set fields"
    assert xe.fails("vm-param-set", f"uuid={vm}", "none=1") == "Error: Unknown field 'none'"


def test_sets_and_maps_member_by_member(xe, vm):
    change = (f"uuid={vm}", "param-name=other-config")
    xe("vm-param-add", *change, "one=1", "two=2")
    assert xe.fails("vm-param-add", *change, "one=1").splitlines()[1:3] == ["type: VM", "param_name: other_config"]
    xe("vm-param-remove", *change, "param-key=one")
    assert xe.fails("vm-param-remove", *change, "param-key=one") == "Error: Key one is not in map"
    xe("vm-param-clear", *change)
    assert xe("vm-param-get", *change) == "\n"
    tags = (f"uuid={vm}", "param-name=tags")
    assert "param-key=<key>" in xe.fails("vm-param-add", *tags)
    xe("vm-param-add", *tags, "param-key=t")
    assert xe.fails("vm-param-remove", *tags, "param-key=u") == "Error: Key u is not in the set"
    xe("vm-param-clear", *tags)
    assert xe("vm-param-get", *tags) == "\n"


# Errors and exit codes.


def test_columns_are_as_wide_as_what_is_in_them(xe):
    head, row = xe("diagnostic-license-status").splitlines()
    assert [cell.strip() for cell in head.split(" | ")] == ["Hostname", "UUID", "Edition", "Expiry"]
    assert [len(cell) for cell in row.split(" | ")] == [len(cell) for cell in head.split(" | ")]
    assert UUID.match(xe.line("host-list", "--minimal")).group().startswith(row.split(" | ")[1].strip())


def test_usage_errors(xe):
    usage = "\nFor usage run: 'xe help'"
    assert xe.fails("nonsense") == "Unknown command: nonsense" + usage
    assert xe.fails("vm-param-get", "uuid=1") == "Required parameter not found: param-name" + usage
    assert xe.fails("vm-list", "-z", "x") == "Syntax error: " + usage
    assert xe.fails("uuid=1") == "Syntax error: " + usage
    assert xe.fails("vm-list", "database:vdi-uuid=1", "database:filename=x") == \
        "Error: xapi can query a DB vdi or a DB file, but not both."
    assert xe.fails("vm-recover", "uuid=1").startswith("Error: A parameter of the form 'database:vdi-uuid=")
    assert xe.fails("vm-memory-set", "memory=big", "vm=x") == "Error: No matching VMs found"


def test_selector_errors(xe, vm):
    assert xe.fails("vm-start", "vm=there is none") == "Error: No matching VMs found"
    other = xe.line("vm-create", "name-label=xe test")
    try:
        assert xe.fails("vm-pause", "vm=xe test") == \
            "Error: Multiple matches VMs found. --multiple required to complete the operation"
        assert xe.fails("vm-copy", "vm=xe test", "new-name-label=c") == \
            "Error: Multiple matches VMs found. Operation can only be performed on one VM at a time"
        failed = xe.run("vm-pause", "vm=xe test", "--multiple")
        assert failed.code == 1 and failed.err == ""
        assert failed.out.count("operation failed on ") == 2
        assert f"operation failed on {vm}: " in failed.out
    finally:
        xe("vm-destroy", f"uuid={other}")
    template = xe.line("template-list", "--minimal").split(",")[0]
    assert xe.fails("vm-start", f"uuid={template}") == "Error: No matching VMs found"
    assert xe.fails("host-disable", "host=there is none") == "Error: No matching hosts found"


def test_api_errors_name_their_objects(xe, vm):
    lines = xe.fails("vm-pause", f"uuid={vm}").splitlines()
    assert lines[1:] == [f"vm: {vm} (xe test)", "expected: running", "actual: halted"]
    assert lines[0] and "VM_BAD" not in lines[0]
    assert xe.fails("vdi-destroy", "uuid=none").splitlines()[1:] == ["type: VDI", "uuid: none"]


def test_no_host(xe):
    env = {"XENOLITH_STATE": "/nonexistent"}
    assert re.fullmatch(r"Error: .* \(calling connect \)", xe.fails("vm-list", env=env))
    assert xe.fails("-s", "host.invalid", "-u", "root", "-pw", "x", "vm-list") == "Error: Host 'host.invalid' not found."


def test_help_texts(xe):
    assert xe.line("help", "nonsense") == "Unknown command 'nonsense'"
    lines = xe("help", "vm-shutdown").splitlines()
    assert lines[0] == "command name            : vm-shutdown"
    assert lines[1] == "        reqd params     : "
    assert lines[2] == "        optional params : force, <vm-selectors>"
    assert lines[3].startswith("        description     : ")
    assert lines[4:] == ["", ""]
    assert "vm-start" in xe("help") and "vm-param-get" not in xe("help")
    result = xe.run("--help")
    assert result.code == 0 and result.err.startswith("Usage:")


# A life.


def test_life_of_a_vm(xe, xen, sr):
    template = xe.line("template-list", "name-label=Other install media", "--minimal")
    uuid = xe.line("vm-install", f"template={template}", "new-name-label=xe life", f"sr-uuid={sr}")
    assert UUID.fullmatch(uuid)
    assert xe.line("vm-param-get", f"uuid={uuid}", "param-name=name-description") == "Installed via xe CLI"
    assert xe("vm-memory-set", "vm=xe life", "memory=512MiB") == ""
    assert xe.line("vm-param-get", f"uuid={uuid}", "param-name=memory-static-max") == str(512 * MIB)
    assert xe("vm-disk-add", "vm=xe life", "disk-size=8MiB", "device=1") == ""
    assert xe("vm-start", "vm=xe life") == ""
    assert xe.line("vm-list", "name-label=xe life", "params=power-state", "--minimal") == "running"
    assert xe("vm-pause", "vm=xe life") == ""
    assert xe("vm-unpause", f"uuid={uuid}") == ""
    assert xe("vm-suspend", f"uuid={uuid}") == ""
    assert xe.line("vm-param-get", f"uuid={uuid}", "param-name=power-state") == "suspended"
    assert xe("vm-resume", f"uuid={uuid}") == ""
    assert xe("vm-reboot", f"uuid={uuid}", "--force") == ""
    assert xe("vm-shutdown", f"uuid={uuid}", "force=true") == ""
    disk = xe.line("vbd-list", f"vm-uuid={uuid}", "type=Disk", "params=vdi-uuid", "--minimal").split(",")[0]
    asked = xe.run("vm-uninstall", f"uuid={uuid}", text="no\n")
    assert asked.code == 0
    assert asked.out == ("The following items are about to be destroyed\n"
                         f"VM : {uuid} (xe life)\n"
                         f"VDI: {disk} (Created by xe) \n"
                         "Type 'yes' to continue\n"
                         "Aborted (you typed: 'no')\n")
    assert xe("vm-uninstall", f"uuid={uuid}", text="YES \n").endswith("Type 'yes' to continue\nAll objects destroyed\n")
    assert xe("vm-list", f"uuid={uuid}") == ""
    assert xe("vdi-list", f"uuid={disk}") == ""


def test_life_of_a_snapshot(xe, vm):
    snapshot = xe.line("vm-snapshot", f"uuid={vm}", "new-name-label=before", "new-name-description=why")
    assert xe.line("snapshot-param-get", f"uuid={snapshot}", "param-name=name-description") == "why"
    xe("vm-param-set", f"uuid={vm}", "name-description=changed")
    xe("snapshot-revert", f"snapshot-uuid={snapshot}")
    assert xe.line("vm-param-get", f"uuid={vm}", "param-name=name-description") != "changed"
    made = xe.line("snapshot-clone", f"uuid={snapshot}", "new-name-label=from snapshot")
    assert made in xe.line("template-list", "--minimal").split(",")
    assert "is not a VM snapshot." in xe.fails("snapshot-revert", f"uuid={vm}")
    assert xe.fails("snapshot-revert") == "Error: Required parameter not found: snapshot-uuid or uuid."
    assert xe("template-uninstall", f"template-uuid={made}", "--force").endswith("All objects destroyed\n")
    assert xe("snapshot-uninstall", f"uuid={snapshot}", "--force").endswith("All objects destroyed\n")
    clone = xe.line("vm-clone", f"uuid={vm}", "new-name-label=clone")
    xe("vm-destroy", f"uuid={clone}")


def test_start_with_progress(xe, vm):
    result = xe.run("vm-start", f"uuid={vm}", "--progress")
    assert result.code == 0 and result.out == ""
    assert "100%" in result.err
    assert xe.fails("vm-start", f"uuid={vm}", "--progress").splitlines()[-1] == "actual: running"


# Disks in and out.


def test_disk_round_trip(xe, vdi, tmp_path):
    data = bytearray(4 * MIB)
    data[5000:9000] = os.urandom(4000)
    data[-512:] = os.urandom(512)
    (tmp_path / "in").write_bytes(data)
    assert xe("vdi-import", f"uuid={vdi}", f"filename={tmp_path}/in") == ""
    assert xe("vdi-export", f"uuid={vdi}", f"filename={tmp_path}/out") == ""
    assert (tmp_path / "out").read_bytes() == data
    assert oct((tmp_path / "out").stat().st_mode & 0o777) == "0o600"
    streamed = xe.run("vdi-export", f"uuid={vdi}", "filename=", binary=True)
    assert streamed.code == 0 and streamed.out == data
    assert "File exists" in xe.fails("vdi-export", f"uuid={vdi}", f"filename={tmp_path}/out")
    bar = xe.run("vdi-export", f"uuid={vdi}", f"filename={tmp_path}/bar", "--progress")
    assert bar.code == 0 and "100%" in bar.err and (tmp_path / "bar").read_bytes() == data


def test_metadata(xe, xen, vm, tmp_path):
    xe("vm-snapshot", f"uuid={vm}", "new-name-label=snapshot")
    file = f"filename={tmp_path}/one"
    assert xe("vm-export", f"uuid={vm}", file, "metadata=true") == "Export succeeded\n"
    assert xe("vm-import", file, "metadata=true", "dry-run=true") == "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx\n"
    copy = xe.line("vm-import", file, "metadata=true")
    assert copy != vm and xe("vm-param-get", f"uuid={copy}", "param-name=name-label") == "xe test\n"
    assert xe("snapshot-list", f"snapshot-of={copy}", "--minimal").strip()
    assert xe.line("vm-import", file, "metadata=true", "preserve=true", "force=true") == vm
    bare = f"filename={tmp_path}/bare"
    assert xe("vm-export", f"uuid={copy}", bare, "metadata=true", "include-snapshots=false") == "Export succeeded\n"
    alone = xe.line("vm-import", bare, "metadata=true")
    assert not xe("snapshot-list", f"snapshot-of={alone}", "--minimal").strip()
    (tmp_path / "bad").write_bytes(b"x" * 1000)
    assert "no tar archive" in xe.fails("vm-import", f"filename={tmp_path}/bad", "metadata=true")
    assert "only metadata" in xe.fails("vm-import", file, "dry-run=true").lower()
    for uuid in (copy, alone, vm):
        for snapshot in xe("snapshot-list", f"snapshot-of={uuid}", "--minimal").strip().split(","):
            if snapshot:
                xe("snapshot-uninstall", f"uuid={snapshot}", "--force")
        if uuid != vm:
            xe("vm-destroy", f"uuid={uuid}")


@pytest.mark.parametrize("way", WAYS)
def test_database(fresh_daemons, tmp_path, way):
    xe = Xe(fresh_daemons.state, way=way)
    uuid = xe.line("vm-create", "name-label=then")
    file = f"file-name={tmp_path}/dump"
    assert xe("pool-dump-database", file) == "dump database succeeded\n"
    xe("vm-param-set", f"uuid={uuid}", "name-label=since")
    assert "must be forced" in xe.fails("pool-restore-database", file)
    assert xe("pool-restore-database", file, "dry-run=true") == "restore database succeeded\nDry-run backup restore successful\n"
    assert xe("vm-param-get", f"uuid={uuid}", "param-name=name-label") == "since\n"
    assert xe("pool-restore-database", file, "--force") == "restore database succeeded\nThe restored database is in use.\n"
    assert xe("vm-param-get", f"uuid={uuid}", "param-name=name-label") == "then\n"
    text = (tmp_path / "dump").read_text()
    (tmp_path / "dump").write_text(text.replace('value="909"', 'value="1"', 1))
    assert "cannot be restored" in xe.fails("pool-restore-database", file, "--force").lower()


def test_files_of_a_host(xe, vm, tmp_path):
    assert xe("host-backup", f"file-name={tmp_path}/backup", "--multiple") == "host backup download succeeded\n"
    xe("vm-param-set", f"uuid={vm}", "name-label=since")
    assert xe("host-restore", f"file-name={tmp_path}/backup", "--multiple") == "host backup upload succeeded\n"
    assert xe("vm-param-get", f"uuid={vm}", "param-name=name-label") == "xe test\n"
    assert xe("host-get-system-status", f"filename={tmp_path}/report", "entries=host-info",
              "--multiple") == "system-status download succeeded\n"
    with tarfile.open(tmp_path / "report", "r:bz2") as tar:
        assert [name.split("/")[1] for name in tar.getnames()] == ["host.json"]
    assert 'key="host-info"' in xe("host-get-system-status-capabilities", "--multiple")
    assert xe("host-logs-download", f"file-name={tmp_path}/logs", "--multiple") == "host logs download succeeded\n"
    with tarfile.open(tmp_path / "logs", "r:gz") as tar:
        assert len(tar.getnames()) == 3
    told = xe("audit-log-get", f"filename={tmp_path}/audit")
    assert told == f"audit-log-get into file {tmp_path}/audit succeeded\n"
    assert "'VM.set_name_label'" in (tmp_path / "audit").read_text()
    assert xe("audit-log-get", f"filename={tmp_path}/later", "since=2999-01-01T00:00:00Z")
    assert (tmp_path / "later").read_text() == ""


def test_transfer_that_fails_leaves_nothing(xe, xen, vdi, tmp_path):
    assert xe.fails("vdi-export", f"uuid={vdi}", f"filename={tmp_path}/out", "format=nonsense")
    assert not (tmp_path / "out").exists()
    assert f"{tmp_path}/absent" in xe.fails("vdi-import", f"uuid={vdi}", f"filename={tmp_path}/absent")
    assert not [t for t in xen.task.get_all_records().values() if t["name_label"].startswith("VDI ")]


def test_disk_commands(xe, sr, vdi):
    clone = xe.line("vdi-clone", f"uuid={vdi}", "new-name-label=the clone")
    assert xe.line("vdi-param-get", f"uuid={clone}", "param-name=name-label") == "the clone"
    xe("vdi-resize", f"uuid={clone}", "disk-size=8MiB")
    assert xe.line("vdi-param-get", f"uuid={clone}", "param-name=virtual-size") == str(8 * MIB)
    copy = xe.line("vdi-copy", f"uuid={vdi}", f"sr-uuid={sr}")
    assert xe.fails("vdi-copy", f"uuid={vdi}").startswith("Error: Please specify one but not both of")
    for made in (clone, copy):
        xe("vdi-destroy", f"uuid={made}")
    assert xe("sr-scan", f"uuid={sr}") == ""


# Other classes.


def test_networks(xe):
    network = xe.line("network-create", "name-label=xe network", "name-description=of a test")
    assert xe.line("network-param-get", f"uuid={network}", "param-name=MTU") == "1500"
    xe("network-destroy", f"uuid={network}")


def test_secrets_and_messages(xe, xen, vm):
    secret = xe.line("secret-create", "value=hush")
    assert xe("secret-list", f"uuid={secret}").splitlines()[1] == "    value ( RW): hush"
    xe("secret-destroy", f"uuid={secret}")
    xe("message-create", f"vm-uuid={vm}", "name=TEST", "priority=3", "body=text")
    message = xe.line("message-list", f"obj-uuid={vm}", "name=TEST", "--minimal")
    xe("message-destroy", f"uuid={message}")
    assert xe("message-list", f"uuid={message}") == ""
    assert xe.fails("message-create", "name=TEST", "priority=3", "body=x") == \
        "Error: Need one of: vm-uuid, host-uuid, sr-uuid or pool-uuid"


def test_event_wait(xe, vm):
    assert xe.fails("event-wait", "class=nonsense") == \
        "Error: Cli listening for class 'nonsense' not currently implemented"
    assert xe("event-wait", "class=vm", f"uuid={vm}", "power-state=halted") == ""
    results = []
    waiting = threading.Thread(target=lambda: results.append(
        xe.run("event-wait", "class=vm", f"uuid={vm}", "name-label=/=xe test")))
    waiting.start()
    waiting.join(0.3)
    assert waiting.is_alive()
    xe("vm-param-set", f"uuid={vm}", "name-label=renamed")
    waiting.join(60)
    assert results and results[0].code == 0 and results[0].out == ""


# Connections.


def test_tls(daemons, xe):
    where = ("-s", "localhost", "-p", str(daemons.tls))
    usage = "\nFor usage run: 'xe help'"
    good = Xe(daemons.state, *where, "-u", "root", "-pw", daemons.password)
    assert good.line("host-list", "--minimal") == xe.line("host-list", "--minimal")
    assert xe.fails(*where, "-u", "root", "-pw", "wrong", "host-list") == "Authentication failed" + usage
    assert xe.fails(*where, "host-list") == "Username/password must be specified" + usage


def test_plain_http_and_files(daemons, xe, tmp_path):
    (tmp_path / "pw").write_text(f"root\n{daemons.password}\n")
    where = ("-s", "localhost", "-p", str(daemons.http), "--nossl")
    assert UUID.fullmatch(xe.line(*where, "-pwf", str(tmp_path / "pw"), "host-list", "--minimal"))
    extra = f"server=localhost,port={daemons.http},nossl=true,username=root,password={daemons.password},minimal=true"
    assert UUID.fullmatch(xe.line("host-list", env={"XE_EXTRA_ARGS": extra}))
    home = tmp_path / "home"
    home.mkdir()
    (home / ".xe").write_text(extra.replace(",", "\n"))
    assert UUID.fullmatch(xe.line("host-list", env={"HOME": str(home)}))
    (tmp_path / "short").write_text("root")
    assert xe.fails("-pwf", str(tmp_path / "short"), "host-list").startswith("Error: password file format")


@pytest.mark.parametrize("way", ["unix", "tls"])
def test_console(daemons, xe, vm, way):
    xe("vm-start", f"uuid={vm}")
    far = ["-s", "127.0.0.1", "-p", str(daemons.tls), "-u", "root", "-pw", daemons.password]
    console = subprocess.Popen([*xe.program, *(far if way == "tls" else []), "console", f"uuid={vm}"], env=xe.env,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert console.stdout.readline() == b"Connecting to console on VM xe test. Press Ctrl + ']' to quit.\n"
        assert vm.encode() in console.stdout.readline()
        console.stdin.write(b"\x1d")
        console.stdin.flush()
        assert console.wait(30) == 0
        assert console.stderr.read() == b""
    finally:
        console.kill()
        console.wait()
    assert xe.fails("console", "vm=there is none") == "No VM found"


def test_null_reference_is_no_object(xe, xen, vm):
    ref = xen.VM.get_by_uuid(vm)
    sr = xe.line("sr-list", "name-label=Local storage", "--minimal")
    xe("vm-param-set", f"uuid={vm}", f"suspend-SR-uuid={sr}")
    assert xe.line("vm-param-get", f"uuid={vm}", "param-name=suspend-SR-uuid") == sr
    xe("vm-param-clear", f"uuid={vm}", "param-name=suspend-SR-uuid")
    assert xen.VM.get_suspend_SR(ref) == NULL


# Completion.


def complete(xe, line):
    """What bash offers behind a line."""
    run = ('PATH=$1:$PATH; . <(xe completion bash); COMP_LINE=$2; COMP_POINT=${#COMP_LINE}; _xe; printf "%s\\n" "${COMPREPLY[@]}"')
    done = subprocess.run(["bash", "-c", run, "-", str(PROGRAMS["xe"].parent), line], env=xe.env,
                          capture_output=True, text=True, timeout=60)
    assert done.stderr == "", done.stderr
    return [word for word in done.stdout.split("\n") if word]


@pytest.mark.parametrize("xe", ["native"], indirect=True)
def test_completion(xe, vm):
    assert complete(xe, "xe vm-rese") == ["vm-reset-powerstate "]
    assert complete(xe, "xe -s far vm-unp") == ["vm-unpause "]
    assert complete(xe, "xe help vm-unp") == ["vm-unpause "]
    assert complete(xe, "xe vdi-create virt") == ["virtual-size="]
    assert complete(xe, "xe vdi-create sm") == ["sm-config:"]
    assert f"{vm} " in complete(xe, "xe vm-destroy uuid=")
    assert complete(xe, f"xe vm-destroy uuid={vm[:20]}") == [f"{vm} "]
    assert complete(xe, "xe vm-start vm=xe") == ["xe\\ test "]
    assert complete(xe, "xe vbd-create vm-uuid=" + vm[:20]) == [f"{vm} "]
    assert complete(xe, "xe vm-list params=power") == ["power-state "]
