"""Python runtimes that are forked from a zygote: what they share, what they do not, and what happens where there is none."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from lambda_server import RUNTIMES, LambdaServer

# What makes one process differ from another, or not.
IDENTITY = """
import os, random, secrets, ssl, tempfile, uuid
def handler(event, context):
    maps = open("/proc/self/maps").read().splitlines()
    return {
        "forked": b"--zygote" in open("/proc/self/cmdline", "rb").read(),
        "shared": [hash("a"), id(len), next(line.split("-")[0] for line in maps if line.endswith("[stack]"))],
        "own": [random.random(), random.getrandbits(64), random.SystemRandom().random(), str(uuid.uuid4()), uuid.uuid1().clock_seq, secrets.token_hex(8),
                next(tempfile._get_candidate_names()), ssl.RAND_bytes(8).hex(), os.urandom(8).hex()],
    }
"""

# The number that the kernel gives to the next process of its sandbox, one more at each call.
NEXT_PROCESS = """
import os
def handler(event, context):
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return {"forked": b"--zygote" in open("/proc/self/cmdline", "rb").read(), "next": child}
"""

# What a function can see of how its runtime was started.
SURROUNDINGS = """
import os, sys
modules = sorted(sys.modules)
import ctypes, gc, locale, resource, signal, socket, threading
def status():
    wanted = ("Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "Seccomp_filters", "SigBlk", "SigIgn", "SigCgt",
              "Threads", "Umask", "Cpus_allowed")
    rows = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
    return {name: rows[name].strip() for name in wanted}
def stream(file):
    kind = os.readlink(f"/proc/self/fd/{file.fileno()}").split(":")[0]
    return [type(file).__name__, type(file.buffer).__name__, kind, file.fileno(), file.encoding, file.errors, file.line_buffering, file.write_through, file.isatty(),
            file.seekable(), file.buffer.raw.name, file.buffer.raw.mode]
def handler(event, context):
    environment = {name: value for name, value in os.environ.items() if name not in ("_X_AMZN_TRACE_ID", "AWS_LAMBDA_LOG_STREAM_NAME")}
    return {
        "modules": modules, "path": sys.path, "argv": sys.argv, "orig_argv": sys.orig_argv, "flags": str(sys.flags), "prefixes": [sys.prefix, sys.executable],
        "path_hooks": [str(hook) for hook in sys.path_hooks][:1], "meta_path": [str(type(finder)) for finder in sys.meta_path], "locale": locale.getlocale(),
        "encodings": [sys.getfilesystemencoding(), sys.getdefaultencoding(), locale.getpreferredencoding()],
        "environment": environment, "directory": os.getcwd(), "status": status(), "streams": [stream(sys.stdin), stream(sys.stdout), stream(sys.stderr)],
        "originals": [stream(sys.__stdin__), stream(sys.__stdout__), stream(sys.__stderr__)],
        "descriptors": [sorted(os.listdir("/proc/self/fd"))[:3], len(os.listdir("/proc/self/fd"))],
        "signals": [str(signal.getsignal(number)) for number in range(1, 65) if number not in (32, 33)],
        "limits": {name: resource.getrlimit(getattr(resource, name)) for name in dir(resource) if name.startswith("RLIMIT_")},
        "main": [__import__("__main__").__file__, __import__("__main__").__name__], "threads": [threading.main_thread().ident == threading.get_ident()],
        "collector": [gc.isenabled(), gc.get_threshold()], "switching": [sys.getswitchinterval(), sys.getrecursionlimit()],
        "process": [os.getppid(), os.getsid(0) == os.getpid(), os.getpgid(0) == os.getpid(), os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0)],
        "dumpable": ctypes.CDLL(None).prctl(3), "parent_death": open("/proc/self/timerslack_ns").read() if os.path.exists("/proc/self/timerslack_ns") else "",
        "score": open("/proc/self/oom_score_adj").read(), "groups": open("/proc/self/cgroup").read(), "exe": os.readlink("/proc/self/exe"),
        "mounts": sorted(line.split()[4] for line in open("/proc/self/mountinfo")), "host": socket.gethostname(), "root": sorted(os.listdir("/")),
        "processes": sorted(open(f"/proc/{pid}/comm").read() for pid in os.listdir("/proc") if pid.isdigit()),
        "standing": os.stat("/proc/self/environ").st_uid,
    }
