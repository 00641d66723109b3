"""scheduler: the clock and the dead queue. Due syncs, stuck runs, the outbox, parked messages, due probes."""
