"""A real lambdad for tests: started with a data directory of its own on a free loopback port, stopped by SIGTERM, or killed.

    with LambdaServer("native") as server:
        server.deploy({"app.py": "def handler(event, context): return event"}, name="echo")
        server.get("echo", "/?a=1").json()
"""

import base64
import http.client
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("LAMBDA_BIN", ROOT / "build/release/bin"))
EXAMPLES = ROOT / "examples"
RUNTIMES = Path(os.environ.get("LAMBDA_RUNTIMES_DIR", "/var/lib/lambda-runtimes"))


class Reply:
    """What an HTTP call brought: status, headers (the last of each name), body."""

    def __init__(self, status, headers, body):
        self.status, self.header_list, self.body = status, headers, body
        self.headers = {name.lower(): value for name, value in headers}

    @property
    def text(self):
        return self.body.decode()

    def json(self):
        return json.loads(self.body)

    @property
    def log(self):
        return base64.b64decode(self.headers.get("x-amz-log-result", "")).decode(errors="replace")

    def __repr__(self):
        return f"Reply({self.status}, {self.headers}, {self.body[:500]!r})"


class LambdaServer:
    def __init__(self, driver="native", flags=(), data=None, environment=None):
        self.driver, self.flags, self.environment = driver, list(flags), environment or {}
        self.home = Path(tempfile.mkdtemp(prefix="lambda-test-"))
        self.home.chmod(0o711)  # lambdad is not root once it runs
        self.data = Path(data) if data else self.home / "data"
        self.log_lines = []
        self.log_seen = threading.Condition()
        self.process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()

    # --- the process ---

    def command(self):
        return [str(BIN / "lambdad"), "--data-dir", str(self.data), "--driver", self.driver, "--runtimes-dir", str(RUNTIMES),
                "--listen", "127.0.0.1:0", "--socket", "none", *self.flags]

    def start(self, wait=30):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("LAMBDA_")}
        environment.update(self.environment)
        (self.data / "server.json").unlink(missing_ok=True)
        self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                        env=environment, start_new_session=True)
        threading.Thread(target=self._read_log, args=(self.process.stderr,), daemon=True).start()
        deadline = time.monotonic() + wait
        while not self._answers():
            if self.process.poll() is not None:
                time.sleep(0.2)
                raise AssertionError(f"lambdad ended with {self.process.returncode} instead of starting:\n{self.log_text()}")
            if time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"lambdad has not answered for {wait} s:\n{self.log_text()}")
            time.sleep(0.02)
        self.key = (self.data / "admin.key").read_text().strip()
        return self

    def _answers(self):
        try:
            self.facts = json.loads((self.data / "server.json").read_text())
            if self.facts["pid"] != self.process.pid:
                return False
            self.port = self.facts["port"]
            return self.request("GET", "/_lambda/health", timeout=2).status == 200
        except (OSError, ValueError, http.client.HTTPException):
            return False

    def _read_log(self, pipe):
        for line in pipe:
            with self.log_seen:
                self.log_lines.append(line.decode(errors="replace").rstrip("\n"))
                self.log_seen.notify_all()
        pipe.close()

    def log_text(self, lines=60):
        with self.log_seen:
            return "\n".join(self.log_lines[-lines:])

    def stop(self, wait=60):
        """SIGTERM; returns the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=wait)

    def kill(self):
        """SIGKILL, as a crash would be."""
        self.process.kill()
        self.process.wait()

    def close(self):
        try:
            if self.process and self.process.poll() is None:
                status = self.stop()
                assert status == 0, f"lambdad ended with {status} on SIGTERM:\n{self.log_text()}"
        finally:
            if self.process and self.process.poll() is None:
                self.kill()
            self._remove_images()
            shutil.rmtree(self.home, ignore_errors=True)

    def _remove_images(self):
        """What functions were built into: a data directory that goes away leaves nobody to do it."""
        try:
            mark = (self.data / "docker/id").read_text().split()[0]
        except (OSError, IndexError):
            return
        images = subprocess.run(["docker", "images", "-q", "--filter", f"label=lambda.server={mark}"], capture_output=True, text=True,
                                check=False).stdout.split()
        if images:
            subprocess.run(["docker", "rmi", "-f", *images], capture_output=True, check=False)

    # --- HTTP ---

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def request(self, method, path, host=None, headers=None, body=None, timeout=60):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            sent = dict(headers or {})
            if host:
                sent["Host"] = host
            connection.request(method, path, body=body, headers=sent)
            answer = connection.getresponse()
            return Reply(answer.status, answer.getheaders(), answer.read())
        finally:
            connection.close()

    def get(self, name, path="/", **more):
        """A call at the function's own host."""
        return self.request("GET", path, host=f"{name}.localhost:{self.port}", **more)

    def post(self, name, body, path="/", **more):
        return self.request("POST", path, host=f"{name}.localhost:{self.port}", body=body, **more)

    def api(self, method, path, body=None, headers=None, **more):
        """A call of the control API with the administrator's key; a body that is no bytes goes as JSON."""
        sent = {"Authorization": f"Bearer {self.key}", **(headers or {})}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        return self.request(method, path, headers=sent, body=body, **more)

    def invoke(self, name, event=None, qualifier=None, tail=True, **more):
        """AWS's Invoke over the control API, following `live` where no qualifier is given."""
        path = f"/_lambda/functions/{name}/invocations" + (f"?qualifier={qualifier}" if qualifier else "")
        return self.api("POST", path, body={} if event is None else event, headers={"X-Amz-Log-Type": "Tail"} if tail else {}, **more)

    def boto(self, service="lambda"):
        import boto3
        from botocore.config import Config
        identity, secret = self.key.removeprefix("lam_").split("_")
        return boto3.client(service, endpoint_url=self.url, region_name="us-east-1", aws_access_key_id=identity,
                            aws_secret_access_key=secret, config=Config(retries={"max_attempts": 0}, read_timeout=70))

    # --- the command line ---

    def cli(self, *arguments, stdin=None, check=True, timeout=120, env=None, cwd=ROOT):
        """bin/lambda as a person with the administrator's key would run it. `check` fails on an exit status that is not 0."""
        done = subprocess.run([str(BIN / "lambda"), *map(str, arguments)], input=stdin, capture_output=True, text=True, cwd=cwd,
                              env=self.cli_environment(**(env or {})), timeout=timeout, check=False)
        if check and done.returncode != 0:
            raise AssertionError(f"lambda {' '.join(map(str, arguments))}: exit status {done.returncode}\n{done.stdout}{done.stderr}\n"
                                 f"--- server ---\n{self.log_text(20)}")
        return done

    def cli_environment(self, **more):
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("LAMBDA_", "AWS_"))}
        return {**environment, "LAMBDA_HOST": self.url, "LAMBDA_API_KEY": self.key, "HOME": str(self.home), **more}

    def cli_started(self, *arguments, stdout=subprocess.DEVNULL):
        """The same, while it runs."""
        return subprocess.Popen([str(BIN / "lambda"), *map(str, arguments)], stdout=stdout, stderr=subprocess.PIPE, text=True, cwd=ROOT,
                                env=self.cli_environment())

    def folder(self, files):
        """A folder with these files (text or bytes; a tuple adds a mode)."""
        directory = Path(tempfile.mkdtemp(dir=self.home))
        for name, content in files.items():
            content, mode = content if isinstance(content, tuple) else (content, 0o644)
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
            path.chmod(mode)
        return directory

    def deploy(self, source, name, *arguments, **more):
        """`lambda deploy` of a folder, or of files given as a dictionary."""
        directory = self.folder(source) if isinstance(source, dict) else source
        return self.cli("deploy", directory, "--name", name, *arguments, **more)


class ServerTest(unittest.TestCase):
    """Tests that share one server; `driver` is set by on_both_drivers."""

    driver = None
    flags = ()
    server: LambdaServer

    @classmethod
    def setUpClass(cls):
        cls.server = LambdaServer(cls.driver, cls.flags).start()
        cls.addClassCleanup(cls.server.close)

    def setUp(self):
        self.assertIsNone(self.server.process.poll(), f"lambdad is gone:\n{self.server.log_text()}")

    def assert_fails(self, done, status, *words):
        """A command line that failed with this exit status, saying these words on stderr."""
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        for word in words:
            self.assertIn(word.lower(), done.stderr.lower())
        self.assertNotIn("Traceback (most recent call last):\n  File \"/usr", done.stderr)


def on_both_drivers(test):
    """Class decorator: the tests of this class run once with the native driver and once with Docker."""
    import sys
    module = sys.modules[test.__module__]
    for driver in ("native", "docker"):
        name = f"{test.__name__}On{driver.capitalize()}"
        setattr(module, name, type(name, (test,), {"driver": driver, "__module__": test.__module__}))
    test.__test__ = False
    return None
