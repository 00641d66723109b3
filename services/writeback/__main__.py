"""python -m services.writeback."""

from services.writeback.app import create_app
from shared.runtime import main

main(create_app)
