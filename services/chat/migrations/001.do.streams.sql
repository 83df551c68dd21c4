-- A stream: its head, and how far of it is on chat.events. A row exists only for a stream that has events.
CREATE TABLE streams (
  stream        text COLLATE "C" PRIMARY KEY,
  -- The partition of chat.commands whose consumer owns the stream.
  partition     smallint    NOT NULL,
  seq           bigint      NOT NULL DEFAULT 0,
  chain         text        NOT NULL DEFAULT '',
  time          timestamptz NOT NULL DEFAULT 'epoch',
  message_no    bigint      NOT NULL DEFAULT 0,
  published_seq bigint      NOT NULL DEFAULT 0
);
-- What the sweep looks for; nearly always empty.
CREATE INDEX streams_unpublished ON streams (partition, stream) WHERE published_seq < seq;

-- The record. `bytes` is the value on chat.events and the frame, byte for byte; the columns are for looking things up.
CREATE TABLE stream_events (
  stream text COLLATE "C" NOT NULL,
  seq    bigint           NOT NULL,
  id     uuid             NOT NULL,
  type   text             NOT NULL,
  actor  text             NOT NULL,
  time   timestamptz      NOT NULL,
  chain  text             NOT NULL,
  bytes  text             NOT NULL,
  PRIMARY KEY (stream, seq)
);

-- One outcome a command, for ever. A cancelled or undecodable one may have no hash and no subject.
CREATE TABLE command_outcomes (
  actor   text COLLATE "C" NOT NULL,
  id      uuid             NOT NULL,
  hash    text,
  subject text,
  state   text             NOT NULL CHECK (state IN ('accepted', 'rejected', 'held', 'cancelled')),
  seq     bigint,
  code    text,
  detail  text,
  time    timestamptz      NOT NULL,
  PRIMARY KEY (actor, id)
);

-- Projections: written in the transaction of their events, and always equal to what the events say.
CREATE TABLE rooms (
  room         text COLLATE "C" PRIMARY KEY,
  name         text   NOT NULL,
  topic        text   NOT NULL,
  visibility   text   NOT NULL CHECK (visibility IN ('public', 'private')),
  member_count bigint NOT NULL
);
CREATE INDEX rooms_public ON rooms (room) WHERE visibility = 'public';

CREATE TABLE room_members (
  room       text COLLATE "C" NOT NULL,
  user_id    uuid             NOT NULL,
  joined_seq bigint           NOT NULL,
  PRIMARY KEY (room, user_id)
);
CREATE INDEX room_members_user ON room_members (user_id, room);

CREATE TABLE messages (
  room       text COLLATE "C" NOT NULL,
  seq        bigint           NOT NULL,
  message_no bigint           NOT NULL,
  id         uuid             NOT NULL,
  author     uuid             NOT NULL,
  text       text             NOT NULL,
  time       timestamptz      NOT NULL,
  PRIMARY KEY (room, seq)
);

-- What a user's own stream says of a room: member or not, since which seq of the room.
CREATE TABLE user_rooms (
  user_id uuid             NOT NULL,
  room    text COLLATE "C" NOT NULL,
  seq     bigint           NOT NULL,
  member  boolean          NOT NULL,
  PRIMARY KEY (user_id, room)
);
