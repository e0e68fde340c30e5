"""A client in another language against a real relay: sends, receives, acknowledges, repeats, tracks.

The bodies are random bytes: the relay must not care what is sealed [I7].
"""
import hashlib
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from brug_client import (GoneAway, Refused, framed_digest, new_header,  # noqa: E402
                         readers_and_copies, referral_fields, seal_nothing, uuid4, uuid7)
from relay import Relay, sign, COUNTERSIGNATURE_LABEL  # noqa: E402
from tap import expect, main  # noqa: E402
from wire import casefile, wire  # noqa: E402
from world import World  # noqa: E402


class Correspondents(World):
    """A practice of one GP and a team of two consultants, each with a recovery entry."""

    def __init__(self, relay):
        super().__init__(relay)
        self.practice = relay.add_organisation("practice", "Huisartsen Kastanjehof", self.town)
        self.team = relay.add_organisation("team", "Sociaal team Voorbeeldstad", self.town)
        self.gp = self.enrol(self.practice, "M. van der Linde", "gp")
        self.first = self.enrol(self.team, "A. de Vries", "consultant")
        self.second = self.enrol(self.team, "B. Smit", "consultant")
        relay.add_recovery(self.practice)
        self.team_recovery = relay.add_recovery(self.team)
        self.referral = None
        self.receipt = None

    def header(self, client, sender, kind, to, **fields):
        """With readers and copies from the directory as this client sees it."""
        entries, _, _ = client.get_directory(self.town)
        rosters = [wire.Roster.FromString(entries[o].roster)
                   for o in {sender.organisation, to.id}]
        readers, copies = readers_and_copies(rosters, sender.endpoint)
        return new_header(kind, sender, self.town, to.id, readers, copies, **fields)


def test_welcome_says_who_we_are(world):
    with world.connect(world.gp) as c:
        assert c.me.protocol == 1
        assert (c.me.organisation, c.me.person, c.me.endpoint) == (
            world.gp.organisation, world.gp.person, world.gp.endpoint)
        assert c.me.role == wire.ROLE_GP
        assert c.me.limits.frame_bytes_max >= c.me.limits.message_bytes_max
        assert c.ping().server_time_ms > 0


def test_the_directory_lists_both_organisations(world):
    with world.connect(world.gp) as c:
        entries, epoch, crls = c.get_directory(world.town, with_crls=True)
        assert {world.practice.id, world.team.id} <= set(entries)
        assert epoch.municipality == world.town and epoch.epoch > 0
        assert crls
        roster = wire.Roster.FromString(entries[world.team.id].roster)
        ids = [e.endpoint for e in roster.endpoints]
        assert ids == sorted(ids) and len(ids) == 3
        only, _, _ = c.get_directory(world.town, organisations=[world.team.id, uuid4()])
        assert set(only) == {world.team.id}
        expect(Refused, lambda: c.get_directory(uuid4()), name="NO_SUCH_OBJECT")


def test_t1_a_referral_is_receipted_and_its_repeat_too(world):
    with world.connect(world.gp) as c:
        header = world.header(c, world.gp, casefile.KIND_REFERRAL, world.team, **referral_fields())
        world.referral = seal_nothing(header)
        world.receipt = c.submit(world.referral)
        assert world.receipt.message_id == header.message_id
        assert world.receipt.generation == c.me.generation
        assert c.submit(world.referral) == world.receipt
    with world.connect(world.gp) as c:
        assert c.submit(world.referral) == world.receipt


def test_t2_other_bytes_under_the_same_id_are_refused(world):
    other = wire.Envelope(header=world.referral.header, sealed=os.urandom(1024))
    assert framed_digest(other) != framed_digest(world.referral)
    with world.connect(world.gp) as c:
        expect(Refused, lambda: c.submit(other), name="ID_REUSED", passing=False)
        assert c.submit(world.referral) == world.receipt


def test_nothing_comes_before_subscribe(world):
    with world.connect(world.first) as c:
        c.ping()
        expect(TimeoutError, lambda: c.next_delivery(0.3))


