# SPDX-License-Identifier: LGPL-2.1-or-later
"""Certificates: of the host, and those that the pool trusts."""

import hashlib
import ssl
import subprocess
import time

import pytest

NONE = "OpaqueRef:none"


def openssl(*words, text=""):
    return subprocess.run(["openssl", *words], input=text, capture_output=True, text=True, check=True, timeout=60).stdout


class Maker:
    """Certificates for one test, made by openssl in a directory."""

    def __init__(self, path):
        self.path, self.n = path, 0

    def make(self, kind="ec:prime256v1", digest="sha256", days=90):
        self.n += 1
        key, cert = self.path / f"{self.n}.key", self.path / f"{self.n}.pem"
        how, _, what = kind.partition(":")
        new = ["-newkey", "ec", "-pkeyopt", f"ec_paramgen_curve:{what}"] if how == "ec" else ["-newkey", kind]
        openssl("req", "-x509", "-nodes", *new, f"-{digest}", "-days", str(days), "-subj", f"/CN=test{self.n}",
                "-keyout", str(key), "-out", str(cert))
        return cert.read_text(), key.read_text()

    def crl(self):
        cert, key = self.make()
        (self.path / "index").write_text("")
        (self.path / "ca.cnf").write_text(f"[ca]\ndefault_ca=d\n[d]\ndatabase={self.path}/index\ndefault_md=sha256\n"
                                          "default_crl_days=30\n")
        return openssl("ca", "-config", str(self.path / "ca.cnf"), "-gencrl", "-cert", str(self.path / f"{self.n}.pem"),
                       "-keyfile", str(self.path / f"{self.n}.key"))


@pytest.fixture
def maker(tmp_path):
    return Maker(tmp_path)


@pytest.fixture
def host(xen):
    return xen.host.get_all()[0]


@pytest.fixture
def pool(xen):
    return xen.pool.get_all()[0]


def sha256(pem):
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest().upper()
    return ":".join(digest[i:i + 2] for i in range(0, 64, 2))


def of(xen, kind):
    return {ref: r for ref, r in xen.Certificate.get_all_records().items() if r["type"] == kind}


def test_of_the_host(daemons, xen, host):
    (ref, record), = of(xen, "host").items()
    shown = ssl.get_server_certificate(("127.0.0.1", daemons.tls))
    assert record["fingerprint"] == record["fingerprint_sha256"] == sha256(shown)
    assert len(record["fingerprint_sha1"]) == 59 and record["host"] == host
    assert str(record["not_before"]) < str(record["not_after"])
    assert xen.host.get_certificates(host) == [ref]


def play_authorities(xen, fails, maker, install, uninstall, listed):
    pem, _ = maker.make()
    install("office", pem)
    (ref, record), = of(xen, "ca").items()
    assert (record["name"], record["fingerprint"]) == ("office", sha256(pem))
    assert listed() == ["office"]
    assert fails("CERTIFICATE_ALREADY_EXISTS", install, "office", pem) == ["office"]
    for bad in ("", "../office", "a/b", ".hidden", "a b", "x" * 200):
        assert fails("CERTIFICATE_NAME_INVALID", install, bad, pem) == [bad]
    for bad in ("", "nonsense", pem[:-60]):
        fails("CA_CERTIFICATE_INVALID", install, "other", bad)
    uninstall("office")
    assert of(xen, "ca") == {} and listed() == []
    assert fails("CERTIFICATE_DOES_NOT_EXIST", uninstall, "office") == ["office"]


def test_authorities(xen, fails, maker):
    play_authorities(xen, fails, maker, xen.pool.install_ca_certificate, xen.pool.uninstall_ca_certificate,
                     xen.pool.certificate_list)
    xen.pool.uninstall_ca_certificate("office", True)


def test_authorities_as_before(xen, fails, maker):
    play_authorities(xen, fails, maker, xen.pool.certificate_install, xen.pool.certificate_uninstall,
                     xen.pool.certificate_list)


def test_authorities_of_a_host(xen, fails, maker, host):
    calls = [lambda *a, f=f: f(host, *a) for f in (xen.host.install_ca_certificate, xen.host.uninstall_ca_certificate,
                                                   xen.host.certificate_list)]
    play_authorities(xen, fails, maker, *calls)
    fails("HANDLE_INVALID", xen.host.install_ca_certificate, NONE, "n", "")


def test_authority_out_of_date(xen, fails, maker):
    old = maker.path / "old.pem"
    key, request = maker.path / "k", maker.path / "r"
    openssl("req", "-new", "-nodes", "-newkey", "rsa:2048", "-subj", "/CN=old", "-keyout", str(key), "-out", str(request))
    openssl("x509", "-req", "-in", str(request), "-signkey", str(key), "-days", "-1", "-out", str(old))
    now, end = fails("CA_CERTIFICATE_EXPIRED", xen.pool.install_ca_certificate, "old", old.read_text())
    assert now > end and len(now) == len("20260101T00:00:00Z")


def play_lists(fails, maker, install, uninstall, listed):
    crl = maker.crl()
    install("office", crl)
    assert listed() == ["office"]
    assert fails("CRL_ALREADY_EXISTS", install, "office", crl) == ["office"]
    assert fails("CRL_NAME_INVALID", install, "../x", crl) == ["../x"]
    assert fails("CRL_CORRUPT", install, "other", "nonsense") == ["other"]
    uninstall("office")
    assert listed() == []
    assert fails("CRL_DOES_NOT_EXIST", uninstall, "office") == ["office"]


def test_revocation_lists(xen, fails, maker):
    play_lists(fails, maker, xen.pool.crl_install, xen.pool.crl_uninstall, xen.pool.crl_list)


