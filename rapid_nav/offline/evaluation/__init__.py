"""Rollouts, baselines, intervals and operating points."""
