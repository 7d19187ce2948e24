"""Secrets and environment variables: how they reach functions, on both drivers, and that they stand nowhere else."""

import io
import json
import os
import sqlite3
import subprocess
import threading
import time
import unittest
import zipfile
from pathlib import Path

from lambda_server import LambdaServer, ServerTest, on_both_drivers

# Its environment and its secrets as files, after a while if the event says so.
TELLER = '''
import os, time
BORN = dict(os.environ)
def handler(event, context):
    time.sleep(event.get("seconds", 0))
    files = {}
    if os.path.isdir("/run/secrets"):
        for name in os.listdir("/run/secrets"):
            status = os.stat("/run/secrets/" + name)
            files[name] = [open("/run/secrets/" + name).read(), oct(status.st_mode & 0o777), status.st_uid == os.getuid()]
    return {"environment": {name: BORN.get(name) for name in event["names"]}, "files": files}
'''

HTTP_SERVER = '''
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = (os.environ.get("TOKEN", "none") + " " + open("/run/secrets/CERT").read()).encode()
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers(); self.wfile.write(body)
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
'''
DOCKERFILE = 'FROM lambda/python:3.11\nCOPY server.py /srv/\nEXPOSE 8080\nCMD ["python3", "/srv/server.py"]\n'


class SecretsTestBase(ServerTest):

    def teller(self, name, *arguments, **files):
        return self.server.deploy({"app.py": TELLER, **files}, name, "--handler", "app.handler", *arguments)

    def put(self, name, value, *arguments, **more):
        return self.server.cli("secret", "put", name, *arguments, stdin=value, **more)

    def told(self, function, *names, seconds=0):
        reply = self.server.invoke(function, {"names": names, "seconds": seconds})
        self.assertEqual(reply.status, 200, reply)
        self.assertNotIn("x-amz-function-error", reply.headers, reply)
        return reply.json()

    def environment(self, function, *names, **more):
        return self.told(function, *names, **more)["environment"]


