-- Callbook's database: the truth about every table.
--
-- Runs as it stands in sqlite3 and in psql. A line that begins with "--sqlite:" or "--postgresql:" is a comment to
-- those tools and a statement to webapp/database/schema.py, which creates the database for the engine at hand.
--
-- Rules that hold everywhere (tests/house/test_schema.py reads them off this file):
-- * A tenant table begins with organization_id, and so does its primary key, each unique constraint and each foreign
--   key to another tenant table: the database itself refuses a reference across organizations.
-- * Ids are made by the application: 63 bits, ordered by time. No sequences.
-- * Instants are TIMESTAMPTZ in PostgreSQL and integer milliseconds since 1970 (UTC) in SQLite.
-- * Durations are whole seconds. Closed lists are small integers; the view call_log spells them out.
-- * "personal" marks columns that hold personal data.

-- ---------------------------------------------------------------------------------------------------- global tables

-- One row: what this database is. Written by init-db and upgrade-db, read at every start.
CREATE TABLE installation (
    id             INTEGER     NOT NULL,            -- always 1
    schema_version INTEGER     NOT NULL,            -- number of the newest file in webapp/database/upgrades
    holds_demo     BOOLEAN     NOT NULL,            -- made by `make run`; `make serve` refuses such a database
    number_key_check BYTEA     NOT NULL,            -- keyed digest of a constant: a wrong NUMBER_KEY is refused at start
    created_at     TIMESTAMPTZ NOT NULL,
    CONSTRAINT installation_one_row CHECK (id = 1),
    --sqlite: CONSTRAINT installation_instants CHECK (typeof(created_at) = 'integer'),
    CONSTRAINT installation_pkey PRIMARY KEY (id)
);

-- One applied upgrade file. Written by upgrade-db, kept for ever.
CREATE TABLE schema_upgrade (
    version    INTEGER     NOT NULL,
    name       TEXT        NOT NULL,                -- file name without its ending
    checksum   TEXT        NOT NULL,                -- SHA-256 of the file, hex
    applied_at TIMESTAMPTZ NOT NULL,
    --sqlite: CONSTRAINT schema_upgrade_instants CHECK (typeof(applied_at) = 'integer'),
    CONSTRAINT schema_upgrade_pkey PRIMARY KEY (version)
);

-- A customer. Written by commands and by its owners; lives until the customer leaves.
CREATE TABLE organization (
    id         BIGINT      NOT NULL,
    slug       TEXT        NOT NULL,                -- in addresses: /o/<slug>/
    name       TEXT        NOT NULL,
    time_zone  TEXT        NOT NULL,                -- IANA name; days and hours on every page are of this zone
    region     TEXT        NOT NULL,                -- ISO 3166 country, the default of its phone systems
    state      SMALLINT    NOT NULL,                -- 1 open, 2 suspended, 3 closed
    keeps_from TIMESTAMPTZ,                         -- retention watermark: records that start before it are refused
    contact    TEXT        NOT NULL,                -- personal; whom a stranger may ask, as its owners wrote it; "" if nobody
    idle_minutes INTEGER   NOT NULL,                -- how long a quiet screen of its people stays signed in
    second_factor_required BOOLEAN NOT NULL,        -- nobody gets in by a password alone
    created_at TIMESTAMPTZ NOT NULL,
    next_time_zone TEXT,                            -- chosen by an owner: a job moves the days, and with them time_zone, to it
    moved_party_id BIGINT,                          -- how far party_total has followed time_zone, in the order of call_party:
    moved_ms   BIGINT,                              -- to this party's calls of this instant; both NULL once all of it has
    suspended_for TEXT,                             -- why its people wait, as they read it; NULL while it is open
    file_limit BIGINT,                              -- bytes of files that it may keep; NULL: as everybody
    people_limit INTEGER,                           -- members and open invitations; NULL: as many as it likes
    keep_calls_days INTEGER,                        -- how long calls and their records are kept; NULL: for as long as it stays
    keep_audit_days INTEGER,                        -- the same of the audit
    keep_files_days INTEGER,                        -- the same of files that were imported
    keep_exports_days INTEGER     NOT NULL DEFAULT 7, -- how long a takeout can be fetched
    closing_ms BIGINT,                              -- when an owner closed it, ms since 1970; NULL while it stays
    closing_by BIGINT,                              -- user_account of that owner
    CONSTRAINT organization_state CHECK (state IN (1, 2, 3)),
    CONSTRAINT organization_idle_minutes CHECK (idle_minutes BETWEEN 5 AND 720),
    --sqlite: CONSTRAINT organization_instants CHECK (typeof(created_at) = 'integer' AND typeof(keeps_from) IN ('integer', 'null')),
    CONSTRAINT organization_pkey PRIMARY KEY (id),
    CONSTRAINT organization_slug_unique UNIQUE (slug)
);
CREATE INDEX organization_by_name ON organization (lower(name), id);

-- A person who can sign in. Written by commands and by the person; lives until they leave, or 90 days without a
-- membership.
CREATE TABLE user_account (
    id              BIGINT      NOT NULL,
    email           TEXT        NOT NULL,           -- personal; lower case: the primary one of its rows in user_email
    name            TEXT        NOT NULL,           -- personal; as the person wants to be called, "" until told
    password_digest TEXT        NOT NULL,           -- argon2id, with its parameters
    totp_secret     BYTEA,                          -- of the authenticator app, sealed (sealing.py); NULL without one
    totp_last_step  BIGINT      NOT NULL,           -- the 30 seconds of the last code taken: none is taken twice
    state           SMALLINT    NOT NULL,           -- 1 active, 2 disabled
    created_at      TIMESTAMPTZ NOT NULL,
    password_set_at TIMESTAMPTZ NOT NULL,
    alone_since     TIMESTAMPTZ,                    -- without any membership since then; NULL while there is one
    is_staff        BOOLEAN     NOT NULL DEFAULT FALSE, -- of the operator's people, with the console and no organization
    CONSTRAINT user_account_state CHECK (state IN (1, 2)),
    --sqlite: CONSTRAINT user_account_instants CHECK (typeof(created_at) = 'integer' AND typeof(password_set_at) = 'integer' AND typeof(alone_since) IN ('integer', 'null')),
    CONSTRAINT user_account_pkey PRIMARY KEY (id),
    CONSTRAINT user_account_email_unique UNIQUE (email)
);

-- A confirmed address of a person: signs in, and fits an invitation to it. Written by accounts/.
CREATE TABLE user_email (
    email           TEXT        NOT NULL,           -- personal; lower case
    user_account_id BIGINT      NOT NULL,
    confirmed_at    TIMESTAMPTZ NOT NULL,
    --sqlite: CONSTRAINT user_email_instants CHECK (typeof(confirmed_at) = 'integer'),
    CONSTRAINT user_email_pkey PRIMARY KEY (email),
    CONSTRAINT user_email_user_account_fkey FOREIGN KEY (user_account_id) REFERENCES user_account (id) ON DELETE CASCADE
);
CREATE INDEX user_email_by_person ON user_email (user_account_id);

-- A recovery code: signs in once in place of the authenticator app. Written by accounts/; ten at a time.
CREATE TABLE recovery_code (
    user_account_id BIGINT      NOT NULL,
    code_digest     BYTEA       NOT NULL,           -- keyed digest; the code itself is nowhere
    used_at         TIMESTAMPTZ,
    --sqlite: CONSTRAINT recovery_code_instants CHECK (typeof(used_at) IN ('integer', 'null')),
    CONSTRAINT recovery_code_pkey PRIMARY KEY (user_account_id, code_digest),
    CONSTRAINT recovery_code_user_account_fkey FOREIGN KEY (user_account_id) REFERENCES user_account (id) ON DELETE CASCADE
);

-- A link that was mailed to a person: forgotten password, or an address to confirm. Single use; swept a day after.
CREATE TABLE account_link (
    token_digest    BYTEA       NOT NULL,           -- SHA-256 of the token in the link; the token itself is nowhere
    user_account_id BIGINT      NOT NULL,
    kind            SMALLINT    NOT NULL,           -- 1 new password, 2 confirm an address
    email           TEXT        NOT NULL,           -- personal; the address it went to
    created_at      TIMESTAMPTZ NOT NULL,
    expires_at      TIMESTAMPTZ NOT NULL,
    used_at         TIMESTAMPTZ,
    CONSTRAINT account_link_kind CHECK (kind IN (1, 2)),
    --sqlite: CONSTRAINT account_link_instants CHECK (typeof(created_at) = 'integer' AND typeof(expires_at) = 'integer' AND typeof(used_at) IN ('integer', 'null')),
    CONSTRAINT account_link_pkey PRIMARY KEY (token_digest),
    CONSTRAINT account_link_user_account_fkey FOREIGN KEY (user_account_id) REFERENCES user_account (id) ON DELETE CASCADE
);
CREATE INDEX account_link_by_person ON account_link (user_account_id);

-- What happened to a person's own account: sign-ins, passwords, codes. Written by accounts/; the last 50 are shown.
CREATE TABLE account_event (
    user_account_id BIGINT      NOT NULL,
    id              BIGINT      NOT NULL,
    kind            TEXT        NOT NULL,           -- a key of accounts/account_events.py
    at              TIMESTAMPTZ NOT NULL,
    network         TEXT        NOT NULL,           -- personal; an IPv4 address or the /64 of an IPv6 one
    browser         TEXT        NOT NULL,           -- "Firefox on Linux", told from the user agent
    --sqlite: CONSTRAINT account_event_instants CHECK (typeof(at) = 'integer'),
    CONSTRAINT account_event_pkey PRIMARY KEY (user_account_id, id),
    CONSTRAINT account_event_user_account_fkey FOREIGN KEY (user_account_id) REFERENCES user_account (id) ON DELETE CASCADE
);

