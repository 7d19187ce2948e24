#!/bin/bash
# What the virtual machine runs as its only program: makes what Debian's init would have made, then the job, then turns itself off.
# $1: where to write; the job is job.sh there.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
exec </dev/null
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mount -t cgroup2 cgroup2 /sys/fs/cgroup
ip link set lo up
mkdir -p "$1"
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 out "$1"
bash "$1/job.sh" >"$1/job.log" 2>&1
echo $? >"$1/job.status"
sync
echo o >/proc/sysrq-trigger
sleep 60
