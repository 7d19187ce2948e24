"""What ./run puts where man, bash, zsh and fish look by themselves: found there by each, and taken away again. In a mount namespace
whose /usr/local/share and /etc/fish are empty: the machine's own stay as they are."""

import subprocess
import tempfile
import unittest
from pathlib import Path

from command_line import all_commands
from completion_test import Typed
from lambda_server import ROOT

INSIDE = """
set -euo pipefail
mount -t tmpfs -o mode=755 none /usr/local/share
mount -t tmpfs -o mode=755 none /etc/fish
cd "$0"
source tools/build.sh
source tools/shell_help.sh
"""


def inside(script, *words):
    """The command line that runs a script of bash in there, for root, with the functions of tools/shell_help.sh."""
    return ["unshare", "--mount", "bash", "-c", INSIDE + script, str(ROOT), *map(str, words)]


def run(script, *words, **environment):
    return subprocess.run(inside(script, *words), capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=60,
                          env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8", **environment})


class Files(unittest.TestCase):
    def ended(self, done):
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        return done.stdout

    def test_man_finds_a_page_for_every_command(self):
        pages = ["lambda", *("lambda-" + "-".join(words) for words in all_commands())]
        found = self.ended(run("install_shell_help; man -w " + " ".join(pages))).splitlines()
        self.assertEqual(found, [f"/usr/local/share/man/man1/{page}.1" for page in pages])
        self.assertIn("lambda invoke", self.ended(run("install_shell_help; man lambda-invoke | cat")))

    def test_what_is_the_same_is_not_written_and_what_is_gone_goes(self):
        self.ended(run("""
install_shell_help
cp -a /usr/local/share/lambda/installed /tmp/before.$$
stat -c %i /usr/local/share/man/man1/*.1 >/tmp/inodes.$$
install_shell_help
stat -c %i /usr/local/share/man/man1/*.1 | cmp - /tmp/inodes.$$
# As an earlier version of the program left it.
echo /usr/local/share/man/man1/lambda-gone.1 >>/usr/local/share/lambda/installed
echo old >/usr/local/share/man/man1/lambda-gone.1
echo old >/usr/local/share/man/man1/lambda.1
install_shell_help
[[ ! -e /usr/local/share/man/man1/lambda-gone.1 ]]
[[ $(</usr/local/share/man/man1/lambda.1) != old ]]
cmp /usr/local/share/lambda/installed /tmp/before.$$
rm /tmp/before.$$ /tmp/inodes.$$
"""))

    def test_uninstalling_leaves_what_is_somebody_elses(self):
        said = self.ended(run("""
mkdir -p /usr/local/share/man/man1
echo theirs >/usr/local/share/man/man1/lambda.1
echo theirs >/usr/local/share/man/man1/other.1
install_shell_help
remove_shell_help
remove_shell_help
find /usr/local/share /etc/fish -type f | sort
cat /usr/local/share/man/man1/lambda.1
"""))
        self.assertEqual(said.splitlines(), ["/usr/local/share/man/man1/lambda.1 is somebody else's: it was left as it is.",
                                             "Removed the manual pages and the completion from /usr/local/share.",
                                             "There are no manual pages and no completion of ./run's in /usr/local/share.",
                                             "/usr/local/share/man/man1/lambda.1", "/usr/local/share/man/man1/other.1", "theirs"])

    def test_elsewhere_nowhere_and_where_nothing_can_be_written(self):
        with tempfile.TemporaryDirectory() as folder:
            self.ended(run("install_shell_help", LAMBDA_HELP_DIR=folder))
            files = {str(file.relative_to(folder)) for file in Path(folder).rglob("*") if file.is_file() and file.suffix != ".1"}
            self.assertEqual(files, {"bash-completion/completions/lambda", "zsh/site-functions/_lambda", "fish/vendor_completions.d/lambda.fish", "lambda/installed"})
        self.assertEqual(self.ended(run("install_shell_help; find /usr/local/share -type f", LAMBDA_HELP_DIR="none")), "")
        done = run("mount -o remount,ro /usr/local/share; install_shell_help; echo goes on")
        self.assertEqual(done.returncode, 0)
        self.assertIn("could not be put into /usr/local/share", done.stdout)
        self.assertTrue(done.stdout.endswith("goes on\n"))


class Shells(Typed):
    """A person who types Tab and has loaded nothing but what Debian's shells load by themselves."""

    def typed_there(self, *shell, loading="true"):
        self.typed(inside("install_shell_help; cd; export PS1='$ '; exec \"$@\"", *shell), loading)

    def test_bash(self):
        self.typed_there("bash", "--norc", "--noprofile", "-i", loading="source /usr/share/bash-completion/bash_completion")

    def test_zsh(self):
        self.typed_there("zsh", "-f", "-i", loading="PS1='$ '; autoload -U compinit; compinit -u -D")

    def test_fish(self):
        self.typed_there("fish", "-i", "-C", "function fish_prompt; echo -n '$ '; end")


if __name__ == "__main__":
    unittest.main()
