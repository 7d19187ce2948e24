"""Calculates over HTTP: GET /?a=1&b=2&op=add, or POST / with {"a": 1, "b": 2, "op": "add"}, which is also what `lambda invoke` sends.

Answers {"result": 3}; 400 and {"error": ...} for what cannot be calculated."""

import json
import math
import operator
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

OPERATIONS = {"add": operator.add, "sub": operator.sub, "mul": operator.mul, "div": operator.truediv}


class Calculator(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.calculate(dict(parse_qsl(urlsplit(self.path).query)))

    def do_POST(self):
        try:
            values = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        except ValueError:
            values = None
        if isinstance(values, dict):
            self.calculate(values)
        else:
            self.answer(400, {"error": "the body is not a JSON object"})

    def calculate(self, values):
        try:
            result = calculate(number(values, "a"), number(values, "b"), values.get("op", "add"))
        except ValueError as error:
            self.answer(400, {"error": str(error)})
        else:
            self.answer(200, {"result": result})

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def number(values, name):
    try:
        value = float(values[name])
    except KeyError:
        raise ValueError(f"{name} is missing: call me with ?a=1&b=2&op=add") from None
    except (TypeError, ValueError):
        raise ValueError(f"{name} is not a finite number: {values[name]}") from None
    if not math.isfinite(value):
        raise ValueError(f"{name} is not a finite number: {values[name]}")
    return value


def calculate(a, b, op):
    if op not in OPERATIONS:
        raise ValueError(f"op is {op}, but must be one of {', '.join(OPERATIONS)}")
    if op == "div" and b == 0:
        raise ValueError("division by zero")
    result = OPERATIONS[op](a, b)
    if not math.isfinite(result):
        raise ValueError("the result is too large")
    return int(result) if result.is_integer() and abs(result) < 2**53 else result


if __name__ == "__main__":
    ThreadingHTTPServer(("", int(os.environ.get("PORT", "8080"))), Calculator).serve_forever()
