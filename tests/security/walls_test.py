"""Every wall of a sandbox holds something. What a function may try (attempts.c) fails; and it succeeds as soon as the walls that its row
names are left out, and no others. On the native driver they are left out by a lambda-spawn made for this test (unwalled_spawn.cc), of
containers by Docker's own options."""

import contextlib
import ctypes
import functools
import http.client
import json
import os
import shutil
import socket
import subprocess
import tempfile
import unittest
from pathlib import Path

from inside import BIN, RUNTIMES, LambdaServer, eventually, is_in_sandbox, processes_below, processes_in_containers, run, sandbox_of, static_program

UNWALLED = BIN.parent / "tests/security/lambda-spawn-unwalled"
ROOT = {"capabilities", "user_namespace"}
# Left out one by one, and together where a row needs it: a row's sets are among these.
WALLS = """seccomp capabilities no_new_privs own_user user_namespace pid_namespace mount_namespace network_namespace ipc_namespace
           uts_namespace cgroup_namespace read_only mount_flags masked_proc settings own_devices descriptors processes memory tmp_size
           shared_memory_size ended_first egress_rules""".split()
# With a way out a function has a second interface of its own, and these only look for a route: where it ends is for egress_test.py.
WITH_A_WAY_OUT = {"interfaces_of_the_machine", "way_to_the_internet", "way_to_the_metadata"}
TOGETHER = [ROOT, *(ROOT | {wall} for wall in ("seccomp", "settings", "mount_flags", "own_devices", "mount_namespace", "pid_namespace", "descriptors")),
            {"pid_namespace", "own_user"}, {"pid_namespace", "own_user", "user_namespace"}, {"seccomp", "capabilities"},
            {"no_new_privs", "mount_flags", "user_namespace"}]
LOOP = Path("/dev/loop-control")
# These change the machine where they succeed.
HARMFUL_OUTSIDE = ["change_host_name", "remount_root", "unmask_proc"]


class Row:
    def __init__(self, line):
        self.name, walls, self.docker, slow = line.split("\t")
        self.sets, self.slow = [frozenset(alternative.split(",")) for alternative in walls.split("|")], slow == "slow"

    def succeeds_without(self, walls):
        return any(alternative <= walls for alternative in self.sets)


@functools.cache
def table():
    return [Row(line) for line in run(static_program("attempts.c"), "--table").splitlines()]


def rows_without(wall):
    return [row.name for row in table() if row.succeeds_without({wall})]


@functools.cache
def missing_in_this_kernel():
    """A kernel may be built without some of what seccomp holds, or keep it from everybody: what fails outside of any sandbox as well, for an
    ordinary user, and for root where only root may."""
    found = set()
    for walls, user in (({"seccomp"}, 65534), ({"seccomp", *ROOT}, 0)):
        names = [row.name for row in table() if frozenset(walls) in row.sets and row.name not in HARMFUL_OUTSIDE]
        outcomes = json.loads(subprocess.run([static_program("attempts.c"), "--run", " ".join(names)], user=user, group=user, check=True,
                                             extra_groups=[], capture_output=True, text=True).stdout)
        found |= {name for name, outcome in outcomes.items() if outcome != "done"}
    return found


def make_runtime(directory):
    """A base file system of its own, for programs that need none; /var/tmp and a mark are for everybody."""
    root = directory / "provided/rootfs"
    for name in ("proc", "dev", "tmp", "var/task", "var/tmp", "etc", "opt", "run"):
        (root / name).mkdir(parents=True)
    (root / "var/tmp").chmod(0o1777)
    (root / "etc/passwd").write_text("sbx_user1051:x:993:990::/tmp:/bin/false\n")
    (directory / "mark").write_text("outside\n")
    (directory / "provided/runtime.json").write_text(json.dumps(
        {"name": "provided", "family": "provided", "argv": ["bootstrap"], "stem": False, "env": {}, "docker_image": "lambda/provided:latest"}))
    return directory


