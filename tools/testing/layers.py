"""The folders of src/ depend one way: what a file includes must belong to a folder that its own names in DEPENDS, and what
is named there is what the table in ARCHITECTURE.md allows, no more and no less.

CMake alone does not see it: src/ is the include root of every library. Tests may use what their folder's dependencies use."""

import re

from outcome import failed, passed
from processes import ROOT

SOURCE = ROOT / "src"


def dependencies():
    """Folder -> the folders that it names, over all libraries in it (sandbox/native belongs to sandbox)."""
    folders, named = {}, {}
    for file in SOURCE.rglob("CMakeLists.txt"):
        text = re.sub(r"#.*", "", file.read_text())
        for library, body in re.findall(r"lambda_add_library\((\w+)(.*?)\)", text, re.DOTALL):
            folders[library] = file.parent.relative_to(SOURCE).parts[0]
            depends = re.search(r"\bDEPENDS((?:\s+[a-z_]+)*)", body)
            named.setdefault(folders[library], set()).update(depends[1].split() if depends else [])
    return {folder: {folders.get(library, library) for library in libraries} for folder, libraries in named.items()}


def documented(text):
    """The same as the table "| folder | holds | may use |" has it, and the folders that may use all: `base` is everybody's and need not be named."""
    table = text.split("| folder | holds | may use |", 1)[-1].split("\n\n", 1)[0]
    rows = re.findall(r"^\| `(\w+)/` \|.*\| ([^|]+) \|$", table, re.M)
    allowed = {folder: {name.split("/")[0] for name in re.findall(r"`([\w/]+)`", uses)} | {"base"} for folder, uses in rows}
    return allowed, {folder for folder, uses in rows if uses == "all below"}


def table_differs(depends, text):
    """What DEPENDS says and the table does not, and the other way round."""
    allowed, unbound = documented(text)
    wrong = [f"ARCHITECTURE.md has no row for src/{folder}" for folder in sorted(depends.keys() - allowed.keys())]
    wrong += [f"ARCHITECTURE.md has a row for src/{folder}, which there is not" for folder in sorted(allowed.keys() - depends.keys())]
    for folder in sorted(depends.keys() & allowed.keys() - unbound):
        named, may = depends[folder] - {folder, "base"}, allowed[folder] - {folder, "base"}
        wrong += [f"src/{folder} names {other} in DEPENDS, which the table in ARCHITECTURE.md does not allow" for other in sorted(named - may)]
        wrong += [f"the table in ARCHITECTURE.md lets src/{folder} use {other}, which it does not name in DEPENDS" for other in sorted(may - named)]
    return wrong


def below(folder, depends):
    """Everything under a folder, however far down."""
    found, queue = set(), [folder]
    while queue:
        for other in depends.get(queue.pop(), ()):
            if other not in found:
                found.add(other)
                queue.append(other)
    return found


def layers(log, timeout):
    depends = dependencies()
    wrong = []
    for file in sorted(path for path in SOURCE.rglob("*") if path.suffix in (".h", ".cc")):
        mine = file.relative_to(SOURCE).parts[0]
        is_test = file.stem.endswith(("_test", "_fixture"))
        allowed = {mine} | (below(mine, depends) if is_test else depends.get(mine, set()))
        for included in re.findall(r'#include "([^"]+)"', file.read_text()):
            other = included.split("/")[0]
            if other not in allowed:
                wrong.append(f"{file.relative_to(ROOT)} includes {included}: src/{mine} does not name {other} in DEPENDS (see ARCHITECTURE.md)")
    cycles = [folder for folder in depends if folder in below(folder, {name: others - {name} for name, others in depends.items()})]
    wrong += [f"src/{folder} depends on itself by others" for folder in cycles]
    wrong += table_differs(depends, (ROOT / "ARCHITECTURE.md").read_text())
    log.write_text("\n".join(wrong) + "\n")
    return failed(*wrong) if wrong else passed()
