"""python -m services.fetcher."""

from services.fetcher.app import create_app
from shared.runtime import main

main(create_app)
