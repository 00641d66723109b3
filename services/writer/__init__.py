"""writer: canonical assets into Postgres, set by set: asked first, written only where they differ."""
