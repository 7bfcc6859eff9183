"""Prompt templates and role presets, as text files."""
