"""Asynchronous events through every door: accepted once they are durable, retried, throttled, too old, the same by a token; and what
is refused at the door."""

import json
import sqlite3
import time
import unittest

from event_server import COUNTER, EventTest
from lambda_server import LambdaServer, ServerTest


class Accepting(EventTest):
    def test_an_event_is_accepted_then_carried_out(self):
        began = time.monotonic()
        identity = self.submit("counter", {"key": "slow", "sleep": 1})
        self.assertLess(time.monotonic() - began, 0.9, "the answer must not wait for the function")
        said = self.succeeded(identity)
        self.assertEqual(said["ids"], [identity], "the function is called by the id that was answered")

    def test_no_event_is_an_empty_one(self):
        identity = self.submit("counter", b"")
        self.succeeded(identity)
        self.assertEqual(self.server.api("GET", f"/_lambda/events/{identity}/payload").body, b"{}")

    def test_what_was_acknowledged_survives_a_crash(self):
        with LambdaServer("native") as self.server:
            self.server.deploy({"app.py": "import time\ndef handler(e, c):\n    time.sleep(0.3)\n    return e"}, "slow", "--handler", "app.handler")
            identities = [self.submit("slow", {"number": number}) for number in range(40)]
            self.server.kill()
            self.server.start()
            for number, identity in enumerate(identities):
                self.assertEqual(self.succeeded(identity, wait=60), {"number": number})
            text = self.server.log_text(200)
            self.assertIn("are carried out again", text)

    def test_the_old_operation(self):
        for path in ("/2014-11-13/functions/counter/invoke-async", "/2014-11-13/functions/counter/invoke-async/"):
            reply = self.server.api("POST", path, {"key": path})
            self.assertEqual((reply.status, reply.json()), (202, {"Status": 202}))
            self.assertEqual(self.succeeded(reply.headers["x-amzn-requestid"])["version"], "$LATEST")
        self.assertEqual(self.server.api("POST", "/2014-11-13/functions/nobody/invoke-async", {}).status, 404)

    def test_a_dry_run_leaves_nothing(self):
        before = self.depth("counter")
        reply = self.server.api("POST", "/_lambda/functions/counter/invocations", {}, headers={"X-Amz-Invocation-Type": "DryRun"})
        self.assertEqual((reply.status, reply.body), (204, b""))
        self.assertEqual(self.depth("counter"), before)

    def test_the_limit_of_a_megabyte(self):
        def of(size):
            return b'"' + b"x" * (size - 2) + b'"'
        identity = self.submit("counter", b'{"key": "large", "pad": "' + b"x" * (1_048_576 - 27) + b'"}')
        self.assertGreater(self.succeeded(identity)["size"], 1_048_000)
        for reply in (self.send("counter", of(1_048_577)), self.server.api("POST", "/2014-11-13/functions/counter/invoke-async", of(1_048_577))):
            self.assertEqual(reply.status, 413, reply)
            self.assertIn("1048577 byte payload is too large for the Event invocation type (limit 1048576 bytes)", reply.text)
        self.assertEqual(self.server.invoke("counter", of(1_048_577)[:-1] + b'"').status, 200)  # not asynchronous: six

    def test_what_is_refused_at_the_door(self):
        self.assertEqual(self.send("nobody").status, 404)
        self.assertEqual(self.send("counter", qualifier="7").status, 404)
        self.assertEqual(self.send("counter", qualifier="no-alias").status, 404)
        self.assertEqual(self.send("counter", b"{'a': 1}").status, 400)
        self.assertEqual(self.send("counter", token="x" * 257).status, 400)
        self.assertEqual(self.send("counter", {}, token="x" * 256).status, 202)
        done = self.server.cli("invoke", "countr", "--async", "--data", "{}", check=False)
        self.assert_fails(done, 5, "countr", "did you mean \"counter\"")
        self.assertEqual(self.server.cli("invoke", "counter", "--async", "--data", "{", check=False).returncode, 2)

    def test_a_token_makes_it_the_same_event(self):
        first = self.submit("counter", {"key": "token"}, token="order-17")
        self.assertEqual(self.submit("counter", {"key": "token"}, token="order-17"), first)
        self.assertEqual(self.succeeded(first)["ids"], [first])
        self.assertEqual(self.submit("counter", {"key": "token", "other": 1}, token="order-17"), first, "also after its end")
        other = self.submit("counter", {"key": "token"}, token="order-18")
        self.assertEqual(self.succeeded(other)["ids"], [first, other])
        shown = self.server.cli("invoke", "counter", "--async", "--idempotency-key", "order-17", "--data", "{}").stdout.strip()
        self.assertEqual(shown, first)

    def test_the_same_token_at_once_from_many(self):
        import concurrent.futures
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            identities = list(pool.map(lambda _: self.submit("counter", {"key": "many"}, token="many"), range(64)))
        self.assertEqual(len(set(identities)), 1)
        self.assertEqual(self.succeeded(identities[0])["ids"], [identities[0]])

    def test_a_token_belongs_to_one_function(self):
        self.server.deploy({"app.py": "def handler(e, c): return 'other'"}, "other", "--handler", "app.handler")
        first = self.submit("counter", {"key": "shared"}, token="shared")
        second = self.submit("other", {}, token="shared")
        self.assertNotEqual(first, second)
        self.assertEqual(self.succeeded(second), "other")


