# SPDX-License-Identifier: LGPL-2.1-or-later
"""Archives of VMs without disks: what a client reads from one, and archives made by hand."""

import io
import tarfile
import xmlrpc.client
from xml.sax.saxutils import escape

from transfers import ask, put_task


def export(daemons, xen, **query):
    reply = ask(daemons, "GET", "/export_metadata", session_id=xen.session, **query)
    body = reply.body()
    assert reply.status == 200, body
    assert int(reply.headers["content-length"]) == len(body)
    return body


def read(archive):
    """version, objects by id: (class, record)"""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        assert tar.getnames() == ["ova.xml"]
        text = tar.extractfile("ova.xml").read().decode()
    (value,), _ = xmlrpc.client.loads(f"<params><param>{text}</param></params>", use_builtin_types=False)
    return value["version"], {o["id"]: (o["class"], o["snapshot"]) for o in value["objects"]}


def value(x):
    if isinstance(x, bool):
        return f"<value><boolean>{x:d}</boolean></value>"
    if isinstance(x, dict):
        members = "".join(f"<member><name>{escape(k)}</name>{value(v)}</member>" for k, v in x.items())
        return f"<value><struct>{members}</struct></value>"
    if isinstance(x, (list, tuple)):
        return f"<value><array><data>{''.join(map(value, x))}</data></array></value>"
    if isinstance(x, xmlrpc.client.DateTime):
        return f"<value><dateTime.iso8601>{x}</dateTime.iso8601></value>"
    if isinstance(x, float):
        return f"<value><double>{x}</double></value>"
    return f"<value>{escape(str(x))}</value>"


def ova(objects, **version):
    version = {"hostname": "elsewhere", "date": "2024-01-31", "product_version": "8.3.0", "product_brand": "XCP-ng",
               "build_number": "0", "xapi_major": 1, "xapi_minor": 20, "export_vsn": 2} | version
    objects = [{"class": cls, "id": id_, "snapshot": record} for id_, (cls, record) in objects.items()]
    return value({"version": version, "objects": objects}).encode()


def archive(*members):
    """tar of (name, bytes)..."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def restore(daemons, xen, body, **query):
    """PUT /import_metadata: the new VMs, or the failure of its task."""
    result = put_task(daemons, xen, "/import_metadata", body, **query)
    (refs,), _ = xmlrpc.client.loads(f"<params><param><value>{result}</value></param></params>")
    return refs
