"""HTTP functions: requests as they are, streaming both ways, upgrades, invoke; from a Dockerfile, on both drivers."""

import base64
import hashlib
import http.client
import json
import os
import re
import socket
import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

from pathlib import Path

from lambda_server import ServerTest, on_both_drivers

# A server of the standard library alone: an echo of the request, a slow stream, an upload that is counted as it comes, a WebSocket
# that echoes one frame after the other, and errors.
SERVER = r'''
import base64, hashlib, json, os, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BORN = time.time()
RAW = {"/cut": b"Content-Length: 100\r\n\r\nten bytes.", "/twice": b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
       "/colonless": b"no colon\r\n\r\n", "/chunk": b"Transfer-Encoding: chunked\r\n\r\n5\r\nab"}

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, form, *values): print(form % values, flush=True)
    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data)); self.wfile.flush()
    def answer(self, status, body, kind="application/json"):
        self.send_response(status); self.send_header("Content-Type", kind); self.send_header("Content-Length", str(len(body)))
        self.end_headers(); self.wfile.write(body)
    def body(self):
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            data = b""
            while True:
                size = int(self.rfile.readline().split(b";")[0], 16)
                data += self.rfile.read(size); self.rfile.readline()
                if size == 0: return data
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))
    def do_GET(self):
        if self.path == "/stream":
            self.send_response(200); self.send_header("Transfer-Encoding", "chunked"); self.end_headers()
            for number in range(5):
                self.chunk(b"part %d\n" % number); time.sleep(0.3)
            self.wfile.write(b"0\r\n\r\n")
        elif self.path == "/slow": time.sleep(30)
        elif self.path == "/nap": time.sleep(2); self.echo()
        elif self.path == "/exit": os._exit(5)
        elif self.path == "/ws": self.websocket()
        elif self.path in RAW: self.wfile.write(b"HTTP/1.1 200 OK\r\n" + RAW[self.path]); self.close_connection = True
        elif self.path == "/unasked": self.unasked()
        else: self.echo()
    def websocket(self):
        accept = base64.b64encode(hashlib.sha1(self.headers["Sec-WebSocket-Key"].encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        self.wfile.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n")
        self.wfile.flush()
        while True:
            head = self.rfile.read(2)
            if len(head) < 2 or head[0] & 15 == 8: break
            size = head[1] & 127; mask = self.rfile.read(4)
            data = bytes(byte ^ mask[index % 4] for index, byte in enumerate(self.rfile.read(size)))
            self.wfile.write(bytes([0x81, len(data)]) + data); self.wfile.flush()
        self.close_connection = True
    def unasked(self):
        self.wfile.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: mine\r\nConnection: Upgrade\r\n\r\n"); self.wfile.flush()
        seen = self.rfile.readline()
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen"); self.wfile.flush()
        self.close_connection = True
    def echo(self):
        body = self.body()
        status = 418 if self.path.startswith("/teapot") else 200
        self.answer(status, json.dumps({"method": self.command, "path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()},
            "size": len(body), "sha": hashlib.sha256(body).hexdigest(), "body": body[:200].decode("latin-1"), "pid": os.getpid(), "born": BORN}).encode())
    do_POST = do_PUT = do_DELETE = do_PATCH = echo

ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
'''

DOCKERFILE = '''
FROM lambda/python:3.11
COPY server.py /srv/server.py
EXPOSE 80
CMD ["python3", "-u", "/srv/server.py"]
'''


class WebSocket:
    """A connection to the function `web`; the server echoes its frames."""

    def __init__(self, test):
        self.test = test

    def __enter__(self):
        self.connection = socket.create_connection(("127.0.0.1", self.test.server.port), timeout=20)
        key = base64.b64encode(os.urandom(16)).decode()
        self.connection.sendall((f"GET /ws HTTP/1.1\r\nHost: web.localhost:{self.test.server.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                 f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n").encode())
        self.stream = self.connection.makefile("rb")
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.stream.readline()
        self.test.assertTrue(head.startswith(b"HTTP/1.1 101"), head)
        self.test.assertIn(base64.b64encode(hashlib.sha1(key.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()), head)
        return self

    def __exit__(self, *_):
        self.connection.sendall(b"\x88\x80\0\0\0\0")
        self.stream.close()
        self.connection.close()

    def exchange(self, text):
        mask = os.urandom(4)
        self.connection.sendall(bytes([0x81, 0x80 | len(text)]) + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(text)))
        self.test.assertEqual(self.stream.read(2 + len(text)), bytes([0x81, len(text)]) + text)


