"""What the README, docs/, the cards and CONTRIBUTING tell a reader to type, run and open."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
import re

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / 'README.md',
    ROOT / 'CONTRIBUTING.md',
    *sorted((ROOT / 'docs').rglob('*.md')),
    *sorted((ROOT / 'models').glob('*.md')),
]
PROGRAMS = ('rapid-nav', 'ros2', 'make', 'pip')
PLACEHOLDERS = {'COMMAND', 'FILE', 'NODE', 'NAME', 'EXECUTABLE'}
_FENCE = re.compile(r'^```(\S*)[^\n]*\n(.*?)^```', re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Command:
    """One command of a page."""

    page: str
    text: str  # on one line
    whole: bool = True  # to be typed as it stands, and not just a name in a sentence

    def __str__(self) -> str:
        return f'{self.page}: {self.text}'


def blocks(page: Path, language: str) -> list[str]:
    """Return the fenced blocks of a language."""
    return [code for kind, code in _FENCE.findall(page.read_text()) if kind == language]


def commands(page: Path) -> Iterator[Command]:
    """Yield the commands of the shell blocks, and those that stand as code in a sentence."""
    name = str(page.relative_to(ROOT))
    for block in blocks(page, 'bash'):
        for line in block.replace('\\\n', ' ').splitlines():
            for part in re.sub(r'(^|\s)#\s.*', '', line).split(' && '):
                if words := part.split():
                    yield Command(name, ' '.join(words))
    spans = re.findall(r'`([^`]+)`', _FENCE.sub('', page.read_text()))
    for span in ' && '.join(spans).split(' && '):
        words = span.split()
        if words[:1] and words[0] in PROGRAMS and len(words) > 1 and not PLACEHOLDERS & {*words}:
            yield Command(name, ' '.join(words), any('-' in word for word in words[1:]))


def all_commands() -> list[Command]:
    """Return the commands of all pages, each once."""
    first: dict[str, Command] = {}
    for page in PAGES:
        for command in commands(page):
            if command.text not in first or not first[command.text].whole:
                first[command.text] = command
    return list(first.values())


def links(page: Path) -> Iterator[str]:
    """Yield the targets of links and pictures."""
    text = re.sub(r'`[^`\n]+`', '', _FENCE.sub('', page.read_text()))
    yield from re.findall(r'\]\(([^()\s]+)\)', text)
    yield from re.findall(r'^```\{include\} (\S+)', page.read_text(), re.MULTILINE)
