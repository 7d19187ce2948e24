"""How listings look: tables that fit the terminal, plain lines and names for scripts, colours for people alone."""

import json
import unittest

from command_line import PROGRAM, CommandLineTest, ServerTest, all_commands, clean_environment, help_of
from screen import Screen

CODE = "def handler(event, context): return 1\n"


class EveryCommand(CommandLineTest):
    def test_that_lists_prints_in_every_format(self):
        listing = [words for words in all_commands() if words[-1] in ("list", "contexts", "versions")]
        self.assertGreater(len(listing), 4)
        for words in (*listing, ("audit",), ("config", "show"), ("doctor",), ("env",), ("queue",), ("schedule",), ("stats",), ("trace",)):
            with self.subTest(command=words):
                self.assertRegex(help_of(*words), r"-o,--output json\|table\|plain")
                self.assertRegex(help_of(*words), r"-q,--quiet +names alone")

    def test_that_changes_something_of_the_server_says_so_in_json(self):
        changing = [words for words in all_commands() if words[-1] in ("delete", "revoke", "cancel", "redrive", "purge", "pause", "resume", "run", "url")]
        self.assertGreater(len(changing), 10)
        for words in changing:
            with self.subTest(command=words):
                self.assertRegex(help_of(*words), r"-o,--output json\|table")

    def test_has_examples(self):
        for words in all_commands():
            with self.subTest(command=words):
                self.assertRegex(help_of(*words), r"(?m)^Examples?:\n(  .*\n)*  .*\blambda ")


