"""``python -m training``: the same as ``negmine-train``."""

from training.cli.main import main

if __name__ == "__main__":
    main()