@on_both_drivers
class Delivery(SecretsTestBase):
    def test_shared_ones_reach_those_that_ask_and_own_ones_their_function(self):
        self.put("SHARED_TOKEN", "shared-1\n")
        self.teller("asks", "--secret", "SHARED_TOKEN")
        self.teller("other")
        self.put("OWN_TOKEN", "own-1", "--function", "asks")
        self.assertEqual(self.environment("asks", "SHARED_TOKEN", "OWN_TOKEN"), {"SHARED_TOKEN": "shared-1", "OWN_TOKEN": "own-1"})
        self.assertEqual(self.environment("other", "SHARED_TOKEN", "OWN_TOKEN"), {"SHARED_TOKEN": None, "OWN_TOKEN": None})

    def test_files_are_in_a_tmpfs_for_the_function_s_user_alone(self):
        pem = "-----BEGIN-----\nline\n-----END-----\n"
        self.put("CERT_KEY", pem)
        self.teller("filed", "--secret", "CERT_KEY:file")
        self.put("OWN_FILE", "one line\n", "--function", "filed", "--as", "file")
        told = self.told("filed", "CERT_KEY", "OWN_FILE")
        self.assertEqual(told["files"], {"CERT_KEY": [pem, "0o400", True], "OWN_FILE": ["one line", "0o400", True]})
        self.assertEqual(told["environment"], {"CERT_KEY": None, "OWN_FILE": None})

    def test_an_image_that_serves_http_gets_them_too(self):
        self.put("CERT", "pem-of-the-image")
        self.put("TOKEN", "token-of-the-image")
        self.server.deploy({"Dockerfile": DOCKERFILE, "server.py": HTTP_SERVER}, "site", "--secret", "CERT:file", "--secret", "TOKEN",
                           timeout=300)
        self.assertEqual(self.server.get("site").text, "token-of-the-image pem-of-the-image")

    def test_a_changed_one_reaches_the_next_call_and_running_calls_end_in_peace(self):
        self.teller("changes")
        self.put("CHANGING", "old", "--function", "changes")
        self.assertEqual(self.environment("changes", "CHANGING"), {"CHANGING": "old"})
        slow = []
        running = threading.Thread(target=lambda: slow.append(self.environment("changes", "CHANGING", seconds=4)))
        running.start()
        time.sleep(1)
        done = self.put("CHANGING", "new", "--function", "changes")
        self.assertIn("Changed the secret CHANGING", done.stdout)
        self.assertEqual(self.environment("changes", "CHANGING"), {"CHANGING": "new"})
        running.join()
        self.assertEqual(slow, [{"CHANGING": "old"}])
        self.assertIn("Unchanged", self.put("CHANGING", "new", "--function", "changes").stdout)

    def test_one_that_was_deleted_is_told_by_the_start_that_asks_for_it(self):
        self.put("DOOMED", "x1")
        self.teller("doomed", "--secret", "DOOMED")
        self.assertEqual(self.environment("doomed", "DOOMED"), {"DOOMED": "x1"})
        self.assert_fails(self.server.cli("secret", "delete", "DOOMED", stdin="", check=False), 2, "doomed uses it", "Add -y")
        self.server.cli("secret", "delete", "DOOMED", "-y")
        reply = self.server.invoke("doomed", {"names": []})
        self.assertEqual(reply.headers["x-amz-function-error"], "Unhandled")
        self.assertEqual(reply.json()["errorType"], "Lambda.SecretNotFound")
        self.assertIn("the secret DOOMED, which does not exist", reply.json()["errorMessage"])
        self.assertIn("lambda secret put DOOMED", self.server.cli("logs", "doomed").stdout)
        self.put("DOOMED", "x2")
        self.assertEqual(self.environment("doomed", "DOOMED"), {"DOOMED": "x2"})

    def test_a_rollback_leaves_secrets_alone(self):
        self.teller("rolled")
        self.put("ROLLED", "one", "--function", "rolled")
        self.teller("rolled", "-e", "COLOR=blue")
        self.put("ROLLED", "two", "--function", "rolled")
        self.server.cli("rollback", "rolled")
        self.assertEqual(self.environment("rolled", "ROLLED", "COLOR"), {"ROLLED": "two", "COLOR": None})

    def test_values_stand_in_no_place_but_the_function(self):
        """Not in the data directory, the programs' command lines and environments, lambdad's log, what Docker tells, or any answer."""
        words = {"OWN_PLACE": "needle-own-5c1d", "FILE_PLACE": "needle-file-5c1d", "ENV_PLACE": "needle-env-5c1d"}
        self.teller("hides", "-e", f"ENV_PLACE={words['ENV_PLACE']}")
        self.put("OWN_PLACE", words["OWN_PLACE"], "--function", "hides")
        self.put("FILE_PLACE", words["FILE_PLACE"], "--function", "hides", "--as", "file")
        told = self.told("hides", "OWN_PLACE", "ENV_PLACE")
        self.assertEqual(told["files"]["FILE_PLACE"][0], words["FILE_PLACE"])
        self.put("OWN_PLACE", "", "--function", "hides", check=False)
        places = {"log": self.server.log_text(10_000)}
        for pid in [self.server.process.pid, *self.children(self.server.process.pid)]:
            for file in ("cmdline", "environ"):
                places[f"/proc/{pid}/{file}"] = Path(f"/proc/{pid}/{file}").read_bytes().decode(errors="replace")
        for arguments in (["secret", "list"], ["secret", "list", "-o", "json"], ["env", "hides"], ["env", "hides", "-o", "json"], ["list", "-o", "json"],
                          ["versions", "hides", "-o", "json"], ["logs", "hides"]):
            places[" ".join(arguments)] = self.server.cli(*arguments).stdout
        for path in ("/_lambda/status", "/_lambda/secrets", "/_lambda/functions/hides", "/_lambda/functions/hides/environment"):
            places[path] = self.server.api("GET", path).text
        if self.driver == "docker":
            containers = subprocess.run(["docker", "ps", "-aq", "--filter", "label=lambda.function=hides"], capture_output=True, text=True,
                                        check=True).stdout.split()
            self.assertTrue(containers)
            places["docker inspect"] = subprocess.run(["docker", "inspect", *containers], capture_output=True, text=True, check=True).stdout
        for root, _, files in os.walk(self.server.data):
            for file in files:
                path = Path(root) / file
                if path.is_file():
                    places[str(path)] = path.read_bytes().decode("latin-1")
        for place, text in places.items():
            for word in words.values():
                self.assertFalse(word in text, f"{word} stands in {place}")

    @staticmethod
    def children(pid):
        # lambda-spawn and its like; what runs in a sandbox has its environment in its own /proc.
        return [int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()]


