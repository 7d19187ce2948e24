"""lambda logs at a terminal: colours, and lines that cannot command it."""

import unittest

from command_line import AtTerminal, ServerTest

CODE = r'''
def handler(event, context):
    print("[ERROR]\tit broke")
    print("[WARNING]\tcareful")
    print("plain")
    print("\x1b[2Jwiped \x1b[32mgreen")
'''
DIM, RED, YELLOW, RESET = "\x1b[2m", "\x1b[31m", "\x1b[33m", "\x1b[0m"


class LogsAtTerminal(ServerTest):
    driver = "native"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.deploy({"app.py": CODE}, "colours", "--handler", "app.handler")
        cls.server.invoke("colours", {})

    def see(self, *arguments, keys=b"", **environment):
        return AtTerminal(["logs", "colours", *arguments], self.server.cli_environment(**{"TERM": "xterm", "NO_COLOR": "", **environment}), keys)

    def check_colours(self, text):
        self.assertRegex(text, rf"(?m)^\x1b\[2m20\d\d-[-0-9:.T]+Z\x1b\[0m  \x1b\[31m\[ERROR\]\s+it broke\x1b\[0m$")
        self.assertIn(f"{YELLOW}[WARNING]", text)
        self.assertIn(f"{DIM}START RequestId: ", text)
        self.assertIn(f"{RESET}  plain{RESET}\n", text)

    def test_colours(self):
        self.check_colours(self.see().text)

    def test_a_line_does_not_command_the_terminal(self):
        text = self.see().text
        self.assertNotIn("\x1b[2J", text)
        self.assertIn("\\x1B[2Jwiped \x1b[32mgreen" + RESET, text)

    def test_no_colours_where_they_are_not_wanted(self):
        for environment in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
            text = self.see(**environment).text
            self.assertNotIn("\x1b", text)
            self.assertIn("it broke", text)
        self.assertNotIn(RED, self.server.cli("logs", "colours", env={"TERM": "xterm"}).stdout)

    def test_following_until_control_c(self):
        seen = self.see("-f", keys=b"\x03")
        self.check_colours(seen.text)
        self.assertEqual(seen.code, -2)


if __name__ == "__main__":
    unittest.main()
