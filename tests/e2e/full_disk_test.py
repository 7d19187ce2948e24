"""A data directory on a file system that runs full while events are submitted: 503, nothing is acknowledged that is not kept, and all
goes on when there is room again."""

import concurrent.futures
import threading
import time
import unittest
from datetime import datetime

from event_server import EventTest
from lambda_server import LambdaServer
from machine import SmallDisk
from webhook_receiver import Receiver


class FullDisk(EventTest):
    @classmethod
    def setUpClass(cls):
        cls.disk = SmallDisk(40)
        cls.addClassCleanup(cls.disk.close)
        flags = (*cls.flags, "--webhook-retry-delay", "1", "--webhook-networks", "127.0.0.0/8")
        cls.server = LambdaServer("native", flags, data=cls.disk.path / "data").start()
        cls.addClassCleanup(cls.server.close)
        cls.server.deploy({"app.py": "def handler(e, c): return [c.aws_request_id, len(e['pad'])]"}, "padded", "--handler", "app.handler")

    def submit_many(self, size, count):
        """Replies to as many events, from several clients at once."""
        event = b'{"pad": "' + b"x" * size + b'"}'
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            return list(pool.map(lambda _: self.send("padded", event), range(count)))

    def test_refused_then_taken_again(self):
        first_line = len(self.server.log_lines)
        before = [reply.headers["x-amzn-requestid"] for reply in self.submit_many(100, 20)]
        for identity in before:
            self.succeeded(identity)
        filler = self.disk.fill()
        replies = self.submit_many(200_000, 60)
        taken = [reply.headers["x-amzn-requestid"] for reply in replies if reply.status == 202]
        refused = [reply for reply in replies if reply.status != 202]
        self.assertGreater(len(refused), 10, "the disk was not full")
        for reply in refused:
            self.assertEqual(reply.status, 503, reply)
            self.assertIn("is full", reply.json()["message"])
        told = [line for line in self.server.log_lines[first_line:] if "events are not accepted" in line]
        self.assertLessEqual(len(told), 1, "not by every one that is refused")
        self.assertEqual(self.server.api("GET", "/_lambda/health").status, 200)
        self.assertEqual(self.server.invoke("padded", {"pad": ""}).json()[1], 0, "calls that are waited for need no disk")
        done = self.server.cli("invoke", "padded", "--async", "--data", '{"pad": "' + "y" * 100_000 + '"}', check=False)
        if done.returncode == 0:  # there was still room for a small one
            taken.append(done.stdout.strip())
        else:
            self.assert_fails(done, 1, "is full")
        filler.unlink()
        for identity in taken:
            self.assertEqual(self.succeeded(identity)[0], identity)
        again = self.submit("padded", {"pad": "z" * 200_000})
        self.assertEqual(self.succeeded(again), [again, 200_000])
        kept = self.server.api("GET", "/_lambda/functions/padded/events?state=succeeded&limit=1000").json()["events"]
        self.assertEqual(sorted(each["id"] for each in kept), sorted([*before, *taken, again]), "what was refused is not there, what was taken is")
        for reply in refused:
            self.assertEqual(self.server.api("GET", f"/_lambda/events/{reply.headers['x-amzn-requestid']}").status, 404)

    def test_full_while_events_run(self):
        """Their ends are written when there is room again; nothing is carried out again for it, and a restart finds all of it."""
        self.server.deploy({"app.py": "import time\ndef handler(e, c):\n    time.sleep(1)\n    return 'ran'"}, "runs", "--handler", "app.handler")
        identities = [self.submit("runs") for _ in range(6)]
        self.until(identities[0], lambda event: event["state"] == "running")
        filler = self.disk.fill()
        try:
            replies = self.submit_many(200_000, 30)
            self.assertIn(503, [reply.status for reply in replies])
            time.sleep(1.5)
        finally:
            filler.unlink()
        self.server.kill()
        self.server.start()
        for identity in identities:
            self.assertEqual(self.succeeded(identity), "ran")
        for reply in replies:
            if reply.status == 202:
                self.succeeded(reply.headers["x-amzn-requestid"])

    def test_an_address_rests_for_no_longer_than_its_answer_took(self):
        """A webhook that fails is not sent again for as long as it took: the time for which that could not be written is none of it."""
        full = threading.Event()
        statuses = [503, 204]
        with Receiver(lambda received: (full.wait(20), statuses.pop(0))[1]) as receiver:
            self.server.deploy({"app.py": "def handler(e, c): return 'ran'"}, "tells", "--handler", "app.handler")
            self.server.cli("queue", "config", "tells", "--on-success", receiver.url())
            self.submit("tells")
            receiver.wait_for(1)
            filler = self.disk.fill()
            try:
                self.assertIn(503, [reply.status for reply in self.submit_many(200_000, 30)])
                full.set()
                time.sleep(12)
                running = self.server.api("GET", "/_lambda/functions/tells/events?state=running").json()["events"]
                self.assertEqual([each["source"] for each in running], ["destination"], "its end cannot be written")
            finally:
                filler.unlink()
            freed = time.monotonic()
            self.assertLess(receiver.wait_for(2)[1].at - freed, 6)

    def test_schedules_wait_for_room_and_lose_nothing(self):
        path = "/_lambda/functions/padded/schedules/default"
        self.assertEqual(self.server.api("PUT", path, {"cron": "* * * * * *", "overlap": "allow", "data": '{"pad": ""}'}).status, 200)
        deadline = time.monotonic() + 10
        while not self.server.api("GET", path).json()["firings"]:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.1)
        filler = self.disk.fill()
        try:
            self.submit_many(200_000, 30)
            time.sleep(3)
            large = '{"pad": "' + "x" * 900_000 + '"}'
            reply = self.server.api("PUT", "/_lambda/functions/padded/schedules/large", {"cron": "@yearly", "data": large})
            self.assertEqual(reply.status, 503, reply)
            self.assertIn("is full", reply.json()["message"])
        finally:
            filler.unlink()
        self.assertEqual(len(self.server.api("GET", "/_lambda/functions/padded/schedules").json()["schedules"]), 1, "what was refused is not there")
        time.sleep(3)
        self.assertEqual(self.server.api("POST", path + "/pause").status, 200)
        firings = self.server.api("GET", path).json()["firings"]
        times = [datetime.fromisoformat(each["time"]) for each in firings]
        self.assertEqual({(after - before).total_seconds() for after, before in zip(times, times[1:])}, {1}, firings)
        self.assertEqual({each["outcome"] for each in firings}, {"fired"})
        for each in firings:
            self.succeeded(each["event"])


if __name__ == "__main__":
    unittest.main()
