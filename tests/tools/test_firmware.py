# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is changed in Debian's sources for the firmware of UEFI guests on Xen, and an image that has to do without."""

import os
import sys

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools"))

from appliance import firmware, image  # noqa: E402 (the path is set above)
from guestimage import debs  # noqa: E402

HANDLER = "    mov     rax, cr8\r\n    push    rax\r\n    mov     rax, cr4\r\n    pop     rax\r\n    mov     cr8, rax\r\n"


def test_a_handler_leaves_cr8_alone(tmp_path):
    handler = tmp_path / "handler.nasm"
    handler.write_bytes(HANDLER.encode())
    firmware._leave_cr8(handler)
    changed = handler.read_bytes().decode()
    assert "cr8" not in changed and changed.split() == "xor rax, rax push rax mov rax, cr4 pop rax".split()
    assert changed.count("\r\n") == 5


def test_one_that_looks_otherwise_is_not_guessed_at(tmp_path):
    handler = tmp_path / "handler.nasm"
    handler.write_text(HANDLER.replace("cr8, rax", "cr8, rbx"))
    with pytest.raises(firmware.FirmwareError, match="1 times and writes it 0"):
        firmware._leave_cr8(handler)


def test_an_image_without_it_says_so(monkeypatch, capsys):
    def out_of_reach():
        raise debs.PackageError("no mirror answers")
    monkeypatch.setattr(firmware, "obtain", out_of_reach)
    assert image.guests_firmware() is None
    assert "no mirror answers" in capsys.readouterr().err
    assert image._firmware_hooks(None) == []