class Commands(SecretsTestBase):
    driver = "native"

    def test_a_value_is_never_an_argument(self):
        for arguments in (["TOKEN", "hunter2"], ["TOKEN=hunter2"], ["TOKEN", "hunter2", "more"]):
            done = self.server.cli("secret", "put", *arguments, stdin="x", check=False)
            self.assert_fails(done, 2, "is no argument", "lambda secret put TOKEN")
            self.assertNotIn("hunter2", done.stderr)
        self.assertNotIn('"TOKEN"', self.server.api("GET", "/_lambda/secrets").text)

    def test_what_is_wrong_is_told_before_anything_is_kept(self):
        self.teller("strict")
        for arguments, value, words in ((["AWS_REGION"], "x", ["AWS_REGION", "the server sets"]), (["1BAD"], "x", ["1BAD"]), (["EMPTY"], "", ["empty"]),
                                        (["BINARY"], "a\0b", ["NUL", "--as file"]), (["LARGE"], "x" * 65_537, ["65536 bytes"])):
            self.assert_fails(self.put(*arguments, value, check=False), 2, *words)
        self.assert_fails(self.put("TOKEN", "x", "--function", "strikt", check=False), 5, 'no function "strikt"', 'did you mean "strict"')
        names = [secret["name"] for secret in self.server.api("GET", "/_lambda/secrets").json()["secrets"]]
        self.assertFalse(set(names) & {"AWS_REGION", "1BAD", "EMPTY", "BINARY", "LARGE", "TOKEN"}, names)
        self.put("LARGE", "x" * 65_536, "--function", "strict")
        self.assertEqual(len(self.environment("strict", "LARGE")["LARGE"]), 65_536)
        self.server.cli("secret", "delete", "LARGE", "--function", "strict", "-y")

    def test_the_list_has_digests_and_users(self):
        self.put("LISTED", "first")
        self.teller("lister", "--secret", "LISTED:file")
        self.put("LISTED_OWN", "x1", "--function", "lister")
        before = {secret["name"]: secret for secret in json.loads(self.server.cli("secret", "list", "-o", "json").stdout)["secrets"]}
        self.assertEqual(before["LISTED"]["usedBy"], ["lister"])
        self.assertEqual((before["LISTED"]["function"], before["LISTED_OWN"]["function"]), (None, "lister"))
        self.assertRegex(before["LISTED"]["digest"], "^[0-9a-f]{12}$")
        self.put("LISTED", "second")
        after = {secret["name"]: secret for secret in json.loads(self.server.cli("secret", "list", "--function", "lister", "-o", "json").stdout)["secrets"]}
        self.assertNotEqual(after["LISTED"]["digest"], before["LISTED"]["digest"])
        self.assertEqual(set(after), {"LISTED", "LISTED_OWN"})
        table = self.server.cli("secret", "list").stdout
        self.assertRegex(table, r"(?m)^LISTED +\(shared\) +env +[0-9a-f]{12} .* lister")

    def test_half_of_a_canary_and_what_a_rollback_would_start_are_told_before_one_is_deleted(self):
        self.put("SPLIT", "x1")
        self.teller("canary", "--secret", "SPLIT")
        folder = self.server.folder({"app.py": TELLER, "lambda.toml": 'handler = "app.handler"\nsecrets = []\n'})
        self.server.cli("deploy", folder, "--name", "canary")
        self.server.cli("alias", "set", "canary", "live", "2=90", "1=10")
        self.assertRegex(self.server.cli("secret", "list").stdout, r"(?m)^SPLIT .* canary")
        self.assert_fails(self.server.cli("secret", "delete", "SPLIT", stdin="", check=False), 2, "canary uses it", "Add -y")
        self.server.cli("alias", "set", "canary", "live", "2")
        self.server.cli("alias", "set", "canary", "beta", "1")
        self.assert_fails(self.server.cli("secret", "delete", "SPLIT", stdin="", check=False), 2, "canary uses it", "Add -y")
        self.server.cli("alias", "delete", "canary", "beta", "-y")
        self.assertNotRegex(self.server.cli("secret", "list").stdout, r"(?m)^SPLIT .* canary")
        done = self.server.cli("secret", "delete", "SPLIT", stdin="", check=False)
        self.assert_fails(done, 2, "will not start after a rollback to them: canary (version 1)", "Add -y")
        self.assertNotIn("uses it", done.stderr)
        self.assertRegex(self.server.cli("secret", "list").stdout, r"(?m)^SPLIT ")
        self.server.cli("secret", "delete", "SPLIT", "-y")

    def test_a_deploy_that_asks_for_what_does_not_exist_is_refused(self):
        self.put("THERE_IS", "x1")
        folder = self.server.folder({"app.py": TELLER, "lambda.toml": 'handler = "app.handler"\nsecrets = ["THERE_IZ"]\n'})
        done = self.server.cli("deploy", folder, "--name", "wants", check=False)
        self.assert_fails(done, 2, "wants asks for the secret THERE_IZ, which does not exist", "did you mean THERE_IS?", "lambda secret put THERE_IZ")
        self.assertNotIn("[1/3]", done.stderr)
        (folder / "lambda.toml").write_text('handler = "app.handler"\nsecrets = ["THERE_IS:file"]\n')
        self.server.cli("deploy", folder, "--name", "wants")
        self.assertEqual(list(self.told("wants")["files"]), ["THERE_IS"])
        # The list of lambda.toml is the whole.
        (folder / "lambda.toml").write_text('handler = "app.handler"\nsecrets = []\n')
        self.server.cli("deploy", folder, "--name", "wants")
        self.assertEqual(self.told("wants")["files"], {})

    def test_a_name_that_is_both_is_told(self):
        self.put("BOTH", "secret value")
        done = self.teller("both", "--secret", "BOTH", "-e", "BOTH=plain")
        self.assertIn("both an environment variable and a secret, of which the function gets the secret: BOTH", done.stderr)
        self.assertEqual(self.environment("both", "BOTH"), {"BOTH": "secret value"})
        self.assertIn("hides the environment variable", self.put("BOTH", "another").stderr)

    def test_they_go_with_their_function(self):
        self.teller("leaves")
        self.put("LEAVING", "x1", "--function", "leaves")
        self.assertIn("  1 secret: LEAVING\n", self.server.cli("delete", "leaves", "-y").stderr)
        self.assertNotIn("LEAVING", self.server.cli("secret", "list").stdout)
        self.teller("leaves")
        self.assertEqual(self.environment("leaves", "LEAVING"), {"LEAVING": None})


