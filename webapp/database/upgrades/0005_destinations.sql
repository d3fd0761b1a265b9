-- Destinations, own numbers, routes and opening hours; tokens of phone systems, what they bring and ask; callers who did
-- not get through. Nobody is named and nothing is routed yet.
ALTER TABLE party ADD COLUMN place TEXT;
ALTER TABLE import_file ADD COLUMN delivered_on INTEGER;
CREATE UNIQUE INDEX import_file_delivered_unique ON import_file (organization_id, pbx_id, delivered_on, format);

CREATE TABLE destination (
    organization_id BIGINT      NOT NULL,
    id              BIGINT      NOT NULL,
    kind            SMALLINT    NOT NULL,           -- 1 person, 2 team, 3 voicemail, 4 menu, 5 conference, 6 customer, 7 supplier, 8 other contact, 9 zone
    name            TEXT        NOT NULL,           -- personal
    colour          SMALLINT    NOT NULL,           -- of its mark: 0 none, 1-8 of the style sheet
    note            TEXT        NOT NULL,           -- personal; "" if none
    version         INTEGER     NOT NULL,           -- counts changes: two people who edit it at once are told
    created_at      TIMESTAMPTZ NOT NULL,
    changed_at      TIMESTAMPTZ NOT NULL,
    changed_by      BIGINT,                         -- user_account; NULL for the operator
    archived_at     TIMESTAMPTZ,                    -- offered nowhere from then on; what it was named for keeps its name
    merged_into_id  BIGINT,                         -- the one that has taken over its patterns: its address leads there
    CONSTRAINT destination_kind CHECK (kind BETWEEN 1 AND 9),
    CONSTRAINT destination_colour CHECK (colour BETWEEN 0 AND 8),
    --sqlite: CONSTRAINT destination_instants CHECK (typeof(created_at) = 'integer' AND typeof(changed_at) = 'integer' AND typeof(archived_at) IN ('integer', 'null')),
    CONSTRAINT destination_pkey PRIMARY KEY (organization_id, id),
    CONSTRAINT destination_organization_fkey FOREIGN KEY (organization_id) REFERENCES organization (id),
    CONSTRAINT destination_merged_into_fkey FOREIGN KEY (organization_id, merged_into_id) REFERENCES destination (organization_id, id)
);

CREATE TABLE destination_member (
    organization_id BIGINT NOT NULL,
    team_id         BIGINT NOT NULL,                -- a destination of kind team
    person_id       BIGINT NOT NULL,                -- a destination of kind person
    CONSTRAINT destination_member_pkey PRIMARY KEY (organization_id, team_id, person_id),
    CONSTRAINT destination_member_team_fkey FOREIGN KEY (organization_id, team_id) REFERENCES destination (organization_id, id),
    CONSTRAINT destination_member_person_fkey FOREIGN KEY (organization_id, person_id) REFERENCES destination (organization_id, id)
)
--sqlite: WITHOUT ROWID
;
CREATE INDEX destination_member_by_person ON destination_member (organization_id, person_id);

CREATE TABLE destination_pattern (
    organization_id BIGINT      NOT NULL,
    pattern_key     TEXT        NOT NULL,           -- personal
    from_at         TIMESTAMPTZ NOT NULL,           -- 1970 for always
    destination_id  BIGINT,                         -- NULL: nobody's from then on
    kind            SMALLINT    NOT NULL,           -- 1 extension or code, 2 number, 3 prefix
    digits          TEXT        NOT NULL,           -- personal; E.164 without its plus, or as it is dialled
    pbx_id          BIGINT,                         -- of kind 1: the one phone system that is meant; NULL for all
    created_at      TIMESTAMPTZ NOT NULL,
    created_by      BIGINT,                         -- user_account; NULL for the operator
    CONSTRAINT destination_pattern_kind CHECK (kind IN (1, 2, 3)),
    --sqlite: CONSTRAINT destination_pattern_instants CHECK (typeof(from_at) = 'integer' AND typeof(created_at) = 'integer'),
    CONSTRAINT destination_pattern_pkey PRIMARY KEY (organization_id, pattern_key, from_at),
    CONSTRAINT destination_pattern_destination_fkey FOREIGN KEY (organization_id, destination_id) REFERENCES destination (organization_id, id),
    CONSTRAINT destination_pattern_pbx_fkey FOREIGN KEY (organization_id, pbx_id) REFERENCES pbx (organization_id, id)
)
--sqlite: WITHOUT ROWID
;
CREATE INDEX destination_pattern_by_destination ON destination_pattern (organization_id, destination_id);

