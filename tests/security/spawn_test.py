"""lambda-spawn, the one hand for all functions: with few descriptors, when it stands still, beside another, and with a budget."""

import concurrent.futures
import itertools
import os
import shutil
import signal
import tempfile
import time
import unittest
from pathlib import Path

from inside import EVALUATOR, LambdaServer, eventually, is_in_sandbox, processes_below, status_of


class Shell(LambdaServer):
    """A server started from a shell with these limits of open files (`prlimit --nofile=SOFT:HARD`)."""

    def __init__(self, files, **more):
        super().__init__("native", **more)
        self.files = files

    def command(self):
        return ["prlimit", f"--nofile={self.files}", *super().command()]


def sandbox_users(server):
    """The users of the sandboxes that live now: one each."""
    users = set()
    for pid in processes_below(server.process.pid):
        try:
            if is_in_sandbox(pid):
                users.add(status_of(pid)["Uid"].split()[0])
        except OSError:
            pass
    return users


class SpawnTest(unittest.TestCase):
    def start(self, server):
        server.start()
        self.addCleanup(server.close)
        return server

    def deploy_evaluator(self, server, name, *arguments):
        server.deploy({"app.py": EVALUATOR}, name, "--handler", "app.handler", "--timeout", "60", *arguments)


class Descriptors(SpawnTest):
    def test_the_soft_limit_of_a_shell_is_no_limit_of_sandboxes(self):
        """100 descriptors would be enough for about 27 sandboxes."""
        count = 40
        server = self.start(Shell("100:4000"))
        self.deploy_evaluator(server, "many")
        with concurrent.futures.ThreadPoolExecutor(count) as callers:
            calls = [callers.submit(server.invoke, "many", {"code": "import time; time.sleep(12); result = 1"}) for _ in range(count)]
            eventually(lambda: len(sandbox_users(server)) >= count, seconds=30, what=f"{count} sandboxes at once")
            self.assertEqual([call.result().status for call in calls], [200] * count)

    def test_a_function_gets_neither_more_nor_fewer_files(self):
        server = self.start(Shell("2000:4000"))
        self.deploy_evaluator(server, "files")
        limits = server.invoke("files", {"code": "import resource; result = resource.getrlimit(resource.RLIMIT_NOFILE)"}).json()
        self.assertEqual(limits, [1024, 1024])
        init = next(pid for pid in processes_below(server.process.pid) if is_in_sandbox(pid))
        with open(f"/proc/{init}/limits", encoding="utf-8") as lines:
            self.assertEqual(next(line for line in lines if line.startswith("Max open files")).split()[3:5], ["2000", "4000"])

    def test_the_hard_limit_is_one_and_the_server_knows_it(self):
        server = self.start(Shell("100:300", flags=["--max-instances", "1000"]))
        limit = server.api("GET", "/_lambda/status").json()["maxInstances"]
        self.assertIn("max_instances is 1000", server.log_text())
        self.assertLess(limit, 300 // 3)
        self.assertGreater(limit, 30)


class StandingStill(SpawnTest):
    CALLS = 150

    def spawn_pid(self, server):
        return next(pid for pid in processes_below(server.process.pid) if Path(f"/proc/{pid}/comm").read_text().strip() == "lambda-spawn")

    def stand_still(self, server):
        spawn = self.spawn_pid(server)
        os.kill(spawn, signal.SIGSTOP)
        self.addCleanup(os.kill, spawn, signal.SIGCONT)  # before the server is closed
        return spawn

    def slowest(self, server, name, seconds):
        """Of calls of a warm function, for so long."""
        times, until = [], time.monotonic() + seconds
        while time.monotonic() < until:
            began = time.monotonic()
            self.assertEqual(server.invoke(name, {"code": "result = 3"}, timeout=10).json(), 3)
            times.append(time.monotonic() - began)
            time.sleep(0.02)
        return max(times)

    def test_warm_functions_answer_while_lambda_spawn_stands_still(self):
        """Requests pile up, sixteen more every two seconds (pool/start_gate.h), and no loop waits with them."""
        # One that is frozen is thawed by lambda-spawn, so calls of it wait.
        server = self.start(LambdaServer("native", flags=["--max-instances", "400", "--freeze-after", "0"]))
        warm = [f"warm-{n}" for n in range(4)]  # on every loop
        for name in [*warm, "cold"]:
            self.deploy_evaluator(server, name)
        for name in warm:
            server.invoke(name, {"code": "result = 3"})
        spawn = self.stand_still(server)
        with concurrent.futures.ThreadPoolExecutor(self.CALLS) as callers:
            calls = [callers.submit(server.invoke, "cold", {"code": "import time; time.sleep(2)"}) for _ in range(self.CALLS)]
            eventually(lambda: server.api("GET", "/_lambda/status").json()["instances"] >= 60, what="60 starts")
            for name in warm:
                self.assertLess(self.slowest(server, name, 0.5), 0.5, name)
            os.kill(spawn, signal.SIGCONT)
            self.assertEqual({call.result().status for call in calls}, {200})
        self.assertEqual(server.invoke("cold", {"code": "result = 6"}).json(), 6)

    def test_what_was_not_sent_in_time_is_never_made(self):
        server = self.start(LambdaServer("native", flags=["--max-instances", "160", "--longest-wait", "5"]))
        self.deploy_evaluator(server, "cold")
        before = len(sandbox_users(server))
        spawn = self.stand_still(server)
        with concurrent.futures.ThreadPoolExecutor(self.CALLS) as callers:
            replies = list(callers.map(lambda _: server.invoke("cold", {"code": "import time; time.sleep(1)"}), range(self.CALLS)))
        self.assertLess(sum(reply.status == 200 for reply in replies), 20, "the one that was there can take a few")
        time.sleep(11)  # the starts give up after ten seconds
        os.kill(spawn, signal.SIGCONT)
        self.assertEqual(server.invoke("cold", {"code": "result = 6"}).json(), 6)
        eventually(lambda: len(sandbox_users(server)) <= before + 1, what="the end of what nobody waits for")

    def test_lambdad_ends_without_a_lambda_spawn_that_stands_still(self):
        server = self.start(LambdaServer("native", flags=["--drain-time", "1"]))
        spawn = self.stand_still(server)
        self.assertEqual(server.stop(wait=50), 0)
        os.kill(spawn, signal.SIGCONT)
        eventually(lambda: not Path(f"/proc/{spawn}").exists() or status_of(spawn)["State"][0] == "Z", what="the end of lambda-spawn")


def block_of(path):
    """Which block of uids a data directory asks for: lambda-spawn's own hash of its path."""
    number = 14695981039346656037
    for byte in str(path).encode():
        number = ((number ^ byte) * 1099511628211) % 2**64
    return number % 3700


class Neighbours(SpawnTest):
    def test_two_servers_never_share_a_uid(self):
        """Two data directories that ask for the same block."""
        parent = Path(tempfile.mkdtemp(prefix="lambda-test-"))
        self.addCleanup(shutil.rmtree, parent, True)
        parent.chmod(0o711)
        seen = {}
        for number in itertools.count():
            path = parent / f"data-{number}"
            if other := seen.get(block_of(path)):
                break
            seen[block_of(path)] = path
        users = []
        for data in (path, other):
            server = self.start(LambdaServer("native", data=data))
            self.deploy_evaluator(server, "one")
            users.append({int(user) for user in sandbox_users(server)})
        blocks = [{(user - 1_900_000_000) // 65_536 for user in each} for each in users]
        self.assertEqual(blocks, [{block_of(path)}, {(block_of(path) + 1) % 3700}])
        for server_file in ("", f"/{block_of(path)}"):
            status = os.stat(f"/run/lambda-uids{server_file}")
            self.assertEqual((status.st_uid, status.st_mode & 0o077), (0, 0))


class Budgets(SpawnTest):
    """What all functions may have together; each alone may have more."""

    def parent_file(self, server, *names):
        """A file of the cgroup that all sandboxes of the server lie in: version 1, or 2."""
        name = next(part for part in server.log_text(1000).replace(",", " ").split("/") if part.startswith("lambda-")).split()[0]
        found = [path for file in names for path in Path("/sys/fs/cgroup").glob(f"**/{name}/{file}")]
        return int(found[0].read_text())

    def test_memory(self):
        budget = 300 << 20
        server = self.start(LambdaServer("native", flags=["--memory-budget", "300"]))
        self.assertLessEqual(server.api("GET", "/_lambda/status").json()["maxInstances"], 300 // 24)
        names = ["first", "second", "third"]
        for name in names:
            self.deploy_evaluator(server, name, "--memory", "512")
        self.assertEqual(self.parent_file(server, "memory.limit_in_bytes", "memory.max"), budget)
        hoard = "import time\nkept = []\nfor _ in range(180): kept.append(b'x' * (1 << 20)); time.sleep(0.01)\ntime.sleep(3); result = len(kept)"
        self.assertEqual(server.invoke("first", {"code": hoard}).json(), 180)
        with concurrent.futures.ThreadPoolExecutor(3) as callers:
            replies = list(callers.map(lambda name: server.invoke(name, {"code": hoard}), names))
        failed = [reply.json()["errorType"] for reply in replies if "x-amz-function-error" in reply.headers]
        self.assertTrue(failed)
        self.assertEqual(set(failed), {"Runtime.OutOfMemory"}, replies)
        self.assertLessEqual(self.parent_file(server, "memory.max_usage_in_bytes", "memory.peak"), budget)
        for name in names:
            self.assertEqual(server.invoke(name, {"code": "result = 4"}).json(), 4)

    def test_processes(self):
        server = self.start(LambdaServer("native", flags=["--process-budget", "50"]))
        self.deploy_evaluator(server, "quiet")
        self.deploy_evaluator(server, "many")
        self.assertEqual(server.invoke("quiet", {"code": "result = 4"}).json(), 4)
        self.assertEqual(self.parent_file(server, "pids.max"), 50)
        found = server.invoke("many", {"code": '''
import errno, os, time
count, result = 0, None
while count < 500 and not result:
    try:
        if os.fork() == 0:
            time.sleep(30); os._exit(0)
        count += 1
    except OSError as error:
        result = [errno.errorcode[error.errno], count]
'''}).json()
        self.assertEqual(found[0], "EAGAIN")
        self.assertLess(found[1], 50)
        self.assertGreater(found[1], 30)
        self.assertEqual(server.invoke("quiet", {"code": "result = 4"}).json(), 4)


if __name__ == "__main__":
    unittest.main()
