"""Scripted clients (scripted.py) against a real relay, in rounds, with kill -9 of either at random and at named points.

    with Storm(relay, players, seed, kill_relay=True) as storm:
        storm.run_round(...)        until every client has what it should have; a Violation if that never comes
        storm.finish()              a last restart, after which nothing may come any more
    check(storm.folder)             the checker (tests/fault/check_records.py): its lines, none if all is well

Besides letters that arrive, a round has letters that must be refused for ever, letters that a reader cannot read (its
sender's organisation is told), readers who say that they opened one, and senders who ask what became of theirs (EXTRAS).

A round that waits first lets everybody send while nobody reads, then kills the relay; what waits must then come without
new traffic (T9). Each start of the relay is armed with the next named point (tests/fault/preload/kill_points.c).
"""
import collections
import json
import os
import random
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from relay import BUILD
from records import end_of_records
from scripted import Scripted, run_forked
from wire import ROOT

ROUND_S_MAX = int(os.environ.get("ROUND_S") or 60)  # then what is due does not come any more
PATIENCE_S = 20
IDLE_S = 0.12  # longer than the relay waits before it folds
ARMED_AGAIN = 0.6  # how often a relay that comes back is armed
RARE = ("start", "checkpoint-sync", "audit-sync", "fold-sync", "goaway")  # points that a life of the relay passes once
FEW = ("refused", "tracked", "directory")
PRELOAD = os.path.join(BUILD, "tests", "fault", "preload", "kill_points.so")
CHECKER = os.path.join(ROOT, "tests", "fault", "check_records.py")
EXTRAS = {"refuse": 1, "unreadable_in": 5, "opens": True, "looks": True}  # of each client's orders (scripted.py)
REPLACED = 0.3  # how often a client begins a round with a session that ends its older one
CHECKPOINT_BYTES, CHECKPOINT_MESSAGES = 400_000, 3  # a body, and how many of each client: they fill the WAL


class Violation(Exception):
    """A promise was broken."""


def check(folder, at_rest=True):
    """The lines of what is broken."""
    options = [] if at_rest else ["--unsettled"]
    done = subprocess.run([sys.executable, CHECKER, *options, folder], capture_output=True, text=True)
    lines = done.stdout.splitlines()
    print("# " + "".join(lines[-1:]), flush=True)
    if not lines or not lines[-1].startswith("checked: ") or done.returncode != (len(lines) > 1):
        raise RuntimeError(f"the checker failed: {done.stderr}")
    return lines[:-1]


def books_broken(relay):
    """I8: for each reader what was accepted is accounted for; a line if it is not."""
    try:
        books = json.loads(relay.ctl("--json", "account"))
    except RuntimeError as e:  # its exit status says so too
        return [f"the books do not balance: {e}"]
    return [] if books["balanced"] and not books["problem"] else [f"the books do not balance: {books}"]


def preload(program, libraries=(PRELOAD,)):
    """What to load before a program of ours. A sanitizer's run-time must come first: it calls on to what follows it."""
    linked = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    run_times = [line.split()[2] for line in linked.splitlines() if "libasan" in line or "libtsan" in line]
    return [*run_times, *libraries]


def nth(point, rng):
    """Each start checkpoints, folds and speaks a few times at least; of the rest there is more."""
    if any(rare in point for rare in RARE):
        return 1
    return 1 + int(rng.expovariate(1 if any(few in point for few in FEW) else 1 / 3))


def armed_environment(point, rng, hits_path):
    """For brugd; without a point it is not armed."""
    if not point:
        return dict(os.environ)
    return {**os.environ, "LD_PRELOAD": ":".join(preload(os.path.join(BUILD, "brugd"))),
            "BRUG_KILL": f"{point}:{nth(point, rng)}", "BRUG_KILL_HITS": hits_path}


def take_hits(path):
    """Names of the points at which something was killed since the last time."""
    if not os.path.exists(path):
        return []
    with open(path) as f:
        names = f.read().split()
    os.unlink(path)
    return names


def all_points(role):
    """Names of the points of "relay" or "client", from the library's own table."""
    environment = {**os.environ, "LD_PRELOAD": PRELOAD, "BRUG_KILL": "?"}
    names = subprocess.run(["/bin/true"], env=environment, capture_output=True, text=True, check=True).stdout.split()
    return [n for n in names if n.split("-")[1] == role]


class Points:
    """Which named point comes next, and how often each was hit."""

    def __init__(self, names, rng):
        self.names, self.rng = names, rng
        self.hits = collections.Counter({n: 0 for n in names})
        self.tries = collections.Counter()

    def next(self):
        """In turn; those that were not hit yet more often, dear ones that were less often."""
        pool = [n for n in self.names if not self.hits[n]]
        if not pool or self.rng.random() < 0.3:
            pool = [n for n in self.names if not self.hits[n] or "checkpoint" not in n or self.rng.random() < 0.02]
        name = min(pool, key=lambda n: (self.tries[n], self.rng.random()))
        self.tries[name] += 1
        return name

    def missed(self):
        return [n for n in self.names if not self.hits[n]]


