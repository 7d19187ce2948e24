"""Questions at a terminal: which answers are a yes, and how they can be left; and none without a terminal."""

import unittest

from command_line import KEY, AtTerminal, CommandLineTest, ScriptedServer, answer_json, clean_environment

ASKING = (["delete", "greet"], ["queue", "purge", "greet"], ["alias", "delete", "greet", "live"], ["secret", "delete", "TOKEN"])


def serve(received):
    return answer_json({"aliases": [{"name": "live", "version": "1"}], "versions": 1, "url": "http://x", "removed": 1,
                        "secrets": [{"name": "TOKEN", "usedBy": ["greet"]}]})


class Questions(CommandLineTest):
    def asked(self, words, keys):
        """What was seen, and whether anything was deleted."""
        with ScriptedServer(serve) as server:
            seen = AtTerminal(words, clean_environment(self.home, LAMBDA_HOST=f"http://127.0.0.1:{server.port}", LAMBDA_API_KEY=KEY), keys)
        return seen, any(each.method == "DELETE" for each in server.received)

    def test_take_the_same_answers_everywhere(self):
        for words in ASKING:
            for keys, code, deletes in ((b"y\n", 0, True), (b"YES\n", 0, True), (b"n\n", 1, False), (b"\n", 1, False), (b"yess\n", 1, False)):
                with self.subTest(words=words, keys=keys):
                    seen, deleted = self.asked(words, keys)
                    self.assertIn("[y/N]", seen.text)
                    self.assertEqual((seen.code, deleted), (code, deletes), seen.text)

    def test_can_be_left(self):
        for words in ASKING:
            with self.subTest(words=words):
                seen, deleted = self.asked(words, b"\x03")
                self.assertEqual((seen.code, deleted), (-2, False), seen.text)
                seen, deleted = self.asked(words, b"\x04")
                self.assertEqual((seen.code, deleted), (1, False), seen.text)
                self.assertRegex(seen.text, r"\[y/N\] \nNothing was (deleted|removed)\.\n")

    def test_are_none_without_a_terminal(self):
        for words in ASKING:
            with self.subTest(words=words), ScriptedServer(serve) as server:
                done = self.run_lambda(*words, stdin="y\n", LAMBDA_HOST=f"http://127.0.0.1:{server.port}", LAMBDA_API_KEY=KEY)
                self.assert_ends(done, 2, "-y")
                self.assertNotIn("[y/N]", done.stderr)
                self.assertNotIn("DELETE", [each.method for each in server.received])


if __name__ == "__main__":
    unittest.main()
