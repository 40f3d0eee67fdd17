"""Journal URLs: redaction of passwords."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprig_tui.journal.url import has_password, password_problem, redact_password, redact_url


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        ("postgresql://sprig@db.example:5432/journal", "postgresql://sprig@db.example:5432/journal"),
        ("postgres://sprig:geheim@db.example/journal?sslmode=require", "postgres://sprig@db.example/journal"),
        ("postgresql:///journal", "postgresql:///journal"),
        ("postgresql://one,two:5433/journal", "postgresql://one,two:5433/journal"),
        ("postgresql://sprig:ge/heim@db.example/journal", "postgresql://sprig@db.example/journal"),
        ("postgresql://sprig:12/heim@db.example/journal", "postgresql://sprig@db.example/journal"),
        ("postgresql://sprig:ge#heim@db.example/journal", "postgresql://sprig@db.example/journal"),
        ("postgresql://sprig:ge?heim@db.example/journal", "postgresql://sprig@db.example/journal"),
        ("postgresql://sprig:g@e/heim@db.example/journal", "postgresql://sprig@db.example/journal"),
        ("postgresql://sprig:ge[heim@db.example/journal", "postgresql://sprig@db.example/journal"),
        ("postgresql://db.example/journal?password=ge@heim", "postgresql://…"),
        ("postgresql://sp/rig:geheim@db.example/journal", "postgresql://…"),
        ("/var/lib/journal.db", "/var/lib/journal.db"),
    ],
)
def test_redacted_url_has_neither_password_nor_options(url: str, seen: str) -> None:
    assert redact_url(url) == seen


secrets = st.text(st.characters(codec="ascii", min_codepoint=33, max_codepoint=126), min_size=6, max_size=20)


@given(secrets, st.sampled_from(["", "?sslmode=require", "?password=abc"]))
def test_redacted_url_never_contains_the_password(password: str, options: str) -> None:
    url = f"postgresql://sprig:SEC{password}RET@db.example:5432/journal{options}"
    assert "SEC" not in redact_url(url)
    assert "RET" not in redact_url(url)
    assert has_password(url)
    assert f"SEC{password}RET" not in redact_password(f"could not read {url!s}", url)


@given(secrets)
def test_password_with_a_separator_is_reported_without_it(password: str) -> None:
    fault = password_problem(f"postgresql://sprig:{password}@db.example/journal")
    cut = {one for one in "/?#" if one in password}
    if fault:
        assert all(f"{one} as %{ord(one):02X}" in fault for one in cut)
        assert len(password) < 7 or password not in fault


@pytest.mark.parametrize("character", "/?#")
def test_password_problem_names_the_character_and_its_escape(character: str) -> None:
    assert password_problem(f"postgresql://sprig:ge{character}heim@db.example/journal") == (
        f"its password is cut off at the first {character}: write {character} as %{ord(character):02X}"
    )


def test_options_with_an_at_sign_are_no_password() -> None:
    assert not password_problem("postgresql://sprig:geheim@db.example:5432/journal?options=a@b")
    assert not password_problem("postgresql://sprig@db.example:5432/journal?application_name=a@b")
