"""Cases over kill -9 (T8, T30, T11): a relay that is killed at named points, and whose clock is another day each time that
the round wants it so. Two consultants claim each case at once; a question waits for its answer; days pass until that, and the
start of the case, are overdue; then the case is closed. Judged by what its clients were answered and were given: one director,
the same case on both sides, each notice once at each client, custody where the letters put it. Used by tests/fault/test_kill.py.
"""
import collections
import os
import time

import clock
from brug_client import Refused, new_header, readers_and_copies, referral_fields, seal_nothing
from killed import Killed
from scripted import GONE
from storm import PRELOAD, preload
from wire import BUILD, casefile, wire
from world import deliveries

BRUGD = os.path.join(BUILD, "brugd")
CASES_OF_A_ROUND = 3
OVERDUE_DAYS = 21   # ten working days and more, also at Christmas
AGAIN_DAYS = 14     # five working days and more, at least once
DAYS_OF_A_ROUND = OVERDUE_DAYS + 2 * AGAIN_DAYS
CRL_DAYS = 3000
ROUNDS_MAX = 700 // DAYS_OF_A_ROUND  # an endpoint's certificate ends after 730 days
NOTICE_S_MAX = 30   # a notice that is due comes within
RETRY_S = 0.02
OVERDUE, NON_DELIVERY = casefile.KIND_OVERDUE, casefile.KIND_NON_DELIVERY
START, REPLY = casefile.OWED_KIND_START, casefile.OWED_KIND_INFO_REPLY
# (kind, what is owed): how many each client of a side has of a case; steps that were missed are told as one, the last.
FIRST = {"practice": {(OVERDUE, START): 1, (OVERDUE, REPLY): 1, (NON_DELIVERY, REPLY): 1},
         "team": {(OVERDUE, START): 1, (OVERDUE, REPLY): 1}}
SECOND = {"practice": {(OVERDUE, START): 2, (OVERDUE, REPLY): 2, (NON_DELIVERY, REPLY): 1},
          "team": {(OVERDUE, START): 2, (OVERDUE, REPLY): 2}}
NOTHING = {"practice": {}, "team": {}}


class Case:
    def __init__(self, case_id):
        self.id, self.director, self.question = case_id, None, None


