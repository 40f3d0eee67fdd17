"""`python -m sprig_tui` is `sprig-tui`."""

from sprig_tui.cli import main

if __name__ == "__main__":
    main()
