#!/usr/bin/env python3
"""Prints the licences of all that a static `pv` contains, each text once, with the crates that it is for.

usage: packaging/third_party.py TARGET
"""

import json
import pathlib
import re
import subprocess
import sys

NAMES = re.compile(r"(?i)^(licen[cs]e|copying|notice|copyright|unlicense)")
# Which of a crate's licences is taken does not matter for a list that has them all.
TEXT_BYTES_MAX = 256 << 10


def dependencies(target):
    """Returns the packages from a registry that are linked into the program, by cargo's own resolution."""
    args = ["cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", target]
    metadata = json.loads(subprocess.run(args, check=True, stdout=subprocess.PIPE).stdout)
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    due = [package["id"] for package in packages.values() if package["name"] == "pv-cli"]
    seen = set(due)
    while due:
        for dep in nodes[due.pop()]["deps"]:
            is_linked = any(kind["kind"] is None for kind in dep["dep_kinds"])
            if is_linked and dep["pkg"] not in seen:
                seen.add(dep["pkg"])
                due.append(dep["pkg"])
    return sorted((packages[id] for id in seen if packages[id]["source"]), key=lambda package: (package["name"], package["version"]))


def texts(package):
    """Returns the texts of the files with the licences of a package, in the order of their names."""
    folder = pathlib.Path(package["manifest_path"]).parent
    files = sorted(path for path in folder.iterdir() if NAMES.match(path.name) and path.is_file())
    # What the archive of libzstd is under is in a folder of its own.
    files += sorted(path for path in folder.glob("zstd/LICENSE*"))
    for path in files:
        if path.stat().st_size <= TEXT_BYTES_MAX:
            yield path.read_text(encoding="utf-8", errors="replace").strip()


def main():
    packages = dependencies(sys.argv[1])
    by_text = {}
    print("pv is linked statically. It contains, beside the C library musl (MIT) and Rust's standard library")
    print("(MIT or Apache-2.0), these crates; the texts of their licences follow.\n")
    for package in packages:
        name = f"{package['name']} {package['version']}"
        print(f"{name}: {package['license'] or 'see its text'}")
        for text in texts(package):
            by_text.setdefault(text, []).append(name)
    for text, names in by_text.items():
        print("\n" + "-" * 100)
        print(", ".join(dict.fromkeys(names)) + ":\n")
        print(text)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main()
