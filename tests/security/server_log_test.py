"""What anybody who reaches a URL, and the code behind it, can make of lambdad's own log."""

import sys
import time
import unittest

from inside import AttackTest

# Serves until a moment, and then ends before it listens, with words that another log should not carry.
SERVER = '''
import http.server, os, time
if time.time() > {until}:
    os.write(1, b"PASSWORD=hunter2\\n2026-01-02T03:04:05.000Z info forged\\n\\x1b[2J\\xff\\n")
    os._exit(3)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        os._exit(3)
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
'''


class ServerLog(AttackTest):
    def test_it_holds_none_of_a_function_s_words_and_few_of_its_failures(self):
        until = time.time() + 30
        self.server.deploy({"Dockerfile": 'FROM lambda/python:3.11\nCOPY server.py /srv/\nEXPOSE 8080\nCMD ["python3", "/srv/server.py"]\n',
                            "server.py": SERVER.format(until=until)}, "talker", timeout=30)
        time.sleep(max(0.0, until - time.time()))
        for _ in range(30):
            self.assertEqual(self.server.get("talker").status, 502)
        log = self.server.log_text(10_000)
        self.assertNotIn("hunter2", log)
        self.assertNotIn("forged", log)
        self.assertNotIn("\x1b", log)
        self.assertIn(log.count("of function talker"), (1, 2), log)
        # Its owner finds them where they belong, and an Invoke with a key has them in its answer.
        self.assertIn("hunter2", self.server.cli("logs", "talker").stdout)
        self.assertIn("hunter2", self.server.invoke("talker").text)


if __name__ == "__main__":
    sys.exit(unittest.main())
