# SPDX-License-Identifier: LGPL-2.1-or-later
"""The appliance's first boot: which answers it takes, and what it makes of bad ones. The boot itself is a story of tests/xen."""

import importlib.machinery
import importlib.util
from pathlib import Path

import pytest

PROGRAM = Path(__file__).resolve().parents[2] / "packaging/appliance/xenolith-first-boot"


@pytest.fixture
def boot(monkeypatch):
    """The program as a module; what it would run is noted instead."""
    loader = importlib.machinery.SourceFileLoader("xenolith_first_boot", str(PROGRAM))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    module.ran = []

    def run(argv, **options):
        module.ran.append((argv, options.get("input")))
    monkeypatch.setattr(module.subprocess, "run", run)
    return module


def test_answers(boot, capsys):
    text = "# mine\nHOSTNAME = host7\n\nSSH_KEY=ssh-ed25519 AAAA= one\nSSH_KEY=ssh-rsa BBBB two\r\nnonsense\nSHELL=/bin/sh\n"
    assert boot.parse(text) == {"HOSTNAME": ["host7"], "SSH_KEY": ["ssh-ed25519 AAAA= one", "ssh-rsa BBBB two"]}
    said = capsys.readouterr().out
    assert "line 6: 'nonsense' is not known" in said and "line 7: 'SHELL' is not known" in said


def test_every_answer_is_explained(boot):
    assert all(f"    {name}=" in boot.__doc__ for name in boot.KNOWN)


def test_a_static_address(boot):
    boot.set_up("eth1", {"ADDRESS": ["192.0.2.7/24"], "GATEWAY": ["192.0.2.1"], "DNS": ["192.0.2.53", "192.0.2.54"]})
    words = " ".join(boot.ran[0][0])
    assert words.startswith("xenolith-setup --yes --no-start --network eth1 --address 192.0.2.7/24")
    assert "--dns 192.0.2.53 --dns 192.0.2.54 --gateway 192.0.2.1" in words


def test_no_card_no_bridge(boot):
    boot.set_up(None, {})
    assert " ".join(boot.ran[0][0]) == "xenolith-setup --yes --no-start --network none --address dhcp"


def test_a_given_password_is_set_as_it_is(boot):
    boot.set_password(["$6$salt$hash"])
    assert boot.ran == [(["chpasswd", "-e"], "root:$6$salt$hash\n")]


@pytest.mark.parametrize("hashes", [[], ["plain"], ["$6$a\nother:"], ["$6$a:b"], [""]])
def test_no_good_hash_makes_a_new_password(boot, monkeypatch, tmp_path, hashes):
    shown = tmp_path / "issue"
    real = boot.os.open
    monkeypatch.setattr(boot.os, "open", lambda path, *words: real(shown, *words))
    monkeypatch.setattr(boot.os, "makedirs", lambda *words, **options: None)
    boot.set_password(hashes)
    (argv, text), = boot.ran
    password = text.removeprefix("root:").strip()
    assert argv == ["chpasswd"] and len(password) == 19
    assert password in shown.read_text() and shown.stat().st_mode & 0o777 == 0o600


def test_cards_in_the_order_of_their_names(boot, monkeypatch):
    monkeypatch.setattr(boot.glob, "glob", lambda pattern: [f"/sys/class/net/{name}" for name in ("eth10", "lo", "eth2", "xenbr0")])
    monkeypatch.setattr(boot.os.path, "exists", lambda path: "eth" in path)
    assert boot.cards() == ["eth2", "eth10"]
