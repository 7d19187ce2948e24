#!/bin/bash
# What the virtual machine is started for: the job. $1: where to write; the job is job.sh there. The machine turns itself off after it.
exec </dev/null
mkdir -p "$1"
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 out "$1"
bash "$1/job.sh" >"$1/job.log" 2>&1
echo $? >"$1/job.status"
sync
