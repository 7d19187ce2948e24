"""Runtime clients that are not ours, unmodified: AWS's aws-lambda-ric for Node, from npm; and what is said of a bootstrap that cannot run."""

import fcntl
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from lambda_server import ServerTest, on_both_drivers

VERSION = "3.3.0"  # the last for Node 20
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "lambda-tests" / f"aws-lambda-ric-{VERSION}"

HANDLER = '''
export const handler = async (event, context) => {
  console.log("a line for", context.awsRequestId);
  if (event.fail) throw new RangeError("as asked");
  return { node: process.version, event, remaining: context.getRemainingTimeInMillis() > 0 };
};
export const streaming = awslambda.streamifyResponse(async (event, stream) => {
  stream.write("first ");
  stream.end("second");
});
'''
START = "#!/bin/sh\nexec node /var/task/node_modules/aws-lambda-ric/bin/index.mjs \"$_HANDLER\"\n"


def installed_client():
    """node_modules with the client, built once (its native part takes minutes) and kept outside the tree."""
    CACHE.parent.mkdir(parents=True, exist_ok=True)
    with open(CACHE.with_suffix(".lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not CACHE.exists():
            work = Path(tempfile.mkdtemp(prefix=f"{CACHE.name}.", dir=CACHE.parent))
            try:
                install_client(work)
                work.rename(CACHE)
            finally:
                shutil.rmtree(work, ignore_errors=True)
    return CACHE / "node_modules"


def install_client(directory):
    (directory / "package.json").write_text('{"name": "functions", "version": "1.0.0", "private": true}')
    environment = dict(os.environ, CXX="g++", CC="gcc")
    built = subprocess.run(["npm", "install", "--no-audit", "--no-fund", f"aws-lambda-ric@{VERSION}"], cwd=directory, env=environment,
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=900, check=False)
    if built.returncode != 0:
        raise AssertionError(f"npm install aws-lambda-ric@{VERSION} failed:\n{built.stdout[-4000:]}")


def package_of(modules, directory):
    """The client as npm laid it out, without the sources of what it was linked with."""
    shutil.copytree(modules / "aws-lambda-ric", directory / "node_modules" / "aws-lambda-ric", symlinks=True,
                    ignore=shutil.ignore_patterns("deps"))
    return directory


@on_both_drivers
class AwsLambdaRic(ServerTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        modules = installed_client()
        for name, handler in (("ric", "index.handler"), ("ricstream", "index.streaming")):
            folder = package_of(modules, cls.server.folder({"index.mjs": HANDLER, "start": (START, 0o755)}))
            # Ours is replaced by theirs: the wrapper is given the usual command line and starts another program.
            cls.server.deploy(folder, name, "--runtime", "nodejs20.x", "--handler", handler, "-e", "AWS_LAMBDA_EXEC_WRAPPER=/var/task/start")

    def test_a_call(self):
        reply = self.server.invoke("ric", {"a": "ü"})
        self.assertRegex(reply.json()["node"], r"^v20\.")
        self.assertEqual((reply.json()["event"], reply.json()["remaining"]), ({"a": "ü"}, True))
        self.assertIn("a line for " + reply.headers["x-amzn-requestid"], reply.log)

    def test_an_error(self):
        reply = self.server.invoke("ric", {"fail": True})
        self.assertEqual(reply.headers["x-amz-function-error"], "Unhandled")
        self.assertEqual((reply.json()["errorType"], reply.json()["errorMessage"]), ("RangeError", "as asked"))
        self.assertEqual(self.server.invoke("ric", {}).status, 200)

    def test_a_streamed_response(self):
        self.assertEqual(self.server.invoke("ricstream", {}).text, "first second")

    def test_an_init_error(self):
        folder = package_of(installed_client(), self.server.folder({"index.mjs": "throw new Error('while loading')", "start": (START, 0o755)}))
        done = self.server.deploy(folder, "ricwrong", "--runtime", "nodejs20.x", "--handler", "index.handler", "-e",
                                  "AWS_LAMBDA_EXEC_WRAPPER=/var/task/start", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("while loading", done.stderr)


@on_both_drivers
class Provided(ServerTest):
    def test_a_missing_bootstrap(self):
        done = self.server.deploy({"notes.txt": "x"}, "none", "--runtime", "provided.al2023", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("bootstrap", done.stderr)

    def test_a_bootstrap_that_is_not_executable(self):
        done = self.server.deploy({"bootstrap": "#!/bin/sh\n"}, "none", "--runtime", "provided.al2023", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("chmod +x", done.stderr)

    def test_a_bootstrap_that_ends_at_once(self):
        done = self.server.deploy({"bootstrap": ("#!/bin/sh\necho cannot go on >&2\nexit 42\n", 0o755)}, "ends", "--runtime", "provided.al2023",
                                  check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("exit status 42", done.stderr)
        self.assertIn("cannot go on", done.stderr)


if __name__ == "__main__":
    unittest.main()
