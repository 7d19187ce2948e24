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
        self.assertEqual(self.shown(), {"context": "default", "host": "https://lambda.example.com", "hostSource": str(self.file), "key": KEY[:12] + "...",
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


    def test_that_are_a_folder_or_closed_are_not_taken_for_none(self):
        self.file.mkdir(parents=True)
        for words in (["list"], ["config", "set-host", "https://one.example.com"]):
            self.assert_ends(self.run_lambda(*words), 4, "the settings cannot be read", str(self.file))

    def test_without_a_home_are_in_no_working_directory(self):
        (self.home / ".config/lambda").mkdir(parents=True)
        self.file.write_text('host = "https://planted.example.com"\n')
        done = self.run_lambda("config", "show", "-o", "json", cwd=self.home, HOME="", alone=True)
        self.assertNotIn("planted", done.stdout + done.stderr)


class Contexts(CommandLineTest):
    """Several servers, each with its own key."""

    file = Settings.file

    def run_lambda(self, *arguments, **more):
        return super().run_lambda(*arguments, **{"LAMBDA_DATA_DIR": "", **more})

    def setUp(self):
        super().setUp()
        for name, key in (("prod", KEY), ("staging", OTHER)):
            self.assert_ends(self.run_lambda("config", "set-context", name, "--host", f"https://{name}.example.com"), 0, f"set-key --context {name}")
            self.assert_ends(self.run_lambda("config", "set-key", "--context", name, stdin=key), 0, f"for the context {name}")

    def shown(self, *arguments, **environment):
        return json.loads(self.run_lambda(*arguments, "config", "show", "-o", "json", **environment).stdout)

    def listed(self):
        return {each["name"]: each for each in json.loads(self.run_lambda("config", "contexts", "-o", "json").stdout)["contexts"]}

    def test_one_is_used_until_another_is(self):
        self.assert_ends(self.run_lambda("config", "use-context", "prod"), 0, "https://prod.example.com")
        self.assertEqual(self.shown()["key"], KEY[:12] + "...")
        self.assertEqual(self.shown("--context", "staging")["key"], OTHER[:12] + "...")
        self.assertEqual(self.shown(LAMBDA_CONTEXT="staging")["host"], "https://staging.example.com")
        self.assertEqual(self.shown("--context", "prod", LAMBDA_CONTEXT="staging")["host"], "https://prod.example.com")
        self.assertEqual(self.shown(LAMBDA_HOST="https://other", LAMBDA_API_KEY=OTHER)["host"], "https://other")
        self.assertEqual({name for name, each in self.listed().items() if each["used"]}, {"prod"})
        self.assertEqual(stat.S_IMODE(self.file.stat().st_mode), 0o600)

    def test_are_listed_without_their_keys(self):
        table = self.run_lambda("config", "list")
        self.assertRegex(table.stdout, r"(?m)^default +yes +the server on this machine\nprod +https://prod.example.com +lam_AAAAAAAA\.\.\.\n")
        self.assertNotIn(KEY, table.stdout + self.run_lambda("config", "contexts", "-o", "json").stdout)

    def test_a_key_goes_with_its_host(self):
        self.assert_ends(self.run_lambda("config", "set-context", "prod", "--host", "https://new.example.com"), 0, "the key of https://prod.example.com is forgotten")
        self.assertIsNone(self.shown("--context", "prod")["key"])
        self.assertEqual(self.shown("--context", "staging")["key"], OTHER[:12] + "...")

    def test_a_key_that_is_kept_is_sent_to_no_other_host(self):
        self.run_lambda("config", "use-context", "prod")
        self.assert_ends(self.run_lambda("--host", "https://evil.example.com", "list"), 4, "sent to no other host")
        self.assertEqual(self.shown("--host", "https://staging.example.com")["key"], OTHER[:12] + "...")

    def test_can_be_forgotten_but_not_while_used(self):
        self.run_lambda("config", "use-context", "prod")
        self.assert_ends(self.run_lambda("config", "delete-context", "prod"), 1, "use another first")
        self.run_lambda("config", "use-context", "default")
        self.assert_ends(self.run_lambda("config", "delete-context", "prod"), 0)
        self.assertNotIn(KEY, self.file.read_text())
        self.assert_ends(self.run_lambda("config", "delete-context", "prod"), 5, "no context")

    def test_what_is_wrong_is_told(self):
        self.assert_ends(self.run_lambda("--context", "prd", "list"), 2, 'did you mean "prod"?')
        self.assert_ends(self.run_lambda("config", "use-context", "nowhere"), 2, "set-context nowhere")
        self.assert_ends(self.run_lambda("config", "set-context", "a b", "--host", "https://x"), 2, "cannot be a context's name")
        self.assert_ends(self.run_lambda("config", "set-context", "x"), 2, "--host URL")
        self.assert_ends(self.run_lambda("config", "set-context", "x", "--host", "ftp://x"), 2, "http://")
        self.assertEqual(set(self.listed()), {"default", "prod", "staging"})

    def test_a_file_of_before_is_the_default_one(self):
        file = self.file
        file.write_text(f'host = "https://old.example.com"\nkey = "{KEY}"\n')
        self.assertEqual((self.shown()["host"], self.shown()["key"]), ("https://old.example.com", KEY[:12] + "..."))
        self.run_lambda("config", "set-context", "more", "--host", "https://more.example.com")
        self.assertEqual(self.shown()["key"], KEY[:12] + "...")
        self.assertEqual(set(self.listed()), {"default", "more"})


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
        for ending, code in ((signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM), (signal.SIGHUP, -signal.SIGHUP), (signal.SIGQUIT, -signal.SIGQUIT)):
            with self.subTest(ending=ending):
                self.leave(ending, code)

    def test_is_asked_for_anew_after_a_pause(self):
        """Ctrl-Z and fg: in between the terminal shows what is typed."""
        master, slave = pty.openpty()
        try:
            child = subprocess.Popen([PROGRAM, "config", "set-key"], stdin=slave, stdout=slave, stderr=slave, env=clean_environment(self.home),
                                     process_group=0)
            self.wait_until(lambda: not self.echoes(slave))
            child.send_signal(signal.SIGTSTP)
            os.waitid(os.P_PID, child.pid, os.WSTOPPED | os.WNOWAIT)
            self.assertTrue(self.echoes(slave))
            child.send_signal(signal.SIGCONT)
            self.wait_until(lambda: not self.echoes(slave))
            os.write(master, KEY.encode() + b"\n")
            self.assertEqual(child.wait(20), 0)
            self.assertTrue(self.echoes(slave))
        finally:
            os.close(master)
            os.close(slave)

    def wait_until(self, what):
        until = time.monotonic() + 20
        while not what():
            self.assertLess(time.monotonic(), until)
            time.sleep(0.02)

    def leave(self, ending, code):
        master, slave = pty.openpty()
        try:
            child = subprocess.Popen([PROGRAM, "config", "set-key"], stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
                                     env=clean_environment(self.home))
            self.wait_until(lambda: not self.echoes(slave))
            child.send_signal(ending)
            self.assertEqual(child.wait(20), code)
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
