"""T24: given all tables of a team that were ever published, a solver (z3) finds at least two values for each count under 5.

Years of many random teams are published by the relay's own core, in many orders. The solver knows what the tables say (their
totals, how they are rounded, that breakdowns add up) and what is so of all cases: none ends, in its area, before it came, or starts
before it is taken up; what a director closes was taken up, and is told to the GP; and a day count says since when a case was
there. It is asked twice about each count: as a reader of the tables, and as one who also knows the day of the first referral.
"""
import datetime
import json
import os
import random
import subprocess
import sys

import z3

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from tap import main  # noqa: E402

TABLES = os.path.join(os.environ["BRUG_BUILD"], "tests", "interop", "figure_tables")
SEED = int(os.environ.get("BRUG_SEED") or 24)
YEARS = int(os.environ.get("BRUG_TEAMS") or 40)  # of teams
ASKED_MAX = 90  # totals between days, of each team; and a third as many cells
REFERRED, ENDED, CONSULTED, TAKEN_UP, STARTED, ENDED_DAYS, ON_TIME, LATE = 1, 2, 3, 5, 6, 7, 8, 9
EVENTS = {"referred": REFERRED, "ended": ENDED, "taken_up": TAKEN_UP, "started": STARTED, "ended_days": ENDED_DAYS, "on_time": ON_TIME, "late": LATE}
EXACT, ROUNDED, UNDER_5, WITHHELD = 1, 2, 3, 4
TOTAL = {"in": 1, "out": 2, "open": 3, "consults": 4}
# of the breakdowns that add up to a total: measure, total
PARTS = {6: "in", 7: "in", 8: "out", 9: "out", 12: "out"}
OTHERS = (10, 11, 19)  # these add up to nothing that is published; 19 and 20 are two cells of one
DAYS = {10: (5, 10, 20, 0), 11: (10, 15, 25, 0), 12: (40, 80, 130, 0)}
DAYS_EVENT = {10: TAKEN_UP, 11: STARTED, 12: ENDED_DAYS}
DIRECTORS = (1, 2, 3, 8, 9)  # outcomes that only a director gives
EPOCH = datetime.date(1970, 1, 1)


def day(year, month=1, of_month=1):
    return (datetime.date(year, month, of_month) - EPOCH).days


def working_days(days):
    return days * 5 // 7


def days_at_most(of_work):
    """The most days with so many working days."""
    return max(days for days in range(2 * of_work + 8) if working_days(days) <= of_work)


