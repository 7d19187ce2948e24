"""lambda doctor: what it finds, of a server that is well, of one that is not, and of none."""

import json
import os
import subprocess
import unittest

from command_line import ALONE, KEY, PROGRAM, CommandLineTest, ScriptedServer, ServerTest, answer_json, clean_environment
from screen import Screen

CHECKS = {"settings", "host", "server", "driver", "docker", "egress", "runtimes", "kernel", "cgroups", "port", "reach", "disk", "clock", "limits", "loops", "time",
          "names"}


class Well(ServerTest):
    driver = "native"

    def test_every_check_is_there(self):
        done = self.server.cli("doctor", "-o", "json", check=False)
        found = json.loads(done.stdout)
        checks = {check["name"]: check for check in found["checks"]}
        self.assertEqual(set(checks), CHECKS)
        for check in checks.values():
            with self.subTest(check=check["name"]):
                self.assertIn(check["health"], ("ok", "warn", "fail"))
                self.assertTrue(check["found"])
                self.assertEqual(check["health"] == "ok", check["meaning"] == "", check)
        for name in ("driver", "server", "time", "disk", "kernel", "host"):
            self.assertEqual(checks[name]["health"], "ok", checks[name])
        self.assertEqual(done.returncode, 1 if "fail" in {check["health"] for check in checks.values()} else 0)
        self.assertIn("python3.11", found["runtimes"])
        self.assertIn(os.uname().release, checks["kernel"]["found"])
        self.assertIn(str(self.server.data), checks["disk"]["found"])
        self.assertIn("LAMBDA_API_KEY", checks["host"]["found"])

    def test_the_route_is_for_those_with_a_key(self):
        self.assertEqual(self.server.request("GET", "/_lambda/doctor").status, 403)
        self.assertEqual(self.server.api("GET", "/_lambda/doctor?x=1").status, 400)

    def test_a_person_sees_what_is_well_in_green(self):
        with Screen([PROGRAM, "doctor"], self.server.cli_environment(), 160, 60) as screen:
            screen.end()
        self.assertRegex(screen.text, r"(?m)^driver +ok +native: ")
        self.assertEqual(screen.colour_of("ok  ")[0], "green")


