"""Attacks on what holds a function in a container, where it differs from the native driver: there the guard of its memory is lambda-init,
which has the function's own user."""

import unittest

from inside import DockerAttackTest

# Makes `each(call)` say what the kernel answers to a system call.
CALLS = '''
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
def each(number, *arguments):
    ctypes.set_errno(0)
    found = libc.syscall(ctypes.c_long(number), *map(ctypes.c_long, arguments))
    return "done" if found >= 0 else errno.errorcode[ctypes.get_errno()]
zero = ctypes.create_string_buffer(256)
one = ctypes.create_string_buffer(b"\\x01", 256)
at, mask = ctypes.addressof(zero), ctypes.addressof(one)
attributes = ctypes.create_string_buffer((48).to_bytes(4, "little") + (5).to_bytes(4, "little"), 48)
'''

# Puts the guard on one processor, at the end of its line, keeps that one busy, and holds far more memory than the function may.
STARVE = '''
import ctypes, os, time
libc = ctypes.CDLL(None, use_errno=True)
processors = sorted(os.sched_getaffinity(0))
libc.sched_setscheduler(1, 5, (ctypes.c_int * 8)())  # SCHED_IDLE
libc.setpriority(0, 1, 19)
libc.sched_setaffinity(1, 8, ctypes.byref(ctypes.c_ulong(1 << processors[0])))
for _ in range(8):
    if os.fork() == 0:
        os.sched_setaffinity(0, processors[:1])
        while True: pass
os.sched_setaffinity(0, processors[-1:])
hoard = [b"x" * (1 << 20) for _ in range(450)]
end = time.monotonic() + 6
while time.monotonic() < end: pass
result = "held"
'''


class Guard(DockerAttackTest):
    def test_the_guard_cannot_be_touched(self):
        found = self.inside(CALLS + '''
result = {
    "sched_setscheduler": each(144, 1, 5, at), "sched_setparam": each(142, 1, at), "sched_setaffinity": each(203, 1, 128, mask),
    "sched_setattr": each(314, 1, ctypes.addressof(attributes), 0), "upper half": each(144, 1 | 1 << 40, 5, at),
    "prlimit64": each(302, 1, 0, mask, 0), "setpriority": each(141, 0, 1, 19), "of its group": each(141, 1, 1, 19),
    "of its user": each(141, 2, 0, 19), "of its user, by number": each(141, 2, 993, 19),
    "ioprio_set": each(251, 1, 1, 3 << 13), "ioprio_set of its user": each(251, 3, 993, 3 << 13),
    "kill": each(62, 1, 9), "stop": each(62, 1, 19),
}
''')
        alive = {name: found.pop(name) for name in ("kill", "stop")}
        self.assertEqual(set(found.values()), {"EPERM"}, found)
        self.assertEqual(set(alive.values()), {"done"}, alive)  # sent, and passed over: it is pid 1
        self.assertEqual(self.inside("result = 7"), 7)

    def test_a_function_may_still_set_its_own(self):
        found = self.inside('''
import os, resource, threading
os.sched_setaffinity(0, os.sched_getaffinity(0))
os.sched_setaffinity(threading.get_native_id(), os.sched_getaffinity(0))
os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
before = os.getpriority(os.PRIO_PROCESS, 0)
os.setpriority(os.PRIO_PROCESS, 0, before + 1)
resource.prlimit(os.getpid(), resource.RLIMIT_NOFILE, (512, 1024))
result = [os.sched_getscheduler(0) == os.SCHED_BATCH, os.getpriority(os.PRIO_PROCESS, 0) - before, resource.getrlimit(resource.RLIMIT_NOFILE)[0]]
''')
        self.assertEqual(found, [True, 1, 512])

    def test_a_starved_guard_still_guards(self):
        reply = self.call(STARVE)
        self.assertEqual(reply.headers.get("x-amz-function-error"), "Unhandled", reply)
        self.assertEqual(reply.json()["errorType"], "Runtime.OutOfMemory", reply)
        self.assertEqual(self.inside("result = 7"), 7)


if __name__ == "__main__":
    unittest.main()