class CaseStorm(Killed):
    def __init__(self, players, points, rng, ports=None):
        super().__init__(players, points, rng, ports)
        self.gp, self.second_gp, *self.consultants = players.endpoints
        self.readers = {e.endpoint: readers_and_copies(players.readers_of_all.values(), e.endpoint)
                        for e in players.endpoints}
        now = time.time()
        self.ahead_s = 86400 - (now - 43200) % 86400  # until noon, so that eight o'clock has passed
        self.notices = collections.defaultdict(set)   # ids by (endpoint, case, kind, what is owed)
        self.questions = set()
        self.rounds, self.notice_s_max = 0, NOTICE_S_MAX
        self.relay.make_pki("crl", "--days", str(CRL_DAYS))
        self.relay.publish_crl()
        self.relay.write_config(outage_wait_ms=0)  # its clock is another day at each start

    # ---- a clock ----

    def environment(self, point):
        libraries = [PRELOAD, clock.LIBRARY] if point else [clock.LIBRARY]
        return {**super().environment(point), **clock.moved(self.ahead_s, preload(BRUGD, libraries))}

    def sleep(self, days):
        """The relay comes back so many days later."""
        self.ahead_s += days * 86400
        self.replace()

    # ---- letters ----

    def letter(self, kind, me, case_id, **fields):
        readers, copies = self.readers[me.endpoint]
        header = new_header(kind, me, self.players.town, self.players.other(me).id, readers, copies, case_id=case_id, **fields)
        return header.message_id, seal_nothing(header, 300)

    def answer(self, me, envelope):
        """"" for a receipt, or the refusal's name; the same bytes until there is one."""
        while True:
            try:
                self.session(me, lambda client: client.submit(envelope))
                return ""
            except Refused as e:
                if not e.passing:
                    return e.name
                time.sleep(RETRY_S)

    def send(self, kind, me, case, wanted="", **fields):
        message_id, envelope = self.letter(kind, me, case.id, **fields)
        answer = self.answer(me, envelope)
        if answer != wanted:
            self.broken.append(f"kind {kind} got {answer or 'a receipt'}, not {wanted or 'a receipt'}")
        return message_id

    def claim(self, case):
        """Both at once, over sessions that are there already; then each asks again with the same bytes (T30, I3)."""
        claims = [(c, self.letter(casefile.KIND_CLAIM, c, case.id)[1]) for c in self.consultants]
        self.rng.shuffle(claims)
        clients = []
        try:
            clients += [self.players.connect(c) for c, _ in claims]
            for client, (_, envelope) in zip(clients, claims):
                client.send(submit=wire.Submit(envelope=envelope))
        except GONE:
            pass  # killed before or between: they come again below
        if self.rng.random() < 0.3:
            self.kill()
        answers = {c.endpoint: self.answer(c, envelope) for c, envelope in claims}
        for client in clients:
            client.close()
        if sorted(answers.values()) != ["", "CASE_TAKEN"]:
            self.broken.append(f"two claims at once got {list(answers.values())}")
        case.director = next((c for c in self.consultants if not answers[c.endpoint]), self.consultants[0])

    # ---- what is told ----

    def told(self, case):
        """The case, the same on both sides."""
        ask = wire.GetCase(case_id=case.id)
        while True:
            practice, team, again = (self.session(e, lambda client: client.call(get_case=ask))
                                     for e in (self.gp, self.consultants[0], self.gp))
            if practice == again:  # nothing happened meanwhile
                break
        if practice != team:
            self.broken.append("the two sides are told two cases")
        return practice

    def expect(self, case, state, custody, owed):
        told = self.told(case)
        if (told.state, told.custody, sorted(o.kind for o in told.owed)) != (state, custody, sorted(owed)):
            self.broken.append(f"the case is told as {told}")
        if told.director != (case.director.person if case.director else b""):
            self.broken.append("it has another director")

    def take(self, endpoint):
        def receive(client):
            client.subscribe()
            for delivery in deliveries(client):
                h = wire.Header.FromString(delivery.envelope.header)
                if h.kind >= casefile.KIND_REMINDER:
                    self.notices[endpoint.endpoint, h.case_id, h.kind, h.owed_kind].add(h.message_id)
                    if h.kind == NON_DELIVERY and h.in_reply_to not in self.questions:
                        self.broken.append("a non-delivery names another message")
                client.ack(delivery)
        self.session(endpoint, receive)

    def count(self, endpoint, case):
        return {(kind, owed): len(ids) for (e, c, kind, owed), ids in self.notices.items()
                if e == endpoint.endpoint and c == case.id}

    def side(self, endpoint):
        return "practice" if endpoint.organisation == self.players.practice.id else "team"

    def differences(self, cases, wanted):
        return [f"{self.side(e)}: {self.count(e, case)}, not {wanted[self.side(e)]}" for e in self.players.endpoints
                for case in cases if self.count(e, case) != wanted[self.side(e)]]

    def compare(self, cases, wanted):
        """What is due comes within a time; then the relay is killed, and nothing more comes."""
        limit = time.monotonic() + self.notice_s_max
        while True:
            for endpoint in self.players.endpoints:
                self.take(endpoint)
            if not self.differences(cases, wanted) or time.monotonic() > limit:
                break
        self.kill()
        for endpoint in self.players.endpoints:
            self.take(endpoint)
        self.broken += self.differences(cases, wanted)
        return not self.broken

    # ---- a round ----

    def open_case(self):
        fields = referral_fields()
        case = Case(fields.pop("case_id"))
        self.send(casefile.KIND_REFERRAL, self.gp, case, **fields)
        self.expect(case, casefile.CASE_STATE_REFERRED, casefile.SIDE_PRACTICE, [casefile.OWED_KIND_TAKE_UP])
        self.claim(case)
        case.question = self.send(casefile.KIND_INFO_REQUEST, self.gp, case)
        self.questions.add(case.question)
        self.send(casefile.KIND_CLOSING, case.director, case, "STILL_OWED", outcome=casefile.OUTCOME_YOUTH_CARE)
        self.kill()
        self.expect(case, casefile.CASE_STATE_CLARIFYING, casefile.SIDE_TEAM, [START, REPLY])
        return case

    def close_case(self, case):
        director = case.director
        self.send(casefile.KIND_INFO_REPLY, director, case, in_reply_to=case.question)
        self.send(casefile.KIND_START, director, case, involvement=casefile.INVOLVEMENT_NOT_KNOWN)
        closing = self.send(casefile.KIND_CLOSING, director, case, outcome=casefile.OUTCOME_YOUTH_CARE)
        self.kill()
        self.expect(case, casefile.CASE_STATE_CLOSED, casefile.SIDE_TEAM, [])
        self.session(self.gp, lambda client: client.opened(director.organisation, closing, self.gp.person))
        self.kill()
        self.expect(case, casefile.CASE_STATE_CLOSED, casefile.SIDE_PRACTICE, [])

    def run_round(self):
        """Ends at the first thing that does not hold."""
        self.sleep(0)
        cases = [self.open_case() for _ in range(CASES_OF_A_ROUND)]
        if not self.compare(cases, NOTHING):
            return
        self.sleep(OVERDUE_DAYS)
        if not self.compare(cases, FIRST):
            return
        for case in cases:
            self.expect(case, casefile.CASE_STATE_CLARIFYING, casefile.SIDE_TEAM, [START, REPLY])
        self.sleep(AGAIN_DAYS)
        if not self.compare(cases, SECOND):
            return
        for case in cases:
            self.close_case(case)
        self.sleep(AGAIN_DAYS)
        self.compare(cases, SECOND)
        self.rounds += 1
