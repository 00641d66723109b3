"""What a user would take instead of the pipeline; run in an environment of its own, without anything of ours."""
