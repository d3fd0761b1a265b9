-- An organization's time zone can change once it has calls: which one is to come, and how far the totals of single
-- parties have followed. NULL, as here: none is to come, and all of them have.
ALTER TABLE organization ADD COLUMN next_time_zone TEXT;
ALTER TABLE organization ADD COLUMN moved_party_id BIGINT;
ALTER TABLE organization ADD COLUMN moved_ms BIGINT;