CREATE TABLE party_holder (
    organization_id BIGINT      NOT NULL,
    party_id        BIGINT      NOT NULL,
    from_at         TIMESTAMPTZ NOT NULL,           -- 1970 for always
    destination_id  BIGINT,                         -- NULL: nobody's from then on
    --sqlite: CONSTRAINT party_holder_instants CHECK (typeof(from_at) = 'integer'),
    CONSTRAINT party_holder_pkey PRIMARY KEY (organization_id, party_id, from_at),
    CONSTRAINT party_holder_party_fkey FOREIGN KEY (organization_id, party_id) REFERENCES party (organization_id, id) ON DELETE CASCADE,
    CONSTRAINT party_holder_destination_fkey FOREIGN KEY (organization_id, destination_id) REFERENCES destination (organization_id, id)
)
--sqlite: WITHOUT ROWID
;
CREATE INDEX party_holder_by_destination ON party_holder (organization_id, destination_id, party_id);

CREATE TABLE invitation_destination (
    organization_id BIGINT      NOT NULL,
    invitation_id   BIGINT      NOT NULL,
    destination_id  BIGINT      NOT NULL,
    from_at         TIMESTAMPTZ NOT NULL,           -- as in invitation_party
    until_at        TIMESTAMPTZ,
    --sqlite: CONSTRAINT invitation_destination_instants CHECK (typeof(from_at) = 'integer' AND typeof(until_at) IN ('integer', 'null')),
    CONSTRAINT invitation_destination_pkey PRIMARY KEY (organization_id, invitation_id, destination_id, from_at),
    CONSTRAINT invitation_destination_invitation_fkey FOREIGN KEY (organization_id, invitation_id) REFERENCES invitation (organization_id, id),
    CONSTRAINT invitation_destination_destination_fkey FOREIGN KEY (organization_id, destination_id) REFERENCES destination (organization_id, id)
);

CREATE TABLE membership_destination (
    organization_id BIGINT      NOT NULL,
    user_account_id BIGINT      NOT NULL,
    destination_id  BIGINT      NOT NULL,
    from_at         TIMESTAMPTZ NOT NULL,
    until_at        TIMESTAMPTZ,
    --sqlite: CONSTRAINT membership_destination_instants CHECK (typeof(from_at) = 'integer' AND typeof(until_at) IN ('integer', 'null')),
    CONSTRAINT membership_destination_pkey PRIMARY KEY (organization_id, user_account_id, destination_id, from_at),
    CONSTRAINT membership_destination_membership_fkey FOREIGN KEY (organization_id, user_account_id)
        REFERENCES membership (organization_id, user_account_id) ON DELETE CASCADE,
    CONSTRAINT membership_destination_destination_fkey FOREIGN KEY (organization_id, destination_id) REFERENCES destination (organization_id, id)
);

