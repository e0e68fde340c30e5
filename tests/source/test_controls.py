"""The simulator's controls: the words by which each must be caught are those of one check, so that it shows that this one can fail.

A check is a text that is flagged: sim_flag(w, "…"), or in the rounds until, await_copy or expect(s, …, "…"). Where a text has
a %, anything may stand.
"""
import glob
import os
import re
import sys

sys.path.insert(0, os.path.join("tests", "lib"))
from tap import main  # noqa: E402

TEXT = r'"(?:[^"\\]|\\.)*"'
TEXTS = rf"((?:{TEXT}\s*)+)"
FLAG = re.compile(rf"sim_flag\(\s*[\w>-]+,\s*{TEXTS}")
ROUND = re.compile(rf"\b(until|await_copy|expect)\(s,(?:[^;]*?,)?\s*{TEXTS}\);")
CONTROL = re.compile(rf"\{{\s*(SIM_\w+),\s*{TEXTS},\s*{TEXTS}\}}")
ANYTHING = re.compile(r"%[\d.]*(?:llu|lu|zu|u|d|s)")
ROUND_FLAGS = {"until": "it never came that ", "await_copy": "it never came that ", "expect": "it is not so that "}
LEAST = 18  # of what begins or ends beside something that may be anything


def joined(texts):
    return "".join(t[1:-1] for t in re.findall(TEXT, texts))


def read(pattern):
    return [open(path, encoding="utf-8").read() for path in sorted(glob.glob(pattern))]


def checks():
    found = {joined(m[1]) for text in read("tests/lib/sim*.c") for m in FLAG.finditer(text)}
    for text in read("tests/sim/*.c"):
        found |= {ROUND_FLAGS[m[1]] + joined(m[2]) for m in ROUND.finditer(text)}
    return found


def is_of(words, check):
    """Whether a flagged text may have these words in it."""
    parts = ANYTHING.split(check)
    if any(words in part for part in parts):
        return True
    befores = [p for p in parts[:-1] for n in range(LEAST, len(words)) if p.endswith(words[:n])]
    behinds = [p for p in parts[1:] for n in range(LEAST, len(words)) if p.startswith(words[-n:])]
    return bool(befores or behinds)


def test_the_words_of_each_control_are_of_one_check():
    all_checks = checks()
    controls = [(m[1], joined(m[3])) for text in read("tests/sim/*.c") for m in CONTROL.finditer(text)]
    assert len(all_checks) > 90 and len(controls) > 80, (len(all_checks), len(controls))
    wrong = {control: found for control in controls
             if len(found := [c for c in all_checks if is_of(control[1], c)]) != 1}
    assert not wrong, "\n".join(f"{name} \"{words}\": {found}" for (name, words), found in wrong.items())


def test_words_of_several_checks_are_found():
    texts = ("budget: %zu bytes are unstored", "I4: of case %s it is told otherwise: %s", "%s the books do not balance")
    assert [c for c in texts if is_of("unstored", c)] == [texts[0]]
    assert [c for c in texts if is_of("it is told otherwise: state", c)] == [texts[1]]
    assert [c for c in texts if is_of("at the end the books do not balance", c)] == [texts[2]]
    assert not [c for c in texts if is_of("nothing of these", c)]


if __name__ == "__main__":
    main([test_the_words_of_each_control_are_of_one_check, test_words_of_several_checks_are_found])
