-- When the user's own stream was told that the session was revoked: what is missing here is told by a sweep.
ALTER TABLE sessions ADD COLUMN end_told_at timestamptz;
-- Of those before now nobody has a token any more.
UPDATE sessions SET end_told_at = revoked_at WHERE revoked_at IS NOT NULL;
CREATE INDEX sessions_end_untold ON sessions (id) WHERE revoked_at IS NOT NULL AND end_told_at IS NULL;
CREATE INDEX sessions_revoked ON sessions (revoked_at) WHERE revoked_at IS NOT NULL;
