"""lambda stats: tables and charts at a terminal of any width, again and again with --watch, and plain text elsewhere."""

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import threading
import time
import unittest

from command_line import PROGRAM, ServerTest

CODE = "def handler(event, context):\n    if event.get('fail'):\n        raise ValueError('no')\n    return 1\n"


class Watched:
    """`lambda stats --watch` at a terminal of a size; `screen` is what it shows now."""

    def __init__(self, arguments, environment, columns=100, lines=30):
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
            os.execve(PROGRAM, [PROGRAM, "stats", *arguments], environment)
        self.seen = b""
        # Kept open: of a terminal that nobody has open nothing can be told.
        self.other_end = os.open(f"/dev/pts/{self.number()}", os.O_RDWR | os.O_NOCTTY)
        self.before = termios.tcgetattr(self.terminal)

    def number(self):
        return struct.unpack("I", fcntl.ioctl(self.terminal, 0x80045430, b"\0" * 4))[0]  # TIOCGPTN

    def read(self, seconds):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            ready, _, _ = select.select([self.terminal], [], [], 0.05)
            if not ready:
                continue
            try:
                piece = os.read(self.terminal, 65536)
            except OSError:
                return
            self.seen += piece

    def read_until(self, words, seconds=20):
        until = time.monotonic() + seconds
        while words not in self.text:
            if time.monotonic() > until:
                raise AssertionError(f"{words!r} is not in {self.text!r}")
            self.read(0.1)

    @property
    def text(self):
        return self.seen.decode(errors="replace")

    def type(self, keys):
        os.write(self.terminal, keys)

    def end(self, seconds=10, before_closing=lambda: None):
        until = time.monotonic() + seconds
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                before_closing()
                os.close(self.terminal)
                os.close(self.other_end)
                return os.waitstatus_to_exitcode(status)
            if time.monotonic() > until:
                os.kill(self.pid, signal.SIGKILL)
                raise AssertionError(f"it did not end: {self.text!r}")
            self.read(0.05)


