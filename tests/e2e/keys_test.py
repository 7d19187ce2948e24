"""Keys that may less, that end and that are revoked; wrong ones; and the audit: real HTTP, the real command line, kill -9."""

import http.client
import json
import re
import sqlite3
import subprocess
import threading
import time
import unittest

from lambda_server import BIN, LambdaServer, ServerTest
from machine import SmallDisk

ECHO = {"app.py": "def handler(event, context):\n    return event\n"}
WRONG = "lam_" + "A" * 20 + "_" + "b" * 40
NOT_ALLOWED = 4


class KeysTest(ServerTest):
    driver = "native"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for name in ("greet", "greeting", "other"):
            cls.server.deploy(ECHO, name, "--handler", "app.handler")

    def make_key(self, name, scopes, functions=(), expires=None, server=None):
        body = {"name": name, "scopes": scopes.split(","), "functions": list(functions)}
        reply = (server or self.server).api("POST", "/_lambda/keys", {**body, **({"expires": expires} if expires else {})})
        self.assertEqual(reply.status, 201, reply)
        return reply.json()

    def ask(self, key, method, path, body=None, **more):
        token = key if isinstance(key, str) else key["token"]
        data = None if body is None else json.dumps(body).encode()
        return self.server.request(method, path, body=data, headers={"Authorization": f"Bearer {token}", **more.pop("headers", {})}, **more)

    def as_key(self, key, *arguments, **more):
        return self.server.cli(*arguments, check=False, env={"LAMBDA_API_KEY": key["token"]}, **more)

    def assert_denied(self, reply, action, why=""):
        self.assertEqual((reply.status, reply.headers["x-amzn-errortype"]), (403, "AccessDeniedException"), reply)
        message = reply.json().get("Message") or reply.json()["message"]
        self.assertIn(f"is not authorized to perform: lambda:{action} on resource: ", message)
        self.assertIn(why, message)


