"""The suites of the C++ code: builds, and the GoogleTest programs that ctest knows."""

import json
import os
import shutil
import tempfile
import xml.etree.ElementTree as xml

from outcome import Outcome, failed, passed
from processes import ROOT, last_lines, run

SANITIZERS = {
    "ASAN_OPTIONS": "detect_stack_use_after_return=1:strict_string_checks=1:check_initialization_order=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "TSAN_OPTIONS": f"second_deadlock_stack=1:halt_on_error=1:suppressions={ROOT / 'tools/testing/tsan.supp'}",
}


def build(preset):
    def suite(log, timeout):
        script = f"source tools/build.sh; build_preset {preset} all"
        if preset == "release":
            script = f"source tools/build.sh; build_preset {preset} all && build_programs {preset}"
        status = run(["bash", "-c", script], log, timeout)
        return passed() if status == 0 else failed(f"the {preset} build failed", *last_lines(log, 20))
    return suite


def dev_preset(log, timeout):
    """The one preset that nothing else here builds configures, and builds a library with its tests."""
    with tempfile.TemporaryDirectory(prefix="lambda-preset-") as directory:
        script = f"source tools/build.sh; cmake --preset dev -B {directory} && ninja -C {directory} lambda_base_test && {directory}/bin/lambda_base_test"
        status = run(["bash", "-c", script], log, timeout)
    return passed() if status == 0 else failed("the preset dev does not build", *last_lines(log, 20))


def headers(log, timeout):
    status = run(["bash", "-c", "source tools/build.sh; build_preset release check_headers"], log, timeout)
    return passed() if status == 0 else failed("a header does not compile by itself", *last_lines(log, 20))


def unit(preset):
    """Every program that ctest knows in this build; tests that need the real machine (label "system": sandboxes, containers) run
    in the release build alone, where nothing slows their clocks."""
    def suite(log, timeout):
        if run(["bash", "-c", f"source tools/build.sh; build_preset {preset} all"], log, timeout) != 0:
            return failed(f"the {preset} build failed", *last_lines(log))
        build_directory = ROOT / "build" / preset
        reports = log.parent / f"{log.stem}.gtest"
        shutil.rmtree(reports, ignore_errors=True)
        junit = log.parent / f"{log.stem}.ctest.xml"
        junit.unlink(missing_ok=True)
        command = ["ctest", "--test-dir", build_directory, "-j2", "--output-on-failure", "--no-tests=error", "--output-junit", junit]
        if preset != "release":
            command += ["-LE", "system"]
        run(command, log, timeout, env=dict(SANITIZERS, GTEST_OUTPUT=f"json:{reports}/"))
        if not junit.exists():
            return failed(f"ctest did not run in build/{preset}", *last_lines(log))
        total = Outcome()
        for program in xml.parse(junit).getroot().iter("testcase"):
            total.add(program_outcome(program, reports))
        return total if total.passed + total.failed else failed("ctest ran no test")
    return suite


def program_outcome(program, reports):
    name = program.get("name")
    ok = program.get("status") == "run"
    report = reports / f"{name}.json"
    if not report.exists():
        return passed() if ok else failed(f"{name}: {program.get('status')} (no report: it crashed, or ran too long)")
    result = Outcome()
    for group in json.loads(report.read_text())["testsuites"]:
        for case in group["testsuite"]:
            title = f"{case['classname']}.{case['name']}"
            if case.get("failures"):
                result.add(failed(f"{name}: {title}: {case['failures'][0]['failure'].splitlines()[0]}"))
            elif case["result"] != "COMPLETED":
                result.add(failed(f"{name}: {title} was {case['result'].lower()}; no test may be left out"))
            else:
                result.add(passed())
    if not ok and result.failed == 0:
        result.add(failed(f"{name}: all its tests passed but the program failed (a leak, a race, a crash at its end)"))
    return result


def fuzz(log, timeout):
    """Every fuzzer for FUZZ_SECONDS (default 60) from its corpus; what it finds is kept in build/fuzz/found."""
    if run(["bash", "-c", "source tools/build.sh; build_preset fuzz all"], log, timeout) != 0:
        return failed("the fuzz build failed", *last_lines(log))
    found = ROOT / "build" / "fuzz" / "found"
    seconds = os.environ.get("FUZZ_SECONDS", "60")
    total = Outcome()
    for program in sorted((ROOT / "build" / "fuzz" / "bin").glob("*_fuzz")):
        name = program.name.removesuffix("_fuzz")
        (found / name).mkdir(parents=True, exist_ok=True)
        status = run([program, f"-max_total_time={seconds}", f"-artifact_prefix={found}/", found / name, ROOT / "tests/fuzz/corpus" / name],
                     log, timeout)
        total.add(passed() if status == 0 else failed(f"{program.name} found something; it is in {found}", *last_lines(log, 5)))
    return total if total.passed + total.failed else failed("there is no fuzzer in build/fuzz/bin")