class AttemptServer(LambdaServer):
    """A server whose sandboxes lack some walls."""

    def __init__(self, without=(), driver="native", stems=0, forked=False, way_out=False):
        super().__init__(driver, ["--stems", str(stems)])
        self.without = sorted(without)
        self.egress = "internet" if way_out else "none"
        self.runtime = "python3.11" if forked else "provided"
        self.handler = ["--handler", "app.handler"] if forked else []
        self.more = {"app.py": "import os\nassert b'--zygote' in open('/proc/self/cmdline', 'rb').read()\nos.execv('/var/task/bootstrap', ['bootstrap'])\n"} if forked else {}

    def command(self):
        command = super().command()
        if self.driver == "docker":
            return command
        if not (self.home / "runtimes").exists():
            make_runtime(self.home / "runtimes")
            (self.home / "runtimes").chmod(0o755)
            if self.runtime == "python3.11":
                subprocess.run(["cp", "-a", RUNTIMES / self.runtime, self.home / "runtimes"], check=True)
        command[command.index("--runtimes-dir") + 1] = str(self.home / "runtimes")
        if self.without:
            programs = self.home / "bin"
            programs.mkdir(exist_ok=True)
            for name in ("lambdad", "lambda-init"):
                shutil.copy(BIN / name, programs / name)
            (programs / "lambda-spawn").write_text(f'#!/bin/sh\nexec {UNWALLED} --without {",".join(self.without)} "$@"\n')
            (programs / "lambda-spawn").chmod(0o755)
            command[0] = str(programs / "lambdad")
        return command

    def deploy_attempts(self, name, *arguments):
        """The program; a file of its code that everybody may write to, and a program that is marked set-user-id. A Python
        becomes it when its code is loaded, and keeps what it has."""
        program = (static_program("attempts.c").read_bytes(), 0o755)
        self.deploy({"bootstrap": program, "marked": program, "bootstrap.conf": f"of {name}", "of-root": "secret", **self.more}, name, "--runtime", self.runtime, *self.handler, "--memory", "128",
                    "--timeout", "30", "--egress", self.egress, *arguments)
        mine = [path for path in self.data.rglob("bootstrap.conf") if path.read_text() == f"of {name}"]
        assert len(mine) == 1, mine
        mine[0].chmod(0o666)
        os.chown(mine[0].parent / "of-root", 0, 0)
        (mine[0].parent / "of-root").chmod(0o600)
        os.chown(mine[0].parent / "marked", 65534, 65534)
        (mine[0].parent / "marked").chmod(0o4755)
        return mine[0]

    def attempt(self, *words):
        reply = self.invoke("attempts", " ".join(words))
        assert reply.status == 200 and "x-amz-function-error" not in reply.headers, (reply, self.log_text(20))
        return reply.json()


@functools.cache
def own_addresses():
    """One of IPv4 and a link-local one with its interface; "" where the machine has none."""
    links = [link for link in json.loads(run("ip", "-json", "address")) if link["ifname"] != "lo" and "UP" in link["flags"]]
    flat = [(link["ifname"], part) for link in links for part in link["addr_info"]]
    return (next((part["local"] for _, part in flat if part["family"] == "inet"), ""),
            next((f"{part['local']}%{name}" for name, part in flat if part["family"] == "inet6" and part["scope"] == "link"), ""))


def not_here():
    """What this machine gives no opportunity for."""
    without = {name for name, address in zip(("machines_own_address", "link_local"), own_addresses()) if not address}
    return missing_in_this_kernel() | without | (set() if LOOP.exists() else {"disk_of_the_machine"})


class Outside:
    """What is on the machine for functions to reach."""

    def __init__(self):
        self.name = f"lambda-walls-{os.getpid()}"
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.key = 0x1a000000 + os.getpid()

    def __enter__(self):
        with contextlib.ExitStack() as made:
            self.make(made)
            self.ends = made.pop_all()
        return self

    def __exit__(self, *_):
        self.ends.close()

    def make(self, made):
        abstract = made.enter_context(socket.socket(socket.AF_UNIX))
        abstract.bind("\0" + self.name)
        abstract.listen()
        self.listener = made.enter_context(socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True))
        memory = self.libc.shmget(self.key, 4096, 0o1666)
        assert memory >= 0, os.strerror(ctypes.get_errno())
        made.callback(self.libc.shmctl, memory, 0, None)
        before = os.umask(0)
        queue = self.libc.mq_open(b"/" + self.name.encode(), os.O_CREAT | os.O_RDWR, 0o666, None)
        os.umask(before)
        assert queue >= 0, os.strerror(ctypes.get_errno())
        made.callback(self.libc.mq_unlink, b"/" + self.name.encode())
        made.callback(self.libc.mq_close, queue)
        image = made.enter_context(tempfile.NamedTemporaryFile())
        image.write(b"a disk" * 20_000)
        image.flush()
        self.disk = ""
        if LOOP.exists():
            self.disk = run("losetup", "--find", "--show", image.name).strip()
            made.callback(run, "losetup", "--detach", self.disk)

    def facts(self):
        address, link_local = own_addresses()
        return {"host_pid": os.getpid(), "port": self.listener.getsockname()[1], "address": address, "link_local": link_local,
                "abstract": self.name, "shared_memory": self.key, "queue": "/" + self.name, "host": socket.gethostname(),
                "runtime": "provided", "file_outside": "/runtimes/mark",
                "disk": self.disk}


