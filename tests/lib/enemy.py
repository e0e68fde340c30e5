"""The network as an enemy: a proxy between clients and the relay that does to each connection what its plan says.

    with Enemy(relay.port, how_many_ports) as enemy:
        enemy.plan(port, direction="down", offset=1234, how="reset")    for the next connection to this port
        ...                                                             without a plan, bytes just pass
        enemy.reports()                                                 what happened since, a dict each
        enemy.forget()                                                  plans that wait, and links that are dead

A plan: `offset` bytes pass in `direction` ("up": to the relay, "down": to the client), and then, at exactly that byte:

    close   both sides see an orderly end (FIN)
    reset   both sides see a reset (SO_LINGER 0)
    stall   nothing passes any more, in either direction, and nobody is told
    mute    nothing passes in that direction any more; the other goes on
    gone    the side that the bytes went to is reset; the other is told nothing (a half-open peer)

`chunk`: bytes are passed on so many at a time (1: split); `merge`: they are held until there are so many, or 3 ms are over.
Reports: {"cut": how, "port", "direction", "offset"}, {"ended": "client" or "relay", "port", "after_s"} for the end that
a side made after a cut that it was not told, {"passed": [up, down], "port"} for a connection without a cut.
"""
import json
import os
import selectors
import signal
import socket
import struct
import time

from relay import HOST
from scripted import run_forked

READ_BYTES = 1 << 16
MERGE_S = 0.003
UP, DOWN = "up", "down"
SILENT = ("stall", "mute", "gone")


class Flow:
    """One direction of a link."""

    def __init__(self, source, sink):
        self.source, self.sink = source, sink
        self.held, self.passed = bytearray(), 0
        self.has_ended = self.is_shut = self.is_dropping = False
        self.held_since = None


class Link:
    def __init__(self, enemy, port, client, relay, plan):
        self.enemy, self.port, self.plan = enemy, port, plan
        self.flows = {UP: Flow(client, relay), DOWN: Flow(relay, client)}
        self.names = {client: "client", relay: "relay"}
        self.cut_at = None
        for s in (client, relay):
            s.setblocking(False)
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.alive = [client, relay]

    def on_event(self, sock, mask):
        flow = self.flows[UP] if self.flows[UP].source is sock else self.flows[DOWN]
        if mask & selectors.EVENT_READ:
            self.read(flow)
        self.push()

    def read(self, flow):
        try:
            data = flow.source.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            self.on_gone(flow.source)
            return
        if not data:
            flow.has_ended = True
            if flow.is_dropping:
                self.on_gone(flow.source)
        elif not flow.is_dropping:
            if not flow.held:
                flow.held_since = time.monotonic()
            flow.held += data

    def on_gone(self, sock):
        """A side has ended. The other is told, unless the link is cut silently."""
        if self.cut_at is not None and self.plan["how"] in SILENT:
            self.enemy.report(ended=self.names[sock], port=self.port, after_s=time.monotonic() - self.cut_at)
            self.drop(sock)
        else:
            self.end(is_reset=True)

    def push(self):
        for direction, flow in self.flows.items():
            if flow.sink in self.alive:
                self.push_flow(direction, flow)
        if len(self.alive) == 2 and all(f.is_shut for f in self.flows.values()):
            self.end(is_reset=False)

    def push_flow(self, direction, flow):
        limit = self.plan["offset"] if self.plan.get("direction") == direction and self.cut_at is None else None
        while not flow.is_dropping:
            if limit is not None and flow.passed == limit:
                self.cut(flow, direction)
                return
            if not flow.held or not self.is_ripe(flow):
                break
            most = self.plan.get("chunk", READ_BYTES)
            if limit is not None:
                most = min(most, limit - flow.passed)
            try:
                sent = flow.sink.send(flow.held[:most])
            except BlockingIOError:
                break
            except OSError:
                self.on_gone(flow.sink)
                return
            del flow.held[:sent]
            flow.passed += sent
        if flow.has_ended and not flow.held and not flow.is_shut and not flow.is_dropping:
            flow.is_shut = True
            try:
                flow.sink.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # it ended too
        self.enemy.want(self, flow)

    def is_ripe(self, flow):
        return (flow.has_ended or len(flow.held) >= self.plan.get("merge", 0)
                or time.monotonic() - flow.held_since >= MERGE_S)

    def cut(self, flow, direction):
        how = self.plan["how"]
        self.cut_at = time.monotonic()
        self.enemy.report(cut=how, port=self.port, direction=direction, offset=flow.passed)
        if how in ("close", "reset"):
            self.end(is_reset=how == "reset")
            return
        for f in self.flows.values():
            if f is flow or how != "mute":
                f.is_dropping = True
                f.held.clear()
        if how == "gone":
            self.drop(flow.sink, is_reset=True)

    def drop(self, sock, is_reset=False):
        if sock in self.alive:
            self.alive.remove(sock)
            self.enemy.close(sock, is_reset)

    def end(self, is_reset):
        if self.cut_at is None and len(self.alive) == 2:
            self.enemy.report(passed=[self.flows[UP].passed, self.flows[DOWN].passed], port=self.port)
        for s in list(self.alive):
            self.drop(s, is_reset)


