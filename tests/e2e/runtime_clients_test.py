"""Runtime clients that are not ours, unmodified: AWS's aws-lambda-ric for Node, from npm; and what is said of a bootstrap that cannot run."""

import fcntl
import json
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from lambda_server import EXAMPLES, ServerTest, on_both_drivers

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
  if (event.fail) {
    await new Promise((done) => setTimeout(done, 50));
    throw new RangeError("as asked");
  }
  stream.end("second");
});
'''
START = "#!/bin/sh\nexec node /var/task/node_modules/aws-lambda-ric/bin/index.mjs \"$_HANDLER\"\n"
PROGRAM = r'''
#include "lambda_runtime.h"
#include <cstdlib>
static int calls = 0;
static std::string answer(const std::string& event) {
  ++calls;
  const auto asked = [&event](const char* what) { return event.find(what) != std::string::npos && event.size() < 100; };
  if (asked("throw")) throw std::runtime_error("as \"asked\"");
  if (asked("abort")) std::abort();
  if (asked("exit")) std::exit(3);
  if (asked("long")) return lambda_runtime::json_string(std::string(7 << 20, 'x'));
  if (asked("count"))
    return "{\"calls\": " + std::to_string(calls) + ", \"greeting\": " + lambda_runtime::json_string(std::getenv("GREETING")) + "}";
  return event;
}
int main() { return lambda_runtime::run(answer); }
'''
# The shell alone, with curl.
SCRIPT = r'''#!/bin/bash
api=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation
while event=$(curl -sS -D /tmp/head "$api/next"); do
  id=$(grep -i '^lambda-runtime-aws-request-id:' /tmp/head | tr -d '\r' | cut -d ' ' -f 2)
  curl -sS -o /dev/null --data-binary "$event" "$api/$id/response"
done
'''


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

    def test_a_streamed_response_that_fails_on_its_way(self):
        reply = self.server.invoke("ricstream", {"fail": True})
        self.assertEqual(reply.headers["x-amz-function-error"], "Unhandled")
        self.assertEqual((reply.json()["errorType"], reply.json()["errorMessage"]), ("RangeError", "as asked"))
        self.assertEqual(self.server.invoke("ricstream", {}).text, "first second")

    def test_an_init_error(self):
        folder = package_of(installed_client(), self.server.folder({"index.mjs": "throw new Error('while loading')", "start": (START, 0o755)}))
        done = self.server.deploy(folder, "ricwrong", "--runtime", "nodejs20.x", "--handler", "index.handler", "-e",
                                  "AWS_LAMBDA_EXEC_WRAPPER=/var/task/start", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("while loading", done.stderr)


@on_both_drivers
class OurNodeStreams(ServerTest):
    """The same handlers under our own bootstrap."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for runtime in ("nodejs20", "nodejs22", "nodejs24"):
            cls.server.deploy({"index.mjs": HANDLER}, runtime, "--runtime", f"{runtime}.x", "--handler", "index.streaming")

    def test_a_response_and_one_that_fails_on_its_way(self):
        for runtime in ("nodejs20", "nodejs22", "nodejs24"):
            with self.subTest(runtime=runtime):
                self.assertEqual(self.server.invoke(runtime, {}).text, "first second")
                reply = self.server.invoke(runtime, {"fail": True})
                self.assertEqual(reply.headers["x-amz-function-error"], "Unhandled")
                self.assertEqual((reply.json()["errorType"], reply.json()["errorMessage"]), ("RangeError", "as asked"))
                self.assertIn("as asked", reply.log)
                self.assertEqual(self.server.invoke(runtime, {}).text, "first second")


@on_both_drivers
class CppBootstrap(ServerTest):
    """A program that speaks the Runtime API by itself, linked statically (examples/cpp)."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = cls.server.folder({"main.cc": PROGRAM, "Makefile": f"include {EXAMPLES}/cpp/bootstrap.mk\n"})
        subprocess.run(["make", "-s", "-C", cls.folder], check=True, timeout=300)
        cls.server.deploy(cls.folder, "cpp", "-e", "GREETING=hé")

    def test_one_process_answers_one_call_after_the_other(self):
        calls = [self.server.invoke("cpp", {"do": "count"}).json() for _ in range(3)]
        self.assertEqual({call["greeting"] for call in calls}, {"hé"})
        self.assertEqual([call["calls"] - calls[0]["calls"] for call in calls], [0, 1, 2])

    def test_large_payloads(self):
        event = {"do": "echo", "text": "ü" * 2_900_000}
        reply = self.server.invoke("cpp", json.dumps(event, ensure_ascii=False).encode())
        self.assertEqual(reply.json(), event)

    def test_a_result_that_is_too_large(self):
        reply = self.server.invoke("cpp", {"do": "long"})
        self.assertEqual(reply.json()["errorType"], "Function.ResponseSizeTooLarge")
        self.assertEqual(self.server.invoke("cpp", {"do": "echo"}).json(), {"do": "echo"})

    def test_an_exception(self):
        reply = self.server.invoke("cpp", {"do": "throw"})
        self.assertEqual(reply.headers["x-amz-function-error"], "Unhandled")
        self.assertEqual(reply.json(), {"errorMessage": "as \"asked\"", "errorType": "Error", "stackTrace": []})
        self.assertIn("[ERROR] as", reply.log)

    def test_a_crash_and_the_call_after_it(self):
        reply = self.server.invoke("cpp", {"do": "abort"})
        self.assertEqual(reply.json()["errorType"], "Runtime.ExitError")
        self.assertIn("signal: aborted", reply.json()["errorMessage"])
        self.assertEqual(self.server.invoke("cpp", {"do": "count"}).json()["calls"], 1)

    def test_an_exit(self):
        self.assertIn("exit status 3", self.server.invoke("cpp", {"do": "exit"}).json()["errorMessage"])


@on_both_drivers
class Provided(ServerTest):
    def test_a_missing_bootstrap(self):
        done = self.server.deploy({"notes.txt": "x"}, "none", "--runtime", "provided.al2023", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("bootstrap", done.stderr)

    def test_a_script_that_is_no_longer_executable_runs(self):
        # Archives from systems without such modes lose them.
        self.server.deploy({"bootstrap": SCRIPT}, "script", "--runtime", "provided.al2023")
        for number in range(3):
            self.assertEqual(self.server.invoke("script", {"number": number}).json(), {"number": number})

    def test_a_bootstrap_that_ends_at_once(self):
        done = self.server.deploy({"bootstrap": ("#!/bin/sh\necho cannot go on >&2\nexit 42\n", 0o755)}, "ends", "--runtime", "provided.al2023",
                                  check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("exit status 42", done.stderr)
        self.assertIn("cannot go on", done.stderr)


if __name__ == "__main__":
    unittest.main()
