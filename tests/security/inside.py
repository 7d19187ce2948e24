"""Attacks run inside real functions of a real lambdad, on the native driver, or in containers (DockerAttackTest).

    class Sight(AttackTest):
        def test_no_host_name(self):
            self.assertEqual(self.inside("import socket; result = socket.gethostname()"), "lambda")

`inside` sends Python source to a deployed function, which executes it and answers with its `result`. `attacker()` compiles attacker.c,
a static program that speaks the Runtime API by itself, for attacks that need system calls."""

import atexit
import functools
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

from lambda_server import BIN, RUNTIMES, LambdaServer, ServerTest, on_both_drivers  # noqa: E402, F401

EVALUATOR = '''
def handler(event, context):
    scope = {"context": context}
    exec(event["code"], scope)
    return scope.get("result")
'''


@functools.cache
def static_program(source):
    """Where the program of a C source of this folder is, for as long as the tests run."""
    directory = tempfile.TemporaryDirectory()
    atexit.register(directory.cleanup)
    os.chmod(directory.name, 0o755)
    program = Path(directory.name) / "bootstrap"
    subprocess.run(["gcc", "-std=gnu17", "-O1", "-static", "-Wall", "-o", program, HERE / source], check=True)
    return program


def attacker():
    """The bytes of attacker.c's program."""
    return static_program("attacker.c").read_bytes()


class AttackTest(ServerTest):
    driver = "native"

    @classmethod
    def deploy_evaluator(cls, name, timeout=20):
        cls.server.deploy({"app.py": EVALUATOR}, name, "--handler", "app.handler", "--timeout", timeout)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.deploy_evaluator("victim")

    def call(self, code, name="victim", **more):
        return self.server.invoke(name, {"code": code}, **more)

    def inside(self, code, name="victim", **more):
        """The `result` of source that ran to its end inside."""
        reply = self.call(code, name, **more)
        self.assertEqual(reply.status, 200, reply)
        self.assertNotIn("x-amz-function-error", reply.headers, reply)
        return reply.json()

    def error_of(self, code, name="victim"):
        """The errno name of an OSError that the source must end with."""
        lines = "\n".join("        " + line for line in code.splitlines())
        return self.inside("import ctypes, errno, os, signal, socket\nresult = 'done'\n"
                           "def attack():\n    global result\n    try:\n" + lines + "\n"
                           "    except OSError as error:\n        result = errno.errorcode.get(error.errno, str(error))\n"
                           "attack()\n", name)


class DockerAttackTest(AttackTest):
    """The same, in containers."""

    driver = "docker"


def eventually(condition, seconds=15, what="it"):
    """Waits until `condition()` is true; what it came to at last."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not happen in {seconds} s")
        time.sleep(0.05)


def may_set_floors():
    """Whether root has CAP_SYS_RESOURCE on this machine, which some virtual machines and containers keep from it."""
    return int(status_of("self")["CapBnd"], 16) >> 24 & 1 == 1


def processes_below(pid):
    """Every descendant of a process, by the kernel's own list."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                fields = Path(f"/proc/{entry}/stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            children.setdefault(int(fields[1]), []).append(int(entry))
    found, queue = [], [pid]
    while queue:
        for child in children.get(queue.pop(), []):
            found.append(child)
            queue.append(child)
    return found


def status_of(pid):
    """/proc/PID/status as a dictionary."""
    return dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)


def cgroups_of_process(pid):
    """The directories that a process is in, in every hierarchy that is mounted."""
    found = []
    for row in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = row.split(":", 2)
        for top in [controllers] if controllers else ["unified", "."]:
            directory = Path("/sys/fs/cgroup") / top / path.lstrip("/")
            if directory.is_dir():
                found.append(directory)
    return found


def sandbox_of(pid):
    """The id of the sandbox that a process is in, as lambda-spawn wrote it to its cgroups; nothing: of none."""
    for directory in cgroups_of_process(pid):
        try:
            return os.getxattr(directory, "trusted.lambda.sandbox").decode()
        except OSError:
            pass
    return ""


def processes_in_containers(server):
    """Of a server on the Docker driver, by the label of its containers."""
    mark = (server.data / "docker/id").read_text().split()[0]
    containers = run("docker", "ps", "--quiet", "--filter", f"label=lambda.server={mark}").split()
    first = [int(run("docker", "inspect", "--format", "{{.State.Pid}}", container)) for container in containers]
    return sorted({pid for init in first if init > 0 for pid in (init, *processes_below(init))})


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def sandbox_processes(server):
    """The processes of all sandboxes of the server, once none is being made or ended."""
    def look():
        if server.driver == "docker":
            return processes_in_containers(server)
        return [pid for pid in processes_below(server.process.pid) if is_in_sandbox(pid)]

    def steady():
        found = look()
        time.sleep(0.2)
        return [found] if found == look() else None
    return eventually(steady, what="a steady state")[0]


def is_in_sandbox(pid):
    """Who carries packets out of sandboxes has such a user, too, and is in none."""
    try:
        return int(status_of(pid)["Uid"].split()[0]) >= 1_900_000_000 and status_of(pid)["Name"] != "slirp4netns"
    except OSError:
        return False
