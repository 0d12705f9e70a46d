#!/usr/bin/env python3
"""Checks the layers of hitl-runtime, and that no two files of the engine call each other in a circle.

A file belongs to the first folder of LAYERS that contains it, and may only name files of its own or a later layer. Calls
are found by the names of functions that one file of the engine alone defines, methods among them.
"""
import collections
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent / "hitl-runtime" / "src"
LAYERS = [
    "agent",
    "engine/ops",
    "engine/read",
    "engine/exec",
    "engine/session",
    "engine/routing",
    "engine/clock",
    "model",
    "node",
    "review",
    "metrics",
    "journal",
    "state",
    "json",
    "graph",
    "user_code",
    "error",
    "telemetry",
]
# Modules of one file that any layer may use, and the folders that only join others.
ANY = {"lib", "__private", "engine/mod"}
# Names of functions of the engine that are also those of types of other crates.
COMMON = set("begin end is_pending join load new next open push read reset run stop thread wait write".split())


def code(path):
    text = path.read_text()
    text = re.split(r"#\[cfg\(test\)\]\s*(?:#\[[^\]]*\]\s*)*mod tests \{", text)[0]
    text = re.sub(r"^\s*//.*$", "", text, flags=re.M)
    return re.sub(r"(?<!:)//.*$", "", text, flags=re.M)


def layer(name):
    for number, folder in enumerate(LAYERS):
        if name == folder or name.startswith(folder + "/"):
            return number
    return None


def name_of(path):
    return str(path.relative_to(ROOT).with_suffix(""))


def main():
    files = {name_of(path): code(path) for path in sorted(ROOT.rglob("*.rs")) if "tests" not in path.parts}
    problems = []
    for name, text in files.items():
        here = layer(name)
        if here is None or name in ANY:
            continue
        # Every path that begins at the crate or at the engine: `crate::engine::{session::X, ops::Y}`.
        for other, folder in enumerate(LAYERS[:here]):
            parts = folder.split("/")
            if len(parts) == 1:
                hit = re.search(r"crate::" + parts[0] + r"\b", text) or re.search(
                    r"use crate::\{(?:[^;]*?[,{]\s*)?" + parts[0] + r"::", text
                )
            else:
                hit = name.startswith("engine/") and (
                    re.search(r"engine::" + parts[1] + r"\b", text)
                    or re.search(r"engine::\{[^;]*?\b" + parts[1] + r"::", text)
                )
            if hit:
                problems.append(f"{name}.rs: names the layer `{folder}` above it")
    # What the engine's root joins counts as a name of the layer that it comes from.
    for folder, names in re.findall(r"\b(\w+)::\{([^{}]*)\}", files["engine/mod"]):
        above = layer(f"engine/{folder}")
        for joined in re.findall(r"\w+", names) if above is not None else []:
            for name, text in files.items():
                if name.startswith("engine/") and name != "engine/mod" and layer(name) > above:
                    if re.search(rf"\b{joined}\b", text):
                        problems.append(f"{name}.rs: names `{joined}` of the layer `engine/{folder}` above it")
    engine = {name: text for name, text in files.items() if name.startswith("engine/") and not name.endswith("/mod")}
    owners = collections.defaultdict(set)
    for name, text in engine.items():
        for fn in re.findall(r"\bpub[^\n]* fn (\w+)", text):
            owners[fn].add(name)
    calls = collections.defaultdict(dict)
    for name, text in engine.items():
        for fn in set(re.findall(r"\b(\w+)\(", text)) - COMMON - set(re.findall(r"\bfn (\w+)", text)):
            (owner, *others) = sorted(owners.get(fn, {None}), key=str)
            if owner and not others and owner != name:
                calls[name][owner] = fn
    for circle in circles(calls):
        steps = " -> ".join(f"{a}.rs (`{calls[a][b]}`)" for a, b in zip(circle, circle[1:]))
        problems.append(f"files call each other in a circle: {steps} -> {circle[-1]}.rs")
    for problem in problems:
        print(problem)
    print(f"layers: {len(files)} files, {len(problems)} problems")
    return 1 if problems else 0


def circles(calls):
    """Returns a shortest circle through each file that is in one, each circle once."""
    found = {}
    for start in list(calls):
        queue, came = collections.deque([start]), {start: None}
        while queue:
            at = queue.popleft()
            for to in calls.get(at, {}):
                if to == start:
                    path = [at]
                    while came[path[-1]] is not None:
                        path.append(came[path[-1]])
                    found.setdefault(frozenset(path), path[::-1] + [start])
                    queue.clear()
                    break
                if to not in came:
                    came[to] = at
                    queue.append(to)
    return list(found.values())


sys.exit(main())
