"""T12 over kill -9: a reader takes a letter again and again and never acknowledges it, while the relay is killed at named
points. It is parked after a number of sessions that end, and stays parked; later letters flow; each client of the sender's
organisation is told once; an operator's word brings it back. Used by tests/fault/test_kill.py.
"""
from brug_client import new_header, readers_and_copies, referral_fields, seal_nothing
from killed import Killed
from relay import text
from wire import casefile, wire

SETTINGS = {"redelivery_sessions_max": 3, "redelivery_interval_ms": 0}
SESSIONS_MAX = 60  # a session that a kill ended does not count
QUIET_S = 0.1      # then nothing more comes


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

    def take(self, endpoint, acknowledges=True):
        """The ids of what comes until nothing more comes, in a session, or in several if a kill ended the first."""
        came = set()
        self.session(endpoint, lambda client: self.receive(client, endpoint, acknowledges, came))
        if endpoint is self.deaf and self.parked in came:
            self.broken.append("it came although it is parked")
        return came

    def receive(self, client, endpoint, acknowledges, came):
        client.subscribe()
        while True:
            try:
                delivery = client.next_delivery(QUIET_S)
            except TimeoutError:
                return
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
        self.take_in_vain()
        if not self.ctl("status")["parked"]:
            self.broken.append("it was never parked")
            return
        self.parked = letter
        later = self.submit()
        self.kill()
        if later not in self.take(self.deaf):
            self.broken.append("what came later does not flow")
        for _ in range(2):
            for endpoint in (self.sender, self.colleague, self.reader, self.deaf):
                self.take(endpoint)
            self.kill()
        for endpoint in (self.sender, self.colleague):
            count = len(self.reports.get((endpoint.endpoint, letter), ()))
            if count != 1:
                self.broken.append(f"{count} reports of one parked letter")
        self.release(letter)

    def take_in_vain(self):
        for _ in range(SESSIONS_MAX):
            if self.ctl("status")["parked"]:
                return
            self.take(self.deaf, acknowledges=False)
            self.wait_until_nobody_is_there()

    def release(self, letter):
        self.ctl("endpoint", "release", text(self.deaf.endpoint))
        self.parked = None
        self.kill()
        if self.take(self.deaf) != {letter}:
            self.broken.append("what was released does not come")
        if self.ctl("status")["parked"] or self.take(self.deaf):
            self.broken.append("something is left")