class Player:
    """A scripted client's process and its records."""

    def __init__(self, storm, endpoint, port):
        self.storm, self.endpoint, self.port = storm, endpoint, port
        self.path = os.path.join(storm.folder, endpoint.endpoint.hex())
        open(self.path, "wb").close()
        self.pid, self.control, self.order, self.number = None, None, None, 0

    def start(self):
        ours, theirs = socket.socketpair()
        self.control, self.heard = ours, b""
        self.pid = run_forked([theirs.fileno()], lambda: Scripted(
            self.storm.players, self.endpoint, self.path, theirs, self.port, self.storm.patience_s))
        theirs.close()
        ours.setblocking(False)
        self.storm.watch(ours, self.on_report)
        self.fd = os.pidfd_open(self.pid)
        self.storm.watch(self.fd, self.on_end)

    def give(self, **order):
        self.number += 1  # reports on earlier orders do not count
        self.order = {"number": self.number, **order}
        self.is_sent = self.is_done = False
        try:
            self.control.sendall(json.dumps(self.order).encode() + b"\n")
        except ConnectionError:
            pass  # it was killed; it gets its order when that is seen

    def on_report(self):
        try:
            data = self.control.recv(1 << 16)
        except BlockingIOError:  # an event of a socket that a killed one had, or it said nothing more
            return
        except ConnectionResetError:
            data = b""
        if not data:
            self.storm.unwatch(self.control)
            return
        self.heard += data
        while b"\n" in self.heard:
            line, self.heard = self.heard.split(b"\n", 1)
            what, which = line.decode().split()
            if what == "hit":
                self.storm.client_points.hits[which] += 1
            elif int(which) == self.number:
                self.is_sent = True
                self.is_done |= what == "done"

    def on_end(self):
        """Killed: it comes back with the same order, unarmed."""
        _, status = os.waitpid(self.pid, 0)
        self.on_report()  # what it said last
        self.forget()
        if not os.WIFSIGNALED(status) or os.WTERMSIG(status) != signal.SIGKILL:
            raise Violation(f"a client ended by itself: {status}")
        self.storm.kills["client"] += 1
        self.start()
        order = {**self.order, "kill": None}
        del order["number"]
        self.give(**order)

    def forget(self):
        self.storm.unwatch(self.control)
        self.storm.unwatch(self.fd)
        self.control.close()
        os.close(self.fd)
        self.pid = None

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)

    def stop(self):
        if self.pid:
            self.kill()
            os.waitpid(self.pid, 0)
            self.forget()


