"""Spreadsheet files: the error asks for CSV."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from sprig_tui.errors import UnknownFormatError
from sprig_tui.sprig.reader import read_responses


def packed(*names: str) -> bytes:
    """A zip archive of these entries, in this order."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, "<xml/>")
    return made.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (packed("[Content_Types].xml", "xl/workbook.xml"), "save it as CSV"),
        (packed("xl/workbook.xml", "[Content_Types].xml"), "save it as CSV"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504), "save it as CSV"),
        (packed("responses.csv"), "this is a zip archive: unpack it first"),
    ],
    ids=["xlsx", "xlsx-of-others", "xls", "zip"],
)
def test_workbook_error_asks_for_csv(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "responses.xlsx"
    file.write_bytes(content)
    with pytest.raises(UnknownFormatError) as refused:
        list(read_responses([str(file)]))
    assert said in refused.value.message
