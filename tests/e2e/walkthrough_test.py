"""What a person does, word for word as the README says it."""

import json
import random
import re
import subprocess
import unittest
import urllib.parse

from lambda_server import EXAMPLES, ServerTest, on_both_drivers


def curl(*arguments):
    done = subprocess.run(["curl", "-sS", "--noproxy", "*", "--max-time", "60", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@on_both_drivers
class Walkthrough(ServerTest):
    def test_1_deploy_hello_and_call_it(self):
        done = self.server.deploy(EXAMPLES / "hello", "greet")
        self.assertEqual(done.stdout, f"http://greet.localhost:{self.server.port}\n")
        self.assertRegex(done.stderr, r"\[1/3\] Packaging function code\.\.\. Done\. \(\d+ files?, [\d.]+ K?B\)")
        self.assertRegex(done.stderr, r"\[2/3\] Preparing runtime python3\.11\.\.\. Done\.")
        self.assertRegex(done.stderr, r"\[3/3\] Starting (sandbox|container)\.\.\. Done\. \(init [\d.]+ ms\)")
        host, port = "greet.localhost", self.server.port
        self.assertEqual(json.loads(curl("-H", f"Host: {host}", f"http://127.0.0.1:{port}/?name=World")), {"message": "Hello, World!"})
        self.assertEqual(json.loads(curl("--resolve", f"{host}:{port}:127.0.0.1", f"http://{host}:{port}?name=World")),
                         {"message": "Hello, World!"})
        self.assertEqual(json.loads(curl(f"http://greet.localhost:{port}?name=World")), {"message": "Hello, World!"})

    def test_2_invoke(self):
        done = self.server.cli("invoke", "greet", "--data", '{"name": "World"}')
        self.assertEqual(json.loads(done.stdout), {"message": "Hello, World!"})
        done = self.server.cli("invoke", "greet", stdin='{"name": "standard input"}')
        self.assertEqual(json.loads(done.stdout), {"message": "Hello, standard input!"})

    def test_3_random_unicode_names(self):
        rng = random.Random(7)
        ranges = [(0x20, 0x7E), (0xA1, 0x2FF), (0x370, 0x3FF), (0x400, 0x4FF), (0x5D0, 0x5EA), (0x620, 0x64A), (0x4E00, 0x9FFF),
                  (0xAC00, 0xD7A3), (0x1F300, 0x1F64F)]
        for _ in range(40):
            name = "".join(chr(rng.randint(*rng.choice(ranges))) for _ in range(rng.randint(1, 24))).strip() or "x"
            expected = {"message": f"Hello, {name}!"}
            with self.subTest(name=name):
                self.assertEqual(self.server.get("greet", "/?name=" + urllib.parse.quote(name)).json(), expected)
                body = json.dumps({"name": name}, ensure_ascii=rng.random() < 0.5).encode()
                posted = self.server.post("greet", body, headers={"Content-Type": "application/json"})
                self.assertEqual(posted.json(), expected)
                self.assertEqual(self.server.invoke("greet", {"name": name}).json(), expected)

    def test_4_list(self):
        self.server.deploy(EXAMPLES / "calculator", "calc")
        self.assertRegex(self.server.cli("list").stdout, r"(?s)calc.*greet")
        listed = json.loads(self.server.cli("list", "-o", "json").stdout)
        functions = listed["functions"] if isinstance(listed, dict) else listed
        self.assertEqual([each["name"] for each in functions], ["calc", "greet"])

    def test_5_versions_rollback_promote(self):
        code = "def handler(event, context):\n    return {'message': 'second'}\n"
        self.server.deploy({"lambda_function.py": code}, "greet", "--handler", "lambda_function.handler", "-m", "a second one")
        self.assertEqual(self.server.get("greet").json(), {"message": "second"})
        table = self.server.cli("versions", "greet").stdout
        self.assertIn("a second one", table)
        done = self.server.cli("rollback", "greet")
        self.assertRegex(done.stdout + done.stderr, r"2\D+1")
        self.assertEqual(self.server.get("greet", "/?name=World").json(), {"message": "Hello, World!"})
        # It never toggles: below version 1 there is none.
        again = self.server.cli("rollback", "greet", check=False)
        self.assertNotEqual(again.returncode, 0)
        self.assertEqual(self.server.get("greet", "/?name=World").json(), {"message": "Hello, World!"})
        self.server.cli("rollback", "greet", "2")
        self.assertEqual(self.server.get("greet").json(), {"message": "second"})
        self.server.cli("promote", "greet", "1")
        self.assertEqual(self.server.get("greet", "/?name=World").json(), {"message": "Hello, World!"})
        found = json.loads(self.server.cli("versions", "greet", "-o", "json").stdout)
        versions = found["versions"] if isinstance(found, dict) else found
        self.assertEqual([(each["version"], each["live"]) for each in versions], [(2, False), (1, True)])

    def test_6_logs_and_delete(self):
        self.server.get("calc", "/?a=1&b=2&op=add")
        self.assertTrue(re.search(r"START RequestId: \S+ Version: 1", self.server.cli("logs", "calc").stdout))
        self.server.cli("delete", "calc", "-y")
        self.assertEqual(self.server.get("calc").status, 404)
        self.assertEqual(self.server.cli("invoke", "calc", "--data", "{}", check=False).returncode, 5)


if __name__ == "__main__":
    unittest.main()
