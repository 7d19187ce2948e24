"""Seeing and steering the queue: through the command line, and through /_lambda/."""

import json
import re
import time
import unittest

from event_server import EventTest

FAILS = "def handler(e, c):\n    if e.get('good'): return e\n    raise ValueError('no ' + str(e.get('number')))\n"
UUID = r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"


class QueueTest(EventTest):
    def failing(self, name):
        """A function whose events are dead after one attempt."""
        self.server.deploy({"app.py": FAILS}, name, "--handler", "app.handler")
        reply = self.server.api("PUT", f"/2019-09-25/functions/{name}/event-invoke-config?Qualifier=live", {"MaximumRetryAttempts": 0})
        self.assertEqual(reply.status, 200, reply)

    def held(self, name):
        """A function whose events wait."""
        self.server.deploy({"app.py": "def handler(e, c): return e"}, name, "--handler", "app.handler")
        self.reserve(name, 0)

    def dead(self, name, count=1):
        identities = [self.submit(name, {"number": number}) for number in range(count)]
        for identity in identities:
            self.assertEqual(self.ended(identity)["state"], "dead")
        return identities


class CommandLine(QueueTest):
    def test_async_prints_the_id_and_result_fetches(self):
        done = self.server.cli("invoke", "counter", "--async", "--data", '{"key": "cli"}')
        self.assertRegex(done.stdout, rf"^{UUID}\n$")
        said = json.loads(self.server.cli("result", done.stdout.strip(), "--wait").stdout)
        self.assertEqual(said["ids"], [done.stdout.strip()])
        self.assertEqual(json.loads(self.server.cli("result", done.stdout.strip()).stdout), said)

    def test_async_and_wait(self):
        began = time.monotonic()
        done = self.server.cli("invoke", "counter", "--async", "--wait", "--data", '{"key": "wait", "failures": 1}')
        said = json.loads(done.stdout)
        self.assertEqual(len(said["ids"]), 2)
        identity = said["ids"][0]
        accepted, failed = done.stderr.splitlines()
        self.assertEqual(accepted, f"Accepted as {identity}; lambda result {identity} --wait goes on")
        self.assertRegex(failed, rf"^lambda: event {identity}: attempt 1 failed \(.*\); the next is due at 20")
        self.assertGreater(time.monotonic() - began, 1)

    def test_the_result_of_a_dead_one(self):
        self.failing("ends")
        done = self.server.cli("invoke", "ends", "--async", "--wait", "--data", '{"number": 5}', check=False)
        self.assert_fails(done, 3, "ValueError: no 5", "lambda queue redrive ")
        self.assertEqual(json.loads(done.stdout)["errorMessage"], "no 5")

    def test_errors_of_many_bytes_are_cut_between_characters(self):
        self.server.deploy({"app.py": "def handler(e, c):\n    raise type('\\u00dc' * 300, (Exception,), {})('x' + '\\u00fc' * 2000)"}, "umlauts",
                           "--handler", "app.handler")
        self.server.cli("queue", "config", "umlauts", "--retries", "0")
        identity, = self.dead("umlauts")
        self.assertIn("\u00fc\u00fc", self.server.cli("queue", "list", "umlauts").stdout)
        shown = json.loads(self.server.cli("queue", "show", identity, "-o", "json").stdout)
        self.assertIn("\u00fc" * 511, json.dumps(shown, ensure_ascii=False))
        self.assertNotIn("\ufffd", json.dumps(shown, ensure_ascii=False))
        self.assertEqual(self.server.cli("result", identity, check=False).returncode, 3)

    def test_a_result_that_is_not_there(self):
        self.held("unready")
        identity = self.submit("unready")
        self.assert_fails(self.server.cli("result", identity, check=False), 1, "is waiting", "--wait")
        self.reserve("unready", None)
        self.assertEqual(self.server.cli("result", identity, "--wait").stdout.strip(), "{}")
        nobody = "00000000-0000-4000-8000-000000000000"
        for command in (["result", nobody], ["result", nobody, "--wait"], ["queue", "show", nobody], ["queue", "cancel", nobody],
                        ["queue", "redrive", nobody]):
            self.assert_fails(self.server.cli(*command, check=False), 5, nobody)
        self.assert_fails(self.server.cli("result", "../functions", check=False), 5, "no event")

    def test_the_queue_of_one_and_of_all(self):
        self.held("waits")
        self.failing("dies")
        for _ in range(3):
            self.submit("waits")
        self.dead("dies", 2)
        shown = self.server.cli("queue").stdout
        self.assertRegex(shown, r"FUNCTION +WAITING +RUNNING +RETRYING +DEAD +OLDEST")
        self.assertRegex(shown, r"(?m)^dies +0 +0 +0 +2 *$")
        self.assertRegex(shown, r"(?m)^waits +[23] +[01] +\d +0 +\d+ seconds? ago$")
        self.assertNotIn("waits", self.server.cli("queue", "dies").stdout)
        self.assertEqual(json.loads(self.server.cli("queue", "dies", "-o", "json").stdout)["functions"][0]["dead"], 2)
        self.assertIn("Nothing waits", self.server.cli("queue", "counter").stderr)
        self.assert_fails(self.server.cli("queue", "nobody", check=False), 5, "nobody")

    def test_list_and_show(self):
        self.failing("listed")
        first, second = self.dead("listed", 2)
        shown = self.server.cli("queue", "list", "listed").stdout
        self.assertEqual(re.findall(UUID, shown), [second, first], "the newest first")
        self.assertIn("ValueError: no 1", shown)
        page = self.server.cli("queue", "list", "listed", "-n", "1")
        self.assertEqual(re.findall(UUID, page.stdout), [second])
        self.assertIn(f"Older ones: lambda queue list listed -n 1 --before {second}", page.stderr)
        last = self.server.cli("queue", "list", "listed", "-n", "1", "--before", second)
        self.assertEqual(re.findall(UUID, last.stdout), [first])
        self.assertNotIn("Older ones", last.stderr)
        self.assertIn("No event", self.server.cli("queue", "list", "listed", "--before", first).stderr)
        self.assert_fails(self.server.cli("queue", "list", "listed", "--before", second[:-1] + "~", check=False), 5, f"there is no event {second[:-1]}~")
        good = self.submit("listed", {"good": 1})
        self.succeeded(good)
        self.assertEqual(re.findall(UUID, self.server.cli("queue", "list", "listed", "--state", "succeeded").stdout), [good])
        self.assertIn("No event", self.server.cli("queue", "list", "listed", "--state", "waiting").stderr)
        text = self.server.cli("queue", "show", first).stdout
        for line in (rf"Event +{first}", "Function +listed", "State +dead", "Source +invoke", "Failed +1 time", r"Last error +ValueError: no 0",
                     r'Payload +\{"number": 0\}'):
            self.assertRegex(text, rf"(?m)^{line}$")
        event = json.loads(self.server.cli("queue", "show", first, "-o", "json").stdout)
        self.assertEqual((event["id"], event["state"], json.loads(event["payload"])), (first, "dead", {"number": 0}))
        self.assert_fails(self.server.cli("queue", "list", "nobody", check=False), 5, "nobody")
        self.assertEqual(self.server.cli("queue", "list", "listed", "--state", "gone", check=False).returncode, 2)

    def test_cancel(self):
        self.held("cancelled")
        identity, other = self.submit("cancelled"), self.submit("cancelled")
        self.until(identity, lambda event: event["state"] == "waiting")
        self.assertIn(identity, self.server.cli("queue", "cancel", identity).stdout)
        self.assertEqual(self.server.api("GET", f"/_lambda/events/{identity}").status, 404)
        self.reserve("cancelled", None)
        self.succeeded(other)
        self.assert_fails(self.server.cli("queue", "cancel", other, check=False), 1, "cannot be cancelled")
        running = self.submit("counter", {"key": "running", "sleep": 1})
        self.until(running, lambda event: event["state"] == "running")
        self.assert_fails(self.server.cli("queue", "cancel", running, check=False), 1, "it is running")
        self.succeeded(running)

    def test_redrive_of_one(self):
        self.failing("again")
        first, second = self.dead("again", 2)
        self.assertIn("waits again", self.server.cli("queue", "redrive", first).stdout)
        self.until(first, lambda event: event["state"] == "dead")
        self.server.cli("queue", "redrive", second, "--data", '{"good": "now"}')
        self.assertEqual(self.succeeded(second), {"good": "now"}, "by the same id, with another payload")
        self.assert_fails(self.server.cli("queue", "redrive", second, check=False), 1, "is not dead")
        self.assertEqual(self.server.cli("queue", "redrive", first, "--data", "{", check=False).returncode, 2)
        self.assert_fails(self.server.cli("queue", "redrive", first, "extra", check=False), 2, "extra")

    def test_a_misspelt_parameter_purges_nothing(self):
        self.failing("spared")
        self.dead("spared")
        reply = self.server.api("DELETE", "/_lambda/functions/spared/events?sate=waiting")
        self.assertEqual((reply.status, reply.json()["message"]),
                         (400, 'DELETE /_lambda/functions/spared/events has no parameter "sate"; it takes state'))
        self.assertEqual(len(self.dead("spared")), 1)

    def test_redrive_of_all_takes_no_payload(self):
        self.failing("stubborn")
        self.dead("stubborn")
        path = "/_lambda/functions/stubborn/events/redrive"
        for body in ({"payload": {}}, b"[1]", b"x"):
            reply = self.server.api("POST", path, body)
            self.assertEqual(reply.status, 400, reply)
        self.assertIn("POST /_lambda/events/ID/redrive", self.server.api("POST", path, {"good": "now"}).json()["message"])
        self.assertEqual(self.server.api("POST", path, {}).json(), {"redriven": 1})

    def test_redrive_of_all(self):
        self.failing("everything")
        identities = self.dead("everything", 5)
        self.server.deploy({"app.py": "def handler(e, c): return 'repaired'"}, "everything", "--handler", "app.handler")
        self.assertIn("5 events", self.server.cli("queue", "redrive", "everything").stdout)
        for identity in identities:
            self.assertEqual(self.succeeded(identity), "repaired")
        self.assertIn("0 events", self.server.cli("queue", "redrive", "everything").stdout)
        self.assert_fails(self.server.cli("queue", "redrive", "everything", "--data", "{}", check=False), 2, "by its id")
        self.assert_fails(self.server.cli("queue", "redrive", "nobody", check=False), 5, "nobody")

    def test_purge(self):
        self.failing("purged")
        identities = self.dead("purged", 3)
        self.assert_fails(self.server.cli("queue", "purge", "purged", check=False, stdin=""), 2, "-y")
        self.assertIn("3 events", self.server.cli("queue", "purge", "purged", "-y").stdout)
        self.assertEqual(self.server.api("GET", f"/_lambda/events/{identities[0]}").status, 404)
        self.reserve("purged", 0)
        for _ in range(4):
            self.submit("purged", {"good": 1})
        removed = self.server.cli("queue", "purge", "purged", "--state", "waiting", "-y").stdout
        self.assertRegex(removed, r"[34] events")  # one may be at its attempt just then
        self.assertEqual(self.server.cli("queue", "purge", "purged", "--state", "running", "-y", check=False).returncode, 2)


