"""What of the machine, of lambdad and of other functions can be seen from inside a function."""

import os
import re
import socket
import subprocess
import unittest
from pathlib import Path

from inside import EVALUATOR, AttackTest, attacker, may_set_floors, on_both_drivers, sandbox_processes, status_of


class Files(AttackTest):
    def test_the_root_is_that_of_the_runtime(self):
        """No home directories, no data directory, nothing of /sys, /run and /boot."""
        marker = self.server.home / "on-the-host"
        marker.write_text("secret")
        marker.chmod(0o644)
        found = self.inside(f'''
import os
paths = [{str(marker)!r}, {str(self.server.data)!r}, "/sys/kernel", "/sys/fs/cgroup", "/run/docker.sock", "/var/run/docker.sock",
         "/run/lambda/lambda.sock", "/var/lib/lambda-runtimes", "/root/.ssh", "/work", "/boot/grub", "/.dockerenv"]
result = [path for path in paths if os.path.exists(path)]
for path in ("/home", "/root", "/mnt", "/media", "/srv", "/boot", "/sys", "/run"):
    try:
        result += [f"{{path}}/{{name}}" for name in os.listdir(path) if name not in ("lock", "lambda")]
    except OSError:
        pass
''')
        self.assertEqual(found, [])

    def test_its_mounts_are_the_few_it_needs(self):
        mounts = self.inside("result = open('/proc/self/mountinfo').read()")
        found = {}
        for line in mounts.splitlines():
            fields = line.split()
            found[fields[4]] = (fields[5].split(","), fields[fields.index("-") + 1])
        masks = {point for point in found if point.startswith("/proc/") and point != "/proc/sys"}
        self.assertEqual(set(found) - masks, {"/", "/proc", "/proc/sys", "/dev", "/dev/shm", "/tmp", "/var/task", "/etc/hosts", "/etc/resolv.conf"} & set(found))
        self.assertEqual({"/", "/proc", "/proc/sys", "/dev", "/dev/shm", "/tmp", "/var/task"} - set(found), set())
        for point, (options, kind) in found.items():
            with self.subTest(mount=point):
                self.assertIn("nosuid", options)
                if point not in ("/tmp", "/dev/shm", "/proc"):
                    self.assertIn("ro", options)
                if kind != "devtmpfs" and not point.startswith(("/dev", "/proc/")):
                    self.assertIn("nodev", options)

    def test_two_functions_share_no_file(self):
        self.deploy_evaluator("other")
        self.inside("open('/tmp/mine', 'w').write('secret'); open('/dev/shm/mine', 'w').write('secret')")
        self.assertEqual(self.inside("import os; result = os.listdir('/tmp') + os.listdir('/dev/shm')", "other"), [])
        self.assertIn("mine", self.inside("import os; result = os.listdir('/tmp')"))

    def test_shared_memory_and_queues_are_its_own(self):
        probe = '''
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
result = [libc.shmget(0x1234, 4096, %s), libc.msgget(0x1234, %s)]
'''
        self.assertNotIn(-1, self.inside(probe % ("0o1666", "0o1666")))
        self.deploy_evaluator("other")
        self.assertEqual(self.inside(probe % ("0", "0"), "other"), [-1, -1])

    def test_devices(self):
        found = self.inside('''
import os, stat
result = sorted(os.listdir("/dev"))
for name in ("full", "null", "random", "urandom", "zero"):
    assert stat.S_ISCHR(os.stat("/dev/" + name).st_mode)
''')
        self.assertEqual(found, ["fd", "full", "null", "random", "shm", "stderr", "stdin", "stdout", "urandom", "zero"])
        for path in ("/dev/mem", "/dev/kmsg", "/dev/kvm", "/dev/fuse", "/dev/tty", "/dev/ptmx", "/dev/net/tun", "/dev/vsock", "/dev/vda"):
            self.assertEqual(self.error_of(f"open({path!r})"), "ENOENT", path)