CREATE TABLE number (
    organization_id BIGINT      NOT NULL,
    id              BIGINT      NOT NULL,
    e164            TEXT        NOT NULL,           -- personal where it is a person's own line
    party_id        BIGINT      NOT NULL,           -- the party of this E.164
    kind            SMALLINT    NOT NULL,           -- 1 geographic, 2 mobile, 3 freephone, 4 other
    region          TEXT        NOT NULL,           -- ISO 3166
    provider        TEXT        NOT NULL,           -- who supplies it, "" if nobody said
    label           TEXT        NOT NULL,           -- what it is for: "Sales line"
    since_at        TIMESTAMPTZ,                    -- ours from then on; NULL for always
    until_at        TIMESTAMPTZ,                    -- given up then; NULL while it is ours
    version         INTEGER     NOT NULL,           -- as in destination
    created_at      TIMESTAMPTZ NOT NULL,
    created_by      BIGINT,
    CONSTRAINT number_kind CHECK (kind IN (1, 2, 3, 4)),
    --sqlite: CONSTRAINT number_instants CHECK (typeof(since_at) IN ('integer', 'null') AND typeof(until_at) IN ('integer', 'null') AND typeof(created_at) = 'integer'),
    CONSTRAINT number_pkey PRIMARY KEY (organization_id, id),
    CONSTRAINT number_e164_unique UNIQUE (organization_id, e164),
    CONSTRAINT number_organization_fkey FOREIGN KEY (organization_id) REFERENCES organization (id),
    CONSTRAINT number_party_fkey FOREIGN KEY (organization_id, party_id) REFERENCES party (organization_id, id)
);
CREATE INDEX number_by_party ON number (organization_id, party_id);

CREATE TABLE schedule (
    organization_id BIGINT      NOT NULL,
    id              BIGINT      NOT NULL,
    kind            SMALLINT    NOT NULL,           -- 1 opening hours, 2 holidays
    name            TEXT        NOT NULL,
    created_at      TIMESTAMPTZ NOT NULL,
    archived_at     TIMESTAMPTZ,
    CONSTRAINT schedule_kind CHECK (kind IN (1, 2)),
    --sqlite: CONSTRAINT schedule_instants CHECK (typeof(created_at) = 'integer' AND typeof(archived_at) IN ('integer', 'null')),
    CONSTRAINT schedule_pkey PRIMARY KEY (organization_id, id),
    CONSTRAINT schedule_organization_fkey FOREIGN KEY (organization_id) REFERENCES organization (id)
);

CREATE TABLE schedule_version (
    organization_id BIGINT      NOT NULL,
    schedule_id     BIGINT      NOT NULL,
    from_at         TIMESTAMPTZ NOT NULL,
    time_zone       TEXT        NOT NULL,           -- IANA zone of its hours and days
    content         TEXT        NOT NULL,           -- JSON: hours [[weekday 1-7, from minute, to minute], ...] or days [["2026-12-25", "Christmas Day"], ...]
    user_account_id BIGINT,                         -- who wrote it; NULL for the operator
    --sqlite: CONSTRAINT schedule_version_instants CHECK (typeof(from_at) = 'integer'),
    CONSTRAINT schedule_version_pkey PRIMARY KEY (organization_id, schedule_id, from_at),
    CONSTRAINT schedule_version_schedule_fkey FOREIGN KEY (organization_id, schedule_id) REFERENCES schedule (organization_id, id)
);

CREATE TABLE route_plan (
    organization_id BIGINT      NOT NULL,
    id              BIGINT      NOT NULL,
    number_id       BIGINT      NOT NULL,
    at              TIMESTAMPTZ NOT NULL,
    user_account_id BIGINT,                         -- who stored it; NULL for the operator
    repeats_id      BIGINT,                         -- the plan that an undo brought back
    CONSTRAINT route_plan_pkey PRIMARY KEY (organization_id, id),
    --sqlite: CONSTRAINT route_plan_instants CHECK (typeof(at) = 'integer'),
    CONSTRAINT route_plan_number_fkey FOREIGN KEY (organization_id, number_id) REFERENCES number (organization_id, id),
    CONSTRAINT route_plan_repeats_fkey FOREIGN KEY (organization_id, repeats_id) REFERENCES route_plan (organization_id, id)
);
CREATE INDEX route_plan_by_number ON route_plan (organization_id, number_id, at);

