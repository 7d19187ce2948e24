"""`lambda deploy --build`: dependencies installed on the server, from a registry of the test's own."""

import io
import json
import time
import unittest
import urllib.request
import zipfile

from lambda_server import LambdaServer, ServerTest, on_both_drivers
from package_registry import ADDRESS, PackageRegistry, backend_of

FLAGS = ("--build-networks", f"{ADDRESS}/32")
PYTHON = "import greeting\ndef handler(event, context): return greeting.WORD\n"
NODE = "import { word } from 'greeting'; export const handler = async () => word;\n"
NODE_COMMON = "exports.handler = async () => require('greeting').word;\n"


class RegistryTest(ServerTest):
    flags = FLAGS

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.registry = PackageRegistry().__enter__()
        cls.addClassCleanup(cls.registry.__exit__)
        cls.registry.add_wheel("greeting", {"greeting/__init__.py": "WORD = 'hello'"})
        cls.registry.add_node("greeting", {"index.js": "exports.word = 'hello';", "say.js": ("#!/usr/bin/env node\nconsole.log('said');", 0o755)},
                              main="index.js", bin={"say": "say.js"})

    def requirements(self, *lines):
        return self.registry.index_line + "".join(f"{line}\n" for line in lines)

    def python_folder(self, *lines, code=PYTHON, **more):
        return self.server.folder({"app.py": code, "requirements.txt": self.requirements(*lines), **more})

    def deploy(self, folder, name, *arguments, **more):
        return self.server.deploy(folder, name, "--build", *arguments, **more)

    def payload(self, name):
        return self.server.invoke(name).json()


@on_both_drivers
class Dependencies(RegistryTest):
    def test_python_packages_are_installed_once_for_one_lock_file(self):
        folder = self.python_folder("greeting==1.0")
        first = self.deploy(folder, "py")
        self.assertIn("[1/4] Packaging function code...", first.stderr)
        self.assertIn("[2/4] Installing dependencies...", first.stderr)
        self.assertIn("Collecting greeting==1.0", first.stderr)
        self.assertIn("Successfully installed greeting-1.0", first.stderr)
        self.assertIn("[3/4] Preparing runtime python3.11", first.stderr)
        self.assertIn("[4/4] Starting ", first.stderr)
        self.assertEqual(self.payload("py"), "hello")
        fetched = self.registry.fetched("greeting")
        again = self.deploy(folder, "py")
        self.assertIn("Dependencies unchanged (cached)", again.stderr)
        self.assertIn("Unchanged: version 1", again.stderr)
        self.assertEqual(self.registry.fetched("greeting"), fetched)
        (folder / "app.py").write_text(PYTHON.replace("greeting.WORD", "greeting.WORD + '!'"))
        changed = self.deploy(folder, "py")
        self.assertIn("Dependencies unchanged (cached)", changed.stderr)
        self.assertEqual(self.payload("py"), "hello!")
        anew = self.deploy(folder, "py", "--no-cache")
        self.assertIn("Collecting greeting==1.0", anew.stderr)
        self.assertIn("Unchanged: version 2", anew.stderr)
        self.assertGreater(self.registry.fetched("greeting"), fetched)

    def test_what_is_deployed_is_code_and_dependencies_together(self):
        self.deploy(self.python_folder("greeting==1.0"), "whole")
        code = self.server.boto().get_function(FunctionName="whole", Qualifier="live")
        with urllib.request.urlopen(code["Code"]["Location"]) as answer:
            package = answer.read()
        self.assertEqual(len(package), code["Configuration"]["CodeSize"])
        names = zipfile.ZipFile(io.BytesIO(package)).namelist()
        self.assertIn("app.py", names)
        self.assertIn("greeting/__init__.py", names)
        self.assertIn("greeting-1.0.dist-info/METADATA", names)

    def test_node_packages_are_installed_by_their_lock_file(self):
        for name, files in {"esm": {"index.mjs": NODE}, "commonjs": {"index.js": NODE_COMMON}}.items():
            with self.subTest(name):
                folder = self.server.folder({**files, **self.registry.package_lock("greeting"),
                                             "node_modules/stale/index.js": "throw new Error('stale')"})
                first = self.deploy(folder, f"node-{name}", "--runtime", "nodejs22.x")
                self.assertIn("added 1 package", first.stderr)
                self.assertEqual(self.payload(f"node-{name}"), "hello")
                again = self.deploy(folder, f"node-{name}")
                self.assertIn("Dependencies unchanged (cached)", again.stderr)
                self.assertIn("Unchanged: version 1", again.stderr)

    def test_programs_of_packages_keep_their_links(self):
        code = ("import fs from 'node:fs'; import { execFileSync } from 'node:child_process';\n"
                "export const handler = async () => [fs.readlinkSync('/var/task/node_modules/.bin/say'), "
                "execFileSync('/var/task/node_modules/.bin/say').toString().trim(), fs.readdirSync('/var/task/node_modules').sort()];\n")
        folder = self.server.folder({"index.mjs": code, **self.registry.package_lock("greeting")})
        self.deploy(folder, "bin", "--runtime", "nodejs22.x")
        self.assertEqual(self.payload("bin"), ["../greeting/say.js", "said", [".bin", ".package-lock.json", "greeting"]])

    def test_without_a_lock_file_it_is_installed_each_time_and_said(self):
        files = self.registry.package_lock("greeting")
        del files["package-lock.json"]
        folder = self.server.folder({"index.mjs": NODE, **files})
        for _ in range(2):
            done = self.deploy(folder, "open", "--runtime", "nodejs22.x")
            self.assertIn("There is no package-lock.json", done.stderr)
            self.assertIn("Not kept for the next deploy", done.stderr)
        self.assertIn("Unchanged: version 1", done.stderr)
        self.assertEqual(self.payload("open"), "hello")
        done = self.deploy(self.python_folder("greeting"), "open-python")
        self.assertIn("Not kept for the next deploy: greeting (requirements.txt) has no exact version", done.stderr)

    def test_a_package_that_is_not_there_is_named_and_changes_nothing(self):
        self.deploy(self.python_folder("greeting==1.0"), "kept")
        done = self.deploy(self.python_folder("greeting==1.0", "absent==2.0"), "kept", check=False)
        self.assert_fails(done, 2, "the dependencies could not be installed", "No matching distribution found for absent==2.0", "failed.")
        self.assertEqual(self.payload("kept"), "hello")
        project = {"package.json": json.dumps({"dependencies": {"absent": "^1.0.0"}}), ".npmrc": self.registry.npmrc, "index.mjs": NODE}
        done = self.deploy(self.server.folder(project), "kept-node", "--runtime", "nodejs22.x", check=False)
        self.assert_fails(done, 2, "the dependencies could not be installed", "absent")
        self.assertEqual(self.server.api("GET", "/_lambda/functions/kept-node").status, 404)

    def test_the_functions_own_files_win_and_are_named(self):
        folder = self.python_folder("greeting==1.0", **{"greeting/__init__.py": "WORD = 'mine'"})
        self.assertIn("its own are used: greeting", self.deploy(folder, "own").stderr)
        self.assertEqual(self.payload("own"), "mine")


