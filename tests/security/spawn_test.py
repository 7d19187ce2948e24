"""lambda-spawn, the one hand for all functions: few descriptors."""

import concurrent.futures
import unittest

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


if __name__ == "__main__":
    unittest.main()
