"""The manual pages, checked by the two programs that show them; lambda help; lambda version."""

import json
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

from command_line import PROGRAM, CommandLineTest, ServerTest, all_commands, help_of


class Pages(CommandLineTest):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="lambda-man-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        subprocess.run([PROGRAM, "man", "--to", folder.name], check=True)
        cls.pages = sorted(cls.folder.glob("*.1"))

    def test_there_is_one_for_every_command(self):
        names = {"lambda.1", *("lambda-" + "-".join(words) + ".1" for words in all_commands())}
        self.assertEqual({page.name for page in self.pages}, names)
        self.assertGreater(len(names), 40)

    def test_man_has_nothing_against_them(self):
        for page in self.pages:
            with self.subTest(page=page.name):
                shown = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-Tutf8", "-Z", "-l", str(page)], capture_output=True, text=True,
                                       check=True, env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "MANROFFSEQ": ""})
                self.assertEqual(shown.stderr, "")

    def test_mandoc_has_nothing_against_them(self):
        told = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", *map(str, self.pages)], capture_output=True, text=True, check=False)
        # The date is left out, so that the pages of one version are always the same.
        self.assertEqual([line for line in told.stdout.splitlines() if "missing date" not in line], [])

    def test_they_say_what_help_says(self):
        page = subprocess.run(["mandoc", "-T", "utf8", "-O", "width=500", str(self.folder / "lambda-deploy.1")], capture_output=True, text=True, check=True)
        text = re.sub(".\b", "", page.stdout)
        for option in re.findall(r"^  (?:-\w,)?(--[a-z-]+)", help_of("deploy"), re.MULTILINE):
            self.assertIn(option, text)
        self.assertIn("lambda deploy ./greet --timeout 60 -m \"slower\"", text)
        self.assertIn("EXIT STATUS", text)

    def test_they_are_used_as_help_says(self):
        for words in all_commands():
            if words == ("help",):  # whose own help is that of all
                continue
            page = (self.folder / ("lambda-" + "-".join(words) + ".1")).read_text()
            shown = " ".join(re.sub(r"^\.[A-Z]+ |\\[&e]|\\f.", "", line) for line in page.split(".SH SYNOPSIS\n")[1].split("\n.SH")[0].splitlines())
            used = re.search(r"^Usage: (.*)$", help_of(*words), re.MULTILINE)[1]
            with self.subTest(words=words):
                self.assertEqual(re.sub(r"\s+|\\", "", shown), used.replace(" ", ""))

    def test_one_alone_and_one_that_is_none(self):
        self.assertEqual(self.run_lambda("man", "config", "set-key").stdout, (self.folder / "lambda-config-set-key.1").read_text())
        self.assert_ends(self.run_lambda("man", "deplo"), 2, 'did you mean "deploy"?')
        self.assert_ends(self.run_lambda("man", "--to", "/proc/nowhere"), 4, "/proc/nowhere")


class Help(CommandLineTest):
    def test_of_a_command(self):
        self.assertEqual(self.run_lambda("help", "alias", "set").stdout, help_of("alias", "set"))
        self.assertEqual(self.run_lambda("help").stdout, help_of())


class Versions(ServerTest):
    driver = "native"

    def test_of_both(self):
        done = self.server.cli("version")
        self.assertRegex(done.stdout, r"^client  (\S+)\nserver  \1\n$")
        self.assertEqual(set(json.loads(self.server.cli("version", "-o", "json").stdout)), {"client", "server"})

    def test_without_a_server(self):
        done = self.server.cli("version", check=False, env={"LAMBDA_HOST": "http://127.0.0.1:1"})
        self.assertEqual(done.returncode, 6)
        self.assertRegex(done.stdout, r"^client  \S+\n$")
        done = self.server.cli("version", "-o", "json", check=False, env={"LAMBDA_HOST": "http://127.0.0.1:1"})
        self.assertIsNone(json.loads(done.stdout)["server"])


if __name__ == "__main__":
    unittest.main()
