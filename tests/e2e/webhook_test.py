"""Where results go: webhooks, their signatures and retries, what they may reach; dead letters; destinations that lead in a circle."""

import json
import os
import re
import socket
import subprocess
import threading
import time
import unittest

from lambda_server import ROOT, LambdaServer, ServerTest
from webhook_receiver import Receiver, is_signed

ECHO = '''
def handler(event, context):
    if isinstance(event, dict) and event.get("fail"):
        raise ValueError(event["fail"])
    return {"got": event}
'''
LAMBDA_ARN = "arn:aws:lambda:us-east-1:000000000000:function:"
QUICK = ["--retry-delay", "1", "--webhook-retry-delay", "1", "--webhook-timeout", "2"]
LOOPBACK = ["--webhook-networks", "127.0.0.0/8"]


class WebhookTest(ServerTest):
    driver = "native"
    flags = [*QUICK, *LOOPBACK]

    def function(self, name, **config):
        self.server.deploy({"app.py": ECHO}, name, "--handler", "app.handler")
        if config:
            self.configure(name, **config)

    def configure(self, name, success=None, failure=None, retries=0):
        body = {"MaximumRetryAttempts": retries, "DestinationConfig": {}}
        if success:
            body["DestinationConfig"]["OnSuccess"] = {"Destination": success}
        if failure:
            body["DestinationConfig"]["OnFailure"] = {"Destination": failure}
        reply = self.put_config(name, body)
        self.assertEqual(reply.status, 200, reply)

    def put_config(self, name, body):
        return self.server.api("PUT", f"/2019-09-25/functions/{name}/event-invoke-config", body)

    def submit(self, name, event):
        reply = self.server.api("POST", f"/2015-03-31/functions/{name}/invocations", event, {"X-Amz-Invocation-Type": "Event"})
        self.assertEqual(reply.status, 202, reply)
        return reply.headers["x-amzn-requestid"]

    def events(self, name, state="dead"):
        return self.server.api("GET", f"/_lambda/functions/{name}/events?state={state}&limit=1000").json()["events"]

    def at_work(self, name):
        """How many events wait or run, at one moment."""
        functions = self.server.api("GET", f"/_lambda/queue?function={name}").json()["functions"]
        return sum(one["waiting"] + one["running"] for one in functions)

    def event(self, identity, *states, timeout=20):
        """An event, once it is in one of these states."""
        deadline = time.monotonic() + timeout
        while (event := self.server.api("GET", f"/_lambda/events/{identity}").json()).get("state") not in states:
            self.assertLess(time.monotonic(), deadline, event)
            time.sleep(0.02)
        return event

    def dead(self, name, timeout=20, count=1):
        deadline = time.monotonic() + timeout
        while len(events := self.events(name)) < count:
            self.assertLess(time.monotonic(), deadline, self.events(name, "waiting"))
            time.sleep(0.05)
        return events

    def secret(self, name):
        return self.server.cli("queue", "secret", name).stdout.strip()