class Scopes(KeysTest):
    # method, path, body -> who may: r, i, d (admin always).
    CALLS = (
        ("GET", "/2015-03-31/functions", None, "rd"),
        ("GET", "/2015-03-31/functions/greet", None, "rd"),
        ("GET", "/_lambda/functions/greet/logs", None, "rd"),
        ("GET", "/_lambda/status", None, "rid"),
        ("POST", "/2015-03-31/functions/greet/invocations", {"a": 1}, "i"),
        ("POST", "/_lambda/functions/greet/invocations", {"a": 1}, "i"),
        ("PUT", "/2015-03-31/functions/greet/configuration", {"Description": "x"}, "d"),
        ("PUT", "/_lambda/functions/greet/url", {"auth": "open"}, "d"),
        ("POST", "/2017-03-31/tags/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Agreet", {"Tags": {"a": "b"}}, "d"),
        ("GET", "/_lambda/keys", None, ""),
        ("GET", "/_lambda/audit", None, ""),
    )

    def test_each_scope_and_pattern(self):
        for scope in ("read", "invoke", "deploy", "admin"):
            whole = self.make_key(f"{scope}-whole", scope)
            right = self.make_key(f"{scope}-right", scope, ["nothing", "gre?t"])
            wrong = self.make_key(f"{scope}-wrong", scope, ["other*"])
            for method, path, body, may in self.CALLS:
                allowed = scope == "admin" or scope[0] in may
                server_wide = path in ("/_lambda/keys", "/_lambda/audit")
                general = path in ("/2015-03-31/functions", "/_lambda/status")
                with self.subTest(scope=scope, call=f"{method} {path}"):
                    self.assertEqual(self.ask(whole, method, path, body).status < 300, allowed)
                    self.assertEqual(self.ask(right, method, path, body).status < 300, allowed and not server_wide)
                    self.assertEqual(self.ask(wrong, method, path, body).status < 300, allowed and general)

    def test_a_refusal_says_what_is_missing(self):
        key = self.make_key("only-read", "read", ["greet"])
        self.assert_denied(self.ask(key, "DELETE", "/2015-03-31/functions/greet"), "DeleteFunction", 'the key "only-read" has the scope read, and this needs deploy')
        self.assert_denied(self.ask(key, "GET", "/_lambda/functions/other"), "GetFunction", "is for the functions greet")
        self.assert_denied(self.ask(key, "GET", "/_lambda/functions/nobody"), "GetFunction")
        done = self.as_key(key, "delete", "greet", "-y")
        self.assert_fails(done, NOT_ALLOWED, "is not authorized to perform", "needs deploy")

    def test_lists_show_what_the_key_is_for(self):
        key = self.make_key("half", "read", ["gree*"])
        names = [each["name"] for each in self.ask(key, "GET", "/_lambda/functions").json()["functions"]]
        self.assertEqual(names, ["greet", "greeting"])
        names = [each["FunctionName"] for each in self.ask(key, "GET", "/2015-03-31/functions").json()["Functions"]]
        self.assertEqual(names, ["greet", "greeting"])

    def test_events_belong_to_their_function(self):
        sender = self.make_key("sender", "invoke", ["other"])
        reply = self.ask(sender, "POST", "/2015-03-31/functions/other/invocations", {"b": 2}, headers={"X-Amz-Invocation-Type": "Event"})
        self.assertEqual(reply.status, 202, reply)
        event = reply.headers["x-amzn-requestid"]
        stranger = self.make_key("stranger", "read,invoke,deploy", ["greet*"])
        for method, path, action in (("GET", "", "GetEvent"), ("GET", "/payload", "GetEventPayload"), ("GET", "/result", "GetEventResult"),
                                     ("DELETE", "", "CancelEvent"), ("POST", "/redrive", "RedriveEvent")):
            self.assert_denied(self.ask(stranger, method, f"/_lambda/events/{event}{path}"), action)
        deadline = time.monotonic() + 20
        while (reply := self.ask(sender, "GET", f"/_lambda/events/{event}/result")).status != 200:
            self.assertLess(time.monotonic(), deadline, reply)
            time.sleep(0.05)
        self.assertEqual(reply.json(), {"b": 2})
        self.assert_denied(self.ask(sender, "GET", f"/_lambda/events/{event}/payload"), "GetEventPayload")

    def test_ci_deploys_and_nothing_else(self):
        key = self.make_key("ci", "deploy,invoke", ["ci-*"])
        folder = self.server.folder(ECHO)
        done = self.as_key(key, "deploy", folder, "--name", "ci-one", "--handler", "app.handler")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.as_key(key, "invoke", "ci-one", "--data", '{"a": 1}').stdout.strip(), '{"a": 1}')
        done = self.as_key(key, "deploy", folder, "--name", "greet", "--handler", "app.handler")
        self.assert_fails(done, NOT_ALLOWED, "is for the functions ci-*")
        self.assertIn("ci-one", self.as_key(key, "list").stdout)
        self.assertNotIn("greet", self.as_key(key, "list").stdout)
        self.assertEqual(self.as_key(key, "delete", "ci-one", "-y").returncode, 0)

    def test_urls_take_keys_that_may_invoke(self):
        self.server.deploy(ECHO, "guarded", "--handler", "app.handler", "--url", "key")
        for name, scopes, functions, status in (("u1", "invoke", ["guard*"], 200), ("u2", "invoke", ["greet"], 403), ("u3", "deploy", [], 403)):
            key = self.make_key(name, scopes, functions)
            reply = self.server.get("guarded", headers={"X-Lambda-Key": key["token"]})
            self.assertEqual(reply.status, status, reply)
            if status == 403:
                self.assertIn("lambda:InvokeFunctionUrl", reply.text)


