"""The native driver where cgroup v2 is all there is: Debian 12 as it is installed, which machines that run containers in containers
(and so often those that run tests) are not. The same programs, tests and contract as everywhere, in a virtual machine."""

import re
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "e2e"))

from lambda_server import BIN, ROOT  # noqa: E402
from virtual_machine import Machine  # noqa: E402

SCRIPT = f"""
cat /sys/fs/cgroup/cgroup.controllers
echo "== mounts"
cat /proc/mounts
cd {ROOT}/tests/e2e
(while sleep 1; do ls -d /sys/fs/cgroup/*lambda* 2>/dev/null; done >/tmp/groups) &
watch=$!
for file in walkthrough_test failures_test; do
  echo "== $file"
  /usr/bin/python3 -m unittest -v -k OnNative $file
done
echo "== contract"
{BIN}/lambda_contract_test --gtest_filter='*ative*'
cd {ROOT}/tests/security
echo "== walls_test"
/usr/bin/python3 -m unittest -v -k test_nothing_succeeds_in_a_stem -k SystemCallNumbers.test_native walls_test
echo "== limits_test"
/usr/bin/python3 -m unittest -v -k test_memory_bomb -k test_filling_tmp_is -k CpuQuotaOnNative limits_test
kill $watch
echo "== groups"
sort -u /tmp/groups
echo "== service"
cat >/run/systemd/system/lambdad.service <<UNIT
[Service]
Delegate=yes
ExecStart={BIN}/lambdad --data-dir /mnt/service --listen 127.0.0.1:8080 --runtimes-dir /mnt/runtimes --socket none --driver native
UNIT
started() {{
  for _ in $(seq 600); do
    curl -fs http://127.0.0.1:8080/_lambda/health && break
    sleep 0.1
  done
}}
systemctl start lambdad
started
export LAMBDA_HOST=http://127.0.0.1:8080 LAMBDA_API_KEY=$(cat /mnt/service/admin.key)
{BIN}/lambda deploy {ROOT}/examples/hello --name hello
{BIN}/lambda invoke hello --data '{{"name": "systemd"}}'
echo "groups: $(cd /sys/fs/cgroup/system.slice/lambdad.service && find . -mindepth 1 -maxdepth 1 -type d | sort | tr '\n' ' ')"
systemctl show -p ActiveState -p NRestarts lambdad
systemctl restart lambdad
started
{BIN}/lambda invoke hello --data '{{"name": "again"}}'
systemctl stop lambdad
systemctl show -p Result -p ActiveState lambdad
journalctl -u lambdad --no-pager | tail -n 30
echo "== left"
ls -d /sys/fs/cgroup/*lambda* /sys/fs/cgroup/system.slice/lambdad.service
"""


class Debian12(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        machine = Machine()
        cls.addClassCleanup(machine.close)
        cls.said = machine.boot(SCRIPT, 20)
        cls.parts = dict(part.split("\n", 1) for part in re.split(r"^== ", cls.said, flags=re.MULTILINE)[1:])
        missing = {"mounts", "walkthrough_test", "failures_test", "contract", "walls_test", "limits_test", "groups", "service", "left"} - cls.parts.keys()
        if missing:
            raise AssertionError(f"the job has not come to {missing}:\n{cls.said[-4000:]}")

    def test_the_machine_is_what_it_should_be(self):
        self.assertRegex(self.said.splitlines()[0], r"\bmemory\b.*\bpids\b")
        kinds = {line.split()[2] for line in self.parts["mounts"].splitlines()}
        self.assertIn("cgroup2", kinds)
        self.assertNotIn("cgroup", kinds)

    def test_what_a_person_does(self):
        self.assert_passed("walkthrough_test", 6)

    def test_functions_that_go_wrong(self):
        self.assert_passed("failures_test", 12)

    def test_the_contract_of_drivers(self):
        found = re.search(r"\[  PASSED  \] (\d+) tests", self.parts["contract"])
        self.assertTrue(found and int(found.group(1)) >= 30 and "FAILED" not in self.parts["contract"], self.parts["contract"][-3000:])

    def test_the_walls_hold(self):
        self.assert_passed("walls_test", 2)
        self.assert_passed("limits_test", 4)

    def test_a_service_of_systemd(self):
        said = self.parts["service"]
        self.assertIn("Hello, systemd", said)
        self.assertIn("Hello, again", said)
        self.assertRegex(said, r"groups: .*\./lambda-[0-9a-f]{12} \./lambda-server")
        self.assertIn("ActiveState=active\nNRestarts=0", said.replace("NRestarts=0\nActiveState=active", "ActiveState=active\nNRestarts=0"))
        self.assertIn("Result=success", said)
        self.assertIn("ActiveState=inactive", said)

    def test_nothing_is_left(self):
        self.assertIn("/sys/fs/cgroup/", self.parts["groups"], "no group was seen while servers ran")
        self.assertIn("cannot access", self.parts["left"])

    def assert_passed(self, name, least):
        said = self.parts[name]
        found = re.search(r"^Ran (\d+) tests? in", said, flags=re.MULTILINE)
        self.assertTrue(found and int(found.group(1)) >= least and re.search(r"^OK$", said, flags=re.MULTILINE), said[-3000:])


if __name__ == "__main__":
    unittest.main()
