# SPDX-License-Identifier: LGPL-2.1-or-later
"""People of a directory server: Debian's slapd, run here by hand as whoever runs the tests, with its own
configuration, database and certificates. No service is started, and nothing leaves loopback."""

import base64
import concurrent.futures
import contextlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.parse
import xmlrpc.client

import pytest

from conftest import BUILD, NULL, Client, XenError, a_pair, fails
from test_xe import Xe

BASE = "dc=example,dc=org"
ADMIN, ADMIN_WORD = f"cn=admin,{BASE}", "word of the admin"
READER, READER_WORD = f"cn=reader,{BASE}", "word of the reader"
WORDS = {"anna": "her word", "bela": "his word", "carl": "carl's", "a*b": "starry", "twin": "first"}
SLAPD = "/usr/sbin/slapd"


def run(*args, **options):
    return subprocess.run([str(a) for a in args], check=True, capture_output=True, text=True, timeout=60, **options)


def person(name, word, uid=None, where="people"):
    return (f"dn: cn={name},ou={where},{BASE}\nobjectClass: inetOrgPerson\ncn: {name}\nsn: {name}\n"
            f"displayName: {name.capitalize()} of the example\nuid: {uid or name}\nuserPassword: {word}\n\n")


def entries():
    text = f"dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\no: example\ndc: example\n\n"
    for unit in ("people", "groups", "elsewhere"):
        text += f"dn: ou={unit},{BASE}\nobjectClass: organizationalUnit\nou: {unit}\n\n"
    text += f"dn: {READER}\nobjectClass: person\nobjectClass: simpleSecurityObject\ncn: reader\nsn: r\n"
    text += f"userPassword: {READER_WORD}\n\n"
    text += "".join(person(name, word) for name, word in WORDS.items())
    text += person("twin2", "second", uid="twin")  # two of one name
    text += person("root", "not the host's")
    for group in ("operators", "readers"):
        text += (f"dn: cn={group},ou=groups,{BASE}\nobjectClass: groupOfNames\ncn: {group}\n"
                 f"member: cn=anna,ou=people,{BASE}\nmember: cn=carl,ou=people,{BASE}\n\n")
    text += f"dn: cn=posix,ou=groups,{BASE}\nobjectClass: posixGroup\ncn: posix\ngidNumber: 77\nmemberUid: bela\n\n"
    return text


