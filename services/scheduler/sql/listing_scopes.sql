select id, turn_page from sync_scopes where run_id = $1 and status = 'listing' order by position
