-- $1 edit, $2 what stands in the RMM
update date_edits set written = $2, written_at = clock_timestamp() where id = $1