-- A browser that is signed in or on its way. Written by accounts/web_sessions.py alone; gone at sign-out and when it
-- has run out. Nobody has a row who has given neither a right password nor the link of an invitation.
CREATE TABLE web_session (
    id_digest       BYTEA       NOT NULL,           -- SHA-256 of the id in the cookie; the id itself is nowhere
    id              BIGINT      NOT NULL,           -- by which the Security page names it
    user_account_id BIGINT,                         -- NULL for somebody who holds an invitation and is not known yet
    state           SMALLINT    NOT NULL,           -- 1 on its way: further steps are to be passed, 2 signed in
    created_at      TIMESTAMPTZ NOT NULL,           -- also the instant of the sign-in
    last_seen_at    TIMESTAMPTZ NOT NULL,           -- written at most once a minute
    proved_at       TIMESTAMPTZ,                    -- when the person last proved who they are, for dangerous pages
    idle_minutes    INTEGER     NOT NULL,           -- how long it may be quiet: the shortest of the person's organizations
    network         TEXT        NOT NULL,           -- personal; as in account_event
    browser         TEXT        NOT NULL,
    payload         TEXT        NOT NULL,           -- JSON: messages for the next page, steps passed, the invitation held
    renewal_due     BOOLEAN     NOT NULL DEFAULT FALSE, -- the person's rights were changed: the next request gets a new id
    factor_ms       BIGINT,                         -- when a passkey or a code was last shown in it, ms since 1970; NULL: never
    is_staff        BOOLEAN     NOT NULL DEFAULT FALSE, -- runs out as the sessions of staff do
    CONSTRAINT web_session_state CHECK (state IN (1, 2)),
    --sqlite: CONSTRAINT web_session_instants CHECK (typeof(created_at) = 'integer' AND typeof(last_seen_at) = 'integer' AND typeof(proved_at) IN ('integer', 'null')),
    CONSTRAINT web_session_pkey PRIMARY KEY (id_digest),
    CONSTRAINT web_session_id_unique UNIQUE (id),
    CONSTRAINT web_session_user_account_fkey FOREIGN KEY (user_account_id) REFERENCES user_account (id) ON DELETE CASCADE
);
CREATE INDEX web_session_by_person ON web_session (user_account_id);

-- How much of a limit is used up (GCRA). Written by rate_limits.py; rows in the past are swept.
CREATE TABLE throttle (
    throttle_key BYTEA  NOT NULL,                   -- keyed digest of what is limited: no address stands here
    arrival_ms   BIGINT NOT NULL,                   -- theoretical arrival time, milliseconds since 1970
    CONSTRAINT throttle_pkey PRIMARY KEY (throttle_key)
);

-- Background work. Written by whoever needs it in the transaction that needs it; kept 30 days once ended.
CREATE TABLE job (
    id              BIGINT      NOT NULL,
    kind            TEXT        NOT NULL,           -- "<feature>.<verb>"
    organization_id BIGINT,                         -- whose work it is; NULL for the service's own
    payload         TEXT        NOT NULL,           -- JSON of ids; never call data or an address
    state           SMALLINT    NOT NULL,           -- 1 waiting, 2 running, 3 done, 4 dead
    run_at          TIMESTAMPTZ NOT NULL,           -- not before
    attempts        INTEGER     NOT NULL,
    lease_owner     TEXT,                           -- worker that holds it
    lease_until     TIMESTAMPTZ,                    -- after this another worker takes it over
    error_class     TEXT,                           -- class of the last exception, never its text
    created_at      TIMESTAMPTZ NOT NULL,
    ended_at        TIMESTAMPTZ,
    CONSTRAINT job_state CHECK (state IN (1, 2, 3, 4)),
    --sqlite: CONSTRAINT job_instants CHECK (typeof(run_at) = 'integer' AND typeof(created_at) = 'integer' AND typeof(lease_until) IN ('integer', 'null') AND typeof(ended_at) IN ('integer', 'null')),
    CONSTRAINT job_pkey PRIMARY KEY (id)
);
CREATE INDEX job_due ON job (state, run_at);

-- A worker that is alive, so that `flask check` can say so. One row a worker, swept when a day old.
CREATE TABLE worker (
    name    TEXT        NOT NULL,                   -- host, process and thread
    seen_at TIMESTAMPTZ NOT NULL,
    --sqlite: CONSTRAINT worker_instants CHECK (typeof(seen_at) = 'integer'),
    CONSTRAINT worker_pkey PRIMARY KEY (name)
);

-- A mail that waits to go, or went. Written with its cause, in the same transaction, by outbox/actions.py; sent by the
-- worker. Kept 30 days once handed over, without its secret.
CREATE TABLE outbox_message (
    id              BIGINT      NOT NULL,
    organization_id BIGINT,                         -- whose matter it is about; NULL for a person's own
    cause           TEXT        NOT NULL,           -- what it is sent for, and to whom: the same cause is mailed once
    template        TEXT        NOT NULL,           -- of templates/emails/
    to_address      TEXT        NOT NULL,           -- personal
    words           TEXT        NOT NULL,           -- personal; JSON: what the template needs, but for the secret
    secret          BYTEA,                          -- the token of a link, sealed (sealing.py); wiped once handed over
    message_id      TEXT        NOT NULL,           -- Message-ID, fixed when queued: a repeat can be recognised
    state           SMALLINT    NOT NULL,           -- 1 waiting, 2 being sent, 3 handed over, 4 refused for good
    due_at          TIMESTAMPTZ NOT NULL,           -- not before
    attempts        INTEGER     NOT NULL,
    lease_owner     TEXT,                           -- worker that sends it
    lease_until     TIMESTAMPTZ,
    error           TEXT,                           -- why it was not taken: class or SMTP code, no address
    created_at      TIMESTAMPTZ NOT NULL,
    ended_at        TIMESTAMPTZ,
    CONSTRAINT outbox_message_state CHECK (state IN (1, 2, 3, 4)),
    --sqlite: CONSTRAINT outbox_message_instants CHECK (typeof(due_at) = 'integer' AND typeof(created_at) = 'integer' AND typeof(lease_until) IN ('integer', 'null') AND typeof(ended_at) IN ('integer', 'null')),
    CONSTRAINT outbox_message_pkey PRIMARY KEY (id),
    CONSTRAINT outbox_message_cause_unique UNIQUE (cause)
);
CREATE INDEX outbox_message_due ON outbox_message (state, due_at);

-- A passkey of a person: signs in without a password. Written by accounts/; goes with the person, or when they take it away.
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

-- A question that a passkey is to answer: single use, five minutes, from the browser that asked. Written by accounts/.
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

-- Eight digits by which a person tells our staff on the telephone who they are. One at a time, for 15 minutes, once.
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

-- A person lost every second factor: others let them in again by the password, in steps that each are mailed. Written by
-- accounts/ and staff/; kept a year.
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

-- What the console shows of an organization: counts, and whom to write to. Made with the organization, with counted_at its
-- created_at until it is counted for the first time; counted anew by the hour by staff/.
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

-- What went wrong with a phone system's files or pushes, by kind: class and number only. Written by staff/; kept 7 days.
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

-- How often a feature was used in an organization on a day, for one purpose: to improve the service. Kept 400 days.
CREATE TABLE feature_use (
    day             INTEGER NOT NULL,               -- days since 1970-01-01, UTC
    organization_id BIGINT  NOT NULL,
    feature         TEXT    NOT NULL,               -- the name of a blueprint
    uses            BIGINT  NOT NULL,
    CONSTRAINT feature_use_pkey PRIMARY KEY (day, organization_id, feature)
)
--sqlite: WITHOUT ROWID
;

-- A network that a limit turned away, so that staff see attacks and complaints. Told by rate_limits.py, written by
-- tallies.py; kept 7 days.
CREATE TABLE limited_network (
    day       INTEGER     NOT NULL,                 -- days since 1970-01-01, UTC
    network   TEXT        NOT NULL,                 -- personal; an IPv4 address or the /64 of an IPv6 one
    limit_name TEXT       NOT NULL,
    refusals  INTEGER     NOT NULL,
    last_at   TIMESTAMPTZ NOT NULL,
    --sqlite: CONSTRAINT limited_network_instants CHECK (typeof(last_at) = 'integer'),
    CONSTRAINT limited_network_pkey PRIMARY KEY (day, network, limit_name)
);

-- Words that staff put up on every page: maintenance. Written by staff/; kept a year.
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

-- A policy as it was published: text and values frozen together. Written by policies/publishing.py; never changed, kept for
-- ever. The first one is published by the operator, before that /privacy shows the draft and says so.
CREATE TABLE policy_version (
    policy        SMALLINT    NOT NULL,             -- 1 privacy, 2 security
    version       INTEGER     NOT NULL,             -- 1, 2, 3, ...
    published_at  TIMESTAMPTZ NOT NULL,
    effective_at  TIMESTAMPTZ NOT NULL,             -- in force from then on, until the next one is
    significant   BOOLEAN     NOT NULL,             -- everybody is told before it takes effect
    summary       TEXT        NOT NULL,             -- what changes, in plain words
    body          TEXT        NOT NULL,             -- Markdown with its front matter, as it came with the code
    frozen_values TEXT        NOT NULL,             -- JSON: the operator's names, law, partners, regions and contact
    digest        BYTEA       NOT NULL,             -- SHA-256 of body and values; in the chain of organization 0 too
    published_by  BIGINT,                           -- staff; NULL: by command
    CONSTRAINT policy_version_policy CHECK (policy IN (1, 2)),
    CONSTRAINT policy_version_version CHECK (version >= 1),
    --sqlite: CONSTRAINT policy_version_instants CHECK (typeof(published_at) = 'integer' AND typeof(effective_at) = 'integer'),
    CONSTRAINT policy_version_pkey PRIMARY KEY (policy, version)
);
--sqlite: CREATE TRIGGER policy_version_stays BEFORE UPDATE ON policy_version BEGIN
--sqlite:   SELECT RAISE(ABORT, 'a published policy is never changed');
--sqlite: END;
--sqlite: CREATE TRIGGER policy_version_is_kept BEFORE DELETE ON policy_version BEGIN
--sqlite:   SELECT RAISE(ABORT, 'a published policy is never changed');
--sqlite: END;
--sqlite: CREATE TRIGGER policy_version_is_not_replaced BEFORE INSERT ON policy_version
--sqlite: WHEN EXISTS (SELECT 1 FROM policy_version WHERE policy = NEW.policy AND version = NEW.version) BEGIN
--sqlite:   SELECT RAISE(ABORT, 'a published policy is never changed');
--sqlite: END;
--postgresql: CREATE FUNCTION policy_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
--postgresql: BEGIN
--postgresql:   RAISE EXCEPTION 'a published policy is never changed' USING ERRCODE = 'restrict_violation';
--postgresql: END $$;
--postgresql: CREATE TRIGGER policy_version_stays BEFORE UPDATE OR DELETE ON policy_version
--postgresql:   FOR EACH ROW EXECUTE FUNCTION policy_refuse();

