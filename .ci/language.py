"""Holds the prose of the sources to plain, standard English: see CONTRIBUTING.md, "Language"."""

import argparse
import pathlib
import re
import sys

ROOTS = ("src", "hitl-cli", "hitl-core", "hitl-diagram", "hitl-macros", "hitl-runtime", "hitl-server", "hitl-testkit", "examples", "tests", "benches", "fuzz")
PAGES = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "benches/README.md")

# A summary is a verb in the third person or a noun phrase; it does not ask a question.
QUESTION = re.compile(r"(what|whether|where|how|who|whom|whose|why|when|which)\b", re.I)

# Words that a reader does not search for. The field's terms stand beside them in CONTRIBUTING.md.
BANNED = re.compile(
    r"\b(whoever|whomever|whatever|wherever|nobody|somebody|anybody|everybody|anew|meanwhile|whom|so many|for ever|"
    r"in its stead|no more than that|the like|thereof|hence|thus|upon|comes? to nothing|gives? away|at hand)\b",
    re.I,
)

COMMENT = re.compile(r"^\s*(//[/!]?)( .*)?$")


def files(root):
    for name in ROOTS:
        for path in sorted((root / name).rglob("*.rs")):
            if "target" not in path.parts:
                yield path


def summaries(lines):
    """The first line of each block of doc comments, with its number."""
    before = None
    for number, line in enumerate(lines, 1):
        found = COMMENT.match(line)
        kind = found[1] if found and found[1] != "//" else None
        if kind and kind != before and found[2]:
            yield number, found[2].strip()
        before = kind


def prose(lines):
    """The lines of comments outside of code blocks, with their numbers."""
    code = False
    for number, line in enumerate(lines, 1):
        found = COMMENT.match(line)
        if not found:
            code = False
            continue
        text = (found[2] or "").strip()
        if text.startswith("```"):
            code = not code
        elif not code:
            yield number, text


def missing_files(root):
    """The files that ARCHITECTURE.md and CONTRIBUTING.md name and that are not there, or no longer under that name."""
    there = ["/" + str(path.relative_to(root)) for path in root.rglob("*.rs") if "target" not in path.parts]
    for page in ["ARCHITECTURE.md", "CONTRIBUTING.md"]:
        for number, text in enumerate((root / page).read_text().splitlines(), 1):
            for name in re.findall(r"`([\w/.-]+\.rs)`", text):
                if not any(path.endswith("/" + name.lstrip("/")) for path in there):
                    yield f"{page}:{number}: there is no file `{name}`"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--summary", action="store_true", help="count only")
    parser.add_argument("under", nargs="*", help="only the files under these paths")
    asked = parser.parse_args()
    root = pathlib.Path(__file__).parent.parent
    questions, banned, blocks, comments = [], [], 0, 0
    for path in files(root):
        here = path.relative_to(root)
        if asked.under and not any(str(here).startswith(under) for under in asked.under):
            continue
        lines = path.read_text().splitlines()
        for number, text in summaries(lines):
            blocks += 1
            if QUESTION.match(text):
                questions.append(f"{here}:{number}: {text}")
        for number, text in prose(lines):
            comments += 1
            banned += [f"{here}:{number}: {word[0]}: {text}" for word in BANNED.finditer(text)]
    for page in PAGES:
        path = root / page
        if path.exists() and not asked.under:
            for number, text in enumerate(path.read_text().splitlines(), 1):
                comments += 1
                banned += [f"{page}:{number}: {word[0]}: {text}" for word in BANNED.finditer(text)]
    missing = [] if asked.under else list(missing_files(root))
    if not asked.summary:
        print("\n".join(questions + banned + missing))
    print(f"{len(questions)} of {blocks} summaries ask a question ({len(questions) / max(1, blocks):.1%}); "
          f"{len(banned)} banned words in {comments} lines ({1000 * len(banned) / max(1, comments):.1f} in 1,000)")
    sys.exit(1 if questions or banned or missing else 0)


main()
