"""A terminal with a screen: what a person would see of a program, in characters and colours (python3-pyte)."""

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time

import pyte


class Screen:
    """Runs a program at a terminal of so many columns and lines; `lines` is what stands there."""

    def __init__(self, command, environment, columns=80, lines=40, cwd=None):
        self.screen = pyte.Screen(columns, lines)
        self.stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self.code = None
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            if cwd:
                os.chdir(cwd)
            # The size is there before the program looks.
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.execvpe(command[0], [str(word) for word in command], {"TERM": "xterm-256color", **environment})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.code is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.terminal)

    def type(self, text):
        os.write(self.terminal, text.encode())

    def resize(self, columns, lines=40):
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.screen.resize(lines, columns)

    def _read(self, wait):
        ready, _, _ = select.select([self.terminal], [], [], wait)
        if not ready:
            return True
        try:
            piece = os.read(self.terminal, 65536)
        except OSError:
            return False
        self.raw += piece
        self.stream.feed(piece)
        return bool(piece)

    def wait_for(self, text, limit=30):
        """Until that stands on the screen."""
        until = time.monotonic() + limit
        while text not in self.text:
            if time.monotonic() > until or not self._read(0.2):
                raise AssertionError(f"{text!r} is not on the screen:\n{self.text}")
        return self

    def end(self, limit=60):
        """Until the program has ended; its exit code."""
        until = time.monotonic() + limit
        while self._read(0.5):
            if time.monotonic() > until:
                raise AssertionError(f"it does not end:\n{self.text}")
        _, status = os.waitpid(self.pid, 0)
        self.code = os.waitstatus_to_exitcode(status)
        return self.code

    @property
    def lines(self):
        return [line.rstrip() for line in self.screen.display]

    @property
    def text(self):
        return "\n".join(self.lines).rstrip("\n")

    def colour_of(self, word):
        """(colour, bold) of the first place where the word stands."""
        for number, line in enumerate(self.screen.display):
            if word in line:
                character = self.screen.buffer[number][line.index(word)]
                return character.fg, character.bold
        raise AssertionError(f"{word!r} is not on the screen:\n{self.text}")