class Processes(AttackTest):
    def test_only_its_own(self):
        found = self.inside('''
import os
result = {name: open(f"/proc/{name}/comm").read().strip() for name in os.listdir("/proc") if name.isdigit()}
''')
        self.assertEqual(found.pop("1"), "lambda-init")
        self.assertEqual(len(found), 1, found)

    def test_pid_one_tells_nothing_and_takes_no_signal(self):
        found = self.inside('''
import os, signal, time
result = []
for name in ("environ", "mem", "maps", "stack", "auxv", "io", "exe", "cwd", "root", "fd", "ns/mnt", "map_files", "syscall"):
    path = "/proc/1/" + name
    try:
        os.listdir(path) if name in ("fd", "map_files") else os.readlink(path) if name in ("exe", "cwd", "root", "ns/mnt") else open(path, "rb").read(1)
        result.append(name)
    except PermissionError:
        pass
for number in range(1, 65):
    if number not in (32, 33):
        os.kill(1, number)
time.sleep(0.2)
assert open("/proc/1/stat").read().split()[2] in "SR"
''')
        self.assertEqual(found, [])
        self.assertEqual(self.inside("result = 'still there'"), "still there")

    def test_its_cgroup_is_the_top_of_what_it_sees(self):
        for line in self.inside("result = open('/proc/self/cgroup').read()").splitlines():
            path = line.split(":", 2)[2]
            if any(part in line.split(":")[1].split(",") for part in ("memory", "pids", "cpu", "")):
                self.assertEqual(path, "/", line)

    def test_no_process_outside_can_be_signalled(self):
        """Also not by its number outside."""
        for pid in (self.server.process.pid, os.getpid(), *sandbox_processes(self.server)):
            if pid > 100:
                self.assertEqual(self.error_of(f"os.kill({pid}, 0)"), "ESRCH")
        self.assertEqual(self.error_of("os.kill(-1, signal.SIGTERM)"), "ESRCH")  # everyone but itself and pid 1: nobody
        self.assertIsNone(self.server.process.poll())

    def test_secrets_of_proc(self):
        found = self.inside('''
import os
result = {}
for name in ("kcore", "keys", "kallsyms", "timer_list", "cmdline", "modules", "sysrq-trigger", "iomem", "kmsg", "slabinfo", "vmallocinfo",
             "kpagecount", "kpageflags", "sched_debug"):
    try:
        result[name] = len(open("/proc/" + name, "rb").read(100))
    except (PermissionError, FileNotFoundError):
        result[name] = 0
''')
        self.assertEqual({name: size for name, size in found.items() if size}, {})

    def test_settings_of_the_kernel_cannot_be_written(self):
        found = self.inside('''
import os
result = []
for directory, _, files in os.walk("/proc/sys"):
    for name in files:
        path = os.path.join(directory, name)
        try:
            os.close(os.open(path, os.O_WRONLY)); result.append(path)
        except OSError:
            pass
for path in ("/proc/sysrq-trigger", "/proc/self/uid_map", "/proc/self/gid_map", "/proc/1/oom_score_adj", "/proc/self/attr/current"):
    try:
        if os.write(os.open(path, os.O_WRONLY), b"0 0 1") and "sysrq" not in path:
            result.append(path)
    except OSError:
        pass
''')
        self.assertEqual(found, [])


@on_both_drivers
class UnderPressure(AttackTest):
    """Functions are ended before the server is, and cannot change that."""

    def test_every_process_of_a_sandbox_goes_first(self):
        self.assertEqual(self.inside('''
import subprocess
read = lambda pid: int(open(f"/proc/{pid}/oom_score_adj").read())
result = [read(1), read("self"), int(subprocess.run(["cat", "/proc/self/oom_score_adj"], capture_output=True).stdout)]
'''), [500] * 3)
        processes = sandbox_processes(self.server)
        self.assertGreaterEqual(len(processes), 2)
        for pid in processes:
            self.assertEqual(int(Path(f"/proc/{pid}/oom_score_adj").read_text()), 500, pid)
        own = Path("/proc/self/oom_score_adj").read_text()
        self.assertEqual(Path(f"/proc/{self.server.process.pid}/oom_score_adj").read_text(), own)

    def test_it_cannot_lower_that(self):
        found = self.inside('''
import json, subprocess, sys
program = """if True:
    import errno, json
    def write(name, value):
        try:
            with open("/proc/self/" + name, "w") as file: file.write(value)
            return "done"
        except OSError as error:
            return errno.errorcode[error.errno]
    print(json.dumps({f"{name} {value}": write(name, value)
                      for name, value in (("oom_score_adj", "-1000"), ("oom_score_adj", "-1"), ("oom_adj", "-17"), ("oom_adj", "0"),
                                          ("oom_score_adj", "0"), ("oom_score_adj", "499"), ("oom_score_adj", "1000"), ("oom_score_adj", "500"))}))"""
result = json.loads(subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout)
''')
        # Where root itself may set no floor, what is left is that a function comes no later than the server.
        allowed = {"oom_score_adj 1000", "oom_score_adj 500"} | (set() if may_set_floors() else {"oom_score_adj 0", "oom_score_adj 499"})
        self.assertEqual({name: answer for name, answer in found.items() if (answer == "done") != (name in allowed)}, {})


