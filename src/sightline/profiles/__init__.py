"""The settings that ship, one file for each kind of machine: `sightline serve --profile NAME`, or a file of your own to begin with."""

from __future__ import annotations

from importlib import resources


def names() -> tuple[str, ...]:
    """Every profile, in the order of their size."""
    found = {entry.name.removesuffix(".toml") for entry in resources.files(__name__).iterdir() if entry.name.endswith(".toml")}
    usual = ("edge", "laptop", "single-gpu", "cluster")
    return (*(name for name in usual if name in found), *sorted(found.difference(usual)))


def text_of(name: str) -> str:
    """The file of a profile. Raises `KeyError` for a name that is none."""
    if name not in names():
        raise KeyError(name)
    return resources.files(__name__).joinpath(f"{name}.toml").read_text("utf-8")
