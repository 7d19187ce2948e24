"""A receiver of webhooks for tests, and a check of their signatures that shares nothing with the server's."""

import base64
import hashlib
import hmac
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def is_signed(secret, headers, body, now=None):
    """As the Standard Webhooks specification tells receivers to do it."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    sent = int(headers["webhook-timestamp"])
    if abs((time.time() if now is None else now) - sent) > 300:
        return False
    wanted = hmac.new(key, f"{headers['webhook-id']}.{sent}.".encode() + body, hashlib.sha256).digest()
    given = [part.removeprefix("v1,") for part in headers["webhook-signature"].split(" ") if part.startswith("v1,")]
    return any(hmac.compare_digest(base64.b64encode(wanted).decode(), signature) for signature in given)


class Received:
    def __init__(self, path, headers, body):
        self.path, self.headers, self.body, self.at = path, headers, body, time.monotonic()


class Receiver:
    """Listens on loopback. `answer(received)` returns a status, or (status, headers); it may take its time."""

    def __init__(self, answer=lambda received: 204, host="127.0.0.1"):
        self.answer, self.received, self.seen = answer, [], threading.Condition()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                received = Received(self.path, self.headers, body)
                with outer.seen:
                    outer.received.append(received)
                    outer.seen.notify_all()
                answer = outer.answer(received)
                status, headers = answer if isinstance(answer, tuple) else (answer, {})
                try:
                    self.send_response(status)
                    for name, value in {"Content-Length": "0", **headers}.items():
                        self.send_header(name, value)
                    self.end_headers()
                except OSError:
                    pass  # the server did not wait

            do_GET = do_POST

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, client_address):
                pass

        self.server = Server((host, 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def url(self, path="/", host="127.0.0.1"):
        return f"http://{host}:{self.port}{path}"

    def of(self, path):
        with self.seen:
            return [one for one in self.received if one.path == path]

    def wait_for(self, count, path="/", timeout=20):
        """The requests to a path (None: to any), once there are so many."""
        deadline = time.monotonic() + timeout
        with self.seen:
            while len(found := [one for one in self.received if path in (None, one.path)]) < count:
                if not self.seen.wait(deadline - time.monotonic()):
                    raise AssertionError(f"{len(found)} webhooks came to {path} in {timeout} s, not {count}")
            return found
