"""Family linkage with real programs [R41]: two children of one household, two consultants; people join and leave; and what is left on
the relay's disk. The tests build on one another, in this order."""
import contextlib
import json
import os
import sqlite3
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from profiles import ANSWER, Profile, World, read, refer  # noqa: E402
from relay import Relay  # noqa: E402
from tap import main  # noqa: E402
from wire import record  # noqa: E402

BSN = "123456782"
FOLD_S_MAX = 30
STREET = "Kerkepad"
HOUSE = "Dit gezin heeft een lopende casus bij "
CHILD = "LET OP: over deze jongere loopt nog een casus, bij "


def sync(w, rounds=1):
    for _ in range(rounds):
        for profile in w.everybody:
            profile.run("sync")


def refer_youth(w, name, address, *more):
    sent = w.gp.json(*refer("--yes", "--address", address, *more, youth=None, name=name, born="2014-02-01"))
    assert sent["state"] == "stored", sent
    return sent["case_code"]


def do(profile, *words):
    sent = profile.json(*words)
    assert sent["state"] == "stored", sent
    return sent


def case_of(w, profile, name, address, *more):
    """A new case that this consultant holds."""
    code = refer_youth(w, name, address, *more)
    profile.run("sync")
    do(profile, "claim", code)
    sync(w)
    return code


def linked(profile, code):
    return [(o["case_code"], o["director_name"], o["same_child"])
            for o in profile.json("case", code)["relay"]["linked"]]


def facts(profile):
    """What the relay told this person of families, as the inbox shows it."""
    return [line.strip() for line in profile.say("inbox", "--all").splitlines() if HOUSE in line or CHILD in line]


@contextlib.contextmanager
def stopped(w):
    """Once all that happened has come into the relay's tables."""
    deadline = time.monotonic() + FOLD_S_MAX
    while (status := json.loads(w.relay.ctl("--json", "status")))["folded_lsn"] < status["lsn"]:
        assert time.monotonic() < deadline, status
    assert w.relay.stop() == 0
    yield
    w.relay.start()


def tables(w, sql):
    with contextlib.closing(sqlite3.connect(os.path.join(w.relay.state, "brug.db"))) as db:
        return db.execute(sql).fetchall()


def kept_tags(w):
    """Each case's tags, as the relay has them; it must not be running."""
    return [record.TagsKept.FromString(row[0]) for row in tables(w, "SELECT kept FROM case_tags ORDER BY lsn")]


def key_in_force(w):
    rows = tables(w, "SELECT row FROM directory WHERE type = 23")
    assert len(rows) == 1, rows
    return record.TeamKey.FromString(rows[0][0]).key_id



def test_two_children_of_one_household(w):
    w.enrol_all()
    w.fenna = case_of(w, w.samira, "Fenna Tjoelker", f"{STREET} 12a, 7255 AB Hengelo", "--bsn", BSN)
    assert linked(w.samira, w.fenna) == []
    w.daan = case_of(w, w.joost, "Daan Tjoelker", f"{STREET.upper()} 12 A\n7255ab  HENGELO")
    sync(w)
    assert linked(w.samira, w.fenna) == [(w.daan, "Joost Meijer", False)]
    assert linked(w.joost, w.daan) == [(w.fenna, "Samira Haddou", False)]
    assert f"{HOUSE}Joost Meijer ({w.daan})." in w.samira.say("case", w.fenna)
    assert f"open case with Samira Haddou ({w.fenna})" in w.joost.say("--lang", "en", "case", w.daan)


def test_nobody_else_is_told(w):
    for profile in (w.joost, w.leader, w.gp):
        assert linked(profile, w.fenna) == [] and HOUSE not in profile.say("case", w.fenna)
    assert [len(facts(p)) for p in w.everybody] == [0, 1, 1, 0], [facts(p) for p in w.everybody]
    assert facts(w.samira)[0].endswith(f"De relay meldt: {HOUSE}Joost Meijer ({w.daan}).")
    shown = w.joost.json("inbox", "--all")
    assert not [m for m in shown if m["kind"] == "family-key"]


