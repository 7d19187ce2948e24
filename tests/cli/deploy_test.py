"""lambda deploy: its output, what goes in, which settings go with it, and what stops it before the upload."""

import json
import os
import re
import unittest

from command_line import RESULT, AtTerminal, CommandLineTest, ScriptedServer, ServerTest, accepting, answer_json, clean_environment, deploy_lines, KEY

HANDLER = "def handler(event, context): return event\n"


def failing(error, *before):
    def answer(received):
        if received.path.endswith("/deploy"):
            return deploy_lines(*before, {"event": "error", **error})
        return answer_json({}, 404)
    return answer


class Garbled(CommandLineTest):
    def test_an_answer_that_is_not_understood_is_an_error_that_says_so(self):
        def answer(received):
            if not received.path.endswith("/deploy"):
                return answer_json({}, 404)
            return 200, {"Content-Type": "application/x-ndjson"}, b'{"event":"error","log":"\xff"}\n'
        with ScriptedServer(answer) as server:
            folder = self.home / "fn"
            folder.mkdir()
            (folder / "app.py").write_text(HANDLER)
            done = self.run_lambda("deploy", folder, "--name", "x", LAMBDA_HOST=f"http://127.0.0.1:{server.port}", LAMBDA_API_KEY=KEY)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("a line that this command does not understand", done.stderr)
        self.assertIn("lambda versions x", done.stderr)


