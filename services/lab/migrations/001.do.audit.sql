-- Every change made in the laboratory, and by whom. Nothing here is ever changed or removed.
CREATE TABLE lab.audit (
  id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  time   timestamptz NOT NULL DEFAULT now(),
  -- `user:<id>`, or `system:lab`.
  actor  text        NOT NULL,
  name   text        NOT NULL,
  action text        NOT NULL,
  detail jsonb       NOT NULL
);
