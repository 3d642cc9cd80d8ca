-- That the copy of a document is good for longer is no change of the client: whoever is being answered by it goes on.
CREATE OR REPLACE FUNCTION raise_client_version() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  before clients := OLD;
BEGIN
  before.last_used_at := NEW.last_used_at;
  before.asked_at := NEW.asked_at;
  before.secret_used_at := NEW.secret_used_at;
  before.second_secret_used_at := NEW.second_secret_used_at;
  before.document_expires_at := NEW.document_expires_at;
  IF (OLD.last_used_at, OLD.asked_at, OLD.secret_used_at, OLD.second_secret_used_at, OLD.document_expires_at)
      IS NOT DISTINCT FROM (NEW.last_used_at, NEW.asked_at, NEW.secret_used_at, NEW.second_secret_used_at, NEW.document_expires_at)
    OR before IS DISTINCT FROM NEW THEN
    NEW.version := nextval('clients_version_seq');
  END IF;
  RETURN NEW;
END
$$;
