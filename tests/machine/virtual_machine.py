"""A virtual machine with Debian 12's own kernel and cgroup v2 alone, as a server has it: this machine's file system, read-only, below a
layer in memory; the base file systems of the runtimes on a disk of its own. It is emulated, so it needs no right to hardware, and is slow."""

import os
import shutil
import subprocess
import time
from pathlib import Path

from lambda_server import BIN, ROOT, RUNTIMES
from machine import must

HERE = Path(__file__).resolve().parent
PLACE = ROOT / "build/machine"
# In this order, with what they need before them.
MODULES = ["virtio_pci", "virtio_blk", "9pnet_virtio", "9p", "overlay", "ext4", "veth", "nf_tables", "nft_chain_nat", "nft_masq", "nft_ct",
           "nft_reject_inet", "nft_fib_inet", "nft_connlimit", "dummy", "tun"]

INIT = """#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
$b mount -t devtmpfs dev /dev
for module in $($b cat /modules/order); do $b insmod /modules/$module; done
$b mount -t 9p -o trans=virtio,version=9p2000.L,ro,msize=512000 host /below
$b mount -t tmpfs memory /layer
$b mkdir -p /layer/up/etc/systemd/system /layer/work
$b cp -d /units/* /layer/up/etc/systemd/system/
$b touch /layer/up/etc/fstab
$b mknod /layer/up/.dockerenv c 0 0
$b mount -t overlay -o lowerdir=/below,upperdir=/layer/up,workdir=/layer/work root /root
$b mount -t ext4 /dev/vda /root/mnt
for each in proc sys dev; do $b mount --move /$each /root/$each; done
exec $b switch_root /root /lib/systemd/systemd
"""

# systemd is the machine's pid 1, as on every Debian; of what this machine has installed it starts nothing but the basics, and not what
# takes long. (A whiteout hides /.dockerenv: systemd must not take this for a container.)
MASKED = ["systemd-tmpfiles-setup.service", "systemd-tmpfiles-setup-dev.service", "timers.target", "sockets.target"]
UNITS = {
    "default.target": """[Unit]
Requires=job.service
""",
    "job.service": """[Unit]
After=basic.target
SuccessAction=poweroff-immediate
FailureAction=poweroff-immediate

[Service]
Type=oneshot
Environment=HOME=/root LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin
ExecStart=/bin/bash INSIDE OUT
""",
}


def kernel():
    """Debian's newest kernel, unpacked: its directory and its version. Nothing of it is installed."""
    depends = must("apt-cache", "depends", "linux-image-amd64")
    package = next(word for word in depends.split() if word.startswith("linux-image-") and word != "linux-image-amd64")
    directory = PLACE / package
    version = package.removeprefix("linux-image-")
    if not (directory / "boot" / f"vmlinuz-{version}").exists():
        shutil.rmtree(PLACE, ignore_errors=True)
        download = PLACE / "download"
        download.mkdir(parents=True)
        must("apt-get", "-o", "APT::Sandbox::User=root", "download", package, cwd=download)
        must("dpkg", "-x", next(download.glob("*.deb")), directory.with_suffix(".new"))
        shutil.rmtree(download)
        directory.with_suffix(".new").rename(directory)
        must("depmod", "-b", directory, version)
    return directory, version


def initial_file_system(directory, version, out):
    tree = PLACE / "initial"
    shutil.rmtree(tree, ignore_errors=True)
    for name in ("bin", "modules", "units", "proc", "sys", "dev", "below", "layer", "root"):
        (tree / name).mkdir(parents=True)
    shutil.copy("/bin/busybox", tree / "bin/busybox")
    order = []
    for module in MODULES:
        for line in must("modprobe", "-d", directory, "-S", version, "--show-depends", module).splitlines():
            kind, _, rest = line.strip().partition(" ")
            path = rest[:rest.find(".ko") + 3]  # options may follow
            if kind == "insmod" and Path(path).name not in order:
                shutil.copy(path, tree / "modules")
                order.append(Path(path).name)
    (tree / "modules/order").write_text("\n".join(order) + "\n")
    for name, text in UNITS.items():
        (tree / "units" / name).write_text(text.replace("INSIDE", str(HERE / "inside.sh")).replace("OUT", str(out)))
    for name in MASKED:
        (tree / "units" / name).symlink_to("/dev/null")
    (tree / "init").write_text(INIT)
    (tree / "init").chmod(0o755)
    image = PLACE / "initial.img"
    must("bash", "-c", f"find . | cpio -o -H newc --quiet >'{image}'", cwd=tree)
    return image


class Machine:
    """A machine that can be booted again: its disk, at /mnt, stays until close(); what it runs writes to `out` (OUT in a script)."""

    def __init__(self):
        self.directory, self.version = kernel()
        self.out, self.disk = PLACE / "out", PLACE / "disk.img"
        shutil.rmtree(self.out, ignore_errors=True)
        self.out.mkdir()
        content = PLACE / "disk"
        shutil.rmtree(content, ignore_errors=True)
        content.mkdir()
        must("cp", "-a", RUNTIMES, content / "runtimes")
        (content / "tmp").mkdir()
        (content / "tmp").chmod(0o1777)
        self.disk.unlink(missing_ok=True)
        must("mke2fs", "-q", "-t", "ext4", "-d", content, self.disk, "4G", env={**os.environ, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
        shutil.rmtree(content)

    def close(self):
        self.disk.unlink(missing_ok=True)

    def boot(self, script, minutes, cut_when=None):
        """Boots and runs the script (as root, in bash; the places of the base file systems and TMPDIR are set). It turns itself off then, and
        this is what it said; or its power is cut as soon as cut_when() is true, and nothing is."""
        for name in ("job.status", "job.log", "console"):
            (self.out / name).unlink(missing_ok=True)
        (self.out / "job.sh").write_text(f"export LAMBDA_RUNTIMES_DIR=/mnt/runtimes TMPDIR=/mnt/tmp LAMBDA_BIN={BIN} OUT={self.out}\n{script}")
        share = "local,security_model=none,multidevs=remap"
        command = ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-m", "3G", "-smp", "2", "-nographic", "-no-reboot",
                   "-nic", "none", "-kernel", self.directory / "boot" / f"vmlinuz-{self.version}",
                   "-initrd", initial_file_system(self.directory, self.version, self.out),
                   "-append", "console=ttyS0 loglevel=4 panic=-1 systemd.show_status=0",
                   "-virtfs", f"{share},path=/,mount_tag=host,readonly=on", "-virtfs", f"{share},path={self.out},mount_tag=out",
                   "-drive", f"file={self.disk},if=virtio,format=raw"]
        deadline = time.monotonic() + minutes * 60
        with (self.out / "console").open("wb") as console:
            with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT) as machine:
                try:
                    while machine.poll() is None and time.monotonic() < deadline:
                        if cut_when is not None and cut_when():
                            machine.kill()
                            machine.wait()
                            return None
                        time.sleep(0.02)
                finally:
                    machine.kill()
        if not (self.out / "job.status").exists():
            raise AssertionError(f"the machine did not come to its end within {minutes} minutes:\n"
                                 f"{tail(self.out / 'console')}\n{tail(self.out / 'job.log')}")
        return (self.out / "job.log").read_text()


def tail(path):
    return path.read_text(errors="replace")[-4000:] if path.exists() else f"({path.name} is not there)"