class Limits(KeysTest):
    """What a key for some functions must not reach through a function of its own."""

    def deploy_as(self, key, name, *arguments):
        return self.as_key(key, "deploy", self.server.folder(ECHO), "--name", name, "--handler", "app.handler", *arguments)

    def test_shared_secrets_are_given_by_keys_for_all_functions(self):
        self.server.cli("secret", "put", "PAYMENT_TOKEN", stdin="hunter2")
        key = self.make_key("team", "deploy,invoke", ["team-*"])
        self.assert_fails(self.deploy_as(key, "team-one", "--secret", "PAYMENT_TOKEN"), NOT_ALLOWED, "no version of team-one has asked for the secret PAYMENT_TOKEN")
        self.assertEqual(self.deploy_as(key, "team-one").returncode, 0)
        self.assert_fails(self.deploy_as(key, "team-one", "--secret", "PAYMENT_TOKEN"), NOT_ALLOWED, "lambda secret put PAYMENT_TOKEN --function team-one")
        # Nor by way of one of its own that goes later.
        self.assertEqual(self.as_key(key, "secret", "put", "PAYMENT_TOKEN", "--function", "team-one", stdin="own").returncode, 0)
        self.assert_fails(self.deploy_as(key, "team-one", "--secret", "PAYMENT_TOKEN"), NOT_ALLOWED, "PAYMENT_TOKEN")
        for arguments in (("put", "PAYMENT_TOKEN"), ("put", "OTHER_TOKEN"), ("delete", "PAYMENT_TOKEN", "-y")):
            self.assert_fails(self.as_key(key, "secret", *arguments, stdin="mine"), NOT_ALLOWED, "concerns the whole server")
        # Once it was given, the key goes on.
        self.server.deploy(ECHO, "team-one", "--handler", "app.handler", "--secret", "PAYMENT_TOKEN")
        done = self.deploy_as(key, "team-one", "--secret", "PAYMENT_TOKEN", "--description", "two")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_images_are_deployed_by_their_name_with_keys_for_all_functions(self):
        key = self.make_key("imager", "deploy", ["image-*"])
        done = self.as_key(key, "deploy", "--image", "func-other:1", "--name", "image-one")
        self.assert_fails(done, NOT_ALLOWED, "an image of this machine may hold others' code", "Dockerfile")
        body = {"FunctionName": "image-two", "PackageType": "Image", "Role": "arn:aws:iam::000000000000:role/r", "Code": {"ImageUri": "func-other:1"}}
        self.assert_denied(self.ask(key, "POST", "/2015-03-31/functions", body), "CreateFunction", "an image of this machine may hold others' code")


