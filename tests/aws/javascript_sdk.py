"""@aws-sdk/client-lambda, unmodified, from npm: kept outside the tree, fetched when it is not there."""

import fcntl
import json
import os
import shutil
import subprocess
from pathlib import Path

from aws_clients import AwsTest

VERSION = "3.1164.0"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "lambda-tests"
NODE = "/var/lib/lambda-runtimes/nodejs22.x/rootfs/var/lang/bin/node"


def node():
    if os.access(NODE, os.X_OK):
        return NODE
    return shutil.which("node") or NODE


def installed_sdk():
    """The folder whose node_modules holds the client."""
    home = CACHE / f"aws-sdk-client-lambda-{VERSION}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "aws-sdk.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "done").exists():
            shutil.rmtree(home, ignore_errors=True)
            home.mkdir()
            (home / "package.json").write_text('{"name": "sdk", "version": "1.0.0", "private": true}')
            made = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", f"@aws-sdk/client-lambda@{VERSION}"],
                                  cwd=home, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                  timeout=600, check=False)
            assert made.returncode == 0, f"npm install @aws-sdk/client-lambda@{VERSION} failed:\n{made.stdout[-3000:]}"
            (home / "done").touch()
    return home


class JavaScriptTest(AwsTest):
    """Scripts of this folder, run by Node with the client and what `lambda config aws` prints."""

    @classmethod
    def setUpClass(cls):
        cls.sdk = installed_sdk()
        super().setUpClass()

    def script(self, name, *arguments, timeout=120):
        """Runs the script; returns the JSON that it prints."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
        environment.update({"SDK_HOME": str(self.sdk), "HOME": str(self.server.home), "AWS_MAX_ATTEMPTS": "1"})
        in_shell = self.server.cli("config", "aws").stdout + '\nexec "$@"\n'
        done = subprocess.run(["/bin/sh", "-euc", in_shell, "sh", node(), Path(__file__).with_name(name), *arguments], env=environment,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False)
        self.assertEqual(done.returncode, 0, f"{name}\n{done.stdout}{done.stderr}")
        return json.loads(done.stdout)
