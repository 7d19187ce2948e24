"""Starting and stopping: what lambdad says when it cannot, what outlives a restart, and how it ends."""

import grp
import http.client
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import threading
import time
import unittest
from pathlib import Path

from docker_engine import EmptyEngine
from lambda_server import BIN, RUNTIMES, LambdaServer, ServerTest, on_both_drivers
from machine import User


def start_fails(*flags, environment=None):
    """The exit status and what was said by a lambdad that cannot start."""
    done = subprocess.run([BIN / "lambdad", "--runtimes-dir", RUNTIMES, *map(str, flags)], capture_output=True, text=True, timeout=30,
                          stdin=subprocess.DEVNULL, env={**os.environ, **(environment or {})}, check=False)
    return done.returncode, done.stdout + done.stderr


class CannotStart(unittest.TestCase):
    def setUp(self):
        self.home = Path(tempfile.mkdtemp(prefix="lambda-start-"))
        self.home.chmod(0o711)
        self.common = ["--data-dir", self.home / "data", "--listen", "127.0.0.1:0", "--socket", "none"]

    def refused(self, flags, *words, environment=None):
        status, said = start_fails(*flags, environment=environment)
        self.assertNotEqual(status, 0, said)
        for word in words:
            self.assertIn(word, said)
        self.assertNotIn("terminate called", said)
        self.assertLess(len(said.splitlines()), 12, said)

    def test_a_port_in_use(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            self.refused(["--data-dir", self.home / "data", "--socket", "none", "--listen", f"127.0.0.1:{port}"], str(port), "in use")

    def test_a_data_directory_that_cannot_be_made(self):
        (self.home / "file").write_text("x")
        self.refused(["--data-dir", self.home / "file", "--listen", "127.0.0.1:0", "--socket", "none"], f"{self.home}/file is not a directory", "--data-dir")
        self.refused(["--data-dir", "/proc/lambda", "--listen", "127.0.0.1:0", "--socket", "none"], "/proc/lambda")

    def test_a_data_directory_that_its_user_cannot_reach(self):
        self.home.chmod(0o700)
        self.refused(self.common, f"{self.home} (mode 0700) is closed to lambda (uid ", f"chmod o+x {self.home}", "--data-dir")

    def test_a_data_directory_of_a_newer_version(self):
        with LambdaServer("native"):
            pass
        server = LambdaServer("native").start()
        self.assertEqual(server.stop(), 0)
        database = next(server.data.glob("*.db"))
        connection = sqlite3.connect(database)
        connection.execute("PRAGMA user_version = 9999")
        connection.commit()
        connection.close()
        before = database.read_bytes()
        self.refused(["--data-dir", server.data, "--listen", "127.0.0.1:0", "--socket", "none"], "newer")
        self.assertEqual(database.read_bytes(), before)
        server.close()

    def test_two_servers_on_one_data_directory(self):
        with LambdaServer("native") as server:
            self.refused(["--data-dir", server.data, "--listen", "127.0.0.1:0", "--socket", "none"], str(server.data))
            self.assertEqual(server.request("GET", "/_lambda/health").status, 200)

    def test_settings_are_checked_with_their_source(self):
        self.refused([*self.common, "--account", "12"], "--account", "12 digits")
        self.refused([*self.common, "--driver", "vm"], "--driver", "native")
        self.refused([*self.common, "--no-such-flag"], "no-such-flag")
        self.refused(self.common, "LAMBDA_IDLE_TIME", environment={"LAMBDA_IDLE_TIME": "soon"})
        file = self.home / "lambdad.toml"
        file.write_text('domain = "localhost"\n\ndrivr = "native"\n')
        self.refused([*self.common, "--config", file], "line 3", "drivr")
        file.write_text("domain = [broken\n")
        self.refused([*self.common, "--config", file], "line 1")
        self.refused([*self.common, "--config", self.home / "absent.toml"], "absent.toml")

    def test_a_user_that_is_not_there_is_found_by_the_check(self):
        for more in ([], ["--check"]):
            self.refused([*self.common, "--user", "nobody-of-this-name", *more], '"nobody-of-this-name"', "adduser --system")

    def test_no_docker(self):
        self.refused([*self.common, "--driver", "docker", "--docker-host", f"unix://{self.home}/no.sock"], "no.sock")


def has_ipv6():
    """Whether this machine has ::1: a container may not."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


class Localhost(unittest.TestCase):
    def test_is_all_of_its_addresses(self):
        class Server(LambdaServer):
            def command(self):
                command = super().command()
                command[command.index("--listen") + 1] = "localhost:0"
                return command

        with Server("native") as server:
            hosts = ["127.0.0.1", "::1"] if has_ipv6() else ["127.0.0.1"]
            self.assertEqual(server.facts["addresses"], [f"[{host}]:{server.port}" if ":" in host else f"{host}:{server.port}" for host in hosts])
            for host in hosts:
                connection = http.client.HTTPConnection(host, server.port, timeout=10)
                connection.request("GET", "/_lambda/health")
                self.assertEqual(connection.getresponse().status, 200)
                connection.close()


class Precedence(unittest.TestCase):
    def test_flag_over_environment_over_file(self):
        home = Path(tempfile.mkdtemp(prefix="lambda-start-"))
        file = home / "lambdad.toml"
        file.write_text('domain = "file.example"\naccount = "111111111111"\nregion = "file-1"\n')
        environment = {"LAMBDA_ACCOUNT": "222222222222", "LAMBDA_REGION": "env-1"}
        with LambdaServer("native", ["--config", str(file), "--region", "flag-1"], environment=environment) as server:
            status = server.api("GET", "/_lambda/status").json()
            self.assertEqual((status["domain"], status["account"], status["region"]), ("file.example", "222222222222", "flag-1"))


class Files(unittest.TestCase):
    def test_the_key_is_its_owner_s_alone(self):
        with LambdaServer("native") as server:
            self.assertEqual((server.data / "admin.key").stat().st_mode & 0o777, 0o600)
            self.assertRegex(server.key, r"^lam_[A-Z0-9]{20}_[A-Za-z0-9]{40}$")
            secret = server.key.split("_")[2].encode()
            for path in server.data.rglob("*"):
                if path.is_file() and path.name != "admin.key":
                    self.assertNotIn(secret, path.read_bytes(), f"{path} holds the secret as it is")

    def test_the_local_command_line_finds_the_server_by_its_data_directory(self):
        with LambdaServer("native") as server:
            environment = {"LAMBDA_DATA_DIR": str(server.data), "PATH": os.environ["PATH"], "HOME": str(server.home)}
            done = subprocess.run([BIN / "lambda", "list", "-o", "json"], capture_output=True, text=True, env=environment, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_it_is_not_root_once_it_runs(self):
        with LambdaServer("native") as server:
            status = Path(f"/proc/{server.process.pid}/status").read_text()
            self.assertNotIn("Uid:\t0\t", status)


@on_both_drivers
class Restarts(unittest.TestCase):
    def test_everything_acknowledged_outlives_a_restart_and_a_kill(self):
        server = LambdaServer(self.driver).start()
        self.addCleanup(server.close)
        server.deploy({"app.py": "import os\ndef handler(e, c): return os.environ['STAGE']"}, "kept", "--handler", "app.handler", "-e", "STAGE=1")
        server.deploy({"app.py": "import os\ndef handler(e, c): return os.environ['STAGE']"}, "kept", "-e", "STAGE=2")
        server.cli("rollback", "kept")
        key = server.key
        for end in (server.stop, server.kill):
            end()
            server.start()
            self.assertEqual(server.key, key)
            self.assertEqual(server.get("kept").text, "1")
            self.assertEqual(server.invoke("kept", qualifier="2").text, '"2"')

    def test_running_calls_end_before_the_server_does(self):
        server = LambdaServer(self.driver).start()
        self.addCleanup(server.close)
        server.deploy({"app.py": "import time\ndef handler(e, c):\n    time.sleep(2)\n    return 'whole'"}, "slow", "--handler", "app.handler")
        replies = []
        thread = threading.Thread(target=lambda: replies.append(server.get("slow")))
        thread.start()
        time.sleep(0.7)
        self.assertEqual(server.stop(), 0)
        thread.join()
        self.assertEqual((replies[0].status, replies[0].text), (200, "whole"))

    def test_it_ends_amid_everything_without_a_word(self):
        """A call, a deploy that initialises, one that compiles and one that uploads: nobody waits for them, and nothing breaks."""
        server = LambdaServer(self.driver, ["--drain-time", "0"]).start()
        self.addCleanup(server.close)
        sleeper = "import time\ndef handler(e, c):\n    time.sleep(20)\n"
        server.deploy({"app.py": sleeper}, "slow", "--handler", "app.handler", "--timeout", "30")
        large = {f"m{i}.py": "".join(f"def f{j}(a, b):\n    return a + b + {j}\n" for j in range(400)) for i in range(300)}
        work = [lambda: server.get("slow"),
                lambda: server.deploy({"app.py": f"import time\ntime.sleep(8)\n{sleeper}"}, "starts", "--handler", "app.handler", check=False),
                lambda: server.deploy({"app.py": sleeper, **large}, "compiles", "--handler", "app.handler", check=False),
                lambda: server.deploy({"app.py": sleeper, **{f"d/{i}.txt": "x" for i in range(4000)}}, "unpacks", "--handler", "app.handler",
                                      check=False)]
        threads = [threading.Thread(target=quietly, args=(job,)) for job in work]
        for thread in threads:
            thread.start()
        time.sleep(1.5)
        self.assertEqual(server.stop(), 0)
        for thread in threads:
            thread.join(30)
        self.assertNotRegex(server.log_text(), "Sanitizer|terminate called")
        server.start()
        self.assertIn("slow", [function["name"] for function in json.loads(server.cli("list", "-o", "json").stdout)["functions"]])

    def test_nothing_is_left_when_it_has_ended(self):
        before = leftovers()
        with LambdaServer(self.driver) as server:
            server.deploy({"app.py": "def handler(e, c): return 1"}, "left", "--handler", "app.handler")
            server.get("left")
        deadline = time.monotonic() + 15
        while leftovers() - before and time.monotonic() < deadline:
            time.sleep(0.3)
        self.assertEqual(leftovers() - before, set())

    def test_a_killed_server_s_sandboxes_do_not_outlive_the_next_start(self):
        before = leftovers()
        server = LambdaServer(self.driver).start()
        server.deploy({"app.py": "def handler(e, c): return 1"}, "orphan", "--handler", "app.handler")
        server.get("orphan")
        server.kill()
        server.start()
        self.assertEqual(server.get("orphan").status, 200)
        server.close()
        deadline = time.monotonic() + 15
        while leftovers() - before and time.monotonic() < deadline:
            time.sleep(0.3)
        self.assertEqual(leftovers() - before, set())


class OwnRun(LambdaServer):
    """A server with a /run of its own, empty but for Docker's socket, and that from now or later on."""

    docker = True

    def command(self):
        there = self.home / "run"
        there.mkdir(exist_ok=True)
        link = f"ln -s {there}/docker.sock /run/docker.sock; " if self.docker else ""
        script = f'mount --rbind /run {there} && mount -t tmpfs tmpfs /run && {link}exec "$@"'
        return ["unshare", "--mount", "sh", "-c", script, "sh", *super().command()]

    def begin_docker(self):
        Path(f"/proc/{self.process.pid}/root/run/docker.sock").symlink_to(self.home / "run/docker.sock")

    def groups(self):
        return re.search(r"^Groups:(.*)", Path(f"/proc/{self.process.pid}/status").read_text(), re.MULTILINE)[1].split()


class DockerComesLater(unittest.TestCase):
    """A machine that boots starts Docker Engine when it likes."""

    def test_it_is_noticed_and_what_an_earlier_server_left_goes(self):
        before, others = leftovers(), containers()
        server = OwnRun("native").start()
        self.addCleanup(server.close)
        for name in ("orphan", "other"):
            server.deploy({"app.py": "def handler(e, c): return 1"}, name, "--handler", "app.handler", "--driver", "docker")
        orphans = containers() - others
        self.assertEqual(len(orphans), 2)
        server.kill()
        server.docker = False
        server.start()
        self.assertIn("does not run here", server.facts["docker"])
        self.assertEqual(server.get("orphan").status, 503)
        self.assertLessEqual(orphans, containers())
        server.begin_docker()
        self.assertEqual(server.get("other").text, "1", server.log_text())
        deadline = time.monotonic() + 20
        while "does not run here" in server.api("GET", "/_lambda/status").json()["docker"] or orphans & containers():
            self.assertLess(time.monotonic(), deadline, server.log_text())
            time.sleep(0.1)
        self.assertRegex(json.loads((server.data / "server.json").read_text())["docker"], r"^Docker Engine \d")
        self.assertEqual(server.get("other").text, "1", "what this server started stays")
        server.close()
        self.assertEqual(leftovers() - before, set())

    def test_the_group_docker_is_kept_for_the_systems_engine_alone(self):
        own, docker = str(grp.getgrnam("lambda").gr_gid), str(grp.getgrnam("docker").gr_gid)
        for flags, groups in (([], {docker}), (["--docker-host", "none"], set()), (["--docker-host", "unix:///nowhere/docker.sock"], set())):
            with self.subTest(flags=flags):
                server = OwnRun("native", flags)
                server.docker = False
                with server:
                    self.assertEqual(set(server.groups()) - {own}, groups)


class DockerChanges(unittest.TestCase):
    """Docker is installed, fails and goes while the server runs: what is said is how it is when it is asked."""

    def setUp(self):
        self.server = LambdaServer("native")
        self.addCleanup(self.server.close)
        self.socket = self.server.home / "docker.sock"
        self.server.flags += ["--docker-host", f"unix://{self.socket}"]
        self.server.start()

    def engine(self):
        engine = EmptyEngine(self.socket, grp.getgrnam("games").gr_gid)
        self.addCleanup(engine.close)
        return engine

    def docker(self):
        """The answer of the status, which the doctor and the server's own file say as well."""
        text = self.server.api("GET", "/_lambda/status?docker=now").json()["docker"]
        self.assertEqual(self.server.api("GET", "/_lambda/status").json()["docker"], text)
        self.assertEqual(json.loads((self.server.data / "server.json").read_text())["docker"], text)
        self.assertRegex(self.server.cli("doctor").stdout, rf"\ndocker +(ok|warn) +{re.escape(text)}\n")
        return text

    def test_a_socket_whose_group_is_taken_only_at_a_start(self):
        self.assertIn(f"there is no socket {self.socket}", self.docker())
        engine = self.engine()
        self.assertEqual(self.docker(), f"this lambdad may not use Docker Engine yet: {self.socket} is there and open to the group games, but lambdad takes that "
                                        "group only when it starts, and the socket or its group came later. Start lambdad again (./run restart)")
        self.server.stop()
        self.server.start()
        self.assertEqual(self.docker(), f"Docker Engine 99.1 at {self.socket}")
        engine.close()
        self.assertIn(f"there is no socket {self.socket}", self.docker())

    def test_a_socket_of_root_alone_is_not_promised_for_a_start(self):
        engine = EmptyEngine(self.socket, 0)
        self.addCleanup(engine.close)
        text = self.docker()
        self.assertIn(f"{self.socket} belongs to root, group root. Have Docker make it for a group of its own", text)
        self.assertNotIn("adduser", text)

    def test_one_that_hangs_is_waited_for_by_those_alone_who_ask_for_it(self):
        engine = EmptyEngine(self.socket, 0, mode=0o666)
        self.addCleanup(engine.close)
        works = self.docker()
        self.assertEqual(works, f"Docker Engine 99.1 at {self.socket}")
        folder = self.server.folder({"app.py": "def handler(e, c): return 1"})
        engine.hang()

        def lasts(words):
            began = time.monotonic()
            self.server.cli(*words)
            return time.monotonic() - began
        for words in (("config", "aws"), ("deploy", folder, "--name", "quick", "--runtime", "python3.11", "--handler", "app.handler")):
            self.assertLess(lasts(words), 1.9, words)
        self.assertEqual(self.server.api("GET", "/_lambda/status").json()["docker"], works)
        began = time.monotonic()
        self.assertIn(f"Docker Engine at {self.socket} does not answer in time", self.server.api("GET", "/_lambda/status?docker=now").json()["docker"])
        self.assertLess(time.monotonic() - began, 4)
        self.assertLess(lasts(("doctor",)), 4)
        engine.go_on()
        deadline = time.monotonic() + 20
        while self.server.api("GET", "/_lambda/status").json()["docker"] != works:
            self.assertLess(time.monotonic(), deadline, self.server.log_text())
            time.sleep(0.1)

    def test_a_person_who_joins_the_group_later(self):
        user = User()
        self.addCleanup(user.close)
        server = LambdaServer("docker")
        server.data = user.home / "data"
        server.command = lambda: user.acting(str(BIN / "lambdad"), "--data-dir", str(server.data), "--listen", "127.0.0.1:0", "--socket", "none",
                                             "--docker-host", f"unix://{self.socket}")
        self.engine()
        with server:
            said = []
            for _ in range(2):
                said.append(server.api("GET", "/_lambda/status?docker=now").json()["docker"])
                user.join("games")
            self.assertIn(f"(adduser {user.name} games), log in again and start lambdad again (./run restart)", said[0])
            self.assertIn(f"of which user {user.name} is a member only since after its login or lambdad's start. Log in again", said[1])

    def test_what_an_earlier_server_left_is_asked_for_again_and_each_reason_said_once(self):
        engine = EmptyEngine(self.socket, 0, mode=0o666)
        self.addCleanup(engine.close)

        def said(words):
            return sum("containers of an earlier server" in line and words in line for line in self.server.log_lines)

        for words in ("no disk", "no memory"):
            engine.refusals["/containers/json"] = words
            deadline = time.monotonic() + 15
            while not said(words):
                self.assertLess(time.monotonic(), deadline, self.server.log_text())
                time.sleep(0.1)
            time.sleep(6)  # it is asked every 5 s
            self.assertEqual(said(words), 1, self.server.log_text())


class SpawnGone(unittest.TestCase):
    def test_lambdad_ends_with_its_hand_and_says_so(self):
        server = LambdaServer("native").start()
        self.addCleanup(server.close)
        server.deploy({"app.py": "def handler(e, c): return 1"}, "orphan", "--handler", "app.handler")
        children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
        spawn = [pid for pid in children if Path(f"/proc/{pid}/comm").read_text().strip() == "lambda-spawn"]
        self.assertEqual(len(spawn), 1, children)
        os.kill(int(spawn[0]), signal.SIGKILL)
        self.assertEqual(server.process.wait(timeout=60), 1)
        time.sleep(0.2)
        self.assertIn("lambda-spawn has ended", server.log_text())
        server.start()
        self.assertEqual(server.get("orphan").text, "1")


def quietly(job):
    try:
        job()
    except (OSError, AssertionError, http.client.HTTPException):
        pass  # the server went away under it


def containers():
    done = subprocess.run(["docker", "ps", "-aq", "--no-trunc", "--filter", "label=lambda"], capture_output=True, text=True, check=False)
    return set(done.stdout.split())


def leftovers():
    """What a server could leave on the machine: mounts, control groups of ours, our containers, its helpers."""
    found = set()
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        if "lambda-test" in line:
            found.add("mount " + line.split()[4])
    found.update("container " + line for line in containers())
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                name, rest = (process / "stat").read_text().split("(", 1)[1].rsplit(")", 1)
                # A dead one that nobody has buried is none: not every container's pid 1 does.
                if name in ("lambda-spawn", "lambda-init") and rest.split()[0] != "Z":
                    found.add("process " + process.name)
            except OSError:
                pass
    return found


if __name__ == "__main__":
    unittest.main()
