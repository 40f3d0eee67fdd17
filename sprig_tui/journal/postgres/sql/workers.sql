-- Workers, with the time of their last heartbeat.
CREATE TABLE workers(
  id text PRIMARY KEY,
  role text NOT NULL,
  host text NOT NULL,
  pid integer NOT NULL,
  version text NOT NULL,
  environments text[] NOT NULL,
  started_at bigint NOT NULL,
  rate double precision NOT NULL,
  seen_at bigint NOT NULL
) WITH (fillfactor = 50);
