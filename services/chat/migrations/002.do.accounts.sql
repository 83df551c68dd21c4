-- Accounts and guests. `name_key` is the folded name while it is held; a guest whose sessions ended may lose it.
CREATE TABLE users (
  id            uuid PRIMARY KEY,
  username      text        NOT NULL,
  name_key      text UNIQUE,
  display_name  text        NOT NULL,
  password_hash text,
  guest         boolean     NOT NULL,
  admin         boolean     NOT NULL DEFAULT false,
  created_at    timestamptz NOT NULL
);

-- A session is a family of refresh tokens: each is exchanged for the next, once.
CREATE TABLE sessions (
  id         uuid PRIMARY KEY,
  user_id    uuid        NOT NULL REFERENCES users (id),
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  revoked_at timestamptz
);
CREATE INDEX sessions_user ON sessions (user_id);

CREATE TABLE refresh_tokens (
  -- SHA-256 of the token, base64url.
  hash         text PRIMARY KEY,
  session_id   uuid        NOT NULL REFERENCES sessions (id),
  issued_at    timestamptz NOT NULL,
  used_at      timestamptz,
  -- The Idempotency-Key of the exchange: whoever repeats it with the same key did not get the answer.
  exchange_key text,
  successor    text
);
CREATE INDEX refresh_tokens_session ON refresh_tokens (session_id);

-- The key pairs that sign access tokens, as JWKs.
CREATE TABLE signing_keys (
  kid         text PRIMARY KEY,
  private_jwk jsonb       NOT NULL,
  public_jwk  jsonb       NOT NULL,
  created_at  timestamptz NOT NULL
);
