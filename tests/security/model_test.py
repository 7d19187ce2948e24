"""docs/security-model.md names tests and attempts: each is there, and every wall has its row; and what docs/security.md names is there."""

import re
import unittest
from pathlib import Path

from inside import HERE, run, static_program
from walls_test import WALLS, table

ROOT = HERE.parents[1]
MODEL = ROOT / "docs/security-model.md"


def named(text):
    """(file, name) of everything in backquotes like `some_test.py: Class.test_one, test_two`."""
    for file, names in re.findall(r"`([\w/]+\.(?:py|cc|c)): ([^`]+)`", text):
        for name in names.split(","):
            yield file, name.strip()


def file_named(name):
    """Of two with one name, the one beside this."""
    found = [path for folder in ("tests", "src") for path in (ROOT / folder).rglob(Path(name).name) if str(path).endswith("/" + name)]
    return HERE / name if HERE / name in found else found[0] if len(found) == 1 else None


class Model(unittest.TestCase):
    def test_every_test_that_it_names_exists(self):
        count = 0
        for file, name in named(MODEL.read_text()):
            if file.endswith(".c"):
                continue
            with self.subTest(file=file, name=name):
                path = file_named(file)
                self.assertIsNotNone(path, "no such file, or several")
                text = path.read_text()
                if file.endswith(".cc"):
                    self.assertRegex(text, rf"\bTEST(_F|_P)?\({re.escape(name)}, ")
                else:
                    group, _, test = name.partition(".")
                    self.assertRegex(text, rf"(?m)^class {re.escape(group)}\(")
                    body = re.search(rf"(?ms)^class {re.escape(group)}\(.*?(?=^\S|\Z)", text)[0]
                    self.assertIn(f"    def {test}(" if test else "    def ", body)
            count += 1
        self.assertGreater(count, 25)

    def test_every_test_that_the_other_document_names_exists(self):
        count = 0
        for file, name in named((ROOT / "docs/security.md").read_text()):
            path = file_named(file)
            with self.subTest(file=file, name=name):
                self.assertIsNotNone(path, "no such file, or several")
                self.assertRegex(path.read_text(), rf"(?m)^class {re.escape(name)}\(|^    def {re.escape(name)}\(|^TEST\w*\((\w+, )?{re.escape(name)}\b")
            count += 1
        self.assertGreater(count, 40)

    def test_every_attempt_that_it_names_exists(self):
        attempts = {row.name for row in table()}
        found = {name for file, name in named(MODEL.read_text()) if file == "attempts.c"}
        self.assertGreater(len(found), 30)
        self.assertEqual(found - attempts, set())

    def test_every_wall_has_a_row(self):
        rows = re.findall(r"(?m)^\| `(\w+)` \|", MODEL.read_text().split("## The walls")[1].split("\n## ")[0])
        self.assertEqual(sorted(rows), sorted(WALLS))

    def test_what_succeeds_in_containers_is_what_it_says(self):
        words = re.search(r"`attempts\.c: ([^`]+)`: the two that succeed", MODEL.read_text())[1]
        self.assertEqual(set(words.split(", ")), {row.name for row in table() if row.docker == "open"})

    def test_the_number_of_attempts(self):
        self.assertGreater(len(run(static_program("attempts.c"), "--table").splitlines()), 80)


if __name__ == "__main__":
    unittest.main()
