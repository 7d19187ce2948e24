"""What `lambda logs` shows of what is there: all of it, as it was written, with why something failed, and soon however slow a search is."""

import json
import re
import shutil
import threading
import time
import unittest

from lambda_server import LambdaServer, ServerTest, on_both_drivers
from log_follower import LogFollower

CODE = r'''
import ctypes, json, os, signal, subprocess, sys, time
if os.path.exists("/tmp/never"):
    print("never")
def handler(event, context):
    for number in range(event.get("lines", 0)):
        print(event.get("say", "line"), number)
    if "write" in event:
        sys.stdout.write(event["write"])
        sys.stdout.flush()
    if "exit" in event:
        os._exit(event["exit"])
    if event.get("eat"):
        kept = [bytearray(os.urandom(1 << 20)) for _ in range(100_000)]
    if event.get("sleep"):
        time.sleep(event["sleep"])
    if event.get("later"):
        subprocess.Popen(["/bin/sh", "-c", "sleep 0.3; echo from a child later; echo on stderr later >&2; printf 'without an end'"])
    return "done"
'''
HTTP = '''
import http.server, os, threading, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        if self.path == "/die":
            threading.Thread(target=lambda: (time.sleep(0.3), os._exit(3))).start()
        if self.path == "/flood":
            os.write(1, b"x" * 99 + b"\\n")
            for _ in range(600):
                left = (b"x" * 99 + b"\\n") * 1000
                while left:
                    left = left[os.write(1, left):]
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
'''


def eventually(test, condition, seconds=30):
    until = time.monotonic() + seconds
    while not (value := condition()):
        test.assertLess(time.monotonic(), until, "it did not come about")
        time.sleep(0.1)
    return value


