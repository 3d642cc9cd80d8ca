-- What the IdP wants to see again when a person signs out there, sealed: an ID token. Gone when the session ends. Null: none is kept.
ALTER TABLE "browser_sessions" ADD COLUMN "sealed_logout_hint" BYTEA;
