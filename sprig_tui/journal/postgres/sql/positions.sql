-- Which journal this is, and how far inputs were read into it.

CREATE TABLE identity(
  uuid text NOT NULL,
  -- schema version that it was made under
  since integer NOT NULL
);

CREATE TABLE positions(
  kind text NOT NULL,
  key text NOT NULL,
  value bytea NOT NULL,
  PRIMARY KEY(kind, key)
);
