-- Endpoints of requests and of runs with --endpoint. A row of `environments` is an environment and an endpoint: its own
-- (empty), or that of such a run. So each has its own lane, leases, counts and queue.
ALTER TABLE environments ADD COLUMN endpoint text NOT NULL DEFAULT '';
ALTER TABLE environments DROP CONSTRAINT environments_name_key;
ALTER TABLE environments ADD UNIQUE (name, endpoint);
ALTER TABLE attempts ADD COLUMN endpoint text NOT NULL DEFAULT '';
ALTER TABLE replays ADD COLUMN elsewhere text NOT NULL DEFAULT '{}';

-- The number of an environment and an endpoint; created on first use, with a lane.
CREATE FUNCTION environment_number(_name text, _endpoint text) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  number integer;
BEGIN
  SELECT id INTO number FROM environments WHERE name = _name AND endpoint = _endpoint;
  IF number IS NULL THEN
    INSERT INTO environments(name, endpoint) VALUES (_name, _endpoint) ON CONFLICT DO NOTHING;
    SELECT id INTO STRICT number FROM environments WHERE name = _name AND endpoint = _endpoint;
    INSERT INTO lanes(environment) VALUES (number) ON CONFLICT DO NOTHING;
  END IF;
  RETURN number;
END $$;

-- For workers of older versions, which only deliver to the environment's own endpoint.
CREATE OR REPLACE FUNCTION environment_number(_name text) RETURNS integer LANGUAGE sql AS $$
  SELECT environment_number(_name, '')
$$;

-- Rebind the next deliveries queued for the environment's own endpoint to another one; returns how many.
CREATE FUNCTION adopt_queued(_own integer, _environment integer, _events integer, _now bigint) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
  adopted bigint[];
BEGIN
  IF EXISTS (SELECT 1 FROM lanes WHERE environment = _own AND state = 'paused') THEN
    RETURN 0;
  END IF;
  PERFORM give_back_expired(_own, _now);
  WITH due AS (
    SELECT id FROM deliveries WHERE environment = _own AND state = 0 AND lease IS NULL
    ORDER BY priority, due_at, id LIMIT _events FOR UPDATE SKIP LOCKED
  ), moved AS (
    UPDATE deliveries SET environment = _environment WHERE id IN (SELECT id FROM due) RETURNING id
  )
  SELECT coalesce(array_agg(id), '{}') INTO adopted FROM moved;
  IF cardinality(adopted) > 0 THEN
    PERFORM close_books(ARRAY[_own, _environment], '{0,0}',
      ARRAY[-cardinality(adopted)::bigint, cardinality(adopted)::bigint], adopted);
  END IF;
  RETURN cardinality(adopted);
END $$;

-- Withhold those that are queued and not leased. Locked rows are skipped: they are about to be leased or settled.
-- Returns how many were withdrawn, and how many are still queued.
CREATE FUNCTION withdraw_deliveries(_ids bigint[], _reason text, _now bigint, OUT withdrawn integer, OUT held integer)
LANGUAGE plpgsql AS $$
DECLARE
  number integer;
  taken bigint[];
  environments integer[];
BEGIN
  FOR number IN SELECT DISTINCT environment FROM deliveries
      WHERE id = ANY (_ids) AND state = 0 AND lease IS NOT NULL LOOP
    PERFORM give_back_expired(number, _now);
  END LOOP;
  WITH free AS (
    SELECT id FROM deliveries WHERE id = ANY (_ids) AND state = 0 AND lease IS NULL ORDER BY id FOR UPDATE SKIP LOCKED
  ), hit AS (
    UPDATE deliveries SET state = 3, reason = _reason, detail = '', error = '', due_at = 0
    WHERE id IN (SELECT id FROM free) RETURNING id, environment
  )
  SELECT coalesce(array_agg(id), '{}'), coalesce(array_agg(environment), '{}') INTO taken, environments FROM hit;
  withdrawn := cardinality(taken);
  IF withdrawn > 0 THEN
    PERFORM close_books(environments || environments,
      array_fill(0::smallint, ARRAY[withdrawn]) || array_fill(3::smallint, ARRAY[withdrawn]),
      array_fill(-1::bigint, ARRAY[withdrawn]) || array_fill(1::bigint, ARRAY[withdrawn]), taken);
  END IF;
  SELECT count(*) INTO held FROM deliveries WHERE id = ANY (_ids) AND state = 0;
END $$;
