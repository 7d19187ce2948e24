"""Runs the built `lambda` for tests: as a program would, or at a terminal; and a scripted server that remembers what it was sent.

The real server of tests/e2e is used wherever that is as easy."""

import base64
import io
import json
import os
import pty
import re
import select
import signal
import ssl
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import unittest
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))

from lambda_server import BIN, LambdaServer, ServerTest  # noqa: E402, F401 (for the tests)

PROGRAM = str(BIN / "lambda")
KEY = "lam_" + "A" * 20 + "_" + "a" * 40


# A machine where no server runs, whatever runs on this one.
ALONE = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
ALONE += ["sh", "-ec", 'for place in /var/lib/lambda /run/lambda; do [ ! -d $place ] || mount -t tmpfs none $place; done; exec "$@"', "sh"]


def clean_environment(home, **more):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LAMBDA_", "AWS_", "XDG_"))}
    return {**kept, "HOME": str(home), "LAMBDA_DATA_DIR": str(Path(home) / "no-data"), **more}


class AtTerminal:
    """What a person sees, and how the program ended. `keys` are typed once the program waits."""

    def __init__(self, arguments, environment, keys=b"", cwd=None):
        pid, terminal = pty.fork()
        if pid == 0:
            if cwd:
                os.chdir(cwd)
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # as a terminal's shell leaves it, whoever started the tests
            os.execve(PROGRAM, [PROGRAM, *map(str, arguments)], environment)
        seen, sent, until = b"", False, time.monotonic() + 60
        while time.monotonic() < until:
            ready, _, _ = select.select([terminal], [], [], 0.5)
            if ready:
                try:
                    piece = os.read(terminal, 65536)
                except OSError:
                    break
                if not piece:
                    break
                seen += piece
            elif keys and not sent:
                os.write(terminal, keys)
                sent = True
        else:
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        os.close(terminal)
        self.text = seen.decode(errors="replace").replace("\r\n", "\n")
        self.code = os.waitstatus_to_exitcode(status)


class Received:
    """One request as the scripted server saw it."""

    def __init__(self, handler, body):
        self.method, self.path, self.headers, self.body = handler.command, handler.path, handler.headers, body

    @property
    def settings(self):
        return json.loads(base64.b64decode(self.headers["X-Lambda-Settings"]))

    def names(self):
        """What is in the package or the build context that was sent."""
        if self.headers["Content-Type"] == "application/zip":
            return zipfile.ZipFile(io.BytesIO(self.body)).namelist()
        with tarfile.open(fileobj=io.BytesIO(self.body)) as context:
            return context.getnames()


class ScriptedServer:
    """`answer(received)` returns (status, headers, body); what it was asked stands in `received`."""

    def __init__(self, answer, tls=None, port=0):
        self.received = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def serve(self):
                if self.headers.get("Transfer-Encoding") == "chunked":
                    body = b""
                    while size := int(self.rfile.readline(), 16):
                        body += self.rfile.read(size)
                        self.rfile.readline()
                    self.rfile.readline()
                else:
                    body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                received = Received(self, body)
                outer.received.append(received)
                status, headers, reply = answer(received)
                self.send_response(status)
                declared = headers.pop("Content-Length", len(reply))
                for name, value in {"Content-Length": declared, "Connection": "close", **headers}.items():
                    self.send_header(name, str(value))
                self.end_headers()
                self.wfile.write(reply)

            do_GET = do_POST = do_PUT = do_DELETE = serve

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def help_of(*words):
    return subprocess.run([PROGRAM, *words, "--help"], capture_output=True, text=True, check=True).stdout


def all_commands(words=()):
    """Every command there is, as words; those of groups, too."""
    found = re.findall(r"^  ([a-z-]+)(?:, [a-z]+)?  +[A-Z]", help_of(*words).split("\nExample")[0], re.MULTILINE)
    for name in found:
        yield (*words, name)
        if name != "help":  # whose own help is that of all
            yield from all_commands((*words, name))


def answer_json(value, status=200):
    return status, {"Content-Type": "application/json"}, json.dumps(value).encode()


def deploy_lines(*lines):
    return 200, {"Content-Type": "application/x-ndjson"}, b"".join(json.dumps(line).encode() + b"\n" for line in lines)


RESULT = {"event": "result", "version": 1, "unchanged": False, "url": "http://x.localhost", "urlAuth": "open"}


def accepting(received):
    """A server that knows no function and takes every deploy."""
    if received.path.endswith("/deploy"):
        return deploy_lines(RESULT)
    return answer_json({"message": "there is no function"}, 404)


class CommandLineTest(unittest.TestCase):
    """A home directory of its own for each test, and no server on this machine."""

    def setUp(self):
        home = tempfile.TemporaryDirectory(prefix="lambda-cli-")
        self.addCleanup(home.cleanup)
        self.home = Path(home.name)

    def run_lambda(self, *arguments, stdin="", timeout=60, cwd=None, stdout=subprocess.PIPE, alone=False, **environment):
        return subprocess.run([*(ALONE if alone else []), PROGRAM, *map(str, arguments)], input=stdin, stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=timeout,
                              cwd=cwd or self.home, env=clean_environment(self.home, **environment), check=False)

    def folder(self, files, name="greet"):
        directory = self.home / name
        for file, content in files.items():
            (directory / file).parent.mkdir(parents=True, exist_ok=True)
            (directory / file).write_text(content)
        directory.mkdir(exist_ok=True)
        return directory

    def assert_ends(self, done, code, *words):
        self.assertEqual(done.returncode, code, f"{done.stdout}{done.stderr}")
        for word in words:
            self.assertIn(word, done.stderr)

    def deploy_to(self, answer, *arguments, **more):
        """What a deploy to a scripted server said, and the request that carried it (None: none was sent)."""
        with ScriptedServer(answer) as server:
            done = self.run_lambda("deploy", *arguments, LAMBDA_HOST=f"http://127.0.0.1:{server.port}", LAMBDA_API_KEY=KEY, **more)
        deploys = [each for each in server.received if each.path.endswith("/deploy")]
        return done, deploys[-1] if deploys else None
