"""A Runtime API whose events a test hands out one by one, and a bootstrap of ours that is its client.

    with Runtime("python3.11", {"app.py": "def handler(event, context): return event"}) as runtime:
        runtime.call({"a": 1}).json()

The server keeps to the protocol as Lambda does: one event at a time, a response only for the current one, init/error only before
the first `next`, 6 MiB + 100 bytes at most."""

import http.server
import json
import os
import queue
import shutil
import socket
import socketserver
import struct
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path

RUNTIMES = Path(__file__).resolve().parents[1]
FILE_SYSTEMS = Path(os.environ.get("LAMBDA_RUNTIMES_DIR", "/var/lib/lambda-runtimes"))
NODES = ("nodejs20.x", "nodejs22.x", "nodejs24.x")
LARGEST = 6 * 1024 * 1024 + 100
PREFIX = "/2018-06-01/runtime/"


class Answer:
    """What the runtime posted: `kind` is response, error or init/error."""

    def __init__(self, kind, headers, body, trailers):
        self.kind, self.headers, self.body, self.trailers = kind, headers, body, trailers

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"Answer({self.kind}, {dict(self.headers)}, {self.body[:500]!r}, {self.trailers})"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def answer(self, status, body, headers=()):
        self.send_response(status)
        for name, value in (("Content-Type", "application/json"), ("Content-Length", str(len(body))), *headers):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, status, kind, message):
        self.answer(status, json.dumps({"errorMessage": message, "errorType": kind}).encode())

    def do_GET(self):
        api = self.server.api
        if self.path != PREFIX + "invocation/next":
            self.refuse(404, "NotFound", self.path)
            return
        api.asked_for_next()
        event = api.events.get()
        if event is None:
            self.close_connection = True
            return
        headers, body = event
        self.answer(200, body, headers)

    def body(self):
        """The body, and the trailers after it."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers["Content-Length"])), {}
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
            self.server.api.parts.put(parts[-1])
        trailers = {}
        while (line := self.rfile.readline().strip()):
            name, _, value = line.decode("latin-1").partition(":")
            trailers[name.strip().lower()] = value.strip()
        return b"".join(parts), trailers

    def do_POST(self):
        api = self.server.api
        body, trailers = self.body()
        words = self.path.removeprefix(PREFIX).split("/")
        if words == ["init", "error"]:
            if api.initialised.is_set():
                self.refuse(403, "InvalidStateTransition", "init/error after next")
            else:
                api.posted(Answer("init/error", self.headers, body, trailers))
                self.answer(202, b'{"status":"OK"}\n')
        elif len(words) != 3 or words[0] != "invocation" or words[2] not in ("response", "error"):
            self.refuse(404, "NotFound", self.path)
        elif words[1] != api.current:
            api.refused.append(self.path)
            self.refuse(400, "InvalidRequestID", "Invalid request ID")
        elif len(body) > LARGEST:
            api.posted(Answer("too large", self.headers, b"", trailers))
            self.refuse(413, "RequestEntityTooLarge", f"Exceeded maximum allowed payload size ({LARGEST} bytes).")
        else:
            api.posted(Answer(words[2], self.headers, body, trailers))
            self.answer(202, b'{"status":"OK"}\n')


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

    def process_request(self, request, client_address):
        self.api.connections += 1
        super().process_request(request, client_address)

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):  # a runtime that is gone
            super().handle_error(request, client_address)


class RuntimeApi:
    def __init__(self):
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.api = self
        self.events = queue.Queue()
        self.answers = queue.Queue()
        self.parts = queue.Queue()  # the chunks of streamed responses, as they come
        self.refused = []
        self.connections = 0
        self.current = None
        self.initialised = threading.Event()
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def address(self):
        return f"127.0.0.1:{self.server.server_address[1]}"

    def asked_for_next(self):
        self.initialised.set()

    def posted(self, answer):
        self.current = None
        self.answers.put(answer)

    def send(self, body, headers):
        self.current = dict(headers)["Lambda-Runtime-Aws-Request-Id"]
        self.events.put((list(headers), body))

    def close(self):
        self.events.put(None)
        self.server.shutdown()
        self.server.server_close()


def command_of(runtime):
    """The bootstrap in this tree, run by the runtime's own interpreter."""
    if runtime.startswith("python"):
        return ["/usr/bin/python3", "-B", "-s", str(RUNTIMES / "python/bootstrap.py")]
    node = FILE_SYSTEMS / runtime / "rootfs/var/lang/bin/node"
    assert node.exists(), f"{node} is missing: run runtimes/build"
    return [str(node), str(RUNTIMES / "node/bootstrap.mjs")]


def in_stems(module, *tests, forked=False):
    """These tests once more, with runtimes that were started before they knew their function; `forked`: as a zygote's (Python)."""
    for test in tests:
        name = f"{test.__name__}{'InAFork' if forked else 'InAStem'}"

        def set_up(cls):
            Runtime.stem, Runtime.forked = True, forked

        def tear_down(cls):
            Runtime.stem = Runtime.forked = False

        module[name] = type(name, (test,), {"setUpClass": classmethod(set_up), "tearDownClass": classmethod(tear_down), "__module__": module["__name__"]})


