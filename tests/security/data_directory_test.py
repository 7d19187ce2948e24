"""A lambdad that has been taken over and writes what it likes into its data directory, against the root who types ./run there; and a
root who names a directory to lambdad that is none of its."""

import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from inside import RUNTIMES, LambdaServer  # noqa: F401 (sets the path)
from lambda_server import BIN, ROOT
from run_command_test import Place

SECRET = "root:$6$secret$words:20000:0:99999:7:::"


class PlantedLinks(unittest.TestCase):
    """Everything in the data directory is the server's own user's to change."""

    def setUp(self):
        self.place = Place()
        self.addCleanup(self.place.close)
        self.secret = Path(tempfile.mkdtemp(prefix="lambda-test-root-"))
        self.addCleanup(shutil.rmtree, self.secret, True)
        done = self.place.run()
        self.assertEqual(done.returncode, 0, done.said)

    def plant(self, name, target):
        """As the taken-over lambdad would: by the user lambda, in its own directory."""
        done = subprocess.run(["setpriv", "--reuid=lambda", "--regid=lambda", "--clear-groups", "ln", "-sfn", str(target), str(self.place.data / name)],
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)

    def write(self, name, text):
        file = self.place.data / name
        file.unlink(missing_ok=True)
        file.write_text(text)
        shutil.chown(file, "lambda", "lambda")

    def test_root_writes_nothing_through_them(self):
        victims = {}
        for name in ("lambdad.log", "lambdad.log.1", "lambdad.pid", "run.lock", "server.json.new"):
            victims[name] = self.secret / name
            victims[name].write_text(SECRET)
            self.plant(name, victims[name])
        made = self.secret / "nologin"
        self.plant("run.lock", made)
        for words in (("status",), ("stop",), (), ("restart",), ("stop",)):
            self.place.run(*words)
        for name, victim in victims.items():
            self.assertEqual(victim.read_text(), SECRET, name)
        self.assertFalse(made.exists())

    def test_what_only_root_may_read_stays_with_root(self):
        secret = self.secret / "shadow"
        secret.write_text(SECRET + "\n")
        secret.chmod(0o600)
        self.plant("admin.key", secret)
        self.plant("server.json", secret)
        for words in (("status",), ()):
            done = self.place.run(*words)
            self.assertNotIn("secret$words", done.said)
        # Nor does it go to the server, which is where the key goes. (It was restarted, and had made its files anew.)
        self.plant("admin.key", secret)
        self.plant("server.json", secret)
        script = 'source tools/build.sh; source tools/server.sh; server_key; data_file admin.key; server_fact url'
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, cwd=ROOT, env=self.place.environment, check=False)
        self.assertEqual(done.stdout.strip(), "", done.stderr)

    def test_what_server_json_says_commands_nothing(self):
        mark = self.secret / "made"
        options = self.place.data / "curlrc"
        self.write("curlrc", f'url = "file:///etc/hostname"\noutput = "{mark}"\n')
        facts = self.place.facts
        for changed in ({"url": f"-K{options}#"}, {"url": f"-o{mark}"}, {"url": f"http://$(touch {mark})"}, {"url": f"file://{options}"},
                        {"domain": f'x";touch {mark};"'}, {"domain": f"$(touch {mark})"}, {"port": f"80`touch {mark}`"},
                        {"driver": "native\x1b]0;title\x07\nforged"}, {"pid": 1}):
            with self.subTest(changed=changed):
                self.write("server.json", json.dumps({**facts, **changed}, ensure_ascii=False))
                done = self.place.run("status")
                self.assertNotIn("\x1b", done.said)
                self.assertNotIn(str(mark), done.said)
                script = 'source tools/build.sh; source tools/server.sh; health_answers "$(server_fact url)"; server_fact domain; server_fact port'
                shown = subprocess.run(["bash", "-c", script], capture_output=True, text=True, cwd=ROOT, env=self.place.environment, check=False)
                self.assertNotIn("touch", shown.stdout)
                self.assertFalse(mark.exists())

    def test_a_pipe_that_never_ends_holds_nobody_up(self):
        (self.place.data / "server.json").unlink()
        os.mkfifo(self.place.data / "server.json")
        self.assertIn("runs (pid", self.place.run("status", timeout=60).said)
        (self.place.data / "server.json").unlink()


class OthersDirectories(unittest.TestCase):
    """`--data-dir` by mistake, as root."""

    def setUp(self):
        self.home = Path(tempfile.mkdtemp(prefix="lambda-test-"))
        self.addCleanup(shutil.rmtree, self.home, True)
        self.home.chmod(0o711)

    def lambdad(self, directory, *flags):
        return subprocess.run([BIN / "lambdad", "--data-dir", directory, "--listen", "127.0.0.1:0", "--socket", "none", *flags], capture_output=True,
                              text=True, stdin=subprocess.DEVNULL, timeout=30, check=False)

    def states(self, directory):
        return {str(path): (path.lstat().st_uid, path.lstat().st_gid, path.lstat().st_mode) for path in [directory, *directory.rglob("*")]}

    def test_are_left_as_they_are(self):
        theirs = self.home / "home"
        theirs.mkdir(mode=0o700)
        (theirs / "thesis.txt").write_text("words")
        (theirs / "src").mkdir()
        (self.home / "link").symlink_to("home")
        for owner in (0, 12345):
            os.chown(theirs, owner, owner)
            before = self.states(theirs)
            for named in (theirs, self.home / "link", theirs / "src/.."):
                for flags in ((), ("--replace-keys",)):
                    done = self.lambdad(named, *flags)
                    self.assertEqual(done.returncode, 1, done.stderr)
                    self.assertRegex(done.stderr, r"lambdad: .*/home is no data directory of lambdad: it holds \"(thesis.txt|src)\"")
                    self.assertIn("--data-dir", done.stderr)
                    self.assertEqual(self.states(theirs), before)

    def test_of_another_server_are_not_taken_over(self):
        theirs = self.home / "data"
        theirs.mkdir(mode=0o700)
        (theirs / "lambda.db").write_text("")
        os.chown(theirs, 12345, 12345)
        before = self.states(theirs)
        done = self.lambdad(theirs)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("12345", done.stderr)
        self.assertEqual(self.states(theirs), before)

    def test_links_and_other_names_in_one_of_roots_are_not_given_away(self):
        data, outside = self.home / "data", self.home / "outside"
        data.mkdir()
        outside.write_text("root's")
        (data / "lambda.lock").write_text("")
        (data / "hard").hardlink_to(outside)
        (data / "soft").symlink_to(outside)
        self.lambdad(data, "--replace-keys")
        self.assertEqual((data / "lambda.lock").stat().st_uid, pwd.getpwnam("lambda").pw_uid)
        self.assertEqual(outside.stat().st_uid, 0)


if __name__ == "__main__":
    sys.exit(unittest.main())
