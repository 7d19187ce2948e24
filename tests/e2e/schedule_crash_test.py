"""kill -9 of lambdad at random moments while schedules fire every second: whatever the moment, every time at which one was due has one
event, and no time has two, however often the server was away. It never is for a minute: nothing counts as missed."""

import json
import random
import sqlite3
import time
import unittest
from collections import Counter
from datetime import datetime

from lambda_server import LambdaServer

ROUNDS = 300
DATA = '{"at": "<aws.scheduler.scheduled-time>", "schedule": "%s"}'
# name: (expression, overlap, seconds from one to the next); every time of these must have its event.
EVERY = {
    "second": ("* * * * * *", "allow", 1),
    "counted": ("@every 1s", "allow", 1),
    "other": ("*/2 * * * * *", "allow", 2),
    "inline": ("*/2 * * * * *", "queue", 2),
}
SOURCE = "import time\ndef handler(event, context):\n    time.sleep(0.05)\n    return event['at']\n"


class ScheduleCrashes(unittest.TestCase):
    def test_every_time_fires_once(self):
        random.seed()
        server = LambdaServer("native", ["--retry-delay", "1", "--keep-results", "86400"]).start()
        self.addCleanup(server.close)
        server.deploy({"app.py": SOURCE}, "victim", "--handler", "app.handler")
        for name, (cron, overlap, _) in EVERY.items():
            self.put(server, name, cron, overlap)
        self.put(server, "left", "* * * * * *", "skip")
        kills = 0
        began = time.monotonic()
        for _ in range(ROUNDS):
            # At any moment, and often where a second begins.
            pause = random.random() * 0.6
            if random.random() < 0.5:
                pause = 1 - time.time() % 1 + random.random() * 0.02
            time.sleep(pause)
            server.kill()
            kills += 1
            server.start()
        took = time.monotonic() - began
        self.wait_for_queued(server)
        for name in (*EVERY, "left"):
            reply = server.api("POST", f"/_lambda/functions/victim/schedules/{name}/pause")
            self.assertEqual(reply.status, 200, reply)
        self.wait_for_events(server)
        server.stop()
        events = self.events(server)
        counts = Counter((event["schedule"], event["at"]) for event, _, _ in events)
        self.assertEqual([each for each, count in counts.items() if count > 1], [], "fired twice")
        for name, (_, _, apart) in EVERY.items():
            times = sorted(datetime.fromisoformat(at) for schedule, at in counts if schedule == name)
            gaps = [(str(before), str(after)) for before, after in zip(times, times[1:]) if (after - before).total_seconds() != apart]
            self.assertEqual(gaps, [], f"lost, of {name}")
            self.assertGreater(len(times), took / apart - 5)
        self.assertEqual([(event, state) for event, state, _ in events if state != 2], [], "not carried out")
        self.assertEqual([event for event, _, result in events if json.loads(result) != event["at"]], [])
        left = self.rows_of(server, "left")
        self.assertEqual(len(left), len(set(left)))
        print(f"{kills} kills in {took:.0f} s: {len(events)} firings of {len(EVERY) + 1} schedules, none lost, none twice")
        server.start()

    def put(self, server, name, cron, overlap):
        body = {"cron": cron, "overlap": overlap, "data": DATA % name}
        reply = server.api("PUT", f"/_lambda/functions/victim/schedules/{name}", body)
        self.assertEqual(reply.status, 200, reply)

    def wait_for_queued(self, server):
        """Those that wait in line have begun."""
        deadline = time.monotonic() + 120
        while server.api("GET", "/_lambda/functions/victim/schedules/inline").json()["queued"] > 0:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)

    def wait_for_events(self, server):
        deadline = time.monotonic() + 120
        while any(each["waiting"] + each["running"] for each in server.api("GET", "/_lambda/queue?function=victim").json()["functions"]):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.1)

    @staticmethod
    def query(server, text):
        database = sqlite3.connect(server.data / "lambda.db")
        rows = database.execute(text).fetchall()
        database.close()
        return rows

    def events(self, server):
        rows = self.query(server, "SELECT p.payload, e.state, r.payload FROM events e JOIN event_payloads p USING (seq) LEFT JOIN event_results r USING (seq)")
        return [(json.loads(payload), state, result) for payload, state, result in rows]

    def rows_of(self, server, name):
        return [row[0] for row in self.query(server, f"SELECT f.time FROM firings f JOIN schedules s ON s.id = f.schedule WHERE s.name = '{name}'")]


if __name__ == "__main__":
    unittest.main()
