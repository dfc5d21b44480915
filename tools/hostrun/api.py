# SPDX-License-Identifier: LGPL-2.1-or-later
"""A small client of the XenAPI over the local socket: calls, raw disk import, text console. Standard library only.

Kept apart from the product's own client on purpose: it proves that the documented wire form is enough.
"""

import http.client
import os
import socket
import time
import xmlrpc.client

NULL = "OpaqueRef:NULL"


class ApiError(Exception):
    """An error of the API: code and parameters."""

    def __init__(self, description):
        super().__init__(" ".join(str(word) for word in description))
        self.code = description[0] if description else ""


class _Connection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost")
        self._path = path

    def connect(self):
        self.sock = connect(self._path)


class _Transport(xmlrpc.client.Transport):
    def __init__(self, path):
        super().__init__()
        self._path = path

    def make_connection(self, host):
        return _Connection(self._path)


def connect(path):
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(path)
    except OSError:
        connection.close()
        raise
    return connection


class _Method:
    def __init__(self, session, name):
        self._session, self._name = session, name

    def __getattr__(self, name):
        return _Method(self._session, f"{self._name}.{name}")

    def __call__(self, *arguments):
        return self._session.call(self._name, *arguments)


class Session:
    """A logged-in session; session.VM.get_all() and the like are calls. Not for several threads.

    The socket needs no password of its owner: it goes on working after that of root was changed.
    """

    def __init__(self, path):
        self.path = path
        self._server = xmlrpc.client.ServerProxy("http://localhost/", _Transport(path), allow_none=True)
        self.ref = None
        self.ref = self.call("session.login_with_password", "root", "", "2.21", "make run")

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        return _Method(self, name)

    def call(self, method, *arguments):
        head = () if self.ref is None else (self.ref,)
        reply = getattr(self._server, method)(*head, *arguments)
        if reply["Status"] != "Success":
            raise ApiError(reply["ErrorDescription"])
        return reply.get("Value", "")

    def close(self):
        try:
            self.call("session.logout")
        except (ApiError, OSError, http.client.HTTPException):
            pass

    def wait_task(self, task, limit=600.0):
        """Waits for the end of a task by its events; gives back its result, raises its error. The task is destroyed."""
        token, end = "", time.monotonic() + limit
        while time.monotonic() < end:
            # "from" is a word of Python, so the method is named as text
            events = self.call("event.from", [f"task/{task}"], token, max(0.0, min(30.0, end - time.monotonic())))
            token = events["token"]
            for event in events["events"]:
                record = event.get("snapshot") or {}
                if event["ref"] == task and record.get("status") in ("success", "failure", "cancelled"):
                    self.call("task.destroy", task)
                    if record["status"] != "success":
                        raise ApiError(record.get("error_info") or [record["status"]])
                    return record.get("result", "")
        raise ApiError(["not done in time"])

    def import_raw(self, vdi, path, progress):
        """Sends a raw disk image into a VDI; progress(bytes sent, bytes in all) is called now and then."""
        task = self.call("task.create", "Import of a disk", "")
        size = os.path.getsize(path)
        with connect(self.path) as connection, open(path, "rb") as image:
            connection.sendall(f"PUT /import_raw_vdi?session_id={self.ref}&task_id={task}&vdi={vdi}&format=raw HTTP/1.1\r\n"
                               f"Host: localhost\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n".encode())
            try:
                self._send(connection, image, size, progress)
            except (BrokenPipeError, ConnectionResetError):
                pass  # the server had something to say: its reply and the task tell what
            _, status, head = read_head(connection)
        if status != 200:
            raise ApiError([f"import refused: {head.splitlines()[0]}"])
        self.wait_task(task)

    @staticmethod
    def _send(connection, image, size, progress):
        sent = 0
        while sent < size:
            sent += connection.sendfile(image, sent, min(64 << 20, size - sent))
            progress(sent, size)

    def open_console(self, console):
        """Socket with the bytes of a text console, and the bytes that came along with the reply's head."""
        connection = connect(self.path)
        connection.sendall(f"CONNECT /console?ref={console}&session_id={self.ref} HTTP/1.0\r\n\r\n".encode())
        rest, status, head = read_head(connection)
        if status != 200:
            connection.close()
            raise ApiError([f"console refused: {head.splitlines()[0] if head else 'no answer'}"])
        return connection, rest


def read_head(connection):
    """Reads a reply's head; gives back (bytes after it, status, head text)."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(4096)
        if not more:
            break
        data += more
    head, _, rest = data.partition(b"\r\n\r\n")
    words = head.decode(errors="replace").split(None, 2)
    status = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
    return rest, status, head.decode(errors="replace")
