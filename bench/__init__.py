"""Measures the pipeline on this machine, beside what a user would take instead."""
