-- Settlement: records the outcome of claimed deliveries, their requests and their lane.

-- `_settlements` is a list of {ids, state, due_at, counts, starts_window, error, attempt}; state is a number or null (the claim keeps
-- them), attempt a number into `_attempts` or null. Returns how many deliveries, still leased, changed.
CREATE OR REPLACE FUNCTION settle_deliveries(
  _lease bigint, _environment integer, _now bigint, _settlements jsonb, _attempts jsonb,
  _epoch bigint, _lane_state text, _until bigint, _cause text, _reason text, _detail text
) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  one jsonb;
  noted bigint[] := '{}';
  noted_id bigint;
  attempt_id bigint;
  started bigint;
  wanted bigint[];
  touched bigint[];
  changed bigint[] := '{}';
  resent bigint[] := '{}';
  states smallint[] := '{}';
  differences bigint[] := '{}';
  number integer;
  done integer := 0;
  used integer;
  starts boolean;
BEGIN
  PERFORM 1 FROM leases WHERE id = _lease FOR UPDATE;
  FOR one IN SELECT * FROM jsonb_array_elements(_attempts) LOOP
    INSERT INTO attempts(environment, started_at, status, error, outcome, latency_ms, events, body_bytes, excerpt,
        endpoint)
      VALUES (_environment, (one->>'started_at')::bigint, (one->>'status')::integer, one->>'error', one->>'outcome',
        (one->>'latency_ms')::double precision, (one->>'events')::integer, (one->>'body_bytes')::integer,
        one->>'excerpt', coalesce(one->>'endpoint', ''))
      RETURNING id INTO noted_id;
    noted := noted || noted_id;
  END LOOP;
  FOR one IN SELECT * FROM jsonb_array_elements(_settlements) LOOP
    wanted := ARRAY(SELECT value::bigint FROM jsonb_array_elements_text(one->'ids'));
    attempt_id := noted[(one->>'attempt')::integer + 1];
    started := coalesce((_attempts->((one->>'attempt')::integer)->>'started_at')::bigint, 0);
    used := (attempt_id IS NOT NULL AND (one->>'counts')::boolean)::integer;
    -- missing in calls of schema version 1
    starts := attempt_id IS NOT NULL AND coalesce((one->>'starts_window')::boolean, (one->>'counts')::boolean);
    IF attempt_id IS NOT NULL AND coalesce((one->>'state')::integer, 0) = 0 THEN
      INSERT INTO history(delivery, attempt) SELECT id, attempt_id FROM deliveries
        WHERE id = ANY (wanted) AND lease = _lease AND state = 0;
    END IF;
    IF one->>'state' IS NULL THEN
      -- a rejected batch that is being split: its deliveries were sent once more, but no retry is used
      UPDATE deliveries SET attempts = attempts + 1, attempt = coalesce(attempt_id, attempt)
        WHERE id = ANY (wanted) AND lease = _lease AND state = 0;
      resent := resent || wanted;
      CONTINUE;
    END IF;
    WITH hit AS (
      UPDATE deliveries SET
        lease = NULL,
        state = (one->>'state')::smallint,
        due_at = CASE WHEN (one->>'state')::integer = 0 THEN greatest(due_at, (one->>'due_at')::bigint) ELSE due_at END,
        attempts = attempts + (attempt_id IS NOT NULL)::integer,
        tries = CASE WHEN (one->>'state')::integer = 0 THEN tries + used ELSE tries END,
        -- a window that begins in the future is the result of a clock that was set back
        first_try = CASE WHEN (one->>'state')::integer = 0 AND starts AND (first_try = 0 OR first_try > started)
          THEN started ELSE first_try END,
        attempt = coalesce(attempt_id, attempt),
        error = one->>'error'
      WHERE id = ANY (wanted) AND lease = _lease AND state = 0 RETURNING id
    )
    SELECT coalesce(array_agg(id), '{}') INTO touched FROM hit;
    number := cardinality(touched);
    done := done + number;
    changed := changed || touched;
    states := states || ARRAY[0::smallint, (one->>'state')::smallint];
    differences := differences || ARRAY[-number::bigint, number::bigint];
  END LOOP;
  IF done > 0 THEN
    UPDATE leases SET n = n - done WHERE id = _lease RETURNING n INTO number;
    IF number <= 0 THEN
      DELETE FROM leases WHERE id = _lease;
    END IF;
  END IF;
  IF done > 0 OR cardinality(resent) > 0 THEN
    PERFORM close_books(array_fill(_environment, ARRAY[cardinality(states)]), states, differences, changed,
      changed || resent);
  END IF;
  -- update the lane only if something changes: all workers share its row
  UPDATE lanes l SET last_status = a.status, last_at = a.ended FROM (
      SELECT (value->>'status')::integer AS status,
        ((value->>'started_at')::bigint + (value->>'latency_ms')::double precision)::bigint AS ended
      FROM jsonb_array_elements(_attempts) ORDER BY (value->>'started_at')::bigint DESC LIMIT 1
    ) AS a WHERE l.environment = _environment AND a.status > 0;
  IF _lane_state IS NOT NULL THEN
    PERFORM 1 FROM lanes WHERE environment = _environment AND epoch = _epoch FOR UPDATE;
    IF FOUND THEN
      PERFORM change_lane(_environment, _lane_state, _now, _until, _cause, true, _reason, _detail);
    END IF;
  END IF;
  RETURN done;
END $$;

-- The same for programs up to schema version 5, which only pass the cause.
CREATE OR REPLACE FUNCTION settle_deliveries(
  _lease bigint, _environment integer, _now bigint, _settlements jsonb, _attempts jsonb,
  _epoch bigint, _lane_state text, _until bigint, _cause text
) RETURNS integer LANGUAGE sql AS $$
  SELECT settle_deliveries(_lease, _environment, _now, _settlements, _attempts, _epoch, _lane_state, _until, _cause,
    '', '')
$$;
