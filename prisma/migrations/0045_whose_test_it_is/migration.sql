-- The admin key that asked for a test login, and so may read what it found. No foreign key: it outlives the key that it names, and keys of the
-- vendor are another tenant's. Null, as a broker of the version before writes it: nobody reads it.
ALTER TABLE "test_logins" ADD COLUMN "asked_by" UUID;

-- A mail that gathers longer because its recipient was written to often.
ALTER TABLE "announcements" ADD COLUMN "is_digest" BOOLEAN NOT NULL DEFAULT false;
-- An admin has a mail tried again that was given up. Closing, sending and sweeping stay the worker's.
GRANT UPDATE ("state", "attempts", "trouble", "try_at", "ended_at", "expires_at") ON "announcements" TO drawbridge_tenant;
