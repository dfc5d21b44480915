# SPDX-License-Identifier: LGPL-2.1-or-later
"""The idiom of scripts written for XenAPI.py, on Python's xmlrpc.client as it comes: a session is a ServerProxy that puts
its reference before the parameters and unwraps Status; Failure has `details`; who finds the session invalid logs in again.
"""

import http.client
import socket
import ssl
import xmlrpc.client

RETRIES = 3


class Failure(Exception):
    def __init__(self, details):
        super().__init__(details)
        self.details = details


def value_of(answer):
    """What is in the envelope, or its Failure."""
    if answer["Status"] == "Success":
        return answer["Value"]
    raise Failure(answer["ErrorDescription"])


class Unverified(xmlrpc.client.SafeTransport):
    def __init__(self):
        super().__init__(context=ssl._create_unverified_context())


class Local(xmlrpc.client.Transport):
    """A unix socket instead of a host."""

    def __init__(self, path):
        super().__init__()
        self.path = path

    def make_connection(self, host):
        connection = http.client.HTTPConnection("localhost")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(60)
        connection.sock.connect(str(self.path))
        return connection


class _Method:
    def __init__(self, send, name):
        self._send, self._name = send, name

    def __getattr__(self, name):
        return _Method(self._send, f"{self._name}.{name}")

    def __call__(self, *params):
        return self._send(self._name, params)


class Session(xmlrpc.client.ServerProxy):
    def __init__(self, uri, transport=None):
        if transport is None and uri.startswith("https"):
            transport = Unverified()
        super().__init__(uri, transport, allow_none=True)
        self.session, self._login = None, None

    def xenapi_request(self, method, params):
        if method.startswith(("login", "slave_local_login")):
            return self._log_in(method, params)
        if method in ("logout", "session.logout"):
            value_of(self._plain("session.logout")(self.session))
            self.session = None
            return None
        for _ in range(RETRIES):
            try:
                return value_of(self._plain(method)(self.session, *params))
            except Failure as e:
                if e.details[0] != "SESSION_INVALID" or self._login is None:
                    raise
            self._log_in(*self._login)
        raise Failure(["SESSION_INVALID"])

    def _plain(self, method):
        return xmlrpc.client.ServerProxy.__getattr__(self, method)

    def _log_in(self, method, params):
        self.session = value_of(self._plain(f"session.{method}")(*params))
        self._login = (method, params)

    def __getattr__(self, name):
        if name == "handle":
            return self.session
        if name == "xenapi":
            return _Namespace(self.xenapi_request)
        if name.startswith(("login", "slave_local")):
            return lambda *params: self.xenapi_request(name, params)
        return super().__getattr__(name)


class _Namespace:
    def __init__(self, send):
        self._send = send

    def __getattr__(self, name):
        return _Method(self._send, name)
