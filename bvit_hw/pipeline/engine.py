"""Runs named steps in order, keeps each step's files whole, and skips what has not changed.

Every step writes into a folder of its own under the output folder: first under a temporary name, renamed when the step
has finished. ``manifest.json`` holds for each step the key of everything it depended on, its files with their hashes,
and its results; it is rewritten, atomically, after each step. So a build that was stopped at any moment goes on where
it was, and a file that was changed by hand is made anew.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bvit_hw import __version__, interruption
from bvit_hw.disk import NO_SPACE, UNUSABLE, error_number, no_folder, reason, write_aside
from bvit_hw.doctor import Finding, missing_tools
from bvit_hw.errors import OutputError, ToolError
from bvit_hw.pipeline.progress import Progress

MANIFEST = "manifest.json"
#: what the manifest holds for a step
_ENTRY = {"key": str, "files": dict, "results": dict}
#: its digest: results are reported, and believed, long after the step has run
_SUM = "sum"


class StepNotRun(Exception):
    """A step could not run for a reason that is no error (a vendor tool is not here); says how to go on."""


@dataclass(frozen=True)
class StepOutcome:
    """What became of one step. ``status`` is "done", "cached", "not run" or "left out"; ``note`` says why."""

    name: str
    status: str
    seconds: float
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        """The line of the report."""
        return {"name": self.name, "status": self.status, "seconds": round(self.seconds, 2), "note": self.note}


@dataclass
class StepContext:
    """What a step is given: its own folder, folders and results of the steps it comes after, and a progress display.

    ``say`` tells the user a line of text.
    """

    folder: Path
    progress: Callable[[float, float], None]
    earlier: Mapping[str, Path]
    results: Mapping[str, Mapping[str, Any]]
    say: Callable[[str], None] = lambda text: None


@dataclass(frozen=True)
class Step:
    """A named step. ``run`` writes files into ``context.folder`` and returns JSON-ready results.

    ``inputs`` is JSON-ready data that the step depends on besides the steps named in ``after``; ``code`` are the source
    files or folders whose text it depends on, so that a changed pass runs again. ``needs`` are tools that it cannot do
    without, by the names that ``bvit-hw doctor`` has for them; ``may_need`` those that it wants where something that it
    uses is not there yet. Who leaves out the step ``goes_with`` leaves this one out as well.
    """

    name: str
    title: str
    run: Callable[[StepContext], Mapping[str, Any]]
    after: tuple[str, ...] = ()
    inputs: Mapping[str, Any] = field(default_factory=dict)
    code: tuple[Path, ...] = ()
    needs: tuple[str, ...] = ()
    may_need: tuple[str, ...] = ()
    goes_with: str = ""


def _sum(entry: Mapping[str, Any]) -> str:
    """The digest of a manifest's entry, whether it has been through JSON yet or not."""
    content = json.loads(json.dumps({key: value for key, value in entry.items() if key != _SUM}))
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _is_entry(entry: object) -> bool:
    """Whether a manifest's entry is as a step left it; any other has the step run again."""
    if not isinstance(entry, dict) or not all(isinstance(entry.get(k), t) for k, t in _ENTRY.items()):
        return False
    return bool(entry.get(_SUM) == _sum(entry))