@on_both_drivers
class HttpFunctions(ServerTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        done = cls.server.deploy({"server.py": SERVER, "Dockerfile": DOCKERFILE}, "web", "--timeout", "3")
        assert '[2/3] Building image "func-web"' in done.stderr, done.stderr

    def test_requests_pass_as_they_are(self):
        seen = self.server.get("web", "/a/%2Fb?x=1&y=%20z", headers={"X-Mine": "v", "Authorization": "Bearer t"}).json()
        self.assertEqual((seen["method"], seen["path"]), ("GET", "/a/%2Fb?x=1&y=%20z"))
        self.assertEqual((seen["headers"]["x-mine"], seen["headers"]["authorization"]), ("v", "Bearer t"))
        self.assertEqual(seen["headers"]["host"], f"web.localhost:{self.server.port}")
        for method in ("PUT", "DELETE", "PATCH"):
            self.assertEqual(self.server.request(method, "/", host="web.localhost", body=b"b").json()["method"], method)

    def test_statuses_pass(self):
        self.assertEqual(self.server.get("web", "/teapot").status, 418)

    def test_bodies_beyond_the_limit_of_handlers(self):
        body = os.urandom(20 * 1024 * 1024)
        seen = self.server.post("web", body, timeout=120).json()
        self.assertEqual((seen["size"], seen["sha"]), (len(body), hashlib.sha256(body).hexdigest()))

    def test_a_chunked_upload(self):
        seen = self.server.post("web", iter([b"one", b"two", b"three"])).json()
        self.assertEqual(seen["body"], "onetwothree")

    def test_the_response_streams(self):
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=20) as connection:
            connection.sendall(f"GET /stream HTTP/1.1\r\nHost: web.localhost:{self.server.port}\r\nConnection: close\r\n\r\n".encode())
            times, received = {}, b""
            while data := connection.recv(65536):
                received += data
                for number in range(5):
                    if b"part %d\n" % number in received:
                        times.setdefault(number, time.monotonic())
        self.assertEqual(len(times), 5, received)
        self.assertGreater(times[4] - times[0], 0.8)

    def test_a_websocket(self):
        with WebSocket(self) as connection:
            for number in range(20):
                connection.exchange(b"frame %d" % number)

    def test_as_many_requests_at_once_in_an_instance_as_it_asked_for(self):
        files = {"server.py": SERVER, "Dockerfile": DOCKERFILE}
        self.server.deploy(files, "narrow", "--concurrency", "1")
        self.server.deploy(files, "wide")
        for name, shown, instances in (("narrow", 1, 3), ("wide", 32, 1)):
            self.assertEqual(self.server.api("GET", f"/_lambda/functions/{name}").json()["concurrency"], shown)
            with ThreadPoolExecutor(3) as callers:
                seen = [reply.json()["born"] for reply in callers.map(lambda _, name=name: self.server.get(name, "/nap"), range(3))]
            self.assertEqual(len(set(seen)), instances, seen)
        refused = self.server.deploy(files, "handler", "--kind", "handler", "--concurrency", "2", check=False)
        self.assertIn("one call at a time", refused.stderr)

    def test_a_function_cannot_take_over_a_connection(self):
        """A 101 that nobody asked for: the requests that follow on the connection may be for others."""
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=20) as connection:
            stream = connection.makefile("rb")
            connection.sendall(f"GET /unasked HTTP/1.1\r\nHost: web.localhost:{self.server.port}\r\n\r\n".encode())
            self.assertIn(b" 502 ", stream.readline())
            length = 0
            while (line := stream.readline()) not in (b"\r\n", b""):
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            self.assertIn(b"the function web failed", stream.read(length))
            connection.sendall(f"GET /_lambda/health HTTP/1.1\r\nHost: 127.0.0.1:{self.server.port}\r\nConnection: close\r\n\r\n".encode())
            rest = stream.read()
        self.assertNotIn(b"stolen", rest)
        self.assertIn(b'"ok"', rest)

    def test_no_answer_in_time(self):
        began = time.monotonic()
        self.assertEqual(self.server.get("web", "/slow").status, 504)
        self.assertLess(time.monotonic() - began, 8)
        self.assertEqual(self.server.get("web", "/").status, 200)

    def logs(self, pattern, name, *options):
        """Waits until its log has that."""
        until = time.monotonic() + 10
        while not re.search(pattern, text := self.server.cli("logs", name, *options).stdout):
            self.assertLess(time.monotonic(), until, f"{pattern}: not in {text}")
            time.sleep(0.1)

    def test_why_a_request_failed_is_in_the_function_s_log(self):
        for path, status, reason in (("/cut", 502, "its response ended early"), ("/twice", 502, "no response: "), ("/colonless", 502, "no response: "),
                                     ("/unasked", 502, "it answered 101"), ("/exit", 502, "its HTTP server ended: "), ("/slow", 504, "Task timed out after 3.00 seconds")):
            with self.subTest(path=path):
                reply = self.server.get("web", path)
                self.assertEqual(reply.status, status)
                request = reply.headers["x-amzn-requestid"]
                self.logs(rf"\A\S+  \S+Z {request} {reason}.*\n\Z", "web", "--request-id", request)
        with self.assertRaises((http.client.HTTPException, OSError)):
            self.server.get("web", "/chunk")
        self.logs(r"Z [0-9a-f-]{36} its response ended early: ", "web", "--lines", "5")

    def test_why_an_event_failed_is_in_the_function_s_log(self):
        self.server.deploy({"server.py": SERVER.replace("do_POST = do_PUT", "do_POST = lambda self: time.sleep(30)\n    do_PUT"), "Dockerfile": DOCKERFILE},
                           "posted", "--timeout", "1")
        self.assertEqual(self.server.cli("invoke", "posted", check=False).returncode, 3)
        self.logs(r"Z [0-9a-f-]{36} Task timed out after 1\.00 seconds\n", "posted")

    def test_a_server_that_ends(self):
        for _ in range(5):
            self.assertEqual(self.server.get("web", "/exit").status, 502)
            reply = self.server.get("web", "/")
            self.assertEqual(reply.status, 200, reply)

    def test_invoke(self):
        reply = self.server.invoke("web", {"a": 1})
        seen = reply.json()
        self.assertEqual((seen["method"], seen["path"], json.loads(seen["body"])), ("POST", "/", {"a": 1}))
        self.assertNotIn("x-amz-function-error", reply.headers)

    def test_one_instance_serves_many_at_once(self):
        self.server.get("web", "/")
        began, replies = time.monotonic(), []
        threads = [threading.Thread(target=lambda: replies.append(self.server.get("web", "/stream"))) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual([reply.status for reply in replies], [200] * 6)
        self.assertLess(time.monotonic() - began, 6)

    def test_through_the_fn_door(self):
        reply = self.server.request("GET", "/fn/web/x/y?z=1")
        self.assertEqual(reply.json()["path"], "/x/y?z=1")
        self.assertEqual(reply.json()["headers"]["x-forwarded-prefix"], "/fn/web")

    def test_a_websocket_does_not_keep_a_deleted_function_alive(self):
        word = f"deleted-{os.urandom(6).hex()}"
        files = {"server.py": SERVER.replace("self.wfile.write(bytes([0x81,", "print('a ping', flush=True); self.wfile.write(bytes([0x81,"),
                 "Dockerfile": DOCKERFILE.replace('"/srv/server.py"]', f'"/srv/server.py", "{word}"]')}
        self.server.deploy(files, "deleted", "--timeout", "2")
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=20) as connection:
            connection.sendall(f"GET /ws HTTP/1.1\r\nHost: deleted.localhost:{self.server.port}\r\nUpgrade: websocket\r\n"
                               f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {'A' * 22}==\r\n\r\n".encode())
            self.assertTrue(connection.recv(4096).startswith(b"HTTP/1.1 101"))
            processes = processes_named(word)
            # Where this machine is a container itself, some are its own.
            cgroups = {path for pid in processes for path in cgroups_of(pid)} - set(cgroups_of(os.getpid()))
            self.assertTrue(processes and cgroups)
            self.server.cli("delete", "deleted", "-y")
            deleted = time.monotonic()
            log = self.server.data / "logs/deleted"
            pings = 0
            try:
                while time.monotonic() - deleted < 15:
                    connection.sendall(b"\x89\x80\0\0\0\0")
                    if not connection.recv(100):
                        break
                    pings += 1
                    time.sleep(0.1)
            except OSError:
                pass
            # The call that ran had the function's timeout yet, and no more.
            self.assertGreater(pings, 5)
            self.assertLess(time.monotonic() - deleted, 12)
            while (processes_named(word) or any(path.exists() for path in cgroups)) and time.monotonic() - deleted < 20:
                time.sleep(0.1)
            self.assertEqual((processes_named(word), [path for path in cgroups if path.exists()], log.exists()), ([], [], False))

    def test_a_new_function_has_its_own_log_while_the_deleted_one_of_its_name_ends(self):
        self.server.deploy({"app.py": "import time\ndef handler(event, context):\n    time.sleep(3)\n    print('the old one')"}, "again",
                           "--timeout", "10")
        replies = []
        running = threading.Thread(target=lambda: replies.append(self.server.invoke("again")))
        running.start()
        while "START" not in self.server.api("GET", "/_lambda/functions/again/logs").text:
            time.sleep(0.05)
        self.server.cli("delete", "again", "-y")
        self.server.deploy({"app.py": "def handler(event, context): print('the new one')"}, "again")
        self.server.invoke("again")
        running.join()
        self.assertEqual(replies[0].status, 200, replies)
        self.assertIn("the old one", replies[0].log)
        log = self.server.api("GET", "/_lambda/functions/again/logs").text
        self.assertIn("the new one", log)
        self.assertNotIn("the old one", log)


def processes_named(word):
    """Those that have it on their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and word.encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            pass
    return found


def cgroups_of(pid):
    """Where the process is, below every hierarchy that the machine has."""
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    except OSError:
        return set()
    inner = {line.split(":", 2)[2].lstrip("/") for line in lines} - {""}
    tops = [Path("/sys/fs/cgroup"), *Path("/sys/fs/cgroup").iterdir()]
    return {top / path for top in tops for path in inner if (top / path).is_dir()}


@on_both_drivers
class Builds(ServerTest):
    def test_output_is_streamed_and_a_failing_build_changes_nothing(self):
        # A word of its own: what Docker has in its cache is not run again.
        word = os.urandom(6).hex()
        good = {"Dockerfile": f'FROM lambda/python:3.11\nRUN echo {word}-$((40+2))\nCOPY server.py /srv/server.py\nEXPOSE 8080\n'
                              'CMD ["python3", "/srv/server.py"]\n', "server.py": SERVER}
        done = self.server.deploy(good, "built")
        self.assertIn(f"{word}-42", done.stderr)
        bad = {"Dockerfile": "FROM lambda/python:3.11\nRUN echo about to fail && exit 7\nEXPOSE 8080\n"}
        done = self.server.deploy(bad, "built", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("about to fail", done.stderr)
        self.assertEqual(self.server.get("built").status, 200)

    def test_a_command_that_is_no_server_is_named_with_its_end(self):
        files = {"Dockerfile": 'FROM lambda/python:3.11\nCOPY . /srv\nEXPOSE 8080\nCMD ["python3", "/srv/serve.py"]\n',
                 "serve.py": "import sys\nprint('no such port', flush=True)\nsys.exit(3)\n"}
        done = self.server.deploy(files, "wrong", check=False)
        self.assert_fails(done, 3, "/lambda-entrypoint.sh python3 /srv/serve.py` ended before it listened on port 8080 ($PORT): exit status 3.",
                          "Its output:\n  no such port\n")
        # A handler, where a server is wanted: the runtime's own bootstrap has nobody to talk to.
        done = self.server.deploy({"Dockerfile": 'FROM lambda/python:3.11\nCOPY app.py /var/task/\nEXPOSE 8080\nCMD ["app.handler"]\n',
                                   "app.py": "def handler(event, context): return event\n"}, "wrong", check=False)
        self.assert_fails(done, 3, "/lambda-entrypoint.sh app.handler` ended before it listened", "exit status 1", "--kind handler")

    def test_a_base_image_that_is_not_there_is_told_those_that_are(self):
        done = self.server.deploy({"Dockerfile": "FROM lambda/pyhton:3.11\nEXPOSE 8080\n"}, "baseless", check=False)
        self.assert_fails(done, 2, "the build failed", "lambda/python:3.11", "docker images")

    def test_dockerignore(self):
        files = {"Dockerfile": 'FROM lambda/python:3.11\nCOPY . /srv\nEXPOSE 8080\nCMD ["python3", "/srv/server.py"]\n', ".dockerignore": "secret.txt\n",
                 "secret.txt": "x", "server.py": 'import os, http.server\nclass H(http.server.BaseHTTPRequestHandler):\n    def do_GET(self):\n'
                 '        self.send_response(200); self.end_headers(); self.wfile.write(repr(os.listdir("/srv")).encode())\n'
                 'http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), H).serve_forever()\n'}
        self.server.deploy(files, "ignoring")
        listed = self.server.get("ignoring").text
        self.assertIn("server.py", listed)
        self.assertNotIn("secret.txt", listed)

    def test_an_image_without_a_port_is_a_handler(self):
        files = {"Dockerfile": 'FROM lambda/python:3.11\nCOPY loop.py /loop.py\nCMD ["python3", "/loop.py"]\n', "loop.py": '''
import json, os, urllib.request
base = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
while True:
    with urllib.request.urlopen(base + "next") as reply:
        identity, event = reply.headers["Lambda-Runtime-Aws-Request-Id"], json.load(reply)
    answer = json.dumps({"from": "an image", "event": event}).encode()
    urllib.request.urlopen(urllib.request.Request(base + identity + "/response", data=answer, method="POST")).read()
'''}
        self.server.deploy(files, "imagehandler")
        self.assertEqual(self.server.invoke("imagehandler", {"a": 1}).json(), {"from": "an image", "event": {"a": 1}})

    def test_a_rollback_between_images(self):
        for number in (1, 2):
            self.server.deploy({"Dockerfile": DOCKERFILE, "server.py": SERVER.replace('"pid": os.getpid()', f'"number": {number}')}, "rolling")
        self.assertEqual(self.server.get("rolling").json()["number"], 2)
        self.server.cli("rollback", "rolling")
        self.assertEqual(self.server.get("rolling").json()["number"], 1)


@on_both_drivers
class IdleInstances(ServerTest):
    flags = ("--idle-time", "1")

    def born(self):
        return self.server.get("web", "/").json()["born"]

    def test_an_instance_is_not_given_up_under_an_open_connection(self):
        self.server.deploy({"server.py": SERVER, "Dockerfile": DOCKERFILE}, "web", "--timeout", "30")
        first = self.born()
        with WebSocket(self) as connection:
            connection.exchange(b"before")
            time.sleep(6)  # several times the idle time and the pause between two looks
            connection.exchange(b"after")
            self.assertEqual(self.born(), first)
        time.sleep(6)
        self.assertNotEqual(self.born(), first)  # it is given up without one


if __name__ == "__main__":
    unittest.main()
