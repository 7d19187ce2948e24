"""`lambda logs -f` and the server-sent events behind it: every line once and soon, over new instances, restarts and crashes of the server."""

import collections
import http.client
import json
import os
import statistics
import threading
import time
import unittest

from lambda_server import LambdaServer, ServerTest, on_both_drivers
from log_follower import LogFollower

CODE = '''
import json, logging, sys, time
def handler(event, context):
    if "say" in event:
        print(event["say"], flush=True)
    for _ in range(event.get("clock", 0)):
        print("clock", repr(time.time()), flush=True)
        time.sleep(0.05)
    if event.get("levels"):
        print(json.dumps({"level": "error", "message": "no luck", "user": {"id": 7}}))
        print('{"level": "debug", "n": 1.10}')
        logging.getLogger().error("through logging")
        print("plain")
        print("on stderr", file=sys.stderr)
    return "done"
'''


def repeated(texts):
    return [text for text, count in collections.Counter(texts).items() if count > 1]


class Stream:
    """A client of the server-sent events that is no `lambda`."""

    def __init__(self, server, name, query="", **headers):
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        self.connection.request("GET", f"/_lambda/functions/{name}/logs?follow=true{query}",
                                headers={"Authorization": f"Bearer {server.key}", **headers})
        self.reply = self.connection.getresponse()

    def event(self):
        """The next: a dictionary of its fields."""
        fields = {}
        while line := self.reply.readline().decode().rstrip("\n"):
            name, _, value = line.partition(":")
            if name:
                fields[name] = value.strip()
        return fields

    def text(self):
        while True:
            fields = self.event()
            if not fields:
                return None
            if "data" in fields and "event" not in fields:
                return json.loads(fields["data"])["text"]

    def close(self):
        self.connection.close()


