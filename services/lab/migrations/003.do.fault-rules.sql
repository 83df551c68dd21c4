-- The faults that were ordered, so that a laboratory that starts again knows what it ordered.
CREATE TABLE lab.fault_rules (
  id        uuid PRIMARY KEY,
  rule      jsonb       NOT NULL,
  until     timestamptz NOT NULL,
  halted_at timestamptz
);
CREATE INDEX fault_rules_until ON lab.fault_rules (until);