class Life(KeysTest):
    def test_the_commands(self):
        done = self.server.cli("keys", "create", "--name", "robot", "--scope", "deploy,invoke", "--function", "greet*", "--function", "x", "--expires", "90d")
        settings = dict(line.split("=", 1) for line in done.stdout.splitlines())
        self.assertEqual(settings["LAMBDA_API_KEY"], f"lam_{settings['AWS_ACCESS_KEY_ID']}_{settings['AWS_SECRET_ACCESS_KEY']}")
        self.assertIn('Key "robot": invoke,deploy on greet*,x functions, until 20', done.stderr)
        self.assertNotIn(settings["AWS_SECRET_ACCESS_KEY"], done.stderr)
        row = next(line for line in self.server.cli("keys", "list").stdout.splitlines() if line.startswith("robot"))
        self.assertRegex(row, rf"^robot +{settings['AWS_ACCESS_KEY_ID']} +invoke,deploy +greet\*,x .* 20\d\d-\d\d-\d\d \d\d:\d\d +never$")
        self.assertEqual(self.as_key({"token": settings["LAMBDA_API_KEY"]}, "list").returncode, 0)
        row = next(line for line in self.server.cli("keys", "list").stdout.splitlines() if line.startswith("robot"))
        self.assertIn("127.0.0.1", row)
        self.assertNotIn("never", row)
        done = self.server.cli("keys", "create", "--name", "robot", "--scope", "read", check=False)
        self.assert_fails(done, 1, 'there is a key "robot" already')
        self.assertIn('Revoked the key "robot"', self.server.cli("key", "revoke", "robot").stdout)
        self.assertNotIn("robot", self.server.cli("keys", "list").stdout)
        self.assertIn("revoked", self.server.cli("keys", "list", "--all").stdout)
        self.assertEqual(self.as_key({"token": settings["LAMBDA_API_KEY"]}, "list").returncode, NOT_ALLOWED)
        self.assert_fails(self.server.cli("keys", "revoke", "robot", check=False), 5, 'there is no key "robot"')

    def test_what_is_wrong_is_said(self):
        for arguments, words in ((("--name", "a b", "--scope", "read"), "is not a name for a key"), (("--name", "a", "--scope", "write"), '"write" is not a scope'),
                                 (("--name", "a", "--scope", "read", "--function", "a/b"), "is not a pattern"), (("--name", "admin", "--scope", "read"), "choose another"),
                                 (("--name", "a", "--scope", "read", "--expires", "tomorrow"), "is no time"),
                                 (("--name", "a", "--scope", "read", "--expires", "2020-01-01"), "choose a later end")):
            self.assert_fails(self.server.cli("keys", "create", *arguments, check=False), 2, words)
        self.assertEqual(self.server.api("POST", "/_lambda/keys", {"name": "a", "scopes": ["read"], "function": ["x"]}).status, 400)

    def test_a_key_ends(self):
        key = self.make_key("short", "read", expires="2s")
        self.assertEqual(self.ask(key, "GET", "/_lambda/functions").status, 200)
        time.sleep(2.1)
        reply = self.ask(key, "GET", "/_lambda/functions")
        self.assertEqual((reply.status, reply.headers["x-amzn-errortype"]), (403, "ExpiredTokenException"), reply)
        self.assertIn('the key "short" ended at', reply.json()["message"])
        self.assertIn("(expired)", self.server.cli("keys", "list").stdout)
        self.make_key("short", "read", expires="1h")

    def test_nobody_makes_a_key_that_may_more(self):
        limited = self.make_key("limited", "admin", ["greet*"])
        self.assert_denied(self.ask(limited, "POST", "/_lambda/keys", {"name": "x", "scopes": ["read"]}), "CreateKey", "concerns the whole server")
        passing = self.make_key("passing", "admin", expires="1h")
        for end in ({}, {"expires": "2h"}):
            reply = self.ask(passing, "POST", "/_lambda/keys", {"name": "longer", "scopes": ["read"], **end})
            self.assertEqual(reply.status, 403, reply)
            self.assertIn("makes no key that lives longer", reply.json()["message"])
        self.assertEqual(self.ask(passing, "POST", "/_lambda/keys", {"name": "shorter", "scopes": ["admin"], "expires": "30m"}).status, 201)

    def test_revocation_is_immediate_on_open_connections(self):
        key = self.make_key("open", "read")
        connections = []
        for _ in range(8):  # of all loops
            connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=20)
            self.addCleanup(connection.close)
            connections.append(connection)

        def status(connection):
            connection.request("GET", "/_lambda/functions", headers={"Authorization": f"Bearer {key['token']}"})
            answer = connection.getresponse()
            return answer.status, answer.read()[:0]
        self.assertEqual({status(each)[0] for each in connections}, {200})
        self.assertEqual(self.server.api("DELETE", f"/_lambda/keys/{key['id']}").status, 200)
        self.assertEqual({status(each)[0] for each in connections}, {403})

    def test_wrong_keys_are_kept_waiting_and_right_ones_are_not(self):
        with LambdaServer("native") as server:
            statuses = [server.request("GET", "/_lambda/functions", headers={"Authorization": f"Bearer {WRONG}"}).status for _ in range(40)]
            self.assertEqual(statuses, [403] * 30 + [429] * 10)
            reply = server.request("GET", "/_lambda/functions", headers={"Authorization": f"Bearer {WRONG}"})
            self.assertEqual(reply.headers["retry-after"], "6")
            self.assertEqual(reply.headers["x-amzn-errortype"], "TooManyRequestsException")
            self.assertEqual(server.api("GET", "/_lambda/functions").status, 200)
            server.deploy(ECHO, "guarded", "--handler", "app.handler", "--url", "key")
            reply = server.get("guarded", headers={"X-Lambda-Key": WRONG})
            self.assertEqual((reply.status, reply.headers["retry-after"]), (429, "6"))
            self.assertEqual(server.get("guarded", headers={"X-Lambda-Key": server.key}).status, 200)

    def test_last_uses_and_revocations_survive_the_server(self):
        with LambdaServer("native") as server:
            used, gone = self.make_key("used", "read", server=server), self.make_key("gone", "read", server=server)
            for key in (used, gone):
                server.request("GET", "/_lambda/functions", headers={"Authorization": f"Bearer {key['token']}"})
            server.api("DELETE", "/_lambda/keys/gone")
            server.stop()
            server.start()
            listed = {each["name"]: each for each in server.api("GET", "/_lambda/keys").json()["keys"]}
            self.assertEqual(listed["used"]["lastAddress"], "127.0.0.1")
            self.assertNotIn("gone", listed)
            for key, status in ((used, 200), (gone, 403)):
                self.assertEqual(server.request("GET", "/_lambda/functions", headers={"Authorization": f"Bearer {key['token']}"}).status, status)

    def test_without_an_administrators_key_the_socket_still_works(self):
        with LambdaServer("native") as server:
            server.stop()
            socket = server.home / "lambda.sock"
            server.flags = ["--socket", str(socket)]
            server.start()
            done = server.cli("keys", "revoke", "admin")
            self.assertIn("No administrator's key is left", done.stderr)
            self.assertEqual(server.api("GET", "/_lambda/functions").status, 403)
            done = server.cli("keys", "create", "--name", "boss", "--scope", "admin", env={"LAMBDA_HOST": f"unix:{socket}", "LAMBDA_API_KEY": ""})
            token = done.stdout.splitlines()[0].split("=")[1]
            self.assertEqual(server.request("GET", "/_lambda/keys", headers={"Authorization": f"Bearer {token}"}).status, 200)
            entry = next(each for each in server.cli("audit", "-o", "json", env={"LAMBDA_API_KEY": token}) and json.loads(
                server.cli("audit", "-o", "json", env={"LAMBDA_API_KEY": token}).stdout)["entries"] if "boss" in each["note"])
            self.assertEqual((entry["by"], entry["who"], entry["address"]), ("user", "root", "socket"))