def process_of(server, name):
    """The function's own process, by its environment."""
    def look():
        docker = server.driver == "docker"
        for pid in processes_in_containers(server) if docker else processes_below(server.process.pid):
            try:
                if (docker or is_in_sandbox(pid)) and f"AWS_LAMBDA_FUNCTION_NAME={name}\0".encode() in Path(f"/proc/{pid}/environ").read_bytes():
                    return pid
            except OSError:
                pass
        return None
    return eventually(look, what=f"a process of {name}")


def addresses_of(pid):
    """Of a function's way out, of both families."""
    links = json.loads(run("nsenter", "-t", str(pid), "-n", "ip", "-json", "address", "show", "eth0"))
    return [next(part["local"] for part in links[0]["addr_info"] if part["family"] == family and part["scope"] == "global") for family in ("inet", "inet6")]


def sandboxes(server):
    """By their users, of which each has its own."""
    return {os.stat(f"/proc/{pid}").st_uid for pid in processes_below(server.process.pid) if is_in_sandbox(pid)}


class WallTest(unittest.TestCase):
    def outcomes(self, without=(), driver="native", stems=0, forked=False, way_out=False):
        """What each attempt comes to in a sandbox without these walls."""
        with Outside() as outside, AttemptServer(without, driver, stems, forked, way_out) as server:
            facts = outside.facts()
            if stems:
                server.deploy_attempts("first")  # from now on some wait
                eventually(lambda: len(sandboxes(server)) >= 3, what="two stems beside the function")
            server.deploy_attempts("attempts")
            if stems:
                self.assertTrue(sandbox_of(process_of(server, "attempts")).startswith("stem-"))
            # Another one has a deploy of its own; its sockets would be in the way where there is one network for both.
            if not without or without & {"pid_namespace", "mount_namespace", "own_user", "egress_rules"}:
                code = server.deploy_attempts("other", "--env", "A_SECRET=1")
                facts["other_code"] = "/data/" + str(code.relative_to(server.data))
                facts["other_pid"] = process_of(server, "other")
                if way_out:
                    facts["other_address"], facts["other_address_6"] = addresses_of(facts["other_pid"])
            words = [f"{name}={value}" for name, value in facts.items() if value != ""]
            found = server.attempt("all", *words)
            for row in table():
                if row.slow and row.name != "much_memory" and (not without or row.succeeds_without(without)):
                    found |= server.attempt(row.name)
            if not without or "memory" in without:
                reply = server.invoke("attempts", "much_memory")
                ended = reply.headers.get("x-amz-function-error") == "Unhandled" and reply.json()["errorType"] == "Runtime.OutOfMemory"
                found |= {"much_memory": "ended"} if ended else reply.json()
            return found


class Everything(WallTest):
    def test_nothing_succeeds_in_a_function(self):
        found = self.outcomes()
        self.assertEqual({name: outcome for name, outcome in found.items() if outcome == "done"}, {})
        self.assertEqual(set(found), {row.name for row in table()})

    def test_nothing_more_succeeds_with_a_way_out(self):
        found = self.outcomes(way_out=True)
        self.assertEqual({name for name, outcome in found.items() if outcome == "done"} - WITH_A_WAY_OUT, set())
        self.assertEqual(set(found), {row.name for row in table()})

    def test_nothing_succeeds_in_a_stem(self):
        found = self.outcomes(stems=2)
        self.assertEqual({name: outcome for name, outcome in found.items() if outcome == "done"}, {})
        self.assertEqual(set(found), {row.name for row in table()})

    def test_nothing_succeeds_in_a_fork(self):
        """Of a zygote, which is root and enters sandboxes: waiting as a stem, and forked at the call."""
        for stems in (2, 0):
            with self.subTest(stems=stems):
                found = self.outcomes(stems=stems, forked=True)
                self.assertEqual({name: outcome for name, outcome in found.items() if outcome == "done"}, {})
                self.assertEqual(set(found), {row.name for row in table()})

    def test_this_kernel_has_most_of_what_is_tried(self):
        self.assertLess(len(missing_in_this_kernel()), 10, missing_in_this_kernel())

    def test_there_are_at_least_sixty(self):
        self.assertGreaterEqual(len(table()), 60)
        self.assertEqual(len({row.name for row in table()}), len(table()))

    def test_each_row_names_walls_that_are_left_out_somewhere(self):
        tried = [{wall} for wall in WALLS] + TOGETHER
        for row in table():
            for alternative in row.sets:
                self.assertIn(set(alternative), tried, row.name)

    def test_lambda_spawn_has_no_such_option(self):
        """By the names of walls, which only who can leave one out has to know."""
        self.assertTrue(b"ipc_namespace" in UNWALLED.read_bytes())
        for program in ("lambda-spawn", "lambda-init", "lambdad"):
            self.assertFalse(b"ipc_namespace" in (BIN / program).read_bytes(), program)


