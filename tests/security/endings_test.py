"""Functions that do not want to end, and what is left of them, of lambdad and of lambda-spawn when those are killed."""

import contextlib
import http.client
import os
import signal
import threading
import unittest
from pathlib import Path

from inside import EVALUATOR, AttackTest, LambdaServer, eventually, processes_below, sandbox_processes, status_of

CGROUPS = Path("/sys/fs/cgroup")


def cgroups_of(server):
    """Directories of this server's, parent and sandboxes; its name is in the log."""
    name = next(part for part in server.log_text(1000).replace(",", " ").split("/") if part.startswith("lambda-")).split()[0]
    return sorted(str(path) for path in [*CGROUPS.glob(f"**/{name}"), *CGROUPS.glob(f"**/{name}/*/")])


class Footprint:
    """What a server has on the machine: its processes, and its sandboxes' users and namespaces. Other servers do not matter here."""
    KINDS = ("pid", "net", "mnt", "user", "ipc", "cgroup")

    def __init__(self, server):
        self.data, self.cgroups = str(server.data), cgroups_of(server)
        self.pids = processes_below(server.process.pid)
        sandboxed = sandbox_processes(server)
        self.users = {uid_of(pid) for pid in sandboxed}
        self.namespaces = {os.readlink(f"/proc/{pid}/ns/{kind}") for pid in sandboxed for kind in self.KINDS}
        assert sandboxed and self.users, "there is no sandbox"

    def processes(self):
        """Those that are left, in a sandbox or not; the dead that nobody has buried are not (not every container's pid 1 does)."""
        left = [pid for pid in self.pids if runs(pid)]
        for entry in os.listdir("/proc"):
            try:
                if entry.isdigit() and runs(entry) and (uid_of(entry) in self.users or
                                        self.namespaces & {os.readlink(f"/proc/{entry}/ns/{kind}") for kind in self.KINDS}):
                    left.append(int(entry))
            except OSError:
                pass
        return left

    def mounts(self):
        return [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if self.data in line]

    def cgroups_left(self):
        return [path for path in self.cgroups if os.path.exists(path)]


def runs(pid):
    try:
        return status_of(pid)["State"][0] != "Z"
    except OSError:
        return False


def uid_of(pid):
    return int(status_of(pid)["Uid"].split()[0])


def wait_until_gone(test, footprint, but_cgroups=False, seconds=20):
    def left():
        return footprint.processes() + footprint.mounts() + ([] if but_cgroups else footprint.cgroups_left())
    try:
        eventually(lambda: not left(), seconds)
    except AssertionError:
        test.fail(f"left behind: {left()}")


DAEMON = '''
import os, signal, sys, time
def daemon():
    """Double fork, own session, deaf to signals, no descriptors left."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for number in range(1, 65):
                try: signal.signal(number, signal.SIG_IGN)
                except (OSError, ValueError): pass
            os.closerange(0, 100)
            time.sleep(600)
        os._exit(0)
    os.wait()
'''


class Endings(AttackTest):
    def test_daemons_do_not_outlive_a_timeout(self):
        self.deploy_evaluator("daemon", timeout=2)
        before = set(sandbox_processes(self.server))
        reply = self.call(DAEMON + "for _ in range(10): daemon()\ntime.sleep(60)", "daemon")
        self.assertEqual(reply.json()["errorType"], "Sandbox.Timedout", reply)
        eventually(lambda: not set(sandbox_processes(self.server)) - before, what="the daemons' end")

    def test_daemons_do_not_outlive_an_exit(self):
        before = set(sandbox_processes(self.server))
        self.assertEqual(self.call(DAEMON + "for _ in range(10): daemon()\nos._exit(3)").json()["errorType"], "Runtime.ExitError")
        eventually(lambda: len(set(sandbox_processes(self.server)) - before) <= 2, what="the daemons' end")

    def test_daemons_do_not_outlive_the_deletion(self):
        self.deploy_evaluator("deleted")
        before = set(sandbox_processes(self.server))
        self.inside(DAEMON + "for _ in range(10): daemon()", "deleted")
        self.assertGreaterEqual(len(set(sandbox_processes(self.server)) - before), 10)
        self.server.cli("delete", "deleted", "-y")
        eventually(lambda: not set(sandbox_processes(self.server)) - before, what="the daemons' end")

    def test_a_runtime_that_closes_all_its_descriptors(self):
        self.deploy_evaluator("closing", timeout=3)
        reply = self.call("import os, time; os.closerange(0, 1024); time.sleep(60)", "closing")
        self.assertEqual(reply.json()["errorType"], "Sandbox.Timedout", reply)
        reply = self.call("import os; os.closerange(0, 1024); result = 1", "closing")
        self.assertEqual(reply.status, 200)  # whatever its runtime makes of it, it ends
        self.assertEqual(self.inside("result = 1", "closing"), 1)

    def test_a_runtime_that_stops_itself(self):
        self.deploy_evaluator("stopped", timeout=2)
        reply = self.call("import os, signal; os.kill(os.getpid(), signal.SIGSTOP)", "stopped")
        self.assertEqual(reply.json()["errorType"], "Sandbox.Timedout", reply)
        self.assertEqual(self.inside("result = 1", "stopped"), 1)

    def test_limits_put_on_pid_one_harm_the_function_alone(self):
        self.call("import resource; resource.prlimit(1, resource.RLIMIT_NOFILE, (0, 0)); resource.prlimit(1, resource.RLIMIT_AS, (0, 0))\nimport os; os._exit(1)")
        self.assertEqual(self.inside("result = 1"), 1)


