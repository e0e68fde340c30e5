#!/usr/bin/python3
"""The benchmark is to be believed: it counts what it says, and a message that is lost, repeated, late or
damaged fails it. Against brugd, and against the floor, which breaks messages when told to."""
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))
sys.path.insert(0, os.path.join(ROOT, "bench"))
import tap  # noqa: E402
from server import Floor, Place, Relay  # noqa: E402

MESSAGES = 400
RUN = "b0b0"


def load(server, mode, **options):
    """(exit status, report)"""
    done = subprocess.run(server.place.load_command(server, mode, **{"retry": 10, **options}),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert done.returncode in (0, 1), done.stderr
    return done.returncode, json.loads(done.stdout)


def expect(report, **wanted):
    found = {key: report[key] for key in wanted}
    assert found == wanted, f"{found}, not {wanted}"


def expect_sane(report):
    expect(report, lost=0, repeated=0, disordered=0, damaged=0, refused=0, broken=0)
    assert report["rate"] > 0 and report["seconds"] > 0, report
    if "confirm_p50_us" in report:
        assert 0 < report["confirm_p50_us"] <= report["confirm_p99_us"] * 1.02, report
        assert report["confirm_p99_us"] <= report["confirm_max_us"] * 1.02, report


def test_every_message_is_counted_once_for_each_reader(place, relay):
    status, report = load(relay, "deliver", connections=8, in_flight=16, readers=2, messages=MESSAGES, threads=2)
    assert status == 0
    expect(report, sent=MESSAGES, confirmed=MESSAGES, delivered=2 * MESSAGES, acknowledged=2 * MESSAGES)
    expect_sane(report)
    assert report["written_bytes_each"] > 1024, "what the relay wrote is less than what it stored"


def test_messages_are_spread_over_organisations(place, relay):
    status, report = load(relay, "deliver", connections=3, in_flight=4, targets=4, messages=MESSAGES + 1, bytes=16384)
    assert status == 0
    expect(report, confirmed=MESSAGES + 1, delivered=MESSAGES + 1, acknowledged=MESSAGES + 1)
    expect_sane(report)


def test_one_at_a_time(place, relay):
    status, report = load(relay, "turns", messages=20)
    assert status == 0
    expect(report, confirmed=20, delivered=20, acknowledged=20)
    expect_sane(report)
    assert report["deliver_p50_us"] > 0


def test_a_backlog_survives_a_kill_and_none_of_it_comes_again(place, relay):
    status, report = load(relay, "publish", connections=8, in_flight=32, messages=MESSAGES, run=RUN)
    assert status == 0
    expect(report, confirmed=MESSAGES, delivered=0)
    relay.kill()
    relay.start(fresh=False)
    status, report = load(relay, "drain", connections=8, messages=MESSAGES, run=RUN)
    assert status == 0
    expect(report, delivered=MESSAGES, acknowledged=MESSAGES, lost=0)
    status, report = load(relay, "drain", connections=8, messages=MESSAGES, run=RUN, patience=0.3)
    assert status == 1, "what is not there was found"
    expect(report, delivered=0, lost=MESSAGES)


def test_handshakes_and_idle_connections(place, relay):
    status, report = load(relay, "connect", connections=2, seconds=0.2)
    assert status == 0 and report["opened"] > 0
    expect_sane(report)
    status, report = load(relay, "idle", connections=place.idle, hold=0.1)
    assert status == 0
    expect(report, opened=place.idle)


def test_a_refusal_fails_the_run(place, relay):
    relay.kill()
    tight = Relay(place, quota_messages_max=10)
    tight.start()
    try:
        status, report = load(tight, "publish", in_flight=16, messages=100)
    finally:
        tight.kill()
    assert status == 1 and report["refused"] > 0, report
    relay.start()


def test_the_floor_does_the_same_work(place, relay):
    for sync in ("thread", "inline"):
        floor = Floor(place)
        floor.start(sync)
        try:
            status, report = load(floor, "deliver", connections=8, in_flight=16, readers=2, messages=MESSAGES)
            assert status == 0
            expect(report, confirmed=MESSAGES, delivered=2 * MESSAGES, acknowledged=2 * MESSAGES)
            expect_sane(report)
            assert report["written_bytes_each"] > 3 * 1024, f"{sync}: {report}"
        finally:
            floor.kill()


def test_a_broken_message_fails_the_run(place, relay):
    for what, counter in (("lose", "lost"), ("double", "repeated"), ("swap", "disordered"), ("flip", "damaged")):
        floor = Floor(place)
        floor.start(spoil=f"{what}:50")
        try:
            status, report = load(floor, "deliver", in_flight=16, messages=MESSAGES, patience=0.5)
        finally:
            floor.kill()
        assert status == 1 and report[counter] > 0, f"{what}: exit {status}, {report}"
        if what == "lose":
            expect(report, lost=MESSAGES // 50)


def test_the_runner_makes_a_table_and_says_what_failed(place, relay):
    out = place.path("result")
    script = os.path.join(ROOT, "bench", "run.py")
    done = subprocess.run([sys.executable, script, "--rounds", "1", "--seconds", "0.1", "--only", "one at a time",
                           "--idle", "0", "--backlog", "300", "--out", out], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with open(out + ".json") as f:
        result = json.load(f)
    assert result["once"]["backlog"]["messages"] == 300 and not result["failures"]
    for server in ("relay", "floor"):
        expect_sane(result["rounds"][0]["one at a time 1 KiB"][server])
    again = subprocess.run([sys.executable, script, "--table", out + ".json"], capture_output=True, text=True)
    assert again.stdout and again.stdout in done.stdout, "the table is not made from the results"


TESTS = [
    test_every_message_is_counted_once_for_each_reader,
    test_messages_are_spread_over_organisations,
    test_one_at_a_time,
    test_a_backlog_survives_a_kill_and_none_of_it_comes_again,
    test_handshakes_and_idle_connections,
    test_a_refusal_fails_the_run,
    test_the_floor_does_the_same_work,
    test_a_broken_message_fails_the_run,
    test_the_runner_makes_a_table_and_says_what_failed,
]

with Place(idle=5) as the_place:
    the_relay = Relay(the_place)
    the_relay.start()
    try:
        failed = tap.run(TESTS, the_place, the_relay)
    finally:
        the_relay.kill()
sys.exit(failed)
