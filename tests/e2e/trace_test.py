"""One call, explained: what is kept of it, how it is drawn, whose trace it belongs to, and what a collector gets."""

import json
import re
import threading
import time
import unittest
import uuid

from event_server import EventTest
from lambda_server import LambdaServer, ServerTest, on_both_drivers
from webhook_receiver import Receiver

CODE = """
import base64, json, os, time
def handler(event, context):
    if "body" in event:
        event = {**event, **json.loads(base64.b64decode(event["body"]))}
    if event.get("sleep"):
        time.sleep(event["sleep"])
    if event.get("fail"):
        raise ValueError("no such luck")
    return {"headers": event.get("headers"), "trace": os.environ.get("_X_AMZN_TRACE_ID")}
"""

HTTP = """
import json, os, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Site(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = json.dumps({name.lower(): value for name, value in self.headers.items()}).encode()
        self.send_response(418 if self.path == "/teapot" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_POST = do_GET
    def log_message(self, *_): pass
ThreadingHTTPServer(("", int(os.environ["PORT"])), Site).serve_forever()
"""

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"


def wait_for(find, seconds=20):
    """What `find` finds, once it does."""
    until = time.monotonic() + seconds
    while not (found := find()):
        if time.monotonic() > until:
            raise AssertionError(f"nothing came within {seconds} s")
        time.sleep(0.05)
    return found


class Traces(ServerTest):
    def calls(self, identity):
        reply = self.server.api("GET", f"/_lambda/traces/{identity}")
        return reply.json()["calls"] if reply.status == 200 else []

    def call(self, identity):
        calls = wait_for(lambda: self.calls(identity))
        self.assertEqual(len(calls), 1, calls)
        return calls[0]

    def invoke(self, name, event=None, **headers):
        return self.server.api("POST", f"/_lambda/functions/{name}/invocations", body={} if event is None else event,
                               headers={name.replace("_", "-"): value for name, value in headers.items()})


@on_both_drivers
class Recorded(Traces):
    def test_a_cold_call_has_all_its_steps_in_order_and_a_warm_one_few(self):
        self.server.deploy({"app.py": CODE}, "steps")
        path = "/2015-03-31/functions/steps/configuration"
        self.assertEqual(self.server.api("PUT", path, {"Description": "another draft"}).status, 200)
        replies = [self.server.api("POST", "/2015-03-31/functions/steps/invocations", {}) for _ in range(2)]
        cold, warm = (self.call(reply.headers["x-amzn-requestid"]) for reply in replies)
        self.assertEqual((cold["cold"], warm["cold"]), (True, False), (cold, warm))
        native = self.server.driver == "native"
        steps = {step["step"]: step for step in cold["steps"]}
        inside = ["create", "clone", "launch"]
        if native:
            inside = ["stem", "mount", "launch"] if "stem" in steps else ["cgroup", "clone", "mount", "launch"]
        self.assertEqual([name for name in steps if name != "waiting"], ["sandbox", *inside, "init", "handler", "response"])
        ends = 0
        for name in ("sandbox", "init", "handler", "response"):
            self.assertGreaterEqual(steps[name]["begin"], ends - 1, cold)
            ends = steps[name]["begin"] + steps[name]["duration"]
        self.assertLessEqual(ends, cold["duration"] + 1)
        for name in inside:
            self.assertGreater(steps[name]["duration"], 0, cold)
            self.assertGreaterEqual(steps[name]["begin"], steps["sandbox"]["begin"] - 1)
            self.assertLessEqual(steps[name]["begin"] + steps[name]["duration"], steps["init"]["begin"] + 1000)
        self.assertEqual([step["step"] for step in warm["steps"] if step["step"] != "waiting"], ["handler", "response"])
        self.assertEqual((warm["function"], warm["version"], warm["source"], warm["attempt"], warm["end"]), ("steps", "$LATEST", "api", 1, "success"))
        self.assertEqual(warm["instance"], cold["instance"])
        self.assertGreater(cold["memoryPeak"], 1 << 20)
        self.assertEqual((cold["payloadBytes"], cold["responseBytes"]), (2, len(replies[0].body)))


