"""A relay that breaks one promise to one client: a control for the checkers. It stands between that client and the real
relay, with the relay's key on one side and the client's on the other, and passes every frame on but for one fault:

    lost      confirms a message that it never passed on
    dropped   keeps a delivery to itself, and acknowledges it in the client's name
    twice     delivers a message twice in a session
    back      delivers a message again after its Acked
    returns   the same, in the client's next session
    order     swaps two deliveries
    bytes     delivers other bytes than were sent
    receipt   answers the same bytes with another receipt
    forgets   answers a repeat of what it refused with a receipt
    stranger  delivers a message to its own sender
    silent    keeps every Acked to itself
    untold    keeps a FACT to itself, and acknowledges it in the client's name
    told      tells a FACT once more, as another message
    unopened  says in Tracked that nobody opened anything
    asleep    once the client has come back, never delivers what waited for it
    none      breaks nothing: what the fault is compared with
"""
import contextlib
import os
import select
import signal
import socket
import ssl
import threading
import time

from brug_client import ALPN, GoneAway, cut_varint, delimited, uuid7
from relay import HOST
from scripted import run_forked
from wire import casefile, wire

# fault -> the rule by which the checker must flag it
FAULTS = {"lost": "missing", "dropped": "missing", "twice": "repeat", "back": "back", "order": "order",
          "bytes": "bytes", "receipt": "receipt", "forgets": "refused", "stranger": "stranger", "silent": "unsettled",
          "untold": "fact", "told": "fact", "unopened": "tracked"}
UNFINISHED = ("lost", "dropped", "silent", "untold")  # with these, a client never has what it waits for


@contextlib.contextmanager
def bad_relay(world, endpoint, fault, port=0):
    """The port of one that runs in a process of its own."""
    bad = BadRelay(world, endpoint, fault, port)
    pid = run_forked([bad.listener.fileno()], lambda: bad)
    try:
        yield bad.port
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        bad.listener.close()


class Half:
    """One of the two connections: frames in, frames out."""

    def __init__(self, sock, kind):
        self.socket, self.kind, self.received = sock, kind, bytearray()

    def send(self, frame):
        self.socket.sendall(delimited(frame))

    def read(self):
        """The frames that came; None at the end."""
        data = self.socket.recv(1 << 18)
        while data and self.socket.pending():
            data += self.socket.recv(1 << 18)
        if not data:
            return None
        self.received += data
        frames = []
        while (found := cut_varint(bytes(self.received[:10]))) and len(self.received) >= sum(found):
            frames.append(self.kind.FromString(bytes(self.received[found[1]:sum(found)])))
            del self.received[:sum(found)]
        return frames


def message_id(frame):
    return wire.Header.FromString(frame.deliver.envelope.header).message_id


