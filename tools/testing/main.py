"""Runs the suites of tests one after the other, says what each came to, and ends with the sum of all.

./test is the way to call this; it installs what is missing first."""

import argparse
import os

import shutil
import sys
import time
from dataclasses import dataclass
from typing import Callable

import checks
import cpp_suites
from layers import layers
from outcome import Outcome, failed
from processes import LOGS, ROOT
from python_suites import python_tests
from runtimes_suite import build_runtimes


@dataclass
class Suite:
    name: str
    run: Callable
    quick: bool = False
    minutes: int = 30  # at most
    asked_for: bool = False  # runs only when the pattern names it


# These look at what a server leaves on the machine, at the clock, or at how fast something is: no other server beside them.
ALONE = ["startup_test", "burst_test", "crash_test", "run_command_test", "log_flood_test"]
CRASHES = ["event_crash_test", "schedule_crash_test"]  # minutes of kill -9; alone, too

# In this order: what others need first, what is slow and seldom fails last.
SUITES = [
    Suite("build:release", cpp_suites.build("release"), quick=True, minutes=45),
    Suite("build:runtimes", build_runtimes, quick=True),
    Suite("check:format", checks.format_of_sources, quick=True),
    Suite("check:layers", layers, quick=True),
    Suite("unit:release", cpp_suites.unit("release"), quick=True),
    Suite("runtimes", python_tests("runtimes/tests")),
    Suite("schedules", python_tests("tests/schedules")),
    Suite("cli", python_tests("tests/cli")),
    Suite("e2e:walkthrough", python_tests("tests/e2e", only=["walkthrough_test"]), quick=True),
    Suite("e2e:functions", python_tests("tests/e2e", but_not=["walkthrough_test", *ALONE, *CRASHES])),
    Suite("e2e:restarts", python_tests("tests/e2e", only=ALONE, workers=1)),
    Suite("e2e:crashes", python_tests("tests/e2e", only=CRASHES, workers=1)),
    Suite("aws", python_tests("tests/aws")),
    Suite("security", python_tests("tests/security", workers=1)),
    Suite("machine", python_tests("tests/machine", workers=1)),
    Suite("build:asan", cpp_suites.build("asan"), minutes=45),
    Suite("unit:asan", cpp_suites.unit("asan")),
    Suite("build:tsan", cpp_suites.build("tsan"), minutes=45),
    Suite("unit:tsan", cpp_suites.unit("tsan")),
    Suite("check:presets", cpp_suites.dev_preset),
    Suite("check:headers", cpp_suites.headers),
    Suite("check:coroutines", checks.coroutine_temporaries),
    Suite("check:tidy", checks.tidy),
    Suite("fuzz", cpp_suites.fuzz, asked_for=True),
]


def run_suite(suite, deadline):
    left = deadline - time.monotonic()
    if left < 5:
        return failed("not run: the time allowed for all tests is over")
    log = LOGS / (suite.name.replace(":", "-") + ".log")
    log.write_text("")
    try:
        return suite.run(log, min(left, suite.minutes * 60))
    except Exception as error:  # a broken suite is a failed one; the others still run
        with open(log, "a", encoding="utf-8") as output:
            output.write(f"\n{type(error).__name__}: {error}\n")
        return failed(f"the suite itself broke: {type(error).__name__}: {error}")


def needed_first(chosen):
    """What the chosen suites stand on: the newest programs, and the base file systems where functions run."""
    programs, runtimes = SUITES[:2]
    functions_run = any(not suite.name.startswith(("build:", "check:")) for suite in chosen)
    return [suite for suite in [programs] + [runtimes] * functions_run if suite not in chosen]


def report(suite, outcome, seconds):
    verdict = "ok" if outcome.failed == 0 else "FAILED"
    print(f"{verdict:7}{suite.name:18}{outcome.passed:6} passed {outcome.failed:4} failed {seconds:7.0f} s", flush=True)
    for line in outcome.failures[:40]:
        print(f"         {line[:400]}", flush=True)
    if len(outcome.failures) > 40:
        print(f"         and {len(outcome.failures) - 40} more", flush=True)


def main():
    parser = argparse.ArgumentParser(prog="./test")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("pattern", nargs="?", default="")
    options = parser.parse_args()
    chosen = [suite for suite in SUITES if options.pattern in suite.name and (suite.quick or not options.quick)
              and (options.pattern or options.list or not suite.asked_for)]
    if options.list:
        print("\n".join(suite.name for suite in chosen))
        return 0
    if not chosen:
        print(f"No suite's name contains {options.pattern!r}; ./test --list names them all.\n\n0 passed, 1 failed")
        return 1
    shutil.rmtree(LOGS, ignore_errors=True)
    LOGS.mkdir(parents=True)
    os.chdir(ROOT)
    deadline = time.monotonic() + 60 * float(os.environ.get("LAMBDA_TEST_MINUTES", "180"))
    total = Outcome()
    for suite in needed_first(chosen):
        built = run_suite(suite, deadline)
        if built.failed:
            report(suite, built, 0)
            total.add(built)
    for suite in chosen:
        began = time.monotonic()
        outcome = run_suite(suite, deadline)
        if outcome.passed + outcome.failed == 0:
            outcome = failed("ran no test")
        report(suite, outcome, time.monotonic() - began)
        total.add(outcome)
    if total.failed:
        print(f"\nLogs are in {LOGS.relative_to(ROOT)}/.")
    print(f"\n{total.passed} passed, {total.failed} failed")
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    sys.exit(main())