class Output(ServerTest):
    """With a real server, as a program and as a person see it."""

    driver = "native"

    def at_terminal(self, *arguments):
        return AtTerminal(arguments, clean_environment(self.server.home, LAMBDA_HOST=self.server.url, LAMBDA_API_KEY=self.server.key))

    def test_for_a_program_is_the_url_alone(self):
        done = self.server.deploy({"app.py": HANDLER, "b.txt": "b" * 1100, "c/d.txt": "dddd"}, "greet")
        url = f"http://greet.localhost:{self.server.port}"
        self.assertEqual(done.stdout, url + "\n")
        self.assertEqual(re.sub(r"init \d+ ms", "init 21 ms", done.stderr),
                         "[1/3] Packaging function code... Done. (3 files, 1.1 KB)\n"
                         "[2/3] Preparing runtime python3.11... Done.\n"
                         "[3/3] Starting sandbox... Done. (init 21 ms)\n"
                         f"\nYour function is live at: {url}\n")

    def test_for_a_person(self):
        folder = self.server.folder({"app.py": HANDLER})
        seen = self.at_terminal("deploy", folder, "--name", "seen")
        self.assertEqual(seen.code, 0, seen.text)
        self.assertRegex(seen.text, r"\A\[1/3\] Packaging function code\.\.\. Done\. \(1 file, 42 B\)\n\[2/3\] .*\n\[3/3\] .*\n\n"
                                    rf"Your function is live at: http://seen\.localhost:{self.server.port}\n\Z")
        self.assertNotIn("\x1b", seen.text)

    def test_a_long_upload_has_a_bar_at_a_terminal_alone(self):
        folder = self.server.folder({"app.py": HANDLER, "large.bin": os.urandom(5 << 20)})
        seen = self.at_terminal("deploy", folder, "--name", "large")
        self.assertRegex(seen.text, r"\r      Uploading \[#+ +\] +\d+% of 5\.2 MB\r")
        self.assertIn("\r      Uploading [####################] 100% of 5.2 MB\n[2/3]", seen.text)
        self.assertNotIn("Uploading", self.server.deploy(folder, "large").stderr)

    def test_an_identical_one_says_so(self):
        self.server.deploy({"app.py": HANDLER}, "same")
        done = self.server.deploy({"app.py": HANDLER}, "same")
        self.assertIn('Unchanged: version 1 of "same" is live already.', done.stderr)
        self.assertEqual(done.stdout, f"http://same.localhost:{self.server.port}\n")

    def test_json(self):
        result = json.loads(self.server.deploy({"app.py": HANDLER}, "json", "-o", "json").stdout)
        self.assertEqual((result["version"], result["url"]), (1, f"http://json.localhost:{self.server.port}"))

    def test_code_that_does_not_load_shows_its_traceback(self):
        done = self.server.deploy({"app.py": "def helper():\n    return 1 / 0\nhandler = helper()\n"}, "broken", check=False)
        self.assert_fails(done, 3, "[3/3] Starting sandbox... failed.\n", "ZeroDivisionError", "line 2, in helper")
        self.assertEqual(done.stdout, "")

    def test_runtime_and_handler_of_the_last_deploy_stay(self):
        files = {"index.js": "exports.handler = async () => 'usual'; exports.other = async () => process.version;"}
        self.server.deploy(files, "stays", "--runtime", "nodejs20.x", "--handler", "index.other")
        self.server.deploy({**files, "more.txt": "x"}, "stays")
        self.assertTrue(self.server.invoke("stays").json().startswith("v20."))
        # Another language is another function.
        self.server.deploy({"app.py": HANDLER}, "stays")
        self.assertEqual(self.server.invoke("stays", {"a": 1}).json(), {"a": 1})

    def test_unicode_names_empty_folders_and_links_arrive(self):
        folder = self.server.folder({"app.py": "import os\ndef handler(event, context):\n    return [open('/var/task/ü 日本.txt').read(), "
                                               "os.readlink('/var/task/link'), os.path.isdir('/var/task/empty')]\n", "ü 日本.txt": "text"})
        (folder / "link").symlink_to("ü 日本.txt")
        (folder / "empty").mkdir()
        self.server.cli("deploy", folder, "--name", "names", env={"LC_ALL": "C"})
        self.assertEqual(self.server.invoke("names").json(), ["text", "ü 日本.txt", True])

    def test_the_same_folder_elsewhere_has_the_same_hash(self):
        digests = []
        for name, zone, umask in (("hash1", "UTC", 0o022), ("hash2", "Asia/Tokyo", 0o077)):
            before = os.umask(umask)
            folder = self.server.folder({"b/x.txt": "x", "app.py": HANDLER, "a.txt": "a"})
            os.umask(before)
            self.server.cli("deploy", folder, "--name", name, env={"TZ": zone})
            digests.append(self.server.api("GET", f"/_lambda/functions/{name}").json()["codeSha256"])
        self.assertEqual(digests[0], digests[1])

    def test_an_image_takes_no_handler_and_no_runtime(self):
        for arguments, words in ((["--image", "x", "--handler", "app.handler"], "Leave out --handler (handler in lambda.toml)"),
                                 (["--image", "x", "--runtime", "python3.11"], "Leave out --runtime"),
                                 ([self.server.folder({"Dockerfile": "FROM x\n", "lambda.toml": 'handler = "app.handler"\n'})], "or name --runtime, too")):
            done = self.server.cli("deploy", "--name", "image", *arguments, check=False)
            self.assert_fails(done, 2, "function image is made of an image", words)
            self.assertNotIn("[1/3]", done.stderr)