def test_revocation_lists_of_a_host(xen, fails, maker, host):
    play_lists(fails, maker, *[lambda *a, f=f: f(host, *a)
                               for f in (xen.host.crl_install, xen.host.crl_uninstall, xen.host.crl_list)])
    fails("HANDLE_INVALID", xen.host.crl_list, NONE)


def test_sync(xen, fails, host):
    xen.pool.certificate_sync()
    xen.host.certificate_sync(host)
    fails("HANDLE_INVALID", xen.host.certificate_sync, NONE)


def test_trusted(xen, fails, maker, pool):
    install = xen.pool.install_trusted_certificate
    pem, _ = maker.make()
    install(pool, True, pem, [])
    install(pool, False, pem, ["licensing"])
    (authority, record), = of(xen, "ca").items()
    (pinned, exact), = of(xen, "pinned").items()
    assert record["fingerprint"] == exact["fingerprint"] == sha256(pem) and exact["purpose"] == ["licensing"]
    assert fails("TRUSTED_CERTIFICATE_ALREADY_EXISTS", install, pool, True, pem, []) == [sha256(pem)]
    fails("CERTIFICATE_LACKS_PURPOSE", install, pool, False, pem, [])
    fails("TRUSTED_CERTIFICATE_INVALID", install, pool, True, "nonsense", [])
    assert xen.pool.certificate_list() == []
    own, = of(xen, "host")
    assert fails("NOT_TRUSTED_CERTIFICATE", xen.pool.uninstall_trusted_certificate, pool, own) == [own]
    for ref in (authority, pinned):
        xen.pool.uninstall_trusted_certificate(pool, ref)
        fails("HANDLE_INVALID", xen.pool.uninstall_trusted_certificate, pool, ref)


def shown(daemons):
    return ssl.get_server_certificate(("127.0.0.1", daemons.tls))


def test_new_server_certificate(fresh_daemons):
    xen = fresh_daemons.client()
    host = xen.host.get_all()[0]
    seen = {sha256(shown(fresh_daemons))}
    for call, args in (("refresh_server_certificate", [host]), ("reset_server_certificate", [host]),
                       ("emergency_reset_server_certificate", [])):
        xen.call(f"host.{call}", *args)
        now = sha256(shown(fresh_daemons))
        assert now not in seen
        seen.add(now)
        assert [r["fingerprint"] for r in of(xen, "host").values()] == [now]
    fresh_daemons.stop(("xapi",))
    fresh_daemons.start_xapi()
    xen = fresh_daemons.ready()
    assert sha256(shown(fresh_daemons)) == now
    assert [r["fingerprint"] for r in of(xen, "host").values()] == [now]


def test_install_server_certificate(fresh_daemons, fails, maker):
    xen = fresh_daemons.client()
    host = xen.host.get_all()[0]
    install = xen.host.install_server_certificate
    before = shown(fresh_daemons)
    rsa, ec = maker.make("rsa:2048"), maker.make()
    for code, *args in (("SERVER_CERTIFICATE_INVALID", "nonsense", ec[1]), ("SERVER_CERTIFICATE_KEY_INVALID", ec[0], "x"),
                        ("SERVER_CERTIFICATE_KEY_MISMATCH", ec[0], rsa[1]),
                        ("SERVER_CERTIFICATE_KEY_RSA_LENGTH_NOT_SUPPORTED", *maker.make("rsa:1024")),
                        ("SERVER_CERTIFICATE_SIGNATURE_NOT_SUPPORTED", *maker.make(digest="sha384")),
                        ("SERVER_CERTIFICATE_CHAIN_INVALID", *ec, "nonsense"), ("SERVER_CERTIFICATE_CHAIN_INVALID", *ec, ec[1])):
        fails(code, install, host, *args)
    assert shown(fresh_daemons) == before
    for cert, key in (rsa, ec):
        install(host, cert, key, rsa[0])
        assert sha256(shown(fresh_daemons)) == sha256(cert)
        assert [r["fingerprint"] for r in of(xen, "host").values()] == [sha256(cert)]
        assert sha256(xen.host.get_server_certificate(host)) == sha256(cert)
    assert oct((fresh_daemons.state / "host.pem").stat().st_mode)[-3:] == "600"
    fails("HANDLE_INVALID", install, NONE, *ec)


@pytest.mark.waits
def test_the_end_of_a_certificate_is_told(fresh_daemons, maker):
    """At 30, 14 and 7 days, once each."""
    xen = fresh_daemons.client()
    host, pool = xen.host.get_all()[0], xen.pool.get_all()[0]

    def told(wanted):
        end, token = time.monotonic() + 60, ""
        while True:
            token = xen.call("event.from", ["message"], token, 5.0)["token"]
            found = sorted((r["name"], r["priority"], r["obj_uuid"]) for r in xen.message.get_all_records().values()
                           if "CERTIFICATE" in r["name"])
            if len(found) >= wanted:
                return found
            assert time.monotonic() < end, found

    xen.pool.install_ca_certificate("office", maker.make(days=5)[0])
    xen.pool.install_trusted_certificate(pool, False, maker.make(days=10)[0], ["licensing"])
    xen.pool.install_ca_certificate("lasting", maker.make()[0])
    first = [("POOL_CA_CERTIFICATE_EXPIRING_07", "1", xen.pool.get_uuid(pool)),
             ("POOL_PINNED_CERTIFICATE_EXPIRING_14", "2", xen.pool.get_uuid(pool))]
    assert told(2) == first
    xen.host.install_server_certificate(host, *maker.make(days=20))
    assert told(3) == sorted([*first, ("HOST_SERVER_CERTIFICATE_EXPIRING_30", "3", xen.host.get_uuid(host))])
