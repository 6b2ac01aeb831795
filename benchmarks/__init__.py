"""Parley's claims in numbers. Each module is a command that prints its figures beside a
baseline of the same run.
"""