def make_certificates(folder):
    """A CA, a server's certificate of it, and a CA that has signed nothing."""
    for name in ("ca", "other"):
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
            "-subj", f"/CN=tests {name}", "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem")
    run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=directory",
        "-keyout", folder / "server.key", "-out", folder / "server.csr")
    (folder / "san").write_text("subjectAltName=IP:127.0.0.1\n")
    run("openssl", "x509", "-req", "-in", folder / "server.csr", "-CA", folder / "ca.pem", "-CAkey", folder / "ca.key",
        "-CAcreateserial", "-days", "30", "-extfile", folder / "san", "-out", folder / "server.pem")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Slapd:
    def __init__(self, folder):
        self.folder, self.process = folder, None
        (folder / "db").mkdir()
        make_certificates(folder)
        self.ldapi = "ldapi://" + urllib.parse.quote(str(folder / "socket"), safe="")
        self.plain, self.tls = (f"{scheme}://127.0.0.1:{free_port()}" for scheme in ("ldap", "ldaps"))
        schemas = "".join(f"include /etc/ldap/schema/{name}.schema\n" for name in ("core", "cosine", "inetorgperson", "nis"))
        (folder / "slapd.conf").write_text(f"""{schemas}
modulepath /usr/lib/ldap
moduleload back_mdb
allow bind_anon_dn
TLSCertificateFile {folder}/server.pem
TLSCertificateKeyFile {folder}/server.key
TLSCACertificateFile {folder}/ca.pem
database mdb
suffix {BASE}
rootdn {ADMIN}
rootpw "{ADMIN_WORD}"
directory {folder}/db
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{READER}" read by * none
""")
        (folder / "data.ldif").write_text(entries())
        run("/usr/sbin/slapadd", "-f", folder / "slapd.conf", "-l", folder / "data.ldif")

    def ca(self, name="ca"):
        return (self.folder / f"{name}.pem").read_text()

    def start(self):
        log = open(self.folder / "slapd.log", "ab")
        self.process = subprocess.Popen([SLAPD, "-h", f"{self.ldapi} {self.plain} {self.tls}", "-f", self.folder / "slapd.conf",
                                         "-d", "0"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end = time.monotonic() + 30
        while subprocess.run(["ldapwhoami", "-x", "-H", self.ldapi], capture_output=True).returncode:
            assert self.process.poll() is None and time.monotonic() < end, (self.folder / "slapd.log").read_text()
            time.sleep(0.02)

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(30)
            self.process = None

    def change(self, ldif):
        run("ldapmodify", "-x", "-H", self.ldapi, "-D", ADMIN, "-w", ADMIN_WORD, input=ldif)

    def remove(self, dn):
        run("ldapdelete", "-x", "-H", self.ldapi, "-D", ADMIN, "-w", ADMIN_WORD, dn)


class Directory:
    """A host whose people are those of slapd."""

    def __init__(self, daemons, slapd):
        self.daemons, self.slapd, self.xen = daemons, slapd, daemons.client()
        self.pool, self.host = self.xen.pool.get_all()[0], self.xen.host.get_all()[0]

    def config(self, **other):
        c = {"uri": self.slapd.tls, "base": BASE, "bind_dn": READER, "bind_password": READER_WORD, "ca": self.slapd.ca()}
        c.update(other)
        return {k: v for k, v in c.items() if v is not None}

    def enable(self, **other):
        self.xen.pool.enable_external_auth(self.pool, self.config(**other), "example", "LDAP")

    def disable(self):
        self.xen.pool.disable_external_auth(self.pool, {})

    def server(self):
        return xmlrpc.client.ServerProxy(f"http://127.0.0.1:{self.daemons.http}/")

    def login(self, user="anna", word=None):
        return Client(self.server()).login(user, WORDS[user] if word is None else word)

    def subject(self, name, role="read-only"):
        ref = self.xen.subject.create({"subject_identifier": self.xen.auth.get_subject_identifier(name), "other_config": {}})
        self.xen.subject.add_to_roles(ref, self.xen.role.get_by_name_label(role)[0])
        return ref

    def ends(self, client, limit=30):
        """The session of that client ends within the limit."""
        end = time.monotonic() + limit
        while time.monotonic() < end:
            try:
                client.VM.get_all()
            except XenError as e:
                return e.code == "SESSION_INVALID"
            time.sleep(0.05)
        return False

    def turn_to(self, address):
        """The server goes silent, as it were: this is asked from now on."""
        file = self.daemons.state / "directory"
        file.write_text(json.dumps({**json.loads(file.read_text()), "uri": f"ldap://{address}"}))

    def questions(self):
        """How many processes ask the directory now."""
        n = 0
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                status = dict(line.split(":\t", 1) for line in open(f"/proc/{pid}/status"))
                n += status["Name"] == "xenolith-ldap\n" and int(status["PPid"]) == self.daemons.hostd.pid
        return n


@pytest.fixture(scope="module")
def slapd(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slapd")
    s = Slapd(folder)
    s.start()
    yield s
    s.stop()
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def host(slapd):
    with a_pair() as d:
        d.start_hostd()
        d.start_xapi(["--directory-check", "0.2"])
        d.ready()
        yield d
        d.stop()
        for log in d.logs.glob("*.log"):  # nobody's password is in a log
            text = log.read_text(errors="replace")
            assert not any(word in text for word in [*WORDS.values(), READER_WORD])


@pytest.fixture
def people(host, slapd):
    p = Directory(host, slapd)
    yield p
    p.disable()
    for ref in p.xen.subject.get_all():
        p.xen.subject.destroy(ref)


@contextlib.contextmanager
def silent_server():
    """Connections are made and never answered: its address, its socket."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen(64)
        yield f"127.0.0.1:{s.getsockname()[1]}", s


# ---- on and off


def test_on_and_off(people):
    people.enable()
    record = people.xen.host.get_record(people.host)
    assert (record["external_auth_type"], record["external_auth_service_name"]) == ("LDAP", "example")
    kept = record["external_auth_configuration"]
    assert kept["uri"] == people.slapd.tls and "bind_password" not in kept
    file = people.daemons.state / "directory"
    assert file.stat().st_mode & 0o777 == 0o600 and READER_WORD in file.read_text()
    for name in ("store.db", "store.db-wal"):
        assert READER_WORD.encode() not in (people.daemons.state / name).read_bytes()
    fails("POOL_AUTH_ALREADY_ENABLED", people.enable)
    people.xen.pool.external_auth_set_ldaps(people.pool, True)
    fails("AUTH_SET_LDAPS_FAILED", people.xen.pool.external_auth_set_ldaps, people.pool, False)
    people.disable()
    assert not file.exists()
    people.xen.host.enable_external_auth(people.host, people.config(), "example", "LDAP")
    people.xen.host.disable_external_auth(people.host, {})
    assert not file.exists()


@pytest.mark.parametrize("wrong, names", [
    ({"uri": None}, "uri"), ({"base": None}, "base"), ({"uri": "http://127.0.0.1"}, "uri"), ({"uri": "ldaps://"}, "uri"),
    ({"uri": "ldaps://127.0.0.1/dc=x"}, "uri"), ({"uri": "ldaps://a ldaps://b"}, "uri"), ({"uri": "ldaps://[::1"}, "uri"),
    ({"base": "no name"}, "base"), ({"bind_dn": "="}, "bind_dn"), ({"bind_password": None}, "bind_password"),
    ({"bind_password": ""}, "bind_password"), ({"user_filter": "uid=%s"}, "user_filter"),
    ({"user_filter": "(uid=anna)"}, "user_filter"), ({"user_filter": "(uid=%s)(x=%d)"}, "user_filter"),
    ({"user_filter": "(uid=%s)(&))"}, "user_filter"), ({"group_filter": "(cn=%s)"}, "group_filter"),
    ({"group_filter": "((("}, "group_filter"), ({"group_filter": "((cn)"}, "group_filter"),
    ({"member": "a)(b"}, "member"), ({"user_name": ""}, "user_name"), ({"insecure": "perhaps"}, "insecure"),
    ({"insecure": "true"}, "insecure"), ({"colour": "red"}, "colour"), ({"bind_dn": "x" * 70000}, "64 KiB"),
])
def test_a_wrong_key_is_named(people, wrong, names):
    host, why = fails("POOL_AUTH_ENABLE_FAILED", lambda: people.enable(**wrong))
    assert host == people.host and names in why, why
    assert names in fails("AUTH_ENABLE_FAILED", people.xen.host.enable_external_auth, people.host, people.config(**wrong),
                          "example", "LDAP")[0]
    assert people.xen.host.get_external_auth_type(people.host) == ""
    assert not (people.daemons.state / "directory").exists()


def test_what_failed_is_said(people):
    def refused(kind, **config):
        return fails(f"POOL_AUTH_ENABLE_FAILED{kind}", lambda: people.enable(**config))[1]

    assert "Invalid credentials" in refused("_WRONG_CREDENTIALS", bind_password="wrong")
    assert "there is no entry" in refused("_INVALID_OU", base="ou=nowhere," + BASE)
    assert "ca" in refused("_NO_TRUSTED_CERTS", ca=None)
    assert "ca" in refused("_INVALID_TRUSTED_CERTS", ca="no certificate")
    port = free_port()
    assert f"ldap://127.0.0.1:{port}: Connection refused" in refused("_UNAVAILABLE", uri=f"ldap://127.0.0.1:{port}")
    assert "No such file" in refused("_UNAVAILABLE", uri="ldapi://%2Fnowhere%2Fsocket")
    assert "directory.invalid: " in refused("_UNAVAILABLE", uri="ldap://directory.invalid", insecure="true")
    assert not (people.daemons.state / "directory").exists()


def test_certificates(people):
    other = people.slapd.ca("other")
    for uri, more in ((people.slapd.tls, {}), (people.slapd.plain, {"insecure": "false"})):  # the second is StartTLS
        why = fails("POOL_AUTH_ENABLE_FAILED_SETUP_TLS_CONNECTION", lambda: people.enable(uri=uri, ca=other, **more))[1]
        assert uri in why and "certificate" in why
        name = uri.replace("127.0.0.1", "localhost")  # which the certificate is not for
        fails("POOL_AUTH_ENABLE_FAILED_SETUP_TLS_CONNECTION", lambda: people.enable(uri=name, **more))
        people.enable(uri=uri, **more)
        assert people.xen.auth.get_subject_identifier("anna")
        people.disable()
    fails("AUTH_SETUP_TLS_CONNECTION", people.xen.host.enable_external_auth, people.host, people.config(ca=other), "e", "LDAP")
    people.xen.pool.install_ca_certificate("directory", people.slapd.ca())
    people.enable(ca=None)
    assert people.xen.auth.get_subject_identifier("anna")
    people.xen.pool.uninstall_ca_certificate("directory")


def test_within_the_machine_without_tls(people):
    for uri in (people.slapd.plain, people.slapd.ldapi):
        people.enable(uri=uri, ca=None)
        people.subject("anna")
        assert people.login().VM.get_all()
        people.disable()
        for ref in people.xen.subject.get_all():
            people.xen.subject.destroy(ref)


# ---- logins


def test_logins(people):
    people.enable()
    assert fails("SESSION_AUTHORIZATION_FAILED", people.login)[0] == "anna"  # she is known, but may do nothing
    people.subject("anna")
    anna = people.login()
    assert anna.VM.get_all()
    fails("RBAC_PERMISSION_DENIED", anna.call, "host.disable", people.host)
    row = anna.call("session.get_record", anna.session)
    assert row["auth_user_sid"] == people.xen.auth.get_subject_identifier("anna") and len(row["auth_user_sid"]) == 36
    assert (row["auth_user_name"], row["is_local_superuser"]) == ("anna", False)
    capitals = people.login("ANNA", WORDS["anna"])  # servers do not tell these apart, and neither do we
    assert capitals.call("session.get_auth_user_name", capitals.session) == "anna"
    for user, word in (("anna", "wrong"), ("anna", ""), ("anna", WORDS["bela"]), ("nobody", "x"), ("twin", WORDS["twin"]),
                       ("anna ", "x"), ("anna", "x" * 2000), ("a" * 300, "x")):
        fails("SESSION_AUTHENTICATION_FAILED", people.login, user, word)


def test_an_empty_password_never_reaches_the_server(people):
    """To slapd it is a login of nobody, which it grants: hostd and its child refuse as well."""
    people.enable()
    people.subject("anna")
    fails("SESSION_AUTHENTICATION_FAILED", people.login, "anna", "")
    fails("SESSION_AUTHENTICATION_FAILED", lambda: people.daemons.host_call("directory_login", user="anna", password=""))
    program = BUILD / "src/ldap/xenolith-ldap"
    for word, code in (("", "SESSION_AUTHENTICATION_FAILED"), (WORDS["anna"], None)):
        question = {"do": "login", "who": "anna", "password": word, "config": people.config()}
        answer = json.loads(run(program, input=json.dumps(question)).stdout)
        assert answer.get("error", {}).get("code") == code, answer


def test_names_mean_nothing_else(people):
    people.enable()
    for name in ("anna", "a*b"):
        people.subject(name)
    for name in ("*", "a*", "an*a", "anna)(uid=*", ")(", "*)(|(uid=*", "anna\\", "\\2a", "(", "anna\x7f", "cn=anna", "%s", "é",
                 f"cn=anna,ou=people,{BASE}"):
        fails("SESSION_AUTHENTICATION_FAILED", people.login, name, WORDS["anna"])
    assert people.login("a*b").VM.get_all()  # a name like any other
    for who in ("*", "a*", ")(", "anna)(uid=*", f"cn=anna,ou=people,{BASE})(", "cn=config", "dc=org", f"ou=people,{BASE}"):
        fails("SUBJECT_CANNOT_BE_RESOLVED", people.xen.auth.get_subject_identifier, who)
    body = json.dumps({"jsonrpc": "2.0", "method": "session.login_with_password", "id": 1,
                       "params": ["anna", WORDS["anna"]]}).replace('"anna"', '"anna\\u0000x"')
    connection = http.client.HTTPConnection("127.0.0.1", people.daemons.http, timeout=60)
    connection.request("POST", "/jsonrpc", body, {"Content-Type": "application/json"})
    assert b"OpaqueRef" not in connection.getresponse().read()


def test_root_is_the_hosts_alone(people):
    """An entry `root` of the directory is nobody's way to the host."""
    people.enable()
    for name in ("root", "ROOT"):  # the second is asked for, and found
        fails("SESSION_AUTHENTICATION_FAILED", people.login, name, "not the host's")
    root = people.login("root", people.daemons.password)
    assert root.call("session.get_is_local_superuser", root.session)
    people.slapd.stop()
    try:
        assert people.login("root", people.daemons.password).VM.get_all()
    finally:
        people.slapd.start()


def test_questions(people):
    people.enable()
    auth = people.xen.auth
    anna, operators = auth.get_subject_identifier("anna"), auth.get_subject_identifier("operators")
    info = auth.get_subject_information_from_identifier(anna)
    assert (info["subject-name"], info["subject-sid"], info["subject-is-group"]) == ("anna", anna, "false")
    assert info["subject-displayname"] == "Anna of the example"
    info = auth.get_subject_information_from_identifier(operators)
    assert (info["subject-name"], info["subject-is-group"]) == ("operators", "true")
    assert sorted(auth.get_group_membership(anna)) == sorted([operators, auth.get_subject_identifier("readers")])
    assert auth.get_group_membership(auth.get_subject_identifier("bela")) == []
    assert auth.get_subject_identifier(f"cn=anna,ou=people,{BASE}") == anna
    assert auth.get_subject_identifier(f"CN=Anna, OU=people,{BASE}") == anna
    for who in ("nobody", "", "x" * 2000, "00000000-0000-0000-0000-000000000000", "twin"):
        fails("SUBJECT_CANNOT_BE_RESOLVED", auth.get_subject_identifier, who)


def test_groups_of_names(people):
    people.enable(group_filter="(objectClass=posixGroup)", member="memberUid")
    auth = people.xen.auth
    assert auth.get_group_membership(auth.get_subject_identifier("bela")) == [auth.get_subject_identifier("posix")]
    people.subject("posix")
    assert people.login("bela").VM.get_all()


def test_filters_say_who_is_somebody(people):
    people.enable(user_filter="(&(uid=%s)(!(uid=bela)))", base=f"ou=people,{BASE}")
    assert people.xen.auth.get_subject_identifier("anna")
    fails("SESSION_AUTHENTICATION_FAILED", people.login, "bela")
    fails("SUBJECT_CANNOT_BE_RESOLVED", people.xen.auth.get_subject_identifier, "operators")  # is not below the base
    fails("SUBJECT_CANNOT_BE_RESOLVED", people.xen.auth.get_subject_identifier, f"cn=bela,ou=people,{BASE}")


def test_transfers_by_password(people):
    people.enable()
    people.subject("anna", "pool-admin")

    def status(user, word):
        text = base64.b64encode(f"{user}:{word}".encode()).decode()
        connection = http.client.HTTPConnection("127.0.0.1", people.daemons.http, timeout=60)
        connection.request("GET", "/export_raw_vdi?vdi=none", headers={"Authorization": f"Basic {text}"})
        return connection.getresponse().status

    assert status("anna", WORDS["anna"]) == 400  # let in; there is no such disk
    assert status("anna", "wrong") == 401
    assert status("anna", "") == 401
    assert status("bela", WORDS["bela"]) == 403


def test_by_command_line(people):
    """As docs/operations.md tells it."""
    xe = Xe(people.daemons.state)
    config = [f"config:{k}={v}" for k, v in people.config().items()]
    xe("pool-enable-external-auth", "auth-type=LDAP", "service-name=example", *config)
    uuid = xe("subject-add", "subject-name=operators").strip()
    xe("subject-role-add", f"uuid={uuid}", "role-name=vm-operator")
    assert people.login().VM.get_all()
    assert "operators" in xe("subject-list", f"uuid={uuid}", "params=all")
    xe("pool-disable-external-auth")
    assert people.xen.host.get_external_auth_type(people.host) == ""


# ---- what changes meanwhile


def test_a_role_by_a_group_goes_with_the_membership(people):
    people.enable()
    people.subject("operators", "vm-operator")
    readers = people.subject("readers")
    carl, anna = people.login("carl"), people.login("anna")
    people.slapd.change(f"dn: cn=operators,ou=groups,{BASE}\nchangetype: modify\ndelete: member\n"
                        f"member: cn=carl,ou=people,{BASE}\n")
    try:
        assert people.ends(carl)
        carl = people.login("carl")  # a reader still
        fails("RBAC_PERMISSION_DENIED", carl.call, "VM.start", NULL, False, False)
        fails("HANDLE_INVALID", anna.call, "VM.start", NULL, False, False)
        people.xen.subject.destroy(readers)
        assert people.ends(carl)
        fails("SESSION_AUTHORIZATION_FAILED", people.login, "carl")
    finally:
        people.slapd.change(f"dn: cn=operators,ou=groups,{BASE}\nchangetype: modify\nadd: member\n"
                            f"member: cn=carl,ou=people,{BASE}\n")
    assert people.login("carl").VM.get_all()


def test_who_is_gone_is_logged_out(people):
    people.enable()
    for name in ("anna", "bela"):
        people.subject(name)
    bela, anna = people.login("bela"), people.login("anna")
    first = bela.call("session.get_auth_user_sid", bela.session)
    people.slapd.remove(f"cn=bela,ou=people,{BASE}")
    try:
        assert people.ends(bela)
        fails("SESSION_AUTHENTICATION_FAILED", people.login, "bela")
        assert anna.VM.get_all()
    finally:
        run("ldapadd", "-x", "-H", people.slapd.ldapi, "-D", ADMIN, "-w", ADMIN_WORD, input=person("bela", WORDS["bela"]))
    # The same name and place, but somebody else: what the first was allowed is not inherited.
    assert people.xen.auth.get_subject_identifier("bela") != first
    fails("SESSION_AUTHORIZATION_FAILED", people.login, "bela")


def test_off_ends_the_sessions(people):
    people.enable()
    people.subject("anna")
    anna = people.login()
    assert people.xen.call("session.get_all_subject_identifiers") == [people.xen.auth.get_subject_identifier("anna")]
    people.disable()
    fails("SESSION_INVALID", anna.VM.get_all)
    fails("SESSION_AUTHENTICATION_FAILED", people.login)
    fails("AUTH_IS_DISABLED", people.xen.auth.get_subject_identifier, "anna")


# ---- a server that is not there


def test_a_server_that_is_gone(people):
    people.enable()
    people.subject("anna")
    anna = people.login()
    people.slapd.stop()
    try:
        why = fails("AUTH_SERVICE_ERROR", people.login)[0]
        assert "127.0.0.1" not in why  # strangers are not told where it is
        assert people.slapd.tls in fails("AUTH_SERVICE_ERROR", people.xen.auth.get_subject_identifier, "anna")[0]
        assert people.slapd.tls in people.daemons.log("xenolith-hostd")
        # It says nothing about anybody: sessions stay, over several looks (each has left its line).
        seen = people.daemons.log("xenolithd").count("cannot look people")
        end = time.monotonic() + 30
        while people.daemons.log("xenolithd").count("cannot look people") < seen + 3:
            assert time.monotonic() < end
            time.sleep(0.05)
        assert anna.VM.get_all()
    finally:
        people.slapd.start()
    assert people.login().VM.get_all()


def seconds_of_processor(parent):
    """Of each child of a process."""
    found = subprocess.run(["ps", "--ppid", str(parent), "-o", "cputimes="], capture_output=True, text=True, check=True)
    return [int(line) for line in found.stdout.split()]


@pytest.mark.waits
def test_a_server_that_never_answers(people):
    def try_it(uri):
        begun, xen = time.monotonic(), people.daemons.client()
        why = fails("AUTH_ENABLE_FAILED_UNAVAILABLE", xen.host.enable_external_auth, people.host, people.config(uri=uri),
                    "example", "LDAP")[0]
        return why, time.monotonic() - begun

    with silent_server() as (address, _), concurrent.futures.ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(try_it, f"{scheme}://{address}") for scheme in ("ldap", "ldaps")]
        time.sleep(5)
        assert len(spent := seconds_of_processor(people.daemons.hostd.pid)) == 2
        assert max(spent) < 1, "who waits does nothing else"
        plain, tls = (one.result() for one in asked)
    assert "10 s while logging in as" in plain[0] and plain[1] < 15
    assert "10 s while connecting to" in tls[0] and tls[1] < 15


@contextlib.contextmanager
def answering_server(*answers):
    """Whatever it is told, it answers these bytes in turn, then goes."""
    def serve():
        with contextlib.suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(30)
                for answer in answers:
                    connection.recv(65536)
                    connection.sendall(answer)

    with socket.socket() as listener, concurrent.futures.ThreadPoolExecutor(1) as pool:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        listener.settimeout(30)
        pool.submit(serve)
        yield f"ldap://127.0.0.1:{listener.getsockname()[1]}"


def ber(tag, *parts):
    body = b"".join(parts)
    size = bytes([len(body)]) if len(body) < 128 else b"\x84" + len(body).to_bytes(4, "big")
    return bytes([tag]) + size + body


def message(number, tag, code, *more, text=b""):
    """An LDAPMessage with an LDAPResult (RFC 4511, 4.1.9)."""
    return ber(0x30, ber(2, bytes([number])), ber(tag, ber(0x0a, bytes([code])), ber(4), ber(4, text), *more))


BOUND, SEARCHED = 0x61, 0x65  # answers to a bind, the end of a search


@pytest.mark.parametrize("answer", [
    b"\x30\x84\x7f\xff\xff\xff" + bytes(64 << 20),  # announces 2 GiB, and begins to send them
    message(1, BOUND, 0, text=b"x" * (8 << 20)),
    b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x00" * 4096, b"\x30\x80" * 5000, b"\xff" * 100000, b"",
    ber(0x30, ber(2, b"\1"), ber(BOUND, ber(0x0a, b"\0"))), ber(0x30, ber(2, b"\1"), ber(0x78)),
], ids=["endless", "long", "http", "zeros", "deep", "ones", "nothing", "short", "unasked"])
def test_answers_that_are_none(people, answer):
    with answering_server(answer) as uri:
        begun = time.monotonic()
        why = fails("AUTH_ENABLE_FAILED_UNAVAILABLE", people.xen.host.enable_external_auth, people.host,
                    people.config(uri=uri), "example", "LDAP")[0]
    assert why.startswith("logging in as bind_dn") and time.monotonic() - begun < 15, why


def test_referrals_are_not_followed(people):
    """They could lead a password anywhere."""
    with silent_server() as (other, listener):
        listener.settimeout(0)
        elsewhere = ber(0xa3, ber(4, f"ldap://{other}/{BASE}".encode()))
        for answers in ([message(1, BOUND, 10, elsewhere)], [message(1, BOUND, 0), message(2, SEARCHED, 10, elsewhere)]):
            with answering_server(*answers) as uri:
                with pytest.raises(XenError) as refused:
                    people.xen.host.enable_external_auth(people.host, people.config(uri=uri), "example", "LDAP")
                assert refused.value.params[0].endswith(": Referral"), refused.value
            with pytest.raises(BlockingIOError):
                listener.accept()


def test_what_a_server_says_is_cut_and_cleaned(people):
    said = b"no\nway\x1b[2J\xff" + "\u00e9".encode() + b"y" * 100000
    with answering_server(message(1, BOUND, 53, text=said)) as uri:
        why = fails("AUTH_ENABLE_FAILED_PERMISSION_DENIED", people.xen.host.enable_external_auth, people.host,
                    people.config(uri=uri), "example", "LDAP")[0]
    assert "Server is unwilling to perform: no?way?[2J???yyy" in why and len(why) < 500


@pytest.mark.waits
def test_a_directory_that_hangs_takes_no_more_than_its_share(people):
    """Sixty logins at a directory that went silent: eight of them ask it, others wait without a thread, and calls of
    everybody else are answered at once."""
    with silent_server() as (address, _):
        people.enable(uri=people.slapd.plain, ca=None)
        people.turn_to(address)

        def attempt(_):
            try:
                return people.login()
            except XenError as e:
                return e.code

        with concurrent.futures.ThreadPoolExecutor(60) as pool:
            logins = [pool.submit(attempt, i) for i in range(60)]
            most, slowest, end = 0, 0, time.monotonic() + 60
            while not all(f.done() for f in logins):
                assert time.monotonic() < end
                begun = time.monotonic()
                people.login("root", people.daemons.password).call("session.logout")  # asks hostd as well
                slowest, most = max(slowest, time.monotonic() - begun), max(most, people.questions())
        assert {f.result() for f in logins} == {"AUTH_SERVICE_ERROR", "TOO_MANY_PENDING_TASKS"}
        assert most == 8 and slowest < 5, (most, slowest)


def test_another_program_takes_over_while_the_directory_hangs(people):
    """Nobody waits for the look at people that is under way, and it does not end their sessions."""
    people.enable(uri=people.slapd.plain, ca=None)
    people.subject("anna")
    anna = people.login()
    with silent_server() as (address, _):
        people.turn_to(address)
        end = time.monotonic() + 30
        while not people.questions():
            assert time.monotonic() < end
            time.sleep(0.01)
        begun = time.monotonic()
        people.daemons.hand_over().wait(30)
        assert time.monotonic() - begun < 8
        again = Client(people.server())
        again.session = anna.session
        assert again.VM.get_all()
    people.xen = people.daemons.client()


def test_a_hostd_that_knows_nothing(people):
    """A store from elsewhere says LDAP; the words to ask with are not in it."""
    people.enable()
    (people.daemons.state / "directory").unlink()
    assert "disable and enable" in fails("AUTH_SERVICE_ERROR", people.xen.auth.get_subject_identifier, "anna")[0]
    people.disable()
    people.enable()
    assert people.xen.auth.get_subject_identifier("anna")