class Kept(Traces):
    driver = "native"
    flags = ("--slow-call", "0")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.deploy({"app.py": CODE}, "traced")
        cls.server.deploy({"server.py": HTTP}, "site", "--kind", "http", "--handler", "server.py")

    def test_a_call_at_its_url_and_one_that_fails(self):
        reply = self.server.post("traced", b'{"fail": true}')
        call = self.call(reply.headers["x-amzn-requestid"])
        self.assertEqual((call["end"], call["errorType"], call["source"], call["qualifier"]), ("handler_error", "ValueError", "url", "live"))

    def test_what_is_throttled_says_why(self):
        path = "/2017-10-31/functions/traced/concurrency"
        self.assertEqual(self.server.api("PUT", path, {"ReservedConcurrentExecutions": 0}).status, 200)
        try:
            reply = self.invoke("traced")
        finally:
            self.server.api("DELETE", path)
        self.assertEqual(reply.status, 429)
        call = self.call(reply.headers["x-amzn-requestid"])
        self.assertEqual((call["end"], call["reason"], call["steps"]), ("throttled", "Rate Exceeded.", []))

    def test_an_http_function_has_its_status_and_sizes(self):
        reply = self.server.post("site", b"12345", path="/teapot")
        call = self.call(reply.headers["x-amzn-requestid"])
        self.assertEqual((call["status"], call["http"], call["payloadBytes"], call["responseBytes"]), (418, True, 5, len(reply.body)))
        self.assertEqual([step["step"] for step in call["steps"]][-2:], ["handler", "response"])

    def test_lists_of_a_function(self):
        self.server.deploy({"app.py": CODE}, "listed")
        good = self.invoke("listed").headers["x-amzn-requestid"]
        bad = self.invoke("listed", {"fail": True}).headers["x-amzn-requestid"]

        def listed(query):
            return [call["requestId"] for call in self.server.api("GET", "/_lambda/functions/listed/traces" + query).json()["calls"]]
        self.assertEqual(wait_for(lambda: listed("")), [bad, good])
        self.assertEqual(listed("?failed"), [bad])
        self.assertEqual(listed("?failed=false&limit=1"), [bad])
        self.assertEqual(listed("?slow"), [])
        for wrong in ("?limit=0", "?limit=x", "?slow=perhaps", "?quick"):
            self.assertEqual(self.server.api("GET", "/_lambda/functions/listed/traces" + wrong).status, 400, wrong)
        self.assertEqual(self.server.api("GET", "/_lambda/functions/nobody/traces").status, 404)

    def test_an_unknown_id_says_what_is_kept(self):
        for identity in (uuid.uuid4(), "x" * 5000, "%22%00%ff"):
            reply = self.server.api("GET", f"/_lambda/traces/{identity}")
            self.assertEqual(reply.status, 404)
        self.assert_fails(self.server.cli("trace", "61e4", check=False), 5, 'no call with the request id "61e4" is known', "lambda trace --function NAME")

    def test_the_command_line_draws_it(self):
        done = self.server.cli("invoke", "traced", "-d", '{"sleep": 0.05}', "--timing")
        self.assertRegex(done.stderr, r"(?m)^  handler +#+ +\d\d\.\d ms$")
        identity = re.search(r"(?m)^request (\S+)$", done.stderr)[1]
        shown = self.server.cli("trace", identity).stdout
        self.assertEqual(shown, done.stderr)
        self.assertRegex(shown, r"(?m)^traced:live  version \d+$")
        table = self.server.cli("trace", "--function", "traced", "-n", "1").stdout
        self.assertRegex(table, rf"(?m)^{identity}  \S+  success +\d+\.\d ms")
        self.assertEqual(json.loads(self.server.cli("trace", identity, "-o", "json").stdout)["calls"][0]["requestId"], identity)
        self.assert_fails(self.server.cli("trace", check=False), 2, "which call?")
        self.assert_fails(self.server.cli("trace", "--function", "nobody", check=False), 5, "nobody")

    # --- W3C Trace Context

    def test_a_traceparent_is_taken_over_and_mapped_for_handlers(self):
        reply = self.server.get("traced", headers={"traceparent": TRACEPARENT, "tracestate": "a=1"})
        call = self.call(reply.headers["x-amzn-requestid"])
        self.assertEqual((call["traceId"], call["parentSpanId"]), (TRACE, PARENT))
        amzn = f"Root=1-{TRACE[:8]}-{TRACE[8:]};Parent={call['spanId']};Sampled=1"
        seen = reply.json()
        self.assertEqual(seen["trace"], amzn)
        self.assertEqual((seen["headers"]["traceparent"], seen["headers"]["tracestate"], seen["headers"]["x-amzn-trace-id"]), (TRACEPARENT, "a=1", amzn))
        reply = self.invoke("traced", traceparent=TRACEPARENT)
        self.assertEqual(self.call(reply.headers["x-amzn-requestid"])["traceId"], TRACE)
        self.assertEqual(reply.json()["trace"].split(";")[0], f"Root=1-{TRACE[:8]}-{TRACE[8:]}")

    def test_what_is_malformed_is_replaced_and_what_is_missing_made(self):
        for headers in ({}, {"traceparent": "00-zz"}, {"traceparent": TRACEPARENT.upper(), "tracestate": "a=1"}):
            reply = self.server.get("site", headers=headers)
            call = self.call(reply.headers["x-amzn-requestid"])
            self.assertRegex(call["traceId"], "^[0-9a-f]{32}$")
            self.assertEqual((call["parentSpanId"], reply.json()["traceparent"]), ("", f"00-{call['traceId']}-{call['spanId']}-00"))
            self.assertNotIn("tracestate", reply.json())
            self.assertNotEqual(call["traceId"], TRACE)

    def test_an_http_function_gets_the_calls_own_span_as_parent(self):
        reply = self.server.get("site", headers={"traceparent": TRACEPARENT, "tracestate": "a=1,b=2"})
        call = self.call(reply.headers["x-amzn-requestid"])
        self.assertEqual((reply.json()["traceparent"], reply.json()["tracestate"]), (f"00-{TRACE}-{call['spanId']}-01", "a=1,b=2"))
        reply = self.invoke("site", traceparent=TRACEPARENT)
        self.assertRegex(reply.json()["traceparent"], rf"^00-{TRACE}-[0-9a-f]{{16}}-01$")

    def test_an_amzn_trace_id_is_passed_on_as_it_was_sent(self):
        sent = f"Root=1-{TRACE[:8]}-{TRACE[8:]};Parent={PARENT};Sampled=0"
        reply = self.invoke("traced", X_Amzn_Trace_Id=sent)
        self.assertEqual((reply.json()["trace"], reply.headers["x-amzn-trace-id"]), (sent, sent))
        call = self.call(reply.headers["x-amzn-requestid"])
        self.assertEqual((call["traceId"], call["parentSpanId"]), (TRACE, PARENT))


