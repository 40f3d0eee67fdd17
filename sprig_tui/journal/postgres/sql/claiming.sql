-- Claims: leasing due deliveries as the lane allows, renewing and releasing leases. A claim does not wait for the disk:
-- a power cut can only lose the lease.
--
-- Order of locks, everywhere: lease, deliveries, counts (close_books), lane. The row of a lease locks its deliveries:
-- settle, release and extend lock it, so that they exclude each other.

-- Maximum wait in milliseconds (MAX_LANE_WAIT_MS in journal/base.py); longer ones are the result of a clock jump.
CREATE OR REPLACE FUNCTION longest_wait() RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT 300000::bigint';

-- Maximum time between two probes of a lane that is paused because of a key or an endpoint.
CREATE OR REPLACE FUNCTION longest_pause() RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT 3600000::bigint';

-- The reason of a lane; empty if an older program has changed the lane since and only set `cause`.
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
    -- only workers of the environment's own endpoint listen; others poll
    FROM environments WHERE id = _environment AND endpoint = '';
END $$;

-- Release a lease whose row is locked; settled deliveries stay settled.
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

-- Milliseconds without a heartbeat after which a worker counts as dead (WORKER_TTL_MS in journal/base.py).
CREATE OR REPLACE FUNCTION worker_ttl() RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT 30000::bigint';

-- Whether a lease has expired, or its worker is dead. One that was made or renewed within that time is kept, even if its
-- worker has sent no heartbeat.
CREATE OR REPLACE FUNCTION is_over(_lease leases, _now bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT _lease.until <= _now
    -- made under a clock far ahead
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
    PERFORM close_books('{}', '{}', '{}', given, '{}');
  END IF;
END $$;

-- The time until which nothing may be claimed (0: until it is resumed by hand), or NULL if claims are allowed.
-- A probe blocks its lane only while it is leased.
CREATE OR REPLACE FUNCTION held_until(_lane lanes, _now bigint) RETURNS bigint LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN _lane.state = 'paused' AND _lane.until = 0 THEN 0::bigint
    WHEN _lane.state = 'probing' AND NOT EXISTS (SELECT 1 FROM leases l
      WHERE l.environment = _lane.environment AND l.probe AND NOT is_over(l, _now)) THEN NULL
    WHEN _lane.state <> 'open' AND _now < _lane.until
      AND _lane.until <= _now + CASE WHEN _lane.state = 'paused' THEN longest_pause() ELSE longest_wait() END
    THEN _lane.until END
$$;

-- When the next lease expires; 0 for none.
CREATE OR REPLACE FUNCTION next_due(_environment integer, _now bigint) RETURNS bigint LANGUAGE sql AS $$
  SELECT CASE WHEN count(*) = 0 THEN 0 ELSE greatest(min(until), _now) END FROM leases WHERE environment = _environment
$$;

-- Lease the oldest due deliveries that fit. For a claim without deliveries `lease` is 0 and `retry_at` the time to claim
-- again. `lane` is the lane after the claim. `_waited_until` is the lane's `until` that has passed for the caller.
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
    -- only one probe: the transaction that locks the row decides, the next one sees its result
    SELECT l.* INTO lane FROM lanes l WHERE l.environment = _environment FOR UPDATE;
    held := held_until(lane, _now);
    IF held IS NOT NULL AND NOT (held > 0 AND held = _waited_until) THEN
      retry_at := held;
      RETURN;
    END IF;
    probe := lane.state <> 'open';
    IF probe THEN
      -- after a pause the probe is one delivery: a key or an endpoint was rejected
      allowed := CASE WHEN lane.pauses > 0 THEN 1 ELSE _probe_events END;
      most := least(most, allowed);
    END IF;
  END IF;
  <<lines>>
  FOREACH wave IN ARRAY '{0,1}'::smallint[] LOOP
    -- ranges of the queue: failed long ago, never tried, failed lately, and failed lately under a clock that was set
    -- back since then
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
    -- at most the maximum wait of a lane
    PERFORM change_lane(_environment, 'probing', _now, _now + least(_lease_ms, longest_wait()), lane.cause, false,
      reason_of(lane), lane.detail);
  END IF;
  IF _rate > 0 THEN
    -- a slot further ahead is the result of a clock jump
    UPDATE lanes l SET next_slot = 1000.0 / _rate
        + CASE WHEN l.next_slot < _now OR l.next_slot > _now + _slot_ahead_ms THEN _now ELSE l.next_slot END
      WHERE l.environment = _environment RETURNING l.* INTO lane;
    send_at := floor(lane.next_slot - 1000.0 / _rate)::bigint;
  ELSE
    SELECT l.* INTO lane FROM lanes l WHERE l.environment = _environment;
    send_at := _now;
  END IF;
  IF NOT probe AND lane.state <> 'open' THEN
    -- the lane was closed during this claim: nothing may be sent
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

-- Renew a lease; false if it is gone.
CREATE OR REPLACE FUNCTION extend_lease(_lease bigint, _environment integer, _epoch bigint, _probe boolean, _lease_ms bigint,
  _now bigint) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);
  -- the length grows too: a lease that ends later than its length allows is treated as the result of a clock jump
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

-- Release what a claim still leases; after a probe without a result the next claim probes. Waits for the disk: a server
-- that lost the release would restore a lease without a worker.
CREATE OR REPLACE FUNCTION release_lease(_lease bigint, _environment integer, _epoch bigint, _probe boolean)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  given bigint[];
  was lanes;
BEGIN
  PERFORM 1 FROM leases WHERE id = _lease FOR UPDATE;
  given := give_back(_lease);
  IF cardinality(given) > 0 THEN
    PERFORM close_books('{}', '{}', '{}', given, '{}');
  END IF;
  IF _probe THEN
    SELECT * INTO was FROM lanes WHERE environment = _environment FOR UPDATE;
    IF was.state = 'probing' AND was.epoch = _epoch THEN
      -- 1 is in the past; 0 would keep a paused lane until it is resumed by hand
      PERFORM change_lane(_environment, CASE WHEN was.pauses > 0 THEN 'paused' ELSE 'waiting' END, 0, 1, was.cause,
        false, reason_of(was), was.detail);
    END IF;
  END IF;
END $$;

-- Release leases of claims whose response was lost; those that were not made, or are gone, are skipped.
CREATE OR REPLACE FUNCTION release_lost(_leases bigint[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  lost leases;
BEGIN
  -- lock all of them before the counts of the first
  PERFORM 1 FROM leases WHERE id = ANY (_leases) ORDER BY id FOR UPDATE;
  FOR lost IN SELECT * FROM leases WHERE id = ANY (_leases) LOOP
    PERFORM release_lease(lost.id, lost.environment, lost.epoch, lost.probe);
  END LOOP;
END $$;

-- Pause or resume a lane by hand.
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

-- The same for programs up to schema version 5, which only pass the cause.
CREATE OR REPLACE FUNCTION set_lane(_environment integer, _state text, _cause text, _now bigint) RETURNS lanes
LANGUAGE sql AS $$
  SELECT set_lane(_environment, _state, _cause, _now, '', '')
$$;

CREATE OR REPLACE FUNCTION change_lane(
  _environment integer, _state text, _now bigint, _until bigint, _cause text, _failed boolean
) RETURNS void LANGUAGE sql AS $$
  SELECT change_lane(_environment, _state, _now, _until, _cause, _failed, '', '')
$$;
