"""The sandboxes' way out: what a function reaches with every kind of egress, and what none ever does. The server runs on a machine of its own
(egress_world.py), so that there is an internet to reach, and addresses that must not be."""

import concurrent.futures
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
from endings_test import runs
from inside import EVALUATOR, LambdaServer, eventually, processes_below

# In the function: `reach(address)` says what came back, or which error; "connected" where the other end takes a connection and says nothing.
REACH = '''
import errno, socket
def reach(address, port=8080, kind="tcp", source=None, wait=3):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM) as one:
        one.settimeout(wait)
        connected = False
        try:
            if source:
                one.bind((source, 0))
            one.connect((address, port))
            connected = kind == "tcp"
            if kind == "udp":
                one.send(b"hello")
            return one.recv(1000).decode()
        except socket.timeout:
            return "connected" if connected else "timeout"
        except OSError as error:
            return errno.errorcode.get(error.errno, str(error))
def resolve(name):
    try:
        return sorted({found[4][0] for found in socket.getaddrinfo(name, 80)})
    except socket.gaierror as error:
        return error.strerror
'''
# Its own addresses, of both families.
ADDRESSES = '''
def source_to(family, there):
    with socket.socket(family, socket.SOCK_DGRAM) as one:
        one.connect((there, 9))
        return one.getsockname()[0]
result = [source_to(socket.AF_INET, "203.0.113.10"), source_to(socket.AF_INET6, "2001:db8::10")]
'''
# `send(source, ...)` sends a datagram, or what begins a connection, from an address that need not be its own.
FREEBIND = '''
def send(source, source_port, address, port, kind=socket.SOCK_DGRAM):
    v6 = ":" in address
    with socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, kind) as one:
        one.setblocking(False)
        try:
            one.setsockopt(socket.IPPROTO_IPV6 if v6 else socket.IPPROTO_IP, 78 if v6 else 15, 1)
            one.bind((source, source_port))
            if kind == socket.SOCK_DGRAM:
                one.sendto(b"hello", (address, port))
            else:
                one.connect((address, port))
        except BlockingIOError:
            return "sent"
        except OSError as error:
            return errno.errorcode.get(error.errno, str(error))
        return "sent"
'''
# What a refusal comes to: told at once, in both families.
REFUSED = ("EHOSTUNREACH", "EACCES", "ECONNREFUSED", "ENETUNREACH")
NOWHERE = ("ENETUNREACH", "EADDRNOTAVAIL")


def parent_of(process):
    return int(re.search(r"^PPid:\t(\d+)", Path(f"/proc/{process}/status").read_text(), re.M)[1])


class EgressTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.world = World()
        cls.addClassCleanup(cls.world.close)
        cls.forwarding = Path("/proc/sys/net/ipv4/ip_forward").read_text()
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
                    if parent_of(parent_of(entry)) == self.server.process.pid:
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

    def test_while_the_machines_addresses_are_not_known_names_do_not_pass_either(self):
        """The rule that closes everything then is put there by hand; it goes when addresses are read again."""
        question = """
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
    one.settimeout(1)
    one.connect(("198.18.0.3", 53))
    one.send(bytes.fromhex("1234 0100 0001 0000 0000 0000 04 74657374 07 6578616d706c65 00 0001 0001"))
    try:
        result = one.recv(1000).hex()[:4]
    except OSError as error:
        result = type(error).__name__
"""
        self.assertEqual(self.inside(question), "1234")
        spawn = parent_of(self.processes()[0])
        subprocess.run(["nsenter", "-t", str(spawn), "-n", "nft", "add", "rule", "inet", "lambda", "machine_networks4", "drop"], check=True)
        self.assertEqual(self.inside(question), "TimeoutError")
        self.assertEqual(self.reach(PUBLIC, wait=1), "timeout")
        self.world.ip(self.world.machine_name, "address", "add", "198.51.100.98/32", "dev", "lo")
        eventually(lambda: self.inside(question) == "1234", what="names")
        self.world.ip(self.world.machine_name, "address", "delete", "198.51.100.98/32", "dev", "lo")

    def test_a_network_that_is_the_machines_as_a_whole(self):
        self.world.ip(self.world.machine_name, "route", "add", "local", "192.0.2.0/25", "dev", "lo")
        with socket.create_server(("0.0.0.0", 9093)) as listener:
            eventually(lambda: self.reach("192.0.2.77", port=9093, wait=0.3) in REFUSED, seconds=2, what="a refusal")
            listener.settimeout(0)
            with contextlib.suppress(BlockingIOError):
                while True:
                    listener.accept()[0].close()
            self.assertIn(self.reach("192.0.2.77", port=9093), REFUSED)
            listener.settimeout(0)
            self.assertRaises(BlockingIOError, listener.accept)

    def test_no_other_function(self):
        self.deploy("neighbour")
        own = "import builtins, socket; builtins.kept = [socket.create_server(('0.0.0.0', 4321)), socket.create_server(('::', 4321), family=socket.AF_INET6)]\n"
        addresses = self.inside(own + ADDRESSES, "neighbour")
        self.assertTrue(addresses[0].startswith("198.19."), addresses)
        for address in addresses:
            with self.subTest(address=address):
                self.assertEqual(self.inside(f"result = reach({address!r}, port=4321, wait=1)", "neighbour"), "connected")
                self.assertIn(self.reach(address, port=4321, wait=1), REFUSED)

    def test_no_address_but_its_own(self):
        """IP_FREEBIND and IPV6_FREEBIND bind any; what has another source goes nowhere. Of IPv4 a sandbox's own kernel refuses to send it."""
        self.deploy("neighbour")
        own4, own6 = self.inside(ADDRESSES)
        neighbour4, neighbour6 = self.inside(ADDRESSES, "neighbour")
        for to, own, wrong in ((PUBLIC, own4, ("198.19.200.200", MACHINE, "203.0.113.77", neighbour4)),
                               (PUBLIC6, own6, ("fd6c:616d:6264::c8c8", MACHINE6, "2001:db8::77", neighbour6))):
            with self.world.listening(to, 8090, socket.SOCK_DGRAM) as there:
                there.settimeout(1)
                for source in (*wrong, own):
                    with self.subTest(source=source):
                        found = self.inside(FREEBIND + f"result = send({source!r}, 0, {to!r}, 8090)")
                        if source == own:
                            self.assertEqual((found, there.recv(100)), ("sent", b"hello"))
                        else:
                            self.assertTrue(found == "sent" or ":" not in to, found)
                            self.assertRaises(TimeoutError, there.recv, 100)

    def test_nobody_cuts_off_anothers_connection(self):
        """With packets that have its address and its port: what its connection is known by."""
        self.deploy("neighbour")
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            with self.subTest(kind=kind.name), contextlib.ExitStack() as closing:
                there = closing.enter_context(self.world.listening(PUBLIC6, 8091, kind))
                there.settimeout(5)
                held = closing.enter_context(concurrent.futures.ThreadPoolExecutor()).submit(self.inside, f"""
with socket.socket(socket.AF_INET6, {int(kind)}) as one:
    one.settimeout(5)
    one.connect(({PUBLIC6!r}, 8091))
    one.send("{{}} {{}}".format(*one.getsockname()).encode())
    try:
        result = one.recv(100).decode()
    except OSError as error:
        result = repr(error)
""")
                peer = None
                if kind == socket.SOCK_STREAM:
                    there = closing.enter_context(there.accept()[0])
                    there.settimeout(5)
                    text = there.recv(100)
                else:
                    text, peer = there.recvfrom(100)
                address, port = text.decode().split()
                self.assertEqual(self.inside(FREEBIND + f"result = send({address!r}, {port}, {PUBLIC6!r}, 8091, {int(kind)})", "neighbour"), "sent")
                there.sendto(b"more", peer) if peer else there.send(b"more")
                self.assertEqual(held.result(), "more")

    def test_as_many_connections_as_it_likes_one_after_the_other(self):
        """What has ended does not count."""
        self.deploy("busy")
        self.assertEqual(self.inside(f"result = [text for text in [reach({PUBLIC!r}) for _ in range(1500)] if 'sees' not in text]", "busy"), [])

    def test_one_function_leaves_ways_out_to_the_others(self):
        """Of one that opens very many connections more are refused; not of the others, and of it no longer than they last."""
        self.deploy("greedy")
        self.deploy("neighbour")
        self.inside(f"""
one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for port in range(20000, 21500):
    for _ in range(100):
        try:
            one.sendto(b"hello", ({PUBLIC!r}, port))
            break
        except OSError:
            pass  # what the one before came to
""", "greedy")
        self.assertIn(self.reach(PUBLIC, "greedy"), REFUSED)
        self.assertIn("sees", self.reach(PUBLIC, "neighbour"))
        self.assertEqual(self.inside("result = resolve('test.example')", "neighbour"), sorted([PUBLIC, PUBLIC6]))
        eventually(lambda: "sees" in self.reach(PUBLIC, "greedy"), seconds=60, what="a way out again")

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
            # Metadata where it answers who may.
            for address, port in ((METADATA, TCP), (MACHINE_PRIVATE, 9094), ("198.18.0.2", 9094), ("198.19.0.1", 9094)):
                with self.subTest(address=address):
                    self.assertIn(self.reach(address, "listed", port=port), (*REFUSED, "timeout"))
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
        # Within its own user namespace the right to bind low ports; ends before the server does where memory is short.
        self.assertLessEqual({status[kind] for kind in ("CapEff", "CapPrm", "CapBnd")}, {f"{0:016x}", f"{1 << 10:016x}"})
        self.assertGreaterEqual(int(Path(f"/proc/{process}/oom_score_adj").read_text()), 500)
        # Of the machine's files these two directories, as an ordinary user that may read them.
        self.assertEqual(set(os.listdir(f"/proc/{process}/root")), {"etc", "run"})
        mounts = {row.split()[4]: row.split()[5].split(",") for row in Path(f"/proc/{process}/mountinfo").read_text().splitlines()}
        for path in ("/", "/etc", "/run"):
            self.assertIn("ro", mounts[path], path)
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


class Endings(unittest.TestCase):
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
                below = processes_below(spawn)
                names = [Path(f"/proc/{pid}/comm").read_text().strip() for pid in below]
                for name in ("slirp4netns", "lambda-keeper", "lambda-init"):
                    self.assertIn(name, names)
                self.assertTrue([pid for pid in below if b"--zygote" in Path(f"/proc/{pid}/cmdline").read_bytes()], names)
                self.assertEqual(names.count("slirp4netns"), 1)
                self.assertNotEqual(os.readlink(f"/proc/{spawn}/ns/net"), own)
                if victim == "lambdad":
                    server.kill()
                else:
                    os.kill(spawn, signal.SIGKILL)
                eventually(lambda below=below, spawn=spawn: not [pid for pid in (spawn, *below) if runs(pid)], what="the end of all that it started")
                found = subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=True).stdout
                self.assertEqual(found, "")
                links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
                self.assertEqual(len(links.splitlines()), 2, links)
                if victim == "lambda-spawn":
                    server.process.wait(30)


if __name__ == "__main__":
    unittest.main()
