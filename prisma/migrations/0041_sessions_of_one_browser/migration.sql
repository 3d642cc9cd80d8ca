-- A login ends the session that the browser had before and opens another, under a handle and perhaps a name at the IdP of its own; what was
-- granted from the earlier one lives on. Each session says which was the first of its browser, so that an end finds them all. Null: it is the
-- first itself. No foreign key: it outlives the row that it names. Index without the tenant, as 0009 says.
ALTER TABLE "browser_sessions" ADD COLUMN "first_session_id" UUID;
CREATE INDEX "browser_sessions_first_session_id_idx" ON "browser_sessions" ("first_session_id");