-- What everybody is told by a mail and a notice: a significant change of a policy, or an incident. Written by policies/;
-- kept for ever.
CREATE TABLE announcement (
    id              BIGINT      NOT NULL,
    kind            SMALLINT    NOT NULL,           -- 1 a policy changes, 2 an incident
    policy          SMALLINT,                       -- of kind 1
    version         INTEGER,
    organization_id BIGINT,                         -- people of it alone are told; NULL: of every organization
    subject         TEXT        NOT NULL,
    words           TEXT        NOT NULL,
    shown_until     TIMESTAMPTZ NOT NULL,           -- on public pages; for members each until they dismiss it
    created_by      BIGINT,                         -- staff; NULL: by command
    created_at      TIMESTAMPTZ NOT NULL,
    told_all_at     TIMESTAMPTZ,                    -- when the mails to all who were there were queued
    CONSTRAINT announcement_kind CHECK (kind IN (1, 2)),
    --sqlite: CONSTRAINT announcement_instants CHECK (typeof(shown_until) = 'integer' AND typeof(created_at) = 'integer' AND typeof(told_all_at) IN ('integer', 'null')),
    CONSTRAINT announcement_pkey PRIMARY KEY (id),
    CONSTRAINT announcement_policy_version_fkey FOREIGN KEY (policy, version) REFERENCES policy_version (policy, version)
);

-- That a person was told of an announcement: queued with its mail, once. Written by policies/; goes with the person.
CREATE TABLE announcement_person (
    announcement_id   BIGINT      NOT NULL,
    user_account_id   BIGINT      NOT NULL,
    told_at           TIMESTAMPTZ NOT NULL,
    outbox_message_id BIGINT      NOT NULL,         -- kept there for 30 days
    outcome           SMALLINT    NOT NULL,         -- 1 queued, 2 handed over, 3 refused, 4 came back
    outcome_at        TIMESTAMPTZ,
    error             TEXT,                         -- why it was not taken: class or SMTP code, no address
    dismissed_at      TIMESTAMPTZ,                  -- the person put the notice away
    CONSTRAINT announcement_person_outcome CHECK (outcome BETWEEN 1 AND 4),
    --sqlite: CONSTRAINT announcement_person_instants CHECK (typeof(told_at) = 'integer' AND typeof(outcome_at) IN ('integer', 'null') AND typeof(dismissed_at) IN ('integer', 'null')),
    CONSTRAINT announcement_person_pkey PRIMARY KEY (announcement_id, user_account_id),
    CONSTRAINT announcement_person_announcement_fkey FOREIGN KEY (announcement_id) REFERENCES announcement (id),
    CONSTRAINT announcement_person_user_account_fkey FOREIGN KEY (user_account_id) REFERENCES user_account (id) ON DELETE CASCADE
);
CREATE INDEX announcement_person_by_person ON announcement_person (user_account_id, announcement_id);

-- Whether a promise of the policies is kept, as its check last saw it. Written by policies/ every hour and at each start.
CREATE TABLE promise_state (
    promise    TEXT        NOT NULL,                -- a key of policies/promises.py
    kept       BOOLEAN     NOT NULL,
    since_at   TIMESTAMPTZ NOT NULL,                -- of this state
    checked_at TIMESTAMPTZ NOT NULL,
    why        TEXT        NOT NULL,                -- why it is not kept, for everybody to read; "" while it is
    --sqlite: CONSTRAINT promise_state_instants CHECK (typeof(since_at) = 'integer' AND typeof(checked_at) = 'integer'),
    CONSTRAINT promise_state_pkey PRIMARY KEY (promise)
);

-- That a promise was no longer kept, or was again. Written with promise_state; kept for ever: the page shows it.
CREATE TABLE promise_change (
    promise TEXT        NOT NULL,
    id      BIGINT      NOT NULL,
    at      TIMESTAMPTZ NOT NULL,
    kept    BOOLEAN     NOT NULL,
    why     TEXT        NOT NULL,
    --sqlite: CONSTRAINT promise_change_instants CHECK (typeof(at) = 'integer'),
    CONSTRAINT promise_change_pkey PRIMARY KEY (promise, id)
);

-- A backup, a restore or a drill: what came of it. Written by recovery/; kept for ever.
CREATE TABLE recovery_run (
    id             BIGINT      NOT NULL,
    kind           SMALLINT    NOT NULL,            -- 1 backup, 2 restore, 3 drill
    started_at     TIMESTAMPTZ NOT NULL,
    ended_at       TIMESTAMPTZ,                     -- NULL while it runs, or was killed
    succeeded      BOOLEAN     NOT NULL,
    backup_name    TEXT        NOT NULL,            -- name of the file, without its folder
    backup_at      TIMESTAMPTZ,                     -- the moment whose data it holds
    byte_count     BIGINT      NOT NULL,
    digest         BYTEA,                           -- SHA-256 of the file
    organizations  BIGINT      NOT NULL,            -- counted in it
    calls          BIGINT      NOT NULL,
    heads_digest   BYTEA,                           -- SHA-256 of all audit heads in it
    words          TEXT        NOT NULL,            -- what a drill found different, or the class of an error; "" if nothing
    CONSTRAINT recovery_run_kind CHECK (kind IN (1, 2, 3)),
    --sqlite: CONSTRAINT recovery_run_instants CHECK (typeof(started_at) = 'integer' AND typeof(ended_at) IN ('integer', 'null') AND typeof(backup_at) IN ('integer', 'null')),
    CONSTRAINT recovery_run_pkey PRIMARY KEY (id)
);
CREATE INDEX recovery_run_by_kind ON recovery_run (kind, id);

-- Something was erased for good: an organization, or a person. No name stands here. Written by privacy/, and in a file
-- beside the keys (DATA_DIR/erasures.log), by which a restored backup erases it again; kept for ever.
CREATE TABLE erasure (
    id         BIGINT      NOT NULL,
    kind       SMALLINT    NOT NULL,                -- 1 an organization, 2 a person
    subject_id BIGINT      NOT NULL,                -- organization or user_account
    erased_at  TIMESTAMPTZ NOT NULL,
    row_count  BIGINT      NOT NULL,
    receipt    TEXT        NOT NULL,                -- JSON: rows by table, as the receipt told them
    CONSTRAINT erasure_kind CHECK (kind IN (1, 2)),
    --sqlite: CONSTRAINT erasure_instants CHECK (typeof(erased_at) = 'integer'),
    CONSTRAINT erasure_pkey PRIMARY KEY (id),
    CONSTRAINT erasure_subject_unique UNIQUE (kind, subject_id)
);

-- ---------------------------------------------------------------------------------------------------- tenant tables

-- An offer of a membership to an address: the only way in. Written by invitations/; kept as long as the organization,
-- since every membership names the one it came from.
CREATE TABLE invitation (
    organization_id BIGINT      NOT NULL,
    id              BIGINT      NOT NULL,
    email           TEXT        NOT NULL,           -- personal; lower case
    role            SMALLINT    NOT NULL,           -- 1 viewer, 2 manager, 3 owner
    numbers         SMALLINT    NOT NULL,           -- outside numbers: 1 full, 2 masked, 3 masked with Show
    may_export      BOOLEAN     NOT NULL,
    narrowed        BOOLEAN     NOT NULL,           -- only calls of the parties in invitation_party
    ends_at         TIMESTAMPTZ,                    -- when the membership will end; NULL for never
    words           TEXT        NOT NULL,           -- personal; the line that the inviter adds
    token_digest    BYTEA       NOT NULL,           -- SHA-256 of the token of the newest mail; the token itself is nowhere
    state           SMALLINT    NOT NULL,           -- 1 open, 2 accepted, 3 revoked, 4 waits for an owner to confirm it
    mail_count      INTEGER     NOT NULL,           -- mails that were queued for it
    invited_by      BIGINT,                         -- user_account; NULL for the operator
    created_at      TIMESTAMPTZ NOT NULL,
    expires_at      TIMESTAMPTZ NOT NULL,
    ended_at        TIMESTAMPTZ,                    -- accepted or revoked
    CONSTRAINT invitation_role CHECK (role IN (1, 2, 3)),
    CONSTRAINT invitation_numbers CHECK (numbers IN (1, 2, 3)),
    CONSTRAINT invitation_state CHECK (state IN (1, 2, 3, 4)),
    --sqlite: CONSTRAINT invitation_instants CHECK (typeof(created_at) = 'integer' AND typeof(expires_at) = 'integer' AND typeof(ends_at) IN ('integer', 'null') AND typeof(ended_at) IN ('integer', 'null')),
    CONSTRAINT invitation_pkey PRIMARY KEY (organization_id, id),
    CONSTRAINT invitation_organization_fkey FOREIGN KEY (organization_id) REFERENCES organization (id)
);
CREATE INDEX invitation_by_token ON invitation (organization_id, token_digest);
-- One address waits for one answer: two open links to it would be revoked, changed and counted one without the other.
CREATE UNIQUE INDEX invitation_waiting_unique ON invitation (organization_id, email) WHERE state IN (1, 4);