class Storm:
    def __init__(self, relay, players, seed, kill_relay=True, ports=None, patience_s=PATIENCE_S, extras=None):
        """`ports`: where each client connects, the relay's own if None. Without kill_relay the relay stays as it is.
        `extras`: others than EXTRAS."""
        self.relay, self.players, self.patience_s = relay, players, patience_s
        self.rng = random.Random(seed)
        self.kill_relay = kill_relay
        self.extras = {**EXTRAS, **(extras or {})}
        self.round_s_max = ROUND_S_MAX
        self.folder = tempfile.mkdtemp(prefix="records-", dir=relay.folder)
        self.hits_path = os.path.join(relay.folder, f"hits-{os.path.basename(self.folder)}")
        self.selector = selectors.DefaultSelector()
        self.kills = collections.Counter()
        self.point = None
        self.waited = 0
        self.messages = 0
        self.relay_points = self.client_points = self.relay_fd = None
        self.is_finishing = False
        self.clients = [Player(self, e, (ports or {}).get(e.endpoint)) for e in players.endpoints]

    def __enter__(self):
        try:
            for client in self.clients:
                client.start()
            if self.kill_relay:
                self.relay.kill()
                self.start_relay()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for client in self.clients:
            client.stop()
        self.forget_relay()
        self.selector.close()

    def aim(self, relay_points, client_points):
        """Which points are armed; they are shared over storms, and count hits."""
        self.relay_points, self.client_points = relay_points, client_points

    def watch(self, fd, act):
        self.selector.register(fd, selectors.EVENT_READ, act)

    def unwatch(self, fd):
        if fd in self.selector.get_map():
            self.selector.unregister(fd)

    # ---- the relay ----

    def start_relay(self, is_armed=True):
        """Armed with the next point, or not. Nobody waits for it but the clients."""
        self.point = self.relay_points.next() if self.relay_points and is_armed and not self.is_finishing else None
        self.relay.start(wait=False, environment=armed_environment(self.point, self.rng, self.hits_path))
        self.relay_fd = os.pidfd_open(self.relay.process.pid)
        self.watch(self.relay_fd, self.on_relay_end)

    def forget_relay(self):
        if self.relay_fd is not None:
            self.unwatch(self.relay_fd)
            os.close(self.relay_fd)
            self.relay_fd = None

    def on_relay_end(self):
        status = self.relay.bury()
        self.forget_relay()
        if status != -signal.SIGKILL:
            raise Violation(f"the relay ended by itself with {status}: {self.relay.tail()}")
        self.kills["relay"] += 1
        self.note_hit()
        self.start_relay(is_armed=self.rng.random() < ARMED_AGAIN)

    def note_hit(self):
        """At its point, if it was; else by us."""
        for name in take_hits(self.hits_path):
            self.relay_points.hits[name] += 1
            self.kills["relay at a point"] += 1

    # ---- rounds ----

    def pump(self, is_over, timers=(), look_s=ROUND_S_MAX):
        """Handles what happens until is_over(), which is asked after each event and every look_s; `timers` are (seconds
        from now, act)."""
        now = time.monotonic()
        limit = now + self.round_s_max
        due = sorted(((now + s, act) for s, act in timers), key=lambda t: t[0])
        while not is_over():
            now = time.monotonic()
            if now > limit:
                raise Violation("not all arrived: " + ", ".join(
                    f"{os.path.basename(c.path)} {'sent' if c.is_sent else 'unsent'} "
                    f"{'done' if c.is_done else 'not done'} ({c.order})" for c in self.clients))
            while due and due[0][0] <= now:
                due.pop(0)[1]()
            until = due[0][0] if due else limit
            for key, _ in self.selector.select(min(look_s, max(0.0, until - time.monotonic()))):
                if key.fd in self.selector.get_map():
                    key.data()

    def load(self):
        """How much each client sends, and how large."""
        if self.point and "checkpoint" in self.point:
            return [CHECKPOINT_MESSAGES] * len(self.clients), CHECKPOINT_BYTES
        counts = [25 if self.rng.random() < 0.02 else self.rng.randint(1, 4) for _ in self.clients]
        return counts, self.rng.choice([10, 300, 3000, 40_000])

    def give(self, counts, size, kills=None, offsets=None, **order):
        offsets = offsets or [end_of_records(c.path) for c in self.clients]
        for client, count, offset in zip(self.clients, counts, offsets):
            client.give(**{"offset": offset, "send": count, "size": size, "receive": sum(counts) - count, "read": True,
                           "again": True, "anew": False, "replace": False, "ping": False,
                           "kill": (kills or {}).get(client), **self.extras, **order})
        return offsets

    def is_done(self):
        return all(c.is_done for c in self.clients)

    def run_round(self, waits=False, client_kills=0, random_kills=0):
        """One kill of the relay at least. `client_kills`: how many clients are armed with a point; `random_kills`: how
        many kills of anybody come at random moments besides."""
        counts, size = self.load()
        self.messages += sum(counts)
        kills = {c: [self.client_points.next(), 1 + int(self.rng.expovariate(1))]
                 for c in self.rng.sample(self.clients, client_kills)}
        before = self.kills["relay"]
        timers = [(self.rng.expovariate(1 / 0.06), self.kill_anybody) for _ in range(random_kills)]
        if self.point is None:
            timers.append((self.rng.expovariate(1 / 0.06), self.kill_the_relay))
        offsets = self.give(counts, size, kills, read=not waits, replace=self.rng.random() < REPLACED)
        if waits:
            self.pump(lambda: all(c.is_sent for c in self.clients), timers)
            self.kill_the_relay()
            self.give(counts, size, kills, offsets, again=False)
            timers = ()
        self.pump(self.is_done, timers)
        self.waited += waits
        if self.kills["relay"] == before:
            self.pump(lambda: self.kills["relay"] > before, [(IDLE_S, self.kill_the_relay)])

    def kill_anybody(self):
        victim = self.rng.choice([self.relay, self.relay, *self.clients])
        self.kill_the_relay() if victim is self.relay else victim.kill()

    def kill_the_relay(self):
        """It may be dying already; that it is dead is seen later, and it is started again then."""
        if self.relay.process:
            self.relay.process.kill()

    def finish(self):
        """A last kill, and sessions that work: whatever comes then stands in the records."""
        before = self.kills["relay"]
        if self.kill_relay:
            self.is_finishing = True  # no point is armed any more
            self.kill_the_relay()
            self.pump(lambda: self.kills["relay"] > before)
        self.give([0] * len(self.clients), 1, ping=True, refuse=0)
        self.pump(self.is_done)
        if waiting := self.count_waiting():
            raise Violation(f"the relay counts {waiting} waiting messages, the clients none")
        if broken := books_broken(self.relay):
            raise Violation(broken[0])

    def count_waiting(self):
        return json.loads(self.relay.ctl("status", "--json"))["waiting_messages"]


class Template:
    """A relay's store as it is now, to begin again with: a store that grew over many rounds would only be slower."""

    def __init__(self, relay):
        self.relay = relay
        self.path = os.path.join(relay.folder, "template")
        relay.kill()
        shutil.copytree(relay.state, self.path)
        relay.start()

    def restore(self):
        if self.relay.process:
            self.relay.kill()
        shutil.rmtree(self.relay.state)
        shutil.copytree(self.path, self.relay.state)
        self.relay.start()
