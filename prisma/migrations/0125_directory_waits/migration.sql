-- A login or an assertion that meets its directory while it is speaking holds a connection of the hot path for as long as it waits. So it says whether
-- it may wait at all, and then for two seconds: without, or after that, nothing of the statement has happened (SQLSTATE 55P03). Which few may wait at
-- the same time is the process's to say (docs/adr/0096). The function with seven arguments stays for processes of an earlier version.
CREATE FUNCTION hold_directory(tenant uuid, connection uuid, linked uuid, link_key text, link_value text, stable_id text, email_key text, may_wait boolean)
  RETURNS boolean LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, public, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
  directory bigint := hashtextextended('scim:' || tenant::text || connection::text, 0);
  names text[] := ARRAY[lower(stable_id COLLATE "und-x-icu"), lower(link_value COLLATE "und-x-icu"), email_key];
BEGIN
  IF may_wait THEN
    PERFORM pg_advisory_xact_lock_shared(directory);
  ELSIF NOT pg_try_advisory_xact_lock_shared(directory) THEN
    RAISE EXCEPTION 'the directory is speaking' USING ERRCODE = 'lock_not_available';
  END IF;
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
