"""metrics.jsonl and TensorBoard on a disk that is full."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bvit_hw.errors import OutputError
from bvit_hw.train.journal import Journal
from tests.faults import full


def test_a_disk_that_fills_under_tensorboard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its thread meets it; the journal says it, once, and the lines of metrics.jsonl are whole."""
    from tensorboard.summary.writer.record_writer import RecordWriter

    def flush(self: object) -> None:
        raise full()

    journal = Journal(tmp_path, 0)
    monkeypatch.setattr(RecordWriter, "flush", flush)
    with pytest.raises(OutputError, match=rf"{tmp_path}: metrics.*tensorboard.*No space left on device; what"), journal:
        for step in range(1, 100):
            journal.add(step, loss=0.5)
            journal.flush()
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == list(range(1, len(lines) + 1))
    assert "Traceback" not in capsys.readouterr().err


def test_a_disk_that_is_full_when_the_journal_closes(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written: No space left on device"):  # noqa: SIM117
        with Journal(tmp_path, 0, tensorboard=False) as journal:
            journal._file.close()
            journal._file = Path("/dev/full").open("w")  # noqa: SIM115
            journal.add(1, loss=0.5)
