"""Kill storms (T8): the relay, its clients, or both, killed with -9 at random and at named points, and a checker that
works from the clients' own records only (check_records.py). T9 comes with it: in half of the rounds messages wait
when the relay is killed, and must reach their readers without new traffic. T12: a letter that is never acknowledged is
parked, and stays so (parking.py). Cases, what is owed in them, and the notices that come by time alone (case_storm.py).

Most rounds use scripted clients (tests/lib/scripted.py); some the real `brug` with its store. The controls are relays that
break one promise each (tests/lib/bad_relay.py); the same checker must flag each of them.

ROUNDS=n sets the number of rounds, REAL_ROUNDS=n of those with the real `brug`. TESTS=word runs only the tests with it in
their names, POINTS=word arms only the points of our programs with it in theirs, ROUND_S=n is how long a round may take: for a closer
look, and for the mutants. Prints its seed; BRUG_SEED makes the same choices again (the moments of random kills still
depend on the machine).
"""
import os
import random
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lib"), os.path.join(HERE, "..", "interop")]
import proof  # noqa: E402
from bad_relay import FAULTS, UNFINISHED, bad_relay  # noqa: E402
from case_storm import CASES_OF_A_ROUND, ROUNDS_MAX as CASE_ROUNDS_MAX, CaseStorm  # noqa: E402
from parking import SETTINGS as PARKING_SETTINGS, Parking  # noqa: E402
from people import BRUG, People  # noqa: E402
from relay import Relay, free_port  # noqa: E402
from scripted import POINTS  # noqa: E402
from storm import (Points, Storm, Template, Violation, all_points, books_broken, check,  # noqa: E402
                   preload, take_hits)
from tap import main  # noqa: E402
from world import Players  # noqa: E402

ROUNDS = proof.size("ROUNDS", 44, 2000)
ROUNDS_PER_STORE = 100
MORE_ROUNDS_MAX = 100
POINTS_OF_RELAY, POINTS_OF_BRUG = ([n for n in all_points(role) if os.environ.get("POINTS", "") in n]
                                   for role in ("relay", "client"))
