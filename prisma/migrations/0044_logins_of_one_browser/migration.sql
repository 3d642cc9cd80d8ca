-- A sign-out ends the logins that its browser has under way, and what those opened that came home just before. No foreign key: a trip says under which
-- id it was to open a session, whether it did or not. Indexes without the tenant, as 0009 says.
ALTER TABLE "login_requests" ADD COLUMN "session_id" UUID;
CREATE INDEX "login_requests_browser_hash_idx" ON "login_requests" ("browser_hash");

-- How many messages rest in the name of one login is bounded.
CREATE INDEX "parked_messages_login_request_id_idx" ON "parked_messages" ("login_request_id");
