"""Figures with a real relay: what `brug figures` and `brugctl figures` say equals a replay of the audit's records in Python, and
who is outside the team sees what was published, and that it stays.

The clock of all programs is moved: the story begins three weeks before the end of this period of four weeks, and goes on into the second
one after it. So what happens to a case lies on different days, and in different periods.
"""
import contextlib
import csv
import datetime
import io
import json
import os
import sqlite3
import sys
import time
import zoneinfo

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import clock  # noqa: E402
from profiles import ANSWER, NOINPUT, NOPERM, USAGE, Profile, World, refer  # noqa: E402
from relay import Relay  # noqa: E402
from tap import expect, main  # noqa: E402
from wire import casefile, record  # noqa: E402

AMSTERDAM = zoneinfo.ZoneInfo("Europe/Amsterdam")
EPOCH = datetime.date(1970, 1, 1)
SECONDS = 86400
UNAVAILABLE = 69
MOVED = {}  # what moves the clock of all programs


# ---- a calendar of our own ----

def easter(year):
    """Gauss, as completed by Lichtenberg."""
    k = year // 100
    m, s = 15 + (3 * k + 3) // 4 - (8 * k + 13) // 25, 2 - (3 * k + 3) // 4
    a = year % 19
    d = (19 * a + m) % 30
    r = (d + a // 11) // 29
    og = 21 + d - r
    sz = 7 - (year + year // 4 + s) % 7
    return datetime.date(year, 3, 1) + datetime.timedelta(days=og + 7 - (og - sz) % 7 - 1)


def is_working(day):
    e = easter(day.year)
    king = datetime.date(day.year, 4, 27)
    king -= datetime.timedelta(days=king.weekday() == 6)
    off = {e + datetime.timedelta(days=n) for n in (0, 1, 39, 49, 50)} | {king}
    off |= {datetime.date(day.year, *d) for d in ((1, 1), (12, 25), (12, 26))}
    if day.year % 5 == 0:
        off.add(datetime.date(day.year, 5, 5))
    return day.weekday() < 5 and day not in off


def workdays(first, last):
    days, day = 0, first
    while day < last:
        day += datetime.timedelta(days=1)
        days += is_working(day)
    return days


def day_of(ms):
    return datetime.datetime.fromtimestamp(ms / 1000, AMSTERDAM).date()


def four_weeks(day):
    """The period of four weeks in which a day lies."""
    first, week = datetime.date(day.year, 1, 1), datetime.date(day.year, 1, 4)
    week -= datetime.timedelta(days=week.weekday())
    for n in range(4, 49, 4):
        end = week + datetime.timedelta(days=7 * n)
        if day < end:
            return first, end - datetime.timedelta(days=1)
        first = end
    return first, datetime.date(day.year, 12, 31)


LAST = 20  # days from the first of the story to the last of its period
TODAY = four_weeks(datetime.datetime.now(AMSTERDAM).date())[1] - datetime.timedelta(days=LAST)
NOON = datetime.datetime.combine(TODAY, datetime.time(12), AMSTERDAM)


# ---- the audit, replayed ----

def varint(data, at):
    n = shift = 0
    while True:
        byte, at = data[at], at + 1
        n, shift = n | (byte & 0x7f) << shift, shift + 7
        if byte < 0x80:
            return n, at


def audit_records(relay):
    """All records of a relay that was stopped: (type, payload)."""
    rows = {}
    for name, table in (("audit", "audit"), ("brug", "journal")):
        with contextlib.closing(sqlite3.connect(f"file:{relay.state}/{name}.db?mode=ro", uri=True)) as store:
            rows.update(store.execute(f"SELECT first_lsn, records FROM {table}"))
    for _, data in sorted(rows.items()):
        at = 0
        while at < len(data):
            kind, at = varint(data, at)
            size, at = varint(data, at)
            yield kind, data[at:at + size]
            at += size


class Replay:
    """What happened, from CaseMoved alone, each on the day on which it counts."""

    def __init__(self, relay):
        self.events, closed = [], datetime.date.min
        for kind, payload in audit_records(relay):
            if kind == record.RECORD_TYPE_FIGURES_PUBLISHED:
                until = record.FiguresPublished.FromString(payload).until_date
                closed = max(closed, EPOCH + datetime.timedelta(days=until))
            elif kind == record.RECORD_TYPE_CASE_MOVED:
                move = record.CaseMoved.FromString(payload)
                day = day_of(move.at_ms)
                self.count(move, day, max(day, closed + datetime.timedelta(days=1)) if day <= closed else day)

    def add(self, day, measure, code=0):
        self.events.append((day, measure, code))

    def count(self, move, day, counted):
        case, kind = move.case_now, casefile.Kind.Name(move.kind)[5:]
        days = workdays(day_of(case.at_ms), day)
        ends = kind in ("CLOSING", "WITHDRAWAL") or (
            kind == "PROPOSAL_ANSWER" and move.decision == casefile.DECISION_ACCEPT)
        for measure, happened, code in (
                ("referred", kind == "REFERRAL", case.reason), ("consulted", kind == "CONSULT", 0),
                ("advised", kind == "ADVICE", 0), ("take-up", kind == "CLAIM", days), ("start", kind == "START", days),
                ("ended", ends, case.outcome), ("end", ends, days)):
            if happened:
                self.add(counted, measure, code)
        feedback = ("START", "CLOSING", "MOMENT", "INFO_REPLY", "ADVICE")
        for end in move.ended:
            if not end.lapsed and casefile.OwedKind.Name(end.item.kind)[10:] in feedback:
                late = end.item.due_date and (day - EPOCH).days > end.item.due_date
                self.add(counted, "late" if late else "on-time", end.item.kind)

    def of(self, measure, first, last, code=None):
        return [c for d, m, c in self.events if m == measure and first <= d <= last and (code is None or c == code)]

    def rows(self, first, last):
        """The rows of `brug figures --json` from inside, as {(measure, code): number}."""
        def number(measure, code=None):
            return len(self.of(measure, first, last, code))

        def word(list_, prefix, n):
            return list_.Name(n)[len(prefix):].lower().replace("_", "-")
        rows = {(m, None): number(m) for m in ("referred", "ended", "consulted", "advised")}
        rows["open", None] = len(self.of("referred", datetime.date.min, last)) - len(
            self.of("ended", datetime.date.min, last))
        for n in range(1, 5):
            rows["reason", word(casefile.Reason, "REASON_", n)] = number("referred", n)
        for n in (1, 2, 3, 4, 5, 6, 8, 9, 10):
            rows["outcome", word(casefile.Outcome, "OUTCOME_", n)] = number("ended", n)
        for span, classes in (("take-up", (5, 10, 20)), ("start", (10, 15, 25)), ("end", (40, 80, 130))):
            days, low = sorted(self.of(span, first, last)), -1
            for high in (*classes, 10 ** 6):
                rows[f"{span}-days", str(high) if high in classes else "more"] = sum(low < d <= high for d in days)
                low = high
            if days:
                rows[f"{span}-median", None] = days[(len(days) - 1) // 2]
                rows[f"{span}-mean", None] = int(sum(days) * 10 / len(days) + 0.5) / 10
        for word_, measure in (("on-time", "feedback-on-time"), ("late", "feedback-late")):
            rows[measure, None] = number(word_)
            for n in (2, 3, 4, 5, 9):
                rows[measure, word(casefile.OwedKind, "OWED_KIND_", n)] = number(word_, n)
        closed = [c for c in self.of("ended", first, last) if c in (1, 2, 3, 8, 9)]
        given = number("on-time") + number("late")
        if closed:
            rows["own-share", None] = int(100 * sum(c != 3 for c in closed) / len(closed) + 0.5)
        if given:
            rows["on-time-share", None] = int(100 * number("on-time") / given + 0.5)
        return rows


# ---- the world ----

class Moved(Profile):
    """A profile whose clock is the world's."""

    def run(self, *words, **options):
        return super().run(*words, **{**MOVED, **options})


class LongRelay(Relay):
    """Its revocation list is in force for as long as the story lasts."""

    def make(self):
        super().make()
        self.make_pki("crl", "--days", "300")
        self.publish_crl()


def move_clock(days):
    """So many days after the noon on which the story begins."""
    MOVED.update(clock.SANITIZERS, **clock.moved(NOON.timestamp() + days * SECONDS - time.time()))
    os.environ.update(MOVED)


class Team(World):
    def __init__(self, relay):
        super().__init__(relay)
        self.gp, self.samira, self.joost, self.leader, self.observer, self.spare = (
            Moved(self.folder, name) for name in ("gp", "samira", "joost", "leader", "observer", "practice-recovery"))
        self.enrol(self.gp, self.invite(self.practice, "M. van der Linde", "gp"))
        self.enrol(self.samira, self.invite(self.team, "Samira Haddou", "consultant"))
        self.enrol(self.joost, self.invite(self.team, "Joost Meijer", "consultant"))
        self.enrol(self.leader, self.invite(self.team, "Tineke Vos", "leader"))
        self.enrol(self.observer, self.invite(self.team, "Beleid en Co", "observer"))
        self.enrol(self.spare, self.path("practice.invitation"), "--recovery")
        self.introduce(self.gp, self.samira, self.joost, self.leader)
        self.cases = []
        self.first, self.last = four_weeks(TODAY)

    def at(self, days):
        assert self.relay.stop() == 0
        move_clock(days)
        self.relay.start()

    def refer(self, reason):
        n = len(self.cases)
        sent = self.gp.json(*refer("--yes", youth=None, name=f"Kind {n}", born="2015-05-05", reason=reason))
        assert sent["state"] == "stored", sent
        self.cases.append(sent["case_code"])

    def do(self, profile, *words, letter=True):
        profile.run("sync")
        sent = profile.json(*words, *(["--letter", ANSWER] if letter else []))
        assert sent["state"] == "stored", sent
        return sent

    def period(self):
        return ["--period", "4w", "--from", self.first.isoformat()]

    def inside(self, profile):
        return profile.json("figures", *self.period())

    def compare(self, *periods):
        """What the team sees of these days, of the kinds of periods that are named, with a replay; returns what it sees."""
        found = [self.samira.json("figures", "--period", kind, "--from", first.isoformat()) for kind, first, _ in periods]
        assert self.relay.stop() == 0
        replay = Replay(self.relay)
        self.relay.start()
        for figures, (_, first, last) in zip(found, periods):
            assert (figures["from"], figures["until"]) == (first.isoformat(), last.isoformat()), figures
            same(numbers(figures), replay.rows(first, last))
        return found

    def published(self, profile):
        return profile.json("figures", *self.period(), *(["--published"] if profile in (self.samira, self.leader) else []))


def numbers(figures, without=("referred-area", "ended-area", "overdue", "caseload")):
    assert len(figures["teams"]) == 1, figures
    return {(r["measure"], r["code"]): r["number"] for r in figures["teams"][0]["rows"] if r["measure"] not in without}


def named(figures, measure):
    return {r["name"]: r["number"] for r in figures["teams"][0]["rows"] if r["measure"] == measure}


def same(found, expected):
    differ = {k: (found.get(k), expected.get(k)) for k in {*found, *expected} if found.get(k) != expected.get(k)}
    assert not differ, f"(found, replayed): {differ}"


# ---- the tests, in this order ----

def test_a_period_of_letters(w):
    for reason in ("mild-psychological", "parenting", "parenting", "pedagogical", "next-step-unclear", "parenting",
                   "mild-psychological"):
        w.refer(reason)
    consult = w.do(w.gp, "consult", "Sociaal team")
    w.at(3)
    w.do(w.samira, "advise", consult["case_code"])
    for code in w.cases[:3]:
        w.do(w.samira, "claim", code, letter=False)
    w.do(w.joost, "claim", w.cases[3], letter=False)
    w.at(8)
    w.do(w.samira, "start", w.cases[0], "--involvement", "not-known")
    w.do(w.samira, "close", w.cases[0], "--outcome", "own-short-support")
    w.do(w.gp, "withdraw", w.cases[4], letter=False)
    w.do(w.gp, "ask", w.cases[2])
    w.at(16)
    w.do(w.samira, "close", w.cases[1], "--outcome", "youth-care")
    w.do(w.samira, "answer", w.cases[2])


def test_the_team_sees_what_a_replay_says(w):
    found, = w.compare(("4w", w.first, w.last))
    assert found["period"] == "4w" and found["running"], found
    assert found["teams"][0]["published_at"] is None
    assert {r["form"] for r in found["teams"][0]["rows"]} == {"exact"}
    rows = numbers(found)
    assert rows["referred", None] == 7 and rows["ended", None] == 3 and rows["open", None] == 4
    assert rows["feedback-late", None] == 1
    assert named(found, "referred-area") == {"Voorbeeldstad": 7}
    assert named(found, "caseload") == {"Samira Haddou": 1, "Joost Meijer": 1, None: 2}, named(found, "caseload")
    assert w.inside(w.leader)["teams"] == found["teams"]


def test_what_runs_is_not_published(w):
    for profile, words in ((w.observer, []), (w.gp, []), (w.samira, ["--published"])):
        profile.run("figures", *w.period(), *words, status=UNAVAILABLE)
        assert "Deze periode is nog niet voorbij." in profile.errors, profile.errors
    expect(RuntimeError, lambda: w.relay.ctl("figures", *w.period()))


def test_an_observer_sees_figures_and_nothing_else(w):
    assert w.observer.json("whoami")["role"] == "observer"
    assert w.observer.json("cases") == []
    w.observer.run(*refer("--yes"), status=NOINPUT)


def test_what_was_over_before_the_first_letter_is_not_published(w):
    before = ["--from", str(TODAY.year - 1)]
    w.observer.run("figures", *before, status=UNAVAILABLE)
    assert "nog niet met Brug gewerkt" in w.observer.errors, w.observer.errors
    expect(RuntimeError, lambda: w.relay.ctl("figures", "--period", "year", "--from", f"{TODAY.year - 1}-01-01"))
    assert w.samira.say("figures", *before).startswith(f"Jaar, 01-01-{TODAY.year - 1} tot en met 31-12-{TODAY.year - 1}")


def test_what_is_over_is_published_and_stays(w):
    w.at(LAST + 1)
    found = w.published(w.observer)
    rows = numbers(found)
    assert rows["referred", None] == 7 and not found["running"]
    forms = {(r["measure"], r["code"]): r["form"] for r in found["teams"][0]["rows"]}
    assert forms["referred", None] == "exact" and forms["ended", None] == "under-5" and rows["ended", None] is None
    assert forms["reason", "parenting"] == "rounded" and rows["reason", "parenting"] == 5
    assert rows["reason", "next-step-unclear"] == 0 and forms["outcome", None] == "withheld"
    assert {"referred-area"} == {m for m, _ in forms} & {
        "referred-area", "ended-area", "caseload", "overdue", "take-up-median", "take-up-days", "start-days", "end-days"}
    w.refer("parenting")
    for profile in (w.gp, w.samira, w.leader, w.observer):
        assert w.published(profile) == found
    told = json.loads(w.relay.ctl("--json", "figures", *w.period()))
    assert told["teams"][0]["rows"] == found["teams"][0]["rows"]
    w.relay.restart()
    assert w.published(w.observer) == found
    w.found = found


def test_a_clock_that_is_set_back_changes_nothing(w):
    w.at(LAST)  # the last day of what is published
    w.refer("pedagogical")
    w.at(LAST + 2)
    assert w.published(w.observer) == w.found
    following = four_weeks(w.last + datetime.timedelta(days=1))
    _, found = w.compare(("4w", w.first, w.last), ("4w", *following))
    assert numbers(found)["referred", None] == 2


def test_a_case_counts_in_each_period_in_which_something_happens_to_it(w):
    second = four_weeks(w.last + datetime.timedelta(days=1))
    third = four_weeks(second[1] + datetime.timedelta(days=1))
    w.at((second[1] - TODAY).days)
    w.do(w.samira, "start", w.cases[2], "--involvement", "not-known")
    w.do(w.samira, "claim", w.cases[7], letter=False)
    w.at((third[0] - TODAY).days)
    w.do(w.samira, "close", w.cases[2], "--outcome", "local-provision")
    w.do(w.joost, "close", w.cases[3], "--outcome", "no-help-needed")
    year = datetime.date(third[0].year, 1, 1), datetime.date(third[0].year, 12, 31)
    *_, found = w.compare(("4w", w.first, w.last), ("4w", *second), ("year", *year), ("4w", *third))
    assert numbers(found)["ended", None] == 2 and numbers(found)["referred", None] == 0
    assert w.published(w.observer) == w.found


def test_csv_says_what_json_says(w):
    def cells(text):
        return [(r["measure"], r["code"] or None, r["name"] or None, r["form"], float(r["number"]) if r["number"] else None)
                for r in csv.DictReader(io.StringIO(text, newline=""))]

    def told(figures):
        return [(r["measure"], r["code"], r["name"], r["form"], r["number"]) for r in figures["teams"][0]["rows"]]
    assert cells(w.samira.say("figures", *w.period(), "--csv")) == told(w.inside(w.samira))
    assert cells(w.observer.say("figures", *w.period(), "--csv")) == told(w.found)
    assert cells(w.relay.ctl("figures", *w.period(), "--csv")) == told(w.found)
    first = w.observer.say("figures", *w.period(), "--csv").splitlines()[1]
    assert first.startswith(f"4w,{w.first},{w.last},{w.team},\"Sociaal team Voorbeeldstad\",referred,,\"\",exact,7"), first


def test_a_table_for_people(w):
    shown = " ".join(w.samira.say("figures", *w.period()).split())
    for words in ("Vier weken, ", "precies, alleen voor het team zelf", "In: verwezen", "Vraag over opvoeden of hulp bij opvoeden",
                  "Samira Haddou", "Nog niet opgepakt", "Afgesloten zonder verdere verwijzing 50%"):
        assert words in shown, f"{words!r} is not in\n{shown}"
    shown = w.observer.say("figures", *w.period())
    for words in ("Sociaal team Voorbeeldstad (gepubliceerd op", "~5", "<5: minder dan 5.", "afgerond op 5"):
        assert words in shown, f"{words!r} is not in\n{shown}"
    assert w.observer.say("--lang", "en", "figures", *w.period()).startswith("Four weeks, ")
    assert "Sociaal team" in w.samira.say("figures", "Sociaal", *w.period())
    assert "~5" in w.relay.ctl("figures", *w.period())


def test_what_is_mistyped_gets_one_line(w):
    for words, status in ((["--period", "maand"], USAGE), (["--from", "gisteren"], USAGE), (["--from", "2026-Q5"], USAGE),
                          (["--from", "1999"], USAGE), (["--csv", "--json"], USAGE), (["een", "twee"], USAGE),
                          (["Nergens", *w.period()], NOINPUT)):
        w.samira.run("figures", *words, status=status)
        lines = w.samira.errors.splitlines()
        assert lines[0].startswith("brug: ") and all(line.startswith("  ") for line in lines[1:]), w.samira.errors
    w.gp.run("figures", "--wait", "x", status=USAGE)
    for words in (["--period", "maand"], ["--from", "gisteren"], ["--from", "1999-01-01"], ["--csv", "--json"],
                  ["--municipality", "x"], ["--municipality", "00000000-0000-4000-8000-000000000001"], ["--period", "year", "--from", str(TODAY.year + 1)]):
        complaint = expect(RuntimeError, lambda words=words: w.relay.ctl("figures", *words))
        assert "brugctl: " in str(complaint) and len(str(complaint).splitlines()) == 1, complaint


def test_off_line(w):
    assert w.relay.stop() == 0
    w.observer.run("figures", *w.period(), "--wait", "1", status=75)
    assert "de cijfers zijn niet opgehaald" in w.observer.errors, w.observer.errors
    w.relay.start()


TESTS = [value for name, value in list(globals().items()) if name.startswith("test_")]

if __name__ == "__main__":
    assert NOPERM
    move_clock(0)
    with LongRelay() as relay:
        main(TESTS, Team(relay))
