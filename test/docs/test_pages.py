"""The pages: links resolve, examples run, Sphinx builds them without a warning."""

import os
from pathlib import Path
import re
import subprocess
import sys

from documents import blocks, links, PAGES, ROOT
import pytest

README_LINES = 160
PICTURE_BYTES = 3_000_000


def name(page: Path) -> str:
    """Return a page's name in the repository."""
    return str(page.relative_to(ROOT))


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r'^#+ (.+)$', page.read_text(), re.MULTILINE)
    return {re.sub(r'[^\w\- ]', '', heading.lower()).replace(' ', '-') for heading in headings}


@pytest.mark.parametrize('page', PAGES, ids=name)
def test_every_link_resolves_in_the_repository(page: Path) -> None:
    for link in links(page):
        if link.startswith(('https://', 'http://')):
            continue
        target, _, anchor = link.partition('#')
        path = (page.parent / target).resolve() if target else page
        assert path.exists() and path.is_relative_to(ROOT), f'{name(page)}: {link}'
        assert not anchor or anchor in anchors(path), f'{name(page)}: {link}'


@pytest.mark.parametrize('page', PAGES, ids=name)
def test_every_file_of_ours_that_is_named_is_there(page: Path) -> None:
    for path in re.findall(
        r'`((?:rapid_nav/|nodes/|agent/|inference/|drone/|airsim/|sim/|offline/|stack/|cli/|docs/|'
        r'config/|models/|test/|launch/|cmake/|requirements/)[\w/.]*)`',
        page.read_text(),
    ):
        if '/msg/' not in path and not re.match(r'rapid_nav/[A-Z]', path):
            assert (ROOT / path).exists() or (ROOT / 'rapid_nav' / path).exists(), path


def test_the_readme_is_short_and_its_pictures_are_small() -> None:
    readme = ROOT / 'README.md'
    assert len(readme.read_text().splitlines()) <= README_LINES
    for link in links(readme):
        if link.startswith('pictures/'):
            assert (ROOT / link).stat().st_size < PICTURE_BYTES


@pytest.mark.parametrize('page', [page for page in PAGES if blocks(page, 'python')], ids=name)
def test_python_examples_run(page: Path, tmp_path: Path) -> None:
    names: dict[str, object] = {}
    for code in blocks(page, 'python'):
        for library in re.findall(r'^(?:from|import) (stable_baselines3)', code, re.MULTILINE):
            pytest.importorskip(library)
        exec(compile(code, name(page), 'exec'), names)


def test_yaml_examples_are_worlds(tmp_path: Path) -> None:
    from rapid_nav.sim.worlds.world import make_world

    (scene,) = blocks(ROOT / 'docs' / 'tutorials' / 'worlds.md', 'yaml')
    (tmp_path / 'yard.yaml').write_text(scene)
    assert len(make_world(tmp_path / 'yard.yaml').start_poses) == 1


def test_sphinx_builds_the_pages_without_a_warning_or_the_network(tmp_path: Path) -> None:
    pytest.importorskip('myst_parser')
    pytest.importorskip('furo')
    done = subprocess.run(
        [
            *(sys.executable, '-m', 'sphinx', '-q', '-W', '--keep-going', '-b', 'html'),
            *(str(ROOT / 'docs'), str(tmp_path / 'html')),
        ],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        env={
            **os.environ,
            'http_proxy': 'http://127.0.0.1:9',
            'https_proxy': 'http://127.0.0.1:9',
        },
    )
    assert done.returncode == 0, done.stderr
    page = (tmp_path / 'html' / 'reference' / 'parameters.html').read_text()
    assert 'command_timeout' in page and 'generated:' not in page
    for file in (tmp_path / 'html').rglob('*.html'):
        loaded = re.findall(
            r'<(?:script|link|img)[^>]+(?:src|href)="(https?:[^"]+)"', file.read_text()
        )
        assert not loaded, f'{file.name} loads {loaded}'
