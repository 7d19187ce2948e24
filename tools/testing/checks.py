"""Checks of the C++ text: format, clang-tidy, and the rule for temporaries in full expressions with co_await.

clang-tidy and clang-query spend their time in the headers of the libraries, so they read what the build for ThreadSanitizer
compiles: up to eight sources as one. What was clean is remembered by the hash of everything its compilation reads of this
repository (~/.cache/lambda-checks)."""

import hashlib
import json
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from outcome import failed, passed
from processes import ROOT, last_lines, output_of, run

BUILD = ROOT / "build" / "tsan"  # compiled by clang, several sources as one
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
    # The file that clang-tidy is given includes the sources: what it may say of headers it says of them.
    command = ["clang-tidy-19", "-p", str(BUILD), "--quiet", r"--header-filter=.*/(src|tests)/.*\.(h|cc)$",
               "--checks=-bugprone-suspicious-include"]
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
    if run(["bash", "-c", f"source tools/build.sh; build_preset {BUILD.name} all"], log, timeout) != 0:
        return failed(f"the {BUILD.name} build failed", *last_lines(log))
    units = compiled_units()
    if not units:
        return failed(f"{BUILD.relative_to(ROOT)}/compile_commands.json names none of our sources")
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
        output.write(f"{len(units) - len(work)} of {len(units)} were known to be clean.\n")
    return failed(*wrong) if wrong else passed()


def compiled_units():
    """What the compiler is given → the files of this repository that it reads then, from ninja's own record."""
    database = BUILD / "compile_commands.json"
    if not database.exists():
        return {}
    outputs = {}
    for entry in json.loads(database.read_text()):
        if "-o" in (words := entry["command"].split()):
            outputs[words[words.index("-o") + 1]] = Path(entry["file"])
    units = {source: [] for source in outputs.values()}
    current = None
    for line in output_of(["ninja", "-C", BUILD, "-t", "deps"]).splitlines():
        if not line.startswith(" "):
            current = outputs.get(line.split(": #deps")[0])
        elif current is not None:
            path = (BUILD / line.strip()).resolve()
            if path.is_relative_to(ROOT) and not path.is_relative_to(ROOT / "build") and path.is_file():
                units[current].append(path)
    return {source: read for source, read in units.items() if read}