def test_both_consultants_receive_the_exact_bytes(world):
    for endpoint in (world.first, world.second):
        with world.connect(endpoint) as c:
            c.subscribe()
            d = c.next_delivery()
            assert d.envelope == world.referral
            assert d.stored_at_ms == world.receipt.stored_at_ms and d.attempt == 1
            expect(TimeoutError, lambda: c.next_delivery(0.3))


def test_unacknowledged_comes_again_on_a_new_session(world):
    with world.connect(world.first) as c:
        c.subscribe()
        d = c.next_delivery()
        assert d.envelope == world.referral and d.attempt == 2
        acked = c.ack(d)
        assert acked.message_id == world.receipt.message_id
        assert acked.organisation == world.practice.id
        assert c.ack(d) == acked
    with world.connect(world.first) as c:
        c.subscribe()
        expect(TimeoutError, lambda: c.next_delivery(0.3))


def test_track_tells_only_what_happened(world):
    with world.connect(world.gp) as c:
        facts = {f.endpoint: f for f in c.track(world.receipt.message_id).readers}
        assert set(facts) == {world.first.endpoint, world.second.endpoint}
        assert facts[world.first.endpoint].fetched_at_ms >= world.receipt.stored_at_ms
        assert facts[world.second.endpoint].fetched_at_ms == 0
        assert facts[world.first.endpoint].opened_at_ms == 0
    with world.connect(world.first) as c:
        c.opened(world.practice.id, world.receipt.message_id, world.first.person)
    with world.connect(world.gp) as c:
        facts = {f.endpoint: f for f in c.track(world.receipt.message_id).readers}
        assert facts[world.first.endpoint].opened_at_ms > 0
        assert facts[world.first.endpoint].opened_by == world.first.person


def test_all_that_was_answered_survives_a_kill(world):
    world.relay.restart()
    with world.connect(world.gp) as c:
        assert c.submit(world.referral) == world.receipt
        facts = {f.endpoint: f for f in c.track(world.receipt.message_id).readers}
        assert facts[world.first.endpoint].opened_by == world.first.person
    with world.connect(world.first) as c:
        c.subscribe()
        expect(TimeoutError, lambda: c.next_delivery(0.3))
    with world.connect(world.second) as c:
        c.subscribe()
        d = c.next_delivery()
        assert d.envelope == world.referral
        c.ack(d)


def test_t7_acknowledging_one_leaves_the_other(world):
    case = wire.Header.FromString(world.referral.header).case_id
    with world.connect(world.gp) as c:
        notes = [seal_nothing(world.header(c, world.gp, casefile.KIND_NOTE, world.team, case_id=case))
                 for _ in range(2)]
        for note in notes:
            c.submit(note)
    with world.connect(world.first) as c:
        c.subscribe()
        a, b = c.next_delivery(), c.next_delivery()
        assert [a.envelope, b.envelope] == notes and a.sequence < b.sequence
        c.ack(a)
    with world.connect(world.first) as c:
        c.subscribe()
        assert c.next_delivery().envelope == notes[1]
        c.ack(b)


def test_an_answer_reaches_the_gp_and_the_colleague(world):
    case = wire.Header.FromString(world.referral.header).case_id
    with world.connect(world.second) as c:
        c.subscribe()
        while True:  # what the test before left for this endpoint
            try:
                c.ack(c.next_delivery(0.3))
            except TimeoutError:
                break
    with world.connect(world.first) as c:
        answer = seal_nothing(world.header(c, world.first, casefile.KIND_NOTE, world.practice,
                                           case_id=case,
                                           in_reply_to=world.receipt.message_id))
        c.submit(answer)
    for endpoint in (world.gp, world.second):
        with world.connect(endpoint) as c:
            c.subscribe()
            d = c.next_delivery()
            assert d.envelope == answer
            c.ack(d)