-- A person in an organization, and what of it they see. Can be asked by the organization or by the person, written in
-- the organization only.
CREATE TABLE membership (
    organization_id BIGINT      NOT NULL,
    user_account_id BIGINT      NOT NULL,
    invitation_id   BIGINT      NOT NULL,           -- by which they came in
    role            SMALLINT    NOT NULL,           -- 1 viewer, 2 manager, 3 owner
    numbers         SMALLINT    NOT NULL,           -- outside numbers: 1 full, 2 masked, 3 masked with Show
    may_export      BOOLEAN     NOT NULL,
    narrowed        BOOLEAN     NOT NULL,           -- only calls of the parties in membership_party
    ends_at         TIMESTAMPTZ,                    -- from then on it counts for nothing; NULL for never
    last_used_at    TIMESTAMPTZ,                    -- written once a day at most
    created_at      TIMESTAMPTZ NOT NULL,
    CONSTRAINT membership_role CHECK (role IN (1, 2, 3)),
    CONSTRAINT membership_numbers CHECK (numbers IN (1, 2, 3)),
    --sqlite: CONSTRAINT membership_instants CHECK (typeof(created_at) = 'integer' AND typeof(ends_at) IN ('integer', 'null') AND typeof(last_used_at) IN ('integer', 'null')),
    CONSTRAINT membership_pkey PRIMARY KEY (organization_id, user_account_id),
    CONSTRAINT membership_organization_fkey FOREIGN KEY (organization_id) REFERENCES organization (id),
    CONSTRAINT membership_user_account_fkey FOREIGN KEY (user_account_id) REFERENCES user_account (id),
    CONSTRAINT membership_invitation_fkey FOREIGN KEY (organization_id, invitation_id) REFERENCES invitation (organization_id, id)
);
CREATE INDEX membership_by_person ON membership (user_account_id, organization_id);

-- Something happened that the organization may want to prove: who, what, when, in one chain of hashes an organization
-- (organization 0: the service itself). Written by audit/actions.py; appended only, never changed or taken out.
CREATE TABLE audit_event (
    organization_id BIGINT      NOT NULL,
    position        BIGINT      NOT NULL,           -- 1, 2, 3, ... without a gap
    kind            TEXT        NOT NULL,           -- a key of audit/kinds.py
    at              TIMESTAMPTZ NOT NULL,
    actor_id        BIGINT,                         -- user_account; NULL for the operator and the service itself
    object_id       BIGINT,                         -- what it was done to: call, import, invitation, person ...
    words_digest    BYTEA       NOT NULL,           -- SHA-256 of salt and words of audit_detail
    previous_hash   BYTEA       NOT NULL,           -- row_hash of the row before; zeros for the first
    row_hash        BYTEA       NOT NULL,           -- SHA-256 of all the above
    CONSTRAINT audit_event_position CHECK (position >= 1),
    --sqlite: CONSTRAINT audit_event_instants CHECK (typeof(at) = 'integer'),
    CONSTRAINT audit_event_pkey PRIMARY KEY (organization_id, position),
    CONSTRAINT audit_event_previous_unique UNIQUE (organization_id, previous_hash)
)
--sqlite: WITHOUT ROWID
;
CREATE INDEX audit_event_by_actor ON audit_event (organization_id, actor_id, position);

-- The words of an audit event: names, addresses, what was searched. Erasing a row's words leaves the chain whole.
CREATE TABLE audit_detail (
    organization_id BIGINT NOT NULL,
    position        BIGINT NOT NULL,
    salt            BYTEA  NOT NULL,                -- so that a digest of few words gives nothing away; emptied with them
    words           TEXT,                           -- personal; JSON; NULL once erased
    CONSTRAINT audit_detail_pkey PRIMARY KEY (organization_id, position),
    CONSTRAINT audit_detail_event_fkey FOREIGN KEY (organization_id, position) REFERENCES audit_event (organization_id, position)
)
--sqlite: WITHOUT ROWID
;

-- What is written in the audit stays, but for the beginning that a checkpoint covers: the database refuses anything else,
-- whoever asks (the owner of a PostgreSQL could
-- take the triggers off; `flask verify-audit` is for that). Words can be erased. REPLACE is caught where it inserts.
--sqlite: CREATE TRIGGER audit_event_stays BEFORE UPDATE ON audit_event BEGIN
--sqlite:   SELECT RAISE(ABORT, 'the audit is appended to, never changed');
--sqlite: END;
--sqlite: CREATE TRIGGER audit_event_is_kept BEFORE DELETE ON audit_event
--sqlite: WHEN NOT EXISTS (SELECT 1 FROM audit_checkpoint WHERE organization_id = OLD.organization_id
--sqlite:                  AND position >= OLD.position) BEGIN
--sqlite:   SELECT RAISE(ABORT, 'the audit is appended to, never changed');
--sqlite: END;
--sqlite: CREATE TRIGGER audit_event_is_not_replaced BEFORE INSERT ON audit_event
--sqlite: WHEN EXISTS (SELECT 1 FROM audit_event WHERE organization_id = NEW.organization_id
--sqlite:              AND (position = NEW.position OR previous_hash = NEW.previous_hash)) BEGIN
--sqlite:   SELECT RAISE(ABORT, 'the audit is appended to, never changed');
--sqlite: END;
--sqlite: CREATE TRIGGER audit_detail_stays BEFORE UPDATE ON audit_detail
--sqlite: WHEN NEW.words IS NOT NULL OR NEW.organization_id <> OLD.organization_id OR NEW.position <> OLD.position
--sqlite:      OR (NEW.salt <> OLD.salt AND NEW.salt <> x'') BEGIN
--sqlite:   SELECT RAISE(ABORT, 'words of the audit are erased, never changed');
--sqlite: END;
--sqlite: CREATE TRIGGER audit_detail_is_kept BEFORE DELETE ON audit_detail
--sqlite: WHEN NOT EXISTS (SELECT 1 FROM audit_checkpoint WHERE organization_id = OLD.organization_id
--sqlite:                  AND position >= OLD.position) BEGIN
--sqlite:   SELECT RAISE(ABORT, 'words of the audit are erased, never changed');
--sqlite: END;
--sqlite: CREATE TRIGGER audit_detail_is_not_replaced BEFORE INSERT ON audit_detail
--sqlite: WHEN EXISTS (SELECT 1 FROM audit_detail WHERE organization_id = NEW.organization_id
--sqlite:              AND position = NEW.position) BEGIN
--sqlite:   SELECT RAISE(ABORT, 'words of the audit are erased, never changed');
--sqlite: END;
--postgresql: CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
--postgresql: BEGIN
--postgresql:   RAISE EXCEPTION 'the audit is appended to, never changed' USING ERRCODE = 'restrict_violation';
--postgresql: END $$;
--postgresql: CREATE FUNCTION audit_refuse_uncovered() RETURNS trigger LANGUAGE plpgsql AS $$
--postgresql: BEGIN
--postgresql:   IF EXISTS (SELECT 1 FROM audit_checkpoint WHERE organization_id = OLD.organization_id AND position >= OLD.position) THEN
--postgresql:     RETURN OLD;
--postgresql:   END IF;
--postgresql:   RAISE EXCEPTION 'the audit is appended to, never changed' USING ERRCODE = 'restrict_violation';
--postgresql: END $$;
--postgresql: CREATE TRIGGER audit_event_stays BEFORE UPDATE ON audit_event
--postgresql:   FOR EACH ROW EXECUTE FUNCTION audit_refuse();
--postgresql: CREATE TRIGGER audit_event_is_kept BEFORE DELETE ON audit_event
--postgresql:   FOR EACH ROW EXECUTE FUNCTION audit_refuse_uncovered();
--postgresql: CREATE TRIGGER audit_detail_stays BEFORE UPDATE ON audit_detail FOR EACH ROW
--postgresql:   WHEN (NEW.words IS NOT NULL OR NEW.organization_id <> OLD.organization_id OR NEW.position <> OLD.position
--postgresql:         OR (NEW.salt <> OLD.salt AND NEW.salt <> ''::bytea))
--postgresql:   EXECUTE FUNCTION audit_refuse();
--postgresql: CREATE TRIGGER audit_detail_is_kept BEFORE DELETE ON audit_detail
--postgresql:   FOR EACH ROW EXECUTE FUNCTION audit_refuse_uncovered();

-- The end of each chain: whoever appends holds this row, so that two appends cannot both follow the same one.
CREATE TABLE audit_head (
    organization_id BIGINT NOT NULL,
    position        BIGINT NOT NULL,
    row_hash        BYTEA  NOT NULL,
    CONSTRAINT audit_head_pkey PRIMARY KEY (organization_id)
);
-- The chain of the service itself. Before row-level security begins, which would want an organization bound.
--sqlite: INSERT INTO audit_head (organization_id, position, row_hash) VALUES (0, 0, zeroblob(32));
--postgresql: INSERT INTO audit_head (organization_id, position, row_hash) VALUES (0, 0, decode(repeat('00', 32), 'hex'));

-- A chain's beginning was purged up to here: its rows are gone, the hash of the last one stays, so that the rest can be
-- followed. Written by privacy/ alone; appended only. Rows of the audit can be deleted where a checkpoint covers them.
CREATE TABLE audit_checkpoint (
    organization_id BIGINT      NOT NULL,
    position        BIGINT      NOT NULL,           -- of the last row that was removed
    row_hash        BYTEA       NOT NULL,           -- its
    purged_at       TIMESTAMPTZ NOT NULL,
    --sqlite: CONSTRAINT audit_checkpoint_instants CHECK (typeof(purged_at) = 'integer'),
    CONSTRAINT audit_checkpoint_pkey PRIMARY KEY (organization_id, position)
);
--sqlite: CREATE TRIGGER audit_checkpoint_stays BEFORE UPDATE ON audit_checkpoint BEGIN
--sqlite:   SELECT RAISE(ABORT, 'the audit is appended to, never changed');
--sqlite: END;
--sqlite: CREATE TRIGGER audit_checkpoint_is_kept BEFORE DELETE ON audit_checkpoint BEGIN
--sqlite:   SELECT RAISE(ABORT, 'the audit is appended to, never changed');
--sqlite: END;
--sqlite: CREATE TRIGGER audit_checkpoint_is_not_replaced BEFORE INSERT ON audit_checkpoint
--sqlite: WHEN EXISTS (SELECT 1 FROM audit_checkpoint WHERE organization_id = NEW.organization_id
--sqlite:              AND position >= NEW.position) BEGIN
--sqlite:   SELECT RAISE(ABORT, 'the audit is appended to, never changed');
--sqlite: END;
--postgresql: CREATE TRIGGER audit_checkpoint_stays BEFORE UPDATE OR DELETE ON audit_checkpoint
--postgresql:   FOR EACH ROW EXECUTE FUNCTION audit_refuse();

