"""Runs one notebook from start to end in the notebooks' own environment: ``run_notebook.py NOTEBOOK RESULT``."""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient


def main() -> None:
    """Execute in the notebook's folder, as Jupyter does; an error of a cell ends in its traceback."""
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    notebook = nbformat.read(source, as_version=4)
    nbformat.validate(notebook)
    where = {"metadata": {"path": source.parent}}
    client = NotebookClient(notebook, timeout=600, kernel_name="python3", resources=where)
    client.execute()
    nbformat.write(notebook, target)


if __name__ == "__main__":
    main()
