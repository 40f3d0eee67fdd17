"""Screenshots go where there is a folder, and say where."""

from __future__ import annotations

from sprig_tui.console.screenshot import save_screenshot


def test_screenshot_goes_to_state_folder_without_downloads(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_DOWNLOAD_DIR", raising=False)
    saved, fault = save_screenshot("<svg/>", "one.svg", state_dir=tmp_path / "state")
    assert (saved, fault) == (tmp_path / "state" / "one.svg", "")
    again, _ = save_screenshot("<svg/>", "one.svg", state_dir=tmp_path / "state")
    assert again == tmp_path / "state" / "one 2.svg"
    (tmp_path / "Downloads").mkdir()
    saved, _ = save_screenshot("<svg/>", "one.svg", state_dir=tmp_path / "state")
    assert saved == tmp_path / "Downloads" / "one.svg"
    assert saved.read_text() == "<svg/>"


def test_screenshot_failure_names_the_reason(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "state").write_text("in the way")
    saved, fault = save_screenshot("<svg/>", state_dir=tmp_path / "state")
    assert saved is None
    assert "is not a folder" in fault
