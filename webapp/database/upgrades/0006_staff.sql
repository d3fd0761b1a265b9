-- The console of the operator's people: passkeys, counts, what an organization allows staff to see, and what the law
-- makes us hand out. Nobody is staff yet, and nothing is open.
ALTER TABLE user_account ADD COLUMN is_staff BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE web_session ADD COLUMN factor_ms BIGINT;
ALTER TABLE web_session ADD COLUMN is_staff BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE organization ADD COLUMN suspended_for TEXT;
ALTER TABLE organization ADD COLUMN file_limit BIGINT;
ALTER TABLE organization ADD COLUMN people_limit INTEGER;
CREATE INDEX organization_by_name ON organization (lower(name), id);

CREATE TABLE passkey (
    user_account_id BIGINT      NOT NULL,
    id              BIGINT      NOT NULL,
    credential_id   BYTEA       NOT NULL,           -- by which the browser names it
    public_key      BYTEA       NOT NULL,           -- COSE; the private half never leaves the device
    sign_count      BIGINT      NOT NULL,           -- as last shown: one that goes back is a copy, and refused
    name            TEXT        NOT NULL,           -- personal; as the person calls it: "Work laptop"
    synced          BOOLEAN     NOT NULL,           -- the device keeps a copy elsewhere, and says so
    transports      TEXT        NOT NULL,           -- JSON list, as the browser told it: "internal", "usb" ...
    created_at      TIMESTAMPTZ NOT NULL,
    last_used_at    TIMESTAMPTZ,
    --sqlite: CONSTRAINT passkey_instants CHECK (typeof(created_at) = 'integer' AND typeof(last_used_at) IN ('integer', 'null')),
    CONSTRAINT passkey_pkey PRIMARY KEY (user_account_id, id),
    CONSTRAINT passkey_credential_unique UNIQUE (credential_id),
    CONSTRAINT passkey_user_account_fkey FOREIGN KEY (user_account_id) REFERENCES user_account (id) ON DELETE CASCADE
);

CREATE TABLE passkey_challenge (
    challenge_digest BYTEA      NOT NULL,           -- SHA-256 of the challenge
    purpose         SMALLINT    NOT NULL,           -- 1 a new passkey, 2 sign in, 3 prove who is there
    browser_digest  BYTEA       NOT NULL,           -- SHA-256 of the session id in the browser's cookie
    user_account_id BIGINT,                         -- whose it is to be; NULL where anybody may sign in by it
    expires_at      TIMESTAMPTZ NOT NULL,
    CONSTRAINT passkey_challenge_purpose CHECK (purpose IN (1, 2, 3)),
    --sqlite: CONSTRAINT passkey_challenge_instants CHECK (typeof(expires_at) = 'integer'),
    CONSTRAINT passkey_challenge_pkey PRIMARY KEY (challenge_digest),
    CONSTRAINT passkey_challenge_user_account_fkey FOREIGN KEY (user_account_id) REFERENCES user_account (id) ON DELETE CASCADE
);

CREATE TABLE help_code (
    user_account_id BIGINT      NOT NULL,
    organization_id BIGINT      NOT NULL,           -- whose owner asks
    code_digest     BYTEA       NOT NULL,           -- keyed digest
    expires_at      TIMESTAMPTZ NOT NULL,
    used_at         TIMESTAMPTZ,
    used_by         BIGINT,                         -- staff
    --sqlite: CONSTRAINT help_code_instants CHECK (typeof(expires_at) = 'integer' AND typeof(used_at) IN ('integer', 'null')),
    CONSTRAINT help_code_pkey PRIMARY KEY (user_account_id),
    CONSTRAINT help_code_user_account_fkey FOREIGN KEY (user_account_id) REFERENCES user_account (id) ON DELETE CASCADE
);
CREATE INDEX help_code_by_code ON help_code (code_digest);

