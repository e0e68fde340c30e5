"""Days on which a real relay was away: it says so as it starts, waits for the word of its operator, and with it nothing that
fell due meanwhile is called overdue; the dates that clients see are the moved ones.

The clock of all programs is moved. Day 0 is a Monday, after which there is no holiday for three weeks.
"""
import datetime
import json
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
sys.path.insert(0, HERE)
from profiles import World, refer  # noqa: E402
from tap import expect, main  # noqa: E402
from test_figures import TODAY, LongRelay, Moved, is_working, move_clock  # noqa: E402

FIRST = next(n for n in range(60) if (TODAY + datetime.timedelta(days=n)).weekday() == 0
             and all(is_working(TODAY + datetime.timedelta(days=n + k)) for k in range(21) if k % 7 < 5))
MONDAY = TODAY + datetime.timedelta(days=FIRST)
STEP_S_MAX = 15


def date(days):
    return (MONDAY + datetime.timedelta(days=days)).isoformat()


class Story(World):
    def __init__(self, relay):
        super().__init__(relay)
        self.gp, self.samira, joost, spare = (Moved(self.folder, name) for name in ("gp", "samira", "joost", "practice-recovery"))
        self.enrol(self.gp, self.invite(self.practice, "M. van der Linde", "gp"))
        self.enrol(self.samira, self.invite(self.team, "Samira Haddou", "consultant"))
        self.enrol(joost, self.invite(self.team, "Joost Meijer", "consultant"))
        self.enrol(spare, self.path("practice.invitation"), "--recovery")
        self.introduce(self.gp, self.samira, joost)
        sent = self.gp.json(*refer("--yes", youth=None, name="Kind", born="2015-05-05", reason="parenting"))
        assert sent["state"] == "stored", sent
        self.case = sent["case_code"]
        assert self.owed() == {"due": date(7), "overdue": False}, self.owed()

    def at(self, days):
        assert self.relay.stop() == 0
        move_clock(FIRST + days)
        self.relay.start()

    def owed(self):
        """The take-up, as the GP's client sees it."""
        self.gp.run("sync")
        item = next(o for o in self.gp.json("owed")["we_are_owed"] if o["kind"] == "take-up")
        return {key: item[key] for key in ("due", "overdue")}

    def notices(self):
        """Kinds of what the relay told the GP."""
        self.gp.run("sync")
        told = self.gp.json("case", self.case)
        return [letter["kind"] for letter in told["letters"] if letter["kind"] in ("overdue", "not-opened", "non-delivery")]

    def log(self, event):
        with open(self.relay.log, errors="replace") as f:
            return [line for line in f if event in line]

    def status(self):
        status = json.loads(self.relay.ctl("--json", "status"))
        return status["away_from_date"], status["away_until_date"]

    def complain(self, *words):
        complaint = str(expect(RuntimeError, lambda: self.relay.ctl("outage", *words)))
        assert "brugctl: " in complaint and len(complaint.splitlines()) == 1, complaint
        return complaint


def test_a_relay_that_was_away_waits(w):
    assert w.status() == (None, None) and not w.log("relay.was_away")
    w.at(9)
    assert w.status() == (date(1), date(8)), w.status()
    line, = w.log("relay.was_away")
    assert f"from={date(1)} until={date(8)}" in line and f"brugctl outage add {date(1)} {date(8)}" in line, line
    w.samira.run("sync")
    time.sleep(3)  # three times the step of time
    assert w.notices() == [] and w.owed()["due"] == date(7)
    assert "away_from_date" in w.relay.ctl("status")


def test_what_makes_no_sense_gets_one_line(w):
    for words, about in (((date(8), date(1)), "before the first"), ((date(1), date(10)), "has not come"),
                         ((date(-400), date(8)), "check the year"), (("gisteren", date(8)), "is no date"),
                         ((date(1), "31"), "is no date"), ((date(1),), "usage: brugctl outage add FROM UNTIL"),
                         ((), "usage: brugctl outage add FROM UNTIL"), ((date(1), date(8), "x"), "usage")):
        complaint = w.complain("add", *words)
        assert about in complaint, complaint
    assert json.loads(w.relay.ctl("--json", "outage", "list")) == []
    assert w.status() == (date(1), date(8))


def test_his_word_moves_the_dates(w):
    identifier = "00000000-0000-4000-8000-000000000077"
    said = w.relay.ctl("outage", "add", date(1), date(8), "--id", identifier)
    assert "The due dates of 1 case move." in said and date(8) in said, said
    row = json.loads(w.relay.ctl("--json", "outage", "add", date(1), date(8), "--id", identifier))  # a repeat
    assert (row["from_date"], row["until_date"], row["cases"], row["number"]) == (date(1), date(8), 1, 1), row
    assert row["outage_id"] == identifier and row["by"]["name"], row
    assert f"{date(1)} to {date(8)} is recorded" in w.complain("add", date(3), date(3))
    listed = json.loads(w.relay.ctl("--json", "outage", "list"))
    assert listed == [row], listed
    assert date(1) in w.relay.ctl("outage", "list").splitlines()[1]
    assert w.status() == (None, None)
    deadline = time.monotonic() + STEP_S_MAX
    while w.owed()["due"] != date(15):  # five working days were lost; the sixth lay behind the due date
        assert time.monotonic() < deadline, w.owed()
        time.sleep(0.2)
    assert w.owed() == {"due": date(15), "overdue": False} and w.notices() == []


def test_it_stays_so_after_a_kill(w):
    w.relay.restart()
    assert w.owed() == {"due": date(15), "overdue": False}
    assert len(json.loads(w.relay.ctl("--json", "outage", "list"))) == 1
    assert len(w.log("relay.was_away")) == 1


def test_a_day_later_the_steps_are_taken(w):
    """Its letter was not opened: two working days of the relay after the Monday are the 9th and the 10th day."""
    w.at(10)
    assert w.owed()["overdue"] is False
    w.at(11)
    deadline = time.monotonic() + STEP_S_MAX
    while w.notices() != ["not-opened"]:
        assert time.monotonic() < deadline, w.notices()
        time.sleep(0.2)
    assert len(w.log("relay.was_away")) == 1


TESTS = [value for name, value in list(globals().items()) if name.startswith("test_")]

if __name__ == "__main__":
    move_clock(FIRST)
    with LongRelay() as relay:
        main(TESTS, Story(relay))
