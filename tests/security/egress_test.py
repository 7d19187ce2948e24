"""The sandboxes' way out: what a function reaches with every kind of egress, and what none ever does. The server runs on a machine of its own
(egress_world.py), so that there is an internet to reach, and addresses that must not be."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import time
import unittest
from pathlib import Path

from egress_world import FURTHER, MACHINE, MACHINE6, MACHINE_PRIVATE, METADATA, PRIVATE, PRIVATE6, PUBLIC, PUBLIC6, TCP, UDP, World
from inside import EVALUATOR, LambdaServer, eventually

# In the function: `reach(address)` says what came back, or which error.
REACH = '''
import errno, socket
def reach(address, port=8080, kind="tcp", source=None, wait=3):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM) as one:
        one.settimeout(wait)
        try:
            if source:
                one.bind((source, 0))
            one.connect((address, port))
            if kind == "udp":
                one.send(b"hello")
            return one.recv(1000).decode()
        except socket.timeout:
            return "timeout"
        except OSError as error:
            return errno.errorcode.get(error.errno, str(error))
def resolve(name):
    try:
        return sorted({found[4][0] for found in socket.getaddrinfo(name, 80)})
    except socket.gaierror as error:
        return error.strerror
'''
# What a refusal comes to: told at once, in both families.
REFUSED = ("EHOSTUNREACH", "EACCES", "ECONNREFUSED", "ENETUNREACH")
NOWHERE = ("ENETUNREACH", "EADDRNOTAVAIL")


class EgressTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.world = World()
        cls.addClassCleanup(cls.world.close)
        cls.server = LambdaServer("native").start()
        cls.addClassCleanup(cls.server.close)
        cls.deploy("out")
        # Who carries packets is started with the first sandbox that may out, and datagrams before that are lost.
        eventually(lambda: "sees" in cls.server.invoke("out", {"code": REACH + f"result = reach({PUBLIC!r}, wait=1)"}).text, what="a way out")

    @classmethod
    def deploy(cls, name, *flags):
        cls.server.deploy({"app.py": EVALUATOR}, name, "--handler", "app.handler", "--timeout", "20", *flags)

    def inside(self, code, name="out"):
        reply = self.server.invoke(name, {"code": REACH + code})
        self.assertEqual(reply.status, 200, reply)
        self.assertNotIn("x-amz-function-error", reply.headers, reply)
        return reply.json()

    def reach(self, address, name="out", **how):
        words = "".join(f", {key}={value!r}" for key, value in how.items())
        return self.inside(f"result = reach({address!r}{words})", name)

    def processes(self):
        """Who carries packets: children of lambda-spawn that are slirp4netns."""
        found = []
        for entry in os.listdir("/proc"):
            with contextlib.suppress(OSError):
                if entry.isdigit() and Path(f"/proc/{entry}/comm").read_text().strip() == "slirp4netns":
                    parent = int(re.search(r"^PPid:\t(\d+)", Path(f"/proc/{entry}/status").read_text(), re.M)[1])
                    if int(re.search(r"^PPid:\t(\d+)", Path(f"/proc/{parent}/status").read_text(), re.M)[1]) == self.server.process.pid:
                        found.append(int(entry))
        return found


class Internet(EgressTest):
    """The default."""

    def test_connections_and_datagrams_of_both_families(self):
        for address in (PUBLIC, FURTHER, PUBLIC6):
            with self.subTest(address=address):
                self.assertTrue(self.reach(address).startswith(f"{address} sees {MACHINE6 if ':' in address else MACHINE}"))
                self.assertEqual(self.reach(address, port=UDP, kind="udp"), f"{address} hello")

    def test_names(self):
        self.assertEqual(self.inside("result = resolve('test.example')"), sorted([PUBLIC, PUBLIC6]))
        self.assertIn("not known", self.inside("result = resolve('nowhere.example')"))

    def test_nothing_private_and_no_metadata(self):
        for address in (PRIVATE, PRIVATE6, METADATA):
            with self.subTest(address=address):
                self.assertIn(self.reach(address), REFUSED)
                self.assertIn(self.reach(address, port=UDP, kind="udp"), REFUSED)

    def test_nothing_of_the_machine(self):
        """Neither what listens everywhere nor what listens on loopback; nor the control API, by any of the machine's addresses."""
        listeners = [socket.create_server(("0.0.0.0", 9090)), socket.create_server(("::", 9090), family=socket.AF_INET6),
                     socket.create_server(("127.0.0.1", 9091))]
        for address in (MACHINE, MACHINE_PRIVATE, MACHINE6, "203.0.113.255"):
            for port in (9090, self.server.port):
                with self.subTest(address=address, port=port):
                    self.assertIn(self.reach(address, port=port), REFUSED)
        # Its own loopback is another, and what user-mode networks have for the machine's leads nowhere.
        self.assertEqual(self.reach("127.0.0.1", port=9091), "ECONNREFUSED")
        for address in ("198.18.0.2", "198.18.0.100", "10.0.2.2", "fd00::2", "::ffff:127.0.0.1", "0.0.0.0"):
            for port in (9090, 9091, self.server.port):
                with self.subTest(address=address, port=port):
                    self.assertIn(self.reach(address, port=port), (*REFUSED, "timeout"))
        for one in listeners:
            one.settimeout(0)
            self.assertRaises(BlockingIOError, one.accept)
            one.close()

    def test_nothing_but_names_at_the_resolver(self):
        """The user-mode network would pass any port on to the machine's resolver."""
        for address in ("198.18.0.3", "fd00::3"):
            self.assertIn(self.reach(address, port=TCP), REFUSED)
            self.assertIn(self.reach(address, port=UDP, kind="udp"), REFUSED)

    def test_a_new_address_of_the_machine_is_forbidden_at_once(self):
        """As soon as lambda-spawn hears of it, which may take a busy machine a moment."""
        for address in ("198.51.100.99", "2001:db8:1::9"):
            with self.subTest(address=address):
                size = 128 if ":" in address else 32
                self.world.ip(self.world.machine_name, "address", "add", f"{address}/{size}", "dev", "lo")
                with socket.create_server(("::" if ":" in address else "0.0.0.0", 9092),
                                          family=socket.AF_INET6 if ":" in address else socket.AF_INET) as listener:
                    eventually(lambda address=address: self.reach(address, port=9092, wait=0.3) in REFUSED, seconds=2, what="a refusal")
                    listener.settimeout(0)
                    with contextlib.suppress(BlockingIOError):
                        while True:
                            listener.accept()[0].close()
                    self.assertIn(self.reach(address, port=9092), REFUSED)
                    self.assertRaises(BlockingIOError, listener.accept)
                self.world.ip(self.world.machine_name, "address", "delete", f"{address}/{size}", "dev", "lo")

    def test_a_network_that_is_the_machines_as_a_whole(self):
        self.world.ip(self.world.machine_name, "route", "add", "local", "192.0.2.0/25", "dev", "lo")
        with socket.create_server(("0.0.0.0", 9093)) as listener:
            self.assertIn(self.reach("192.0.2.77", port=9093), REFUSED)
            listener.settimeout(0)
            self.assertRaises(BlockingIOError, listener.accept)

    def test_no_other_function(self):
        self.deploy("neighbour")
        own = "import builtins, socket; builtins.kept = [socket.create_server(('0.0.0.0', 4321)), socket.create_server(('::', 4321), family=socket.AF_INET6)]\n"
        addresses = "result = [line.split()[0] for line in open('/proc/net/if_inet6') if 'eth0' in line and line[:4] != 'fe80']\nimport socket as s\n" \
                    "one = s.socket(s.AF_INET, s.SOCK_DGRAM); one.connect(('203.0.113.10', 9)); result.append(one.getsockname()[0])"
        *six, four = self.inside(own + addresses, "neighbour")
        self.assertTrue(four.startswith("198.19."), four)
        self.inside(own, "out")
        for address in (four, *[":".join(text[i:i + 4] for i in range(0, 32, 4)) for text in six]):
            with self.subTest(address=address):
                self.assertIn(self.reach(address, port=4321, wait=1), (*REFUSED, "timeout"))

    def test_no_address_but_its_own(self):
        """IP_FREEBIND binds any; such packets go nowhere."""
        for address, wrong in ((PUBLIC, "198.19.200.200"), (PUBLIC, MACHINE), (PUBLIC, "203.0.113.77")):
            found = self.inside(f'''
one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
one.settimeout(1)
try:
    one.setsockopt(socket.IPPROTO_IP, 15, 1)
    one.bind(({wrong!r}, 0))
    one.sendto(b"hello", ({address!r}, {UDP}))
    result = one.recv(100).decode()
except OSError as error:
    result = errno.errorcode.get(error.errno, str(error))
''')
            self.assertNotIn("hello", found)

    def test_it_cannot_change_its_network(self):
        """Neither its cable, nor its addresses, nor its routes; and it makes no packets by hand."""
        found = self.inside('''
import os, struct
def change(kind, body):
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as one:
        one.send(struct.pack("=IHHII", 16 + len(body), kind, 5, 1, 0) + body)
        raise OSError(-struct.unpack_from("=i", one.recv(1000), 16)[0], "")
eth0 = socket.if_nametoindex("eth0")
attempts = (lambda: change(16, struct.pack("=BxHiII", 0, 0, eth0, 0, 1)), lambda: change(17, struct.pack("=BxHiII", 0, 0, eth0, 0, 0)),
            lambda: change(20, struct.pack("=BBBBIHH4s", 2, 32, 0, 0, eth0, 8, 2, bytes([198, 19, 9, 9]))), lambda: change(25, bytes([2, 0, 0, 0, 254, 4, 253, 1]) + bytes(4)),
            lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1), lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0),
            lambda: open("/proc/sys/net/ipv4/ip_forward", "w"))
result = []
for attempt in attempts:
    try:
        attempt()
        result.append("done")
    except OSError as error:
        result.append(errno.errorcode.get(error.errno, "done"))
''')
        self.assertEqual(len(found), 7)
        self.assertNotIn("done", found)

    def test_many_refusals_are_all_told_at_once(self):
        began = time.monotonic()
        found = self.inside(f"result = [reach({PRIVATE!r}) for _ in range(50)]")
        self.assertLess(time.monotonic() - began, 5)
        self.assertEqual(set(found) - set(REFUSED), set())


