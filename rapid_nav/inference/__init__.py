"""Deciding without PyTorch: exported stages, exit rules and policies."""
