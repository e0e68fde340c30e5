"""A municipality on a test relay, and sessions of its endpoints. Tests add the organisations and people that they need."""
import time

from brug_client import Client
from relay import HOST
from wire import wire

PATIENCE_S = 20  # what has not come by then does not come any more
QUIET_S = 0.1    # once it has come: then nothing more does


def deliveries(client, until=lambda: True):
    """What a subscribed client is given until it is so, and nothing more comes. What is due is waited for, however slow the machine is:
    only that something more would come is seen better on a fast one."""
    limit = time.monotonic() + PATIENCE_S
    while True:
        try:
            yield client.next_delivery(QUIET_S)
        except TimeoutError:
            if until() or time.monotonic() > limit:
                return


class World:
    def __init__(self, relay):
        self.relay = relay
        self.town = relay.add_municipality("Voorbeeldstad")
        self.contexts = {}  # TLS context by endpoint: reading keys costs more than a handshake

    def enrol(self, organisation, name, role):
        return self.relay.enrol(organisation, self.relay.add_person(organisation, name, role))

    def context(self, endpoint):
        if endpoint.endpoint not in self.contexts:
            self.contexts[endpoint.endpoint] = Client.tls_context(
                endpoint.identity_certificate, endpoint.identity_key, self.relay.relay_ca)
        return self.contexts[endpoint.endpoint]

    def connect(self, endpoint, hello=True, port=None, **options):
        """A session; `port` of something that stands between us and the relay."""
        client = Client(HOST, port or self.relay.port, None, None, None, context=self.context(endpoint), **options)
        try:
            if hello:
                client.hello()
        except BaseException:
            client.close()
            raise
        return client

    def rosters(self, endpoint):
        """Of all organisations, by id, as this endpoint sees them."""
        with self.connect(endpoint) as c:
            entries, _, _ = c.get_directory(self.town)
        return {o: wire.Roster.FromString(e.roster) for o, e in entries.items()}


class Players(World):
    """Two people of a practice and two of a team; each sends to the others and reads what they send."""

    def __init__(self, relay):
        super().__init__(relay)
        self.practice = relay.add_organisation("practice", "Praktijk", self.town)
        self.team = relay.add_organisation("team", "Sociaal team", self.town)
        self.endpoints = [self.enrol(self.practice, "Arts 1", "gp"), self.enrol(self.practice, "Arts 2", "gp"),
                          self.enrol(self.team, "Consulent 1", "consultant"),
                          self.enrol(self.team, "Consulent 2", "consultant")]
        self.readers_of_all = self.rosters(self.endpoints[0])

    def other(self, endpoint):
        return self.practice if endpoint.organisation == self.team.id else self.team