class DependencyRules(RegistryTest):
    driver = "native"

    def test_hashes_are_kept(self):
        done = self.deploy(self.python_folder("greeting==1.0 --hash=sha256:" + "0" * 64), "hashed", check=False)
        self.assert_fails(done, 2, "THESE PACKAGES DO NOT MATCH THE HASHES")

    def test_source_packages_are_built_where_they_build_themselves(self):
        self.registry.add_source("sourced", "def report(): return 'built'")
        self.deploy(self.python_folder("sourced==1.0", code="import sourced\ndef handler(event, context): return sourced.REPORT\n"), "sourced")
        self.assertEqual(self.payload("sourced"), "built")

    def test_a_package_of_the_function_s_own_folder_is_part_of_the_lock(self):
        pyproject = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        folder = self.server.folder({"app.py": "import mine\ndef handler(event, context): return mine.REPORT\n", "requirements.txt": "./lib\n",
                                     "lib/pyproject.toml": pyproject, "lib/backend.py": backend_of("mine", "def report(): return 'one'")})
        self.deploy(folder, "local")
        self.assertEqual(self.payload("local"), "one")
        self.assertIn("(cached)", self.deploy(folder, "local").stderr)
        (folder / "lib/backend.py").write_text(backend_of("mine", "def report(): return 'two'"))
        self.assertNotIn("(cached)", self.deploy(folder, "local").stderr)
        self.assertEqual(self.payload("local"), "two")

    def test_a_build_that_fails_shows_what_it_said_and_how_it_ended(self):
        pyproject = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        backend = "import sys\ndef build_wheel(*arguments, **more):\n    print('no such header')\n    sys.exit(7)\n"
        folder = self.server.folder({"app.py": PYTHON, "requirements.txt": "./lib\n", "lib/pyproject.toml": pyproject, "lib/backend.py": backend})
        done = self.deploy(folder, "fails", check=False)
        self.assert_fails(done, 2, "no such header", "the dependencies could not be installed: ", "did not run successfully (exit code 7)")

    def test_lambda_toml_and_variables_of_the_build(self):
        folder = self.server.folder({
            "app.py": "import greeting, os\ndef handler(event, context): return [greeting.WORD, os.environ.get('PIP_INDEX_URL')]\n",
            "requirements.txt": "greeting==1.0\n",
            "lambda.toml": f'name = "manifest"\nbuild = true\n[build_environment]\nPIP_INDEX_URL = "{self.registry.url}/simple/"\n'})
        done = self.server.cli("deploy", folder)
        self.assertIn("[2/4] Installing dependencies...", done.stderr)
        self.assertEqual(self.payload("manifest"), ["hello", None])
        done = self.server.cli("deploy", folder, "--build-env", "PIP_INDEX_URL=http://127.0.0.3:1/simple/", check=False)
        self.assert_fails(done, 2, "Not allowed: 127.0.0.3, a loopback address", "build_networks")

    def test_a_registry_that_is_away_is_not_taken_for_one_without_the_package(self):
        folder = self.server.folder({"app.py": PYTHON, "requirements.txt": f"--index-url http://{ADDRESS}:1/simple/\ngreeting==1.0\n"})
        done = self.deploy(folder, "away", check=False)
        self.assert_fails(done, 1, "Not reached: ", f"{ADDRESS}:1", "the dependencies could not be installed: ")
        self.assertEqual(done.stderr.count("      Not reached: "), 1, done.stderr)
        self.assertRegex(done.stderr, rf"lambda: the dependencies .*\. Not reached: .*{ADDRESS}")

    def test_what_cannot_be_built_is_refused_before_anything_is_sent(self):
        cases = {
            "Dockerfile": ({"Dockerfile": "FROM scratch\n", "app.py": ""}, (), "installs them itself"),
            "provided": ({"bootstrap": ("#!/bin/sh\n", 0o755)}, ("--runtime", "provided.al2023"), "for Python and Node.js"),
        }
        for name, (files, arguments, words) in cases.items():
            with self.subTest(name):
                done = self.deploy(self.server.folder(files), "refused", *arguments, check=False)
                self.assert_fails(done, 2, words)
                self.assertNotIn("[1/4]", done.stderr)
        for files, words in (({"app.py": PYTHON, "pyproject.toml": "[project]\n"}, "there is pyproject.toml in its place"),
                             ({"app.py": PYTHON}, "there is none in the package")):
            self.assert_fails(self.deploy(self.server.folder(files), "refused", check=False), 2, words)
        done = self.server.cli("deploy", self.python_folder("greeting==1.0"), "--name", "refused", "--no-cache", check=False)
        self.assert_fails(done, 2, "add --build")

    def test_without_build_the_hint_names_it(self):
        done = self.server.deploy(self.python_folder("greeting==1.0"), "hint", check=False)
        self.assert_fails(done, 2, "Add --build")

    def test_another_functions_installation_is_not_used(self):
        for name in ("one", "two"):
            self.assertIn("Collecting greeting", self.deploy(self.python_folder("greeting==1.0"), f"shared-{name}").stderr)

    def test_the_cache_survives_a_restart_and_not_its_damage(self):
        with LambdaServer("native", FLAGS) as server:
            folder = self.python_folder("greeting==1.0")
            server.deploy(folder, "kept", "--build")
            server.kill()
            server.start()
            self.assertIn("(cached)", server.deploy(folder, "kept", "--build").stderr)
            entry, = (server.data / "dependencies").iterdir()
            entry.write_bytes(b"damaged")
            self.assertIn("Collecting greeting", server.deploy(folder, "kept", "--build").stderr)

    def test_a_server_may_install_nothing(self):
        with LambdaServer("native", ("--build-time", "0")) as server:
            done = server.deploy(self.python_folder("greeting==1.0"), "none", "--build", check=False)
            self.assert_fails(done, 2, "this server installs no dependencies")


