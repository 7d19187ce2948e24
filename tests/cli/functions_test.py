"""list, invoke, versions, rollback, promote, url, logs, delete and doctor against a real server."""

import json
import subprocess
import unittest

from command_line import PROGRAM, AtTerminal, ServerTest, clean_environment

CODE = '''
import os
def handler(event, context):
    print("called with", event)
    if event == "fail":
        raise ValueError("no such luck")
    return {"event": event, "version": "%s", "text": "grüße"}
'''

FAILING_SERVER = '''
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
'''


class Functions(ServerTest):
    driver = "native"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for version in (1, 2, 3):
            cls.server.deploy({"app.py": CODE % version}, "greet", "-m", f"number {version}")

    def lambda_(self, *arguments, **more):
        return self.server.cli(*arguments, check=False, **more)

    @property
    def environment(self):
        return clean_environment(self.server.home, LAMBDA_HOST=self.server.url, LAMBDA_API_KEY=self.server.key)

    def invoked(self, *arguments, **more):
        return json.loads(self.server.cli("invoke", "greet", *arguments, **more).stdout)["event"]

    # --- invoke

    def test_invoke_takes_its_event_from_anywhere(self):
        file = self.server.home / "event.json"
        file.write_text('{"from": "file"}')
        self.assertEqual(self.invoked("--data", '{"a": [1, "x"]}'), {"a": [1, "x"]})
        self.assertEqual(self.invoked("-d", "-1"), -1)
        self.assertEqual(self.invoked("-d", "[1, 2]"), [1, 2])
        self.assertEqual(self.invoked("-d", '"text"'), "text")
        self.assertEqual(self.invoked("-f", file), {"from": "file"})
        self.assertEqual(self.invoked("-f", "-", stdin='{"from": "-"}'), {"from": "-"})
        self.assertEqual(self.invoked(stdin='{"from": "standard input"}'), {"from": "standard input"})
        self.assertEqual(self.invoked(stdin=""), {})
        self.assertEqual(self.invoked("-d", "[" * 200 + "]" * 200), json.loads("[" * 200 + "]" * 200))

    def test_invoke_refuses_what_is_no_event(self):
        self.assert_fails(self.lambda_("invoke", "greet", "-d", "{bad"), 2, "not JSON", "-f FILE")
        self.assert_fails(self.lambda_("invoke", "greet", "-f", "no-such-file"), 2, "no-such-file")

    def test_invoke_takes_the_spellings_of_awss_function_name(self):
        def version(*arguments):
            return json.loads(self.server.cli("invoke", *arguments, "-d", "1").stdout)["version"]
        arn = "arn:aws:lambda:us-east-1:000000000000:function:greet"
        self.assertEqual([version(name) for name in ("greet:1", "greet:live", arn, f"{arn}:2", "000000000000:function:greet:2", "function:greet")],
                         ["1", "3", "3", "2", "2", "3"])
        self.assertEqual(version("greet:1", "--qualifier", "1"), "1")
        self.assert_fails(self.lambda_("invoke", "greet:1", "--qualifier", "2"), 2, "does not match the specified qualifier")
        self.assert_fails(self.lambda_("invoke", "greet:9"), 5, "greet:9", "There are: $LATEST, 3, 2, 1, live (3)")
        self.assert_fails(self.lambda_("invoke", "gret:1"), 5, 'there is no function "gret"; did you mean "greet"?')
        for elsewhere in (arn.replace("us-east-1", "eu-west-1"), arn.replace("us-east-1", "eu-west-1") + ":9"):
            done = self.lambda_("invoke", elsewhere)
            self.assert_fails(done, 5, "eu-west-1")
            self.assertNotIn("There are", done.stderr)
        self.assert_fails(self.lambda_("invoke", f"{arn}:9"), 5, "There are: $LATEST, 3, 2, 1, live (3)")
        self.assert_fails(self.lambda_("invoke", "greet:1:2"), 5, 'there is no function "greet:1:2"')
        self.assert_fails(self.lambda_("invoke", "greet:2", "-d", '"fail"'), 3, "lambda logs greet)")
        self.assertRegex(self.server.cli("invoke", "greet:1", "--async", "--wait", "-d", "1").stdout, '"version": "1"')

    def test_invoke_writes_the_payload_as_it_is(self):
        done = subprocess.run([PROGRAM, "invoke", "greet", "-d", "1"], capture_output=True, env=self.environment, check=True)
        self.assertEqual(done.stdout, '{"event": 1, "version": "3", "text": "grüße"}'.encode())
        self.assertEqual(done.stderr, b"")
        self.assertTrue(AtTerminal(["invoke", "greet", "-d", "1"], self.environment).text.endswith("}\n"))

    def test_invoke_of_a_function_that_fails(self):
        done = self.lambda_("invoke", "greet", "-d", '"fail"')
        self.assert_fails(done, 3, "ValueError: no such luck", "lambda logs greet")
        self.assertEqual(json.loads(done.stdout)["errorType"], "ValueError")

    def test_invoke_with_a_qualifier(self):
        self.assertEqual(json.loads(self.server.cli("invoke", "greet", "--qualifier", "1", "-d", "1").stdout)["version"], "1")
        self.assert_fails(self.lambda_("invoke", "greet", "--qualifier", "77", "-d", "1"), 5, "77", "There are: $LATEST, 3, 2, 1, live (")
        self.assert_fails(self.lambda_("invoke", "nobody", "--qualifier", "77", "-d", "1"), 5, "nobody")
        self.assert_fails(self.lambda_("invoke", "greet", "--qualifier", "a b&c", "-d", "1"), 5)

    def test_invoke_of_an_http_function_that_fails_says_the_status(self):
        self.server.deploy({"server.py": FAILING_SERVER}, "failing", "--kind", "http", "--handler", "server.py")
        for body in ("{}", "[1]"):
            done = self.lambda_("invoke", "failing", "-d", body)
            self.assert_fails(done, 3, "lambda: the function failed: it answered with the status 503\n", "lambda logs failing)")
            self.assertEqual(done.stdout, body)
        self.assert_fails(self.lambda_("invoke", "failing", "-d", '{"errorType": "Mine"}'), 3, "lambda: the function failed: Mine\n")

    def test_invoke_tells_times_and_logs_on_standard_error(self):
        done = self.server.cli("invoke", "greet", "-d", "1", "--timing", "--logs")
        self.assertEqual(json.loads(done.stdout)["event"], 1)
        self.assertRegex(done.stderr, r"(?m)^  handler +#+ +[\d.]+ m?s$")
        self.assertRegex(done.stderr, r"(?m)^  in all +#+ +[\d.]+ m?s$")
        self.assertRegex(done.stderr, r"(?s)START RequestId.*called with 1.*REPORT RequestId")

    def test_invoke_into_a_full_disk_is_a_failure(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([PROGRAM, "invoke", "greet", "-d", "1"], stdout=full, stderr=subprocess.PIPE, text=True, env=self.environment, check=False)
        self.assertEqual(done.returncode, 1, done.stderr)

    # --- reading

    def test_list(self):
        table = self.server.cli("list").stdout.splitlines()
        self.assertRegex(table[0], r"^NAME +RUNTIME +LIVE +SIZE +CHANGED +URL$")
        greet = next(row for row in table if row.startswith("greet "))
        self.assertRegex(greet, rf"^greet +python3\.11 +\d( \(\$LATEST is newer\))? +\d+ B +\d+ (second|minute)s? ago +http://greet\.localhost:{self.server.port}$")
        self.assertEqual(json.loads(self.server.cli("list", "-o", "json").stdout)["functions"][table.index(greet) - 1]["name"], "greet")

    def test_versions(self):
        table = self.server.cli("versions", "greet").stdout.splitlines()
        self.assertRegex(table[0], r"^VERSION +LIVE +CREATED +SIZE +CODE +MESSAGE$")
        self.assertRegex(table[1], r"^3 .* number 3$")
        self.assertEqual([each["message"] for each in json.loads(self.server.cli("versions", "greet", "-o", "json").stdout)["versions"]],
                         ["number 3", "number 2", "number 1"])

    def test_how_live_is_shared_is_shown(self):
        for version in (1, 2, 3):
            self.server.deploy({"app.py": CODE % version}, "shared")
        live = "/2015-03-31/functions/shared/aliases/live"
        self.assertEqual(self.server.api("PUT", live, {"RoutingConfig": {"AdditionalVersionWeights": {"1": 0.25}}}).status, 200)
        self.assertRegex(self.server.cli("list").stdout, r"(?m)^shared +python3\.11 +3 75 %, 1 25 % ")
        rows = self.server.cli("versions", "shared").stdout.splitlines()[1:]
        for row, expected in zip(rows, (r"3 +live 75 % +\d", r"2 +\d", r"1 +live 25 % +\d")):
            self.assertRegex(row, f"^{expected}")
        self.server.api("PUT", live, {"RoutingConfig": {"AdditionalVersionWeights": {}}})
        self.assertNotIn("%", self.server.cli("list").stdout + self.server.cli("versions", "shared").stdout)

    def test_logs(self):
        self.server.cli("invoke", "greet", "-d", '"in the log"')
        done = self.server.cli("logs", "greet", "-n", "20")
        self.assertRegex(done.stdout, r"(?m)^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z  called with in the log$")
        self.assertEqual(len(self.server.cli("logs", "greet", "-n", "2").stdout.splitlines()), 2)
        line = json.loads(self.server.cli("logs", "greet", "-n", "1", "-o", "json").stdout)["lines"][0]
        of_one = self.server.cli("logs", "greet", "--request-id", line["requestId"]).stdout
        self.assertEqual(of_one.count("START RequestId"), 1)
        nothing = self.server.cli("logs", "greet", "--version", "3", "--request-id", "none")
        self.assertEqual((nothing.stdout, "nothing" in nothing.stderr), ("", True))
        self.assert_fails(self.lambda_("logs", "greet", "--version", "77"), 5, 'function "greet" never had a version 77; its newest is 3')
        self.assert_fails(self.lambda_("logs", "greet", "--version", "live"), 2, '"live" is not a version')
        self.assertEqual(self.server.cli("logs", "greet", "--version", "$LATEST").stdout, "")

    def test_doctor(self):
        done = self.server.cli("doctor")
        for word in ("server", "port", "driver", "docker", "runtimes", "limits"):
            self.assertRegex(done.stdout, rf"(?m)^{word} ")
        self.assertIn("python3.11", json.loads(self.server.cli("doctor", "-o", "json").stdout)["runtimes"])

    def test_names_that_are_nearly_right(self):
        for command in (["invoke", "gret", "-d", "1"], ["versions", "gret"], ["rollback", "gret"], ["promote", "gret"], ["logs", "gret"],
                        ["url", "gret", "open"], ["delete", "gret", "-y"]):
            with self.subTest(command=command):
                self.assert_fails(self.lambda_(*command), 5, '"gret"; did you mean "greet"?')

    # --- changing

    def test_rollback_and_promote_say_from_where_to_where(self):
        self.assertEqual(self.server.cli("rollback", "greet").stdout,
                         f'Rolled back "greet": version 3 → 2\nhttp://greet.localhost:{self.server.port}\n')
        self.assertEqual(json.loads(self.server.cli("rollback", "greet", "-o", "json").stdout)["to"], 1)
        self.assert_fails(self.lambda_("rollback", "greet"), 2, "no older version")
        self.assert_fails(self.lambda_("rollback", "greet", "9"), 5, "9")
        self.assertIn('Promoted "greet": version 1 → 3', self.server.cli("promote", "greet", "3").stdout)
        self.assertIn("Unchanged", self.server.cli("promote", "greet", "3").stdout)

    def test_what_moves_live_says_which_share_it_ends(self):
        for version in (1, 2):
            self.server.deploy({"app.py": CODE % version}, "split")

        def share():
            live = "/2015-03-31/functions/split/aliases/live"
            self.assertEqual(self.server.api("PUT", live, {"FunctionVersion": "2", "RoutingConfig": {"AdditionalVersionWeights": {"1": 0.1}}}).status, 200)

        ended = "live was shared: 10 % of the calls went to version 1; all of them go to version {} now.\n"
        for command, version, words in ((["promote", "split", "2"], 2, 'Promoted "split"'), (["rollback", "split"], 1, 'Rolled back "split": version 2 → 1'),
                                        (["promote", "split", "2", "-o", "json"], 2, '"weight"')):
            with self.subTest(command=command):
                share()
                done = self.server.cli(*command)
                self.assertEqual(done.stderr, ended.format(version))
                self.assertIn(words, done.stdout)
                self.assertNotIn("Unchanged", done.stdout)
        share()
        done = self.server.deploy({"app.py": CODE % 2}, "split")
        self.assertIn('Unchanged: version 2 of "split" has this code and these settings already.\n' + ended.format(2), done.stderr)
        done = self.server.deploy({"app.py": CODE % 2}, "split")
        self.assertIn('Unchanged: version 2 of "split" is live already.\n', done.stderr)
        self.assertNotIn("shared", done.stderr)
        share()
        self.assertIn(ended.format(3), self.server.deploy({"app.py": CODE % 3}, "split").stderr)

    def test_url(self):
        self.server.deploy({"app.py": CODE % 1}, "door")
        self.assertIn("closed", self.server.cli("url", "door", "none").stdout)
        self.assertEqual(self.server.get("door").status, 403)
        done = self.server.deploy({"app.py": CODE % 2}, "door")
        self.assertIn("\nYour function is live. Its URL is closed; open it with: lambda url door open\n", done.stderr)
        self.assertNotIn("live at", done.stderr)
        self.assertEqual(done.stdout, f"http://door.localhost:{self.server.port}\n")
        self.assertIn("open to everybody", self.server.cli("url", "door", "open").stdout)
        self.assertEqual(self.server.get("door").status, 200)

    def test_a_closed_url_is_called_so_by_what_moves_and_deletes(self):
        for version in (1, 2):
            self.server.deploy({"app.py": CODE % version}, "shut", "--url", "none")
        for command in (["rollback", "shut"], ["promote", "shut", "2"]):
            with self.subTest(command=command):
                done = self.server.cli(*command)
                self.assertNotIn("http://", done.stdout + done.stderr)
                self.assertIn("Its URL is closed; open it with: lambda url shut open", done.stderr)
        self.server.cli("url", "shut", "open")
        self.assertIn("http://shut.localhost", self.server.cli("rollback", "shut").stdout)
        self.server.cli("url", "shut", "none")
        done = self.server.cli("delete", "shut", "-y")
        self.assertIn("its URL (which is closed)", done.stderr)
        self.assertNotIn("http://", done.stderr)

    def test_delete_lists_asks_and_needs_somebody_to_ask(self):
        self.server.deploy({"app.py": CODE % 1}, "gone")
        what = ["Deleting \"gone\"", "1 version,", "alias live (version 1)", "http://gone.localhost", "logs"]
        self.assert_fails(self.lambda_("delete", "gone", stdin="y\n"), 2, *what, "-y")
        for keys, code in ((b"n\n", 1), (b"\n", 1), (b"\x04", 1), (b"\x03", -2)):
            with self.subTest(keys=keys):
                seen = AtTerminal(["delete", "gone"], self.environment, keys)
                self.assertEqual(seen.code, code, seen.text)
                self.assertIn("Delete it? [y/N]", seen.text)
        self.assertEqual(self.server.get("gone").status, 200)
        seen = AtTerminal(["delete", "gone"], self.environment, b"y\n")
        self.assertTrue(seen.text.endswith('Deleted "gone"\n'), seen.text)
        self.assertEqual(self.server.get("gone").status, 404)
        self.server.deploy({"app.py": CODE % 1}, "gone")
        self.assertEqual(self.server.cli("delete", "gone", "-y").stdout, 'Deleted "gone"\n')


if __name__ == "__main__":
    unittest.main()