class Leftovers(unittest.TestCase):
    def start(self, data=None):
        server = LambdaServer("native", data=data).start()
        self.addCleanup(server.close)
        return server

    def fill(self, server):
        """Three functions with several processes each; what that makes on the machine."""
        for name in ("one", "two", "three"):
            server.deploy({"app.py": EVALUATOR}, name, "--handler", "app.handler", "--timeout", "30")
            self.assertEqual(server.invoke(name, {"code": DAEMON + "daemon(); result = 1"}).json(), 1)
        return Footprint(server)

    def test_nothing_is_left_after_sigterm(self):
        server = self.start()
        footprint = self.fill(server)
        self.assertGreaterEqual(len(footprint.cgroups), 4)
        self.assertGreaterEqual(len(footprint.users), 3)
        self.assertEqual(server.stop(), 0)
        wait_until_gone(self, footprint, seconds=1)

    def test_nothing_is_left_after_lambdad_is_killed(self):
        server = self.start()
        footprint = self.fill(server)
        server.kill()
        wait_until_gone(self, footprint)

    def test_nothing_is_left_after_lambdad_is_killed_amid_a_fork_bomb(self):
        server = self.start()
        server.deploy({"app.py": EVALUATOR}, "bomb", "--handler", "app.handler", "--timeout", "30")
        self.assertEqual(server.invoke("bomb", {"code": "result = 1"}).json(), 1)
        footprint = Footprint(server)

        def bomb():
            with contextlib.suppress(OSError, http.client.HTTPException):  # its server is killed meanwhile
                server.invoke("bomb", {"code": "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass"})
        thread = threading.Thread(target=bomb)
        thread.start()
        eventually(lambda: len(footprint.processes()) > 500, what="the bomb")
        server.kill()
        thread.join()
        wait_until_gone(self, footprint, seconds=40)

    def spawn_pid(self, server):
        return next(pid for pid in processes_below(server.process.pid) if Path(f"/proc/{pid}/comm").read_text().strip() == "lambda-spawn")

    def works_again_and_ends_clean(self, data, footprint):
        """Empty cgroups are all that may be left, and the next server removes them."""
        wait_until_gone(self, footprint, but_cgroups=True)
        second = self.start(data)
        self.assertEqual(second.invoke("one", {"code": "result = 2"}).json(), 2)
        self.assertEqual(second.stop(), 0)
        self.assertEqual(footprint.cgroups_left(), [])

    def test_no_process_is_left_after_lambda_spawn_is_killed(self):
        server = self.start()
        footprint = self.fill(server)
        os.kill(self.spawn_pid(server), signal.SIGKILL)
        eventually(lambda: not footprint.processes(), what="the end of all sandboxes")
        self.assertEqual(server.process.wait(timeout=60), 1)  # lambdad ends with its hand
        self.works_again_and_ends_clean(server.data, footprint)

    def test_nothing_is_left_after_both_are_killed_at_once(self):
        server = self.start()
        footprint = self.fill(server)
        spawn = self.spawn_pid(server)
        os.kill(spawn, signal.SIGSTOP)  # so that it cannot clear up after lambdad
        server.kill()
        os.kill(spawn, signal.SIGKILL)
        self.works_again_and_ends_clean(server.data, footprint)

    def test_lambda_spawn_sees_little_itself(self):
        """No host files but the two directories, no network; lambdad may not look into it or signal it."""
        server = self.start()
        spawn = self.spawn_pid(server)
        self.assertEqual(sorted(os.listdir(f"/proc/{spawn}/root")), ["data", "dev", "files", "root", "runtimes"])
        self.assertLessEqual(len(Path(f"/proc/{spawn}/mountinfo").read_text().splitlines()), 9)  # five devices, where mknod is forbidden
        self.assertNotEqual(os.readlink(f"/proc/{spawn}/ns/net"), os.readlink("/proc/self/ns/net"))
        self.assertEqual(len(os.listdir(f"/proc/{spawn}/task")), 1)
        lambdad = server.process.pid
        status = dict(line.split(":\t", 1) for line in Path(f"/proc/{lambdad}/status").read_text().splitlines())
        self.assertNotEqual(status["Uid"].split()[0], "0")
        for key in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            self.assertEqual(int(status[key], 16), 0, key)
        self.assertEqual(status["NoNewPrivs"], "1")


if __name__ == "__main__":
    unittest.main()
