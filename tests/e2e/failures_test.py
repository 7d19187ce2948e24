"""Functions that go wrong: what the caller sees, at the URL and through invoke."""

import json
import re
import time
import unittest

from lambda_server import ServerTest, on_both_drivers

WRONG = '''
import os, signal, sys, time

def handler(event, context):
    what = event.get("what") or (event.get("queryStringParameters") or {}).get("what")
    if what == "raise":
        raise ValueError("no such luck")
    if what == "sleep":
        time.sleep(20)
    if what == "exit":
        os._exit(0)
    if what == "exit 3":
        os._exit(3)
    if what == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if what == "memory":
        hoard = []
        while True:
            hoard.append(b"x" * 4_000_000)
    if what == "large":
        return "x" * (6 * 1024 * 1024 + 101)
    if what == "not json":
        return {"a", "set"}
    return {"ok": True, "pid": os.getpid()}
'''


@on_both_drivers
class FunctionsThatGoWrong(ServerTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.deploy({"app.py": WRONG}, "wrong", "--handler", "app.handler", "--timeout", "2", "--memory", "128")
        # An emulated machine takes its time to fill memory.
        cls.server.deploy({"app.py": WRONG}, "greedy", "--handler", "app.handler", "--timeout", "30", "--memory", "128")

    def failed(self, what, name="wrong"):
        """The payload, after checks that hold for every failure, and a call after it that works."""
        reply = self.server.invoke(name, {"what": what})
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual(reply.headers.get("x-amz-function-error"), "Unhandled", reply)
        after = self.server.invoke(name, {})
        self.assertTrue(after.json().get("ok"), after)
        return reply

    def test_an_exception_brings_its_traceback(self):
        payload = self.failed("raise").json()
        self.assertEqual((payload["errorType"], payload["errorMessage"]), ("ValueError", "no such luck"))
        self.assertTrue(any("app.py" in line for line in payload["stackTrace"]), payload)
        self.assertEqual(self.server.get("wrong", "/?what=raise").status, 502)

    def test_an_exception_keeps_the_instance(self):
        before = self.server.invoke("wrong", {}).json()["pid"]
        self.failed("raise")
        self.assertEqual(self.server.invoke("wrong", {}).json()["pid"], before)

    def test_timeout(self):
        began = time.monotonic()
        reply = self.failed("sleep")
        self.assertLess(time.monotonic() - began, 8)
        payload = reply.json()
        self.assertEqual(payload["errorType"], "Sandbox.Timedout")
        self.assertRegex(payload["errorMessage"], r"^RequestId: [0-9a-f-]{36} Error: Task timed out after 2\.00 seconds$")
        self.assertIn("Status: timeout", reply.log)
        at_url = self.server.get("wrong", "/?what=sleep")
        self.assertEqual(at_url.status, 504, at_url)
        self.assertIn("requestId", at_url.json())

    def test_exit(self):
        payload = self.failed("exit").json()
        self.assertEqual(payload["errorType"], "Runtime.ExitError")
        self.assertTrue(payload["errorMessage"].endswith("Error: Runtime exited without providing a reason"), payload)
        payload = self.failed("exit 3").json()
        self.assertTrue(payload["errorMessage"].endswith("Error: Runtime exited with error: exit status 3"), payload)

    def test_crash(self):
        payload = self.failed("crash").json()
        self.assertEqual(payload["errorType"], "Runtime.ExitError")
        self.assertIn("signal: segmentation fault", payload["errorMessage"])

    def test_out_of_memory(self):
        reply = self.failed("memory", "greedy")
        self.assertIn(reply.json()["errorType"], ("Runtime.OutOfMemory", "Runtime.ExitError"), reply)
        self.assertIn("signal: killed", reply.json()["errorMessage"])
        self.assertEqual(self.server.get("greedy", "/?what=memory").status, 502)

    def test_too_large_a_response(self):
        payload = self.failed("large").json()
        self.assertEqual(payload["errorType"], "Function.ResponseSizeTooLarge")
        self.assertIn("6291556 bytes", payload["errorMessage"])

    def test_a_result_that_is_no_json(self):
        self.assertEqual(self.failed("not json").json()["errorType"], "Runtime.MarshalError")

    def test_too_large_a_request(self):
        body = b'"' + b"x" * (6 * 1024 * 1024) + b'"'
        self.assertEqual(self.server.post("wrong", body, headers={"Content-Type": "application/json"}).status, 413)
        self.assertEqual(self.server.api("POST", "/_lambda/functions/wrong/invocations", body).status, 413)
        self.assertTrue(self.server.invoke("wrong", {}).json()["ok"])

    def test_an_event_that_is_no_json(self):
        reply = self.server.api("POST", "/2015-03-31/functions/wrong/invocations", b"{not json")
        self.assertEqual((reply.status, reply.headers.get("x-amzn-errortype")), (400, "InvalidRequestContentException"))
        done = self.server.cli("invoke", "wrong", "--data", "{not json", check=False)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("json", done.stderr.lower())

    def test_the_command_line_says_what_failed(self):
        done = self.server.cli("invoke", "wrong", "--data", '{"what": "raise"}', check=False)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertEqual(json.loads(done.stdout)["errorType"], "ValueError")
        self.assertTrue(done.stderr.strip())


@on_both_drivers
class CodeThatDoesNotLoad(ServerTest):
    """A deploy whose code fails to initialise changes nothing and shows the function's own traceback."""

    def refused(self, files, handler, *words):
        done = self.server.deploy(files, "loads", "--handler", handler, check=False)
        self.assertNotEqual(done.returncode, 0, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)
        self.assertEqual(self.server.get("loads").json(), {"version": 1})
        self.assertEqual(len(self.server.api("GET", "/_lambda/functions/loads/versions").json()["versions"]), 1)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.deploy({"app.py": "def handler(event, context): return {'version': 1}"}, "loads", "--handler", "app.handler")

    def test_a_syntax_error(self):
        self.refused({"app.py": "def handler(event, context)\n    return 1\n"}, "app.handler", "SyntaxError", "app.py")

    def test_a_missing_module(self):
        self.refused({"app.py": "import a_module_that_is_not_there\n"}, "app.handler", "a_module_that_is_not_there")

    def test_a_missing_handler(self):
        self.refused({"app.py": "x = 1\n"}, "app.handler", "handler")
        self.refused({"app.py": "def handler(e, c): pass\n"}, "other.handler", "other")

    def test_an_exception_while_loading(self):
        self.refused({"app.py": "1 / 0\n"}, "app.handler", "ZeroDivisionError")

    def test_an_init_that_never_ends(self):
        self.refused({"app.py": "import time\ntime.sleep(60)\n"}, "app.handler", "10")

    def test_a_first_deploy_that_fails_leaves_no_function(self):
        done = self.server.deploy({"app.py": "1 / 0\n"}, "never", "--handler", "app.handler", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(self.server.get("never").status, 404)

    def told(self, files, *options):
        """What a first deploy that fails says of it: the headline, and the lines below."""
        folder = self.server.folder(files)
        if "bootstrap" in files:
            (folder / "bootstrap").chmod(0o755)
        done = self.server.cli("deploy", folder, "--name", "wrong", *options, check=False)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertNotIn('{"', done.stderr)
        headline, rest = re.search(r"^lambda: the new code failed to initialise: (.*)\n(?:\nIts output:\n)?((?:.|\n)*)", done.stderr, re.MULTILINE).groups()
        return headline, rest

    def test_node_s_errors_are_told_as_python_s_are(self):
        headline, stack = self.told({"index.js": "exports.handler = async () => {\n  return 1 +;\n};\n"})
        self.assertRegex(headline, "SyntaxError: Unexpected token ';'$")
        self.assertRegex(stack, r"\A  /var/task/index\.js:2\n    return 1 \+;\n +\^\n  SyntaxError: Unexpected token ';'\n      at ")
        headline, stack = self.told({"index.mjs": "export const handler = async ( => 1;"}, "--handler", "index.handler")
        self.assertRegex(headline, "SyntaxError: Unexpected token '=>'$")
        self.assertRegex(stack, r"\A  file:///var/task/index\.mjs:1\n  export const handler = async \( => 1;\n +\^+\n  SyntaxError: Unexpected token '=>'\n      at ")
        headline, stack = self.told({"index.mjs": "import x from 'nowhere';\nexport const handler = async () => x;\n"})
        self.assertIn("Cannot find package 'nowhere' imported from /var/task/index.mjs", headline)
        headline, stack = self.told({"index.mjs": "export const main = 1;\n"}, "--handler", "index.handler")
        self.assertEqual(headline, "Runtime.HandlerNotFound: index.handler is undefined or not exported")
        headline, stack = self.told({"index.js": "throw new TypeError('of its own');\nexports.handler = 1;\n"})
        self.assertEqual(headline, "TypeError: of its own")
        self.assertIn("      at Object.<anonymous> (/var/task/index.js:1:7)\n", stack)

    def test_the_headline_of_python(self):
        headline, stack = self.told({"app.py": "import nowhere\ndef handler(e, c): pass\n"})
        self.assertEqual(headline, "Runtime.ImportModuleError: Unable to import module 'app': No module named 'nowhere'")
        self.assertIn("  Traceback (most recent call last):\n", stack)

    def test_a_variable_that_python_lacks(self):
        code = "import os\nURL = os.environ['DATABASE_URL']\ndef handler(e, c): pass\n"
        for files, options, headline in (({"app.py": code}, (), "KeyError: 'DATABASE_URL'$"),
                                         ({"server.py": code}, ("--kind", "http", "--handler", "server.py"), "ended before it listened on port 8080")):
            told, rest = self.told(files, *options)
            self.assertRegex(told, headline)
            self.assertRegex(rest, r'File "/var/task/(app|server)\.py", line 2, in <module>\n      URL = os\.environ\[')
            self.assertIn("\n\nDATABASE_URL is not in the function's environment. Set it with -e DATABASE_URL=VALUE, or in lambda.toml: ", rest)

    def test_a_bootstrap_that_cannot_be_executed(self):
        headline, rest = self.told({"bootstrap": "#!/usr/bin/no-ruby\n"})
        self.assertEqual((headline, rest), ("cannot execute /var/task/bootstrap: it needs /usr/bin/no-ruby, which the sandbox does not have", ""))
        headline, rest = self.told({"bootstrap": "echo hello\n"})
        self.assertIn("a script begins with #! and its interpreter, such as #!/bin/sh", headline)


if __name__ == "__main__":
    unittest.main()
