"""Judges of whether a pause is an end."""
