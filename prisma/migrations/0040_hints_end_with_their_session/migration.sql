-- What a session keeps for a sign-out is erased when its time is over, not when its row is swept a month later.
GRANT UPDATE ("sealed_logout_hint") ON "browser_sessions" TO drawbridge_across;
CREATE INDEX "browser_sessions_hint_kept" ON "browser_sessions" ("expires_at") WHERE "sealed_logout_hint" IS NOT NULL;
