"""lambda init: every template is deployed as it was written, and called; on both drivers."""

import json
import subprocess
import tempfile
import unittest
from pathlib import Path

from lambda_server import ServerTest, on_both_drivers

# What stands in the answer, whichever template.
GREETING = "Hello"
TEMPLATES = ("python3.11", "nodejs20.x", "nodejs22.x", "nodejs24.x", "provided.al2023", "provided.al2", "provided", "cpp", "http", "image")


@on_both_drivers
class Templates(ServerTest):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="lambda-init-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def test_work_as_they_are_written(self):
        built = json.loads(self.server.api("GET", "/_lambda/status").body)["runtimes"]
        self.assertLessEqual(set(built), set(TEMPLATES), "a runtime without a template")
        for template in TEMPLATES:
            with self.subTest(template=template):
                name = "new-" + template.replace(".", "-")
                made = self.server.cli("init", name, "--runtime", template, cwd=self.folder)
                self.assertEqual(made.stdout, f"{name}\n")
                folder = self.folder / name
                # What it says comes next is what comes next.
                steps = [line.strip() for line in made.stderr.split("Next:\n")[1].splitlines()]
                self.assertEqual((steps[0], steps[-1]), (f"cd {name}", f"lambda invoke {name} -f event.json"))
                if steps[1] == "make":
                    subprocess.run(["make"], cwd=folder, check=True, capture_output=True)
                self.server.cli("deploy", cwd=folder, timeout=300)
                answer = json.loads(self.server.cli("invoke", name, "-f", "event.json", cwd=folder).stdout)
                self.assertTrue(answer["message"].startswith(GREETING), answer)
                self.assertEqual(self.server.get(name, "/?name=Ann").status, 200)
                self.assertIn(f"lambda invoke {name}", (folder / "README.md").read_text())

    def test_a_package_holds_the_code_alone(self):
        self.server.cli("init", "lean", cwd=self.folder)
        said = self.server.cli("deploy", "lean", cwd=self.folder).stderr
        self.assertIn("(3 files", said)  # the code, lambda.toml, .lambdaignore


class Refusals(ServerTest):
    driver = "native"

    def init(self, *arguments):
        return self.server.cli("init", *arguments, check=False, cwd=self.folder)

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="lambda-init-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def test_nothing_is_written_over(self):
        (self.folder / "lambda_function.py").write_text("mine")
        done = self.init(".", "--name", "greet")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("has lambda_function.py already", done.stderr)
        self.assertEqual([file.name for file in self.folder.iterdir()], ["lambda_function.py"])
        self.assertEqual((self.folder / "lambda_function.py").read_text(), "mine")

    def test_a_name_that_can_be_no_host(self):
        done = self.init("My_Function")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("my-function", done.stderr)
        self.assertFalse((self.folder / "My_Function").exists())

    def test_no_such_template(self):
        done = self.init("greet", "--runtime", "ruby3.2")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("there are python3.11", done.stderr)


if __name__ == "__main__":
    unittest.main()
