"""run_unittest.py FILE REPORT: runs one file of unittest tests and writes what came of them as JSON, after every test, so that a
run that is cut short still tells. A skipped test counts as failed: nothing is left out here."""

import importlib.util
import json
import sys
import time
import unittest
from pathlib import Path


class Recorder(unittest.TextTestResult):
    report = None

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.passed_count = 0
        self.failure_lines = []
        self.spoiled = set()
        self.began = 0.0

    def write(self):
        self.report.write_text(json.dumps({"passed": self.passed_count, "failures": self.failure_lines}))

    def startTest(self, test):
        super().startTest(test)
        self.began = time.monotonic()
        self.write()

    def stopTest(self, test):
        super().stopTest(test)
        self.stream.writeln(f"    {time.monotonic() - self.began:.1f} s")
        self.write()

    def spoil(self, test, text):
        if test.id() not in self.spoiled:
            self.spoiled.add(test.id())
            self.failure_lines.append(f"{test}: {text}")
        self.write()

    def last_line(self, error):
        return (str(error[1]).strip().splitlines() or [error[0].__name__])[0][:300]

    def addSuccess(self, test):
        super().addSuccess(test)
        if test.id() not in self.spoiled:
            self.passed_count += 1

    def addError(self, test, err):
        super().addError(test, err)
        self.spoil(test, f"{err[0].__name__}: {self.last_line(err)}")

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.spoil(test, self.last_line(err))

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.spoil(test, f"{subtest}: {self.last_line(err)}")

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.spoil(test, f"was skipped: {reason}")

    def addExpectedFailure(self, test, err):
        super().addExpectedFailure(test, err)
        self.spoil(test, "is expected to fail; repair it or remove it")

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self.spoil(test, "was expected to fail")


def main():
    path, Recorder.report = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    sys.path.insert(0, str(path.parent))
    specification = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(specification)
    sys.modules[path.stem] = module
    try:
        specification.loader.exec_module(module)
    except BaseException as error:
        Recorder.report.write_text(json.dumps({"passed": 0, "failures": [f"cannot be loaded: {error}"]}))
        raise
    tests = unittest.defaultTestLoader.loadTestsFromModule(module)
    result = unittest.TextTestRunner(verbosity=2, resultclass=Recorder).run(tests)
    result.write()
    sys.exit(0 if result.wasSuccessful() and not result.failure_lines else 1)


if __name__ == "__main__":
    main()
