"""What a package can do while it is installed: a build is code of strangers, with a way to registries and to nothing else."""

import json
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))

from lambda_server import ServerTest, on_both_drivers  # noqa: E402
from package_registry import ADDRESS, PackageRegistry  # noqa: E402

# Tries everything, and says what came of it: "refused" where it got nowhere.
ATTACK = """
import http.client, os, socket

def status_of(host, port, target, method="GET"):
    connection = http.client.HTTPConnection("127.0.0.1", 9001, timeout=20)
    connection.request(method, target, headers={{"Host": host}})
    return connection.getresponse().status

def direct(host, port):
    try:
        socket.create_connection((host, port), timeout=5).close()
        return "connected"
    except OSError:
        return "refused"

def write(path):
    try:
        with open(path, "w") as file:
            file.write("x")
        return "written"
    except OSError:
        return "refused"

def fill():
    written = 0
    try:
        with open("/tmp/filler", "wb") as file:
            while written < 4 << 30:
                written += file.write(b"x" * (1 << 20))
        return "no limit"
    except OSError:
        return "refused" if written <= 2 << 30 else "no limit"
    finally:
        os.unlink("/tmp/filler")

def report():
    api = {port}
    return {{
        "api by the proxy": status_of("127.0.0.1", api, "http://127.0.0.1:%d/_lambda/status" % api),
        "api by a name": status_of("localhost", api, "http://localhost:%d/_lambda/status" % api),
        "api by a tunnel": status_of("x", api, "127.0.0.1:%d" % api, "CONNECT"),
        "metadata": status_of("169.254.169.254", 80, "http://169.254.169.254/latest/meta-data/"),
        "metadata by a tunnel": status_of("x", 80, "169.254.169.254:80", "CONNECT"),
        "mapped": status_of("x", api, "http://[::ffff:127.0.0.1]:%d/_lambda/status" % api),
        "private": status_of("x", 80, "http://10.0.0.1/"),
        "runtime api": status_of("x", 80, "/2018-06-01/runtime/invocation/next"),
        "api directly": direct("127.0.0.1", api),
        "registry directly": direct("{address}", {registry}),
        "internet directly": direct("1.1.1.1", 53),
        "code": write("/var/task/app.py"),
        "base": write("/var/runtime/bootstrap.py"),
        "etc": write("/etc/passwd"),
        "root": write("/evil"),
        "disk": fill(),
        "user": os.getuid(),
        "secrets": sorted(name for name in os.environ if "SECRET" in name),
    }}
"""
EXPECTED = {"api by the proxy": 403, "api by a name": 403, "api by a tunnel": 403, "metadata": 403, "metadata by a tunnel": 403, "mapped": 403,
            "private": 403, "runtime api": 404, "api directly": "refused", "registry directly": "refused", "internet directly": "refused",
            "code": "refused", "base": "refused", "etc": "refused", "root": "refused", "disk": "refused", "user": 993, "secrets": []}


@on_both_drivers
class Builds(ServerTest):
    flags = ("--build-networks", f"{ADDRESS}/32")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.registry = PackageRegistry().__enter__()
        cls.addClassCleanup(cls.registry.__exit__)

    def test_a_package_reaches_registries_and_nothing_else(self):
        attack = ATTACK.format(port=self.server.port, address=ADDRESS, registry=self.registry.server.server_port)
        self.registry.add_source("hostile", attack)
        done = self.server.deploy({"app.py": "import hostile\ndef handler(event, context): return hostile.REPORT\n",
                                   "requirements.txt": self.registry.index_line + "hostile==1.0\n"}, "hostile", "--build", "-e", "MY_SECRET=x")
        self.assertEqual(self.server.invoke("hostile").json(), EXPECTED)
        self.assertIn("Not allowed: 169.254.169.254, a metadata address", done.stderr)

    def test_a_script_of_npm_is_walled_in_the_same_way(self):
        script = f"""
const http = require('http'), fs = require('fs'), net = require('net');
const ask = (path) => new Promise((done) => http.get({{ host: '127.0.0.1', port: 9001, path, agent: false }}, (r) => done(r.statusCode)));
const direct = (host, port) => new Promise((done) => {{
  const socket = net.connect({{ host, port, timeout: 5000 }}, () => done('connected'));
  socket.on('error', () => done('refused')).on('timeout', () => done('refused'));
}});
const write = (path) => {{ try {{ fs.writeFileSync(path, 'x'); return 'written'; }} catch {{ return 'refused'; }} }};
(async () => {{
  const report = [await ask('http://127.0.0.1:{self.server.port}/_lambda/status'), await ask('http://169.254.169.254/'),
    await direct('1.1.1.1', 53), write('/var/task/x'), write('/etc/x'), process.getuid()];
  fs.writeFileSync('report.json', JSON.stringify(report));
  process.exit(0);
}})();
"""
        self.registry.add_node("hostile", {"attack.js": script}, scripts={"postinstall": "node attack.js"})
        code = "import fs from 'node:fs'; export const handler = async () => JSON.parse(fs.readFileSync('/var/task/node_modules/hostile/report.json'));"
        self.server.deploy({"index.mjs": code, **self.registry.package_lock("hostile")}, "scripted", "--build", "--runtime", "nodejs22.x")
        self.assertEqual(self.server.invoke("scripted").json(), [403, 403, "refused", "refused", "refused", 993])

    def test_a_result_that_leaves_the_package_is_refused(self):
        backend = """
import http.client, io, tarfile
def report():
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo("../../../../tmp/evil")
        archive.addfile(entry)
    connection = http.client.HTTPConnection("127.0.0.1", 9001)
    connection.request("PUT", "/result", body=buffer.getvalue())
    connection.getresponse().read()
    import os, signal
    for pid in os.listdir("/proc"):
        if pid.isdigit() and int(pid) not in (1, os.getpid()):
            try: os.kill(int(pid), signal.SIGKILL)
            except OSError: pass
    return "sent"
"""
        self.registry.add_source("escaping", backend)
        done = self.server.deploy({"app.py": "def handler(event, context): return 1\n",
                                   "requirements.txt": self.registry.index_line + "escaping==1.0\n"}, "escaping", "--build", check=False)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("could not be installed", done.stderr)
        self.assertFalse(Path("/tmp/evil").exists())

    def test_output_without_end_is_cut(self):
        self.registry.add_source("loud", "import sys\ndef report():\n    for _ in range(200000): sys.stdout.write('x' * 79 + chr(10))\n    sys.exit(1)")
        done = self.server.deploy({"app.py": "def handler(event, context): return 1\n",
                                   "requirements.txt": self.registry.index_line + "loud==1.0\n"}, "loud", "--build", check=False)
        self.assertEqual(done.returncode, 2, done.stderr[-2000:])
        self.assertLess(len(done.stderr), 12 << 20)
        self.assertEqual(self.server.api("GET", "/_lambda/health").status, 200)


if __name__ == "__main__":
    unittest.main()
