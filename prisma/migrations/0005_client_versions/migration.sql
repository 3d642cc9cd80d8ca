-- The version of a client: another number after every change, and never one that any client has had before. So one number tells whether
-- what a process remembers of a client is what the row says, also where a client was deleted and registered again meanwhile.
ALTER TABLE "clients" ADD COLUMN "version" BIGSERIAL NOT NULL;
GRANT USAGE ON SEQUENCE clients_version_seq TO drawbridge_tenant;

CREATE FUNCTION raise_client_version() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
  NEW.version := nextval('clients_version_seq');
  RETURN NEW;
END
$$;
CREATE TRIGGER version_raised BEFORE UPDATE ON clients FOR EACH ROW EXECUTE FUNCTION raise_client_version();