class Environment(SecretsTestBase):
    driver = "native"

    def shown(self, function, *arguments):
        return json.loads(self.server.cli("env", function, "-o", "json", *arguments).stdout)

    def test_values_are_shown_on_demand_alone(self):
        self.teller("shows", "-e", "COLOR=blue-7f3a")
        plain = self.server.cli("env", "shows")
        self.assertRegex(plain.stdout, r"(?m)^COLOR +[0-9a-f]{12}")
        self.assertNotIn("blue-7f3a", plain.stdout + plain.stderr)
        self.assertRegex(self.server.cli("env", "shows", "--show").stdout, r"(?m)^COLOR +blue-7f3a")
        self.assertNotIn("value", self.shown("shows")["variables"][0])
        self.assertEqual(self.shown("shows", "--show")["variables"][0]["value"], "blue-7f3a")

    def test_a_change_is_a_version_that_is_live_at_once_and_can_be_undone(self):
        self.teller("varies", "-e", "COLOR=blue", "-e", "SIZE=3")
        done = self.server.cli("env", "set", "varies", "COLOR=red", "NEW=a=b")
        self.assertIn('Version 2 of "varies" is live', done.stdout)
        self.assertEqual(self.environment("varies", "COLOR", "SIZE", "NEW"), {"COLOR": "red", "SIZE": "3", "NEW": "a=b"})
        self.assertIn("Unchanged", self.server.cli("env", "set", "varies", "COLOR=red").stdout)
        self.server.cli("env", "unset", "varies", "SIZE", "NEW")
        self.assertEqual(self.environment("varies", "COLOR", "SIZE", "NEW"), {"COLOR": "red", "SIZE": None, "NEW": None})
        versions = self.server.cli("versions", "varies").stdout
        self.assertIn("set COLOR, NEW", versions)
        self.assertIn("unset SIZE, NEW", versions)
        self.assertNotIn("red", versions)
        self.server.cli("rollback", "varies")
        self.assertEqual(self.environment("varies", "SIZE"), {"SIZE": "3"})
        self.assert_fails(self.server.cli("env", "unset", "varies", "SIZZE", check=False), 5, "no environment variable SIZZE", "COLOR")
        # A deploy without -e keeps what was set.
        self.teller("varies", "-m", "the same")
        self.assertEqual(self.environment("varies", "COLOR"), {"COLOR": "red"})

    def test_a_draft_that_nobody_promoted_is_not_made_live(self):
        code = "import os\ndef handler(event, context): return {'code': %d, 'COLOR': os.environ.get('COLOR'), 'OLD': os.environ.get('OLD'), 'stage': os.environ.get('STAGE')}\n"
        self.server.deploy({"app.py": code % 1}, "drafted", "--handler", "app.handler", "-e", "COLOR=blue", "-e", "OLD=1")
        self.assertNotIn("$LATEST", self.server.cli("env", "set", "drafted", "COLOR=green").stderr)
        client = self.server.boto()
        client.update_function_code(FunctionName="drafted", ZipFile=self.zipped(code % 2))
        client.update_function_configuration(FunctionName="drafted", Environment={"Variables": {"COLOR": "draft", "STAGE": "draft"}})
        done = self.server.cli("env", "set", "drafted", "COLOR=red")
        self.assertIn('Version 3 of "drafted" is live', done.stdout)
        self.assertIn("$LATEST was changed since and is not live", done.stderr)
        self.assertIn("lambda promote drafted", done.stderr)
        self.assertEqual(self.server.invoke("drafted").json(), {"code": 1, "COLOR": "red", "OLD": "1", "stage": None})
        self.assertEqual(json.loads(client.invoke(FunctionName="drafted")["Payload"].read()), {"code": 2, "COLOR": "red", "OLD": None, "stage": "draft"})
        # What the live version has alone; and what it has already, while the draft has not.
        self.server.cli("env", "unset", "drafted", "OLD")
        client.update_function_configuration(FunctionName="drafted", Environment={"Variables": {"STAGE": "draft"}})
        again = self.server.cli("env", "set", "drafted", "COLOR=red")
        self.assertIn("Unchanged: version 4", again.stdout)
        self.assertIn("$LATEST was changed since", again.stderr)
        self.assertEqual(self.server.invoke("drafted").json(), {"code": 1, "COLOR": "red", "OLD": None, "stage": None})
        # What the draft alone has is not live's to lose.
        self.assert_fails(self.server.cli("env", "unset", "drafted", "STAGE", check=False), 5, "no environment variable STAGE")
        self.server.cli("promote", "drafted")
        self.assertEqual(self.server.invoke("drafted").json(), {"code": 2, "COLOR": "red", "OLD": None, "stage": "draft"})

    @staticmethod
    def zipped(code):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("app.py", code)
        return buffer.getvalue()

    def test_values_come_from_a_file_and_from_standard_input(self):
        self.teller("reads")
        file = self.server.folder({"production.env": "# a comment\nFROM_FILE=1\n"}) / "production.env"
        self.server.cli("env", "set", "reads", "TYPED=-", "--env-file", file, stdin="secret word\n")
        self.assertEqual(self.environment("reads", "FROM_FILE", "TYPED"), {"FROM_FILE": "1", "TYPED": "secret word"})
        self.assert_fails(self.server.cli("env", "set", "reads", check=False), 2, "nothing to set")
        self.assert_fails(self.server.cli("env", "set", "reads", "AWS_REGION=x", check=False), 2, "AWS_REGION")

    def test_what_fails_to_initialise_changes_nothing(self):
        code = "import os\nif os.environ.get('BREAK'): raise ValueError('broken')\ndef handler(event, context): return os.environ.get('KEEP')\n"
        self.server.deploy({"app.py": code}, "breaks", "--handler", "app.handler", "-e", "KEEP=1")
        done = self.server.cli("env", "set", "breaks", "BREAK=needle-value", check=False)
        self.assert_fails(done, 3, "the environment of breaks was left as it was", "broken")
        self.assertNotIn("needle-value", done.stderr)
        self.assertEqual(self.server.invoke("breaks").json(), "1")
        self.assertEqual([variable["name"] for variable in self.shown("breaks")["variables"]], ["KEEP"])

    def test_of_a_function_of_aws_s_tools_latest_is_changed(self):
        client = self.server.boto()
        client.create_function(FunctionName="aws", Runtime="python3.11", Handler="app.handler", Role="arn:aws:iam::000000000000:role/x",
                               Code={"ZipFile": self.zipped(TELLER)}, Environment={"Variables": {"COLOR": "blue"}})
        self.assertIn("$LATEST", self.server.cli("env", "set", "aws", "COLOR=red").stdout)
        self.assertEqual(self.environment("aws", "COLOR"), {"COLOR": "red"})
        configuration = client.get_function_configuration(FunctionName="aws")
        self.assertEqual(configuration["Environment"]["Variables"], {"COLOR": "red"})


