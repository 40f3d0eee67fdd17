-- Claiming deliveries, keeping them and giving them back, as the lane allows. A claim waits for no disk: all that a
-- power cut can make the server forget of it is the lease.
--
-- Order of locks, everywhere: lease, deliveries, books (close_books), lane. The row of a lease stands for its
-- deliveries: who settles, gives back or extends holds it, so that no two of them meet.

-- Milliseconds that nothing waits longer than; what would is the work of a clock that jumped (journal/contract.py).
CREATE OR REPLACE FUNCTION longest_wait() RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT 300000::bigint';

-- The longest time between two probes of a lane that is paused over a key or an endpoint.
CREATE OR REPLACE FUNCTION longest_pause() RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT 3600000::bigint';

-- The reason of a lane; empty where an older program has changed the lane since, and told `cause` alone.
CREATE OR REPLACE FUNCTION reason_of(_lane lanes) RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN CASE WHEN _lane.reason_epoch = _lane.epoch THEN _lane.reason ELSE '' END;
END $$;

CREATE OR REPLACE FUNCTION change_lane(
  _environment integer, _state text, _now bigint, _until bigint, _cause text, _failed boolean, _reason text, _detail text
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  after lanes;
BEGIN
  UPDATE lanes SET
      state = _state,
      until = _until,
      cause = CASE WHEN _state = 'open' THEN '' ELSE _cause END,
      reason = CASE WHEN _state = 'open' THEN '' ELSE _reason END,
      detail = CASE WHEN _state = 'open' THEN '' ELSE _detail END,
      reason_epoch = epoch + 1,
      failures = CASE WHEN _state = 'open' THEN 0
                      WHEN _state = 'waiting' AND _failed THEN failures + 1 ELSE failures END,
      pauses = CASE WHEN _state = 'open' THEN 0
                    WHEN _state = 'paused' AND _until > 0 AND _failed THEN pauses + 1 ELSE pauses END,
      since = CASE WHEN _state = 'open' THEN 0 WHEN since = 0 THEN _now ELSE since END,
      epoch = epoch + 1
    WHERE environment = _environment RETURNING * INTO after;
  PERFORM pg_notify('sprig_tui', 'lane ' || after.epoch || ' ' || after.state || ' ' || name)
    -- those who deliver to the environment's own endpoint listen; who does elsewhere looks
    FROM environments WHERE id = _environment AND endpoint = '';
END $$;

-- Give a lease back whose row is held; what was settled of it stays settled.
CREATE OR REPLACE FUNCTION give_back(_lease bigint) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
  given bigint[];
BEGIN
  WITH gone AS (DELETE FROM leases WHERE id = _lease RETURNING ids),
  back AS (
    UPDATE deliveries SET lease = NULL WHERE id = ANY (ARRAY(SELECT unnest(ids) FROM gone)) AND lease = _lease
    RETURNING id
  )
  SELECT coalesce(array_agg(id ORDER BY id), '{}') INTO given FROM back;
  RETURN given;
END $$;

-- Milliseconds after which a worker that was not heard of is not alive (WORKER_TTL_MS in journal/contract.py).
CREATE OR REPLACE FUNCTION worker_ttl() RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT 30000::bigint';

-- Whether a lease has run out, or its worker has not been heard of. One that was made or kept within that time stands,
-- also where its worker never reported.
CREATE OR REPLACE FUNCTION is_over(_lease leases, _now bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT _lease.until <= _now
    -- made by a clock that stood far ahead
    OR _lease.until > _now + 2 * _lease.length
    OR (_lease.owner <> '' AND _lease.until - _lease.length <= _now - worker_ttl()
      AND NOT EXISTS (SELECT 1 FROM workers w WHERE w.id = _lease.owner
        AND w.seen_at > _now - worker_ttl() AND w.seen_at < _now + worker_ttl()))
$$;

CREATE OR REPLACE FUNCTION give_back_expired(_environment integer, _now bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  expired bigint;
  given bigint[] := '{}';
BEGIN
  FOR expired IN SELECT l.id FROM leases l WHERE l.environment = _environment AND is_over(l, _now)
      ORDER BY l.id FOR UPDATE SKIP LOCKED LOOP
    given := given || give_back(expired);
  END LOOP;
  IF cardinality(given) > 0 THEN
    PERFORM close_books('{}', '{}', '{}', given);
  END IF;
END $$;

-- The time until which nothing may be claimed (0: until somebody acts), or NULL when the lane is free to claim.
-- A probe holds its lane only for as long as somebody holds the probe.
CREATE OR REPLACE FUNCTION held_until(_lane lanes, _now bigint) RETURNS bigint LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN _lane.state = 'paused' AND _lane.until = 0 THEN 0::bigint
    WHEN _lane.state = 'probing' AND NOT EXISTS (SELECT 1 FROM leases l
      WHERE l.environment = _lane.environment AND l.probe AND NOT is_over(l, _now)) THEN NULL
    WHEN _lane.state <> 'open' AND _now < _lane.until
      AND _lane.until <= _now + CASE WHEN _lane.state = 'paused' THEN longest_pause() ELSE longest_wait() END
    THEN _lane.until END
$$;

-- When a lease on a delivery runs out; 0 for no such time.
CREATE OR REPLACE FUNCTION next_due(_environment integer, _now bigint) RETURNS bigint LANGUAGE sql AS $$
  SELECT CASE WHEN count(*) = 0 THEN 0 ELSE greatest(min(until), _now) END FROM leases WHERE environment = _environment
$$;

-- Lease the oldest due deliveries that fit. `lease` is 0 where nothing was claimed, `retry_at` then says when to ask
-- again; `lane` is as it stands for this claim. `_waited_until` is the lane's `until` that the caller has waited out.
CREATE OR REPLACE FUNCTION claim_deliveries(
  _environment integer, _owner text, _events integer, _payload_bytes bigint, _lease_ms bigint, _rate double precision,
  _now bigint, _probe_events integer, _often integer, _slot_ahead_ms double precision, _lease bigint, _patience_ms bigint,
  _waited_until bigint,
  OUT lease bigint, OUT ids bigint[], OUT sizes integer[], OUT tried integer[], OUT first_tries bigint[],
  OUT carried integer[],
  OUT send_at bigint, OUT probe boolean, OUT retry_at bigint, OUT lane lanes
) LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
DECLARE
  held bigint;
  most integer := _events;
  total bigint := -1;
  wave smallint;
  part integer;
  patient bigint := _now - _patience_ms;
  afters bigint[] := ARRAY[0, -1, greatest(patient, 0), greatest(_now, 0)];
  untils bigint[] := ARRAY[patient, 0, _now, (1::bigint << 62)];
  often boolean;
  allowed integer;
  one record;
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);
  lease := 0; ids := '{}'; sizes := '{}'; tried := '{}'; first_tries := '{}'; carried := '{}';
  send_at := 0; probe := false; retry_at := 0;
  SELECT l.* INTO lane FROM lanes l WHERE l.environment = _environment;
  held := held_until(lane, _now);
  IF held IS NOT NULL AND NOT (held > 0 AND held = _waited_until) THEN
    retry_at := held;
    RETURN;
  END IF;
  PERFORM give_back_expired(_environment, _now);
  IF lane.state <> 'open' THEN
    -- one probe and no other: whoever holds the row decides, the next one sees what was decided
    SELECT l.* INTO lane FROM lanes l WHERE l.environment = _environment FOR UPDATE;
    held := held_until(lane, _now);
    IF held IS NOT NULL AND NOT (held > 0 AND held = _waited_until) THEN
      retry_at := held;
      RETURN;
    END IF;
    probe := lane.state <> 'open';
    IF probe THEN
      -- after a pause one delivery alone is risked: a key or an endpoint was refused
      allowed := CASE WHEN lane.pauses > 0 THEN 1 ELSE _probe_events END;
      most := least(most, allowed);
    END IF;
  END IF;
  <<lines>>
  FOREACH wave IN ARRAY '{0,1}'::smallint[] LOOP
    -- each line in its parts: failed a while ago, never tried, failed lately; and failed lately by a clock that was
    -- set back since
    FOR part IN 1 .. 4 LOOP
      FOR one IN SELECT d.id, d.size, d.tries, d.first_try, d.attempts FROM deliveries d
          WHERE d.environment = _environment AND d.state = 0 AND d.lease IS NULL AND d.priority = wave
            AND d.due_at > afters[part] AND d.due_at <= untils[part]
          ORDER BY d.due_at, d.id LIMIT most FOR UPDATE SKIP LOCKED LOOP
        total := total + one.size + 1;
        EXIT lines WHEN cardinality(ids) > 0
          AND (total > _payload_bytes OR (one.tries >= _often) <> often OR cardinality(ids) >= most);
        IF cardinality(ids) = 0 THEN
          often := one.tries >= _often;
          IF probe AND often THEN
            most := greatest(1, allowed >> least(one.tries - _often + 1, 20));
          END IF;
        END IF;
        ids := ids || one.id;
        sizes := sizes || one.size;
        tried := tried || one.tries;
        first_tries := first_tries || one.first_try;
        carried := carried || one.attempts;
      END LOOP;
    END LOOP;
  END LOOP;
  IF cardinality(ids) = 0 THEN
    probe := false;
    retry_at := next_due(_environment, _now);
    RETURN;
  END IF;
  lease := _lease;
  INSERT INTO leases(id, environment, owner, until, length, probe, ids, n)
    VALUES (lease, _environment, _owner, _now + _lease_ms, _lease_ms, claim_deliveries.probe, claim_deliveries.ids,
      cardinality(claim_deliveries.ids));
  UPDATE deliveries d SET lease = claim_deliveries.lease WHERE d.id = ANY (claim_deliveries.ids);
  IF probe THEN
    -- no hold may look longer than the longest wait
    PERFORM change_lane(_environment, 'probing', _now, _now + least(_lease_ms, longest_wait()), lane.cause, false,
      reason_of(lane), lane.detail);
  END IF;
  IF _rate > 0 THEN
    -- a slot further ahead is the work of a clock that jumped
    UPDATE lanes l SET next_slot = 1000.0 / _rate
        + CASE WHEN l.next_slot < _now OR l.next_slot > _now + _slot_ahead_ms THEN _now ELSE l.next_slot END
      WHERE l.environment = _environment RETURNING l.* INTO lane;
    send_at := floor(lane.next_slot - 1000.0 / _rate)::bigint;
  ELSE
    SELECT l.* INTO lane FROM lanes l WHERE l.environment = _environment;
    send_at := _now;
  END IF;
  IF NOT probe AND lane.state <> 'open' THEN
    -- it was shut while this claim was being made: nothing of it may go out
    PERFORM give_back(lease);
    lease := 0; ids := '{}'; sizes := '{}'; tried := '{}'; first_tries := '{}'; carried := '{}'; send_at := 0;
    retry_at := coalesce(held_until(lane, _now), _now);
    RETURN;
  END IF;
  IF probe THEN
    UPDATE leases SET epoch = lane.epoch WHERE id = lease;
  END IF;
END $$;

-- The same for programs of schema version 1.
CREATE OR REPLACE FUNCTION claim_deliveries(
  _environment integer, _owner text, _events integer, _payload_bytes bigint, _lease_ms bigint, _rate double precision,
  _now bigint, _probe_events integer, _often integer, _slot_ahead_ms double precision, _lease bigint, _patience_ms bigint,
  OUT lease bigint, OUT ids bigint[], OUT sizes integer[], OUT tried integer[], OUT first_tries bigint[],
  OUT send_at bigint, OUT probe boolean, OUT retry_at bigint, OUT lane lanes
) LANGUAGE sql AS $$
  SELECT lease, ids, sizes, tried, first_tries, send_at, probe, retry_at, lane
    FROM claim_deliveries(_environment, _owner, _events, _payload_bytes, _lease_ms, _rate, _now, _probe_events, _often,
      _slot_ahead_ms, _lease, _patience_ms, 0::bigint)
$$;

-- Keep a lease for so long; false when it is gone.
CREATE OR REPLACE FUNCTION extend_lease(_lease bigint, _environment integer, _epoch bigint, _probe boolean, _lease_ms bigint,
  _now bigint) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);
  -- its length grows with it: a lease that reaches further than its length allows counts as a clock's mistake
  UPDATE leases SET until = _now + _lease_ms, length = greatest(length, _lease_ms) WHERE id = _lease;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  IF _probe THEN
    UPDATE lanes SET until = _now + least(_lease_ms, longest_wait())
      WHERE environment = _environment AND state = 'probing' AND epoch = _epoch;
  END IF;
  RETURN true;
END $$;

-- Give back what a claim still holds; a probe without a verdict leaves the lane to the next probe. It waits for the
-- disk: a server that forgot it would remember the lease, which nobody holds any more.
CREATE OR REPLACE FUNCTION release_lease(_lease bigint, _environment integer, _epoch bigint, _probe boolean)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  given bigint[];
  was lanes;
BEGIN
  PERFORM 1 FROM leases WHERE id = _lease FOR UPDATE;
  given := give_back(_lease);
  IF cardinality(given) > 0 THEN
    PERFORM close_books('{}', '{}', '{}', given);
  END IF;
  IF _probe THEN
    SELECT * INTO was FROM lanes WHERE environment = _environment FOR UPDATE;
    IF was.state = 'probing' AND was.epoch = _epoch THEN
      -- 1 is a time gone by; 0 would keep a paused lane until somebody acts
      PERFORM change_lane(_environment, CASE WHEN was.pauses > 0 THEN 'paused' ELSE 'waiting' END, 0, 1, was.cause,
        false, reason_of(was), was.detail);
    END IF;
  END IF;
END $$;

-- Give back leases of claims whose answer never came; those that were not made, or are gone, are passed over.
CREATE OR REPLACE FUNCTION release_lost(_leases bigint[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  lost leases;
BEGIN
  -- all of them before the books of the first
  PERFORM 1 FROM leases WHERE id = ANY (_leases) ORDER BY id FOR UPDATE;
  FOR lost IN SELECT * FROM leases WHERE id = ANY (_leases) LOOP
    PERFORM release_lease(lost.id, lost.environment, lost.epoch, lost.probe);
  END LOOP;
END $$;

-- Pause or open a lane by hand.
CREATE OR REPLACE FUNCTION set_lane(
  _environment integer, _state text, _cause text, _now bigint, _reason text, _detail text
) RETURNS lanes LANGUAGE plpgsql AS $$
DECLARE
  after lanes;
BEGIN
  PERFORM change_lane(_environment, _state, _now, 0, _cause, true, _reason, _detail);
  SELECT * INTO after FROM lanes WHERE environment = _environment;
  RETURN after;
END $$;

-- The same for programs up to schema version 5, which tell the cause in words alone.
CREATE OR REPLACE FUNCTION set_lane(_environment integer, _state text, _cause text, _now bigint) RETURNS lanes
LANGUAGE sql AS $$
  SELECT set_lane(_environment, _state, _cause, _now, '', '')
$$;

CREATE OR REPLACE FUNCTION change_lane(
  _environment integer, _state text, _now bigint, _until bigint, _cause text, _failed boolean
) RETURNS void LANGUAGE sql AS $$
  SELECT change_lane(_environment, _state, _now, _until, _cause, _failed, '', '')
$$;
