"""How Sphinx builds these pages: `make docs`, or rosdoc2, which reads this file as it is."""

from pathlib import Path
import re
import sys

# rosdoc2 copies this folder below the package and executes this file there.
HERE = Path(__file__).resolve().parent
ROOT = next(path for path in HERE.parents if (path / 'package.xml').exists())
sys.path.insert(0, str(HERE / '_ext'))

project = 'rapid_nav'
author = 'rapid_nav developers'
copyright = author  # noqa: A001  (Sphinx's own name)
version = release = re.findall(r'<version>(.+)</version>', (ROOT / 'package.xml').read_text())[0]

extensions = ['myst_parser', 'reference']
source_suffix = {'.md': 'markdown'}
exclude_patterns = ['_build', '_ext']
nitpicky = True

myst_enable_extensions = ['colon_fence', 'deflist', 'fieldlist']
myst_heading_anchors = 3

html_theme = 'furo'
html_title = f'rapid_nav {version}'
html_static_path = ['_static']
html_css_files = ['tables.css']
html_copy_source = False
html_show_copyright = False
