"""A relay that is killed with -9 at named points and by its tester, and comes back; and sessions with it that are begun anew
until one is not cut short. What parking.py and case_storm.py have in common.
"""
import json
import signal
import time

from brug_client import Refused
from scripted import GONE
from relay import ASK_S
from storm import ARMED_AGAIN, armed_environment, take_hits



class Killed:
    def __init__(self, players, points, rng, ports=None):
        """Without points nothing is killed. `ports`: where an endpoint connects, if not to the relay."""
        self.players, self.relay, self.points, self.rng, self.ports = players, players.relay, points, rng, ports or {}
        self.hits_path = self.relay.log + "-hits"
        self.kills, self.broken = 0, []

    # ---- a relay that is killed, and comes back ----

    def revive(self):
        """If it is dead; armed with the next point, or not."""
        if self.relay.process.poll() is None:
            time.sleep(0.01)
            return
        if self.relay.bury() != -signal.SIGKILL:
            raise RuntimeError(f"the relay ended by itself: {self.relay.tail()}")
        self.kills += 1
        for name in take_hits(self.hits_path):
            self.points.hits[name] += 1
        point = self.points.next() if self.points and self.rng.random() < ARMED_AGAIN else None
        self.relay.start(wait=False, environment=self.environment(point))

    def environment(self, point):
        return armed_environment(point, self.rng, self.hits_path)

    def kill(self):
        if self.points:
            self.replace()

    def replace(self):
        self.relay.process.kill()
        self.relay.process.wait()
        self.revive()

    def ctl(self, *words):
        while True:
            try:
                return json.loads(self.relay.ctl("--json", *words))
            except RuntimeError:
                self.revive()

    def wait_until_nobody_is_there(self):
        while self.ctl("status")["sessions"]:
            time.sleep(ASK_S)

    # ---- sessions ----

    def session(self, endpoint, act):
        """What act(client) gives, in a session that nobody killed."""
        while True:
            try:
                with self.players.connect(endpoint, port=self.ports.get(endpoint.endpoint)) as client:
                    return act(client)
            except Refused:
                raise
            except GONE:
                self.revive()