class InContainers(WallTest):
    def test_nothing_succeeds_but_what_is_said_to(self):
        found = self.outcomes(driver="docker")
        self.assertEqual({name for name, outcome in found.items() if outcome == "done"}, {row.name for row in table() if row.docker == "open"})
        self.assertEqual(set(found), {row.name for row in table()})


# What is changed in what Docker is told, and what then succeeds. Containers share their user and the machine's user namespace (docs).
OTHERS = ["signal_another_function", "environment_of_another_function", "tmp_of_another_function", "memory_of_another_function"]
CONTAINER_WALLS = {
    "seccomp": ({"SecurityOpt": ["no-new-privileges", "seccomp=unconfined"]}, "seccomp"),
    # The Engine gives the machine's name with the machine's network.
    "network": ({"NetworkMode": "host", "Sysctls": None}, [*rows_without("network_namespace"), "name_of_the_machine"]),
    "pid": ({"PidMode": "host"}, ["see_a_process_outside", *OTHERS]),
    # The machine's /dev/shm comes with it.
    "ipc": ({"IpcMode": "host"}, ["shared_memory_of_the_machine", "queue_of_the_machine", "larger_shared_memory", "run_from_shared_memory"]),
    "uts": ({"UTSMode": "host"}, "uts_namespace"),
    "cgroup": ({"CgroupnsMode": "host"}, "cgroup_namespace"),
    "masked": ({"MaskedPaths": []}, "masked_proc"),
    "root": ({"ReadonlyRootfs": False}, ["write_to_the_root"]),
    "code": ({}, ["write_to_the_code"]),
    "privileges": ({"SecurityOpt": ["seccomp"]}, ["setuid_program"]),
    "an_ordinary_user": ({"User": "0:0", "CapAdd": ["SETUID", "SETGID", "MKNOD", "SYS_NICE", "CHOWN", "DAC_OVERRIDE"]},
                         ["become_root", "join_a_group", "make_a_disk", "more_cpu", "give_away_a_file", "file_of_root"]),
    "processes": ({"PidsLimit": 0}, "processes"),
    "shared_memory": ({"ShmSize": 128 << 20}, "shared_memory_size"),
    "tmp": ({"Tmpfs": {"/tmp": "rw,exec,nosuid,nodev,mode=1777,size=1g"}}, "tmp_size"),
    "ended_first": ({"OomScoreAdj": 0}, "ended_first"),
}


