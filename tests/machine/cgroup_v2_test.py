"""The native driver where cgroup v2 is all there is: Debian 12 as it is installed, which machines that run containers in containers
(and so often those that run tests) are not. The same programs, tests and contract as everywhere, in a virtual machine."""

import re
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "e2e"))

from lambda_server import BIN, ROOT  # noqa: E402
from virtual_machine import run_in_machine  # noqa: E402

SCRIPT = f"""
export LAMBDA_BIN={BIN}
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
kill $watch
echo "== groups"
sort -u /tmp/groups
echo "== left"
ls -d /sys/fs/cgroup/*lambda*
"""


class Debian12(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.said = run_in_machine(SCRIPT, 15)
        cls.parts = dict(part.split("\n", 1) for part in re.split(r"^== ", cls.said, flags=re.MULTILINE)[1:])
        missing = {"mounts", "walkthrough_test", "failures_test", "contract", "groups", "left"} - cls.parts.keys()
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

    def test_nothing_is_left(self):
        self.assertIn("/sys/fs/cgroup/", self.parts["groups"], "no group was seen while servers ran")
        self.assertIn("cannot access", self.parts["left"])

    def assert_passed(self, name, least):
        said = self.parts[name]
        found = re.search(r"^Ran (\d+) tests? in", said, flags=re.MULTILINE)
        self.assertTrue(found and int(found.group(1)) >= least and re.search(r"^OK$", said, flags=re.MULTILINE), said[-3000:])


if __name__ == "__main__":
    unittest.main()
