"""A scripted client as a process of its own: sends, receives, acknowledges, comes back by itself, and survives kill -9.

It keeps its records (records.py) before it acts: a message before it is sent, a delivery before it is acknowledged. After
a kill it goes on from them. It judges nothing: what it was told goes into the records, for the checker.

Orders come over a socket, one JSON object a line:

    number        of this order
    offset        where this round's records begin
    send, size    how many letters, and bytes of each
    receive       how many others' letters will come
    refuse        how many letters more, which must be refused and stay so: each is about a case that does not exist; a
                  practice opens that case afterwards, and then sends it once more (T3)
    unreadable_in acknowledges one in so many as unreadable, 0: none; each is told to its sender by FACTs, which come too
    opens         whether to say that a person opened what was readable
    looks         whether to ask for the directory, and, when all has settled, what became of the letters of the round before
    read          whether to subscribe now
    again         whether to submit again what has a receipt
    ping          whether a session must be seen to work
    anew          to begin with a new session
    replace       to begin with a new session while the old one is still there, which the relay then ends
    kill          [point, n] or null

It reports "sent NUMBER" when each of its messages has its answer, "done NUMBER" when all it should get was acknowledged and
confirmed too, and "hit POINT" before it kills itself.
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
                         referral_fields, uuid4)
from records import Records
from wire import casefile, wire

RETRY_S = 0.01          # between two tries: a real client waits longer [P-28]
CHUNK_BYTES = 16384     # a TLS record: what was not taken is offered again as it is
CREDIT_MESSAGES, CREDIT_BYTES = 200, 16 << 20
AGAIN_MAX = 2
GONE = (GoneAway, Refused, ConnectionError, TimeoutError, ssl.SSLError, OSError)
POINTS = [f"{when}-{what}" for what in ("submit", "ack", "opened") for when in ("before", "after")] + [
    "before-record", "within-record", "after-record", "before-hello", "after-hello"]
NOBODY = "-"
REMEMBERED = (wire.CODE_UNKNOWN_ADDRESSEE, wire.CODE_NO_READER, wire.CODE_NO_SUCH_CASE, wire.CODE_CASE_EXISTS,
              wire.CODE_NOT_ADDRESSABLE)


def body(message_id, size):
    """Bytes that a client can make again after a kill."""
    return hashlib.shake_128(message_id).digest(size)


def unreadable_code(message_id, endpoint, one_in):
    """What this reader says of it, the same each time; 0: it is readable."""
    chance = hashlib.sha256(message_id + endpoint).digest()
    return wire.CODE_LETTER_CONTENT if one_in and int.from_bytes(chance[:4], "big") % one_in == 0 else 0


def case_of(envelope):
    return wire.Header.FromString(envelope.header).case_id


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
        self.replaced = None  # a session that a new one is to end
        self.receipted = {}
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
            self.to_track = set(self.receipted) if order["looks"] else set()
            self.has_looked = not order["looks"]
            self.load()
        self.has_said_sent = self.has_said_done = self.has_pong = self.has_asked_again = False
        if not is_same_round and order["replace"] and self.session:
            self.replaced, self.session = self.session, None
        if not is_same_round and order["anew"] or not order["read"] and self.session and self.is_subscribed:
            self.drop()  # without "read", what comes is to wait
        if self.session:
            self.ask_what_is_due()
            self.submit_rest(order["again"])

    def load(self):
        if self.records:
            self.records.close()
        self.records = Records(self.path, self.order["offset"])
        self.unsent, self.receipted = {}, {}  # letters
        self.doomed, self.refused = {}, {}    # letters that must be refused
        self.stored, self.letters = {}, {}    # organisation by id; the senders of our organisation's letters
        self.acked, self.noted = set(), set()
        self.told = {}                        # FACTs: what they tell, by id
        for word, *rest in self.records.words:
            if word != "session":
                self.load_fact(word, bytes.fromhex(rest[0]), *rest[1:])
        for _ in range(self.order["refuse"] - len(self.doomed) - len(self.refused)):
            self.write_doomed()
        for _ in range(self.order["send"] - len(self.unsent) - len(self.receipted)):
            self.write_message()
        self.records.commit(self.at)

    def load_fact(self, word, message_id, *rest):
        if word == "wrote":
            envelope = wire.Envelope(header=bytes.fromhex(rest[3]), sealed=body(message_id, int(rest[2])))
            if rest[1] == NOBODY:
                self.doomed[message_id] = envelope
            else:
                self.unsent[message_id] = envelope
                self.letters[message_id] = self.endpoint.endpoint
        elif word == "receipt":
            self.note_receipt(message_id)
        elif word == "refused":
            self.note_refusal(message_id)
        elif word == "stored":
            self.note_letter(message_id, bytes.fromhex(rest[2]), bytes.fromhex(rest[3]))
        elif word == "fact":
            self.told[message_id] = bytes.fromhex(rest[2]), bytes.fromhex(rest[3])
        elif word == "acked":
            self.acked.add(message_id)
        elif word == "noted":
            self.noted.add(message_id)

    def note_receipt(self, message_id):
        self.doomed.pop(message_id, None)  # the checker will say so
        if message_id in self.unsent:
            self.receipted[message_id] = self.unsent.pop(message_id)

    def note_refusal(self, message_id):
        if message_id in self.doomed:
            self.refused[message_id] = self.doomed.pop(message_id)

    def note_letter(self, message_id, organisation, sender):
        self.stored[message_id] = organisation
        if organisation == self.endpoint.organisation:
            self.letters[message_id] = sender

    def write(self, kind, readers, **fields):
        header = new_header(kind, self.endpoint, self.world.town, self.to, self.readers, self.copies, **fields)
        envelope = wire.Envelope(header=header.SerializeToString(),
                                 sealed=body(header.message_id, self.order["size"]))
        self.records.add("wrote", header.message_id, framed_digest(envelope), readers, self.order["size"], envelope.header)
        return header.message_id, envelope

    def write_message(self):
        """A practice's first letter opens the case that a letter which must be refused was about."""
        kind, fields = casefile.KIND_NOTICE, {}
        if self.endpoint.organisation == self.world.practice.id:
            kind, fields = casefile.KIND_REFERRAL, referral_fields()
            opened = {case_of(e) for e in (*self.unsent.values(), *self.receipted.values())}
            for envelope in (*self.doomed.values(), *self.refused.values()):
                if case_of(envelope) not in opened:
                    fields["case_id"] = case_of(envelope)
        message_id, self.unsent[message_id] = self.write(kind, ",".join(r.hex() for r in self.readers), **fields)
        self.letters[message_id] = self.endpoint.endpoint

    def write_doomed(self):
        message_id, self.doomed[message_id] = self.write(casefile.KIND_NOTE, NOBODY, case_id=uuid4())

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
        if self.replaced:
            self.replaced.close()
            self.replaced = None
        self.session = Session(client, self.at)
        self.is_subscribed, self.asked, self.credit = False, {}, [0, 0]
        self.records.add("session", self.endpoint.organisation)
        self.records.commit(self.at)
        self.heard_at = time.monotonic()
        self.ask_what_is_due()
        self.submit_rest(self.order["again"])
        for message_id in (self.stored.keys() | self.told.keys()) - self.acked:  # the relay may not have heard us
            self.acknowledge(message_id)
        for message_id in self.acked - self.noted:
            self.say_opened(message_id)

    def drop(self):
        if self.session:
            self.session.close()
        self.session = None

    def ask_what_is_due(self):
        order, under_way = self.order, set(self.asked.values())
        if order["read"] and not self.is_subscribed:
            self.session.ask("subscribe", subscribe=wire.Subscribe(messages=CREDIT_MESSAGES, bytes=CREDIT_BYTES))
            self.is_subscribed = True
        if order["ping"]:
            self.asked[self.session.ask("ping", ping=wire.Ping())] = ("pong", None)
        if not self.has_looked and ("directory", None) not in under_way:
            self.asked[self.session.ask("look", get_directory=wire.GetDirectory(
                municipality=self.world.town))] = ("directory", None)
        for message_id in self.to_track:
            if ("tracked", message_id) not in under_way:
                self.asked[self.session.ask("track", track=wire.Track(
                    message_id=message_id))] = ("tracked", message_id)

    def submit_rest(self, again=False):
        """All without an answer, and a few that have a receipt: the answer must be the same [P-52]. What opens the case of
        a letter that must be refused goes after its refusal."""
        closed = {case_of(envelope) for envelope in self.doomed.values()}
        for message_id, envelope in (*self.doomed.items(), *self.unsent.items()):
            if message_id in self.doomed or not closed or case_of(envelope) not in closed:
                self.submit(message_id, envelope)
        for message_id, envelope in list(self.receipted.items())[:AGAIN_MAX if again else 0]:
            self.submit(message_id, envelope)

    def submit(self, message_id, envelope):
        if ("receipt", message_id) not in self.asked.values():
            self.asked[self.session.ask("submit", submit=wire.Submit(envelope=envelope))] = ("receipt", message_id)

    def code_of(self, message_id):
        """How it is acknowledged."""
        if message_id in self.told:
            return 0
        return unreadable_code(message_id, self.endpoint.endpoint, self.order["unreadable_in"])

    def acknowledge(self, message_id):
        code = self.code_of(message_id)
        self.asked[self.session.ask("ack", ack=wire.Ack(
            organisation=self.stored.get(message_id, b""), message_id=message_id, code=code,
            result=wire.ACK_RESULT_UNREADABLE if code else wire.ACK_RESULT_STORED))] = ("acked", message_id)

    def say_opened(self, message_id):
        if self.is_to_open(message_id):
            self.asked[self.session.ask("opened", opened=wire.Opened(
                organisation=self.stored[message_id], message_id=message_id,
                person=self.endpoint.person))] = ("noted", message_id)

    def is_to_open(self, message_id):
        return self.order["opens"] and message_id in self.stored and not self.code_of(message_id)

    def take(self, frames):
        """Into the records first; then acknowledged."""
        fresh, acked, were_doomed = [], [], len(self.doomed)
        for frame in frames:
            which = frame.WhichOneof("frame")
            if which == "deliver":
                fresh.append(self.take_delivery(frame.deliver))
            elif which == "go_away":
                raise GoneAway(frame.go_away.code)
            elif frame.request in self.asked:
                wanted, message_id = self.asked.pop(frame.request)
                self.take_answer(which, frame, wanted, message_id)
                if which == "acked":
                    acked.append(message_id)
        self.records.commit(self.at)
        for message_id in fresh:
            self.acknowledge(message_id)
        for message_id in acked:
            self.say_opened(message_id)
        if len(self.doomed) < were_doomed:
            self.submit_rest()
        if self.credit[0]:
            self.session.ask("credit", credit=wire.Credit(messages=self.credit[0], bytes=self.credit[1]))
            self.credit = [0, 0]

    def take_delivery(self, d):
        header = wire.Header.FromString(d.envelope.header)
        sender, message_id, digest = getattr(header, "from"), header.message_id, framed_digest(d.envelope)
        if header.kind == casefile.KIND_FACT:
            self.records.add("fact", message_id, digest, d.sequence, header.in_reply_to, header.about_endpoint,
                             header.fact_code)
            self.told[message_id] = header.in_reply_to, header.about_endpoint
        else:
            self.records.add("stored", message_id, digest, d.sequence, sender.organisation, sender.endpoint)
            self.note_letter(message_id, sender.organisation, sender.endpoint)
        self.credit[0] += 1
        self.credit[1] += d.envelope.ByteSize()
        return message_id

    def take_answer(self, which, frame, wanted, message_id):
        if which == "refused" and wanted == "receipt" and frame.refused.code in REMEMBERED:
            self.records.add("refused", message_id, frame.refused.code)
            self.note_refusal(message_id)
        elif which != wanted:
            raise RuntimeError(f"a {wanted} was due, not {frame}")  # nothing else may be refused
        elif which == "receipt":
            self.records.add("receipt", message_id, frame.receipt.SerializeToString())
            self.note_receipt(message_id)
        elif which == "acked":
            self.records.add("acked", message_id, self.code_of(message_id))
            self.acked.add(message_id)
        elif which == "noted":
            self.records.add("noted", message_id)
            self.noted.add(message_id)
        elif which == "tracked":
            self.take_tracked(frame.tracked)
        elif which == "directory":
            self.has_looked = True
        else:
            self.has_pong = True

    def take_tracked(self, t):
        def state(fact):
            return fact.unreadable or (0 if fact.fetched_at_ms else NOBODY)
        self.records.add("tracked", t.message_id, ",".join(
            f"{f.endpoint.hex()}:{state(f)}:{int(f.opened_at_ms > 0)}" for f in t.readers))
        self.to_track.discard(t.message_id)

    def untold(self):
        """FACTs that have yet to come: of our organisation's letters, what their readers cannot read."""
        everybody = {*self.readers, self.endpoint.endpoint}
        return {(m, reader) for m, sender in self.letters.items() for reader in everybody - {sender}
                if unreadable_code(m, reader, self.order["unreadable_in"])} - set(self.told.values())

    def has_all(self):
        """All that it should get has come, was acknowledged, and is confirmed."""
        return (len(self.stored) >= self.order["receive"] and self.acked >= self.stored.keys() | self.told.keys()
                and not self.untold() and self.noted >= {m for m in self.stored if self.is_to_open(m)})

    def report_progress(self):
        order = self.order
        is_sent = not self.unsent and not self.doomed and not any(kind == "receipt" for kind, _ in self.asked.values())
        if is_sent and not self.has_asked_again and self.refused:
            self.has_asked_again, is_sent = True, False
            for message_id, envelope in self.refused.items():  # the case may exist by now, and it stays refused
                self.submit(message_id, envelope)
        if is_sent and not self.has_said_sent:
            self.has_said_sent = True
            self.report(f"sent {order['number']}")
        is_done = (is_sent and order["read"] and self.has_all() and self.has_looked and not self.to_track
                   and (self.has_pong or not order["ping"]))
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
