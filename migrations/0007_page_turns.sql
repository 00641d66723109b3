-- A message that a page is due stands for a turn of several (docs/adr/0029): it is good until its turn is over, whatever
-- page the list has come to. turn_page is the page that the message of the present turn says.
set lock_timeout = '5s';

alter table sync_scopes add column turn_page integer not null default 0;
update sync_scopes set turn_page = page_no where status = 'listing';
