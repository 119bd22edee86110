"""`python -m dda`, for launchers that start modules."""

from dda.cli import main

if __name__ == "__main__":
    main()
