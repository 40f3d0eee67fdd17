-- Probing of paused lanes: `pauses` counts consecutive pauses. Lanes paused because of a key or an endpoint are probed
-- from now on; those paused by hand are not.
ALTER TABLE lanes ADD COLUMN pauses integer NOT NULL DEFAULT 0;
UPDATE lanes SET until = 1, pauses = 1
  WHERE state = 'paused' AND (cause LIKE 'write key %' OR cause LIKE 'check the endpoint %');
