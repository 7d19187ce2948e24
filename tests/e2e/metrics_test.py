"""The metrics after known calls: Prometheus' text and JSON say what happened, on both drivers."""

import base64
import http.client
import io
import json
import threading
import time
import unittest
import zipfile

from lambda_server import ROOT, LambdaServer, ServerTest, on_both_drivers
from metrics_reader import Scraped, promtool, scrape

WRONG = '''
import os, time

def handler(event, context):
    what = event.get("what")
    if what == "raise":
        raise ValueError("no such luck")
    if what == "sleep":
        time.sleep(20)
    if what == "exit":
        os._exit(3)
    if what == "memory":
        hoard = []
        while True:
            hoard.append(b"x" * 4_000_000)
    if what == "large":
        return "x" * (6 * 1024 * 1024 + 101)
    time.sleep(event.get("time", 0))
    return {"ok": True}
'''

SITE = '''
import http.server, os

class Site(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = b"my own metrics" if self.path == "/metrics" else b"hello"
        self.send_response(int(self.path[8:]) if self.path.startswith("/status/") else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass

http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Site).serve_forever()
'''


def wait_for(condition, seconds=20):
    until = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > until:
            raise AssertionError(f"it did not come about within {seconds} s")
        time.sleep(0.1)
    return found


@on_both_drivers
class Metrics(ServerTest):
    def deployed(self, name, *arguments, code=WRONG):
        self.server.deploy({"app.py": code}, name, "--handler", "app.handler", "--timeout", "2", "--memory", "128", *arguments)
        self.addCleanup(self.server.cli, "delete", name, "-y", check=False)

    def stats(self, name=None):
        reply = self.server.api("GET", f"/_lambda/functions/{name}/stats" if name else "/_lambda/stats")
        self.assertEqual(reply.status, 200, reply)
        return reply.json()

    def test_every_kind_of_error_is_counted_once(self):
        self.deployed("kinds")
        for _ in range(5):
            self.assertEqual(self.server.invoke("kinds", {}).json(), {"ok": True})
        kinds = {"raise": "handled", "sleep": "timeout", "exit": "exit", "memory": "out_of_memory", "large": "response_too_large"}
        for what in kinds:
            self.assertEqual(self.server.invoke("kinds", {"what": what}).headers.get("x-amz-function-error"), "Unhandled", what)
        seen = scrape(self.server)
        own = {"function": "kinds", "version": "1"}
        self.assertEqual(seen.of("lambda_invocations_total", **own), 10)
        self.assertEqual(seen.of("lambda_duration_seconds_count", **own), 10)
        self.assertEqual(seen.of("lambda_duration_seconds_bucket", le="+Inf", **own), 10)
        self.assertGreater(seen.of("lambda_duration_seconds_sum", **own), 2)  # the timeout
        for kind in kinds.values():
            self.assertEqual(seen.of("lambda_errors_total", kind=kind, **own), 1, kind)
        self.assertEqual(seen.total("lambda_errors_total", **own), 5)
        # What crashed was replaced: the first call, and one after each crash.
        self.assertGreaterEqual(seen.of("lambda_cold_starts_total", **own), 4)
        self.assertGreater(seen.of("lambda_memory_peak_bytes", **own), 4_000_000)
        stats = self.stats("kinds")
        self.assertEqual(stats["invocations"], 10)
        self.assertEqual(stats["errors"], {kind: 1 for kind in kinds.values()})
        self.assertEqual(stats["lastMinute"]["invocations"], 10)
        self.assertEqual(sum(stats["minutes"]["invocations"]), 10)
        self.assertGreater(stats["duration"]["p99"], 1_900)
        self.assertEqual([version["version"] for version in stats["versions"]], ["1"])

    def test_code_that_does_not_load_is_an_error_of_init(self):
        client = self.server.boto()
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("app.py", "raise SystemError('not today')\n")
        client.create_function(FunctionName="unready", Runtime="python3.11", Role="arn:aws:iam::000000000000:role/x", Handler="app.handler",
                               Code={"ZipFile": packed.getvalue()})
        self.addCleanup(self.server.cli, "delete", "unready", "-y", check=False)
        wait_for(lambda: client.get_function(FunctionName="unready")["Configuration"]["State"] != "Pending")
        client.invoke(FunctionName="unready")
        seen = scrape(self.server)
        own = {"function": "unready", "version": "$LATEST"}
        self.assertEqual(seen.of("lambda_errors_total", kind="init", **own), 1)
        self.assertEqual(seen.of("lambda_init_duration_seconds_count", **own), 1)
        self.assertEqual(seen.of("lambda_duration_seconds_count", **own), 0)

    def test_a_throttled_call_is_no_invocation(self):
        self.deployed("throttled")
        self.server.boto().put_function_concurrency(FunctionName="throttled", ReservedConcurrentExecutions=0)
        for _ in range(3):
            self.assertEqual(self.server.invoke("throttled", {}).status, 429)
        seen = scrape(self.server)
        self.assertEqual(seen.of("lambda_throttles_total", function="throttled", version="1", reason="reserved_concurrency"), 3)
        self.assertEqual(seen.total("lambda_invocations_total", function="throttled"), 0)
        self.assertEqual(self.stats("throttled")["throttles"], {"reserved_concurrency": 3})

    def test_what_runs_is_seen_while_it_runs(self):
        self.deployed("running")
        self.server.invoke("running", {})
        def at_rest():
            seen = scrape(self.server)
            states = [seen.of("lambda_instances", function="running", version="1", state=state) for state in ("idle", "frozen")]
            return seen if sum(states) == 1 else None
        idle = wait_for(at_rest)
        self.assertEqual(idle.of("lambda_concurrency", function="running"), 0)
        calls = [threading.Thread(target=self.server.invoke, args=("running", {"time": 1.5})) for _ in range(2)]
        for call in calls:
            call.start()
        busy = wait_for(lambda: (seen := scrape(self.server)).of("lambda_concurrency", function="running") == 2 and seen)
        states = [busy.of("lambda_instances", function="running", version="1", state=state) for state in ("busy", "starting", "idle")]
        self.assertGreaterEqual(states[0], 1, states)
        self.assertGreaterEqual(self.stats("running")["inFlight"], 1)
        for call in calls:
            call.join()
        memory = wait_for(lambda: scrape(self.server).of("lambda_memory_bytes", function="running", version="1"))
        self.assertGreater(memory, 1_000_000)
        self.assertLessEqual(memory, 2 * 128 * 2**20)
        self.assertEqual(self.stats("running")["memory"], scrape(self.server).of("lambda_memory_bytes", function="running", version="1"))

    def test_a_version_that_is_gone_has_no_series_and_the_totals_stay(self):
        self.deployed("versions")
        self.server.invoke("versions", {})
        self.deployed("versions", code=WRONG + "\n# 2\n")
        self.server.invoke("versions", {})
        seen = scrape(self.server)
        self.assertEqual([seen.of("lambda_invocations_total", function="versions", version=version) for version in "12"], [1, 1])
        self.server.boto().delete_function(FunctionName="versions", Qualifier="1")
        self.assertEqual(scrape(self.server).total("lambda_invocations_total", function="versions"), 1)
        self.assertEqual(self.stats("versions")["invocations"], 2)
        self.server.cli("delete", "versions", "-y")
        # Instances that still end are seen until they are gone.
        self.assertNotIn('_total{function="versions"', self.server.api("GET", "/metrics").text)
        self.deployed("versions")
        self.assertEqual(self.stats("versions")["invocations"], 0)

    def test_requests_are_counted_by_door_and_status(self):
        self.server.deploy({"server.py": SITE}, "site", "--kind", "http", "--handler", "server.py")
        self.addCleanup(self.server.cli, "delete", "site", "-y", check=False)
        before = scrape(self.server)
        for _ in range(3):
            self.assertEqual(self.server.get("site", "/").text, "hello")
        # A function's /metrics is its own.
        self.assertEqual(self.server.get("site", "/metrics").text, "my own metrics")
        self.assertEqual(self.server.request("GET", "/fn/site/").text, "hello")
        self.assertEqual(self.server.get("nobody", "/").status, 404)
        after = scrape(self.server)

        def more(name, **labels):
            return after.of(name, **labels) - before.of(name, **labels)
        self.assertEqual(more("lambda_http_requests_total", door="host", code="200"), 4)
        self.assertEqual(more("lambda_http_requests_total", door="host", code="404"), 1)
        self.assertEqual(more("lambda_http_requests_total", door="path", code="200"), 1)
        self.assertGreaterEqual(more("lambda_http_requests_total", door="api", code="200"), 1)
        self.assertGreaterEqual(more("lambda_http_response_bytes_total", door="host"), 3 * 5 + 14)
        self.assertEqual(after.of("lambda_invocations_total", function="site", version="1"), 5)

    def test_answers_at_urls_are_counted_by_function_and_status(self):
        self.server.deploy({"server.py": SITE}, "site", "--kind", "http", "--handler", "server.py")
        self.addCleanup(self.server.cli, "delete", "site", "-y", check=False)
        answers = [self.server.get("site", path) for path in ("/", "/", "/status/404", "/status/503")]
        self.assertEqual([answer.status for answer in answers], [200, 200, 404, 503])
        # A handler that fails, one whose answer is no HTTP response, and a limit: told by the server in its place.
        self.deployed("answers", code='''
def handler(event, context):
    if event["rawPath"] == "/raise":
        raise ValueError("no")
    return {"statusCode": 201 if event["rawPath"] == "/" else "what"}
''')
        self.assertEqual([self.server.get("answers", path).status for path in ("/", "/raise", "/what")], [201, 502, 502])
        self.server.boto().put_function_concurrency(FunctionName="answers", ReservedConcurrentExecutions=0)
        self.assertEqual(self.server.get("answers", "/").status, 429)
        self.server.cli("url", "answers", "none")
        self.assertEqual(self.server.get("answers", "/").status, 403)

        def answered(function):
            seen = scrape(self.server)
            return {dict(labels)["code"]: value for (name, labels), value in seen.values.items()
                    if name == "lambda_url_responses_total" and dict(labels)["function"] == function}
        self.assertEqual(answered("site"), {"200": 2, "404": 1, "503": 1})
        self.assertEqual(answered("answers"), {"201": 1, "502": 2, "429": 1, "403": 1})
        self.assertEqual(self.stats("answers")["httpCodes"], {"201": 1, "502": 2, "429": 1, "403": 1})
        self.assertIn("HTTP   200: 2   404: 1   503: 1\n", self.server.cli("stats", "site").stdout)
        # What an HTTP function says of itself is an error of a kind, too, and its trace is that of a failed call.
        self.assertEqual(self.stats("site")["errors"], {"handled": 1})
        failed = self.server.api("GET", "/_lambda/functions/site/traces?failed").json()["calls"]
        self.assertEqual([(call["requestId"], call["status"], call["errorType"]) for call in failed],
                         [(answers[3].headers["x-amzn-requestid"], 503, "Http.503")])

    def test_nobody_reads_them_without_a_key(self):
        for path in ("/metrics", "/_lambda/stats"):
            self.assertEqual(self.server.request("GET", path).status, 403, path)
            wrong = {"Authorization": f"Bearer lam_{'A' * 20}_{'b' * 40}"}
            self.assertEqual(self.server.request("GET", path, headers=wrong).status, 403, path)
        self.assertEqual(self.server.api("GET", "/_lambda/functions/nobody/stats").status, 404)
        # Prometheus' own key, one that may not look, and one that is for some functions: no text names others to it.
        self.deployed("own")
        self.deployed("others")
        for name, scope, function, expected in (("reading", "read", None, (200, 200, ["others", "own"])), ("calling", "invoke", None, (403, 403, None)),
                                                ("some", "read", "own", (403, 200, ["own"]))):
            made = self.server.cli("keys", "create", "--name", name, "--scope", scope, *(["--function", function] if function else []), "-o", "json")
            self.addCleanup(self.server.cli, "keys", "revoke", name, "-y", check=False)
            bearer = {"Authorization": f"Bearer {json.loads(made.stdout)['token']}"}
            text, stats = (self.server.request("GET", path, headers=bearer) for path in ("/metrics", "/_lambda/stats"))
            seen = sorted(one["name"] for one in stats.json()["functions"]) if stats.status == 200 else None
            self.assertEqual((text.status, stats.status, seen), expected, name)
        self.assertEqual(self.server.api("GET", "/_lambda/stats?x=1").status, 400)

    def test_promtool_has_nothing_against_it_and_every_metric_is_documented(self):
        self.deployed("checked")
        self.server.invoke("checked", {})
        self.server.invoke("checked", {"what": "raise"})
        # An event that waits.
        self.server.boto().put_function_concurrency(FunctionName="checked", ReservedConcurrentExecutions=0)
        self.server.api("POST", "/2015-03-31/functions/checked/invocations", {}, headers={"X-Amz-Invocation-Type": "Event"})
        reply = wait_for(lambda: (reply := self.server.api("GET", "/metrics")) and "lambda_queue_events" in reply.text and reply)
        self.assertEqual(reply.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8")
        self.assertEqual(promtool(reply.text), "")
        documented = (ROOT / "docs/metrics.md").read_text()
        for line in reply.text.splitlines():
            if line.startswith("# TYPE "):
                self.assertIn(f"`{line.split()[2]}`", documented)

    def test_deploys_and_schedules_are_counted(self):
        before = scrape(self.server)
        self.deployed("timed")
        self.server.deploy({"app.py": "raise ValueError('no')\n"}, "timed", "--handler", "app.handler", check=False)
        self.server.cli("schedule", "timed", "--cron", "@every 1s", "--data", "{}")

        def fired():
            seen = scrape(self.server)
            return seen.of("lambda_schedule_firings_total", outcome="fired") - before.of("lambda_schedule_firings_total", outcome="fired") >= 2 and seen
        after = wait_for(fired)
        for result in ("succeeded", "function_failed"):
            self.assertEqual(after.of("lambda_deploys_total", result=result) - before.of("lambda_deploys_total", result=result), 1, result)
        self.assertEqual(after.of("lambda_schedule_lateness_seconds_count"), after.of("lambda_schedule_firings_total", outcome="fired"))

    def test_a_scrape_under_load_misses_nothing(self):
        self.deployed("loaded")
        self.server.invoke("loaded", {})
        each, callers = 300, 4
        failures = []

        def call():
            for _ in range(each):
                if self.server.invoke("loaded", {}, tail=False).status != 200:
                    failures.append(1)
        threads = [threading.Thread(target=call) for _ in range(callers)]
        for thread in threads:
            thread.start()
        before, scrapes = {}, 0
        while any(thread.is_alive() for thread in threads):
            reply = self.server.api("GET", "/metrics")
            self.assertEqual(reply.status, 200)
            now = Scraped(reply.text).counters()
            back = {key: (value, now.get(key)) for key, value in before.items() if now.get(key, 0) < value}
            self.assertEqual(back, {}, "these went back")
            before, scrapes = now, scrapes + 1
        self.assertEqual(failures, [])
        self.assertGreater(scrapes, 3)
        self.assertEqual(scrape(self.server).of("lambda_invocations_total", function="loaded", version="1"), 1 + each * callers)


class OverRestarts(unittest.TestCase):
    """Totals go on, and no counter that was shown is less afterwards."""

    def setUp(self):
        self.server = LambdaServer("native").start()
        self.addCleanup(self.server.close)
        self.server.deploy({"app.py": WRONG}, "lasting", "--handler", "app.handler", "--timeout", "2")

    def kept(self):
        """Those that are counted over restarts."""
        names = ("lambda_invocations_total", "lambda_errors_total", "lambda_throttles_total", "lambda_cold_starts_total", "lambda_url_responses_total", "lambda_duration_seconds",
                 "lambda_init_duration_seconds", "lambda_server_")
        return {key: value for key, value in scrape(self.server).counters().items() if key[0].startswith(names)}

    def test_a_server_that_ends_takes_nothing_along(self):
        for _ in range(20):
            self.server.invoke("lasting", {})
        self.server.invoke("lasting", {"what": "raise"})
        self.assertEqual(self.server.get("lasting", "/").status, 200)
        self.assertEqual(self.server.stop(), 0)
        self.server.start()
        seen = scrape(self.server)
        self.assertEqual(seen.of("lambda_invocations_total", function="lasting", version="1"), 22)
        self.assertEqual(seen.of("lambda_url_responses_total", function="lasting", version="1", code="200"), 1)
        self.assertEqual(seen.of("lambda_errors_total", function="lasting", version="1", kind="handled"), 1)
        self.assertEqual(seen.of("lambda_duration_seconds_count", function="lasting", version="1"), 22)
        self.assertEqual(self.server.api("GET", "/_lambda/functions/lasting/stats").json()["invocations"], 22)

    def test_what_a_scrape_has_shown_survives_a_crash(self):
        for round_number in range(1, 4):
            for _ in range(7):
                self.server.invoke("lasting", {})
            shown = self.kept()
            self.server.kill()
            self.server.start()
            after = self.kept()
            self.assertEqual({key: (value, after.get(key)) for key, value in shown.items() if after.get(key, -1) < value}, {})
            self.assertEqual(after[("lambda_server_invocations_total", frozenset())], 7 * round_number)

    def test_no_scrape_shows_what_a_crash_in_the_next_moment_would_take(self):
        for _ in range(3):
            going = threading.Event()
            going.set()

            def call():
                while going.is_set():
                    try:
                        self.server.invoke("lasting", {}, tail=False)
                    except (OSError, http.client.HTTPException):
                        return
            callers = [threading.Thread(target=call) for _ in range(6)]
            for caller in callers:
                caller.start()
            time.sleep(2)
            shown = self.kept()
            self.server.kill()
            going.clear()
            for caller in callers:
                caller.join()
            self.server.start()
            after = self.kept()
            self.assertEqual({key: (value, after.get(key)) for key, value in shown.items() if after.get(key, -1) < value}, {})

    def test_a_crash_takes_no_more_than_the_last_seconds(self):
        for _ in range(9):
            self.server.invoke("lasting", {})
        time.sleep(11.5)  # they are saved every ten
        self.server.invoke("lasting", {})
        self.server.kill()
        self.server.start()
        self.assertIn(scrape(self.server).of("lambda_invocations_total", function="lasting", version="1"), (9, 10))


class OpenMetrics(unittest.TestCase):
    def test_metrics_open_is_for_metrics_alone(self):
        with LambdaServer("native", ["--metrics-open"]) as server:
            self.assertEqual(promtool(server.request("GET", "/metrics").text), "")
            self.assertEqual(server.request("GET", "/_lambda/stats").status, 403)
            self.assertEqual(server.request("GET", "/_lambda/functions").status, 403)


class ThousandsOfFunctions(unittest.TestCase):
    COUNT = 3_000

    def test_a_scrape_of_thousands_holds_up_nobody(self):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("app.py", "def handler(event, context):\n    return 1\n")
        made = {"Runtime": "python3.11", "Role": "arn:aws:iam::000000000000:role/x", "Handler": "app.handler",
                "Code": {"ZipFile": base64.b64encode(packed.getvalue()).decode()}}
        with LambdaServer("native") as server:
            def make(first):
                for number in range(first, self.COUNT, 8):
                    name = f"many-{number}"
                    self.assertEqual(server.api("POST", "/2015-03-31/functions", {"FunctionName": name, **made}).status, 201)
                    server.api("PUT", f"/2017-10-31/functions/{name}/concurrency", {"ReservedConcurrentExecutions": 0})
                    self.assertEqual(server.invoke(name, {}).status, 429)
            makers = [threading.Thread(target=make, args=(first,)) for first in range(8)]
            for maker in makers:
                maker.start()
            for maker in makers:
                maker.join()
            began = time.monotonic()
            reply = server.api("GET", "/metrics")
            took = time.monotonic() - began
            seen = Scraped(reply.text)
            self.assertEqual(seen.of("lambda_metrics_series"), self.COUNT)
            self.assertEqual(seen.total("lambda_throttles_total"), self.COUNT)
            self.assertEqual(promtool(reply.text), "")
            self.assertLess(took, 20)
            # Meanwhile others are answered as ever.
            scraping = threading.Thread(target=server.api, args=("GET", "/metrics"))
            scraping.start()
            slowest = 0
            while scraping.is_alive():
                began = time.monotonic()
                self.assertEqual(server.request("GET", "/_lambda/health").status, 200)
                slowest = max(slowest, time.monotonic() - began)
            self.assertLess(slowest, 1)
            self.assertEqual(len(server.api("GET", "/_lambda/stats").json()["functions"]), self.COUNT)
            print(json.dumps({"functions": self.COUNT, "bytes": len(reply.body), "seconds": round(took, 2), "slowest other": round(slowest, 3)}))


if __name__ == "__main__":
    unittest.main()
