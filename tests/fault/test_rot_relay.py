"""Rot under a running relay: a letter whose bytes changed on the disk is never delivered, is quarantined and named, and
its sender's repeat heals it; what the relay cannot do without stops its start, by the name of the file. Controls: rot that
leaves every byte as it was, so that nothing is refused or quarantined, and a relay that delivers other bytes.

ROTS=n rounds of each.
"""
import json
import os
import random
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lib"), os.path.join(HERE, "..", "interop")]
import proof  # noqa: E402
from bad_relay import bad_relay  # noqa: E402
from brug_client import framed_digest, new_header, readers_and_copies, referral_fields, seal_nothing  # noqa: E402
from relay import Relay, text  # noqa: E402
from tap import main  # noqa: E402
from wire import casefile, wire  # noqa: E402
from world import World, deliveries  # noqa: E402

LETTER_BYTES = 90000  # more than lies in a page, or beside others in one
LETTERS = 4
FRAME_BYTES = 24 + 8192
SEED = int(os.environ.get("BRUG_SEED") or (time.time_ns() if os.environ.get("BRUG_PROVE") else 5))


class Pair(World):
    """A practice and a team of one endpoint each."""

    def __init__(self, relay):
        super().__init__(relay)
        self.practice = relay.add_organisation("practice", "Huisartsen Kastanjehof", self.town)
        self.team = relay.add_organisation("team", "Sociaal team Voorbeeldstad", self.town)
        self.gp = self.enrol(self.practice, "M. Linde", "gp")
        self.consultant = self.enrol(self.team, "A. Smit", "consultant")
        for organisation in (self.practice, self.team):
            relay.add_recovery(organisation)
        self.reader_port, self.is_rotting = None, True
        self.addressed = readers_and_copies(self.rosters(self.gp).values(), self.gp.endpoint)

    def letters(self):
        return [seal_nothing(new_header(casefile.KIND_REFERRAL, self.gp, self.town, self.team.id, *self.addressed,
                                        **referral_fields()), LETTER_BYTES) for _ in range(LETTERS)]

    def take(self, due=0):
        """What the consultant is given in a session, acknowledged, digests by id: all that are due and not in quarantine."""
        taken = {}
        with self.connect(self.consultant, port=self.reader_port) as c:
            c.subscribe()
            for delivery in deliveries(c, lambda: len(taken) + self.status()["quarantined"] >= due):
                taken.update(digests([delivery.envelope]))
                c.ack(delivery)
        return taken

    def status(self):
        return json.loads(self.relay.ctl("--json", "status"))


def message_id(envelope):
    return wire.Header.FromString(envelope.header).message_id


def flip(world, path, at, bit):
    if not world.is_rotting:
        return
    with open(path, "r+b") as f:
        f.seek(at)
        byte = f.read(1)[0]
        f.seek(at)
        f.write(bytes([byte ^ 1 << bit]))


def path_of(world, name):
    return os.path.join(world.relay.state, name)


def digests(envelopes):
    return {message_id(e): framed_digest(e) for e in envelopes}


def rot_a_letter(world, dice):
    """One round; what is wrong with it, or None."""
    r = world.relay
    letters = world.letters()
    with world.connect(world.gp) as c:
        for e in letters:
            c.submit(e)
    assert r.stop() == 0
    victim = dice.choice(letters)
    at = dice.randrange(20000, LETTER_BYTES - 20000)
    with open(path_of(world, "brug.db"), "rb") as f:
        place = f.read().index(victim.sealed[at:at + 32])
    flip(world, path_of(world, "brug.db"), place, dice.randrange(8))
    r.start()
    taken = world.take(due=LETTERS)
    wanted = digests(letters)
    name = message_id(victim)
    if {i: taken.get(i) for i in wanted if i != name} != {i: d for i, d in wanted.items() if i != name}:
        return "a sound letter did not come, or came changed"
    if name in taken:
        return "the rotten letter was delivered"
    if world.status()["quarantined"] != 1:
        return "brugctl status does not count it"
    with open(r.log) as f:
        if not any("message.quarantined" in line and text(name) in line for line in f):
            return "the log does not name it"
    with world.connect(world.gp) as c:
        c.submit(victim)
    if world.status()["quarantined"] != 0:
        return "the repeat did not heal it"
    if world.take(due=1) != {name: wanted[name]}:
        return "the healed letter did not come"
    return None


def is_refused(world, words):
    r = world.relay
    r.start(wait=False)
    while r.process.poll() is None:
        if r.answers():
            return False
        time.sleep(0.02)
    status = r.bury()
    return status != 0 and words in r.tail()


def rot_what_is_needed(world, dice):
    """The WAL that a kill left, and then the first page; both are mended again by the same flip."""
    r = world.relay
    letters = world.letters()
    with world.connect(world.gp) as c:
        for e in letters:
            c.submit(e)  # each answered, so each a commit of its own at least
        r.kill()
    wal = path_of(world, "brug.db-wal")
    at, bit = 32 + dice.randrange(2 * FRAME_BYTES), dice.randrange(8)
    flip(world, wal, at, bit)
    if not is_refused(world, "brug.db-wal is not as it was written"):
        return f"byte {at} of the WAL: " + r.tail()
    flip(world, wal, at, bit)
    r.start()
    assert r.stop() == 0
    at = 100 + dice.randrange(8000)
    flip(world, path_of(world, "brug.db"), at, bit)
    if not is_refused(world, "brug.db has a page that is not as it was written"):
        return f"byte {at} of the database: " + r.tail()
    flip(world, path_of(world, "brug.db"), at, bit)
    r.start()
    if world.take(due=LETTERS) != digests(letters):
        return "what was mended is not whole"
    return None


def prove(world, what, claim, *controls):
    rounds, began, wrong = proof.size("ROTS", 2, 12), time.monotonic(), []
    dice = random.Random(SEED)
    print(f"# BRUG_SEED={SEED}")
    for _ in range(rounds):
        complaint = what(world, dice)
        if complaint:
            wrong.append(complaint)
            break
    seconds = time.monotonic() - began
    flagged = 0 if wrong else sum(is_flagged(world, what) for is_flagged in controls)
    proof.report(claim, rounds, "rounds", len(wrong), flagged, len(controls), seconds)
    assert not wrong, wrong
    assert flagged == len(controls), "a control was not flagged"


def says(complaint, world, what, reader_port=None):
    """Whether the judge complains so; what still waits is taken away."""
    world.is_rotting, world.reader_port = reader_port is not None, reader_port
    said = what(world, random.Random(SEED))
    world.is_rotting, world.reader_port = True, None
    world.take()
    print(f"# control: {(said or str()).splitlines()[:1]}", flush=True)
    return said is not None and complaint in said


def no_rot_is_no_quarantine(world, what):
    return says("the rotten letter was delivered", world, what)


def no_rot_is_no_refusal(world, what):
    return says("of the WAL: ", world, what)


def other_bytes_are_seen(world, what):
    with bad_relay(world, world.consultant, "bytes") as port:
        return says("came changed", world, what, port)


def test_a_rotten_letter_is_quarantined_named_and_healed(world):
    prove(world, rot_a_letter, "relay: a rotten letter is quarantined, named, healed", no_rot_is_no_quarantine,
          other_bytes_are_seen)


def test_rot_in_what_is_needed_stops_the_start(world):
    prove(world, rot_what_is_needed, "relay: rot in WAL or tables stops the start, named", no_rot_is_no_refusal)


with Relay() as running:
    main([test_a_rotten_letter_is_quarantined_named_and_healed, test_rot_in_what_is_needed_stops_the_start],
         Pair(running))
