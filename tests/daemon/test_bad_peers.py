"""Bad peers against a real relay: each gets its code, is counted once, and leaves everything else running.

One good client stays connected throughout and must go on working after every bad one.
"""
import json
import os
import socket
import ssl
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lib"), os.path.join(HERE, "..", "interop")]
from brug_client import (ALPN, GoneAway, Refused, delimited, new_header,  # noqa: E402
                         readers_and_copies, referral_fields, seal_nothing, varint)
from relay import HOST, Relay  # noqa: E402
from tap import expect, main  # noqa: E402
from wire import casefile, wire  # noqa: E402
from world import World  # noqa: E402


class Peers(World):
    def __init__(self, relay):
        super().__init__(relay)
        self.practice = relay.add_organisation("practice", "Huisartsen Kastanjehof", self.town)
        self.team = relay.add_organisation("team", "Sociaal team Voorbeeldstad", self.town)
        self.gp = self.enrol(self.practice, "M. van der Linde", "gp")
        self.guest = self.enrol(self.practice, "J. Jansen", "gp")
        self.consultant = self.enrol(self.team, "A. Smit", "consultant")
        relay.add_recovery(self.practice)
        relay.add_recovery(self.team)
        self.broken = os.path.join(relay.folder, "broken")
        relay.make_pki("broken", self.broken)
        relay.publish_crl()
        relay.restart()
        self.good = self.connect(self.gp)

    def count(self, name):
        """How often the relay refused with this code since its start."""
        status = json.loads(self.relay.ctl("--json", "status"))
        rows = {str(r["code"]).upper().replace("-", "_"): int(r["count"])
                for r in status.get("refused", [])}
        return rows.get(name, rows.get("CODE_" + name, 0))

    def wait_count(self, name, wanted):
        """Counting happens after the peer has seen its end."""
        deadline = time.monotonic() + 5
        while self.count(name) != wanted and time.monotonic() < deadline:
            time.sleep(0.02)
        assert self.count(name) == wanted, f"{name} was counted {self.count(name)} times, not {wanted}"

    def counted(self, name, act):
        """Does it, and sees that it is counted once and that the good client goes on."""
        before = self.count(name)
        act()
        self.wait_count(name, before + 1)
        self.good.ping()


def handshake(world, context, timeout=5):
    """Connects, says Hello, and returns what the relay sends until it closes; b"" after an alert."""
    with socket.create_connection((HOST, world.relay.port), timeout=timeout) as plain:
        try:
            with context.wrap_socket(plain, server_hostname=HOST) as s:
                s.sendall(delimited(wire.ClientFrame(request=1, hello=wire.Hello(
                    protocol_min=1, protocol_max=1))))
                data = b""
                while part := s.recv(65536):
                    data += part
                return data
        except (ssl.SSLError, ConnectionError):
            return b""