class MasterKey(unittest.TestCase):
    def refused(self, server):
        done = subprocess.run(server.command(), capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL, check=False)
        self.assertNotEqual(done.returncode, 0)
        return done.stderr

    def test_missing_wrong_or_open_to_others(self):
        with LambdaServer("native") as server:
            server.stop()
            path = server.data / "master.key"
            right = path.read_text()
            path.unlink()
            self.assertIn("restore it from a backup", self.refused(server))
            self.assertFalse(path.exists())
            for text, words in (("a" * 64 + "\n", "is not the one that sealed it. Restore master.key from a backup"), ("nonsense\n", "is not a master key")):
                path.write_text(text)
                path.chmod(0o600)
                subprocess.run(["chown", "--reference", server.data / "lambda.db", path], check=True)
                self.assertIn(words, self.refused(server))
            path.write_text(right)
            path.chmod(0o644)
            self.assertIn("chmod 600", self.refused(server))
            path.chmod(0o600)
            subprocess.run(["chown", "root", path], check=True)
            self.assertIn("must belong to the user that lambdad runs as", self.refused(server))
            subprocess.run(["chown", "--reference", server.data / "lambda.db", path], check=True)
            path.write_text(right[:30])
            self.assertIn("it has 30 bytes): restore it from a backup", self.refused(server))
            self.assertEqual(path.read_text(), right[:30])
            path.write_text(right)
            server.start()
            self.assertEqual(server.api("GET", "/_lambda/keys").status, 200)