class Team:
    """Random events of a year or two, and what was published of them."""

    def __init__(self, r):
        self.r = r
        self.years = r.choice((1, 1, 1, 2))
        self.first = day(2026) + r.choice((0, 0, 20, 100, 180))
        self.last = day(2026 + self.years) - 1
        self.areas = r.choice((1, 2, 4))
        self.counts = []  # (practice, day, event, code)
        self.tables = []
        rate, ending = r.choice((0.01, 0.03, 0.06, 0.12, 0.3)), r.choice((1, 10, 60, 150))
        self.pace = r.choice((1, 4, 12))  # days in which the first things happen
        self.outcomes = r.choice(((1, 1, 2, 3, 5, 8), (1, 1, 1, 2), (1, 4, 6, 10)))
        for at in range(self.first, self.last + 1):
            for _ in range(self.poisson(rate)):
                self.refer(at, ending)
            for _ in range(self.poisson(rate / 3)):
                self.counts.append((0, at, CONSULTED, 0))

    def poisson(self, rate):
        n, left = 0, self.r.expovariate(rate)
        while left < 1:
            n, left = n + 1, left + self.r.expovariate(rate)
        return n

    def refer(self, at, ending):
        """A case as it goes: some are never taken up, some end before they start."""
        practice = self.r.randrange(self.areas)
        outcome = self.r.choice(self.outcomes)
        taken_up = at + self.r.randrange(self.pace) if outcome in DIRECTORS or self.r.random() < 0.5 else None
        ended = (taken_up or at) + int(self.r.expovariate(1 / ending))
        started = taken_up + self.r.randrange(2 * self.pace) if taken_up is not None else self.last + 1
        self.add(practice, at, REFERRED, self.r.choice((1, 1, 1, 2, 3, 4)))
        if taken_up is not None:
            self.add(practice, taken_up, TAKEN_UP, working_days(taken_up - at))
        if started <= ended:
            self.add(practice, started, STARTED, working_days(started - at))
            self.add(practice, started, self.r.choice((ON_TIME, ON_TIME, LATE)), 2)
        self.add(practice, ended, ENDED, outcome)
        self.add(practice, ended, ENDED_DAYS, working_days(ended - at))
        if outcome in DIRECTORS:
            self.add(practice, ended, self.r.choice((ON_TIME, ON_TIME, LATE)), 3)

    def add(self, practice, at, event, code):
        if at <= self.last:
            self.counts.append((practice, at, event, code))

    def began(self, event):
        return min((c[1] for c in self.counts if c[2] == event), default=self.last + 1)

    def number(self, event, before, practice=None, code=None):
        return sum(1 for c in self.counts if c[2] == event and c[1] < before and
                   practice in (None, c[0]) and (code is None or c[3] in code))

    def orders(self):
        """Kinds of periods with a day in each, in some order in which they may be asked for."""
        kinds = self.r.sample(range(1, 6), self.r.choice((1, 2, 2, 3, 5)))
        asks = [(kind, at) for kind in kinds for at in range(day(2026), self.last + 1, 9)]
        if self.r.random() < 0.5:
            self.r.shuffle(asks)
        else:
            asks.sort(key=lambda ask: ask[1])
        return asks

    def publish(self):
        steps = [f"area Gebied {i}" for i in range(self.areas)]
        steps += [f"count {p} {at} {event} {code} 1" for p, at, event, code in self.counts]
        steps += [f"publish {kind} {at}" for kind, at in self.orders()]
        done = subprocess.run([TABLES], input="\n".join(steps) + "\n", capture_output=True, text=True, check=True)
        seen = set()
        for line in done.stdout.splitlines():
            if line not in seen:  # asked for again it is the same table
                seen.add(line)
                self.tables.append(json.loads(line))
        assert len({(t["from"], t["until"]) for t in self.tables}) == len(seen), "a table changed"


class Designed(Team):
    """Periods of some months, and their year, that would tell: in them much is as great, or as small, as what is told of it allows.

    Each event has a list by period of {(practice, code): how many}."""

    def __init__(self, r, months, **events):
        self.r, self.last, self.counts, self.tables = r, day(2026, 12, 31), [], []
        self.areas = 1 + max(practice for periods in events.values() for cells in periods for practice, _ in cells)
        self.months = months
        for event, periods in events.items():
            for i, cells in enumerate(periods):
                for (practice, code), n in cells.items():
                    self.counts += [(practice, day(2026, months * i + 1, 2), EVENTS[event], code)] * n

    def orders(self):
        kind = {2: 3, 3: 4}[self.months]
        return [(kind, day(2026, month)) for month in range(1, 13, self.months)] + [(5, day(2026))]