@on_both_drivers
class Identity(AttackTest):
    def test_status(self):
        status = self.inside("result = dict(line.split(':\\t', 1) for line in open('/proc/self/status').read().splitlines())")
        for key in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            self.assertEqual(int(status[key], 16), 0, key)
        self.assertEqual((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"))
        self.assertEqual((status["Uid"].split(), status["Gid"].split()), (["993"] * 4, ["990"] * 4))
        self.assertEqual(status["Groups"].strip(), "990" if self.driver == "docker" else "")  # Docker names its own group once more

    def test_there_is_a_name_for_it(self):
        self.assertEqual(self.inside("import pwd, os; result = pwd.getpwuid(os.getuid()).pw_name"), "sbx_user1051")

    def test_every_namespace_is_its_own(self):
        """But the user namespace of containers, unless the Engine was told to."""
        self.inside("pass")
        shared = {"user"} if self.driver == "docker" else set()
        for pid in sandbox_processes(self.server):
            for kind in {"mnt", "pid", "net", "ipc", "uts", "user", "cgroup"} - shared:
                self.assertNotEqual(os.readlink(f"/proc/{pid}/ns/{kind}"), os.readlink(f"/proc/self/ns/{kind}"), kind)

    def test_mounts_do_not_belong_to_its_user_namespace(self):
        """Else root of that namespace could make the code writable. The mount namespace's owner is the machine's own."""
        import fcntl
        NS_GET_USERNS = 0xB701
        pid = sandbox_processes(self.server)[0]
        for kind in ("mnt", "net", "pid", "ipc", "uts", "cgroup"):
            with open(f"/proc/{pid}/ns/{kind}") as namespace:
                owner = fcntl.ioctl(namespace.fileno(), NS_GET_USERNS)
                self.assertEqual(os.fstat(owner).st_ino, os.stat("/proc/self/ns/user").st_ino, kind)
                os.close(owner)

    def test_descriptors_are_0_1_2(self):
        self.server.deploy({"bootstrap": (attacker(), 0o755)}, "attacker", "--runtime", "provided")
        self.assertEqual(self.server.invoke("attacker", "descriptors").json(), {"inherited": "0 1 2 "})
        # In a handler: those, and what the interpreter opened itself, sockets to the Runtime API.
        found = self.inside('''
import os
result = {}
for name in os.listdir("/proc/self/fd"):
    try:
        result[name] = os.readlink("/proc/self/fd/" + name)
    except OSError:
        pass
''')
        self.assertEqual(found.pop("0"), "/dev/null")
        self.assertRegex(found.pop("1"), r"^pipe:")
        self.assertRegex(found.pop("2"), r"^pipe:")
        for target in found.values():
            self.assertRegex(target, r"^(socket:|/proc/\d+/fd)")

    def test_nothing_of_lambdads_environment_or_keys(self):
        found = self.inside("import os; result = dict(os.environ)")
        text = repr(found)
        self.assertNotIn(self.server.key, text)
        self.assertNotIn((self.server.data / "master.key").read_bytes()[:16].hex(), text)
        self.assertNotIn("HOME", set(found) - {"HOME"})
        allowed = re.compile(r"^(AWS_\w+|_HANDLER|_X_AMZN_TRACE_ID|LAMBDA_TASK_ROOT|LAMBDA_RUNTIME_DIR|TZ|LANG|LC_CTYPE|PATH|LD_LIBRARY_PATH|PYTHON\w+|PWD|SHLVL|_)$")
        self.assertEqual([name for name in found if not allowed.match(name)], [])


class Outside(AttackTest):
    """What only the native driver promises."""

    def test_every_sandbox_has_a_uid_of_its_own_outside(self):
        self.deploy_evaluator("other")
        for name in ("victim", "other"):
            self.inside("pass", name)
        uids = {}
        for pid in sandbox_processes(self.server):
            status = status_of(pid)
            self.assertEqual(len(set(status["Uid"].split() + status["Gid"].split())), 1, status)
            uids.setdefault(status["Uid"].split()[0], set()).add(os.readlink(f"/proc/{pid}/ns/pid"))
        self.assertGreaterEqual(len(uids), 2)
        for uid, namespaces in uids.items():
            self.assertEqual(len(namespaces), 1, f"uid {uid} is in several sandboxes")
            self.assertGreaterEqual(int(uid), 1_900_000_000)


@on_both_drivers
class Secrets(AttackTest):
    @classmethod
    def setUpClass(cls):
        os.environ["A_SECRET_OF_THE_SHELL"] = "open sesame"
        try:
            super().setUpClass()
        finally:
            del os.environ["A_SECRET_OF_THE_SHELL"]

    def test_what_lambdad_was_started_with_is_in_no_environment_inside(self):
        self.assertIn(b"open sesame", Path(f"/proc/{self.server.process.pid}/environ").read_bytes())
        self.assertNotIn("open sesame", repr(self.inside("import os; result = dict(os.environ)")))
        for pid in sandbox_processes(self.server):
            self.assertNotIn(b"open sesame", Path(f"/proc/{pid}/environ").read_bytes(), pid)


@on_both_drivers
class Network(AttackTest):
    """Of a function with egress none; egress_test.py has those with a way out."""

    @classmethod
    def deploy_evaluator(cls, name, timeout=20):
        cls.server.deploy({"app.py": EVALUATOR}, name, "--handler", "app.handler", "--timeout", timeout, "--egress", "none")

    def test_loopback_alone(self):
        found = self.inside('''
import socket
result = [[name for _, name in socket.if_nameindex()], open("/proc/net/route").read().count("\\n"), open("/proc/net/arp").read().count("\\n")]
''')
        self.assertEqual(found, [["lo"], 1, 1])

    def test_neither_the_host_nor_the_world(self):
        own = subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=False).stdout.split()
        for address in ["169.254.169.254", "169.254.170.2", "8.8.8.8", "172.17.0.1", *[a for a in own if ":" not in a]]:
            with self.subTest(address=address):
                self.assertEqual(self.error_of(f"socket.create_connection(({address!r}, 80), timeout=2)"), "ENETUNREACH")
                self.assertEqual(self.error_of(f"socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ({address!r}, 53))"), "ENETUNREACH")
        # Containers have no IPv6 at all.
        self.assertIn(self.error_of("socket.create_connection(('2001:4860:4860::8888', 80), timeout=2)"), ("ENETUNREACH", "EADDRNOTAVAIL"))

    def test_the_hosts_loopback_is_another(self):
        """Not lambdad's own port, and nothing else that listens there."""
        listener = socket.create_server(("127.0.0.1", 0))
        for port in (self.server.port, listener.getsockname()[1]):
            self.assertEqual(self.error_of(f"socket.create_connection(('127.0.0.1', {port}), timeout=2)"), "ECONNREFUSED")
        listener.close()

    def test_abstract_sockets_of_the_host(self):
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("\0lambda-security-test")
            listener.listen()
            self.assertEqual(self.error_of("socket.socket(socket.AF_UNIX).connect('\\0lambda-security-test')"), "ECONNREFUSED")
            self.assertNotIn("lambda-security-test", self.inside("result = open('/proc/net/unix').read()"))

    def test_sockets_of_another_function(self):
        self.deploy_evaluator("other")
        self.inside("import socket, builtins; builtins.kept = socket.create_server(('127.0.0.1', 4321))")
        self.assertEqual(self.error_of("socket.create_connection(('127.0.0.1', 4321))", "other"), "ECONNREFUSED")

    def test_the_runtime_api_is_no_door_to_the_control_api(self):
        found = self.inside('''
import http.client
result = []
for path in ("/_lambda/health", "/2015-03-31/functions", "/2015-03-31/functions/", "//2018-06-01/../2015-03-31/functions", "/2020-01-01/extension/register",
             "/2018-06-01/runtime/../../2015-03-31/functions", "http://localhost/2015-03-31/functions", "/"):
    connection = http.client.HTTPConnection("127.0.0.1", 9001, timeout=5)
    connection.request("GET", path, headers={"Host": "victim.localhost"})
    result.append([path, connection.getresponse().status])
''')
        for path, status in found:
            self.assertIn(status, (400, 404), path)


if __name__ == "__main__":
    unittest.main()
