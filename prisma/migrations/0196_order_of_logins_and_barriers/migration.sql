-- Which came first, a login or the barrier of its person, is said by the sequence that numbers logins and ends of sessions (0043), and by nobody's clock: an IdP whose clock is ahead
-- dates what it said before the barrier after it. A barrier takes its number whenever her epoch rises, whoever raises it; what is said of nobody whom we know, whenever it is said.
-- Null: from before this migration, and then the times alone are compared.
ALTER TABLE "subjects" ADD COLUMN "barred_nth" BIGINT;
ALTER TABLE "unmatched_signals" ADD COLUMN "said_nth" BIGINT;
ALTER TABLE "unmatched_signals" ALTER COLUMN "said_nth" SET DEFAULT nextval('logins_and_ends'::regclass);

CREATE FUNCTION number_subject_barrier() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  NEW.barred_nth := nextval('logins_and_ends');
  RETURN NEW;
END
$$;
CREATE TRIGGER barrier_numbered BEFORE UPDATE OF epoch ON subjects FOR EACH ROW WHEN (NEW.epoch > OLD.epoch) EXECUTE FUNCTION number_subject_barrier();

-- As the one of 0137, which the version before calls, and by that order, too: said anew by a clock that is behind it has no later time. `seen_nth`: what the verdict saw.
CREATE FUNCTION hold_signals(tenant uuid, connection uuid, stable_id text, link_value text, linked uuid, email_key text, seen timestamptz, seen_nth bigint) RETURNS boolean
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  names text[] := ARRAY[stable_id, link_value, (SELECT external_id FROM scim_users AS u WHERE u.tenant_id = tenant AND u.id = linked), 'mailto:' || email_key];
  one text;
BEGIN
  FOREACH one IN ARRAY names LOOP
    IF one IS NOT NULL THEN
      PERFORM pg_advisory_xact_lock_shared(signal_lock(tenant, connection, one));
    END IF;
  END LOOP;
  RETURN NOT EXISTS (SELECT 1 FROM unmatched_signals AS u
    WHERE u.tenant_id = tenant AND u.connection_id = connection AND u.name IN (SELECT unmatched_name(given) FROM unnest(names) AS given)
      AND (u.deactivates OR u.said_at > COALESCE(seen, '-infinity') OR u.said_nth > COALESCE(seen_nth, 0)));
END
$$;