class Engine:
    """Docker Engine's API."""

    def call(self, method, path, body=None):
        connection = http.client.HTTPConnection("docker", timeout=60)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect("/var/run/docker.sock")
        connection.request(method, path, None if body is None else json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        assert answer.status < 300, (method, path, answer.status, text)
        return json.loads(text) if text.startswith((b"{", b"[")) else text

    def run_like(self, sandbox, changes, event):
        """What the attempts come to in a container with a sandbox's options, but for the changes."""
        config, host = dict(sandbox["Config"]), dict(sandbox["HostConfig"])
        for name, value in changes.items():
            (config if name == "User" else host)[name] = value
        if changes.get("SecurityOpt") == ["seccomp"]:
            host["SecurityOpt"] = [option for option in sandbox["HostConfig"]["SecurityOpt"] if option != "no-new-privileges"]
        # Less the control socket, which is gone once it has been used.
        host["Mounts"] = [mount for mount in host["Mounts"] if os.path.exists(mount["Source"])]
        if not changes:
            host["Mounts"] = [{**mount, "ReadOnly": mount.get("ReadOnly") and mount["Target"] != "/var/task"} for mount in host["Mounts"]]
        config.update(Entrypoint=["/var/task/bootstrap"], Cmd=["--run", event], HostConfig=host)
        if host.get("UTSMode") == "host" or host.get("NetworkMode") == "host":
            config.pop("Hostname", None)
        made = self.call("POST", "/v1.41/containers/create", config)["Id"]
        try:
            self.call("POST", f"/v1.41/containers/{made}/start")
            self.call("POST", f"/v1.41/containers/{made}/wait")
            return json.loads(run("docker", "logs", made))
        finally:
            self.call("DELETE", f"/v1.41/containers/{made}?force=1")


class ContainersWithoutWalls(WallTest):
    """The options of a real sandbox's container, less one."""

    @classmethod
    def setUpClass(cls):
        cls.outside = cls.enterClassContext(Outside())
        cls.server = cls.enterClassContext(AttemptServer(driver="docker"))
        cls.server.deploy_attempts("attempts")
        cls.server.deploy_attempts("other", "--env", "A_SECRET=1")
        facts = cls.outside.facts()
        facts["other_pid"] = process_of(cls.server, "other")
        cls.facts = [f"{name}={value}" for name, value in facts.items() if value != ""]
        mark = (cls.server.data / "docker/id").read_text().split()[0]
        cls.engine = Engine()
        cls.sandbox = cls.engine.call("GET", "/v1.41/containers/" + run("docker", "ps", "--quiet", "--filter", f"label=lambda.server={mark}",
                                                                         "--filter", "label=lambda.function=attempts").split()[0] + "/json")

    def check(self, changes, expected):
        if isinstance(expected, str):
            expected = rows_without(expected)
        # In these containers the program itself is pid 1.
        names = [row.name for row in table() if "init" not in row.name.split("_") and row.name not in ("leaked_directory", "much_memory")
                 and (not row.slow or row.name in expected)]
        found = self.engine.run_like(self.sandbox, changes, " ".join([*names, *self.facts]))
        expected = set(expected) - not_here() | {row.name for row in table() if row.docker == "open"}
        succeeded = {name for name, outcome in found.items() if outcome == "done"}
        self.assertEqual({name: found.get(name) for name in expected - succeeded}, {}, "held all the same")
        self.assertEqual(succeeded - expected, set(), "held by something else")


class SystemCallNumbers(unittest.TestCase):
    """Of the numbers from 0 to 1023 those that no rule is about are refused, each of them tried."""

    def beside(self, driver):
        calls = sorted({int(line) for line in run(UNWALLED, "--calls").split()})
        self.assertGreater(len(calls), 250)
        with AttemptServer(driver=driver) as server:
            server.deploy_attempts("attempts")
            found = server.attempt("calls=," + ",".join(map(str, calls)) + ",")
        # 335 and 336 are for the kernel's own trampolines (uretprobe, uprobe): no filter sees them since Linux 6.14, and who calls them by
        # himself is ended, or told ENXIO.
        self.assertLessEqual(set(found["beside"].replace(" (", "(").split()), {"335(ended)", "336"})
        return found

    def test_native(self):
        self.assertEqual(self.beside("native")["eperm"], 0, "what is not listed does not exist: ENOSYS")

    def test_docker(self):
        self.beside("docker")  # ENOSYS; older Engines: EPERM


class WithoutWalls(WallTest):
    """One test for each set of walls, made below."""

    def check(self, without):
        found = self.outcomes(without, way_out="egress_rules" in without)
        possible = {row.name for row in table() if row.succeeds_without(without)} - not_here()
        if "egress_rules" in without:
            found = {name: outcome for name, outcome in found.items() if name not in WITH_A_WAY_OUT}
        self.assertEqual(possible - set(found), set())
        succeeded = {name for name, outcome in found.items() if outcome == "done"}
        self.assertEqual({name: found[name] for name in possible - succeeded}, {}, "held all the same")
        self.assertEqual(succeeded - possible, set(), "held by fewer walls than its row says")


for walls in [{wall} for wall in WALLS] + TOGETHER:
    setattr(WithoutWalls, "test_without_" + "_and_".join(sorted(walls)), lambda self, given=frozenset(walls): self.check(given))
for wall, (changes, expected) in CONTAINER_WALLS.items():
    setattr(ContainersWithoutWalls, f"test_without_{wall}", lambda self, given=(changes, expected): self.check(*given))

if __name__ == "__main__":
    unittest.main()
