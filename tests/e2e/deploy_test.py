"""Deploys: settings and code versioned together, identical ones, failed ones, simultaneous ones, cleaning up."""

import json
import threading
import time
import unittest

from lambda_server import ServerTest, on_both_drivers

SHOWS = '''
import os
CODE = "{code}"
def handler(event, context):
    return {{"code": CODE, "color": os.environ.get("COLOR"), "memory": context.memory_limit_in_mb, "version": context.function_version}}
'''


def shows(code):
    return {"app.py": SHOWS.format(code=code)}


@on_both_drivers
class Deploys(ServerTest):
    def versions(self, name):
        return self.server.api("GET", f"/_lambda/functions/{name}/versions").json()["versions"]

    def test_code_and_settings_are_versioned_together(self):
        deploy, call = self.server.deploy, lambda: self.server.get("pair").json()
        deploy(shows("a"), "pair", "--handler", "app.handler", "-e", "COLOR=red", "--memory", "128")
        deploy(shows("b"), "pair", "-e", "COLOR=blue", "--memory", "256")
        self.assertEqual(call(), {"code": "b", "color": "blue", "memory": "256", "version": "2"})
        self.server.cli("rollback", "pair")
        self.assertEqual(call(), {"code": "a", "color": "red", "memory": "128", "version": "1"})

    def test_settings_not_named_stay(self):
        self.server.deploy(shows("a"), "stay", "--handler", "app.handler", "-e", "COLOR=red", "--memory", "192", "--timeout", "7")
        self.server.deploy(shows("b"), "stay")
        self.assertEqual(self.server.get("stay").json(), {"code": "b", "color": "red", "memory": "192", "version": "2"})
        self.assertEqual(self.server.api("GET", "/2015-03-31/functions/stay/configuration").json()["Timeout"], 7)
        self.server.deploy(shows("b"), "stay", "--env-clear")
        self.assertIsNone(self.server.get("stay").json()["color"])

    def test_an_identical_deploy_makes_no_version(self):
        self.server.deploy(shows("same"), "same", "--handler", "app.handler")
        before = self.versions("same")
        done = self.server.deploy(shows("same"), "same", "--handler", "app.handler")
        self.assertIn("unchanged", (done.stdout + done.stderr).lower())
        self.assertEqual(self.versions("same"), before)

    def test_the_same_folder_gives_the_same_hash(self):
        folder = self.server.folder({**shows("hash"), "b/x.txt": "x", "a/y.txt": "y"})
        self.server.deploy(folder, "hash1", "--handler", "app.handler")
        for path in folder.rglob("*"):
            path.touch()
        self.server.deploy(folder, "hash2", "--handler", "app.handler")
        digests = [self.server.api("GET", f"/2015-03-31/functions/{name}/configuration").json()["CodeSha256"] for name in ("hash1", "hash2")]
        self.assertEqual(digests[0], digests[1])

    def test_what_goes_in(self):
        code = '''
import os
def handler(event, context):
    return sorted(os.path.relpath(os.path.join(where, name), "/var/task") for where, _, names in os.walk("/var/task") for name in names
                  if not name.endswith(".pyc"))
'''
        files = {"app.py": code, ".git/config": "x", ".env": "SECRET=1", ".env.local": "x", ".venv/lib/x.py": "x", "__pycache__/x.pyc": "x",
                 ".gitignore": "node_modules\nbuilt", "node_modules/m/index.js": "x", "built": "x", "notes.txt": "x", "keep/data.bin": b"\0\1",
                 ".lambdaignore": "notes.txt\n"}
        self.server.deploy(files, "content", "--handler", "app.handler")
        found = self.server.invoke("content").json()
        for name in ("app.py", "node_modules/m/index.js", "built", "keep/data.bin"):
            self.assertIn(name, found)
        for name in (".git/config", ".env", ".env.local", ".venv/lib/x.py", "notes.txt"):
            self.assertNotIn(name, found)

    def test_dependencies_that_are_not_there_stop_it_before_the_upload(self):
        python = self.server.deploy({"app.py": "def handler(e, c): pass", "requirements.txt": "requests==2.31\n"}, "needs",
                                    "--handler", "app.handler", check=False)
        self.assertNotEqual(python.returncode, 0)
        self.assertIn("pip install", python.stderr)
        node = self.server.deploy({"index.js": "exports.handler = async () => 1", "package.json": '{"dependencies": {"left-pad": "1"}}'},
                                  "needs", check=False)
        self.assertNotEqual(node.returncode, 0)
        self.assertIn("npm install", node.stderr)
        self.assertEqual(self.server.get("needs").status, 404)

    def test_simultaneous_deploys_queue_up(self):
        results = []

        def deploy(number):
            results.append((number, self.server.deploy(shows(f"n{number}"), "busy", "--handler", "app.handler", "-e", f"COLOR=n{number}",
                                                       check=False)))
        threads = [threading.Thread(target=deploy, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for number, done in results:
            self.assertEqual(done.returncode, 0, f"deploy {number}: {done.stderr}")
        answer = self.server.get("busy").json()
        self.assertEqual(answer["code"], answer["color"])
        self.assertEqual(self.versions("busy")[0]["version"], 6)
        self.assertTrue(self.versions("busy")[0]["live"])

    def test_calls_during_deploys_see_one_version_whole(self):
        self.server.deploy(shows("0"), "moving", "--handler", "app.handler", "-e", "COLOR=0")
        stop, wrong, seen = threading.Event(), [], set()

        def call():
            while not stop.is_set():
                reply = self.server.get("moving")
                if reply.status != 200 or reply.json()["code"] != reply.json()["color"]:
                    wrong.append(reply)
                else:
                    seen.add(reply.json()["code"])
        threads = [threading.Thread(target=call) for _ in range(3)]
        for thread in threads:
            thread.start()
        for number in range(1, 4):
            self.server.deploy(shows(str(number)), "moving", "-e", f"COLOR={number}")
            time.sleep(0.2)
        stop.set()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])
        self.assertEqual(seen, {"0", "1", "2", "3"})

    def test_old_versions_are_cleaned_but_not_published_ones(self):
        self.server.deploy(shows("v1"), "many", "--handler", "app.handler")
        client = self.server.boto()
        client.update_function_configuration(FunctionName="many", Description="by hand")
        published = client.publish_version(FunctionName="many")["Version"]
        for number in range(2, 9):
            self.server.deploy(shows(f"v{number}"), "many")
        kept = self.versions("many")
        self.assertEqual(sum(each["deployed"] for each in kept), 5, kept)
        self.assertIn(int(published), [each["version"] for each in kept])
        self.assertEqual(self.server.get("many").json()["code"], "v8")
        self.assertEqual(self.server.invoke("many", qualifier=published).json()["code"], "v1")

    def test_lambda_toml_and_deploy_all(self):
        folder = self.server.folder({
            "lambda.toml": '''
[[function]]
name = "all-one"
path = "one"
runtime = "python3.11"
handler = "app.handler"
include = ["shared"]
timeout = 9
environment = { COLOR = "green" }
[[function]]
name = "all-two"
path = "two"
include = ["shared"]
''',
            "one/app.py": "import os\nfrom shared.words import word\ndef handler(e, c): return {'word': word('one'), 'color': os.environ['COLOR']}\n",
            "two/lambda_function.py": "from shared.words import word\ndef lambda_handler(e, c): return {'word': word('two')}\n",
            "shared/words.py": "def word(text): return 'shared ' + text\n",
        })
        done = self.server.cli("deploy", "--all", folder)
        self.assertIn("all-one", done.stdout + done.stderr)
        self.assertEqual(self.server.get("all-one").json(), {"word": "shared one", "color": "green"})
        self.assertEqual(self.server.get("all-two").json(), {"word": "shared two"})
        self.assertEqual(self.server.api("GET", "/2015-03-31/functions/all-one/configuration").json()["Timeout"], 9)

    def test_promote_after_an_update_by_aws_tools(self):
        self.server.deploy(shows("live"), "promo", "--handler", "app.handler")
        client = self.server.boto()
        client.update_function_configuration(FunctionName="promo", Environment={"Variables": {"COLOR": "later"}})
        client.get_waiter("function_updated_v2").wait(FunctionName="promo")
        self.assertIsNone(self.server.get("promo").json()["color"])
        self.assertEqual(json.loads(client.invoke(FunctionName="promo")["Payload"].read())["color"], "later")
        self.assertIn("$LATEST", self.server.cli("versions", "promo").stdout + self.server.cli("list").stdout)
        self.assertIn("newer", self.server.cli("list").stdout)
        self.server.cli("promote", "promo")
        self.assertEqual(self.server.get("promo").json()["color"], "later")
        # A draft that was published is no news, whatever is live.
        self.server.cli("rollback", "promo")
        self.assertNotIn("newer", self.server.cli("list").stdout)

    def test_a_draft_that_does_not_load_is_not_made_live(self):
        self.server.deploy(shows("live"), "loads", "--handler", "app.handler")
        client = self.server.boto()
        self.addCleanup(client.close)

        def promote(*arguments):
            return self.server.cli("promote", "loads", *arguments, check=False)

        client.update_function_configuration(FunctionName="loads", Handler="gone.handler")
        self.assert_fails(promote(), 3, "$latest of loads was not made live", "gone", "`lambda logs loads`")
        self.assertIn("gone", self.server.cli("logs", "loads").stdout)
        version = client.publish_version(FunctionName="loads")["Version"]
        self.assert_fails(promote(version), 3, f"version {version} of loads was not made live")
        self.assert_fails(self.server.cli("rollback", "loads", version, check=False), 3, f"version {version} of loads was not made live")
        self.assert_fails(promote(), 3, f"version {version} of loads was not made live")
        self.assertEqual(self.server.get("loads").json()["version"], "1")
        # Mended, it is started for the first call.
        client.update_function_configuration(FunctionName="loads", Handler="app.handler", Environment={"Variables": {"COLOR": "new"}})
        self.assertEqual(promote().returncode, 0)
        reply = self.server.invoke("loads", qualifier="live")
        self.assertEqual((reply.json()["color"], reply.json()["version"]), ("new", "3"))
        timing = dict(part.split("=") for part in reply.headers["x-lambda-timing"].split(";"))
        self.assertLess(int(timing["total"]), int(timing["start"]) + int(timing["init"]))
        # One that was live is known to load, and one that an alias makes live is not looked at.
        client.update_alias(FunctionName="loads", Name="live", FunctionVersion=version)
        self.assertEqual(self.server.cli("rollback", "loads").returncode, 0)
        self.assertEqual(self.server.get("loads").json()["version"], "1")
        self.assertEqual(promote(version).returncode, 0)

    def test_settings_after_a_rollback_are_those_that_are_live(self):
        self.server.deploy(shows("one"), "steps", "--handler", "app.handler", "-e", "COLOR=red")
        self.server.deploy(shows("two"), "steps", "--handler", "app.handler", "-e", "COLOR=broken", "--timeout", "9")
        self.server.cli("rollback", "steps")
        self.server.deploy(shows("three"), "steps", "--handler", "app.handler")
        self.assertEqual(self.server.get("steps").json(), {"code": "three", "color": "red", "memory": "128", "version": "3"})
        self.assertEqual(self.server.api("GET", "/2015-03-31/functions/steps/configuration").json()["Timeout"], 30)
        # What AWS's tools changed since is wanted, and told.
        self.server.boto().update_function_configuration(FunctionName="steps", Environment={"Variables": {"COLOR": "blue"}}, Timeout=7)
        done = self.server.deploy(shows("four"), "steps", "--handler", "app.handler", "--timeout", "30")
        self.assertIn("Note: not as live in version 3, but as in $LATEST, which was changed since: environment\n", done.stderr)
        self.assertNotIn("Note:", self.server.deploy(shows("four"), "steps", "--handler", "app.handler").stderr)
        self.assertEqual(self.server.get("steps").json(), {"code": "four", "color": "blue", "memory": "128", "version": "4"})

    def test_the_handler_after_a_rollback_is_the_one_that_is_live(self):
        code = {"app.py": "def one(e, c): return 'one'\ndef two(e, c): return 'two'\n"}
        for handler in ("app.one", "app.two"):
            self.server.deploy(code, "hands", "--handler", handler)
        self.server.cli("rollback", "hands")
        self.server.deploy({**code, "more.py": ""}, "hands")
        self.assertEqual(self.server.get("hands").text, "one")
        # A draft that was changed since wins here, too.
        self.server.boto().update_function_configuration(FunctionName="hands", Handler="app.two")
        done = self.server.deploy(code, "hands")
        self.assertEqual(self.server.get("hands").text, "two")
        self.assertIn("Note: not as live in version 3, but as in $LATEST, which was changed since: handler\n", done.stderr)

    def test_settings_that_aws_tools_put_back_are_wanted(self):
        for color in ("red", "blue"):
            self.server.deploy(shows("one"), "back", "--handler", "app.handler", "-e", f"COLOR={color}")
        client = self.server.boto()
        client.update_function_configuration(FunctionName="back", Environment={"Variables": {"COLOR": "red"}})
        client.get_waiter("function_updated_v2").wait(FunctionName="back")
        self.assertIn("newer", self.server.cli("list").stdout)
        self.server.deploy(shows("two"), "back", "--handler", "app.handler")
        self.assertEqual(self.server.get("back").json()["color"], "red")

    def test_delete_says_what_goes(self):
        for code in ("w", "x"):
            self.server.deploy(shows(code), "gone", "--handler", "app.handler")
        refused = self.server.cli("delete", "gone", stdin="n\n", check=False)
        self.assertIn('Deleting "gone" deletes with it:\n  2 versions, with code and settings\n  the alias live (version 2)\n'
                      f"  its URL http://gone.localhost:{self.server.port}\n  its logs, and results of events and settings for them\n",
                      refused.stderr)
        self.assertEqual(self.server.get("gone").status, 200)
        self.server.cli("delete", "gone", "-y")
        self.assertEqual(self.server.get("gone").status, 404)
        # The name is free again, and numbers begin anew.
        self.server.deploy(shows("y"), "gone", "--handler", "app.handler")
        self.assertEqual(self.server.get("gone").json()["code"], "y")

    def test_delete_says_which_schedules_and_events_go(self):
        self.server.deploy({"app.py": "def handler(e, c): raise ValueError('no')"}, "laden", "--handler", "app.handler")
        self.server.cli("queue", "config", "laden", "--retries", "0")
        for name in ("monthly", "weekly"):
            self.server.cli("schedule", "laden", "--cron", f"@{name}", "--name", name)
        self.server.cli("invoke", "laden", "--async", "--wait", check=False)
        self.server.cli("queue", "config", "laden", "--retries", "2")
        self.server.cli("invoke", "laden", "--async")
        self.until_depth("laden", waiting=1, dead=1)
        refused = self.server.cli("delete", "laden", stdin="n\n", check=False)
        self.assertIn("  2 schedules: monthly, weekly\n  1 waiting event\n  1 dead event\n  its logs, ", refused.stderr)
        self.server.cli("delete", "laden", "-y")
        self.server.deploy(shows("new"), "laden", "--handler", "app.handler")
        refused = self.server.cli("delete", "laden", stdin="n\n", check=False)
        self.assertNotIn("event\n", refused.stderr)
        self.assertNotIn("schedule", refused.stderr)

    def until_depth(self, name, **wanted):
        deadline = time.monotonic() + 20
        while True:
            shown = self.server.api("GET", f"/_lambda/queue?function={name}").json()["functions"]
            if shown and wanted.items() <= shown[0].items():
                return
            self.assertLess(time.monotonic(), deadline, shown)
            time.sleep(0.05)


