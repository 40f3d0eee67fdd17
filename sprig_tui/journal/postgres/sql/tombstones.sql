-- What stays known of deliveries that were removed. A row takes 60 bytes, one with 16 bytes in its fingerprint 68.
CREATE TABLE tombstones(
  key bigint PRIMARY KEY,
  environment integer NOT NULL,
  -- minutes since 1970 UTC
  ended_at integer NOT NULL,
  fingerprint bytea NOT NULL
);

-- See journal/tombstone_filter.py.
CREATE TABLE tombstone_filter(
  seq bigint PRIMARY KEY,
  bits integer NOT NULL,
  n bigint NOT NULL,
  checksum bigint NOT NULL,
  content bytea NOT NULL
);
ALTER TABLE tombstone_filter ALTER content SET STORAGE EXTERNAL;
