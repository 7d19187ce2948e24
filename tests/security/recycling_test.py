"""What a function finds of the one whose network namespace it has now, and which of a sandbox's things are never used again."""

import os
import unittest
from pathlib import Path

from endings_test import runs
from inside import EVALUATOR, AttackTest, LambdaServer, eventually, is_in_sandbox, processes_below

NAMESPACE = "import os; result = os.readlink('/proc/self/ns/net')"

# All that a function can leave: listening, connected, half-closed, bound and only made sockets, of every family that there is; names; rows of connections that ended.
DIRT = '''
import builtins, os, socket, struct
kept = builtins.kept = []
for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
    listener = socket.create_server((host, 4321), family=family)
    datagram = socket.socket(family, socket.SOCK_DGRAM)
    datagram.bind((host, 4322))
    datagram.sendto(b"a secret", (host, 4322))
    kept += [listener, datagram]
    for number in range(30):
        client = socket.create_connection((host, 4321))
        server = listener.accept()[0]
        if number % 3 == 0:  # both ends go: TIME_WAIT, where the kernel keeps such rows
            client.close(); server.close()
        elif number % 3 == 1:  # one end goes, with what nobody read
            client.sendall(b"x" * 100_000); client.close(); kept.append(server)
        else:
            kept += [client, server]
for number in range(20):
    name = socket.socket(socket.AF_UNIX)
    name.bind(f"\\0left-{number}")
    name.listen()
    peer = socket.socket(socket.AF_UNIX)
    peer.connect(f"\\0left-{number}")
    # In flight, in a circle: nobody has it open any more.
    one, other = socket.socketpair()
    socket.send_fds(one, [b"x"], [one.fileno(), other.fileno()])
    kept += [name, peer]
kept += [socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)]
for _ in range(5):  # and processes that hold on to all of it
    if os.fork() == 0:
        os.setsid()
        import time
        time.sleep(600)
result = os.readlink("/proc/self/ns/net")
'''

# Everything about its network that a function can see. Its own socket with the Runtime API is there too.
LOOK = '''
import os, re, socket
rows = {}
def without_own(text):
    """The addresses of its way out, which are others each time, by one name; one more that was left would be a row more."""
    named = re.sub(r"198[.]19[.][0-9.]+|fd6c616d6264[0-9a-f]{20}|fe80[0-9a-f]{28}", "own", text)
    return sorted(named.splitlines())
for name in ("tcp", "tcp6", "udp", "udp6", "udplite", "raw", "raw6", "icmp", "packet", "unix", "ip6_flowlabel", "arp"):
    try:
        rows[name] = open(f"/proc/net/{name}").read().splitlines()[1:]
    except FileNotFoundError:
        pass
def reaches(family, address):
    try:
        with socket.socket(family) as one:
            one.settimeout(2)
            one.connect(address)
        return "connected"
    except OSError as error:
        return type(error).__name__
result = {
    "namespace": os.readlink("/proc/self/ns/net"),
    "rows": rows,
    "sockets": open("/proc/net/sockstat").read(),
    "links": socket.if_nameindex(),
    "routes": without_own(open("/proc/net/route").read() + open("/proc/net/ipv6_route").read() + open("/proc/net/fib_trie").read()),
    "addresses": without_own(open("/proc/net/if_inet6").read()),
    "tcp": reaches(socket.AF_INET, ("127.0.0.1", 4321)),
    "tcp6": reaches(socket.AF_INET6, ("::1", 4321)),
    "abstract": reaches(socket.AF_UNIX, "\\0left-3"),
    "bytes": int(open("/proc/net/dev").read().split("lo:")[1].split()[0]),
}
'''


