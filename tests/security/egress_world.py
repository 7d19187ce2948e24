"""A machine of its own for tests of ways out: a network namespace in which lambdad runs, and another that plays the rest of the world.

    world = World()          # this thread's network, and what it starts, is the machine's from here on
    ...
    world.close()

Needs root. What it makes has this process's id in its name, and goes with close()."""

import contextlib
import ctypes
import os
import socket
import struct
import subprocess
import tempfile
import threading

CLONE_NEWNS, CLONE_NEWNET = 0x20000, 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)

# Addresses of the world; the machine is .2 of each network.
PUBLIC, FURTHER, PRIVATE, METADATA = "203.0.113.10", "198.51.100.7", "10.9.0.1", "169.254.169.254"
PUBLIC6, PRIVATE6 = "2001:db8::10", "fd12:3456::1"
MACHINE, MACHINE_PRIVATE, MACHINE6 = "203.0.113.2", "10.9.0.2", "2001:db8::2"
TCP, UDP = 8080, 8081


def check(result, what):
    if result != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def run(*words):
    subprocess.run([str(word) for word in words], check=True)


class World:
    def __init__(self):
        self.closing, self.sockets = [], []
        self.home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self.machine, self.world = self._namespace("machine"), self._namespace("world")
        machine, world = self._names
        run("ip", "link", "add", "uplink0", "netns", machine, "type", "veth", "peer", "name", "world0", "netns", world)
        for address in (f"{MACHINE}/24", f"{MACHINE_PRIVATE}/24", f"{MACHINE6}/64"):
            self.ip(machine, "address", "add", address, "dev", "uplink0", *(["nodad"] if ":" in address else []))
        for address in ("203.0.113.1/24", f"{PUBLIC}/24", f"{PRIVATE}/24", "2001:db8::1/64", f"{PUBLIC6}/64"):
            self.ip(world, "address", "add", address, "dev", "world0", *(["nodad"] if ":" in address else []))
        for address in (f"{FURTHER}/32", f"{METADATA}/32", f"{PRIVATE6}/128"):
            self.ip(world, "address", "add", address, "dev", "lo")
        self.ip(machine, "link", "set", "uplink0", "up")
        self.ip(world, "link", "set", "world0", "up")
        self.ip(machine, "route", "add", "default", "via", "203.0.113.1")
        self.ip(machine, "route", "add", METADATA, "via", "203.0.113.1")
        self.ip(machine, "-6", "route", "add", "default", "via", "2001:db8::1")
        with self.inside(self.world):
            for address in (PUBLIC, FURTHER, PRIVATE, METADATA, PUBLIC6, PRIVATE6):
                self.serve(address)
            self.serve_names(PUBLIC)
        self._enter_machine()

    def _namespace(self, name):
        full = f"lambda-test-{os.getpid()}-{name}"
        run("ip", "netns", "add", full)
        self.closing.append(full)
        self.ip(full, "link", "set", "lo", "up")
        return os.open(f"/run/netns/{full}", os.O_RDONLY | os.O_CLOEXEC)

    @property
    def _names(self):
        return self.closing

    @property
    def machine_name(self):
        return self._names[0]

    @staticmethod
    def ip(namespace, *words):
        run("ip", "-n", namespace, *words)

    @contextlib.contextmanager
    def inside(self, namespace):
        before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        check(LIBC.setns(namespace, CLONE_NEWNET), "setns")
        try:
            yield
        finally:
            check(LIBC.setns(before, CLONE_NEWNET), "setns")
            os.close(before)

    def _enter_machine(self):
        """With a resolver of its own: the world's."""
        check(LIBC.setns(self.machine, CLONE_NEWNET), "setns")
        self.mounts = os.open("/proc/thread-self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
        check(LIBC.unshare(CLONE_NEWNS), "unshare")
        run("mount", "--make-rprivate", "/")
        with tempfile.NamedTemporaryFile("w", suffix=".conf", delete=False) as file:
            file.write(f"nameserver {PUBLIC}\n")
        os.chmod(file.name, 0o644)
        run("mount", "--bind", file.name, os.path.realpath("/etc/resolv.conf"))
        os.unlink(file.name)

    def close(self):
        for listener in self.sockets:
            listener.close()
        check(LIBC.setns(self.mounts, CLONE_NEWNS), "setns")
        check(LIBC.setns(self.home, CLONE_NEWNET), "setns")
        for name in reversed(self.closing):
            run("ip", "netns", "delete", name)
        for descriptor in (self.machine, self.world, self.mounts, self.home):
            os.close(descriptor)

    @contextlib.contextmanager
    def listening(self, address, port, kind):
        """A socket of the world's for the test itself."""
        with self.inside(self.world):
            listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
        with listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((address, port))
            if kind == socket.SOCK_STREAM:
                listener.listen()
            yield listener

    # --- services, in the namespace that this thread is in

    def serve(self, address, port=TCP, udp_port=UDP):
        """Says what it is to whoever connects, and sends back what comes with its name before it."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        name = f"{address}".encode()
        stream = socket.create_server((address, port), family=family)
        datagrams = socket.socket(family, socket.SOCK_DGRAM)
        datagrams.bind((address, udp_port))
        self.sockets += [stream, datagrams]

        def answer_streams():
            with contextlib.suppress(OSError):
                while True:
                    connection, peer = stream.accept()
                    connection.sendall(name + b" sees " + peer[0].encode())
                    connection.close()

        def answer_datagrams():
            with contextlib.suppress(OSError):
                while True:
                    data, peer = datagrams.recvfrom(2000)
                    datagrams.sendto(name + b" " + data, peer)

        for answer in (answer_streams, answer_datagrams):
            threading.Thread(target=answer, daemon=True).start()

    def serve_names(self, address):
        """test.example is PUBLIC and PUBLIC6; there are no other names."""
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.bind((address, 53))
        self.sockets.append(server)
        known = {1: socket.inet_aton(PUBLIC), 28: socket.inet_pton(socket.AF_INET6, PUBLIC6)}

        def answer():
            with contextlib.suppress(OSError):
                while True:
                    query, peer = server.recvfrom(2000)
                    end = query.index(b"\0", 12) + 5
                    kind = struct.unpack("!H", query[end - 4:end - 2])[0]
                    found = query[12:end - 4] == b"\4test\7example\0"
                    data = known.get(kind) if found else None
                    head = query[:2] + struct.pack("!HHHHH", 0x8180 if found else 0x8183, 1, 1 if data else 0, 0, 0)
                    record = b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 60, len(data)) + data if data else b""
                    server.sendto(head + query[12:end] + record, peer)

        threading.Thread(target=answer, daemon=True).start()
