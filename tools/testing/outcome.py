"""What a suite of tests came to."""

from dataclasses import dataclass, field


@dataclass
class Outcome:
    passed: int = 0
    failed: int = 0
    failures: list = field(default_factory=list)  # a line for each, for people

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.failures += other.failures
        return self


def passed(count=1):
    return Outcome(passed=count)


def failed(*lines):
    return Outcome(failed=max(1, len(lines)), failures=list(lines) or ["failed"])
