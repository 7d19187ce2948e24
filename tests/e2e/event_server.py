"""What the tests of asynchronous events share: a server that retries soon, a function whose attempts can be counted, and ways to
submit an event and to wait for what comes of it."""

import json
import time

from lambda_server import ServerTest

# Fails as often as the event says, and answers with the ids that it was called by: one line of ids for each "key".
COUNTER = """
import time
calls = {}
def handler(event, context):
    if "body" in event:
        event = __import__("json").loads(event["body"])
    seen = calls.setdefault(event.get("key"), [])
    seen.append(context.aws_request_id)
    if event.get("sleep"):
        time.sleep(event["sleep"])
    if len(seen) <= event.get("failures", 0):
        raise ValueError(f"attempt {len(seen)}")
    return {"ids": seen, "version": context.function_version, "arn": context.invoked_function_arn, "size": len(str(event))}
"""

ENDED = ("succeeded", "dead")


class EventTest(ServerTest):
    """A server with retries after one and two seconds."""

    driver = "native"
    flags = ("--retry-delay", "1")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.deploy({"app.py": COUNTER}, "counter", "--handler", "app.handler")

    # --- submitting: the reply, or the id

    def send(self, name, event=None, token=None, qualifier=None, **more):
        """lambda invoke --async, as the command line sends it."""
        headers = {"X-Amz-Invocation-Type": "Event", **({"X-Lambda-Idempotency-Key": token} if token else {})}
        path = f"/_lambda/functions/{name}/invocations" + (f"?qualifier={qualifier}" if qualifier else "")
        return self.server.api("POST", path, body={} if event is None else event, headers=headers, **more)

    def submit(self, name, event=None, **more):
        reply = self.send(name, event, **more)
        self.assertEqual((reply.status, reply.body), (202, b""), reply)
        return reply.headers["x-amzn-requestid"]

    # --- what came of it

    def event(self, identity):
        reply = self.server.api("GET", f"/_lambda/events/{identity}")
        self.assertEqual(reply.status, 200, reply)
        return reply.json()

    def until(self, identity, good, wait=30):
        deadline = time.monotonic() + wait
        while not good(event := self.event(identity)):
            self.assertLess(time.monotonic(), deadline, f"{event}\n{self.server.log_text(20)}")
            time.sleep(0.02)
        return event

    def ended(self, identity, wait=30):
        return self.until(identity, lambda event: event["state"] in ENDED, wait)

    def result(self, identity):
        reply = self.server.api("GET", f"/_lambda/events/{identity}/result")
        self.assertEqual(reply.status, 200, reply)
        return json.loads(reply.body) if reply.body else None

    def succeeded(self, identity, wait=30):
        """The result of an event, once it has succeeded."""
        event = self.ended(identity, wait)
        self.assertEqual(event["state"], "succeeded", event)
        return self.result(identity)

    def depth(self, name):
        functions = self.server.api("GET", f"/_lambda/queue?function={name}").json()["functions"]
        return functions[0] if functions else {"name": name, "waiting": 0, "running": 0, "retrying": 0, "dead": 0, "oldest": None}

    def reserve(self, name, concurrency):
        """Reserved concurrency; None takes it away."""
        path = f"/2017-10-31/functions/{name}/concurrency"
        if concurrency is None:
            reply = self.server.api("DELETE", path)
        else:
            reply = self.server.api("PUT", path, {"ReservedConcurrentExecutions": concurrency})
        self.assertLess(reply.status, 300, reply)
