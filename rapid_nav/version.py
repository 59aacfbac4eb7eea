"""The version of this package; package.xml, the changelog and the citation are tested to agree."""

VERSION = '0.2.0'
