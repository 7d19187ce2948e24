"""Suites of Python tests: each file *_test.py (or test_*.py) of a folder is run by itself with unittest."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from outcome import Outcome, failed
from processes import ROOT, last_lines, run
from shared_tree import shared_tree

RUNNER = Path(__file__).with_name("run_unittest.py")


def test_files(folder):
    directory = ROOT / folder
    return sorted(path for path in directory.glob("*.py") if path.stem.endswith("_test") or path.stem.startswith("test_"))


def python_tests(folder, only=None, but_not=(), workers=2):
    """A suite of all the folder's files, or those named; `workers` files at a time, each with its own log."""
    def suite(log, timeout):
        files = [path for path in test_files(folder) if (only is None or path.stem in only) and path.stem not in but_not]
        if not files:
            return failed(f"{folder} has no test files")
        deadline = time.monotonic() + timeout
        tree = shared_tree()  # before the workers: each would mount its own
        total = Outcome()
        with ThreadPoolExecutor(workers) as pool:
            for result in pool.map(lambda path: run_file(path, tree, log, deadline), files):
                total.add(result)
        return total
    return suite


def run_file(path, tree, log, deadline):
    own_log = log.with_name(f"{log.stem}.{path.stem}.log")
    own_log.unlink(missing_ok=True)
    report = own_log.with_suffix(".json")
    report.unlink(missing_ok=True)
    began = time.monotonic()
    environment = {"PYTHONDONTWRITEBYTECODE": "1", "LAMBDA_BIN": str(tree / "build/release/bin")}
    there = tree / path.relative_to(ROOT)
    status = run(["/usr/bin/python3", "-u", RUNNER, there, report], own_log, deadline - time.monotonic(), env=environment, cwd=there.parent)
    with open(log, "a", encoding="utf-8") as output:
        output.write(f"{path.name}: exit status {status} after {time.monotonic() - began:.0f} s; {own_log}\n")
    if not report.exists():
        return failed(f"{path.relative_to(ROOT)}: did not finish (exit status {status})", *last_lines(own_log, 8))
    found = json.loads(report.read_text())
    result = Outcome(found["passed"], len(found["failures"]), [f"{path.relative_to(ROOT)}: {line}" for line in found["failures"]])
    if status == 124:
        result.add(failed(f"{path.relative_to(ROOT)}: stopped: out of time"))
    elif result.passed + result.failed == 0:
        result.add(failed(f"{path.relative_to(ROOT)}: has no tests"))
    return result