CREATE TABLE factor_removal (
    id              BIGINT      NOT NULL,
    user_account_id BIGINT      NOT NULL,
    state           SMALLINT    NOT NULL,           -- 1 waits, 2 done, 3 stopped
    started_by      BIGINT,                         -- staff, where no other owner can confirm; NULL: the person asked
    reason          TEXT        NOT NULL,           -- of staff; "" where the person asked
    stop_digest     BYTEA       NOT NULL,           -- SHA-256 of the token in "this was not me"
    created_at      TIMESTAMPTZ NOT NULL,
    ready_at        TIMESTAMPTZ,                    -- of one that staff started: not before; NULL: once all have confirmed
    ended_at        TIMESTAMPTZ,
    CONSTRAINT factor_removal_state CHECK (state IN (1, 2, 3)),
    --sqlite: CONSTRAINT factor_removal_instants CHECK (typeof(created_at) = 'integer' AND typeof(ready_at) IN ('integer', 'null') AND typeof(ended_at) IN ('integer', 'null')),
    CONSTRAINT factor_removal_pkey PRIMARY KEY (id),
    CONSTRAINT factor_removal_user_account_fkey FOREIGN KEY (user_account_id) REFERENCES user_account (id) ON DELETE CASCADE
);
CREATE INDEX factor_removal_by_person ON factor_removal (user_account_id, state);

CREATE TABLE organization_usage (
    counted_at      TIMESTAMPTZ NOT NULL,
    organization_id BIGINT      NOT NULL,
    owners          TEXT        NOT NULL,           -- personal; addresses of its owners, one a line
    people          INTEGER     NOT NULL,
    calls           BIGINT      NOT NULL,           -- stored
    recent_calls    BIGINT      NOT NULL,           -- of the last 30 days
    file_bytes      BIGINT      NOT NULL,           -- of files kept, as stored
    waiting_bytes   BIGINT      NOT NULL,           -- brought by phone systems and not stored yet
    sources         INTEGER     NOT NULL,           -- open phone systems
    silent_sources  INTEGER     NOT NULL,           -- of them: nothing for longer than usual
    failing_sources INTEGER     NOT NULL,           -- of them: with a failure in the last seven days
    openings        INTEGER     NOT NULL,           -- times that staff looked in, in the last 30 days
    last_call_day   INTEGER,                        -- days since 1970-01-01, of its time zone
    last_sign_in_day INTEGER,                       -- on which somebody used it last; days since 1970-01-01, UTC
    --sqlite: CONSTRAINT organization_usage_instants CHECK (typeof(counted_at) = 'integer'),
    CONSTRAINT organization_usage_pkey PRIMARY KEY (organization_id),
    CONSTRAINT organization_usage_organization_fkey FOREIGN KEY (organization_id) REFERENCES organization (id)
);
CREATE INDEX organization_usage_by_calls ON organization_usage (calls, organization_id);
CREATE INDEX organization_usage_by_bytes ON organization_usage (file_bytes, organization_id);
CREATE INDEX organization_usage_by_failing ON organization_usage (failing_sources, organization_id);
CREATE INDEX organization_usage_by_sign_in ON organization_usage (coalesce(last_sign_in_day, 0), organization_id);
INSERT INTO organization_usage
  (counted_at, organization_id, owners, people, calls, recent_calls, file_bytes, waiting_bytes, sources,
   silent_sources, failing_sources, openings)
  SELECT created_at, id, '', 0, 0, 0, 0, 0, 0, 0, 0, 0 FROM organization;

CREATE TABLE source_failure (
    day             INTEGER     NOT NULL,           -- days since 1970-01-01, UTC
    organization_id BIGINT      NOT NULL,
    pbx_id          BIGINT      NOT NULL,
    kind            TEXT        NOT NULL,           -- "import", "push" ...
    error_class     TEXT        NOT NULL,           -- never the words, a line or a file's name
    failures        INTEGER     NOT NULL,           -- on that day
    last_at         TIMESTAMPTZ NOT NULL,
    --sqlite: CONSTRAINT source_failure_instants CHECK (typeof(last_at) = 'integer'),
    CONSTRAINT source_failure_pkey PRIMARY KEY (day, organization_id, pbx_id, kind, error_class)
);