def designed(r):
    """Of each: what would tell, the breakdowns by which it would, and the team."""
    def of_one(*numbers):
        return [{(0, 1): n} for n in numbers]
    yield "ends of an area tell its referrals", (7, 9), Designed(
        r, 3, referred=[{(0, 1): n, (1, 1): 20} for n in (7, 2, 2, 5)], ended=[{}] + [{(0, 1): n, (1, 1): 19} for n in (3, 8, 5)])
    yield "take-ups tell referrals", (10,), Designed(
        r, 3, referred=of_one(5, 4, 23), taken_up=[{}, {}, {(0, 5): 8, (0, 10): 8, (0, 20): 8, (0, 99): 8}])
    yield "starts tell referrals", (11,), Designed(
        r, 3, referred=of_one(5, 4, 23), started=[{}, {}, {(0, 10): 8, (0, 15): 8, (0, 25): 8, (0, 99): 8}])
    yield "starts tell take-ups in as many days", (10, 11), Designed(
        r, 2, referred=of_one(20, 14, 14, 14, 14), taken_up=[{(0, 5): 2, (0, 10): 7, (0, 20): 5}] * 5,
        started=[{(0, 10): 8}] * 4 + [{(0, 10): 13}])
    yield "ends by directors tell take-ups, and these tell them", (8, 10), Designed(
        r, 3, referred=of_one(60), taken_up=[{(0, 5): 7, (0, 10): 7, (0, 20): 7, (0, 99): 7}], ended=[{(0, 1): 28, (0, 4): 10}])
    yield "ends after few days tell referrals", (12,), Designed(
        r, 3, referred=of_one(20, 4, 14), ended=[{}, {}, {(0, 1): 24}], ended_days=[{}, {}, {(0, 40): 18, (0, 80): 6}])
    yield "feedback tells ends by directors", (8, 19), Designed(
        r, 3, referred=of_one(40), ended=[{(0, 1): 3, (0, 2): 8, (0, 3): 3, (0, 4): 10}], on_time=[{(0, 3): 7}], late=[{(0, 3): 7}])
    yield "a year and most of its months tell the others", (6,), Designed(
        r, 2, referred=[{(0, 1): 8, (0, 2): 20}] * 4 + [{(0, 2): 3}] * 2, ended=[{(0, 4): 1}] * 6)


