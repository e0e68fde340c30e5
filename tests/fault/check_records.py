"""Judges a run by the clients' own records alone (tests/lib/records.py tells their form): check_records.py [--unsettled] FOLDER.

FOLDER holds one file a client, named after its endpoint's id. Prints a line for each broken promise, beginning with its
rule, and a line of totals; exit 1 if any is broken. The run must have come to rest, unless --unsettled is given.

    missing   what has a receipt is not stored by every reader that it was written for (I2)
    receipt   the same bytes got two different receipts (I3)
    repeat    one message came twice within a session (I2)
    back      a message came after its Acked (I2)
    order     within a session, a sequence did not rise (I2); or a message came under another sequence than before
    bytes     a message came with other bytes than were sent, or came from nobody (I1)
    stranger  a message came to somebody whom it was not written for (I6)
    unsettled at rest, something has no receipt or no Acked
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from records import read  # noqa: E402


class Reader:
    """One client's deliveries, in the order in which it recorded them."""

    def __init__(self):
        self.digests, self.sequences = {}, {}
        self.acked, self.seen = set(), set()
        self.last = 0

    def take(self, word, message_id="", digest="", sequence="", *_):
        """Yields what it breaks."""
        if word == "session":
            self.seen, self.last = set(), 0
        elif word == "acked":
            self.acked.add(message_id)
        elif word == "stored":
            if message_id in self.acked:
                yield "back", message_id
            if message_id in self.seen:
                yield "repeat", message_id
            if int(sequence) <= self.last or self.sequences.setdefault(message_id, sequence) != sequence:
                yield "order", message_id
            if self.digests.setdefault(message_id, digest) != digest:
                yield "bytes", message_id
            self.seen.add(message_id)
            self.last = max(self.last, int(sequence))


class Sent:
    def __init__(self):
        self.digests, self.readers, self.receipts = {}, {}, {}

    def take(self, word, message_id="", second="", third="", *_):
        if word == "wrote":
            self.digests[message_id], self.readers[message_id] = second, third.split(",")
        elif word == "receipt" and self.receipts.setdefault(message_id, second) != second:
            yield "receipt", message_id


def check_deliveries(sent, readers):
    for endpoint, reader in readers.items():
        for message_id, digest in reader.digests.items():
            if sent.digests.get(message_id) != digest:
                yield "bytes", message_id
            elif endpoint not in sent.readers[message_id]:
                yield "stranger", message_id


def check_rest(sent, readers):
    for message_id in sent.receipts:
        for endpoint in sent.readers[message_id]:
            if message_id not in readers[endpoint].digests:
                yield "missing", message_id
    for message_id in set(sent.digests) - set(sent.receipts):
        yield "unsettled", message_id
    for reader in readers.values():
        for message_id in set(reader.digests) - reader.acked:
            yield "unsettled", message_id


def check(folder, at_rest):
    sent, readers, broken, stored = Sent(), {}, [], 0
    for endpoint in sorted(os.listdir(folder)):
        reader = readers[endpoint] = Reader()
        for words in read(os.path.join(folder, endpoint)):
            broken += sent.take(*words)
            broken += reader.take(*words)
            stored += words[0] == "stored"
    broken += check_deliveries(sent, readers)
    if at_rest:
        broken += check_rest(sent, readers)
    for rule, message_id in broken:
        print(f"{rule} {message_id}")
    print(f"checked: {len(sent.receipts)} receipted, {stored} deliveries, {len(readers)} clients, {len(broken)} broken")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(check(sys.argv[-1], "--unsettled" not in sys.argv[1:-1]))
