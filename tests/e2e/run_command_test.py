"""./run as a person uses it: in a network namespace, so that port 80 is free there or held by whom the test likes."""

import grp
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

from docker_engine import EmptyEngine
from lambda_server import ROOT
from machine import Network, SmallDisk, User, must

AWS = "/usr/bin/aws"  # Debian's, whatever else is in the PATH
WORLD = {"message": "Hello, World!"}


def kept_by_root(data):
    """Where root's ./run keeps the log and the pid of the server of a data directory: the log, the pid file, the lock."""
    real = os.path.realpath(data)
    name = re.sub(rb"[^A-Za-z0-9.-]", b"_", os.path.basename(real).encode())[:40].decode()
    name = f"{name}-{hashlib.sha256(real.encode()).hexdigest()[:16]}"
    return Path(f"/var/log/lambda/{name}.log"), Path(f"/run/lambda/{name}.pid"), Path(f"/run/lambda/{name}.lock")


class Place:
    """A network and a data directory for one server of ./run, and the calls a person makes there."""

    def __init__(self, network=None, tree=ROOT, user=None, **environment):
        self.network, self.tree, self.user = network or Network(), tree, user
        self.home = Path(tempfile.mkdtemp(prefix="lambda-test-run-")) if user is None else user.home
        if user is None:
            self.home.chmod(0o711)
        self.data = self.home / "data"
        self.environment = {"HOME": str(self.home), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LAMBDA_DATA_DIR": str(self.data),
                            "LAMBDA_SOCKET": str(self.home / "lambda.sock"), "LAMBDA_HELP_DIR": str(self.home / "share"), "TERM": "dumb",
                            **environment}

    def command(self, *words):
        return self.network.inside(*(self.user.acting(*words) if self.user else words))

    def run(self, *words, cwd=None, environment=None, program=None, timeout=300):
        """./run WORDS; what was said, both streams in one as a person sees them, in `said`."""
        done = subprocess.run(self.command(program or self.tree / "run", *words), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              stdin=subprocess.DEVNULL, env={**self.environment, **(environment or {})}, cwd=cwd or self.tree, timeout=timeout,
                              check=False)
        done.said = done.stdout
        return done

    def paste(self, line, timeout=120, **environment):
        """A line of what ./run printed, pasted into a new shell that does not have ./run's own settings."""
        mine = {"HOME": str(self.home), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **environment}
        return subprocess.run(self.command("bash", "-c", line), capture_output=True, text=True, stdin=subprocess.DEVNULL, env=mine, cwd=self.tree,
                              timeout=timeout, check=False)

    @property
    def facts(self):
        return json.loads((self.data / "server.json").read_text())

    def pid(self):
        return self.facts["pid"]

    @property
    def log(self):
        return kept_by_root(self.data)[0]

    @property
    def pid_file(self):
        return kept_by_root(self.data)[1]

    def close(self):
        try:
            self.run("stop")
        finally:
            self.network.close()
            if self.user is None:
                for file in kept_by_root(self.data):
                    file.unlink(missing_ok=True)
                shutil.rmtree(self.home, ignore_errors=True)


def lines_to_paste(said):
    """The lines below "Try:"."""
    return [line.strip() for line in said.split("\nTry:\n", 1)[1].split("\n\n")[0].splitlines()]


def must_be_done(done):
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def alive(pid):
    return Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


class RunTest(unittest.TestCase):
    def place(self, **more):
        place = Place(**more)
        self.addCleanup(place.close)
        return place

    def starts(self, done):
        self.assertEqual(done.returncode, 0, done.said)
        self.assertIn("Lambda is running.", done.said)
        return done.said


