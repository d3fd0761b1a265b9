-- One address of an organization waits for one invitation at most. Of several that a race has left, one that is open
-- stays before one that an owner has yet to confirm, then the one that is valid longest, then the newest (ids are ordered
-- by time); the others are revoked, so their links open nothing.
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
                 FROM invitation AS better
                WHERE better.organization_id = invitation.organization_id
                  AND better.email = invitation.email
                  AND better.state IN (1, 4)
                  AND (-better.state, better.expires_at, better.id)
                      > (-invitation.state, invitation.expires_at, invitation.id));

CREATE UNIQUE INDEX invitation_waiting_unique ON invitation (organization_id, email) WHERE state IN (1, 4);
