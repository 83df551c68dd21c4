-- The echo projection, and what its consumer keeps with it in the same transactions.
CREATE TABLE lab.echo_rooms (
  room      text           PRIMARY KEY,
  messages  bigint         NOT NULL,
  last_text text,
  -- The seqs applied, so that none counts twice, whatever order they come in.
  seen      int8multirange NOT NULL,
  -- Events applied after a later one of their room.
  late      bigint         NOT NULL
);

-- Up to where a consumer has dealt with a partition: its offset in Kafka only says where to begin reading.
CREATE TABLE lab.positions (
  consumer  text   NOT NULL,
  topic     text   NOT NULL,
  partition int    NOT NULL,
  next      bigint NOT NULL,
  PRIMARY KEY (consumer, topic, partition)
);

CREATE TABLE lab.blocked_keys (
  consumer text        NOT NULL,
  key      text        NOT NULL,
  code     text        NOT NULL,
  error    text        NOT NULL,
  attempts int         NOT NULL,
  since    timestamptz NOT NULL,
  PRIMARY KEY (consumer, key)
);

CREATE TABLE lab.parked_records (
  -- Grows in the order of arrival within a key.
  id        bigint GENERATED ALWAYS AS IDENTITY,
  consumer  text   NOT NULL,
  key       text   NOT NULL,
  topic     text   NOT NULL,
  partition int    NOT NULL,
  "offset"  bigint NOT NULL,
  -- The bytes as they came, which no type of text may take; headers as JSON.
  value     bytea  NOT NULL,
  headers   bytea  NOT NULL,
  timestamp bigint NOT NULL,
  PRIMARY KEY (consumer, key, id),
  FOREIGN KEY (consumer, key) REFERENCES lab.blocked_keys
);
