-- $1 integration, $2 device, $3 field, $4 account, $5 asset, then the columns of shared/date_ledger/states.py
insert into date_pushes (integration_id, device_id, field, account_id, asset_id, seen, seen_known, seen_seq, before,
    before_known, written, written_known, confirmed_seq, writing, writing_known)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
on conflict (integration_id, device_id, field) do update
set asset_id = excluded.asset_id, seen = excluded.seen, seen_known = excluded.seen_known,
    seen_seq = excluded.seen_seq, before = excluded.before, before_known = excluded.before_known,
    written = excluded.written, written_known = excluded.written_known, confirmed_seq = excluded.confirmed_seq,
    writing = excluded.writing, writing_known = excluded.writing_known, changed_at = now()