class Audit(KeysTest):
    def entries(self, server=None, **query):
        query = "&".join(f"{name}={value}" for name, value in {"limit": 1000, **query}.items())
        return (server or self.server).api("GET", f"/_lambda/audit?{query}").json()["entries"]

    def test_who_changed_what(self):
        key = self.make_key("author", "deploy,invoke", ["audited*"])
        folder = self.server.folder(ECHO)
        for message in ("one", "two"):
            self.assertEqual(self.as_key(key, "deploy", folder, "--name", "audited", "--handler", "app.handler", "-m", message, "--description", message).returncode, 0)
        self.assertEqual(self.as_key(key, "invoke", "audited").returncode, 0)
        self.assertEqual(self.as_key(key, "rollback", "audited").returncode, 0)
        self.assertEqual(self.as_key(key, "delete", "greet", "-y").returncode, NOT_ALLOWED)
        self.server.cli("delete", "audited", "-y")
        seen = [(each["operation"], each["name"], each["status"], each["note"]) for each in reversed(self.entries(function="audited"))]
        self.assertEqual(seen, [("Deploy", "author", 200, "version 1"), ("Deploy", "author", 200, "version 2"), ("Rollback", "author", 200, "version 2 to 1"),
                                ("DeleteFunction", "admin", 200, "")])
        refused = self.entries(key="author")[0]
        self.assertEqual((refused["operation"], refused["function"], refused["status"], refused["error"]), ("GetFunction", "greet", 403, "AccessDeniedException"))
        self.assertEqual((refused["by"], refused["who"], refused["address"]), ("key", key["id"], "127.0.0.1"))
        text = self.server.cli("audit", "--function", "audited").stdout
        self.assertRegex(text, r"\n\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +author +127\.0\.0\.1 +Rollback +audited +done +version 2 to 1\n")
        self.assertEqual(self.server.cli("audit", "--since", "1h", "-n", "1").stdout.count("\n"), 2)
        self.assertEqual(self.entries(since="2050-01-01"), [])

    def test_which_variables_were_changed_is_told_by_name(self):
        self.server.deploy(ECHO, "painted", "--handler", "app.handler", "-e", "COLOR=hunter2", "--url", "key")
        self.server.cli("env", "set", "painted", "COLOR=hunter3", "SIZE=hunter4")
        self.server.cli("env", "unset", "painted", "SIZE")
        self.server.api("PUT", "/2015-03-31/functions/painted/configuration", {"Environment": {"Variables": {"SHAPE": "hunter5"}}})
        notes = [each["note"] for each in reversed(self.entries(function="painted"))]
        self.assertEqual(notes, ["version 1, url key: set COLOR", "version 2: set COLOR, SIZE", "version 3: unset SIZE", "Environment: set SHAPE, unset COLOR"])
        self.assertNotIn("hunter", json.dumps(self.entries()))

    def test_no_secret_is_in_it(self):
        key = self.make_key("quiet", "admin")
        self.server.api("PUT", "/2015-03-31/functions/other/configuration", {"Environment": {"Variables": {"PASSWORD": "hunter2"}}})
        everything = json.dumps(self.entries())
        self.assertNotIn(key["secretAccessKey"], everything)
        self.assertNotIn("hunter2", everything)
        self.assertIn('\\"quiet\\": admin', everything)

    def test_a_failed_deploy_is_told_as_failed(self):
        done = self.server.deploy({"app.py": "raise SystemExit(3)\n"}, "broken", "--handler", "app.handler", check=False)
        self.assertNotEqual(done.returncode, 0)
        entry = self.entries(function="broken")[0]
        self.assertEqual((entry["operation"], entry["status"]), ("Deploy", 400))

    def test_only_administrators_of_everything_see_it(self):
        for name, scopes, functions in (("a1", "read,deploy,invoke", []), ("a2", "admin", ["*"])):
            key = self.make_key(name, scopes, functions)
            for path in ("/_lambda/audit", "/_lambda/audit/verify"):
                self.assertEqual(self.ask(key, "GET", path).status, 403)

    def test_what_was_tampered_with_is_found(self):
        with LambdaServer("native") as server:
            for name in ("k1", "k2", "k3"):
                self.make_key(name, "read", server=server)
            self.assertIn("The audit is whole", server.cli("audit", "--verify").stdout)
            server.stop()
            database = sqlite3.connect(server.data / "lambda.db")
            for statement in ("UPDATE audit SET name = 'x'", "DELETE FROM audit WHERE seq = 3"):
                with self.assertRaisesRegex(sqlite3.IntegrityError, "append-only"):
                    database.execute(statement)
            database.execute("DROP TRIGGER audit_is_not_altered")
            database.execute("UPDATE audit SET note = replace(note, 'k2', 'kx')")
            database.commit()
            database.close()
            server.start()
            done = server.cli("audit", "--verify", check=False)
            self.assert_fails(done, 1, "is not what was written", "CreateKey")

    def test_replacing_keys_is_in_it(self):
        with LambdaServer("native") as server:
            server.stop()
            subprocess.run([str(BIN / "lambdad"), "--data-dir", str(server.data), "--replace-keys"], check=True, capture_output=True)
            server.start()
            told = [(each["operation"], each["who"]) for each in reversed(self.entries(server))]
            self.assertEqual(told, [("CreateKey", "lambdad"), ("ReplaceKeys", "lambdad"), ("CreateKey", "lambdad")])
            self.assertIn("The audit is whole", server.cli("audit", "--verify").stdout)

    def test_kill_9_takes_no_acknowledged_change_out_of_it(self):
        with LambdaServer("native") as server:
            acknowledged, lock = [], threading.Lock()

            def change(worker):
                for turn in range(10_000):
                    name = f"w{worker}-{turn}"
                    try:
                        reply = server.api("POST", "/_lambda/keys", {"name": name, "scopes": ["read"]})
                    except (OSError, http.client.HTTPException):
                        return
                    if reply.status == 201:
                        with lock:
                            acknowledged.append((name, reply.json()["id"]))
            workers = [threading.Thread(target=change, args=(worker,)) for worker in range(4)]
            for worker in workers:
                worker.start()
            deadline = time.monotonic() + 30
            while len(acknowledged) < 60 and time.monotonic() < deadline:
                time.sleep(0.01)
            server.kill()
            for worker in workers:
                worker.join()
            server.start()
            told = {}
            for entry in self.entries(server):
                if match := re.match(r'key (\w+) "(.+)": read$', entry["note"]):
                    told[match[2]] = (match[1], entry["status"])
            self.assertGreater(len(acknowledged), 50)
            for name, identity in acknowledged[-900:]:
                self.assertEqual(told.get(name), (identity, 201))
            kept = {each["name"] for each in server.api("GET", "/_lambda/keys").json()["keys"]}
            begun = sum(entry["operation"] == "CreateKey" for entry in self.entries(server))
            self.assertGreaterEqual(begun, len(kept), "no key without its row")
            self.assertIn("The audit is whole", server.cli("audit", "--verify").stdout)


