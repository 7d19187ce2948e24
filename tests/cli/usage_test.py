"""Arguments that are right, wrong and nearly right; help; output that nobody reads to its end."""

import os
import re
import subprocess
import unittest

from command_line import PROGRAM, AtTerminal, CommandLineTest, all_commands, clean_environment

COMMANDS = ["deploy", "invoke", "list", "logs", "url", "delete", "versions", "rollback", "promote", "config", "doctor"]


class Help(CommandLineTest):
    def test_names_every_command_and_exit_code(self):
        text = self.run_lambda("--help").stdout
        for command in COMMANDS:
            self.assertRegex(text, rf"(?m)^  {command} ")
        for code, words in enumerate(["done", "failed", "usage", "the function failed", "not allowed", "not found", "unreachable"]):
            self.assertRegex(text, rf"(?m)^  {code}  .*{words}")
        self.assertRegex(text, r"(?m)^  130  .*Ctrl-C")

    def test_of_each_command_has_its_usage(self):
        for command in COMMANDS:
            done = self.run_lambda(command, "--help")
            self.assert_ends(done, 0)
            self.assertIn(f"Usage: lambda {command}", done.stdout)
            self.assertEqual(done.stdout, self.run_lambda("help", command).stdout)

    def test_says_what_may_be_left_out_and_what_may_be_repeated(self):
        for words, usage in ((["queue"], "lambda queue [COMMAND] [NAME] [OPTIONS]"), (["config"], "lambda config COMMAND [OPTIONS]"),
                             (["alias", "set"], "lambda alias set NAME ALIAS VERSION... [OPTIONS]"), (["secret", "put"], "lambda secret put NAME [OPTIONS]")):
            self.assertIn(f"Usage: {usage}\n", self.run_lambda(*words, "--help").stdout)

    def test_describes_every_argument(self):
        for words in all_commands():
            arguments = self.run_lambda(*words, "--help").stdout.split("\nArguments:\n")[1:]
            for line in arguments[0].split("\n\n")[0].splitlines() if arguments else []:
                self.assertRegex(line, r"^  +\S.*  \S|^ {28}\S", words)

    def test_fits_a_terminal(self):
        for command in [[], *[[each] for each in COMMANDS], ["config", "set-host"], ["config", "set-key"]]:
            for line in self.run_lambda(*command, "--help").stdout.splitlines():
                self.assertLessEqual(len(line), 100, line)
            self.assertNotIn("\n\n\n", self.run_lambda(*command, "--help").stdout)

    def test_has_no_colours_anywhere(self):
        for environment in ({}, {"NO_COLOR": "1"}):
            self.assertNotIn("\x1b", AtTerminal(["--help"], clean_environment(self.home, **environment)).text)

    def test_without_arguments_is_shown_as_a_mistake(self):
        done = self.run_lambda()
        self.assert_ends(done, 2, "Usage: lambda COMMAND", "Examples:")
        self.assertEqual(done.stdout, "")

    def test_version(self):
        self.assertRegex(self.run_lambda("--version").stdout, r"^lambda \d+\.\d+\.\d+\n$")


