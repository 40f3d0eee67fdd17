-- Tables of a journal. Reasons for this design, measured on PostgreSQL 15 and 18:
--
-- * Payloads of consecutive ids are compressed in `packs`: a fifth of the WAL of single rows, and state changes do not
--   copy them.
-- * Claims read only the partial index `due`; no other column that changes with each delivery is indexed.
-- * Identities have a table of their own, because each update of a delivery writes all its index entries.
-- * Counts are maintained. They and the change records are written last in a transaction and under one lock, so that
--   change records become visible in their order and transactions do not deadlock.
-- * `due_at` is 0 for 'as soon as possible', so that a wrong clock on arrival delays nothing.
-- * An HTTP request is one row of `attempts`, however many deliveries it carried; `history` holds only what failed.

CREATE TABLE environments(
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL UNIQUE
);

CREATE SEQUENCE delivery_ids;

CREATE TABLE deliveries(
  id bigint PRIMARY KEY,
  due_at bigint NOT NULL DEFAULT 0,
  lease bigint,
  attempt bigint,
  first_try bigint NOT NULL DEFAULT 0,
  added_at bigint NOT NULL,
  answered_at bigint NOT NULL,
  updated_at bigint NOT NULL,
  origin bigint,
  environment integer NOT NULL,
  attempts integer NOT NULL DEFAULT 0,
  tries integer NOT NULL DEFAULT 0,
  size integer NOT NULL,
  line bigint NOT NULL,
  state smallint NOT NULL,
  priority smallint NOT NULL DEFAULT 0,
  edited boolean NOT NULL DEFAULT false,
  message_id text NOT NULL,
  digest bytea NOT NULL,
  reason text NOT NULL,
  detail text NOT NULL,
  error text NOT NULL DEFAULT '',
  survey_id text NOT NULL,
  survey_name text NOT NULL,
  user_id text NOT NULL,
  question_type text NOT NULL,
  question_id text NOT NULL,
  answer text NOT NULL,
  source text NOT NULL
) WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.05);
CREATE INDEX due ON deliveries(environment, priority, due_at, id) WHERE state = 0 AND lease IS NULL;
CREATE INDEX ended_badly ON deliveries(state, id) WHERE state >= 2;
CREATE INDEX origins ON deliveries(origin) WHERE origin IS NOT NULL;

CREATE TABLE ids(key bigint PRIMARY KEY, delivery bigint NOT NULL);

CREATE TABLE packs(first bigint PRIMARY KEY, raws bytea NOT NULL, bodies bytea NOT NULL);
ALTER TABLE packs ALTER raws SET STORAGE EXTERNAL, ALTER bodies SET STORAGE EXTERNAL;

CREATE TABLE counts(
  environment integer NOT NULL,
  state smallint NOT NULL,
  n bigint NOT NULL,
  PRIMARY KEY(environment, state)
) WITH (fillfactor = 10);

CREATE TABLE attempts(
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  environment integer NOT NULL,
  started_at bigint NOT NULL,
  status integer NOT NULL,
  error text NOT NULL,
  outcome text NOT NULL,
  latency_ms double precision NOT NULL,
  events integer NOT NULL,
  body_bytes integer NOT NULL,
  excerpt text NOT NULL
);
CREATE INDEX attempt_status ON attempts(status);

CREATE TABLE history(
  delivery bigint NOT NULL,
  attempt bigint NOT NULL,
  PRIMARY KEY(delivery, attempt)
);

-- The id is chosen at random by the client: it is known even if the response is lost, and after a crash of the server
-- that lost a lease no other lease gets the same id.
CREATE TABLE leases(
  id bigint PRIMARY KEY,
  environment integer NOT NULL,
  owner text NOT NULL,
  until bigint NOT NULL,
  length bigint NOT NULL,
  probe boolean NOT NULL,
  epoch bigint NOT NULL DEFAULT 0,
  ids bigint[] NOT NULL,
  n integer NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);

CREATE TABLE lanes(
  environment integer PRIMARY KEY,
  state text NOT NULL DEFAULT 'open',
  until bigint NOT NULL DEFAULT 0,
  cause text NOT NULL DEFAULT '',
  failures integer NOT NULL DEFAULT 0,
  since bigint NOT NULL DEFAULT 0,
  epoch bigint NOT NULL DEFAULT 0,
  last_status integer NOT NULL DEFAULT 0,
  last_at bigint NOT NULL DEFAULT 0,
  next_slot double precision NOT NULL DEFAULT 0
) WITH (fillfactor = 10);

CREATE TABLE changes(
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  ids bigint[] NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.1);

CREATE TABLE replays(
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  filter text NOT NULL,
  query bytea NOT NULL,
  as_new boolean NOT NULL,
  state text NOT NULL,
  created_at bigint NOT NULL,
  cursor bigint NOT NULL,
  last_id bigint NOT NULL,
  total bigint NOT NULL,
  queued bigint NOT NULL DEFAULT 0,
  skipped bigint NOT NULL DEFAULT 0
);

-- Progress of a copy from a file, by table.
CREATE TABLE copies(
  source text NOT NULL,
  place integer NOT NULL,
  cursor bigint NOT NULL DEFAULT 0,
  done boolean NOT NULL DEFAULT false,
  PRIMARY KEY(source, place)
);
