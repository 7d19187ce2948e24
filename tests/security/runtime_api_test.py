"""Functions that misuse the Runtime API: wrong ids, wrong order, wrong bytes, too much, too slow."""

import time
import unittest

from inside import AttackTest, status_of

# For source that runs inside: raw HTTP to the Runtime API. `say` returns the status of the answer, or why there was none.
TOOLS = '''
import socket, time
ME = context.aws_request_id
BASE = "/2018-06-01/runtime/"
def open_api():
    return socket.create_connection(("127.0.0.1", 9001), timeout=10)
def say(data, wait=5):
    with open_api() as api:
        api.settimeout(wait)
        try:
            api.sendall(data)
        except OSError: pass
        try:
            answer = api.recv(65536)
        except OSError as error: return type(error).__name__
        return int(answer.split()[1]) if answer.startswith(b"HTTP/1.1 ") else repr(answer[:50])
def post(path, body=b"{}", headers=""):
    return say(f"POST {BASE}{path} HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: {len(body)}\\r\\n{headers}\\r\\n".encode() + body)
'''


class RuntimeApi(AttackTest):
    def attack(self, source):
        return self.inside(TOOLS + source)

    def tearDown(self):
        self.assertEqual(self.inside("result = 'fine'"), "fine")

    def test_ids_of_others(self):
        found = self.attack('''
result = [post(f"invocation/{id}/response") for id in ("x", "00000000-0000-0000-0000-000000000000", ME[:-1], ME + "0", ME.upper() + "x", "%2e%2e", "../x", "x" * 10000)]
''')
        self.assertTrue(all(status in (400, 404) for status in found), found)

    def test_calls_out_of_order(self):
        found = self.attack('result = [post("init/error"), say(f"GET {BASE}invocation/next HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n".encode())]')
        self.assertEqual(found, [403, 403])

    def test_garbage(self):
        found = self.attack('''
import os
result = [say(data, 2) for data in (os.urandom(5000), b"\\x00" * 100, b"GET / HTTP/9.9\\r\\n\\r\\n", b"POST " + b"x" * 100_000, b"\\r\\n" * 1000, b"\\x16\\x03\\x01\\x02\\x00",
    f"POST {BASE}invocation/{ME}/response HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: -1\\r\\n\\r\\n".encode(),
    f"POST {BASE}invocation/{ME}/response HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 5\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\nzzz".encode(),
    f"POST {BASE}invocation/{ME}/response HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 99999999999999999999\\r\\n\\r\\n".encode())]
''')
        for outcome in found:
            self.assertNotIn(outcome, (200, 202), found)

    def test_headers_that_never_end(self):
        found = self.attack('result = post("invocation/x/response", b"{}", "X-Long: " + "y" * 40_000 + "\\r\\n"), '
                            'post("invocation/x/response", b"{}", "".join(f"X-{i}: {\'y\' * 1000}\\r\\n" for i in range(3000)))')
        self.assertEqual(found[0], 400)  # the header is fine, the id is not
        self.assertNotIn(found[1], (200, 202))

    def test_a_large_error_type_reaches_the_caller_within_bounds(self):
        reply = self.call(TOOLS + 'post(f"invocation/{ME}/error", b\'{"errorMessage": "x"}\', "Lambda-Runtime-Function-Error-Type: " + "y" * 40_000 + "\\r\\n")\n'
                          'time.sleep(0.5)')
        self.assertEqual(reply.status, 200)
        self.assertEqual(reply.headers.get("x-amz-function-error"), "Unhandled")
        self.assertLess(max(len(value) for value in reply.headers.values()), 16_384)

    def smuggle(self, headers):
        """The reply to a call that was answered with these headers, and the status that the answer got: told as the answer to the next call."""
        reply = self.call(TOOLS + f'status = post(f"invocation/{{ME}}/response", b"1", {headers!r})\n' + '''
if status != 202:
    result = status
else:
    with open_api() as api:
        api.sendall(f"GET {BASE}invocation/next HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n".encode())
        head = api.recv(65536).decode("latin-1").lower()
        post("invocation/" + head.partition("lambda-runtime-aws-request-id:")[2].split()[0] + "/response", str(status).encode())
''')
        self.assertEqual(reply.status, 200, reply)
        return reply, reply.json() if reply.json() != 1 else self.call("result = 'another instance'").json()

    def test_an_answer_cannot_smuggle_headers_behind_a_carriage_return(self):
        reply, status = self.smuggle("Content-Type: text/plain\rX-Evil: 1\r\n")
        self.assertEqual(status, 400)
        self.assertNotIn("x-evil", reply.headers)

    def test_an_answers_other_headers_go_nowhere(self):
        reply, status = self.smuggle("Set-Cookie: a=b\r\nX-Amz-Function-Error: Unhandled\r\n")
        self.assertEqual(status, 202)
        self.assertEqual(reply.json(), 1)
        self.assertNotIn("set-cookie", reply.headers)
        self.assertNotIn("x-amz-function-error", reply.headers)

    def test_many_bodies_at_once_are_held_once(self):
        """Thirteen connections that each bring 6 MB for the running call: one is read, the others are refused."""
        before = int(status_of(self.server.process.pid)["VmRSS"].split()[0])
        found = self.attack('''
import threading
head = f"POST {BASE}invocation/{ME}/response HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 6000000\\r\\n\\r\\n".encode()
held = []
def slow():
    try:
        api = open_api(); held.append(api); api.settimeout(2)
        api.sendall(head + b"x" * 5_900_000)
    except OSError: pass
threads = [threading.Thread(target=slow) for _ in range(13)]
for thread in threads: thread.start()
for thread in threads: thread.join()
refused = 0
for api in held:
    try:
        refused += api.recv(100).startswith(b"HTTP/1.1 403")
    except OSError: pass
result = [len(held), refused]
for api in held: api.close()
time.sleep(0.5)  # the runtime's own answer must not be the one too many
''')
        self.assertGreaterEqual(found[1], 6, found)
        after = int(status_of(self.server.process.pid)["VmRSS"].split()[0])
        self.assertLess(after - before, 60_000)  # kB

    def test_too_many_connections_are_closed(self):
        found = self.attack('''
kept = []
for _ in range(200): kept.append(open_api())
time.sleep(0.3)
open_ones = 0
for api in kept:
    api.setblocking(False)
    try:
        open_ones += api.recv(1) != b""
    except BlockingIOError: open_ones += 1
    except OSError: pass
result = open_ones
''')
        self.assertLessEqual(found, 16)

    def test_a_response_that_drips_ends_at_the_timeout(self):
        self.deploy_evaluator("dripping", timeout=2)
        began = time.monotonic()
        reply = self.call(TOOLS + '''
api = open_api()
api.sendall(f"POST {BASE}invocation/{ME}/response HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 1000\\r\\n\\r\\n".encode())
while True: api.sendall(b"x"); time.sleep(0.1)
''', "dripping")
        self.assertEqual(reply.json()["errorType"], "Sandbox.Timedout", reply)
        self.assertLess(time.monotonic() - began, 8)

    def test_too_large_a_response(self):
        reply = self.call(TOOLS + 'result = post(f"invocation/{ME}/response", b"x" * 7_000_000)\ntime.sleep(0.3)')
        self.assertEqual(reply.json()["errorType"], "Function.ResponseSizeTooLarge", reply)


if __name__ == "__main__":
    unittest.main()
