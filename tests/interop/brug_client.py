"""A client of the relay in another language: from the .proto files, PROTOCOL.md and the ssl module only.

It does not seal: what it sends as `sealed` is opaque bytes, which the relay must not care about. One
object is one session; it is not thread-safe. Errors of the relay are raised as Refused and GoneAway.

    with Client(host, port, identity, key, relay_ca) as c:
        c.hello()
        receipt = c.submit(envelope)
"""
import hashlib
import os
import socket
import ssl
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from wire import casefile, wire  # noqa: E402

ALPN = "brug/1"  # [P-1]
PREFIX_BYTES_MAX = 5  # [P-9]


class Refused(Exception):
    """A Refused frame."""

    def __init__(self, frame):
        self.code = frame.code
        self.name = code_name(frame.code)
        self.field = frame.field
        self.passing = frame.passing
        self.retry_after_ms = frame.retry_after_ms
        self.message_id = frame.message_id
        super().__init__(f"{self.name} {self.field}".strip())


class GoneAway(Exception):
    """The connection ended, with GoAway or (code 0) without."""

    def __init__(self, code, why=""):
        self.code = code
        self.name = code_name(code) if code else ""
        super().__init__(self.name or why or "the connection ended")


def code_name(number):
    """The name of a code as in PROTOCOL.md's table; a later relay may use one that is unknown here."""
    try:
        return wire.Code.Name(number)[len("CODE_"):]
    except ValueError:
        return f"code {number}"


# ---- ids and envelopes ----

def uuid4():  # [P-36]
    b = bytearray(os.urandom(16))
    b[6] = b[6] & 0x0F | 0x40
    b[8] = b[8] & 0x3F | 0x80
    return bytes(b)


def uuid7(unix_ms=None):  # [P-34]
    ms = int(time.time() * 1000) if unix_ms is None else unix_ms
    b = bytearray(ms.to_bytes(6, "big") + os.urandom(10))
    b[6] = b[6] & 0x0F | 0x70
    b[8] = b[8] & 0x3F | 0x80
    return bytes(b)


def framed_digest(envelope):
    """What "the same bytes" means [P-51]."""
    h = hashlib.sha256()
    for part in (envelope.header, b"", envelope.sealed):
        h.update(len(part).to_bytes(8, "big") + part)
    return h.digest()


def readers_and_copies(rosters, own_endpoint):
    """From both organisations' rosters [P-44] [P-45]."""
    readers, copies = set(), set()
    for roster in rosters:
        for e in roster.endpoints:
            (copies if e.recovery else readers).add(e.endpoint)
    readers.discard(own_endpoint)
    return sorted(readers), sorted(copies)


def new_header(kind, me, municipality, to, readers, copies, **fields):
    """`me` has organisation, endpoint and person; `fields` are those of Header, such as case_id."""
    header = wire.Header(protocol=1, profile=1, message_id=uuid7(), kind=kind,
                         municipality=municipality, to=to, readers=readers, copies=copies,
                         written_at_ms=int(time.time() * 1000))
    sender = getattr(header, "from")
    sender.organisation, sender.endpoint, sender.person = me.organisation, me.endpoint, me.person
    for name, value in fields.items():
        if name == "moments":
            header.moments.extend(value)
        else:
            setattr(header, name, value)
    return header


def referral_fields():
    """What a REFERRAL needs [P-58]."""
    return {"case_id": uuid4(), "flags": wire.HEADER_FLAG_GROUND_RECORDED,
            "reason": casefile.REASON_PARENTING, "request_type": casefile.REQUEST_TYPE_CLARIFY}


def seal_nothing(header, size=1024):
    """An Envelope with random bytes where the letter would be."""
    return wire.Envelope(header=header.SerializeToString(), sealed=os.urandom(size))


# ---- frames ----

def delimited(message):
    data = message.SerializeToString()
    return varint(len(data)) + data


def varint(v):
    out = bytearray()
    while v > 0x7F:
        out.append(v & 0x7F | 0x80)
        v >>= 7
    out.append(v)
    return bytes(out)


def cut_varint(data):
    """(value, bytes used), or None while it is incomplete."""
    value = 0
    for i, byte in enumerate(data[:PREFIX_BYTES_MAX]):
        value |= (byte & 0x7F) << (7 * i)
        if byte < 0x80:
            return value, i + 1
    if len(data) >= PREFIX_BYTES_MAX:
        raise GoneAway(0, "the relay sent no frame")
    return None