class Progress(CommandLineTest):
    """What a server reports, word for word."""

    def test_a_build_shows_its_own_output_below_its_step(self):
        folder = self.folder({"Dockerfile": "FROM x\n"})
        done, sent = self.deploy_to(lambda received: deploy_lines(
            {"event": "begin", "step": 2, "text": 'Building image "func-greet"'}, {"event": "output", "text": "Step 1/1 : FROM x\n"},
            {"event": "output", "text": "no newline"}, {"event": "end", "step": 2, "text": "Done."}, RESULT)
            if received.path.endswith("/deploy") else answer_json({}, 404), folder)
        self.assertEqual(sent.headers["Content-Type"], "application/x-tar")
        self.assertIn('[2/3] Building image "func-greet"...\n      Step 1/1 : FROM x\n      no newline\n      Done.\n', done.stderr)

    def test_failures_have_exit_codes(self):
        folder = self.folder({"app.py": HANDLER})
        begun = {"event": "begin", "step": 2, "text": "Preparing"}
        for error, code in [({"code": "invalid", "status": 400, "message": "what"}, 2), ({"code": "function failed", "status": 400, "message": "what"}, 3),
                            ({"code": "unavailable", "status": 503, "message": "what"}, 1), ({"code": "internal", "status": 500, "message": "what"}, 1)]:
            with self.subTest(error=error):
                done, _ = self.deploy_to(failing(error, begun), folder)
                self.assert_ends(done, code, "[2/3] Preparing... failed.\n", "lambda: what\n")

    def test_a_server_that_breaks_off(self):
        done, _ = self.deploy_to(lambda received: deploy_lines({"event": "begin", "step": 2, "text": "Preparing"})
                                 if received.path.endswith("/deploy") else answer_json({}, 404), self.folder({"app.py": HANDLER}))
        self.assert_ends(done, 1, "before the deploy was done", "lambda versions greet")

    def test_a_refused_key_stops_it_before_packing(self):
        done, sent = self.deploy_to(lambda _: answer_json({"message": "no"}, 403), self.folder({"app.py": HANDLER}))
        self.assert_ends(done, 4)
        self.assertNotIn("Packaging", done.stderr)
        self.assertIsNone(sent)