def tell(team, measures):
    """As if these breakdowns were shown in each table that was published, where their total is exact."""
    for table in team.tables:
        forms = {row[0]: row[3] for row in table["rows"]}
        table["rows"] = [row for row in table["rows"] if row[0] not in (*measures, 20)]
        for measure in measures:
            codes = {6: range(1, 5), 8: (1, 2, 3, 4, 5, 6, 8, 9, 10), **DAYS}.get(measure, (0,))
            names = [f"Gebied {i}" for i in range(team.areas)] if measure in (7, 9) else [""]
            rows = [[each, code, name] for each in ((19, 20) if measure == 19 else (measure,)) for code in codes for name in names]
            if forms[1 if measure in (6, 7, 10, 11) else 2] == EXACT:
                table["rows"] += [[*row, ROUNDED, (truth(team, table, row) + 2) // 5 * 5] for row in rows]


class Reader:
    """What somebody who has all tables knows, as equations."""

    def __init__(self, team, knows_start):
        self.team, self.solver, self.knows_start = team, z3.SimpleSolver(), knows_start  # the other gives up after some time
        self.points = sorted({t["from"] for t in team.tables} | {t["until"] + 1 for t in team.tables})
        self.var, self.parts = {}, {}  # (series, day), counted from the beginning; measure: its parts, if any table shows them
        for what in ("in", "out", "consults", "taken up", "started"):
            self.add_series(what)
        for at in self.points:
            for what, event in (("in", REFERRED), ("consults", CONSULTED)):
                if knows_start:
                    is_before = at <= team.began(event)
                    self.solver.add(self.var[what, at] == 0 if is_before else self.var[what, at] >= 1)
        self.cells = []  # (expression, what it is in truth, name)
        for measure in (*PARTS, *OTHERS):
            self.add_parts(measure)
        for at in self.points:
            self.add_cases(at)
        for before, after in zip(self.points, self.points[1:]):
            self.add_feedback(before, after)
        for number, table in enumerate(team.tables):
            self.read(number, table)

    def add_series(self, what):
        self.var.update({(what, at): z3.Int(f"{what}{at}") for at in self.points})
        self.solver.add(self.var[what, self.points[0]] >= 0)
        for before, after in zip(self.points, self.points[1:]):
            self.solver.add(self.var[what, before] <= self.var[what, after])

    def add_parts(self, measure):
        """The parts of a breakdown that is shown anywhere."""
        shown = [rows for rows in (rows_of(table, measure) for table in self.team.tables) if rows]
        parts = [tuple(row[:3]) for row in shown[0]] if shown else []
        assert all([tuple(row[:3]) for row in rows] == parts for rows in shown), "parts differ"
        self.parts[measure] = parts
        for part in parts:
            self.add_series(part)
        whole = {10: "taken up", 11: "started", **PARTS}.get(measure)
        for at in self.points:
            if parts and whole:
                self.solver.add(self.sum(parts, at) == self.var[whole, at])

    def sum(self, parts, at):
        return z3.Sum([self.var[part, at] for part in parts])

    def by_directors(self, at):
        """0: no table says."""
        return self.sum([part for part in self.parts[8] if part[1] in DIRECTORS], at)

    def add_cases(self, at):
        """What is so of all cases before a day."""
        v = self.var
        self.solver.add(v["out", at] <= v["in", at], v["taken up", at] <= v["in", at],
                        v["started", at] <= v["taken up", at], self.by_directors(at) <= v["taken up", at])
        for referred in self.parts[7]:
            self.solver.add(*[v[ended, at] <= v[referred, at] for ended in self.parts[9] if ended[2] == referred[2]])
        for n in range(1, 4):  # in 10 days, 15, 25
            taken_up = self.parts[10][:n + 1]  # in 10 days, 20, any
            if taken_up:
                self.solver.add(self.sum(self.parts[11][:n], at) <= self.sum(taken_up, at))

    def add_feedback(self, before, after):
        """A start and a director's closing are feedback."""
        if self.parts[19]:
            grown = [self.sum(self.parts[19], at) - self.var["started", at] - self.by_directors(at) for at in (before, after)]
            self.solver.add(grown[1] >= grown[0])

    def learn_days(self, table, cells, measure):
        """What took so many days at most came since then."""
        for n, last in enumerate(DAYS[measure][:-1]):
            since = [at for at in self.points if at <= table["from"] - days_at_most(last)]
            before = self.var["in", since[-1]] if since else 0
            self.solver.add(z3.Sum(cells[:n + 1]) <= self.var["in", table["until"] + 1] - before)

    def total(self, what, table):
        if what == "open":
            return self.var["in", table["until"] + 1] - self.var["out", table["until"] + 1]
        return self.var[what, table["until"] + 1] - self.var[what, table["from"]]

    def learn(self, expression, form, number):
        if form == EXACT:
            self.solver.add(expression == number)
        elif form == UNDER_5:
            self.solver.add(expression >= 0, expression <= 4)
        elif form == ROUNDED:
            self.solver.add(expression >= 0, expression >= number - 2, expression <= number + 2)

    def read(self, number, table):
        for measure, code, _, form, value in table["rows"]:
            for what, of in TOTAL.items():
                if measure == of:
                    self.learn(self.total(what, table), form, value)
        for measure in (*PARTS, *OTHERS):
            rows = rows_of(table, measure)
            cells = [self.total(tuple(row[:3]), table) for row in rows]
            if rows and measure in DAYS:
                self.learn_days(table, cells, measure)
            for cell, row in zip(cells, rows):
                self.learn(cell, ROUNDED, row[4])
                self.cells.append((cell, truth(self.team, table, row), f"table {number}, row {row}"))
            if len(cells) > 2:  # some together
                some = sorted(self.team.r.sample(range(len(cells)), self.team.r.randrange(2, len(cells))))
                self.cells.append((z3.Sum([cells[i] for i in some]),
                                   sum(truth(self.team, table, rows[i]) for i in some),
                                   f"table {number}, rows {[rows[i] for i in some]}"))

    def counts(self):
        """Every count that can be asked of the published days, with what it is in truth; but what lies before the first
        referral for who knows when that was."""
        event = {"in": REFERRED, "out": ENDED, "consults": CONSULTED}
        began = {what: self.team.began(CONSULTED if what == "consults" else REFERRED) if self.knows_start else 0
                 for what in event}
        true = {(what, at): self.team.number(event[what], at) for what in event for at in self.points}
        all_counts = [(self.var[what, b] - self.var[what, a], true[what, b] - true[what, a], f"{what} {a} to {b}")
                      for what in event for i, a in enumerate(self.points) for b in self.points[i + 1:]
                      if b > began[what]]
        all_counts += [(self.var["in", at] - self.var["out", at], true["in", at] - true["out", at], f"open on {at}")
                       for at in self.points if at > began["in"]]
        return all_counts

    def parts_between(self):
        """Every cell of what is shown anywhere, between any two days; but what lies before the first referral, likewise."""
        began = self.team.began(REFERRED) if self.knows_start else 0
        return [(self.var[part, b] - self.var[part, a], truth(self.team, {"from": a, "until": b - 1}, part), f"{part} {a} to {b}")
                for parts in self.parts.values() for part in parts
                for i, a in enumerate(self.points) for b in self.points[i + 1:] if b > began]

    def pinned(self, expression, number):
        self.solver.push()
        self.solver.add(expression != number)
        answer = self.solver.check()
        self.solver.pop()
        assert answer != z3.unknown
        return answer == z3.unsat


def rows_of(table, measure):
    """The rows of one breakdown, if it is shown; 19 has two measures."""
    rows = [row for row in table["rows"] if row[0] == measure or (measure == 19 and row[0] == 20)]
    return rows if rows and rows[0][3] != WITHHELD else []


def truth(team, table, row):
    """The number behind one row, from the events."""
    measure, code, name = row[0], row[1], row[2]
    practice = int(name.split()[1]) if name else None

    def between(event, codes=None):
        return (team.number(event, table["until"] + 1, practice, codes)
                - team.number(event, table["from"], practice, codes))
    if measure in DAYS:
        place = DAYS[measure].index(code)
        low = DAYS[measure][place - 1] + 1 if place > 0 else 0
        return between(DAYS_EVENT[measure], range(low, (code or 10 ** 6) + 1))
    if measure in (19, 20):
        return between(ON_TIME if measure == 19 else LATE)
    event = {1: REFERRED, 2: ENDED, 4: CONSULTED, 6: REFERRED, 7: REFERRED, 8: ENDED, 9: ENDED}[measure]
    return between(event, (code,) if measure in (6, 8) else None)


def check_forms(team):
    """What is told is true, in the form that it names; returns how many totals there are in each."""
    forms = {EXACT: 0, ROUNDED: 0, UNDER_5: 0, WITHHELD: 0}
    for table in team.tables:
        for row in table["rows"]:
            measure, _, _, form, number = row
            if measure in (1, 2, 4):
                true = truth(team, table, row)
                forms[form] += 1
                assert form == WITHHELD or (form == UNDER_5) == (true < 5), row
            elif measure == 3:
                true = team.number(REFERRED, table["until"] + 1) - team.number(ENDED, table["until"] + 1)
            elif measure > 20 or form == WITHHELD:
                continue
            else:
                assert form == ROUNDED, row
                true = truth(team, table, row)
            assert form != EXACT or number == true >= 5, (row, true)
            assert form != ROUNDED or (number % 5 == 0 and abs(number - true) <= 2), (row, true)
    return forms


def sample(r, counts, most):
    small = [c for c in counts if c[1] < 5]
    return small if len(small) <= most else r.sample(small, most)


def ask(team, name, told, most):
    """Publishes the team's tables and asks both readers for its small counts, so many between days at most; returns how many."""
    asked = 0
    team.publish()
    for form, n in check_forms(team).items():
        told[form] += n
    for knows_start in (False, True) if team.tables else ():  # none: nothing ever happened
        reader = Reader(team, knows_start)
        assert reader.solver.check() == z3.sat, f"the tables of {name} contradict each other"
        for expression, number, what in [c for c in reader.cells if c[1] < 5] + sample(
                team.r, reader.counts(), most) + sample(team.r, reader.parts_between(), most // 3):
            asked += 1
            assert not reader.pinned(expression, number), f"{name}: {what} is {number}, the tables leave nothing else"
            told["cells"] += what.startswith("table")
    return asked


def what_would_tell_is_not_told(_):
    for name, measures, team in designed(random.Random(SEED)):
        ask(team, name, dict.fromkeys(forms, 0), 300)
        tell(team, measures)
        reader = Reader(team, True)
        assert reader.solver.check() == z3.sat, name
        small = [c for c in reader.cells + reader.counts() + reader.parts_between() if c[1] < 5]
        assert any(reader.pinned(expression, number) for expression, number, _ in small), f"{name}? It does not"


def t24_no_count_under_5_is_pinned(told):
    r, asked = random.Random(SEED), 0
    for year in range(YEARS):
        asked += ask(Team(r), f"team {year} of seed {SEED}", told, ASKED_MAX)
    print(f"# {YEARS} teams, {asked} counts under 5, each with two values at least; totals: {told}")


def something_is_told_all_the_same(told):
    """Else it would be safe to say nothing."""
    assert told[EXACT] > told[ROUNDED] + told[WITHHELD], told
    assert told["cells"] > 100, told


def the_solver_finds_what_is_pinned(_):
    """Three quarters and the year, all exact, tell the fourth; and two cells of 3 that are rounded to 5, in 6."""
    team = Team(random.Random(1))
    quarters = [(day(2026, m), day(2026, m + 3) - 1 if m < 10 else day(2026, 12, 31)) for m in (1, 4, 7, 10)]
    team.counts, team.first = [], day(2025)
    for (first, _), n in zip(quarters, (12, 9, 3, 8)):
        team.counts += [(0, first, REFERRED, 1 + i % 2) for i in range(n)]

    def table(first, last, n, cells=None):
        rows = [[1, 0, "", EXACT if n >= 5 else UNDER_5, n if n >= 5 else 0]]
        rows += [[6, c, "", ROUNDED, v] for c, v in cells] if cells else [[6, 0, "", WITHHELD, 0]]
        return {"from": first, "until": last,
                "rows": rows + [[m, 0, "", WITHHELD, 0] for m in (2, 3, 4, 7, 8, 9, 10, 11, 12, 19)]}
    team.tables = [table(a, b, n) for (a, b), n in zip(quarters, (12, 9, 3, 8))]
    reader = Reader(team, False)
    counts = [c for c in reader.counts() if c[2] == f"in {day(2026, 7)} to {day(2026, 10)}"]
    assert len(counts) == 1 and counts[0][1] == 3 and not reader.pinned(counts[0][0], 3)
    team.tables.append(table(quarters[0][0], quarters[3][1], 32))
    reader = Reader(team, False)
    assert reader.pinned(reader.counts()[[c[2] for c in reader.counts()].index(counts[0][2])][0], 3)
    team.counts = [(0, quarters[0][0], REFERRED, 1 + i % 2) for i in range(6)]
    team.tables = [table(*quarters[0], 6, [(1, 5), (2, 5)])]
    reader = Reader(team, False)
    assert reader.pinned(reader.cells[0][0], 3)


if __name__ == "__main__":
    forms = {EXACT: 0, ROUNDED: 0, UNDER_5: 0, WITHHELD: 0, "cells": 0}
    main([the_solver_finds_what_is_pinned, what_would_tell_is_not_told, t24_no_count_under_5_is_pinned, something_is_told_all_the_same], forms)