class Client:
    def __init__(self, host, port, certificate, key, relay_ca, server_name=None, timeout=10.0,
                 context=None):
        """`certificate` is a PEM file with the identity certificate and its intermediates."""
        self.timeout = timeout
        self.request = 0
        self.received = bytearray()
        self.deliveries = []
        self.moved = []
        self.going = None
        self.answers = {}
        self.credit_due = [0, 0]
        self.me = None
        context = context or self.tls_context(certificate, key, relay_ca)
        plain = socket.create_connection((host, port), timeout=timeout)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.socket = context.wrap_socket(plain, server_hostname=server_name or host)
        except BaseException:
            plain.close()
            raise

    @staticmethod
    def tls_context(certificate, key, relay_ca):  # [P-1] [P-3] [P-4]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_verify_locations(relay_ca)
        context.load_cert_chain(certificate, key)
        context.set_alpn_protocols([ALPN])
        return context

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    # ---- sending and receiving ----

    def send_bytes(self, data):
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError) as e:
            self.drain()
            raise self.going or GoneAway(0, str(e)) from e

    def send(self, **frame):
        """Sends one ClientFrame and returns its request number."""
        self.request += 1
        self.send_bytes(delimited(wire.ClientFrame(request=self.request, **frame)))
        return self.request

    def drain(self):
        """Reads what is still there, so that a GoAway is seen."""
        try:
            while True:
                self.take(self.read_frame(time.monotonic() + 1))
        except (GoneAway, TimeoutError, OSError):
            pass

    def read_frame(self, deadline):
        while True:
            found = cut_varint(self.received)
            if found and len(self.received) >= sum(found):
                length, used = found
                data = bytes(self.received[used:used + length])
                del self.received[:used + length]
                return wire.ServerFrame.FromString(data)
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("no frame in time")
            self.socket.settimeout(left)
            try:
                data = self.socket.recv(1 << 16)
            except (ssl.SSLError, ConnectionResetError) as e:
                if isinstance(e, TimeoutError):
                    raise
                raise self.going or GoneAway(0, str(e)) from e
            if not data:
                raise self.going or GoneAway(0)
            self.received += data

    def take(self, frame):
        which = frame.WhichOneof("frame")
        if which == "deliver":
            self.deliveries.append(frame.deliver)
            self.credit_due[0] += 1
            self.credit_due[1] += frame.deliver.envelope.ByteSize()
        elif which == "go_away":
            self.going = GoneAway(frame.go_away.code)
            raise self.going
        elif which == "directory_moved":
            self.moved.append(frame.directory_moved.epoch)
        elif which is not None:  # [P-14]
            self.answers[frame.request] = frame

    def answer(self, request, timeout=None):
        """The answer to a request; Refused and GoneAway are raised."""
        deadline = time.monotonic() + (timeout or self.timeout)
        while request not in self.answers:
            self.take(self.read_frame(deadline))
        frame = self.answers.pop(request)
        if frame.WhichOneof("frame") == "refused":
            raise Refused(frame.refused)
        return getattr(frame, frame.WhichOneof("frame"))

    def call(self, **frame):
        return self.answer(self.send(**frame))

    # ---- requests ----

    def hello(self, low=1, high=1):
        self.me = self.call(hello=wire.Hello(protocol_min=low, protocol_max=high,
                                             software="brug-python 1"))
        return self.me

    def submit(self, envelope):
        return self.call(submit=wire.Submit(envelope=envelope))

    def subscribe(self, messages=1000, size=16 << 20):
        self.send(subscribe=wire.Subscribe(messages=messages, bytes=size))

    def give_credit(self):
        """Gives back what the deliveries so far have used [P-67]."""
        if self.credit_due[0]:
            self.send(credit=wire.Credit(messages=self.credit_due[0], bytes=self.credit_due[1]))
            self.credit_due = [0, 0]

    def next_delivery(self, timeout=None):
        """The next Deliver in order; TimeoutError when none comes."""
        deadline = time.monotonic() + (timeout or self.timeout)
        while not self.deliveries:
            self.take(self.read_frame(deadline))
        return self.deliveries.pop(0)

    def ack(self, delivery, code=0):
        header = wire.Header.FromString(delivery.envelope.header)
        return self.ack_id(getattr(header, "from").organisation, header.message_id, code)

    def ack_id(self, organisation, message_id, code=0):
        result = wire.ACK_RESULT_UNREADABLE if code else wire.ACK_RESULT_STORED
        return self.call(ack=wire.Ack(organisation=organisation, message_id=message_id,
                                      result=result, code=code))

    def opened(self, organisation, message_id, person):
        return self.call(opened=wire.Opened(organisation=organisation, message_id=message_id,
                                            person=person))

    def track(self, message_id):
        return self.call(track=wire.Track(message_id=message_id))

    def ping(self):
        return self.call(ping=wire.Ping())

    def get_directory(self, municipality, organisations=(), with_crls=False):
        """All pages [P-84]: a dict of OrganisationEntry by id, the epoch, and the CRLs."""
        entries, crls, after = {}, [], b""
        while True:
            page = self.call(get_directory=wire.GetDirectory(
                municipality=municipality, organisations=organisations, after=after,
                with_crls=with_crls))
            for entry in page.organisations:
                entries[wire.Roster.FromString(entry.roster).organisation] = entry
            crls += page.crls
            after = page.next
            if not after:
                return entries, page.epoch, crls