class Deliveries(WebhookTest):
    def test_a_result_is_delivered_signed_in_awss_shape(self):
        with Receiver() as receiver:
            self.function("good", success=receiver.url("/in?a=b"))
            identity = self.submit("good", {"x": [1, "ü"]})
            [received] = receiver.wait_for(1, "/in?a=b")
            self.assertTrue(is_signed(self.secret("good"), received.headers, received.body))
            self.assertFalse(is_signed(self.secret("good"), received.headers, received.body + b" "))
            self.assertEqual(received.headers["Content-Type"], "application/json")
            self.assertRegex(received.headers["User-Agent"], r"^lambdad/\d")
            record = json.loads(received.body)
            self.assertRegex(record.pop("timestamp"), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
            version = record["responseContext"].pop("executedVersion")
            self.assertEqual(record, {
                "version": "1.0",
                "requestContext": {"requestId": identity, "functionArn": f"{LAMBDA_ARN}good:$LATEST", "condition": "Success",
                                   "approximateInvokeCount": 1},
                "requestPayload": {"x": [1, "ü"]}, "responseContext": {"statusCode": 200},
                "responsePayload": {"got": {"x": [1, "ü"]}}})
            self.assertIn(version, ("$LATEST", "1"))
            delivery = self.event(received.headers["webhook-id"], "succeeded")
            self.assertEqual((delivery["source"], delivery["url"], delivery["function"], delivery["failedAttempts"]),
                             ("destination", receiver.url("/in?a=b"), "good", 0))
            shown = self.server.cli("queue", "show", received.headers["webhook-id"]).stdout
            self.assertRegex(shown, rf"Webhook +{receiver.url('/in')}")

    def test_the_receivers_of_the_documentation_take_it(self):
        page = (ROOT / "docs/events.md").read_text().split("### Is it from my server?")[1]
        python, node = (re.search(rf"```{language}\n(.*?)```", page, re.DOTALL)[1] for language in ("python", "js"))
        with Receiver() as receiver:
            self.function("documented", success=receiver.url())
            self.submit("documented", {"x": "ü"})
            [received] = receiver.wait_for(1)
        secret, headers = self.secret("documented"), {name.lower(): value for name, value in received.headers.items()}
        late = {**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) - 600)}
        cases = ((secret, headers, received.body, True), (secret, headers, received.body + b" ", False), (secret, late, received.body, False),
                 (self.other_secret(secret), headers, received.body, False))
        names = {}
        exec(python, names)  # the page's own code
        program = self.server.folder({"verify.mjs": node, "run.mjs":
                                      'import { verify } from "./verify.mjs";\nconst { secret, headers, body } = JSON.parse(process.argv[2]);\n'
                                      'console.log(verify(secret, headers, Buffer.from(body)));\n'})
        for key, sent, body, expected in cases:
            self.assertEqual(names["verify"](key, sent, body), expected)
            given = json.dumps({"secret": key, "headers": sent, "body": body.decode()})
            done = subprocess.run(["node", program / "run.mjs", given], capture_output=True, text=True, check=True)
            self.assertEqual(done.stdout.strip(), json.dumps(expected))

    @staticmethod
    def other_secret(secret):
        return secret[:10] + ("A" if secret[10] != "A" else "B") + secret[11:]

    def test_a_failure_is_told_and_a_success_is_not(self):
        with Receiver() as receiver:
            self.function("bad", failure=receiver.url())
            self.submit("bad", {})
            identity = self.submit("bad", {"fail": "no luck"})
            [received] = receiver.wait_for(1)
            record = json.loads(received.body)
            self.assertEqual(record["requestContext"]["condition"], "RetriesExhausted")
            self.assertEqual(record["requestContext"]["requestId"], identity)
            self.assertEqual(record["responseContext"]["functionError"], "Unhandled")
            self.assertEqual(record["responsePayload"]["errorMessage"], "no luck")
            time.sleep(0.5)
            self.assertEqual(len(receiver.of("/")), 1)

    def test_one_that_fails_is_retried_with_the_same_id_until_it_recovers(self):
        statuses = [500, 503, 200]
        with Receiver(lambda received: statuses.pop(0)) as receiver:
            self.function("flaky", success=receiver.url())
            self.submit("flaky", {})
            attempts = receiver.wait_for(3)
            self.assertEqual(len({one.headers["webhook-id"] for one in attempts}), 1)
            self.assertEqual(len({one.body for one in attempts}), 1)
            for one in attempts:
                self.assertTrue(is_signed(self.secret("flaky"), one.headers, one.body))
            waits = [later.at - earlier.at for earlier, later in zip(attempts, attempts[1:])]
            self.assertGreater(waits[0], 0.9)
            self.assertGreater(waits[1], 2.9)
            delivery = self.event(attempts[0].headers["webhook-id"], "succeeded")
            self.assertEqual(delivery["failedAttempts"], 2)

    def test_one_that_is_gone_is_dead_at_once_and_may_be_redriven(self):
        statuses = [410, 200]
        with Receiver(lambda received: statuses.pop(0)) as receiver:
            self.function("gone", success=receiver.url())
            self.submit("gone", {"n": 1})
            [delivery] = self.dead("gone")
            self.assertEqual((delivery["errorType"], delivery["failedAttempts"]), ("Webhook.Gone", 1))
            self.assertIn("410", delivery["errorMessage"])
            self.server.cli("queue", "redrive", "gone")
            self.assertEqual(self.event(delivery["id"], "succeeded")["url"], receiver.url())
            first, second = receiver.wait_for(2)
            self.assertEqual(first.headers["webhook-id"], second.headers["webhook-id"])

    def test_a_redirect_is_not_followed_and_the_error_says_what_to_do(self):
        with Receiver() as internal:
            with Receiver(lambda received: (302, {"Location": internal.url("/admin")})) as receiver:
                self.function("moved", success=receiver.url())
                self.submit("moved", {})
                identity = receiver.wait_for(1)[0].headers["webhook-id"]
                deadline = time.monotonic() + 10
                while not (delivery := self.event(identity, "waiting", "running"))["errorType"]:
                    self.assertLess(time.monotonic(), deadline)
                self.assertEqual(delivery["errorType"], "Webhook.Redirect")
                for words in ("302", internal.url("/admin"), "not followed", "configure the final address"):
                    self.assertIn(words, delivery["errorMessage"])
                receiver.wait_for(2)
                self.assertEqual(internal.received, [])

    def test_one_that_hangs_holds_up_neither_its_function_nor_other_webhooks(self):
        over = threading.Event()
        with Receiver(lambda received: 204 if received.path == "/works" else (over.wait(60), 204)[1]) as receiver:
            self.function("hangs", success=receiver.url("/hangs"), failure=receiver.url("/works"))
            self.function("beside", success=receiver.url("/works"))
            for _ in range(30):
                self.submit("hangs", {})
            receiver.wait_for(1, "/hangs")
            began = time.monotonic()
            # Another function's events and webhooks, its own events, and its own other webhook.
            for n in range(20):
                self.submit("beside", {"n": n})
            receiver.wait_for(20, "/works")
            identity = self.submit("hangs", {"fail": "x"})
            self.event(identity, "dead")
            receiver.wait_for(21, "/works")
            # One attempt at the one that hangs takes 2 s here, and 30 of them wait.
            self.assertLess(time.monotonic() - began, 4)
            # The one that works has been received; that it was is noted a moment later.
            deadline = time.monotonic() + 10
            while self.at_work("hangs") != 30:
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.02)
            over.set()
            deadline = time.monotonic() + 60
            while self.at_work("hangs"):
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.1)
            # And in the end none of them is lost: each was sent, and taken.
            sent = {one.headers["webhook-id"] for one in receiver.of("/hangs")}
            self.assertEqual(len(sent), 30)
            taken = {one["id"] for one in self.events("hangs", "succeeded") if one["url"] == receiver.url("/hangs")}
            self.assertEqual(taken, sent)

    def test_a_hundred_that_hang_delay_neither_a_new_one_nor_one_that_works(self):
        over = threading.Event()
        flags = [*LOOPBACK, "--webhook-timeout", "60"]
        with LambdaServer("native", flags) as self.server, Receiver(lambda received: (over.wait(100), 204)[1]) as broken, Receiver() as good:
            for name in ("hangs", "works"):
                self.function(name)
            self.configure("works", success=good.url("/known"))
            self.submit("works", {})
            good.wait_for(1, "/known")
            for n in range(100):
                self.configure("hangs", success=broken.url(f"/{n}"))
                self.event(self.submit("hangs", {}), "succeeded")
            self.assertEqual(len(broken.wait_for(100, path=None)), 100)
            began = time.monotonic()
            for path in ("/known", "/new"):
                self.configure("works", success=good.url(path))
                for n in range(20):
                    self.event(self.submit("works", {"n": n}), "succeeded")
            good.wait_for(21, "/known")
            good.wait_for(20, "/new")
            self.assertLess(time.monotonic() - began, 30)  # before any of those that hang is given up
            self.assertEqual(self.at_work("hangs"), 100)
            over.set()

    def test_the_time_limit_is_told(self):
        over = threading.Event()
        with Receiver(lambda received: (over.wait(60), 204)[1]) as receiver:
            self.function("slow", success=receiver.url())
            self.submit("slow", {})
            identity = receiver.wait_for(2)[0].headers["webhook-id"]
            self.assertEqual(self.event(identity, "waiting", "running")["errorType"], "Webhook.Timeout")
            over.set()
            self.event(identity, "succeeded")

    def test_the_secret_is_shown_to_who_has_a_key_and_to_nobody_else(self):
        self.function("secretive")
        secret = self.secret("secretive")
        self.assertRegex(secret, r"^whsec_[A-Za-z0-9+/]{43}=$")
        self.assertEqual(self.server.api("GET", "/_lambda/functions/secretive/webhook-secret").json(), {"secret": secret})
        self.assertEqual(self.server.request("GET", "/_lambda/functions/secretive/webhook-secret").status, 403)
        self.function("other")
        self.assertNotEqual(self.secret("other"), secret)
        self.assert_fails(self.server.cli("queue", "secret", "nobody", check=False), 5, 'there is no function "nobody"')
        # Not the same function, though it has its name.
        self.server.cli("delete", "secretive", "-y")
        self.function("secretive")
        self.assertNotEqual(self.secret("secretive"), secret)
        self.assertNotIn("whsec_", "\n".join(self.server.log_lines))


