"""Checks of prose: links lead somewhere, words are the field's, and modules open with a short noun phrase."""

import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent

#: Phrases that a reader must decode, and what to write instead.
OLD_WORDS = {
    r"\banew\b": "again, or re-",
    r"\btells\b": "says, shows, or a precise verb",
    r"\btold\b": "stated, reported, or recognised",
    r"\bstands (?:at|in|beside|behind|above|before|there|here|twice|by|next to|below|once|alike|still|already|first|last)\b": "is",
    r"\b(?:what|that) is known of\b": "name the thing",
    r"\bthe whole ones\b": "complete",
    r"\bturns round\b": "reverses",
    r"\bbut for\b": "except",
    r"(?<!\[)\bluck\b": "random numbers, draws, or noise",
    r"\bspeaks? for\b": "represents",
    r"\bworked out of\b": "derived from",
    r"\bput together\b": "pooled, assembled, or composed",
    r"\bas it stands\b": "unchanged, or original",
    r"\bgoes on with\b": "continues",
    r"\bnothing is known of\b": "name the thing",
    r"\bmirror flow\b": "pipeline",
    r"\bforetell": "predict",
    r"\btell (?:\S+ ){1,8}?apart\b": "distinguish, or: differ significantly",
    r"\bpeople\b": "users, or readers",
    r"\bpersons?\b": "user",
    r"\bwhoever\b": "name the user, the program, or the caller",
    r"\bpassengers?\b": "target policy",
    r"\bgo(?:es)? on\b": "continue",
    r"\bturned round\b": "reversed",
    r"\bstands? (?:for|where)\b": "means, represents, or is",
    r"\bsays? nothing\b": "is unknown, or has no effect",
    r"\bone's own\b": "your own",
    r"\b(?:can|cannot) be had\b": "name the action",
    r"\bas ever\b": "as usual",
    r"\bthe (?:option |next )?letters?\b": "option label",
}

#: Words that open a clause, not a noun phrase.
CLAUSES = re.compile(r"^(How|Why|Where|Which|Does|Is|Whether|What|Who|When|Do)\b|\?")

SKIPPED = {".git", "target", ".recmirror", "runs", "node_modules", "__pycache__"}


def files(*endings):
    """All files of the project with one of these endings."""
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        if path.is_file() and path.suffix in endings and not SKIPPED.intersection(parts):
            yield path


def prose(path):
    """(line number, text) of the prose of a file: comments of Rust and TOML, all of Markdown outside code."""
    fenced = False
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if path.suffix == ".rs":
            comment = re.match(r"^\s*//[/!]? ?(.*)$", line)
            if comment is None:
                continue
            line = comment.group(1)
        elif path.suffix == ".toml" and not line.startswith(("#", "question")):
            continue
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced:
            yield number, re.sub(r"`[^`]*`", "", line)


def paragraphs(path):
    """(first line number, text) of the paragraphs of a file's prose: phrases run over the ends of lines."""
    first, parts, last = 0, [], -1
    for number, line in prose(path):
        if parts and (number != last + 1 or not line.strip()):
            yield first, " ".join(parts)
            parts = []
        if line.strip():
            first = first if parts else number
            parts.append(line.strip())
        last = number
    if parts:
        yield first, " ".join(parts)


def anchors(path):
    """The anchors of a page's headings, as GitHub makes them."""
    found = set()
    for line in path.read_text(encoding="utf-8").splitlines():
        heading = re.match(r"^#+ (.*)$", line)
        if heading:
            text = re.sub(r"[^\w\- ]", "", heading.group(1).replace("`", "").lower())
            found.add(text.replace(" ", "-"))
    return found


class Prose(unittest.TestCase):
    def test_links_lead_to_files_and_headings(self):
        broken = []
        for path in files(".md"):
            for number, line in prose(path):
                for target in re.findall(r"\]\(([^)\s]+)\)", line):
                    if re.match(r"^[a-z]+:", target):
                        continue
                    name, _, anchor = target.partition("#")
                    place = (path.parent / name).resolve() if name else path
                    where = f"{path.relative_to(ROOT)}:{number}"
                    if not place.exists():
                        broken.append(f"{where}: there is no {target}")
                    elif anchor and place.suffix == ".md" and anchor not in anchors(place):
                        broken.append(f"{where}: {name or path.name} has no heading #{anchor}")
        self.assertEqual(broken, [])

    def test_words_are_the_fields(self):
        found = []
        scenarios = (ROOT / "scenarios").glob("*.toml")
        for path in [*files(".md", ".rs"), *sorted(scenarios)]:
            for number, line in paragraphs(path):
                for pattern, instead in OLD_WORDS.items():
                    hit = re.search(pattern, line)
                    if hit:
                        found.append(f"{path.relative_to(ROOT)}:{number}: `{hit.group()}`; write: {instead}")
        self.assertEqual(found, [])

    def test_modules_open_with_a_short_noun_phrase(self):
        found = []
        for path in files(".rs"):
            first = path.read_text(encoding="utf-8").split("\n", 1)[0]
            if path.is_relative_to(ROOT / "src") and first.startswith("//! "):
                text = first.removeprefix("//! ")
                if len(text.split()) > 12 or CLAUSES.search(text):
                    found.append(f"{path.relative_to(ROOT)}: {text}")
        self.assertEqual(found, [])


if __name__ == "__main__":
    unittest.main()
