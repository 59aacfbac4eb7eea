"""How Sphinx builds these pages: `make docs`, or rosdoc2, which reads this file as it is."""

from pathlib import Path
import re
import sys

sys.path.insert(0, str(Path(__file__).parent / '_ext'))

project = 'rapid_nav'
author = 'rapid_nav developers'
copyright = author  # noqa: A001  (Sphinx's own name)
version = release = re.findall(
    r'<version>(.+)</version>', (Path(__file__).parents[1] / 'package.xml').read_text()
)[0]

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
