"""writeback: records every edit of a date, and brings what counts into the RMM once, confirmed by reading it there."""
