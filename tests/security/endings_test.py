"""Functions that do not want to end, and what is left of them, of lambdad and of lambda-spawn when those are killed."""

import os
import signal
import subprocess
import time
import unittest
from pathlib import Path

from inside import EVALUATOR, AttackTest, LambdaServer, eventually, is_in_sandbox, processes_below, sandbox_processes

CGROUPS = Path("/sys/fs/cgroup")


def cgroups_of(server):
    """Directories of this server's, parent and sandboxes; its name is in the log."""
    name = next(part for part in server.log_text(1000).replace(",", " ").split("/") if part.startswith("lambda-")).split()[0]
    return sorted(str(path) for path in [*CGROUPS.glob(f"**/{name}"), *CGROUPS.glob(f"**/{name}/*/")])


def namespaces(kind):
    """The namespaces of a kind that processes of this machine are in."""
    found = set()
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                found.add(os.readlink(f"/proc/{entry}/ns/{kind}"))
            except OSError:
                pass
    return found


def processes_of_sandboxes():
    """Of all servers on this machine: also those that were orphaned."""
    return {int(entry) for entry in os.listdir("/proc") if entry.isdigit() and is_in_sandbox(int(entry))}


class Machine:
    """What a server may leave behind, before and after."""

    def __init__(self):
        self.processes = processes_of_sandboxes()
        self.mounts = set(Path("/proc/self/mountinfo").read_text().splitlines())
        self.net, self.mnt, self.user = namespaces("net"), namespaces("mnt"), namespaces("user")
        self.interfaces = set(os.listdir("/sys/class/net"))

    def added_since(self, before):
        added = {"processes": self.processes - before.processes, "mounts": self.mounts - before.mounts, "net": self.net - before.net,
                 "mnt": self.mnt - before.mnt, "user": self.user - before.user, "interfaces": self.interfaces - before.interfaces}
        return {what: found for what, found in added.items() if found}


def wait_until_clean(test, before, seconds=15):
    try:
        eventually(lambda: not Machine().added_since(before), seconds)
    except AssertionError:
        test.fail(f"left behind: {Machine().added_since(before)}")


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
        """Three functions with several processes each."""
        for name in ("one", "two", "three"):
            server.deploy({"app.py": EVALUATOR}, name, "--handler", "app.handler", "--timeout", "30")
            self.assertEqual(server.invoke(name, {"code": DAEMON + "daemon(); result = 1"}).json(), 1)

    def test_nothing_is_left_after_sigterm(self):
        before = Machine()
        server = self.start()
        self.fill(server)
        cgroups = cgroups_of(server)
        self.assertGreaterEqual(len(cgroups), 4)
        self.assertEqual(server.stop(), 0)
        wait_until_clean(self, before)
        self.assertEqual([path for path in cgroups if os.path.exists(path)], [])

    def test_nothing_is_left_after_lambdad_is_killed(self):
        before = Machine()
        server = self.start()
        self.fill(server)
        cgroups = cgroups_of(server)
        server.kill()
        wait_until_clean(self, before)
        eventually(lambda: not [path for path in cgroups if os.path.exists(path)], what="removal of the cgroups")

    def spawn_pid(self, server):
        return next(pid for pid in processes_below(server.process.pid) if Path(f"/proc/{pid}/comm").read_text().strip() == "lambda-spawn")

    def test_no_process_is_left_after_lambda_spawn_is_killed(self):
        """Its empty cgroups are removed by the next server's start and end."""
        before = Machine()
        server = self.start()
        self.fill(server)
        cgroups = cgroups_of(server)
        os.kill(self.spawn_pid(server), signal.SIGKILL)
        eventually(lambda: not Machine().processes - before.processes, what="the end of all sandboxes")
        reply = server.invoke("one", {"code": "result = 1"})
        self.assertGreaterEqual(reply.status, 500, reply)
        server.kill()
        wait_until_clean(self, before)
        second = self.start(server.data)
        self.assertEqual(second.invoke("one", {"code": "result = 2"}).json(), 2)
        self.assertEqual(second.stop(), 0)
        self.assertEqual([path for path in cgroups if os.path.exists(path)], [])

    def test_nothing_is_left_after_both_are_killed_at_once(self):
        before = Machine()
        server = self.start()
        self.fill(server)
        cgroups = cgroups_of(server)
        os.kill(self.spawn_pid(server), signal.SIGSTOP)
        server.kill()
        time.sleep(0.2)
        spawn = subprocess.run(["pgrep", "-f", f"lambda-spawn --data {server.data}"], capture_output=True, text=True, check=True).stdout.split()
        for pid in spawn:
            os.kill(int(pid), signal.SIGKILL)
        wait_until_clean(self, before)
        second = self.start(server.data)
        self.assertEqual(second.invoke("one", {"code": "result = 2"}).json(), 2)
        self.assertEqual(second.stop(), 0)
        self.assertEqual([path for path in cgroups if os.path.exists(path)], [])

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
