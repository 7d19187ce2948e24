"""Every folder of examples/, deployed as it stands, called over HTTP and by invoke."""

import base64
import functools
import json
import math
import random
import shutil
import subprocess
import unittest
import urllib.parse

from lambda_server import EXAMPLES, ServerTest, on_both_drivers

HANDLERS = {"python": "", "node": "-node", "cpp": "-cpp"}
DOCKERFILES = {"docker": "-docker"}
JSON = {"Content-Type": "application/json"}


def random_text(rng):
    ranges = [(0x20, 0x7E), (0xA1, 0x2FF), (0x370, 0x3FF), (0x400, 0x4FF), (0x5D0, 0x5EA), (0x620, 0x64A), (0x4E00, 0x9FFF),
              (0xAC00, 0xD7A3), (0x1F300, 0x1F64F)]
    return "".join(chr(rng.randint(*rng.choice(ranges))) for _ in range(rng.randint(1, 24))).strip() or "x"


def build(folder):
    done = subprocess.run(["make", "-C", folder], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def in_each_way(test):
    """A test method that is given the name of one function after the other."""
    @functools.wraps(test)
    def run(self):
        for way in self.ways:
            with self.subTest(way=way):
                test(self, f"{self.family}-{way}")
    return run


class Examples(ServerTest):
    """The example `family`, written in each of `ways`."""

    family: str
    ways: dict

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for way, suffix in cls.ways.items():
            folder = EXAMPLES / (cls.family + suffix)
            if way == "cpp":
                build(folder)
            cls.server.deploy(folder, f"{cls.family}-{way}", timeout=300)


class Hello(Examples):
    family = "hello"

    @in_each_way
    def test_world(self, name):
        reply = self.server.get(name)
        self.assertEqual((reply.status, reply.json()), (200, {"message": "Hello, World!"}))
        self.assertIn("application/json", reply.headers["content-type"])
        self.assertEqual(self.server.invoke(name, {}).json(), {"message": "Hello, World!"})
        self.assertEqual(self.server.get(name, "/?other=1").json(), {"message": "Hello, World!"})

    @in_each_way
    def test_random_unicode_names(self, name):
        rng = random.Random(11)
        for _ in range(30):
            person = random_text(rng)
            expected = {"message": f"Hello, {person}!"}
            body = json.dumps({"name": person}, ensure_ascii=rng.random() < 0.5).encode()
            self.assertEqual(self.server.get(name, "/?name=" + urllib.parse.quote(person)).json(), expected)
            self.assertEqual(self.server.post(name, body, headers=JSON).json(), expected)
            self.assertEqual(self.server.invoke(name, {"name": person}).json(), expected)

    @in_each_way
    def test_the_command_line(self, name):
        done = self.server.cli("invoke", name, "--data", '{"name": "Zoë"}')
        self.assertEqual(json.loads(done.stdout), {"message": "Hello, Zoë!"})


class Echo(Examples):
    family = "echo"

    @in_each_way
    def test_binary_bodies(self, name):
        rng = random.Random(12)
        bodies = [bytes(range(256)), b"\0", rng.randbytes(1000), rng.randbytes(300_000)]
        for body in bodies:
            reply = self.server.post(name, body, headers={"Content-Type": "image/png"})
            self.assertEqual((reply.status, reply.headers["content-type"]), (200, "image/png"))
            self.assertEqual(reply.body, body)

    @in_each_way
    def test_text_bodies(self, name):
        rng = random.Random(13)
        for kind in ("text/plain; charset=utf-8", "application/json", "application/x-www-form-urlencoded"):
            body = json.dumps(random_text(rng), ensure_ascii=False).encode()
            reply = self.server.post(name, body, headers={"Content-Type": kind})
            self.assertEqual((reply.status, reply.headers["content-type"], reply.body), (200, kind, body))

    @in_each_way
    def test_query_and_path(self, name):
        got = self.server.get(name, "/some/path?a=1&b=x&a=2&empty=&%C3%A9=%E2%82%AC+%26&a=1", headers={"X-Mine": "yes"}).json()
        self.assertEqual((got["method"], got["path"]), ("GET", "/some/path"))
        self.assertEqual(got["query"], {"a": ["1", "2", "1"], "b": ["x"], "empty": [""], "é": ["€ &"]})
        self.assertEqual(got["headers"]["x-mine"], "yes")
        self.assertEqual(self.server.request("DELETE", "/", host=f"{name}.localhost").json()["method"], "DELETE")
        self.assertEqual(self.server.get(name).json()["query"], {})

    @in_each_way
    def test_invoke(self, name):
        rng = random.Random(14)
        events = [{}, {"a": [1, 2.5, None, True, {"b": ""}]}, {random_text(rng): random_text(rng) for _ in range(20)}, {"big": "x" * 500_000},
                  {"bytes": base64.b64encode(rng.randbytes(5000)).decode()}]
        for event in events:
            reply = self.server.invoke(name, event)
            self.assertNotIn("x-amz-function-error", reply.headers)
            self.assertEqual(reply.json(), event)


class HandlerEcho(Echo):
    """A handler's event may be any JSON; what an HTTP server is posted goes back as it is, without a meaning."""

    @in_each_way
    def test_events_that_are_no_objects(self, name):
        for event in ([1, "two", None], "text", 3, 2.5, True):
            self.assertEqual(self.server.invoke(name, json.dumps(event).encode()).json(), event)


class Calculator(Examples):
    family = "calculator"

    def call(self, name, **values):
        return self.server.get(name, "/?" + urllib.parse.urlencode(values))

    def assert_close(self, reply, expected):
        # Boost.JSON 1.81 may read a number wrong by one unit in the last place.
        self.assertTrue(math.isclose(reply.json()["result"], expected, rel_tol=1e-15), f"{reply} instead of {expected!r}")

    @in_each_way
    def test_random_numbers(self, name):
        rng = random.Random(15)
        operations = {"add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b, "div": lambda a, b: a / b}
        for _ in range(40):
            op = rng.choice(list(operations))
            a, b = (rng.choice([rng.randint(-1000, 1000), rng.uniform(-1e6, 1e6), rng.uniform(-1, 1) * 1e-9]) for _ in "ab")
            b = b or 1
            expected = operations[op](a, b)
            self.assert_close(self.call(name, a=a, b=b, op=op), expected)
            self.assert_close(self.server.invoke(name, {"a": a, "b": b, "op": op}), expected)

    @in_each_way
    def test_whole_numbers_look_whole(self, name):
        self.assertEqual(self.call(name, a=1, b=2).text.replace(" ", ""), '{"result":3}')
        self.assertEqual(self.call(name, a=9, b=3, op="div").text.replace(" ", ""), '{"result":3}')

    @in_each_way
    def test_what_cannot_be_calculated(self, name):
        for values, word in (({"a": 1, "b": 0, "op": "div"}, "division by zero"), ({"a": 1}, "b is missing"), ({}, "a is missing"),
                             ({"a": "one", "b": 2}, "a is not a finite number: one"), ({"a": 1, "b": "inf"}, "not a finite number"),
                             ({"a": 1, "b": ""}, "b is"), ({"a": 1, "b": 2, "op": "pow"}, "op is pow"),
                             ({"a": 1e300, "b": 1e300, "op": "mul"}, "too large")):
            reply = self.call(name, **values)
            self.assertEqual((reply.status, reply.headers["content-type"]), (400, "application/json"), values)
            self.assertIn(word, reply.json()["error"])
        self.assertEqual(self.call(name, a=1, b=2, op="add").json(), {"result": 3})


class HandlerCalculator(Calculator):
    @in_each_way
    def test_division_by_zero_by_invoke(self, name):
        answer = self.server.invoke(name, {"a": 1, "b": 0, "op": "div"}).json()
        self.assertEqual((answer["statusCode"], json.loads(answer["body"])), (400, {"error": "division by zero"}))


class HttpCalculator(Calculator):
    @in_each_way
    def test_division_by_zero_by_invoke(self, name):
        reply = self.server.invoke(name, {"a": 1, "b": 0, "op": "div"})
        self.assertEqual((reply.headers["x-amz-function-error"], reply.json()), ("Unhandled", {"error": "division by zero"}))


class Unbuilt(ServerTest):
    def test_a_cpp_example_that_is_not_built_says_how(self):
        folder = self.server.home / "hello-cpp"
        shutil.copytree(EXAMPLES / "hello-cpp", folder, ignore=shutil.ignore_patterns("bootstrap"))
        done = self.server.deploy(folder, "unbuilt", check=False)
        self.assert_fails(done, 2, "bootstrap", f"make -C {folder}")


@on_both_drivers
class HelloHandlers(Hello):
    ways = HANDLERS


@on_both_drivers
class EchoHandlers(HandlerEcho):
    ways = HANDLERS


@on_both_drivers
class CalculatorHandlers(HandlerCalculator):
    ways = HANDLERS


@on_both_drivers
class HelloImages(Hello):
    ways = DOCKERFILES


@on_both_drivers
class EchoImages(Echo):
    ways = DOCKERFILES


@on_both_drivers
class CalculatorImages(HttpCalculator):
    ways = DOCKERFILES


@on_both_drivers
class UnbuiltExamples(Unbuilt):
    pass


# What the classes above share is no test by itself.
del Hello, Echo, HandlerEcho, Calculator, HandlerCalculator, HttpCalculator, Unbuilt, Examples, ServerTest

if __name__ == "__main__":
    unittest.main()