class AtRest(unittest.TestCase):
    def in_files(self, server, word):
        return [str(path) for path in server.data.rglob("*") if path.is_file() and word.encode() in path.read_bytes()]

    def test_an_older_database_is_sealed_at_the_first_start(self):
        with LambdaServer("native") as server:
            server.deploy({"app.py": "import os\ndef handler(event, context): return os.environ['PASSWORD']\n"}, "old", "--handler", "app.handler",
                          "-e", "PASSWORD=needle-at-rest")
            self.assertEqual(self.in_files(server, "needle-at-rest"), [])
            self.assertEqual(server.stop(), 0)
            # As it was before: in clear, in the file and in its log.
            with sqlite3.connect(server.data / "lambda.db") as database:
                for rowid, text in database.execute("SELECT number, configuration FROM versions").fetchall():
                    configuration = json.loads(text)
                    configuration.pop("sealedEnvironment")
                    configuration["environment"] = {"PASSWORD": "needle-at-rest"}
                    database.execute("UPDATE versions SET configuration = ? WHERE number = ?", (json.dumps(configuration), rowid))
                database.execute("DELETE FROM meta WHERE name = 'environments_sealed'")
            database.close()
            self.assertNotEqual(self.in_files(server, "needle-at-rest"), [])
            server.start()
            self.assertEqual(self.in_files(server, "needle-at-rest"), [])
            self.assertEqual(server.invoke("old").json(), "needle-at-rest")

    def test_secrets_outlive_a_kill_and_a_wrong_master_key_is_refused(self):
        with LambdaServer("native") as server:
            server.deploy({"app.py": TELLER}, "keeps", "--handler", "app.handler")
            server.cli("secret", "put", "TOKEN", "--function", "keeps", stdin="needle-kept")
            server.kill()
            server.start()
            self.assertEqual(server.invoke("keeps", {"names": ["TOKEN"]}).json()["environment"], {"TOKEN": "needle-kept"})
            self.assertEqual(server.stop(), 0)
            key = server.data / "master.key"
            right = key.read_bytes()
            key.write_bytes(b"0" * 64 + b"\n")
            with self.assertRaises(AssertionError) as refused:
                server.start()
            self.assertIn("master.key does not open", str(refused.exception))
            key.write_bytes(right)
            server.start()
            self.assertEqual(server.invoke("keeps", {"names": ["TOKEN"]}).json()["environment"], {"TOKEN": "needle-kept"})


if __name__ == "__main__":
    unittest.main()
