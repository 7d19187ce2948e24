"""Running programs with a log and a limit of time."""

import os
import signal
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOGS = ROOT / "build" / "test-logs"


def run(command, log, timeout=1800, env=None, cwd=ROOT):
    """Appends the program's output to the log and returns its exit status; 124 where it took too long: then it and
    everything it started in its session is killed."""
    environment = dict(os.environ, **(env or {}))
    with open(log, "ab") as output:
        output.write(f"$ {' '.join(map(str, command))}\n".encode())
        output.flush()
        try:
            process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=output, cwd=cwd,
                                       stderr=subprocess.STDOUT, env=environment, start_new_session=True)
        except OSError as error:
            output.write(f"cannot run {command[0]}: {error}\n".encode())
            return 127
        try:
            return process.wait(timeout=max(1, timeout))
        except subprocess.TimeoutExpired:
            output.write(f"\nstopped after {timeout:.0f} s\n".encode())
            os.killpg(process.pid, signal.SIGTERM)
            time.sleep(3)
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()
            return 124


def output_of(command, cwd=ROOT):
    return subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=cwd,
                          check=False).stdout


def last_lines(log, count=15):
    try:
        lines = Path(log).read_text(errors="replace").splitlines()
    except OSError:
        return []
    return lines[-count:]