-- That a person's views of one kind are in the audit already for this quarter of an hour. Swept after a day.
CREATE TABLE audit_viewing (
    organization_id BIGINT  NOT NULL,
    user_account_id BIGINT  NOT NULL,
    kind            TEXT    NOT NULL,
    object_id       BIGINT  NOT NULL,               -- which call; 0 where the kind tells views of all of them as one
    slot            INTEGER NOT NULL,               -- quarter hours since 1970, UTC
    CONSTRAINT audit_viewing_pkey PRIMARY KEY (organization_id, user_account_id, kind, object_id, slot)
)
--sqlite: WITHOUT ROWID
;

-- A phone system that produces records, and what no file says about it. Closed, never deleted while it has calls.
CREATE TABLE pbx (
    organization_id  BIGINT      NOT NULL,
    id               BIGINT      NOT NULL,
    name             TEXT        NOT NULL,
    format           TEXT,                          -- a key of READERS; NULL until the first file or choice
    time_zone        TEXT        NOT NULL,          -- IANA zone in which it writes local times
    region           TEXT        NOT NULL,          -- ISO 3166 country of its numbers
    area_code        TEXT        NOT NULL,          -- dialled before a local number, with its 0: "020"; "" if none
    outside_prefix   TEXT        NOT NULL,          -- dialled for a line: "9"; "" if none
    extension_digits TEXT        NOT NULL,          -- lengths of extensions: "3" or "3,4"; "" until told
    outside_lines    TEXT        NOT NULL,          -- JSON list of trunk and context names that lead outside
    answered_at      TIMESTAMPTZ,                   -- when the questions were answered; until then direction is unknown
    column_map       TEXT,                          -- JSON of the generic CSV mapping
    settings_version INTEGER     NOT NULL,          -- counts changes that make records read again
    created_at       TIMESTAMPTZ NOT NULL,
    closed_at        TIMESTAMPTZ,                   -- accepts nothing from then on
    --sqlite: CONSTRAINT pbx_instants CHECK (typeof(created_at) = 'integer' AND typeof(closed_at) IN ('integer', 'null') AND typeof(answered_at) IN ('integer', 'null')),
    CONSTRAINT pbx_pkey PRIMARY KEY (organization_id, id),
    CONSTRAINT pbx_name_unique UNIQUE (organization_id, name),
    CONSTRAINT pbx_organization_fkey FOREIGN KEY (organization_id) REFERENCES organization (id)
);

-- A file that was uploaded, kept compressed so that it can be read again. Written by jobs/stored_files.py.
CREATE TABLE stored_file (
    organization_id BIGINT      NOT NULL,
    id              BIGINT      NOT NULL,
    byte_count      BIGINT      NOT NULL,           -- as received
    stored_count    BIGINT      NOT NULL,           -- compressed, over all chunks
    digest          BYTEA       NOT NULL,           -- SHA-256 of the bytes as received
    complete        BOOLEAN     NOT NULL,           -- false while it arrives; such rows are swept after a day
    created_at      TIMESTAMPTZ NOT NULL,
    --sqlite: CONSTRAINT stored_file_instants CHECK (typeof(created_at) = 'integer'),
    CONSTRAINT stored_file_pkey PRIMARY KEY (organization_id, id),
    CONSTRAINT stored_file_organization_fkey FOREIGN KEY (organization_id) REFERENCES organization (id)
);

-- A MiB of a stored file, deflated.
CREATE TABLE stored_chunk (
    organization_id BIGINT  NOT NULL,
    stored_file_id  BIGINT  NOT NULL,
    position        INTEGER NOT NULL,               -- 0, 1, 2, ...
    content         BYTEA   NOT NULL,               -- personal
    CONSTRAINT stored_chunk_pkey PRIMARY KEY (organization_id, stored_file_id, position),
    CONSTRAINT stored_chunk_file_fkey FOREIGN KEY (organization_id, stored_file_id)
        REFERENCES stored_file (organization_id, id) ON DELETE CASCADE
);

-- One file of call records and its fate. Written by sources/ and ingest/; kept as long as its records.
-- read_count = stored_count + duplicate_count + skipped_count + refused_count, at every commit.
CREATE TABLE import_file (
    organization_id BIGINT      NOT NULL,
    id              BIGINT      NOT NULL,
    pbx_id          BIGINT      NOT NULL,
    stored_file_id  BIGINT,                         -- NULL once the file itself is gone
    file_name       TEXT        NOT NULL,           -- personal; as the browser gave it, shown escaped
    format          TEXT,                           -- the reader that is used; NULL until recognised
    confidence      SMALLINT    NOT NULL,           -- of the guess, percent
    time_zone       TEXT        NOT NULL,           -- IANA zone in which its local times are read
    column_map      TEXT,                           -- JSON of the generic CSV mapping
    header          BYTEA,                          -- its header line, where it has one: a row is read again beneath it
    state           SMALLINT    NOT NULL,           -- 1 uploaded, 2 queued, 3 running, 4 done, 5 cancelled, 6 failed, 7 undoing, 8 undone
    cancel_asked    BOOLEAN     NOT NULL,
    read_count      BIGINT      NOT NULL,           -- rows read so far: also where a new worker goes on
    stored_count    BIGINT      NOT NULL,           -- records stored by this import
    duplicate_count BIGINT      NOT NULL,           -- already there
    skipped_count   BIGINT      NOT NULL,           -- not a call
    refused_count   BIGINT      NOT NULL,           -- could not be read; rows of rejected_line
    call_count      BIGINT      NOT NULL,           -- calls made, less those that proved to be one
    bytes_read      BIGINT      NOT NULL,           -- of the stored file, for the progress bar
    work_seconds    INTEGER     NOT NULL,           -- spent importing, for the rate
    error           TEXT,                           -- a sentence for the person, when failed
    user_account_id BIGINT,                         -- who imported it; NULL for commands and the demo
    created_at      TIMESTAMPTZ NOT NULL,
    started_at      TIMESTAMPTZ,
    ended_at        TIMESTAMPTZ,
    delivered_on    INTEGER,                        -- local day of records that the phone system brought itself, days since 1970-01-01; NULL for a file
    old_count       BIGINT      NOT NULL DEFAULT 0, -- of skipped_count: older than what is kept, and not stored
    CONSTRAINT import_file_state CHECK (state BETWEEN 1 AND 8),
    CONSTRAINT import_file_adds_up CHECK (read_count = stored_count + duplicate_count + skipped_count + refused_count),
    --sqlite: CONSTRAINT import_file_instants CHECK (typeof(created_at) = 'integer' AND typeof(started_at) IN ('integer', 'null') AND typeof(ended_at) IN ('integer', 'null')),
    CONSTRAINT import_file_pkey PRIMARY KEY (organization_id, id),
    CONSTRAINT import_file_pbx_fkey FOREIGN KEY (organization_id, pbx_id) REFERENCES pbx (organization_id, id),
    CONSTRAINT import_file_stored_file_fkey FOREIGN KEY (organization_id, stored_file_id) REFERENCES stored_file (organization_id, id)
);
CREATE INDEX import_file_by_pbx ON import_file (organization_id, pbx_id, id);
CREATE UNIQUE INDEX import_file_delivered_unique ON import_file (organization_id, pbx_id, delivered_on, format);

-- A line that could not be read, with the reason. Written by ingest/writer.py; goes with its import.
CREATE TABLE rejected_line (
    organization_id BIGINT  NOT NULL,
    import_file_id  BIGINT  NOT NULL,
    line_number     INTEGER NOT NULL,               -- 1-based
    reason          TEXT    NOT NULL,
    raw             BYTEA   NOT NULL,               -- personal; cut after 64 KiB
    CONSTRAINT rejected_line_pkey PRIMARY KEY (organization_id, import_file_id, line_number),
    CONSTRAINT rejected_line_import_file_fkey FOREIGN KEY (organization_id, import_file_id)
        REFERENCES import_file (organization_id, id) ON DELETE CASCADE
)
--sqlite: WITHOUT ROWID
;

-- A distinct number or extension that an organization has seen, once. Written by ingest/writer.py; goes when nothing
-- names it and no call has it. identity is the E.164, or "<pbx id>:<digits>" where a number has none.
CREATE TABLE party (
    organization_id BIGINT   NOT NULL,
    id              BIGINT   NOT NULL,
    identity        TEXT     NOT NULL,              -- personal
    kind            SMALLINT NOT NULL,              -- 1 outside number, 2 extension, 3 service code or group, 4 other digits
    e164            TEXT,                           -- personal; E.164, or NULL
    digits          TEXT     NOT NULL,              -- personal; what is searched: E.164 without its plus, or as written
    pbx_id          BIGINT,                         -- whose extension or code it is
    region          TEXT     NOT NULL,              -- ISO 3166 country of an outside number, "" if unknown
    line_type       SMALLINT NOT NULL,              -- 0 unknown, 1 fixed, 2 mobile, 3 freephone, 4 other
    name            TEXT     NOT NULL,              -- personal; as a phone system gave it, "" if none
    place           TEXT,                           -- of an outside number, as libphonenumber names it; NULL until asked
    CONSTRAINT party_kind CHECK (kind IN (1, 2, 3, 4)),
    CONSTRAINT party_pkey PRIMARY KEY (organization_id, id),
    CONSTRAINT party_identity_unique UNIQUE (organization_id, identity),
    CONSTRAINT party_pbx_fkey FOREIGN KEY (organization_id, pbx_id) REFERENCES pbx (organization_id, id)
);

