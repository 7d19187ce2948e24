"""lambdad's own log as JSON, and in a file."""

import json
import os
import pwd
import subprocess
import tempfile
import unittest
from pathlib import Path

from lambda_server import LambdaServer


class ServerLogFile(unittest.TestCase):
    def test_json_lines_on_standard_error_and_in_the_file(self):
        server = LambdaServer("native")
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        place = Path(directory.name)
        os.chown(place, pwd.getpwnam("lambda").pw_uid, -1)
        server.flags = ["--log-format", "json", "--log-file", str(place / "lambdad.log"), "--log-file-size", "1", "--log-files", "2"]
        with server:
            server.api("GET", "/_lambda/status")
        lines = [json.loads(line) for line in (place / "lambdad.log").read_text().splitlines()]
        self.assertTrue(any("serves 127.0.0.1" in line["message"] for line in lines))
        self.assertEqual(lines[-1]["message"], "ended")
        self.assertEqual({tuple(line) for line in lines}, {("time", "level", "message", "pid", "thread")})
        self.assertEqual([json.loads(line) for line in server.log_lines][-len(lines):], lines)
        self.assertEqual((place / "lambdad.log").stat().st_mode & 0o777, 0o640)

    def test_a_file_that_cannot_be_written_is_said_at_the_start(self):
        server = LambdaServer("native", ["--log-file", "/proc/lambdad.log"])
        self.addCleanup(server.close)
        ended = subprocess.run(server.command(), capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(ended.returncode, 1)
        self.assertRegex(ended.stderr, r"log_file /proc/lambdad\.log: the user that the server runs as \(uid \d+\) must be able to write in that directory")


if __name__ == "__main__":
    unittest.main()
