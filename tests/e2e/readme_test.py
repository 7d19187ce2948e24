"""The README's own function and commands, as they stand there."""

import re
import shlex
import subprocess
import unittest

from lambda_server import ROOT, ServerTest

README = (ROOT / "README.md").read_text()


def blocks(title):
    """The code blocks of one section."""
    section = README.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]
    return [block.split("\n", 1)[1] for block in section.split("```")[1::2]]


class Readme(ServerTest):
    driver = "native"

    def test_a_function(self):
        code, session = blocks("A function")
        folder = self.server.home / "myfolder"
        folder.mkdir()
        (folder / "app.py").write_text(code)
        run = 0
        for part in re.split(r"^\$ ", session, flags=re.MULTILINE)[1:]:
            line, _, expected = part.partition("\n")
            command = shlex.split(line, comments=True)
            with self.subTest(command=command):
                if command[0] == "curl":
                    port = self.server.port
                    command[1] = command[1].replace(".localhost", f".localhost:{port}")
                    done = subprocess.run([*command[:1], "-sS", "--noproxy", "*", "--resolve", f"greet.localhost:{port}:127.0.0.1", *command[1:]],
                                          capture_output=True, text=True, check=True)
                    said = done.stdout
                elif command[1] == "deploy":
                    # The URL stands alone on standard output where that is no terminal.
                    said = self.server.cli(*command[1:], cwd=self.server.home).stderr
                elif command[1] == "rollback":
                    # There is nothing older yet.
                    (folder / "more.txt").write_text("more")
                    self.server.cli("deploy", "myfolder", "--name", "greet", cwd=self.server.home)
                    self.server.cli(*command[1:])
                    said = ""
                elif "-f" in command:
                    # It goes on until it is ended.
                    following = self.server.cli_started(*command[1:], stdout=subprocess.PIPE)
                    self.addCleanup(following.stderr.close)
                    with following.stdout:
                        said = following.stdout.readline()
                        self.assertRegex(said, r"START RequestId: ")
                        following.terminate()
                        following.wait(timeout=30)
                else:
                    done = self.server.cli(*command[1:], *(["-y"] if command[1] == "delete" else []), cwd=self.server.home)
                    said = done.stdout
                if expected.strip():
                    self.assertEqual(self.without_times(said), self.without_times(expected))
                run += 1
        self.assertGreater(run, 8)

    def without_times(self, text):
        text = re.sub(r"init \d+ ms", "init N ms", text.replace(f":{self.server.port}", ""))
        return [line for line in text.splitlines() if line.strip()]


if __name__ == "__main__":
    unittest.main()
