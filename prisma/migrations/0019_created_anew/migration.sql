-- Whom a directory deleted and created anew comes home as whom it created: what it said of the record before is a tombstone beside a living one.
-- The record that the verdict stands on must still live; a tombstone of the same key counts where there was none to stand on.
CREATE OR REPLACE FUNCTION hold_directory(tenant uuid, connection uuid, linked uuid, link_key text, link_value text, stable_id text) RETURNS boolean
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, public AS $$
BEGIN
  PERFORM pg_advisory_xact_lock_shared(hashtextextended('scim:' || tenant::text || connection::text, 0));
  RETURN NOT EXISTS (SELECT 1 FROM scim_users AS u
    WHERE u.tenant_id = tenant AND u.connection_id = connection AND (NOT u.active OR u.deleted_at IS NOT NULL)
      AND (u.id = linked OR (linked IS NULL OR u.deleted_at IS NULL) AND ((link_key = 'userName' AND u.user_name_key = link_value)
        OR (link_key = 'externalId' AND u.external_id = link_value) OR (link_key IS NULL AND u.external_id = stable_id))));
END
$$;