class Settings(WebhookTest):
    """What may be configured: EventInvokeConfig, DeadLetterConfig, `lambda queue config`."""

    def refused(self, name, body, *words):
        reply = self.put_config(name, body)
        self.assertEqual((reply.status, reply.headers["x-amzn-errortype"]), (400, "InvalidParameterValueException"), reply)
        for word in words:
            self.assertIn(word, reply.json()["message"])

    def test_awss_rules(self):
        self.function("ruled")
        self.refused("ruled", {}, "You must specify at least one of error handling or destination setting.")
        for own in (f"{LAMBDA_ARN}ruled", f"{LAMBDA_ARN}ruled:$LATEST", f"{LAMBDA_ARN}ruled:live"):
            self.refused("ruled", {"DestinationConfig": {"OnSuccess": {"Destination": own}}},
                         "You can't specify the function as a destination for itself.")
        self.refused("ruled", {"DestinationConfig": {"OnFailure": {"Destination": f"{LAMBDA_ARN}nobody"}}}, "OnFailure", "no such function")
        self.refused("ruled", {"DestinationConfig": {"OnFailure": {"Destination": "arn:aws:sqs:us-east-1:000000000000:q"}}}, "http://")
        self.assertEqual(self.server.api("GET", "/2019-09-25/functions/ruled/event-invoke-config").status, 404)

    def test_an_address_that_is_plainly_wrong_is_refused_at_once(self):
        self.function("plain")
        for address, words in (("http://", "names no host"), ("https://ann:pw@hooks.example.org/", "user name"),
                               ("http://10.0.0.1/", "a private address"), ("http://169.254.169.254/latest/", "a metadata address"),
                               ("http://[::1]/", "a loopback address"), ("http://0x7f000001/", "four numbers"),
                               ("http://hooks.example.org:0/", "port")):
            self.refused("plain", {"DestinationConfig": {"OnSuccess": {"Destination": address}}}, "OnSuccess", words)

    def test_dead_letters_go_to_an_address_as_they_came(self):
        with Receiver() as receiver:
            self.function("letters")
            client = self.server.boto()
            kept = client.update_function_configuration(FunctionName="letters", DeadLetterConfig={"TargetArn": receiver.url()})
            self.assertEqual(kept["DeadLetterConfig"], {"TargetArn": receiver.url()})
            self.configure("letters", retries=0)
            identity = self.submit("letters", {"fail": "zwölf\r\nX-Evil: 1"})
            [received] = receiver.wait_for(1)
            self.assertEqual(json.loads(received.body), {"fail": "zwölf\r\nX-Evil: 1"})
            self.assertEqual((received.headers["RequestID"], received.headers["ErrorCode"]), (identity, "200"))
            self.assertEqual(received.headers["ErrorMessage"].encode("latin-1").decode(), "zwölf  X-Evil: 1")
            self.assertIsNone(received.headers["X-Evil"])
            self.assertTrue(is_signed(self.secret("letters"), received.headers, received.body))
            gone = client.update_function_configuration(FunctionName="letters", DeadLetterConfig={"TargetArn": ""})
            self.assertNotIn("DeadLetterConfig", gone)

    def test_dead_letters_go_to_a_function_as_they_came(self):
        self.function("undertaker")
        self.function("mortal")
        self.server.boto().update_function_configuration(FunctionName="mortal", DeadLetterConfig={"TargetArn": f"{LAMBDA_ARN}undertaker"})
        self.configure("mortal", retries=0)
        self.submit("mortal", {"fail": "x", "n": 7})
        deadline = time.monotonic() + 20
        while not (found := self.dead("undertaker")):
            self.assertLess(time.monotonic(), deadline)
        self.assertEqual(self.server.api("GET", f"/_lambda/events/{found[0]['id']}/payload").json(), {"fail": "x", "n": 7})

    def test_an_event_whose_places_are_gone_says_so(self):
        for name in ("heir", "grave", "alone"):
            self.function(name)
        self.server.boto().update_function_configuration(FunctionName="alone", DeadLetterConfig={"TargetArn": f"{LAMBDA_ARN}grave"})
        self.configure("alone", success=f"{LAMBDA_ARN}heir", failure=f"{LAMBDA_ARN}heir")
        for name in ("heir", "grave"):
            self.assertEqual(self.server.api("DELETE", f"/2015-03-31/functions/{name}").status, 204)
        heir = f"the result went nowhere: The destination ARN {LAMBDA_ARN}heir is invalid: there is no such function"
        event = self.event(self.submit("alone", {}), "succeeded")
        self.assertEqual((event["errorType"], event["errorMessage"]), ("Destination.NotFound", heir))
        event = self.event(self.submit("alone", {"fail": "too bad"}), "dead")
        self.assertEqual(event["errorMessage"], f"too bad; Destination.NotFound: {heir}; DeadLetterConfig: {heir.replace('heir', 'grave')}")
        self.assertNotEqual(event["errorType"], "Destination.NotFound")
        self.assertIn(heir, self.server.cli("queue", "show", event["id"]).stdout)

    def test_a_target_of_dead_letters_that_is_none_is_refused(self):
        self.function("lost")
        for target, words in ((f"{LAMBDA_ARN}nobody", "no such function"), (f"{LAMBDA_ARN}lost", "its own dead letters"),
                              ("arn:aws:sqs:us-east-1:000000000000:q", "can be a function of this server"),
                              ("http://10.0.0.1/", "a private address")):
            reply = self.server.api("PUT", "/2015-03-31/functions/lost/configuration", {"DeadLetterConfig": {"TargetArn": target}})
            self.assertEqual(reply.status, 400, target)
            self.assertIn("DeadLetterConfig: ", reply.json()["message"])
            self.assertIn(words, reply.json()["message"])

    def test_destinations_in_a_circle_come_to_an_end(self):
        self.function("ping")
        self.function("pong")
        self.configure("ping", success=f"{LAMBDA_ARN}pong")
        self.configure("pong", success=f"{LAMBDA_ARN}ping", failure=f"{LAMBDA_ARN}ping")
        self.submit("ping", {})
        # The 17th hop, from ping to pong, is not carried out, and is told to nobody.
        [letter] = self.dead("pong", timeout=60)
        self.assertEqual(letter["errorType"], "DestinationLoop")
        self.assertIn("17 destinations", letter["errorMessage"])
        time.sleep(1)
        counts = {name: len(self.events(name, "succeeded")) for name in ("ping", "pong")}
        self.assertEqual(counts, {"ping": 9, "pong": 8})
        self.assertEqual([self.events(name, "waiting") for name in ("ping", "pong")], [[], []])

    def test_the_command_line_shows_and_sets(self):
        self.function("told")
        self.function("listener")
        shown = self.server.cli("queue", "config", "told").stdout
        for row in (r"Retries +2 \(the server's\)\n", r"Maximum age +6 h \(the server's\)\n", r"On success +none", r"On failure +none"):
            self.assertRegex(shown, row)
        self.assertNotIn("live", shown)
        self.server.cli("queue", "config", "told", "--retries", "1", "--max-age", "1h", "--on-failure", "http://127.0.0.1:9/x")
        shown = self.server.cli("queue", "config", "told", "--on-success", "listener").stdout
        for row in (r"Retries +1\n", r"Maximum age +1 h\n", rf"On success +{LAMBDA_ARN}listener", r"On failure +http://127.0.0.1:9/x"):
            self.assertRegex(shown, row)
        kept = json.loads(self.server.cli("queue", "config", "told", "--on-failure", "none", "-o", "json").stdout)
        self.assertEqual(kept, {"of": "$LATEST", "retries": 1, "maxAge": 3600, "onSuccess": f"{LAMBDA_ARN}listener", "onFailure": "", "standard": []})
        self.assertRegex(self.server.cli("queue", "config", "told", "--clear").stdout, r"Retries +2")
        self.assertEqual(self.server.api("GET", "/2019-09-25/functions/told/event-invoke-config").status, 404)
        self.assert_fails(self.server.cli("queue", "config", "nobody", check=False), 5, "nobody")
        self.assert_fails(self.server.cli("queue", "config", "told", "--on-success", "nobody", check=False), 5, "nobody")
        self.assert_fails(self.server.cli("queue", "config", "told", "--on-success", "http://10.0.0.1/", check=False), 2, "private address")
        self.assert_fails(self.server.cli("queue", "config", "told", "--max-age", "soon", check=False), 2, "not a time")
        self.assert_fails(self.server.cli("queue", "config", "told", "--max-age", "1s", check=False), 2, "60")

    def config_of_live(self, name, body):
        path = f"/2019-09-25/functions/{name}/event-invoke-config?Qualifier=live"
        self.assertEqual(self.server.api("PUT", path, body).status, 200)

    def test_what_is_shown_set_and_cleared_is_what_is_in_effect(self):
        self.function("followed")
        self.function("listener")
        self.put_config("followed", {"MaximumRetryAttempts": 2})
        self.config_of_live("followed", {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 90})
        shown = self.server.cli("queue", "config", "followed").stdout
        for row in (r"of live", r"Retries +0\n", r"Maximum age +90 s\n"):
            self.assertRegex(shown, row)
        shown = self.server.cli("queue", "config", "followed", "--on-success", "listener").stdout
        for row in (r"of live", r"Retries +0\n", rf"On success +{LAMBDA_ARN}listener"):
            self.assertRegex(shown, row)
        self.server.cli("invoke", "followed", "--async", "--wait", "--data", "{}")
        self.assertEqual(len(self.events("listener", "waiting") + self.events("listener", "running") + self.events("listener", "succeeded")), 1)
        path = "/2019-09-25/functions/followed/event-invoke-config"
        self.assertEqual(self.server.api("GET", path).json()["DestinationConfig"], {"OnSuccess": {}, "OnFailure": {}})
        cleared = json.loads(self.server.cli("queue", "config", "followed", "--clear", "-o", "json").stdout)
        self.assertEqual(cleared, {"of": None, "retries": 2, "maxAge": 21600, "onSuccess": "", "onFailure": "", "standard": ["retries", "maxAge"]})
        self.assertEqual([self.server.api("GET", path + query).status for query in ("", "?Qualifier=live")], [404, 404])

    def test_a_deploy_sets_what_is_in_effect(self):
        folder = self.server.folder({"lambda.toml": 'name = "declared"\nretries = 1\nmax_age = "2m"\n', "app.py": ECHO})
        self.server.cli("deploy", folder)
        self.config_of_live("declared", {"MaximumRetryAttempts": 0, "DestinationConfig": {"OnFailure": {"Destination": "http://127.0.0.1:9/x"}}})
        self.server.cli("deploy", folder)
        shown = self.server.cli("queue", "config", "declared").stdout
        for row in (r"of live", r"Retries +1\n", r"Maximum age +2 min\n", r"On failure +http://127.0.0.1:9/x"):
            self.assertRegex(shown, row)

    def test_lambda_toml_says_where_results_go(self):
        manifest = '[[function]]\nname = "first"\npath = "a"\nretries = 0\nmax_age = "2m"\non_success = "second"\n' \
                   '[[function]]\nname = "second"\npath = "b"\n'
        folder = self.server.folder({"lambda.toml": manifest, "a/app.py": ECHO, "b/app.py": ECHO})
        self.server.cli("deploy", folder, "--all")
        kept = self.server.api("GET", "/2019-09-25/functions/first/event-invoke-config").json()
        self.assertEqual((kept["MaximumRetryAttempts"], kept["MaximumEventAgeInSeconds"], kept["DestinationConfig"]["OnSuccess"]),
                         (0, 120, {"Destination": f"{LAMBDA_ARN}second"}))
        self.assertEqual(self.server.api("GET", "/2019-09-25/functions/second/event-invoke-config").status, 404)