class Restarts(unittest.TestCase):
    def test_slow_and_failed_calls_outlive_a_server_that_is_killed(self):
        with LambdaServer(flags=["--slow-call", "1500"]) as server:
            server.deploy({"app.py": CODE}, "traced")

            def call(event):
                return server.invoke("traced", event).headers["x-amzn-requestid"]
            quick, slow, failed = call({}), call({"sleep": 2}), call({"fail": True})
            time.sleep(1)
            server.kill()
            server.start()

            def status(identity):
                return server.api("GET", f"/_lambda/traces/{identity}").status
            self.assertEqual((status(quick), status(slow), status(failed)), (404, 200, 200))
            listed = server.api("GET", "/_lambda/functions/traced/traces?slow").json()["calls"]
            self.assertIn((slow, True), [(one["requestId"], one["slow"]) for one in listed])
            self.assertEqual(server.stop(), 0)
            files = list((server.data / "traces").iterdir())
            self.assertTrue(files)
            self.assertEqual([file.stat().st_mode & 0o777 for file in files], [0o600] * len(files))


class Events(EventTest):
    def test_the_attempts_of_an_event_are_drawn_below_each_other_and_are_of_one_trace(self):
        identity = self.server.api("POST", "/_lambda/functions/counter/invocations", body={"key": "t", "failures": 1},
                                   headers={"X-Amz-Invocation-Type": "Event", "traceparent": TRACEPARENT}).headers["x-amzn-requestid"]
        self.succeeded(identity)
        calls = self.server.api("GET", f"/_lambda/traces/{identity}").json()["calls"]
        self.assertEqual([(call["attempt"], call["end"], call["source"]) for call in calls], [(1, "handler_error", "queue"), (2, "success", "queue")])
        self.assertEqual({(call["traceId"], call["parentSpanId"]) for call in calls}, {(TRACE, PARENT)})
        self.assertEqual(len({call["spanId"] for call in calls}), 2)
        # Since when it was in the queue, and how long.
        self.assertEqual(len({call["accepted"] for call in calls}), 1)
        self.assertLessEqual(calls[0]["accepted"], calls[0]["time"])
        shown = self.server.cli("trace", identity).stdout
        self.assertRegex(shown, r"(?m)^accepted \S+Z, [\d.]+ m?s before attempt 1$")
        self.assertRegex(shown, r"(?s)attempt 1 .*handler_error: ValueError.*: [\d.]+ m?s until the next attempt.*attempt 2 .*success")

    def test_a_schedules_events_have_a_trace_that_lasts(self):
        self.server.cli("schedule", "counter", "--name", "traced", "--cron", "0 0 1 1 *", "-d", '{"key": "s", "failures": 1}')
        self.server.cli("schedule", "run", "counter", "--name", "traced")
        listed = wait_for(lambda: [call for call in self.server.api("GET", "/_lambda/functions/counter/traces?limit=50").json()["calls"]
                                   if call["source"] == "schedule" and call["attempt"] == 2])
        calls = self.server.api("GET", f"/_lambda/traces/{listed[0]['requestId']}").json()["calls"]
        self.assertEqual(len(calls), 2)
        self.assertEqual(len({call["traceId"] for call in calls}), 1)