class FirstSteps(RunTest):
    """One server, and what a person does with it, in this order."""

    @classmethod
    def setUpClass(cls):
        cls.home = Place()
        cls.addClassCleanup(cls.home.close)
        cls.first = cls.home.run()

    def test_1_it_ends_with_what_a_person_wants_to_know(self):
        said = self.starts(self.first)
        self.assertIn(f"$ LAMBDA_DATA_DIR={self.home.data} bin/lambda deploy examples/hello --name greet", said)
        self.assertIn('Your function is live at: http://greet.localhost\n', said)
        self.assertIn('$ curl "http://greet.localhost?name=World"\n  {"message": "Hello, World!"}', said)
        self.assertRegex(said, r"\n  URL +http://127\.0\.0\.1 +\(functions: http://NAME\.localhost\)\n")
        self.assertRegex(said, r"\n  Port +80\n")
        self.assertRegex(said, r"\n  Driver +native +\(.+\)\n")
        self.assertRegex(said, r"\n  Docker +\S+")
        self.assertIn(str(self.home.log), said)
        self.assertEqual(self.home.network.listening(), {"127.0.0.1:80", "[::1]:80"})

    def test_2_every_line_can_be_pasted(self):
        lines = lines_to_paste(self.first.said)
        kinds = set()
        for line in lines:
            if "./run logs" in line:
                self.assertEqual(line, f"LAMBDA_DATA_DIR={self.home.data} ./run logs · LAMBDA_DATA_DIR={self.home.data} ./run stop · ./test")
                self.assertIn(f"pid {self.home.pid()}", self.home.paste(line.split(" · ")[0].replace("logs", "status")).stdout)
                continue
            with self.subTest(line=line):
                done = self.home.paste(line)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                if "curl" in line or " invoke " in line:
                    self.assertEqual(json.loads(done.stdout), WORLD)
                elif " deploy " in line:
                    self.assertEqual(done.stdout.strip(), "http://calc.localhost")
                else:
                    self.assertIn(AWS, "".join(done.stdout.split()) + AWS)
                    self.assertIn("greet", [function["FunctionName"] for function in json.loads(done.stdout)["Functions"]])
            kinds.add("curl -H" if "curl -H" in line else next(word for word in ("curl", "invoke", "deploy", "aws") if word in line))
        self.assertEqual(kinds, {"curl", "curl -H", "invoke", "deploy", "aws"})

    def test_3_it_says_that_names_do_not_resolve_where_they_do_not(self):
        resolves = self.home.paste("getent hosts greet.localhost").returncode == 0
        self.assertEqual("does not resolve on this machine" in self.first.said, not resolves, self.first.said)
        if not resolves:
            self.assertIn("libnss-myhostname", self.first.said)
            url = re.search(r"http://\S+/fn/greet/", self.first.said).group(0)
            self.assertEqual(json.loads(self.home.paste(f"curl -s '{url}?name=World'").stdout), WORLD)

    def test_4_the_second_time_is_quick_and_changes_nothing(self):
        pid = self.home.pid()
        began = time.monotonic()
        said = self.starts(self.home.run())
        self.assertLess(time.monotonic() - began, 15, said)
        self.assertEqual(self.home.pid(), pid)
        self.assertIn(f"running already (pid {pid})", said)
        self.assertIn("Unchanged: version 1", said)
        self.assertEqual(lines_to_paste(said), lines_to_paste(self.first.said))

    def test_5_from_another_directory_and_by_a_link(self):
        said = self.starts(self.home.run(cwd="/"))
        self.assertIn("running already", said)
        link = self.home.home / "start-lambda"
        link.symlink_to(ROOT / "run")
        self.assertIn(f"pid {self.home.pid()}", self.home.run("status", program=link, cwd="/").said)
        # A relative data directory is one from where the person stands.
        done = self.home.run("status", cwd=self.home.home, environment={"LAMBDA_DATA_DIR": "data"})
        self.assertIn(f"pid {self.home.pid()}", done.said)

    def test_6_status_and_logs(self):
        done = self.home.run("status")
        self.assertEqual(done.returncode, 0)
        for word in (str(self.home.pid()), "http://127.0.0.1", "native", str(self.home.log)):
            self.assertIn(word, done.said)
        follower = subprocess.Popen(self.home.command(ROOT / "run", "logs"), env=self.home.environment, stdout=subprocess.PIPE, text=True)
        try:
            self.home.paste("LAMBDA_DATA_DIR=" + str(self.home.data) + " bin/lambda deploy examples/hello --name logged")
            seen = ""
            while "deploy logged" not in seen:
                line = follower.stdout.readline()
                self.assertTrue(line, seen)
                seen += line
        finally:
            follower.terminate()
            follower.wait()
            follower.stdout.close()

    def test_7_a_wrong_word_changes_nothing(self):
        for words in (("stat",), ("--port", "80"), ("stop", "now")):
            done = self.home.run(*words)
            self.assertEqual(done.returncode, 2, done.said)
            self.assertIn("./run stop", done.said)
        done = self.home.run("--help")
        self.assertEqual(done.returncode, 0)
        self.assertIn("./run restart", done.said)
        self.assertEqual(self.home.run("status").returncode, 0)

    def test_8_restart(self):
        pid = self.home.pid()
        said = self.starts(self.home.run("restart"))
        self.assertIn(f"Stopped lambdad (pid {pid})", said)
        self.assertNotEqual(self.home.pid(), pid)
        self.assertFalse(alive(pid))
        self.assertIn("Unchanged: version 1", said)  # what was deployed is still there

    def test_8a_manual_pages_and_completion_are_where_it_was_told(self):
        share = self.home.home / "share"
        must("mandoc", "-T", "lint", "-W", "error", share / "man/man1/lambda.1", share / "man/man1/lambda-alias-set.1")
        for name, word in (("bash-completion/completions/lambda", "complete -F"), ("zsh/site-functions/_lambda", "#compdef lambda"),
                           ("fish/vendor_completions.d/lambda.fish", "complete -c lambda")):
            self.assertIn(word, (share / name).read_text())
        # A start that has nothing new to tell writes nothing.
        before = {file: file.stat().st_ino for file in share.rglob("*")}
        self.starts(self.home.run())
        self.assertEqual({file: file.stat().st_ino for file in share.rglob("*")}, before)

    def test_9_stop(self):
        pid = self.home.pid()
        done = self.home.run("stop")
        self.assertEqual((done.returncode, done.said), (0, f"Stopped lambdad (pid {pid}).\n"))
        self.assertFalse(alive(pid))
        self.assertEqual(self.home.network.listening(), set())
        self.assertEqual(self.home.run("stop").returncode, 0)
        done = self.home.run("status")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.said, f"lambdad is not running with the data directory {self.home.data}. Start it with "
                                    f"LAMBDA_DATA_DIR={self.home.data} ./run\n")
        # A person who calls now is told what to do.
        done = self.home.paste(f"LAMBDA_DATA_DIR={self.home.data} bin/lambda list")
        self.assertEqual(done.returncode, 6)
        self.assertIn("./run", done.stderr)

    def test_9a_uninstall(self):
        share = self.home.home / "share"
        own = share / "man/man1/mine.1"
        own.write_text("the person's\n")
        self.home.run()
        pid = self.home.pid()
        done = self.home.run("uninstall")
        self.assertEqual(done.returncode, 0, done.said)
        self.assertIn(f"Stopped lambdad (pid {pid})", done.said)
        self.assertIn(f"Removed the manual pages and the completion from {share}.", done.said)
        self.assertEqual([file for file in share.rglob("*") if file.is_file()], [own])
        self.assertTrue((self.home.data / "admin.key").exists())
        self.assertIn("There are no manual pages", self.home.run("uninstall").said)