@on_both_drivers
class Reading(ServerTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.deploy({"app.py": CODE}, "talks", "--handler", "app.handler", "--timeout", "60")

    def errors(self, name, *arguments):
        return self.server.cli("logs", name, "--level", "error", *arguments).stdout

    def test_why_a_call_failed_is_an_error_in_the_log(self):
        self.server.deploy({"app.py": CODE}, "fails", "--handler", "app.handler", "--timeout", "1", "--memory", "128")
        for event, reason in (({"exit": 7}, r"RequestId: ID Error: Runtime exited with error: exit status 7 \(Runtime\.ExitError\)"),
                              ({"eat": True}, r"RequestId: ID Error: Runtime exited with error: signal: killed \(Runtime\.OutOfMemory\)"),
                              ({"sleep": 5}, r"\S+Z ID Task timed out after 1\.00 seconds")):
            with self.subTest(event=event):
                reply = self.server.invoke("fails", event)
                identity = reply.headers["x-amzn-requestid"]
                line = rf"\A\S+Z  {reason.replace('ID', identity)}\n\Z"
                self.assertRegex(self.errors("fails", "--request-id", identity), line)
                self.assertRegex(reply.log, reason.replace("ID", identity))

    def test_why_an_initialisation_failed_is_an_error_in_the_log(self):
        self.server.deploy({"app.py": CODE}, "inits", "--handler", "app.handler")
        files = {"app.py": "import os\nprint('so far', flush=True)\nos._exit(9)\n"}
        self.assertNotEqual(self.server.deploy(files, "inits", "--handler", "app.handler", check=False).returncode, 0)
        errors = self.errors("inits")
        self.assertRegex(errors, r"Z  \[lambda\] the initialisation failed: Runtime exited with error: exit status 9\n")
        self.assertRegex(errors, r"Z  INIT_REPORT Init Duration: [\d.]+ ms\tPhase: init\tStatus: error\tError Type: Runtime\.ExitError\n")
        self.assertRegex(errors, r"Z  \[lambda\] the deploy of version 2 failed: ")
        self.assertIn("  so far\n", self.server.cli("logs", "inits").stdout)

    def test_an_http_function_that_ends_between_requests_and_a_flood_that_nothing_follows(self):
        self.server.deploy({"server.py": HTTP}, "serves", "--kind", "http", "--runtime", "python3.11", "--handler", "server.py")
        self.assertEqual(self.server.get("serves", "/flood", timeout=120).status, 200)
        said = eventually(self, lambda: self.server.cli("logs", "serves", "--level", "warn", "-n", "1").stdout)
        self.assertRegex(said, r"\[lambda\] \d+ lines before this one .*were not kept")
        self.assertEqual(self.server.get("serves", "/die").status, 200)
        said = eventually(self, lambda: self.errors("serves", "--search", "by itself"))
        self.assertRegex(said, r"\[lambda\] the instance ended by itself: Runtime exited with error: exit status 3 \(Runtime\.ExitError\)\n\Z")

    def test_what_a_child_writes_after_the_call(self):
        self.server.invoke("talks", {"later": True})
        eventually(self, lambda: self.server.cli("logs", "talks", "--search", "later$").stdout.count("later\n") == 2)

    def test_all_since_a_time_however_many_and_as_they_were_written(self):
        self.server.deploy({"app.py": CODE}, "much", "--handler", "app.handler", "--timeout", "60")
        self.server.invoke("much", {"lines": 25_000})
        number = '{"big":123456789012345678901234567890,"price":1.10}'
        self.server.invoke("much", {"write": number + "\n"})
        wanted = [f"line {number}" for number in range(25_000)]
        self.assertEqual([line.split("  ", 1)[1] for line in self.server.cli("logs", "much", "--since", "1h", "--search", "^line ").stdout.splitlines()], wanted)
        printed = self.server.cli("logs", "much", "--since", "1h", "-o", "json").stdout
        lines = [line for line in json.loads(printed)["lines"] if not line["platform"]]
        self.assertEqual([line["text"] for line in lines], [*wanted, number])
        self.assertIn(f'"fields":{number}}}', printed)
        self.assertIn(f'"fields":{number}}}', self.server.cli("logs", "much", "-n", "3", "-o", "json").stdout)
        self.assertEqual(self.server.cli("logs", "much", "--since", "1h", "-n", "10").stdout.count("\n"), 10)
        with LogFollower(self.server, "much", "--since", "1h", "--search", "^line ") as follower:
            follower.wait_for(lambda seen: len(seen.lines) >= len(wanted), 60)
            self.server.invoke("much", {"lines": 1, "say": "line of the present"})
            follower.wait_for_text("line of the present 0")
            self.assertEqual(follower.texts(), [*wanted, "line of the present 0"])

    def test_json_that_would_break_an_event_or_a_reader_is_followed(self):
        deep = '{"a":' * 60 + "1" + "}" * 60
        with LogFollower(self.server, "talks", "-n", "0") as follower:
            eventually(self, lambda: self.server.cli("invoke", "talks", "-d", '{"write":"begin\\n"}') and follower.texts("begin"))
            self.server.invoke("talks", {"write": '{"a":1,\r"b":2}\n' + deep + "\nafter\n"})
            follower.wait_for_text("after")
            self.assertEqual(next(line for line in follower.lines if line["text"].startswith('{"a":1'))["fields"], {"a": 1, "b": 2})
            self.assertIn(deep, follower.texts())
        self.assertIn(deep, self.server.cli("logs", "talks").stdout)

    def test_a_slow_search_through_much_ends_and_holds_nobody_up(self):
        self.server.deploy({"app.py": CODE}, "large", "--handler", "app.handler", "--timeout", "60")
        self.server.invoke("large", {"lines": 120, "say": "a" * 200_000})
        slow = "(a?){60}#"  # as many steps as a search may have
        with LogFollower(self.server, "large", "--search", slow + "|the last"):
            results = []
            searches = [threading.Thread(target=lambda: results.append(self.server.cli("logs", "large", "--search", slow))) for _ in range(2)]
            for search in searches:
                search.start()
            waits = []
            while any(search.is_alive() for search in searches):
                begin = time.monotonic()
                self.server.invoke("talks", {"write": "meanwhile\n"})
                self.assertIn("meanwhile", self.server.cli("logs", "talks", "-n", "10").stdout)
                waits.append(time.monotonic() - begin)
            for search in searches:
                search.join()
        print(f"{self.server.driver}: another log was read in {max(waits):.1f} s at the most, {len(waits)} times, beside slow searches")
        self.assertEqual(len(results), 2)
        for result in results:
            self.assertIn("nothing of that kind", result.stderr)
        # One line of that size takes a loop as long as a stall is; a machine that is busy has shorter ones by itself.
        stalls = [int(found[1]) for line in self.server.log_lines if (found := re.search(r"did not come round for (\d+) ms", line))]
        self.assertEqual([stall for stall in stalls if stall > 400], [])


class OfTheDead(unittest.TestCase):
    def test_the_log_of_a_function_that_is_gone_is_not_the_next_ones(self):
        server = LambdaServer("native").start()
        self.addCleanup(server.close)
        server.deploy({"app.py": CODE}, "talks", "--handler", "app.handler")
        server.invoke("talks", {"lines": 3, "say": "secret"})
        server.stop()
        # As a server leaves it that is killed between a deletion and what follows from it.
        shutil.copytree(server.data / "logs/talks", server.data / "logs/next")
        owner = (server.data / "logs/talks").stat()
        for path in [server.data / "logs/next", *(server.data / "logs/next").iterdir()]:
            shutil.chown(path, owner.st_uid, owner.st_gid)
        server.start()
        self.assertIn("secret 2", server.cli("logs", "talks").stdout)
        server.deploy({"app.py": CODE}, "next", "--handler", "app.handler")
        self.assertNotIn("secret", server.cli("logs", "next").stdout)
        self.assertTrue(re.search("START|INIT", server.cli("logs", "talks").stdout))


if __name__ == "__main__":
    unittest.main()
