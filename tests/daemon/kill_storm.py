"""T8, the long form (`make test-kill ROUNDS=n`): rounds of 100 messages with kill -9 of the relay at random.

Prints its seed; BRUG_SEED replays the same choices (the moments of the kills still depend on the machine).
"""
import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from relay import Relay  # noqa: E402
from storm import Storm, Violation  # noqa: E402

MESSAGES = 100


def main():
    rounds = int(os.environ.get("ROUNDS") or 80)
    seed = int(os.environ.get("BRUG_SEED") or random.randrange(1 << 31))
    print("1..1")
    print(f"# seed {seed}, {rounds} rounds of {MESSAGES} messages", flush=True)
    began = time.monotonic()
    with Relay() as relay:
        storm = Storm(relay, seed)
        try:
            storm.run(rounds, MESSAGES, lambda n: print(f"# round {n}, {storm.kills} kills", flush=True)
                      if n % 10 == 0 else None)
        except Violation as e:
            print(f"not ok 1 - T8 after {storm.kills} kills: {e}")
            return 1
        delivered = sum(len(r.stored) for r in storm.readers)
        print(f"# {storm.kills} kills, {sum(len(s.receipts) for s in storm.senders)} receipts, {delivered} deliveries, "
              f"{time.monotonic() - began:.0f} s")
    print(f"ok 1 - T8 nothing receipted is missing, nothing acknowledged came back, over {rounds} rounds")
    return 0


if __name__ == "__main__":
    sys.exit(main())