class Api(QueueTest):
    """What the command line does not show."""

    def test_the_members_of_an_event(self):
        identity = self.submit("counter", {"key": "members"}, qualifier="1")
        self.succeeded(identity)
        event = self.event(identity)
        self.assertEqual({name: event[name] for name in ("id", "function", "qualifier", "state", "source", "failedAttempts", "throttles",
                                                         "errorType", "errorMessage", "executedVersion", "payloadSize", "due")},
                         {"id": identity, "function": "counter", "qualifier": "1", "state": "succeeded", "source": "invoke", "failedAttempts": 0,
                          "throttles": 0, "errorType": "", "errorMessage": "", "executedVersion": "1", "payloadSize": 18, "due": None})
        for name in ("accepted", "finished"):
            self.assertRegex(event[name], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertEqual(self.server.api("GET", f"/_lambda/events/{identity}/payload").json(), {"key": "members"})

    def test_a_result_before_the_end(self):
        self.held("early")
        reply = self.server.api("GET", f"/_lambda/events/{self.submit('early')}/result")
        self.assertEqual(reply.status, 409, reply)

    def test_what_is_refused(self):
        nobody = "/_lambda/events/00000000-0000-4000-8000-000000000000"
        for method, path, status in (("GET", nobody, 404), ("DELETE", nobody, 404), ("GET", nobody + "/payload", 404), ("GET", nobody + "/result", 404),
                                     ("POST", nobody + "/redrive", 404), ("PUT", nobody, 405), ("GET", "/_lambda/functions/nobody/events", 404),
                                     ("POST", "/_lambda/functions/nobody/events/redrive", 404), ("DELETE", "/_lambda/functions/nobody/events", 404),
                                     ("GET", "/_lambda/functions/counter/events?state=late", 400), ("GET", "/_lambda/functions/counter/events?limit=0", 400),
                                     ("GET", "/_lambda/functions/counter/events?limit=1001", 400), ("GET", "/_lambda/functions/counter/events?limit=x", 400),
                                     ("DELETE", "/_lambda/functions/counter/events?state=running", 400), ("GET", "/_lambda/queue?function=nobody", 404),
                                     ("DELETE", "/_lambda/functions/counter/events?state=succeeded", 400),
                                     ("GET", "/_lambda/queue?name=counter", 400), ("DELETE", "/_lambda/functions/counter?version=1", 400),
                                     ("GET", "/_lambda/functions/counter/logs?lines=5", 400),
                                     ("POST", "/_lambda/functions/counter/invocations?Qualifier=1", 400)):
            with self.subTest(method=method, path=path):
                reply = self.server.api(method, path)
                self.assertEqual(reply.status, status, reply)
                self.assertTrue(reply.json()["message"])
        self.failing("large")
        identity, = self.dead("large")
        reply = self.server.api("POST", f"/_lambda/events/{identity}/redrive", b'"' + b"x" * 1_048_576 + b'"')
        self.assertEqual(reply.status, 413, reply)
        reply = self.server.api("POST", f"/_lambda/events/{identity}/redrive", b"{'a'}")
        self.assertEqual(reply.status, 400, reply)
        self.assertEqual(self.event(identity)["state"], "dead")

    def test_without_a_key(self):
        for method, path in (("GET", "/_lambda/queue"), ("GET", "/_lambda/functions/counter/events"), ("DELETE", "/_lambda/functions/counter/events"),
                             ("POST", "/_lambda/functions/counter/events/redrive"), ("GET", "/_lambda/events/x/result")):
            self.assertEqual(self.server.request(method, path).status, 403, path)

    def test_a_redriven_event_starts_anew(self):
        self.failing("anew")
        identity, = self.dead("anew")
        accepted = self.event(identity)["accepted"]
        self.server.deploy({"app.py": "def handler(e, c): return 1"}, "anew", "--handler", "app.handler")
        self.assertEqual(self.server.api("POST", f"/_lambda/events/{identity}/redrive").status, 204)
        self.succeeded(identity)
        event = self.event(identity)
        self.assertEqual((event["failedAttempts"], event["errorType"]), (0, ""))
        self.assertGreater(event["accepted"], accepted)

    def test_many_are_purged_and_redriven(self):
        """More than one transaction takes."""
        import sqlite3
        self.held("crowd")
        self.submit("crowd")
        self.server.stop()
        with sqlite3.connect(self.server.data / "lambda.db") as database:
            columns = ", ".join(row[1] for row in database.execute("PRAGMA table_info(events)") if row[1] not in ("seq", "id", "state", "error_type"))
            database.execute(f"INSERT INTO events (id, state, error_type, {columns}) SELECT 'made-' || n, 3, 'Made', {columns} FROM events, "
                             "(WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 9000) SELECT n FROM numbers) "
                             "WHERE function = 'crowd'")
            database.execute("UPDATE events SET finished = accepted WHERE error_type = 'Made'")
            database.execute("INSERT INTO event_payloads (seq, account, region, payload) SELECT seq, account, region, '{}' FROM events WHERE error_type = 'Made'")
        database.close()
        self.server.start()
        self.assertEqual(self.depth("crowd")["dead"], 9000)
        self.assertEqual(self.server.api("POST", "/_lambda/functions/crowd/events/redrive").json(), {"redriven": 9000})
        depth = self.depth("crowd")
        self.assertEqual((depth["waiting"] + depth["running"], depth["dead"]), (9001, 0))
        removed = self.server.api("DELETE", "/_lambda/functions/crowd/events?state=waiting").json()["removed"]
        self.assertGreaterEqual(removed, 9000)


class Deleted(QueueTest):
    def test_a_function_takes_its_events_with_it(self):
        self.held("doomed")
        waiting = self.submit("doomed")
        self.failing("doomed-too")
        dead, = self.dead("doomed-too")
        good = self.submit("doomed-too", {"good": 1}, token="kept")
        self.succeeded(good)
        self.assertIn("doomed", self.server.cli("queue").stdout)
        for name in ("doomed", "doomed-too"):
            self.server.cli("delete", name, "-y")
        for identity in (waiting, dead, good):
            self.assertEqual(self.server.api("GET", f"/_lambda/events/{identity}").status, 404)
        self.assertNotIn("doomed", self.server.cli("queue").stdout)
        # One that comes by the same name has nothing of it: no events, no tokens, no configuration.
        self.failing("doomed-too")
        self.assertNotEqual(self.submit("doomed-too", {"good": 1}, token="kept"), good)
        self.server.cli("delete", "doomed-too", "-y")
        self.server.deploy({"app.py": FAILS}, "doomed-too", "--handler", "app.handler")
        self.assertEqual(self.server.api("GET", "/2019-09-25/functions/doomed-too/event-invoke-config?Qualifier=live").status, 404)

    def test_while_one_of_its_events_runs(self):
        self.server.deploy({"app.py": "import time\ndef handler(e, c): time.sleep(1)"}, "busy", "--handler", "app.handler")
        identity = self.submit("busy")
        self.until(identity, lambda event: event["state"] == "running")
        self.server.cli("delete", "busy", "-y")
        self.assertEqual(self.server.api("GET", f"/_lambda/events/{identity}").status, 404)
        self.server.deploy({"app.py": "def handler(e, c): return 1"}, "busy", "--handler", "app.handler")
        self.assertEqual(self.succeeded(self.submit("busy")), 1)
        time.sleep(1)
        self.assertNotIn("cannot be written", self.server.log_text(200))
        self.assertEqual(self.depth("busy")["running"], 0)


class Room(QueueTest):
    """Slow events leave room for calls that are waited for, and for other functions' events."""

    flags = ("--retry-delay", "1", "--async-concurrency", "4")

    def test_room_is_left(self):
        self.server.deploy({"app.py": "import time\ndef handler(e, c): time.sleep(e.get('sleep', 0))"}, "slow", "--handler", "app.handler")
        slow = [self.submit("slow", {"sleep": 1}) for _ in range(12)]
        self.until(slow[0], lambda event: event["state"] != "waiting")
        time.sleep(0.2)
        depth = self.depth("slow")
        self.assertEqual((depth["running"], depth["waiting"]), (2, 10), "one function takes at most half")
        began = time.monotonic()
        for _ in range(5):
            self.assertEqual(self.server.invoke("counter", {"key": "sync"}).status, 200)
            self.assertEqual(self.server.invoke("slow", {}).status, 200)
        other = self.submit("counter", {"key": "other"})
        self.succeeded(other)
        self.assertLess(time.monotonic() - began, 3, "the queue would take six seconds")
        self.assertGreater(self.depth("slow")["waiting"], 0)
        for identity in slow:
            self.assertIsNone(self.succeeded(identity))

    def test_functions_take_turns(self):
        for name in ("a", "b", "c"):
            self.server.deploy({"app.py": "import time\ndef handler(e, c): time.sleep(0.1); return time.time()"}, f"turn-{name}", "--handler", "app.handler")
            self.reserve(f"turn-{name}", 0)
        first = [self.submit("turn-a") for _ in range(30)]
        others = [self.submit(f"turn-{name}") for name in ("b", "c") for _ in range(3)]
        for name in ("a", "b", "c"):
            self.reserve(f"turn-{name}", None)
        ends = sorted(self.succeeded(identity) for identity in first)
        for identity in others:
            self.assertLess(self.succeeded(identity), ends[-5])


class SmallServer(QueueTest):
    """Where few instances are possible, events take half of them."""

    flags = ("--max-instances", "6", "--longest-wait", "5")

    def test_calls_find_room_beside_a_backlog(self):
        for number in range(3):
            self.server.deploy({"app.py": "import time\ndef handler(e, c): time.sleep(e.get('sleep', 0))"}, f"slow-{number}", "--handler", "app.handler")
        for number in range(3):
            for _ in range(20):
                self.submit(f"slow-{number}", {"sleep": 3})
        time.sleep(1)
        self.server.deploy({"app.py": "def handler(e, c): return 'here'"}, "quick", "--handler", "app.handler")
        for _ in range(3):
            reply = self.server.invoke("quick", {})
            self.assertEqual((reply.status, reply.json()), (200, "here"), reply)
        self.assertLessEqual(sum(self.depth(f"slow-{number}")["running"] for number in range(3)), 3)


class Reserved(QueueTest):
    def test_half_of_what_is_reserved_stays_for_calls(self):
        self.server.deploy({"app.py": "import time\ndef handler(e, c): time.sleep(e.get('sleep', 0))"}, "few", "--handler", "app.handler")
        self.reserve("few", 2)
        events = [self.submit("few", {"sleep": 1}) for _ in range(4)]
        self.until(events[0], lambda event: event["state"] == "running")
        for _ in range(3):
            self.assertEqual(self.server.invoke("few", {}).status, 200)
        for identity in events:
            self.assertEqual(self.ended(identity)["throttles"], 0)


class Stopped(QueueTest):
    """A server that is told to stop fails no event."""

    flags = ("--drain-time", "2")

    def tearDown(self):
        if self.server.process.poll() is not None:
            self.server.start()

    def restart(self):
        self.server.stop()
        self.server.start()

    def slow(self, name):
        self.server.deploy({"app.py": "import time\ndef handler(e, c): time.sleep(e.get('sleep', 0)); return 'done'"}, name, "--handler", "app.handler",
                           "--timeout", "60")
        self.server.cli("queue", "config", name, "--retries", "0")

    def test_one_that_is_cut_off_is_carried_out_again(self):
        self.slow("cut")
        identity = self.submit("cut", {"sleep": 8})
        self.until(identity, lambda event: event["state"] == "running")
        began = time.monotonic()
        self.restart()
        self.assertLess(time.monotonic() - began, 15)
        event = self.event(identity)
        self.assertIn(event["state"], ("waiting", "running"), event)
        self.assertEqual(event["failedAttempts"], 0, event)
        self.assertEqual(self.succeeded(identity), "done")

    def test_one_that_ends_in_time_has_ended(self):
        self.slow("short")
        identity = self.submit("short", {"sleep": 1})
        self.until(identity, lambda event: event["state"] == "running")
        self.restart()
        self.assertEqual(self.event(identity)["state"], "succeeded")

    def test_no_more_begin_once_it_is_told(self):
        self.slow("line")
        self.reserve("line", 2)  # one at a time
        events = [self.submit("line", {"sleep": 0.4}) for _ in range(12)]
        self.until(events[0], lambda event: event["state"] != "waiting")
        began = time.monotonic()
        self.server.stop()
        self.assertLess(time.monotonic() - began, 1.9, "what had begun ends, and the rest is left")
        self.server.start()
        for identity in events:
            self.assertEqual(self.succeeded(identity), "done")


if __name__ == "__main__":
    unittest.main()
