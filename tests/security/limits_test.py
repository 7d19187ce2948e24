"""Functions that take all they can get. They end, or are refused; a quiet function beside them goes on answering."""

import threading
import time
import unittest
from pathlib import Path

from inside import AttackTest, eventually, on_both_drivers, sandbox_processes, status_of


class Limits(AttackTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.deploy_evaluator("quiet")

    def beside(self, attack, name="victim", slowest=4.0):
        """The reply to an attack; meanwhile the quiet function is called again and again and must answer."""
        replies, times = [], []
        thread = threading.Thread(target=lambda: replies.append(self.call(attack, name)))
        thread.start()
        while thread.is_alive():
            began = time.monotonic()
            self.assertEqual(self.inside("result = 42", "quiet"), 42)
            times.append(time.monotonic() - began)
            time.sleep(0.05)
        thread.join()
        self.assertLess(max(times), slowest, sorted(times)[-5:])
        return replies[0]

    def ended(self, reply, kind):
        self.assertEqual(reply.headers.get("x-amz-function-error"), "Unhandled", reply)
        self.assertEqual(reply.json()["errorType"], kind, reply)
        self.assertEqual(self.inside("result = 7"), 7)  # a new instance

    def test_fork_bomb(self):
        self.deploy_evaluator("bomber", timeout=4)
        before = set(sandbox_processes(self.server))
        reply = self.beside('''
import os
while True:
    try:
        os.fork()
    except OSError:
        pass
''', "bomber")
        # Whichever limit it meets first.
        self.assertIn(reply.json()["errorType"], ("Sandbox.Timedout", "Runtime.OutOfMemory"), reply)
        eventually(lambda: len(set(sandbox_processes(self.server)) - before) < 5, what="the end of the bomb")
        self.assertEqual(self.inside("result = 7", "bomber"), 7)

    def test_thread_flood(self):
        count = self.inside('''
import threading, time
threads = []
try:
    while len(threads) < 5000:
        threading.stack_size(65536)
        thread = threading.Thread(target=time.sleep, args=(1,), daemon=True)
        thread.start()
        threads.append(thread)
except RuntimeError:
    pass
result = len(threads)
''')
        self.assertLess(count, 1025)
        self.assertGreater(count, 500)

    def test_memory_bomb(self):
        self.ended(self.beside("hoard = []\nwhile True: hoard.append(b'x' * 1_000_000)"), "Runtime.OutOfMemory")

    def test_memory_bomb_of_many_processes(self):
        self.ended(self.beside('''
import os, time
for _ in range(20):
    if os.fork() == 0:
        hoard = [b"x" * 1_000_000 for _ in range(40)]
        time.sleep(60)
time.sleep(15)
'''), "Runtime.OutOfMemory")

    def test_memory_in_shared_memory_and_memfds_counts(self):
        for source in ("fd = os.memfd_create('x')", "fd = os.open('/dev/shm/x', os.O_CREAT | os.O_RDWR)"):
            self.ended(self.call(f'''
import os, time
{source}
for _ in range(60): os.write(fd, b"x" * (1 << 20))
hoard = b"x" * (90 << 20)
time.sleep(15)
'''), "Runtime.OutOfMemory")

    def test_kernel_memory_ends_too(self):
        """Sockets' buffers are no function's memory, but the kernel's limit of the whole sandbox (memory, /tmp and a little) counts them."""
        reply = self.call('''
import os, socket
kept, held = [], 0
for _ in range(120):
    if os.fork() == 0:
        try:
            while True:
                pair = socket.socketpair(); kept.append(pair); pair[0].setblocking(False)
                pair[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)
                try:
                    while True: pair[0].send(b"x" * 65536)
                except BlockingIOError: pass
        except OSError: pass
        import time; time.sleep(60)
import time; time.sleep(8)
result = "alive"
''')
        self.assertEqual(reply.json()["errorType"], "Runtime.OutOfMemory", reply)
        self.assertLess(self.largest_memory(), (128 + 512 + 40) << 20, reply)
        self.inside("result = 7", "quiet")

    @staticmethod
    def largest_memory():
        sizes = [0]
        for pattern in ("memory/lambda-*/*/memory.max_usage_in_bytes", "lambda-*/*/memory.peak", "*/lambda-*/*/memory.peak"):
            sizes += [int(path.read_text()) for path in Path("/sys/fs/cgroup").glob(pattern)]
        return max(sizes)

    def test_filling_tmp_is_enospc_and_no_more(self):
        found = self.inside('''
import errno, os
total = 0
try:
    with open("/tmp/large", "wb", 0) as file:
        while True:
            total += file.write(b"x" * (1 << 20))
except OSError as error:
    result = [errno.errorcode[error.errno], total >> 20]
hoard = b"x" * (60 << 20)
os.remove("/tmp/large")
''')
        self.assertEqual(found, ["ENOSPC", 512])

    def test_filling_tmp_with_empty_files(self):
        found = self.inside('''
import errno, os
count = 0
try:
    while count < 400_000:
        os.close(os.open(f"/tmp/{count}", os.O_CREAT | os.O_WRONLY)); count += 1
except OSError as error:
    result = [errno.errorcode[error.errno], count]
''')
        self.assertEqual(found[0], "ENOSPC")
        self.assertLess(found[1], 512 * 256 + 1)

    def test_descriptors(self):
        found = self.inside('''
import errno, os
kept = []
try:
    while True: kept.append(os.open("/dev/null", os.O_RDONLY))
except OSError as error:
    result = [errno.errorcode[error.errno], max(kept)]
for fd in kept: os.close(fd)
''')
        self.assertEqual(found, ["EMFILE", 1023])

    def test_log_flood(self):
        reply = self.beside('''
import os, time
end = time.monotonic() + 5
line = b"y" * 200 + b"\\n"
while time.monotonic() < end: os.write(1, line * 200)
os.write(1, b"\\x00\\xff\\xfe garbage \\x1b[31m\\n")
os.write(1, b"z" * 3_000_000)
os.write(1, b"\\nthe last line\\n")
result = "done"
''')
        self.assertEqual(reply.json(), "done")
        self.assertIn("the last line", reply.log)
        self.assertLess(len(reply.log), 8192)
        self.assertLess(int(status_of(self.server.process.pid)["VmRSS"].split()[0]), 400_000)  # kB

    def test_floods_of_empty_lines_hold_nobody_up(self):
        """A pipe of 1 MiB full of line ends, again and again, by several functions at once; a client of none of them hardly notices."""
        names = [f"lines{number}" for number in range(4)]
        for name in names:
            self.deploy_evaluator(name)
            self.inside("result = 1", name)
        ended, replies = threading.Event(), []

        def flood(name):
            while not ended.is_set():
                replies.append(self.call("import fcntl, os; fcntl.fcntl(1, 1031, 1 << 20); os.write(1, b'\\n' * (1 << 20)); result = 1", name))
        threads = [threading.Thread(target=flood, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        times = []
        end = time.monotonic() + 10
        while time.monotonic() < end:
            began = time.monotonic()
            self.assertEqual(self.server.request("GET", "/_lambda/health").status, 200)
            times.append(time.monotonic() - began)
            time.sleep(0.005)
        ended.set()
        for thread in threads:
            thread.join()
        self.assertGreater(len(replies), len(names))
        self.assertEqual({reply.json() for reply in replies}, {1})
        self.assertTrue(all(reply.log.rstrip().splitlines()[-1].startswith("REPORT") for reply in replies))
        times.sort()
        self.assertLess(times[len(times) * 99 // 100], 0.25, times[-10:])

    def test_log_flood_of_a_child_that_stays(self):
        """Between calls too; the function's own END is not held back by it."""
        reply = self.beside('''
import os, time
if os.fork() == 0:
    while True: os.write(1, b"flood\\n" * 1000)
time.sleep(1)
result = "answered"
''')
        self.assertEqual(reply.json(), "answered")
        self.assertEqual(self.inside("result = 1", "quiet"), 1)
        self.assertEqual(self.inside("import os, signal; os.kill(-1, signal.SIGKILL); result = 2"), 2)

    def test_cpu_hog(self):
        self.deploy_evaluator("hog", timeout=6)
        self.beside('''
import os
for _ in range(16):
    if os.fork() == 0:
        while True: pass
while True: pass
''', "hog")


SPIN = '''
import os, resource, time
begin = time.process_time()
while time.process_time() - begin < 0.4: pass

def burn(seconds):
    """CPU time that 8 busy processes, each with a busy child, come to together, over so long."""
    end = time.monotonic() + seconds
    for _ in range(8):
        if os.fork() == 0:
            child = os.fork()
            while time.monotonic() < end: pass
            if child: os.wait()
            os._exit(0)
    for _ in range(8): os.wait()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime

def handler(event, context):
    return burn(event["seconds"]) if event.get("seconds") else "ready"
'''


@on_both_drivers
class CpuQuota(AttackTest):
    """The weight of one CPU, so that the function would get much more than its quota of a tenth."""

    def throttled(self, name, version=1):
        """How often the sandbox of a function's version was stopped for its quota, by the kernel's own count."""
        groups = {}
        for pid in sandbox_processes(self.server):
            rows = dict(row.split(":", 2)[1:] for row in Path(f"/proc/{pid}/cgroup").read_text().splitlines())
            path = rows.get("cpu") or rows.get("cpu,cpuacct")
            directory = Path("/sys/fs/cgroup/cpu" + path) if path else Path("/sys/fs/cgroup" + rows[""])
            environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            if {f"AWS_LAMBDA_FUNCTION_NAME={name}".encode(), f"AWS_LAMBDA_FUNCTION_VERSION={version}".encode()} <= set(environment):
                groups[directory] = True
        self.assertEqual(len(groups), 1, groups)
        lines = (next(iter(groups)) / "cpu.stat").read_text().splitlines()
        return int(dict(line.split() for line in lines)["nr_throttled"])

    def deploy_spinner(self, name, *flags):
        # A variable that a runtime reads at its start: no stem, so that its environment tells who it is.
        self.server.deploy({"app.py": SPIN}, name, "--handler", "app.handler", "--memory", 1769, "-e", "PYTHONHASHSEED=1", *flags)

    def test_the_whole_tree_together_stays_within_it_and_its_init_does_not_feel_it(self):
        self.deploy_spinner("tenth", "--cpus", "0.1")
        self.assertEqual(self.server.api("GET", "/_lambda/functions/tenth").json()["cpus"], 0.1)
        reply = self.server.invoke("tenth", {})
        self.assertEqual(reply.json(), "ready")
        # Of the 0.4 s that it computes while it is initialised, 3.6 s would have been pauses.
        self.assertEqual(self.throttled("tenth"), 0)
        used = self.server.invoke("tenth", {"seconds": 3}).json()
        self.assertLess(used, 3 * 0.1 * 1.5)
        self.assertGreater(used, 3 * 0.1 * 0.3)
        self.assertGreater(self.throttled("tenth"), 5)

    def test_without_one_it_has_none_and_it_can_be_taken_back(self):
        self.deploy_spinner("free", "--cpus", "0.1")
        self.deploy_spinner("free", "--cpus", "0")
        self.assertIsNone(self.server.api("GET", "/_lambda/functions/free").json()["cpus"])
        used = self.server.invoke("free", {"seconds": 2}).json()
        self.assertEqual(self.throttled("free", 2), 0)
        self.assertGreater(used, 2 * 0.1 * 1.5)

    def test_what_is_held_back_ends_at_once_all_the_same(self):
        self.deploy_spinner("held", "--cpus", "0.05", "--timeout", "3")
        before = set(sandbox_processes(self.server))
        self.assertEqual(self.server.invoke("held", {}).json(), "ready")
        reply = self.server.invoke("held", {"seconds": 600})
        self.assertEqual(reply.json()["errorType"], "Sandbox.Timedout", reply)
        eventually(lambda: len(set(sandbox_processes(self.server)) - before) < 5, what="the end of its processes")


if __name__ == "__main__":
    unittest.main()
