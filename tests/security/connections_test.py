"""Attacks from outside, over connections alone: whoever may reach the server may not take its memory, nor its time."""

import collections
import select
import socket
import threading
import time
import unittest

from inside import ServerTest, eventually, status_of

BODY = 6_291_456
MB = 1024  # kB, as /proc has it


class Uploads(ServerTest):
    driver = "native"
    flags = ("--body-memory", "128")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.deploy({"app.py": "def handler(event, context): return len(event.get('body') or '')"}, "size", "--handler", "app.handler",
                          "--url", "open")
        cls.server.deploy({"app.py": "def handler(event, context): return 'x' * 5_000_000"}, "large", "--handler", "app.handler", "--url", "open")

    def memory(self):
        return int(status_of(self.server.process.pid)["VmRSS"].split()[0])

    def upload(self, name, count, headers=""):
        """Connections that send all of a large body but its last byte; those that the server has answered, or ended ("")."""
        head = f"POST / HTTP/1.1\r\nHost: {name}.localhost:{self.server.port}\r\nContent-Length: {BODY}\r\n{headers}\r\n".encode()
        connections, left = [], {}
        for _ in range(count):
            connection = socket.create_connection(("127.0.0.1", self.server.port))
            self.addCleanup(connection.close)
            connection.setblocking(False)
            connections.append(connection)
            left[connection] = memoryview(head + b"b" * (BODY - 1))
        answers = {}

        def receive(connection):
            try:
                answers[connection] = connection.recv(65536)
            except OSError:
                answers.setdefault(connection, b"")

        deadline = time.monotonic() + 60
        while left and time.monotonic() < deadline:
            readable, writable, _ = select.select(list(left), list(left), [], 1)
            for connection in writable:
                try:
                    left[connection] = left[connection][connection.send(left[connection][:262_144]):]
                except OSError:
                    receive(connection)
            for connection in readable:
                receive(connection)
            for connection in [c for c in left if not left[c] or c in answers]:
                del left[connection]
        # What is sent is in the kernel's hands, and may be refused after that.
        while waiting := select.select([c for c in connections if c not in answers], [], [], 2)[0]:
            for connection in waiting:
                receive(connection)
        return connections, answers

    def others_are_served(self):
        for body in (b"", b"x" * 3000, b"x" * 60_000):
            began = time.monotonic()
            reply = self.server.post("size", body, headers={"Content-Type": "text/plain"})
            self.assertEqual((reply.status, reply.text), (200, str(len(body))), reply)
            self.assertLess(time.monotonic() - began, 2)
        self.assertEqual(self.server.request("GET", "/_lambda/health").status, 200)

    def test_uploads_that_never_end(self):
        before = self.memory()
        connections, answers = self.upload("size", 60)
        self.assertLess(self.memory() - before, 150 * MB)
        refused = [answer for answer in answers.values() if answer.startswith(b"HTTP/1.1 503")]
        self.assertGreater(len(refused), 30, collections.Counter(answer[:12] for answer in answers.values()))
        self.assertTrue(any(b"Retry-After" in answer for answer in refused))
        self.others_are_served()
        # The others are ended for their pace, although each goes on with a byte now and then.
        waiting = [c for c in connections if c not in answers]
        self.assertGreater(len(waiting), 5)
        began = time.monotonic()
        readable = []
        while time.monotonic() < began + 40 and len(readable) < len(waiting):
            readable = select.select(waiting, [], [], 1)[0]
            time.sleep(0.5)
        self.assertEqual(len(readable), len(waiting))
        self.assertEqual(self.server.post("size", b"x" * 4_000_000, headers={"Content-Type": "text/plain"}).text, "4000000")

    def test_unsigned_uploads_to_a_url_that_wants_signatures(self):
        self.server.cli("url", "size", "iam")
        self.addCleanup(self.server.cli, "url", "size", "open")
        before = self.memory()
        _, answers = self.upload("size", 30)
        self.assertLess(self.memory() - before, 30 * MB)
        refused = [answer[:12] for answer in answers.values() if answer]
        self.assertEqual(set(refused), {b"HTTP/1.1 403"})
        self.assertGreater(len(refused), 20)

    def test_large_responses_that_nobody_reads(self):
        before = self.memory()
        request = f"GET / HTTP/1.1\r\nHost: large.localhost:{self.server.port}\r\n\r\n".encode()
        readers = []
        for _ in range(100):
            reader = socket.socket()
            self.addCleanup(reader.close)
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            reader.connect(("127.0.0.1", self.server.port))
            reader.sendall(request)
            readers.append(reader)
        eventually(lambda: len(select.select(readers, [], [], 0)[0]) == len(readers), 120)
        # The budget, and what belongs to no response any more. (On the way there it is more, by what functions have answered
        # and no response has yet.)
        eventually(lambda: self.memory() - before < 250 * MB, 5)
        statuses = [reader.recv(12) for reader in select.select(readers, [], [], 0)[0]]
        self.assertIn(b"HTTP/1.1 200", statuses)
        self.assertIn(b"HTTP/1.1 503", statuses)
        self.others_are_served()


if __name__ == "__main__":
    unittest.main()
