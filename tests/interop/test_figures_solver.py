"""T24: given all tables of a team that were ever published, a solver (z3) finds at least two values for each count under 5.

Years of many random teams are published by the relay's own core, in many orders. The solver knows only what the tables say: their
totals, how they are rounded, that breakdowns add up, that nothing is negative and that nothing ends before it came. It is
asked twice about each count: as a reader of the tables, and as one who also knows the day of the first referral.
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
YEARS = 40  # of teams
ASKED_MAX = 90  # counts between days, of each year
REFERRED, ENDED, CONSULTED, TAKEN_UP, STARTED, ENDED_DAYS, ON_TIME, LATE = 1, 2, 3, 5, 6, 7, 8, 9
EXACT, ROUNDED, UNDER_5, WITHHELD = 1, 2, 3, 4
TOTAL = {"in": 1, "out": 2, "open": 3, "consults": 4}
# of the breakdowns that add up to a total: measure, total
PARTS = {6: "in", 7: "in", 8: "out", 9: "out", 12: "out"}
OTHERS = (10, 11, 19)  # these add up to nothing that is published; 19 and 20 are two cells of one
DAYS = {10: (5, 10, 20, 0), 11: (10, 15, 25, 0), 12: (40, 80, 130, 0)}
EPOCH = datetime.date(1970, 1, 1)


def day(year, month=1, of_month=1):
    return (datetime.date(year, month, of_month) - EPOCH).days


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
        rate, ending = r.choice((0.01, 0.03, 0.06, 0.12, 0.3)), r.choice((10, 60, 150))
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
        practice = self.r.randrange(self.areas)
        self.counts.append((practice, at, REFERRED, self.r.choice((1, 1, 1, 2, 3, 4))))
        taken_up = at + self.r.randrange(12)
        ended = taken_up + int(self.r.expovariate(1 / ending))
        if taken_up <= self.last:
            self.counts.append((practice, taken_up, TAKEN_UP, taken_up - at))
        if ended <= self.last:
            self.counts.append((practice, ended, ENDED, self.r.choice((1, 1, 2, 3, 5, 8))))
            self.counts.append((practice, ended, ENDED_DAYS, ended - at))
            self.counts.append((practice, ended, self.r.choice((ON_TIME, ON_TIME, LATE)), 3))

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


class Reader:
    """What somebody who has all tables knows, as equations."""

    def __init__(self, team, knows_start):
        self.team, self.solver, self.knows_start = team, z3.Solver(), knows_start
        self.points = sorted({t["from"] for t in team.tables} | {t["until"] + 1 for t in team.tables})
        self.var = {(what, at): z3.Int(f"{what}{at}") for what in ("in", "out", "consults") for at in self.points}
        for what in ("in", "out", "consults"):
            for before, after in zip(self.points, self.points[1:]):
                self.solver.add(self.var[what, before] <= self.var[what, after])
            self.solver.add(self.var[what, self.points[0]] >= 0)
        for at in self.points:
            self.solver.add(self.var["out", at] <= self.var["in", at])
            for what, event in (("in", REFERRED), ("consults", CONSULTED)):
                if knows_start and at <= team.began(event):
                    self.solver.add(self.var[what, at] == 0)
        self.cells = []  # (expression, what it is in truth, name)
        for measure in (*PARTS, *OTHERS):
            self.add_parts(measure)
        for number, table in enumerate(team.tables):
            self.read(number, table)

    def add_parts(self, measure):
        """Each part of a breakdown that is shown anywhere is counted from the beginning, as the totals are; all add up to one."""
        shown = [rows for rows in (rows_of(table, measure) for table in self.team.tables) if rows[0][3] != WITHHELD]
        parts = [tuple(row[:3]) for row in shown[0]] if shown else []
        assert all([tuple(row[:3]) for row in rows] == parts for rows in shown), "parts differ"
        for part in parts:
            self.var.update({(part, at): z3.Int(f"{part}{at}") for at in self.points})
        for before, after in zip(self.points, self.points[1:]):
            grown = [self.var[part, after] - self.var[part, before] for part in parts]
            self.solver.add(*[n >= 0 for n in grown])
            if measure in PARTS and parts:
                what = PARTS[measure]
                self.solver.add(z3.Sum(grown) == self.var[what, after] - self.var[what, before])

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
            if rows[0][3] == WITHHELD:
                continue
            cells = [self.total(tuple(row[:3]), table) for row in rows]
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

    def pinned(self, expression, number):
        self.solver.push()
        self.solver.add(expression != number)
        answer = self.solver.check()
        self.solver.pop()
        assert answer != z3.unknown
        return answer == z3.unsat


def rows_of(table, measure):
    """The rows of one breakdown; 19 has two measures."""
    rows = [row for row in table["rows"] if row[0] == measure or (measure == 19 and row[0] == 20)]
    assert rows, f"no row of measure {measure}"
    return rows


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
        event = {10: TAKEN_UP, 11: STARTED, 12: ENDED_DAYS}[measure]
        return between(event, range(low, (code or 10 ** 6) + 1))
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


def sample(r, counts):
    small = [c for c in counts if c[1] < 5]
    return small if len(small) <= ASKED_MAX else r.sample(small, ASKED_MAX)


def t24_no_count_under_5_is_pinned(told):
    r, asked = random.Random(SEED), 0
    for year in range(YEARS):
        team = Team(r)
        team.publish()
        for form, n in check_forms(team).items():
            told[form] += n
        for knows_start in (False, True):
            reader = Reader(team, knows_start)
            assert reader.solver.check() == z3.sat, f"the tables of team {year} (seed {SEED}) contradict each other"
            for expression, number, name in [c for c in reader.cells if c[1] < 5] + sample(r, reader.counts()):
                asked += 1
                assert not reader.pinned(expression, number), \
                    f"seed {SEED}, team {year}: {name} is {number}, the tables leave nothing else"
                told["cells"] += name.startswith("table")
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
    main([the_solver_finds_what_is_pinned, t24_no_count_under_5_is_pinned, something_is_told_all_the_same], forms)