class Proxy:
    """The enemy's own process."""

    def __init__(self, relay_port, listeners, control):
        self.relay_port, self.control = relay_port, control
        self.plans = {s.getsockname()[1]: [] for s in listeners}
        self.listeners = listeners
        self.links = []
        self.heard, self.reports = b"", bytearray()
        control.setblocking(False)

    def report(self, **what):
        """Nothing here waits for the test to read."""
        self.reports += json.dumps(what).encode() + b"\n"

    def hand_over(self):
        """Reports, as far as they are taken now; the rest when there is room."""
        try:
            while self.reports:
                del self.reports[:self.control.send(self.reports)]
        except BlockingIOError:
            pass
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self.reports else 0)
        if self.selector.get_key(self.control).events != events:
            self.selector.modify(self.control, events, None)

    def close(self, sock, is_reset):
        self.set_events(sock, 0, None)
        if is_reset:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()

    def want(self, link, flow):
        """What is waited for at the flow's sink: to write when something is held and ripe, to read until its end."""
        if flow.sink in link.alive:
            other = link.flows[DOWN] if flow is link.flows[UP] else link.flows[UP]
            events = selectors.EVENT_WRITE if flow.held and link.is_ripe(flow) else 0
            self.set_events(flow.sink, events | (0 if other.has_ended else selectors.EVENT_READ), link)

    def set_events(self, sock, events, link):
        key = self.selector.get_map().get(sock)
        if key is not None and events == 0:
            self.selector.unregister(sock)
        elif key is None and events != 0:
            self.selector.register(sock, events, (link, sock))
        elif key is not None and key.events != events:
            self.selector.modify(sock, events, (link, sock))

    def accept(self, listener):
        port = listener.getsockname()[1]
        client, _ = listener.accept()
        try:
            relay = socket.create_connection((HOST, self.relay_port))
        except OSError:  # the relay is down
            client.close()
            return
        plan = self.plans[port].pop(0) if self.plans[port] else {}
        link = Link(self, port, client, relay, plan)
        for s in (client, relay):
            self.set_events(s, selectors.EVENT_READ, link)
        self.links.append(link)
        link.push()

    def obey(self):
        try:
            data = self.control.recv(READ_BYTES)
        except BlockingIOError:  # there was only room to write
            return
        if not data:
            os._exit(0)  # the test has ended
        self.heard += data
        while b"\n" in self.heard:
            line, self.heard = self.heard.split(b"\n", 1)
            order = json.loads(line)
            if "port" in order:
                self.plans[order.pop("port")].append(order)
            else:
                self.forget()

    def forget(self):
        for plans in self.plans.values():
            plans.clear()
        for link in self.links:
            if link.cut_at is not None:
                for s in list(link.alive):
                    link.drop(s)
        self.report(forgot=True)

    def run(self):
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.control, selectors.EVENT_READ, None)
        for s in self.listeners:
            self.selector.register(s, selectors.EVENT_READ, None)
        while True:
            self.links = [k for k in self.links if k.alive]
            is_holding = any(f.held for k in self.links for f in k.flows.values())
            for key, mask in self.selector.select(MERGE_S if is_holding else None):
                if key.fileobj is self.control:
                    self.obey()
                elif key.fileobj in self.listeners:
                    self.accept(key.fileobj)
                elif key.fileobj in key.data[0].alive:
                    key.data[0].on_event(key.data[1], mask)
            for link in self.links:
                if is_holding and link.alive:
                    link.push()
            self.hand_over()


class Enemy:
    def __init__(self, relay_port, ports):
        """`ports`: how many it opens, or which."""
        self.listeners = [socket.create_server((HOST, p)) for p in (ports if isinstance(ports, list) else [0] * ports)]
        self.ports = [s.getsockname()[1] for s in self.listeners]
        self.control, theirs = socket.socketpair()
        keep = [s.fileno() for s in (*self.listeners, theirs)]
        self.pid = run_forked(keep, lambda: Proxy(relay_port, self.listeners, theirs))
        theirs.close()
        self.heard = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.pid:
            self.stop()

    def stop(self):
        """Its ports are free again."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self.control.close()
        for s in self.listeners:
            s.close()
        self.pid = None

    def plan(self, port, **plan):
        self.control.sendall(json.dumps({"port": port, **plan}).encode() + b"\n")

    def forget(self):
        """Returns the reports until then."""
        self.control.sendall(b"{}\n")
        return [r for r in self.wait_for(lambda r: "forgot" in r) if "forgot" not in r]

    def reports(self):
        self.control.setblocking(False)
        try:
            return self.read()
        except BlockingIOError:
            return []
        finally:
            self.control.setblocking(True)

    def read(self):
        self.heard += self.control.recv(READ_BYTES)
        *lines, self.heard = self.heard.split(b"\n")
        return [json.loads(line) for line in lines]

    def wait_for(self, is_it, timeout_s=60):
        """Reports up to the one that is waited for; TimeoutError if it does not come."""
        found = []
        self.control.settimeout(timeout_s)
        try:
            while not any(is_it(r) for r in found):
                found += self.read()
        finally:
            self.control.settimeout(None)
        return found
