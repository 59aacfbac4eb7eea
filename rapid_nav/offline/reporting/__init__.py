"""Plots, tables, pages and maps of what was measured."""
