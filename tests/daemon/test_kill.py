"""T8, the short form: a few rounds with kill -9 of the relay at random; T9 and T13 come with it, since readers get what
waits after a kill without new traffic and receipts that got lost do not run a delivery again. `make test-kill` is the long form."""
import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from relay import Relay  # noqa: E402
from storm import Storm  # noqa: E402
from tap import main  # noqa: E402

ROUNDS = 6
MESSAGES = 100


def test_t8_kills_under_load_lose_nothing_and_bring_nothing_back(storm):
    storm.run(ROUNDS, MESSAGES)


if __name__ == "__main__":
    seed = int(os.environ.get("BRUG_SEED") or random.randrange(1 << 31))
    print(f"# seed {seed}")
    with Relay() as relay:
        main([test_t8_kills_under_load_lose_nothing_and_bring_nothing_back], Storm(relay, seed))
