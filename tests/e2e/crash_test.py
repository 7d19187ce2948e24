"""kill -9 of lambdad during deploys: whatever the moment, the next call returns exactly the old or the new code, with the
settings that belong to it. At least KILLS kills fall in each step of a deploy; the server's own log says where each one fell."""

import json
import random
import re
import signal
import threading
import time
import unittest

from lambda_server import LambdaServer, on_both_drivers

STEPS = ("receive", "build", "initialise", "commit")
KILLS = 5
ATTEMPTS = 40  # for one step, before the test gives up

# Something to compile and to load, so that no step is over at once.
PADDING = {f"part{number}.py": "\n".join(f"def f{line}(x): return x + {line}" for line in range(200)) for number in range(8)}


def code_of(number):
    loads = "\n".join(f"import part{number}" for number in range(8))
    return {"app.py": f"{loads}\nimport os, time\ntime.sleep(0.05)\ndef handler(e, c): return [{number}, int(os.environ['NUMBER'])]\n", **PADDING}


@on_both_drivers
class Crashes(unittest.TestCase):
    def setUp(self):
        self.server = LambdaServer(self.driver).start()
        self.addCleanup(self.server.close)
        self.server.deploy(code_of(0), "victim", "--handler", "app.handler", "-e", "NUMBER=0")
        self.current, self.next = 0, 1

    def test_every_step(self):
        fell = {step: 0 for step in STEPS}
        outcomes = {"old": 0, "new": 0}
        for step in STEPS:
            for _ in range(ATTEMPTS):
                if fell[step] >= KILLS:
                    break
                where, outcome = self.crash_in(step)
                fell[where] = fell.get(where, 0) + 1
                outcomes[outcome] += 1
        print(f"{self.driver}: kills by step, as the log tells: {fell}; after them {outcomes}")
        for step in STEPS:
            self.assertGreaterEqual(fell[step], KILLS, fell)

    def crash_in(self, step):
        """One deploy, one kill; returns the step the log shows the kill fell in, and which code answers afterwards."""
        number, self.next = self.next, self.next + 1
        folder = self.server.folder(code_of(number))
        first_line = len(self.server.log_lines)
        client = []
        thread = threading.Thread(target=lambda: client.append(
            self.server.cli("deploy", folder, "--name", "victim", "-e", f"NUMBER={number}", check=False)))
        thread.start()
        self.wait_for(f"deploy victim: {step}", first_line)
        # Some at once, some a little later, within what the step usually takes.
        time.sleep(random.choice([0, 0, 0.0005, 0.002, 0.01 if step in ("build", "initialise") else 0]))
        self.server.process.send_signal(signal.SIGKILL)
        self.server.process.wait()
        thread.join()
        time.sleep(0.05)
        steps = re.findall(r"deploy victim: (\w+)", "\n".join(self.server.log_lines[first_line:]))
        self.assertTrue(steps, self.server.log_text())
        acknowledged = client[0].returncode == 0
        self.server.start()
        answer = self.server.get("victim")
        self.assertEqual(answer.status, 200, answer)
        code, setting = json.loads(answer.body)
        self.assertEqual(code, setting, "code and settings of different versions")
        self.assertIn(code, (self.current, number), f"neither the old nor the new code, after a kill in {steps[-1]}")
        if acknowledged or steps[-1] == "done":
            self.assertEqual(code, number, f"an acknowledged deploy is lost, after {steps}")
        outcome = "new" if code == number else "old"
        self.current = code
        self.whole_state_agrees(code)
        return steps[-1], outcome

    def whole_state_agrees(self, code):
        """The versions, the alias and $LATEST tell one story, and every version still answers."""
        versions = self.server.api("GET", "/_lambda/functions/victim/versions").json()["versions"]
        live = [each["version"] for each in versions if each["live"]]
        self.assertEqual(len(live), 1, versions)
        self.assertEqual(self.server.invoke("victim", qualifier="$LATEST").json(), [code, code])
        self.assertEqual(self.server.invoke("victim", qualifier=str(live[0])).json(), [code, code])

    def wait_for(self, text, first_line, wait=30):
        deadline = time.monotonic() + wait
        with self.server.log_seen:
            while not any(text in line for line in self.server.log_lines[first_line:]):
                if not self.server.log_seen.wait(deadline - time.monotonic()):
                    raise AssertionError(f"no \"{text}\" in the log:\n{self.server.log_text()}")


if __name__ == "__main__":
    unittest.main()
