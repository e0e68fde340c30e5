"""A storm of kills over a real relay under load (T8), and the checker that knows only what the clients saw.

Several senders submit, several readers receive and acknowledge, each as a client that survives what the relay does
not: it keeps what it sent until the receipt, stores what it receives before it acknowledges, and comes back with
the same bytes after every cut. Meanwhile the relay is killed with -9 at random. At the end of each round everything that
got a receipt must have reached every reader; what was confirmed as acknowledged must never come again.

    Storm(relay, seed).run(rounds, messages)   raises Violation with what broke the promise
"""
import json
import os
import random
import socket
import ssl
import sys
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "interop"))
from brug_client import (Client, GoneAway, Refused, framed_digest, new_header,  # noqa: E402
                         readers_and_copies, referral_fields, seal_nothing)
from relay import HOST  # noqa: E402
from wire import casefile, wire  # noqa: E402

ROUND_S_MAX = 120
WINDOW = 32
KILLS_PER_ROUND_MAX = 3
GONE = (GoneAway, ConnectionError, socket.timeout, TimeoutError, ssl.SSLError, OSError)


class Violation(Exception):
    """A promise was broken."""


class World:
    """Three practices of a GP who sends and a colleague who reads, one team of three consultants.

    A sender's own mailbox stays empty, so that one session of an endpoint does one thing.
    """

    def __init__(self, relay):
        self.relay = relay
        self.town = relay.add_municipality("Voorbeeldstad")
        self.team = relay.add_organisation("team", "Sociaal team", self.town)
        self.senders = []
        self.readers = [relay.enrol(self.team, relay.add_person(self.team, f"Consulent {n}", "consultant"))
                        for n in "123"]
        for n in "ABC":
            practice = relay.add_organisation("practice", f"Praktijk {n}", self.town)
            sender, reader = (relay.enrol(practice, relay.add_person(practice, f"Arts {k}", "gp")) for k in "12")
            self.senders.append(sender)
            self.readers.append(reader)

    def connect(self, endpoint):
        client = Client(HOST, self.relay.port, endpoint.identity_certificate, endpoint.identity_key,
                        self.relay.relay_ca, timeout=20)
        try:
            client.hello()
        except BaseException:
            client.close()
            raise
        return client

    def rosters(self):
        with self.connect(self.readers[0]) as c:
            entries, _, _ = c.get_directory(self.town)
        return {o: wire.Roster.FromString(e.roster) for o, e in entries.items()}


class Sender:
    """Keeps the exact bytes of each message until its receipt, over any number of sessions."""

    def __init__(self, world, endpoint, rosters, rng):
        self.world, self.endpoint, self.rng = world, endpoint, rng
        self.readers, self.copies = readers_and_copies(
            [rosters[endpoint.organisation], rosters[world.team.id]], endpoint.endpoint)
        self.unsent = {}    # message id -> Envelope
        self.receipts = {}  # message id -> (Envelope, serialised Receipt)

    def write(self, count):
        for _ in range(count):
            header = new_header(casefile.KIND_REFERRAL, self.endpoint, self.world.town, self.world.team.id,
                                self.readers, self.copies, **referral_fields())
            self.unsent[header.message_id] = seal_nothing(header, size=self.rng.choice([10, 1000, 5000, 100_000]))

    def run_session(self):
        """Submits all that has no receipt, and a few that have one: the answer must be the same."""
        again = self.rng.sample(sorted(self.receipts), min(3, len(self.receipts)))
        work = list(self.unsent.items()) + [(m, self.receipts[m][0]) for m in again]
        with self.world.connect(self.endpoint) as c:
            asked = {}
            while work or asked:
                while work and len(asked) < WINDOW:
                    message_id, envelope = work.pop()
                    asked[c.send(submit=wire.Submit(envelope=envelope))] = message_id
                c.take(c.read_frame(time.monotonic() + c.timeout))
                for request in [r for r in asked if r in c.answers]:
                    self.note(asked.pop(request), c.answers.pop(request))

    def note(self, message_id, frame):
        if frame.WhichOneof("frame") != "receipt":
            raise Violation(f"a submit was answered with {frame}")
        receipt = frame.receipt.SerializeToString()
        if message_id in self.receipts:
            if self.receipts[message_id][1] != receipt:
                raise Violation(f"T1: another receipt for the same bytes of {message_id.hex()}")
            return
        self.receipts[message_id] = (self.unsent.pop(message_id), receipt)

    def is_done(self):
        return not self.unsent


