"""`python -m lifecycle`: the command where no console script is installed."""

from lifecycle.main import main

if __name__ == "__main__":
    main()
