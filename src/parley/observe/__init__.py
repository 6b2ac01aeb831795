"""Logs, metrics, timelines and captures."""
