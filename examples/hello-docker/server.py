"""Greets over HTTP: GET /?name=..., or POST / with {"name": ...}, which is also what `lambda invoke` sends."""

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


class Hello(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.greet(parse_qs(urlsplit(self.path).query).get("name", [None])[0])

    def do_POST(self):
        try:
            sent = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        except ValueError:
            self.answer(400, {"error": "the body is not JSON"})
            return
        self.greet(sent.get("name") if isinstance(sent, dict) else None)

    def greet(self, name):
        self.answer(200, {"message": f"Hello, {name or 'World'}!"})

    def answer(self, status, value):
        body = json.dumps(value, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    ThreadingHTTPServer(("", int(os.environ.get("PORT", "8080"))), Hello).serve_forever()
