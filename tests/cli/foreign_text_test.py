"""Words of functions, builds and servers at a person's terminal: shown, but in command of nothing. In a pipe they are as they were written."""

import base64
import json
import unittest

from command_line import KEY, PROGRAM, CommandLineTest, ScriptedServer, accepting, answer_json, clean_environment
from screen import Screen

# Clears the screen, sets the title, rings, and goes on in red.
WILD = "one \x1b[2J\x1b]0;title\x07two \x1b[31mred\x1b[0m three"
TAMED = "one \\x1B[2J\\x1B]0;title\\x07two red three"
ID = "61e4db12-d7d3-4e6e-bdb2-35b6ff52a12b"


def serve(received):
    if received.path.endswith("/invocations"):
        return 200, {"X-Amz-Function-Error": "Unhandled", "X-Amz-Log-Result": base64.b64encode(f"log {WILD}\n".encode()).decode()}, json.dumps(
            {"errorType": "Boom", "errorMessage": WILD}).encode()
    if received.path.endswith("/deploy"):
        lines = [{"event": "begin", "step": 2, "text": "Building"}, {"event": "output", "text": f"building {WILD}\r\n"},
                 {"event": "error", "status": 400, "code": "function failed", "message": f"failed {WILD}", "log": f"its log {WILD}\n"}]
        return 200, {}, b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    if received.path.endswith("/payload"):
        return 200, {}, WILD.encode()
    if "/events/" in received.path:
        return answer_json({"id": ID, "function": "greet", "state": "dead", "errorType": "Boom", "errorMessage": WILD})
    if received.path.endswith("/environment"):
        return answer_json({"message": f"refused {WILD}"}, 400)
    return accepting(received)


class AtATerminal(CommandLineTest):
    def seen(self, *words):
        with ScriptedServer(serve) as server:
            environment = clean_environment(self.home, LAMBDA_HOST=f"http://127.0.0.1:{server.port}", LAMBDA_API_KEY=KEY)
            with Screen([PROGRAM, *map(str, words)], environment, 200) as screen:
                screen.end()
        for command in (b"\x1b[2J", b"\x1b]0", b"\x07"):
            # The payload is standard output, which is written as it is.
            self.assertNotIn(command, screen.raw.replace(json.dumps(WILD).encode(), b""), screen.text)
        return screen

    def test_of_a_function_that_fails(self):
        screen = self.seen("invoke", "greet", "--data", "{}", "--logs")
        self.assertIn(f"lambda: the function failed: Boom: {TAMED}", screen.text)
        self.assertIn(f"log {TAMED}", screen.text)
        self.assertEqual(screen.colour_of("red three")[0], "red")

    def test_of_a_build_and_a_deploy(self):
        screen = self.seen("deploy", self.folder({"app.py": "def handler(event, context): return 1\n"}))
        for words in (f"      building {TAMED}", f"lambda: failed {TAMED}", f"  its log {TAMED}"):
            self.assertIn(words, screen.text)

    def test_of_events(self):
        screen = self.seen("queue", "show", ID)
        self.assertIn(f"Last error   Boom: {TAMED}", screen.lines)
        self.assertIn(f"Payload      {TAMED}", screen.lines)

    def test_of_the_servers_refusal(self):
        self.assertIn(f"lambda: refused {TAMED}", self.seen("env", "set", "greet", "WORD=1").lines)


class InAPipe(CommandLineTest):
    def test_nothing_is_changed(self):
        with ScriptedServer(serve) as server:
            environment = {"LAMBDA_HOST": f"http://127.0.0.1:{server.port}", "LAMBDA_API_KEY": KEY}
            self.assertIn(WILD, self.run_lambda("invoke", "greet", "--data", "{}", **environment).stderr)
            self.assertIn(f"Payload      {WILD}\n", self.run_lambda("queue", "show", ID, **environment).stdout)


if __name__ == "__main__":
    unittest.main()
