"""Instances between calls: frozen and thawed, kept ready, and given up."""

import threading
import time
import unittest

from lambda_server import ServerTest, on_both_drivers

# Counts on by itself, whether or not anybody calls.
TICKS = """
import os, threading, time
ticks = 0
def count():
    global ticks
    while True:
        time.sleep(0.01)
        ticks += 1
threading.Thread(target=count, daemon=True).start()
def handler(event, context):
    if event.get("exit"):
        os._exit(3)
    return {"ticks": ticks, "version": context.function_version}
"""

STREAM = """
import os, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Site(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        for number in range(int(self.path.strip("/") or 1)):
            time.sleep(0.1)
            self.wfile.write(f"{number}\\n".encode())
            self.wfile.flush()
    def log_message(self, *_): pass
ThreadingHTTPServer(("", int(os.environ["PORT"])), Site).serve_forever()
"""


class Instances(ServerTest):
    def instances(self, name):
        return self.server.api("GET", f"/_lambda/functions/{name}/stats").json()["instances"]

    def wait_for(self, name, seconds=30, **wanted):
        """Until so many of its instances are in these states; `waiting` are idle and frozen ones together."""
        until = time.monotonic() + seconds
        while True:
            seen = self.instances(name)
            seen["waiting"] = seen["idle"] + seen["frozen"]
            if all(seen[state] == count for state, count in wanted.items()):
                return
            self.assertLess(time.monotonic(), until, f"{seen} instead of {wanted}\n{self.server.log_text()}")
            time.sleep(0.05)

    def call(self, name, event=None):
        reply = self.server.invoke(name, event)
        self.assertEqual(reply.status, 200, reply)
        return reply

    def trace(self, reply):
        until = time.monotonic() + 20
        while (found := self.server.api("GET", f"/_lambda/traces/{reply.headers['x-amzn-requestid']}")).status != 200:
            self.assertLess(time.monotonic(), until, found)
            time.sleep(0.05)
        return found.json()["calls"][0]

    def steps(self, reply):
        return [step["step"] for step in self.trace(reply)["steps"]]


@on_both_drivers
class Frozen(Instances):
    flags = ("--freeze-after", "300")

    def test_an_idle_instance_stands_still_until_the_next_call(self):
        self.server.deploy({"app.py": TICKS}, "ticks", "--handler", "app.handler")
        before = self.call("ticks").json()["ticks"]
        self.wait_for("ticks", frozen=1, idle=0)
        self.assertIn('lambda_instances{function="ticks",version="1",state="frozen"} 1\n', self.server.api("GET", "/metrics").text)
        self.assertIn("1 frozen", self.server.cli("stats", "ticks").stdout)
        time.sleep(4)
        reply = self.call("ticks")
        # 400 and more if it had gone on.
        self.assertLess(reply.json()["ticks"] - before, 250)
        self.assertIn("thaw", self.steps(reply))
        at_once = self.call("ticks")
        self.assertNotIn("thaw", self.steps(at_once))
        self.assertEqual(self.trace(reply)["instance"], self.trace(at_once)["instance"])
        time.sleep(0.2)
        self.assertGreater(self.call("ticks").json()["ticks"], at_once.json()["ticks"])

    def test_calls_about_the_time_of_a_freeze_are_all_answered(self):
        self.server.deploy({"app.py": TICKS}, "about", "--handler", "app.handler")
        for pause in (0.28, 0.29, 0.3, 0.305, 0.31, 0.32, 0.35):
            self.call("about")
            time.sleep(pause)
        self.call("about")
        self.wait_for("about", frozen=1)

    def test_an_http_function_is_not_frozen_while_a_request_is_open(self):
        self.server.deploy({"server.py": STREAM}, "stream", "--kind", "http", "--handler", "server.py")
        seen = []
        ended = threading.Event()

        def watch():
            while not ended.wait(0.1):
                seen.append(self.instances("stream"))
        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            reply = self.server.get("stream", "/20")
        finally:
            ended.set()
            watcher.join()
        self.assertEqual(reply.text, "".join(f"{number}\n" for number in range(20)))
        busy = [instances for instances in seen if instances["busy"]]
        self.assertGreater(len(busy), 3, seen)
        self.assertEqual([instances for instances in busy if instances["frozen"]], [])
        self.wait_for("stream", frozen=1)
        self.assertEqual(self.server.get("stream", "/1").text, "0\n")

    def test_a_frozen_instance_ends_with_its_function(self):
        self.server.deploy({"app.py": TICKS}, "gone", "--handler", "app.handler")
        self.wait_for("gone", frozen=1)
        self.server.cli("delete", "gone", "--yes")
        until = time.monotonic() + 30
        while 'function="gone"' in self.server.api("GET", "/metrics").text:
            self.assertLess(time.monotonic(), until, self.server.log_text())
            time.sleep(0.1)


