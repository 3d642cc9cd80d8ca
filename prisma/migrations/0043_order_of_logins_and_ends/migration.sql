-- Which came first, a login or the end of the session that it would open, is said by one sequence of this database and by nobody's clock: each
-- replica has its own. A login takes its number when it begins, an end whenever it is told. Null: from before this migration, and then an end
-- counts against a login of that time. The version before gives the numbers, too, by the default and the trigger, and goes on comparing clocks.
CREATE SEQUENCE logins_and_ends AS BIGINT;
GRANT USAGE ON SEQUENCE logins_and_ends TO drawbridge_tenant, drawbridge_hot;

ALTER TABLE "login_requests" ADD COLUMN "began_nth" BIGINT;
ALTER TABLE "login_requests" ALTER COLUMN "began_nth" SET DEFAULT nextval('logins_and_ends'::regclass);
ALTER TABLE "idp_session_ends" ADD COLUMN "ended_nth" BIGINT;

CREATE FUNCTION number_session_end() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
  NEW.ended_nth := nextval('logins_and_ends');
  RETURN NEW;
END
$$;
CREATE TRIGGER end_numbered BEFORE INSERT OR UPDATE ON idp_session_ends FOR EACH ROW EXECUTE FUNCTION number_session_end();

-- As the one of 0020, which the version before calls, but by that order. True: none of the names has ended since the login began.
CREATE FUNCTION hold_idp_session(tenant uuid, connection uuid, names bytea[], began bigint) RETURNS boolean
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, public AS $$
DECLARE
  given bytea;
BEGIN
  FOREACH given IN ARRAY names LOOP
    PERFORM pg_advisory_xact_lock_shared(idp_session_lock(tenant, connection, given));
  END LOOP;
  RETURN NOT EXISTS (SELECT 1 FROM idp_session_ends AS e WHERE e.tenant_id = tenant AND e.connection_id = connection
    AND e.name = ANY (names) AND COALESCE(e.ended_nth, 0) >= COALESCE(began, 0));
END
$$;
