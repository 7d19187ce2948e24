"""A base file system that is built anew while functions run in it."""

import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from lambda_server import ROOT, RUNTIMES, LambdaServer

# Unpacks what is there instead of fetching Debian's packages.
UNPACK = f"""#!/bin/sh
for root; do case $root in /*/rootfs) break ;; esac; done
cp -a {RUNTIMES}/python3.11/rootfs "$root" && rm -rf "$root"/var/lang/bin/* "$root"/var/runtime/.install
"""

LAZY = '''
import time
BORN = time.time()
def handler(event, context):
    if event:
        import colorsys, difflib
    return [BORN, "colorsys" in __import__("sys").modules, open("/etc/generation").read()]
'''


class ServerWithRuntimes(LambdaServer):
    def __init__(self, runtimes):
        super().__init__()
        self.runtimes = runtimes

    def command(self):
        words = super().command()
        words[words.index("--runtimes-dir") + 1] = str(self.runtimes)
        return words


class Rebuild(unittest.TestCase):
    def setUp(self):
        self.runtimes = Path(tempfile.mkdtemp(prefix="lambda-runtimes-"))
        self.addCleanup(shutil.rmtree, self.runtimes)
        self.runtimes.chmod(0o755)
        subprocess.run(["cp", "-a", RUNTIMES / "python3.11", self.runtimes], check=True)  # it has devices
        tools = self.runtimes / ".tools"
        tools.mkdir()
        (tools / "mmdebstrap").write_text(UNPACK)
        (tools / "mmdebstrap").chmod(0o755)
        self.environment = {**os.environ, "LAMBDA_RUNTIMES_DIR": str(self.runtimes), "PATH": f"{tools}:{os.environ['PATH']}"}

    def build(self, *arguments):
        done = subprocess.run([ROOT / "runtimes/build", *arguments], capture_output=True, text=True, env=self.environment, timeout=300,
                              check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def rebuild(self, generation):
        """Built because it was made from something else; which one it is stands in a file."""
        (self.runtimes / "python3.11/inputs").write_text("other")
        self.build("python3.11")
        (self.runtimes / "python3.11/rootfs/etc/generation").write_text(generation)

    def replaced(self):
        return [path.name for path in self.runtimes.iterdir() if ".old" in path.name]

    def test_a_warm_instance_goes_on_in_the_one_it_began_in(self):
        (self.runtimes / "python3.11/rootfs/etc/generation").write_text("first")
        with ServerWithRuntimes(self.runtimes) as server:
            server.deploy({"app.py": LAZY}, "lazy", "--handler", "app.handler")
            born, imported, generation = server.invoke("lazy").json()
            self.assertEqual((imported, generation), (False, "first"))
            for generation in ("second", "third"):
                self.rebuild(generation)
            self.build("--clean")  # passes them over
            self.assertEqual(len(self.replaced()), 2)
            self.assertEqual(server.invoke("lazy", {"import": True}).json(), [born, True, "first"])
            server.deploy({"app.py": LAZY}, "new", "--handler", "app.handler")
            self.assertEqual(server.invoke("new", {"import": True}).json()[1:], [True, "third"])
        self.build("--clean")
        self.assertEqual(self.replaced(), [])


if __name__ == "__main__":
    unittest.main()