CREATE TABLE route (
    organization_id BIGINT      NOT NULL,
    route_plan_id   BIGINT      NOT NULL,
    position        INTEGER     NOT NULL,           -- 1, 2, 3, ...: the order in which they are tried
    condition       SMALLINT    NOT NULL,           -- 1 always, 2 within opening hours, 3 outside of them, 4 on holidays, 5 busy, 6 no answer, 7 unreachable
    schedule_id     BIGINT,                         -- of conditions 2 to 4
    ring_seconds    INTEGER,                        -- of condition 6: no answer after so many
    destination_id  BIGINT      NOT NULL,
    enabled         BOOLEAN     NOT NULL,
    from_at         TIMESTAMPTZ,                    -- valid from then on; NULL for always
    until_at        TIMESTAMPTZ,                    -- and no longer from then on; NULL for no end
    CONSTRAINT route_condition CHECK (condition BETWEEN 1 AND 7),
    --sqlite: CONSTRAINT route_instants CHECK (typeof(from_at) IN ('integer', 'null') AND typeof(until_at) IN ('integer', 'null')),
    CONSTRAINT route_pkey PRIMARY KEY (organization_id, route_plan_id, position),
    CONSTRAINT route_plan_fkey FOREIGN KEY (organization_id, route_plan_id) REFERENCES route_plan (organization_id, id),
    CONSTRAINT route_schedule_fkey FOREIGN KEY (organization_id, schedule_id) REFERENCES schedule (organization_id, id),
    CONSTRAINT route_destination_fkey FOREIGN KEY (organization_id, destination_id) REFERENCES destination (organization_id, id)
);
CREATE INDEX route_by_destination ON route (organization_id, destination_id);

CREATE TABLE pbx_token (
    organization_id BIGINT      NOT NULL,
    id              BIGINT      NOT NULL,
    pbx_id          BIGINT      NOT NULL,
    prefix          TEXT        NOT NULL,           -- its first letters, by which people tell tokens apart
    token_digest    BYTEA       NOT NULL,           -- SHA-256 of the token; the token itself is nowhere
    created_at      TIMESTAMPTZ NOT NULL,
    created_by      BIGINT,                         -- user_account; NULL for the operator
    last_used_at    TIMESTAMPTZ,                    -- written at most once a minute
    ends_at         TIMESTAMPTZ,                    -- revoked or rotated: opens nothing from then on
    --sqlite: CONSTRAINT pbx_token_instants CHECK (typeof(created_at) = 'integer' AND typeof(last_used_at) IN ('integer', 'null') AND typeof(ends_at) IN ('integer', 'null')),
    CONSTRAINT pbx_token_pkey PRIMARY KEY (organization_id, id),
    CONSTRAINT pbx_token_digest_unique UNIQUE (organization_id, token_digest),
    CONSTRAINT pbx_token_pbx_fkey FOREIGN KEY (organization_id, pbx_id) REFERENCES pbx (organization_id, id)
);
CREATE INDEX pbx_token_by_pbx ON pbx_token (organization_id, pbx_id, id);

CREATE TABLE route_lookup (
    organization_id BIGINT      NOT NULL,
    id              BIGINT      NOT NULL,
    pbx_id          BIGINT      NOT NULL,
    at              TIMESTAMPTZ NOT NULL,
    number_id       BIGINT,                         -- NULL: a number that is not listed
    route_plan_id   BIGINT,                         -- the plan that answered, NULL for the safe answer
    destination_id  BIGINT,                         -- where the call was sent, NULL for the safe answer
    answer          SMALLINT    NOT NULL,           -- 1 a route, 2 number not listed, 3 number without a route, 4 no route fits now
    dialled         TEXT        NOT NULL,           -- personal; what was asked about, as it came
    link_keys       BYTEA       NOT NULL,           -- of the call's id as the phone system gave it, 8 bytes each: finds its call
    --sqlite: CONSTRAINT route_lookup_instants CHECK (typeof(at) = 'integer'),
    CONSTRAINT route_lookup_answer CHECK (answer BETWEEN 1 AND 4),
    CONSTRAINT route_lookup_pkey PRIMARY KEY (organization_id, id),
    CONSTRAINT route_lookup_pbx_fkey FOREIGN KEY (organization_id, pbx_id) REFERENCES pbx (organization_id, id)
);
CREATE INDEX route_lookup_by_number ON route_lookup (organization_id, number_id, at);
CREATE INDEX route_lookup_by_pbx ON route_lookup (organization_id, pbx_id, at);