# What a runtime looks at when it starts: a stem has it from the beginning.
READ_AT_START = ("AWS_LAMBDA_RUNTIME_API", "LANG", "TZ", "PATH")
READ_AT_START_PREFIXES = ("PYTHON", "NODE_")


class Runtime:
    """A function's folder with these files, and the runtime that serves it."""

    stem = forked = False

    def __init__(self, runtime, files, handler=None, environment=None):
        self.root = Path(tempfile.mkdtemp(prefix="runtime-test-"))
        for name, content in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        self.api = RuntimeApi()
        self.log_path = self.root / ".log"
        self.process = self.start(runtime, handler or ("app.handler" if runtime.startswith("python") else "index.handler"), environment or {})

    def start(self, runtime, handler, more):
        environment = {
            "AWS_LAMBDA_RUNTIME_API": self.api.address, "LAMBDA_TASK_ROOT": str(self.root), "_HANDLER": handler,
            "AWS_LAMBDA_FUNCTION_NAME": "func", "AWS_LAMBDA_FUNCTION_VERSION": "7", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
            "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/func", "AWS_LAMBDA_LOG_STREAM_NAME": "2026/01/02/[7]0123456789abcdef",
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{runtime}", "AWS_REGION": "us-east-1", "LANG": "en_US.UTF-8", "TZ": ":UTC", "PATH": "/usr/bin:/bin",
            **more}
        if self.stem:
            return self.start_stem(runtime, environment)
        with open(self.log_path, "wb") as log:
            return subprocess.Popen(command_of(runtime), cwd=self.root, env=environment, stdin=subprocess.DEVNULL, stdout=log,
                                    stderr=subprocess.STDOUT)

    def start_stem(self, runtime, environment):
        """As lambda-init does it (sandbox/init/protocol.h)."""
        ours, theirs = socket.socketpair()
        before = {name: value for name, value in environment.items() if name in READ_AT_START or name.startswith(READ_AT_START_PREFIXES)}
        at_three = ["bash", "-c", f'exec "$@" 3<&{theirs.fileno()} {theirs.fileno()}<&-', "stem"]
        command = [*command_of(runtime), "--stem"]
        if self.forked:
            command = [*command[:-2], str(Path(__file__).with_name("forked.py")), command[-2], "--zygote"]
        with open(self.log_path, "wb") as log:
            process = subprocess.Popen([*at_three, *command], cwd="/", env={**before, "OF_THE_STEM": "1"}, stdin=subprocess.DEVNULL,
                                       stdout=log, stderr=subprocess.STDOUT, pass_fds=(theirs.fileno(),))
        theirs.close()
        texts = [str(self.root), "the", "arguments", *(f"{name}={value}" for name, value in environment.items())]
        strings = b"".join(os.fsencode(text) + b"\0" for text in texts)
        with ours:
            ours.sendall(struct.pack("=III", 2, len(environment), len(strings)) + strings)
        return process

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.api.close()
        shutil.rmtree(self.root)

    def send(self, event=None, remaining=10.0, **headers):
        """Hands out an event (JSON, or bytes as they are); returns its request id. `headers`: trace_id="..." and so on."""
        identity = str(uuid.uuid4())
        sent = {"Lambda-Runtime-Aws-Request-Id": identity, "Lambda-Runtime-Deadline-Ms": str(int((time.time() + remaining) * 1000)),
                "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:000000000000:function:func",
                "Lambda-Runtime-Trace-Id": "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"}
        for name, value in headers.items():
            full = "Lambda-Runtime-" + name.replace("_", "-").title()
            if value is None:
                sent.pop(full)
            else:
                # http.server writes Latin-1; what goes over the wire is UTF-8.
                sent[full] = value.encode().decode("latin-1")
        self.api.send(event if isinstance(event, bytes) else json.dumps({} if event is None else event).encode(), sent.items())
        return identity

    def answer(self, wait=20.0):
        """What the runtime posts next."""
        deadline = time.monotonic() + wait
        while True:
            try:
                return self.api.answers.get(timeout=0.05)
            except queue.Empty:
                ended = self.process.poll()
                if ended is not None and self.api.answers.empty():
                    raise AssertionError(f"the runtime ended with {ended}:\n{self.log}") from None
                if time.monotonic() > deadline:
                    raise AssertionError(f"no answer for {wait} s:\n{self.log}") from None

    def call(self, event=None, **headers):
        self.send(event, **headers)
        return self.answer()

    def ended(self, wait=20.0):
        """The exit status, once the process is gone."""
        try:
            return self.process.wait(timeout=wait)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the runtime still runs after {wait} s:\n{self.log}") from None

    def ready(self, wait=20.0):
        assert self.api.initialised.wait(wait), f"the runtime did not ask for an event in {wait} s:\n{self.log}"
        return self

    @property
    def log(self):
        return self.log_path.read_text(errors="replace")