class ServersOwnRules(WebhookTest):
    flags = [*QUICK, *LOOPBACK, "--retries", "1", "--max-event-age", "600"]

    def test_what_is_not_configured_is_shown_as_the_server_has_it(self):
        self.function("plain")
        shown = self.server.cli("queue", "config", "plain").stdout
        for row in (r"Retries +1 \(the server's\)\n", r"Maximum age +10 min \(the server's\)\n"):
            self.assertRegex(shown, row)
        told = json.loads(self.server.cli("queue", "config", "plain", "--retries", "0", "-o", "json").stdout)
        self.assertEqual((told["retries"], told["maxAge"], told["standard"]), (0, 600, ["maxAge"]))
        shown = self.server.cli("queue", "config", "plain").stdout
        for row in (r"Retries +0\n", r"Maximum age +10 min \(the server's\)\n"):
            self.assertRegex(shown, row)


class GivenUp(WebhookTest):
    flags = [*QUICK, *LOOPBACK, "--webhook-max-age", "3"]

    def test_what_nobody_takes_is_a_dead_letter_in_the_end(self):
        with Receiver(lambda received: 500) as receiver:
            self.function("unheard", success=receiver.url())
            self.submit("unheard", {"n": 1})
            [delivery] = self.dead("unheard")
            self.assertEqual((delivery["errorType"], delivery["url"]), ("Webhook.Status", receiver.url()))
            self.assertRegex(delivery["errorMessage"], r"500 .*given up after 2 attempts")
            self.assertEqual(self.server.api("GET", f"/_lambda/events/{delivery['id']}/payload").json()["requestPayload"], {"n": 1})


