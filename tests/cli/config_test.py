"""lambda config: what is kept, where, and that keys are in no argument and on no screen."""

import json
import os
import pty
import signal
import stat
import subprocess
import termios
import time
import unittest

from command_line import KEY, PROGRAM, AtTerminal, CommandLineTest, ServerTest, clean_environment

OTHER = "lam_" + "B" * 20 + "_" + "b" * 40


class Settings(CommandLineTest):
    @property
    def file(self):
        return self.home / ".config/lambda/config.toml"

    def run_lambda(self, *arguments, **more):
        return super().run_lambda(*arguments, **{"LAMBDA_DATA_DIR": "", **more})

    def shown(self, **environment):
        return json.loads(self.run_lambda("config", "show", "-o", "json", **environment).stdout)

    def test_are_kept_for_their_owner_alone(self):
        self.assert_ends(self.run_lambda("config", "set-host", "https://lambda.example.com"), 0, "https://lambda.example.com")
        self.assert_ends(self.run_lambda("config", "set-key", stdin=KEY + "\n"), 0)
        self.assertEqual(stat.S_IMODE(self.file.stat().st_mode), 0o600)
        self.assertEqual(self.shown(), {"host": "https://lambda.example.com", "hostSource": str(self.file), "key": KEY[:12] + "...",
                                        "keySource": str(self.file)})
        self.assertEqual(self.shown(LAMBDA_API_KEY=OTHER)["keySource"], "LAMBDA_API_KEY")
        table = self.run_lambda("config", "show").stdout
        self.assertNotIn(KEY, table)
        self.assertRegex(table, r"(?m)^host +https://lambda.example.com +/")

    def test_another_hosts_key_is_forgotten(self):
        self.run_lambda("config", "set-key", stdin=KEY)
        self.run_lambda("config", "set-host", "https://one.example.com")
        self.assertEqual(self.shown()["key"], KEY[:12] + "...")
        self.assert_ends(self.run_lambda("config", "set-host", "https://two.example.com"), 0, "forgotten")
        self.assertIsNone(self.shown()["key"])
        self.assertNotIn(KEY, self.file.read_text())

    def test_the_local_server_can_be_chosen_again(self):
        self.run_lambda("config", "set-host", "https://one.example.com")
        self.assert_ends(self.run_lambda("config", "set-host", "local"), 0, "this machine")
        self.assert_ends(self.run_lambda("list", alone=True), 6, "on this machine")

    def test_what_comes_before_the_host_that_is_kept_is_said(self):
        host = "https://one.example.com"
        self.assertNotIn("But", self.run_lambda("config", "set-host", host).stderr)
        for name, value in (("LAMBDA_HOST", "http://127.0.0.1:1"), ("LAMBDA_DATA_DIR", "/no/data")):
            for words in (host, "local"):
                with self.subTest(name=name, words=words):
                    done = self.run_lambda("config", "set-host", words, **{name: value})
                    self.assert_ends(done, 0, f"\nBut {name} is set here, and comes first: until `unset {name}` commands go where it says.\n")

    def test_what_is_wrong_is_not_kept(self):
        self.assert_ends(self.run_lambda("config", "set-host", "ftp://x"), 2, "http://")
        done = self.run_lambda("config", "set-key", stdin="my-secret\n")
        self.assert_ends(done, 2, "lam_")
        self.assertNotIn("my-secret", done.stderr)
        self.assert_ends(self.run_lambda("config", "set-key", KEY), 2)
        self.assertFalse(self.file.exists())

    def test_a_file_that_is_wrong_is_named_with_its_line(self):
        self.file.parent.mkdir(parents=True)
        self.file.write_text("host = \n")
        self.assert_ends(self.run_lambda("list"), 2, str(self.file), "line 1")


class KeyAtTerminal(CommandLineTest):
    def typed(self, keys):
        return AtTerminal(["config", "set-key"], clean_environment(self.home), keys)

    def test_is_not_shown(self):
        seen = self.typed(KEY.encode() + b"\n")
        self.assertEqual(seen.code, 0, seen.text)
        self.assertIn("it is not shown", seen.text)
        self.assertNotIn(KEY, seen.text)
        self.assertIn(KEY, (self.home / ".config/lambda/config.toml").read_text())

    def test_can_be_given_up(self):
        seen = self.typed(b"\x03")
        self.assertEqual(seen.code, 130, seen.text)
        self.assertFalse((self.home / ".config").exists())

    def test_leaves_the_echo_on(self):
        master, slave = pty.openpty()
        try:
            child = subprocess.Popen([PROGRAM, "config", "set-key"], stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
                                     env=clean_environment(self.home))
            until = time.monotonic() + 20
            while self.echoes(slave) and time.monotonic() < until:
                time.sleep(0.02)
            self.assertFalse(self.echoes(slave))
            child.send_signal(signal.SIGINT)
            self.assertEqual(child.wait(20), 130)
            self.assertTrue(self.echoes(slave))
        finally:
            os.close(master)
            os.close(slave)

    @staticmethod
    def echoes(terminal):
        return bool(termios.tcgetattr(terminal)[3] & termios.ECHO)


class ForAwsClients(ServerTest):
    """The settings work in a shell, with Debian's AWS CLI and with boto3 that knows nothing else."""

    driver = "native"

    def in_shell(self, script):
        environment = clean_environment(self.server.home, LAMBDA_HOST=self.server.url, LAMBDA_API_KEY=self.server.key, AWS_PROFILE="nobody",
                                        AWS_SESSION_TOKEN="old", PATH="/usr/bin:/bin")
        done = subprocess.run(["sh", "-euc", script], capture_output=True, text=True, env=environment, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def test_the_aws_cli(self):
        self.server.deploy({"app.py": "def handler(event, context): return event\n"}, "echo")
        out = self.in_shell(f"""eval "$({PROGRAM} config aws)"
aws --endpoint-url "$AWS_ENDPOINT_URL_LAMBDA" lambda list-functions --query 'Functions[].FunctionName' --output text""")
        self.assertEqual(out.split(), ["echo"])

    def test_nothing_but_comments_exports_and_unsets(self):
        out = self.server.cli("config", "aws").stdout
        for line in out.splitlines():
            self.assertRegex(line, r"^(# |export [A-Z_]+=[^ ]+$|unset [A-Z_ ]+$)")


if __name__ == "__main__":
    unittest.main()
