"""A disk that takes no logs stops no function, is told of once, and is used again without a restart."""

import subprocess
import time
import unittest

from lambda_server import LambdaServer, on_both_drivers
from log_follower import LogFollower

CODE = "def handler(event, context):\n    print('\\n'.join(event['say'] + 'x' * 200 for _ in range(event.get('times', 1))))\n    return 'done'\n"


@on_both_drivers
class LogDisk(unittest.TestCase):
    driver = None

    def setUp(self):
        self.server = LambdaServer(self.driver).start()
        self.addCleanup(self.server.close)
        self.logs = self.server.data / "logs"
        owner = self.logs.stat()
        self.mount("-t", "tmpfs", "-o", f"size=4m,uid={owner.st_uid},gid={owner.st_gid},mode=700", "none")
        self.addCleanup(subprocess.run, ["umount", "-l", str(self.logs)], check=True)
        self.server.deploy({"app.py": CODE}, "talks", "--handler", "app.handler")

    def mount(self, *arguments):
        subprocess.run(["mount", *arguments, str(self.logs)], check=True)

    def complaints(self):
        return [line for line in self.server.log_lines if "the logs of functions are not kept on disk" in line]

    def check(self, reason):
        self.server.invoke("talks", {"say": "begin"})
        with LogFollower(self.server, "talks") as follower:
            follower.wait_for(lambda seen: seen.texts("begin"))
            reply = self.server.invoke("talks", {"say": "much", "times": 1500})
            self.assertEqual(reply.json(), "done")
            # More than what is left of the last page.
            self.assertEqual(self.server.invoke("talks", {"say": "more", "times": 30}).json(), "done")
            follower.wait_for(lambda seen: len(seen.texts("more")) == 30)
            self.assertEqual(len(follower.texts("much")), 1500, follower.said)
        done = self.server.cli("logs", "talks", "-n", "20")
        self.assertIn("more", done.stdout)
        self.assertRegex(done.stderr, rf"\d+ lines since \S+Z are not kept on the server's disk \(.*{reason}\)")
        self.assertEqual(len(self.complaints()), 1, self.complaints())
        self.assertIn(reason, self.complaints()[0])

    def check_recovery(self, reason):
        self.server.invoke("talks", {"say": "again"})
        until = time.monotonic() + 10
        while self.server.cli("logs", "talks", "-n", "20").stderr:
            self.assertLess(time.monotonic(), until)
        log = self.server.cli("logs", "talks", "-n", "20").stdout
        self.assertRegex(log, rf"\[lambda\] \d+ lines after \S+Z were not kept: .*{reason}")
        self.assertIn("again", log)

    def test_a_full_disk(self):
        ballast = subprocess.run(["dd", "if=/dev/zero", f"of={self.logs}/ballast", "bs=4k"], capture_output=True, check=False)
        self.assertIn(b"No space left", ballast.stderr)
        self.check("No space left on device")
        (self.logs / "ballast").unlink()
        self.check_recovery("No space left on device")

    def test_a_read_only_disk(self):
        self.mount("-o", "remount,ro")
        self.check("Read-only file system")
        self.mount("-o", "remount,rw")
        self.check_recovery("Read-only file system")


if __name__ == "__main__":
    unittest.main()
