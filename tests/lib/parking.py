"""T12 over kill -9: a reader takes a letter again and again and never acknowledges it, while the relay is killed at named
points. It is parked after a number of sessions that end, and stays parked; later letters flow; each client of the sender's
organisation is told once; an operator's word brings it back. Used by tests/fault/test_kill.py.
"""
from brug_client import new_header, readers_and_copies, referral_fields, seal_nothing
from killed import Killed
from relay import text
from wire import casefile, wire
from world import deliveries

SETTINGS = {"redelivery_sessions_max": 3, "redelivery_interval_ms": 0}
SESSIONS_MAX = 60  # a session that a kill ended does not count


class Parking(Killed):
    def __init__(self, players, points, rng, ports=None):
        super().__init__(players, points, rng, ports)
        self.sender, self.colleague, self.deaf, self.reader = players.endpoints
        self.readers, self.copies = readers_and_copies(players.readers_of_all.values(), self.sender.endpoint)
        self.parked = None    # a message id
        self.reports = {}     # ids of the FACTs about it, by endpoint

    # ---- sessions ----

    def submit(self):
        header = new_header(casefile.KIND_REFERRAL, self.sender, self.players.town, self.players.team.id, self.readers,
                            self.copies, **referral_fields())
        envelope = seal_nothing(header, 300)
        self.session(self.sender, lambda client: client.submit(envelope))
        return header.message_id

    def take(self, endpoint, acknowledges=True, until=lambda came: True):
        """The ids of what comes until it is so, and nothing more comes, in a session, or in several if a kill ended the first."""
        came = set()
        self.session(endpoint, lambda client: self.receive(client, endpoint, acknowledges, came, until))
        if endpoint is self.deaf and self.parked in came:
            self.broken.append("it came although it is parked")
        return came

    def receive(self, client, endpoint, acknowledges, came, until):
        client.subscribe()
        for delivery in deliveries(client, lambda: until(came)):
            header = wire.Header.FromString(delivery.envelope.header)
            came.add(header.message_id)
            if header.kind == casefile.KIND_FACT and header.fact_code == wire.CODE_NOT_ACKNOWLEDGED:
                self.reports.setdefault((endpoint.endpoint, header.in_reply_to), set()).add(header.message_id)
            if acknowledges:
                client.ack(delivery)

    # ---- a round ----

    def run_round(self):
        self.kill()
        letter = self.submit()
        self.take_in_vain(letter)
        if not self.ctl("status")["parked"]:
            self.broken.append("it was never parked")
            return
        self.parked = letter
        later = self.submit()
        self.kill()
        if later not in self.take(self.deaf, until=lambda came: later in came):
            self.broken.append("what came later does not flow")
        for _ in range(2):
            for endpoint in (self.sender, self.colleague):
                self.take(endpoint, until=lambda _, endpoint=endpoint: self.count_reports(endpoint, letter))
            for endpoint in (self.reader, self.deaf):
                self.take(endpoint)
            self.kill()
        for endpoint in (self.sender, self.colleague):
            if (count := self.count_reports(endpoint, letter)) != 1:
                self.broken.append(f"{count} reports of one parked letter")
        self.release(letter)

    def count_reports(self, endpoint, letter):
        return len(self.reports.get((endpoint.endpoint, letter), ()))

    def take_in_vain(self, letter):
        for _ in range(SESSIONS_MAX):
            if self.ctl("status")["parked"]:
                return
            self.take(self.deaf, acknowledges=False, until=lambda came: letter in came)
            self.wait_until_nobody_is_there()

    def release(self, letter):
        self.ctl("endpoint", "release", text(self.deaf.endpoint))
        self.parked = None
        self.kill()
        if self.take(self.deaf, until=lambda came: letter in came) != {letter}:
            self.broken.append("what was released does not come")
        if self.ctl("status")["parked"] or self.take(self.deaf):
            self.broken.append("something is left")
