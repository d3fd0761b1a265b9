-- The live policies and what they promise: versions, who was told, whether each promise is kept; takeout, retention,
-- leaving, backups. Nothing is published yet, everything is kept as before, and nobody has left.
ALTER TABLE organization ADD COLUMN keep_calls_days INTEGER;
ALTER TABLE organization ADD COLUMN keep_audit_days INTEGER;
ALTER TABLE organization ADD COLUMN keep_files_days INTEGER;
ALTER TABLE organization ADD COLUMN keep_exports_days INTEGER NOT NULL DEFAULT 7;
ALTER TABLE organization ADD COLUMN closing_ms BIGINT;
ALTER TABLE organization ADD COLUMN closing_by BIGINT;
ALTER TABLE import_file ADD COLUMN old_count BIGINT NOT NULL DEFAULT 0;

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

CREATE TABLE promise_state (
    promise    TEXT        NOT NULL,                -- a key of policies/promises.py
    kept       BOOLEAN     NOT NULL,
    since_at   TIMESTAMPTZ NOT NULL,                -- of this state
    checked_at TIMESTAMPTZ NOT NULL,
    why        TEXT        NOT NULL,                -- why it is not kept, for everybody to read; "" while it is
    --sqlite: CONSTRAINT promise_state_instants CHECK (typeof(since_at) = 'integer' AND typeof(checked_at) = 'integer'),
    CONSTRAINT promise_state_pkey PRIMARY KEY (promise)
);

CREATE TABLE promise_change (
    promise TEXT        NOT NULL,
    id      BIGINT      NOT NULL,
    at      TIMESTAMPTZ NOT NULL,
    kept    BOOLEAN     NOT NULL,
    why     TEXT        NOT NULL,
    --sqlite: CONSTRAINT promise_change_instants CHECK (typeof(at) = 'integer'),
    CONSTRAINT promise_change_pkey PRIMARY KEY (promise, id)
);

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

--sqlite: DROP TRIGGER audit_event_is_kept;
--sqlite: DROP TRIGGER audit_detail_is_kept;
--sqlite: CREATE TRIGGER audit_event_is_kept BEFORE DELETE ON audit_event
--sqlite: WHEN NOT EXISTS (SELECT 1 FROM audit_checkpoint WHERE organization_id = OLD.organization_id
--sqlite:                  AND position >= OLD.position) BEGIN
--sqlite:   SELECT RAISE(ABORT, 'the audit is appended to, never changed');
--sqlite: END;
--sqlite: CREATE TRIGGER audit_detail_is_kept BEFORE DELETE ON audit_detail
--sqlite: WHEN NOT EXISTS (SELECT 1 FROM audit_checkpoint WHERE organization_id = OLD.organization_id
--sqlite:                  AND position >= OLD.position) BEGIN
--sqlite:   SELECT RAISE(ABORT, 'words of the audit are erased, never changed');
--sqlite: END;
--postgresql: DROP TRIGGER audit_event_stays ON audit_event;
--postgresql: DROP TRIGGER audit_detail_is_kept ON audit_detail;
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
--postgresql: CREATE TRIGGER audit_detail_is_kept BEFORE DELETE ON audit_detail
--postgresql:   FOR EACH ROW EXECUTE FUNCTION audit_refuse_uncovered();

CREATE TABLE unnamed_skip (
    organization_id BIGINT      NOT NULL,
    party_id        BIGINT      NOT NULL,
    skipped_by      BIGINT      NOT NULL,           -- user_account
    skipped_at      TIMESTAMPTZ NOT NULL,
    --sqlite: CONSTRAINT unnamed_skip_instants CHECK (typeof(skipped_at) = 'integer'),
    CONSTRAINT unnamed_skip_pkey PRIMARY KEY (organization_id, party_id),
    CONSTRAINT unnamed_skip_party_fkey FOREIGN KEY (organization_id, party_id) REFERENCES party (organization_id, id) ON DELETE CASCADE
);

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

CREATE TABLE takeout_chunk (
    organization_id BIGINT  NOT NULL,
    takeout_id      BIGINT  NOT NULL,
    position        INTEGER NOT NULL,               -- 0, 1, 2, ...
    content         BYTEA   NOT NULL,               -- personal
    CONSTRAINT takeout_chunk_pkey PRIMARY KEY (organization_id, takeout_id, position),
    CONSTRAINT takeout_chunk_takeout_fkey FOREIGN KEY (organization_id, takeout_id)
        REFERENCES takeout (organization_id, id) ON DELETE CASCADE
);

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

--postgresql: DO $$
--postgresql: DECLARE tenant_table TEXT;
--postgresql: BEGIN
--postgresql:   FOREACH tenant_table IN ARRAY ARRAY['audit_checkpoint', 'unnamed_skip', 'takeout', 'takeout_entry', 'takeout_chunk',
--postgresql:     'retention_run'] LOOP
--postgresql:     EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
--postgresql:     EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tenant_table);
--postgresql:     EXECUTE format('CREATE POLICY %I ON %I USING (organization_id = nullif(current_setting(''app.organization_id'', true), '''')::bigint)
--postgresql:       WITH CHECK (organization_id = nullif(current_setting(''app.organization_id'', true), '''')::bigint)', tenant_table || '_of_organization', tenant_table);
--postgresql:   END LOOP;
--postgresql: END $$;
