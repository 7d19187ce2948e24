"""docs/cli.md says what the program says. After a change of the program: python3 tests/cli/docs_test.py --write"""

import re
import subprocess
import sys
import unittest

from command_line import PROGRAM, ROOT, CommandLineTest, accepting, all_commands

PAGE = ROOT / "docs/cli.md"
MARK = re.compile(r"<!-- (lambda[a-z -]* --help|exit codes) -->\n(?:```text\n.*?\n```\n|(?:\|[^\n]*\n)+)?", re.DOTALL)


def help_of(command):
    return subprocess.run([PROGRAM, *command.split()[1:]], capture_output=True, text=True, check=True).stdout.strip("\n")


def exit_codes():
    rows = re.findall(r"^  (\d+) +(\w.+)$", help_of("lambda --help").split("Exit codes:")[1], re.MULTILINE)
    return "| code | meaning |\n|---|---|\n" + "".join(f"| {code} | {meaning} |\n" for code, meaning in rows)


def generated(page):
    """The page with every block made anew."""
    def block(match):
        body = exit_codes() if match[1] == "exit codes" else f"```text\n{help_of(match[1])}\n```\n"
        return f"<!-- {match[1]} -->\n{body}"
    return MARK.sub(block, page)


class Page(CommandLineTest):
    def test_is_not_stale(self):
        self.maxDiff = None
        self.assertEqual(PAGE.read_text(), generated(PAGE.read_text()), __doc__)

    def test_has_every_command(self):
        marks = MARK.findall(PAGE.read_text())
        found = list(all_commands())
        self.assertGreaterEqual(len(found), 40)
        for words in found:
            self.assertIn(f"lambda {' '.join(words)} --help", marks)

    def test_has_every_key_of_lambda_toml(self):
        source = (ROOT / "src/cli/project/manifest.cc").read_text()
        known = set(re.findall(r'"(\w+)"', re.search(r"keys = \{(.*?)\};", source, re.DOTALL)[1])) - {"function"}
        table = PAGE.read_text().split("### lambda.toml")[1].split("Several functions")[0]
        documented = {key for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for key in re.findall(r"`(\w+)`", row)}
        self.assertEqual(documented, known)

    def test_its_deploy_packs_what_the_example_has(self):
        done, _ = self.deploy_to(accepting, ROOT / "examples/hello", "--name", "greet")
        self.assert_ends(done, 0)
        self.assertIn(f"$ lambda deploy examples/hello --name greet\n{done.stderr.splitlines()[0]}\n", PAGE.read_text())

    def test_its_lambda_toml_deploys(self):
        example = re.search(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)[1]
        code = "def handler(event, context): return event\n"
        folder = self.folder({"lambda.toml": example, "orders/app.py": code, "invoices/app.py": code, "shared/words.py": ""})
        done, sent = self.deploy_to(accepting, folder, "--all")
        self.assert_ends(done, 0)
        self.assertEqual((sent.names(), sent.settings["memory"]), (["app.py", "shared/words.py"], 256))


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(generated(PAGE.read_text()))
    else:
        unittest.main()
