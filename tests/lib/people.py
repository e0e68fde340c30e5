"""People with real clients: the brug command, each with a profile and a store of its own, enrolled by file and code."""
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "interop")]
from brug_client import Client  # noqa: E402
from relay import HOST, text  # noqa: E402
from wire import BUILD  # noqa: E402

BRUG = os.path.join(BUILD, "brug")
SYNC_S = "20"
LETTER = "Geachte collega,\n\nRobin Zandbergen (12) slaapt al weken slecht.\n"


class Person:
    """One enrolled profile, used only through the command."""

    def __init__(self, world, organisation, name, role, recovery=False):
        self.relay = world.relay
        self.home = os.path.join(world.folder, f"home-{len(os.listdir(world.folder))}")
        self.name = name
        folder = self.relay.next_path("enrol")
        self.certificate, self.key = os.path.join(folder, "identity.pem"), os.path.join(self.home, "identity.key")
        os.mkdir(folder, 0o700)
        invitation = organisation.invitation
        if role:
            self.relay.add_person(organisation, name, role)
            invitation = os.path.join(self.relay.folder, f"invitation-{self.relay.count}")
        self.brug("init", "--invitation", invitation, *(["--recovery"] if recovery else []), "--out",
                  os.path.join(folder, "request"))
        printed = self.enrol(folder)
        self.brug("init", "--answer", os.path.join(folder, "answer"), "--code", printed)

    def enrol(self, folder):
        """What the CA and the operator do; returns the code that brugctl printed."""
        csr, request = os.path.join(folder, "csr"), os.path.join(folder, "request")
        self.relay.ctl("endpoint", "request", request, "--out", csr)
        self.relay.make_pki("sign", os.path.join(csr, "identity.csr"),
                            os.path.join(csr, "sealing.csr"), folder)
        printed = self.relay.ctl("endpoint", "add", request, "--identity",
                                 os.path.join(folder, "identity.pem"), "--sealing",
                                 os.path.join(folder, "sealing.pem"), "--out",
                                 os.path.join(folder, "answer"))
        words = [w.strip(".,:()") for w in printed.split()]
        return next(w for w in words if len(w) == 14 and w[4] == w[9] == "-")

    def environment(self):
        return {**os.environ, "BRUG_HOME": self.home, "LANG": "C.UTF-8"}

    def brug(self, *words, data=None, fails=False):
        done = subprocess.run([BRUG, *words], env=self.environment(), input=data, text=True,
                              capture_output=True, timeout=120)
        assert (done.returncode != 0) == fails, f"brug {words}: {done.returncode}: {done.stderr}"
        return done.stderr if fails else done.stdout

    def json(self, *words, data=None):
        return json.loads(self.brug("--json", *words, data=data))

    def sync(self):
        self.brug("sync", "--wait", SYNC_S)

    def confirm_all(self):
        for o in self.json("trust"):
            self.brug("trust", o["organisation"], "--fingerprint", o["fingerprint"])

    def inbox(self):
        return self.json("inbox", "--all")

    def refer(self, team, wait=SYNC_S):
        return self.json("refer", text(team.id), "--reason", "mild-psychological", "--type", "clarify",
                         "--ground", "consent", "--name", "Robin Zandbergen", "--born", "2014-03-02",
                         "--letter", "-", "--yes", "--wait", wait, data=LETTER)


class People:
    """A practice of one GP and a team of two consultants, each with a recovery profile."""

    def __init__(self, relay):
        self.relay = relay
        self.folder = os.path.join(relay.folder, "homes")
        os.mkdir(self.folder, 0o700)
        town = relay.add_municipality("Voorbeeldstad")
        self.practice = relay.add_organisation("practice", "Huisartsen Kastanjehof", town)
        self.practice.invitation = os.path.join(relay.folder, f"invitation-{relay.count}")
        self.team = relay.add_organisation("team", "Sociaal team Voorbeeldstad", town)
        self.team.invitation = os.path.join(relay.folder, f"invitation-{relay.count}")
        self.gp = Person(self, self.practice, "M. van der Linde", "gp")
        Person(self, self.practice, "herstel", None, recovery=True)
        Person(self, self.team, "herstel", None, recovery=True)
        self.one = Person(self, self.team, "A. Smit", "consultant")
        self.two = Person(self, self.team, "B. Bakker", "consultant")
        self.everybody = (self.gp, self.one, self.two)
        self.case = None

    def connect(self, person, hello=True):
        """A session with a person's key, made by us."""
        client = Client(HOST, self.relay.port, person.certificate, person.key, self.relay.relay_ca)
        if hello:
            client.hello()
        return client

    def introduce(self):
        """All fetch the directory, confirm one another, and fetch the countersignatures."""
        for person in self.everybody:
            person.sync()
            person.confirm_all()
        for person in self.everybody:
            person.sync()