CREATE TABLE spooled_delivery (
    organization_id BIGINT      NOT NULL,
    id              BIGINT      NOT NULL,           -- in the order in which they came
    pbx_id          BIGINT      NOT NULL,
    format          TEXT        NOT NULL,           -- a key of READERS
    received_at     TIMESTAMPTZ NOT NULL,
    body            BYTEA       NOT NULL,           -- personal; as it came, unpacked
    --sqlite: CONSTRAINT spooled_delivery_instants CHECK (typeof(received_at) = 'integer'),
    CONSTRAINT spooled_delivery_pkey PRIMARY KEY (organization_id, id),
    CONSTRAINT spooled_delivery_pbx_fkey FOREIGN KEY (organization_id, pbx_id) REFERENCES pbx (organization_id, id)
);
CREATE INDEX spooled_delivery_by_pbx ON spooled_delivery (organization_id, pbx_id, id);

CREATE TABLE call_to_return (
    organization_id BIGINT      NOT NULL,
    party_id        BIGINT      NOT NULL,
    first_at        TIMESTAMPTZ NOT NULL,           -- of the tries since they last got through
    last_at         TIMESTAMPTZ NOT NULL,
    last_call_key   BIGINT      NOT NULL,
    pbx_id          BIGINT      NOT NULL,           -- of the last try
    did_id          BIGINT,                         -- own number of the last try
    tries           INTEGER     NOT NULL,
    wait_seconds    INTEGER     NOT NULL,           -- the longest that they waited, of all tries
    voicemail       BOOLEAN     NOT NULL,           -- whether one of the tries left a message
    assigned_to     BIGINT,                         -- user_account who is to call; NULL for nobody
    note            TEXT        NOT NULL,           -- personal; "" if none
    done_at         TIMESTAMPTZ,                    -- somebody said so; a later try opens it again
    done_by         BIGINT,
    --sqlite: CONSTRAINT call_to_return_instants CHECK (typeof(first_at) = 'integer' AND typeof(last_at) = 'integer' AND typeof(done_at) IN ('integer', 'null')),
    CONSTRAINT call_to_return_pkey PRIMARY KEY (organization_id, party_id),
    CONSTRAINT call_to_return_party_fkey FOREIGN KEY (organization_id, party_id) REFERENCES party (organization_id, id) ON DELETE CASCADE
);
CREATE INDEX call_to_return_by_last ON call_to_return (organization_id, last_at);

CREATE TABLE contact_import (
    organization_id BIGINT      NOT NULL,
    id              BIGINT      NOT NULL,
    stored_file_id  BIGINT,                         -- NULL once the file is deleted: stored, or thrown away
    file_name       TEXT        NOT NULL,           -- as it was called on the uploader's machine
    state           SMALLINT    NOT NULL,           -- 1 being looked at, 2 waits for a yes, 3 being stored, 4 stored, 5 thrown away, 6 failed
    line_count      BIGINT      NOT NULL,           -- of contacts; those of the pass under way
    added_count     BIGINT      NOT NULL,
    changed_count   BIGINT      NOT NULL,
    same_count      BIGINT      NOT NULL,
    refused_count   BIGINT      NOT NULL,
    refused         TEXT        NOT NULL,           -- personal; JSON: the first refused lines, each [line, reason]
    bytes_read      BIGINT      NOT NULL,           -- of the pass under way
    error           TEXT,                           -- why it failed, in a sentence
    user_account_id BIGINT,
    created_at      TIMESTAMPTZ NOT NULL,
    CONSTRAINT contact_import_state CHECK (state BETWEEN 1 AND 6),
    --sqlite: CONSTRAINT contact_import_instants CHECK (typeof(created_at) = 'integer'),
    CONSTRAINT contact_import_pkey PRIMARY KEY (organization_id, id),
    CONSTRAINT contact_import_stored_file_fkey FOREIGN KEY (organization_id, stored_file_id) REFERENCES stored_file (organization_id, id)
);

