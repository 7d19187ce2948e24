"""`lambda queue` and its commands: what is refused before the server hears of it."""

import unittest

from command_line import KEY, CommandLineTest, ScriptedServer, answer_json

SUBJECTS = {"list": "NAME", "show": "ID", "cancel": "ID", "redrive": "NAME|ID", "purge": "NAME", "config": "NAME", "secret": "NAME"}


class Queue(CommandLineTest):
    def queue(self, *arguments, answer=answer_json({})):
        """What the command said to that answer, and the requests that it made."""
        with ScriptedServer(answer if callable(answer) else lambda _: answer) as server:
            done = self.run_lambda("queue", *arguments, LAMBDA_HOST=f"http://127.0.0.1:{server.port}", LAMBDA_API_KEY=KEY)
        return done, server.received

    def refused(self, *arguments, said):
        with self.subTest(arguments=arguments):
            done, sent = self.queue(*arguments)
            self.assert_ends(done, 2, said)
            self.assertEqual((done.stdout, sent), ("", []))

    def test_no_command_leaves_a_word_to_the_one_above(self):
        for command, subject in SUBJECTS.items():
            for more in (["b"], ["--", "b"]):
                self.refused(command, "a", *more, said=f'`lambda queue {command}` does not take "b": it takes one {subject}')
            self.refused("a", command, "b", said=f"write lambda queue {command} a")

    def test_no_command_leaves_an_option_to_the_one_above(self):
        self.refused("secret", "a", "-o", "json", said="`lambda queue secret` has no option --output")
        for command in ("cancel", "redrive", "purge", "secret"):
            self.refused(command, "a", "-q", said=f"`lambda queue {command}` has no option --quiet")

    def test_a_command_that_is_none(self):
        self.refused("lsit", "greet", said='`lambda queue` has no command "lsit"; did you mean "list"?')
        self.refused("greet", "lsit", said="did you mean `lambda queue list greet`?")
        self.refused("greet", "t-fail", said='has no command "greet" (there are list, show,')
        self.refused("greet", "t-fail", said='it does not take "t-fail"')

    def test_a_name_that_is_no_function_may_be_meant_for_a_command(self):
        missing = answer_json({"message": "there is none"}, 404)
        for name, said in (("lsit", "If a command was meant: lambda queue list"), ("frobnicate", "The commands of `lambda queue` are list, show, cancel")):
            done, _ = self.queue(name, answer=missing)
            self.assert_ends(done, 5, "lambda: there is none\n", said)

    def test_an_option_of_both_may_stand_before_the_command(self):
        done, sent = self.queue("-o", "json", "list", "a", answer=answer_json({"events": []}))
        self.assert_ends(done, 0)
        self.assertEqual((done.stdout, len(sent)), ('{"events":[]}\n', 1))

    def test_another_payload_is_json(self):
        event = "61e4db12-d7d3-4e6e-bdb2-35b6ff52a12b"
        self.refused("redrive", event, "--data", "{", said="the event is not JSON")
        self.refused("redrive", event, "--data", "", said="the event is empty: leave --data away")
        self.refused("redrive", "greet", "--data", "1", said="name it by its id (lambda queue list greet)")

    def test_settings_that_cannot_be(self):
        self.refused("config", "greet", "--max-age", "5s", said="--max-age: an event may grow 60s to 6h old, not 5s")
        self.refused("config", "greet", "--max-age", "7h", said="--max-age: an event may grow 60s to 6h old, not 7h")
        self.refused("config", "greet", "--max-age", "1d", said='--max-age: "1d" is not a time such as 1h')
        self.refused("config", "greet", "--retries", "3", said='--retries: must be a whole number from 0 to 2, not "3"')

    def test_destinations_that_cannot_be(self):
        for destination in ("ftp://example.org/x", "a b"):
            done, _ = self.queue("config", "greet", "--on-success", destination)
            self.assert_ends(done, 2, f'lambda: "{destination}" is neither an address (http://..., https://...) nor a function\'s name\n')
        refusal = answer_json({"message": "OnFailure: The destination is invalid: localhost is 127.0.0.1"}, 400)
        done, _ = self.queue("config", "greet", "--on-failure", "http://localhost", answer=lambda sent: refusal if sent.body else answer_json({}))
        self.assert_ends(done, 2, "lambda: on failure: The destination is invalid: localhost is 127.0.0.1\n")


class Submission(CommandLineTest):
    def test_the_id_is_told_before_the_wait(self):
        def answer(sent):
            return (202, {"x-amzn-RequestId": "an-id"}, b"") if sent.method == "POST" else answer_json({"message": "the server goes away"}, 503)

        with ScriptedServer(answer) as server:
            done = self.run_lambda("invoke", "greet", "--async", "--wait", "-d", "{}", LAMBDA_HOST=f"http://127.0.0.1:{server.port}", LAMBDA_API_KEY=KEY)
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(done.stdout, "")
        self.assertTrue(done.stderr.startswith("Accepted as an-id; lambda result an-id --wait goes on\n"), done.stderr)
        self.assertIn("the server goes away", done.stderr)

    def test_a_key_is_no_option_and_not_empty(self):
        for key, said in ((["--idempotency-key", "--wait"], "--idempotency-key needs a value, and --wait looks like an option"),
                          (["--idempotency-key", "--timing"], "if it is meant, write --idempotency-key=--timing"),
                          (["--idempotency-key", ""], "--idempotency-key: must not be empty"), (["--idempotency-key="], "--idempotency-key= has no value")):
            with ScriptedServer(lambda _: answer_json({})) as server:
                done = self.run_lambda("invoke", "greet", "--async", *key, "-d", "{}", LAMBDA_HOST=f"http://127.0.0.1:{server.port}", LAMBDA_API_KEY=KEY)
            self.assert_ends(done, 2, said)
            self.assertEqual((done.stdout, server.received), ("", []))


if __name__ == "__main__":
    unittest.main()
