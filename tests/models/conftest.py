"""Fixtures of this folder: a checkpoint as the published code writes it."""

from tests.paper_files import model, paper  # noqa: F401 (fixtures)
