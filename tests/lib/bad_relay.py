"""A relay that breaks one promise to one client: a control for the checkers. It stands between that client and the real
relay, with the relay's key on one side and the client's on the other, and passes every frame on but for one fault:

    lost      confirms a message that it never passed on
    dropped   keeps a delivery to itself, and acknowledges it in the client's name
    twice     delivers a message twice in a session
    back      delivers a message again after its Acked
    order     swaps two deliveries
    bytes     delivers other bytes than were sent
    receipt   answers the same bytes with another receipt
    none      breaks nothing: what the fault is compared with
"""
import select
import socket
import ssl

from brug_client import ALPN, cut_varint, delimited
from relay import HOST
from wire import wire

# fault -> the rule by which the checker must flag it
FAULTS = {"lost": "missing", "dropped": "missing", "twice": "repeat", "back": "back", "order": "order",
          "bytes": "bytes", "receipt": "receipt"}


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
    """Runs for ever, in a process of its own (scripted.run_forked)."""

    def __init__(self, world, endpoint, fault):
        self.world, self.endpoint, self.fault = world, endpoint, fault
        self.listener = socket.create_server((HOST, 0))
        self.port = self.listener.getsockname()[1]
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_3
        self.context.load_cert_chain(world.relay.path("relay.pem"), world.relay.path("relay.key"))
        self.context.set_alpn_protocols([ALPN])
        self.is_broken = fault == "none"  # the fault happens once
        self.held = None                  # a delivery that is kept back
        self.answered = set()             # ids that got a receipt
        self.mine = set()                 # requests that we made in the client's name

    def run(self):
        while True:
            plain, _ = self.listener.accept()
            client = self.context.wrap_socket(plain, server_side=True)
            upstream = self.world.connect(self.endpoint, hello=False)
            self.pass_on(Half(client, wire.ClientFrame), Half(upstream.socket, wire.ServerFrame))
            client.close()
            upstream.close()

    def pass_on(self, client, relay):
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
        if frame.WhichOneof("frame") == "submit":
            header = wire.Header.FromString(frame.submit.envelope.header)
            if self.breaks("lost"):
                client.send(wire.ServerFrame(request=frame.request, receipt=wire.Receipt(
                    message_id=header.message_id, stored_at_ms=header.written_at_ms)))
                return
        relay.send(frame)

    def from_relay(self, frame, relay, client):
        which = frame.WhichOneof("frame")
        if frame.request in self.mine and which == "acked":
            return
        if which == "deliver":
            self.deliver(frame, relay, client)
            return
        if which == "receipt":
            if frame.receipt.message_id in self.answered and self.breaks("receipt"):
                frame.receipt.stored_at_ms += 1
            self.answered.add(frame.receipt.message_id)
        client.send(frame)
        if which == "acked" and self.held is not None and message_id(self.held) == frame.acked.message_id:
            if self.breaks("back"):
                client.send(self.held)

    def deliver(self, frame, relay, client):
        header = wire.Header.FromString(frame.deliver.envelope.header)
        if self.breaks("dropped"):
            request = 1 << 40
            self.mine.add(request)
            relay.send(wire.ClientFrame(request=request, ack=wire.Ack(
                organisation=getattr(header, "from").organisation, message_id=header.message_id,
                result=wire.ACK_RESULT_STORED)))
            return
        if self.breaks("bytes"):
            frame.deliver.envelope.sealed = bytes([frame.deliver.envelope.sealed[0] ^ 1]) + frame.deliver.envelope.sealed[1:]
        if self.fault == "order" and not self.is_broken and self.held is None:
            self.held = frame
            return
        client.send(frame)
        if self.held is not None and self.breaks("order"):
            client.send(self.held)
        if self.fault == "back":
            self.held = self.held or frame
        if self.breaks("twice"):
            client.send(frame)