@on_both_drivers
class Following(ServerTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.deploy({"app.py": CODE}, "talks", "--handler", "app.handler")

    def test_history_first_then_what_comes_within_100_milliseconds(self):
        self.server.invoke("talks", {"say": "before"})
        with LogFollower(self.server, "talks") as follower:
            follower.wait_for_text("before")
            self.server.invoke("talks", {"clock": 20})
            follower.wait_for(lambda seen: len(seen.texts("clock")) == 20)
            late = [line["came"] - float(line["text"].split()[1]) for line in follower.lines if line["text"].startswith("clock")]
        print(f"a line came {statistics.median(late) * 1000:.1f} ms after it was written (median of {len(late)}; the slowest {max(late) * 1000:.1f})")
        self.assertLess(statistics.median(late), 0.1)

    def test_every_line_once_over_new_instances(self):
        self.server.invoke("talks", {"say": "before the churn"})
        with LogFollower(self.server, "talks") as follower:
            follower.wait_for_text("before the churn")
            said = []
            for version in range(3):
                self.server.deploy({"app.py": CODE + f"# {version}\n"}, "talks", "--handler", "app.handler")
                threads = [threading.Thread(target=self.server.invoke, args=("talks", {"say": f"churn {version} {number}"})) for number in range(8)]
                said += [f"churn {version} {number}" for number in range(8)]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
            follower.wait_for(lambda seen: len(seen.texts("churn")) >= len(said))
            self.assertEqual(sorted(follower.texts("churn")), sorted(said))
            self.assertGreaterEqual(len({line["instance"] for line in follower.lines if line["text"].startswith("churn")}), 3)
            ids = [line["id"] for line in follower.lines]
            self.assertEqual(ids, sorted(set(ids)))

    def test_a_structured_line_keeps_its_fields_and_levels_are_known(self):
        self.server.invoke("talks", {"levels": True})
        done = self.server.cli("logs", "talks", "--level", "error", "-o", "json", "-n", "2")
        structured, logged = json.loads(done.stdout)["lines"]
        self.assertEqual(structured["fields"], {"level": "error", "message": "no luck", "user": {"id": 7}})
        self.assertEqual((structured["level"], logged["level"]), ("error", "error"))
        self.assertIn("through logging", logged["text"])
        self.assertNotIn("fields", logged)
        every = self.server.cli("logs", "talks", "--level", "info", "-n", "20").stdout
        self.assertIn("plain", every)
        self.assertNotIn('"debug"', every)
        self.assertIn('{"level": "debug", "n": 1.10}', self.server.cli("logs", "talks", "-n", "20").stdout)

    def test_times_and_searches(self):
        self.server.invoke("talks", {"say": "a needle in it"})
        self.assertEqual(self.server.cli("logs", "talks", "--search", "n[e]{2}dle", "--since", "10m").stdout.count("needle"), 1)
        self.assertIn("nothing of that kind", self.server.cli("logs", "talks", "--since", "2020-01-01", "--until", "2020-01-02").stderr)
        self.assertIn("nothing of that kind", self.server.cli("logs", "talks", "--search", "^(a+)+$").stderr)
        for arguments, words in ((["--search", "a(b"], "missing )"), (["--since", "yesterday"], "is no time"), (["--since", "1h", "--until", "2h"], "before")):
            self.assert_fails(self.server.cli("logs", "talks", *arguments, check=False), 2, words)

    def test_server_sent_events_go_on_behind_the_last_one(self):
        self.server.invoke("talks", {"say": "sse 0"})
        stream = Stream(self.server, "talks", "&search=sse")
        self.assertEqual(stream.reply.status, 200)
        self.assertEqual(stream.reply.headers["Content-Type"], "text/event-stream")
        event = stream.event()
        self.assertEqual(json.loads(event["data"])["text"], "sse 0")
        self.assertEqual(json.loads(event["data"])["id"], int(event["id"]))
        self.server.invoke("talks", {"say": "sse 1"})
        self.assertEqual(stream.text(), "sse 1")
        stream.close()
        for number in (2, 3):
            self.server.invoke("talks", {"say": f"sse {number}"})
        stream = Stream(self.server, "talks", "&search=sse", **{"Last-Event-ID": event["id"]})
        self.assertEqual([stream.text() for _ in range(3)], ["sse 1", "sse 2", "sse 3"])
        stream.close()
        lines = self.server.api("GET", f"/_lambda/functions/talks/logs?search=sse&after={event['id']}&limit=2").json()["lines"]
        self.assertEqual([line["text"] for line in lines], ["sse 1", "sse 2"])

    def make_key(self, name, **more):
        reply = self.server.api("POST", "/_lambda/keys", {"name": name, "scopes": ["read"], **more})
        self.assertEqual(reply.status, 201, reply)
        return reply.json()["token"]

    def test_a_revoked_key_ends_it_within_a_second_and_it_does_not_come_again(self):
        stays = self.make_key("stays")
        with LogFollower(self.server, "talks", key=self.make_key("watcher")) as follower, LogFollower(self.server, "talks", key=stays) as other:
            self.server.invoke("talks", {"say": "before the revocation"})
            for each in (follower, other):
                each.wait_for_text("before the revocation")
            begin = time.monotonic()
            self.server.cli("keys", "revoke", "watcher")
            self.assertEqual(follower.process.wait(timeout=10), 4)
            self.assertLess(time.monotonic() - begin, 1.5)  # with the time that the command takes
            follower.end()
            self.assertRegex("".join(follower.said), r'\Alambda: [^\n]*The key "watcher" was revoked at \S+Z\.\n\Z')
            self.server.invoke("talks", {"say": "after the revocation"})
            other.wait_for_text("after the revocation")
            self.assertNotIn("after the revocation", follower.texts())

    def test_a_key_that_ends_ends_it(self):
        begin = time.monotonic()
        with LogFollower(self.server, "talks", "-n", "0", key=self.make_key("short", expires="3s")) as follower:
            self.assertEqual(follower.process.wait(timeout=10), 4)
            self.assertTrue(2.5 < time.monotonic() - begin < 4.5, time.monotonic() - begin)
            follower.end()
            self.assertIn('the key "short" ended at', "".join(follower.said))

    def test_the_stream_says_denied(self):
        token = self.make_key("streamed")
        stream = Stream(self.server, "talks", "&limit=0", Authorization=f"Bearer {token}")
        stream.event()  # where it is
        self.server.cli("keys", "revoke", "streamed")
        event = stream.event()
        self.assertEqual(event["event"], "denied")
        self.assertIn("revoked", json.loads(event["data"])["message"])
        self.assertEqual(stream.reply.read(), b"")
        stream.close()

    def test_a_deletion_ends_it(self):
        self.server.deploy({"app.py": CODE}, "goes", "--handler", "app.handler")
        with LogFollower(self.server, "goes") as follower:
            self.server.invoke("goes", {"say": "hello"})
            follower.wait_for_text("hello")
            self.server.cli("delete", "goes", "-y")
            self.assertEqual(follower.process.wait(timeout=10), 0)
            follower.end()
            self.assertIn('"goes" was deleted', "".join(follower.said))
        self.assert_fails(self.server.cli("logs", "goes", "-f", check=False), 5, 'there is no function "goes"')

    def test_a_client_that_goes_away_leaves_nothing(self):
        descriptors = len(os.listdir(f"/proc/{self.server.process.pid}/fd"))
        for _ in range(20):
            Stream(self.server, "talks").close()
        until = time.monotonic() + 20
        while len(os.listdir(f"/proc/{self.server.process.pid}/fd")) > descriptors + 4:
            self.assertLess(time.monotonic(), until, "the connections stay open")
            time.sleep(0.1)

    def test_an_initialisation_and_a_deploy_that_failed_are_in_the_log(self):
        self.server.deploy({"app.py": CODE}, "breaks", "--handler", "app.handler")
        done = self.server.deploy({"app.py": "print('so far')\nraise ValueError('no such luck')\n"}, "breaks", "--handler", "app.handler", check=False)
        self.assertNotEqual(done.returncode, 0)
        log = self.server.cli("logs", "breaks").stdout
        for words in ("so far", "no such luck", "[lambda] the deploy of version 2 failed"):
            self.assertIn(words, log)

    def test_of_a_first_deploy_that_failed_nothing_is_kept(self):
        done = self.server.deploy({"app.py": "print('so far')\nraise ValueError('x')\n"}, "stillborn", "--handler", "app.handler", check=False)
        self.assertIn("so far", done.stderr)
        self.assert_fails(self.server.cli("logs", "stillborn", check=False), 5)
        until = time.monotonic() + 10
        while (self.server.data / "logs/stillborn").exists():
            self.assertLess(time.monotonic(), until)
            time.sleep(0.05)

    def test_a_build_that_failed_is_in_the_log(self):
        files = {"Dockerfile": 'FROM lambda/python:3.11\nCOPY app.py /var/task/\nCMD ["app.handler"]\n', "app.py": CODE}
        self.server.deploy(files, "built")
        files["Dockerfile"] += "RUN echo this is why; exit 7\n"
        self.assertNotEqual(self.server.deploy(files, "built", check=False).returncode, 0)
        log = self.server.cli("logs", "built").stdout
        self.assertIn("this is why", log)
        self.assertIn("[lambda] the deploy of version 2 failed", log)


@on_both_drivers
class OverRestarts(unittest.TestCase):
    driver = None

    def setUp(self):
        self.server = LambdaServer(self.driver).start()
        self.addCleanup(self.server.close)
        self.server.deploy({"app.py": CODE}, "talks", "--handler", "app.handler")

    def say(self, numbers):
        for number in numbers:
            self.server.invoke("talks", {"say": f"line {number}"})

    def test_every_line_once_over_a_restart_and_a_crash(self):
        with LogFollower(self.server, "talks") as follower:
            self.say(range(10))
            follower.wait_for_text("line 9")
            self.server.stop()
            self.server.start()
            self.say(range(10, 20))
            follower.wait_for_text("line 19")
            self.server.kill()
            self.server.start()
            self.say(range(20, 30))
            follower.wait_for_text("line 29")
            self.assertEqual(follower.texts("line"), [f"line {number}" for number in range(30)])
            self.assertEqual("".join(follower.said).count("connecting again"), 2, follower.said)
            self.assertEqual("".join(follower.said).count("connected again"), 2, follower.said)
            ids = [line["id"] for line in follower.lines]
            self.assertEqual(ids, sorted(set(ids)))

    def test_a_crash_among_lines_repeats_none(self):
        with LogFollower(self.server, "talks") as follower:
            self.say(range(3))
            follower.wait_for_text("line 2")
            spoken = []

            def speak():
                try:
                    for number in range(3, 100_000):
                        self.say([number])
                        spoken.append(number)
                except (OSError, http.client.HTTPException):
                    pass
            speaker = threading.Thread(target=speak)
            speaker.start()
            time.sleep(1)
            self.server.kill()
            speaker.join()
            self.server.start()
            self.say(range(200_000, 200_010))
            follower.wait_for_text("line 200009")
            texts = follower.texts("line")
            self.assertEqual(repeated(texts), [])
            self.assertEqual(texts[-10:], [f"line {number}" for number in range(200_000, 200_010)])
            # What was followed when the server was killed is a beginning of what was said, without a gap.
            before = texts[:-10]
            self.assertEqual(before, [f"line {number}" for number in range(len(before))])
            self.assertGreaterEqual(len(before), len(spoken) - 10)
            # The log says the same, but for what did not come to the disk.
            kept = [line["text"] for line in self.server.api("GET", "/_lambda/functions/talks/logs?limit=10000&search=^line").json()["lines"]]
            self.assertEqual(repeated(kept), [])


if __name__ == "__main__":
    unittest.main()
