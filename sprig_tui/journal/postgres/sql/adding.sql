-- Adding of deliveries in one call, so that no client holds the lock between two statements.

-- Maintained counts and change records, written last in a transaction. The lock makes change records visible in the
-- order of their numbers.
-- `_counted` are the deliveries whose statistics change: what is kept of their blocks is no longer right.
CREATE OR REPLACE FUNCTION close_books(
  _environments integer[], _states smallint[], _differences bigint[], _changed bigint[], _counted bigint[]
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  note bigint;
BEGIN
  PERFORM pg_advisory_xact_lock(1397903943, 2);
  INSERT INTO stale_counts(block, mark)
    SELECT block, (random() * 9e18)::bigint FROM (SELECT DISTINCT id / 4096 FROM unnest(_counted) AS c(id)) AS b(block)
    ON CONFLICT (block) DO UPDATE SET mark = excluded.mark;
  INSERT INTO counts AS c(environment, state, n)
    SELECT environment, state, sum(difference) FROM unnest(_environments, _states, _differences)
      AS u(environment, state, difference)
    GROUP BY environment, state HAVING sum(difference) <> 0
    ON CONFLICT (environment, state) DO UPDATE SET n = c.n + excluded.n;
  IF cardinality(_changed) > 0 THEN
    INSERT INTO changes(ids) VALUES (_changed) RETURNING seq INTO note;
    IF note % 256 = 0 THEN
      DELETE FROM changes WHERE seq < note - 4096;
    END IF;
  END IF;
END $$;

-- The same where whatever changed is counted, and for programs up to schema version 8, which do not tell what they
-- removed or moved to another endpoint: then all blocks are counted again.
CREATE OR REPLACE FUNCTION close_books(_environments integer[], _states smallint[], _differences bigint[], _changed bigint[])
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM close_books(_environments, _states, _differences, _changed,
    CASE WHEN cardinality(_changed) > 0 OR cardinality(_differences) = 0 THEN _changed
      ELSE ARRAY(SELECT block * 4096 FROM kept_counts) END);
END $$;

-- Store deliveries, their identities and payloads; returns the first of their consecutive ids. The lock makes ids
-- visible in their order.
-- `_fresh_keys` must be unknown (unique_violation), `_moved_keys` must still belong to `_moved_from`
-- (serialization_failure): the caller then looks them up again.
CREATE OR REPLACE FUNCTION add_deliveries(
  _now bigint, _priority smallint,
  _environments integer[], _states smallint[], _sizes integer[], _origins bigint[], _message_ids text[],
  _digests bytea[], _reasons text[], _details text[], _survey_ids text[], _survey_names text[], _user_ids text[],
  _question_types text[], _question_ids text[], _answers text[], _answered_ats bigint[], _updated_ats bigint[],
  _sources text[], _lines bigint[], _edited boolean[],
  _fresh_keys bigint[], _fresh_at integer[], _moved_keys bigint[], _moved_from bigint[], _moved_at integer[],
  _pack_starts integer[], _raws bytea[], _bodies bytea[], _call_out boolean
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  number integer := cardinality(_environments);
  first bigint;
  moved integer;
  gone bigint[] := '{}';
  gone_from integer[] := '{}';
BEGIN
  PERFORM pg_advisory_xact_lock(1397903943, 1);
  first := nextval('delivery_ids');
  IF number > 1 THEN
    PERFORM setval('delivery_ids', first + number - 1);
  END IF;
  INSERT INTO ids(key, delivery)
    SELECT key, first + at FROM unnest(_fresh_keys, _fresh_at) AS u(key, at) ORDER BY key;
  IF cardinality(_moved_keys) > 0 THEN
    UPDATE ids SET delivery = first + u.at FROM unnest(_moved_keys, _moved_from, _moved_at) AS u(key, was, at)
      WHERE ids.key = u.key AND ids.delivery = u.was;
    GET DIAGNOSTICS moved = ROW_COUNT;
    IF moved <> cardinality(_moved_keys) THEN
      RAISE EXCEPTION 'an identity was taken over by another' USING ERRCODE = 'serialization_failure';
    END IF;
    -- a queued delivery for another endpoint is withdrawn, unless its row is locked: the transaction that locked it
    -- may wait for the lock of this one
    WITH free AS (
      SELECT id FROM deliveries WHERE id = ANY (_moved_from) AND state = 0 AND lease IS NULL FOR UPDATE SKIP LOCKED
    ), hit AS (
      UPDATE deliveries SET state = 3, reason = 'withdrawn',
        detail = 'the same answer came again for another endpoint and took its place'
      WHERE id IN (SELECT id FROM free) RETURNING id, environment
    )
    SELECT coalesce(array_agg(id), '{}'), coalesce(array_agg(environment), '{}') INTO gone, gone_from FROM hit;
  END IF;
  INSERT INTO deliveries(id, environment, state, priority, added_at, size, origin, message_id, digest, reason, detail,
      survey_id, survey_name, user_id, question_type, question_id, answer, answered_at, updated_at, source, line, edited)
    SELECT first + n - 1, environment, state, _priority, _now, size,
      -- an origin below zero is a delivery of this call
      CASE WHEN origin < 0 THEN first - 1 - origin ELSE origin END, message_id, digest, reason, detail,
      survey_id, survey_name, user_id, question_type, question_id, answer, answered_at, updated_at, source, line, edited
    FROM unnest(_environments, _states, _sizes, _origins, _message_ids, _digests, _reasons, _details, _survey_ids,
        _survey_names, _user_ids, _question_types, _question_ids, _answers, _answered_ats, _updated_ats, _sources,
        _lines, _edited)
      WITH ORDINALITY AS u(environment, state, size, origin, message_id, digest, reason, detail, survey_id,
        survey_name, user_id, question_type, question_id, answer, answered_at, updated_at, source, line, edited, n);
  INSERT INTO packs(first, raws, bodies)
    SELECT first + start, raws, bodies FROM unnest(_pack_starts, _raws, _bodies) AS u(start, raws, bodies);
  PERFORM close_books(
    _environments || gone_from || gone_from,
    _states || array_fill(0::smallint, ARRAY[cardinality(gone)]) || array_fill(3::smallint, ARRAY[cardinality(gone)]),
    array_fill(1::bigint, ARRAY[number]) || array_fill(-1::bigint, ARRAY[cardinality(gone)])
      || array_fill(1::bigint, ARRAY[cardinality(gone)]),
    gone,
    ARRAY(SELECT generate_series(first, first + number - 1, 4096)) || (first + number - 1) || gone);
  IF _call_out THEN
    PERFORM pg_notify('sprig_tui', 'added');
  END IF;
  RETURN first;
END $$;