class Stats(ServerTest):
    driver = "native"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.deploy({"app.py": CODE}, "greet", "--handler", "app.handler")
        cls.server.deploy({"app.py": CODE}, "quiet", "--handler", "app.handler")
        for _ in range(7):
            cls.server.invoke("greet", {})
        cls.server.invoke("greet", {"fail": True})

    def environment(self, **more):
        return {**self.server.cli_environment(), "TERM": "xterm", "LC_ALL": "C.UTF-8", **more}

    def test_lists_functions_with_the_busiest_first(self):
        lines = self.server.cli("stats", env={"LC_ALL": "C.UTF-8"}).stdout.splitlines()
        header = next(index for index, line in enumerate(lines) if line.startswith("FUNCTION"))
        greet, quiet = lines[header + 1], lines[header + 2]
        self.assertEqual(greet.split()[:3], ["greet", "8", "1"])
        self.assertEqual(quiet.split()[:3], ["quiet", "0", "0"])
        self.assertTrue(any(block in greet for block in "▁▂▃▄▅▆▇█"), greet)

    def test_shows_one_function(self):
        text = self.server.cli("stats", "greet").stdout
        for words in ("greet   calls 8   errors 1 (1 handled)", "last minute", "VERSION", "calls a second"):
            self.assertIn(words, text)
        self.assert_fails(self.server.cli("stats", "greed", check=False), 5, "greet")

    def test_without_a_terminal_there_is_no_escape_code(self):
        for locale in ("C", "C.UTF-8"):
            text = self.server.cli("stats", env={"LC_ALL": locale}).stdout
            self.assertNotIn("\x1b", text)
            self.assertEqual(text.isascii(), locale == "C", text)

    def test_json_is_the_servers(self):
        told = json.loads(self.server.cli("stats", "-o", "json").stdout)
        self.assertEqual({function["name"]: function["invocations"] for function in told["functions"]}, {"greet": 8, "quiet": 0})
        self.assertEqual(json.loads(self.server.cli("stats", "greet", "-o", "json").stdout)["errors"], {"handled": 1})

    def test_watch_redraws_in_place_and_ends_with_q(self):
        for arguments in ([], ["greet"]):
            watched = Watched([*arguments, "--watch"], self.environment())
            watched.read_until("\x1b[J")
            frames = watched.text.count("\x1b[J")
            watched.read_until("A\r")  # up again, over what was drawn
            until = time.monotonic() + 20
            while watched.text.count("\x1b[J") <= frames:  # its end may come by itself
                self.assertLess(time.monotonic(), until, watched.text)
                watched.read(0.1)
            watched.type(b"q")
            self.assertEqual(watched.end(), 0)

    def test_ctrl_c_ends_it_and_the_terminal_is_as_it_was(self):
        watched = Watched(["-w"], self.environment())
        watched.read_until("FUNCTION")
        during = termios.tcgetattr(watched.terminal)
        self.assertFalse(during[3] & termios.ECHO)
        watched.type(b"\x03")
        after = []
        self.assertEqual(watched.end(before_closing=lambda: after.append(termios.tcgetattr(watched.terminal)[3])), -signal.SIGINT)
        self.assertEqual(after, [watched.before[3]])

    def test_any_signal_leaves_the_terminal_as_it_was_while_the_server_does_not_answer(self):
        for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            watched = Watched(["-w"], self.environment())
            watched.read_until("FUNCTION")
            os.kill(self.server.process.pid, signal.SIGSTOP)
            try:
                watched.read(2)
                os.kill(watched.pid, ending)
                after = []
                self.assertEqual(watched.end(before_closing=lambda: after.append(termios.tcgetattr(watched.terminal)[3])), -ending)
                self.assertEqual(after, [watched.before[3]])
            finally:
                os.kill(self.server.process.pid, signal.SIGCONT)

    def test_a_terminal_that_cannot_go_up_gets_one_text_after_the_other(self):
        watched = Watched(["-w"], self.environment(TERM="dumb"))
        watched.read_until("FUNCTION")
        while watched.text.count("FUNCTION") < 2:
            watched.read_until("FUNCTION")
            watched.read(0.2)
        watched.type(b"q")
        self.assertEqual(watched.end(), 0)
        self.assertNotIn("\x1b", watched.text)

    def test_keeps_to_the_size_of_the_terminal(self):
        for columns, lines in ((40, 10), (80, 24), (200, 6)):
            watched = Watched(["--watch"], self.environment(), columns, lines)
            watched.read_until("\x1b[J")
            watched.type(b"q")
            self.assertEqual(watched.end(), 0)
            frame = watched.text.split("\x1b[J")[0].replace("\x1b[K", "").replace("\r\n", "\n").rstrip("\n").split("\n")
            self.assertLess(len(frame), lines)
            for line in frame:
                self.assertLessEqual(len(line), columns, line)

    def test_watch_shows_calls_as_they_come(self):
        watched = Watched(["quiet", "-w"], self.environment())
        watched.read_until("calls 0")
        self.server.invoke("quiet", {})
        watched.read_until("calls 1", 5)
        watched.type(b"q")
        self.assertEqual(watched.end(), 0)
        self.server.cli("delete", "quiet", "-y")
        self.server.deploy({"app.py": CODE}, "quiet", "--handler", "app.handler")

    def test_watch_into_a_pipe_ends_when_nobody_reads(self):
        process = subprocess.Popen([PROGRAM, "stats", "--watch"], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, env=self.environment())
        kill = threading.Timer(30, process.kill)
        kill.start()
        text = b""
        while text.count(b"FUNCTION") < 2:
            text += os.read(process.stdout.fileno(), 4096)
        process.stdout.close()
        process.wait(timeout=20)
        kill.cancel()
        self.assertNotIn(b"\x1b", text)
        self.assertNotEqual(process.returncode, -signal.SIGKILL)


if __name__ == "__main__":
    unittest.main()
