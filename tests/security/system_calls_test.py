"""System calls that lead out of a sandbox, tried from inside by a static program (attacker.c)."""

import unittest

from inside import AttackTest, attacker

# Everything else must not exist at all: ENOSYS.
REFUSED = {
    "EPERM": """clone_newuser clone_newns clone_newpid clone_newnet clone_newuts clone_newipc clone_newcgroup clone_newuser_high_bits
                setgroups capset mknod_disk mknod_memory raw_socket raw_socket_6 huge_pages_by_shmget more_open_files real_time
                deadline_class""",
    "EACCES": """setns_net_of_init descriptors_of_init memory_of_init program_of_init root_of_init environment_of_init score_of_init
                 higher_priority""",
    "EINVAL": "setuid_root setgid_root setresuid_root setuid_other",  # ids that this user namespace does not have
    "EAFNOSUPPORT": "packet_socket vsock alg_socket tipc_socket bluetooth_socket can_socket x25_socket ax25_socket",
    "ENOMEM": "huge_pages_by_mmap",
    "ENODEV": "huge_pages_by_memfd",
    "ENOTTY": "type_into_terminal",
}


class SystemCalls(AttackTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.deploy({"bootstrap": (attacker(), 0o755)}, "attacker", "--runtime", "provided", "--timeout", "20")
        reply = cls.server.invoke("attacker", "all")
        assert reply.status == 200, reply
        cls.outcomes = reply.json()

    def test_each_is_refused_as_the_filter_says(self):
        expected = {name: error for error, names in REFUSED.items() for name in names.split()}
        self.assertGreater(len(self.outcomes), 110)
        self.assertEqual(set(expected) - set(self.outcomes), set())
        for name, outcome in self.outcomes.items():
            with self.subTest(attack=name):
                self.assertEqual(outcome, expected.get(name, "ENOSYS"))

    def test_what_functions_need_is_there(self):
        found = self.inside('''
import ctypes, mmap, os, resource, select, socket, subprocess, tempfile, threading
thread = threading.Thread(target=lambda: None); thread.start(); thread.join()
a, b = socket.socketpair(); a.send(b"x"); b.recv(1)
server = socket.create_server(("127.0.0.1", 0)); client = socket.create_connection(server.getsockname()); server.accept()
server6 = socket.create_server(("::1", 0), family=socket.AF_INET6)
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); udp.bind(("127.0.0.1", 0))
poll = select.epoll(); poll.register(a)
with tempfile.NamedTemporaryFile() as file:
    file.write(b"x" * 4096); file.flush(); os.fsync(file.fileno()); mmap.mmap(file.fileno(), 4096).close()
memory = os.memfd_create("x"); os.ftruncate(memory, 10)
os.sync()
resource.setrlimit(resource.RLIMIT_NOFILE, (100, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
child = subprocess.run(["/bin/sh", "-c", "echo $((6 * 7))"], capture_output=True, text=True, check=True)
result = [child.stdout, [name for _, name in socket.if_nameindex()]]
''')
        self.assertEqual(found, ["42\n", ["lo", "eth0"]])

    def test_nothing_makes_the_machine_write_out(self):
        """Of files that can only be read, and of its own: it works, and is not done (there is no descriptor 999)."""
        self.assertEqual(self.inside('''
import ctypes, mmap, os, tempfile
libc = ctypes.CDLL(None, use_errno=True)
results = []
with tempfile.TemporaryFile(dir="/tmp") as mine, open("/var/task/app.py", "rb") as code, open("/usr/bin/env", "rb") as program:
    mine.write(b"x" * 4096); mine.flush()
    for file in (mine, code, program):
        os.fsync(file.fileno()); os.fdatasync(file.fileno())
        mapped = mmap.mmap(file.fileno(), 0, mmap.MAP_SHARED, mmap.PROT_READ); mapped.flush(); mapped.close()
        results += [libc.sync_file_range(file.fileno(), 0, 0, 7), libc.syncfs(file.fileno())]
results += [libc.fsync(999), libc.fdatasync(999), libc.sync_file_range(999, 0, 0, 7), libc.syncfs(999)]
result = results
'''), [0] * 10)

    def test_no_core_files_and_no_core_programs(self):
        """A limit of 1 keeps the kernel from starting a core_pattern program; of 0 it would start it. Nothing changes it."""
        self.assertEqual(self.inside('''
import resource
before = resource.getrlimit(resource.RLIMIT_CORE)
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
result = [before, resource.getrlimit(resource.RLIMIT_CORE)]
'''), [[1, 1], [1, 1]])


if __name__ == "__main__":
    unittest.main()
