"""python -m services.writer."""

from services.writer.app import create_app
from shared.runtime import main

main(create_app)
