# SPDX-License-Identifier: LGPL-2.1-or-later
"""Rows of class Observer, and the traces they ask for."""

import contextlib
import http.client
import http.server
import json
import socket
import threading
import time

import pytest

from test_limits import answer, post, unix
from test_xe import Xe


def make(xen, **more):
    return xen.Observer.create({"name_label": "o", "name_description": "", "hosts": [], "attributes": {},
                                "endpoints": ["bugtool"], "components": [], "enabled": False, **more})


def test_observer(xen, fails):
    host = xen.host.get_all()[0]
    ref = make(xen, components=["xapi"])
    assert xen.Observer.get_components(ref) == ["xapi"]
    values = {"hosts": [host], "enabled": True, "attributes": {"a.b": "c"},
              "endpoints": ["http://127.0.0.1:1/api"], "components": ["smapi", "xenopsd"]}
    for field, value in values.items():
        getattr(xen.Observer, f"set_{field}")(ref, value)
    record = xen.Observer.get_record(ref)
    assert {k: record[k] for k in values} == values
    for field, bad in (("attributes", {"a b": "c"}), ("components", ["qemu"]), *(("endpoints", [e]) for e in (
            "file:///x", "http://", "http://a b", "http://a\n", "https://\u00e9", "http://" + "x" * 3000))):
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


def test_xe_is_part_of_a_trace(fresh_daemons):
    xen, trace, parent = fresh_daemons.client(), "1af7651916cd43dd8448eb211c80319c", "c7ad6b7169203331"
    make(xen, components=["xapi"], enabled=True)
    text = f"00-{trace}-{parent}-01"
    for how in ({"env": {"TRACEPARENT": text, "BAGGAGE": "a=b"}}, {"args": ("--traceparent", text)}):
        xe = Xe(fresh_daemons.state)
        xe(*how.get("args", ()), "pif-list" if "env" in how else "sr-list", env=how.get("env"))
    for call in ("PIF.get_all_records", "SR.get_all_records"):
        wait_for_span(fresh_daemons, call, traceId=trace, parentId=parent)
    # What is no header is left out.
    assert Xe(fresh_daemons.state)("host-list", "--minimal", env={"TRACEPARENT": "x\r\ny: z", "BAGGAGE": "a\nb"})


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
    """Other parts, other hosts, or not yet."""
    xen = fresh_daemons.client()
    for more in ({"components": ["smapi"], "enabled": True}, {}):
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


# ---- sent by HTTP ----

class Collector:
    """What arrives at an address, once it is open; `status` is what it says to that."""

    def __init__(self):
        self.batches, self.status = [], 202
        self.socket = socket.create_server(("127.0.0.1", 0), reuse_port=True)  # keeps the port
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}/api/v2/spans"
        self.server = None

    def open(self):
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                collector.batches.append((self.path, self.headers, json.loads(body)))
                self.send_response(collector.status)
                self.end_headers()

            def log_message(self, *args):
                pass

        address = self.socket.getsockname()
        self.socket.close()
        self.server = http.server.ThreadingHTTPServer(address, Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def close(self):
        if self.server:
            self.server.shutdown()
            self.server.server_close()
        self.socket.close()

    def spans(self):
        return [span for _, _, spans in list(self.batches) for span in spans]

    def wait(self, name, count=1):
        end = time.monotonic() + 30
        while len(found := [s for s in self.spans() if s["name"] == name]) < count:
            assert time.monotonic() < end, (name, len(found))
            time.sleep(0.05)
        return found


@pytest.fixture
def collectors():
    made = [Collector() for _ in range(3)]
    yield made
    for c in made:
        c.close()


@pytest.fixture
def impatient(fresh_daemons):
    """Daemons that ask again soon."""
    d = fresh_daemons
    d.stop(which=["xapi"])
    d.env["XENOLITH_TRACE_PAUSE_US"] = "300000"
    d.start_xapi()
    d.ready()
    return d


def left_out(collector):
    return sum(int(s["tags"]["spans"]) for s in collector.spans() if s["name"] == "traces.left_out")


def test_traces_are_sent(impatient, collectors):
    """To each address that a row names, with that row's words; a file beside them."""
    xen, (one, two, _) = impatient.client(), [c.open() for c in collectors]
    make(xen, endpoints=[one.url, "bugtool"], attributes={"row": "first"}, enabled=True)
    second = make(xen, endpoints=[two.url, one.url], attributes={"row": "second"}, enabled=True)
    trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    call_with(impatient, xen.session, f"00-{trace}-{parent}-01")
    assert sorted(s["tags"]["row"] for s in one.wait("pool.get_all", 2)) == ["first", "second"]
    (span,) = two.wait("pool.get_all")
    assert (span["traceId"], span["parentId"], span["kind"], span["tags"]["row"]) == (trace, parent, "SERVER", "second")
    path, headers, _ = two.batches[0]
    assert (path, headers["content-type"]) == ("/api/v2/spans", "application/json")
    wait_for_span(impatient, "pool.get_all")
    xen.Observer.destroy(second)
    xen.network.get_all()
    one.wait("network.get_all")
    assert "network.get_all" not in [s["name"] for s in two.spans()] and not left_out(one)
    impatient.stop(["xapi"])
    assert impatient.verify() == {}


def test_dead_and_silent_collectors(impatient, collectors):
    """Nobody waits for them, others get what they asked for, and what did not fit meanwhile is counted."""
    xen, (silent, dead, healthy) = impatient.client(), collectors
    healthy.open()  # the silent one takes connections and says nothing
    dead.socket.close()
    long = {f"word{i}": "x" * 4000 for i in range(10)}
    make(xen, endpoints=[silent.url, dead.url, healthy.url], attributes=long, enabled=True)
    for i in range(8):  # 40 KiB a call: five are sent at once, ten fill a queue
        begin = time.monotonic()
        for _ in range(6):
            xen.network.get_all()
        assert time.monotonic() - begin < 2
        healthy.wait("network.get_all", 6 * (i + 1))
    assert not left_out(healthy)
    for _ in range(5):
        xen.SR.get_all()
    dead.socket = socket.create_server(("127.0.0.1", int(dead.url.split(":")[2].split("/")[0])), reuse_port=True)
    dead.open()
    dead.wait("traces.left_out")
    xen.PIF.get_all()
    dead.wait("PIF.get_all")
    healthy.wait("PIF.get_all")
    got = [s["name"] for s in dead.spans()]
    assert 0 < got.count("network.get_all") < 48 and len(got) - got.count("traces.left_out") + left_out(dead) == len(healthy.spans())
    end = time.monotonic() + 30
    while f"cannot send traces to {silent.url}" not in impatient.log("xenolithd"):
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_collector_that_refuses(impatient, collectors):
    """It does not get the same again; once it takes spans it is told how many it has not got."""
    xen, collector = impatient.client(), collectors[0].open()
    collector.status = 400
    make(xen, endpoints=[collector.url], enabled=True)
    xen.network.get_all()
    collector.wait("network.get_all")
    collector.status = 200
    xen.PIF.get_all()
    collector.wait("traces.left_out")
    assert [s["name"] for s in collector.spans()].count("network.get_all") == 1 and left_out(collector) >= 1
