"""python -m services.scheduler."""

from services.scheduler.app import create_app
from shared.runtime import main

main(create_app)