@on_both_drivers
class Kept(Instances):
    flags = ("--idle-time", "1", "--freeze-after", "500")

    def test_they_are_there_before_calls_and_stay(self):
        self.server.deploy({"app.py": TICKS}, "kept", "--handler", "app.handler", "--min-instances", "2")
        self.wait_for("kept", seconds=1, waiting=2, starting=0)
        reply = self.call("kept")
        self.assertIn("REPORT", reply.log)
        self.assertNotIn("Init Duration", reply.log)
        self.assertFalse(self.trace(reply)["cold"])
        time.sleep(4)
        self.wait_for("kept", seconds=1, waiting=2)
        self.assertIn("2 instances of version 1 are kept ready.", self.server.cli("versions", "kept").stderr)
        shown = self.server.api("GET", "/_lambda/functions/kept").json()
        self.assertEqual((shown["minInstances"], shown["idleTime"]), (2, None))

        # One that ends is replaced.
        self.assertEqual(self.call("kept", {"exit": True}).headers.get("x-amz-function-error"), "Unhandled")
        self.wait_for("kept", waiting=2, ending=0)

        # The next version has its own when it goes live; those before go.
        self.server.deploy({"app.py": TICKS + "\n"}, "kept")
        reply = self.call("kept")
        self.assertEqual(reply.json()["version"], "2")
        self.assertFalse(self.trace(reply)["cold"])
        self.wait_for("kept", waiting=2, ending=0)

        self.server.deploy({"app.py": TICKS + "\n\n"}, "kept", "--min-instances", "0")
        self.wait_for("kept", waiting=0, busy=0)

    def test_they_are_started_with_the_server(self):
        self.server.deploy({"app.py": TICKS}, "restarted", "--handler", "app.handler", "--min-instances", "2")
        self.assertEqual(self.server.stop(), 0)
        self.server.start()
        self.wait_for("restarted", waiting=2)
        self.assertFalse(self.trace(self.call("restarted"))["cold"])
        self.server.cli("delete", "restarted", "--yes")

    def test_a_function_has_an_idle_time_of_its_own(self):
        self.server.deploy({"app.py": TICKS}, "patient", "--handler", "app.handler", "--idle-time", "600")
        self.server.deploy({"app.py": TICKS}, "hasty", "--handler", "app.handler")
        self.wait_for("hasty", waiting=0)
        time.sleep(2)
        self.wait_for("patient", seconds=1, waiting=1)
        self.assertEqual(self.server.api("GET", "/_lambda/functions/patient").json()["idleTime"], 600)
        self.server.deploy({"app.py": TICKS}, "patient", "--idle-time", "0")
        self.assertEqual(self.server.api("GET", "/_lambda/functions/patient").json()["idleTime"], None)
        waits = 'lambda_instances{function="patient",version="2",state="%s"} 1\n'
        until = time.monotonic() + 30
        while any(waits % state in self.server.api("GET", "/metrics").text for state in ("starting", "idle", "frozen", "ending")):
            self.assertLess(time.monotonic(), until, self.instances("patient"))
            time.sleep(0.1)


class MemoryIsShort(Instances):
    driver = "native"
    # There is always less than that.
    flags = ("--low-memory", "99")

    def test_idle_instances_are_given_up_and_calls_are_served(self):
        self.server.deploy({"app.py": TICKS}, "short", "--handler", "app.handler")
        for _ in range(2):
            self.wait_for("short", waiting=0, busy=0)
            self.assertGreaterEqual(self.call("short").json()["ticks"], 0)
        self.wait_for("short", waiting=0)
        self.assertIn("memory is short (", self.server.log_text(1000))


if __name__ == "__main__":
    unittest.main()