"""


def children(pid):
    return [int(child) for task in Path(f"/proc/{pid}/task").glob("*/children") for child in task.read_text().split()]


def is_alive(pid):
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def zygotes(server):
    """Of this server: processes of lambda-spawn's, whose command line says so, outside of sandboxes."""
    found = []
    for spawn in children(server.process.pid):
        for pid in children(spawn):
            try:
                if Path(f"/proc/{pid}/cmdline").read_bytes().endswith(b"bootstrap.py\0--zygote\0") and os.stat(f"/proc/{pid}").st_uid == 0:
                    found.append(pid)
            except OSError:
                pass
    return found


class ZygoteTest(unittest.TestCase):
    flags = ()

    def start(self, *flags, runtimes=None):
        server = LambdaServer("native", flags)
        if runtimes:
            command = server.command
            server.command = lambda: [str(runtimes) if word == str(RUNTIMES) else word for word in command()]
        self.server = server.start()
        self.addCleanup(server.close)

    def call(self, name, event=None):
        reply = self.server.invoke(name, event)
        self.assertEqual(reply.status, 200, f"{reply}\n{self.server.log_text()}")
        self.assertNotIn("x-amz-function-error", reply.headers, reply)
        return reply.json()

    def deploy(self, name, source=IDENTITY, *flags):
        self.server.deploy({"app.py": source}, name, "--handler", "app.handler", *flags)

    def wait_for(self, condition, what, seconds=30):
        until = time.monotonic() + seconds
        while True:
            found = condition()
            if found:
                return found
            self.assertLess(time.monotonic(), until, f"{what}\n{self.server.log_text()}")
            time.sleep(0.05)

    def own_runtimes(self):
        runtimes = Path(tempfile.mkdtemp(prefix="lambda-runtimes-"))
        self.addCleanup(shutil.rmtree, runtimes)
        runtimes.chmod(0o755)
        subprocess.run(["cp", "-a", RUNTIMES / "python3.11", runtimes], check=True)
        return runtimes


class Forks(ZygoteTest):
    def test_what_is_shared_and_what_is_each_ones_own(self):
        self.start()
        names = ["one", "two", "three"]
        for name in names:
            self.deploy(name)
        found = [self.call(name) for name in names]
        self.assertEqual([one["forked"] for one in found], [True] * 3)
        self.assertEqual(found[0]["shared"], found[1]["shared"])
        for values in zip(*(one["own"] for one in found)):
            self.assertEqual(len(set(values)), 3, values)

    def test_isolation_by_exec(self):
        self.start()
        self.deploy("forked")
        self.deploy("first", IDENTITY, "--isolation", "exec")
        self.deploy("second", IDENTITY, "--isolation", "exec")
        forked, first, second = (self.call(name) for name in ("forked", "first", "second"))
        self.assertEqual([one["forked"] for one in (forked, first, second)], [True, False, False])
        for a, b in ((forked, first), (forked, second), (first, second)):
            for x, y in zip(a["shared"], b["shared"]):
                self.assertNotEqual(x, y)
        self.assertEqual(self.server.api("GET", "/_lambda/functions/first").json()["isolation"], "exec")
        self.deploy("first", IDENTITY + "\n")
        self.assertFalse(self.call("first")["forked"])  # it stays
        self.deploy("first", IDENTITY, "--isolation", "fork")
        self.assertTrue(self.call("first")["forked"])

    def test_a_function_that_sets_what_is_read_at_the_start(self):
        self.start()
        self.deploy("seeded", IDENTITY, "-e", "PYTHONHASHSEED=7")
        self.deploy("again", IDENTITY, "-e", "PYTHONHASHSEED=7")
        found = [self.call(name) for name in ("seeded", "again")]
        self.assertEqual([one["forked"] for one in found], [False, False])
        self.assertEqual(found[0]["shared"][0], found[1]["shared"][0])
        self.assertNotEqual(found[0]["shared"][1], found[1]["shared"][1])

    def test_a_forked_runtime_is_like_one_that_was_executed(self):
        for stems in ("4", "0"):
            with self.subTest(stems=stems):
                self.start("--stems", stems)
                self.deploy("warm-up")
                self.deploy("function", SURROUNDINGS)
                forked = self.call("function")
                self.assertTrue(self.call("warm-up")["forked"])
                self.deploy("function", SURROUNDINGS, "--isolation", "exec")
                executed = self.call("function")
                executed["environment"]["AWS_LAMBDA_FUNCTION_VERSION"] = forked["environment"]["AWS_LAMBDA_FUNCTION_VERSION"]
                self.assertEqual(sorted(forked), sorted(executed))
                for name, value in executed.items():
                    self.assertEqual(forked[name], value, name)


