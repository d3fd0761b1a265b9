-- For how long each party of a call talked: what somebody sees of it who sees the calls of some extensions only.
-- Of a call that was never passed on it is the call's talk, for the caller and for who answered. Who talked for how
-- long in a call that several answered is told by its records alone: until these are read again, each of them keeps
-- the talk of the whole call, which is what was shown for each of them so far.
ALTER TABLE call_party ADD COLUMN talk_seconds INTEGER NOT NULL DEFAULT 0;

UPDATE call_party
   SET talk_seconds = call.talk_seconds
  FROM call
 WHERE call.organization_id = call_party.organization_id
   AND call.started_at = call_party.started_at
   AND call.call_key = call_party.call_key
   AND call.talk_seconds > 0
   AND (call_party.roles & 9 <> 0 OR call.answered_by_id = call_party.party_id);
