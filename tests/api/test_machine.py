# SPDX-License-Identifier: LGPL-2.1-or-later
"""What clients may change on the machine itself. The tools of its service manager are stand-ins here."""

import os
import time
import xmlrpc.client

import pytest

from conftest import Adopted

TOOL = """#!/bin/sh
echo "$(basename "$0") $*" >> "ETC/done"
[ ! -e "ETC/fail" ] || exit 1
case "$(basename "$0")-$1" in
journalctl-*) echo "a line of the journal" ;;
timedatectl-show-timesync) echo "time.example" ;;
systemd-run-*) shift 4; export "${1#--setenv=}"; shift; exec "$@" ;;
esac
"""


class Machine:
    """A pair of daemons that may change a machine made of stand-ins."""

    def __init__(self, daemons, etc):
        self.daemons, self.etc = daemons, etc
        tools = etc / "tools"
        tools.mkdir(parents=True)
        for name in ("hostnamectl", "timedatectl", "systemctl", "systemd-run", "journalctl", "dmesg"):
            (tools / name).write_text(TOOL.replace("ETC", str(etc)))
            (tools / name).chmod(0o755)
        daemons.env = {"PATH": f"{tools}:{os.environ['PATH']}", "XENOLITH_ETC": str(etc)}
        daemons.stop(("hostd",))
        daemons.start_hostd(["--manage-machine"])
        self.xen = daemons.client()
        self.host, self.pool = self.xen.host.get_all()[0], self.xen.pool.get_all()[0]

    def done(self):
        """What the tools were called for since the last question."""
        path = self.etc / "done"
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return lines

    def file(self, name):
        path = self.etc / name
        return path.read_text() if path.exists() else None

    def fail(self, on):
        (self.etc / "fail").touch() if on else (self.etc / "fail").unlink()


@pytest.fixture
def machine(fresh_daemons, tmp_path):
    return Machine(fresh_daemons, tmp_path / "etc")


@pytest.fixture
def host(xen):
    return xen.host.get_all()[0]


def test_not_without_leave(xen, host, fails):
    """A daemon that was not told to manage the machine changes nothing of it."""
    for call, *args in ((xen.host.set_hostname_live, "name"), (xen.host.dmesg_clear,), (xen.host.syslog_reconfigure,),
                        (xen.host.set_timezone, "Europe/Berlin"), (xen.host.set_ntp_mode, "DHCP")):
        fails("PERMISSION_DENIED", call, host, *args)
    xen.host.disable(host)
    fails("PERMISSION_DENIED", xen.host.shutdown, host)
    fails("PERMISSION_DENIED", xen.host.reboot, host)
    xen.host.enable(host)
    fails("ENABLE_SSH_FAILED", xen.host.enable_ssh, host)


def test_hostname(machine, fails):
    xen, host = machine.xen, machine.host
    xen.host.set_hostname_live(host, "node-7.example")
    assert xen.host.get_hostname(host) == "node-7.example"
    assert machine.done() == ["hostnamectl set-hostname node-7.example"]
    for bad in ("", "-a", "a b", "a_b", "x" * 65, "a;b"):
        fails("HOST_NAME_INVALID", xen.host.set_hostname_live, host, bad)
    assert machine.done() == []


def test_power(machine, fails):
    xen, host = machine.xen, machine.host
    fails("HOST_NOT_DISABLED", xen.host.shutdown, host)
    fails("HOST_NOT_DISABLED", xen.host.reboot, host)
    assert machine.done() == []
    xen.host.disable(host)
    xen.host.shutdown(host)
    xen.host.reboot(host)
    assert machine.done() == ["systemctl --no-block poweroff", "systemctl --no-block reboot"]