class Nowhere(EgressTest):
    """egress = none."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.deploy("closed", "--egress", "none")

    def test_loopback_alone(self):
        self.assertEqual(self.inside("result = [name for _, name in socket.if_nameindex()]", "closed"), ["lo"])
        for address in (PUBLIC, FURTHER, PUBLIC6, PRIVATE, PRIVATE6, METADATA, MACHINE, "198.18.0.2", "198.18.0.3", "198.19.0.1"):
            with self.subTest(address=address):
                self.assertIn(self.reach(address, "closed"), NOWHERE)
                self.assertIn(self.reach(address, "closed", port=UDP, kind="udp"), NOWHERE)

    def test_names_fail_at_once(self):
        began = time.monotonic()
        self.assertIsInstance(self.inside("result = resolve('test.example')", "closed"), str)
        self.assertLess(time.monotonic() - began, 2)

    def test_a_deploy_changes_it_both_ways(self):
        self.deploy("changing", "--egress", "none")
        self.assertIn(self.reach(PUBLIC, "changing"), NOWHERE)
        self.deploy("changing", "--egress", "default")
        self.assertIn("sees", self.reach(PUBLIC, "changing"))
        self.deploy("changing", "--egress", "none")
        self.assertIn(self.reach(PUBLIC, "changing"), NOWHERE)


class Networks(EgressTest):
    """A list of networks."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.deploy("listed", "--egress", f"10.9.0.0/24,{PUBLIC6}/128,169.0.0.0/8,198.0.0.0/8,fd12:3456::/32")

    def test_exactly_these(self):
        for address in (PRIVATE, PUBLIC6, FURTHER, PRIVATE6):
            with self.subTest(address=address):
                self.assertTrue(self.reach(address, "listed").startswith(f"{address} sees"))
                self.assertEqual(self.reach(address, "listed", port=UDP, kind="udp"), f"{address} hello")
        for address in (PUBLIC, "2001:db8::11", "8.8.8.8"):
            with self.subTest(address=address):
                self.assertIn(self.reach(address, "listed"), REFUSED)

    def test_what_nobody_reaches_beats_the_list(self):
        with socket.create_server(("0.0.0.0", 9094)) as listener:
            for address in (METADATA, MACHINE_PRIVATE, "198.18.0.2", "198.19.0.1"):
                with self.subTest(address=address):
                    self.assertIn(self.reach(address, "listed", port=9094), (*REFUSED, "timeout"))
            listener.settimeout(0)
            self.assertRaises(BlockingIOError, listener.accept)

    def test_names(self):
        self.assertEqual(self.inside("result = resolve('test.example')", "listed"), sorted([PUBLIC, PUBLIC6]))

    def test_others_keep_their_own_rule(self):
        self.assertIn("sees", self.reach(PUBLIC, "out"))
        self.assertIn(self.reach(PRIVATE, "out"), REFUSED)
        self.deploy("other-list", "--egress", f"{PUBLIC}/32")
        self.assertIn("sees", self.reach(PUBLIC, "other-list"))
        self.assertIn(self.reach(PRIVATE, "other-list"), REFUSED)
        self.server.api("DELETE", "/2015-03-31/functions/other-list")
        self.assertIn("sees", self.reach(PRIVATE, "listed"))


