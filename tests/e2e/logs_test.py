"""What a function writes is complete when the call is answered: END, REPORT and the tail come after the pipe is drained."""

import base64
import http.client
import json
import threading
import time
import unittest

from lambda_server import ServerTest, on_both_drivers


def wait_for(condition, seconds=10):
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise AssertionError(f"it did not come about within {seconds} s")
        time.sleep(0.05)


CALLS, CALLERS = 10_000, 4


@on_both_drivers
class Logs(ServerTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        code = '''
import sys
def handler(event, context):
    print("my id is", context.aws_request_id)
    print("on stderr", file=sys.stderr)
    if event.get("lines"):
        print("\\n".join(f"line {number}" for number in range(event["lines"])))
'''
        cls.server.deploy({"app.py": code}, "writes", "--handler", "app.handler")

    def test_a_deleted_function_leaves_no_line_though_a_call_ends_after_it(self):
        code = "import time\ndef handler(event, context):\n    print('begun')\n    time.sleep(2)\n    print('said too late')\n    return 'done'\n"
        self.server.deploy({"app.py": code}, "lasting")
        answers = []
        call = threading.Thread(target=lambda: answers.append(self.server.invoke("lasting").json()))
        call.start()
        wait_for(lambda: "begun" in self.server.cli("logs", "lasting").stdout)
        self.server.cli("delete", "lasting", "-y")
        call.join()
        self.assertEqual(answers, ["done"])
        time.sleep(0.3)  # its last lines have come to the disk
        directory = self.server.data / "logs/lasting"
        wait_for(lambda: not directory.exists())
        self.server.deploy({"app.py": code}, "lasting")
        self.assertNotIn("said too late", self.server.cli("logs", "lasting").stdout)

    def test_ten_thousand_calls_have_their_own_line_in_their_tail(self):
        wrong, done = [], []

        def caller():
            connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
            headers = {"Authorization": f"Bearer {self.server.key}", "X-Amz-Log-Type": "Tail"}
            for _ in range(CALLS // CALLERS):
                connection.request("POST", "/2015-03-31/functions/writes/invocations", body=b"{}", headers=headers)
                reply = connection.getresponse()
                reply.read()
                identity = reply.headers["x-amzn-RequestId"]
                tail = base64.b64decode(reply.headers["X-Amz-Log-Result"] or "").decode()
                lines = tail.split("\n")
                good = (lines[0].startswith(("START RequestId: " + identity, "INIT_START")) and f"my id is {identity}" in lines
                        and "on stderr" in lines and f"END RequestId: {identity}" in lines and f"REPORT RequestId: {identity}\t" in tail
                        and tail.count("my id is") == 1)
                if reply.status != 200 or not good:
                    wrong.append((reply.status, identity, tail))
                done.append(1)
            connection.close()
        threads = [threading.Thread(target=caller) for _ in range(CALLERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(done), CALLS)
        self.assertEqual(wrong[:3], [], f"{len(wrong)} of {CALLS} are wrong")

    def test_the_tail_is_the_last_4_kb(self):
        reply = self.server.invoke("writes", {"lines": 3000})
        self.assertLessEqual(len(base64.b64decode(reply.headers["x-amz-log-result"])), 4096)
        self.assertIn("line 2999\n", reply.log)

    def test_recent_lines(self):
        reply = self.server.invoke("writes", {})
        identity = reply.headers["x-amzn-requestid"]
        self.assertIn(f"my id is {identity}", self.server.cli("logs", "writes").stdout)
        lines = self.server.api("GET", f"/_lambda/functions/writes/logs?requestId={identity}").json()["lines"]
        self.assertIn(f"my id is {identity}", [line["text"].rstrip("\n") for line in lines])
        self.assertTrue(all(line["requestId"] in (identity, None, "") for line in lines))

    def test_json_output(self):
        self.server.invoke("writes", {})
        json.loads(self.server.cli("logs", "writes", "-o", "json").stdout)


if __name__ == "__main__":
    unittest.main()