def test_restart_agent(fresh_daemons):
    xen, before, old = fresh_daemons.client(), fresh_daemons.pid(), fresh_daemons.xapi
    xen.host.restart_agent(xen.host.get_all()[0])
    end = time.monotonic() + 60
    while fresh_daemons.pid() == before:
        assert old.poll() is None and time.monotonic() < end
        time.sleep(0.01)
    fresh_daemons.xapi = Adopted(fresh_daemons.pid())
    assert xen.host.get_all()  # the same session
    old.wait(60)


def test_shutdown_agent(fresh_daemons):
    xen = fresh_daemons.client()
    xen.call("host.shutdown_agent")
    assert fresh_daemons.xapi.wait(60) == 0
    fresh_daemons.start_xapi()
    fresh_daemons.ready()


def test_logs(machine):
    assert "a line of the journal" in machine.xen.host.get_log(machine.host)
    machine.done()
    assert isinstance(machine.xen.host.dmesg_clear(machine.host), str)
    assert machine.done() == ["dmesg --clear"]


def test_syslog(machine, fails):
    xen, host = machine.xen, machine.host
    xen.host.add_to_logging(host, "syslog_destination", "log.example")
    xen.host.syslog_reconfigure(host)
    assert "*.* @log.example\n" in machine.file("rsyslog.d/xenolith.conf")
    assert machine.done() == ["systemctl try-restart rsyslog.service"]
    xen.host.remove_from_logging(host, "syslog_destination")
    xen.host.syslog_reconfigure(host)
    assert machine.file("rsyslog.d/xenolith.conf") is None
    xen.host.add_to_logging(host, "syslog_destination", "a\n*.* /etc/passwd")
    fails("INVALID_VALUE", xen.host.syslog_reconfigure, host)
    assert machine.file("rsyslog.d/xenolith.conf") is None


def test_timezone(machine, fails):
    xen, host = machine.xen, machine.host
    zones = xen.host.list_timezones(host)
    assert zones and zones == sorted(zones) and xen.host.get_timezone(host)
    xen.host.set_timezone(host, "Europe/Berlin")
    assert xen.host.get_timezone(host) == "Europe/Berlin"
    assert machine.done() == ["timedatectl set-timezone Europe/Berlin"]
    fails("INVALID_VALUE", xen.host.set_timezone, host, "Mars/North")
    fails("HANDLE_INVALID", xen.host.list_timezones, "OpaqueRef:none")


def test_clock(machine, fails):
    xen, host = machine.xen, machine.host
    when = xmlrpc.client.DateTime("20300102T03:04:05Z")
    fails("NOT_ALLOWED_WHEN_NTP_IS_ENABLED", xen.host.set_servertime, host, when)
    xen.host.set_ntp_mode(host, "Disabled")
    machine.done()
    xen.host.set_servertime(host, when)
    assert machine.done() == ["timedatectl set-time 2030-01-02 03:04:05 UTC"]


def test_ntp(machine, fails):
    xen, host = machine.xen, machine.host
    fails("INVALID_NTP_CONFIG", xen.host.set_ntp_mode, host, "Custom")
    xen.host.set_ntp_custom_servers(host, ["a.example", "192.0.2.1"])
    assert machine.done() == []
    xen.host.set_ntp_mode(host, "Custom")
    assert xen.host.get_ntp_mode(host) == "Custom"
    assert "NTP=a.example 192.0.2.1\n" in machine.file("systemd/timesyncd.conf.d/xenolith.conf")
    assert machine.done() == ["timedatectl set-ntp true", "systemctl try-restart systemd-timesyncd.service"]
    xen.host.set_ntp_custom_servers(host, ["b.example"])
    assert "NTP=b.example\n" in machine.file("systemd/timesyncd.conf.d/xenolith.conf")
    assert xen.host.get_ntp_custom_servers(host) == ["b.example"]
    for bad in ("", "a b", "a\nRootDistanceMaxSec=1", "$(x)"):
        fails("INVALID_NTP_CONFIG", xen.host.set_ntp_custom_servers, host, [bad])
    machine.done()
    xen.host.set_ntp_mode(host, "Disabled")
    assert machine.done() == ["timedatectl set-ntp false"]
    assert machine.file("systemd/timesyncd.conf.d/xenolith.conf") is None