class Process(EgressTest):
    """Who carries packets out."""

    def test_it_has_no_rights(self):
        self.assertIn("sees", self.reach(PUBLIC))
        (process,) = self.processes()
        status = dict(line.split(":\t", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines() if ":\t" in line)
        self.assertGreaterEqual(int(status["Uid"].split()[0]), 1_900_000_000)
        self.assertEqual(status["NoNewPrivs"], "1")
        self.assertEqual(status["Seccomp"], "2")
        # Rights in a user namespace of its own alone.
        self.assertNotEqual(os.readlink(f"/proc/{process}/ns/user"), os.readlink("/proc/self/ns/user"))
        self.assertNotEqual(os.readlink(f"/proc/{process}/ns/mnt"), os.readlink(f"/proc/{self.server.process.pid}/ns/mnt"))

    def test_it_is_started_again(self):
        self.assertIn("sees", self.reach(PUBLIC))
        (process,) = self.processes()
        os.kill(process, signal.SIGKILL)
        deadline = time.monotonic() + 20
        while "sees" not in self.reach(PUBLIC, wait=1):
            self.assertLess(time.monotonic(), deadline, "no way out any more")
        self.assertNotEqual(self.processes(), [process])
        self.assertIn("functions' way out", self.server.log_text())

    def test_the_machine_is_as_it_was(self):
        """No rule, no interface, no setting of the machine's."""
        found = subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=True).stdout
        self.assertEqual(found, "")
        links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
        self.assertEqual(len(links.splitlines()), 2, links)
        self.assertEqual(subprocess.run(["ip", "netns", "exec", self.world.machine_name, "cat", "/proc/sys/net/ipv4/ip_forward"],
                                        capture_output=True, text=True, check=True).stdout, self.forwarding)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.forwarding = Path("/proc/sys/net/ipv4/ip_forward").read_text()


