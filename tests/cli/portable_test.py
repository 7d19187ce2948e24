"""src/cli, and what it is made of, includes the C++ library, POSIX and a few portable libraries: nothing that Linux alone has."""

import re
import subprocess
import tempfile
import unittest
from pathlib import Path

from command_line import ROOT

SOURCES = ROOT / "src"

# POSIX.1-2008 headers, in the spelling of #include, and that of flock(), which BSD and macOS have as well.
POSIX = {"arpa/inet.h", "netdb.h", "poll.h", "pwd.h", "signal.h", "sys/select.h", "sys/socket.h", "sys/stat.h", "sys/types.h", "sys/un.h", "termios.h", "time.h", "unistd.h",
         "locale.h", "fcntl.h", "sys/file.h"}

# Where BSD and macOS have the size of a terminal as well.
POSIX |= {"sys/ioctl.h"}
LIBRARIES = ("CLI/", "archive.h", "archive_entry.h", "benchmark/", "boost/", "gmock/", "gtest/", "openssl/", "spdlog/", "tl/", "toml++/", "utf8proc.h")

INCLUDE = re.compile(r'^\s*#\s*include\s+(?:<([^>]+)>|"([^"]+)")', re.MULTILINE)


def is_standard(header):
    """The C++ library's headers have neither a folder nor an ending."""
    return re.fullmatch(r"[a-z_]+", header) is not None


def is_portable(header):
    return is_standard(header) or header in POSIX or header.startswith(LIBRARIES)


def foreign_headers(start):
    """Header → the file of ours that includes it, for all that `start` needs, headers of ours followed."""
    found, seen, waiting = {}, set(), list(start)
    while waiting:
        file = waiting.pop()
        if file in seen:
            continue
        seen.add(file)
        for system, own in INCLUDE.findall(file.read_text()):
            if own:
                waiting.append(SOURCES / own)
            elif not is_portable(system):
                found[system] = str(file)
    return found


class Portable(unittest.TestCase):
    def test_the_command_line(self):
        files = [*(SOURCES / "cli").rglob("*.cc"), *(SOURCES / "cli").rglob("*.h")]
        self.assertGreater(len(files), 40)
        self.assertEqual(foreign_headers(files), {})

    def test_the_check_itself_finds_them(self):
        for header in ("sys/epoll.h", "sys/inotify.h", "linux/fs.h", "sys/prctl.h", "sched.h", "elf.h"):
            self.assertFalse(is_portable(header), header)
        with tempfile.NamedTemporaryFile("w", suffix=".cc") as file:
            file.write("#include <sys/epoll.h>\n")
            file.flush()
            self.assertEqual(list(foreign_headers([Path(file.name)])), ["sys/epoll.h"])


class NoLinuxFunctions(unittest.TestCase):
    def test_are_called_by_the_command_lines_own_objects(self):
        """What its objects ask of the C library, by name: calls that Linux alone has are none of it."""
        objects = sorted((ROOT / "build/release/src/cli").rglob("*.cc.o"))
        if not objects:
            self.fail("build/release has no objects of src/cli")
        listed = subprocess.run(["nm", "--undefined-only", "--no-demangle", "--format=just-symbols", *map(str, objects)], capture_output=True,
                                text=True, check=True).stdout.split()
        linux = {"epoll_create1", "epoll_wait", "eventfd", "signalfd", "timerfd_create", "inotify_init1", "prctl", "memfd_create", "clone", "unshare",
                 "setns", "mount", "umount2", "pivot_root", "syscall", "splice", "sendfile", "accept4", "pipe2", "pidfd_open", "getrandom"}
        self.assertIn("isatty", listed)
        self.assertEqual(linux & set(listed), set())


if __name__ == "__main__":
    unittest.main()
