"""A virtual machine with Debian 12's own kernel and cgroup v2 alone, as a server has it: this machine's file system, read-only, below a
layer in memory; the base file systems of the runtimes on a disk of its own. It is emulated, so it needs no right to hardware, and is slow."""

import os
import shutil
import subprocess
from pathlib import Path

from lambda_server import ROOT, RUNTIMES
from machine import must

HERE = Path(__file__).resolve().parent
PLACE = ROOT / "build/machine"
# In this order, with what they need before them.
MODULES = ["virtio_pci", "virtio_blk", "9pnet_virtio", "9p", "overlay", "ext4", "veth", "nf_tables", "nft_chain_nat", "nft_masq", "nft_ct",
           "nft_reject_inet", "nft_fib_inet", "dummy"]

INIT = """#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
$b mount -t devtmpfs dev /dev
for module in $($b cat /modules/order); do $b insmod /modules/$module; done
$b mount -t 9p -o trans=virtio,version=9p2000.L,ro,msize=512000 host /below
$b mount -t tmpfs memory /layer
$b mkdir /layer/up /layer/work
$b mount -t overlay -o lowerdir=/below,upperdir=/layer/up,workdir=/layer/work root /root
$b mount -t ext4 /dev/vda /root/mnt
$b mkdir -p /root/proc /root/sys /root/dev
for each in proc sys dev; do $b mount --move /$each /root/$each; done
exec $b switch_root /root /bin/bash INSIDE OUT
"""


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
    for name in ("bin", "modules", "proc", "sys", "dev", "below", "layer", "root"):
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
    (tree / "init").write_text(INIT.replace("INSIDE", str(HERE / "inside.sh")).replace("OUT", str(out)))
    (tree / "init").chmod(0o755)
    image = PLACE / "initial.img"
    must("bash", "-c", f"find . | cpio -o -H newc --quiet >'{image}'", cwd=tree)
    return image


def run_in_machine(script, minutes):
    """Boots, runs the script (as root, in bash; the places of the base file systems and TMPDIR are set) and turns off. What it said."""
    directory, version = kernel()
    out = PLACE / "out"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    (out / "job.sh").write_text("export LAMBDA_RUNTIMES_DIR=/mnt/runtimes TMPDIR=/mnt/tmp\n" + script)
    disk, content = PLACE / "disk.img", PLACE / "disk"
    shutil.rmtree(content, ignore_errors=True)
    content.mkdir()
    must("cp", "-a", RUNTIMES, content / "runtimes")
    (content / "tmp").mkdir()
    (content / "tmp").chmod(0o1777)
    disk.unlink(missing_ok=True)
    must("mke2fs", "-q", "-t", "ext4", "-d", content, disk, "4G", env={**os.environ, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
    shutil.rmtree(content)
    share = "local,security_model=none,multidevs=remap"
    machine = ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-m", "3G", "-smp", "2", "-nographic", "-no-reboot",
               "-nic", "none", "-kernel", directory / "boot" / f"vmlinuz-{version}", "-initrd", initial_file_system(directory, version, out),
               "-append", "console=ttyS0 loglevel=4 panic=-1", "-virtfs", f"{share},path=/,mount_tag=host,readonly=on",
               "-virtfs", f"{share},path={out},mount_tag=out", "-drive", f"file={disk},if=virtio,format=raw"]
    with (out / "console").open("wb") as console:
        try:
            subprocess.run(machine, stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT, timeout=minutes * 60, check=False)
        except subprocess.TimeoutExpired:
            pass  # it has not written its status
        finally:
            disk.unlink()
    if not (out / "job.status").exists():
        raise AssertionError(f"the machine did not come to its end within {minutes} minutes:\n{tail(out / 'console')}\n{tail(out / 'job.log')}")
    return (out / "job.log").read_text()


def tail(path):
    return path.read_text(errors="replace")[-4000:] if path.exists() else f"({path.name} is not there)"