-- A party whose calls an invitation opens, where it is narrowed. Written by invitations/.
CREATE TABLE invitation_party (
    organization_id BIGINT      NOT NULL,
    invitation_id   BIGINT      NOT NULL,
    party_id        BIGINT      NOT NULL,
    from_at         TIMESTAMPTZ NOT NULL,           -- calls that start before it stay closed; 1970 for all there are
    until_at        TIMESTAMPTZ,                    -- and those that start from then on; NULL for no end
    --sqlite: CONSTRAINT invitation_party_instants CHECK (typeof(from_at) = 'integer' AND typeof(until_at) IN ('integer', 'null')),
    CONSTRAINT invitation_party_pkey PRIMARY KEY (organization_id, invitation_id, party_id, from_at),
    CONSTRAINT invitation_party_invitation_fkey FOREIGN KEY (organization_id, invitation_id) REFERENCES invitation (organization_id, id),
    CONSTRAINT invitation_party_party_fkey FOREIGN KEY (organization_id, party_id) REFERENCES party (organization_id, id)
);

-- A party whose calls a narrowed person sees, in these days. Read by the session lock; written by invitations/.
CREATE TABLE membership_party (
    organization_id BIGINT      NOT NULL,
    user_account_id BIGINT      NOT NULL,
    party_id        BIGINT      NOT NULL,
    from_at         TIMESTAMPTZ NOT NULL,
    until_at        TIMESTAMPTZ,
    --sqlite: CONSTRAINT membership_party_instants CHECK (typeof(from_at) = 'integer' AND typeof(until_at) IN ('integer', 'null')),
    CONSTRAINT membership_party_pkey PRIMARY KEY (organization_id, user_account_id, party_id, from_at),
    CONSTRAINT membership_party_membership_fkey FOREIGN KEY (organization_id, user_account_id)
        REFERENCES membership (organization_id, user_account_id) ON DELETE CASCADE,
    CONSTRAINT membership_party_party_fkey FOREIGN KEY (organization_id, party_id) REFERENCES party (organization_id, id)
);

-- A row that a phone system wrote: a fact. Written by ingest/writer.py; call_key is the one column that moves.
-- record_key: 27 bits of the minute that the row itself writes, 36 bits of a keyed hash of phone system and row id.
CREATE TABLE call_record (
    organization_id BIGINT      NOT NULL,
    record_key      BIGINT      NOT NULL,
    id_hash         BIGINT      NOT NULL,           -- 63 bits of the keyed hash: tells two rows of one record_key apart
    content_hash    BIGINT      NOT NULL,           -- of the raw row: the same row again, or a newer version
    call_key        BIGINT      NOT NULL,
    pbx_id          BIGINT      NOT NULL,
    import_file_id  BIGINT      NOT NULL,
    line_number     INTEGER     NOT NULL,
    version         INTEGER     NOT NULL,           -- 1, or more when the row came again with other content
    started_at      TIMESTAMPTZ NOT NULL,
    answered_at     TIMESTAMPTZ,
    ended_at        TIMESTAMPTZ,
    duration        INTEGER     NOT NULL,           -- seconds, ringing included
    billsec         INTEGER     NOT NULL,           -- seconds from answer to end
    kind            SMALLINT    NOT NULL,           -- 1 phone, 2 voicemail, 3 system, 4 plumbing
    result          SMALLINT    NOT NULL,           -- 0 unknown, 1 answered, 2 no answer, 3 busy, 4 cancelled, 5 failed, 6 taken elsewhere
    direction       SMALLINT    NOT NULL,           -- of this row alone: 0 unknown, 1 inbound, 2 outbound, 3 internal
    flags           SMALLINT    NOT NULL,           -- bits: 1 repeated hour, 2 hour that did not exist, 4 odd duration, 8 odd time
    hangup_cause    SMALLINT,                       -- Q.850
    disposition     TEXT        NOT NULL,           -- as the phone system said it
    caller          TEXT        NOT NULL,           -- personal; as written
    caller_name     TEXT        NOT NULL,           -- personal
    dialed          TEXT        NOT NULL,           -- personal
    reached         TEXT        NOT NULL,           -- personal
    did             TEXT        NOT NULL,           -- own number, where the format has it
    leg_id          TEXT        NOT NULL,
    peer_leg_id     TEXT        NOT NULL,
    line            TEXT        NOT NULL,
    peer_line       TEXT        NOT NULL,
    context         TEXT        NOT NULL,
    application     TEXT        NOT NULL,
    queue_name      TEXT        NOT NULL,
    account_code    TEXT        NOT NULL,
    link_keys       BYTEA       NOT NULL,           -- its link keys, 8 bytes each: what a rebuild joins by
    raw             BYTEA       NOT NULL,           -- personal; the row as it stands in the file
    --sqlite: CONSTRAINT call_record_instants CHECK (typeof(started_at) = 'integer' AND typeof(answered_at) IN ('integer', 'null') AND typeof(ended_at) IN ('integer', 'null')),
    CONSTRAINT call_record_pkey PRIMARY KEY (organization_id, record_key),
    CONSTRAINT call_record_pbx_fkey FOREIGN KEY (organization_id, pbx_id) REFERENCES pbx (organization_id, id),
    CONSTRAINT call_record_import_file_fkey FOREIGN KEY (organization_id, import_file_id) REFERENCES import_file (organization_id, id)
);
CREATE INDEX call_record_by_call ON call_record (organization_id, call_key);

-- What a record said before it came again with other content. Written by ingest/writer.py; goes with its import.
CREATE TABLE call_record_version (
    organization_id BIGINT   NOT NULL,
    record_key      BIGINT   NOT NULL,
    version         INTEGER  NOT NULL,
    import_file_id  BIGINT   NOT NULL,              -- the import that brought this version
    line_number     INTEGER  NOT NULL,
    content_hash    BIGINT   NOT NULL,
    raw             BYTEA    NOT NULL,              -- personal
    CONSTRAINT call_record_version_pkey PRIMARY KEY (organization_id, record_key, version),
    CONSTRAINT call_record_version_import_file_fkey FOREIGN KEY (organization_id, import_file_id) REFERENCES import_file (organization_id, id)
)
--sqlite: WITHOUT ROWID
;

-- An id by which records name a call: 16 bits of the day, 47 bits of a keyed hash. Written by ingest/writer.py.
CREATE TABLE call_link (
    organization_id BIGINT NOT NULL,
    link_key        BIGINT NOT NULL,
    call_key        BIGINT NOT NULL,
    CONSTRAINT call_link_pkey PRIMARY KEY (organization_id, link_key, call_key)
)
--sqlite: WITHOUT ROWID
;

-- What happened: built from records by ingest/assembly.py, rewritten whenever one of them changes.
-- The party columns repeat what call_party says; the database checks the reference there, once.
CREATE TABLE call (
    organization_id BIGINT      NOT NULL,
    started_at      TIMESTAMPTZ NOT NULL,
    call_key        BIGINT      NOT NULL,           -- record_key of the first record seen; the call's address
    pbx_id          BIGINT      NOT NULL,
    direction       SMALLINT    NOT NULL,           -- 0 unknown, 1 inbound, 2 outbound, 3 internal
    outcome         SMALLINT    NOT NULL,           -- 0 unknown, 1 answered, 2 voicemail, 3 no answer, 4 busy, 5 cancelled, 6 failed
    caller_id       BIGINT,                         -- party; NULL when withheld or not given
    caller_reason   SMALLINT    NOT NULL,           -- 0 a party called, 1 withheld, 2 not given
    dialed_id       BIGINT,                         -- party that was dialled
    callee_id       BIGINT,                         -- party that was reached, else the last that was tried
    answered_by_id  BIGINT,                         -- party that answered first; NULL if no person did
    did_id          BIGINT,                         -- own number the call came in on
    ring_seconds    INTEGER     NOT NULL,           -- from the start until the first person answered, or the end
    wait_seconds    INTEGER     NOT NULL,           -- of it, in a queue or a menu before any phone rang
    talk_seconds    INTEGER     NOT NULL,           -- with people
    ended_at        TIMESTAMPTZ NOT NULL,
    record_count    INTEGER     NOT NULL,
    flags           SMALLINT    NOT NULL,           -- of its records, joined
    party_ids       BYTEA       NOT NULL,           -- who took part, 8 bytes each: which call_party rows are its own
    price           BIGINT,                         -- 1/10,000 of the organization's currency; NULL where none is known
    --sqlite: CONSTRAINT call_instants CHECK (typeof(started_at) = 'integer' AND typeof(ended_at) = 'integer'),
    CONSTRAINT call_pkey PRIMARY KEY (organization_id, started_at, call_key),
    CONSTRAINT call_call_key_unique UNIQUE (organization_id, call_key),
    CONSTRAINT call_pbx_fkey FOREIGN KEY (organization_id, pbx_id) REFERENCES pbx (organization_id, id)
)
--sqlite: WITHOUT ROWID
;

-- Who took part in a call. Written with the call; serves "all calls with this number" in the order of the page.
CREATE TABLE call_party (
    organization_id BIGINT      NOT NULL,
    party_id        BIGINT      NOT NULL,
    started_at      TIMESTAMPTZ NOT NULL,
    call_key        BIGINT      NOT NULL,
    roles           SMALLINT    NOT NULL,           -- bits: 1 caller, 2 dialled, 4 rang, 8 answered, 16 own number
    talk_seconds    INTEGER     NOT NULL DEFAULT 0, -- in which this party talked: the caller all the time of the call's
    --sqlite: CONSTRAINT call_party_instants CHECK (typeof(started_at) = 'integer'),
    CONSTRAINT call_party_pkey PRIMARY KEY (organization_id, party_id, started_at, call_key),
    CONSTRAINT call_party_party_fkey FOREIGN KEY (organization_id, party_id) REFERENCES party (organization_id, id)
)
--sqlite: WITHOUT ROWID
;

