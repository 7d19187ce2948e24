"""Bad input: one clear message with what to do, the right status or exit code, and nothing lost."""

import base64
import concurrent.futures
import io
import json
import os
import re
import stat
import struct
import subprocess
import tempfile
import time
import unittest
import zipfile
from pathlib import Path

from lambda_server import LambdaServer, ServerTest, on_both_drivers
from machine import SmallDisk

GOOD = "def handler(event, context): return 'fine'\n"
ROLE = "arn:aws:iam::000000000000:role/any"


def zip_of(entries):
    """(name, content, mode) triples; names as they are, however odd."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content, mode in entries:
            info = zipfile.ZipInfo("x")
            info.filename, info.create_system, info.external_attr = name, 3, mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            package.writestr(info, content)
    return buffer.getvalue()


def file_entry(name, content=GOOD):
    return (name, content, stat.S_IFREG | 0o644)


def link_entry(name, target):
    return (name, target, stat.S_IFLNK | 0o777)


# Programs that cannot run here: the first bytes are all that a check may look at.
MACH_O = struct.pack("<IIIIIII", 0xFEEDFACF, 0x0100000C, 0, 2, 0, 0, 0) + b"\0" * 64
MACH_FAT = struct.pack(">IIIII", 0xCAFEBABE, 2, 7, 3, 4096) + b"\0" * 64
PE = b"MZ" + b"\0" * 58 + struct.pack("<I", 64) + b"PE\0\0" + struct.pack("<H", 0x8664) + b"\0" * 64
ELF_ARM = b"\x7fELF\x02\x01\x01" + b"\0" * 9 + struct.pack("<HHI", 2, 183, 1) + b"\0" * 64
ELF_32 = b"\x7fELF\x01\x01\x01" + b"\0" * 9 + struct.pack("<HHI", 2, 3, 1) + b"\0" * 64


class Archives(ServerTest):
    """Through both doors that take a zip: AWS's UpdateFunctionCode and our deploy."""

    driver = "native"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.deploy({"app.py": GOOD}, "kept", "--handler", "app.handler")

    def refused(self, package, *words, runtime="python3.11"):
        settings = base64.b64encode(json.dumps({"source": "zip", "runtime": runtime, "handler": "app.handler"}).encode()).decode()
        ours = self.server.api("POST", "/_lambda/functions/kept/deploy", package,
                               headers={"X-Lambda-Settings": settings, "Content-Type": "application/zip"})
        last = json.loads(ours.body.splitlines()[-1])
        if ours.status == 200:  # it was seen after the answer had begun
            self.assertEqual((last["event"], last["status"]), ("error", 400), ours)
        else:
            self.assertEqual(ours.status, 400, ours)
        theirs = self.server.api("POST", "/2015-03-31/functions", {"FunctionName": "new", "Runtime": runtime, "Handler": "app.handler",
                                                                   "Role": ROLE, "Code": {"ZipFile": base64.b64encode(package).decode()}})
        self.assertEqual(theirs.status, 400, theirs)
        self.assertEqual(theirs.headers["x-amzn-errortype"], "InvalidParameterValueException")
        for word in words:
            self.assertIn(word.lower(), last["message"].lower())
            self.assertIn(word.lower(), theirs.text.lower())
        self.assertEqual(self.server.get("kept").text, "fine")
        self.assertEqual(self.server.api("GET", "/2015-03-31/functions/new").status, 404)
        self.assertFalse(list(Path("/tmp").glob("lambda-escape*")))

    def test_no_zip_at_all(self):
        self.refused(b"this is no zip", "unzip")
        self.refused(b"PK\x03\x04" + b"\0" * 60, "unzip")
        whole = zip_of([file_entry("app.py")])
        self.refused(whole[:len(whole) // 2], "unzip")

    def test_names_that_leave_the_package(self):
        for name in ("../lambda-escape", "a/../../lambda-escape", "/tmp/lambda-escape", "..", "a/..", "../../../../../tmp/lambda-escape"):
            with self.subTest(name=name):
                self.refused(zip_of([file_entry("app.py"), file_entry(name, "x")]), name, "inside the package")

    def test_links_that_leave_the_package(self):
        for target in ("/etc/passwd", "../../etc/passwd", "a/../../../etc", "/"):
            with self.subTest(target=target):
                self.refused(zip_of([file_entry("app.py"), link_entry("link", target)]), "link")

    def test_entries_written_through_a_link(self):
        self.refused(zip_of([file_entry("app.py"), ("dir/", "", stat.S_IFDIR | 0o755), link_entry("link", "dir"), file_entry("link/x", "x")]))

    def test_devices_and_sockets(self):
        self.refused(zip_of([file_entry("app.py"), ("null", "", stat.S_IFCHR | 0o666)]))

    def test_a_bomb(self):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as package:
            package.writestr("app.py", GOOD)
            with package.open("zeros", "w", force_zip64=True) as entry:
                block = b"\0" * (1 << 20)
                for _ in range(251):
                    entry.write(block)
        self.refused(buffer.getvalue(), "262144000")

    def test_a_bomb_that_lies_about_its_size(self):
        package = bytearray(zip_of([file_entry("app.py"), file_entry("zeros", "\0" * (1 << 20))]))
        # The sizes in the central directory and the local header say 10 bytes.
        for signature, offset in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
            at = package.rfind(signature)
            package[at + offset:at + offset + 4] = struct.pack("<I", 10)
        self.refused(bytes(package))

    def test_programs_for_another_system(self):
        for content, word in ((MACH_O, "mac"), (MACH_FAT, "mac"), (PE, "windows"), (ELF_ARM, "aarch64"), (ELF_32, "32")):
            for name in ("bootstrap", "lib/native.so", "build/addon.node"):
                with self.subTest(name=name, word=word):
                    entry = (name, content, stat.S_IFREG | 0o755)
                    self.refused(zip_of([file_entry("app.py"), entry]), name.rsplit("/", 1)[-1],
                                 runtime="provided.al2023" if name == "bootstrap" else "python3.11")

    def test_links_that_stay_inside_are_kept(self):
        code = "import os\ndef handler(event, context): return [os.readlink('/var/task/link'), open('/var/task/link').read()]\n"
        package = zip_of([file_entry("app.py", code), file_entry("dir/target", "text"), link_entry("link", "dir/target")])
        self.server.api("POST", "/2015-03-31/functions", {"FunctionName": "linked", "Runtime": "python3.11", "Handler": "app.handler",
                                                          "Role": ROLE, "Code": {"ZipFile": base64.b64encode(package).decode()}})
        self.assertEqual(self.server.invoke("linked", qualifier="$LATEST").json(), ["dir/target", "text"])

    def test_s3_is_refused_with_what_to_use(self):
        reply = self.server.api("POST", "/2015-03-31/functions", {"FunctionName": "new", "Runtime": "python3.11", "Handler": "app.handler",
                                                                  "Role": ROLE, "Code": {"S3Bucket": "b", "S3Key": "k"}})
        self.assertEqual(reply.status, 400)
        self.assertIn("ZipFile", reply.text)


@on_both_drivers
class CommandLine(ServerTest):
    def refused(self, done, *words, status=None):
        self.assertNotEqual(done.returncode, 0, done.stdout + done.stderr)
        if status is not None:
            self.assertEqual(done.returncode, status, done.stderr)
        for word in words:
            self.assertIn(word.lower(), done.stderr.lower())
        self.assertEqual(done.stdout, "")

    def test_names(self):
        for name in ("with space", "ümlaut", "a/b", "under_score", "Upper", "-dash", "dash-", "a" * 64, "", "a.b", "new\nline", "$x"):
            with self.subTest(name=name):
                self.refused(self.server.deploy({"app.py": GOOD}, name, "--handler", "app.handler", check=False), status=2)

    def test_folders(self):
        self.refused(self.server.cli("deploy", "/nowhere/at/all", "--name", "x", check=False), "/nowhere/at/all", status=2)
        self.refused(self.server.deploy({}, "x", check=False), "empty", status=2)
        with tempfile.NamedTemporaryFile() as file:
            self.refused(self.server.cli("deploy", file.name, "--name", "x", check=False), file.name, status=2)

    def test_no_recognisable_runtime(self):
        self.refused(self.server.deploy({"notes.txt": "x"}, "x", check=False), "--runtime", status=2)

    def test_an_unknown_runtime(self):
        self.refused(self.server.deploy({"app.py": GOOD}, "x", "--runtime", "cobol68", "--handler", "app.handler", check=False), "cobol68", "python3.11")
        done = self.server.deploy({"app.py": GOOD}, "x", "--runtime", "pyhton3.11", "--handler", "app.handler", check=False)
        self.refused(done, 'there is no runtime "pyhton3.11"; did you mean "python3.11"?', status=2)
        self.assertNotIn("Packaging", done.stderr)

    def test_a_message_that_is_too_long(self):
        settings = {"source": "zip", "runtime": "python3.11", "handler": "app.handler", "message": "m" * 1001}
        reply = self.server.api("POST", "/_lambda/functions/x/deploy", b"", headers={
            "X-Lambda-Settings": base64.b64encode(json.dumps(settings).encode()).decode(), "Content-Type": "application/zip"})
        self.assertEqual(reply.status, 400)
        self.assertIn("at most 1000", reply.text)

    def test_settings_out_of_range(self):
        for flags in (["--timeout", "0"], ["--timeout", "901"], ["--memory", "1"], ["--memory", "lots"], ["-e", "NOVALUE"], ["-e", "AWS_REGION=x"]):
            with self.subTest(flags=flags):
                self.refused(self.server.deploy({"app.py": GOOD}, "x", "--handler", "app.handler", *flags, check=False))

    def test_a_program_for_another_system(self):
        self.refused(self.server.deploy({"bootstrap": (MACH_O, 0o755)}, "x", "--runtime", "provided.al2023", check=False), "bootstrap")

    def test_unknown_commands_and_functions(self):
        self.assertEqual(self.server.cli("no-such-command", check=False).returncode, 2)
        for command in (["invoke", "nobody", "--data", "{}"], ["versions", "nobody"], ["rollback", "nobody"], ["delete", "nobody", "-y"], ["logs", "nobody"]):
            with self.subTest(command=command):
                self.refused(self.server.cli(*command, check=False), "nobody", status=5)

    def test_a_version_that_is_not_there(self):
        self.server.deploy({"app.py": GOOD}, "one", "--handler", "app.handler")
        self.refused(self.server.cli("rollback", "one", "7", check=False), "7", status=5)


class RuntimesThatAreNotBuilt(ServerTest):
    driver = "native"

    @classmethod
    def setUpClass(cls):
        class Server(LambdaServer):
            def command(self):
                command = super().command()
                command[command.index("--runtimes-dir") + 1] = str(self.home / "runtimes")
                return command

        cls.server = Server("native").start()
        cls.addClassCleanup(cls.server.close)

    def test_are_named_at_the_start(self):
        self.assertRegex(self.server.log_text(), r"warn.* runtimes that are not built in .*/runtimes.*: python3\.11, .*Run `runtimes/build` as root")

    def test_stop_a_deploy_before_anything_is_packed(self):
        done = self.server.deploy({"app.py": GOOD}, "x", check=False)
        self.assert_fails(done, 1, "runtimes/build python3.11", "./run restart")
        self.assertNotIn("Packaging", done.stderr)

    def test_are_the_doctor_s_to_name(self):
        done = self.server.cli("doctor", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r"(?m)^runtimes +fail  none\n.*\n +mend it: sudo runtimes/build")
        self.assertIn("python3.11", json.loads(self.server.cli("doctor", "-o", "json", check=False).stdout)["missingRuntimes"])


class FullDisk(unittest.TestCase):
    """A data directory on a file system that runs full: the deploy is refused, what was there stays."""

    def test_a_deploy_that_does_not_fit(self):
        with SmallDisk(24) as disk, LambdaServer("native", data=disk.path / "data") as server:
            server.deploy({"app.py": GOOD}, "kept", "--handler", "app.handler")
            done = server.deploy({"app.py": GOOD, "large.bin": os.urandom(30 << 20)}, "kept", check=False)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("space", done.stderr.lower())
            self.assertEqual(server.get("kept").text, "fine")
            done = server.deploy({"app.py": GOOD.replace("fine", "small")}, "kept")
            self.assertEqual(server.get("kept").text, "small")

    def test_a_disk_that_runs_full_just_before_the_commit(self):
        with SmallDisk(24) as disk, LambdaServer("native", data=disk.path / "data") as server:
            server.deploy({"app.py": GOOD}, "kept", "--handler", "app.handler")
            slow = {"app.py": "import time\ntime.sleep(3)\n" + GOOD.replace("fine", "slow")}
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                deploy = pool.submit(server.deploy, slow, "kept", check=False)
                while server.log_text().count("deploy kept: initialise") < 2:
                    self.assertFalse(deploy.done(), server.log_text())
                    time.sleep(0.05)
                filler = disk.fill()
                done = deploy.result()
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn("commit the deploy of kept", done.stderr)
            self.assertIn("full", done.stderr)
            self.assertEqual(server.get("kept").text, "fine")
            versions = server.api("GET", "/_lambda/functions/kept/versions").json()["versions"]
            self.assertEqual([version["version"] for version in versions], [1])
            filler.unlink()
            server.deploy(slow, "kept")
            self.assertEqual(server.get("kept").text, "slow")


class LargeUploads(ServerTest):
    """Packages are streamed to the disk: the server's memory does not follow their size."""

    driver = "native"

    def memory(self):
        return int(re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{self.server.process.pid}/status").read_text()).group(1)) >> 10

    def test_take_the_same_memory_whatever_their_size(self):
        self.server.deploy({"app.py": GOOD, "data.bin": os.urandom(20 << 20)}, "large", "--handler", "app.handler")
        before = self.memory()
        self.server.deploy({"app.py": GOOD, "data.bin": os.urandom(240 << 20)}, "large", "--handler", "app.handler", timeout=300)
        self.assertLess(self.memory() - before, 16, f"before {before} MB")
        self.assertEqual(self.server.get("large").text, "fine")


if __name__ == "__main__":
    unittest.main()
