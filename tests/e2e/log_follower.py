"""`lambda logs -f` beside a test: what it has printed so far, with when it came."""

import json
import os
import subprocess
import threading
import time

from lambda_server import BIN, ROOT


class LogFollower:
    """It finds the server by its data directory, as `lambda` on the same machine does: it may come back on another port."""

    def __init__(self, server, *arguments, key=None):
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("LAMBDA_", "AWS_"))}
        environment.update(LAMBDA_DATA_DIR=str(server.data), HOME=str(server.home))
        if key:
            environment.update(LAMBDA_HOST=server.url, LAMBDA_API_KEY=key)
        self.process = subprocess.Popen([str(BIN / "lambda"), "logs", *map(str, arguments), "-f", "-o", "json"], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, cwd=ROOT, env=environment)
        self.lines, self.said = [], []
        self.threads = [threading.Thread(target=self._read, args=pair, daemon=True)
                        for pair in ((self.process.stdout, self._take), (self.process.stderr, self.said.append))]
        for thread in self.threads:
            thread.start()

    def _read(self, pipe, take):
        for line in pipe:
            take(line)

    def _take(self, line):
        self.lines.append({**json.loads(line), "came": time.time()})

    def texts(self, beginning=""):
        return [line["text"] for line in list(self.lines) if line["text"].startswith(beginning)]

    def wait_for(self, condition, seconds=30):
        until = time.monotonic() + seconds
        while not condition(self):
            if time.monotonic() > until or self.process.poll() is not None and not condition(self):
                raise AssertionError(f"it did not come within {seconds} s: {self.texts()[-20:]} {self.said}, exit status {self.process.poll()}")
            time.sleep(0.02)

    def wait_for_text(self, text, seconds=30):
        self.wait_for(lambda follower: text in follower.texts(), seconds)

    def end(self):
        """The exit status."""
        self.process.terminate()
        status = self.process.wait()
        for thread in self.threads:
            thread.join()
        for pipe in (self.process.stdout, self.process.stderr):
            pipe.close()
        return status

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()
