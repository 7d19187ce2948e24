"""Secrets from inside: what of another function's can be had, and what the holder of one can do with its place."""

import unittest

from inside import AttackTest, eventually, on_both_drivers


@on_both_drivers
class Secrets(AttackTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.deploy_evaluator("holder")
        for name, form in (("HELD_VARIABLE", "env"), ("HELD_FILE", "file")):
            cls.server.cli("secret", "put", name, "--function", "holder", "--as", form, stdin=f"needle-{form}-91b7")

    def test_another_function_sees_nothing_of_them(self):
        self.assertEqual(self.inside("import os; result = os.environ['HELD_VARIABLE'] + open('/run/secrets/HELD_FILE').read()", "holder"),
                         "needle-env-91b7needle-file-91b7")
        found = self.inside('''
import os
result = [path for path in ("/run/secrets", "/run/secrets/HELD_FILE") if os.path.exists(path)]
result += [name for name in os.environ if name.startswith("HELD")]
for pid in filter(str.isdigit, os.listdir("/proc")):
    for file in ("environ", "cmdline", "mountinfo"):
        try:
            if "needle" in open(f"/proc/{pid}/{file}").read() or "/run/secrets" in open(f"/proc/{pid}/{file}").read():
                result.append(f"{pid}/{file}")
        except OSError:
            pass
''')
        self.assertEqual(found, [])

    def test_pid_1_keeps_no_copy_that_can_be_read(self):
        for path in ("/proc/1/mem", "/proc/1/environ"):
            self.assertIn(self.error_of(f"open({path!r}, 'rb').read(1)", "holder"), ("EACCES", "EPERM", "EIO"))

    def test_its_directory_is_small_runs_nothing_and_is_its_own_alone(self):
        self.assertEqual(self.error_of("open('/run/secrets/new', 'w')", "holder"), "EACCES")
        self.assertEqual(self.error_of("open('/run/new', 'w')", "holder"), "EROFS")
        large = "os.chmod('/run/secrets', 0o700)\nopen('/run/secrets/large', 'wb').write(b'x' * 1_000_000)"
        self.assertEqual(self.error_of(large, "holder"), "ENOSPC")
        larger = "os.chmod('/run/secrets/HELD_FILE', 0o700)\nopen('/run/secrets/HELD_FILE', 'ab').write(b'x' * 1_000_000)"
        self.assertEqual(self.error_of(larger, "holder"), "ENOSPC")
        self.assertEqual(self.error_of("os.execv('/run/secrets/HELD_FILE', ['program'])", "holder"), "EACCES")
        # What it did to its own is nobody's but this instance's.
        self.server.cli("secret", "put", "HELD_FILE", "--function", "holder", stdin="needle-file-91b7 ")
        self.server.cli("secret", "put", "HELD_FILE", "--function", "holder", stdin="needle-file-91b7")
        self.assertEqual(self.inside("result = open('/run/secrets/HELD_FILE').read()", "holder"), "needle-file-91b7")

    def test_a_failing_function_s_messages_hold_no_value(self):
        """What lambdad says of an instance that does not start: names, never values."""
        self.server.cli("secret", "put", "TOO_MUCH", "--function", "holder", stdin="needle-large-" + "x" * 60_000)
        for number in range(2):
            self.server.cli("secret", "put", f"TOO_MUCH_{number}", "--function", "holder", stdin="needle-large-" + "x" * 60_000)
        try:
            reply = self.server.invoke("holder", {"code": ""})
            self.assertGreaterEqual(reply.status, 400)
            self.assertIn("bytes", reply.text)
            self.assertNotIn("needle", reply.text)
            self.assertNotIn("needle", self.server.log_text(10_000))
        finally:
            for name in ("TOO_MUCH", "TOO_MUCH_0", "TOO_MUCH_1"):
                self.server.cli("secret", "delete", name, "--function", "holder", "-y")
        eventually(lambda: self.server.invoke("holder", {"code": "result = 1"}).status == 200)


if __name__ == "__main__":
    unittest.main()