class Settings(CommandLineTest):
    def sent(self, files, *arguments, answer=accepting):
        done, sent = self.deploy_to(answer, self.folder(files), *arguments)
        self.assert_ends(done, 0)
        return sent

    def test_only_what_was_named_is_sent(self):
        sent = self.sent({"app.py": HANDLER})
        self.assertEqual(sent.path, "/_lambda/functions/greet/deploy")
        self.assertEqual(sent.settings, {"source": "zip", "runtime": "python3.11", "handler": "app.handler"})

    def test_flags_win_over_lambda_toml(self):
        sent = self.sent({"app.py": HANDLER, "vars": "\ufeffV_D=4\n", "lambda.toml": 'name = "other"\nmemory = 256\ntimeout = 9\nenvironment = { V_A = "1", V_B = "1" }\n'},
                         "--memory", "512", "-e", "V_B=2", "-e", "V_C=x=y,z", "--env-file", self.home / "greet/vars", "--env-clear", "-m", "a -line-",
                         "--tag", "team=a", "--url", "none", "--driver", "docker", "--ephemeral-storage", "1024", "--description", "-d-")
        self.assertEqual(sent.path, "/_lambda/functions/other/deploy")
        self.assertEqual(sent.settings, {"source": "zip", "runtime": "python3.11", "handler": "app.handler", "memory": 512, "timeout": 9,
                                         "environment": {"V_A": "1", "V_B": "2", "V_C": "x=y,z", "V_D": "4"}, "environmentClear": True, "message": "a -line-",
                                         "tags": {"team": "a"}, "url": "none", "driver": "docker", "ephemeralStorage": 1024, "description": "-d-"})

    def test_expose_makes_an_http_function_unless_kind_or_port_say_otherwise(self):
        dockerfile = {"Dockerfile": "FROM x AS base\nEXPOSE 3000\nFROM base\n"}
        self.assertEqual(self.sent(dockerfile).settings, {"source": "context", "exposedPort": 3000})
        self.assertEqual(self.sent(dockerfile, "--kind", "handler").settings, {"source": "context", "kind": "handler", "exposedPort": 3000})
        self.assertEqual(self.sent(dockerfile, "--port", "9000").settings, {"source": "context", "port": 9000, "exposedPort": 3000})
        self.assertEqual(self.sent(dockerfile, "--concurrency", "4").settings, {"source": "context", "exposedPort": 3000, "concurrency": 4})
        self.assertEqual(self.sent({"Dockerfile": "FROM exposes-in-the-base-image\n"}).settings, {"source": "context"})
        settled = {**dockerfile, "lambda.toml": "concurrency = 8\n"}
        self.assertEqual(self.sent(settled).settings["concurrency"], 8)
        self.assertEqual(self.sent(settled, "--concurrency", "4").settings["concurrency"], 4)

    def test_egress(self):
        files = {"app.py": "def handler(event, context): pass\n", "lambda.toml": 'egress = ["10.1.0.0/16", "2001:db8::/32"]\n'}
        self.assertEqual(self.sent(files).settings["egress"], "10.1.0.0/16,2001:db8::/32")
        for word in ("none", "internet", "default", "10.2.0.0/16"):
            self.assertEqual(self.sent(files, "--egress", word).settings["egress"], word)

    def test_idle_time_and_kept_instances(self):
        files = {"app.py": "def handler(event, context): pass\n", "lambda.toml": "idle_time = 600\nmin_instances = 2\n"}
        sent = self.sent(files).settings
        self.assertEqual((sent["idleTime"], sent["minInstances"]), (600, 2))
        sent = self.sent(files, "--idle-time", "0", "--min-instances", "0").settings
        self.assertEqual((sent["idleTime"], sent["minInstances"]), (0, 0))

    def test_isolation(self):
        files = {"app.py": "def handler(event, context): pass\n", "lambda.toml": 'isolation = "exec"\n'}
        self.assertNotIn("isolation", self.sent({"app.py": files["app.py"]}).settings)
        self.assertEqual(self.sent(files).settings["isolation"], "exec")
        self.assertEqual(self.sent(files, "--isolation", "fork").settings["isolation"], "fork")

    def test_cpus(self):
        files = {"app.py": "def handler(event, context): pass\n", "lambda.toml": "cpus = 2\n"}
        self.assertEqual(self.sent(files).settings["cpus"], 2)
        self.assertEqual(self.sent(files, "--cpus", "0.25").settings["cpus"], 0.25)
        self.assertEqual(self.sent(files, "--cpus", "0").settings["cpus"], 0)
        for wrong in ("0.01", "65", "-1", "many", "1e1", "nan"):
            done = self.run_lambda("deploy", self.folder(files), f"--cpus={wrong}")
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn("must be a number from 0.05 to 64, such as 0.5, or 0 (no limit)", done.stderr)

    def test_which_of_two_runtimes_was_chosen_is_said(self):
        folder = self.folder({"handler.py": HANDLER, "index.mjs": "export const handler = 1"})
        done, _ = self.deploy_to(accepting, folder)
        self.assert_ends(done, 0, "\n      handler.handler (python3.11) was chosen; there is index.handler (nodejs22.x), too. To choose: --runtime, or ")
        done, sent = self.deploy_to(accepting, folder, "--runtime", "nodejs22.x")
        self.assertNotIn("was chosen", done.stderr)
        self.assertEqual(sent.settings["handler"], "index.handler")

    def test_an_image_needs_no_folder(self):
        done, sent = self.deploy_to(accepting, "--image", "mine:1", "--name", "img")
        self.assert_ends(done, 0)
        self.assertEqual((sent.settings, sent.body), ({"source": "image", "image": "mine:1"}, b""))
        self.assert_ends(self.deploy_to(accepting, "--image", "mine:1")[0], 2, "--name")

    def test_several_functions(self):
        files = {"one/app.py": HANDLER, "two/index.mjs": "export const handler = 1", "shared/words.py": "x",
                 "lambda.toml": 'include = ["shared"]\nmemory = 256\n[[function]]\nname = "one"\npath = "one"\n[[function]]\nname = "two"\npath = "two"\n'}
        folder = self.folder(files)
        self.assert_ends(self.deploy_to(accepting, folder)[0], 2, "one, two", "--name", "--all")
        _, two = self.deploy_to(accepting, folder, "--name", "two")
        self.assertEqual((two.path, two.names(), two.settings["memory"]), ("/_lambda/functions/two/deploy", ["index.mjs", "shared/words.py"], 256))
        with ScriptedServer(accepting) as server:
            done = self.run_lambda("deploy", folder, "--all", LAMBDA_HOST=f"http://127.0.0.1:{server.port}", LAMBDA_API_KEY=KEY)
        self.assert_ends(done, 0)
        self.assertEqual([each.path for each in server.received if each.method == "POST"],
                         [f"/_lambda/functions/{name}/deploy{rest}" for rest in ("/check", "") for name in ("one", "two")])
        done, _ = self.deploy_to(failing({"code": "invalid", "status": 400, "message": "what"}), folder, "--all")
        self.assert_ends(done, 2, 'Failed: "one"\nNot deployed any more: "two"\n')

    def test_what_cannot_be_set_of_one_function_is_set_of_the_others(self):
        tables = [f'[[function]]\nname = "{name}"\npath = "."\n[[function.schedule]]\ncron = "@daily"\n' for name in ("one", "two")]
        folder = self.folder({"app.py": HANDLER, "lambda.toml": "".join(tables)})

        def full(received):
            if received.method == "PUT" and "/one/" in received.path:
                return answer_json({"message": "there is no room"}, 500)
            return answer_json({}) if received.method == "PUT" else accepting(received)
        with ScriptedServer(full) as server:
            done = self.run_lambda("deploy", folder, "--all", LAMBDA_HOST=f"http://127.0.0.1:{server.port}", LAMBDA_API_KEY=KEY)
        self.assert_ends(done, 1, '"one" is deployed, but', "there is no room", 'Not set: the schedules of "one"\n')
        self.assertEqual([each.path for each in server.received if each.method == "PUT"],
                         [f"/_lambda/functions/{name}/schedules" for name in ("one", "two")])


