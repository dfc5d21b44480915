# SPDX-License-Identifier: LGPL-2.1-or-later
"""Files of the web page, as the daemon is configured to serve them."""

import http.client
import ssl

import pytest

from conftest import a_pair

PAGE = b"<p>hello</p>"


@pytest.fixture(scope="module")
def web(tmp_path_factory):
    folder = tmp_path_factory.mktemp("web")
    (folder / "index.html").write_bytes(PAGE)
    return folder


def ask(connection, verb, path):
    connection.request(verb, path)
    answer = connection.getresponse()
    return answer.status, answer.getheader("location"), answer.getheader("content-length"), answer.read()


def secure(d):
    context = ssl._create_unverified_context()
    return http.client.HTTPSConnection("127.0.0.1", d.tls, timeout=60, context=context)


def plain(d):
    return http.client.HTTPConnection("127.0.0.1", d.http, timeout=60)


def test_head_is_get_without_its_body(web):
    with a_pair() as d:
        d.start_hostd()
        d.start_xapi(["--web", str(web)])
        d.ready()
        c = secure(d)  # one connection: what follows a HEAD is the next answer
        for verb, body in (("HEAD", b""), ("GET", PAGE), ("HEAD", b"")):
            assert ask(c, verb, "/index.html") == (200, None, str(len(PAGE)), body)
        assert ask(c, "HEAD", "/none")[::3] == (404, b"")
        assert ask(c, "HEAD", "/../x")[::3] == (403, b"")


def test_plain_requests_are_sent_to_the_port_of_tls(web):
    with a_pair() as d:
        d.start_hostd()
        d.start_xapi(["--web", str(web)])
        d.ready()
        where = f"https://127.0.0.1:{d.tls}/a?b"
        for verb in ("GET", "HEAD"):
            assert ask(plain(d), verb, "/a?b")[:2] == (301, where)


def test_plain_requests_are_answered_where_there_is_no_tls(web):
    with a_pair() as d:
        d.start_hostd()
        d.start_xapi(["--web", str(web), "--tls", "off"])
        d.ready()
        assert ask(plain(d), "GET", "/") == (200, None, str(len(PAGE)), PAGE)
