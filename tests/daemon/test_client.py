"""The client against the real relay: enrolment by file and code, trust, a referral to two consultants and an answer, with kills
of the relay and of the client in between (T1, T6, T31)."""
import json
import os
import random
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from people import BRUG, SYNC_S, People  # noqa: E402
from relay import Relay  # noqa: E402
from tap import main  # noqa: E402


def test_T31_nothing_goes_before_a_person_confirmed(world):
    world.gp.sync()
    sent = world.gp.refer(world.team, wait="3")
    row = world.gp.json("sent")
    assert len(row) == 1 and row[0]["state"] == "waiting", row
    assert world.one.brug("sync", "--wait", SYNC_S) is not None
    assert world.one.inbox() == []
    world.introduce()
    world.case = sent["case_id"]
    assert world.gp.json("sent")[0]["state"] == "stored"


def test_both_consultants_read_it_after_a_kill_of_the_relay(world):
    world.relay.restart()
    for person in (world.one, world.two):
        person.sync()
        messages = person.inbox()
        assert len(messages) == 1 and messages[0]["state"] == "ready", messages
        shown = person.brug("show", str(messages[0]["number"]))
        assert "Robin Zandbergen" in shown and "slaapt al weken slecht" in shown


def test_an_answer_comes_back_and_facts_are_dated(world):
    number = world.one.inbox()[0]["case_code"]
    world.one.brug("send", number, "--kind", "note", "--letter", "-", "--yes", "--wait", SYNC_S,
                   data="Wij bellen de ouders morgen.\n")
    world.gp.sync()
    answers = world.gp.inbox()
    assert len(answers) == 1 and answers[0]["state"] == "ready", answers
    assert "bellen de ouders" in world.gp.brug("show", str(answers[0]["number"]))
    facts = world.gp.json("sent", "1", "--refresh", "--wait", SYNC_S)
    assert "A. Smit" in json.dumps(facts), facts


def test_written_while_the_relay_is_down_goes_out_later_once(world):
    world.relay.kill()
    world.gp.refer(world.team, wait="0")
    assert "stored" not in [m["state"] for m in world.gp.json("sent")[:1]]
    world.relay.start()
    world.gp.sync()
    world.gp.sync()
    for person in (world.one, world.two):
        person.sync()
        received = [m for m in person.inbox() if m["kind"] == "referral"]
        assert len(received) == 2, received


def test_a_client_killed_at_random_sends_and_shows_each_once(world):
    rng = random.Random(int(os.environ.get("BRUG_SEED") or 1))
    before = len(world.two.inbox())
    for _ in range(12):
        world.gp.refer(world.team, wait="0")
        for person in (world.gp, world.two):
            p = subprocess.Popen([BRUG, "sync", "--wait", SYNC_S], env=person.environment(),
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(rng.uniform(0.0, 0.25))
            p.send_signal(signal.SIGKILL)
            p.wait()
    world.gp.sync()
    world.two.sync()
    sent = world.gp.json("sent")
    assert all(m["state"] == "stored" for m in sent), sent
    received = world.two.inbox()
    assert len(received) == before + 12, len(received) - before
    assert all(m["state"] == "ready" for m in received), received


def test_a_suspended_colleague_is_no_reader_any_more(world):
    mine = world.two.json("whoami")
    world.relay.ctl("endpoint", "suspend", mine["endpoint"])
    before = len(world.two.inbox())
    world.gp.refer(world.team)  # sealed for two at first; the relay answers DIRECTORY_CHANGED
    assert world.gp.json("sent")[0]["state"] == "stored"
    world.two.brug("sync", "--wait", "3", fails=True)
    world.relay.ctl("endpoint", "resume", mine["endpoint"])
    world.two.sync()
    assert len(world.two.inbox()) == before


if __name__ == "__main__":
    with Relay() as the_relay:
        main([test_T31_nothing_goes_before_a_person_confirmed,
              test_both_consultants_read_it_after_a_kill_of_the_relay,
              test_an_answer_comes_back_and_facts_are_dated,
              test_written_while_the_relay_is_down_goes_out_later_once,
              test_a_client_killed_at_random_sends_and_shows_each_once,
              test_a_suspended_colleague_is_no_reader_any_more], People(the_relay))
