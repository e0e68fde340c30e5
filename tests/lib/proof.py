"""What proof.h gives to tests in C: the size of a proof in `make test` and in `make prove`, and its row in the table."""
import os
import sys


def size(name, in_test, in_prove):
    """The environment variable `name` if set; else in_prove under BRUG_PROVE; else in_test, a tenth of it under a sanitizer."""
    value = os.environ.get(name)
    if value:
        if not value.isascii() or not value.isdigit() or int(value) == 0:
            sys.exit(f"{name}={value} is not a number above 0")
        return int(value)
    if os.environ.get("BRUG_PROVE"):
        return in_prove
    variant = os.path.basename(os.environ.get("BRUG_BUILD", "plain"))
    return in_test if variant.startswith("plain") else max(1, in_test // 10)


def report(claim, done, unit, violations, controls_failed, controls, seconds):
    """A TAP comment, and the row; does not judge. One write, so that proofs may run side by side."""
    print(f"# {claim}: {done} {unit} in {seconds:.1f} s, {violations} violations, "
          f"controls failed as they must: {controls_failed} of {controls}", flush=True)
    path = os.environ.get("BRUG_PROOF_ROWS")
    if path:
        row = f"{claim}\t{done}\t{unit}\t{violations}\t{controls_failed}\t{controls}\t{seconds:.1f}\n"
        with open(path, "ab", buffering=0) as rows:
            rows.write(row.encode())
