"""Mapper subprocess: the same entries as here, and nothing left behind however it ends."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from msgspec import msgpack

from sprig_tui.config.environment import Environment, WriteKey
from sprig_tui.config.paths import samples_folder
from sprig_tui.errors import InputError
from sprig_tui.ingest import EntryBuilder, mapper_process
from sprig_tui.ingest.mapper_process import iter_entries
from sprig_tui.ingest.mapping_job import MappedEnvironment, MappingJob
from sprig_tui.journal.records import NewDelivery
from sprig_tui.mapping.records import Rules, Survey
from sprig_tui.sprig.reader import STDIN, read_responses
from sprig_tui.sprig.stream import ReadProgress

KEY = "Zq8TinventedKeyOfThirtyTwoChE1Rk"
ENVIRONMENTS = {
    "production": Environment(name="production", sprig_environment_id="QmK7x2dTfa", write_key=WriteKey(KEY)),
    "development": Environment(name="development"),
}
RULES = Rules(
    event="Answered",
    hash=frozenset({"properties.email"}),
    omit=frozenset({"properties.attributes.plan"}),
    integrations={"All": False, "Amplitude": True},
    surveys={"12345": Survey(name="Checkout effort", created_at="2024-01-01T00:00:00Z")},
)


def builder() -> EntryBuilder:
    return EntryBuilder(RULES, ENVIRONMENTS, "development")


def answers(path: Path, number: int) -> Path:
    with path.open("w") as file:
        for count in range(number):
            file.write(
                f'{{"userId":"acct_{count}","responseGroupUid":"group-{count}","question":"How easy?",'
                f'"questionType":"OPEN","response":"answer {count}","timestamp":"2025-03-04T16:21:09Z"}}\n'
            )
    return path


@pytest.fixture(autouse=True)
def small_ones_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapper_process, "MIN_SUBPROCESS_BYTES", 1)
    monkeypatch.setattr(mapper_process, "_available_cores", lambda: 2)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """The processes that were started."""
    found: list[subprocess.Popen[bytes]] = []

    class Noted(subprocess.Popen[bytes]):
        def __init__(self, *args: object, **kwargs: object) -> None:
            super().__init__(*args, **kwargs)  # type: ignore[call-overload] # whatever it is started with
            found.append(self)

    monkeypatch.setattr(subprocess, "Popen", Noted)
    return found


def test_subprocess_makes_the_same_entries(tmp_path: Path, started: list[subprocess.Popen[bytes]]) -> None:
    apart, here, progress = builder(), builder(), ReadProgress()
    sources = [samples_folder(), answers(tmp_path / "many, größer.jsonl", 2_000)]
    made = list(iter_entries(read_responses(sources, progress=progress), apart))
    in_place = ReadProgress()
    assert made == list(map(here.entry, read_responses(sources, progress=in_place)))
    assert len(started) == 1
    assert len(made) > 2_000
    assert apart.stats == here.stats
    assert (progress.records, progress.bytes_read) == (in_place.records, in_place.bytes_read)
    assert progress.bytes_read == progress.bytes_total
    assert progress.current_file == in_place.current_file


def test_peeked_records_are_mapped_by_the_subprocess(tmp_path: Path, started: list[subprocess.Popen[bytes]]) -> None:
    progress = ReadProgress()
    responses = read_responses([answers(tmp_path / "answers.jsonl", 10)], progress=progress)
    looked = responses.peek()
    next(looked), next(looked)
    made = list(iter_entries(responses, builder()))
    assert [entry.user_id for entry in made] == [f"acct_{number}" for number in range(10)]
    assert progress.records == 10
    assert len(started) == 1


def test_job_holds_no_write_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs: list[MappingJob] = []
    start = mapper_process.MapperProcess.start

    def record_job(self: mapper_process.MapperProcess, job: MappingJob) -> bool:
        jobs.append(job)
        return start(self, job)

    monkeypatch.setattr(mapper_process.MapperProcess, "start", record_job)
    assert list(iter_entries(read_responses([answers(tmp_path / "answers.jsonl", 1)]), builder()))
    assert KEY.encode() not in msgpack.encode(jobs[0])


def broken_off(made: Iterator[NewDelivery]) -> tuple[int, InputError]:
    seen: list[NewDelivery] = []
    with pytest.raises(InputError) as raised:
        seen.extend(made)
    return len(seen), raised.value


def test_killed_subprocess_raises_after_its_entries(tmp_path: Path, started: list[subprocess.Popen[bytes]]) -> None:
    made = iter_entries(read_responses([answers(tmp_path / "answers.jsonl", 50_000)]), builder())
    next(made)
    started[0].send_signal(signal.SIGKILL)
    number, error = broken_off(made)
    assert 0 < number < 50_000
    assert error.message == "cannot read the input: its process was ended by signal 9"
    assert "nothing is sent twice" in error.hint
    assert started[0].returncode == -9


def test_exception_in_the_subprocess_is_raised(tmp_path: Path, started: list[subprocess.Popen[bytes]]) -> None:
    responses = read_responses([answers(tmp_path / "answers.jsonl", 3)])
    job = MappingJob([b"a\0b"], 10_000_000, RULES, {"production": MappedEnvironment()}, None)
    made = mapper_process.map_in_subprocess(responses, job, builder())
    number, error = broken_off(made)
    assert number == 0
    assert error.message == "cannot read the input: ValueError: embedded null byte"
    assert started[0].returncode is not None


@pytest.mark.parametrize("program", ["/nowhere/python", "/bin/false", "/bin/cat"])
def test_entries_are_made_here_when_no_process_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sys, "executable", program)
    made = list(iter_entries(read_responses([answers(tmp_path / "answers.jsonl", 500)]), builder()))
    assert len(made) == 500
    assert "reading it in this one" in caplog.text


def test_closed_iterator_ends_the_subprocess(tmp_path: Path, started: list[subprocess.Popen[bytes]]) -> None:
    made = iter_entries(read_responses([answers(tmp_path / "answers.jsonl", 50_000)]), builder())
    next(made)
    made.close()  # type: ignore[attr-defined] # a generator, when it is made apart
    assert started[0].returncode is not None
    with pytest.raises(ProcessLookupError):
        os.kill(started[0].pid, 0)


def job_of(path: Path) -> MappingJob:
    return MappingJob([os.fsencode(path)], 10_000_000, RULES, {"a": MappedEnvironment()}, "a")


def test_subprocess_exits_when_its_output_is_closed(tmp_path: Path) -> None:
    worker = mapper_process.MapperProcess()
    job = MappingJob(
        [os.fsencode(answers(tmp_path / "answers.jsonl", 50_000))], 10_000_000, RULES, {"a": MappedEnvironment()}, "a"
    )
    assert worker.start(job)
    process = worker._process
    assert process is not None
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(timeout=60) == 0
    worker.stop()


def test_subprocess_blocked_in_open_exits_with_its_parent(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "hangs.jsonl")  # to open it takes until somebody writes
    worker = mapper_process.MapperProcess()
    assert worker.start(
        MappingJob([os.fsencode(tmp_path / "hangs.jsonl")], 10_000_000, RULES, {"a": MappedEnvironment()}, "a")
    )
    process = worker._process
    assert process is not None
    assert process.stdin is not None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=0.5)
    process.stdin.close()
    try:
        assert process.wait(timeout=60) == 0
    finally:
        worker.stop()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_subprocess_ignores_sigint_and_sigterm(
    tmp_path: Path, started: list[subprocess.Popen[bytes]], number: signal.Signals
) -> None:
    made = iter_entries(read_responses([answers(tmp_path / "answers.jsonl", 6_000)]), builder())
    next(made)
    started[0].send_signal(number)
    assert len(list(made)) == 5_999


@pytest.mark.parametrize("why", ["begun", "standard input", "a pipe", "its own clock", "small", "one core"])
def test_small_or_unrepeatable_input_needs_no_subprocess(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: list[subprocess.Popen[bytes]], why: str
) -> None:
    path, taken, expected = answers(tmp_path / "answers.jsonl", 3), builder(), 3
    responses = read_responses([path])
    if why == "begun":
        next(responses)
        expected = 2
    elif why == "standard input":
        responses = read_responses([STDIN], stdin=BytesIO(path.read_bytes()))
    elif why == "a pipe":
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        threading.Thread(target=lambda: pipe.write_bytes(path.read_bytes())).start()
        responses = read_responses([pipe])
    elif why == "its own clock":

        class Clock:
            def now(self) -> int:
                return 0

        taken = EntryBuilder(RULES, ENVIRONMENTS, "development", clock=Clock())
    elif why == "small":
        monkeypatch.setattr(mapper_process, "MIN_SUBPROCESS_BYTES", 10_000)
    else:
        monkeypatch.setattr(mapper_process, "_available_cores", lambda: 1)
    assert len(list(iter_entries(responses, taken))) == expected
    assert not started


@pytest.mark.parametrize("how", ["/dev/fd", "/proc/self/fd", "/tmp/../dev/fd", "a link"])
def test_open_file_descriptors_are_read_in_this_process(
    tmp_path: Path, started: list[subprocess.Popen[bytes]], how: str
) -> None:
    with answers(tmp_path / "answers.jsonl", 3).open("rb") as opened:
        name = Path("/dev/fd" if how == "a link" else how, str(opened.fileno()))
        if how == "a link":
            (tmp_path / "link.jsonl").symlink_to(name)
            name = tmp_path / "link.jsonl"
        assert len(list(iter_entries(read_responses([name]), builder()))) == 3
    assert not started


def test_symbolic_link_to_a_file_is_read_by_the_subprocess(
    tmp_path: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    answers(tmp_path / "answers.jsonl", 3)
    (tmp_path / "link.jsonl").symlink_to("answers.jsonl")
    assert len(list(iter_entries(read_responses([tmp_path / "link.jsonl"]), builder()))) == 3
    assert len(started) == 1