class WrongArguments(CommandLineTest):
    def wrong(self, *arguments):
        done = self.run_lambda(*arguments)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertRegex(done.stderr, r"\Alambda: .+\nTry: lambda[a-z -]* --help\n\Z")
        return done.stderr

    def test_a_command_that_is_none(self):
        self.assertIn('"deplyo"; did you mean "deploy"?', self.wrong("deplyo", "x"))
        self.assertIn('did you mean "list"?', self.wrong("--host", "http://127.0.0.1:1", "lst"))
        self.assertIn('did you mean "set-host"?', self.wrong("config", "sethost", "x"))
        self.assertIn("there are set-host, set-key, set-context, use-context, contexts, delete-context, show, aws", self.wrong("config", "frobnicate"))
        self.assertNotIn("mean", self.wrong("frobnicate"))

    def test_a_command_that_is_none_has_no_help(self):
        self.assertIn('there is no command "deplyo"; did you mean "deploy"?', self.wrong("help", "deplyo"))
        self.assertIn('"lst"; did you mean "list"?', self.wrong("help", "queue", "lst"))
        self.assertIn("`lambda deploy` has no commands", self.wrong("help", "deploy", "now"))
        self.assertIn('"deplyo"; did you mean "deploy"?', self.wrong("deplyo", "--help"))
        self.assertIn('"sethost"; did you mean "set-host"?', self.wrong("config", "sethost", "--help"))

    def test_a_command_that_is_begun(self):
        self.assertIn('did you mean "use-context"?', self.wrong("config", "use"))
        self.assertIn('did you mean "set-host" or "set-key" or "set-context"?', self.wrong("config", "set"))
        self.assertIn('did you mean "doctor"?', self.wrong("doc"))

    def test_an_option_that_stands_before_its_command(self):
        self.assertIn("-o stands before the command: write lambda list -o\n", self.wrong("-o", "json", "list"))
        self.assertIn("-q stands before the command: write lambda queue list -q\n", self.wrong("-q", "queue", "list", "greet"))

    def test_an_option_that_is_none(self):
        self.assertIn("did you mean -o json?", self.wrong("list", "--json"))
        self.assertIn('did you mean "--name"?', self.wrong("deploy", "x", "--nmae", "y"))
        self.assertIn('did you mean "--timeout"?', self.wrong("deploy", "--timout=3"))
        self.assertIn("Try: lambda config set-host --help", self.wrong("config", "set-host", "--force", "x"))

    def test_an_option_that_is_given_twice(self):
        self.assertIn("-m,--message is given 2 times", self.wrong("deploy", "-m", "x", "-m", "y"))
        self.assertIn("--retries is given 3 times", self.wrong("queue", "config", "x", *["--retries", "1"] * 3))
        self.assertIn("--host is given 2 times", self.wrong("--host", "a", "list", "--host", "b"))

    def test_a_server_that_a_script_left_empty(self):
        for option in ("--host", "--context"):
            self.assertIn(f"{option}: must not be empty", self.wrong(option, "", "delete", "greet", "-y"))

    def test_what_other_tools_take(self):
        self.assertIn("did you mean --search?", self.wrong("logs", "x", "--grep", "y"))
        self.assertIn("did you mean --data '{\"a\":1}'?", self.wrong("invoke", "x", '{"a":1}'))
        self.assertIn("""quote the event for the shell, as in --data '{"name": "World"}'""", self.wrong("invoke", "x", "--data", "{a:", "1}"))

    def test_a_text_without_quotes(self):
        self.assertIn('does not take "bug": quote a text of several words, as in --message "TEXT"', self.wrong("deploy", "-m", "fixed", "the", "bug"))

    def test_the_version_of_the_program_is_no_option_of_a_command(self):
        self.assertIn("`lambda rollback` has no option --version", self.wrong("rollback", "x", "--version", "3"))

    def test_values_that_do_not_fit(self):
        for arguments, word in [(["rollback", "x", "abc"], '"abc"'), (["rollback", "x", "-1"], '"-1"'), (["rollback", "x", "0"], "VERSION"),
                                (["promote", "x", "1.5"], '"1.5"'), (["list", "-o", "yaml"], "json or table"), (["logs", "x", "-n", "0"], "10000"),
                                (["deploy", "--timeout", "901"], "900"), (["deploy", "--memory", "lots"], '"lots"'), (["deploy", "--kind", "web"], "http"),
                                (["deploy", "--url", "all"], "open or iam"), (["deploy", "--driver", "vm"], "native"), (["deploy", "--port", "0"], "65535"),
                                (["url", "x", "public"], "none")]:
            with self.subTest(arguments=arguments):
                self.assertIn(word, self.wrong(*arguments))

    def test_a_value_that_was_meant(self):
        for arguments, meant in ((["list", "-o", "JSON"], "json"), (["logs", "x", "--level", "warning"], "warn"), (["url", "x", "opn"], "open"),
                                 (["queue", "list", "x", "--state", "wait"], "waiting"), (["completion", "zhs"], "zsh")):
            self.assertIn(f'; did you mean "{meant}"?', self.wrong(*arguments))
        self.assertNotIn("mean", self.wrong("url", "x", "everybody"))

    def test_what_is_missing_or_too_much(self):
        self.assertIn("NAME is required", self.wrong("invoke"))
        self.assertIn("--timeout needs a value", self.wrong("deploy", "--timeout"))
        self.assertIn('does not take "extra"', self.wrong("list", "extra"))
        self.assertIn("must not be empty", self.wrong("deploy", "--name", ""))
        self.assertIn("must not be empty", self.wrong("delete", ""))
        self.assertIn("--all", self.wrong("deploy", "--all", "--name", "x"))
        self.assertIn("DIR does not go together with --image", self.wrong("deploy", "folder", "--image", "mine:1", "--name", "x"))
        self.assertIn("--image", self.wrong("deploy", "--all", "--image", "mine:1"))
        self.assertIn("--file", self.wrong("invoke", "x", "--data", "1", "--file", "x"))


class ClosedOutput(CommandLineTest):
    def test_a_reader_that_has_seen_enough(self):
        done = subprocess.run(["bash", "-c", f"{PROGRAM} --help | head -n 1; echo ${{PIPESTATUS[0]}}"], capture_output=True, text=True,
                              env=clean_environment(self.home), check=True)
        self.assertTrue(re.search(r"^0$", done.stdout, re.M), done)
        reader, writer = os.pipe()
        os.close(reader)
        done = self.run_lambda("--help", stdout=writer)
        os.close(writer)
        self.assert_ends(done, 0)
        self.assertEqual(done.stderr, "")

    def test_a_full_disk(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            self.assert_ends(self.run_lambda("--help", stdout=full), 1, "standard output could not be written")


if __name__ == "__main__":
    unittest.main()