class ServerWithHosts(LambdaServer):
    """Names of its own: /etc/hosts as this server alone sees it."""

    def command(self):
        hosts = self.home / "hosts"
        hosts.write_text("127.0.0.1 localhost\n127.0.0.1 hooks.example.test\n10.1.2.3 inside.example.test\n"
                         "192.0.2.77 mixed.example.test\n127.0.0.1 mixed.example.test\n")
        script = f"mount --bind {hosts} /etc/hosts && exec \"$0\" \"$@\""
        return ["unshare", "--mount", "sh", "-c", script, *super().command()]


class Internal(WebhookTest):
    """Without webhook_networks nothing internal is reached, whatever its name."""

    flags = QUICK

    @classmethod
    def setUpClass(cls):
        cls.server = ServerWithHosts(cls.driver, cls.flags).start()
        cls.addClassCleanup(cls.server.close)

    def test_a_name_that_resolves_to_an_internal_address_is_refused(self):
        with Receiver() as receiver:
            for name, host, words in (("named", "hooks.example.test", "hooks.example.test is 127.0.0.1, a loopback address"),
                                      ("neighbour", "inside.example.test", "inside.example.test is 10.1.2.3, a private address"),
                                      ("mixed", "mixed.example.test", "mixed.example.test is ")):
                self.function(name, success=receiver.url(host=host))
                self.submit(name, {})
                [delivery] = self.dead(name)
                self.assertEqual((delivery["errorType"], delivery["failedAttempts"]), ("Webhook.Refused", 1))
                self.assertIn(words, delivery["errorMessage"])
                self.assertIn("webhook_networks", delivery["errorMessage"])
            self.assertEqual(receiver.received, [])

    def test_loopback_by_its_own_names_is_refused_at_once(self):
        self.function("local")
        for host in ("127.0.0.1", "localhost", "x.localhost", "[::1]", "[::ffff:127.0.0.1]"):
            reply = self.put_config("local", {"DestinationConfig": {"OnSuccess": {"Destination": f"http://{host}:{self.server.port}/"}}})
            self.assertEqual(reply.status, 400, host)
            self.assertIn("a loopback address", reply.json()["message"])