def test_unreadable_is_told_to_the_sender_by_the_relay(world):
    case = wire.Header.FromString(world.referral.header).case_id
    with world.connect(world.gp) as c:
        note = seal_nothing(world.header(c, world.gp, casefile.KIND_NOTE, world.team, case_id=case))
        c.submit(note)
        message_id = wire.Header.FromString(note.header).message_id
    with world.connect(world.first) as c:
        c.subscribe()
        c.ack(c.next_delivery(), wire.CODE_LETTER_DECRYPT)
    with world.connect(world.gp) as c:
        c.subscribe()
        d = c.next_delivery()
        header = wire.Header.FromString(d.envelope.header)
        assert not d.envelope.sealed and not header.HasField("from")
        assert header.kind == casefile.KIND_FACT and header.message_id[6] >> 4 == 8
        assert header.in_reply_to == message_id
        assert header.fact_code == wire.CODE_LETTER_DECRYPT
        assert header.about_endpoint == world.first.endpoint
        c.ack(d)
        facts = {f.endpoint: f for f in c.track(message_id).readers}
        assert facts[world.first.endpoint].fetched_at_ms == 0
        assert facts[world.first.endpoint].unreadable == wire.CODE_LETTER_DECRYPT
    with world.connect(world.second) as c:
        c.subscribe()
        c.ack(c.next_delivery())


def test_credit_is_kept(world):
    with world.connect(world.first) as c:
        notices = [seal_nothing(world.header(c, world.first, casefile.KIND_NOTICE, world.practice))
                   for _ in range(5)]
        for notice in notices:
            c.submit(notice)
    with world.connect(world.gp) as c:
        c.subscribe(messages=2)
        got = [c.next_delivery(), c.next_delivery()]
        expect(TimeoutError, lambda: c.next_delivery(0.3))
        c.give_credit()
        got += [c.next_delivery(), c.next_delivery()]
        expect(TimeoutError, lambda: c.next_delivery(0.3))
        c.give_credit()
        got.append(c.next_delivery())
        assert [d.envelope for d in got] == notices
        for d in got:
            c.ack(d)
    with world.connect(world.second) as c:
        c.subscribe()
        for _ in notices:
            c.ack(c.next_delivery())


def test_refusals_each_have_their_code(world):
    with world.connect(world.gp) as c:
        def refused(name, field=None, **changes):
            header = world.header(c, world.gp, casefile.KIND_REFERRAL, world.team, **referral_fields())
            for key, value in changes.items():
                if key == "readers":
                    del header.readers[:]
                    header.readers.extend(value)
                elif value is None:
                    header.ClearField(key)
                else:
                    setattr(header, key, value)
            attributes = {"name": name} if field is None else {"name": name, "field": field}
            expect(Refused, lambda: c.submit(seal_nothing(header)), **attributes)

        refused("UPDATE_SENDER", "header.protocol", protocol=9)
        refused("UPDATE_RELAY", "header.kind", kind=casefile.KIND_FACT)
        refused("UPDATE_RELAY", "header.kind", kind=24)
        refused("ID_MALFORMED", case_id=b"short")
        refused("CODE_MISSING", "header.reason", reason=0)
        refused("CODE_UNKNOWN", "header.reason", reason=99)
        refused("CODE_MISSING", "header.flags", flags=0)
        refused("FIELD_NOT_ALLOWED", "header.outcome", outcome=casefile.OUTCOME_STOPPED)
        refused("UNKNOWN_ADDRESSEE", to=uuid4())
        refused("UNKNOWN_ADDRESSEE", municipality=uuid4())
        refused("DIRECTORY_CHANGED", readers=[])
        refused("CASE_EXISTS", case_id=wire.Header.FromString(world.referral.header).case_id)
        refused("CLOCK_AHEAD", message_id=uuid7(1 << 44))
        header = world.header(c, world.gp, casefile.KIND_NOTE, world.team, case_id=uuid4())
        note = seal_nothing(header)
        expect(Refused, lambda: c.submit(note), name="NO_SUCH_CASE")
        expect(Refused, lambda: c.submit(note), name="NO_SUCH_CASE")  # remembered (T3)
        expect(Refused, lambda: c.submit(wire.Envelope(header=note.header)), name="NOTHING_SEALED")
        expect(Refused, lambda: c.submit(wire.Envelope(header=b"\xff", sealed=b"x")),
               name="HEADER_MALFORMED")
        header = world.header(c, world.gp, casefile.KIND_NOTE, world.team, case_id=uuid4())
        getattr(header, "from").endpoint = world.first.endpoint
        expect(Refused, lambda: c.submit(seal_nothing(header)), name="SENDER_MISMATCH")
        hidden = world.header(c, world.gp, casefile.KIND_REFERRAL, world.team, **referral_fields())
        envelope = seal_nothing(hidden)
        envelope.header += b"\xc2\x3e\x06Jantje"  # an unknown field [P-13]
        expect(Refused, lambda: c.submit(envelope), name="HEADER_MALFORMED")
    with world.connect(world.first) as c:
        header = world.header(c, world.first, casefile.KIND_REFERRAL, world.practice,
                              **referral_fields())
        expect(Refused, lambda: c.submit(seal_nothing(header)), name="ROLE_NOT_ALLOWED")