class Attempts(EventTest):
    """What becomes of an event whose function fails, or cannot be called."""

    def test_two_retries_by_the_same_id(self):
        began = time.monotonic()
        identity = self.submit("counter", {"key": "twice", "failures": 2})
        event = self.until(identity, lambda event: event["failedAttempts"] == 1 and event["state"] == "waiting")
        self.assertEqual((event["errorType"], event["errorMessage"]), ("ValueError", "attempt 1"))
        self.assertIsNotNone(event["due"])
        said = self.succeeded(identity)
        self.assertEqual(said["ids"], [identity] * 3)
        self.assertGreater(time.monotonic() - began, 3, "one second, then two")
        event = self.event(identity)
        self.assertEqual((event["failedAttempts"], event["errorType"]), (2, ""))

    def test_dead_after_the_retries(self):
        identity = self.submit("counter", {"key": "dead", "failures": 99})
        event = self.ended(identity)
        self.assertEqual((event["state"], event["failedAttempts"], event["errorType"], event["errorMessage"]),
                         ("dead", 3, "ValueError", "attempt 3"))
        self.assertEqual(self.result(identity)["errorMessage"], "attempt 3")
        reply = self.server.api("GET", f"/_lambda/events/{identity}/result")
        self.assertEqual((reply.headers["x-amz-function-error"], reply.headers["x-lambda-event-state"]), ("Unhandled", "dead"))
        listed = self.server.api("GET", "/_lambda/functions/counter/events?state=dead").json()["events"]
        self.assertIn(identity, [each["id"] for each in listed])

    def test_every_kind_of_failure_is_retried(self):
        source = ("import os, time\ndef handler(e, c):\n    if os.path.exists('/tmp/again'): return 'good'\n"
                  "    open('/tmp/again', 'w').close()\n    if e == 'sleep': time.sleep(9)\n    if e == 'exit': os._exit(3)\n    return 'x' * 7_000_000\n")
        self.server.deploy({"app.py": source}, "wrong", "--handler", "app.handler", "--timeout", "1")
        self.configure("wrong", MaximumRetryAttempts=0)
        for what, kind in (("sleep", "Sandbox.Timedout"), ("exit", "Runtime.ExitError"), ("large", "Function.ResponseSizeTooLarge")):
            event = self.ended(self.submit("wrong", what))
            self.assertEqual((event["state"], event["failedAttempts"], event["errorType"]), ("dead", 1, kind))
            self.reserve("wrong", 0)  # a new sandbox for the next
            self.reserve("wrong", None)
            self.server.deploy({"app.py": source + f"# {what}\n"}, "wrong", "--handler", "app.handler", "--timeout", "1")
            self.configure("wrong", MaximumRetryAttempts=0)

    def configure(self, name, qualifier="", **settings):
        path = f"/2019-09-25/functions/{name}/event-invoke-config" + (f"?Qualifier={qualifier}" if qualifier else "")
        reply = self.server.api("PUT", path, settings)
        self.assertEqual(reply.status, 200, reply)

    def test_a_function_says_how_often(self):
        self.server.deploy({"app.py": "def handler(e, c): raise KeyError('no')"}, "fails", "--handler", "app.handler")
        self.configure("fails", MaximumRetryAttempts=0)
        self.assertEqual(self.ended(self.submit("fails"))["failedAttempts"], 1)
        self.configure("fails", "live", MaximumRetryAttempts=1)
        self.assertEqual(self.ended(self.submit("fails"))["failedAttempts"], 2, "what follows live obeys live's")
        self.assertEqual(self.ended(self.submit("fails", qualifier="$LATEST"))["failedAttempts"], 1)
        self.assertEqual(self.ended(self.submit("fails", qualifier="1"))["failedAttempts"], 3, "a version without one: the server's")

    def test_reserved_concurrency_of_nothing(self):
        self.server.deploy({"app.py": "def handler(e, c): return c.aws_request_id"}, "held", "--handler", "app.handler")
        self.reserve("held", 0)
        identity = self.submit("held")
        event = self.until(identity, lambda event: event["throttles"] >= 2)
        self.assertEqual((event["state"], event["failedAttempts"]), ("waiting", 0), "throttling is no failure of the function's")
        self.assertEqual(event["errorType"], "TooManyRequestsException")
        self.assertEqual(self.depth("held")["retrying"], 1)
        others = [self.submit("held") for _ in range(40)]
        time.sleep(2)
        self.assertLess(self.depth("held")["retrying"], 6, "what fails for one event is not tried with all of them at once")
        self.reserve("held", None)
        for each in (identity, *others):
            self.assertEqual(self.succeeded(each), each)

    def test_reserved_concurrency_of_one(self):
        source = ("import time\nrunning = 0\ndef handler(e, c):\n    global running\n    assert not running\n    running = 1\n    time.sleep(0.2)\n"
                  "    running = 0\n    return time.time()\n")
        self.server.deploy({"app.py": source}, "single", "--handler", "app.handler")
        self.reserve("single", 1)
        identities = [self.submit("single") for _ in range(8)]
        times = sorted(self.succeeded(identity) for identity in identities)
        self.assertEqual([self.event(identity)["throttles"] for identity in identities], [0] * 8, "they do not throttle each other")
        for before, after in zip(times, times[1:]):
            self.assertGreater(after - before, 0.19, times)

    def test_too_old(self):
        """Its age is put into the database while the server is down."""
        with LambdaServer("native", ["--retry-delay", "1"]) as self.server:
            self.server.deploy({"app.py": "def handler(e, c): return 1"}, "aged", "--handler", "app.handler")
            self.configure("aged", MaximumEventAgeInSeconds=60)
            self.configure("aged", "live", MaximumEventAgeInSeconds=60)
            self.reserve("aged", 0)
            old, young = self.submit("aged"), self.submit("aged")
            for identity in (old, young):
                self.until(identity, lambda event: event["throttles"] >= 1)
            self.server.stop()
            with sqlite3.connect(self.server.data / "lambda.db") as database:
                database.execute("UPDATE events SET accepted = accepted - 61000, due = accepted WHERE id = ?", (old,))
            database.close()
            self.server.start()
            event = self.ended(old)
            self.assertEqual((event["state"], event["errorType"], event["failedAttempts"]), ("dead", "EventAgeExceeded", 0))
            self.assertIn("MaximumEventAgeInSeconds", event["errorMessage"])
            self.reserve("aged", None)
            self.assertEqual(self.succeeded(young), 1)
            self.assertEqual(self.server.cli("result", old, check=False).returncode, 3)

    def test_a_rollback_between_attempts_decides(self):
        self.server.deploy({"app.py": "def handler(e, c): return 'good'"}, "moving", "--handler", "app.handler")
        self.server.deploy({"app.py": "def handler(e, c): raise ValueError('bad')"}, "moving", "--handler", "app.handler")
        following, pinned, draft = self.submit("moving"), self.submit("moving", qualifier="2"), self.submit("moving", qualifier="$LATEST")
        for identity in (following, pinned, draft):
            self.until(identity, lambda event: event["failedAttempts"] == 1)
        self.assertEqual(self.event(following)["executedVersion"], "2")
        self.server.cli("rollback", "moving")
        self.assertEqual(self.succeeded(following), "good")
        self.assertEqual(self.event(following)["executedVersion"], "1")
        self.assertEqual(self.ended(pinned)["state"], "dead")
        self.assertEqual(self.ended(draft)["state"], "dead", "AWS's Invoke without a qualifier is $LATEST, which a rollback leaves")

    def test_a_version_that_went(self):
        self.server.deploy({"app.py": "def handler(e, c): raise ValueError('bad')"}, "gone", "--handler", "app.handler")
        self.server.deploy({"app.py": "def handler(e, c): return 1"}, "gone", "--handler", "app.handler")
        identity = self.submit("gone", qualifier="1")
        self.until(identity, lambda event: event["failedAttempts"] == 1)
        self.assertEqual(self.server.api("DELETE", "/2015-03-31/functions/gone?Qualifier=1").status, 204)
        event = self.ended(identity)
        self.assertEqual((event["state"], event["errorType"]), ("dead", "ResourceNotFoundException"))
        again = self.server.api("POST", f"/_lambda/events/{identity}/redrive", {})
        self.assertEqual(again.status, 204, again)

    def test_a_version_that_an_event_waits_for_is_not_cleaned_up(self):
        with LambdaServer("native", self.flags, environment={"LAMBDA_KEEP_VERSIONS": "1"}) as self.server:
            fails_once = {"app.py": COUNTER}
            self.server.deploy(fails_once, "pinned", "--handler", "app.handler")
            identity = self.submit("pinned", {"key": "one", "failures": 1, "sleep": 1}, qualifier="1")
            for number in (2, 3):
                self.server.deploy({**fails_once, "other.txt": str(number)}, "pinned", "--handler", "app.handler")
            kept = lambda: [item["version"] for item in self.server.api("GET", "/_lambda/functions/pinned/versions").json()["versions"]]
            self.assertEqual(kept(), [3, 1], "2 is in nobody's way")
            self.assertEqual(self.succeeded(identity)["version"], "1")
            self.server.deploy({**fails_once, "other.txt": "4"}, "pinned", "--handler", "app.handler")
            self.assertEqual(kept(), [4])

    def test_an_http_function(self):
        server = ("import http.server, os\nclass Handler(http.server.BaseHTTPRequestHandler):\n    def do_POST(self):\n"
                  "        body = self.rfile.read(int(self.headers['Content-Length']))\n        bad = b'bad' in body\n"
                  "        self.send_response(500 if bad else 200)\n        self.send_header('Content-Length', len(body))\n"
                  "        self.end_headers()\n        self.wfile.write(body)\n"
                  "http.server.HTTPServer(('127.0.0.1', int(os.environ['PORT'])), Handler).serve_forever()\n")
        self.server.deploy({"server.py": server}, "site", "--kind", "http", "--handler", "server.py", "--url", "key")
        self.assertEqual(self.succeeded(self.submit("site", {"a": 1})), {"a": 1})
        self.configure("site", "live", MaximumRetryAttempts=0)
        self.assertEqual(self.ended(self.submit("site", {"a": "bad"}))["state"], "dead")
        reply = self.server.post("site", "{}", headers={"X-Lambda-Async": "true", "X-Lambda-Key": self.server.key})
        self.assertEqual(reply.status, 400, reply)