class SlowDependencies(RegistryTest):
    """Builds that do not end by themselves."""

    driver = "native"
    flags = (*FLAGS, "--build-time", "6")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.registry.add_source("endless", "import time\ndef report():\n    print('it begins', flush=True)\n    time.sleep(3600)")

    def endless(self):
        return self.python_folder("endless==1.0", code="def handler(event, context): return 1\n")

    def wait_for(self, what, limit=30):
        deadline = time.monotonic() + limit
        while not what():
            self.assertLess(time.monotonic(), deadline, self.server.log_text())
            time.sleep(0.1)

    def instances(self):
        return self.server.api("GET", "/_lambda/status").json()["instances"]

    def test_a_build_without_end_is_ended(self):
        done = self.deploy(self.endless(), "endless", check=False)
        self.assert_fails(done, 1, "were not installed within 6 s", "build_time")
        self.wait_for(lambda: self.instances() == 0)
        self.assertEqual(list((self.server.data / "tmp").iterdir()), [])

    def test_whoever_goes_away_ends_the_build(self):
        with LambdaServer("native", FLAGS) as server:
            client = server.cli_started("deploy", self.endless(), "--name", "left", "--build")
            self.server, shared = server, self.server
            try:
                self.wait_for(lambda: self.instances() == 1)
                client.kill()
                client.wait()
                client.stderr.close()
                self.wait_for(lambda: self.instances() == 0)
            finally:
                self.server = shared

    def test_a_server_that_is_killed_meanwhile_leaves_nothing(self):
        with LambdaServer("native", FLAGS) as server:
            client = server.cli_started("deploy", self.endless(), "--name", "killed", "--build")
            self.wait_for(lambda: list((server.data / "tmp").iterdir()))
            server.kill()
            client.wait(timeout=30)
            client.stderr.close()
            server.start()
            self.assertEqual(list((server.data / "tmp").iterdir()), [])
            self.assertEqual(list((server.data / "dependencies").iterdir()), [])
            self.assertEqual(server.api("GET", "/_lambda/functions/killed").status, 404)


if __name__ == "__main__":
    unittest.main()
