-- A client may have two secrets, so that it can be moved from the one to the other; each may have an end. The first one stays where it was: a version that
-- knows nothing of the columns believes it alone, and believes it beyond its end.
ALTER TABLE "clients"
  ADD COLUMN "secret_created_at" TIMESTAMPTZ(3), ADD COLUMN "secret_expires_at" TIMESTAMPTZ(3), ADD COLUMN "secret_used_at" TIMESTAMPTZ(3),
  ADD COLUMN "second_secret_hash" BYTEA, ADD COLUMN "second_secret_created_at" TIMESTAMPTZ(3), ADD COLUMN "second_secret_expires_at" TIMESTAMPTZ(3),
  ADD COLUMN "second_secret_used_at" TIMESTAMPTZ(3);
ALTER TABLE clients ADD CONSTRAINT clients_second_secret_check CHECK (secret_hash IS NOT NULL OR second_secret_hash IS NULL);

-- Nor is it a change that a secret was used.
CREATE OR REPLACE FUNCTION raise_client_version() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
DECLARE
  before clients := OLD;
BEGIN
  before.last_used_at := NEW.last_used_at;
  before.secret_used_at := NEW.secret_used_at;
  before.second_secret_used_at := NEW.second_secret_used_at;
  IF (OLD.last_used_at, OLD.secret_used_at, OLD.second_secret_used_at) IS NOT DISTINCT FROM (NEW.last_used_at, NEW.secret_used_at, NEW.second_secret_used_at)
    OR before IS DISTINCT FROM NEW THEN
    NEW.version := nextval('clients_version_seq');
  END IF;
  RETURN NEW;
END
$$;