CREATE TABLE feature_use (
    day             INTEGER NOT NULL,               -- days since 1970-01-01, UTC
    organization_id BIGINT  NOT NULL,
    feature         TEXT    NOT NULL,               -- the name of a blueprint
    uses            BIGINT  NOT NULL,
    CONSTRAINT feature_use_pkey PRIMARY KEY (day, organization_id, feature)
)
--sqlite: WITHOUT ROWID
;

CREATE TABLE limited_network (
    day       INTEGER     NOT NULL,                 -- days since 1970-01-01, UTC
    network   TEXT        NOT NULL,                 -- personal; an IPv4 address or the /64 of an IPv6 one
    limit_name TEXT       NOT NULL,
    refusals  INTEGER     NOT NULL,
    last_at   TIMESTAMPTZ NOT NULL,
    --sqlite: CONSTRAINT limited_network_instants CHECK (typeof(last_at) = 'integer'),
    CONSTRAINT limited_network_pkey PRIMARY KEY (day, network, limit_name)
);

CREATE TABLE service_notice (
    id         BIGINT      NOT NULL,
    words      TEXT        NOT NULL,
    starts_at  TIMESTAMPTZ NOT NULL,
    ends_at    TIMESTAMPTZ NOT NULL,
    created_by BIGINT      NOT NULL,                -- staff
    created_at TIMESTAMPTZ NOT NULL,
    --sqlite: CONSTRAINT service_notice_instants CHECK (typeof(starts_at) = 'integer' AND typeof(ends_at) = 'integer' AND typeof(created_at) = 'integer'),
    CONSTRAINT service_notice_pkey PRIMARY KEY (id)
);

CREATE TABLE access_request (
    organization_id BIGINT      NOT NULL,
    id              BIGINT      NOT NULL,
    staff_id        BIGINT,                         -- user_account who asks; NULL: an owner invites whoever helps
    areas           SMALLINT    NOT NULL,           -- bits: 1 call log, 2 destinations, 4 sources and raw lines, 8 people
    full_numbers    BOOLEAN     NOT NULL,           -- else masked
    may_download    BOOLEAN     NOT NULL,
    hours           INTEGER     NOT NULL,           -- how long
    ticket          TEXT        NOT NULL,           -- "" if none
    reason          TEXT        NOT NULL,
    state           SMALLINT    NOT NULL,           -- 1 waits, 2 allowed, 3 refused, 4 nobody answered, 5 taken back
    created_at      TIMESTAMPTZ NOT NULL,
    expires_at      TIMESTAMPTZ NOT NULL,           -- no answer by then is a refusal
    answered_at     TIMESTAMPTZ,
    answered_by     BIGINT,                         -- user_account of an owner
    CONSTRAINT access_request_areas CHECK (areas BETWEEN 1 AND 15),
    CONSTRAINT access_request_hours CHECK (hours BETWEEN 1 AND 72),
    CONSTRAINT access_request_state CHECK (state BETWEEN 1 AND 5),
    --sqlite: CONSTRAINT access_request_instants CHECK (typeof(created_at) = 'integer' AND typeof(expires_at) = 'integer' AND typeof(answered_at) IN ('integer', 'null')),
    CONSTRAINT access_request_pkey PRIMARY KEY (organization_id, id),
    CONSTRAINT access_request_organization_fkey FOREIGN KEY (organization_id) REFERENCES organization (id)
);

