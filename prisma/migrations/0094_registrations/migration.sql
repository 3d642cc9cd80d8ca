-- What a client that registered itself manages its registration by, when that ended, and when the client was last given a token. A version that knows
-- nothing of the columns keeps to the block that is written with the end.
ALTER TABLE "clients" ADD COLUMN "registration_token_hash" BYTEA, ADD COLUMN "unregistered_at" TIMESTAMPTZ(3), ADD COLUMN "last_used_at" TIMESTAMPTZ(3);
CREATE INDEX "clients_dynamic_idx" ON "clients" ("tenant_id", "created_at") WHERE "kind" = 'dynamic';
GRANT DELETE, UPDATE ("last_used_at") ON "clients" TO drawbridge_across;

-- That a client was used is no change of what a process remembers of it: the version stays, and with it whatever is being decided under it.
CREATE OR REPLACE FUNCTION raise_client_version() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
DECLARE
  before clients := OLD;
BEGIN
  before.last_used_at := NEW.last_used_at;
  IF OLD.last_used_at IS NOT DISTINCT FROM NEW.last_used_at OR before IS DISTINCT FROM NEW THEN
    NEW.version := nextval('clients_version_seq');
  END IF;
  RETURN NEW;
END
$$;

-- Nobody knows when those that are there were used last: they get the time of whoever was used just now, and not of whoever never was.
UPDATE "clients" SET "last_used_at" = now() WHERE "kind" = 'dynamic' AND "created_at" < now() - interval '1 day';
