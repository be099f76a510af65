"""Benchmarks of the service: ``python -m tests.benchmarks``."""