class Unwell(CommandLineTest):
    def of(self, **more):
        checks = [{"name": "disk", "health": "ok", "found": "50 GB free", "meaning": "", "mend": ""}]
        return {"version": "0.0.1", "domain": "localhost", "checks": checks, **more}

    def doctor(self, answer, headers=None, arguments=()):
        def serve(_):
            status, sent, body = answer_json(answer)
            return status, {**sent, **(headers or {})}, body
        with ScriptedServer(serve) as server:
            return self.run_lambda("doctor", *arguments, LAMBDA_HOST=f"http://127.0.0.1:{server.port}", LAMBDA_API_KEY=KEY)

    def test_what_is_wrong_is_told_with_what_to_do(self):
        full = {"name": "disk", "health": "fail", "found": "0 MB free", "meaning": "Nothing can be written.", "mend": "df -h"}
        done = self.doctor(self.of(checks=[full]))
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertRegex(done.stdout, r"(?m)^disk +fail  0 MB free\n +Nothing can be written.\n +mend it: df -h$")
        self.assertRegex(done.stdout, r"(?m)^server +warn  version 0.0.1; this program is ")

    def test_rows_and_names_are_for_scripts(self):
        full = {"name": "disk", "health": "fail", "found": "0 MB free", "meaning": "Nothing can be written.", "mend": "df -h"}
        done = self.doctor(self.of(checks=[full], version="0.1.0"), arguments=["-o", "plain"])
        self.assertEqual(done.returncode, 1)
        self.assertIn("disk\tfail\t0 MB free\tNothing can be written.\tdf -h\n", done.stdout)
        self.assertRegex(done.stdout, r"(?m)^host\tok\t127.0.0.1:\d+ \(from LAMBDA_HOST\)")
        done = self.doctor(self.of(checks=[full], version="0.1.0"), arguments=["-q"])
        self.assertEqual([name for name in done.stdout.splitlines() if name not in ("names", "server")], ["disk"])

    def test_clocks_that_differ(self):
        done = self.doctor(self.of())
        self.assertRegex(done.stdout, r"(?m)^time +ok ")
        # The scripted server's own Date comes first.
        self.assertNotIn("1994", done.stdout)

    def test_no_server(self):
        done = self.run_lambda("doctor", LAMBDA_HOST="http://127.0.0.1:1", LAMBDA_API_KEY=KEY)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertRegex(done.stdout, r"(?m)^server +fail  cannot reach the server at 127.0.0.1:1.*refused")
        self.assertRegex(done.stdout, r"(?m)^ +mend it: \./run ")
        for check in ("settings", "docker", "port", "clock", "names"):
            self.assertRegex(done.stdout, rf"(?m)^{check} +(ok|warn) ")
        # Whether a server could run here.
        self.assertRegex(done.stdout, rf"(?m)^kernel +ok +{os.uname().release}, with user namespaces and seccomp$")
        self.assertRegex(done.stdout, r"(?m)^cgroups +ok +v[12], controllers: .*memory")
        self.assertRegex(done.stdout, rf"(?m)^disk +\w+ +\d+ [MG]B free of \d+ [MG]B at {self.home}$")
        # Another machine's Docker cannot be seen from here.
        far = self.run_lambda("doctor", LAMBDA_HOST="https://lambda.invalid", LAMBDA_API_KEY=KEY)
        self.assertEqual(far.returncode, 1, far.stdout)
        for check in ("docker", "kernel", "disk"):
            self.assertNotIn(check, far.stdout)
        self.assertRegex(far.stdout, r"(?m)^ +mend it: curl -sS https://lambda.invalid/_lambda/health ")

    def test_no_server_on_this_machine(self):
        done = self.run_lambda("doctor", alone=True, LAMBDA_DATA_DIR="")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r"(?m)^server +fail  no server was found on this machine")

    def test_a_machine_where_no_server_can_start(self):
        """Without cgroups of memory and CPU, and with a disk that is full or read-only."""
        for options, disk in (("size=1m", r"fail +1 MB free of 1 MB at {}/no-data\n +Deploys and events will soon be refused.\n +mend it: sudo du "),
                              ("ro", r"fail +\d+ [MG]B free of .*\n +Nothing can be written there \(Read-only file system\): .*\n +mend it: df -h")):
            script = ("mount -t tmpfs none /sys/fs/cgroup; echo pids > /sys/fs/cgroup/cgroup.controllers; mkdir -p $LAMBDA_DATA_DIR; "
                      f'mount -t tmpfs -o {options} none $LAMBDA_DATA_DIR; exec "$@"')
            done = subprocess.run([*ALONE, "sh", "-ec", script, "sh", PROGRAM, "doctor"], capture_output=True, text=True, check=False,
                                  env=clean_environment(self.home))
            self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
            self.assertRegex(done.stdout, r"(?m)^cgroups +fail +v2, controllers: pids\n +Nothing limits what functions use of: memory, cpu.\n +mend it: ")
            self.assertRegex(done.stdout, "(?m)^disk +" + disk.format(self.home))

    def test_settings_that_cannot_be_read(self):
        file = self.home / ".config/lambda/config.toml"
        file.parent.mkdir(parents=True)
        file.write_text("host = \n")
        done = self.run_lambda("doctor")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, rf"(?m)^settings +fail +{file} line 1: .*\n.*\n +mend it: edit it, or: mv {file} {file}.old$")

    def test_something_else_answers(self):
        with ScriptedServer(lambda _: (200, {}, b"<html>")) as server:
            done = self.run_lambda("doctor", LAMBDA_HOST=f"http://127.0.0.1:{server.port}", LAMBDA_API_KEY=KEY)
        self.assertEqual(done.returncode, 1)
        self.assertIn("no Lambda server", done.stdout)

    def test_settings_that_others_may_read(self):
        self.run_lambda("config", "set-key", stdin=KEY)
        file = self.home / ".config/lambda/config.toml"
        file.chmod(0o644)
        done = self.run_lambda("doctor", LAMBDA_HOST="http://127.0.0.1:1")
        self.assertRegex(done.stdout, rf"(?m)^settings +warn  {file} can be read by others\n.*\n +mend it: chmod 600 {file}")


if __name__ == "__main__":
    unittest.main()
