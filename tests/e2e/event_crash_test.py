"""kill -9 of lambdad while clients submit events at full speed: whatever the moment, every acknowledged event is carried out, or is in
the list of dead letters, and only what was in flight at a kill is carried out twice.

The function's answer is a digest of its event that nothing but the function computes: an event that succeeded with the right one was
executed. What it prints is in its log, with the time: two executions of one event must have a kill between them."""

import hashlib
import http.client
import json
import random
import sqlite3
import threading
import time
import unittest
from collections import Counter

from lambda_server import LambdaServer

ROUNDS = 300
CLIENTS = 4
# A tenth fails, always: those must be dead. "RAN" is what tells executions.
SOURCE = """
import hashlib
def handler(event, context):
    print("RAN " + str(event["n"]))
    if event["n"] % 10 == 0:
        raise ValueError("number " + str(event["n"]))
    return hashlib.sha256(b"secret of the function" + str(event["n"]).encode()).hexdigest()
"""


def answer_of(number):
    return hashlib.sha256(b"secret of the function" + str(number).encode()).hexdigest()


class Clients:
    """Submit events, one after the other on each connection, until the server is gone."""

    def __init__(self, server, first):
        self.server, self.next, self.lock = server, first, threading.Lock()
        self.acknowledged = {}  # request id: number
        self.wrong = []
        self.threads = [threading.Thread(target=self.submit) for _ in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def take(self):
        with self.lock:
            self.next += 1
            return self.next

    def submit(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        headers = {"Authorization": f"Bearer {self.server.key}", "X-Amz-Invocation-Type": "Event"}
        try:
            while True:
                number = self.take()
                connection.request("POST", "/_lambda/functions/victim/invocations", body=b'{"n": %d}' % number, headers=headers)
                reply = connection.getresponse()
                reply.read()
                if reply.status != 202:
                    self.wrong.append(f"{reply.status} {reply.headers}")
                    return
                self.acknowledged[reply.headers["x-amzn-RequestId"]] = number
        except (OSError, http.client.HTTPException):
            pass  # the kill
        finally:
            connection.close()

    def join(self):
        for thread in self.threads:
            thread.join()


class Crashes(unittest.TestCase):
    def test_nothing_acknowledged_is_lost(self):
        random.seed()
        server = LambdaServer("native", ["--retry-delay", "1", "--keep-results", "86400", "--log-level", "info"]).start()
        self.addCleanup(server.close)
        server.deploy({"app.py": SOURCE}, "victim", "--handler", "app.handler")
        reply = server.api("PUT", "/2019-09-25/functions/victim/event-invoke-config?Qualifier=live", {"MaximumRetryAttempts": 0})
        self.assertEqual(reply.status, 200, reply)
        logs = LogFiles(server)
        acknowledged, kills, number = {}, [], 0
        began = time.monotonic()
        for _ in range(ROUNDS):
            clients = Clients(server, number)
            time.sleep(random.choice((0, 0.02, 0.05, 0.1, 0.2)) + random.random() * 0.1)
            server.kill()
            kills.append(time.time())
            clients.join()
            self.assertEqual(clients.wrong, [])
            acknowledged.update(clients.acknowledged)
            number = clients.next
            logs.read()
            server.start()
        took = time.monotonic() - began
        depth = self.wait_for_all(server)
        server.stop()
        logs.read()
        events = self.events(server)
        self.check_ends(acknowledged, events)
        interrupted = sum(int(line.split(" events that an earlier")[0].split()[-1]) for line in server.log_lines if "events that an earlier server" in line)
        again = sum(lease - 1 - throttles for _, _, _, lease, throttles in events.values())
        self.assertEqual(again, interrupted, "claimed again, without having been in flight at a kill")
        twice = self.check_executions(logs.executions, kills, acknowledged, {number: lease for _, number, _, lease, _ in events.values()})
        print(f"{ROUNDS} kills in {took:.0f} s, {number} events submitted, {len(acknowledged)} acknowledged, {len(events)} kept: "
              f"{depth['dead']} dead, {interrupted} times one was in flight at a kill and given to the function again; "
              f"the function's log tells of {twice} that it carried out twice or more")
        server.start()

    def wait_for_all(self, server):
        deadline = time.monotonic() + 120
        while True:
            depth = server.api("GET", "/_lambda/queue?function=victim").json()["functions"][0]
            if depth["waiting"] + depth["running"] == 0:
                return depth
            self.assertLess(time.monotonic(), deadline, depth)
            time.sleep(0.2)

    @staticmethod
    def events(server):
        """{id: (state, number, result, how often it was claimed, how often in vain)} of all events there are."""
        database = sqlite3.connect(server.data / "lambda.db")
        rows = database.execute("SELECT e.id, e.state, p.payload, r.payload, e.lease, e.throttles FROM events e JOIN event_payloads p USING (seq) "
                                "LEFT JOIN event_results r USING (seq)").fetchall()
        database.close()
        return {identity: (state, json.loads(payload)["n"], result, lease, throttles) for identity, state, payload, result, lease, throttles in rows}

    def check_ends(self, acknowledged, events):
        lost = [number for identity, number in acknowledged.items() if identity not in events]
        self.assertEqual(lost, [], "acknowledged, and not there")
        for identity, (state, number, result, *_) in events.items():
            if identity in acknowledged:
                self.assertEqual(number, acknowledged[identity])
            if number % 10 == 0:
                self.assertEqual((state, json.loads(result)["errorMessage"]), (3, f"number {number}"))
            else:
                self.assertEqual((state, json.loads(result)), (2, answer_of(number)))
        several = [number for number, count in Counter(each[1] for each in events.values()).items() if count > 1]
        self.assertEqual(several, [], "one submission, and several events")

    def check_executions(self, executions, kills, acknowledged, claims):
        """How many events were carried out more than once; between two executions of one there was a kill."""
        twice = 0
        for number, times in executions.items():
            twice += len(times) > 1
            self.assertLessEqual(len(times), claims[number])
            for before, after in zip(times, times[1:]):
                self.assertTrue(any(before - 0.005 <= kill <= after + 0.005 for kill in kills),
                                f"event {number} was carried out at {before} and at {after}, and no kill lies between")
        # The newest of them: a quick machine writes more between two kills than is kept.
        self.assertGreater(len(executions), min(len(acknowledged) // 2, 10_000), "the log should tell of many of them")
        return twice


class LogFiles:
    """What the function wrote, read after every kill: the server keeps the newest segments only."""

    def __init__(self, server):
        self.folder = server.data / "logs/victim"
        self.offsets = Counter()
        self.executions = {}  # number: [time, ...]

    def read(self):
        for path in sorted(self.folder.glob("*.jsonl"), key=lambda path: int(path.stem)):
            with open(path, "rb") as file:
                file.seek(self.offsets[path])
                data = file.read()
            whole = data.rfind(b"\n") + 1
            self.offsets[path] += whole
            for line in data[:whole].splitlines():
                if b'"RAN ' in line:
                    entry = json.loads(line)
                    self.executions.setdefault(int(entry["text"].removeprefix("RAN ")), []).append(entry["time"] / 1000)


if __name__ == "__main__":
    unittest.main()
