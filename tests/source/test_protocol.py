"""PROTOCOL.md: its table of codes is base/error.h's, and its rules are numbered from 1 without a gap (a new rule stands where it belongs, with the next number)."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.getcwd()
SCRIPT = os.path.join(ROOT, "scripts", "error-table")
number = 0


def tell(holds, what):
    global number
    number += 1
    print(f"{'ok' if holds else 'not ok'} {number} - {what}")
    return holds


def table_is_equal(root):
    return subprocess.run([sys.executable, SCRIPT], cwd=root, capture_output=True).returncode == 0


def copy_with(folder, old, new):
    """A copy of the two files in which base/error.h has one text replaced."""
    for name in ("base/error.h", "proto/PROTOCOL.md"):
        os.makedirs(os.path.join(folder, os.path.dirname(name)), exist_ok=True)
        shutil.copy(os.path.join(ROOT, name), os.path.join(folder, name))
    path = os.path.join(folder, "base/error.h")
    with open(path, encoding="utf-8") as f:
        text = f.read()
    assert old in text
    with open(path, "w", encoding="utf-8") as f:
        f.write(text.replace(old, new))


def main():
    good = tell(table_is_equal(ROOT), "the table of codes is that of base/error.h")
    with tempfile.TemporaryDirectory() as folder:
        copy_with(folder, "X(QUOTA_FULL,            72, PASSING", "X(QUOTA_FULL,            72, FINAL")
        good &= tell(not table_is_equal(folder), "a code that changed is found")
    with open("proto/PROTOCOL.md", encoding="utf-8") as f:
        rules = [int(n) for n in re.findall(r"^- \*\*\[P-(\d+)\]\*\* ", f.read(), re.M)]
    odd = sorted(set(range(1, max(rules) + 1)) - set(rules)) + sorted(n for n in set(rules) if rules.count(n) > 1)
    good &= tell(len(rules) > 100 and not odd, f"every rule has a number of its own, without gaps {odd}")
    print(f"1..{number}")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