class WhatGoesIn(CommandLineTest):
    def names(self, files):
        done, sent = self.deploy_to(accepting, self.folder(files))
        self.assert_ends(done, 0)
        return [name for name in sent.names() if name not in ("app.py", "Dockerfile", ".dockerignore", ".lambdaignore")]

    def test_is_everything_but_what_is_left_out(self):
        files = {"app.py": HANDLER, ".git/x": "", ".env": "", ".env.local": "", ".venv/x": "", "__pycache__/x": "", "a/__pycache__/x": "",
                 ".gitignore": "built\nnode_modules\n", "built": "", "node_modules/m/i.js": "", "a.log": "", "b/keep.log": ""}
        self.assertEqual(self.names({**files, ".lambdaignore": "*.log\n!keep.log\nbuilt/\n"}),
                         [".gitignore", "a/", "b/keep.log", "built", "node_modules/m/i.js"])

    def test_of_a_build_follows_dockerignore(self):
        files = {"Dockerfile": "FROM x\n", ".git/x": "", "a/.env": "", "a/x": "", "node_modules/m/i.js": "", "logs/a": "", "logs/keep": "", "x.md": ""}
        self.assertEqual(self.names({**files, ".dockerignore": "node_modules\nlogs\n!logs/keep\n*.md\nDockerfile\n"}), ["a/x", "logs/keep"])


