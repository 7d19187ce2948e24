"""The base file systems that functions run in: made once, and imported into Docker."""

from outcome import failed, passed
from processes import last_lines, run


def build_runtimes(log, timeout):
    status = run(["runtimes/build", "--docker"], log, timeout)
    return passed() if status == 0 else failed("runtimes/build failed", *last_lines(log, 20))