class Reader:
    """Stores before it acknowledges; remembers for which messages the relay said Acked."""

    def __init__(self, world, endpoint):
        self.world, self.endpoint = world, endpoint
        self.stored = {}    # message id -> digest of the envelope
        self.senders = {}   # message id -> sending organisation
        self.acked = set()
        self.wanted = lambda: True

    def run_session(self):
        with self.world.connect(self.endpoint) as c:
            c.subscribe(50, 4 << 20)
            seen, last = set(), 0
            asked = {self.send_ack(c, m): m for m in set(self.stored) - self.acked}  # it may not have heard us
            while not (self.wanted() and self.is_settled()):
                try:
                    c.take(c.read_frame(time.monotonic() + 0.2))
                except TimeoutError:
                    continue
                for d in c.deliveries:
                    if d.sequence <= last:
                        raise Violation(f"order: {d.sequence} came after {last} in one session")
                    last = d.sequence
                    asked[self.store(c, d, seen)] = wire.Header.FromString(d.envelope.header).message_id
                c.deliveries.clear()
                for request in [r for r in asked if r in c.answers]:
                    if c.answers.pop(request).WhichOneof("frame") != "acked":
                        raise Violation("an acknowledgement was refused")
                    self.acked.add(asked.pop(request))
                c.give_credit()

    def store(self, c, d, seen):
        header = wire.Header.FromString(d.envelope.header)
        message_id = header.message_id
        if message_id in self.acked:
            raise Violation(f"{message_id.hex()} came back after its Acked")
        if message_id in seen:
            raise Violation(f"{message_id.hex()} came twice in one session")
        seen.add(message_id)
        digest = framed_digest(d.envelope)
        if self.stored.setdefault(message_id, digest) != digest:
            raise Violation(f"{message_id.hex()} came with other bytes")
        self.senders[message_id] = getattr(header, "from").organisation
        return self.send_ack(c, message_id)

    def send_ack(self, c, message_id):
        return c.send(ack=wire.Ack(organisation=self.senders[message_id], message_id=message_id,
                                   result=wire.ACK_RESULT_STORED))

    def is_settled(self):
        return len(self.acked) == len(self.stored)


class Storm:
    def __init__(self, relay, seed):
        self.relay = relay
        self.rng = random.Random(seed)
        self.world = World(relay)
        rosters = self.world.rosters()
        self.senders = [Sender(self.world, e, rosters, random.Random(self.rng.random())) for e in self.world.senders]
        self.readers = [Reader(self.world, e) for e in self.world.readers]
        self.failures = []
        self.kills = 0

    def expected(self, reader):
        """Ids of all receipted messages that this reader must have."""
        return {m for s in self.senders if reader.endpoint.endpoint in s.readers for m in s.receipts}

    def client_thread(self, client, is_done):
        """Sessions one after the other, however often the relay dies, until done."""
        def loop():
            while not is_done() and not self.failures:
                try:
                    client.run_session()
                except Violation as e:
                    self.failures.append(e)
                except (Refused, *GONE):
                    time.sleep(0.01)  # the relay is down; a client would wait longer
        thread = threading.Thread(target=loop, daemon=True)
        thread.start()
        return thread

    def run_round(self, messages):
        for i, sender in enumerate(self.senders):
            sender.write(messages // len(self.senders) + (i < messages % len(self.senders)))
        all_sent = lambda: all(s.is_done() for s in self.senders)  # noqa: E731
        threads = [self.client_thread(s, s.is_done) for s in self.senders]
        for reader in self.readers:
            reader.wanted = lambda r=reader: all_sent() and self.expected(r) <= set(r.stored)
            threads.append(self.client_thread(reader, lambda r=reader: r.wanted() and r.is_settled()))
        deadline = time.monotonic() + ROUND_S_MAX
        for _ in range(self.rng.randint(1, KILLS_PER_ROUND_MAX)):
            time.sleep(self.rng.expovariate(1 / 0.12))
            self.relay.restart()
            self.kills += 1
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        if self.failures:
            raise self.failures[0]
        if any(t.is_alive() for t in threads):
            raise Violation("not all arrived: " + self.what_is_missing())

    def what_is_missing(self):
        unsent = sum(len(s.unsent) for s in self.senders)
        missing = sum(len(self.expected(r) - set(r.stored)) for r in self.readers)
        unacked = sum(len(r.stored) - len(r.acked) for r in self.readers)
        return f"{unsent} without a receipt, {missing} receipted but not delivered, {unacked} without Acked"

    def check_end(self):
        """After a last kill nothing may come any more, and nothing but what was sent may have come."""
        self.relay.restart()
        for reader in self.readers:
            if set(reader.stored) != self.expected(reader):
                raise Violation("a reader has what nobody sent to it, or lacks what was")
            with self.world.connect(reader.endpoint) as c:
                c.subscribe()
                c.get_directory(self.world.town)  # judged after the subscription, answered after what it brought
                if c.deliveries:
                    raise Violation("something came back after its Acked")
        status = json.loads(self.relay.ctl("status", "--json"))
        if status["waiting_messages"] != 0:
            raise Violation(f"the relay counts {status['waiting_messages']} waiting messages, the clients none")
        originals = {m: framed_digest(e) for s in self.senders for m, (e, _) in s.receipts.items()}
        for reader in self.readers:
            for message_id, digest in reader.stored.items():
                if originals[message_id] != digest:
                    raise Violation(f"{message_id.hex()} arrived with other bytes than were sent")

    def run(self, rounds, messages, progress=lambda n: None):
        for n in range(rounds):
            self.run_round(messages)
            progress(n + 1)
        self.check_end()
