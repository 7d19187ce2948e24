"""Parts of a machine for tests to play with: network namespaces of their own, and users that are not root."""

import ctypes
import http.client
import itertools
import os
import shutil
import socket
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

from lambda_server import LambdaServer, Reply

CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)
numbers = itertools.count(1)


def must(*command, **more):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, **more)
    assert done.returncode == 0, f"{' '.join(map(str, command))}: {done.stdout}{done.stderr}"
    return done.stdout


class SmallDisk:
    """A file system of so many MB, by the name `source` in mount tables; it goes at the end of the `with`, or by close()."""

    def __init__(self, megabytes, source="tmpfs"):
        self.path = Path(tempfile.mkdtemp(prefix="lambda-test-full-"))
        must("mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", source, self.path)

    def fill(self):
        """Writes until there is no room; the file, whose end makes room again."""
        filler = self.path / "filler"
        with open(filler, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 65536)
            except OSError:
                pass
        return filler

    def close(self):
        must("umount", "-l", self.path)
        self.path.rmdir()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Network:
    """A network namespace with its loopback up: every port is free in it. Only the network is another: the mounts and control
    groups stay those of the machine (`ip netns exec` would hide the latter)."""

    def __init__(self, ipv6=True):
        self.name = f"lambda-test-{os.getpid()}-{next(numbers)}"
        must("ip", "netns", "add", self.name)
        if not ipv6:
            must("ip", "netns", "exec", self.name, "sh", "-c", "for it in all default lo; do echo 1 >/proc/sys/net/ipv6/conf/$it/disable_ipv6; done")
        must("ip", "-n", self.name, "link", "set", "lo", "up")

    def close(self):
        subprocess.run(["ip", "netns", "del", self.name], capture_output=True, check=False)

    def inside(self, *command):
        """The command line that runs `command` in here."""
        return ["nsenter", f"--net=/run/netns/{self.name}", *map(str, command)]

    def run(self, *command, **options):
        return subprocess.run(self.inside(*command), capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
                              **{"timeout": 120, **options})

    def join(self, other, mine="10.231.7.1", theirs="10.231.7.2"):
        """A cable between this and another namespace."""
        must("ip", "-n", self.name, "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", other.name)
        for network, address in ((self, mine), (other, theirs)):
            must("ip", "-n", network.name, "address", "add", f"{address}/24", "dev", "cable")
            must("ip", "-n", network.name, "link", "set", "cable", "up")

    @contextmanager
    def entered(self):
        """This thread's new sockets are in here. (A namespace of the network belongs to a thread.)"""
        with open("/proc/thread-self/ns/net", "rb") as before, open(f"/run/netns/{self.name}", "rb") as here:
            if libc.setns(here.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
            try:
                yield
            finally:
                if libc.setns(before.fileno(), CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "setns back")

    def listen(self, *addresses):
        """Sockets of this process that listen in here."""
        sockets = []
        with self.entered():
            for host, port in addresses:
                made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
                made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if ":" in host:
                    made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                made.bind((host, port))
                made.listen()
                sockets.append(made)
        return sockets

    def listening(self):
        """ADDRESS:PORT of every listening TCP socket in here."""
        return {line.split()[3] for line in self.run("ss", "-Hltn").stdout.splitlines()}

    def request(self, method, host, port, path, headers=None, body=None, timeout=60):
        connection = http.client.HTTPConnection(host, port, timeout=timeout)
        try:
            with self.entered():
                connection.connect()
            connection.request(method, path, body=body, headers=headers or {})
            answer = connection.getresponse()
            return Reply(answer.status, answer.getheaders(), answer.read())
        finally:
            connection.close()


class ServerInNetwork(LambdaServer):
    """A server whose ports are those of a network namespace; calls come from the same one, over loopback."""

    def __init__(self, network, flags=(), listen=("127.0.0.1:0",), **more):
        super().__init__(more.pop("driver", "native"), flags, **more)
        self.network, self.listen = network, list(listen)

    def command(self):
        words = super().command()
        at = words.index("--listen")
        del words[at:at + 2]
        for address in self.listen:
            words += ["--listen", address]
        return self.network.inside(*words)

    def request(self, method, path, host=None, headers=None, body=None, timeout=60):
        sent = dict(headers or {})
        if host:
            sent["Host"] = host
        address = self.facts["url"].removeprefix("http://").removesuffix(f":{self.port}").strip("[]")
        return self.network.request(method, address, self.port, path, sent, body, timeout)

    @property
    def url(self):
        return self.facts["url"]

    def cli(self, *arguments, **more):
        with self.network.entered():  # a child begins where the thread that makes it is
            return super().cli(*arguments, **more)


class User:
    """A person of this machine who is not root, with a home, until close()."""

    def __init__(self, *groups):
        self.name = f"ltest{os.getpid()}x{next(numbers)}"
        self.home = Path(tempfile.mkdtemp(prefix="lambda-home-"))
        must("useradd", "--no-create-home", "--home-dir", self.home, "--user-group", "--shell", "/bin/bash", self.name)
        for group in groups:
            self.join(group)
        shutil.chown(self.home, self.name, self.name)
        self.home.chmod(0o700)

    def join(self, group):
        must("usermod", "-aG", group, self.name)

    def leave(self, group):
        must("gpasswd", "-d", self.name, group)

    def close(self):
        subprocess.run(["userdel", self.name], capture_output=True, check=False)
        shutil.rmtree(self.home, ignore_errors=True)

    def acting(self, *command):
        """The command line by which root runs `command` as this person, newly logged in."""
        return ["setpriv", f"--reuid={self.name}", f"--regid={self.name}", "--init-groups", "--inh-caps=-all", *map(str, command)]

    def run(self, *command, environment=None, network=None, **options):
        words = self.acting(*command)
        clean = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(self.home), "USER": self.name, "LOGNAME": self.name}
        return subprocess.run(network.inside(*words) if network else words, capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL, env={**clean, **(environment or {})}, cwd=options.pop("cwd", self.home),
                              **{"timeout": 120, **options})
