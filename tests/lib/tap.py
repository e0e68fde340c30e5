"""TAP for tests in Python: every test is a function; an exception fails it and the next one runs.

    run([test_a, test_b], world)      calls test_a(world), test_b(world), prints TAP, exits 1 if any failed

Whoever uses this ends at SIGTERM as at an error: what it began in `with` and `finally` is ended, its children too.
"""
import signal
import sys
import traceback

signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def run(tests, *arguments):
    failed = 0
    print(f"1..{len(tests)}", flush=True)
    for number, test in enumerate(tests, 1):
        try:
            test(*arguments)
            print(f"ok {number} - {test.__name__}", flush=True)
        except Exception:  # whatever a test raises is its failure
            failed += 1
            print(f"not ok {number} - {test.__name__}")
            print("".join("# " + line + "\n" for line in traceback.format_exc().splitlines()),
                  end="", flush=True)
    return 1 if failed else 0


def expect(error, call, **attributes):
    """The exception that `call` raises, which must be an `error` with these attributes."""
    try:
        result = call()
    except error as e:
        for name, wanted in attributes.items():
            found = getattr(e, name)
            assert found == wanted, f"{name} is {found!r}, not {wanted!r}"
        return e
    raise AssertionError(f"no {error.__name__}: {result!r}")


def main(tests, *arguments):
    sys.exit(run(tests, *arguments))
