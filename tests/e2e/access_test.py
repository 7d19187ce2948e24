"""Who may reach lambdad and who may call: addresses, keys, the unix socket, the URL's own rule; and its configuration."""

import atexit
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from lambda_server import BIN, ROOT, RUNTIMES, LambdaServer
from machine import Network, ServerInNetwork, User, must

WRONG_KEY = "lam_" + "A" * 20 + "_" + "b" * 40
ECHO = {"app.py": "def handler(event, context):\n    return event\n"}


def spare_directory():
    """An empty one, until these tests end."""
    made = tempfile.mkdtemp(prefix="lambda-test-")
    atexit.register(shutil.rmtree, made, True)
    return made


def lambdad(*flags, environment=None, prefix=(), timeout=30):
    """Runs lambdad to its end, with nothing of ours in its environment."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LAMBDA_")}
    return subprocess.run([*map(str, prefix), str(BIN / "lambdad"), *map(str, flags)], capture_output=True, text=True, timeout=timeout,
                          stdin=subprocess.DEVNULL, env={**clean, **(environment or {})}, check=False)


# --- the configuration ---

# What each key takes, so that it differs from the default, and how --check shows it.
VALUES = {
    "data_dir": ("/srv/a b", '"/srv/a b"'), "runtimes_dir": ("/srv/runtimes", '"/srv/runtimes"'), "listen": ("127.0.0.1:9001", '["127.0.0.1:9001"]'),
    "domain": ("functions.example.org", '"functions.example.org"'), "driver": ("docker", '"docker"'), "socket": ("/srv/l.sock", '"/srv/l.sock"'),
    "account": ("123456789012", '"123456789012"'), "region": ("eu-west-1", '"eu-west-1"'), "user": ("nobody", '"nobody"'),
    "docker_host": ("unix:///srv/docker.sock", '"unix:///srv/docker.sock"'), "log_level": ("debug", '"debug"'), "insecure": ("true", "true"), "metrics_open": ("true", "true"),
    "loops": ("3", "3"), "max_instances": ("17", "17"), "memory_budget": ("2048", "2048"), "body_memory": ("256", "256"), "process_budget": ("900", "900"), "idle_time": ("61", "61"), "egress": ("10.1.0.0/16", '"10.1.0.0/16"'), "freeze_after": ("250", "250"), "low_memory": ("7", "7"), "drain_time": ("7", "7"), "longest_wait": ("9", "9"),
    "keep_versions": ("12", "12"), "audit_age": ("30", "30"), "async_concurrency": ("5", "5"), "async_open_urls": ("true", "true"), "retry_delay": ("3", "3"), "retries": ("1", "1"), "max_event_age": ("600", "600"), "keep_results": ("90", "90"),
    "log_format": ("json", '"json"'), "log_file": ("/srv/logs/l.log", '"/srv/logs/l.log"'), "log_file_size": ("3", "3"), "log_files": ("2", "2"),
    "stems": ("3", "3"), "zygote_forks": ("12", "12"),
    "function_log_size": ("9", "9"), "function_log_age": ("600", "600"), "function_log_rate": ("64", "64"), "function_log_burst": ("2048", "2048"),
    "build_time": ("60", "60"), "build_networks": ("10.2.0.0/16", '["10.2.0.0/16"]'), "dependency_cache": ("64", "64"),
    "webhook_retry_delay": ("4", "4"), "webhook_max_age": ("600", "600"), "webhook_timeout": ("5", "5"), "webhook_networks": ("10.1.0.0/16", '["10.1.0.0/16"]'),
    "slow_call": ("250", "250"), "trace_space": ("8", "8"), "keep_traces": ("3600", "3600"), "otlp_endpoint": ("http://localhost:4318", '"http://localhost:4318"'),
    "otlp_headers": ("x-key=a", '["x-key=a"]'), "otlp_sample": ("0.25", "0.25"),
}
WRONG = {
    "data_dir": '""', "runtimes_dir": '""', "listen": '"80"', "domain": '"Not A Domain"', "driver": '"vm"', "socket": f'"/{"s" * 120}"', "account": '"12"',
    "region": '"EU 1"', "user": '""', "docker_host": '"tcp://127.0.0.1:2375"', "log_level": '"loud"', "insecure": '"maybe"', "metrics_open": '"maybe"', "loops": "-1",
    "max_instances": '"many"', "memory_budget": '"2 GB"', "body_memory": "64", "process_budget": "-5", "idle_time": "0", "egress": '"intranet"', "freeze_after": "-1", "low_memory": "100", "drain_time": '"long"', "longest_wait": "1.5", "keep_versions": "0", "audit_age": "-1",
    "async_concurrency": "-1", "async_open_urls": '"maybe"', "retry_delay": "0", "retries": "3", "max_event_age": "59", "keep_results": "1",
    "log_format": '"xml"', "log_file": '"l.log"', "log_file_size": "0", "log_files": "0",
    "stems": "-1", "zygote_forks": "-1",
    "function_log_size": "0", "function_log_age": "59", "function_log_rate": "-1", "function_log_burst": "1",
    "build_time": "-1", "build_networks": '"10.1.2.3/16"', "dependency_cache": "-1",
    "webhook_retry_delay": "0", "webhook_max_age": "0", "webhook_timeout": "0", "webhook_networks": '"10.1.2.3/16"',
    "slow_call": "-1", "trace_space": "0", "keep_traces": "1", "otlp_endpoint": '"localhost:4318"', "otlp_headers": '"x"', "otlp_sample": "1.5",
}


def documented():
    """The table of docs/configuration.md: key -> default, in plain words."""
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| .+ \|$", (ROOT / "docs/configuration.md").read_text(), re.M)
    return {key: default.replace("`", "") for key, default in rows}


def helped():
    """The same as `lambdad --help` has it."""
    text = lambdad("--help").stdout
    rows = re.findall(r"^  --([a-z-]+)(?: \S+)?(?: \.\.\.)?\s+[^\n]*\(default: (.+)\)$", text, re.M)
    return {flag.replace("-", "_"): default for flag, default in rows if flag != "config"}


def variable(key):
    return "LAMBDA_" + key.upper()


def flag(key):
    return "--" + key.replace("_", "-")


class Configuration(unittest.TestCase):
    def setUp(self):
        self.file = Path(spare_directory()) / "lambdad.toml"

    def test_the_documentation_and_the_help_name_the_same_keys_and_defaults(self):
        self.assertEqual(documented(), helped())
        self.assertEqual(set(documented()), set(VALUES), "a key without a test")

    def test_every_key_works_in_the_file_the_environment_and_as_a_flag(self):
        for key, (value, shown) in VALUES.items():
            with self.subTest(key=key):
                self.file.write_text(f"# a comment\n{key} = {shown}\n")
                done = lambdad("--config", self.file, "--check")
                self.assertIn(f"\n{key} = {shown}  # {self.file} line 2\n", done.stdout, done.stderr)
                done = lambdad("--check", environment={variable(key): value})
                self.assertIn(f"\n{key} = {shown}  # {variable(key)} in the environment\n", done.stdout, done.stderr)
                done = lambdad("--check", flag(key), *([] if key in ("insecure", "metrics_open", "async_open_urls") else [value]))
                self.assertIn(f"\n{key} = {shown}  # {flag(key)}\n", done.stdout, done.stderr)
                self.assertEqual(done.returncode, 0)

    def test_a_wrong_value_is_refused_in_all_three_places_with_the_place(self):
        for key, value in WRONG.items():
            text = value.strip('"')
            with self.subTest(key=key):
                self.file.write_text(f"\n\n{key} = {value}\n")
                for done, place in ((lambdad("--config", self.file, "--check"), f"{self.file} line 3: {key}"),
                                    (lambdad("--check", environment={variable(key): text or " "}), None if not text else f"{variable(key)} in the environment: {key}"),
                                    (lambdad("--check", f"{flag(key)}={text}"), flag(key))):
                    if place is None:
                        continue  # an empty variable is one that is not set
                    self.assertEqual(done.returncode, 2, (place, done.stdout))
                    self.assertIn(place, done.stderr)
                    self.assertLess(len(done.stderr.splitlines()), 4, done.stderr)

    def test_an_empty_variable_is_one_that_is_not_set(self):
        done = lambdad("--check", environment={variable(key): "" for key in VALUES})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("\ninsecure = false  # default\n", done.stdout)

    def test_what_check_prints_is_a_configuration_file(self):
        done = lambdad("--check", "--domain", "a.example", "--listen", "127.0.0.1:9001", "--listen", "[::1]:9001")
        self.file.write_text(done.stdout)
        again = lambdad("--config", self.file, "--check")
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertIn('listen = ["127.0.0.1:9001", "[::1]:9001"]', again.stdout)
        self.assertEqual([line.split("  #")[0] for line in again.stdout.splitlines()], [line.split("  #")[0] for line in done.stdout.splitlines()])

    def test_a_switch_can_be_turned_off_again(self):
        self.file.write_text("insecure = true\n")
        self.assertIn("\ninsecure = false  # --insecure\n", lambdad("--config", self.file, "--insecure=false", "--check").stdout)
        self.assertIn("\ninsecure = false  # LAMBDA_INS", lambdad("--config", self.file, "--check", environment={"LAMBDA_INSECURE": "off"}).stdout)

    def test_a_file_that_cannot_be_read(self):
        user = User()
        self.addCleanup(user.close)
        self.file.parent.chmod(0o755)
        self.file.write_text("insecure = true\n")
        self.file.chmod(0o600)
        done = user.run(BIN / "lambdad", "--config", self.file, "--check")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn(f"{self.file}: Permission denied", done.stderr)

    def test_version_and_help(self):
        self.assertRegex(lambdad("--version").stdout, r"^lambdad \d+\.\d+\.\d+\n$")
        text = lambdad("--help").stdout
        for words in ("configuration file", "LAMBDA_DATA_DIR", "SIGTERM", "--check", "./run"):
            self.assertIn(words, text)


# --- addresses ---

class Addresses(unittest.TestCase):
    def setUp(self):
        self.network, self.far = Network(), Network()
        self.addCleanup(self.network.close)
        self.addCleanup(self.far.close)
        self.network.join(self.far)  # 10.231.7.1 is the server's, 10.231.7.2 the other machine's

    def from_afar(self, method, path, port, **more):
        return self.far.request(method, "10.231.7.1", port, path, **more)

    def test_it_listens_on_loopback_alone_unless_told_otherwise(self):
        with ServerInNetwork(self.network, listen=()) as server:
            self.assertEqual(self.network.listening(), {"127.0.0.1:80", "[::1]:80"})
            self.assertEqual(server.facts["url"], "http://127.0.0.1")
            self.assertEqual(self.network.request("GET", "::1", 80, "/_lambda/health").status, 200)
            with self.assertRaises(OSError):
                self.from_afar("GET", "/_lambda/health", 80, timeout=5)
            self.assertNotIn("beyond loopback", server.log_text())
            self.assertRegex(server.cli("doctor").stdout, r"\nreach +ok .*\(this machine alone\)\n")

    def test_other_addresses_are_a_choice_with_a_warning_and_no_place_for_keys(self):
        with ServerInNetwork(self.network, listen=("127.0.0.1:7001", "10.231.7.1:7001")) as server:
            self.assertRegex(server.log_text(), r"warning .*beyond loopback.*refused")
            self.assertRegex(server.cli("doctor").stdout, r"\nreach +warn  127\.0\.0\.1:7001, 10\.231\.7\.1:7001\n +lambdad listens beyond loopback \(10\.231\.7\.1:7001\): functions with an open URL "
                                                          "can be called by whoever reaches it; the control API and all other URLs need a key.*refused from there\n")
            server.deploy(ECHO, "open", "--handler", "app.handler")
            server.deploy(ECHO, "keyed", "--handler", "app.handler", "--url", "key")
            self.assertEqual(self.from_afar("GET", "/_lambda/health", 7001).status, 200)
            self.assertEqual(self.from_afar("GET", "/fn/open/?a=1", 7001).json()["queryStringParameters"], {"a": "1"})
            self.assertEqual(self.from_afar("GET", "/fn/open/", 7001).json()["requestContext"]["http"]["sourceIp"], "10.231.7.2")
            for reply in (self.from_afar("GET", "/_lambda/functions", 7001, headers={"Authorization": f"Bearer {server.key}"}),
                          self.from_afar("GET", "/2015-03-31/functions/", 7001, headers=self.signed(server, "10.231.7.1:7001")),
                          self.from_afar("GET", "/fn/keyed/", 7001, headers={"X-Lambda-Key": server.key})):
                self.assertEqual(reply.status, 403, reply)
                self.assertIn("--insecure", reply.text)
                self.assertIn("TLS", reply.text)
            # A wrong key is told nothing more than a right one.
            self.assertEqual(self.from_afar("GET", "/_lambda/functions", 7001, headers={"Authorization": f"Bearer {WRONG_KEY}"}).json()["message"],
                             self.from_afar("GET", "/_lambda/functions", 7001, headers={"Authorization": f"Bearer {server.key}"}).json()["message"])
            # On this machine the keys are good, at whatever address of it the server is asked.
            self.assertEqual(server.api("GET", "/_lambda/functions").status, 200)

    def test_the_command_line_does_not_send_a_key_in_the_clear_either(self):
        with ServerInNetwork(self.network, listen=("10.231.7.1:7001", "127.0.0.1:7001"), flags=["--insecure"]) as server:
            self.assertRegex(server.log_text(), r"warning .*beyond loopback.*ACCEPTED")
            self.assertRegex(server.cli("--insecure", "doctor").stdout, r"\nreach +warn .*\n.*ACCEPTED")
            environment = {**os.environ, "LAMBDA_HOST": "http://10.231.7.1:7001", "LAMBDA_API_KEY": server.key, "HOME": str(server.home)}
            refused = self.far.run(BIN / "lambda", "list", env=environment)
            self.assertEqual(refused.returncode, 4, refused.stdout)
            self.assertIn("plain HTTP", refused.stderr)
            self.assertEqual(self.far.run(BIN / "lambda", "--insecure", "list", env=environment).returncode, 0)
            reply = self.from_afar("GET", "/_lambda/status", 7001, headers={"Authorization": f"Bearer {server.key}"})
            self.assertEqual((reply.status, reply.json()["insecure"]), (200, True))
            self.assertEqual(self.from_afar("GET", "/2015-03-31/functions/", 7001, headers=self.signed(server, "10.231.7.1:7001")).status, 200)
            self.assertEqual(self.from_afar("GET", "/_lambda/status", 7001, headers={"Authorization": f"Bearer {WRONG_KEY}"}).status, 403)

    def signed(self, server, host):
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials
        identity, secret = server.key.removeprefix("lam_").split("_")
        request = AWSRequest("GET", f"http://{host}/2015-03-31/functions/", headers={"Host": host})
        SigV4Auth(Credentials(identity, secret), "lambda", "us-east-1").add_auth(request)
        return dict(request.headers.items())

    def test_an_address_that_is_not_this_machine_s(self):
        done = lambdad("--data-dir", spare_directory(), "--socket", "none", "--listen", "10.231.7.77:7001",
                       prefix=self.network.inside())
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("no address 10.231.7.77", done.stderr)

    def test_only_an_ipv6_address(self):
        with ServerInNetwork(self.network, listen=("[::1]:7003",)) as server:
            self.assertEqual(server.facts["url"], "http://[::1]:7003")
            self.assertEqual(self.network.listening(), {"[::1]:7003"})
            self.assertEqual(server.cli("list", "-o", "json").returncode, 0)

    def test_the_holder_of_a_port_is_named(self):
        for held in ("127.0.0.1", "::1"):
            with self.subTest(held=held):
                taken = self.network.listen((held, 80), (held, 8080))
                done = lambdad("--data-dir", spare_directory(), "--socket", "none", prefix=self.network.inside())
                for one in taken:
                    one.close()
                self.assertEqual(done.returncode, 1, done.stdout)
                name = Path("/proc/self/comm").read_text().strip()
                for port in (80, 8080):
                    self.assertIn(f"port {port} of {held} is in use by {name} (pid {os.getpid()})", done.stderr)
                self.assertIn("--listen", done.stderr)


# --- the unix socket ---

class UnixSocket(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.member, cls.stranger = User("lambda"), User()
        cls.addClassCleanup(cls.member.close)
        cls.addClassCleanup(cls.stranger.close)
        cls.server = LambdaServer("native")
        cls.socket = cls.server.home / "lambda.sock"
        cls.server.flags = ["--socket", str(cls.socket)]
        cls.server.start()
        cls.addClassCleanup(cls.server.close)

    def as_user(self, user, *arguments, **environment):
        return user.run(BIN / "lambda", *arguments, environment={"LAMBDA_HOST": f"unix:{self.socket}", **environment})

    def test_it_belongs_to_the_group(self):
        status = self.socket.stat()
        self.assertEqual((status.st_mode & 0o777, status.st_uid), (0o660, 0))
        self.assertEqual(must("stat", "-c", "%G", self.socket).strip(), "lambda")

    def test_root_the_server_s_own_user_and_members_need_no_key(self):
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.server.home), "LAMBDA_HOST": f"unix:{self.socket}"}
        for who in ([], ["setpriv", "--reuid=lambda", "--regid=lambda", "--clear-groups"],
                    ["setpriv", "--reuid=1999999999", "--regid=lambda", "--clear-groups"]):  # nobody whom the machine knows, as in a container
            done = subprocess.run([*who, str(BIN / "lambda"), "list", "-o", "json"], capture_output=True, text=True, env=environment, check=False)
            self.assertEqual(done.returncode, 0, (who, done.stderr))
        done = self.as_user(self.member, "list")
        self.assertEqual(done.returncode, 0, done.stderr)
        # Who runs in the group without being a member of it was made one by nobody.
        done = subprocess.run(["setpriv", "--reuid=65534", "--regid=lambda", "--clear-groups", str(BIN / "lambda"), "list"], capture_output=True, text=True,
                              env=environment, check=False)
        self.assertEqual(done.returncode, 4, done.stderr)
        self.assertIn("not a member of the group lambda", done.stderr)

    def test_others_cannot_connect(self):
        done = self.as_user(self.stranger, "list")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("ermission denied", done.stderr)

    def test_others_are_refused_even_where_they_can_connect(self):
        self.socket.chmod(0o666)
        self.addCleanup(self.socket.chmod, 0o660)
        done = self.as_user(self.stranger, "list")
        self.assertEqual(done.returncode, 4, done.stderr)
        self.assertIn(f"adduser {self.stranger.name} lambda", done.stderr)
        # With a key they are as good as anybody.
        self.assertEqual(self.as_user(self.stranger, "list", LAMBDA_API_KEY=self.server.key).returncode, 0)
        # A wrong key is not made good by a membership.
        self.assertEqual(self.as_user(self.member, "list", LAMBDA_API_KEY=WRONG_KEY).returncode, 4)

    def test_who_leaves_the_group_is_out_at_once(self):
        leaver = User("lambda")
        self.addCleanup(leaver.close)
        self.assertEqual(self.as_user(leaver, "list").returncode, 0)
        # Still logged in, so still with the group's rights on the file.
        script = f"sleep 1; exec {BIN}/lambda list"
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(leaver.home), "LAMBDA_HOST": f"unix:{self.socket}"}
        session = subprocess.Popen(leaver.acting("sh", "-c", script), env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while not Path(f"/proc/{session.pid}/cmdline").read_text().startswith("sh"):
            pass
        leaver.leave("lambda")
        _, said = session.communicate(timeout=30)
        self.assertEqual(session.returncode, 4, said)

    def test_the_command_line_uses_it_where_it_cannot_read_the_key(self):
        for user, status in ((self.member, 0), (self.stranger, 4)):
            done = user.run(BIN / "lambda", "config", "show", environment={"LAMBDA_DATA_DIR": str(self.server.data)})
            listed = user.run(BIN / "lambda", "list", environment={"LAMBDA_DATA_DIR": str(self.server.data)})
            self.assertEqual(listed.returncode, status, listed.stderr)
            self.assertIn(str(self.socket), done.stdout)
            self.assertRegex(done.stdout, r"(?m)^key +none$")
        self.assertIn("ermission denied", listed.stderr)
        self.assertIn("adduser", listed.stderr)

    def test_it_works_for_deploys_too(self):
        folder = self.member.home / "fn"
        folder.mkdir()
        (folder / "app.py").write_text(ECHO["app.py"])
        must("chown", "-R", self.member.name, folder)
        done = self.as_user(self.member, "deploy", folder, "--name", "mine", "--handler", "app.handler")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.server.get("mine", "/x").json()["rawPath"], "/x")

    def test_a_second_server_does_not_take_it_away(self):
        done = lambdad("--data-dir", spare_directory(), "--listen", "127.0.0.1:0", "--socket", self.socket)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn(f"another lambdad listens on {self.socket}", done.stderr)
        self.assertEqual(self.as_user(self.member, "list").returncode, 0)

    def test_one_that_was_left_behind_is_replaced(self):
        server = LambdaServer("native")
        server.flags = ["--socket", str(server.home / "l.sock")]
        with server:
            server.kill()
            self.assertTrue((server.home / "l.sock").exists())
            server.start()
            environment = {"HOME": str(server.home), "LAMBDA_HOST": f"unix:{server.home}/l.sock"}
            self.assertEqual(subprocess.run([BIN / "lambda", "list"], env=environment, capture_output=True, check=False).returncode, 0)

    def test_a_file_that_is_no_socket_is_left_alone(self):
        home = Path(spare_directory())
        (home / "precious").write_text("words")
        done = lambdad("--data-dir", home / "data", "--listen", "127.0.0.1:0", "--socket", home / "precious")
        self.assertNotEqual(done.returncode, 0, done.stdout)
        self.assertIn("precious", done.stderr)
        self.assertEqual((home / "precious").read_text(), "words")


# --- keys ---

class Keys(unittest.TestCase):
    def list_with(self, server, key):
        return server.request("GET", "/_lambda/functions", headers={"Authorization": f"Bearer {key}"}).status

    def test_a_deleted_file_is_written_again_with_the_same_key_and_a_word(self):
        with LambdaServer("native") as server:
            first = server.key
            self.assertNotIn("admin.key", server.log_text())
            server.stop()
            (server.data / "admin.key").unlink()
            server.start()
            self.assertEqual(server.key, first)
            self.assertEqual((server.data / "admin.key").stat().st_mode & 0o777, 0o600)
            self.assertRegex(server.log_text(), r"warning .*admin.key was missing.*--replace-keys")
            self.assertNotIn(first.split("_")[2], server.log_text())
            lines = len(server.log_lines)
            server.stop()
            server.start()
            self.assertNotIn("admin.key", "\n".join(server.log_lines[lines:]))

    def test_another_account_has_a_key_of_its_own_and_the_first_comes_back(self):
        with LambdaServer("native") as server:
            first = server.key
            server.stop()
            server.flags = ["--account", "111111111111"]
            server.start()
            self.assertNotEqual(server.key, first)
            self.assertEqual((self.list_with(server, server.key), self.list_with(server, first)), (200, 403))
            self.assertIn("another account or region", server.log_text())
            server.stop()
            server.flags = []
            server.start()
            self.assertEqual(server.key, first)
            self.assertEqual(self.list_with(server, first), 200)

    def test_keys_are_replaced(self):
        with LambdaServer("native") as server:
            first = server.key
            busy = lambdad("--data-dir", server.data, "--replace-keys")
            self.assertEqual(busy.returncode, 1, busy.stdout)
            self.assertEqual(self.list_with(server, first), 200)
            server.stop()
            done = lambdad("--data-dir", server.data, "--replace-keys")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(str(server.data / "admin.key"), done.stdout)
            server.start()
            self.assertNotEqual(server.key, first)
            self.assertEqual((self.list_with(server, server.key), self.list_with(server, first)), (200, 403))
            self.assertEqual((server.data / "admin.key").stat().st_mode & 0o777, 0o600)
            self.assertNotIn(server.key.split("_")[2], done.stdout + done.stderr)

    def test_a_key_that_others_can_read_is_warned_of(self):
        with LambdaServer("native") as server:
            server.stop()
            (server.data / "admin.key").chmod(0o644)
            server.start()
            self.assertRegex(server.log_text(), r"warning .*can be read by others \(mode 644\).*chmod 600")

    def test_without_the_master_key_it_does_not_start_and_changes_nothing(self):
        with LambdaServer("native") as server:
            server.stop()
            master = (server.data / "master.key").read_text()
            (server.data / "master.key").unlink()
            with self.assertRaisesRegex(AssertionError, "master.key is missing.*backup"):
                server.start()
            (server.data / "master.key").write_text(master)
            (server.data / "master.key").chmod(0o644)
            with self.assertRaisesRegex(AssertionError, "chmod 600"):
                server.start()
            (server.data / "master.key").chmod(0o600)
            must("chown", "lambda", server.data / "master.key")
            server.start()
            self.assertEqual(self.list_with(server, server.key), 200)

    def test_set_key_reads_standard_input_and_keeps_it_from_others(self):
        with LambdaServer("native") as server:
            alone = {"LAMBDA_API_KEY": "", "LAMBDA_HOST": "", "XDG_CONFIG_HOME": ""}
            self.assertEqual(server.cli("config", "set-host", server.url, env=alone).returncode, 0)
            for wrong in ("", "hunter2", WRONG_KEY[:-1], "lam_" + "a" * 20 + "_" + "b" * 40, WRONG_KEY.replace("b", "_")):
                done = server.cli("config", "set-key", stdin=wrong + "\n", env=alone, check=False)
                self.assertEqual(done.returncode, 2, (wrong, done.stderr))
            done = server.cli("config", "set-key", stdin=server.key + "\n", env=alone)
            self.assertNotIn(server.key.split("_")[2], done.stdout + done.stderr)
            file = server.home / ".config/lambda/config.toml"
            self.assertEqual(file.stat().st_mode & 0o777, 0o600)
            self.assertEqual(server.cli("list", env=alone).returncode, 0)
            shown = server.cli("config", "show", env=alone).stdout
            self.assertIn(server.url.removeprefix("http://"), shown)
            self.assertNotIn(server.key.split("_")[2], shown)
            # The environment wins over the file, each for itself.
            self.assertEqual(server.cli("list", env={**alone, "LAMBDA_API_KEY": WRONG_KEY}, check=False).returncode, 4)
            other = {**alone, "LAMBDA_HOST": "http://127.0.0.1:1"}
            self.assertEqual(server.cli("list", env={**other, "LAMBDA_API_KEY": server.key}, check=False).returncode, 6)
            # The key is kept for one host.
            refused = server.cli("list", env=other, check=False)
            self.assertEqual(refused.returncode, 4)
            self.assertIn("is sent to no other host", refused.stderr)
            # No argument takes a key: it would be in the shell's history.
            self.assertEqual(server.cli("config", "set-key", server.key, env=alone, check=False).returncode, 2)

    def test_set_key_prompts_a_person_and_shows_nothing(self):
        import pty
        with LambdaServer("native") as server:
            leader, follower = pty.openpty()
            environment = {"PATH": os.environ["PATH"], "HOME": str(server.home)}
            process = subprocess.Popen([BIN / "lambda", "config", "set-key"], stdin=follower, stdout=follower, stderr=follower, env=environment)
            os.close(follower)
            said = b""
            while b"Key" not in said:
                said += os.read(leader, 1000)
            os.write(leader, server.key.encode() + b"\n")
            try:
                while piece := os.read(leader, 1000):
                    said += piece
            except OSError:  # the other end is closed
                pass
            self.assertEqual(process.wait(timeout=10), 0, said)
            self.assertNotIn(server.key.split("_")[2].encode(), said)
            self.assertIn(server.key, (server.home / ".config/lambda/config.toml").read_text())

    def test_both_spellings_of_a_key_must_be_whole(self):
        with LambdaServer("native") as server:
            _, identity, secret = server.key.split("_")
            for header in ("", "Bearer", "Bearer ", f"Bearer {server.key[:-1]}", f"Bearer {server.key}x", f"Bearer lam_{identity}_{'a' * 40}",
                           f"Bearer lam_{'Z' * 20}_{secret}", f"Basic {server.key}", server.key, f"Bearer {server.key.lower()}"):
                self.assertEqual(server.request("GET", "/_lambda/status", headers={"Authorization": header}).status, 403, header)
            self.assertEqual(server.request("GET", "/_lambda/status", headers={"Authorization": f"bearer {server.key}"}).status, 200)


# --- the URL's own rule, where doors_test leaves off ---

class UrlRules(unittest.TestCase):
    def test_the_refusal_names_a_command_that_opens_it(self):
        with LambdaServer("native") as server:
            folder = server.folder(ECHO)
            server.deploy(folder, "shut", "--handler", "app.handler", "--url", "none")
            message = server.get("shut").json()["message"]
            command = re.search(r"`(lambda [^`]+)`", message).group(1)
            # In whatever folder it is typed, it must not bring other code.
            server.cli(*command.split()[1:], cwd=server.folder({"app.py": "def handler(e, c): return 'another'"}))
            self.assertEqual(server.get("shut").status, 200)
            self.assertNotIn("another", server.get("shut").text)
            for rule, status in (("key", 403), ("iam", 403), ("none", 403), ("open", 200)):
                server.cli("deploy", folder, "--name", "shut", "--url", rule)
                self.assertEqual(server.get("shut").status, status, rule)

    def test_an_open_url_of_a_key_s_holder_does_not_give_the_key_to_the_function(self):
        with LambdaServer("native") as server:
            server.deploy(ECHO, "open", "--handler", "app.handler")
            event = server.get("open", headers={"X-Lambda-Key": server.key, "Authorization": "Bearer theirs"}).json()
            self.assertNotIn("x-lambda-key", event["headers"])
            self.assertEqual(event["headers"]["authorization"], "Bearer theirs")
            self.assertNotIn(server.key, json.dumps(event))


# --- other people of the machine ---

class OtherPeople(unittest.TestCase):
    def test_nobody_else_reads_code_or_what_functions_wrote(self):
        secret = "def handler(e, c):\n    print('said')\n    return 'a word of its own'\n"
        with LambdaServer("native") as server:
            server.deploy({"app.py": secret}, "mine", "--handler", "app.handler")
            server.invoke("mine", {})
            for name in ("code", "packages", "logs", "tmp", "images"):
                self.refused("ls", server.data / name)
            self.refused("cat", next((server.data / "code").rglob("app.py")))

    def refused(self, *command):
        done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *map(str, command)], capture_output=True, text=True,
                              check=False)
        self.assertIn("Permission denied", done.stderr, command)

    def test_the_data_directory_of_who_is_not_root_is_theirs(self):
        user = User()
        self.addCleanup(user.close)
        server = LambdaServer("docker")
        server.data = user.home / "data"
        server.command = lambda: user.acting("sh", "-c", 'umask 022; exec "$@"', "sh", str(BIN / "lambdad"), "--data-dir", str(server.data),
                                             "--listen", "127.0.0.1:0", "--socket", "none", "--docker-host", "none")
        with server:
            self.assertEqual(server.data.stat().st_mode & 0o777, 0o700)


# --- machines that lack something ---

class LessThanAWholeMachine(unittest.TestCase):
    """Containers and services that may not do everything: the native driver says what it lacks, and the server starts all the same."""

    def facts(self, *prefix, driver=None):
        """Starts lambdad there, without Docker either, and returns what it says of itself."""
        server = LambdaServer("native")

        def command():
            words = [*prefix, str(BIN / "lambdad"), "--data-dir", str(server.data), "--runtimes-dir", str(RUNTIMES), "--listen", "127.0.0.1:0",
                     "--socket", "none", "--docker-host", f"unix://{server.home}/none.sock"]
            return words + (["--driver", driver] if driver else [])
        server.command = command
        with server:
            self.assertEqual(server.request("GET", "/_lambda/health").status, 200)
            return server.facts["driverReason"], server.log_text()

    def without_cgroups(self, how):
        return ["unshare", "--mount", "sh", "-c", f'{how}; exec "$@"', "sh"]

    def test_no_cgroups_at_all(self):
        reason, log = self.facts(*self.without_cgroups("mount -t tmpfs none /sys/fs/cgroup"))
        self.assertRegex(reason, "(?i)native.*cgroup")
        self.assertNotIn("has ended", reason)
        self.assertIn("functions cannot start", log)

    def test_cgroups_that_cannot_be_written(self):
        how = "mount -o remount,bind,ro /sys/fs/cgroup; for m in $(findmnt -rno TARGET -R /sys/fs/cgroup); do mount -o remount,bind,ro $m; done"
        reason, _ = self.facts(*self.without_cgroups(how))
        self.assertRegex(reason, "(?i)native.*cgroup.*(read-only|denied)")

    def test_no_cap_sys_admin(self):
        reason, _ = self.facts("setpriv", "--bounding-set=-sys_admin", "--inh-caps=-all")
        self.assertRegex(reason, "native.*(CAP_SYS_ADMIN|not permitted)")

    def test_docker_is_chosen_where_it_is_there(self):
        server = LambdaServer("native")
        server.command = lambda: ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-all", str(BIN / "lambdad"), "--data-dir", str(server.data),
                                  "--runtimes-dir", str(RUNTIMES), "--listen", "127.0.0.1:0", "--socket", "none"]
        with server:
            self.assertEqual(server.facts["driver"], "docker")
            self.assertRegex(server.facts["driverReason"], "native cannot work here: .*(CAP_SYS_ADMIN|not permitted)")
            server.deploy(ROOT / "examples/hello", "greet")
            self.assertEqual(server.get("greet", "/?name=World").json(), {"message": "Hello, World!"})

    def test_asking_for_the_native_driver_there_is_refused_with_the_reason(self):
        done = lambdad("--data-dir", spare_directory(), "--listen", "127.0.0.1:0", "--socket", "none", "--driver", "native",
                       prefix=["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-all"])
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("the native driver cannot work here", done.stderr)

    def test_run_cannot_be_written(self):
        prefix = self.without_cgroups("mount -t tmpfs none /run && mount -o remount,ro /run")
        done = lambdad("--data-dir", spare_directory(), "--listen", "127.0.0.1:0", prefix=prefix)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("/run/lambda", done.stderr)
        self.assertIn("--socket none", done.stderr)

    def test_no_user_of_its_own(self):
        done = lambdad("--data-dir", spare_directory(), "--listen", "127.0.0.1:0", "--socket", "none", "--user", "nosuchuser")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("adduser --system --group --no-create-home nosuchuser", done.stderr)

    def test_a_server_of_somebody_who_is_not_root(self):
        user = User()
        self.addCleanup(user.close)
        server = LambdaServer("native")
        server.data = user.home / ".local/share/lambda"
        server.command = lambda: user.acting(str(BIN / "lambdad"), "--listen", "127.0.0.1:0", "--docker-host", "unix:///nowhere.sock")
        server.environment = {"HOME": str(user.home)}
        with server:
            self.assertIn("started as root", server.facts["driverReason"])
            self.assertEqual((server.data / "admin.key").stat().st_mode & 0o777, 0o600)
            done = user.run(BIN / "lambda", "list")
            self.assertEqual(done.returncode, 0, done.stderr)
            done = user.run(BIN / "lambda", "deploy", ROOT / "examples/hello", "--name", "greet")
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("Docker Engine does not run", done.stderr)
            self.assertEqual(server.facts["socket"], "")


if __name__ == "__main__":
    sys.exit(unittest.main())