class NameServer:
    """Answers 127.0.0.1 for names that begin with "good", and nothing for others."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.address = f"127.53.{os.getpid() % 250 + 1}.53"
        self.socket.bind((self.address, 53))
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            query, sender = self.socket.recvfrom(2000)
            end = query.index(b"\0", 12) + 5
            if not query[13:].startswith(b"good"):
                continue
            is_a = query[end - 4:end - 2] == b"\0\1"
            counts = b"\0\1" + (b"\0\1" if is_a else b"\0\0") + b"\0\0\0\0"
            answer = b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4\x7f\0\0\1" if is_a else b""
            self.socket.sendto(query[:2] + b"\x81\x80" + counts + query[12:end] + answer, sender)


class ServerWithNames(LambdaServer):
    """Asks a name server of its own, as this server alone sees it."""

    def command(self):
        asked = self.home / "resolv.conf"
        asked.write_text(f"nameserver {NameServer().address}\n")
        script = f"mount --bind {asked} /etc/resolv.conf && exec \"$0\" \"$@\""
        return ["unshare", "--mount", "sh", "-c", script, *super().command()]


class Names(WebhookTest):
    """Name servers that do not answer are one name's trouble."""

    flags = LOOPBACK

    @classmethod
    def setUpClass(cls):
        cls.server = ServerWithNames(cls.driver, cls.flags).start()
        cls.addClassCleanup(cls.server.close)

    def test_a_hundred_names_without_an_answer_delay_neither_a_known_name_nor_an_address(self):
        with Receiver() as receiver:
            self.function("beside", success=receiver.url("/known", "good.example.test"))
            self.submit("beside", {})
            receiver.wait_for(1, "/known")
            self.function("lost")
            for n in range(100):
                self.configure("lost", success=f"http://lost{n}.example.test/")
                self.event(self.submit("lost", {}), "succeeded")
            began = time.monotonic()
            for path, host in (("/known", "good.example.test"), ("/address", "127.0.0.1"), ("/local", "x.localhost")):
                self.configure("beside", success=receiver.url(path, host))
                self.event(self.submit("beside", {}), "succeeded")
            receiver.wait_for(2, "/known")
            receiver.wait_for(1, "/address")
            receiver.wait_for(1, "/local")
            self.assertLess(time.monotonic() - began, 5)  # before a single name is given up
            self.assertEqual(self.at_work("lost"), 100)


