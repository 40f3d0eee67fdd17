"""Suppressed users: which of Segment's list and requests count. Pure."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprig_tui.segment.suppressions import Regulation, Suppression, suppressed_users


def asked(kind: str, created: int, status: str = "FINISHED", subject_type: str = "USER_ID", *users: str) -> Regulation:
    return Regulation(
        id=f"{kind}{created}",
        kind=kind,
        status=status,
        created=created,
        subject_type=subject_type,
        subject_ids=users or ("ann",),
    )


LISTED = Suppression(subject_type="USER_ID", subject_ids=("ann",))


@pytest.mark.parametrize(
    ("listed", "regulations", "suppressed"),
    [
        ([], [], False),
        ([LISTED], [], True),
        ([Suppression(subject_type="OBJECT_ID", subject_ids=("ann",))], [], False),
        ([], [asked("SUPPRESS_ONLY", 1)], True),
        ([], [asked("SUPPRESS_WITH_DELETE", 1)], True),
        ([], [asked("SUPPRESS_WITH_DELETE_INTERNAL", 1)], True),
        ([], [asked("SUPPRESS_ONLY", 1, "INITIALIZED")], True),
        ([], [asked("SUPPRESS_WITH_DELETE", 1, "FAILED")], True),
        ([], [asked("SUPPRESS_ONLY", 1, "INVALID")], False),
        ([], [asked("SUPPRESS_ONLY", 1, "NOT_SUPPORTED")], False),
        ([], [asked("SUPPRESS_ONLY", 1, "FINISHED", "OBJECT_ID")], False),
        ([], [asked("DELETE_ONLY", 1), asked("DELETE_INTERNAL", 2), asked("A_NEW_KIND", 3)], False),
        ([], [asked("SUPPRESS_ONLY", 1), asked("UNSUPPRESS", 2)], False),
        ([], [asked("UNSUPPRESS", 2), asked("SUPPRESS_ONLY", 1)], False),
        ([], [asked("UNSUPPRESS", 1), asked("SUPPRESS_ONLY", 2)], True),
        ([], [asked("SUPPRESS_ONLY", 1), asked("UNSUPPRESS", 2, "RUNNING")], True),
        ([], [asked("SUPPRESS_ONLY", 2), asked("UNSUPPRESS", 2)], True),
        ([], [asked("SUPPRESS_ONLY", 0), asked("UNSUPPRESS", 2)], False),
        ([], [asked("SUPPRESS_ONLY", 1), asked("UNSUPPRESS", 0)], True),
        ([LISTED], [asked("UNSUPPRESS", 2)], True),
    ],
)
def test_list_and_latest_request_decide(
    listed: list[Suppression], regulations: list[Regulation], suppressed: bool
) -> None:
    assert suppressed_users(listed, regulations) == ({"ann"} if suppressed else set())


@given(
    st.lists(
        st.builds(
            asked,
            st.sampled_from(["SUPPRESS_ONLY", "SUPPRESS_WITH_DELETE", "UNSUPPRESS", "DELETE_ONLY"]),
            st.integers(0, 4),
            st.sampled_from(["FINISHED", "RUNNING", "INVALID"]),
            st.sampled_from(["USER_ID", "OBJECT_ID"]),
            st.sampled_from(["ann", "bob"]),
        ),
        max_size=8,
    ),
    st.randoms(use_true_random=False),
)
def test_order_of_the_answer_does_not_matter(regulations: list[Regulation], random: object) -> None:
    found = suppressed_users([], regulations)
    mixed = list(regulations)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    assert suppressed_users([], mixed) == found
    assert suppressed_users([LISTED], regulations) == found | {"ann"}
