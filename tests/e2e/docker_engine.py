"""What answers like a Docker Engine that holds nothing, on a socket of its own: for what lambdad does while a real one is away or refuses."""

import json
import os
import threading
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingMixIn, UnixStreamServer


class Server(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True

    def handle_error(self, *_):
        """Whoever asked has gone."""


class EmptyEngine:
    """`refusals`: the daemon's words by the end of a path, "/containers/json"; those calls fail."""

    def __init__(self, socket, group, mode=0o660):
        self.socket, self.refusals = socket, {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                path = self.path.split("?")[0]
                refusal = next((words for end, words in outer.refusals.items() if path.endswith(end)), None)
                empty = {"/info": {"ServerVersion": "99.1", "MemoryLimit": True, "PidsLimit": True}, "/volumes": {"Volumes": []}}
                answer = b"OK"
                if refusal:
                    answer = json.dumps({"message": refusal}).encode()
                elif path != "/_ping":
                    answer = json.dumps(next((value for end, value in empty.items() if path.endswith(end)), [])).encode()
                self.send_response(500 if refusal else 200)
                self.send_header("Api-Version", "1.41")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_POST = do_GET

            def log_message(self, *_):
                pass

        self.server = Server(str(socket), Handler)
        os.chown(socket, 0, group)
        os.chmod(socket, mode)
        self.go_on()

    def go_on(self):
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def hang(self):
        """Connections are taken by the kernel, and nobody answers, until it may go on."""
        self.server.shutdown()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.socket.unlink(missing_ok=True)