class OwnFunctions(RunTest):
    """What a person has made of greet, and ./run after it."""

    KEPT = '"greet" is your own by now ({}): it was left as it is.\n'
    OTHER = "its versions or its draft are not the example's"

    def setUp(self):
        self.home = self.place()
        self.starts(self.home.run())

    def cli(self, line):
        return must_be_done(self.home.paste(f"export LAMBDA_DATA_DIR={self.home.data}; bin/lambda {line}")).stdout

    def aws(self, line):
        url = self.home.facts["url"]
        done = self.home.paste(f"export LAMBDA_DATA_DIR={self.home.data}; eval \"$(bin/lambda config aws)\" && "
                               f"{AWS} --endpoint-url {url} --output json lambda {line} --function-name greet")
        return json.loads(must_be_done(done).stdout)

    def folder(self, answer):
        """A folder with an app.py that answers that."""
        own = Path(tempfile.mkdtemp(prefix="own-", dir=self.home.home))
        own.chmod(0o755)
        (own / "app.py").write_text(f"def handler(event, context):\n    return {answer!r}\n")
        return own

    def state(self):
        """Draft, versions and the alias, to the revision."""
        return (self.aws("get-function-configuration"), self.aws("list-versions-by-function")["Versions"], self.aws("get-alias --name live"))

    def is_left_alone(self, *words, changed=OTHER):
        before = self.state()
        for word in words or ("start", "restart"):
            said = self.starts(self.home.run(word))
            self.assertNotIn("bin/lambda deploy examples/hello", said)
            self.assertIn(self.KEPT.format(changed), said)
            self.assertEqual(self.state(), before)
            lines = lines_to_paste(said)
            self.assertFalse([line for line in lines if "greet" in line], lines)
            self.assertIn("greet", self.home.paste(lines[0]).stdout)

    def test_a_function_of_the_person_s_own(self):
        self.cli(f"deploy {self.folder('mine')} --name greet --handler app.handler")
        self.is_left_alone()
        self.assertEqual(self.home.paste("curl -s http://greet.localhost").stdout, "mine")
        # Rolled back to the example, the draft is still the person's.
        self.cli("rollback greet")
        self.is_left_alone("start")
        # And who deleted it, and has others, does not get it back.
        self.cli(f"deploy {self.folder('other')} --name other --handler app.handler")
        self.cli("delete greet -y")
        said = self.starts(self.home.run())
        self.assertNotIn("your own", said)
        self.assertEqual([function["name"] for function in json.loads(self.cli("list -o json"))["functions"]], ["other"])

    def test_a_draft_of_other_code(self):
        folder = self.folder("draft")
        shutil.make_archive(str(folder / "code"), "zip", folder, "app.py")
        self.aws(f"update-function-code --zip-file fileb://{folder}/code.zip")
        self.is_left_alone()

    def test_a_draft_of_other_settings(self):
        self.aws("update-function-configuration --timeout 31 --environment Variables={STAGE=draft}")
        self.is_left_alone()

    def test_a_version_that_is_published_and_not_live_yet(self):
        self.aws("update-function-configuration --timeout 31")
        self.aws("publish-version")
        self.is_left_alone("start")

    def test_a_live_that_is_shared_by_two_versions(self):
        timeout = self.aws("get-function-configuration")["Timeout"]
        self.aws("update-function-configuration --timeout 31")
        self.aws("publish-version")
        self.aws(f"update-function-configuration --timeout {timeout}")  # the draft is as the example again
        self.aws("update-alias --name live --routing-config AdditionalVersionWeights={2=0.25}")
        self.is_left_alone()
        self.assertEqual(self.state()[2]["RoutingConfig"], {"AdditionalVersionWeights": {"2": 0.25}})

    def test_a_url_that_is_not_open(self):
        for auth in ("key", "iam", "none"):
            self.cli(f"url greet {auth}")
            listed = self.cli("list -o json")
            self.is_left_alone("start", changed="its URL is not open")
            self.assertEqual(self.cli("list -o json"), listed)
        self.cli("url greet open")
        self.assertIn("Unchanged: version 1", self.starts(self.home.run()))

    def test_no_calls_are_let_through(self):
        self.aws("put-function-concurrency --reserved-concurrent-executions 0")
        self.is_left_alone(changed="its reserved concurrency is 0, so it takes no calls")
        self.assertEqual(self.aws("get-function-concurrency"), {"ReservedConcurrentExecutions": 0})
        self.aws("put-function-concurrency --reserved-concurrent-executions 10")
        self.assertIn("Unchanged: version 1", self.starts(self.home.run()))

    def test_the_example_itself(self):
        before = self.state()
        self.assertIn("Unchanged: version 1", self.starts(self.home.run()))
        self.assertEqual(self.state(), before)
        # Another version of it, where these commands see it alone.
        newer = self.home.home / "hello"
        shutil.copytree(ROOT / "examples/hello", newer)
        file = newer / "lambda_function.py"
        file.write_text(file.read_text().replace("Hello, ", "Good day, "))
        # Not newer: a template of `lambda init` is made of it, and the program would be built with this one.
        shutil.copystat(ROOT / "examples/hello/lambda_function.py", file)
        script = f'mount --bind {newer} {ROOT}/examples/hello && exec {ROOT}/run'
        done = subprocess.run(self.home.network.inside("unshare", "--mount", "sh", "-c", script), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, env=self.home.environment, stdin=subprocess.DEVNULL, check=False, timeout=300)
        self.assertIn('{"message": "Good day, World!"}', done.stdout)
        draft, versions, live = self.state()
        self.assertEqual([version["Version"] for version in versions], ["$LATEST", "1", "2"])
        self.assertEqual(live["FunctionVersion"], "2")
        self.assertNotEqual(draft["CodeSha256"], before[0]["CodeSha256"])


