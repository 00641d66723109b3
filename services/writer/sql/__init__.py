"""The writer's statements."""
