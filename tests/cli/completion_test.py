"""lambda completion: the candidates, and what a person gets who types Tab in bash, zsh and fish."""

import os
import shutil
import stat
import subprocess
import time
import unittest

from command_line import BIN, KEY, PROGRAM, CommandLineTest, ScriptedServer, ServerTest, answer_json, clean_environment
from screen import Screen

CODE = "def handler(event, context): return 1\n"


def candidates(environment, *words):
    done = subprocess.run([PROGRAM, "__complete", *words], capture_output=True, text=True, env=environment, timeout=20, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done
    return [line.split("\t")[0] for line in done.stdout.splitlines()]


class Candidates(CommandLineTest):
    """Without a server."""

    def of(self, *words):
        return candidates(clean_environment(self.home), *words)

    def test_commands_and_their_commands(self):
        self.assertEqual(self.of("inv"), ["invoke"])
        self.assertIn("deploy", self.of(""))
        self.assertNotIn("__complete", self.of(""))
        self.assertEqual(self.of("config", "set-"), ["set-host", "set-key", "set-context"])
        self.assertEqual(self.of("--context", "x", "sched"), ["schedule"])
        self.assertEqual(self.of("help", "config", "use"), ["use-context"])

    def test_options_and_their_values(self):
        self.assertEqual(self.of("invoke", "greet", "--tim"), ["--timing"])
        self.assertIn("--insecure", self.of("invoke", "--"))
        self.assertEqual(self.of("list", "-o", "j"), ["json"])
        self.assertEqual(self.of("list", "--output", "="), ["json", "table", "plain"])
        self.assertEqual(self.of("list", "--output=pl"), ["--output=plain"])
        self.assertEqual(self.of("init", "x", "--runtime", "node"), ["nodejs20.x", "nodejs22.x", "nodejs24.x"])
        self.assertEqual(self.of("deploy", "--driver", ""), ["native", "docker"])
        self.assertEqual(self.of("url", "greet", "o"), ["open"])
        self.assertEqual(self.of("completion", ""), ["bash", "zsh", "fish"])

    def test_files_are_the_shells(self):
        self.assertEqual(self.of("invoke", "greet", "-f", ""), [":files"])
        self.assertEqual(self.of("deploy", ""), [":dirs"])

    def test_contexts(self):
        self.run_lambda("config", "set-context", "prod", "--host", "https://x")
        self.assertEqual(self.of("--context", ""), ["default", "prod"])
        self.assertEqual(self.of("config", "use-context", "p"), ["prod"])

    def test_nothing_where_there_is_nothing(self):
        for words in (["invoke", ""], ["frobnicate", ""], ["list", "--frob", ""], ["queue", "show", ""], []):
            with self.subTest(words=words):
                self.assertEqual([each for each in self.of(*words) if each in ("invoke", "deploy")], [])

    def test_a_server_that_takes_its_time_is_not_waited_for(self):
        def late(_):
            time.sleep(5)
            return answer_json({})
        with ScriptedServer(late) as server:
            environment = clean_environment(self.home, LAMBDA_HOST=f"http://127.0.0.1:{server.port}", LAMBDA_API_KEY=KEY)
            began = time.monotonic()
            self.assertEqual(candidates(environment, "invoke", ""), [])
            # What is known without it is offered all the same.
            self.assertIn("redrive", candidates(environment, "queue", ""))
            self.assertLess(time.monotonic() - began, 4)

    def test_no_text_of_the_server_is_more_than_one_line(self):
        versions = [{"version": 2, "message": "two\nlines; \x1b[2Jtouch it"}, {"version": 1, "message": ""}]
        with ScriptedServer(lambda _: answer_json({"versions": versions})) as server:
            environment = clean_environment(self.home, LAMBDA_HOST=f"http://127.0.0.1:{server.port}", LAMBDA_API_KEY=KEY)
            done = subprocess.run([PROGRAM, "__complete", "rollback", "greet", ""], capture_output=True, text=True, env=environment, timeout=20, check=True)
        self.assertEqual(done.stdout, "2\ttwo lines;  [2Jtouch it\n1\t\n")

    def test_names_behind_an_equals_sign(self):
        def serve(received):
            return answer_json({"functions": [{"name": "greet"}], "secrets": [{"name": "TOKEN", "function": "greet"}], "keys": [{"name": "ci", "id": "X"}]})
        with ScriptedServer(serve) as server:
            environment = clean_environment(self.home, LAMBDA_HOST=f"http://127.0.0.1:{server.port}", LAMBDA_API_KEY=KEY)
            self.assertEqual(candidates(environment, "trace", "--function=g"), ["--function=greet"])
            self.assertEqual(candidates(environment, "secret", "delete", ""), ["TOKEN"])
            self.assertEqual(candidates(environment, "secret", "delete", "T", "--function", ""), ["greet"])
            self.assertEqual(candidates(environment, "keys", "revoke", ""), ["ci"])
            self.assertEqual(candidates(environment, "audit", "--key", ""), ["ci"])

    def test_answers_are_kept_for_seconds_by_their_owner_alone(self):
        def functions(_):
            return answer_json({"functions": [{"name": "greet", "runtime": "python3.11"}]})
        with ScriptedServer(functions) as server:
            environment = clean_environment(self.home, LAMBDA_HOST=f"http://127.0.0.1:{server.port}", LAMBDA_API_KEY=KEY)
            for _ in range(3):
                self.assertEqual(candidates(environment, "invoke", "g"), ["greet"])
            self.assertEqual(len(server.received), 1)
            kept = list((self.home / ".cache/lambda").iterdir())
            self.assertEqual([stat.S_IMODE(file.stat().st_mode) for file in kept], [0o600])
            # Another key may see others.
            candidates({**environment, "LAMBDA_API_KEY": "lam_" + "B" * 20 + "_" + "b" * 40}, "invoke", "g")
            self.assertEqual(len(server.received), 2)
            os.utime(kept[0], (time.time() - 60, time.time() - 60))
            candidates(environment, "invoke", "g")
            self.assertEqual(len(server.received), 3)


class Typed(ServerTest):
    """A server with names that a person types halfway."""

    driver = "native"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for version in (1, 2):
            cls.server.deploy({"app.py": CODE + f"# {version}\n"}, "greet-somebody", "-m", f"message {version}")
        cls.server.cli("alias", "set", "greet-somebody", "production", "1")

    def environment(self):
        return self.server.cli_environment(PATH=f"{BIN}:/usr/bin:/bin", PS1="$ ", LC_ALL="C.UTF-8")

    def typed(self, command, source, folder=None):
        screen = Screen(command, self.environment(), 100, 30, cwd=folder or self.server.home)
        with screen:
            screen.wait_for("$")
            screen.type(source + "; echo rea''dy\n")
            screen.wait_for("ready")
            for keys, seen in (("lambda ver\t", "lambda ver"), ("", ""), ("\x15lambda invoke gr\t", "lambda invoke greet-somebody"),
                               ("--qual\t", "greet-somebody --qualifier"), ("prod\t", "--qualifier production"),
                               ("\x15lambda invoke greet-somebody:prod\t", "invoke greet-somebody:production"),
                               ("\x15lambda invoke greet-somebody:l\t--timi\t", "invoke greet-somebody:live --timing"),
                               ("\x15lambda config use\t", "config use-context"), ("\x15lambda list --output pl\t", "--output plain")):
                screen.type(keys)
                screen.wait_for(seen, 20)
            self.assertNotIn("command not found", screen.text)


class InShells(Typed):
    def test_versions_and_aliases(self):
        environment = self.server.cli_environment()
        self.assertEqual(candidates(environment, "rollback", "greet-somebody", ""), ["2", "1"])
        self.assertEqual(candidates(environment, "invoke", "greet-somebody", "--qualifier", ""), ["live", "production", "2", "1"])
        self.assertEqual(candidates(environment, "alias", "delete", "greet-somebody", "p"), ["production"])
        self.assertEqual(candidates(environment, "queue", "gr"), ["greet-somebody"])

    def test_a_version_or_an_alias_in_one_word_with_its_function(self):
        environment = self.server.cli_environment()
        both = "greet-somebody:"
        self.assertEqual(candidates(environment, "invoke", both), [both + "live", both + "production", both + "2", both + "1"])
        self.assertEqual(candidates(environment, "invoke", both + "p"), [both + "production"])
        self.assertEqual(candidates(environment, "invoke", "nobody:"), [])
        # Only invoke reads it.
        self.assertEqual(candidates(environment, "logs", both), [])

    def test_bash(self):
        self.typed(["bash", "--norc", "--noprofile", "-i"], "source <(lambda completion bash)")

    def test_zsh(self):
        self.assertTrue(shutil.which("zsh"))
        self.typed(["zsh", "-f", "-i"], "PS1='$ '; autoload -U compinit; compinit -u -D; source <(lambda completion zsh)")

    def test_fish(self):
        self.assertTrue(shutil.which("fish"))
        screen = ["fish", "--no-config", "-i", "-C", "function fish_prompt; echo -n '$ '; end"]
        self.typed(screen, "lambda completion fish | source")

    def test_the_scripts_are_right_for_their_shells(self):
        for shell in ("bash", "zsh", "fish"):
            with self.subTest(shell=shell):
                script = self.server.cli("completion", shell).stdout
                checked = subprocess.run([shell, "-n"] if shell != "fish" else ["fish", "--no-execute"], input=script, capture_output=True, text=True, check=False)
                self.assertEqual((checked.returncode, checked.stderr), (0, ""))


if __name__ == "__main__":
    unittest.main()