class BadRelay:
    """Runs for ever, in a process of its own (bad_relay)."""

    def __init__(self, world, endpoint, fault, port=0):
        self.world, self.endpoint, self.fault = world, endpoint, fault
        self.listener = socket.create_server((HOST, port))
        self.port = self.listener.getsockname()[1]
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_3
        self.context.load_cert_chain(world.relay.path("relay.pem"), world.relay.path("relay.key"))
        self.context.set_alpn_protocols([ALPN])
        self.is_broken = fault == "none"  # the fault happens once
        self.held = None                  # a delivery that is kept back, or kept in mind
        self.held_in, self.is_acked = 0, False
        self.kept = None                  # the id of what the client never gets
        self.answered, self.refused = set(), set()  # ids that got a receipt, or a refusal
        self.mine = set()                 # requests that we made in the client's name
        self.foreign = set()              # ids that only we delivered
        self.submitted = {}               # ids by request
        self.envelopes = {}               # what was submitted, by id
        self.sequence = 0                 # of the last delivery
        self.sessions, self.began_ms, self.generation = 0, 0, b""

    def run(self):
        """A thread each: an older session may lie there half open."""
        while True:
            plain, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(plain,), daemon=True).start()

    def serve(self, plain):
        try:
            self.stand_between(plain)
        except (OSError, GoneAway):  # an end that was not orderly, or nobody behind us
            plain.close()

    def stand_between(self, plain):
        plain.settimeout(5)
        client = self.context.wrap_socket(plain, server_side=True)
        client.settimeout(None)
        try:
            upstream = self.world.connect(self.endpoint, hello=False)
        except BaseException:
            client.close()
            raise
        self.sessions, self.began_ms = self.sessions + 1, time.time() * 1000
        try:
            self.pass_on(Half(client, wire.ClientFrame), Half(upstream.socket, wire.ServerFrame))
        finally:
            client.close()
            upstream.close()

    def pass_on(self, client, relay):
        """Until one of them ends."""
        while True:
            ready, _, _ = select.select([client.socket, relay.socket], [], [])
            for half, other, act in ((client, relay, self.from_client), (relay, client, self.from_relay)):
                if half.socket in ready:
                    frames = half.read()
                    if frames is None:
                        return
                    for frame in frames:
                        act(frame, half, other)

    def breaks(self, fault):
        if self.is_broken or fault != self.fault:
            return False
        self.is_broken = True
        return True

    def from_client(self, frame, client, relay):
        which = frame.WhichOneof("frame")
        if which == "submit":
            header = wire.Header.FromString(frame.submit.envelope.header)
            if header.kind != casefile.KIND_NOTE and self.breaks("lost"):
                client.send(wire.ServerFrame(request=frame.request, receipt=wire.Receipt(
                    message_id=header.message_id, stored_at_ms=header.written_at_ms, generation=self.generation)))
                return
            self.submitted[frame.request] = header.message_id
            self.envelopes[header.message_id] = frame.submit.envelope
        elif which == "ack" and frame.ack.message_id in self.foreign:
            client.send(wire.ServerFrame(request=frame.request, acked=wire.Acked(
                organisation=frame.ack.organisation, message_id=frame.ack.message_id)))
            return
        elif which == "opened" and frame.opened.message_id in self.foreign:
            client.send(wire.ServerFrame(request=frame.request, noted=wire.Noted()))
            return
        relay.send(frame)

    def from_relay(self, frame, relay, client):
        which = frame.WhichOneof("frame")
        if which == "acked" and (frame.request in self.mine or self.fault == "silent"):
            return
        if which == "deliver":
            self.deliver(frame, relay, client)
            return
        if which == "welcome":
            self.generation = frame.welcome.generation
        if which == "pong" and self.held is not None and self.held_in < self.sessions and self.is_acked:
            if self.breaks("returns"):
                client.send(self.held)
        if which == "tracked" and self.fault == "unopened":
            for reader in frame.tracked.readers:
                reader.opened_at_ms = 0
        if which == "refused":
            frame = self.refuse(frame)
        if which == "receipt":
            if frame.receipt.message_id in self.answered and self.breaks("receipt"):
                frame.receipt.stored_at_ms += 1
            self.answered.add(frame.receipt.message_id)
        client.send(frame)
        if which == "receipt" and self.breaks("stranger"):
            self.foreign.add(frame.receipt.message_id)
            client.send(wire.ServerFrame(deliver=wire.Deliver(
                sequence=self.sequence + 1, stored_at_ms=frame.receipt.stored_at_ms, attempt=1,
                envelope=self.envelopes[frame.receipt.message_id])))
        if which == "acked" and self.held is not None and message_id(self.held) == frame.acked.message_id:
            self.is_acked = True
            if self.breaks("back"):
                client.send(self.held)

    def refuse(self, frame):
        """What the client is told of it."""
        submitted = self.submitted.get(frame.request)
        if submitted in self.refused and self.breaks("forgets"):
            return wire.ServerFrame(request=frame.request, receipt=wire.Receipt(
                message_id=submitted, stored_at_ms=1, generation=self.generation))
        self.refused.add(submitted)
        return frame

    def keeps(self, identifier, fault):
        """One message, however often it comes: what we acknowledge may get lost with the connection."""
        if self.breaks(fault):
            self.kept = identifier
        return identifier == self.kept

    def deliver(self, frame, relay, client):
        header = wire.Header.FromString(frame.deliver.envelope.header)
        self.sequence = frame.deliver.sequence
        is_told = header.kind >= casefile.KIND_REMINDER  # by the relay itself
        if self.fault == "asleep" and self.sessions > 1 and frame.deliver.stored_at_ms < self.began_ms:
            return
        if self.keeps(header.message_id, "untold" if is_told else "dropped"):
            request = (1 << 40) + len(self.mine)
            self.mine.add(request)
            relay.send(wire.ClientFrame(request=request, ack=wire.Ack(
                organisation=getattr(header, "from").organisation, message_id=header.message_id,
                result=wire.ACK_RESULT_STORED)))
            return
        if not is_told and self.breaks("bytes"):
            frame.deliver.envelope.sealed = bytes([frame.deliver.envelope.sealed[0] ^ 1]) + frame.deliver.envelope.sealed[1:]
        if self.fault == "order" and not self.is_broken and self.held is None:
            self.held = frame
            return
        client.send(frame)
        if is_told and self.breaks("told"):
            header.message_id = uuid7()
            self.foreign.add(header.message_id)
            frame.deliver.sequence += 1
            frame.deliver.envelope.header = header.SerializeToString()
            client.send(frame)
        if self.held is not None and self.breaks("order"):
            client.send(self.held)
        if self.fault in ("back", "returns") and not self.is_acked:
            self.held, self.held_in = frame, self.sessions
        if self.breaks("twice"):
            client.send(frame)