LOOKS = """
import pathlib
def handler(event, context):
    task = pathlib.Path("/var/task")
    return sorted(path.stem.split(".")[0] for path in task.rglob("*.pyc"))
"""


@on_both_drivers
class Bytecode(ServerTest):
    """Python is compiled at its deploy."""

    def test_a_package_of_many_megabytes_has_its_bytecode(self):
        modules = {f"part{number:02}": f"TEXT = '{number:02}" + "x" * 400_000 + "'\n" for number in range(40)}
        done = self.server.deploy({"app.py": LOOKS, **{f"lib/{name}.py": text for name, text in modules.items()}}, "large", "--handler",
                                  "app.handler")
        self.assertNotIn("Warning", done.stderr)
        self.assertEqual(self.server.invoke("large").json(), ["app", *sorted(modules)])

    def test_what_has_no_room_in_an_answer_is_told_and_the_rest_is_compiled(self):
        files = {"app.py": LOOKS, "huge.py": "TEXT = '" + "x" * 5_000_000 + "'\n", "small.py": "\ufeffA = 1\n", "wrong.py": "def\n"}
        done = self.server.deploy(files, "huge", "--handler", "app.handler")
        self.assertIn("Warning: 1 files are too large for bytecode", done.stderr)
        self.assertEqual(self.server.cli("logs", "huge").stdout, "")  # the compiler's runs are none of the function's
        self.assertEqual(self.server.invoke("huge").json(), ["app", "small"])


