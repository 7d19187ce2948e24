"""Checks of the C++ text: format, clang-tidy, and the rule for temporaries in full expressions with co_await.

clang-tidy and clang-query take seconds a file, so a file that was clean is remembered by the hash of everything its
compilation reads of this repository (~/.cache/lambda-checks)."""

import hashlib
import json
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from outcome import failed, passed
from processes import ROOT, output_of, run

BUILD = ROOT / "build" / "release"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "lambda-checks"


def sources(*suffixes):
    """Files of the repository, those not added to git yet included."""
    listed = output_of(["git", "-c", f"safe.directory={ROOT}", "ls-files", "--cached", "--others", "--exclude-standard"])
    files = listed.splitlines() or [str(path.relative_to(ROOT)) for path in (ROOT / "src").rglob("*")]
    return [name for name in files if name.endswith(suffixes) and (ROOT / name).is_file()]


def format_of_sources(log, timeout):
    files = sources(".cc", ".h")
    status = run(["clang-format-14", "--dry-run", "--Werror", *files], log, timeout)
    if status == 0 and files:
        return passed()
    wrong = sorted({line.split(":")[0] for line in log.read_text().splitlines() if "clang-format-violations" in line})
    return failed("not formatted (clang-format-14 -i): " + " ".join(wrong))


def tidy(log, timeout):
    version = output_of(["clang-tidy-19", "--version"]) + (ROOT / ".clang-tidy").read_text()
    command = ["clang-tidy-19", "-p", str(BUILD), "--quiet"]
    return check_files("tidy", version, command, lambda text, status: status == 0, log, timeout)


def coroutine_temporaries(log, timeout):
    query = ROOT / "tools/lint/coawait_temporaries.query"
    version = output_of(["clang-query-19", "--version"]) + query.read_text()
    command = ["clang-query-19", "-p", str(BUILD), "-f", str(query)]

    def clean(text, status):
        return status == 0 and re.findall(r"^(\d+) match(?:es)?\.$", text, re.MULTILINE) == ["0"]

    def relevant(read):
        return any("co_await" in path.read_text(errors="replace") for path in read)
    return check_files("coroutines", version, command, clean, log, timeout, relevant)


def check_files(name, version, command, clean, log, timeout, relevant=lambda read: True):
    units = compiled_units()
    if not units:
        return failed("build/release has no compile_commands.json with our sources: build it first")
    work = []
    for source, read in sorted(units.items()):
        if not relevant(read):
            continue
        digest = hashlib.sha256(version.encode())
        for path in read:
            digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
        stamp = CACHE / name / digest.hexdigest()
        if not stamp.exists():
            work.append((source, stamp))

    def one(item):
        source, stamp = item
        done = subprocess.run([*command, str(source)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, cwd=ROOT, timeout=timeout, check=False)
        ok = clean(done.stdout, done.returncode)
        if ok:
            stamp.parent.mkdir(parents=True, exist_ok=True)
            stamp.touch()
        return source, ok, done.stdout

    wrong = []
    with ThreadPoolExecutor(os.cpu_count()) as pool, open(log, "a", encoding="utf-8") as output:
        for source, ok, text in pool.map(one, work):
            output.write(f"{source.relative_to(ROOT)}: {'clean' if ok else 'NOT CLEAN'}\n{'' if ok else text}")
            output.flush()
            if not ok:
                found = [line for line in text.splitlines() if re.search(r": (error|warning|note: \"root\")", line)]
                wrong.append(f"{source.relative_to(ROOT)}: {found[0] if found else 'see the log'}")
        output.write(f"{len(units) - len(work)} files were known to be clean.\n")
    return failed(*wrong) if wrong else passed()


def compiled_units():
    """Source file → the files of this repository that its compilation reads, from ninja's own record."""
    database = BUILD / "compile_commands.json"
    if not database.exists():
        return {}
    outputs = {}
    for entry in json.loads(database.read_text()):
        source = Path(entry["file"])
        if source.is_relative_to(ROOT) and not source.is_relative_to(ROOT / "build"):
            words = entry["command"].split()
            outputs[words[words.index("-o") + 1]] = source
    units = {source: [source] for source in outputs.values()}
    current = None
    for line in output_of(["ninja", "-C", BUILD, "-t", "deps"]).splitlines():
        if not line.startswith(" "):
            current = outputs.get(line.split(": #deps")[0])
        elif current is not None:
            path = (BUILD / line.strip()).resolve()
            if path.is_relative_to(ROOT) and not path.is_relative_to(ROOT / "build") and path.is_file() and path != current:
                units[current].append(path)
    return units
