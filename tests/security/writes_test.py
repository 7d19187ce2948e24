"""Attempts to change what a function shares: its base file system, its code, packages with links that lead elsewhere."""

import base64
import hashlib
import io
import stat
import unittest
import zipfile
from pathlib import Path

from inside import RUNTIMES, AttackTest, on_both_drivers


def archive(entries):
    """A zip of (name, content, mode); a mode of S_IFLNK makes the content a link's target."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        for name, content, mode in entries:
            info = zipfile.ZipInfo(name)
            info.create_system, info.external_attr = 3, mode << 16
            package.writestr(info, content)
    return buffer.getvalue()


@on_both_drivers
class Writes(AttackTest):
    def test_nothing_but_tmp_can_be_written(self):
        found = self.inside('''
import os, stat
result = []
for top in ("/", "/dev", "/proc/sys"):
    for directory, names, files in os.walk(top):
        if directory.startswith(("/tmp", "/dev/shm", "/proc/")) and top == "/":
            names.clear(); continue
        try:
            os.close(os.open(directory + "/.probe", os.O_CREAT | os.O_WRONLY)); result.append(directory)
        except OSError: pass
        for name in files:
            path = os.path.join(directory, name)
            if os.path.islink(path) or stat.S_ISCHR(os.stat(path).st_mode): continue  # also the masks in /proc
            try:
                os.close(os.open(path, os.O_WRONLY | os.O_APPEND)); result.append(path)
            except OSError: pass
''')
        self.assertEqual(set(found) - {"/dev/shm"}, set())

    def test_the_usual_ways_to_change_a_file(self):
        for path in ("/var/task/app.py", "/etc/passwd", "/usr/bin/python3"):
            for attack in ("os.chmod(PATH, 0o666)", "os.chown(PATH, 993, 990)", "os.utime(PATH)", "os.truncate(PATH, 0)", "os.unlink(PATH)",
                           "os.rename(PATH, PATH + 'x')", "os.link(PATH, '/tmp/link')", "os.setxattr(PATH, 'user.x', b'x')",
                           "os.rename('/tmp', '/var/task/x')", "os.symlink('/tmp', PATH + 'x')", "open('/proc/self/root' + PATH, 'a')",
                           "os.close(os.open(PATH, os.O_RDWR))"):
                self.assertIn(self.error_of(attack.replace("PATH", repr(path))), ("EROFS", "EPERM", "EACCES", "EXDEV", "EBUSY"), f"{attack} {path}")

    def test_dirty_page_tricks_leave_the_shared_file_as_it_is(self):
        """A private mapping written to, and a pipe spliced from the file and written to."""
        path = RUNTIMES / "python3.11/rootfs/etc/passwd"
        before = hashlib.sha256(path.read_bytes()).hexdigest()
        self.inside('''
import ctypes, mmap, os
fd = os.open("/etc/passwd", os.O_RDONLY)
view = mmap.mmap(fd, 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE); view[:4] = b"evil"
ends = os.pipe()
os.write(ends[1], b"x" * 4096); os.read(ends[0], 4096)
os.splice(fd, ends[1], 1, offset_src=0)
os.write(ends[1], b"evil")
''')
        self.assertEqual(hashlib.sha256(path.read_bytes()).hexdigest(), before)
        self.assertIn("root:", self.inside("result = open('/etc/passwd').read()"))

    def test_no_program_of_the_base_file_systems_is_setuid(self):
        for root in RUNTIMES.iterdir():
            for path in (root / "rootfs").rglob("*") if (root / "rootfs").is_dir() else ():
                if not path.is_symlink() and path.is_file():
                    self.assertEqual(path.stat().st_mode & (stat.S_ISUID | stat.S_ISGID), 0, path)

    def test_a_program_marked_setuid_gains_nothing(self):
        found = self.inside('''
import os, shutil, subprocess
shutil.copy("/usr/bin/id", "/tmp/id"); os.chmod("/tmp/id", 0o6755)
result = subprocess.run(["/tmp/id"], capture_output=True, text=True).stdout.split()
''')
        self.assertEqual(found[0][:8], "uid=993(", found)
        self.assertNotIn("euid", " ".join(found))


@on_both_drivers
class Packages(AttackTest):
    SECRET = "/etc/hostname"

    def create(self, name, entries):
        body = {"FunctionName": name, "Runtime": "python3.11", "Handler": "app.handler", "Role": "arn:aws:iam::000000000000:role/x",
                "Code": {"ZipFile": base64.b64encode(archive(entries)).decode()}}
        return self.server.api("POST", "/2015-03-31/functions", body)

    def test_links_and_names_that_leave_the_package_are_refused(self):
        code = ("app.py", "def handler(event, context): return 1", 0o100644)
        for name, *entries in (
                ("absolute", ("link", "/etc/passwd", stat.S_IFLNK | 0o777)),
                ("upward", ("link", "../../../../etc/passwd", stat.S_IFLNK | 0o777)),
                ("nested", ("a/b/link", "../../../master.key", stat.S_IFLNK | 0o777)),
                ("through", ("a", "/tmp", stat.S_IFLNK | 0o777), ("a/evil", "x", 0o100644)),
                ("twostep", ("a", "b/..", stat.S_IFLNK | 0o777), ("b", "..", stat.S_IFLNK | 0o777), ("a/../../evil", "x", 0o100644)),
                ("dots", ("../evil", "x", 0o100644)),
                ("root", ("/tmp/lambda-evil", "x", 0o100644)),
                ("device", ("disk", "", stat.S_IFBLK | 0o666))):
            with self.subTest(package=name):
                reply = self.create(name, [code, *entries])
                self.assertEqual(reply.status, 400, reply)
        self.assertFalse(Path("/tmp/lambda-evil").exists())
        self.assertFalse(Path("/tmp/evil").exists())

    def test_a_link_that_stays_inside_works_and_shows_nothing_else(self):
        entries = [("app.py", "import os\ndef handler(event, context): return [open('link').read(), os.path.realpath('link')]", 0o100644),
                   ("real", "inside", 0o100644), ("link", "real", stat.S_IFLNK | 0o777)]
        self.assertEqual(self.create("kept", entries).status, 201)
        self.assertEqual(self.server.invoke("kept", qualifier="$LATEST").json(), ["inside", "/var/task/real"])

    def test_marks_of_the_archive_give_no_rights(self):
        entries = [("app.py", "import os\ndef handler(event, context): return oct(os.stat('tool').st_mode)", 0o100644),
                   ("tool", "#!/bin/sh\nid -u", 0o106777)]
        self.assertEqual(self.create("marks", entries).status, 201)
        mode = int(self.server.invoke("marks", qualifier="$LATEST").json(), 8)
        self.assertEqual(mode & (stat.S_ISUID | stat.S_ISGID | stat.S_IWOTH), 0, oct(mode))


if __name__ == "__main__":
    unittest.main()