def test_ntp_status(machine, fails):
    right = machine.xen.host.get_ntp_synchronized(machine.host)
    assert right is os.path.exists("/run/systemd/timesync/synchronized")
    status = machine.xen.host.get_ntp_servers_status(machine.host)
    assert status == {"time.example": "Normal" if right else "Unreachable"}
    fails("HANDLE_INVALID", machine.xen.host.get_ntp_synchronized, "OpaqueRef:none")


def test_ssh(machine, fails):
    xen, host, pool = machine.xen, machine.host, machine.pool
    for calls, ref, word in ((xen.host, host, "FAILED"), (xen.pool, pool, "PARTIALLY_FAILED")):
        calls.disable_ssh(ref)
        assert xen.host.get_ssh_enabled(host) is False
        calls.enable_ssh(ref)
        assert xen.host.get_ssh_enabled(host) is True
        assert machine.done() == ["systemctl disable --now ssh.service", "systemctl enable --now ssh.service"]
        machine.fail(True)
        assert fails(f"DISABLE_SSH_{word}", calls.disable_ssh, ref) == [host]
        assert fails(f"ENABLE_SSH_{word}", calls.enable_ssh, ref) == [host]
        machine.fail(False)
        assert xen.host.get_ssh_enabled(host) is True
        machine.done()


def test_ssh_for_a_while(machine, fails):
    xen, host, pool = machine.xen, machine.host, machine.pool
    for calls, ref in ((xen.host, host), (xen.pool, pool)):
        fails("INVALID_VALUE", calls.set_ssh_enabled_timeout, ref, "-1")
        fails("INVALID_VALUE", calls.set_ssh_enabled_timeout, ref, "172801")
        calls.set_ssh_enabled_timeout(ref, "600")
        assert xen.host.get_ssh_enabled_timeout(host) == "600"
        assert str(xen.host.get_ssh_expiry(host)) > "2020"
        calls.set_ssh_enabled_timeout(ref, "0")
        assert str(xen.host.get_ssh_expiry(host)).startswith("1970")
    xen.host.set_ssh_enabled_timeout(host, "1")
    token, end = "", time.monotonic() + 60
    while xen.host.get_ssh_enabled(host):
        assert time.monotonic() < end
        token = xen.call("event.from", ["host"], token, 5.0)["token"]
    assert machine.done() == ["systemctl disable --now ssh.service"]


def test_console_timeout(xen, host, fails):
    pool = xen.pool.get_all()[0]
    for calls, ref, value in ((xen.host, host, "300"), (xen.pool, pool, "0")):
        calls.set_console_idle_timeout(ref, value)
        assert xen.host.get_console_idle_timeout(host) == value
        fails("INVALID_VALUE", calls.set_console_idle_timeout, ref, "-1")


def test_ssh_auto_mode(xen, host, fails):
    pool = xen.pool.get_all()[0]
    for calls, ref in ((xen.host, host), (xen.pool, pool)):
        calls.set_ssh_auto_mode(ref, False)
        fails("VALUE_NOT_SUPPORTED", calls.set_ssh_auto_mode, ref, True)


def test_plugins_run_beside_the_daemon(machine):
    path = machine.daemons.state / "plugins" / "p"
    path.parent.mkdir()
    path.write_text("#!/usr/bin/python3\nimport os, xmlrpc.client as x\nprint(x.dumps((os.environ['XENOLITH_MANAGE_MACHINE'],), methodresponse=True))\n")
    path.chmod(0o755)
    assert machine.xen.host.call_plugin(machine.host, "p", "main", {}) == "1"
    assert machine.done()[0].startswith(f"systemd-run --pipe --wait --collect --quiet --setenv=XENOLITH_MANAGE_MACHINE=1 {path} <?xml")