class Ports(RunTest):
    def test_port_80_taken(self):
        place = self.place()
        holder = subprocess.Popen(place.command("python3", "-m", "http.server", "80", "--bind", "127.0.0.1"), stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
        self.addCleanup(holder.wait)
        self.addCleanup(holder.kill)
        while "127.0.0.1:80" not in place.network.listening():
            time.sleep(0.05)
        said = self.starts(place.run())
        self.assertRegex(said, rf"\n  Port +8080 +\(not 80: port 80 of 127.0.0.1 is in use by python3\S* \(pid {holder.pid}\)\)\n")
        self.assertRegex(said, r"\n  URL +http://127\.0\.0\.1:8080 +\(functions: http://NAME\.localhost:8080\)\n")
        self.assertIn("Your function is live at: http://greet.localhost:8080\n", said)
        for line in lines_to_paste(said)[:3]:
            self.assertEqual(json.loads(place.paste(line).stdout), WORLD, line)
        self.assertNotRegex(said, r"localhost(?!:8080)[\"/?]")
        # Freed, and asked to restart, it takes 80.
        holder.kill()
        holder.wait()
        self.assertRegex(self.starts(place.run("restart")), r"\n  Port +80\n")

    def test_beyond_this_machine(self):
        place = self.place(LAMBDA_LISTEN="0.0.0.0:8080")
        said = self.starts(place.run())
        self.assertRegex(said, r"\n  WARNING +lambdad listens beyond loopback \(0\.0\.0\.0:8080\): functions with an open URL can be called by whoever "
                               r"reaches it; the control API and all other URLs need a key\. Keys over plain HTTP are refused from there\n")
        place.environment["LAMBDA_LISTEN"] = "127.0.0.1:8080"
        self.assertNotIn("WARNING", self.starts(place.run("restart")))

    def test_no_loopback_address_at_all(self):
        other = Network()
        self.addCleanup(other.close)
        place = self.place(LAMBDA_LISTEN="10.231.7.1:8080")
        place.network.join(other)
        said = self.starts(place.run())
        self.assertIn("Your function is live at: http://greet.localhost:8080\n", said)
        self.assertIn("  WARNING  lambdad listens beyond loopback (10.231.7.1:8080)", said)
        for line in lines_to_paste(said):
            if "bin/lambda " in line:
                done = place.paste(line)
                self.assertEqual(done.returncode, 0, (line, done.stderr))
        self.assertIn("running already", self.starts(place.run()))

    def test_both_taken(self):
        place = self.place()
        for taken in place.network.listen(("127.0.0.1", 80), ("127.0.0.1", 8080)):
            self.addCleanup(taken.close)
        done = place.run()
        self.assertEqual(done.returncode, 1, done.said)
        for word in ("lambdad did not start", f"pid {os.getpid()}", "port 80 ", "8080", "LAMBDA_LISTEN=127.0.0.1:PORT"):
            self.assertIn(word, done.said)
        self.assertEqual(place.run("status").returncode, 1)
        # What it says helps.
        said = self.starts(place.run(environment={"LAMBDA_LISTEN": "127.0.0.1:9000"}))
        self.assertRegex(said, r"\n  Port +9000\n")
        self.assertEqual(json.loads(place.paste(lines_to_paste(said)[0]).stdout), WORLD)

    def test_without_ipv6(self):
        place = self.place(network=Network(ipv6=False))
        said = self.starts(place.run())
        self.assertRegex(said, r"\n  Port +80\n")
        self.assertEqual(place.network.listening(), {"127.0.0.1:80"})

    def test_another_domain(self):
        place = self.place(LAMBDA_DOMAIN="fn.example.test", LAMBDA_LISTEN="127.0.0.1:9000")
        said = self.starts(place.run())
        self.assertIn("http://greet.fn.example.test:9000", said)
        self.assertIn("*.fn.example.test does not resolve on this machine", said)
        line = next(line for line in lines_to_paste(said) if "curl -H" in line)
        self.assertEqual(json.loads(place.paste(line).stdout), WORLD)


class Surroundings(RunTest):
    def test_the_docker_driver_by_choice(self):
        place = self.place(LAMBDA_DRIVER="docker")
        said = self.starts(place.run())
        self.assertRegex(said, r"\n  Driver +docker")
        for line in lines_to_paste(said)[:3]:
            self.assertEqual(json.loads(place.paste(line).stdout), WORLD, line)

    def test_without_docker(self):
        place = self.place(DOCKER_HOST="unix:///nowhere/docker.sock")
        said = self.starts(place.run())
        self.assertRegex(said, r"\n  Driver +native ")
        self.assertRegex(said, r"\n  Docker +(?!there)\S.*(nowhere|no Docker)")

    def test_names_that_resolve_are_not_complained_of(self):
        place = self.place()
        hosts = place.home / "hosts"
        hosts.write_text("127.0.0.1 localhost greet.localhost\n")
        done = subprocess.run(place.network.inside("unshare", "--mount", "sh", "-c", f"mount --bind {hosts} /etc/hosts && exec {ROOT}/run"),
                              capture_output=True, text=True, env=place.environment, stdin=subprocess.DEVNULL, check=False, timeout=300)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertNotIn("does not resolve on this machine", done.stdout)

    def test_other_settings_of_the_person_do_not_lead_it_astray(self):
        """A host named for another server, in the environment and the configuration, and a proxy."""
        place = self.place(LAMBDA_HOST="http://127.0.0.1:1", LAMBDA_API_KEY="lam_" + "A" * 20 + "_" + "b" * 40, http_proxy="http://127.0.0.1:1")
        configuration = place.home / ".config/lambda"
        configuration.mkdir(parents=True)
        (configuration / "config.toml").write_text('host = "http://127.0.0.1:2"\n')
        said = self.starts(place.run())
        line = next(line for line in lines_to_paste(said) if " invoke " in line)
        self.assertEqual(json.loads(place.paste(line).stdout), WORLD, line)

    def test_the_data_directory_of_the_configuration_file(self):
        """/etc/lambda/lambdad.toml, seen by these commands alone."""
        place = self.place()
        etc = place.home / "etc-lambda"
        etc.mkdir()
        (etc / "lambdad.toml").write_text(f'data_dir = "{place.home}/elsewhere"\nsocket = "none"\n')
        made = not Path("/etc/lambda").exists()
        Path("/etc/lambda").mkdir(exist_ok=True)
        if made:
            self.addCleanup(Path("/etc/lambda").rmdir)
        environment = {name: value for name, value in place.environment.items() if not name.startswith("LAMBDA_")}

        def run(*words):
            script = f'mount --bind {etc} /etc/lambda && exec {ROOT}/run "$@"'
            return subprocess.run(place.network.inside("unshare", "--mount", "sh", "-c", script, "sh", *words), capture_output=True, text=True,
                                  env=environment, stdin=subprocess.DEVNULL, check=False, timeout=300)
        done = run()
        self.addCleanup(run, "stop")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        kept = kept_by_root(f"{place.home}/elsewhere")
        for file in kept:
            self.addCleanup(file.unlink, missing_ok=True)
        self.assertIn(str(kept[0]), done.stdout)
        self.assertIn("Stopped", run("stop").stdout)

    def test_a_wrong_setting_is_said_before_anything_is_started(self):
        place = self.place(LAMBDA_DRIVER="vm")
        done = place.run()
        self.assertEqual(done.returncode, 2, done.said)
        self.assertIn("LAMBDA_DRIVER in the environment: driver", done.said)
        self.assertFalse(place.pid_file.exists())


class Processes(RunTest):
    def test_a_killed_server(self):
        place = self.place()
        self.starts(place.run())
        pid = place.pid()
        os.kill(pid, signal.SIGKILL)
        while alive(pid):
            time.sleep(0.05)
        done = place.run("status")
        self.assertEqual(done.returncode, 1)
        self.assertIn("killed", done.said)
        said = self.starts(place.run())
        self.assertNotEqual(place.pid(), pid)
        self.assertIn("Unchanged: version 1", said)
        pid = place.pid()
        os.kill(pid, signal.SIGKILL)
        while alive(pid):
            time.sleep(0.05)
        listed = place.paste(f"LAMBDA_DATA_DIR={place.data} bin/lambda list")
        self.assertEqual(listed.returncode, 6, listed.stderr)
        self.assertIn("server.json is there, but no server runs with it", listed.stderr)
        done = place.run("stop")
        self.assertEqual(done.returncode, 0, done.said)
        self.assertIn("No lambdad that ./run started is running", done.said)

    def test_the_process_of_somebody_else_is_never_touched(self):
        place = self.place()
        self.starts(place.run())
        pid_file = place.pid_file
        whole = pid_file.read_text().split()
        place.run("stop")
        stranger = subprocess.Popen(["sleep", "600"])
        self.addCleanup(stranger.wait)
        self.addCleanup(stranger.kill)
        began = Path(f"/proc/{stranger.pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
        # Another process under the number; the same number at the same moment but another program; rubbish.
        for text in (f"{stranger.pid} {whole[1]} {whole[2]}", f"{stranger.pid} {began} {whole[2]}", str(stranger.pid), "-1 0", "1 1", "0", "", "a b c", "$(touch /tmp/x) 1"):
            with self.subTest(text=text):
                pid_file.write_text(text + "\n")
                self.assertEqual(place.run("status").returncode, 1)
                pid_file.write_text(text + "\n")
                self.assertIn("No lambdad", place.run("stop").said)
                self.assertIsNone(stranger.poll())
        pid_file.write_text(f"{stranger.pid} {began} x\n")
        self.starts(place.run())
        self.assertIsNone(stranger.poll())

    def test_two_at_once(self):
        place = self.place()
        both = [subprocess.Popen(place.command(ROOT / "run"), env=place.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                 stdin=subprocess.DEVNULL) for _ in range(2)]
        said = [one.communicate(timeout=300)[0] for one in both]
        self.assertEqual([one.returncode for one in both], [0, 0], "\n---\n".join(said))
        self.assertEqual(sum("Started lambdad" in text for text in said), 1, said)
        self.assertEqual(sum("running already" in text for text in said), 1, said)
        self.assertEqual(place.network.listening(), {"127.0.0.1:80", "[::1]:80"})

    def test_a_newer_build_replaces_the_one_that_runs(self):
        place = self.place()
        self.starts(place.run())
        pid = place.pid()
        # As the linker does it: another file under the same name.
        program = ROOT / "build/release/bin/lambda-spawn"
        copy = program.with_suffix(".new")
        shutil.copy2(program, copy)
        os.utime(copy)
        copy.rename(program)
        said = self.starts(place.run())
        self.assertIn(f"lambdad (pid {pid}) runs an older build: restarting it.", said)
        self.assertNotEqual(place.pid(), pid)
        self.assertIn("running already", place.run().said)

    def test_what_runs_is_finished_before_a_stop(self):
        place = self.place()
        self.starts(place.run())
        slow = place.home / "slow"
        slow.mkdir()
        (slow / "app.py").write_text("import time\ndef handler(event, context):\n    time.sleep(3)\n    return 'whole'\n")
        done = place.paste(f"LAMBDA_DATA_DIR={place.data} bin/lambda deploy {slow} --name slow --handler app.handler")
        self.assertEqual(done.returncode, 0, done.stderr)
        call = subprocess.Popen(place.command("curl", "-s", "http://slow.localhost"), stdout=subprocess.PIPE, text=True)
        time.sleep(1)
        # Who grows impatient and says it again costs no call either.
        impatient = subprocess.Popen(place.command(ROOT / "run", "stop"), env=place.environment, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        while "ending" not in place.pid_file.read_text():
            time.sleep(0.02)
        impatient.kill()
        impatient.wait()
        said = self.starts(place.run())
        self.assertIn("is ending: starting another after it", said)
        self.assertEqual(call.communicate(timeout=30)[0], "whole")
        self.assertIn("Stopped", place.run("stop").said)


class Log(RunTest):
    def test_it_is_for_root_and_the_group_and_is_put_aside_when_it_is_large(self):
        place = self.place()
        place.log.parent.mkdir(exist_ok=True)
        place.log.write_text("long ago\n")
        place.log.chmod(0o644)
        os.truncate(place.log, (64 << 20) + 1)
        aside = place.log.with_name(place.log.name + ".1")
        self.addCleanup(aside.unlink, missing_ok=True)
        self.starts(place.run())
        self.assertEqual(aside.stat().st_size, (64 << 20) + 1)
        self.assertIn("serves", place.log.read_text())
        state = place.log.stat()
        self.assertEqual((state.st_uid, state.st_mode & 0o777), (0, 0o640))
        self.assertEqual(state.st_gid, grp.getgrnam("lambda").gr_gid)
        # And what is not large stays.
        said = place.log.read_text()
        self.starts(place.run("restart"))
        self.assertTrue(place.log.read_text().startswith(said))

    def test_it_is_put_aside_while_the_server_runs_and_loses_no_line(self):
        with tempfile.TemporaryDirectory() as directory:
            log = Path(directory) / "server.log"
            line = "%08d" + "x" * 91 + "\n"
            said = "".join(line % number for number in range(240_000))  # 24 MB
            keep = f"source tools/server.sh; log={log} log_limit=$((12 << 20)); open_log; keep_log"
            subprocess.run(["bash", "-ec", keep], input=said, text=True, cwd=ROOT, check=True, timeout=120)
            kept = log.with_name("server.log.1").read_text() + log.read_text()
            self.assertTrue(said.endswith(kept))
            self.assertGreater(len(kept), 12 << 20)
            self.assertLess(log.stat().st_size, 30 << 20)


class NotRoot(RunTest):
    """A person without root, in a tree that root built."""

    def person(self, *groups):
        user = User(*groups)
        self.addCleanup(user.close)
        return user

    def test_without_docker_it_says_what_is_missing_and_who_can_help(self):
        user = self.person()
        place = self.place(user=user, LAMBDA_SOCKET="", LAMBDA_DATA_DIR="", LAMBDA_HELP_DIR="")
        place.data = user.home / ".local/share/lambda"
        done = place.run()
        self.assertEqual(done.returncode, 1, done.said)
        self.assertIn("Lambda is running.", done.said)
        self.assertRegex(done.said, r"\n  Port +8080 +\(not 80: port 80 of 127.0.0.1 needs root")
        self.assertRegex(done.said, r"\n  Driver +none +\(none: native: it needs lambdad to be started as root; docker: .+\)\n")
        self.assertIn(f"adduser {user.name} docker", done.said)
        self.assertNotIn("Traceback", done.said)
        self.assertTrue((user.home / ".local/share/man/man1/lambda.1").exists())
        self.assertEqual((place.data / "admin.key").stat().st_uid, user.home.stat().st_uid)
        # The server itself is this person's: keys, the command line, an end to it.
        self.assertEqual(place.paste("bin/lambda list").returncode, 0)
        self.assertIn("runs (pid", place.run("status").said)
        self.assertIn("Stopped", place.run("stop").said)

    def test_a_member_of_the_group_docker_has_everything_but_the_native_driver(self):
        user = self.person("docker")
        place = self.place(user=user, LAMBDA_SOCKET="", LAMBDA_DATA_DIR="")
        place.data = user.home / ".local/share/lambda"
        said = self.starts(place.run())
        self.assertRegex(said, r"\n  Driver +docker +\(.*native cannot work here: it needs lambdad to be started as root\)\n")
        self.assertRegex(said, r"\n  Docker +Docker Engine \d+")
        self.assertIn("\n  User     " + user.name, said)
        for line in lines_to_paste(said)[:-1]:
            done = place.paste(line)
            self.assertEqual(done.returncode, 0, (line, done.stdout, done.stderr))
            self.assertNotIn("LAMBDA_", line)  # the command line finds this server by itself

    def test_a_data_directory_that_cannot_be_written(self):
        user = self.person()
        place = self.place(user=user, LAMBDA_SOCKET="", LAMBDA_DATA_DIR="/usr/lambda-data")
        done = place.run()
        self.assertEqual(done.returncode, 1, done.said)
        self.assertIn("The data directory /usr/lambda-data cannot be written", done.said)
        self.assertIn("LAMBDA_DATA_DIR=", done.said)

    def test_a_data_directory_below_one_that_is_closed(self):
        closed = Path(tempfile.mkdtemp(prefix="lambda-test-closed-"))
        self.addCleanup(shutil.rmtree, closed, True)
        place = self.place(user=self.person(), LAMBDA_SOCKET="", LAMBDA_DATA_DIR=str(closed / "data"))
        done = place.run()
        self.assertEqual(done.returncode, 1, done.said)
        self.assertIn(f"The data directory {closed}/data cannot be written by {place.user.name}. {closed} (mode 700) is closed to that user", done.said)

    def test_the_server_of_root_is_not_stopped_by_another(self):
        user = self.person()
        roots = self.place()
        self.starts(roots.run())
        place = Place(network=roots.network, user=user, LAMBDA_DATA_DIR=str(roots.data))
        for words in ((), ("stop",), ("restart",)):
            done = place.run(*words)
            self.assertNotEqual(done.returncode, 0, done.said)
        self.assertIn("root", place.run("stop").said)
        self.assertIn("runs (pid", roots.run("status").said)
        # Root's file says where it is, but its key is not for everybody.
        done = place.paste(f"LAMBDA_DATA_DIR={roots.data} bin/lambda list")
        self.assertNotEqual(done.returncode, 0)

    def test_a_tree_that_is_not_built(self):
        user = self.person()
        tree = Path(tempfile.mkdtemp(prefix="lambda-test-tree-"))
        self.addCleanup(shutil.rmtree, tree, True)
        tree.chmod(0o755)
        must("cp", "-r", ROOT / "run", ROOT / "tools", tree)
        place = self.place(user=user, tree=tree, LAMBDA_SOCKET="", LAMBDA_DATA_DIR="")
        done = place.run()
        self.assertEqual(done.returncode, 1, done.said)
        self.assertIn("is not built", done.said)
        self.assertIn("clone", done.said)


class FullDisks(RunTest):
    """File systems of 8 MB: what does not fit is said before it is begun, with where and how much."""

    def setUp(self):
        disk = SmallDisk(8, "full-disk")
        self.addCleanup(disk.close)
        self.mount = disk.path

    def told(self, done, needed, where):
        self.assertEqual(done.returncode, 1, done.stdout + (done.stderr or ""))
        said = done.stdout + (done.stderr or "")
        self.assertRegex(said, rf"The file system at {self.mount} \(full-disk\) has too little room: \d MB are free there, and .* needs about "
                               rf"{needed} MB in {where}\. Make room and try again\.")
        self.assertNotIn("No space left", said)

    def test_for_the_data_directory(self):
        place = self.place()
        self.told(place.run(environment={"LAMBDA_DATA_DIR": str(self.mount / "data")}), 20, self.mount / "data")
        self.assertFalse((self.mount / "data/lambdad.pid").exists())

    def test_for_a_build(self):
        must("cp", "-r", ROOT / "tools", self.mount)
        done = subprocess.run(["bash", "-c", "set -eu; source tools/build.sh; build_preset release lambda"], cwd=self.mount, capture_output=True, text=True,
                              check=False)
        self.told(done, 300, self.mount / "build")
        self.assertFalse((self.mount / "build").exists())

    def test_for_a_base_file_system(self):
        done = subprocess.run([ROOT / "runtimes/build", "python3.11"], capture_output=True, text=True, check=False,
                              env={**os.environ, "LAMBDA_RUNTIMES_DIR": str(self.mount / "runtimes")})
        self.told(done, 400, self.mount / "runtimes")
        self.assertFalse((self.mount / "runtimes/.python3.11.new").exists())


class DockerComesLater(RunTest):
    def test_what_is_said_of_it_is_how_it_is_now(self):
        place = self.place()
        socket = place.home / "docker.sock"
        place.environment["LAMBDA_DOCKER_HOST"] = f"unix://{socket}"
        self.assertRegex(self.starts(place.run()), rf"\n  Docker +Docker Engine does not run here: there is no socket {socket}")
        engine = EmptyEngine(socket, grp.getgrnam("games").gr_gid)
        self.addCleanup(engine.close)
        engine.refusals["/images/create"] = "no images today"
        said = self.starts(place.run())
        self.assertIn("running already", said)
        self.assertIn("Docker Engine refused to import", said)
        self.assertRegex(said, rf"\n  Docker +this lambdad may not use Docker Engine yet: {socket} is there and open to the group games.* \(\./run restart\)\n")
        self.assertRegex(self.starts(place.run("restart")), rf"\n  Docker +Docker Engine 99.1 at {socket}\n")


class DataDirectory(RunTest):
    def test_one_that_cannot_be_made(self):
        place = self.place()
        (place.home / "file").write_text("")
        done = place.run(environment={"LAMBDA_DATA_DIR": str(place.home / "file/data")})
        self.assertEqual(done.returncode, 1, done.said)
        self.assertIn(f"The data directory {place.home}/file/data cannot be written by root. {place.home}/file is not a directory", done.said)

    def test_one_that_is_a_file(self):
        place = self.place()
        (place.home / "file").write_text("")
        done = place.run(environment={"LAMBDA_DATA_DIR": str(place.home / "file")})
        self.assertEqual(done.returncode, 1, done.said)
        self.assertIn(f"{place.home}/file is not a directory: move it away, or choose another: LAMBDA_DATA_DIR=", done.said)

    def test_one_that_the_server_s_user_cannot_reach(self):
        place = self.place()
        place.home.chmod(0o700)
        done = place.run()
        self.assertEqual(done.returncode, 1, done.said)
        self.assertRegex(done.said, rf"{place.home} \(mode 0700\) is closed to lambda \(uid \d+\): let it through with chmod o\+x {place.home}, or choose another")
        place.home.chmod(0o711)
        self.starts(place.run())

    def test_one_with_blanks_in_its_name(self):
        place = self.place()
        place.data = place.home / "my data"
        place.environment["LAMBDA_DATA_DIR"] = str(place.data)
        said = self.starts(place.run())
        for line in lines_to_paste(said)[:4]:
            self.assertEqual(place.paste(line).returncode, 0, line)


if __name__ == "__main__":
    sys.exit(unittest.main())