class OneChange(ServerTest):
    """A deploy with something wrong in it, wherever that stands, changes nothing."""

    driver = "native"
    ONE = '[[function]]\nname = "one"\npath = "a"\n'
    TWO = '[[function]]\nname = "two"\npath = "b"\n'

    def state(self, *names):
        def of(name):
            known = [self.server.api("GET", f"/_lambda/functions/{name}{part}") for part in ("", "/versions", "/schedules")]
            return [*(each.json() for each in known), self.server.api("GET", f"/2019-09-25/functions/{name}/event-invoke-config").json()]
        return [of(name) for name in names]

    def deploy(self, manifest, code, *options):
        folder = self.server.folder({"lambda.toml": manifest, "a/app.py": SHOWS.format(code=code), "b/app.py": SHOWS.format(code=code)})
        return self.server.cli("deploy", folder, *options, check=False)

    def refused(self, done, *words):
        self.assertEqual(done.returncode, 5 if "nobody" in words else 2, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)
        self.assertNotIn("Packaging", done.stderr)
        self.assertNotIn("is deployed, but", done.stderr)

    def test_what_follows_a_deploy_is_checked_before_it(self):
        good = 'path = "a"\nname = "whole"\nretries = 1\n[[schedule]]\ncron = "@daily"\n'
        self.assertEqual(self.deploy(good, "v1").returncode, 0)
        for number in range(999):
            self.server.api("PUT", f"/_lambda/functions/whole/schedules/own{number}", {"cron": "@hourly"})
        before = self.state("whole")
        head = 'path = "a"\nname = "whole"\n'
        for wrong, *words in [("retries = 9", "lambda.toml", "0, 1 or 2 times"), ('max_age = "soon"', "max_age", "not a time"),
                              ("max_age = 5", "lambda.toml", "60s to 6h"), ('max_age = "7h"', "lambda.toml", "60s to 6h"),
                              ('on_success = "nobody"', "lambda.toml", "nobody"), ('on_failure = "whole"', "lambda.toml", "itself"),
                              ('on_failure = "http://10.0.0.1/"', "private address"), ('on_failure = "ftp://x/"', "http://"),
                              ("retries = -1", "lambda.toml"), ('on_success = "whole:prod"', "lambda.toml", "no such"),
                              ('[[schedule]]\ncron = "0 22-2 * * *"', "lambda.toml", "column 3"),
                              ('[[schedule]]\ncron = "@daily"\n[[schedule]]\nname = "b"\ncron = "@daily"', '"whole" would have 1001 schedules')]:
            with self.subTest(wrong=wrong):
                self.refused(self.deploy(f"{head}{wrong}\n", "v2"), *words)
                self.assertEqual(self.state("whole"), before)

    def test_none_of_several_is_deployed_where_one_is_wrong(self):
        self.assertEqual(self.deploy(self.ONE + self.TWO, "v1", "--all").returncode, 0)
        before = self.state("one", "two")
        for wrong, *words in [("memory = 64", "lambda.toml line ", "memory must be a whole number of MB from 128 to 10240, not 64"),
                              ('runtime = "python2.7"', '"two"', "python2.7"), ('kind = "htp"', '"two"', "handler or http"),
                              ('url = "opn"', '"two"', "open, iam, key"), ('handler = "nowhere.handler"', '"two"', "nowhere.py"),
                              ("retries = 9", '"two"', "0, 1 or 2 times"), ('on_success = "nobody"', '"two"', "nobody"),
                              ('environment = { AWS_REGION = "x" }', '"two"', "AWS_REGION"), ('[[function.schedule]]\ncron = "x"', '"two"', "schedule")]:
            with self.subTest(wrong=wrong):
                self.refused(self.deploy(f"{self.ONE}{self.TWO}{wrong}\n", "v2", "--all"), *words)
                self.assertEqual(self.state("one", "two"), before)

    def test_functions_that_are_new_may_name_each_other(self):
        new = '[[function]]\nname = "left"\npath = "a"\n{}\n[[function]]\nname = "right"\npath = "b"\n'
        for wrong, *words in [('on_success = "left"', "cannot be", "itself"), ('on_success = "right:prod"', '"prod"', "first time")]:
            self.refused(self.deploy(new.format(wrong), "v1", "--all"), '"left"', *words)
            self.assertEqual(self.server.api("GET", "/_lambda/functions/left").status, 404)
        arn = "arn:aws:lambda:us-east-1:000000000000:function:right"
        done = self.deploy(new.format(f'on_success = "right:live"\non_failure = "{arn}"'), "v1", "--all")
        self.assertEqual(done.returncode, 0, done.stderr)
        config = self.server.api("GET", "/2019-09-25/functions/left/event-invoke-config").json()["DestinationConfig"]
        self.assertEqual([config[each]["Destination"] for each in ("OnSuccess", "OnFailure")], [f"{arn}:live", arn])

    def test_an_address_is_no_function_of_the_same_deploy(self):
        for name in ("http", "https"):
            url = f"{name}://example.org/hook"
            done = self.deploy(f'name = "{name}"\npath = "a"\non_failure = "{url}"\n', "v1")
            self.assertEqual(done.returncode, 0, done.stderr)
            config = self.server.api("GET", f"/2019-09-25/functions/{name}/event-invoke-config").json()
            self.assertEqual(config["DestinationConfig"]["OnFailure"]["Destination"], url)

    def test_what_was_deployed_has_its_events_and_schedules_where_another_fails(self):
        folder = self.server.folder({"first/app.py": "def handler(e, c): return 1", "second/app.py": "import nowhere", "third/app.py": "def handler(e, c): return 3"})
        names = ("first", "second", "third")
        tables = [f'[[function]]\nname = "half-{name}"\npath = "{name}"\nhandler = "app.handler"\n' for name in names]
        tables[0] += 'retries = 0\non_success = "half-second"\non_failure = "half-third"\n[[function.schedule]]\ncron = "@daily"\n'
        (folder / "lambda.toml").write_text("".join(tables))
        done = self.server.cli("deploy", folder, "--all", check=False)
        self.assertEqual(done.returncode, 3, done.stderr)
        for words in ('its on_success is not set: the function "half-second" is not there', 'its on_failure is not set', 'Failed: "half-second"\n',
                      'Not deployed any more: "half-third"\n', 'Not set: on_success of "half-first", on_failure of "half-first"\n'):
            self.assertIn(words, done.stderr)
        config = "/2019-09-25/functions/half-first/event-invoke-config"
        self.assertEqual(self.server.api("GET", config).json()["MaximumRetryAttempts"], 0)
        self.assertEqual(len(self.server.api("GET", "/_lambda/functions/half-first/schedules").json()["schedules"]), 1)
        (folder / "second/app.py").write_text("def handler(e, c): return 2")
        done = self.server.cli("deploy", folder, "--all")
        self.assertNotIn("Not set", done.stderr)
        self.assertIn("half-second", self.server.api("GET", config).json()["DestinationConfig"]["OnSuccess"]["Destination"])

    def test_what_changes_during_the_first_of_several_goes_in_as_it_is_then(self):
        slow = "import time\ntime.sleep(2)\ndef handler(e, c): return 1"
        listing = "import os\ndef handler(e, c): return {name: os.path.getsize(name) for name in os.listdir() if name.endswith('.txt')}"
        tables = "".join(f'[[function]]\nname = "while-{name}"\npath = "{name}"\n' for name in ("slow", "other"))
        folder = self.server.folder({"lambda.toml": tables, "slow/app.py": slow, "other/app.py": listing, "other/log.txt": "1"})
        with self.server.cli_started("deploy", folder, "--all") as deploying:
            while "Done. (1 file" not in deploying.stderr.readline():
                self.assertIsNone(deploying.poll())
            (folder / "other/log.txt").write_text("22")
            (folder / "other/added.txt").write_text("333")
            said = deploying.stderr.read()
        self.assertEqual(deploying.returncode, 0, said)
        self.assertEqual(json.loads(self.server.cli("invoke", "while-other").stdout), {"log.txt": 2, "added.txt": 3})


if __name__ == "__main__":
    unittest.main()