def test_t17_a_foreign_id_looks_like_an_unknown_one(world):
    with world.connect(world.first) as c:
        foreign = expect(Refused, lambda: c.track(world.receipt.message_id))
        unknown = expect(Refused, lambda: c.track(uuid7()))
        assert foreign.name == unknown.name == "NO_SUCH_MESSAGE"
        expect(Refused, lambda: c.ack_id(world.practice.id, uuid7()), name="NO_SUCH_MESSAGE")


def test_a_countersignature_appears_in_the_directory(world):
    signature = sign(world.first.identity_key,
                     COUNTERSIGNATURE_LABEL + hashlib.sha256(world.second.binding).digest())

    def put(client, signer, about):
        own = wire.Countersignature(endpoint=signer.endpoint, signature=signature)
        client.call(put_countersignature=wire.PutCountersignature(endpoint=about.endpoint,
                                                                  countersignature=own))

    with world.connect(world.first) as c:
        put(c, world.first, world.second)
        expect(Refused, lambda: put(c, world.second, world.second), name="SENDER_MISMATCH")
        expect(Refused, lambda: put(c, world.first, world.first), name="SENDER_MISMATCH")
        expect(Refused, lambda: put(c, world.first, world.gp), name="NO_SUCH_OBJECT")
    with world.connect(world.gp) as c:
        entry = c.get_directory(world.town, organisations=[world.team.id])[0][world.team.id]
        found = {wire.Binding.FromString(e.binding.binding).endpoint:
                 [s.signature for s in e.countersignatures] for e in entry.endpoints}
        assert found[world.second.endpoint] == [signature]
        assert found[world.first.endpoint] == []


def test_a_new_session_replaces_the_old_one(world):
    with world.connect(world.gp) as old, world.connect(world.gp) as new:
        expect(GoneAway, lambda: old.next_delivery(5), name="SESSION_REPLACED")
        new.ping()


def test_a_suspended_endpoint_is_sent_away(world):
    with world.connect(world.second) as c:
        world.relay.suspend("endpoint", world.second.endpoint)
        expect(GoneAway, lambda: c.next_delivery(5), name="SUSPENDED")
    with world.connect(world.second, hello=False) as c:
        expect(GoneAway, c.hello, name="SUSPENDED")
    world.relay.resume("endpoint", world.second.endpoint)
    with world.connect(world.second) as c:
        c.ping()


def test_a_stopping_relay_says_so(world):
    with world.connect(world.gp) as c:
        assert world.relay.stop() == 0
        expect(GoneAway, lambda: c.next_delivery(5), name="SHUTTING_DOWN")
    world.relay.start()


TESTS = [value for name, value in list(globals().items()) if name.startswith("test_")]

if __name__ == "__main__":
    with Relay() as relay:
        main(TESTS, Correspondents(relay))
