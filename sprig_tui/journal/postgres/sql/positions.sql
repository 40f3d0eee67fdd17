-- Identity of the journal, and read positions of inputs.

CREATE TABLE identity(
  uuid text NOT NULL,
  -- schema version that created it
  since integer NOT NULL
);

CREATE TABLE positions(
  kind text NOT NULL,
  key text NOT NULL,
  value bytea NOT NULL,
  PRIMARY KEY(kind, key)
);
