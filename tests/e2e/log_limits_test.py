"""How much of a log is kept is the function's own to say: in lambda.toml, in a deploy, or later; at once, and over restarts."""

import json
import time
import unittest

from lambda_server import ServerTest, on_both_drivers

CODE = '''
def handler(event, context):
    for number in range(event["lines"]):
        print(event["say"], number, "x" * 1000)
    return "done"
'''
TOML = 'name = "small"\nhandler = "app.handler"\n[logs]\nsize = "1MB"\nage = "30d"\n'
MB = 1 << 20


@on_both_drivers
class LogLimits(ServerTest):
    def size(self, name):
        files = (self.server.data / "logs" / name).iterdir()
        return sum(file.stat().st_size for file in files if file.exists())

    def wait_for_size(self, name, condition, seconds=10):
        until = time.monotonic() + seconds
        while not condition(size := self.size(name)):
            self.assertLess(time.monotonic(), until, f"the log has {size} bytes")
            time.sleep(0.05)

    def settings(self, name):
        return self.server.api("GET", f"/_lambda/functions/{name}").json()["logs"]

    def texts(self, name, count):
        return [line["text"] for line in json.loads(self.server.cli("logs", name, "-n", str(count), "--search", " x", "-o", "json").stdout)["lines"]]

    def test_a_small_limit_holds_and_the_newest_lines_are_there(self):
        self.server.deploy({"app.py": CODE, "lambda.toml": TOML}, "small")
        self.assertEqual(self.settings("small"), {"size": 1, "age": 2_592_000, "own": ["size", "age"]})
        self.assertIn("Its log is kept to 1 MB and 30 days.\n", self.server.cli("versions", "small").stderr)
        for turn in range(6):
            self.server.invoke("small", {"say": f"turn {turn}", "lines": 1000})
            last = self.texts("small", 500)  # read from disk, what was written before is there
            self.assertEqual([text.split(" x")[0] for text in last], [f"turn {turn} {number}" for number in range(500, 1000)])
            self.assertLessEqual(self.size("small"), MB)
        self.assertGreater(self.size("small"), MB // 2)

    def test_what_is_there_is_shortened_at_once_and_after_a_restart_it_stays_so(self):
        self.server.deploy({"app.py": CODE}, "grown", "--handler", "app.handler")
        self.assertEqual(self.settings("grown"), {"size": 64, "age": 2_592_000, "own": []})
        self.assertNotIn("Its log", self.server.cli("versions", "grown").stderr)
        self.server.invoke("grown", {"say": "much", "lines": 5000})
        self.wait_for_size("grown", lambda size: size > 5 * MB)
        self.server.deploy({"app.py": CODE}, "grown", "--handler", "app.handler", "--log-size", "2MB")
        self.wait_for_size("grown", lambda size: size <= 2 * MB)
        self.assertEqual(self.texts("grown", 1)[0].split(" x")[0], "much 4999")
        reply = self.server.api("PUT", "/_lambda/functions/grown/log-settings", {"size": 1, "age": 0})
        self.assertEqual((reply.status, reply.json()["logs"]), (200, {"size": 1, "age": 0, "own": ["size", "age"]}))
        self.wait_for_size("grown", lambda size: size <= MB)
        self.server.stop()
        self.server.start()
        self.assertEqual(self.settings("grown"), {"size": 1, "age": 0, "own": ["size", "age"]})
        self.server.invoke("grown", {"say": "again", "lines": 3000})
        self.assertEqual(self.texts("grown", 1)[0].split(" x")[0], "again 2999")
        self.assertLessEqual(self.size("grown"), MB)
        # Given back to the server.
        self.server.deploy({"app.py": CODE}, "grown", "--handler", "app.handler", "--log-size", "default", "--log-age", "default")
        self.assertEqual(self.settings("grown"), {"size": 64, "age": 2_592_000, "own": []})
        # What a deploy sets stands in the audit with the rest of it; the setting alone by itself.
        self.assertIn("ChangeLogSettings", self.server.cli("audit", "--function", "grown").stdout)

    def test_what_is_out_of_range_is_refused_before_anything_is_packed(self):
        for arguments, words in ((("--log-size", "11GB"), "--log-size: a function's log is kept to 1 to 10240 MB, not 11264"),
                                 (("--log-size", "many"), "64MB or 2GB"), (("--log-age", "5s"), "--log-age: lines of a log are kept for 60 seconds to")):
            self.assert_fails(self.server.deploy({"app.py": CODE}, "wrong", *arguments, check=False), 2, words)
        toml = TOML.replace("1MB", "0MB")
        self.assert_fails(self.server.deploy({"app.py": CODE, "lambda.toml": toml}, "wrong", check=False), 2, "lambda.toml: [logs] size: a function's log")
        self.assertEqual(self.server.api("GET", "/_lambda/functions/wrong").status, 404)
        self.server.deploy({"app.py": CODE}, "right", "--handler", "app.handler")
        for body, words in (({"size": 0}, "1 to 10240 MB, not 0"), ({"age": 1}, "60 seconds to"), ({"bytes": 1}, 'no setting "bytes"')):
            reply = self.server.api("PUT", "/_lambda/functions/right/log-settings", body)
            self.assertEqual(reply.status, 400)
            self.assertIn(words, reply.json()["message"])


if __name__ == "__main__":
    unittest.main()