CREATE TABLE return_mail (
    organization_id BIGINT      NOT NULL,
    user_account_id BIGINT      NOT NULL,
    last_on         INTEGER,                        -- local days since 1970-01-01 of the last morning that was seen to; NULL before the first
    CONSTRAINT return_mail_pkey PRIMARY KEY (organization_id, user_account_id),
    CONSTRAINT return_mail_membership_fkey FOREIGN KEY (organization_id, user_account_id)
        REFERENCES membership (organization_id, user_account_id) ON DELETE CASCADE
);

-- Whoever called in the last 30 days and has not got through since: later the rows follow the calls (ingest/).
INSERT INTO call_to_return (organization_id, party_id, first_at, last_at, last_call_key, pbx_id, did_id, tries,
                            wait_seconds, voicemail, note)
SELECT organization_id, party_id, min(started_at), max(started_at), max(CASE WHEN place = 1 THEN call_key END),
       max(CASE WHEN place = 1 THEN pbx_id END), max(CASE WHEN place = 1 THEN did_id END), count(*),
       max(ring_seconds), max(CASE WHEN outcome = 2 THEN 1 ELSE 0 END) = 1, ''
FROM (
    SELECT told.*, row_number() OVER (PARTITION BY organization_id, party_id ORDER BY started_at DESC, call_key DESC) AS place
    FROM (
        SELECT part.organization_id, part.party_id, part.started_at, part.call_key, call.outcome, call.pbx_id,
               call.did_id, call.ring_seconds,
               max(CASE WHEN call.outcome = 1 THEN part.started_at END) OVER (PARTITION BY part.organization_id, part.party_id) AS through_at
        FROM call_party AS part
        JOIN call ON call.organization_id = part.organization_id AND call.started_at = part.started_at AND call.call_key = part.call_key
        JOIN party ON party.organization_id = part.organization_id AND party.id = part.party_id
        WHERE (call.flags & 8) = 0 AND (party.kind = 1 OR (party.kind <> 2 AND length(party.digits) >= 7))
          AND ((call.outcome = 1 AND ((part.roles & 9) <> 0 OR (call.direction = 2 AND (part.roles & 2) <> 0)))
               OR (call.direction = 1 AND call.outcome IN (2, 3, 4, 5, 6) AND (part.roles & 1) <> 0))
          --sqlite: AND part.started_at >= CAST(strftime('%s', 'now') AS INTEGER) * 1000 - 2592000000
          --postgresql: AND part.started_at >= now() - INTERVAL '30 days'
    ) AS told
    WHERE outcome <> 1 AND (through_at IS NULL OR started_at > through_at)
) AS waiting
GROUP BY organization_id, party_id;

--postgresql: DO $$
--postgresql: DECLARE tenant_table TEXT;
--postgresql: BEGIN
--postgresql:   FOREACH tenant_table IN ARRAY ARRAY[
--postgresql:     'destination', 'destination_member', 'destination_pattern', 'party_holder',
--postgresql:     'invitation_destination', 'membership_destination', 'number', 'schedule', 'schedule_version',
--postgresql:     'route_plan', 'route', 'pbx_token', 'route_lookup', 'spooled_delivery', 'call_to_return',
--postgresql:     'return_mail', 'contact_import'] LOOP
--postgresql:     EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
--postgresql:     EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tenant_table);
--postgresql:     EXECUTE format('CREATE POLICY %I ON %I USING (organization_id = nullif(current_setting(''app.organization_id'', true), '''')::bigint)
--postgresql:       WITH CHECK (organization_id = nullif(current_setting(''app.organization_id'', true), '''')::bigint)', tenant_table || '_of_organization', tenant_table);
--postgresql:   END LOOP;
--postgresql: END $$;