def test_the_same_child_is_warned_of(w):
    code = case_of(w, w.joost, "Fenna T.", "bij oma", "--bsn", BSN)
    sync(w)
    assert f"{CHILD}Samira Haddou ({w.fenna})." in w.joost.say("case", code)
    assert len([f for f in facts(w.samira) if CHILD in f]) == 1
    shown = w.joost.say("case", code)
    assert "Het adres in de verwijzing is niet te lezen als postcode en huisnummer." in shown, shown
    assert "Het adres" not in w.joost.say("case", w.daan)
    do(w.joost, "close", code, "--outcome", "no-help-needed", "--letter", ANSWER)
    sync(w)
    assert linked(w.samira, w.fenna) == [(w.daan, "Joost Meijer", False)]


def test_who_leaves_takes_no_link_along(w):
    with stopped(w):
        before = key_in_force(w)
        w.old_tags = kept_tags(w)
        assert len(w.old_tags) == 2 and all(len(t.household) == 32 for t in w.old_tags)
        assert w.old_tags[0].household == w.old_tags[1].household
    entry = next(e for o in w.leader.json("directory", "--refresh") if o["own"]
                 for e in o["entries"] if e["person_name"] == "Joost Meijer")
    w.relay.ctl("endpoint", "suspend", entry["endpoint"])
    w.everybody = (w.gp, w.samira, w.leader)
    sync(w, 2)
    with stopped(w):
        assert key_in_force(w) != before
        now = kept_tags(w)
        assert len(now) == 2 and now[0].household == now[1].household
        assert now[0].household != w.old_tags[0].household
    assert linked(w.samira, w.fenna) == [(w.daan, "Joost Meijer", False)]
    told = len(facts(w.samira))
    do(w.leader, "handover", w.daan, "Samira")
    sync(w)
    assert linked(w.samira, w.daan) == [(w.fenna, "Samira Haddou", False)]
    assert f"{HOUSE}uzelf ({w.daan})." in w.samira.say("case", w.fenna)
    assert len(facts(w.samira)) == told + 1


def test_who_joins_finds_the_family(w):
    with stopped(w):
        before = key_in_force(w)
    w.noor = Profile(w.folder, "noor")
    w.enrol(w.noor, w.invite(w.team, "Noor Bakker", "consultant"))
    w.everybody = (w.gp, w.samira, w.leader, w.noor)
    w.introduce(*w.everybody)
    sync(w, 2)
    with stopped(w):
        assert key_in_force(w) != before
    code = case_of(w, w.noor, "Bram Tjoelker", f"{STREET} 12-a 7255AB")
    sync(w)
    assert sorted(linked(w.noor, code)) == sorted([(w.fenna, "Samira Haddou", False),
                                                   (w.daan, "Samira Haddou", False)])
    assert (code, "Noor Bakker", False) in linked(w.samira, w.fenna)
    w.bram = code


def test_tags_are_gone_with_their_case(w):
    """Not one of all that were ever there, in any file of the relay; nor what they were made of."""
    with stopped(w):
        tags = w.old_tags + kept_tags(w)
        values = {t for kept in tags for t in (kept.child, kept.household) if t}
        assert len(kept_tags(w)) == 3 and len(values) > 4
    for profile, code in ((w.samira, w.fenna), (w.samira, w.daan), (w.noor, w.bram)):
        do(profile, "close", code, "--outcome", "own-short-support", "--letter", ANSWER)
    with stopped(w):
        assert tables(w, "SELECT count(*) FROM case_tags") == [(0,)]
        files = [os.path.join(w.relay.state, name) for name in os.listdir(w.relay.state)] + [w.relay.log]
        assert len(files) > 3
        for path in files:
            data = read(path)
            for value in values:
                assert value not in data, f"{path} has a tag"
            for word in (BSN, STREET, STREET.upper(), "Tjoelker", "7255AB"):
                assert word.encode() not in data, f"{path} has {word}"
    sync(w)
    assert linked(w.samira, w.fenna) == []


TESTS = [value for name, value in list(globals().items()) if name.startswith("test_")]

if __name__ == "__main__":
    with Relay() as relay:
        main(TESTS, World(relay))
