"""A scripted client as a process of its own: sends, receives, acknowledges, comes back by itself, and survives kill -9.

It keeps its records (records.py) before it acts: a message before it is sent, a delivery before it is acknowledged. After
a kill it goes on from them. It judges nothing: what it was told goes into the records, for the checker.

Orders come over a socket, one JSON object a line: {"number": of this order, "offset": where this round's records begin, "send": how many messages,
"size": bytes of each, "receive": how many others will come, "read": whether to subscribe now, "again": whether to submit
again what has a receipt, "ping": whether a session must be seen to work, "anew": to begin with a new session, "kill": [point, n] or null}. It reports
"sent NUMBER" when each of its messages has a receipt, "done NUMBER" when all it should get was acknowledged and confirmed
too, and "hit POINT" before it kills itself.
"""
import hashlib
import json
import os
import select
import signal
import ssl
import sys
import time

from brug_client import (GoneAway, Refused, cut_varint, delimited, framed_digest, new_header, readers_and_copies,
                         referral_fields)
from records import Records
from wire import casefile, wire

RETRY_S = 0.01          # between two tries: a real client waits longer [P-28]
CHUNK_BYTES = 16384     # a TLS record: what was not taken is offered again as it is
CREDIT_MESSAGES, CREDIT_BYTES = 200, 16 << 20
AGAIN_MAX = 2
GONE = (GoneAway, Refused, ConnectionError, TimeoutError, ssl.SSLError, OSError)
POINTS = [f"{when}-{what}" for what in ("submit", "ack") for when in ("before", "after")] + [
    "before-record", "within-record", "after-record", "before-hello", "after-hello"]


def body(message_id, size):
    """Bytes that a client can make again after a kill."""
    return hashlib.shake_128(message_id).digest(size)


class Session:
    """A session that reads while it writes [P-26]: nothing here blocks after Hello."""

    def __init__(self, client, at):
        self.client, self.at = client, at
        self.out = []  # [kind, bytes, how many are sent]
        client.socket.setblocking(False)

    def close(self):
        self.client.close()

    def ask(self, kind, **frame):
        self.client.request += 1
        self.out.append([kind, delimited(wire.ClientFrame(request=self.client.request, **frame)), 0])
        return self.client.request

    def write(self):
        while self.out:
            kind, data, sent = self.out[0]
            if sent == 0:
                self.at("before-" + kind)
            try:
                self.out[0][2] += self.client.socket.send(data[sent:sent + CHUNK_BYTES])
            except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
                return
            if self.out[0][2] == len(data):
                self.out.pop(0)
                self.at("after-" + kind)

    def read(self):
        """The frames that have come."""
        try:
            while True:
                data = self.client.socket.recv(1 << 18)
                if not data:
                    raise GoneAway(0)
                self.client.received += data
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        frames, at = [], 0
        received = bytes(self.client.received)
        while found := cut_varint(received[at:at + 10]):
            begin = at + found[1]
            if len(received) < begin + found[0]:
                break
            at = begin + found[0]
            frames.append(wire.ServerFrame.FromString(received[begin:at]))
        del self.client.received[:at]
        return frames


