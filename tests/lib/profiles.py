"""Profiles of the brug command, and the world in which they are enrolled: a practice and a team at one relay."""
import json
import os
import pty
import subprocess

from relay import text
from wire import BUILD, ROOT

DATA = os.path.join(ROOT, "tests", "data")
LETTER = os.path.join(DATA, "verwijsbrief.txt")
ANSWER = os.path.join(DATA, "antwoord.txt")
YOUTH = os.path.join(DATA, "jeugdige.txt")
PDF = os.path.join(DATA, "verzuim.pdf")
OK, USAGE, DATAERR, NOINPUT, CANTCREAT, TEMPFAIL, NOPERM, CONFIG = 0, 64, 65, 66, 73, 75, 77, 78


def read(path):
    with open(path, "rb") as f:
        return f.read()


class Profile:
    """One person's profile; brug(...) runs the command and demands its exit status."""

    def __init__(self, folder, name):
        self.home = os.path.join(folder, name)
        self.errors = ""

    def command(self, *words):
        return [os.path.join(BUILD, "brug"), "--profile", self.home, *words]

    def run(self, *words, status=OK, data=None, **environment):
        env = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TZ": "Europe/Amsterdam",
               **{k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")}, **environment}
        done = subprocess.run(self.command(*words), input=data, capture_output=True, env=env,
                              timeout=120, stdin=subprocess.DEVNULL if data is None else None)
        self.errors = done.stderr.decode()
        assert done.returncode == status, (
            f"brug {' '.join(words)}: exit {done.returncode}, not {status}\n"
            f"{done.stdout.decode(errors='replace')}{self.errors}")
        return done.stdout

    def say(self, *words, **options):
        return self.run(*words, **options).decode()

    def answer(self, typed, *words, status=OK):
        """On a terminal, where a person types an answer; returns all that the terminal shows."""
        master, slave = pty.openpty()
        try:
            process = subprocess.Popen(self.command(*words), stdin=slave, stdout=slave, stderr=slave)
            os.write(master, typed.encode() + b"\n")
            found = process.wait(60)
        finally:
            os.close(slave)
        shown = b""
        try:
            while chunk := os.read(master, 65536):
                shown += chunk
        except OSError:  # the end of a terminal
            pass
        os.close(master)
        assert found == status, f"brug {' '.join(words)}: exit {found}, not {status}\n{shown.decode()}"
        return shown.decode()

    def json(self, *words, **options):
        return json.loads(self.run("--json", *words, **options))


class World:
    def __init__(self, relay):
        self.relay = relay
        self.folder = os.path.join(relay.folder, "clients")
        os.mkdir(self.folder)
        self.town = relay.add_municipality("Voorbeeldstad")
        self.practice = self.add_organisation("practice", "Huisartsen Kastanjehof")
        self.team = self.add_organisation("team", "Sociaal team Voorbeeldstad",
                                          "--telephone", "0570-000333")
        self.gp = Profile(self.folder, "gp")
        self.samira = Profile(self.folder, "samira")
        self.joost = Profile(self.folder, "joost")
        self.spare = Profile(self.folder, "practice-recovery")
        self.case = None
        self.codes = {}

    def path(self, name):
        return os.path.join(self.folder, name)

    def add_organisation(self, kind, name, *card, file=None):
        invitation = self.path(f"{file or kind}.invitation")
        printed = json.loads(self.relay.ctl("--json", "org", "add", "--kind", kind, "--name", name,
                                            "--municipality", text(self.town), "--area", "Voorbeeldstad",
                                            "--out", invitation, *card))
        return printed["organisation"]

    def invite(self, organisation, name, role):
        path = self.path(name.replace(" ", "-") + ".invitation")
        self.relay.ctl("person", "add", "--org", organisation, "--name", name, "--role", role,
                       "--out", path)
        return path

    def certify(self, request, name):
        """What the operator and the CA do with a request; returns the answer's path and the code."""
        csr, out, answer = self.path(name + ".csr"), self.path(name + ".crt"), self.path(name + ".answer")
        self.relay.ctl("endpoint", "request", request, "--out", csr)
        self.relay.make_pki("sign", os.path.join(csr, "identity.csr"), os.path.join(csr, "sealing.csr"),
                            out)
        said = self.relay.ctl("endpoint", "add", request, "--identity", os.path.join(out, "identity.pem"),
                              "--sealing", os.path.join(out, "sealing.pem"), "--out", answer)
        return answer, said

    def enrol(self, profile, invitation, *options):
        name = os.path.basename(profile.home)
        request = self.path(name + ".request")
        profile.run("init", "--invitation", invitation, "--out", request, *options)
        answer, said = self.certify(request, name)
        code = profile.json("init", "--answer", answer)["code"]
        assert code in said, f"{code} is not in {said}"
        profile.run("init", "--code", code.lower().replace("-", " "))

    def trust_all(self, profile):
        for o in profile.json("trust", "--refresh"):
            profile.run("trust", o["organisation"], "--fingerprint", o["fingerprint"])

    def introduce(self, *profiles):
        """All fetch the directory, confirm one another, and fetch the countersignatures."""
        for profile in profiles:
            self.trust_all(profile)
        for profile in profiles:
            profile.run("sync")

    def enrol_all(self):
        """The GP, two consultants and their leader, who know one another, and the practice's recovery key."""
        self.leader = Profile(self.folder, "leader")
        self.enrol(self.gp, self.invite(self.practice, "M. van der Linde", "gp"))
        self.enrol(self.samira, self.invite(self.team, "Samira Haddou", "consultant"))
        self.enrol(self.joost, self.invite(self.team, "Joost Meijer", "consultant"))
        self.enrol(self.leader, self.invite(self.team, "Tineke Vos", "leader"))
        self.enrol(self.spare, self.path("practice.invitation"), "--recovery")
        self.everybody = (self.gp, self.samira, self.joost, self.leader)
        self.introduce(*self.everybody)


def refer(*more, **changes):
    """The words of a good referral; changes={"reason": None} leaves one out."""
    options = {"reason": "mild-psychological", "type": "clarify", "ground": "consent", "youth": YOUTH,
               "letter": LETTER, **changes}
    words = [w for key, value in options.items() if value for w in ("--" + key, value)]
    return ["refer", "Sociaal team", *words, *more]