CREATE TABLE access_grant (
    organization_id BIGINT      NOT NULL,
    id              BIGINT      NOT NULL,
    request_id      BIGINT      NOT NULL,
    staff_id        BIGINT,                         -- the one person; NULL: whoever of staff opens it
    areas           SMALLINT    NOT NULL,           -- as in access_request, and never more than it
    full_numbers    BOOLEAN     NOT NULL,
    may_download    BOOLEAN     NOT NULL,
    starts_at       TIMESTAMPTZ NOT NULL,
    ends_at         TIMESTAMPTZ NOT NULL,
    allowed_by      BIGINT      NOT NULL,           -- user_account of an owner
    created_at      TIMESTAMPTZ NOT NULL,
    ended_at        TIMESTAMPTZ,                    -- by an owner, before its time
    ended_by        BIGINT,
    CONSTRAINT access_grant_areas CHECK (areas BETWEEN 1 AND 15),
    --sqlite: CONSTRAINT access_grant_instants CHECK (typeof(starts_at) = 'integer' AND typeof(ends_at) = 'integer' AND typeof(created_at) = 'integer' AND typeof(ended_at) IN ('integer', 'null')),
    CONSTRAINT access_grant_pkey PRIMARY KEY (organization_id, id),
    CONSTRAINT access_grant_request_fkey FOREIGN KEY (organization_id, request_id) REFERENCES access_request (organization_id, id)
);

CREATE TABLE access_opening (
    organization_id BIGINT      NOT NULL,
    id              BIGINT      NOT NULL,
    grant_id        BIGINT      NOT NULL,
    staff_id        BIGINT      NOT NULL,
    web_session_id  BIGINT      NOT NULL,           -- the browser; web_session goes sooner
    opened_at       TIMESTAMPTZ NOT NULL,
    until_at        TIMESTAMPTZ NOT NULL,
    ended_at        TIMESTAMPTZ,                    -- by staff, by an owner, or with the session
    --sqlite: CONSTRAINT access_opening_instants CHECK (typeof(opened_at) = 'integer' AND typeof(until_at) = 'integer' AND typeof(ended_at) IN ('integer', 'null')),
    CONSTRAINT access_opening_pkey PRIMARY KEY (organization_id, id),
    CONSTRAINT access_opening_grant_fkey FOREIGN KEY (organization_id, grant_id) REFERENCES access_grant (organization_id, id)
);
CREATE INDEX access_opening_by_staff ON access_opening (organization_id, staff_id, until_at);

CREATE TABLE disclosure (
    organization_id BIGINT      NOT NULL,
    id              BIGINT      NOT NULL,
    legal_basis     TEXT        NOT NULL,
    authority       TEXT        NOT NULL,
    scope           TEXT        NOT NULL,           -- personal; in words
    areas           SMALLINT    NOT NULL,           -- as in access_request
    from_at         TIMESTAMPTZ,                    -- calls that start in from_at <= instant < until_at; NULL for all
    until_at        TIMESTAMPTZ,
    state           SMALLINT    NOT NULL,           -- 1 waits for the second, 2 agreed, 3 produced, 4 taken back, 5 failed
    asked_by        BIGINT      NOT NULL,           -- staff
    asked_at        TIMESTAMPTZ NOT NULL,
    agreed_by       BIGINT,                         -- other staff; NULL: the operator alone, after 24 hours
    agreed_at       TIMESTAMPTZ,
    produced_at     TIMESTAMPTZ,
    manifest_digest BYTEA,                          -- SHA-256 of the archive's manifest
    row_count       BIGINT,                         -- in all files of the archive
    gag             TEXT        NOT NULL,           -- by whose order we may not tell yet; "" if none
    gag_until       TIMESTAMPTZ,
    told_at         TIMESTAMPTZ,                    -- when the organization was told; NULL: it was not
    CONSTRAINT disclosure_areas CHECK (areas BETWEEN 1 AND 15),
    CONSTRAINT disclosure_state CHECK (state BETWEEN 1 AND 5),
    --sqlite: CONSTRAINT disclosure_instants CHECK (typeof(asked_at) = 'integer' AND typeof(from_at) IN ('integer', 'null') AND typeof(until_at) IN ('integer', 'null') AND typeof(agreed_at) IN ('integer', 'null') AND typeof(produced_at) IN ('integer', 'null') AND typeof(gag_until) IN ('integer', 'null') AND typeof(told_at) IN ('integer', 'null')),
    CONSTRAINT disclosure_pkey PRIMARY KEY (organization_id, id),
    CONSTRAINT disclosure_organization_fkey FOREIGN KEY (organization_id) REFERENCES organization (id)
);