class Collector(Receiver):
    """Of OTLP over HTTP."""

    def spans(self):
        with self.seen:
            bodies = [json.loads(one.body) for one in self.received]
        return [(resource["resource"], span) for body in bodies for resource in body["resourceSpans"]
                for scope in resource["scopeSpans"] for span in scope["spans"]]

    def of_request(self, identity):
        """The server span of a call, with the spans of its steps; nothing before they have come."""
        for resource, span in self.spans():
            if attributes(span).get("faas.invocation_id") == identity:
                return resource, span, [other for _, other in self.spans() if other.get("parentSpanId") == span["spanId"]]
        return None


def attributes(of):
    return {one["key"]: next(iter(one["value"].values())) for one in of.get("attributes", [])}


class Exported(unittest.TestCase):
    def test_a_collector_gets_a_span_for_each_call_and_step(self):
        with Collector(lambda _: 200) as collector, LambdaServer(flags=[
                "--otlp-endpoint", collector.url(""), "--otlp-headers", "x-team=a=b", "--otlp-headers", "Authorization=Bearer k"]) as server:
            server.deploy({"app.py": CODE}, "traced")
            good = server.api("POST", "/_lambda/functions/traced/invocations", {}, headers={"traceparent": TRACEPARENT})
            bad = server.post("traced", b'{"fail": true}')
            untold = server.api("POST", "/_lambda/functions/traced/invocations", {}, headers={"traceparent": TRACEPARENT[:-1] + "0"})
            self.assertIn("Sampled=1", bad.headers.get("x-amzn-trace-id") or server.invoke("traced", {}).json()["trace"])
            resource, span, steps = wait_for(lambda: collector.of_request(good.headers["x-amzn-requestid"]))
            self.assertEqual((span["traceId"], span["parentSpanId"], span["name"], span["kind"]), (TRACE, PARENT, "traced", 2))
            self.assertEqual(attributes(resource)["service.name"], "traced")
            self.assertLessEqual(abs(int(span["startTimeUnixNano"]) / 1e9 - time.time()), 60)
            self.assertLess(int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"]))
            self.assertNotIn("status", span)
            self.assertIn("handler", [step["name"] for step in steps])
            self.assertEqual({(step["traceId"], step["kind"]) for step in steps}, {(TRACE, 1)})
            _, failed, _ = wait_for(lambda: collector.of_request(bad.headers["x-amzn-requestid"]))
            self.assertEqual((failed["status"]["code"], attributes(failed)["error.type"], attributes(failed)["faas.trigger"]), (2, "ValueError", "http"))
            self.assertIsNone(collector.of_request(untold.headers["x-amzn-requestid"]))
            first = collector.received[0]
            self.assertEqual((first.path, first.headers["Content-Type"], first.headers["x-team"], first.headers["Authorization"]),
                             ("/v1/traces", "application/json", "a=b", "Bearer k"))
            # What came last is sent before the server ends.
            last = server.invoke("traced", {}).headers["x-amzn-requestid"]
            self.assertEqual(server.stop(), 0)
            self.assertTrue(collector.of_request(last))

    def test_a_webhook_is_a_span_below_the_call_that_it_reports(self):
        answers = [500]
        with Collector(lambda _: 200) as collector, Receiver(lambda _: answers.pop() if answers else 204) as receiver, LambdaServer(flags=[
                "--otlp-endpoint", collector.url(""), "--webhook-networks", "127.0.0.0/8", "--webhook-retry-delay", "1"]) as server:
            server.deploy({"app.py": CODE}, "traced")
            server.deploy({"app.py": CODE}, "next")
            config = {"DestinationConfig": {"OnSuccess": {"Destination": receiver.url("/good")}, "OnFailure": {"Destination": receiver.url("/bad")}},
                      "MaximumRetryAttempts": 0}
            self.assertEqual(server.api("PUT", "/2019-09-25/functions/traced/event-invoke-config", config).status, 200)

            def submit(event, **headers):
                return server.api("POST", "/_lambda/functions/traced/invocations", event, {"X-Amz-Invocation-Type": "Event", **headers}).headers["x-amzn-requestid"]

            def spans_of(webhook):
                return [span for _, span in collector.spans() if attributes(span).get("lambda.webhook_id") == webhook.headers["webhook-id"]]

            identity = submit({}, traceparent=TRACEPARENT, tracestate="a=1")
            first, second = receiver.wait_for(2, "/good")
            _, call, _ = wait_for(lambda: collector.of_request(identity))
            self.assertEqual((call["traceId"], call["parentSpanId"], call["traceState"]), (TRACE, PARENT, "a=1"))
            sent = wait_for(lambda: sorted(spans, key=lambda span: span["startTimeUnixNano"]) if len(spans := spans_of(first)) == 2 else None)
            self.assertEqual([(span["name"], span["kind"], attributes(span)["http.response.status_code"], span["traceState"]) for span in sent],
                             [("webhook traced", 3, "500", "a=1"), ("webhook traced", 3, "204", "a=1")])
            self.assertEqual({(span["traceId"], span["parentSpanId"]) for span in sent}, {(TRACE, call["spanId"])})
            self.assertEqual(sent[0]["status"]["code"], 2)
            self.assertEqual([(one.headers["traceparent"], one.headers["tracestate"]) for one in (first, second)],
                             [(f"00-{TRACE}-{span['spanId']}-01", "a=1") for span in sent])

            # Of a trace that is begun here, and of a call that failed.
            identity = submit({"fail": True})
            failed = receiver.wait_for(1, "/bad")[0]
            _, call, _ = wait_for(lambda: collector.of_request(identity))
            span = wait_for(lambda: spans_of(failed))[0]
            self.assertEqual((failed.headers["traceparent"], span["parentSpanId"]), (f"00-{call['traceId']}-{span['spanId']}-01", call["spanId"]))
            self.assertNotIn("tracestate", failed.headers)
            self.assertNotEqual(call["traceId"], TRACE)

            # A schedule's event has its own trace, and another function is below the call as a webhook is.
            config["DestinationConfig"]["OnSuccess"]["Destination"] = "arn:aws:lambda:us-east-1:000000000000:function:next"
            self.assertEqual(server.api("PUT", "/2019-09-25/functions/traced/event-invoke-config", config).status, 200)
            server.cli("schedule", "traced", "--name", "s", "--cron", "0 0 1 1 *")
            traces = set()
            for count in (1, 2):
                server.cli("schedule", "run", "traced", "--name", "s")
                nexts = wait_for(lambda: calls if len(calls := server.api("GET", "/_lambda/functions/next/traces").json()["calls"]) == count else None)
                above = [one for one in server.api("GET", "/_lambda/functions/traced/traces").json()["calls"] if one["source"] == "schedule"]
                self.assertEqual({(one["traceId"], one["parentSpanId"]) for one in nexts}, {(one["traceId"], one["spanId"]) for one in above})
                traces |= {one["traceId"] for one in above}
            self.assertEqual(len(traces), 2)

    def test_a_collector_that_is_busy_is_asked_again_and_one_that_refuses_is_not(self):
        answers = [503, (429, {"Retry-After": "1"})]
        with Collector(lambda _: answers.pop(0) if answers else 200) as collector, LambdaServer(flags=["--otlp-endpoint", collector.url("/v1/traces")]) as server:
            server.deploy({"app.py": CODE}, "traced")
            identity = server.invoke("traced", {}).headers["x-amzn-requestid"]
            wait_for(lambda: len(collector.received) >= 3)
            self.assertTrue(collector.of_request(identity))
            self.assertEqual(len({one.body for one in collector.received[:3]}), 1)
            collector.answer = lambda _: 400
            server.invoke("traced", {})
            wait_for(lambda: "were not exported" in server.log_text())
            self.assertIn("it answered with the status 400", server.log_text())

    def test_without_a_collector_calls_are_as_quick_as_ever(self):
        hanging = threading.Event()

        def hang(_):
            hanging.wait(60)
            return 200
        with Collector(hang) as collector, LambdaServer(flags=["--otlp-endpoint", collector.url()]) as server:
            server.deploy({"app.py": CODE}, "traced")
            server.invoke("traced", {})
            wait_for(lambda: collector.received)
            began = time.monotonic()
            for _ in range(200):
                self.assertEqual(server.invoke("traced", {}).status, 200)
            self.assertLess(time.monotonic() - began, 10)
            began = time.monotonic()
            self.assertEqual(server.stop(), 0)
            self.assertLess(time.monotonic() - began, 12)
            hanging.set()

    def test_of_a_share_some_are_exported(self):
        with Collector(lambda _: 200) as collector, LambdaServer(flags=["--otlp-endpoint", collector.url(), "--otlp-sample", "0"]) as server:
            server.deploy({"app.py": CODE}, "traced")
            self.assertTrue(server.invoke("traced", {}).json()["trace"].endswith("Sampled=0"))
            told = server.api("POST", "/_lambda/functions/traced/invocations", {}, headers={"traceparent": TRACEPARENT})
            wait_for(lambda: collector.of_request(told.headers["x-amzn-requestid"]))
            names = {attributes(span).get("faas.invocation_id") for _, span in collector.spans()} - {None}
            self.assertEqual(names, {told.headers["x-amzn-requestid"]})


if __name__ == "__main__":
    unittest.main()
