"""The process's turns are short while records are fed, and as they were afterwards."""

from __future__ import annotations

import sys

import pytest
from support.engine_bench import Bench

from sprig_tui.config.environment import Environment
from sprig_tui.delivery.feeding import feed
from sprig_tui.delivery.turns import SHORT_TURNS, TURN
from sprig_tui.intake import Intake
from sprig_tui.mapping.records import Rules
from sprig_tui.reasons import Reason
from sprig_tui.sprig.records import Origin, Unsendable


def test_the_last_of_several_puts_it_back() -> None:
    before = sys.getswitchinterval()
    assert before > TURN
    with SHORT_TURNS:
        with SHORT_TURNS:
            assert sys.getswitchinterval() == pytest.approx(TURN)
        assert sys.getswitchinterval() == pytest.approx(TURN)
    assert sys.getswitchinterval() == before


def test_what_is_shorter_already_stays() -> None:
    before = sys.getswitchinterval()
    sys.setswitchinterval(TURN / 2)
    try:
        with SHORT_TURNS:
            assert sys.getswitchinterval() == pytest.approx(TURN / 2)
    finally:
        sys.setswitchinterval(before)


async def test_feeding_takes_short_turns(bench: Bench) -> None:

    before = sys.getswitchinterval()
    seen: list[float] = []
    record = Unsendable(origin=Origin("answers.jsonl"), raw=b"x", reason=Reason.INVALID)
    intake = Intake(Rules(), {"production": Environment(name="production")})
    await feed([record], intake, bench.journal, progress=lambda _: seen.append(sys.getswitchinterval()))
    assert seen == pytest.approx([TURN])
    assert sys.getswitchinterval() == before
