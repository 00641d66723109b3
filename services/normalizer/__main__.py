"""python -m services.normalizer."""

from services.normalizer.app import create_app
from shared.runtime import main

main(create_app)