class Recycling(AttackTest):
    flags = ("--stems", "0")  # which would take the namespaces

    def namespace_after(self, first, name, code, tries=60):
        """What `code` comes to in the namespace `first`, which a sandbox had that has ended; functions get it by chance, so that some are tried."""
        for number in range(tries):
            self.deploy_evaluator(f"{name}{number}")
            if self.inside(NAMESPACE, f"{name}{number}") == first:
                return self.inside(code, f"{name}{number}")
            self.server.cli("delete", f"{name}{number}", "-y")
        raise AssertionError("no function got the namespace again")

    def left_by(self, name, code):
        """The namespace of a function that did this and whose instance has ended since."""
        self.deploy_evaluator(name)
        namespace = self.inside(code, name)
        self.server.cli("delete", name, "-y")
        eventually(lambda: namespace not in self.namespaces(), what="the end of the function")
        return namespace

    def namespaces(self):
        found = set()
        for pid in processes_below(self.server.process.pid):
            try:
                if is_in_sandbox(pid):
                    found.add(os.readlink(f"/proc/{pid}/ns/net"))
            except OSError:
                pass
        return found

    def test_nothing_of_the_function_before_is_found(self):
        namespace = self.left_by("first", DIRT)
        fresh = self.inside(LOOK)
        found = self.namespace_after(namespace, "second", LOOK)
        self.assertEqual(found["namespace"], namespace)
        self.assertNotEqual(fresh["namespace"], namespace)
        # Sockets: what every function has, its runtime's with the Runtime API; none of the ports, none of the names, no row of what ended.
        for name, rows in found["rows"].items():
            with self.subTest(file=name):
                self.assertEqual(len(rows), len(fresh["rows"][name]), rows)
        self.assertFalse([row for rows in found["rows"].values() for row in rows if any(port in row for port in (":10E1", ":10E2", "left-"))])
        self.assertIn(" tw 0 ", found["sockets"])
        self.assertEqual((found["tcp"], found["tcp6"], found["abstract"]), ("ConnectionRefusedError",) * 3)
        # Numbers of interfaces among them, which would tell how many functions there were before.
        self.assertEqual([name for _, name in found["links"]], ["lo", "eth0"])
        for same in ("links", "routes", "addresses"):
            self.assertEqual(found[same], fresh[same], same)
        # What the security model says that is not taken back.
        self.assertGreater(found["bytes"], fresh["bytes"])

    def test_many_rounds_with_dirt_come_to_nothing_more(self):
        """Functions one after the other, each of which leaves all that it can: they share few namespaces, and each finds its own sockets alone."""
        seen, counts = [], set()
        for number in range(24):
            name = f"round{number}"
            self.deploy_evaluator(name)
            found = self.inside(LOOK, name)
            seen.append(found["namespace"])
            counts.add((found["tcp"], found["abstract"], len(found["rows"]["tcp"]), len(found["rows"]["unix"])))
            self.inside(DIRT, name)
            self.server.cli("delete", name, "-y")
        self.assertLess(len(set(seen)), len(seen), "no namespace was used again")
        self.assertEqual(len(counts), 1, counts)

    def test_settings_cannot_be_changed(self):
        found = self.inside("""
import os
result = []
for directory, _, names in os.walk("/proc/sys/net"):
    for name in names:
        try:
            os.close(os.open(os.path.join(directory, name), os.O_WRONLY))
            result.append(os.path.join(directory, name))
        except OSError:
            pass
""")
        self.assertEqual(found, [])

    def test_a_port_is_free_again_and_so_is_a_name(self):
        namespace = self.left_by("holder", DIRT)
        self.assertEqual(self.namespace_after(namespace, "taker", DIRT), namespace)

    def test_cgroups_are_never_used_again(self):
        seen = []
        for number in range(12):
            name = f"group{number}"
            self.deploy_evaluator(name)
            process = self.inside("import os; result = os.readlink('/proc/self/ns/net')", name)
            seen.append(self.cgroup_in(process))
            self.server.cli("delete", name, "-y")
        self.assertEqual(len(set(seen)), len(seen), seen)
        eventually(lambda: not [path for path in seen if Path(path).exists()], what="the removal of their cgroups")

    def cgroup_in(self, namespace):
        """The directory of the memory cgroup of the processes in a network namespace."""
        for pid in processes_below(self.server.process.pid):
            try:
                if os.readlink(f"/proc/{pid}/ns/net") != namespace:
                    continue
                rows = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
            except OSError:
                continue
            for row in rows:
                _, controllers, path = row.split(":", 2)
                if controllers == "memory":
                    return f"/sys/fs/cgroup/memory{path}"
                if controllers == "" and not any("memory" in row for row in rows):
                    return f"/sys/fs/cgroup{path}"
        raise AssertionError("no process is there")


class Keeper(unittest.TestCase):
    def start(self):
        server = LambdaServer("native").start()
        self.addCleanup(server.close)
        server.deploy({"app.py": EVALUATOR}, "one", "--handler", "app.handler")
        return server

    @staticmethod
    def keepers(server):
        return [pid for pid in processes_below(server.process.pid) if Path(f"/proc/{pid}/comm").read_text().strip() == "lambda-keeper"]

    def test_it_may_die(self):
        server = self.start()
        first = self.keepers(server)
        self.assertEqual(len(first), 1)
        os.kill(first[0], 9)
        for number in range(6):
            server.deploy({"app.py": EVALUATOR}, f"more{number}", "--handler", "app.handler")
            self.assertEqual(server.invoke(f"more{number}", {"code": "result = 2"}).json(), 2)
        second = eventually(lambda: [pid for pid in self.keepers(server) if pid != first[0]], what="another keeper")
        self.assertEqual(len(second), 1)

    def test_it_has_nothing_and_sees_no_network(self):
        """No descriptor of lambda-spawn's but its socket and /proc, and namespaces of sandboxes."""
        server = self.start()
        keeper = self.keepers(server)[0]
        held = [os.readlink(f"/proc/{keeper}/fd/{fd}") for fd in os.listdir(f"/proc/{keeper}/fd") if int(fd) > 2]
        self.assertEqual([name for name in held if not name.startswith(("net:", "socket:"))], ["/"], held)
        self.assertEqual(len([name for name in held if name.startswith("socket:")]), 1, held)
        self.assertNotEqual(os.readlink(f"/proc/{keeper}/ns/net"), os.readlink("/proc/self/ns/net"))

    def test_nothing_is_left_when_lambda_spawn_is_killed(self):
        server = self.start()
        keeper = self.keepers(server)[0]
        spawn = int(Path(f"/proc/{keeper}/stat").read_text().rsplit(")", 1)[1].split()[1])
        os.kill(spawn, 9)
        self.assertEqual(server.process.wait(timeout=60), 1)
        eventually(lambda: not runs(keeper), what="the keeper's end")


if __name__ == "__main__":
    unittest.main()