def context_with(world, certificate=None, key=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(world.relay.relay_ca)
    context.set_alpn_protocols([ALPN])
    if certificate:
        context.load_cert_chain(certificate, key)
    return context


def gp_context(world):
    return context_with(world, world.gp.identity_certificate, world.gp.identity_key)


def broken_context(world, name):
    path = os.path.join(world.broken, name)
    return context_with(world, path + ".pem", path + ".key")


def test_no_certificate(world):
    world.counted("TLS_NO_CERTIFICATE", lambda: handshake(world, context_with(world)))


def test_certificates_that_are_wrong(world):
    for name, code in (("other-ca", "TLS_UNKNOWN_CA"), ("expired", "TLS_EXPIRED"),
                       ("not-yet-valid", "TLS_EXPIRED"), ("revoked", "TLS_REVOKED"),
                       ("relay-as-identity", "TLS_WRONG_USE"), ("sealing-as-identity", "TLS_WRONG_USE"),
                       ("server-and-client", "TLS_WRONG_USE")):
        world.counted(code, lambda name=name: handshake(world, broken_context(world, name)))


def test_tls_1_2(world):
    context = gp_context(world)
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    world.counted("TLS_WRONG_PROTOCOL", lambda: handshake(world, context))


def test_wrong_alpn(world):
    context = gp_context(world)
    context.set_alpn_protocols(["h2"])
    world.counted("TLS_WRONG_PROTOCOL", lambda: handshake(world, context))


def test_garbage_instead_of_tls(world):
    def act():
        with socket.create_connection((HOST, world.relay.port), timeout=5) as s:
            s.sendall(b"GET / HTTP/1.1\r\n\r\n" * 50)
            while s.recv(65536):
                pass
    world.counted("TLS_BROKEN", act)


def test_not_enrolled(world):
    folder = os.path.join(world.relay.folder, "stranger")
    world.relay.make_pki("endpoint", "--org", "0b0b0b0b-0000-4000-8000-000000000001", "--org-name",
                         "Vreemd", "--name", "Systeem", "--endpoint",
                         "0b0b0b0b-0000-4000-8000-000000000003", folder)
    context = context_with(world, folder + "/identity.pem", folder + "/identity.key")
    world.counted("NOT_ENROLLED", lambda: handshake(world, context))


def session_ends(world, code, data, hello=True):
    """A session that sends these bytes is sent away with this code."""
    def act():
        with world.connect(world.guest, hello=hello) as c:
            c.send_bytes(data)
            expect(GoneAway, lambda: c.next_delivery(5), name=code)
    world.counted(code, act)


def test_hello_is_first_and_only_first(world):
    ping = delimited(wire.ClientFrame(request=1, ping=wire.Ping()))
    hello = delimited(wire.ClientFrame(request=1, hello=wire.Hello(protocol_min=1, protocol_max=1)))
    session_ends(world, "HELLO_EXPECTED", ping, hello=False)
    session_ends(world, "HELLO_EXPECTED", hello)


def test_a_version_that_the_relay_does_not_speak(world):
    hello = wire.ClientFrame(request=1, hello=wire.Hello(protocol_min=7, protocol_max=9))
    session_ends(world, "UPDATE_CLIENT", delimited(hello), hello=False)


def test_t15_frames_over_the_limit(world):
    session_ends(world, "FRAME_TOO_LARGE", varint(4097) + b"x" * 10, hello=False)
    session_ends(world, "FRAME_TOO_LARGE", varint(1 << 30))


def test_t28_frames_that_are_no_messages(world):
    for data in (b"\x00", b"\x81\x00", b"\xff" * 6, b"\x02\x0b\x0c", b"\x03\x0a\x01\x01",
                 b"\x04\x08\x01\x08\x01"):
        session_ends(world, "FRAME_MALFORMED", data)


def test_t28_frames_that_multiply_memory(world):
    header = b"\x92\x01\x00" * 10  # Ping ten times: two members of one oneof
    session_ends(world, "FRAME_MALFORMED", varint(len(header)) + header)
    request = b"\x12\x00" * 200000  # GetDirectory.organisations, each empty
    inner = b"\x82\x01" + varint(len(request)) + request
    session_ends(world, "FRAME_TOO_COMPLEX", varint(len(inner)) + inner)


def test_too_much_credit(world):
    frame = wire.ClientFrame(request=1, subscribe=wire.Subscribe(messages=1, bytes=1 << 40))
    session_ends(world, "CREDIT_EXCEEDED", delimited(frame))


def test_t15_a_submit_cut_off_anywhere_is_never_accepted(world):
    with world.connect(world.guest) as c:
        entries, _, _ = c.get_directory(world.town)
        rosters = [wire.Roster.FromString(entries[o].roster)
                   for o in (world.practice.id, world.team.id)]
        readers, copies = readers_and_copies(rosters, world.guest.endpoint)
        header = new_header(casefile.KIND_REFERRAL, world.guest, world.town, world.team.id, readers,
                            copies, **referral_fields())
        envelope = seal_nothing(header, 64)
        data = delimited(wire.ClientFrame(request=9, submit=wire.Submit(envelope=envelope)))
    for cut in sorted({1, 2, 3, len(data) // 3, len(data) // 2, len(data) - 1}):
        with world.connect(world.guest) as c:
            c.send_bytes(data[:cut])
    with world.connect(world.guest) as c:
        expect(Refused, lambda: c.track(header.message_id), name="NO_SUCH_MESSAGE")
        assert c.submit(envelope).message_id == header.message_id
    world.good.ping()


def test_requests_of_a_later_version(world):
    with world.connect(world.guest) as c:
        c.request += 1
        later = wire.ClientFrame(request=c.request).SerializeToString() + b"\x82\x02\x00"  # field 32
        c.send_bytes(varint(len(later)) + later)
        expect(Refused, lambda: c.answer(c.request), name="UPDATE_RELAY")
        c.ping()


def test_requests_with_bad_fields(world):
    with world.connect(world.guest) as c:
        expect(Refused, lambda: c.track(b"short"), name="ID_MALFORMED", field="track.message_id")
        expect(Refused, lambda: c.track(bytes(16)), name="ID_MALFORMED", field="track.message_id")
        expect(Refused, lambda: c.call(submit=wire.Submit()), name="REQUEST_MALFORMED")
        expect(Refused, lambda: c.call(put_absence=wire.PutAbsence(away_until_ms=-1)),
               name="REQUEST_MALFORMED")
        c.ping()


TESTS = [value for name, value in list(globals().items()) if name.startswith("test_")]

if __name__ == "__main__":
    with Relay() as relay:
        main(TESTS, Peers(relay))
