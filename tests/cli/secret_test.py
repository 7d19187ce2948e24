"""lambda secret and lambda env at a terminal: what is typed is not seen, and questions are asked."""

import unittest

from command_line import AtTerminal, ServerTest

CODE = "import os\ndef handler(event, context): return os.environ.get(event['name'])\n"


class AtAPrompt(ServerTest):
    driver = "native"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.deploy({"app.py": CODE}, "greet", "--handler", "app.handler")

    def type(self, keys, *arguments):
        return AtTerminal(arguments, self.server.cli_environment(), keys)

    def value(self, name):
        return self.server.invoke("greet", {"name": name}).json()

    def test_a_secret_is_asked_for_and_not_shown(self):
        seen = self.type(b"hunter2-typed\r", "secret", "put", "TYPED", "--function", "greet")
        self.assertEqual(seen.code, 0, seen.text)
        self.assertIn("Value of TYPED (it is not shown): \n", seen.text)
        self.assertRegex(seen.text, r'Made the secret TYPED of "greet" \(digest [0-9a-f]{12}\)')
        self.assertNotIn("hunter2", seen.text)
        self.assertEqual(self.value("TYPED"), "hunter2-typed")

    def test_ctrl_c_keeps_nothing(self):
        seen = self.type(b"hunter2\x03", "secret", "put", "STOPPED")
        self.assertEqual(seen.code, 130, seen.text)
        self.assertNotIn("STOPPED", self.server.cli("secret", "list").stdout)
        seen = self.type(b"hunter2\x03", "env", "set", "greet", "STOPPED=-")
        self.assertEqual(seen.code, 130, seen.text)
        self.assertNotIn("STOPPED", self.server.cli("env", "greet").stdout)

    def test_a_variable_is_asked_for_and_not_shown(self):
        seen = self.type(b"hunter2-set\r", "env", "set", "greet", "ASKED=-")
        self.assertEqual(seen.code, 0, seen.text)
        self.assertNotIn("hunter2", seen.text)
        self.assertEqual(self.value("ASKED"), "hunter2-set")

    def test_deleting_one_that_is_used_asks(self):
        self.server.cli("secret", "put", "USED", "--function", "greet", stdin="x1")
        seen = self.type(b"n\r", "secret", "delete", "USED", "--function", "greet")
        self.assertEqual(seen.code, 1, seen.text)
        self.assertIn("greet uses it, and will not have it any more.", seen.text)
        self.assertIn("Nothing was deleted.", seen.text)
        self.assertEqual(self.value("USED"), "x1")
        seen = self.type(b"y\r", "secret", "delete", "USED", "--function", "greet")
        self.assertIn('Deleted the secret USED of "greet".', seen.text)
        self.assertIsNone(self.value("USED"))


if __name__ == "__main__":
    unittest.main()