class Endings(unittest.TestCase):
    def left(self, spawn):
        """Processes below a lambda-spawn that is gone, and who carried packets for it."""
        left = []
        for entry in os.listdir("/proc"):
            with contextlib.suppress(OSError):
                if entry.isdigit() and Path(f"/proc/{entry}/comm").read_text().strip() in ("slirp4netns", "lambda-spawn", "lambda-init"):
                    if os.readlink(f"/proc/{entry}/ns/net") in spawn or int(entry) in spawn:
                        left.append(entry)
        return left

    def test_nothing_is_left_of_a_killed_one(self):
        for victim in ("lambdad", "lambda-spawn"):
            with self.subTest(victim=victim), contextlib.ExitStack() as closing:
                world = World()
                closing.callback(world.close)
                server = LambdaServer("native").start()
                closing.callback(server.close)
                server.deploy({"app.py": EVALUATOR}, "out", "--handler", "app.handler")
                reply = server.invoke("out", {"code": REACH + f"result = reach({PUBLIC!r})"})
                self.assertIn("sees", reply.text)
                own = os.readlink(f"/proc/{server.process.pid}/ns/net")
                children = subprocess.run(["pgrep", "-P", str(server.process.pid)], capture_output=True, text=True, check=True).stdout.split()
                (spawn,) = [int(pid) for pid in children if Path(f"/proc/{pid}/comm").read_text().strip() == "lambda-spawn"]
                below = [int(pid) for pid in subprocess.run(["pgrep", "-P", str(spawn)], capture_output=True, text=True, check=True).stdout.split()]
                carriers = [pid for pid in below if Path(f"/proc/{pid}/comm").read_text().strip() == "slirp4netns"]
                self.assertEqual(len(carriers), 1)
                router = os.readlink(f"/proc/{spawn}/ns/net")
                self.assertNotEqual(router, own)
                if victim == "lambdad":
                    server.kill()
                else:
                    os.kill(spawn, signal.SIGKILL)
                deadline = time.monotonic() + 15
                while self.left({router, *carriers, spawn}):
                    self.assertLess(time.monotonic(), deadline, f"left: {self.left({router, *carriers, spawn})}")
                    time.sleep(0.05)
                found = subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=True).stdout
                self.assertEqual(found, "")
                links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
                self.assertEqual(len(links.splitlines()), 2, links)
                if victim == "lambda-spawn":
                    server.process.wait(30)


if __name__ == "__main__":
    unittest.main()