class Crashes(unittest.TestCase):
    def test_what_was_carried_out_is_delivered_after_a_kill(self):
        over = threading.Event()
        rounds, each = 5, 12
        with Receiver(lambda received: (over.wait(60), 204)[1]) as receiver, LambdaServer("native", [*QUICK, *LOOPBACK]) as server:
            server.deploy({"app.py": ECHO}, "crashed", "--handler", "app.handler")
            server.cli("queue", "config", "crashed", "--on-success", receiver.url())
            submitted = set()
            for one in range(rounds):
                for n in range(each):
                    reply = server.api("POST", "/2015-03-31/functions/crashed/invocations", {"n": n}, {"X-Amz-Invocation-Type": "Event"})
                    self.assertEqual(reply.status, 202)
                    submitted.add(reply.headers["x-amzn-requestid"])
                # Its first webhook is on its way and unanswered; others wait, or are not even carried out.
                receiver.wait_for(one + 1)
                time.sleep(0.05 * one)
                server.kill()
                if one == rounds - 1:
                    over.set()
                server.start()
            deadline = time.monotonic() + 90
            while (delivered := {json.loads(one.body)["requestContext"]["requestId"] for one in receiver.of("/")}) != submitted:
                self.assertLess(time.monotonic(), deadline, f"{len(submitted - delivered)} of {len(submitted)} are lost")
                time.sleep(0.1)
            secret = server.cli("queue", "secret", "crashed").stdout.strip()
            for one in receiver.of("/"):
                self.assertTrue(is_signed(secret, one.headers, one.body))
            # Each result has one id, however often it was sent.
            pairs = {(json.loads(one.body)["requestContext"]["requestId"], one.headers["webhook-id"]) for one in receiver.of("/")}
            self.assertGreaterEqual(len(pairs), len(submitted))


if __name__ == "__main__":
    unittest.main()
