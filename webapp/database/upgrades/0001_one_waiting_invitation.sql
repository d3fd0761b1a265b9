-- One address of an organization waits for one invitation at most. Of several that a race has left, the newest stays;
-- the others are revoked, so their links open nothing. Ids are ordered by time.
UPDATE invitation
   SET state = 3,
       token_digest =
       --sqlite: x'',
       --postgresql: ''::bytea,
       ended_at =
       --sqlite: CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)
       --postgresql: date_trunc('milliseconds', now())
 WHERE state IN (1, 4)
   AND EXISTS (SELECT 1
                 FROM invitation AS newer
                WHERE newer.organization_id = invitation.organization_id
                  AND newer.email = invitation.email
                  AND newer.state IN (1, 4)
                  AND newer.id > invitation.id);

CREATE UNIQUE INDEX invitation_waiting_unique ON invitation (organization_id, email) WHERE state IN (1, 4);
