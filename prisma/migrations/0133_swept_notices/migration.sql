-- As the outbox (0133_swept_by_time), and not in one transaction with it: whoever writes both would be waited for, and would wait.
CREATE INDEX "notices_expires_at_idx" ON "notices" ("expires_at");
