# SPDX-License-Identifier: LGPL-2.1-or-later
"""The appliance, booted once for all stories. XENOLITH_RIG names the folder of a rig that runs already (tools/xen-rig)."""

import os
import subprocess
import sys
import time

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("XENOLITH_BUILD", os.path.join(ROOT, "build"))
sys.path.insert(0, os.path.join(ROOT, "tools"))

import guests  # noqa: E402 (the path is set above)
from hostrun.api import ApiError  # noqa: E402,F401 (for the tests)
from xenrig.rig import Rig  # noqa: E402
from xenrig.traces import traces  # noqa: E402

BEGIN = time.monotonic()


def say(text):
    print(f"[{time.monotonic() - BEGIN:5.0f} s] {text}", file=sys.__stderr__, flush=True)


@pytest.fixture(scope="session")
def image():
    """The appliance's disk; made now if the cache has none."""
    if "XENOLITH_IMAGE" in os.environ:
        return os.environ["XENOLITH_IMAGE"]
    done = subprocess.run([os.path.join(ROOT, "tools", "make-image")], stdout=subprocess.PIPE, text=True)
    assert done.returncode == 0, "the image could not be made"
    return os.path.join(done.stdout.strip(), "disk.raw")


@pytest.fixture(scope="session")
def rig(request, tmp_path_factory):
    """A machine whose XenAPI answers."""
    given = os.environ.get("XENOLITH_RIG")
    if given:
        machine = Rig(given, say)
        assert machine.running(), f"no machine runs in {given}"
        yield machine
        return
    disk = request.getfixturevalue("image")
    machine = Rig(str(tmp_path_factory.mktemp("rig") / "machine"), say)
    machine.make(disk, uefi=os.environ.get("XENOLITH_XEN_FIRMWARE") == "uefi")
    machine.power_on()
    try:
        machine.wait_api().close()
        yield machine
    finally:
        keep = os.environ.get("XENOLITH_KEEP")
        if keep:
            os.makedirs(keep, exist_ok=True)
            with open(os.path.join(keep, "serial.log"), "wb") as out:
                out.write(machine.serial())
        machine.power_off()


@pytest.fixture(scope="session")
def tiny():
    """The folder of the tiny guest; made now if the cache has none."""
    if "XENOLITH_TINY" in os.environ:
        return os.environ["XENOLITH_TINY"]
    done = subprocess.run([os.path.join(ROOT, "tools", "guest-image"), "tiny"], stdout=subprocess.PIPE, text=True)
    assert done.returncode == 0, "the tiny guest could not be made"
    return done.stdout.strip()


@pytest.fixture
def api(rig):
    session = rig.session()
    yield session
    session.close()


@pytest.fixture(scope="module")
def session(rig):
    """For stories that wait long, and go on when xenolithd was killed."""
    session = rig.session(timeout=600.0)
    yield session
    session.close()


@pytest.fixture(scope="session")
def boot_files(rig, tiny):
    guests.put_boot_files(rig, tiny)


@pytest.fixture
def nothing_left(rig):
    """After the test all is as before it."""
    before = traces(rig)
    yield before
    guests.until_as(rig, before)
