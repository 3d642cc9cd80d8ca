-- A login that is being written and a directory that speaks of the same person wait for each other. Whoever changes SCIM users of a connection
-- holds this lock alone, before anything else is locked; a login shares it, and then looks at the directory as it is now: its own statement
-- began earlier, and would open a session for somebody who has been switched off since. True: nobody whom the login names is switched off.
CREATE FUNCTION hold_directory(tenant uuid, connection uuid, linked uuid, link_key text, link_value text, stable_id text) RETURNS boolean
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, public AS $$
BEGIN
  PERFORM pg_advisory_xact_lock_shared(hashtextextended('scim:' || tenant::text || connection::text, 0));
  RETURN NOT EXISTS (SELECT 1 FROM scim_users AS u
    WHERE u.tenant_id = tenant AND u.connection_id = connection AND (NOT u.active OR u.deleted_at IS NOT NULL)
      AND (u.id = linked OR (link_key = 'userName' AND u.user_name_key = link_value) OR (link_key = 'externalId' AND u.external_id = link_value)
        OR (link_key IS NULL AND u.external_id = stable_id)));
END
$$;

-- The same, with a name by which a statement that came too late is told apart from every other refusal of the schema.
CREATE OR REPLACE FUNCTION hold_minter() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
BEGIN
  PERFORM 1 FROM resource_issuers AS minter
    WHERE minter.tenant_id = NEW.resource_tenant_id AND minter.resource_id = NEW.resource_id
      AND minter.issuer_tenant_id = NEW.tenant_id AND minter.issuer_id = NEW.issuer_id FOR KEY SHARE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'this issuer may not mint for that resource' USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'minter_held';
  END IF;
  RETURN NEW;
END
$$;
