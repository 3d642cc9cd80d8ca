-- What is looked at again while a login is written is what the verdict looked at: every key that a directory had of her, on every connection.
-- The declared key and the login's own connection alone let in whoever was switched off by another in the middle of the statement. Only the
-- directory of this connection is waited for: what another one has not committed yet comes after this login, as it would a moment later.
CREATE FUNCTION hold_directory(tenant uuid, connection uuid, linked uuid, link_key text, link_value text, stable_id text, email_key text) RETURNS boolean
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, public AS $$
DECLARE
  names text[] := ARRAY[lower(stable_id COLLATE "und-x-icu"), lower(link_value COLLATE "und-x-icu"), email_key];
BEGIN
  PERFORM pg_advisory_xact_lock_shared(hashtextextended('scim:' || tenant::text || connection::text, 0));
  -- The record that the verdict stands on, or a living one of the declared key, is switched off; a tombstone counts where there was none.
  IF EXISTS (SELECT 1 FROM scim_users AS u
    WHERE u.tenant_id = tenant AND (NOT u.active OR u.deleted_at IS NOT NULL)
      AND (u.id = linked OR (linked IS NULL OR u.connection_id = connection AND u.deleted_at IS NULL)
        AND ((link_key = 'userName' AND u.user_name_key = link_value) OR (link_key = 'externalId' AND u.external_id = link_value)
          OR (link_key IS NULL AND u.external_id = stable_id)))) THEN
    RETURN false;
  END IF;
  -- Whom no key found: nobody by any of her names is gone, or this directory has somebody living by one.
  RETURN linked IS NOT NULL
    OR NOT EXISTS (SELECT 1 FROM scim_users AS u WHERE u.tenant_id = tenant AND (NOT u.active OR u.deleted_at IS NOT NULL)
      AND (u.user_name_key = ANY (names) OR u.external_id = ANY (ARRAY[stable_id, link_value])))
    OR EXISTS (SELECT 1 FROM scim_users AS u WHERE u.tenant_id = tenant AND u.connection_id = connection AND u.active AND u.deleted_at IS NULL
      AND (u.user_name_key = ANY (names) OR u.external_id = ANY (ARRAY[stable_id, link_value])));
END
$$;
