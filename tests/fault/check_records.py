"""Judges a run by the clients' own records alone (tests/lib/records.py tells their form): check_records.py [--unsettled] FOLDER.

FOLDER holds one file a client, named after its endpoint's id. Prints a line for each broken promise, beginning with its
rule, and a line of totals; exit 1 if any is broken. The run must have come to rest, unless --unsettled is given.

    missing   what has a receipt is not stored by every reader that it was written for (I2)
    receipt   the same bytes got two different receipts (I3)
    refused   what had a remembered refusal got another answer, or what had a receipt got a refusal (I3)
    repeat    one message came twice within a session (I2)
    back      a message came after its Acked (I2)
    order     within a session, a sequence did not rise (I2); or a message came under another sequence than before
    bytes     a message came with other bytes than were sent, or came from nobody (I1)
    stranger  a message came to somebody whom it was not written for (I6)
    fact      what a reader called unreadable was not told once, as it was, to each client of its sender's organisation
    tracked   Tracked does not tell what a reader's Acked and Noted said
    unsettled at rest, something has neither receipt nor refusal, or no Acked
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from records import read  # noqa: E402


class Reader:
    """One client's deliveries, in the order in which it recorded them, and what it said about them."""

    def __init__(self):
        self.digests, self.sequences = {}, {}
        self.reports = {}  # digests of what the relay made
        self.facts = {}    # (message, endpoint, code) -> ids of the FACTs that tell it
        self.acked, self.noted, self.seen = {}, set(), set()
        self.organisation, self.last = None, 0

    def take(self, word, message_id="", second="", third="", *rest):
        """Yields what it breaks."""
        if word == "session":
            self.seen, self.last, self.organisation = set(), 0, message_id
        elif word == "acked":
            self.acked.setdefault(message_id, second)
        elif word == "noted":
            self.noted.add(message_id)
        elif word == "stored":
            yield from self.take_delivery(self.digests, message_id, second, int(third))
        elif word == "fact":
            self.facts.setdefault(tuple(rest), set()).add(message_id)
            yield from self.take_delivery(self.reports, message_id, second, int(third))

    def take_delivery(self, digests, message_id, digest, sequence):
        if message_id in self.acked:
            yield "back", message_id
        if message_id in self.seen:
            yield "repeat", message_id
        if sequence <= self.last or self.sequences.setdefault(message_id, sequence) != sequence:
            yield "order", message_id
        if digests.setdefault(message_id, digest) != digest:
            yield "bytes", message_id
        self.seen.add(message_id)
        self.last = max(self.last, sequence)


class Sent:
    def __init__(self):
        self.digests, self.readers, self.senders = {}, {}, {}
        self.receipts, self.refusals, self.tracked = {}, {}, {}

    def take(self, sender, word, message_id="", second="", third="", *_):
        if word == "wrote":
            self.digests[message_id], self.senders[message_id] = second, sender
            self.readers[message_id] = [] if third == "-" else third.split(",")
        elif word == "receipt":
            if self.receipts.setdefault(message_id, second) != second:
                yield "receipt", message_id
            if message_id in self.refusals or not self.readers[message_id]:
                yield "refused", message_id
        elif word == "refused":
            if self.refusals.setdefault(message_id, second) != second or message_id in self.receipts:
                yield "refused", message_id
        elif word == "tracked":
            self.tracked[message_id] = {tuple(fact.split(":")) for fact in second.split(",")}


def check_deliveries(sent, readers):
    for endpoint, reader in readers.items():
        for message_id, digest in reader.digests.items():
            if sent.digests.get(message_id) != digest:
                yield "bytes", message_id
            elif endpoint not in sent.readers[message_id]:
                yield "stranger", message_id


def check_tracked(sent, readers):
    for message_id, facts in sent.tracked.items():
        wanted = {(endpoint, readers[endpoint].acked.get(message_id, "-"), str(int(message_id in readers[endpoint].noted)))
                  for endpoint in sent.readers[message_id]}
        if facts != wanted:
            yield "tracked", message_id


def check_facts(sent, readers):
    """Each FACT once, where it belongs, and no other."""
    wanted = {(message_id, endpoint, code): readers[sent.senders[message_id]].organisation
              for endpoint, reader in readers.items() for message_id, code in reader.acked.items()
              if code != "0" and message_id in sent.senders}
    for reader in readers.values():
        mine = {fact for fact, organisation in wanted.items() if organisation == reader.organisation}
        for fact in mine | reader.facts.keys():
            if fact not in mine or len(reader.facts.get(fact, ())) != 1:
                yield "fact", fact[0]


def check_rest(sent, readers):
    for message_id in sent.receipts:
        for endpoint in sent.readers[message_id]:
            if message_id not in readers[endpoint].digests:
                yield "missing", message_id
    for message_id in set(sent.digests) - set(sent.receipts) - set(sent.refusals):
        yield "unsettled", message_id
    for reader in readers.values():
        for message_id in (reader.digests.keys() | reader.reports.keys()) - reader.acked.keys():
            yield "unsettled", message_id
    yield from check_facts(sent, readers)


def check(folder, at_rest):
    sent, readers, broken, stored, reports = Sent(), {}, [], 0, 0
    for endpoint in sorted(os.listdir(folder)):
        reader = readers[endpoint] = Reader()
        for words in read(os.path.join(folder, endpoint)):
            broken += sent.take(endpoint, *words)
            broken += reader.take(*words)
            stored += words[0] == "stored"
            reports += words[0] == "fact"
    broken += check_deliveries(sent, readers)
    broken += check_tracked(sent, readers)
    if at_rest:
        broken += check_rest(sent, readers)
    for rule, message_id in broken:
        print(f"{rule} {message_id}")
    print(f"checked: {len(sent.receipts)} receipted, {len(sent.refusals)} refused, {stored} deliveries, {reports} reports, "
          f"{len(sent.tracked)} tracked, {len(readers)} clients, {len(broken)} broken")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(check(sys.argv[-1], "--unsettled" not in sys.argv[1:-1]))