class FullDisk(unittest.TestCase):
    def test_nothing_is_changed_that_cannot_be_audited(self):
        disk = SmallDisk(40)
        self.addCleanup(disk.close)
        with LambdaServer("native", data=disk.path / "data") as server:
            server.deploy(ECHO, "greet", "--handler", "app.handler")
            filler = disk.fill()
            refused = None
            for turn in range(3000):
                reply = server.api("PUT", "/2015-03-31/functions/greet/configuration", {"Description": f"turn {turn}"})
                if reply.status != 200:
                    refused = reply
                    break
            self.assertIsNotNone(refused, "the disk was not full")
            message = refused.json().get("Message") or refused.json()["message"]
            self.assertIn("is full", message)
            now = server.api("GET", "/2015-03-31/functions/greet/configuration")
            self.assertEqual(now.status, 200)
            self.assertNotEqual(now.json()["Description"], f"turn {turn}")
            self.assertEqual(server.invoke("greet", {"a": 1}).json(), {"a": 1})
            self.assertEqual(server.api("GET", "/_lambda/audit").status, 200)
            filler.unlink()
            self.assertEqual(server.api("PUT", "/2015-03-31/functions/greet/configuration", {"Description": "room"}).status, 200)
            self.assertIn("The audit is whole", server.cli("audit", "--verify").stdout)


if __name__ == "__main__":
    unittest.main()
