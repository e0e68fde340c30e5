"""The network as an enemy (tests/lib/enemy.py): connections that are cut at every byte (a sample of them in `make test`),
stalled, split, merged, reset, half open, or lost in one direction. Clients, scripted and real, come back by themselves,
and everything happens exactly once in effect, as the checker of the kill storms finds it (check_records.py). T1, T5 and
T13 over real sockets besides. Controls: the same with a relay behind the enemy that breaks a promise (bad_relay.py).

CUTS=n sets the number of cuts; TESTS=word runs only the tests with it in their names. Prints its seed; BRUG_SEED makes the same choices again.
"""
import json
import os
import random
import select
import signal
import socket
import struct
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lib"), os.path.join(HERE, "..", "interop")]
import proof  # noqa: E402
from bad_relay import bad_relay  # noqa: E402
from brug_client import GoneAway, delimited, new_header, referral_fields, seal_nothing  # noqa: E402
from enemy import DOWN, UP, Enemy  # noqa: E402
from people import BRUG, People  # noqa: E402
from relay import Relay, free_port  # noqa: E402
from storm import Storm, Violation, check  # noqa: E402
from tap import main  # noqa: E402
from wire import casefile, wire  # noqa: E402
from world import Players  # noqa: E402

EVERY = 1 << 20  # more bytes than a session has
CUTS = proof.size("CUTS", 100, EVERY)
LOAD = min(CUTS, 1500)
MIXED_ROUNDS = max(6, LOAD // 25)
RUNS = proof.size("RUNS", 40, 1000)  # of T1, T5 and T13
REAL_CUTS = max(3, LOAD // 30)
REAL_LETTERS_MAX = 300
CUT_WAIT_S = 3  # a client tries again after 0.5 to 1.5 s
IS_LONG = CUTS >= 1000
TRIES_MAX = 4
UNREACHED_MAX, UNREACHED_SHARE_MAX = 2, 0.01  # of the planned cuts: a session's last bytes are not in each
CONTROL_RUNS = 10
CONTROL_ROUNDS = 4
DRAINS_MAX = 50
ALIKE = {"unreadable_in": 0, "looks": False}  # so that sessions have the same length
SEED = int(os.environ.get("BRUG_SEED") or random.randrange(1 << 31))
PATIENCE_S = 0.5
SETTINGS = {"log_level": "error", "handshakes_per_source_max": 10000}
IDLE_MS = 2000  # longer than a busy machine needs for two handshakes


class Net:
    """Players, and an enemy between each of them and the relay."""

    def __init__(self, relay):
        self.relay = relay
        self.players = Players(relay)
        self.rng = random.Random(SEED)

    def storm(self, ports, **extras):
        ports = {e.endpoint: port for e, port in zip(self.players.endpoints, ports)}
        return Storm(self.relay, self.players, self.rng.random(), kill_relay=False, ports=ports, patience_s=PATIENCE_S,
                     extras=extras)


def count_cuts(reports):
    return sum("cut" in r for r in reports)


def judge(storm):
    """The storm has ended well; what the records say."""
    storm.finish()
    return check(storm.folder)


# ---- cuts ----

def session_bytes(storm, enemy):
    """How many bytes whole sessions have, for each port in each direction: handshake, Hello, Submit, Receipt, Refused,
    Deliver, Ack, Acked, Opened, Noted."""
    for _ in range(3):  # a round ends the sessions of the one before
        storm.give([1] * 4, 300, anew=True)
        storm.pump(storm.is_done)
    passed = [r for r in enemy.forget() if "passed" in r]
    return {port: {way: max(r["passed"][n] for r in passed if r["port"] == port) for n, way in enumerate((UP, DOWN))}
            for port in enemy.ports}


def longest(lengths, way):
    return max(length[way] for length in lengths.values())


def cut_each(net, storm, enemy, lengths, todo):
    """Cuts at these (direction, offset), each in a session that is long enough; those that did not come about."""
    rest = list(todo)
    net.rng.shuffle(rest)
    done = set()
    while rest:
        for port in enemy.ports:
            fits = [place for place in rest[-20:] if place[1] <= lengths[port][place[0]]]
            if fits:
                rest.remove(fits[0])
                enemy.plan(port, direction=fits[0][0], offset=fits[0][1], how=net.rng.choice(["close", "reset"]))
        storm.give([1] * 4, 300, anew=True)
        storm.pump(storm.is_done)
        done |= {(r["direction"], r["offset"]) for r in enemy.forget() if "cut" in r}
    return [place for place in todo if place not in done]


def cut_sessions(net, choose, claim):
    """Cuts at the places that are chosen from all; what was not reached is tried again."""
    began = time.monotonic()
    with Enemy(net.relay.port, 4) as enemy, net.storm(enemy.ports, **ALIKE) as storm:
        lengths = session_bytes(storm, enemy)
        places = [(way, n) for way in (UP, DOWN) for n in range(longest(lengths, way) + 1)]
        planned = missed = choose(places)
        for _ in range(TRIES_MAX):
            missed = cut_each(net, storm, enemy, lengths, missed)
        broken = judge(storm)
    seconds = time.monotonic() - began
    flagged = not broken and control_is_flagged(net, lambda enemy: plan_cuts(net, enemy, longest(lengths, UP), longest(lengths, DOWN)))
    cuts = len(planned) - len(missed)
    print(f"# not reached: {', '.join(f'{way} {n}' for way, n in sorted(missed)) or 'none'}; a session has "
          f"{longest(lengths, UP)} bytes up, {longest(lengths, DOWN)} down at most", flush=True)
    proof.report(claim.format(cuts, len(places)), cuts, "cuts", len(broken), int(flagged), 1, seconds)
    assert not broken, broken[:20]
    assert len(missed) <= max(UNREACHED_MAX, len(planned) * UNREACHED_SHARE_MAX), f"not cut: {sorted(missed)}"
    assert flagged, "the control was not flagged"


def plan_cuts(net, enemy, up, down):
    for port in enemy.ports:
        way = net.rng.choice([UP, DOWN])
        enemy.plan(port, direction=way, offset=net.rng.randrange(up if way == UP else down), how="reset")


def test_cuts_at_every_byte_of_a_session_change_nothing(net):
    cut_sessions(net, lambda places: places, "cut at every byte of a session ({} of {}), all comes once")


def test_cuts_at_a_sample_of_the_bytes_of_a_session_change_nothing(net):
    cut_sessions(net, lambda places: net.rng.sample(places, min(CUTS, len(places))),
                 "cut at {} of {} bytes of a session, all comes once")


def control_is_flagged(net, plan):
    """The same enemy, and behind it, for one client, a relay that keeps a letter to itself."""
    victim = net.players.endpoints[0]
    with bad_relay(net.players, victim, "dropped") as bad, Enemy(bad, 1) as before_bad, \
         Enemy(net.relay.port, 3) as enemy, net.storm(before_bad.ports + enemy.ports) as storm:
        for _ in range(CONTROL_ROUNDS):
            plan(before_bad)
            plan(enemy)
            storm.give([1] * 4, 300, anew=True, looks=False)
            storm.pump(lambda: all(c.is_sent for c in storm.clients) and storm.count_waiting() == 0, look_s=0.1)
            before_bad.forget()
            enemy.forget()
        lines = check(storm.folder, at_rest=True)
    if any(line.startswith("missing ") for line in lines):
        return True
    print(f"# control not flagged: {lines}")
    return False


def random_plan(rng, up, down):
    direction, how = rng.choice([UP, DOWN]), rng.choice(["close", "close", "reset", "reset", "stall", "mute", "gone"])
    plan = {"direction": direction, "offset": rng.randrange(up if direction == UP else down), "how": how}
    shape = rng.random()
    if shape < 0.25:
        plan["chunk"] = rng.choice([1, 1, 2, 7, 100])
    elif shape < 0.4:
        plan["merge"] = rng.choice([100, 1000, 10000])
    if rng.random() < 0.15:
        plan["direction"] = "none"  # only split or merged
    return plan


def test_stalled_split_merged_and_half_open_links_change_nothing(net):
    began, lines = time.monotonic(), []
    with Enemy(net.relay.port, 4) as enemy, net.storm(enemy.ports) as storm:
        lengths = session_bytes(storm, enemy)
        up, down = longest(lengths, UP), longest(lengths, DOWN)

        def plan(enemy):
            for port in enemy.ports:
                for _ in range(net.rng.randint(0, 2)):
                    enemy.plan(port, **random_plan(net.rng, up, down))
        for _ in range(MIXED_ROUNDS):
            plan(enemy)
            counts, size = storm.load()
            storm.give(counts, size, anew=True)
            storm.pump(storm.is_done)
            lines += enemy.forget()
        broken = judge(storm)
    seconds = time.monotonic() - began
    flagged = not broken and control_is_flagged(net, plan)
    kinds = {how: sum(r.get("cut") == how for r in lines) for how in ("close", "reset", "stall", "mute", "gone")}
    proof.report(f"links {', '.join(f'{how} {n}' for how, n in kinds.items())}; split, merged: all comes once",
                 count_cuts(lines), "cuts", len(broken), int(flagged), 1, seconds)
    assert not broken, broken[:20]
    assert MIXED_ROUNDS < 50 or all(kinds.values()), kinds
    assert flagged, "the control was not flagged"


# ---- half open ----

def test_a_dead_session_ends_within_its_idle_time_and_a_new_one_takes_over_at_once(net):
    net.relay.write_config(idle_ms_max=IDLE_MS)
    net.relay.restart()
    sender, reader = net.players.endpoints[0], net.players.endpoints[2]
    try:
        with Enemy(net.relay.port, 1) as enemy:
            dead = net.players.connect(reader, port=enemy.ports[0])
            dead.subscribe()
            dead.ping()
            began = time.monotonic()
            os.kill(enemy.pid, signal.SIGSTOP)  # the network is gone, and nobody was told
            with net.players.connect(sender) as s, net.players.connect(reader) as fresh:
                took_over_s = time.monotonic() - began
                envelope = letter(net, sender)
                s.submit(envelope)
                fresh.subscribe()
                fresh.ack(fresh.next_delivery())
            assert took_over_s < IDLE_MS / 1000, f"a new session had to wait for {took_over_s:.2f} s"
            os.kill(enemy.pid, signal.SIGCONT)
            dead.close()
        ends_when_nobody_comes(net, reader)
    finally:
        net.relay.settings.pop("idle_ms_max")
        net.relay.write_config()
        net.relay.restart()


def ends_when_nobody_comes(net, reader):
    """A session that goes silent, and that no other replaces."""
    with Enemy(net.relay.port, 1) as enemy, net.players.connect(reader, port=enemy.ports[0]) as c:
        began = time.monotonic()
        try:
            c.next_delivery(20)
        except GoneAway as e:
            assert e.name == "IDLE_TIMEOUT", e
        silent_s = time.monotonic() - began
        assert IDLE_MS / 1000 * 0.9 < silent_s < IDLE_MS / 1000 + 5, silent_s


# ---- T1, T5, T13 over real sockets ----

def letter(net, sender):
    p = net.players
    rosters = [p.readers_of_all[p.practice.id], p.readers_of_all[p.team.id]]
    readers = sorted(e.endpoint for r in rosters for e in r.endpoints if e.endpoint != sender.endpoint)
    return seal_nothing(new_header(casefile.KIND_REFERRAL, sender, p.town, p.team.id, readers, [], **referral_fields()), 300)


def reset(client):
    """The peer learns nothing orderly."""
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.socket.close()


def drain(net):
    """Acknowledges all that waits for anybody; what a control left, too."""
    for _ in range(DRAINS_MAX):
        if json.loads(net.relay.ctl("--json", "status"))["waiting_messages"] == 0:
            return
        for endpoint in net.players.endpoints:
            with net.players.connect(endpoint) as c:
                c.subscribe()
                c.ping()
                for d in c.deliveries:
                    c.ack(d)
    raise Violation("something waits and does not come")


def test_T1_T13_a_receipt_that_got_lost_is_given_again_and_nothing_is_delivered_twice(net):
    """The link is reset when the receipt has come but was not read (T1), or right after the submit, so that the relay
    cannot send it (T13). Then the same bytes twice more."""
    drain(net)
    began = time.monotonic()
    differing, extra = lost_receipts(net, 2 * RUNS)
    seconds = time.monotonic() - began
    drain(net)
    with bad_relay(net.players, net.players.endpoints[0], "receipt") as port:
        has_differed = lost_receipts(net, CONTROL_RUNS, sender_port=port)[0] > 0
    drain(net)
    with bad_relay(net.players, net.players.endpoints[2], "twice") as port:
        came_twice = lost_receipts(net, CONTROL_RUNS, reader_port=port)[1] > 0
    drain(net)
    proof.report("T1 cut before the answer: same answer, one message", RUNS, "runs", differing, int(has_differed), 1, seconds)
    proof.report("T13 a receipt that cannot be sent runs no delivery again", RUNS, "runs", extra, int(came_twice), 1, seconds)
    assert differing == 0 and extra == 0, (differing, extra)
    assert has_differed and came_twice, "a control was not flagged"


def lost_receipts(net, runs, sender_port=None, reader_port=None):
    """How many receipts differed from the first, and how many deliveries were others than those that were due."""
    sender, reader = net.players.endpoints[0], net.players.endpoints[2]
    differing, came = 0, []
    with net.players.connect(reader, port=reader_port) as r:
        r.subscribe()
        for run in range(runs):
            envelope = letter(net, sender)
            first = net.players.connect(sender, port=sender_port)
            first.send(submit=wire.Submit(envelope=envelope))
            if run % 2 == 0:
                select.select([first.socket], [], [], 20)
            reset(first)
            cut_ms = time.time() * 1000
            with net.players.connect(sender, port=sender_port) as again:
                receipts = [again.submit(envelope).SerializeToString() for _ in range(2)]
            stored_ms = wire.Receipt.FromString(receipts[0]).stored_at_ms
            differing += receipts[0] != receipts[1] or (run % 2 == 0 and stored_ms > cut_ms)
            d = r.next_delivery()
            r.ack(d)
            r.give_credit()
            came.append((wire.Header.FromString(d.envelope.header).message_id,
                         wire.Header.FromString(envelope.header).message_id))
        r.ping()
        return differing, len(r.deliveries) + sum(a != b for a, b in came)


def test_T5_an_acknowledgement_against_a_new_session_has_one_outcome(net):
    """Ack in the old session and Hello of the new one race. Either it was acknowledged, and never comes again, or it
    comes in the new session, once."""
    drain(net)
    began = time.monotonic()
    outcomes, broken = races(net, RUNS)
    seconds = time.monotonic() - began
    drain(net)
    with bad_relay(net.players, net.players.endpoints[2], "returns") as port:
        flagged = len(races(net, CONTROL_RUNS, port)[1]) > 0
    drain(net)
    proof.report(f"T5 Ack against a new session: {outcomes['acked']} acked, {outcomes['again']} came again, "
                 f"{outcomes['unheard']} acked unheard", RUNS, "runs", len(broken), int(flagged), 1, seconds)
    assert not broken, broken[:20]
    assert flagged, "the control was not flagged"


def races(net, runs, port=None):
    """How often which side won, and what was broken."""
    sender, reader = net.players.endpoints[0], net.players.endpoints[2]
    outcomes = {"acked": 0, "again": 0, "unheard": 0}
    broken = []
    old = net.players.connect(reader, port=port)
    with net.players.connect(sender) as s:
        for _ in range(runs):
            s.submit(letter(net, sender))
            old.subscribe()
            d = old.next_delivery()
            new = net.players.connect(reader, hello=False, port=port)
            outcome, lines = race(net.rng, old, new, d)
            outcomes[outcome] += 1
            broken += lines
            old.close()
            old = new
    old.subscribe()
    old.ping()
    broken += ["something came back at the end"] * len(old.deliveries)
    old.close()
    return outcomes, broken


def race(rng, old, new, d):
    header = wire.Header.FromString(d.envelope.header)
    ack = wire.Ack(organisation=getattr(header, "from").organisation, message_id=header.message_id,
                   result=wire.ACK_RESULT_STORED)
    hello = delimited(wire.ClientFrame(request=1, hello=wire.Hello(protocol_min=1, protocol_max=1)))
    new.request = 1
    steps = [lambda: old.send(ack=ack), lambda: new.send_bytes(hello)]
    rng.shuffle(steps)
    steps[0]()
    select.select([old.socket], [], [], rng.choice([0, 0, 0.001, 0.02]))  # so that each side wins now and then
    steps[1]()
    new.answer(1)
    is_acked = has_acked(old)
    new.subscribe()
    new.ping()
    new.call(ack=ack)  # acknowledged before or not: the same answer
    came = [wire.Header.FromString(x.envelope.header).message_id for x in new.deliveries]
    broken = [f"{len(came)} deliveries of one message"] if len(came) > 1 or set(came) - {header.message_id} else []
    if is_acked and came:
        broken.append("it came again after its Acked")
    new.deliveries.clear()
    new.ping()
    broken += ["it came again after the second Acked"] * len(new.deliveries)
    new.deliveries.clear()
    new.credit_due = [0, 0]
    return ("acked" if is_acked else "again" if came else "unheard"), broken


def has_acked(old):
    """Reads the old session to its end."""
    try:
        while True:
            frame = old.read_frame(time.monotonic() + 20)
            if frame.WhichOneof("frame") == "acked":
                return True
            old.take(frame)
    except GoneAway:
        return False


# ---- real clients ----

class Watcher:
    """`brug watch` of one person: stays, and connects again by itself."""

    def __init__(self, person):
        self.person = person
        self.start()

    def start(self):
        self.process = subprocess.Popen([BRUG, "--json", "watch"], env=self.person.environment(),
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def restart(self):
        self.stop()
        self.start()

    def stop(self):
        assert self.process.poll() is None, f"brug watch of {self.person.name} ended with {self.process.returncode}"
        self.process.terminate()
        status = self.process.wait(30)
        assert status in (0, -signal.SIGTERM), f"brug watch of {self.person.name} ended with {status}"


def plan_for_real(rng):
    direction = rng.choice([UP, DOWN])
    return {"direction": direction, "offset": rng.randrange(6000 if direction == DOWN else 4500),
            "how": rng.choice(["close", "reset"]), **rng.choice([{}, {}, {"chunk": 1}, {"merge": 2000}])}


def wait_until(is_it, seconds):
    deadline = time.monotonic() + seconds
    while not is_it():
        if time.monotonic() > deadline:
            raise Violation("real clients did not come to rest")
        time.sleep(0.1)


def real_broken(people, written):
    """Nothing missing, nothing twice, all readable, in the clients' own stores."""
    lines = []
    for person in (people.one, people.two):
        came = [(m["message_id"], m["state"]) for m in person.inbox()]
        if sorted(came) != sorted((m, "ready") for m in written):
            lines.append(f"{person.name} has {len(came)} letters, {len(set(came))} different ones, of {len(written)}")
    return lines


def real_rounds(people, watchers, enemy, rng, written):
    """Plans for the next connection, and letters that make traffic, until so many links were cut."""
    cuts = 0
    while cuts < REAL_CUTS:
        enemy.plan(enemy.ports[0], **plan_for_real(rng))
        if len(written) < REAL_LETTERS_MAX:
            written.append(people.gp.refer(people.team, wait="0")["message_id"])
        try:
            cuts += count_cuts(enemy.wait_for(lambda r: "cut" in r, CUT_WAIT_S))
        except TimeoutError:  # its byte was never reached: the link rests
            cuts += count_cuts(enemy.forget())
            enemy.plan(enemy.ports[0], direction=DOWN, offset=0, how="reset")
            watchers[rng.randrange(len(watchers))].restart()
    enemy.forget()
    return cuts


def test_real_clients_come_back_by_themselves_and_have_each_letter_once(_):
    began, rng, written = time.monotonic(), random.Random(SEED), []
    port = free_port()
    with Relay(relay_port=port, **SETTINGS) as relay, Enemy(relay.port, [port]) as enemy:
        people = People(relay)
        people.introduce()
        watchers = [Watcher(p) for p in people.everybody]
        try:
            if IS_LONG:  # a handshake that comes to nothing is given up after half a minute
                enemy.plan(enemy.ports[0], direction=DOWN, offset=0, how="stall")
                watchers[-1].restart()
            cuts = real_rounds(people, watchers, enemy, rng, written)
            wait_until(lambda: all(m["state"] == "stored" for m in people.gp.json("sent")), 120)
            wait_until(lambda: not real_broken(people, written), 120)
            for watcher in watchers:
                watcher.stop()
        finally:
            for watcher in watchers:
                watcher.process.kill()
        broken = real_broken(people, written)
        seconds = time.monotonic() - began
        enemy.stop()
        flagged = real_control_is_flagged(people, port, rng, written)
    proof.report("real clients whose links are cut come back by themselves", cuts, "cuts", len(broken), int(flagged), 1, seconds)
    assert not broken, broken
    assert flagged, "the control was not flagged"


def real_control_is_flagged(people, port, rng, written):
    """One client's letters come through an enemy and a relay that keeps one to itself."""
    written.append(people.gp.refer(people.team, wait="0")["message_id"])
    with Enemy(people.relay.port, [port]):
        people.gp.sync()
    with bad_relay(people, people.one, "dropped") as bad, Enemy(bad, [port]) as enemy:
        enemy.plan(port, **plan_for_real(rng))
        people.one.sync()
    with Enemy(people.relay.port, [port]):
        people.two.sync()
    return any(line.startswith(people.one.name) for line in real_broken(people, written))


if __name__ == "__main__":
    print(f"# seed {SEED}, {'cuts everywhere' if CUTS == EVERY else f'{CUTS} cuts'}", flush=True)
    with Relay(**SETTINGS) as the_relay:
        tests = (test_cuts_at_every_byte_of_a_session_change_nothing if CUTS == EVERY
                 else test_cuts_at_a_sample_of_the_bytes_of_a_session_change_nothing,
                 test_stalled_split_merged_and_half_open_links_change_nothing,
                 test_a_dead_session_ends_within_its_idle_time_and_a_new_one_takes_over_at_once,
                 test_T1_T13_a_receipt_that_got_lost_is_given_again_and_nothing_is_delivered_twice,
                 test_T5_an_acknowledgement_against_a_new_session_has_one_outcome,
                 test_real_clients_come_back_by_themselves_and_have_each_letter_once)
        main([t for t in tests if os.environ.get("TESTS", "") in t.__name__], Net(the_relay))