-- Calls that start in a quarter of an hour, summed. Written with the calls; the edges of long periods, and hours.
CREATE TABLE call_total (
    organization_id BIGINT   NOT NULL,
    slot            INTEGER  NOT NULL,              -- quarter hours since 1970, UTC
    pbx_id          BIGINT   NOT NULL,
    direction       SMALLINT NOT NULL,
    outcome         SMALLINT NOT NULL,
    calls           BIGINT   NOT NULL,
    ring_seconds    BIGINT   NOT NULL,
    wait_seconds    BIGINT   NOT NULL,
    talk_seconds    BIGINT   NOT NULL,
    price           BIGINT   NOT NULL,
    unpriced        BIGINT   NOT NULL,              -- calls without a price
    CONSTRAINT call_total_pkey PRIMARY KEY (organization_id, slot, pbx_id, direction, outcome)
)
--sqlite: WITHOUT ROWID
;

-- The same for a local day of the organization.
CREATE TABLE call_day (
    organization_id BIGINT   NOT NULL,
    day             INTEGER  NOT NULL,              -- local days since 1970-01-01
    pbx_id          BIGINT   NOT NULL,
    direction       SMALLINT NOT NULL,
    outcome         SMALLINT NOT NULL,
    calls           BIGINT   NOT NULL,
    ring_seconds    BIGINT   NOT NULL,
    wait_seconds    BIGINT   NOT NULL,
    talk_seconds    BIGINT   NOT NULL,
    price           BIGINT   NOT NULL,
    unpriced        BIGINT   NOT NULL,
    CONSTRAINT call_day_pkey PRIMARY KEY (organization_id, day, pbx_id, direction, outcome)
)
--sqlite: WITHOUT ROWID
;

-- The same for a local month of the organization: what makes a total over years as quick as one over weeks.
CREATE TABLE call_month (
    organization_id BIGINT   NOT NULL,
    month           INTEGER  NOT NULL,              -- local months since January 1970
    pbx_id          BIGINT   NOT NULL,
    direction       SMALLINT NOT NULL,
    outcome         SMALLINT NOT NULL,
    calls           BIGINT   NOT NULL,
    ring_seconds    BIGINT   NOT NULL,
    wait_seconds    BIGINT   NOT NULL,
    talk_seconds    BIGINT   NOT NULL,
    price           BIGINT   NOT NULL,
    unpriced        BIGINT   NOT NULL,
    CONSTRAINT call_month_pkey PRIMARY KEY (organization_id, month, pbx_id, direction, outcome)
)
--sqlite: WITHOUT ROWID
;

-- Calls of one party on one local day, in whatever role. Serves the figures of a single number.
CREATE TABLE party_total (
    organization_id BIGINT   NOT NULL,
    party_id        BIGINT   NOT NULL,
    day             INTEGER  NOT NULL,              -- local days since 1970-01-01
    calls           BIGINT   NOT NULL,
    answered        BIGINT   NOT NULL,              -- by a person, in any direction
    missed          BIGINT   NOT NULL,              -- outside calls in that no person answered and that left no voicemail
    talk_seconds    BIGINT   NOT NULL,
    CONSTRAINT party_total_pkey PRIMARY KEY (organization_id, party_id, day),
    CONSTRAINT party_total_party_fkey FOREIGN KEY (organization_id, party_id) REFERENCES party (organization_id, id)
)
--sqlite: WITHOUT ROWID
;

-- Words somebody searched for, so that numbers stay out of addresses and logs. Swept after a day.
CREATE TABLE call_search (
    organization_id BIGINT      NOT NULL,
    id              BIGINT      NOT NULL,
    user_account_id BIGINT      NOT NULL,           -- nobody else's key opens it
    words           TEXT        NOT NULL,           -- personal; JSON: search, caller, callee
    created_at      TIMESTAMPTZ NOT NULL,
    --sqlite: CONSTRAINT call_search_instants CHECK (typeof(created_at) = 'integer'),
    CONSTRAINT call_search_pkey PRIMARY KEY (organization_id, id),
    CONSTRAINT call_search_organization_fkey FOREIGN KEY (organization_id) REFERENCES organization (id)
);

-- A named place that calls go to, or come from: a person, a team or a service inside, a contact or a zone outside.
-- Written by destinations/; never deleted, since routes and memberships of the past name it: archived, or merged.
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

-- A person of a team. Written by destinations/; who may see a team's calls sees theirs too.
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

-- By what a destination is recognised, from when on: the rows of one pattern_key are its history, the newest that has
-- begun holds. Written by destinations/ alone, which then writes party_holder anew for the parties that it meets.
-- pattern_key is "+441632960123" (number), "+441632*" (prefix), "<pbx id>:204" (extension or code of one phone system)
-- or "*:204" (of all of them).
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

-- Whose a party is, from an instant on: read as of the start of a call. Worked out from destination_pattern by
-- destinations/holders.py whenever a pattern or a party is new; goes with its party.
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

-- A destination whose calls an invitation opens, where it is narrowed. Written by invitations/.
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

-- A destination whose calls a narrowed person sees, in these days: those of its parties while they are its, and of a
-- team those of its people. Read with every request; written by invitations/.
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

-- A number that the organization owns. Written by destinations/; its calls are those that its party took part in as
-- the own number. Kept when it is given up, with the day.
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

-- Opening hours, or the holidays of a place, that several routes share. What they say stands in their versions.
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

-- What opening hours or holidays said from an instant on, until the next version. Appended by destinations/, never
-- changed: the history of routes asks it.
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

-- All routes of one number as they were stored at once: in force until the next plan of the number. Appended by
-- destinations/, never changed; an undo is a plan that repeats an older one.
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

-- Where a call to a number goes under one condition; the first of its plan that fits is taken. Never changed.
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

-- By what a phone system proves itself when it brings records or asks for routes. Written by sources/tokens.py.
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

-- That a phone system asked where a call goes, and what it was told. Written by sources/; kept 90 days.
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

-- Records that a phone system brought by itself and nobody has read yet: what was acknowledged is here, committed.
-- Written by ingest/spooling.py; goes once its records are stored or refused, in that transaction.
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

-- An outside caller who did not get through, and what became of it. Worked out from calls by ingest/ whenever one of the
-- party's calls is written; `assigned_to`, `note` and `done_at` are of the people who call back. Gone once they talked.
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