class Zygotes(ZygoteTest):
    def test_one_is_replaced_after_so_many_forks(self):
        self.start("--zygote-forks", "3", "--stems", "2")
        for number in range(8):
            self.deploy(f"function-{number}")
        seeds = [self.call(f"function-{number}")["shared"][0] for number in range(8)]
        self.assertGreaterEqual(len(set(seeds)), 3, seeds)
        self.assertLessEqual(max(seeds.count(seed) for seed in seeds), 3, seeds)
        # Those before have ended, or do so when they have carried out their last order.
        self.wait_for(lambda: len(zygotes(self.server)) <= 2, "zygotes of which no more is wanted stay")

    def test_none_at_all(self):
        self.start("--zygote-forks", "0")
        self.deploy("one")
        self.assertFalse(self.call("one")["forked"])
        self.assertEqual(zygotes(self.server), [])

    def test_one_that_is_killed(self):
        self.start("--stems", "0")
        self.deploy("first")
        self.assertTrue(self.call("first")["forked"])
        (zygote,) = zygotes(self.server)
        os.kill(zygote, signal.SIGKILL)
        self.deploy("second")
        self.assertFalse(self.call("second")["forked"])
        self.assertIn("there is no zygote of python3.11 for 1 s, so each of its functions starts a Python of its own: signal 9 ended it", self.server.log_text())
        time.sleep(1.1)
        self.deploy("third")
        self.assertTrue(self.call("third")["forked"])
        self.assertNotEqual(zygotes(self.server), [zygote])

    def test_one_that_does_not_answer(self):
        self.start("--stems", "0")
        self.deploy("first")
        (zygote,) = zygotes(self.server)
        os.kill(zygote, signal.SIGSTOP)
        self.deploy("second")
        self.assertFalse(self.call("second")["forked"])
        self.wait_for(lambda: zygote not in zygotes(self.server), "a zygote that stands still is kept")

    def test_an_order_that_is_late_enters_no_sandbox(self):
        """Its function runs there by then, and would be beside root's processes."""
        self.start("--stems", "0")
        self.deploy("first")
        self.assertTrue(self.call("first")["forked"])
        (zygote,) = zygotes(self.server)
        os.kill(zygote, signal.SIGSTOP)
        self.deploy("second", NEXT_PROCESS)
        before = self.call("second")
        os.kill(zygote, signal.SIGCONT)
        self.assertFalse(before["forked"])
        self.wait_for(lambda: "fork it while its sandbox waits for it" in self.server.log_text(), "the order was not carried out")
        self.assertEqual(self.call("second"), {"forked": False, "next": before["next"] + 1})
        self.deploy("third")
        self.assertTrue(self.call("third")["forked"])
        self.assertEqual(zygotes(self.server), [zygote])

    def test_another_base_file_system(self):
        runtimes = self.own_runtimes()
        self.start("--stems", "0", runtimes=runtimes)
        self.deploy("first")
        before = self.call("first")
        subprocess.run(["cp", "-a", runtimes / "python3.11", runtimes / "new"], check=True)
        (runtimes / "python3.11").rename(runtimes / "old")
        (runtimes / "new").rename(runtimes / "python3.11")
        self.deploy("second")
        after = self.call("second")
        self.assertTrue(before["forked"] and after["forked"])
        self.assertNotEqual(before["shared"][0], after["shared"][0])
        self.wait_for(lambda: len(zygotes(self.server)) == 1, "the zygote of a base file system that was replaced stays")

    def test_a_base_file_system_that_others_can_write_to(self):
        """Root would execute what they wrote."""
        library = "usr/lib/python3.11/json/decoder.py"
        for name in ("var/runtime/bootstrap.py", library, "usr/local/lib/python3.11/dist-packages/more.pth", "etc/ld.so.preload", "usr/lib/x86_64-linux-gnu"):
            with self.subTest(name=name):
                runtimes = self.own_runtimes()
                file = runtimes / "python3.11/rootfs" / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.exists() or file.write_text("")
                if name == library:
                    os.chown(file, 65534, 0)
                else:
                    file.chmod(file.stat().st_mode | 0o002)
                self.start("--stems", "0", runtimes=runtimes)
                self.deploy("first")
                self.assertFalse(self.call("first")["forked"])
                self.wait_for(lambda: f"others than root can write to /runtimes/python3.11/rootfs/{name}" in self.server.log_text(), "nobody says why")
                self.assertEqual(zygotes(self.server), [])
                self.server.close()

    def test_one_whose_forks_fail(self):
        """Each would hold up a start: after three there are none for a while."""
        runtimes = self.own_runtimes()
        bootstrap = runtimes / "python3.11/rootfs/var/runtime/bootstrap.py"
        lose_rights = "    import ctypes\n    ctypes.CDLL(None, use_errno=True).capset((ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)())\n"
        bootstrap.write_text(bootstrap.read_text().replace("    module.wait()\n", lose_rights + "    module.wait()\n"))
        self.start("--stems", "0", runtimes=runtimes)
        for number in range(5):
            self.deploy(f"function-{number}")
            self.assertFalse(self.call(f"function-{number}")["forked"])
        self.assertIn("there is no zygote of python3.11 for 1 s, so each of its functions starts a Python of its own: 3 forks of one failed, the last: ", self.server.log_text())

    def test_one_that_cannot_start(self):
        runtimes = self.own_runtimes()
        bootstrap = runtimes / "python3.11/rootfs/var/runtime/bootstrap.py"
        bootstrap.write_text(bootstrap.read_text().replace("def become_fork():", "def become_fork():\n    sys.exit('no fork today')\ndef unused():"))
        self.start("--stems", "0", runtimes=runtimes)
        self.deploy("first")
        self.assertFalse(self.call("first")["forked"])
        self.wait_for(lambda: "it ended with status 1: no fork today" in self.server.log_text(), "nobody says why")

    def test_what_one_has(self):
        """No secret, no descriptor but its sockets, no more privileges than it needs, no file of the machine's."""
        self.server = None
        self.start()
        self.deploy("first", IDENTITY, "-e", "PASSWORD=very-secret")
        self.call("first")
        found = zygotes(self.server)
        self.assertTrue(found)
        for pid in found:
            place = Path(f"/proc/{pid}")
            variables = sorted(variable.split(b"=")[0].decode() for variable in (place / "environ").read_bytes().split(b"\0") if variable)
            self.assertEqual(variables, ["AWS_LAMBDA_RUNTIME_API", "LANG", "LD_LIBRARY_PATH", "PATH", "TZ"])
            self.assertEqual((place / "cmdline").read_bytes(), b"/usr/bin/python3\0-s\0/var/runtime/bootstrap.py\0--zygote\0")
            kinds = [os.readlink(place / f"fd/{number}").split(":")[0] for number in sorted(os.listdir(place / "fd"), key=int)]
            self.assertEqual(kinds, ["/dev/null", "pipe", "pipe", "socket"])
            self.assertEqual(sorted(os.listdir(place / "root/var/task")), [])
            self.assertFalse((place / "root/data").exists())
            points = {line.split()[4]: line.split()[5] for line in (place / "mountinfo").read_text().splitlines()}
            self.assertEqual(set(points), {"/", "/run/lambda"})
            self.assertTrue(all(options.startswith("ro,nosuid,nodev") for options in points.values()), points)
            rows = dict(line.split(":", 1) for line in (place / "status").read_text().splitlines())
            # CAP_SETGID, CAP_SETUID, CAP_SETPCAP, CAP_SYS_CHROOT, CAP_SYS_PTRACE, CAP_SYS_ADMIN
            self.assertEqual(int(rows["CapEff"], 16), 1 << 6 | 1 << 7 | 1 << 8 | 1 << 18 | 1 << 19 | 1 << 21)
            self.assertEqual((rows["CapBnd"], rows["NoNewPrivs"].strip(), rows["Threads"].strip()), (rows["CapEff"], "1", "1"))
            for file in (place / "maps").read_text().splitlines():
                self.assertNotIn("/var/task", file)

    def test_none_is_left(self):
        self.start()
        self.deploy("first")
        self.call("first")
        left = zygotes(self.server)
        self.assertTrue(left)
        self.server.close()
        for pid in left:
            self.assertFalse(Path(f"/proc/{pid}").exists())

    def test_none_is_left_by_a_lambda_spawn_that_is_killed(self):
        self.start()
        self.deploy("first")
        self.call("first")
        (spawn,) = children(self.server.process.pid)
        names = {pid: Path(f"/proc/{pid}/comm").read_text().strip() for pid in children(spawn)}
        self.assertIn("lambda-keeper", names.values())
        self.assertIn("python3", [names[pid] for pid in zygotes(self.server)])
        os.kill(spawn, signal.SIGKILL)
        for pid, name in names.items():
            self.wait_for(lambda pid=pid: not is_alive(pid), f"{name} is left")


if __name__ == "__main__":
    unittest.main()