class Listings(ServerTest):
    driver = "native"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for name in ("greet", "a-function-with-a-rather-long-name"):
            cls.server.deploy({"app.py": CODE}, name, "-m", "你好 \x1b[31mred\x07 and a message that goes on for longer than a narrow terminal is wide")
        cls.server.cli("schedule", "greet", "--cron", "0 0 1 1 *", "--name", "yearly")

    def out(self, *arguments):
        done = self.server.cli(*arguments)
        self.assertEqual(done.stderr, "")
        return done.stdout

    def at_terminal(self, *arguments, columns=80, **environment):
        screen = Screen([PROGRAM, *arguments], self.server.cli_environment(**environment), columns)
        with screen:
            self.assertEqual(screen.end(), 0, screen.text)
        return screen

    def test_names_alone(self):
        self.assertEqual(self.out("list", "-q"), "a-function-with-a-rather-long-name\ngreet\n")
        self.assertEqual(self.out("versions", "greet", "-q"), "1\n")
        self.assertEqual(self.out("schedule", "list", "-q"), "greet\tyearly\n")
        self.assertEqual(self.out("alias", "list", "greet", "-q"), "live\n")
        self.assertEqual(self.out("config", "contexts", "-q"), "default\n")

    def test_plain_lines(self):
        rows = [line.split("\t") for line in self.out("list", "-o", "plain").splitlines()]
        self.assertEqual([(row[0], row[1]) for row in rows], [("a-function-with-a-rather-long-name", "python3.11"), ("greet", "python3.11")])
        self.assertEqual({len(row) for row in rows}, {6})
        message = self.out("versions", "greet", "-o", "plain").rstrip("\n").split("\t")[5]
        self.assertEqual(message, "你好  [31mred  and a message that goes on for longer than a narrow terminal is wide")

    def test_json_is_the_same_everywhere(self):
        self.assertEqual([each["name"] for each in json.loads(self.out("list", "-o", "json"))["functions"]],
                         ["a-function-with-a-rather-long-name", "greet"])
        self.assertTrue(json.loads(self.out("versions", "greet", "-o", "json"))["versions"][0]["message"].startswith("你好 \x1b"))

    def test_changes_in_json(self):
        def said(*words):
            done = self.server.cli(*words, "-o", "json")
            return json.loads(done.stdout)
        self.server.deploy({"app.py": "def handler(event, context): raise ValueError()\n"}, "fails")
        self.server.cli("queue", "config", "fails", "--retries", "0")
        dead = self.server.cli("invoke", "fails", "--async").stdout.strip()
        self.server.cli("result", dead, "--wait", check=False)
        self.assertEqual(said("url", "fails", "key")["urlAuth"], "key")
        self.server.cli("alias", "set", "fails", "prod", "1")
        self.assertEqual(said("alias", "delete", "fails", "prod"), {"function": "fails", "name": "prod", "deleted": True})
        self.server.cli("schedule", "fails", "--cron", "0 0 1 1 *")
        self.assertTrue(said("schedule", "pause", "fails")["paused"])
        self.assertFalse(said("schedule", "resume", "fails").get("paused"))
        fired = said("schedule", "run", "fails")["event"]
        self.server.cli("result", fired, "--wait", check=False)
        self.assertEqual(said("schedule", "delete", "fails"), {"function": "fails", "name": "default", "deleted": True})
        self.assertEqual(said("queue", "redrive", dead), {"event": dead, "redriven": 1})
        self.server.cli("result", dead, "--wait", check=False)
        self.assertEqual(said("queue", "redrive", "fails")["redriven"], 2)
        for event in (dead, fired):
            self.server.cli("result", event, "--wait", check=False)
        self.assertEqual(said("queue", "cancel", dead), {"event": dead, "cancelled": True})
        self.assertEqual(said("queue", "purge", "fails", "-y")["removed"], 1)
        self.server.cli("keys", "create", "--name", "short", "--scope", "read")
        self.assertEqual(said("keys", "revoke", "short")["name"], "short")
        self.server.cli("secret", "put", "WORD", stdin="x")
        self.assertEqual(said("secret", "delete", "WORD"), {"name": "WORD", "function": "", "deleted": True})
        self.assertEqual(said("delete", "fails", "-y"), {"name": "fails", "deleted": True})

    def test_formats_do_not_mix(self):
        for words in (["list", "-q", "-o", "json"], ["list", "-o", "yaml"], ["schedule", "greet", "--cron", "* * * * *", "-q"]):
            with self.subTest(words=words):
                self.assert_fails(self.server.cli(*words, check=False), 2)

    def test_tables_fit_the_terminal(self):
        for columns in (40, 60, 100):
            with self.subTest(columns=columns):
                screen = self.at_terminal("versions", "greet", columns=columns)
                # Nothing is wrapped: a header and one row.
                self.assertEqual(len([line for line in screen.lines if line]), 2, screen.text)
                self.assertTrue(screen.lines[1].endswith("…"), screen.text)
                self.assertTrue(screen.lines[1].startswith("1"), screen.text)
        self.assertIn("a-function-with-a-rather-long-name", self.at_terminal("list", columns=80).text)
        # Where nobody looks it is as wide as it is.
        self.assertIn("than a narrow terminal is wide", self.out("versions", "greet"))

    def test_no_text_rules_the_terminal(self):
        screen = self.at_terminal("versions", "greet", columns=200)
        self.assertIn("你好", screen.text.replace(" ", ""))
        self.assertIn("[31mred", screen.text)
        self.assertEqual(screen.colour_of("red")[0], "default")
        self.assertNotIn(b"\x07", screen.raw)

    def test_colours_are_for_people(self):
        self.assertTrue(self.at_terminal("list").colour_of("NAME")[1])
        for environment in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
            self.assertNotIn(b"\x1b[", self.at_terminal("list", **environment).raw)
        self.assertTrue(self.at_terminal("list", NO_COLOR="").colour_of("NAME")[1])
        self.assertNotIn("\x1b", self.out("list"))


class Nothing(CommandLineTest):
    def test_is_said_beside_the_output(self):
        done = self.run_lambda("config", "contexts", "-q")
        self.assertEqual((done.stdout, done.stderr), ("default\n", ""))

    def test_a_screen_has_what_the_test_believes(self):
        with Screen(["sh", "-c", "stty size; printf '\\033[32mok\\033[0m'; read line; echo got $line"], clean_environment(self.home), 50, 10) as screen:
            screen.wait_for("ok")
            self.assertEqual((screen.lines[0], screen.colour_of("ok")[0]), ("10 50", "green"))
            screen.type("keys\n")
            self.assertEqual(screen.end(), 0)
            self.assertIn("got keys", screen.text)


if __name__ == "__main__":
    unittest.main()