class StoppedBefore(CommandLineTest):
    """Nothing is uploaded, exit code 2, and one message that says what to do."""

    def stopped(self, folder, *words, arguments=(), answer=accepting, **environment):
        done, sent = self.deploy_to(answer, folder, *arguments, **environment)
        self.assert_ends(done, 2, *words)
        self.assertIsNone(sent)
        self.assertEqual(done.stderr.count("lambda: "), 1)
        return done.stderr

    def test_folders_that_are_none(self):
        self.stopped(self.home / "none", "there is no folder")
        self.stopped(self.folder({"x.py": HANDLER}) / "x.py", "not a folder")
        self.stopped(self.folder({}, "empty"), "is empty")
        self.stopped(self.folder({".git/x.py": "", ".env": ""}, "hidden"), "no runtime was recognised")

    def test_no_runtime_no_handler(self):
        self.stopped(self.folder({"notes.txt": "x"}, "notes"), "no Dockerfile", "--runtime")
        self.stopped(self.folder({"app.py": "x = 1\n"}, "nohandler"), "--handler FILE.FUNCTION")
        self.stopped(self.folder({"app.py": HANDLER}, "python"), "nope.py", arguments=["--handler", "nope.handler"])
        self.stopped(self.folder({"app.py": HANDLER}, "python"), "bootstrap", arguments=["--runtime", "provided"])
        self.stopped(self.folder({"main.cc": "", "Makefile": ""}, "cpp"), "make -C " + str(self.home / "cpp"), arguments=["--runtime", "provided"])

    def test_dependencies_with_the_command_to_run(self):
        python = self.folder({"app.py": HANDLER, "requirements.txt": "requests==2\n"}, "with space")
        self.stopped(python, f"\n  python3 -m pip install -r '{python}/requirements.txt' -t '{python}'\n", arguments=["--name", "x"])
        node = self.folder({"index.js": "exports.handler = 1", "package.json": '{"dependencies": {"left-pad": "1"}}', "package-lock.json": "{}"}, "node")
        self.stopped(node, f"\n  npm ci --omit=dev --prefix {node}\n")

    def test_tools_that_are_not_installed_are_named_with_their_package(self):
        python = {"app.py": HANDLER, "requirements.txt": "requests==2\n"}
        node = {"index.js": "exports.handler = 1", "package.json": '{"dependencies": {"left-pad": "1"}}'}
        tools = self.folder({}, "tools")
        for files, tool, package, arguments in [(python, "pip", "python3-pip", []), (node, "npm", "npm", []),
                                                ({"main.cc": "", "Makefile": ""}, "make", "make", ["--runtime", "provided"])]:
            with self.subTest(tool=tool):
                folder = self.folder(files, f"needs-{tool}")
                line = f"\n({tool} is not installed here; on Debian: apt-get install {package})\n"
                self.stopped(folder, line, arguments=arguments, PATH=str(tools))
                (tools / tool).write_text("")
                (tools / tool).chmod(0o755)
                self.assertNotIn("not installed", self.stopped(folder, arguments=arguments, PATH=str(tools)))
        yarn = self.folder({**node, "yarn.lock": ""}, "needs-yarn")
        self.stopped(yarn, "yarn install --production", "\n(yarn is not installed here: npm install -g yarn)\n", PATH=str(tools))

    def test_a_runtime_that_is_none(self):
        def answer(received):
            if received.path == "/_lambda/status":
                return answer_json({"runtimes": ["python3.11"], "missingRuntimes": ["nodejs22.x"]})
            return accepting(received)

        folder = self.folder({"app.py": HANDLER, "index.mjs": "export const handler = 1"})
        said = self.stopped(folder, 'there is no runtime "pyhton3.11"; did you mean "python3.11"?', "nodejs22.x", arguments=["--runtime", "pyhton3.11"],
                            answer=answer)
        self.assertNotIn("Packaging", said)
        (folder / "lambda.toml").write_text('runtime = "nodjs22.x"\n')
        self.assertNotIn("Packaging", self.stopped(folder, 'did you mean "nodejs22.x"?', answer=answer))
        # What is not built is a runtime all the same: the server says what to do.
        done, sent = self.deploy_to(answer, folder, "--runtime", "nodejs22.x")
        self.assert_ends(done, 0)
        self.assertEqual(sent.settings["runtime"], "nodejs22.x")

    def test_names_that_cannot_be_in_a_url(self):
        for name, word in [("My_Function", '"my-function"'), ("api", "reserved"), ("a" * 64, "longer than 63")]:
            with self.subTest(name=name):
                said = self.stopped(self.folder({"app.py": HANDLER}), "cannot be part of the function's URL", word, arguments=["--name", name])
                self.assertNotIn("Packaging", said)
        self.stopped(self.folder({"app.py": HANDLER}, "My Folder"), '"my-folder"')

    def test_a_message_that_is_too_long(self):
        said = self.stopped(self.folder({"app.py": HANDLER}), "has 1001 characters; at most 1000", arguments=["-m", "ü" * 1001])
        self.assertNotIn("Packaging", said)

    def test_all_of_no_lambda_toml(self):
        folder = self.folder({"app.py": HANDLER})
        self.stopped(folder, "lambda.toml", str(folder), "leave --all out", arguments=["--all"])
        self.stopped(self.home / "none", "there is no folder", arguments=["--all"])

    def test_all_checks_every_path_before_the_first_deploy(self):
        several = '[[function]]\nname = "one"\npath = "one"\n[[function]]\nname = "two"\n'
        for more, word in [('path = "tow"\n', "there is no folder"), ('path = "two"\ninclude = ["nowhere"]\n', "nowhere of lambda.toml's include"),
                           ('path = "two/app.py"\n', "not a folder")]:
            with self.subTest(more=more):
                folder = self.folder({"one/app.py": HANDLER, "two/app.py": HANDLER, "lambda.toml": several + more})
                said = self.stopped(folder, '"two": ', word, arguments=["--all"])
                self.assertNotIn("Packaging", said)

    def test_links_that_leave(self):
        folder = self.folder({"app.py": HANDLER})
        (folder / "link").symlink_to("../../etc/passwd")
        self.stopped(folder, "link is a symbolic link to ../../etc/passwd", ".lambdaignore")

    def test_a_lambda_toml_that_is_wrong(self):
        folder = self.folder({"app.py": HANDLER})
        for text, words in [("memroy = 1\n", ["line 1", 'did you mean "memory"?']), ("\ntimeout = \"x\"\n", ["line 2", "whole number"]),
                            ("name = \n", ["lambda.toml line 1"]), ("include = [\"nowhere\"]\n", ["nowhere", "is not there"])]:
            with self.subTest(text=text):
                (folder / "lambda.toml").write_text(text)
                self.stopped(folder, *words)

    def test_environment_that_is_none(self):
        folder = self.folder({"app.py": HANDLER, "vars": "V_A=1\nmy-secret\n"})
        self.stopped(folder, '"NOVALUE"', arguments=["-e", "NOVALUE"])
        self.assertNotIn("my-secret", self.stopped(folder, "line 2", arguments=["--env-file", folder / "vars"]))
        self.stopped(folder, "nofile", arguments=["--env-file", "nofile"])
        for name in ("1A", "A", "A-B"):
            self.assertNotIn("s3cr3t", self.stopped(folder, f'cannot be called "{name}"', "begins with a letter", arguments=["-e", f"{name}=s3cr3t"]))
        self.stopped(folder, "AWS_REGION is set by the server", arguments=["-e", "AWS_REGION=x"])
        self.assertNotIn("xxx", self.stopped(folder, "at most 4096 are kept", arguments=["-e", "LARGE=" + "x" * 4096]))

    def test_a_description_that_is_too_long(self):
        folder = self.folder({"app.py": HANDLER})
        self.stopped(folder, "--description has 257 characters; at most 256", arguments=["--description", "x" * 257])

    def test_a_name_that_is_none_is_told_one_that_is(self):
        folder = self.folder({"app.py": HANDLER})
        self.stopped(folder, 'for example "uni"', arguments=["--name", "ünï"])

    def test_events_of_lambda_toml_that_cannot_be(self):
        self.stopped(self.folder({"app.py": HANDLER, "lambda.toml": 'max_age = "5s"\n'}), "max_age", "60s to 6h")
        self.stopped(self.folder({"app.py": HANDLER, "lambda.toml": "retries = 3\n"}), "retries", "0, 1 or 2")


if __name__ == "__main__":
    unittest.main()