-- A file of contacts that somebody brought: looked at first, stored once they say yes. Written by destinations/.
CREATE TABLE contact_import (
    organization_id BIGINT      NOT NULL,
    id              BIGINT      NOT NULL,
    stored_file_id  BIGINT,                         -- NULL once the file is deleted: stored, or thrown away
    file_name       TEXT        NOT NULL,           -- personal; as it was called on the uploader's machine
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

-- A person who wants one mail a day that says how many callers wait. Written by calls/.
CREATE TABLE return_mail (
    organization_id BIGINT      NOT NULL,
    user_account_id BIGINT      NOT NULL,
    last_on         INTEGER,                        -- local days since 1970-01-01 of the last morning that was seen to; NULL before the first
    CONSTRAINT return_mail_pkey PRIMARY KEY (organization_id, user_account_id),
    CONSTRAINT return_mail_membership_fkey FOREIGN KEY (organization_id, user_account_id)
        REFERENCES membership (organization_id, user_account_id) ON DELETE CASCADE
);

-- Staff ask an organization to be let in, or its owner invites them. Written by staff/ and by owners; kept as long as the
-- organization. The one table of consent that the staff role may read: what was allowed stands in access_grant.
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

-- What an owner allowed staff to see: written in an owner's session alone, and the staff role cannot read it. Kept.
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

-- A member of staff used a grant: two hours at most, in one browser, after a second factor. Written by staff/; kept.
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

-- The law made us hand something out. Written by staff/; kept for ever. Its organization sees it once it may be told.
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

-- A MiB of the sealed archive of a disclosure. Written by its job; deleted 30 days after it was fetched.
CREATE TABLE disclosure_chunk (
    organization_id BIGINT  NOT NULL,
    disclosure_id   BIGINT  NOT NULL,
    position        INTEGER NOT NULL,               -- 0, 1, 2, ...
    content         BYTEA   NOT NULL,               -- personal; encrypted under a key that was shown once
    CONSTRAINT disclosure_chunk_pkey PRIMARY KEY (organization_id, disclosure_id, position),
    CONSTRAINT disclosure_chunk_disclosure_fkey FOREIGN KEY (organization_id, disclosure_id) REFERENCES disclosure (organization_id, id)
);

-- An owner agreed that a person who lost every second factor may do without. Written by organizations/.
CREATE TABLE factor_consent (
    organization_id BIGINT      NOT NULL,
    removal_id      BIGINT      NOT NULL,           -- factor_removal
    confirmed_by    BIGINT,                         -- user_account of an owner; NULL: nobody yet
    confirmed_at    TIMESTAMPTZ,
    --sqlite: CONSTRAINT factor_consent_instants CHECK (typeof(confirmed_at) IN ('integer', 'null')),
    CONSTRAINT factor_consent_pkey PRIMARY KEY (organization_id, removal_id),
    CONSTRAINT factor_consent_removal_fkey FOREIGN KEY (removal_id) REFERENCES factor_removal (id) ON DELETE CASCADE
);

-- A caller whom somebody passed over in "Still without a name": it is not offered again. Written by destinations/.
CREATE TABLE unnamed_skip (
    organization_id BIGINT      NOT NULL,
    party_id        BIGINT      NOT NULL,
    skipped_by      BIGINT      NOT NULL,           -- user_account
    skipped_at      TIMESTAMPTZ NOT NULL,
    --sqlite: CONSTRAINT unnamed_skip_instants CHECK (typeof(skipped_at) = 'integer'),
    CONSTRAINT unnamed_skip_pkey PRIMARY KEY (organization_id, party_id),
    CONSTRAINT unnamed_skip_party_fkey FOREIGN KEY (organization_id, party_id) REFERENCES party (organization_id, id) ON DELETE CASCADE
);

-- Everything an organization has, asked for by an owner (or prepared by staff, for an owner to fetch). Written by
-- privacy/; its archive goes after keep_exports_days, the row stays.
CREATE TABLE takeout (
    organization_id BIGINT      NOT NULL,
    id              BIGINT      NOT NULL,
    state           SMALLINT    NOT NULL,           -- 1 waits, 2 is written, 3 ready, 4 failed, 5 gone again
    asked_by        BIGINT      NOT NULL,           -- user_account: an owner, or staff
    by_staff        BOOLEAN     NOT NULL,
    asked_at        TIMESTAMPTZ NOT NULL,
    moment_at       TIMESTAMPTZ,                    -- when its writing began; rows of the tables are read one after the other
    ready_at        TIMESTAMPTZ,
    expires_at      TIMESTAMPTZ,                    -- cannot be fetched from then on
    fetched_at      TIMESTAMPTZ,                    -- when an owner last fetched it
    step            INTEGER     NOT NULL,           -- files finished: where a new worker goes on
    steps           INTEGER     NOT NULL,           -- of so many; 0 until known
    row_count       BIGINT      NOT NULL,           -- written so far
    byte_count      BIGINT      NOT NULL,           -- of the archive so far
    manifest_digest BYTEA,                          -- SHA-256 of the manifest
    CONSTRAINT takeout_state CHECK (state BETWEEN 1 AND 5),
    --sqlite: CONSTRAINT takeout_instants CHECK (typeof(asked_at) = 'integer' AND typeof(moment_at) IN ('integer', 'null') AND typeof(ready_at) IN ('integer', 'null') AND typeof(expires_at) IN ('integer', 'null') AND typeof(fetched_at) IN ('integer', 'null')),
    CONSTRAINT takeout_pkey PRIMARY KEY (organization_id, id),
    CONSTRAINT takeout_organization_fkey FOREIGN KEY (organization_id) REFERENCES organization (id)
);

-- A finished file in the archive of a takeout: what the ZIP's directory and the manifest need of it.
CREATE TABLE takeout_entry (
    organization_id BIGINT  NOT NULL,
    takeout_id      BIGINT  NOT NULL,
    position        INTEGER NOT NULL,               -- 0, 1, 2, ... in the archive
    name            TEXT    NOT NULL,               -- personal; a file that was imported keeps its name
    starts_at_byte  BIGINT  NOT NULL,               -- offset of its header in the archive
    packed_count    BIGINT  NOT NULL,               -- bytes in the archive
    byte_count      BIGINT  NOT NULL,               -- unpacked
    row_count       BIGINT  NOT NULL,
    crc             BIGINT  NOT NULL,               -- CRC-32
    digest          BYTEA   NOT NULL,               -- SHA-256 of the file, unpacked
    CONSTRAINT takeout_entry_pkey PRIMARY KEY (organization_id, takeout_id, position),
    CONSTRAINT takeout_entry_takeout_fkey FOREIGN KEY (organization_id, takeout_id)
        REFERENCES takeout (organization_id, id) ON DELETE CASCADE
);

-- A MiB of the archive of a takeout.
CREATE TABLE takeout_chunk (
    organization_id BIGINT  NOT NULL,
    takeout_id      BIGINT  NOT NULL,
    position        INTEGER NOT NULL,               -- 0, 1, 2, ...
    content         BYTEA   NOT NULL,               -- personal
    CONSTRAINT takeout_chunk_pkey PRIMARY KEY (organization_id, takeout_id, position),
    CONSTRAINT takeout_chunk_takeout_fkey FOREIGN KEY (organization_id, takeout_id)
        REFERENCES takeout (organization_id, id) ON DELETE CASCADE
);

-- What retention removed in a night. Written by privacy/; the last 400 are kept. Nights that removed nothing leave no row.
CREATE TABLE retention_run (
    organization_id BIGINT      NOT NULL,
    id              BIGINT      NOT NULL,
    started_at      TIMESTAMPTZ NOT NULL,
    ended_at        TIMESTAMPTZ,                    -- NULL while it runs
    calls           BIGINT      NOT NULL,           -- removed, as the rest
    records         BIGINT      NOT NULL,
    parties         BIGINT      NOT NULL,           -- numbers that no call has any more and nobody named
    files           BIGINT      NOT NULL,           -- kept files of imports
    audit_events    BIGINT      NOT NULL,
    archives        BIGINT      NOT NULL,           -- of takeouts
    --sqlite: CONSTRAINT retention_run_instants CHECK (typeof(started_at) = 'integer' AND typeof(ended_at) IN ('integer', 'null')),
    CONSTRAINT retention_run_pkey PRIMARY KEY (organization_id, id),
    CONSTRAINT retention_run_organization_fkey FOREIGN KEY (organization_id) REFERENCES organization (id)
);

-- ------------------------------------------------------------------------------------------------------------- view

-- The call log in words, for people with psql or a BI tool. Read-only; every lock of the tables holds here too.
CREATE VIEW call_log
--postgresql: WITH (security_invoker = true)
AS
SELECT call.organization_id,
       call.call_key,
       call.started_at,
       call.ended_at,
       pbx.name AS pbx,
       CASE call.direction WHEN 1 THEN 'inbound' WHEN 2 THEN 'outbound' WHEN 3 THEN 'internal' ELSE 'unknown' END AS direction,
       CASE call.outcome WHEN 1 THEN 'answered' WHEN 2 THEN 'voicemail' WHEN 3 THEN 'no_answer' WHEN 4 THEN 'busy'
                         WHEN 5 THEN 'cancelled' WHEN 6 THEN 'failed' ELSE 'unknown' END AS outcome,
       caller.digits AS caller,
       caller.name AS caller_name,
       dialed.digits AS dialed,
       callee.digits AS callee,
       answered_by.digits AS answered_by,
       call.ring_seconds,
       call.wait_seconds,
       call.talk_seconds,
       call.record_count
  FROM call
  JOIN pbx ON pbx.organization_id = call.organization_id AND pbx.id = call.pbx_id
  LEFT JOIN party AS caller ON caller.organization_id = call.organization_id AND caller.id = call.caller_id
  LEFT JOIN party AS dialed ON dialed.organization_id = call.organization_id AND dialed.id = call.dialed_id
  LEFT JOIN party AS callee ON callee.organization_id = call.organization_id AND callee.id = call.callee_id
  LEFT JOIN party AS answered_by ON answered_by.organization_id = call.organization_id AND answered_by.id = call.answered_by_id;

-- ------------------------------------------------------------------------------------- second lock, PostgreSQL only

-- Every tenant table shows and takes rows of the bound organization only; unset or empty, it has none.
-- The table's owner is bound too (FORCE). The setting is made with SET LOCAL by tenancy/lock.py.
--postgresql: DO $$
--postgresql: DECLARE tenant_table TEXT;
--postgresql: BEGIN
--postgresql:   FOREACH tenant_table IN ARRAY ARRAY['invitation', 'invitation_party', 'membership_party',
--postgresql:     'audit_event', 'audit_detail', 'audit_head', 'audit_viewing', 'pbx', 'stored_file', 'stored_chunk', 'import_file', 'rejected_line',
--postgresql:     'party', 'call_record', 'call_record_version', 'call_link', 'call', 'call_party', 'call_total', 'call_day',
--postgresql:     'call_month', 'party_total', 'call_search',
--postgresql:     'destination', 'destination_member', 'destination_pattern', 'party_holder',
--postgresql:     'invitation_destination', 'membership_destination', 'number', 'schedule', 'schedule_version',
--postgresql:     'route_plan', 'route', 'pbx_token', 'route_lookup', 'spooled_delivery', 'call_to_return',
--postgresql:     'return_mail', 'contact_import',
--postgresql:     'access_request', 'access_grant', 'access_opening', 'disclosure', 'disclosure_chunk', 'factor_consent',
--postgresql:     'audit_checkpoint', 'unnamed_skip', 'takeout', 'takeout_entry', 'takeout_chunk', 'retention_run'] LOOP
--postgresql:     EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
--postgresql:     EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tenant_table);
--postgresql:     EXECUTE format('CREATE POLICY %I ON %I USING (organization_id = nullif(current_setting(''app.organization_id'', true), '''')::bigint)
--postgresql:       WITH CHECK (organization_id = nullif(current_setting(''app.organization_id'', true), '''')::bigint)', tenant_table || '_of_organization', tenant_table);
--postgresql:   END LOOP;
--postgresql: END $$;

-- A membership may also be read by the person it is about: that is how the organizations of a person are found.
--postgresql: ALTER TABLE membership ENABLE ROW LEVEL SECURITY;
--postgresql: ALTER TABLE membership FORCE ROW LEVEL SECURITY;
--postgresql: CREATE POLICY membership_of_organization ON membership
--postgresql:   USING (organization_id = nullif(current_setting('app.organization_id', true), '')::bigint)
--postgresql:   WITH CHECK (organization_id = nullif(current_setting('app.organization_id', true), '')::bigint);
--postgresql: CREATE POLICY membership_of_person ON membership FOR SELECT
--postgresql:   USING (user_account_id = nullif(current_setting('app.user_account_id', true), '')::bigint);

-- Whether the member of staff of app.staff_id has, at this moment, an area of the bound organization open under a grant.
-- As its owner, for the staff role cannot read grants. What calls it stands in webapp/database/roles.py: policies for
-- the staff role, whose name only init-db knows.
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

-- People are global; this is for the staff role, whose own policy narrows it to those of what is open.
--postgresql: ALTER TABLE user_account ENABLE ROW LEVEL SECURITY;
--postgresql: ALTER TABLE user_account FORCE ROW LEVEL SECURITY;
--postgresql: CREATE POLICY user_account_of_all ON user_account USING (true) WITH CHECK (true);