class Scripted:
    def __init__(self, world, endpoint, path, control, port, patience_s):
        """`port`: the relay's or a proxy's. `patience_s`: how long it waits for an answer before it connects anew."""
        self.world, self.endpoint, self.path, self.control = world, endpoint, path, control
        self.port, self.patience_s = port, patience_s
        to = world.other(endpoint)
        self.to = to.id
        self.readers, self.copies = readers_and_copies(
            [world.readers_of_all[o] for o in (endpoint.organisation, to.id)], endpoint.endpoint)
        self.order, self.session, self.records, self.kill = None, None, None, None
        self.inbox = b""

    # ---- kills at named points ----

    def at(self, point):
        if self.kill and self.kill[0] == point:
            self.kill[1] -= 1
            if self.kill[1] == 0:
                self.report("hit " + point)
                os.kill(os.getpid(), signal.SIGKILL)

    def report(self, line):
        self.control.sendall(line.encode() + b"\n")

    # ---- orders ----

    def take_orders(self):
        data = self.control.recv(1 << 16)
        if not data:
            os._exit(0)  # the test has ended
        self.inbox += data
        while b"\n" in self.inbox:
            line, self.inbox = self.inbox.split(b"\n", 1)
            self.begin(json.loads(line))

    def begin(self, order):
        is_same_round = self.order and self.order["offset"] == order["offset"]
        self.order, self.kill = order, order["kill"]
        if not is_same_round:
            self.load()
        self.has_said_sent = self.has_said_done = self.has_pong = False
        if not is_same_round and order["anew"] or not order["read"] and self.session and self.is_subscribed:
            self.drop()  # without "read", what comes is to wait
        if self.session:
            self.subscribe_if_due()
            self.submit_rest()

    def load(self):
        if self.records:
            self.records.close()
        self.records = Records(self.path, self.order["offset"])
        self.unsent, self.receipted, self.stored, self.acked = {}, {}, {}, set()
        for word, *rest in self.records.words:
            if word == "session":
                continue
            message_id = bytes.fromhex(rest[0])
            if word == "wrote":
                header = bytes.fromhex(rest[4])
                self.unsent[message_id] = wire.Envelope(header=header, sealed=body(message_id, int(rest[3])))
            elif word == "receipt" and message_id in self.unsent:
                self.receipted[message_id] = self.unsent.pop(message_id)
            elif word == "stored":
                self.stored[message_id] = bytes.fromhex(rest[3])
            elif word == "acked":
                self.acked.add(message_id)
        for _ in range(self.order["send"] - len(self.unsent) - len(self.receipted)):
            self.write_message()
        self.records.commit(self.at)

    def write_message(self):
        header = new_header(casefile.KIND_NOTICE if self.endpoint.organisation == self.world.team.id
                            else casefile.KIND_REFERRAL, self.endpoint, self.world.town, self.to, self.readers,
                            self.copies, **({} if self.endpoint.organisation == self.world.team.id
                                            else referral_fields()))
        envelope = wire.Envelope(header=header.SerializeToString(),
                                 sealed=body(header.message_id, self.order["size"]))
        self.unsent[header.message_id] = envelope
        self.records.add("wrote", header.message_id, framed_digest(envelope), ",".join(r.hex() for r in self.readers),
                         self.order["size"], envelope.header)

    # ---- a session ----

    def connect(self):
        self.session = None
        try:
            client = self.world.connect(self.endpoint, hello=False, port=self.port, timeout=self.patience_s)
        except GONE:
            return
        try:
            self.at("before-hello")
            client.hello()
            self.at("after-hello")
        except GONE:
            client.close()
            return
        self.session = Session(client, self.at)
        self.is_subscribed, self.asked, self.credit = False, {}, [0, 0]
        self.records.add("session")
        self.records.commit(self.at)
        self.heard_at = time.monotonic()
        self.subscribe_if_due()
        self.submit_rest()
        for message_id in set(self.stored) - self.acked:  # the relay may not have heard us
            self.acknowledge(message_id)

    def drop(self):
        if self.session:
            self.session.close()
        self.session = None

    def subscribe_if_due(self):
        if self.order["read"] and not self.is_subscribed:
            self.session.ask("subscribe", subscribe=wire.Subscribe(messages=CREDIT_MESSAGES, bytes=CREDIT_BYTES))
            self.is_subscribed = True
        if self.order["ping"]:
            self.asked[self.session.ask("ping", ping=wire.Ping())] = ("pong", None)

    def submit_rest(self):
        """All without a receipt, and a few that have one: the answer must be the same [P-52]."""
        again = list(self.receipted.items())[:AGAIN_MAX] if self.order["again"] else []
        under_way = {m for kind, m in self.asked.values() if kind == "receipt"}
        for message_id, envelope in list(self.unsent.items()) + again:
            if message_id not in under_way:
                self.asked[self.session.ask("submit", submit=wire.Submit(envelope=envelope))] = ("receipt", message_id)

    def acknowledge(self, message_id):
        self.asked[self.session.ask("ack", ack=wire.Ack(
            organisation=self.stored[message_id], message_id=message_id,
            result=wire.ACK_RESULT_STORED))] = ("acked", message_id)

    def take(self, frames):
        """Into the records first; then acknowledged."""
        fresh = []
        for frame in frames:
            which = frame.WhichOneof("frame")
            if which == "deliver":
                fresh.append(self.take_delivery(frame.deliver))
            elif which == "go_away":
                raise GoneAway(frame.go_away.code)
            elif frame.request in self.asked:
                self.take_answer(which, frame, *self.asked.pop(frame.request))
        self.records.commit(self.at)
        for message_id in fresh:
            self.acknowledge(message_id)
        if self.credit[0]:
            self.session.ask("credit", credit=wire.Credit(messages=self.credit[0], bytes=self.credit[1]))
            self.credit = [0, 0]

    def take_delivery(self, d):
        header = wire.Header.FromString(d.envelope.header)
        organisation = getattr(header, "from").organisation
        self.records.add("stored", header.message_id, framed_digest(d.envelope), d.sequence, organisation)
        self.stored[header.message_id] = organisation
        self.credit[0] += 1
        self.credit[1] += d.envelope.ByteSize()
        return header.message_id

    def take_answer(self, which, frame, wanted, message_id):
        if which != wanted:
            raise RuntimeError(f"a {wanted} was due, not {frame}")  # a refusal: nothing here may be refused
        if which == "receipt":
            self.records.add("receipt", message_id, frame.receipt.SerializeToString())
            if message_id in self.unsent:
                self.receipted[message_id] = self.unsent.pop(message_id)
        elif which == "acked":
            self.records.add("acked", message_id)
            self.acked.add(message_id)
        else:
            self.has_pong = True

    def report_progress(self):
        order = self.order
        is_sent = not self.unsent and not any(kind == "receipt" for kind, _ in self.asked.values())
        if is_sent and not self.has_said_sent:
            self.has_said_sent = True
            self.report(f"sent {order['number']}")
        is_done = (is_sent and order["read"] and len(self.stored) >= order["receive"]
                   and self.acked >= self.stored.keys() and (self.has_pong or not order["ping"]))
        if is_done and not self.has_said_done:
            self.has_said_done = True
            self.report(f"done {order['number']}")

    def wait(self):
        """For the relay, for orders, or until patience ends."""
        if not self.session:
            ready = select.select([self.control], [], [], RETRY_S if self.order else None)[0]
            return [], ready
        s = self.session.client.socket
        waits = bool(self.asked) or bool(self.session.out)
        ready, _, _ = select.select([s, self.control], [s] if self.session.out else [], [],
                                    None if self.has_said_done and not waits else self.patience_s / 2)
        silent_s = time.monotonic() - self.heard_at
        if waits and s not in ready and silent_s > self.patience_s:
            raise TimeoutError("no answer")
        if not waits and not ready and silent_s > self.patience_s / 2:  # is it still there? [P-27]
            self.asked[self.session.ask("ping", ping=wire.Ping())] = ("pong", None)
        return [s] if s in ready else [], [self.control] if self.control in ready else []

    def step(self):
        readable, orders = self.wait()
        if orders:
            self.take_orders()
        if not self.order:
            return
        if not self.session:
            self.connect()
            return
        if readable:
            frames = self.session.read()
            self.heard_at = time.monotonic()
            self.take(frames)
        self.session.write()
        self.report_progress()

    def run(self):
        while True:
            try:
                self.step()
            except GONE:
                self.drop()


def run_forked(keep, make):
    """Forks; the child keeps only these descriptors, runs make().run() and never returns. Gives the child's pid."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    try:
        for fd in sorted(int(n) for n in os.listdir("/proc/self/fd")):
            if fd > 2 and fd not in keep:
                try:
                    os.close(fd)
                except OSError:
                    pass  # the listing's own
        make().run()
    except BaseException as e:  # whatever ends a child is told, and seen by its parent
        print(f"# process {os.getpid()}: {e!r}", file=sys.stderr, flush=True)
    os._exit(3)
