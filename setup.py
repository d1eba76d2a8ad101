"""Puts rtl/, hls/ and boards/ into the wheel as bvit_hw/_data, where bvit_hw.resources finds them once installed."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent
DATA = {
    "rtl": ("*.sv", "*.v", "*.svh", "*.toml"),
    "hls": ("*.hpp", "*.h", "movers/*.cpp"),
    "boards": ("*.toml", "*.ipynb", "requirements.txt"),
}


class BuildWithData(build_py):
    """build_py that also copies the data folders."""

    def _data(self) -> list[tuple[Path, Path]]:
        target = Path(self.build_lib) / "bvit_hw" / "_data"
        return [
            (file, target / file.relative_to(HERE))
            for folder, patterns in DATA.items()
            for pattern in patterns
            for file in sorted((HERE / folder).rglob(pattern))
            if ".ipynb_checkpoints" not in file.parts
        ]

    def run(self) -> None:
        """Copy the packages, then the data."""
        super().run()
        if self.editable_mode:
            return
        for source, target in self._data():
            self.mkpath(str(target.parent))
            self.copy_file(str(source), str(target))

    def get_outputs(self, include_bytecode: int = 1) -> list[str]:
        """All files, the data included, so that uninstalling removes them."""
        return [*super().get_outputs(include_bytecode), *(str(target) for _, target in self._data())]


setup(cmdclass={"build_py": BuildWithData})