class AtTheUrl(EventTest):
    """X-Lambda-Async: true."""

    def call(self, name, headers=None, body=b'{"key": "url"}', **more):
        return self.server.post(name, body, headers={"X-Lambda-Async": "true", "Content-Type": "application/json", **(headers or {})}, **more)

    def site(self, name, auth):
        self.server.deploy({"app.py": "import json\ndef handler(e, c): return [c.aws_request_id, e['requestContext']['http']['path'], e.get('body'), "
                                      "sorted(e['headers'])]"}, name, "--handler", "app.handler", "--url", auth)

    def test_with_a_key(self):
        self.site("keyed", "key")
        reply = self.call("keyed", {"X-Lambda-Key": self.server.key, "X-Lambda-Idempotency-Key": "one"}, path="/a/path?b=1")
        self.assertEqual((reply.status, reply.body), (202, b""), reply)
        identity = reply.headers["x-amzn-requestid"]
        said = self.succeeded(identity)
        self.assertEqual(said[:3], [identity, "/a/path", '{"key": "url"}'])
        self.assertNotIn("x-lambda-key", said[3])
        self.assertEqual(self.event(identity)["source"], "url")
        again = self.call("keyed", {"X-Lambda-Key": self.server.key, "X-Lambda-Idempotency-Key": "one"})
        self.assertEqual((again.status, again.headers["x-amzn-requestid"]), (202, identity))
        self.assertEqual(self.call("keyed").status, 403)
        self.assertEqual(self.call("keyed", {"X-Lambda-Key": "lam_" + "A" * 20 + "_" + "b" * 40}).status, 403)

    def test_a_value_that_is_not_true_is_none(self):
        self.site("plain", "key")
        reply = self.call("plain", {"X-Lambda-Async": "false", "X-Lambda-Key": self.server.key})
        self.assertEqual(reply.status, 200, reply)

    def test_true_is_true_however_it_is_written_and_what_is_unclear_is_refused(self):
        self.site("written", "key")
        for value, status in (("True", 202), ("TRUE", 202), ("False", 200), ("yes", 400), ("1", 400)):
            reply = self.call("written", {"X-Lambda-Async": value, "X-Lambda-Key": self.server.key})
            self.assertEqual(reply.status, status, (value, reply))

    def test_a_long_idempotency_key(self):
        self.site("long", "key")
        reply = self.call("long", {"X-Lambda-Key": self.server.key, "X-Lambda-Idempotency-Key": "k" * 257})
        self.assertEqual(reply.status, 400, reply)
        self.assertIn("256", reply.text)
        self.assertEqual(self.depth("long")["waiting"], 0)

    def test_signed(self):
        import botocore.auth
        import botocore.awsrequest
        import botocore.credentials
        self.site("signed", "iam")
        key, secret = self.server.key.removeprefix("lam_").split("_")
        request = botocore.awsrequest.AWSRequest("POST", f"http://signed.localhost:{self.server.port}/", data=b"{}",
                                                 headers={"X-Lambda-Async": "true"})
        botocore.auth.SigV4Auth(botocore.credentials.Credentials(key, secret), "lambda", "us-east-1").add_auth(request)
        headers = {name: value for name, value in request.prepare().headers.items() if name.lower() != "content-length"}
        reply = self.server.post("signed", b"{}", headers=headers)
        self.assertEqual(reply.status, 202, reply)
        self.assertEqual(self.succeeded(reply.headers["x-amzn-requestid"])[1], "/")
        self.assertEqual(self.call("signed").status, 403)

    def test_closed_and_open(self):
        self.site("shut", "none")
        self.assertEqual(self.call("shut").status, 403)
        self.site("public", "open")
        reply = self.call("public")
        self.assertEqual(reply.status, 403, reply)
        self.assertIn("async_open_urls", reply.text)
        self.assertEqual(self.server.post("public", b"{}").status, 200, "without the header it is called as ever")
        self.assertEqual(self.depth("public")["waiting"], 0)

    def test_too_large(self):
        self.site("weighed", "key")
        reply = self.call("weighed", {"X-Lambda-Key": self.server.key}, body=b'"' + b"x" * 1_048_576 + b'"')
        self.assertEqual(reply.status, 413, reply)


class OpenUrls(ServerTest):
    driver = "native"
    flags = ("--async-open-urls",)

    def test_where_the_server_says_so(self):
        self.server.deploy({"app.py": "def handler(e, c): return c.aws_request_id"}, "public", "--handler", "app.handler", "--url", "open")
        reply = self.server.post("public", b"{}", headers={"X-Lambda-Async": "true"})
        self.assertEqual(reply.status, 202, reply)
        identity = reply.headers["x-amzn-requestid"]
        self.assertEqual(json.loads(self.server.cli("result", identity, "--wait").stdout), identity)


if __name__ == "__main__":
    unittest.main()