CREATE TABLE disclosure_chunk (
    organization_id BIGINT  NOT NULL,
    disclosure_id   BIGINT  NOT NULL,
    position        INTEGER NOT NULL,               -- 0, 1, 2, ...
    content         BYTEA   NOT NULL,               -- personal; encrypted under a key that was shown once
    CONSTRAINT disclosure_chunk_pkey PRIMARY KEY (organization_id, disclosure_id, position),
    CONSTRAINT disclosure_chunk_disclosure_fkey FOREIGN KEY (organization_id, disclosure_id) REFERENCES disclosure (organization_id, id)
);

CREATE TABLE factor_consent (
    organization_id BIGINT      NOT NULL,
    removal_id      BIGINT      NOT NULL,           -- factor_removal
    confirmed_by    BIGINT,                         -- user_account of an owner; NULL: nobody yet
    confirmed_at    TIMESTAMPTZ,
    --sqlite: CONSTRAINT factor_consent_instants CHECK (typeof(confirmed_at) IN ('integer', 'null')),
    CONSTRAINT factor_consent_pkey PRIMARY KEY (organization_id, removal_id),
    CONSTRAINT factor_consent_removal_fkey FOREIGN KEY (removal_id) REFERENCES factor_removal (id) ON DELETE CASCADE
);

--postgresql: CREATE FUNCTION staff_may_read(area INTEGER) RETURNS BOOLEAN LANGUAGE sql STABLE SECURITY DEFINER
--postgresql: SET search_path FROM CURRENT AS $$
--postgresql:   SELECT EXISTS (
--postgresql:     SELECT 1 FROM access_opening AS opening
--postgresql:     JOIN access_grant AS allowed
--postgresql:       ON allowed.organization_id = opening.organization_id AND allowed.id = opening.grant_id
--postgresql:     WHERE opening.organization_id = nullif(current_setting('app.organization_id', true), '')::bigint
--postgresql:       AND allowed.organization_id = nullif(current_setting('app.organization_id', true), '')::bigint
--postgresql:       AND opening.staff_id = nullif(current_setting('app.staff_id', true), '')::bigint
--postgresql:       AND opening.ended_at IS NULL AND opening.opened_at <= now() AND opening.until_at > now()
--postgresql:       AND allowed.ended_at IS NULL AND allowed.starts_at <= now() AND allowed.ends_at > now()
--postgresql:       AND (allowed.areas & area) <> 0)
--postgresql: $$;

--postgresql: DO $$
--postgresql: DECLARE tenant_table TEXT;
--postgresql: BEGIN
--postgresql:   FOREACH tenant_table IN ARRAY ARRAY[
--postgresql:     'access_request', 'access_grant', 'access_opening', 'disclosure', 'disclosure_chunk', 'factor_consent'] LOOP
--postgresql:     EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
--postgresql:     EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tenant_table);
--postgresql:     EXECUTE format('CREATE POLICY %I ON %I USING (organization_id = nullif(current_setting(''app.organization_id'', true), '''')::bigint)
--postgresql:       WITH CHECK (organization_id = nullif(current_setting(''app.organization_id'', true), '''')::bigint)', tenant_table || '_of_organization', tenant_table);
--postgresql:   END LOOP;
--postgresql: END $$;

--postgresql: ALTER TABLE user_account ENABLE ROW LEVEL SECURITY;
--postgresql: ALTER TABLE user_account FORCE ROW LEVEL SECURITY;
--postgresql: CREATE POLICY user_account_of_all ON user_account USING (true) WITH CHECK (true);