REAL_ROUNDS = int(os.environ.get("REAL_ROUNDS") or max(3, ROUNDS // 20))  # besides, with real clients
SEED = int(os.environ.get("BRUG_SEED") or random.randrange(1 << 31))
PARKING_ROUNDS = max(3, ROUNDS // 100)
CASE_ROUNDS = min(CASE_ROUNDS_MAX, max(1, ROUNDS // 400))
CONTROL_S_MAX = 5
SETTINGS = {"fold_slice_bytes": 16384, "checkpoint_pages": 500, "log_level": "warning"}


def controls_flagged(players):
    """How many of the bad relays the checker names by the rule that they broke; without a fault it must be silent."""
    flagged = 0
    for fault in ["none", *FAULTS]:
        lines = run_control(players, fault)
        if fault == "none":
            assert not lines, lines
        elif any(line.startswith(FAULTS[fault] + " ") for line in lines):
            flagged += 1
        else:
            print(f"# control not flagged: {fault}: {lines}")
    return flagged


def run_control(players, fault):
    """Three messages from each, over to rest, and then a look at what became of them; the client with the bad relay asks
    again only if that is the point."""
    endpoint = players.endpoints[0]
    with bad_relay(players, endpoint, fault) as port, \
         Storm(players.relay, players, SEED, kill_relay=False, ports={endpoint.endpoint: port},
               extras={"unreadable_in": 2}) as storm:
        def is_over():
            if fault not in UNFINISHED:
                return storm.is_done()
            return all(c.is_sent for c in storm.clients) and storm.count_waiting() == 0
        storm.give([3] * 4, 300)
        storm.pump(is_over, look_s=0.1)
        if fault == "receipt":
            storm.clients[0].kill()
            storm.pump(lambda: storm.kills["client"] == 1 and storm.is_done())
        if fault not in UNFINISHED:
            storm.give([0] * 4, 1, refuse=0)
            storm.pump(storm.is_done)
        return check(storm.folder)


def sleep_is_seen(players):
    """The control of T9: a relay that does not deliver what waited when it was killed."""
    endpoint = players.endpoints[0]
    with bad_relay(players, endpoint, "asleep") as port, \
         Storm(players.relay, players, SEED, ports={endpoint.endpoint: port}) as storm:
        storm.round_s_max = CONTROL_S_MAX
        try:
            storm.run_round(waits=True)
        except Violation as e:
            return str(e).startswith("not all arrived")
    return False


def print_hits(who, points):
    print(f"# hits, {who}: " + ", ".join(f"{n} {points.hits[n]}" for n in points.names), flush=True)


def run_scripted(players, relay_points, client_points):
    """Storms on one store after the other. Returns what was counted, and the lines of the checker."""
    rng = random.Random(SEED)
    template = Template(players.relay)
    waited, broken, kills, messages = 0, [], {"relay": 0, "relay at a point": 0, "client": 0}, 0
    done = 0
    while done < ROUNDS:
        template.restore()
        storm = Storm(players.relay, players, rng.random())
        storm.aim(relay_points, client_points)
        try:
            with storm:
                for _ in range(min(ROUNDS_PER_STORE, ROUNDS - done)):
                    run_round(storm, done)
                    done += 1
                if done == ROUNDS:
                    done += run_to_the_last_point(storm)
                storm.finish()
            broken += check(storm.folder)
        except Violation as e:
            broken += [str(e), *check(storm.folder)]
        waited += storm.waited
        messages += storm.messages
        kills = {who: count + storm.kills[who] for who, count in kills.items()}
        print("\n# ".join([f"# {done} rounds: {kills}", *broken]), flush=True)
        if broken:
            break
    template.restore()
    return done, waited, messages, kills, broken


def run_round(storm, n):
    storm.run_round(waits=n % 2 == 1, client_kills=n % 3 == 0, random_kills=n % 5 == 0)


def run_to_the_last_point(storm):
    """How many rounds more it took until each named point was hit; a run that is shorter than their list asks for none."""
    points = storm.relay_points, storm.client_points
    n = 0
    while ROUNDS >= sum(len(p.names) for p in points) and any(p.missed() for p in points) and n < MORE_ROUNDS_MAX:
        run_round(storm, n)
        n += 1
    return n


def test_T8_T9_kills_lose_nothing_and_bring_nothing_back(_):
    began = time.monotonic()
    rng = random.Random(SEED)
    relay_points, client_points = Points(POINTS_OF_RELAY, rng), Points(POINTS, rng)
    with Relay(**SETTINGS) as relay:
        players = Players(relay)
        done, waited, messages, kills, broken = run_scripted(players, relay_points, client_points)
        seconds = time.monotonic() - began
        flagged = 0 if broken else controls_flagged(players)
        slept = not broken and sleep_is_seen(players)
    print_hits("relay", relay_points)
    print_hits("scripted clients", client_points)
    proof.report(f"T8 kill -9, relay {kills['relay']} and clients {kills['client']} times: {messages} letters",
                 done, "rounds", len(broken), flagged, len(FAULTS), seconds)
    proof.report("T9 what waits at a kill arrives without new traffic", waited, "rounds", len(broken), int(slept), 1, seconds)
    assert not broken, broken[:20]
    assert flagged == len(FAULTS) and slept, "a control was not flagged"
    if ROUNDS >= len(relay_points.names) + len(client_points.names):
        assert not relay_points.missed() + client_points.missed(), relay_points.missed() + client_points.missed()


def test_T12_what_is_parked_stays_so_and_is_told_once_over_kills(_):
    began = time.monotonic()
    rng = random.Random(SEED)
    with Relay(**SETTINGS, **PARKING_SETTINGS) as relay:
        players = Players(relay)
        parking = Parking(players, Points(POINTS_OF_RELAY, rng), rng)
        for _ in range(PARKING_ROUNDS):
            parking.run_round()
        relay.restart()  # not armed any more
        broken = parking.broken + books_broken(relay)
        seconds = time.monotonic() - began
        with bad_relay(players, parking.sender, "told") as port:
            control = Parking(players, None, rng, {parking.sender.endpoint: port})
            control.run_round()
    flagged = any("reports" in line for line in control.broken)
    proof.report(f"T12 parked and told once, relay killed {parking.kills} times", PARKING_ROUNDS, "rounds", len(broken),
                 int(flagged), 1, seconds)
    assert not broken, broken[:20]
    assert flagged, f"control not flagged: {control.broken}"


def test_T8_cases_and_what_is_owed_in_them_survive_kills(_):
    began = time.monotonic()
    rng = random.Random(SEED)
    with Relay(**SETTINGS) as relay:
        players = Players(relay)
        storm = CaseStorm(players, Points(POINTS_OF_RELAY, rng), rng)
        while storm.rounds < CASE_ROUNDS and not storm.broken:
            storm.run_round()
        relay.restart()  # not armed any more
        broken = storm.broken + books_broken(relay)
    seconds = time.monotonic() - began
    with Relay(**SETTINGS) as relay:
        players = Players(relay)
        with bad_relay(players, players.endpoints[0], "told") as port:
            control = CaseStorm(players, None, rng, {players.endpoints[0].endpoint: port})
            control.notice_s_max = CONTROL_S_MAX
            control.run_round()
    flagged = any(line.startswith("practice: ") and ": 2" in line for line in control.broken)
    proof.report(f"T8 cases, claims and notices, relay killed {storm.kills} times", storm.rounds * CASES_OF_A_ROUND, "cases",
                 len(broken), int(flagged), 1, seconds)
    assert not broken, broken[:20]
    assert flagged, f"control not flagged: {control.broken}"


# ---- real clients ----

class RealStorm:
    """`brug` killed at points of its store and its link, and the relay at random; what each store holds in the end."""

    def __init__(self, people, points, rng):
        self.people, self.points, self.rng = people, points, rng
        self.environment = {"LD_PRELOAD": ":".join(preload(BRUG)),
                            "BRUG_KILL_HITS": os.path.join(people.relay.folder, "client-hits")}
        self.kills, self.written = 0, []

    def sync(self, person, point):
        """One sync with a kill at a point, if it comes to that; otherwise it ends by itself."""
        nth = 1 if "send" in point else self.rng.randint(1, 5)
        return subprocess.Popen([BRUG, "sync", "--wait", "20"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                env={**person.environment(), **self.environment, "BRUG_KILL": f"{point}:{nth}"})

    def run_round(self, has_relay_kill):
        p = self.people
        self.written.append(p.gp.refer(p.team, wait="0")["message_id"])
        points = self.points.next(), self.points.next()
        if "ack" in points[0] or "submit" in points[1]:
            points = points[::-1]
        syncs = [self.sync(p.gp, points[0]), self.sync(p.one, points[1])]
        if has_relay_kill:
            time.sleep(self.rng.uniform(0, 0.1))
            p.relay.restart()
            self.kills += 1
        for sync in syncs:
            status = sync.wait(60)
            assert status in (0, -signal.SIGKILL, os.EX_TEMPFAIL), f"brug sync ended with {status}"
            self.kills += status == -signal.SIGKILL
        self.note_hits()

    def note_hits(self):
        self.points.hits.update(take_hits(self.environment["BRUG_KILL_HITS"]))

    def broken(self):
        """What does not hold of the clients' own stores, now that nobody is killed any more."""
        p = self.people
        for person in (p.gp, p.one, p.two):
            person.sync()
        sent = {m["message_id"]: m["state"] for m in p.gp.json("sent")}
        lines = [f"unsettled {m}: {state}" for m, state in sent.items() if state != "stored"]
        lines += [f"missing {m} at its sender" for m in self.written if m not in sent]
        for person in (p.one, p.two):
            came = [m["message_id"] for m in person.inbox()]
            lines += [f"missing {m} at {person.name}" for m in set(sent) - set(came)]
            lines += [f"repeat {m} at {person.name}" for m in set(came) if came.count(m) > 1]
            lines += [f"stranger {m} at {person.name}" for m in set(came) - set(sent)]
            lines += [f"bytes {m['message_id']} {m['state']}" for m in person.inbox() if m["state"] != "ready"]
        return lines + books_broken(p.relay)


REAL_FAULTS = {"lost": "missing", "dropped": "missing", "bytes": "bytes"}


def real_control_is_flagged(storm, fault):
    """A bad relay stands between the relay and one client while that client syncs: the sender, or a reader."""
    people, relay = storm.people, storm.people.relay
    port = relay.port
    victim = people.gp if fault == "lost" else people.one
    message_id = people.gp.refer(people.team, wait="0")["message_id"]
    if victim is not people.gp:
        people.gp.sync()
    relay.port = free_port()
    relay.write_config(relay_port=port)
    relay.restart()
    with bad_relay(people, victim, fault, port):
        victim.sync()
    relay.port = port
    relay.write_config()
    relay.restart()
    lines = storm.broken()
    if any(line.startswith(f"{REAL_FAULTS[fault]} {message_id}") for line in lines):
        return True
    print(f"# control not flagged: {fault}: {lines}")
    return False


def test_T8_real_clients_survive_kills_too(_):
    began = time.monotonic()
    rng = random.Random(SEED)
    points = Points(POINTS_OF_BRUG, rng)
    with Relay(**SETTINGS) as relay:
        people = People(relay)
        people.introduce()
        storm = RealStorm(people, points, rng)
        for n in range(REAL_ROUNDS):
            storm.run_round(has_relay_kill=n % 3 == 2)
        broken = storm.broken()
        seconds = time.monotonic() - began
        flagged = sum(real_control_is_flagged(storm, fault) for fault in REAL_FAULTS)
    print_hits("brug", points)
    proof.report(f"T8 kill -9 of brug and its relay, {storm.kills} times", REAL_ROUNDS, "rounds", len(broken), flagged,
                 len(REAL_FAULTS), seconds)
    assert not broken, broken[:20]
    assert flagged == len(REAL_FAULTS), "a control was not flagged"
    if REAL_ROUNDS >= 2 * len(points.names):
        assert not points.missed(), points.missed()


if __name__ == "__main__":
    print(f"# seed {SEED}, {ROUNDS} rounds", flush=True)
    tests = (test_T8_T9_kills_lose_nothing_and_bring_nothing_back,
             test_T12_what_is_parked_stays_so_and_is_told_once_over_kills,
             test_T8_cases_and_what_is_owed_in_them_survive_kills, test_T8_real_clients_survive_kills_too)
    main([t for t in tests if os.environ.get("TESTS", "") in t.__name__], None)
