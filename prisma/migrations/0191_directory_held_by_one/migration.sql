-- A login asks for its directory by this one again (docs/adr/0127): it waits as any statement of the hot path does. The one with eight arguments stays for
-- processes of an earlier version.
ALTER FUNCTION hold_directory(uuid, uuid, uuid, text, text, text, text) SET search_path = pg_catalog, public, pg_temp;
