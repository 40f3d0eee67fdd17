-- Live workers: each says every few seconds that it is there.
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
