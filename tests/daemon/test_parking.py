"""T12 on a running relay: a reader that takes a letter again and again and never acknowledges it, over kills; its
sender is told once, later letters flow, and an operator's word brings the letter back."""
import json
import os
import sys
import time
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lib"), os.path.join(HERE, "..", "interop")]
from brug_client import Client, new_header, readers_and_copies, referral_fields, seal_nothing  # noqa: E402
from relay import HOST, Relay, text  # noqa: E402
from tap import expect, main  # noqa: E402
from wire import casefile, wire  # noqa: E402
from world import deliveries  # noqa: E402

SESSIONS_MAX = 10


class World:
    """A practice and a team of one endpoint each."""

    def __init__(self, relay):
        self.relay = relay
        self.town = relay.add_municipality("Voorbeeldstad")
        self.practice = relay.add_organisation("practice", "Huisartsen Kastanjehof", self.town)
        self.team = relay.add_organisation("team", "Sociaal team Voorbeeldstad", self.town)
        self.gp = relay.enrol(self.practice, relay.add_person(self.practice, "M. Linde", "gp"))
        self.consultant = relay.enrol(self.team, relay.add_person(self.team, "A. Smit", "consultant"))
        relay.add_recovery(self.practice)
        relay.add_recovery(self.team)

    def connect(self, endpoint):
        client = Client(HOST, self.relay.port, endpoint.identity_certificate, endpoint.identity_key,
                        self.relay.relay_ca)
        client.hello()
        return client

    def submit(self):
        """A referral; its id."""
        with self.connect(self.gp) as c:
            entries, _, _ = c.get_directory(self.town)
            rosters = [wire.Roster.FromString(entries[o].roster) for o in (self.practice.id, self.team.id)]
            readers, copies = readers_and_copies(rosters, self.gp.endpoint)
            return c.submit(seal_nothing(new_header(casefile.KIND_REFERRAL, self.gp, self.town, self.team.id,
                                                    readers, copies, **referral_fields()))).message_id

    def take(self, endpoint, due=1, is_acknowledged=False):
        """The headers that the endpoint is given in a session, so many at least, until nothing more comes, and their attempts."""
        taken = {}
        with self.connect(endpoint) as c:
            c.subscribe()
            for delivery in deliveries(c, lambda: len(taken) >= due):
                header = wire.Header.FromString(delivery.envelope.header)
                taken[header.message_id] = (header, delivery.attempt)
                if is_acknowledged:
                    c.ack(delivery)
        self.wait(lambda status: status["sessions"] == 0 and status["durable_lsn"] == status["lsn"])
        return taken

    def wait(self, is_so):
        deadline = time.monotonic() + 10
        while not is_so(json.loads(self.relay.ctl("--json", "status"))):
            assert time.monotonic() < deadline, "the relay does not get there"
            time.sleep(0.02)

    def parked(self):
        return json.loads(self.relay.ctl("--json", "status"))["parked"]

    def account(self):
        """The books, which must balance; readers by endpoint."""
        books = json.loads(self.relay.ctl("--json", "account"))
        assert books["balanced"] is True and books["problem"] == "", books
        books["readers"] = {uuid.UUID(r["endpoint"]).bytes: r for r in books["readers"]}
        return books

    def release(self):
        return json.loads(self.relay.ctl("--json", "endpoint", "release", text(self.consultant.endpoint)))


def test_a_network_that_comes_and_goes_parks_nothing(world):
    """With the usual settings: more sessions than the cap within a minute."""
    letter = world.submit()
    for turn in range(SESSIONS_MAX + 2):
        assert world.take(world.consultant)[letter][1] == turn + 1
    assert world.parked() == 0
    assert letter in world.take(world.consultant, is_acknowledged=True)


def test_T12_what_is_never_acknowledged_is_parked_told_and_released(world):
    r = world.relay
    r.write_config(redelivery_interval_ms=0)
    r.restart()
    letter = world.submit()
    for turn in range(SESSIONS_MAX):
        assert world.parked() == 0
        assert world.take(world.consultant)[letter][1] == turn + 1
        if turn % 3 == 0:
            r.restart()
    assert world.parked() == 1
    books = world.account()
    mine = books["readers"][world.consultant.endpoint]
    assert mine["parked"] == mine["waiting"] == 1 and mine["acknowledged"] == mine["accepted"] - 1, mine
    later = world.submit()
    r.restart()
    taken = world.take(world.consultant, is_acknowledged=True)
    assert later in taken and letter not in taken
    reports = [h for h, _ in world.take(world.gp, is_acknowledged=True).values()]
    assert len(reports) == 1 and reports[0].kind == casefile.KIND_FACT, reports
    assert reports[0].in_reply_to == letter and reports[0].fact_code == wire.CODE_NOT_ACKNOWLEDGED
    assert reports[0].about_endpoint == world.consultant.endpoint
    assert world.release() == {"released": 1, "left": 0}
    assert world.parked() == 0
    assert letter in world.take(world.consultant, is_acknowledged=True)
    assert world.take(world.gp, due=0) == {} and world.take(world.consultant, due=0) == {}
    assert world.release() == {"released": 0, "left": 0}
    assert world.account()["readers"][world.consultant.endpoint]["waiting"] == 0
    expect(RuntimeError, lambda: r.ctl("endpoint", "release", text(world.team.id)))


if __name__ == "__main__":
    with Relay() as relay:
        main([f for name, f in list(globals().items()) if name.startswith("test_")], World(relay))
