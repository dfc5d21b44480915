# SPDX-License-Identifier: LGPL-2.1-or-later
"""Rows of class Observer, and the traces they ask for."""

import contextlib
import http.client
import json
import time

from test_limits import answer, post, unix


def make(xen, **more):
    return xen.Observer.create({"name_label": "o", "name_description": "", "hosts": [], "attributes": {},
                                "endpoints": ["bugtool"], "components": [], "enabled": False, **more})


def test_observer(xen, fails):
    host = xen.host.get_all()[0]
    ref = make(xen, components=["xapi"])
    assert xen.Observer.get_components(ref) == ["xapi"]
    values = {"hosts": [host], "enabled": True, "attributes": {"a.b": "c"},
              "endpoints": ["https://collector.example/api"], "components": ["smapi", "xenopsd"]}
    for field, value in values.items():
        getattr(xen.Observer, f"set_{field}")(ref, value)
    record = xen.Observer.get_record(ref)
    assert {k: record[k] for k in values} == values
    for field, bad in (("attributes", {"a b": "c"}), ("endpoints", ["file:///x"]), ("components", ["qemu"])):
        fails("INVALID_VALUE", getattr(xen.Observer, f"set_{field}"), ref, bad)
    fails("HANDLE_INVALID", xen.Observer.set_hosts, ref, ["OpaqueRef:none"])
    xen.Observer.destroy(ref)
    fails("HANDLE_INVALID", xen.Observer.destroy, ref)


def test_hosts(xen, fails):
    host = xen.host.get_all()[0]
    ref = make(xen)
    for call in (xen.Observer.register, xen.Observer.unregister):
        call(ref, host)
        fails("HANDLE_INVALID", call, ref, "OpaqueRef:none")
    xen.Observer.destroy(ref)


# ---- traces ----

def files(daemons):
    folder = daemons.state / "traces"
    return sorted(folder.glob("xapi-*.ndjson")) if folder.exists() else []


def spans(daemons):
    """Of whole lines: the last one may be under way, and the oldest file may go meanwhile."""
    found = []
    for path in files(daemons):
        with contextlib.suppress(FileNotFoundError):
            found += [span for line in path.read_text().split("\n")[:-1] for span in json.loads(line)]
    return found


def wait_for_span(daemons, name, **wanted):
    """The first span of that name with these members."""
    end = time.monotonic() + 30
    while True:
        for span in spans(daemons):
            if span["name"] == name and wanted.items() <= span.items():
                return span
        assert time.monotonic() < end, name
        time.sleep(0.05)


def call_with(daemons, session, parent):
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "pool.get_all", "params": [session]})
    c = http.client.HTTPConnection("127.0.0.1", daemons.http, timeout=30)
    c.request("POST", "/jsonrpc", body, {"traceparent": parent})
    assert b"result" in c.getresponse().read()
    c.close()


def test_calls_are_traced(fresh_daemons, fails):
    """In the JSON of Zipkin v2, an array on each line, while somebody observes."""
    xen = fresh_daemons.client()
    host = xen.host.get_all()[0]
    xen.VM.get_all()
    ref = make(xen, attributes={"my.word": "said"}, components=["xapi"], enabled=True)
    begin = time.time()
    xen.network.get_all()
    fails("HANDLE_INVALID", xen.VM.get_record, "OpaqueRef:none")
    xen.wait(xen.Async.VM.clone(xen.VM.get_by_name_label("Other install media")[0], "traced"))
    trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    call_with(fresh_daemons, xen.session, f"00-{trace}-{parent}-01")
    for bad in ("", "00-x-y-01", f"00-{trace}-{parent}", f"00-{trace.upper()}-{parent}-01", "0" * 55):
        call_with(fresh_daemons, xen.session, bad)
    span = wait_for_span(fresh_daemons, "network.get_all")
    assert len(span["traceId"]) == 32 and len(span["id"]) == 16 and "parentId" not in span
    assert (span["kind"], span["localEndpoint"], span["annotations"]) == ("SERVER", {"serviceName": "xapi"}, [])
    assert abs(span["timestamp"] / 1e6 - begin) < 60 and 0 <= span["duration"] < 60e6
    uuid = xen.host.get_uuid(host)
    assert span["tags"] == {"my.word": "said", "xs.host.uuid": uuid, "xs.host.name": xen.host.get_name_label(host),
                            "xs.observer.name": "o", "service.name": "xapi", "xs.xapi.user": "root"}
    tags = wait_for_span(fresh_daemons, "VM.get_record")["tags"]
    assert (tags["error"], tags["exception.message"]) == ("true", "HANDLE_INVALID")
    wait_for_span(fresh_daemons, "VM.clone")
    wait_for_span(fresh_daemons, "pool.get_all", traceId=trace, parentId=parent)
    assert all(uuid in path.name for path in files(fresh_daemons))
    xen.Observer.set_enabled(ref, False)
    xen.SR.get_all()
    xen.Observer.set_enabled(ref, True)
    xen.PIF.get_all()
    wait_for_span(fresh_daemons, "PIF.get_all")
    names = [span["name"] for span in spans(fresh_daemons)]
    assert names.count("pool.get_all") == 6 and "SR.get_all" not in names and "VM.get_all" not in names
    fresh_daemons.stop(["xapi"])  # which writes what it has
    assert fresh_daemons.verify() == {}


def test_who_does_not_observe_calls(fresh_daemons):
    """Other parts, other places, other hosts, or not yet."""
    xen = fresh_daemons.client()
    for more in ({"components": ["smapi"], "enabled": True}, {"endpoints": ["https://collector.example/api"], "enabled": True}, {}):
        make(xen, **more)
    xen.network.get_all()
    make(xen, hosts=[xen.host.get_all()[0]], enabled=True)
    xen.PIF.get_all()
    wait_for_span(fresh_daemons, "PIF.get_all")
    assert "network.get_all" not in [span["name"] for span in spans(fresh_daemons)]


def test_traces_are_bounded(fresh_daemons):
    """Files of 1 MiB, the latest 32 of them."""
    xen = fresh_daemons.client()
    folder = fresh_daemons.state / "traces"
    folder.mkdir()
    for i in range(40):
        (folder / f"xapi-0-2020-{i:02}.ndjson").write_text("[]\n")
    make(xen, attributes={"long": "x" * 4000}, enabled=True)
    with unix(fresh_daemons) as s:
        for _ in range(3):
            before = len(spans(fresh_daemons))
            for _ in range(400):
                s.sendall(post("pool.get_all", xen.session))
                assert "result" in answer(s)
            end = time.monotonic() + 30
            while len(spans(fresh_daemons)) < before + 400:
                assert time.monotonic() < end
                time.sleep(0.05)
    new = [path for path in files(fresh_daemons) if "-2020-" not in path.name]
    assert len(new) >= 2 and all(path.stat().st_size < 8 << 20 for path in new)
    assert len(files(fresh_daemons)) == 32