def _named(value: object, file: object) -> str:
    """An identity's value as messages have it: the file that it is the hash of, where that is known."""
    return f"{file} (SHA-256 {str(value)[:12]})" if isinstance(file, str) else repr(value)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _code_hash(paths: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for root in paths:
        files = sorted(p for p in root.rglob("*") if p.is_file()) if root.is_dir() else [root]
        for file in files:
            if "__pycache__" not in file.parts:
                digest.update(str(file.relative_to(root.parent)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def _keys(steps: Sequence[Step]) -> dict[str, str]:
    """What each step depends on, as a hash: its inputs, its code, and the same of the steps before it."""
    keys: dict[str, str] = {}
    for step in steps:
        material = {
            "version": __version__,
            "inputs": step.inputs,
            "code": _code_hash(step.code),
            "after": {name: keys[name] for name in step.after},
        }
        keys[step.name] = hashlib.sha256(json.dumps(material, sort_keys=True).encode()).hexdigest()
    return keys


def _lines(missing: Iterable[Finding], users: Callable[[str], list[str]]) -> list[str]:
    """A line for each tool that is missing: how that shows, which steps want it, how to get it."""
    lines = []
    for finding in missing:
        tool, steps = finding.tool, users(finding.tool.name)
        fault = f" (does not run: {finding.fault})" if finding.fault else ""
        lines.append(
            f"{tool.name}{fault}, for the step{'s' * (len(steps) > 1)} {', '.join(steps)}: {tool.purpose}. "
            f"To get it: {tool.how_to_get}"
        )
    return lines


def _require(steps: Sequence[Step], say: Callable[[str], None]) -> None:
    """ToolError that names every tool that one of ``steps`` needs and that is not here; what may be wanted is said."""
    needed = {name for step in steps for name in step.needs}
    lines = _lines(missing_tools(needed), lambda name: [step.name for step in steps if name in step.needs])
    if lines:
        raise ToolError("missing here, so that nothing was begun:\n  " + "\n  ".join(lines))
    perhaps = {name for step in steps for name in step.may_need} - needed
    lines = _lines(missing_tools(perhaps), lambda name: [step.name for step in steps if name in step.may_need])
    if lines:
        say("missing here, and the build ends at what the cache does not hold:\n  " + "\n  ".join(lines))


def _remove(path: Path) -> None:
    """Remove a file or a whole folder, if there is one."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def output_errors(folder: Path, step: str) -> Iterator[None]:
    """What the disk refuses during the block, a full one or ``folder`` itself, as OutputError."""
    try:
        yield
    except OSError as error:
        inside = error.filename is not None and Path(error.filename).is_relative_to(folder)
        if error.errno in UNUSABLE and inside:
            raise OutputError(
                f"{folder}: cannot be used as output folder: {error.filename}: {error.strerror}; choose another --out"
            ) from error
        if error_number(error) not in NO_SPACE or (error.filename is not None and not inside):
            raise
        raise OutputError(
            f"{folder}: {reason(error)} while the step {step!r} was writing; finished steps are kept. "
            "Free some space, or name another folder by --out, and run the same command again"
        ) from error


class BuildFolder:
    """The output folder of one build: its identity, its lock, its manifest.

    ``identity`` says whose folder it is (board, model); a folder of another identity is refused. ``files`` are the
    files that an identity's hashes are of, for messages only. Raises OutputError.
    """

    def __init__(
        self,
        path: Path,
        identity: Mapping[str, str],
        *,
        files: Mapping[str, str] | None = None,
        overwrite: bool = False,
    ) -> None:
        self.path = path
        self.identity = dict(identity)
        self.files = dict(files or {})
        self._lock: Any = None
        self._steps: dict[str, dict[str, Any]] = {}
        self._overwrite = overwrite

    def __enter__(self) -> BuildFolder:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = (self.path / ".lock").open("w")
        except OSError as error:
            if error.errno in NO_SPACE:
                raise OutputError(f"{self.path}: {error.strerror}; free some space or choose another --out") from error
            raise OutputError(f"{self.path}: cannot be used as output folder: {no_folder(error)}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OutputError(
                f"{self.path}: another build is running there; wait for it or choose another --out"
            ) from error
        try:
            self._open()
        except OSError as error:
            self._lock.close()
            raise OutputError(f"{self.path}: cannot be read: {error.strerror} ({error.filename})") from error
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.close()

    def _open(self) -> None:
        manifest = self.path / MANIFEST
        content = sorted(p.name for p in self.path.iterdir() if p.name != ".lock")
        if not content:
            return
        found: dict[str, Any] = {}
        if manifest.is_file():
            try:
                found = json.loads(manifest.read_text())
            except ValueError:
                found = {}
        if not isinstance(found, dict) or not isinstance(found.get("identity"), dict):
            damaged = manifest.is_file() and set(content) == {MANIFEST}
            if damaged or all(name.startswith(".tmp-") for name in content):
                return
            if not self._overwrite:
                why = f", or its {MANIFEST} is damaged" if manifest.is_file() else ""
                raise OutputError(
                    f"{self.path}: is not empty and was not written by bvit-hw{why} (found {', '.join(content[:5])}); "
                    "choose another --out, or pass --overwrite to build there all the same"
                )
            return
        theirs = found.get("files")
        files = theirs if isinstance(theirs, dict) else {}
        differences = [
            f"{key} {_named(found['identity'].get(key), files.get(key))}, "
            f"asked for {_named(value, self.files.get(key))}"
            for key, value in {**dict.fromkeys(found["identity"]), **self.identity}.items()
            if found["identity"].get(key) != value
        ]
        if differences and not self._overwrite:
            raise OutputError(
                f"{self.path}: holds another build ({'; '.join(differences)}); choose another --out, "
                "or pass --overwrite to replace it"
            )
        steps = found.get("steps")
        if not differences and isinstance(steps, dict):
            self._steps = {name: entry for name, entry in steps.items() if _is_entry(entry)}

    def _write_manifest(self) -> None:
        data = {"tool": "bvit-hw", "version": __version__, "identity": self.identity, "files": self.files}
        text = json.dumps(data | {"steps": self._steps}, indent=1, sort_keys=True)
        write_aside(self.path / MANIFEST, text, sole=True)

    def _intact(self, name: str, key: str) -> bool:
        entry = self._steps.get(name)
        if entry is None or entry["key"] != key:
            return False
        folder = self.path / name
        return all((folder / f).is_file() and _sha256(folder / f) == h for f, h in entry["files"].items())

    @property
    def results(self) -> dict[str, dict[str, Any]]:
        """Results of every step that is whole in this folder."""
        return {name: entry["results"] for name, entry in self._steps.items()}

    def run(self, steps: Sequence[Step], progress: Progress) -> list[StepOutcome]:
        """Run the steps in order; returns one outcome a step, the last one "not run" if a tool is missing.

        Tools that steps ``need`` are asked for before the first step runs: ToolError names all that are missing. An
        error of a step is raised; all steps finished before stay valid. KeyboardInterrupt passes through likewise.
        """
        outcomes: list[StepOutcome] = []
        results: dict[str, Mapping[str, Any]] = {}
        keys = _keys(steps)
        whole = {step.name for step in steps if self._intact(step.name, keys[step.name])}
        _require([step for step in steps if step.name not in whole], progress.say)
        for stale in self.path.glob(".tmp-*"):
            _remove(stale)
        for step in steps:
            key = keys[step.name]
            interruption.check()
            start = time.monotonic()
            with progress.step(step.title) as update, output_errors(self.path, step.name):
                if step.name in whole:
                    results[step.name] = self._steps[step.name]["results"]
                    outcomes.append(StepOutcome(step.name, "cached", time.monotonic() - start))
                    continue
                temporary = self.path / f".tmp-{step.name}"
                temporary.mkdir()
                earlier = {name: self.path / name for name in step.after}
                known = {name: results[name] for name in step.after}
                try:
                    result = step.run(StepContext(temporary, update, earlier, known, progress.say))
                except StepNotRun as why:
                    shutil.rmtree(temporary)
                    outcomes.append(StepOutcome(step.name, "not run", time.monotonic() - start, str(why)))
                    break
                except OSError:
                    shutil.rmtree(temporary, ignore_errors=True)  # a full disk gets its space back
                    raise
                final = self.path / step.name
                # The manifest forgets the step before its folder changes, so no moment claims files that are not there.
                if self._steps.pop(step.name, None) is not None:
                    self._write_manifest()
                _remove(final)
                temporary.rename(final)
                seconds = time.monotonic() - start
                files = {str(f.relative_to(final)): _sha256(f) for f in sorted(final.rglob("*")) if f.is_file()}
                entry = {"key": key, "files": files, "results": result, "seconds": round(seconds, 2)}
                self._steps[step.name] = entry | {_SUM: _sum(entry)}
                self._write_manifest()
                results[step.name] = result
                outcomes.append(StepOutcome(step.name, "done", seconds))
        return outcomes
