"""A thousand first calls at one moment, to one function and to a thousand: all are answered or refused early, a function that is warm goes on answering, and nothing is left behind."""

import base64
import http.client
import io
import os
import subprocess
import tempfile
import threading
import time
import unittest
import zipfile
from pathlib import Path

from lambda_server import LambdaServer

MANY = 1000
# How long a call may wait for an instance here; whoever is refused is refused by then.
LONGEST_WAIT = 15
PROGRAM = '''
#include "function_program.h"
static void answer(const char* event, char* body, size_t size) { snprintf(body, size, "{}"); }
int main(void) { return serve(answer); }
'''


def package():
    """A zip with a static program that answers every event with {}."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "answer.c")
        source.write_text(PROGRAM)
        subprocess.run(["gcc", "-O1", "-static", "-w", f"-I{Path(__file__).resolve().parents[1] / 'security'}", "-o", f"{folder}/bootstrap", source], check=True)
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            entry = zipfile.ZipInfo("bootstrap")
            entry.external_attr = 0o755 << 16
            archive.writestr(entry, Path(folder, "bootstrap").read_bytes())
        return packed.getvalue()


class Warm(threading.Thread):
    """Calls a function all along, and notes how long each call took."""

    def __init__(self, server, name):
        super().__init__()
        self.server, self.name, self.times, self.failures, self.over = server, f"warm-{name}", [], [], threading.Event()

    def run(self):
        while not self.over.is_set():
            began = time.monotonic()
            reply = self.server.invoke(self.name, {}, tail=False, timeout=60)
            self.times.append(time.monotonic() - began)
            if reply.status != 200:
                self.failures.append(reply)
            time.sleep(0.01)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()


class Burst(unittest.TestCase):
    def setUp(self):
        self.server = LambdaServer("native", flags=["--longest-wait", str(LONGEST_WAIT), "--freeze-after", "0"]).start()
        self.addCleanup(self.server.close)
        self.zip = base64.b64encode(package()).decode()
        self.create("warm-one")
        self.assertEqual(self.server.invoke("warm-one", {}).status, 200)

    def create(self, name):
        body = {"FunctionName": name, "Runtime": "provided.al2023", "Handler": "bootstrap", "Role": "arn:aws:iam::123456789012:role/any", "Timeout": 10,
                "Code": {"ZipFile": self.zip}}
        reply = self.server.api("POST", "/2015-03-31/functions", body)
        self.assertEqual(reply.status, 201, reply)

    def burst(self, names):
        """A call of each at one moment, on a connection of its own: (status, Retry-After, seconds, error) of each."""
        barrier = threading.Barrier(MANY + 1)
        outcomes = [None] * MANY

        def call(number):
            connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=LONGEST_WAIT + 45)
            began = time.monotonic()
            try:
                try:
                    connection.connect()
                finally:
                    barrier.wait(60)
                began = time.monotonic()
                connection.request("POST", f"/2015-03-31/functions/{names[number % len(names)]}/invocations", b"{}", {"Authorization": f"Bearer {self.server.key}"})
                answer = connection.getresponse()
                answer.read()
                outcomes[number] = (answer.status, answer.headers.get("Retry-After"), time.monotonic() - began, answer.headers.get("X-Amz-Function-Error"))
            except OSError as error:
                outcomes[number] = (repr(error), None, time.monotonic() - began, None)
            finally:
                connection.close()
        threading.stack_size(256 * 1024)
        self.addCleanup(threading.stack_size, 0)
        threads = [threading.Thread(target=call, args=(number,)) for number in range(MANY)]
        for thread in threads:
            thread.start()
        barrier.wait(60)
        for thread in threads:
            thread.join()
        return outcomes

    def check(self, outcomes, warm):
        statuses = {status: sum(each[0] == status for each in outcomes) for status in {each[0] for each in outcomes}}
        slowest = max(each[2] for each in outcomes)
        ordered = sorted(warm.times)
        print(f"\n{statuses}, slowest {slowest:.2f} s; warm meanwhile: {len(ordered)} calls, p50 {ordered[len(ordered) // 2] * 1000:.1f} ms, slowest {ordered[-1] * 1000:.0f} ms",
              flush=True)
        self.assertLessEqual(set(statuses), {200, 429, 503}, statuses)
        self.assertEqual({each[3] for each in outcomes}, {None})
        self.assertGreater(statuses.get(200, 0), MANY // 4)
        for status, after, seconds, _ in outcomes:
            if status != 200:
                self.assertIsNotNone(after)
                self.assertLess(seconds, LONGEST_WAIT + 10)
        # None hangs; and the warm one is served all along, whatever waits.
        self.assertLess(slowest, LONGEST_WAIT + 30)
        self.assertEqual(warm.failures, [])
        self.assertGreater(len(ordered), 5)
        self.assertLess(ordered[-1], 5)
        self.assertLess(ordered[len(ordered) // 2], 1)

    def test_a_thousand_first_calls_of_one_function(self):
        self.create("one")
        with Warm(self.server, "one") as warm:
            outcomes = self.burst(["one"])
        self.check(outcomes, warm)
        self.assertEqual(self.server.invoke("one", {}).status, 200)

    def test_a_thousand_first_calls_of_a_thousand_functions(self):
        names = [f"many-{number}" for number in range(MANY)]
        for name in names:
            self.create(name)
        with Warm(self.server, "one") as warm:
            outcomes = self.burst(names)
        self.check(outcomes, warm)
        self.assertEqual(self.server.invoke("warm-one", {}).status, 200)
        self.assertEqual(self.server.invoke(names[-1], {}).status, 200)
        group = next(part for part in self.server.log_text(1000).replace(",", " ").split("/") if part.startswith("lambda-")).split()[0]
        groups = list(Path("/sys/fs/cgroup").glob(f"**/{group}"))
        self.assertTrue(groups)
        self.assertEqual(self.server.stop(), 0)
        self.assertEqual([str(path) for path in groups if os.path.exists(path)], [])


if __name__ == "__main__":
    unittest.main()
